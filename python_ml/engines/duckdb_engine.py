"""DuckDB as an engine: all of it is in the home.

A run builds in a file of its own beside the published one, and is published by one rename.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from python_ml.duckdb_connection import open_duckdb
from python_ml.engines.base import Warehouse
from python_ml.engines.duckdb import NO_RUN, DuckDBWarehouse
from python_ml.engines.engine import Engine
from python_ml.engines.ledger import RunLedger
from python_ml.engines.published import published_run
from python_ml.engines.rewrite import write_anew
from python_ml.engines.sql import literal
from python_ml.engines.sqlite_ledger import FILE, LOCK, SqliteLedger
from python_ml.engines.store import FolderStore, Store
from python_ml.errors import on_disk


class DuckDBEngine(Engine):
    """One data home."""

    lies_in_home = True
    bills_queries = False
    reads_landed_files = True

    def warehouse(self, run_id: str | None = None) -> Warehouse:
        """The published tables, or those of a run: the published ones once they are the same."""
        if run_id is None or self.is_published(run_id):
            return self._open(self._layout.warehouse)
        return self._open(self.database(run_id))

    def _open(self, database: Path) -> DuckDBWarehouse:
        settings = self._settings
        return DuckDBWarehouse(database, self._layout.lake, settings.threads, settings.memory_limit)

    def store(self) -> Store:
        return FolderStore(self._layout.lake)

    def ledger(self) -> RunLedger:
        return SqliteLedger(self._layout.home)

    def tables_place(self) -> str:
        return str(self._layout.warehouse)

    def lake_place(self) -> str:
        return str(self._layout.lake)

    def own_files(self) -> Collection[Path]:
        home = self._layout.home
        return (self._layout.warehouse, home / FILE, home / LOCK)

    def begin(self, run_id: str, *, of_published: bool) -> None:
        if of_published:  # otherwise dbt makes the file
            shutil.copyfile(self._layout.warehouse, self.database(run_id))

    def begin_with_months(
        self, run_id: str, table: str, versions: Mapping[str, str], *, force: bool
    ) -> list[str]:
        published = self._layout.warehouse
        with open_duckdb(self.database(run_id)) as connection:
            connection.execute(f"drop table if exists {table}")
            if force or not published.exists():
                return sorted(versions)
            connection.execute(f"attach {literal(published)} as published (read_only)")
            columns = {
                row[0]
                for row in connection.execute(
                    "select column_name from duckdb_columns() where database_name = 'published' "
                    f"and table_name = {literal(table)}"
                ).fetchall()
            }
            if "month_version" not in columns:
                return sorted(versions)
            wanted = list(versions.items())
            connection.execute(
                f"create table {table} as select months.* from published.{table} as months "
                "where list_contains(?, strftime(month_start, '%Y-%m') || ' ' || month_version)",
                [[f"{month} {version}" for month, version in wanted]],
            )
            kept = connection.execute(
                f"select distinct strftime(month_start, '%Y-%m') from {table}"
            ).fetchall()
            if not kept:  # whoever built it may have known other columns
                connection.execute(f"drop table {table}")
        return sorted(set(versions) - {month for (month,) in kept})

    def holds_published(self) -> bool:
        return self._layout.warehouse.exists()

    def published_run(self) -> str | None:
        published = published_run(self._settings)
        return published[0] if published else None

    def is_published(self, run_id: str) -> bool:
        return not self.database(run_id).exists() and self.published_run() == run_id

    def publish(self, run_id: str) -> None:
        if self.is_published(run_id):
            return
        published, built = self._layout.warehouse, self.database(run_id)
        with self._open(built) as warehouse:
            warehouse.settle()
        published.with_name(f"{published.name}.wal").unlink(missing_ok=True)
        with on_disk(published):
            built.replace(published)

    def compact(self, run_id: str) -> None:
        with self._open(self.database(run_id)) as warehouse:
            warehouse.settle()  # which replaces views, and so leaves blocks too
        write_anew(self.database(run_id))

    def settle(self) -> None:
        """A rename is on disk once its folder is."""
        if not self.holds_published():
            return
        with on_disk(self._layout.warehouse):
            handle = os.open(self._layout.home, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def remove_parts(self, may_go: Callable[[str, str], bool]) -> None:
        folder = self._layout.lake / "ml"
        for table in folder.iterdir() if folder.is_dir() else ():
            parts = {path.name.removeprefix("run_id="): path for path in table.glob("run_id=*")}
            parts.pop(NO_RUN, None)
            for run_id in sorted(parts)[:-1]:
                if may_go(table.name, run_id):
                    shutil.rmtree(parts[run_id])
