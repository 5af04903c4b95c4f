"""Bytes of a reading as Parquet, for docs/scaling.md: with three decimals, and with every digit.

The simulator's readings have three decimals, which repeat and compress well; a meter's may not. The
same readings with random digits behind the third are the other end.

    python -m tests.bench.readings --customers 2000
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import duckdb

from python_ml.simulate.run import simulate

FORMAT = "format parquet, compression zstd"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, default=2000)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="readings-") as folder:
        raw = Path(folder) / "raw"
        simulate(raw, customers=given.customers)
        files = sorted(raw.glob("consumption_hourly*/**/*.parquet"))
        simulated = sum(path.stat().st_size for path in files)
        rows = 0
        precise = Path(folder) / "precise.parquet"
        every_digit = 0
        for path in files:  # a file a month, as it is delivered
            columns = ", ".join(
                f"{name} * (1 + 1e-4 * random()) as {name}"
                for name in ("consumption_elec_kwh", "consumption_gas_m3")
            )
            duckdb.sql(
                f"copy (select * replace ({columns}) from '{path}') to '{precise}' ({FORMAT})"
            )
            every_digit += precise.stat().st_size
            rows += duckdb.sql(f"select count(*) from '{path}'").fetchall()[0][0]
    print("| Readings | Bytes | Bytes a reading | kB a customer |\n| --- | ---: | ---: | ---: |")
    for name, size in (("three decimals", simulated), ("every digit", every_digit)):
        print(f"| {name} | {size:,} | {size / rows:.2f} | {size / given.customers / 1000:.1f} |")


if __name__ == "__main__":
    main()
