"""Removal of a person from a file of whatever kind. Each is replaced whole or not at all."""

from __future__ import annotations

import base64
import gzip
import io
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb

from python_ml.duckdb_connection import open_duckdb
from python_ml.engines.rewrite import write_anew
from python_ml.privacy import containers
from python_ml.privacy.containers import Bytes, Kind
from python_ml.privacy.records import csv_edits, edit_json, edit_text, is_record_of
from python_ml.privacy.scrub import scrub_parquet
from python_ml.privacy.search import as_text, duckdb_values, sqlite_values
from python_ml.privacy.traces import Traces


def remove_from(path: Path, traces: Traces, before: Callable[[Path], None] | None = None) -> None:
    """Take a person out of a file, or remove a file or folder that is named after the person.

    Args:
        path: anything; what cannot be edited stays as it is, for the search to tell.
        traces: of the person.
        before: called with a finished Parquet file before it takes the place of the other.
    """
    if traces.count(path.name.encode(errors="surrogateescape")):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        return
    with containers.opened(path) as data:
        kind = containers.kind_of(data)
        if kind is Kind.PARQUET:
            scrub_parquet(path, traces, before)
        elif kind is Kind.DUCKDB:
            scrub_duckdb(path, traces)
        elif kind is Kind.SQLITE:
            scrub_sqlite(path, traces)
        elif kind is Kind.TEXT and path.name.lower().endswith((".csv", ".tsv")):
            _rewrite_csv(path, data, traces)
        elif path.name.lower().endswith(".json") and is_record_of(data[:], traces):
            path.unlink()
        else:
            edited = _edit(path.name, data, traces)
            unfinished = path.with_name(f".{path.name}.tmp")
            unfinished.write_bytes(edited)
            unfinished.replace(path)


def _edit(name: str, data: Bytes, traces: Traces) -> bytes:
    """Content without a person; a name says what a text is."""
    edited = bytes(data)
    match containers.kind_of(data):
        case Kind.GZIP:
            inner = name[:-3] if name.lower().endswith(".gz") else name
            with containers.unpacked(data) as content:
                edited = gzip.compress(_edit(inner, content, traces), mtime=0)
        case Kind.ZIP if not containers.is_workbook(data):
            edited = _edit_zip(data, traces)
        case Kind.SQLITE:
            with containers.sqlite(data) as connection:
                _scrub_tables(connection, traces)
                edited = connection.serialize()
        case Kind.PARQUET | Kind.DUCKDB:
            edited = _in_a_file(data, traces)
        case Kind.TEXT:
            edited = edit_text(name, _edit_encoded(edited, traces), traces)
        case Kind.UTF16:
            text = edit_text(name, containers.text_of(data), traces)
            edited = text.decode().encode("utf-16")
    return edited


def _rewrite_csv(path: Path, data: Bytes, traces: Traces) -> None:
    """CSV is of any size: what stays is copied from file to file."""
    unfinished, at = path.with_name(f".{path.name}.tmp"), 0
    with unfinished.open("wb") as target:
        for span, replacement in csv_edits(data, traces):
            target.write(memoryview(data)[at : span.start])
            target.write(replacement)
            at = span.stop
        target.write(memoryview(data)[at:])
    unfinished.replace(path)


def _edit_encoded(data: bytes, traces: Traces) -> bytes:
    """A text in which what is kept in base64 has lost a person."""
    parts, at = [], 0
    for place, content in containers.encoded(data):
        edited = _edit("", content, traces)
        if edited != content:
            parts += [data[at : place.start], base64.b64encode(edited)]
            at = place.stop
    return b"".join([*parts, data[at:]])


def _edit_zip(data: Bytes, traces: Traces) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in containers.members(data):
            if not traces.count(name.encode(errors="surrogateescape")):
                archive.writestr(name, _edit(name, member, traces))
    return target.getvalue()


def _in_a_file(data: Bytes, traces: Traces) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "content"
        path.write_bytes(data)
        remove_from(path, traces)
        return path.read_bytes()


def scrub_sqlite(path: Path, traces: Traces) -> None:
    """Remove a person from an SQLite file, and from the file's free pages."""
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
        _scrub_tables(connection, traces)


def _scrub_tables(connection: sqlite3.Connection, traces: Traces) -> None:
    connection.execute("pragma secure_delete = on")
    for table, column in containers.sqlite_columns(connection):
        for value, _ in sqlite_values(connection, table, column, traces):
            text = as_text(value)
            if isinstance(value, bytes) or traces.is_record(column[1:-1].lower(), text):
                connection.execute(f"delete from {table} where {column} = ?", (value,))
            else:
                changes = (_redacted(text, traces), value)
                connection.execute(f"update {table} set {column} = ? where {column} = ?", changes)
    connection.execute("vacuum")


def _redacted(text: str, traces: Traces) -> str:
    """A value that mentions a person: a JSON document, or any text."""
    return edit_json(text, traces) if text[:1] in ("{", "[") else traces.redact(text)


def scrub_duckdb(path: Path, traces: Traces) -> None:
    """Remove a person from a DuckDB file, and write it anew so that no old block stays."""
    with open_duckdb(path) as connection:
        (catalog,) = connection.execute("select current_database()").fetchone() or ("",)
        for table, column in containers.duckdb_columns(connection, catalog):
            _scrub_column(connection, table, column, traces)
    write_anew(path)


def _scrub_column(
    connection: duckdb.DuckDBPyConnection, table: str, column: str, traces: Traces
) -> None:
    (kind,) = connection.execute(f"select any_value(typeof({column})) from {table}").fetchone() or (
        "",
    )
    for value, _ in duckdb_values(connection, table, column, traces):
        where = f"where cast({column} as varchar) = ?"
        if kind != "VARCHAR" or traces.is_record(column[1:-1].lower(), value):
            connection.execute(f"delete from {table} {where}", [value])
        else:
            changed = _redacted(value, traces)
            connection.execute(f"update {table} set {column} = ? {where}", [changed, value])
