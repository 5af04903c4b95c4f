"""Customer-month aggregation of the hourly table against a bare scan of its two measures.

Runs the SQL that dbt compiles for bronze_customer_month. Both queries take turns, each in a process
of its own, so that memory is theirs alone and a slow spell of the machine hits both.

    python -m tests.bench.aggregation --home data
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import time
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from python_ml.config import Settings, load_settings
from python_ml.dbt_runner import DbtRunner
from python_ml.progress import peak_memory_mb

MODEL = "bronze_customer_month"
PARENT = "bronze_hour"


def compiled_sql(settings: Settings, folder: Path) -> str:
    """The model's SQL for DuckDB, as dbt compiles it for the lake of this home."""
    database = folder / settings.layout.warehouse.name
    runner = DbtRunner(settings, database, folder / "dbt", {"as_of_date": str(date.today())})
    runner.build(f"resource_type:seed {PARENT}")
    return runner.compile(MODEL)


def bare_scan_sql(settings: Settings) -> str:
    hours = settings.layout.lake / "raw" / "consumption_hourly" / "**" / "*.parquet"
    return (
        "select sum(consumption_elec_kwh), sum(consumption_gas_m3), count(*) "
        f"from read_parquet('{hours}')"
    )


def _execute(
    sql: str, database: Path, threads: int, memory_limit: str, results: multiprocessing.Queue[Any]
) -> None:
    config = {"threads": threads, "memory_limit": memory_limit}
    with duckdb.connect(str(database), read_only=True, config=config) as connection:
        connection.execute("set enable_progress_bar = false")
        start = time.perf_counter()
        connection.execute(f"create temp table result as {sql}")
        seconds = time.perf_counter() - start
        rows = connection.execute("select count(*) from result").fetchone()
    results.put({"seconds": seconds, "peak_mb": peak_memory_mb(), "rows": rows})


def measure(sql: str, database: Path, threads: int, memory_limit: str) -> dict[str, Any]:
    """Seconds and peak memory of one query in a fresh process."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_execute, args=(sql, database, threads, memory_limit, results))
    process.start()
    result = results.get()
    process.join()
    return result


def run(home: str, repeats: int, memory_limit: str) -> dict[str, Any]:
    """Medians of both queries and of the ratio, pair by pair."""
    settings = load_settings({"home": home})
    with TemporaryDirectory() as folder:
        aggregation = compiled_sql(settings, Path(folder))
        database = Path(folder) / settings.layout.warehouse.name
        pairs = []
        for _ in range(repeats + 1):
            scan = measure(bare_scan_sql(settings), database, settings.threads, memory_limit)
            built = measure(aggregation, database, settings.threads, memory_limit)
            pairs.append((scan, built))
    pairs = pairs[1:]  # the first pair warmed the page cache
    return {
        "hourly_files": str(settings.layout.lake / "raw" / "consumption_hourly"),
        "customer_months": pairs[0][1]["rows"][0],
        "repeats": repeats,
        "scan_seconds_median": statistics.median(scan["seconds"] for scan, _ in pairs),
        "aggregation_seconds_median": statistics.median(b["seconds"] for _, b in pairs),
        "ratio_median": statistics.median(b["seconds"] / s["seconds"] for s, b in pairs),
        "aggregation_peak_mb_maximum": max(b["peak_mb"] for _, b in pairs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", default="data")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory-limit", default="1GB")
    arguments = parser.parse_args()
    print(json.dumps(run(arguments.home, arguments.repeats, arguments.memory_limit), indent=2))


if __name__ == "__main__":
    main()
