"""Removal of customers from files, of whatever kind. Each file is replaced whole or not at all."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
from collections.abc import Callable, Collection, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from python_ml.sql import identifier, literal, literals, read_parquet

CUSTOMER_ID = "customer_id"
REMOVED = "(forgotten)"
RECORDS = (".csv", ".jsonl", ".ndjson")  # a line a row
ANY_ID = "C[0-9]{5,9}"


def pattern_of(customer_ids: Iterable[str]) -> str:
    """A regular expression of ids that are no part of a longer word."""
    listing = "|".join(re.escape(each) for each in sorted(customer_ids))
    return rf"\b({listing})\b"


def ids_in(path: Path) -> set[str]:
    """Customers of a Parquet file: of its customer_id, or named in its other texts."""
    scan = read_parquet(path)
    with duckdb.connect() as connection:
        texts = text_columns(connection, scan)
        if CUSTOMER_ID in texts and "source_line" not in texts:
            found = connection.execute(f"select distinct {CUSTOMER_ID} from {scan}").fetchall()
        else:
            named = " union all ".join(
                f"select unnest(regexp_extract_all({identifier(name)}, {literal(ANY_ID)})) as id "
                f"from {scan}"
                for name in texts
            )
            found = (
                connection.execute(f"select distinct id from ({named})").fetchall() if named else []
            )
    return {row[0] for row in found if row[0] is not None}


def scrub_parquet(path: Path, customer_ids: Collection[str]) -> int:
    """Write a Parquet file again without some customers, in its order; returns the rows removed.

    A hard link to the same bytes elsewhere stays as it was.
    """
    scan = read_parquet(path)
    with duckdb.connect() as connection:
        names = text_columns(connection, scan)
        if not names:
            return 0
        if CUSTOMER_ID in names and "source_line" not in names:
            matches = f"coalesce({CUSTOMER_ID} in ({literals(sorted(customer_ids))}), false)"
        else:
            pattern = literal(pattern_of(customer_ids))
            matches = " or ".join(
                f"coalesce(regexp_matches({identifier(name)}, {pattern}), false)" for name in names
            )
        (count,) = connection.execute(
            f"select count(*) from {scan} where {matches}"
        ).fetchone() or (0,)
        if count:
            unfinished = path.with_name(f".{path.name}.tmp")
            connection.execute(
                f"copy (select * from {scan} where not ({matches})) to {literal(unfinished)} "
                "(format parquet, compression zstd)"
            )
            unfinished.replace(path)
    return int(count)


def scrub_arrow(
    path: Path, matches: Callable[[pa.Table], pa.Array], before: Callable[[pa.Table], None] | None
) -> int:
    """The same for a small file whose exact schema counts.

    Args:
        path: Parquet.
        matches: which rows go.
        before: called with what will stand there, before it does.
    """
    table = pq.ParquetFile(path).read()
    gone = pc.fill_null(matches(table), False)
    count = pc.sum(gone).as_py() or 0
    if count:
        rest = table.filter(pc.invert(gone))
        if before is not None:
            before(rest)
        unfinished = path.with_name(f".{path.name}.tmp")
        pq.write_table(rest, unfinished, compression="zstd")
        unfinished.replace(path)
    return int(count)


def text_columns(connection: duckdb.DuckDBPyConnection, relation: str) -> list[str]:
    """Names of the text columns of a relation."""
    described = connection.execute(f"describe select * from {relation}").fetchall()
    return [row[0] for row in described if row[1] == "VARCHAR"]


def scrub_text(path: Path, pattern: str) -> bool:
    """Remove what names a customer from a text, JSON or gzip file; whether it did."""
    name = path.name.lower()
    is_gzip = name.endswith(".gz")
    content = gzip.decompress(path.read_bytes()) if is_gzip else path.read_bytes()
    found = re.compile(pattern.encode())
    if not found.search(content):
        return False
    name = name.removesuffix(".gz")
    if name.endswith(RECORDS):
        lines = content.splitlines(keepends=True)
        cleaned = b"".join(line for line in lines if not found.search(line))
    elif name.endswith(".json"):
        document = _without(json.loads(content), re.compile(pattern))
        cleaned = json.dumps(document, ensure_ascii=False, indent=1).encode()
    else:
        cleaned = found.sub(REMOVED.encode(), content)
    unfinished = path.with_name(f".{path.name}.tmp")
    unfinished.write_bytes(gzip.compress(cleaned) if is_gzip else cleaned)
    unfinished.replace(path)
    return True


def _without(value: Any, pattern: re.Pattern[str]) -> Any:
    """A document without the records that name a customer, and the id out of what is left."""
    if isinstance(value, dict):
        return {key: _without(entry, pattern) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without(entry, pattern) for entry in value if not _is_record_of(entry, pattern)]
    return pattern.sub(REMOVED, value) if isinstance(value, str) else value


def _is_record_of(entry: Any, pattern: re.Pattern[str]) -> bool:
    values = entry.values() if isinstance(entry, dict) else ()
    return any(isinstance(value, str) and pattern.fullmatch(value) for value in values)


def scrub_sqlite(path: Path, pattern: str) -> None:
    """Remove the id from every text of the record of runs, and from the file's free pages."""
    compiled = re.compile(pattern)
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
        connection.create_function("scrub", 1, lambda text: compiled.sub(REMOVED, text))
        connection.execute("pragma secure_delete = on")
        connection.execute("update run set document = scrub(document)")
        connection.execute("vacuum")


def scrub_database(database: Path, pattern: str) -> int:
    """Remove a customer's rows from a DuckDB file, and write it anew so that no old block stays.

    Returns:
        Rows removed.
    """
    fresh, removed = database.with_name("fresh.duckdb"), 0
    fresh.unlink(missing_ok=True)
    with duckdb.connect(str(database)) as connection:
        columns = connection.execute(
            "select table_name, list(column_name) from duckdb_columns() "
            "where data_type = 'VARCHAR' and database_name = current_database() "
            "and table_name in (select table_name from duckdb_tables()) group by table_name"
        ).fetchall()
        for table, names in columns:
            matches = " or ".join(
                f"regexp_matches({identifier(name)}, {literal(pattern)})" for name in sorted(names)
            )
            counted = connection.execute(
                f"delete from {identifier(table)} where {matches}"
            ).fetchone()
            removed += counted[0] if counted else 0
        # Views name the catalog that they were made in, which is the name of this very file.
        connection.execute(f"attach {literal(fresh)} as fresh")
        connection.execute(f"copy from database {identifier(database.stem)} to fresh")
        connection.execute("detach fresh")
    fresh.replace(database)
    return removed
