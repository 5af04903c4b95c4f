"""The one door to tables and lake files; an engine behind it, chosen by `settings.target`."""

from __future__ import annotations

from pathlib import Path

from python_ml.config import Settings
from python_ml.errors import UsageError
from python_ml.warehouse.base import Warehouse

__all__ = ["Warehouse", "open_warehouse"]


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
        from python_ml.warehouse.duckdb import DuckDBWarehouse

        return DuckDBWarehouse(
            database=database or settings.layout.warehouse,
            lake=settings.layout.lake,
            threads=settings.threads,
            memory_limit=settings.memory_limit,
        )
    if settings.target == "athena":
        from python_ml.warehouse.athena import AthenaWarehouse
        from python_ml.warehouse.athena_publication import run_database_name

        schema = run_database_name(settings.athena, run_id) if run_id else None
        return AthenaWarehouse(settings.athena, schema)
    raise UsageError(f"target {settings.target!r}: the warehouse must be duckdb or athena")
