"""The SQL of a card: template tags and optional clauses as in Metabase, and every dialect of it.

A statement is written once, for DuckDB, in the subset that transpiles. `{{tag}}` is a value; an
optional clause is dropped when its tag has none. Two forms are allowed, so that a statement can be
parsed with its clauses and written again with them: `[[and <condition>]]` after a condition, and
`[[{{tag}},]]` as an argument that others follow. `:name` is a list of texts that the card gives
under `lists`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, ParseError, UnsupportedError

from python_ml.engines.sql import literals

DIALECTS = {"duckdb": "duckdb", "postgres": "postgres", "athena": "trino", "sqlite": "sqlite"}
TAG = re.compile(r"\{\{\s*([a-z][a-z0-9_]*)\s*\}\}")
CLAUSE = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
# Functions that every engine has, in the same sense; more can be added once tested on all of them.
PORTABLE = (
    *(exp.And, exp.Or, exp.Case, exp.If, exp.Cast, exp.Coalesce, exp.Nullif, exp.Exists),
    *(exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Abs, exp.Round, exp.Lower, exp.Upper),
    *(exp.RowNumber, exp.Lag, exp.Lead, exp.Trim, exp.Replace, exp.Substring, exp.Length),
)
LIST = re.compile(r"(?<![:\w]):([a-z][a-z0-9_]*)")
_BEGINS_WITH = re.compile(r"-- begins with (\S+)[ \t]*\n")
BROKEN = re.compile(r"\{\{|\}\}|\[\[|\]\]")


class SqlError(Exception):
    """A statement that cannot be used; `line` counts from 1 in it."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Statement:
    """The SQL of a card; what several cards begin with lies in a file of its own.

    Attributes:
        sql: the whole.
        path: file of the card.
        shared: the file that it begins with, if it does.
        shared_lines: lines of `sql` before the card's own.
        own_line: of the card's file, on which its own SQL begins.
    """

    sql: str
    path: Path
    shared: Path | None = None
    shared_lines: int = 0
    own_line: int = 1

    def place(self, line: int) -> tuple[Path, int]:
        """File and line that a line of the whole stands on."""
        if self.shared is not None and line <= self.shared_lines:
            return self.shared, line
        return self.path, line - self.shared_lines + self.own_line - 1


def read_statement(path: Path) -> Statement:
    """The SQL of a card. Its first line may be `-- begins with <file>`, relative to its own.

    Raises:
        OSError: one of the files is not there.
    """
    text = path.read_text(encoding="utf-8")
    if (begins := _BEGINS_WITH.match(text)) is None:
        return Statement(text.strip(), path)
    shared = path.parent / begins[1]
    first, own = shared.read_text(encoding="utf-8").strip() + "\n\n", text[begins.end() :]
    own_line = text[: len(text) - len(own.lstrip())].count("\n") + 1
    return Statement(first + own.strip(), path, shared, first.count("\n"), own_line)


def with_lists(statement: Statement, lists: Mapping[str, Sequence[str]]) -> Statement:
    """The statement with the values of a card in place of `:name`, so that cards can share it.

    Raises:
        SqlError: the statement names a list that the card does not give.
    """

    def values(match: re.Match[str]) -> str:
        if match[1] not in lists:
            line = _line(statement.sql, match.start())
            raise SqlError(line, f":{match[1]} is not among the lists of the card")
        return literals(lists[match[1]])

    return replace(statement, sql=LIST.sub(values, statement.sql))


@dataclass(frozen=True)
class Template:
    """A parsed statement: the tree, in which tags and clauses are marked nodes."""

    tree: exp.Query
    tags: tuple[tuple[str, bool], ...]  # name, and whether it stands outside of every clause
    tag_lines: dict[str, int]


