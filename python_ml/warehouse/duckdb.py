"""DuckDB in process, one file, and a lake in a local folder."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from python_ml.errors import SpanishGasError
from python_ml.warehouse.base import Warehouse


class DuckDBWarehouse(Warehouse):
    """Opens the file for each query and closes it after: a writer locks it for everyone else."""

    def __init__(self, database: Path, lake: Path, threads: int, memory_limit: str) -> None:
        self.database = database
        self.lake = lake
        self._config = {"threads": threads, "memory_limit": memory_limit}

    def query(self, sql: str) -> pd.DataFrame:
        if not self.database.exists():
            raise SpanishGasError(f"{self.database} is not there yet; `spanishgas run` builds it")
        with duckdb.connect(str(self.database), read_only=True, config=self._config) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(sql).df()

    def write_external(self, table: str, frame: pd.DataFrame, run_id: str) -> None:
        typed = self._typed(table, frame)
        part = self.lake / "ml" / table / f"run_id={run_id}" / "part-0.parquet"
        part.parent.mkdir(parents=True, exist_ok=True)
        unfinished = part.with_suffix(".parquet.tmp")
        pq.write_table(typed, unfinished, compression="zstd")
        os.replace(unfinished, part)

    def read_external(self, table: str, run_id: str | None = None) -> pd.DataFrame:
        schema = self._external_arrow_schema(table)
        parts = sorted((self.lake / "ml" / table).glob(f"run_id={run_id or '*'}/*.parquet"))
        tables = [
            pq.read_table(part, schema=schema, partitioning=None).append_column(
                "run_id",
                pa.array([part.parent.name.removeprefix("run_id=")]).take(
                    pa.repeat(pa.scalar(0), pq.read_metadata(part).num_rows)
                ),
            )
            for part in parts
        ]
        empty = schema.append(pa.field("run_id", pa.string())).empty_table()
        return pa.concat_tables([empty, *tables]).to_pandas()

    def close(self) -> None:
        """Nothing is held between calls."""
