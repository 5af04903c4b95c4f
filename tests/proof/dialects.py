"""Is the same truth the same in bronze, whatever the layout that it is delivered in?

Hourly readings of a year are written in our own form and in eight others (tests/dialects.py). Each
batch is landed with its mapping and dbt builds `bronze_customer_month` from it, which is compared
row by row and column by column: counts exactly, energy to a millionth of a kWh.

    python -m tests.proof.dialects --customers 20
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import duckdb
import pandas as pd

from python_ml.engines import open_warehouse
from python_ml.land import land
from python_ml.settings import load_settings
from python_ml.transform.dbt import DbtRunner
from tests.dialects import DIALECTS, READINGS, truth, write_dialect
from tests.integration import raw_batch

MODEL = "bronze_customer_month"
VERSION = "month_version"  # of the landed bytes
TOLERANCE_KWH = 1e-6


def bronze(raw: Path, mapping: Path | None, home: Path) -> pd.DataFrame:
    """Land a batch into an empty home and build the model from it; its rows in order."""
    given = {"home": str(home)} | ({"land.mapping": str(mapping)} if mapping else {})
    settings = load_settings(given, environ={})
    landed = land(raw, settings)
    variables = {"as_of_date": landed.as_of_date.isoformat()}
    with open_warehouse(settings) as warehouse:
        warehouse.declare_external_tables()
    DbtRunner(settings, settings.layout.warehouse, home / "dbt", variables).build(f"+{MODEL}")
    with duckdb.connect(str(settings.layout.warehouse), read_only=True) as connection:
        rows = connection.execute(f"select * from {MODEL} order by customer_id, month_start").df()
    return rows.drop(columns=VERSION)


def differing(expected: pd.DataFrame, found: pd.DataFrame) -> int:
    """Rows that are not in both, or differ in a column."""
    key = ["customer_id", "month_start"]
    both = expected.merge(found, on=key, how="outer", suffixes=("", "_found"), indicator=True)
    wrong = both["_merge"] != "both"
    for name in expected.columns.drop(key):
        left, right = both[name], both[f"{name}_found"]
        if pd.api.types.is_float_dtype(left):
            wrong |= (left - right).abs() > TOLERANCE_KWH
        else:
            wrong |= left != right
    return int(wrong.sum())


def main() -> int:
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--customers", type=int, default=20)
    customers = [f"C{number:05d}" for number in range(1, flags.parse_args().customers + 1)]
    frame = truth(raw_batch.readings("2024-01-01", "2024-12-31 23:00", customers))
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        good = raw_batch.RawBatch()
        good[READINGS] = frame.assign(consumption_gas_m3=float("nan"))
        raw = good.write(folder / "good")
        expected = bronze(raw, None, folder / "home")
        print(f"our own form: {len(expected):,} rows, {expected['elec_kwh'].sum():,.3f} kWh")
        for number, dialect in enumerate(DIALECTS):
            place = folder / str(number)
            batch, mapping = write_dialect(dialect, frame, raw, place)
            found = bronze(batch, mapping, place / "home")
            wrong = differing(expected, found)
            failed += wrong > 0
            print(f"{dialect}: {len(found):,} rows, {wrong:,} of them differ", flush=True)
    print(f"{len(DIALECTS) - failed} of {len(DIALECTS)} dialects are the same row by row")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
