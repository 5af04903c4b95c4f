"""Do offers by value earn more than fixed tiers, at the same budget, by what customers would do?

The simulator knows what each customer does without an offer and with each of them. Both policies
get the same budgets; what they really earn is counted on the customers of the test part, whom the
model has not learned, with the difference paired customer by customer and resampled.

    python -m tests.proof.offer_value --homes data/proof --seeds 42 7 8 1 2
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from python_ml.config import load_settings
from python_ml.metrics import resample_weights
from python_ml.policies import EXPECTED_VALUE, FIXED_TIERS
from python_ml.profit import economics_values
from python_ml.registry import open_registry
from python_ml.simulate.response import TRUTH
from python_ml.split import TEST
from python_ml.warehouse import open_warehouse
from tests.proof.homes import home_of, parser

BUDGETS = (0.25, 0.5, 0.75, 1.0)  # of what fixed tiers spend without a limit


def realised_values(home: Path) -> pd.DataFrame:
    """One row a policy and eligible customer of the test part: rank, spend, realised net value (€).

    A customer who would leave and is kept brings its margin for the remaining months; one who
    would stay and is driven away takes it along; discount and contact are paid either way, as in
    the marts.
    """
    settings = load_settings({"home": str(home)}, environ={})
    registry = open_registry(settings)
    with open_warehouse(settings) as warehouse:
        months = economics_values(warehouse, ["remaining_months"])["remaining_months"]
        candidates = warehouse.query(
            "select candidates.*, risks.avg_monthly_margin_eur "
            "from mart_offer_candidate as candidates "
            "inner join mart_customer_risk as risks using (customer_id) where verdict = 'eligible'"
        )
        version = registry.load(registry.require_champion())
        split = warehouse.read_external("model_split", version.origin["run_id"])
    test = set(split.loc[split["split_part"] == TEST, "customer_id"])
    candidates = candidates[candidates["customer_id"].isin(test)]
    truth = pd.read_parquet(home / "raw" / TRUTH)
    rows = candidates.merge(truth, on=["customer_id", "offer"], validate="many_to_one")
    assert len(rows) == len(candidates), "every offer has its truth"
    kept = rows["leaves_without"].astype(int) - rows["leaves_with"].astype(int)
    value = kept * rows["avg_monthly_margin_eur"] * months - rows["spend_eur"]
    return rows.assign(realised_eur=value, home=home.name, test_count=len(test))


def spent(rows: pd.DataFrame, policy: str, budget: float) -> pd.DataFrame:
    """Whom a policy reaches in its order before the budget is spent."""
    mine = rows[rows["policy"] == policy].sort_values("policy_rank")
    return mine[mine["spend_eur"].cumsum() <= budget]


def compare(homes: list[pd.DataFrame], share: float, resamples: int) -> dict[str, float]:
    """Both policies at one budget, over all homes; differences per customer of the test parts."""
    profits = {FIXED_TIERS: 0.0, EXPECTED_VALUE: 0.0}
    counts = {FIXED_TIERS: 0, EXPECTED_VALUE: 0}
    differences, budgets = [], 0.0
    for rows in homes:
        most = rows.loc[rows["policy"] == FIXED_TIERS, "spend_eur"].sum()
        budgets += share * most
        gain = pd.Series(0.0, index=pd.Index([], dtype=object))
        for policy, sign in ((EXPECTED_VALUE, 1), (FIXED_TIERS, -1)):
            chosen = spent(rows, policy, share * most)
            profits[policy] += chosen["realised_eur"].sum()
            counts[policy] += len(chosen)
            gain = gain.add(sign * chosen.set_index("customer_id")["realised_eur"], fill_value=0.0)
        # Customers whom neither reaches differ by nothing, and are resampled with the others.
        everybody = np.zeros(int(rows["test_count"].iloc[0]))
        everybody[: len(gain)] = gain.to_numpy()
        differences.append(everybody)
    paired = np.concatenate(differences)
    resampled = np.concatenate(
        [
            resample_weights(len(paired), 100, seed).astype(np.float64) @ paired
            for seed in range(resamples // 100)
        ]
    )
    low, high = np.quantile(resampled, [0.025, 0.975])
    return {
        "budget_share": share,
        "budget_eur": budgets,
        "fixed_tiers_offers": counts[FIXED_TIERS],
        "fixed_tiers_eur": profits[FIXED_TIERS],
        "expected_value_offers": counts[EXPECTED_VALUE],
        "expected_value_eur": profits[EXPECTED_VALUE],
        "difference_eur": float(paired.sum()),
        "ci_low": float(low),
        "ci_high": float(high),
    }


def main(flags: argparse.Namespace) -> int:
    homes = [realised_values(home_of(flags, seed)) for seed in flags.seeds]
    found = pd.DataFrame([compare(homes, share, flags.resamples) for share in BUDGETS])
    print(found.round(2).to_string(index=False))
    failed = found[found["ci_low"] <= 0]
    print(
        f"realised profit by value less that by tiers, {len(homes)} batches: the 95 % interval is "
        f"above 0 at {len(found) - len(failed)} of {len(found)} budgets"
    )
    return 1 if len(failed) else 0


if __name__ == "__main__":
    flags = parser(__doc__, [42, 7, 8, 1, 2])
    flags.add_argument("--resamples", type=int, default=2000)
    sys.exit(main(flags.parse_args()))
