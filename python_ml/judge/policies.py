"""Whom to contact: four policies on the same customers, by what was expected and what came true.

Nobody, everybody, the fixed tiers as `mart_recommendation` applies them (offer of the tier, with
its guardrails), and whoever is worth more than the contact costs, whatever the tier. All of them
make the offer of the customer's tier, so that they differ in whom they choose and in nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from python_ml.campaigns import CONTACT_ONLY
from python_ml.engines import Warehouse
from python_ml.engines.sql import literal
from python_ml.errors import SpanishGasError
from python_ml.judge.metrics import estimate
from python_ml.judge.profit import economics_values, learned_save_rates
from python_ml.judge.tiers import assign_tier, read_tiers
from python_ml.settings import Settings

NOBODY, EVERYBODY = "contact_nobody", "contact_everybody"
FIXED_TIERS, EXPECTED_VALUE = "fixed_tiers", "expected_value"
EXPECTED, REALISED = "expected", "realised"
MARGIN = "avg_monthly_margin_eur"


@dataclass(frozen=True)
class RemainingMonths:
    """Discounted months that n customers bring their margin: saved ones, and who stays anyway."""

    saved: np.ndarray
    stayer: np.ndarray

    @classmethod
    def of(cls, warehouse: Warehouse, rows: pd.DataFrame) -> RemainingMonths:
        """From silver_remaining_months, in the order of the rows.

        Raises:
            SpanishGasError: a customer has none.
        """
        dates = sorted({pd.Timestamp(day).date() for day in rows["as_of_date"].unique()})
        known = warehouse.query(
            "select customer_id, as_of_date, saved_value_months, stayer_value_months "
            "from silver_remaining_months where as_of_date in "
            f"({', '.join(f'date {literal(day)}' for day in dates)})"
        )
        keys = ["customer_id", "as_of_date"]
        wanted = rows[keys].assign(as_of_date=pd.to_datetime(rows["as_of_date"]))
        known["as_of_date"] = pd.to_datetime(known["as_of_date"])
        found = wanted.merge(known, on=keys, how="left", validate="many_to_one")
        if missing := int(found["saved_value_months"].isna().sum()):
            raise SpanishGasError(f"silver_remaining_months lacks {missing:,} customers")
        return cls(
            found["saved_value_months"].to_numpy(dtype=np.float64),
            found["stayer_value_months"].to_numpy(dtype=np.float64),
        )


@dataclass(frozen=True)
class OfferEconomics:
    """What a contact costs and may bring, out of the seeds economics, risk_tiers, offer_policy, and
    of what campaigns have taught. By tier: the share of churners that the tier's offer saves, its
    discount, and whether there is one."""

    contact_cost_eur: float
    save_probability: Mapping[str, float]
    drive_away_probability: float
    offer_months: float
    tiers: pd.DataFrame
    margin_share: Mapping[str, float]
    has_offer: Mapping[str, bool]

    @classmethod
    def read(cls, warehouse: Warehouse) -> OfferEconomics:
        """From the seeds, and the newest rates that campaigns have taught (ml.offer_save_rate).

        Raises:
            SpanishGasError: a value is missing.
        """
        names = ("contact_cost_eur", "save_probability", "drive_away_probability", "offer_months")
        values = economics_values(warehouse, names)
        policy = warehouse.read_table("offer_policy")
        tier_names = policy["risk_tier"].astype(str)
        assumed = values.pop("save_probability")
        learned = learned_save_rates(warehouse)
        # A tier without an offer gets a contact where one pays, as in mart_offer_candidate.
        made = policy["offer"].where(policy["offer"] != "no_offer", CONTACT_ONLY)
        return cls(
            **values,
            save_probability={
                tier: learned.get((offer, tier), assumed)
                for offer, tier in zip(made, tier_names, strict=True)
            },
            tiers=read_tiers(warehouse),
            margin_share=dict(
                zip(tier_names, policy["monthly_margin_share"].astype(float), strict=True)
            ),
            has_offer=dict(zip(tier_names, policy["offer"] != "no_offer", strict=True)),
        )

    def net_value(
        self,
        chance: np.ndarray,
        margin: np.ndarray,
        tier: np.ndarray,
        months: RemainingMonths,
    ) -> np.ndarray:
        """Net value (€) of contacting each of n customers with the offer of its tier.

        Args:
            chance: that the customer leaves: a probability, or 0 and 1 in hindsight.
            margin: monthly, €; where it is not finite, the value is not a number.
            tier: risk tier by name.
            months: that each customer brings its margin.
        """
        save = np.array([self.save_probability[name] for name in tier])
        discount_share = np.array([self.margin_share[name] for name in tier])
        margin = np.where(np.isfinite(margin), margin, np.nan)
        saved = chance * save * months.saved
        lost = (1 - chance) * self.drive_away_probability * months.stayer
        discount = discount_share * np.maximum(margin, 0.0) * self.offer_months
        value: np.ndarray = (saved - lost) * margin - discount - self.contact_cost_eur
        return value


def policy_rows(
    warehouse: Warehouse,
    settings: Settings,
    test: pd.DataFrame,
    churn: np.ndarray,
    probability: np.ndarray,
    weights: np.ndarray,
) -> pd.DataFrame:
    """Profit of each policy on the test part, expected and realised, with paired intervals.

    Args:
        warehouse: holds the seeds.
        settings: of the intervals.
        test: n rows of gold_master, with customer_id and as_of_date.
        churn: n labels.
        probability: n calibrated probabilities.
        weights: bootstrap weights, (resamples, n).

    Returns:
        One row a policy and basis: profit and its difference to the fixed tiers, in €, of the
        customers whose margin is known. Where none is, only the profit of no contact is a number.
    """
    economics = OfferEconomics.read(warehouse)
    margin = test[MARGIN].to_numpy(dtype=np.float64, na_value=np.nan)
    is_known = np.isfinite(margin)
    tier = assign_tier(probability, economics.tiers)
    months = RemainingMonths.of(warehouse, test)
    expected = economics.net_value(probability, margin, tier, months)
    chosen = choose_customers(economics, tier, margin, expected)
    rows = []
    for basis, chance in ((EXPECTED, probability), (REALISED, churn.astype(np.float64))):
        value = economics.net_value(chance, margin, tier, months)
        gains = {
            policy: np.where(mask, value, 0.0 if policy == NOBODY or is_known.any() else np.nan)
            for policy, mask in chosen.items()
        }
        found = estimate(partial(_profits, gains), weights, settings.evaluate.confidence)
        for policy, mask in chosen.items():
            profit, difference = found[policy], found[f"{policy} difference"]
            rows.append(
                {
                    "policy": policy,
                    "basis": basis,
                    "contacted_count": int(mask.sum()),
                    "contacted_churner_count": int(churn[mask].sum()),
                    "profit_eur": profit.value,
                    "ci_low": profit.low,
                    "ci_high": profit.high,
                    "difference_eur": difference.value,
                    "difference_ci_low": difference.low,
                    "difference_ci_high": difference.high,
                    "customer_count": int(is_known.sum()),
                }
            )
    return pd.DataFrame(rows)


def choose_customers(
    economics: OfferEconomics, tier: np.ndarray, margin: np.ndarray, expected: np.ndarray
) -> dict[str, np.ndarray]:
    """Whom each policy contacts, n booleans each; nobody looks at the outcome.

    Customers whose margin is not known are contacted by none.
    """
    is_known = np.isfinite(margin)
    worth_it = is_known & (margin > 0)
    in_tier = np.array([economics.has_offer[name] for name in tier])
    return {
        NOBODY: np.zeros(len(tier), dtype=bool),
        EVERYBODY: is_known,
        FIXED_TIERS: in_tier & worth_it & (expected >= 0),
        EXPECTED_VALUE: worth_it & (expected > 0),
    }


def _profits(gains: Mapping[str, np.ndarray], weights: np.ndarray) -> dict[str, np.ndarray]:
    totals = {policy: weights.astype(np.float64) @ gain for policy, gain in gains.items()}
    differences = {
        f"{name} difference": value - totals[FIXED_TIERS] for name, value in totals.items()
    }
    return {**totals, **differences}
