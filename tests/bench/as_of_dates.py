"""Gold for twelve as-of dates against gold for one: time and processor time of the dbt models.

Lands a simulated batch of a year and eleven months more in a folder that goes, builds bronze once,
removes what was landed (so that no hourly row can be read again), and builds silver and gold for
the newest date and for all twelve, in turns, each in tables of its own. Processor time depends
little on what else the machine does.

    python -m tests.bench.as_of_dates --customers 20099
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from python_ml.engines import open_warehouse
from python_ml.land import land
from python_ml.settings import Settings, load_settings
from python_ml.simulate.run import simulate
from python_ml.transform.dbt import DbtRunner
from python_ml.transform.sentiment import label_sentiment, sentiment_backend

MONTHS_MORE = 11  # month ends with twelve months before them: one of the first year, and these
LIMIT = 3.0


def built(settings: Settings, work: Path, dates: str | None) -> tuple[float, float, int, int]:
    """Seconds and processor seconds of silver and gold on a copy of bronze; dates and rows."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    database = work / settings.layout.warehouse.name
    shutil.copyfile(settings.layout.warehouse, database)
    variables = {"sentiment_backend": sentiment_backend(settings), "as_of_dates": dates}
    dbt = DbtRunner(settings, database, work / "dbt", variables)
    dbt.manifest()
    start, processor_start = time.perf_counter(), time.process_time()
    dbt.run("silver gold")
    seconds, processor = time.perf_counter() - start, time.process_time() - processor_start
    with duckdb.connect(str(database), read_only=True) as connection:
        found = connection.execute(
            "select count(distinct as_of_date), count(*) from gold_master"
        ).fetchone()
    assert found is not None
    return seconds, processor, *found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=20_099)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with TemporaryDirectory() as folder:
        settings = load_settings({"home": folder}, environ={})
        raw = Path(folder) / "raw"
        simulate(raw, customers=chosen.customers, readings="typical-days", months=MONTHS_MORE)
        land(str(raw), settings)
        backend = sentiment_backend(settings)
        dbt = DbtRunner(
            settings,
            settings.layout.warehouse,
            Path(folder) / "dbt",
            {"sentiment_backend": backend},
        )
        with open_warehouse(settings) as warehouse:
            warehouse.declare_external_tables()
            start = time.perf_counter()
            dbt.build("resource_type:seed bronze")
            bronze = time.perf_counter() - start
            label_sentiment(warehouse, settings, "bench")
            warehouse.declare_external_tables()
        # What is landed goes: silver and gold are made of bronze alone.
        shutil.rmtree(settings.layout.batches)
        seconds: dict[str, list[float]] = {"one": [], "all": []}
        processor_seconds: dict[str, list[float]] = {"one": [], "all": []}
        for _ in range(chosen.rounds):
            for name, dates in (("one", None), ("all", "all")):
                taken, used, date_count, rows = built(settings, Path(folder) / "work", dates)
                seconds[name].append(taken)
                processor_seconds[name].append(used)
                print(
                    f"{date_count:>3} as-of dates {rows:>9,} rows of gold {taken:>7.1f} s"
                    f" ({used:.1f} s of processor time)",
                    flush=True,
                )
    one, every = (statistics.median(seconds[name]) for name in ("one", "all"))
    print(
        f"silver and gold: {every:.1f} s for twelve, {one:.1f} s for one: {every / one:.2f} times"
    )
    used_one, used_every = (statistics.median(processor_seconds[name]) for name in ("one", "all"))
    print(
        f"processor time: {used_every:.1f} s for twelve, {used_one:.1f} s for one: "
        f"{used_every / used_one:.2f} times"
    )
    whole = (bronze + every) / (bronze + one)
    print(f"with bronze ({bronze:.1f} s): {whole:.2f} times; the limit is {LIMIT:.0f} times")


if __name__ == "__main__":
    main()