@lru_cache(maxsize=1024)
def parse(sql: str) -> Template:
    """Parse a statement with its tags and clauses; the tree is shared, so copy it to change it.

    Raises:
        SqlError: not one SELECT of DuckDB, or a clause of another form.
    """
    required: dict[str, bool] = {}
    lines: dict[str, int] = {}
    for match in TAG.finditer(sql):
        name = match[1]
        inside = any(clause.start() < match.start() < clause.end() for clause in _clauses(sql))
        required[name] = required.get(name, False) or not inside
        lines.setdefault(name, _line(sql, match.start()))
    plain = CLAUSE.sub(lambda match: _marked(match, sql), sql)
    plain = TAG.sub(r"$\1", plain)
    if stray := BROKEN.search(plain):
        raise SqlError(_line(plain, stray.start()), f"{stray[0]} without its other end, or nested")
    try:
        trees = sqlglot.parse(plain, read="duckdb", error_level=ErrorLevel.RAISE)
    except ParseError as error:
        found = error.errors[0] if error.errors else {}
        raise SqlError(
            found.get("line") or 1, f"not SQL of DuckDB: {found.get('description')}"
        ) from error
    except sqlglot.errors.TokenError as error:
        raise SqlError(1, f"not SQL of DuckDB: {error}") from error
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise SqlError(1, "expected exactly one SELECT")
    tree = trees[0]
    for call in tree.find_all(exp.Func):
        if not isinstance(call, PORTABLE) and not call.name.lower().startswith("optional__"):
            names = [call.name] if isinstance(call, exp.Anonymous) else call.sql_names()
            written = re.search(rf"\b({'|'.join(map(re.escape, names))})\b", sql, re.IGNORECASE)
            name = written[0] if written else names[0]
            line = _line(sql, written.start()) if written else 1
            raise SqlError(line, f"{name.lower()} is not a function of every engine")
    return Template(tree, tuple(required.items()), lines)


@lru_cache(maxsize=1024)
def card_sql(sql: str, target: str) -> str:
    """The statement in the dialect of a target (`duckdb`, `postgres`, `athena`, `sqlite`).

    Tags and clauses are as Metabase wants them.

    Raises:
        SqlError: something in it has no counterpart in that dialect.
    """
    dialect = DIALECTS[target]
    tree = parse(sql).tree
    clauses: dict[str, exp.Expr] = {}

    def mark(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Parameter | exp.Placeholder):
            return exp.Var(this=f"tag__{_name(node)}__")
        if isinstance(node, exp.Anonymous) and node.name.lower().startswith("optional__"):
            clauses[node.name.lower()] = node.expressions[0]
            return exp.Var(this=node.name.lower())
        return node

    def write(node: exp.Expr) -> str:
        try:
            return node.transform(mark).sql(
                dialect=dialect, pretty=True, unsupported_level=ErrorLevel.RAISE
            )
        except UnsupportedError as error:
            raise SqlError(1, f"{target} cannot: {error}") from error

    text = write(tree)
    for name in list(clauses):
        body = write(clauses[name])
        if "condition" in name:
            body = f"({body})" if isinstance(clauses[name], exp.Or) else body
            text = re.sub(rf"\bAND\s+{name}\b", _literal(f"[[AND {body}]]"), text)
        else:
            text = re.sub(rf"\b{name}\s*,", _literal(f"[[{body},]]"), text)
        if name in text:
            raise SqlError(
                1, "an optional clause must follow `and` or come before another argument"
            )
    return re.sub(r"\btag__([a-z0-9_]+?)__\b", r"{{\1}}", text)


def with_values(sql: str, values: Mapping[str, str]) -> str:
    """The statement as Metabase runs it: clauses without a value dropped, values put in.

    Args:
        sql: with tags and clauses.
        values: of tags, as they stand in SQL, by name.
    """

    def clause(match: re.Match[str]) -> str:
        return match[1] if all(name in values for name in TAG.findall(match[1])) else ""

    return TAG.sub(lambda match: values[match[1]], CLAUSE.sub(clause, sql))


def _clauses(sql: str) -> list[re.Match[str]]:
    return list(CLAUSE.finditer(sql))


def _marked(match: re.Match[str], sql: str) -> str:
    """A clause as a call of a function that no engine has; line breaks stay where they are."""
    body, line = match[1], _line(sql, match.start())
    if not TAG.search(body):
        raise SqlError(line, "an optional clause without a tag is never dropped")
    if found := re.match(r"(\s*)and\b", body, re.IGNORECASE):
        return f"and optional__condition_{match.start()}({body[found.end() :]})"
    if (stripped := body.rstrip()).endswith(","):
        return f"optional__argument_{match.start()}({stripped[:-1]}),"
    raise SqlError(line, "an optional clause is [[and <condition>]] or [[{{tag}},]]")


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _name(node: exp.Expr) -> str:
    return node.name or node.this.name


def _literal(text: str) -> str:
    """As the replacement of a pattern, in which a backslash would mean something."""
    return text.replace("\\", "\\\\")
