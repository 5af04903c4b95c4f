"""Customer-month aggregation of the hourly table: against a bare scan of its measures, and peers.

Runs the SQL that dbt compiles for bronze_customer_month. Scan and aggregation take turns, each in a
process of its own, so that memory is theirs alone and a slow spell of the machine hits both; then
DuckDB by hand, polars and pandas do the same work once each, and their rows are held against the
model's.

    python -m tests.bench.aggregation --home data
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pandas as pd

from python_ml.progress import peak_memory_mb
from python_ml.settings import Settings, load_settings
from python_ml.transform.dbt import DbtRunner
from tests.bench import peers

MODEL = "bronze_customer_month"
PARENT = "bronze_hour"
PEERS = {
    "DuckDB by hand, no dbt": peers.with_duckdb,
    "polars, streaming": peers.with_polars,
    "pandas, 2M-row chunks": peers.with_pandas,
}
Work = Callable[[], pd.DataFrame]


@dataclass(frozen=True)
class Query:
    """A query of DuckDB, its result kept in memory as a table."""

    sql: str
    database: Path
    threads: int
    memory_limit: str

    def __call__(self) -> pd.DataFrame:
        config: dict[str, Any] = {"threads": self.threads, "memory_limit": self.memory_limit}
        with duckdb.connect(str(self.database), read_only=True, config=config) as connection:
            connection.execute("set enable_progress_bar = false")
            connection.execute(f"create temp table result as {self.sql}")
            return connection.execute("select count(*) as row_count from result").df()


@dataclass(frozen=True)
class Peer:
    """The same by another library; its rows are checked, outside the time."""

    name: str
    files: list[Path]
    database: Path

    def __call__(self) -> pd.DataFrame:
        return PEERS[self.name](self.files, self.database)


def compiled_sql(settings: Settings, folder: Path) -> str:
    """The model's SQL for DuckDB, as dbt compiles it for the lake of this home."""
    database = folder / settings.layout.warehouse.name
    runner = DbtRunner(settings, database, folder / "dbt", {"as_of_date": "2024-12-31"})
    runner.build(f"resource_type:seed {PARENT}")
    return runner.compile(MODEL)


def hourly_files(settings: Settings) -> list[Path]:
    return sorted((settings.layout.lake / "raw" / "consumption_hourly").rglob("*.parquet"))


def bare_scan_sql(files: list[Path]) -> str:
    names = ", ".join(f"'{file}'" for file in files)
    return (
        "select sum(consumption_elec_kwh), sum(consumption_gas_m3), count(*) "
        f"from read_parquet([{names}])"
    )


def _execute(work: Work, expected: pd.DataFrame | None, results: Any) -> None:
    start = time.perf_counter()
    rows = work()
    seconds = time.perf_counter() - start
    peak = peak_memory_mb()
    if expected is not None:
        peers.check(rows, expected)
    results.put({"seconds": seconds, "peak_mb": peak})


def measure(work: Work, expected: pd.DataFrame | None = None) -> dict[str, float]:
    """Seconds and peak memory of some work in a fresh process.

    Raises:
        RuntimeError: the process failed, or its rows are not those expected.
    """
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    process = context.Process(target=_execute, args=(work, expected, results))
    process.start()
    process.join()
    if process.exitcode != 0:
        raise RuntimeError(f"{work} failed")
    measured: dict[str, float] = results.get()
    return measured


def run(home: str, repeats: int, memory_limit: str, *, with_peers: bool = True) -> dict[str, Any]:
    """Medians of scan, aggregation and their ratio, pair by pair; one run of each peer."""
    settings = load_settings({"home": home})
    files = hourly_files(settings)
    with TemporaryDirectory() as folder:
        model_sql = compiled_sql(settings, Path(folder))
        database = Path(folder) / settings.layout.warehouse.name
        limits = (database, settings.threads, memory_limit)
        scan, aggregation = Query(bare_scan_sql(files), *limits), Query(model_sql, *limits)
        pairs = [(measure(scan), measure(aggregation)) for _ in range(repeats + 1)][1:]
        measured: dict[str, Any] = {
            "hourly_rows": int(duckdb.sql(row_count_sql(files)).df()["row_count"].iloc[0]),
            "repeats": repeats,
            "scan_seconds_median": statistics.median(s["seconds"] for s, _ in pairs),
            "aggregation_seconds_median": statistics.median(a["seconds"] for _, a in pairs),
            "ratio_median": statistics.median(a["seconds"] / s["seconds"] for s, a in pairs),
            "aggregation_peak_mb_maximum": max(a["peak_mb"] for _, a in pairs),
            "peers": {},
        }
        if with_peers:
            with duckdb.connect(str(database)) as connection:
                connection.execute("set enable_progress_bar = false")
                connection.execute(f"create temp table expected as {model_sql}")
                expected = connection.execute("select * from expected").df()
            for name in PEERS:
                measured["peers"][name] = measure(Peer(name, files, database), expected)
    return measured


def row_count_sql(files: list[Path]) -> str:
    names = ", ".join(f"'{file}'" for file in files)
    return (
        f"select cast(sum(num_rows) as bigint) as row_count from parquet_file_metadata([{names}])"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", default="data")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory-limit", default="1GB")
    parser.add_argument("--without-peers", action="store_true")
    arguments = parser.parse_args()
    measured = run(
        arguments.home,
        arguments.repeats,
        arguments.memory_limit,
        with_peers=not arguments.without_peers,
    )
    print(json.dumps(measured, indent=2))


if __name__ == "__main__":
    main()
