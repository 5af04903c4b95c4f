"""The engine itself: published tables are those of a DuckDB that only this process has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd

from python_ml.engines import Engine, RunLedger, Store, Warehouse
from python_ml.engines.duckdb import DuckDBWarehouse
from python_ml.engines.sql import literal, quoted, say_where_the_lake_is
from python_ml.engines.store import FolderStore
from python_ml.settings import Settings
from tests.integration.memory_engine.ledger import MemoryLedger

# What this process has published, by home.
_PUBLISHED: dict[Path, duckdb.DuckDBPyConnection] = {}
_LEDGERS: dict[Path, MemoryLedger] = {}


class MemoryWarehouse(DuckDBWarehouse):
    """Reads tables in memory; external ones are files of the lake, as dbt reads them there."""

    def __init__(self, published: duckdb.DuckDBPyConnection, lake: Path) -> None:
        super().__init__(lake, lake, threads=1, memory_limit="1GB")
        self._published = published

    def query(self, sql: str) -> pd.DataFrame:
        return self._published.cursor().execute(sql).df()

    @contextmanager
    def held(self) -> Iterator[None]:
        yield  # there is no file to keep open


class MemoryEngine(Engine):
    """Tables in memory, files under the home."""

    lies_in_home = True
    bills_queries = False
    reads_landed_files = True

    def warehouse(self, run_id: str | None = None) -> Warehouse:
        if run_id is None or self.is_published(run_id):
            return MemoryWarehouse(self._tables(), self._layout.lake)
        settings = self._settings
        return DuckDBWarehouse(
            self.database(run_id), self._layout.lake, settings.threads, settings.memory_limit
        )

    def _tables(self) -> duckdb.DuckDBPyConnection:
        return _PUBLISHED.setdefault(self._layout.home, duckdb.connect(":memory:"))

    def store(self) -> Store:
        return FolderStore(self._layout.lake)

    def ledger(self) -> RunLedger:
        return _LEDGERS.setdefault(self._layout.home, MemoryLedger())

    def tables_place(self) -> str:
        return "memory"

    def lake_place(self) -> str:
        return str(self._layout.lake)

    def begin(self, run_id: str, *, of_published: bool) -> None:
        if of_published:
            target = literal(self.database(run_id))
            self._tables().execute(f"attach {target} as begun; copy from database memory to begun")
            self._tables().execute("detach begun")

    def begin_with_months(
        self, run_id: str, table: str, versions: Mapping[str, str], *, force: bool
    ) -> list[str]:
        return sorted(versions)

    def holds_published(self) -> bool:
        return self._layout.home in _PUBLISHED

    def published_run(self) -> str | None:
        if not self.holds_published():
            return None
        return str(self.warehouse().query("select run_id from mart_overview")["run_id"].iloc[0])

    def is_published(self, run_id: str) -> bool:
        return not self.database(run_id).exists() and self.published_run() == run_id

    def publish(self, run_id: str) -> None:
        """All tables at once: readers have the old connection until the new one is whole."""
        built, tables = self.database(run_id), duckdb.connect(":memory:")
        tables.execute(say_where_the_lake_is(self._layout.lake))
        tables.execute(f"attach {literal(built)} as built (read_only)")
        for (name,) in tables.execute(
            "select table_name from duckdb_tables() where database_name = 'built'"
        ).fetchall():
            tables.execute(f"create table {quoted(name)} as from built.{quoted(name)}")
        tables.execute("detach built")
        _PUBLISHED[self._layout.home] = tables
        built.unlink()

    def settle(self) -> None:
        """Nothing outlives the process."""

    def dbt_environment(self, schema: str | None = None) -> dict[str, str]:
        # The adapter is DuckDB's, on the run's file. Without a lake dbt reads the micro-data.
        return {"DBT_SPANISHGAS_TARGET": "duckdb", "DBT_SPANISHGAS_LAKE": ""}


def forget(settings: Settings) -> None:
    """Drop what is published in a home, as the end of the process does."""
    _PUBLISHED.pop(settings.layout.home, None)
    _LEDGERS.pop(settings.layout.home, None)
