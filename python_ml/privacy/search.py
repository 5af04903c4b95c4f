"""The proof: every byte of every file below a folder, also of what compression hides."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from python_ml.documents import hash_file
from python_ml.privacy import containers
from python_ml.privacy.containers import Bytes, Kind
from python_ml.privacy.records import count_numbered
from python_ml.privacy.scrub import count_rows, matching_values
from python_ml.privacy.traces import Traces
from python_ml.settings import ASSETS

NAME = "its name"
UNREADABLE = "cannot be opened, so nobody knows what is in it"
BY_HAND = ", which only a person can edit or delete"
_Found = tuple[str, int]  # what, and how often
FREE_BLOCKS = "free blocks, which nobody can read"
FREE_PAGES = "pages that were deleted"
_CATALOG = '"searched".'


@dataclass(frozen=True)
class Find:
    """A place where something of a person is: which file, what in it, how often."""

    path: str  # below the folder that was searched
    what: str
    count: int = 1

    @property
    def is_by_hand(self) -> bool:
        """Whether its format is searched, but not edited: a workbook's, or an unknown one."""
        return self.what.endswith(BY_HAND)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "is_by_hand": self.is_by_hand}

    def __str__(self) -> str:
        return f"{self.path}: {self.what}" + (f" ({self.count:,})" if self.count > 1 else "")


@dataclass
class Searched:
    """What a search has found. `doubtful` cannot be opened, or holds blocks that cannot be read."""

    found: list[Find] = field(default_factory=list)
    doubtful: list[Find] = field(default_factory=list)
    file_count: int = 0

    @property
    def is_clean(self) -> bool:
        return not self.found and not self.doubtful

    @property
    def places(self) -> list[Find]:
        return [*self.found, *self.doubtful]


def search(folder: Path, traces: Traces, skip: Collection[Path] = ()) -> Searched:
    """Search everything below a folder, names included.

    Args:
        folder: what to search; what links lead to outside it is not.
        traces: of the person.
        skip: files that are not searched.
    """
    searched = Searched()
    seen: set[tuple[int, int]] = set()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if traces.count(path.name.encode(errors="surrogateescape")):
            searched.found.append(Find(name, NAME))
        if path.is_symlink() or not path.is_file() or path in skip:
            continue
        searched.file_count += 1
        stat = path.stat()
        if _is_our_own(path):
            continue
        try:
            finds = list(_in_file(path, traces)) if (stat.st_dev, stat.st_ino) not in seen else []
        except containers.DAMAGED:
            searched.doubtful.append(Find(name, UNREADABLE))
            continue
        for what, count in finds:
            kept = searched.doubtful if what == FREE_BLOCKS else searched.found
            kept.append(Find(name, what, count))
        if not finds:
            seen.add((stat.st_dev, stat.st_ino))
    return searched


def _in_file(path: Path, traces: Traces) -> Iterator[_Found]:
    with containers.opened(path) as data:
        if containers.kind_of(data) is Kind.SQLITE:
            yield from _in_data(containers.sqlite_bytes(path), traces)
        else:
            yield from _in_data(data, traces, path)


def _in_data(data: Bytes, traces: Traces, path: Path | None = None) -> Iterator[_Found]:
    """What is found in some content, and how often.

    Args:
        data: the content.
        traces: of the person.
        path: the file that holds exactly this.
    """
    kind = containers.kind_of(data)
    is_found = False
    for find in _READERS[kind](data, traces, path):
        is_found = True
        yield find
    if kind not in (Kind.TEXT, Kind.UTF16) and not is_found and (n := _in_bytes(data, traces)):
        yield f"bytes{BY_HAND if kind is Kind.OTHER else ''}", n


def _in_gzip(data: Bytes, traces: Traces, _: Path | None) -> Iterator[_Found]:
    with containers.unpacked(data) as content:
        yield from _in_data(content, traces)


def _in_zip(data: Bytes, traces: Traces, _: Path | None) -> Iterator[_Found]:
    by_hand = BY_HAND if containers.is_workbook(data) else ""
    for name, member in containers.members(data):
        if traces.count(name.encode(errors="surrogateescape")):
            yield f"name of {name}{by_hand}", 1
        for what, count in _in_data(member, traces):
            yield f"{name}: {what.removesuffix(by_hand)}{by_hand}", count


def _in_parquet(data: Bytes, traces: Traces, path: Path | None) -> Iterator[_Found]:
    source = path or pa.BufferReader(data)
    if values := matching_values(source, traces):
        yield f"rows, by {', '.join(values)}", count_rows(source, values)


