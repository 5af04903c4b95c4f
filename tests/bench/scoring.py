"""Seconds and memory of scoring at sizes beyond the simulator's, for docs/scaling.md.

Rows of a home's gold layer are repeated under other customer ids; the champion scores them, with
reasons, in a process of its own for each line.

    python -m tests.bench.scoring --home data 20099 200990
    python -m tests.bench.scoring --home data --per-part 20099 200990
    python -m tests.bench.scoring --home data --machines 10 200990    the share of one of ten
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import sys
import tempfile
import time
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


def own_peak_mb() -> float:
    """Largest resident memory since this program began, in MB (10^6 bytes), on Linux.

    What `getrusage` says outlives `exec`: a process would begin with the peak of its parent.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (peak,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024 / 1e6


def measure(
    home: Path, manifest: Mapping[str, Any], given: Mapping[str, Any], machines: int, answers: Any
) -> None:
    """Score every customer of a home, or what falls to the first of several machines.

    Puts the number of customers, seconds and peak memory in MB on a queue.
    """
    from python_ml.contracts.gold import read_contract
    from python_ml.engines import open_engine, open_warehouse
    from python_ml.pipeline.context import Share
    from python_ml.pipeline.score import score, score_share
    from python_ml.pipeline.scored_parts import HandedOn

    settings = load_settings({"home": str(home), **given}, environ={})
    contract, start = read_contract(manifest), time.perf_counter()
    with open_warehouse(settings) as warehouse, warehouse.held():
        newest = warehouse.query("select max(as_of_date) as day from gold_master")["day"][0].date()
        if machines > 1:
            others = HandedOn(open_engine(settings).handover("bench"), Share(0, machines, "1"))
            count = score_share(warehouse, settings, contract, newest, None, others)
        else:
            count = score(warehouse, settings, contract, "bench", newest).customer_count
    answers.put((count, time.perf_counter() - start, own_peak_mb()))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, default=Path("data"))
    parser.add_argument("--per-part", type=int, help="customers in a part (default: the setting)")
    parser.add_argument("--machines", type=int, default=1, help="the first one's share is scored")
    parser.add_argument("customers", type=int, nargs="+")
    given = parser.parse_args(arguments)
    context = multiprocessing.get_context("spawn")
    print("| Customers | Scored here | Seconds | Peak memory, MB |\n| ---: | ---: | ---: | ---: |")
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
            process = context.Process(
                target=measure, args=(home, manifest, changed, given.machines, answers)
            )
            process.start()
            count, seconds, peak_mb = answers.get(timeout=3600)
            process.join()
            print(f"| {customers:,} | {count:,} | {seconds:.1f} | {peak_mb:,.0f} |", flush=True)
            shutil.rmtree(home)
    return 0


if __name__ == "__main__":
    sys.exit(main())
