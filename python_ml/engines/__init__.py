"""The engines behind the platform: DuckDB in a data home, Amazon Athena over S3.

A caller opens the engine of the settings, or only its warehouse (tables), its store (files by key)
or its ledger of runs, and does not ask which engine it is.
"""

from __future__ import annotations

from importlib import import_module

from python_ml.engines.base import Warehouse
from python_ml.engines.engine import Engine
from python_ml.engines.ledger import RunLedger
from python_ml.engines.store import Store
from python_ml.settings import Settings

__all__ = [
    "ENGINES",
    "Engine",
    "RunLedger",
    "Store",
    "Warehouse",
    "open_engine",
    "open_ledger",
    "open_store",
    "open_warehouse",
]


# By target. Only the engine that is used is imported: their libraries take a noticeable part of a
# second.
ENGINES = {
    "duckdb": "python_ml.engines.duckdb_engine:DuckDBEngine",
    "athena": "python_ml.engines.athena_engine:AthenaEngine",
}


def open_engine(settings: Settings) -> Engine:
    """The engine of `settings.target`."""
    module, _, name = ENGINES[settings.target].partition(":")
    kind: type[Engine] = getattr(import_module(module), name)
    return kind(settings)


def open_ledger(settings: Settings) -> RunLedger:
    """The ledger of the engine: a file in the home, or a DynamoDB table."""
    return open_engine(settings).ledger()


def open_store(settings: Settings) -> Store:
    """The store of the engine's lake: a folder, or a bucket."""
    return open_engine(settings).store()


def open_warehouse(settings: Settings, run_id: str | None = None) -> Warehouse:
    """The engine's published tables, or those of a run in progress."""
    return open_engine(settings).warehouse(run_id)
