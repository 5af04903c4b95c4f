"""Carry out one statement: Hive DDL on Glue, a rewritten CTAS or UNLOAD and all else on Trino."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from tests.athena.local import strict
from tests.athena.local.glue_ddl import GlueDdl
from tests.athena.local.glue_patches import set_view_columns
from tests.athena.local.lexer import Reader
from tests.athena.local.statements import (
    HIVE_DDL,
    Statement,
    TableCreation,
    table_creation,
    unload,
)
from tests.athena.local.trino import HIVE_CATALOG, ICEBERG_CATALOG
from tests.athena.local.trino_client import TrinoClient, TrinoResult

_HIVE_PROPERTIES = ("external_location", "format", "partitioned_by", "bucketed_by", "bucket_count")
_ICEBERG_PROPERTIES = ("location", "format", "partitioning")
# Where the tables behind UNLOAD live for a moment; no query names it.
UNLOAD_SCHEMA = "local_athena_unload"


@dataclass(frozen=True)
class Context:
    """Where a statement runs: database, place of its results, and when to stop."""

    query_id: str
    database: str | None
    output: str
    scan_limit: int | None = None
    cancel: threading.Event = field(default_factory=threading.Event)


class Router:
    """Sends statements where they belong."""

    def __init__(self, client: TrinoClient, glue: Any, s3: Any) -> None:
        self._client = client
        self._glue = glue
        self._s3 = s3
        self._ddl = GlueDdl(glue, s3)

    def run(self, statement: Statement, context: Context) -> TrinoResult:
        """Run to the end.

        Raises:
            ParseError, TrinoQueryError: the statement failed.
            QueryCancelledError: it was stopped.
        """
        if statement.subkind in HIVE_DDL:
            self._ddl.run(statement, context.database)
            return TrinoResult()
        if statement.subkind == "CREATE_TABLE_AS_SELECT":
            return self._create_table(table_creation(statement), context)
        if statement.subkind == "UNLOAD":
            return self._unload(statement, context)
        if statement.subkind in ("OPTIMIZE", "VACUUM"):
            return self._trino(_maintenance(statement), context)
        if statement.kind == "UTILITY":
            return self._trino(statement.sql.replace("`", '"'), context)
        result = self._trino(statement.sql, context)
        if statement.subkind == "CREATE_VIEW":
            self._complete_view(statement, context)
        return result

    def _trino(self, sql: str, context: Context) -> TrinoResult:
        return self._client.run(
            sql,
            HIVE_CATALOG,
            context.database,
            cancel=context.cancel,
            scan_limit=context.scan_limit,
        )

    def _create_table(self, creation: TableCreation, context: Context) -> TrinoResult:
        strict.check_creation(creation)
        key = "location" if creation.is_iceberg else "external_location"
        # The work group's place, for a Hive table that names none.
        place = creation.text(key) or f"{context.output}tables/{context.query_id}/"
        strict.check_empty(self._s3, place)
        kept = _ICEBERG_PROPERTIES if creation.is_iceberg else _HIVE_PROPERTIES
        properties = {k: v for k, v in creation.properties.items() if k in kept}
        properties[key] = f"'{place}'"
        if "format" in properties:
            properties["format"] = properties["format"].upper()
        listing = ", ".join(f"{name} = {value}" for name, value in properties.items())
        parts = creation.name[-2:]
        if len(parts) == 1 and context.database:
            parts = (context.database, *parts)
        catalog = ICEBERG_CATALOG if creation.is_iceberg else HIVE_CATALOG
        name = ".".join(f'"{part}"' for part in (catalog, *parts))
        condition = "if not exists " if creation.if_not_exists else ""
        return self._trino(
            f"create table {condition}{name} with ({listing}) as {creation.query}", context
        )

    def _unload(self, statement: Statement, context: Context) -> TrinoResult:
        parts = unload(statement)
        strict.check_unload(parts)
        strict.check_empty(self._s3, parts.location)
        table = f"q{context.query_id.replace('-', '')}"
        properties = [
            f"external_location = '{parts.location}'",
            f"format = {parts.properties['format'].upper()}",
        ]
        if partitions := parts.properties.get("partitioned_by"):
            properties.append(f"partitioned_by = {partitions}")
        result = self._trino(
            f"create table {HIVE_CATALOG}.{UNLOAD_SCHEMA}.{table} "
            f"with ({', '.join(properties)}) as {parts.query}",
            context,
        )
        self._glue.delete_table(DatabaseName=UNLOAD_SCHEMA, Name=table)
        return result

    def _complete_view(self, statement: Statement, context: Context) -> None:
        reader = Reader(statement.sql, list(statement.tokens))
        while not reader.accept("view"):
            reader.next()
        name = reader.name()
        database = name[-2] if len(name) > 1 else context.database
        described = self._client.run(
            f'describe "{HIVE_CATALOG}"."{database}"."{name[-1]}"', HIVE_CATALOG
        )
        columns = [(row[0], row[1]) for row in described.rows]
        set_view_columns(self._glue, (str(database), name[-1]), columns)


def _maintenance(statement: Statement) -> str:
    """OPTIMIZE … REWRITE DATA USING BIN_PACK and VACUUM in Trino's words."""
    reader = Reader(statement.sql, list(statement.tokens))
    reader.next()
    name = ".".join(f'"{part}"' for part in reader.name()[-2:])
    table = f"alter table {ICEBERG_CATALOG}.{name}"
    if statement.subkind == "VACUUM":
        return f"{table} execute expire_snapshots(retention_threshold => '7d')"
    reader.expect("rewrite", "data", "using", "bin_pack")
    condition = f" {reader.until()}" if not reader.at_end else ""
    return f"{table} execute optimize{condition}"
