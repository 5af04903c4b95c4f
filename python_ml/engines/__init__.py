"""The engines behind the platform: DuckDB in a data home, Amazon Athena over S3.

A caller opens a warehouse (tables), a store (files by key) or the ledger of runs by the settings,
and does not ask which engine it is.
"""

from __future__ import annotations

from pathlib import Path

from python_ml.engines.base import Warehouse
from python_ml.engines.ledger import RunLedger
from python_ml.errors import UsageError
from python_ml.settings import Settings

__all__ = ["RunLedger", "Warehouse", "open_ledger", "open_warehouse"]


def open_ledger(settings: Settings) -> RunLedger:
    """The ledger of `settings.target`: a file in the home, or a DynamoDB table."""
    if settings.target == "athena":
        from python_ml.engines.dynamodb_ledger import DynamoLedger

        athena = settings.athena
        return DynamoLedger(athena.runs_table, athena.schema, athena.region)
    from python_ml.engines.sqlite_ledger import SqliteLedger

    return SqliteLedger(settings.layout.home)


def open_warehouse(
    settings: Settings, database: Path | None = None, run_id: str | None = None
) -> Warehouse:
    """The warehouse of `settings.target`.

    Args:
        settings: where it lies and how many threads and how much memory it may take.
        database: DuckDB file to open instead of the published one, as a run in progress does.
        run_id: run in progress whose Glue database is opened instead of the published one.
    """
    if settings.target == "duckdb":
        from python_ml.engines.duckdb import DuckDBWarehouse

        return DuckDBWarehouse(
            database=database or settings.layout.warehouse,
            lake=settings.layout.lake,
            threads=settings.threads,
            memory_limit=settings.memory_limit,
        )
    if settings.target == "athena":
        from python_ml.engines.athena import AthenaWarehouse
        from python_ml.engines.athena_publication import run_database_name

        schema = run_database_name(settings.athena, run_id) if run_id else None
        return AthenaWarehouse(settings.athena, schema)
    raise UsageError(f"target {settings.target!r}: the warehouse must be duckdb or athena")
