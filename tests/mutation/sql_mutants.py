"""The mutants of models, macros and seeds: small faults that a dbt test has to notice.

Planted are: a filter or join condition removed, an order turned round, first and last or smallest
and largest exchanged, a comparison or an operator changed, a number off by one, an hour moved into
another tariff period. Comments, descriptions and Jinja that only places commas are left alone.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FILTER = re.compile(r"^(\s*)(where|and|or|on)\s+(?!\{%)(.+?)(,?)$")
_SWAPS = (
    *(("min_by(", "max_by("), ("first_known(", "last_known("), ("first_value(", "last_value(")),
    *((" min(", " max("), ("least(", "greatest("), ("inner join", "left join")),
    *((" <= ", " < "), (" >= ", " > "), (" = ", " <> "), (" + ", " - "), (" * ", " / ")),
    *((" asc", " desc"), ("nulls last", "nulls first"), (" is null", " is not null")),
    (" distinct ", " "),
)
_NUMBER = re.compile(r"(?<![\w.'-])(\d+)(?![\w.'%])")
_MACRO = re.compile(r"\{%-? macro (\w+)\((.*?)\{%-? endmacro", re.DOTALL)
_COMMENT = re.compile(r"^\s*(--|\{#)")


@dataclass(frozen=True)
class SqlMutant:
    """One fault: where it is, what it is, and the file's text with it."""

    path: str
    line: int
    code: str
    change: str
    text: str
    is_of_athena: bool = False  # in a branch of a macro that DuckDB never takes

    @property
    def kind(self) -> str:
        """What sort of rule it breaks; one of Athena's alone cannot be tried on DuckDB."""
        if self.path.endswith(".csv"):
            return "tariff hour"
        if self.is_of_athena:
            return "macro of Athena"
        if self.path.startswith("macros/"):
            return "macro"
        if self.change == "condition removed" and re.search("as_of|window_|recorded", self.code):
            return "as-of filter"
        orders = ("asc", "desc", "order", "min_by", "max_by", "first_", "last_", "nulls")
        return "order" if self.change.startswith(orders) else "other"


def mutants(root: Path, path: str) -> list[SqlMutant]:
    """All mutants of a model, a macro file or the seed of tariff periods.

    Args:
        root: folder of the project.
        path: of the file below it.
    """
    text = (root / path).read_text(encoding="utf-8")
    if path.endswith(".csv"):
        return list(_moved_hours(path, text))
    lines = text.split("\n")
    of_athena = _lines_of_athena(text)
    found = []
    in_comment = in_config = False
    for number, line in enumerate(lines):
        in_comment = in_comment or line.lstrip().startswith("{#")
        in_config = in_config or "{{ config(" in line
        if not (in_comment or in_config or _COMMENT.match(line)):
            opens = number > 0 and lines[number - 1].strip() in ("where", "on")
            for change, new in _changes(line, opens=opens):
                changed = "\n".join([*lines[:number], new, *lines[number + 1 :]])
                code = line.strip()
                at = number + 1
                found.append(SqlMutant(path, at, code, change, changed, at in of_athena))
        if "#}" in line:
            in_comment = False
        if in_config and ") }}" in line:
            in_config = False
    return found


def _lines_of_athena(text: str) -> set[int]:
    """Numbers of the lines that DuckDB never takes: a branch of its own stands beside them, or
    nothing but such branches calls their macro."""
    macros = {match[1]: match for match in _MACRO.finditer(text)}
    callers = {
        name: {other for other, match in macros.items() if name in match[2] and other != name}
        for name in macros
    }
    of_athena: set[str] = set()
    for name in macros:
        own = re.sub("^(default|athena)__", "duckdb__", name)
        if own != name and own in macros and own not in callers[name]:
            of_athena.add(name)
    while more := {
        name
        for name in set(macros) - of_athena
        if name.startswith("_") and callers[name] and callers[name] <= of_athena
    }:
        of_athena |= more
    found: set[int] = set()
    for name in of_athena:
        first = text.count("\n", 0, macros[name].start()) + 1
        found |= set(range(first, first + macros[name][0].count("\n") + 1))
    return found


def _changes(line: str, *, opens: bool) -> Iterator[tuple[str, str]]:
    """Changes of a line; `opens`: it is the first condition below a `where` or `on`."""
    code, dashes, comment = line.partition(" --")
    if opens and code.count("(") == code.count(")"):
        yield "condition removed", f"{code[: len(code) - len(code.lstrip())]}true{dashes}{comment}"
    if match := _FILTER.match(code):
        indent, word, _, comma = match.groups()
        if code.count("(") == code.count(")"):
            always = "false" if word == "or" else "true"
            yield "condition removed", f"{indent}{word} {always}{comma}{dashes}{comment}"
    if not _is_sql(code):
        return
    for first, second in _SWAPS:
        for old, new in ((first, second), (second, first))[: 1 if second == " " else 2]:
            for place in _places(code, old):
                changed = code[:place] + new + code[place + len(old) :]
                yield f"{old.strip()} to {new.strip()}", changed + dashes + comment
    yield from _order_changes(code)
    for match in _NUMBER.finditer(code):
        number = int(match[1])
        changed = f"{code[: match.start(1)]}{number + 1}{code[match.end(1) :]}"
        yield f"{number} to {number + 1}", changed + dashes + comment


def _order_changes(code: str) -> Iterator[tuple[str, str]]:
    """Keys of an order that say no direction."""
    match = re.search(r"order by ([\w.]+)(?=[,)\s]|$)(?! (?:asc|desc))", code)
    if match:
        yield "order reversed", f"{code[: match.end(1)]} desc{code[match.end(1) :]}"


def _is_sql(code: str) -> bool:
    """Not a line of Jinja alone."""
    return not re.match(r"^\s*(\{%-?|\{\{-? ?(return|config)|select \* from final)", code)


def _places(code: str, wanted: str) -> Iterator[int]:
    start = code.find(wanted)
    while start >= 0:
        if not code[:start].endswith("select"):  # select * is no product
            yield start
        start = code.find(wanted, start + 1)


def _moved_hours(path: str, text: str) -> Iterator[SqlMutant]:
    rows = list(csv.DictReader(io.StringIO(text)))
    for number, row in enumerate(rows):
        moved = {**row, "price_tier": str(int(row["price_tier"]) % 3 + 1)}
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, fieldnames=list(row), lineterminator="\n")
        writer.writeheader()
        writer.writerows([*rows[:number], moved, *rows[number + 1 :]])
        code = ",".join(row.values())
        yield SqlMutant(path, number + 2, code, "hour in another period", buffer.getvalue())
