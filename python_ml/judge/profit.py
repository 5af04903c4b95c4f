"""What contacting customers by score is worth, with the economics that the offers use too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from python_ml.campaigns import CONTACT_ONLY
from python_ml.engines import Warehouse
from python_ml.engines.sql import literal
from python_ml.errors import SpanishGasError
from python_ml.judge.metrics import equal_count_bins
from python_ml.judge.tiers import assign_tier, read_tiers


@dataclass(frozen=True)
class Economics:
    """Of one contact without a discount: its cost (€), the chance that it keeps a churner of each
    risk tier, and what that is worth (€). `tiers` is the seed `risk_tiers`."""

    contact_cost_eur: float
    save_probability: Mapping[str, float]
    value_at_stake_eur: float
    tiers: pd.DataFrame

    def gain(self, churn: np.ndarray, probability: np.ndarray) -> np.ndarray:
        """Expected gain (€) of contacting each of n customers, before the cost of the contact."""
        tier = assign_tier(probability, self.tiers)
        save = np.array([self.save_probability[name] for name in tier], dtype=np.float64)
        return churn * save * self.value_at_stake_eur

    def profit(
        self,
        churn: np.ndarray,
        probability: np.ndarray,
        contacted: np.ndarray,
        weights: np.ndarray,
    ) -> np.ndarray:
        """Expected profit (€) of contacting those rows, one value a resample."""
        gain = np.where(contacted, self.gain(churn, probability) - self.contact_cost_eur, 0.0)
        return weights.astype(np.float64) @ gain

    def profit_from_top(
        self, churn: np.ndarray, probability: np.ndarray, weights: np.ndarray, bins: int
    ) -> np.ndarray:
        """Expected profit (€) of contacting the top 1, 2, … of `bins` equal parts by score,
        (resamples, bins)."""
        gain = equal_count_bins(self.gain(churn, probability), probability, weights, bins).observed
        in_bin = (weights.sum(axis=1, dtype=np.int64) / bins)[:, None]
        return np.cumsum((gain[:, ::-1] - self.contact_cost_eur) * in_bin, axis=1)


def read_economics(warehouse: Warehouse, as_of_date: date) -> Economics:
    """The seed `economics`, what campaigns have taught of contacts without a discount, and how long
    saved customers of a date stay on average.

    Raises:
        SpanishGasError: the seed lacks a value, or no customers are known of that date.
    """
    names = ("contact_cost_eur", "save_probability", "monthly_margin_eur")
    values = economics_values(warehouse, names)
    months = warehouse.query(
        "select avg(saved_value_months) as months from silver_remaining_months "
        f"where as_of_date = date {literal(as_of_date)}"
    )["months"].astype(float)
    if months.isna().all():
        raise SpanishGasError(f"silver_remaining_months has no customers as of {as_of_date}")
    tiers, learned = read_tiers(warehouse), learned_save_rates(warehouse)
    return Economics(
        contact_cost_eur=values["contact_cost_eur"],
        save_probability={
            tier: learned.get((CONTACT_ONLY, tier), values["save_probability"])
            for tier in tiers["risk_tier"].astype(str)
        },
        value_at_stake_eur=values["monthly_margin_eur"] * float(months.iloc[0]),
        tiers=tiers,
    )


def learned_save_rates(warehouse: Warehouse) -> dict[tuple[str, str], float]:
    """Share of churners that each offer saves, by offer and tier (ml.offer_save_rate, the newest
    run that has learned); none without a campaign."""
    rates = warehouse.read_external("offer_save_rate")
    newest = rates[rates["run_id"] == rates["run_id"].max()]
    keys = zip(newest["offer"], newest["risk_tier"], strict=True)
    return dict(zip(keys, newest["save_probability"].astype(float), strict=True))


def economics_values(warehouse: Warehouse, names: Sequence[str]) -> dict[str, float]:
    """Values of the seed `economics` by name.

    Raises:
        SpanishGasError: it lacks one.
    """
    seed = warehouse.read_table("economics").set_index("name")["value"].astype(float).to_dict()
    if missing := [name for name in names if name not in seed]:
        raise SpanishGasError(f"the seed economics has no row named {', '.join(missing)}")
    return {name: seed[name] for name in names}
