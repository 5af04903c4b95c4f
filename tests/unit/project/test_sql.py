"""Text becomes SQL in one module, and comes back out of the engine as it went in."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from python_ml.engines.sql import (
    file_pattern,
    files,
    identifier,
    literal,
    movable,
    places_of,
    say_where_the_lake_is,
)
from python_ml.errors import UsageError

VIEWS = "select sql from duckdb_views() where not internal"
PACKAGE = Path(__file__).resolve().parents[3] / "python_ml"
# What they write is HTML, JSON, YAML or JavaScript: quotes there are not those of SQL.
NOT_SQL = (
    "cost.py",  # the comment with the card's name
    "engines/sql.py",
    "pages/card/document.py",
    "pages/embed.py",
    "pages/exposures.py",
    "pages/metabase/wanted.py",
    "pages/preview.py",
    "pages/start.py",
    "quality/expectations.py",
)
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@settings(deadline=None)
@given(text)
def test_a_value_is_itself_in_a_statement(value: str) -> None:
    assert duckdb.execute(f"select {literal(value)}").fetchone() == (value,)


@settings(deadline=None)
@given(text.filter(bool))
def test_a_name_is_itself_in_a_statement(name: str) -> None:
    assert duckdb.execute(f"select 1 as {identifier(name)}").description[0][0] == name


@pytest.mark.parametrize("name", ["home", "it's [one] of a, b*"])
def test_a_view_reads_the_lake_beside_it_wherever_both_are_moved(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    (home / "lake" / "ml").mkdir(parents=True)
    part, scan = home / "lake" / "ml" / "part.parquet", files(home / "lake", "ml/*.parquet")
    with duckdb.connect(str(home / "w.duckdb")) as connection:
        connection.execute(f"copy (select 'here' as place) to {literal(part)} (format parquet)")
        connection.execute(
            f"create view seen as select place, 'a/b' as x from read_parquet({scan})"
        )
        ((view,),) = connection.execute(VIEWS).fetchall()
        assert places_of(view) == [file_pattern(home / "lake", "ml/*.parquet")]
        connection.execute(say_where_the_lake_is(home / "lake"))
        changed = movable(view, home / "lake")
        connection.execute(changed.replace("CREATE VIEW", "create or replace view", 1))
        assert places_of(connection.execute(VIEWS).fetchall()[0][0]) == []
    moved = home.rename(tmp_path / "it's elsewhere")
    with duckdb.connect(str(moved / "w.duckdb"), read_only=True) as connection:
        connection.execute(say_where_the_lake_is(moved / "lake"))
        assert connection.execute("select * from seen").fetchall() == [("here", "a/b")]


@pytest.mark.parametrize("name", ["a*", "a?", "a[b]", "[[]", "[!a]", "{a,b}", "it's", "a\nb"])
def test_a_path_stands_for_one_file_and_for_no_other(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name / "month=1"
    for each in (folder, tmp_path / "ab" / "month=1", tmp_path / "a" / "month=1"):
        each.mkdir(parents=True)
        (each / "x.csv").write_text(f"n\n{1 if each == folder else 2}\n")
    for scan in (files(folder / "x.csv"), files(tmp_path / name, "*/*.csv")):
        assert duckdb.execute(f"select n from read_csv({scan})").fetchall() == [(1,)]


def test_a_backslash_is_refused_only_where_wildcards_are_needed() -> None:
    assert file_pattern("/a\\b/c") == "/a\\b/c"
    for arguments in (("/a\\b[c]",), ("/a\\b", "*.parquet")):
        with pytest.raises(UsageError, match="backslash"):
            file_pattern(*arguments)


def quoted_by_hand(source: str) -> Iterator[str]:
    """Line and expression where a value stands between quotes of an f-string, or gets them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            for quote in "'\"":
                is_open = False
                for part in node.values:
                    if isinstance(part, ast.Constant):
                        marks = re.sub(r"(?<=\w)'(?=\w)", "", str(part.value))  # don't: no quote
                        is_open ^= marks.count(quote) % 2 == 1
                    elif is_open:
                        yield f"{part.lineno}: {ast.unparse(part)}"
        if isinstance(node, ast.Call) and ast.unparse(node).endswith(
            (""".replace("'", "''")""", """.replace('"', '""')""")
        ):
            yield f"{node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize(
    "line",
    [
        "f\"select '{name}'\"",
        "f'select \"{name}\" from t'",
        "f\"copy t to '{folder}/part.parquet'\"",
        '"\'" + name.replace("\'", "\'\'") + "\'"',
    ],
)
def test_what_the_test_below_finds(line: str) -> None:
    assert list(quoted_by_hand(line))


@pytest.mark.thorough
def test_no_statement_is_quoted_by_hand() -> None:
    modules = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}
    assert modules.keys() > set(NOT_SQL)
    found = {
        name: places
        for name, path in modules.items()
        if name not in NOT_SQL
        and (places := list(quoted_by_hand(path.read_text(encoding="utf-8"))))
    }
    assert found == {}
