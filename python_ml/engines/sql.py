"""The only place where text becomes part of an SQL statement, so that no value ends its quotes.

Strings and names are those of standard SQL. Paths are for DuckDB, which takes `*`, `?` and `[` in
the path of a file that it reads for wildcards, and a backslash before any of them for a mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from python_ml.errors import UsageError

if TYPE_CHECKING:
    import duckdb

# Comments, strings and quoted names; brackets without further ones inside.
_NO_SQL = re.compile(r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*\"""", re.DOTALL)
_BRACKETS = re.compile(r"\([^()]*\)")
_AS_ITSELF = str.maketrans({"*": "[*]", "?": "[?]", "[": "[[]"})


def literal(value: object) -> str:
    """A value as an SQL string.

    >>> literal("Calle 'Sol'")
    "'Calle ''Sol'''"
    """
    return f"'{quoted(str(value))}'"


def quoted(text: str) -> str:
    """A text as it stands between the quotes of an SQL string."""
    return text.replace("'", "''")


def is_ordered(query: str) -> bool:
    """Whether the rows of a query come in an order that its text asks for.

    >>> is_ordered("select a from (select a from t order by a) as t -- order by b")
    False
    >>> is_ordered("with t as (select 'order by' as a) select a from t order by a limit 5")
    True
    """
    outermost, inner = "", _NO_SQL.sub(" ", query)
    while inner != outermost:
        outermost, inner = inner, _BRACKETS.sub(" ", inner)
    return re.search(r"\border\s+by\b", outermost, re.IGNORECASE) is not None


def literals(values: Iterable[object]) -> str:
    """Values as SQL strings, separated by commas.

    >>> literals(["Low", "High"])
    "'Low', 'High'"
    """
    return ", ".join(literal(value) for value in values)


def identifier(name: str) -> str:
    """The name of a column, table or catalog, quoted.

    >>> identifier("customer id")
    '"customer id"'
    """
    return '"' + name.replace('"', '""') + '"'


def identifiers(names: Iterable[str]) -> str:
    """Quoted names, separated by commas."""
    return ", ".join(identifier(name) for name in names)


def files(folder: Path | str, pattern: str = "") -> str:
    """What DuckDB is to read, as an SQL string: a file, or the files below a folder.

    Args:
        folder: stands for itself, whatever characters its path has.
        pattern: of files below the folder, with wildcards; without one, `folder` is the file.

    Raises:
        UsageError: DuckDB has no way to write this path.
    """
    return literal(file_pattern(folder, pattern))


def file_pattern(folder: Path | str, pattern: str = "") -> str:
    """The same, not yet quoted.

    >>> file_pattern("/data/[new]", "*.parquet")
    '/data/[[]new]/*.parquet'
    """
    plain = str(folder)
    path = plain.translate(_AS_ITSELF)
    if "\\" in plain and (pattern or path != plain):
        raise UsageError(
            f"{plain}: DuckDB cannot read below a folder with a backslash in its name. "
            "Rename the folder."
        )
    return f"{path}/{pattern}" if pattern else path


LAKE_VARIABLE = "spanishgas_lake"


def say_where_the_lake_is(lake: Path) -> str:
    """The statement that views of a published DuckDB file wait for: they name no place themselves.

    Without it they read `lake/` of the folder that their reader works in.
    """
    return f"set variable {LAKE_VARIABLE} = {files(lake)}"


def movable(view: str, lake: Path) -> str:
    """A view on files of a lake, defined so that it reads them wherever the lake lies."""
    place = re.escape(quoted(file_pattern(lake)))
    return re.sub(
        rf"'{place}(/(?:[^']|'')*)'",
        lambda found: f"(coalesce(getvariable('{LAKE_VARIABLE}'), 'lake') || '{found[1]}')",
        view,
    )


def places_of(view: str) -> list[str]:
    """Absolute paths of the files that the definition of a view reads.

    >>> places_of("select * from read_parquet('/lake/ml/*.parquet')")
    ['/lake/ml/*.parquet']
    """
    return [path.replace("''", "'") for path in re.findall(r"read_\w+\('(/(?:[^']|'')*)'", view)]


def read_parquet(*paths: Path | str, options: str = "") -> str:
    """A scan of Parquet files whose paths say nothing about their rows."""
    listing = ", ".join(files(path) for path in paths)
    return f"read_parquet([{listing}], hive_partitioning = false{options})"


def one_row(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    """The only row of an aggregate query."""
    row = connection.execute(sql).fetchone()
    assert row is not None
    return row
