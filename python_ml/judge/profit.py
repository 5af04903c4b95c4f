"""What contacting customers by score is worth, with the economics that the offers use too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from python_ml.engines import Warehouse
from python_ml.engines.sql import literal
from python_ml.errors import SpanishGasError
from python_ml.judge.metrics import Bins


@dataclass(frozen=True)
class Economics:
    """Of one contact: its cost, the chance that it keeps a churner, and what that is worth (€)."""

    contact_cost_eur: float
    save_probability: float
    value_at_stake_eur: float

    @property
    def gain_per_churner_eur(self) -> float:
        """Expected gain of contacting one who would leave, before the cost of the contact."""
        return self.save_probability * self.value_at_stake_eur

    def profit(self, churn: np.ndarray, contacted: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Expected profit (€) of contacting those rows, one value a resample."""
        gain = np.where(contacted, churn * self.gain_per_churner_eur - self.contact_cost_eur, 0.0)
        return weights.astype(np.float64) @ gain

    def profit_from_top(self, bins: Bins, size: np.ndarray) -> np.ndarray:
        """Expected profit (€) of contacting the top 1, 2, … bins by score.

        Args:
            bins: equal-count bins by rising score, (resamples, bins).
            size: rows a resample.
        """
        in_bin = (size / bins.observed.shape[1])[:, None]
        gain = bins.observed * self.gain_per_churner_eur - self.contact_cost_eur
        return np.cumsum(gain[:, ::-1] * in_bin, axis=1)


def read_economics(warehouse: Warehouse, as_of_date: date) -> Economics:
    """The seed `economics`, and how long saved customers of a date stay on average.

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
    return Economics(
        contact_cost_eur=values["contact_cost_eur"],
        save_probability=values["save_probability"],
        value_at_stake_eur=values["monthly_margin_eur"] * float(months.iloc[0]),
    )


def economics_values(warehouse: Warehouse, names: Sequence[str]) -> dict[str, float]:
    """Values of the seed `economics` by name.

    Raises:
        SpanishGasError: it lacks one.
    """
    seed = warehouse.read_table("economics").set_index("name")["value"].astype(float).to_dict()
    if missing := [name for name in names if name not in seed]:
        raise SpanishGasError(f"the seed economics has no row named {', '.join(missing)}")
    return {name: seed[name] for name in names}
