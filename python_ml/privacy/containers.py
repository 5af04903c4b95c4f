"""What lies inside files: every format that the product writes is opened, at any depth."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import mmap
import re
import shutil
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import Enum, auto
from pathlib import Path
from urllib.parse import quote

import duckdb
import pyarrow as pa

from python_ml.duckdb_connection import open_duckdb
from python_ml.engines.sql import identifier, literal

Bytes = bytes | mmap.mmap

# What reading a damaged file raises.
DAMAGED = (
    *(OSError, EOFError, ValueError, RuntimeError, zlib.error, zipfile.BadZipFile, csv.Error),
    *(sqlite3.Error, duckdb.Error, pa.ArrowException),
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{60,}={0,2}")
_IN_MEMORY = 1 << 24  # bytes of compressed data; what is larger is unpacked into a file
_HEAD = 1 << 16


class Kind(Enum):
    """A format, known by its first bytes."""

    GZIP = auto()
    ZIP = auto()
    SQLITE = auto()
    PARQUET = auto()
    DUCKDB = auto()
    UTF16 = auto()
    TEXT = auto()
    OTHER = auto()


_MAGIC: dict[Kind, tuple[int, bytes | tuple[bytes, ...]]] = {
    Kind.GZIP: (0, b"\x1f\x8b"),
    Kind.ZIP: (0, b"PK\x03\x04"),
    Kind.SQLITE: (0, b"SQLite format 3\0"),
    Kind.PARQUET: (0, b"PAR1"),
    Kind.DUCKDB: (8, b"DUCK"),
    Kind.UTF16: (0, (b"\xff\xfe", b"\xfe\xff")),
}


def kind_of(data: Bytes) -> Kind:
    """The format of some content."""
    for kind, (start, magic) in _MAGIC.items():
        if data[start : start + 16].startswith(magic):
            return kind
    return Kind.OTHER if b"\0" in data[:_HEAD] else Kind.TEXT


@contextmanager
def opened(path: Path) -> Iterator[Bytes]:
    """The bytes of a file, mapped into memory."""
    with path.open("rb") as stream:
        if path.stat().st_size == 0:
            yield b""
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


@contextmanager
def unpacked(data: Bytes) -> Iterator[Bytes]:
    """The content of gzip data.

    Raises:
        OSError: it is damaged.
        EOFError: its end is missing.
    """
    if len(data) <= _IN_MEMORY:
        yield gzip.decompress(data)
        return
    with tempfile.TemporaryFile() as stream:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            shutil.copyfileobj(packed, stream, _IN_MEMORY)
        stream.flush()
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content


def members(data: Bytes) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file of a ZIP archive, such as a workbook of Excel.

    Raises:
        zipfile.BadZipFile: it is damaged.
        RuntimeError: it is encrypted.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            if not name.endswith("/"):
                yield name, archive.read(name)


def is_workbook(data: Bytes) -> bool:
    """Whether an archive is a workbook, whose cells refer to each other by number.

    Raises:
        zipfile.BadZipFile: it is damaged.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return "[Content_Types].xml" in archive.namelist()


def encoded(data: Bytes) -> Iterator[tuple[slice, bytes]]:
    """Where a text holds data in base64, and the data."""
    for match in _BASE64.finditer(data):
        run = match[0].rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        if len(run) % 4 == 1:  # one character tells nothing
            run = run[:-1]
        yield slice(*match.span()), base64.b64decode(run + b"===")  # more than it takes is no harm


def text_of(data: Bytes) -> bytes:
    """UTF-16 as UTF-8."""
    return bytes(data).decode("utf-16", errors="replace").encode()


@contextmanager
def sqlite(data: Bytes) -> Iterator[sqlite3.Connection]:
    """A database in memory with the content of an SQLite file.

    Raises:
        sqlite3.Error: it is damaged.
    """
    content = bytearray(data)
    content[18:20] = b"\1\1"  # what a log beside the file holds is searched as a file of its own
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.deserialize(bytes(content))
        yield connection


def sqlite_bytes(path: Path) -> bytes:
    """The bytes of an SQLite file, while nobody writes to it.

    Raises:
        sqlite3.Error: it is damaged, or somebody keeps writing.
    """
    address = f"file:{quote(str(path.resolve()))}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=30)) as connection:
        connection.execute("begin")
        connection.execute("select count(*) from sqlite_master").fetchone()
        return path.read_bytes()


def sqlite_columns(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Every table of an SQLite database with each of its columns, quoted for SQL."""
    tables = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
    return [
        (identifier(table), identifier(row[1]))
        for (table,) in tables
        for row in connection.execute(f"pragma table_info({identifier(table)})").fetchall()
    ]


@contextmanager
def duckdb_file(path: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, list[tuple[str, str]]]]:
    """A DuckDB file to read, and its columns that may hold text as (table, column) for SQL.

    Raises:
        duckdb.Error: it is damaged, or another process writes to it.
    """
    with open_duckdb() as connection:
        connection.execute(f"attach {literal(path)} as searched (read_only)")
        yield connection, duckdb_columns(connection, "searched")


def duckdb_columns(connection: duckdb.DuckDBPyConnection, catalog: str) -> list[tuple[str, str]]:
    """Every table of a catalog with each of its columns that may hold text, quoted for SQL."""
    rows = connection.execute(
        "select schema_name, table_name, column_name from duckdb_columns() "
        "where database_name = ? and not internal and (data_type in ('VARCHAR', 'BLOB', 'JSON') "
        "or data_type similar to '(STRUCT|MAP|ENUM|UNION|.*\\]).*') and (schema_name, table_name) "
        "in (select (schema_name, table_name) from duckdb_tables() where database_name = ?)",
        [catalog, catalog],
    ).fetchall()
    return [
        (f"{identifier(catalog)}.{identifier(schema)}.{identifier(table)}", identifier(column))
        for schema, table, column in rows
    ]
