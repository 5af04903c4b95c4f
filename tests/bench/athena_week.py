"""A weekly run on the local Athena, where each query takes as long to begin as it does on AWS.

The first run is not measured: it lands a year, trains and publishes. The measured one is the next
week's, in score mode, on files with one month more.

    python -m tests.bench.athena_week                     # 20,099 customers
    python -m tests.bench.athena_week --customers 2000

Exit code 1 if the run takes longer, sends more queries or costs more than the limits below. Trino
shares the machine with the run, where Athena has machines of its own: how long the queries have
computed is printed beside.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from python_ml.engines.athena_costs import costs_since
from tests.athena.local.server import LocalAthena
from tests.athena.project import (
    BUCKET,
    PLACES,
    athena_settings,
    command,
    newest_report,
    variables_of,
)

LATENCY_SECONDS, POLL_SECONDS = 1.5, 0.5
MOST_SECONDS, MOST_QUERIES, MOST_USD = 240, 200, 0.01


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=20_099)
    parser.add_argument("--latency-seconds", type=float, default=LATENCY_SECONDS)
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as work,
        LocalAthena(Path(work) / "athena") as athena,
    ):
        os.environ.update(athena.environment)
        athena.client("s3").create_bucket(Bucket=BUCKET)
        home = Path(work) / "home"
        settings = athena_settings(home, athena, PLACES, poll_seconds=POLL_SECONDS)
        variables = variables_of(settings)
        command(home, "simulate", "--customers", str(chosen.customers))
        command(home, "run", "--target", "athena", variables=variables)
        command(home, "simulate", "--append", "2025-01")
        began, start = datetime.now(UTC), time.perf_counter()
        with athena.waiting(chosen.latency_seconds):
            command(home, "run", "--mode", "score", "--target", "athena", variables=variables)
        seconds = time.perf_counter() - start
        computed = athena.engine_seconds(began)
        costs = costs_since(settings.athena, began)
        steps = newest_report(home)["steps"]
    for step in steps:
        print(f"{step['step']:12} {step['seconds']:6.1f} s")
    sent = sum(cost.query_count for cost in costs.costs)
    print(
        f"{chosen.customers:,} customers, {chosen.latency_seconds} s of latency a query: "
        f"{seconds:.0f} s (at most {MOST_SECONDS}), {sent} queries (at most {MOST_QUERIES}) that "
        f"computed {computed:.0f} s, {costs.usd:.4f} USD (at most {MOST_USD})"
    )
    return int(seconds > MOST_SECONDS or sent > MOST_QUERIES or costs.usd > MOST_USD)


if __name__ == "__main__":
    sys.exit(main())
