"""DuckDB in process, one file, and a lake in a local folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq

from python_ml.duckdb_connection import open_duckdb
from python_ml.engines.base import Warehouse
from python_ml.engines.sql import identifier, movable, say_where_the_lake_is
from python_ml.errors import OldTablesError, SpanishGasError, UsageError, on_disk

_LOST = re.compile(r'No files found that match the pattern "(.*)"')
NO_RUN = "none"  # part of a table that no run has written: a scan of no file at all is an error


class DuckDBWarehouse(Warehouse):
    """Opens the file for each query and closes it after: a writer locks it for everyone else."""

    def __init__(self, database: Path, lake: Path, threads: int, memory_limit: str) -> None:
        self.database = database
        self.lake = lake
        self._threads, self._memory_limit = threads, memory_limit
        self._held: duckdb.DuckDBPyConnection | None = None

    def _open(self, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
        return open_duckdb(
            self.database,
            read_only=read_only,
            threads=self._threads,
            memory_limit=self._memory_limit,
        )

    def hash_share(self, text: str) -> str:
        return f"cast(cast('0x' || substr(md5({text}), 1, 8) as bigint) as double) / 4294967296e0"

    def query(self, sql: str) -> pd.DataFrame:
        if not self.database.exists():
            raise UsageError(f"{self.database} is not there yet; `spanishgas run` builds it")
        with self._reading() as connection:
            try:
                return connection.execute(sql).df()
            except (duckdb.CatalogException, duckdb.BinderException) as error:
                what = str(error).split("\n", maxsplit=1)[0]
                raise OldTablesError(
                    f"{self.database}: {what} A warehouse that another version has built is built "
                    "anew by `spanishgas run`"
                ) from error
            except duckdb.IOException as error:
                what = str(error).split("\n", maxsplit=1)[0]
                if lost := _LOST.search(what):
                    raise UsageError(
                        f"{self.database} reads files that are not there: {lost[1]}; "
                        "`spanishgas run` writes them anew"
                    ) from error
                raise SpanishGasError(
                    f"{self.database}: {what} If the home was moved since an earlier version built "
                    "it, `spanishgas run` mends that."
                ) from error

    @contextmanager
    def _reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for a query: the one that is held, or one of its own."""
        if self._held is not None:
            yield self._held
            return
        with self._open(read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            connection.execute(say_where_the_lake_is(self.lake))
            yield connection

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps the file open to read, so that a query need not load its catalog again."""
        if self._held is not None or not self.database.exists():
            yield
            return
        with self._reading() as connection:
            self._held = connection
            try:
                yield
            finally:
                self._held = None

    def external_runs(self, table: str) -> list[str]:
        parts = (self.lake / "ml" / table).glob("run_id=*/*.parquet")
        return sorted({part.parent.name.removeprefix("run_id=") for part in parts} - {NO_RUN})

    def table_names(self) -> list[str]:
        return list(self.row_counts())

    def row_counts(self, names: Collection[str] | None = None) -> dict[str, int]:
        tables = self.query("select table_name, estimated_size from duckdb_tables()")
        sizes = zip(tables["table_name"], tables["estimated_size"].astype(int), strict=True)
        return {name: size for name, size in sizes if names is None or name in names}

    def column_types(self) -> dict[str, dict[str, str]]:
        columns = self.query(
            "select table_name, column_name, lower(data_type) as data_type "
            "from information_schema.columns where table_schema = 'main' "
            "order by table_name, ordinal_position"
        )
        return {
            str(table): dict(zip(rows["column_name"], rows["data_type"], strict=True))
            for table, rows in columns.groupby("table_name")
        }

    @contextmanager
    def writing_external(self, table: str, run_id: str) -> Iterator[Callable[[pd.DataFrame], None]]:
        schema = self._external_arrow_schema(table)
        part = self.lake / "ml" / table / f"run_id={run_id}" / "part-0.parquet"
        unfinished = part.with_suffix(".parquet.tmp")
        with on_disk(part):
            part.parent.mkdir(parents=True, exist_ok=True)
            writer = pq.ParquetWriter(unfinished, schema, compression="zstd")

        def write(frame: pd.DataFrame) -> None:
            typed = self._typed(table, frame)
            with on_disk(part):
                writer.write_table(typed)

        try:
            yield write
            with on_disk(part):
                writer.close()
                unfinished.replace(part)
        except BaseException:
            with suppress(OSError):  # what went wrong is told, not that nothing is left of it
                writer.close()
                unfinished.unlink()
            raise

    def read_external(self, table: str, run_id: str | None = None) -> pd.DataFrame:
        schema = self._external_arrow_schema(table)
        parts = sorted((self.lake / "ml" / table).glob(f"run_id={run_id or '*'}/*.parquet"))
        frames = [
            pq.read_table(part, schema=schema, partitioning=None)
            .to_pandas()
            .assign(run_id=part.parent.name.removeprefix("run_id="))
            for part in parts
        ]
        empty = schema.empty_table().to_pandas().assign(run_id=pd.Series(dtype="str"))
        frame: pd.DataFrame = pd.concat([empty, *frames], ignore_index=True) if frames else empty
        return frame

    def lost_tables(self) -> list[str]:
        lost = []
        with self.held():
            views = self.query(
                "select schema_name, view_name from duckdb_views() "
                "where not internal and schema_name like 'main_%' order by all"
            )
            for schema, view in views.itertuples(index=False):
                try:
                    self.query(f"select 1 from {identifier(schema)}.{identifier(view)} limit 0")
                except UsageError as error:
                    found = _LOST.search(str(error.__cause__))
                    lost.append(f"{view} ({found[1]})" if found else str(view))
        return lost

    def declare_external_tables(self) -> list[str]:
        folder = self.lake / "ml"
        missing = [
            table
            for table in self._external_schemas
            if not any((folder / table).glob("run_id=*/*.parquet"))
        ]
        for table in missing:
            no_rows = self._external_arrow_schema(table).empty_table().to_pandas()
            self.write_external(table, no_rows, NO_RUN)
        return missing

    def settle(self) -> None:
        with self._open() as connection:
            connection.execute(say_where_the_lake_is(self.lake))
            views = connection.execute("select sql from duckdb_views() where not internal")
            for (view,) in views.fetchall():
                if (moved := movable(view, self.lake)) != view:
                    connection.execute(moved.replace("CREATE VIEW", "create or replace view", 1))
            connection.execute("force checkpoint")

    def close(self) -> None:
        """Nothing is held between calls."""