def _in_text(data: Bytes, traces: Traces, _: Path | None) -> Iterator[_Found]:
    count = traces.count_long(data)
    if count := count or (count_numbered(data, traces) if traces.numbers else 0):
        yield "mentions", count
    for _place, content in containers.encoded(data):
        for what, count in _in_data(content, traces):
            yield f"base64: {what}", count


def _in_utf16(data: Bytes, traces: Traces, _: Path | None) -> Iterator[_Found]:
    yield from _in_text(containers.text_of(data), traces, None)


def _in_nothing(_data: Bytes, _traces: Traces, _: Path | None) -> Iterator[_Found]:
    yield from ()


def _in_bytes(data: Bytes, traces: Traces) -> int:
    """Mentions in the bytes of a binary format, which packs values without anything in between."""
    ids = b"|".join(re.escape(each.encode()) for each in sorted(traces.names))
    packed = len(re.findall(rb"(?:" + ids + rb")(?![0-9])", data)) if ids else 0
    return packed or traces.count_long(data)


def _in_sqlite(data: Bytes, traces: Traces, _: Path | None) -> Iterator[_Found]:
    with containers.sqlite(data) as connection:
        for table, column in containers.sqlite_columns(connection):
            if count := sum(n for _, n in sqlite_values(connection, table, column, traces)):
                yield _rows_of(table, column), count
        connection.execute("vacuum")
        fresh = connection.serialize()
    # What is there more often than in a database without free pages lies in free pages.
    for each in sorted(traces.names):
        id_bytes = each.encode()
        if left := len(re.findall(re.escape(id_bytes), data)) - fresh.count(id_bytes):
            yield FREE_PAGES, max(left, 1)


def _rows_of(table: str, column: str) -> str:
    return f"rows of {table}.{column}".replace('"', "")


def sqlite_values(
    connection: sqlite3.Connection, table: str, column: str, traces: Traces
) -> list[tuple[str | bytes, int]]:
    """Different values of a column that hold a trace, each with its number of rows."""
    hits = " or ".join(f"instr(lower(cast({column} as text)), ?)" for _ in traces.seeds)
    rows = connection.execute(
        f"select {column}, count(*) from {table} where {hits} group by {column}", traces.seeds
    ).fetchall()
    name = column[1:-1].lower()
    return [(value, n) for value, n in rows if traces.is_in_field(name, as_text(value))]


def as_text(value: str | bytes) -> str:
    """A value of SQLite, whose texts and blobs need not be what they are declared as."""
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else str(value)


def _in_duckdb(data: Bytes, traces: Traces, path: Path | None) -> Iterator[_Found]:
    if path is None:
        with tempfile.NamedTemporaryFile(suffix=".duckdb") as copy:
            copy.write(data)
            copy.flush()
            yield from _in_duckdb(data, traces, Path(copy.name))
        return
    with containers.duckdb_file(path) as (connection, columns):
        for table, column in columns:
            if count := sum(n for _, n in duckdb_values(connection, table, column, traces)):
                yield _rows_of(table.removeprefix(_CATALOG), column), count
        row = connection.execute(
            "select free_blocks from pragma_database_size() where database_name = 'searched'"
        ).fetchone()
        if row and row[0]:
            yield FREE_BLOCKS, int(row[0])


def duckdb_values(
    connection: duckdb.DuckDBPyConnection, table: str, column: str, traces: Traces
) -> list[tuple[str, int]]:
    """Different values of a column, as text, that hold a trace, each with its number of rows."""
    hits = " or ".join("contains(lower(value), ?)" for _ in traces.seeds)
    rows = connection.execute(
        f"select value, count(*) from (select cast({column} as varchar) as value from {table}) "
        f"where {hits} group by value",
        list(traces.seeds),
    ).fetchall()
    name = column[1:-1].lower()
    return [(value, n) for value, n in rows if traces.is_in_field(name, value)]


def _is_our_own(path: Path) -> bool:
    """Whether a file is one of the product's own assets: colours in them look like ids."""
    return path.name in _assets() and hash_file(path) in _assets()[path.name]


@cache
def _assets() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in ASSETS.rglob("*"):
        if path.is_file():
            found.setdefault(path.name, set()).add(hash_file(path))
    return found


_READERS: dict[Kind, Callable[[Bytes, Traces, Path | None], Iterator[_Found]]] = {
    Kind.GZIP: _in_gzip,
    Kind.ZIP: _in_zip,
    Kind.SQLITE: _in_sqlite,
    Kind.PARQUET: _in_parquet,
    Kind.DUCKDB: _in_duckdb,
    Kind.UTF16: _in_utf16,
    Kind.TEXT: _in_text,
    Kind.OTHER: _in_nothing,
}
