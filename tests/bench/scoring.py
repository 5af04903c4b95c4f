"""Seconds and memory of scoring at sizes beyond the simulator's, for docs/scaling.md.

Rows of a home's gold layer are repeated under other customer ids; the champion scores them, with
reasons, in a process of its own for each line.

    python -m tests.bench.scoring --home data 20099 200990
    python -m tests.bench.scoring --home data --per-part 20099 200990
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from python_ml.settings import load_settings
from python_ml.transform.dbt import DbtRunner


def enlarged(home: Path, customers: int, place: Path) -> Path:
    """A home with the champion of another, and its gold rows repeated to so many customers."""
    shutil.copytree(home / "lake" / "models", place / "lake" / "models")
    of_newest = "as_of_date = (select max(as_of_date) from source.gold_master)"
    with duckdb.connect(str(place / "warehouse.duckdb")) as connection:
        connection.execute(f"attach '{home / 'warehouse.duckdb'}' as source (read_only)")
        connection.execute("create table risk_tiers as from source.risk_tiers")
        connection.execute(
            "create table gold_master as select gold.* replace ("
            "'C' || lpad(cast(row_number() over () as varchar), 9, '0') as customer_id) "
            f"from (from source.gold_master where {of_newest}) as gold, "
            f"range({customers} // (select count(*) from source.gold_master where {of_newest}) + 1)"
            f" limit {customers}"
        )
    return place


def measure(home: Path, manifest: Mapping[str, Any], given: Mapping[str, Any], answers: Any) -> None:
    """Score every customer of a home; puts seconds and peak memory in MB on a queue."""
    from python_ml.contracts.gold import read_contract
    from python_ml.engines import open_warehouse
    from python_ml.pipeline.score import score
    from python_ml.progress import peak_memory_mb

    settings = load_settings({"home": str(home), **given}, environ={})
    with open_warehouse(settings) as warehouse:
        as_of_date = warehouse.query("select max(as_of_date) as day from gold_master")["day"][0]
        result = score(warehouse, settings, read_contract(manifest), "bench", as_of_date.date())
    answers.put((result.seconds, peak_memory_mb()))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, default=Path("data"))
    parser.add_argument("--per-part", type=int, help="customers in a part (default: the setting)")
    parser.add_argument("customers", type=int, nargs="+")
    given = parser.parse_args(arguments)
    context = multiprocessing.get_context("spawn")
    print("| Customers | Seconds | Peak memory, GB |\n| ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory(prefix="scoring-") as folder:
        settings = load_settings({"home": str(given.home)}, environ={})
        manifest = DbtRunner(settings, Path(folder) / "unused", Path(folder) / "dbt", {}).manifest()
        changed = {
            "sentiment.backend": settings.sentiment.backend,
            "customers_per_part": given.per_part,
        }
        for customers in given.customers:
            home = enlarged(given.home, customers, Path(folder) / str(customers))
            answers = context.Queue()
            process = context.Process(target=measure, args=(home, manifest, changed, answers))
            process.start()
            seconds, peak_mb = answers.get(timeout=3600)
            process.join()
            print(f"| {customers:,} | {seconds:.1f} | {peak_mb / 1000:.2f} |", flush=True)
            shutil.rmtree(home)
    return 0


if __name__ == "__main__":
    sys.exit(main())
