"""Do offers by value earn more than fixed tiers, at the same budget, by what customers would do?

The simulator knows who leaves without an offer, and the chance of each offer to keep or to drive
away each customer. Both policies get the same budgets, and the scores of one model, which the first
batch has trained. What they earn is counted on the customers of the other batches, none of whom the
model has seen, with the difference paired customer by customer and resampled.

Who leaves is what came true, because texts of the demo know it, and so do the scores. Whether an
offer keeps or drives away is counted with its chance, which nothing that a policy reads knows of:
one draw of it would only add chance to the difference (it is printed beside, `drawn_eur`).

Budgets are parts of what the tiers spend without a limit. At the whole of it the claim is not made:
the tiers then reach everybody at risk who is worth it, and there is little left to choose better.

    python -m tests.proof.offer_value --homes data/proof --seeds 42 7 8 1 2
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from python_ml.contracts.gold import GOLD
from python_ml.engines import open_warehouse
from python_ml.judge.policies import EXPECTED_VALUE, FIXED_TIERS
from python_ml.judge.tiers import assign_tier, read_tiers
from python_ml.model.churn_model import ChurnModel
from python_ml.registry import open_registry
from python_ml.settings import load_settings
from python_ml.simulate.response import TRUTH
from python_ml.transform.dbt import DbtRunner
from tests.proof.homes import home_of, parser

BUDGETS = (0.25, 0.5, 0.75, 1.0)  # of what fixed tiers spend without a limit


def candidates_of(home: Path, model: ChurnModel) -> pd.DataFrame:
    """The mart mart_offer_candidate of a home as it would be with the scores of this model.

    Worked out by the project's own SQL, on a copy of the published warehouse.
    """
    settings = load_settings({"home": str(home)}, environ={})
    with tempfile.TemporaryDirectory() as folder, open_warehouse(settings) as warehouse:
        copy = Path(folder) / settings.layout.warehouse.name
        shutil.copyfile(settings.layout.warehouse, copy)
        gold = warehouse.read_table(GOLD)
        probability = model.predict(gold)["churn_probability"].to_numpy()
        scores = pd.DataFrame(
            {
                "customer_id": gold["customer_id"],
                "probability": probability,
                "tier": assign_tier(probability, read_tiers(warehouse)),
            }
        )
        with duckdb.connect(str(copy)) as connection:
            connection.register("scores", scores)
            connection.execute(
                "update mart_customer_risk set churn_probability = probability, risk_tier = tier "
                "from scores where scores.customer_id = mart_customer_risk.customer_id"
            )
        runner = DbtRunner(settings, copy, Path(folder) / "dbt", {"run_id": "proof"})
        runner.build("economics offer_policy")
        runner.run("mart_offer_candidate", exclude="mart_offer_budget")
        with duckdb.connect(str(copy), read_only=True) as connection:
            return connection.execute(
                "select candidates.*, risks.avg_monthly_margin_eur, risks.saved_value_months, "
                "risks.stayer_value_months "
                "from mart_offer_candidate as candidates "
                "inner join mart_customer_risk as risks using (customer_id)"
            ).df()


def earned_values(home: Path, model: ChurnModel) -> pd.DataFrame:
    """One row a policy and eligible customer: rank, spend, net value (€) as customers react on
    average (`earned_eur`) and in one draw (`drawn_eur`).

    A customer who would leave and is kept brings its margin for the months that a saved customer
    stays; one who would stay and is driven away takes along those of a stayer; discount and contact
    are paid either way, as in the marts.
    """
    candidates = candidates_of(home, model)
    candidates = candidates[candidates["verdict"] == "eligible"]
    truth = pd.read_parquet(home / "raw" / TRUTH)
    rows = candidates.merge(truth, on=["customer_id", "offer"], validate="many_to_one")
    assert len(rows) == len(candidates), "every offer has its truth"
    leaver = rows["leaves_without"].astype(float)

    def value(kept: pd.Series, driven_away: pd.Series) -> pd.Series:
        saved = leaver * kept * rows["saved_value_months"]
        lost = (1 - leaver) * driven_away * rows["stayer_value_months"]
        return (saved - lost) * rows["avg_monthly_margin_eur"] - rows["spend_eur"]

    return rows.assign(
        earned_eur=value(rows["save_probability"], rows["drive_away_probability"]),
        drawn_eur=value(~rows["leaves_with"], rows["leaves_with"]),
    )


def spent(rows: pd.DataFrame, policy: str, budget: float) -> pd.DataFrame:
    """Whom a policy reaches in its order before the budget is spent."""
    mine = rows[rows["policy"] == policy].sort_values("policy_rank")
    return mine[mine["spend_eur"].cumsum() <= budget]


def compare(homes: list[pd.DataFrame], share: float, resamples: int) -> dict[str, float]:
    """Both policies at one budget, over all homes; differences customer by customer."""
    profits = {FIXED_TIERS: 0.0, EXPECTED_VALUE: 0.0}
    counts = {FIXED_TIERS: 0, EXPECTED_VALUE: 0}
    differences, drawn, budgets = [], 0.0, 0.0
    for rows in homes:
        most = rows.loc[rows["policy"] == FIXED_TIERS, "spend_eur"].sum()
        budgets += share * most
        gain = pd.Series(0.0, index=pd.Index([], dtype=object))
        for policy, sign in ((EXPECTED_VALUE, 1), (FIXED_TIERS, -1)):
            chosen = spent(rows, policy, share * most)
            profits[policy] += chosen["earned_eur"].sum()
            counts[policy] += len(chosen)
            drawn += sign * chosen["drawn_eur"].sum()
            gain = gain.add(sign * chosen.set_index("customer_id")["earned_eur"], fill_value=0.0)
        differences.append(gain.to_numpy())
    paired = np.concatenate(differences)
    # Customers whom neither reaches differ by nothing, so a draw of all of them draws of the others
    # Poisson numbers (Hanley and MacGibbon 2006, "Creating non-parametric bootstrap samples").
    weights = np.random.default_rng(1).poisson(1.0, size=(resamples, len(paired)))
    resampled = weights.astype(np.float64) @ paired
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
        "drawn_eur": float(drawn),
    }


def main(flags: argparse.Namespace) -> int:
    first, *others = [home_of(flags, seed) for seed in flags.seeds]
    registry = open_registry(load_settings({"home": str(first)}, environ={}))
    model = registry.load(registry.require_champion()).model
    homes = [earned_values(home, model) for home in others]
    found = pd.DataFrame([compare(homes, share, flags.resamples) for share in BUDGETS])
    print(found.round(2).to_string(index=False))
    claimed = found[found["budget_share"] < 1]
    failed = claimed[claimed["ci_low"] <= 0]
    print(
        f"profit by value less that by tiers, {len(homes)} batches: the 95 % interval is "
        f"above 0 at {len(claimed) - len(failed)} of {len(claimed)} budgets that bind"
    )
    return 1 if len(failed) else 0


if __name__ == "__main__":
    flags = parser(__doc__, [42, 7, 8, 1, 2])
    flags.add_argument("--resamples", type=int, default=2000)
    sys.exit(main(flags.parse_args()))
