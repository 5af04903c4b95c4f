"""The marts in a Postgres that Metabase reads; Metabase has no driver for DuckDB.

One transaction holds all of it. The new tables are loaded beside the old ones and take their names
at the end, so that a reader sees the marts of one run or of the next, never a mixture, never none.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from psycopg import errors as pg_errors
from psycopg import sql

from python_ml.contracts.schema import ColumnSchema
from python_ml.embedding import visible
from python_ml.engines import Warehouse
from python_ml.errors import SpanishGasError, UsageError
from python_ml.pages.marts import mart_columns
from python_ml.progress import Reporter, silent
from python_ml.settings import MartsSettings, Settings

_POSTGRES_TYPES = {"varchar": "text", "double": "double precision"}
_NEXT = "next_"  # prefix of a table until it takes its name
_WAIT_FOR_READERS = "60s"
_BATCH_BYTES = 1 << 20


@dataclass
class Published:
    """What was loaded, and where."""

    place: str
    schema: str
    rows: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return {
            "place": self.place,
            "schema": self.schema,
            "rows": self.rows,
            "seconds": round(self.seconds, 3),
        }


def publish(
    warehouse: Warehouse,
    settings: Settings,
    progress: Reporter = silent,
    environ: Mapping[str, str] | None = None,
) -> Published:
    """Load every mart; all become visible at one moment, or none.

    Args:
        warehouse: where the marts are, of DuckDB or Athena.
        settings: the section `marts` says where to.
        progress: hears of each mart.
        environ: `SPANISHGAS_MARTS_PASSWORD` is the writer's.

    Raises:
        UsageError: there is no password.
        SpanishGasError: the server cannot be reached, the reader's role is not there, or somebody
            has built something on a mart; what was published before is as it was.
    """
    place = f"{settings.marts.dbname} on {settings.marts.host}:{settings.marts.port}"
    published = Published(place, settings.marts.schema)
    start = time.monotonic()
    tables = {name: _columns(columns) for name, columns in mart_columns().items()}
    try:
        with _connect(settings.marts, environ) as connection:
            _prepare(connection, settings.marts)
            for number, (name, columns) in enumerate(tables.items()):
                progress(name, number / len(tables))
                rows = _read(warehouse, name, columns)
                _load(connection, settings.marts.schema, name, columns, rows)
                published.rows[name] = rows.num_rows
            _swap(connection, settings.marts, list(tables))
    except pg_errors.DependentObjectsStillExist as error:
        detail = error.diag.message_detail or ""
        raise SpanishGasError(
            f"{place}: {error.diag.message_primary}: {detail}; a mart is replaced whole: drop what "
            "was built on it, or build it in dbt"
        ) from error
    except pg_errors.LockNotAvailable as error:
        raise SpanishGasError(
            f"{place}: a query has been reading the marts for {_WAIT_FOR_READERS}; try again later"
        ) from error
    except pg_errors.UndefinedObject as error:
        raise SpanishGasError(
            f"{place}: {error.diag.message_primary}; make the role marts.reader, or name another"
        ) from error
    except psycopg.Error as error:
        raise SpanishGasError(f"{place}: {' '.join(str(error).split())}") from error
    published.seconds = time.monotonic() - start
    return published


def _connect(marts: MartsSettings, environ: Mapping[str, str] | None) -> psycopg.Connection[Any]:
    environ = os.environ if environ is None else environ
    password = environ.get("SPANISHGAS_MARTS_PASSWORD")
    if not password:
        raise UsageError(f"set SPANISHGAS_MARTS_PASSWORD, the password of {marts.user}")
    return psycopg.connect(
        host=marts.host,
        port=marts.port,
        dbname=marts.dbname,
        user=marts.user,
        password=password,
        connect_timeout=10,
        application_name="spanishgas publish-marts",
    )


def _columns(columns: Mapping[str, str]) -> list[ColumnSchema]:
    return [ColumnSchema(name, data_type) for name, data_type in columns.items()]


def _read(warehouse: Warehouse, name: str, columns: list[ColumnSchema]) -> pa.Table:
    """A mart with the types of its contract; a value that is not a number is none."""
    frame = warehouse.query(f"select {', '.join(it.name for it in columns)} from {name}")
    schema = pa.schema([(column.name, column.arrow_type) for column in columns])
    try:
        return pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SpanishGasError(f"{name}: {error}; its contract is in models/marts") from error


def _prepare(connection: psycopg.Connection[Any], marts: MartsSettings) -> None:
    """One publisher at a time; readers are waited for, but not for ever."""
    connection.execute("select set_config('lock_timeout', %s, true)", [_WAIT_FOR_READERS])
    connection.execute(
        "select pg_advisory_xact_lock(hashtext(%s))", [f"spanishgas marts {marts.schema}"]
    )
    schema = sql.Identifier(marts.schema)
    connection.execute(sql.SQL("create schema if not exists {}").format(schema))


def _load(
    connection: psycopg.Connection[Any],
    schema: str,
    name: str,
    columns: list[ColumnSchema],
    rows: pa.Table,
) -> None:
    table = sql.Identifier(schema, _NEXT + name)
    types = sql.SQL(", ").join(
        sql.SQL("{} {}").format(
            sql.Identifier(column.name),
            sql.SQL(_POSTGRES_TYPES.get(column.data_type, column.data_type)),
        )
        for column in columns
    )
    connection.execute(sql.SQL("drop table if exists {}").format(table))
    connection.execute(sql.SQL("create table {} ({})").format(table, types))
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("copy {} from stdin (format csv)").format(table)) as copy,
    ):
        for chunk in _csv(rows):
            copy.write(chunk)
    if any(column.name == "customer_id" for column in columns):  # pages look one customer up
        connection.execute(sql.SQL("create index on {} (customer_id)").format(table))
    connection.execute(sql.SQL("analyze {}").format(table))


def _csv(rows: pa.Table) -> Iterator[bytes]:
    """The rows as CSV, a megabyte or so at a time; a null is empty, an empty text is quoted."""
    options = pa_csv.WriteOptions(include_header=False, quoting_style="needed")
    buffer = io.BytesIO()
    with pa_csv.CSVWriter(buffer, rows.schema, write_options=options) as writer:
        for batch in rows.to_batches(max_chunksize=10_000):
            writer.write_batch(_without_nul(batch))
            if buffer.tell() >= _BATCH_BYTES:
                yield buffer.getvalue()
                buffer.seek(0)
                buffer.truncate()
    yield buffer.getvalue()


def _without_nul(batch: pa.RecordBatch) -> pa.RecordBatch:
    """NUL, which a text in Postgres cannot hold, as the sign that stands for it."""
    columns = [
        pc.replace_substring(column, "\0", visible("\0"))
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _swap(connection: psycopg.Connection[Any], marts: MartsSettings, names: list[str]) -> None:
    """The new tables take the names of the old ones; a mart that is no more goes."""
    there = connection.execute(
        "select tablename from pg_tables where schemaname = %s and tablename like 'mart\\_%%'",
        [marts.schema],
    )
    old = [row[0] for row in there.fetchall()]
    for name in sorted({*old, *names}):
        table = sql.Identifier(marts.schema, name)
        connection.execute(sql.SQL("drop table if exists {}").format(table))
    for name in names:
        table = sql.Identifier(marts.schema, _NEXT + name)
        rename = sql.SQL("alter table {} rename to {}")
        connection.execute(rename.format(table, sql.Identifier(name)))
    if marts.reader:
        schema, reader = sql.Identifier(marts.schema), sql.Identifier(marts.reader)
        connection.execute(sql.SQL("grant usage on schema {} to {}").format(schema, reader))
        grant = sql.SQL("grant select on all tables in schema {} to {}")
        connection.execute(grant.format(schema, reader))
