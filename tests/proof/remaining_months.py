"""Do customers stay as long as the life table expects?

The simulator knows when each customer leaves, for years to come. For each seed, and for a first
batch as well as one after a year and a half of months, the models silver_churn_hazard and
silver_remaining_months are built from the landed files. The expected remaining months are compared
with what customers then stay, up to the same horizon: by tenure group and by segment, with the 95%
interval of the realised mean. In the first batch this is also done for customers who would have
left and are saved: the simulation goes on without their leaving.

    python -m tests.proof.remaining_months --home data/proof/months

Exit code 1 if an expected mean is outside of the interval, and off by more than 5% for all
customers, or by more than 10% for a group of at least 500.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from python_ml.engines import open_warehouse
from python_ml.judge.profit import economics_values
from python_ml.land import land
from python_ml.settings import load_settings
from python_ml.simulate.lifecycle import Course, _draw_leaving, draw_course
from python_ml.simulate.panel import province_costs
from python_ml.simulate.reference import calibration
from python_ml.simulate.run import append_month, simulate
from python_ml.simulate.world import World
from python_ml.transform.dbt import DbtRunner

YEAR = 2024
MOST_OFF, MOST_OFF_IN_GROUP, LEAST_CUSTOMERS = 0.05, 0.10, 500
CONSTANT = 32.0  # what every customer was taken to stay before there was a life table


def expected_months(home: Path, world: World, month: int) -> pd.DataFrame:
    """silver_remaining_months of the as-of date that ends a month, with segment and tenure."""
    settings = load_settings({"home": str(home)}, environ={})
    raw, as_of_date = home / "raw", str(world.as_of(month))
    shutil.rmtree(home, ignore_errors=True)
    simulate(raw, customers=world.customers, seed=world.seed, year=YEAR, readings="typical-days")
    for number in range(1, month + 1):
        append_month(raw, world.name(number), shift="none")
    land(raw, settings)
    variables = {"as_of_dates": "all" if month else [], "as_of_date": as_of_date, "run_id": "proof"}
    runner = DbtRunner(settings, settings.layout.warehouse, home / "dbt", variables)
    with open_warehouse(settings) as warehouse:
        warehouse.declare_external_tables()
        runner.build("economics channel_names national_holidays tariff_periods")
        runner.run("+silver_remaining_months")
        return warehouse.query(
            "select customer_id, months.basis, customers.segment, months.remaining_months,"
            " months.saved_months, (months.as_of_date - customer_first_activation_date) / 30.44"
            " as tenure from silver_remaining_months as months"
            " inner join silver_customer as customers using (customer_id, as_of_date)"
            f" where as_of_date = date '{as_of_date}'"
        )


def stayed(course: Course, leaves: np.ndarray, month: int, horizon: float) -> np.ndarray:
    """Months that each customer stays after an as-of date, at most a horizon.

    Who leaves in a month leaves in the middle of it.
    """
    return np.minimum(leaves - month - 0.5, horizon)


def realised_months(world: World, month: int, horizon: float) -> pd.DataFrame:
    """What customers of an as-of date then stay, and would stay if they are saved (else null)."""
    index = np.arange(world.customer_count(month), dtype=np.int64)
    costs = province_costs(world.seed)
    course = draw_course(world, index, costs, month + int(horizon))
    here = course.is_customer(month)
    realised = pd.DataFrame(
        {
            "customer_id": course.traits.customer_id,
            "realised": stayed(course, course.leaves, month, horizon),
        }
    )
    if not month:
        # Nobody leaves within the first horizon; afterwards all go on as they would.
        kept = _draw_leaving(replace(course, churned=np.zeros_like(course.churned)), costs, ())
        months = calibration()["course"]["horizon_months"]
        gained = stayed(course, kept, month, horizon) - months / 2
        realised["realised_saved"] = np.where(course.churned, gained, np.nan)
    return realised[here]


def compare(rows: pd.DataFrame, expected: str, realised: str) -> pd.DataFrame:
    """Means of all and of each group, with the interval of what was realised."""
    tenure = pd.cut(rows["tenure"], [-1, 6, 12, 24, 60, 1e9], labels=False)
    groups = {
        "all": pd.Series("all", index=rows.index),
        "tenure": tenure.map(dict(enumerate(("0-6m", "6-12m", "1-2y", "2-5y", "5y+")))),
        "segment": rows["segment"],
    }
    found = []
    for kind, names in groups.items():
        for name, part in rows.groupby(names, sort=False):
            half = 1.96 * part[realised].std() / np.sqrt(len(part))
            mean = part[realised].mean()
            found.append(
                {
                    "group": kind,
                    "value": name,
                    "customers": len(part),
                    "expected": part[expected].mean(),
                    "realised": mean,
                    "low": mean - half,
                    "high": mean + half,
                    "ratio": part[expected].mean() / mean,
                    "ratio_constant": CONSTANT / mean,
                }
            )
    return pd.DataFrame(found)


def is_off(row: pd.Series) -> bool:
    """Whether an expectation misses what the proof asks for."""
    if row["low"] <= row["expected"] <= row["high"]:
        return False
    off = abs(row["ratio"] - 1)
    if row["group"] == "all":
        return bool(off > MOST_OFF)
    return bool(row["customers"] >= LEAST_CUSTOMERS and off > MOST_OFF_IN_GROUP)


def main(flags: argparse.Namespace) -> int:
    start = time.perf_counter()
    tables = []
    for seed in flags.seeds:
        for month in flags.months:
            world = World(customers=flags.customers, year=YEAR, seed=seed, readings="typical-days")
            expected = expected_months(flags.home, world, month)
            with open_warehouse(load_settings({"home": str(flags.home)}, environ={})) as warehouse:
                horizon = economics_values(warehouse, ["value_horizon_months"])
            truth = realised_months(world, month, horizon["value_horizon_months"])
            rows = expected.merge(truth, on="customer_id", how="inner", validate="one_to_one")
            assert len(rows) == len(expected), "every customer has its truth"
            about = {"seed": seed, "after_months": month}
            tables.append(compare(rows, "remaining_months", "realised").assign(of="all", **about))
            if not month:
                saved = rows[rows["realised_saved"].notna()]
                tables.append(
                    compare(saved, "saved_months", "realised_saved").assign(of="saved", **about)
                )
    found = pd.concat(tables, ignore_index=True)
    found["off"] = [is_off(row) for _, row in found.iterrows()]
    shown = ["seed", "after_months", "of", *found.columns.drop(["seed", "after_months", "of"])]
    print(found[shown].round(2).to_string(index=False))
    shutil.rmtree(flags.home, ignore_errors=True)
    asked = found[(found["group"] == "all") | (found["customers"] >= LEAST_CUSTOMERS)]
    print(
        f"{len(asked) - asked['off'].sum()} of {len(asked)} means agree; mean error of groups "
        f"{(asked['ratio'] - 1).abs().mean():.1%}, with a constant of {CONSTANT:g} months "
        f"{(asked['ratio_constant'] - 1).abs().mean():.1%}; {time.perf_counter() - start:.0f} s"
    )
    return 1 if found["off"].any() else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, default=Path("data/proof/months"))
    parser.add_argument("--customers", type=int, default=8000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[5, 6])
    parser.add_argument("--months", type=int, nargs="+", default=[0, 18], help="of deliveries")
    sys.exit(main(parser.parse_args()))
