"""What contacts are worth, worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from python_ml.engines import Warehouse
from python_ml.errors import SpanishGasError
from python_ml.judge.profit import Economics, economics_values, read_economics

TIERS = pd.DataFrame({"risk_tier": ["Low", "High"], "minimum_probability": [0.0, 0.5]})
# A contact costs 8 €. A churner who is contacted brings 0.25 × 400 = 100 €, in the tier Low 40 €.
ECONOMICS = Economics(
    contact_cost_eur=8.0,
    save_probability={"Low": 0.1, "High": 0.25},
    value_at_stake_eur=400.0,
    tiers=TIERS,
)
SEED = {
    "contact_cost_eur": 8.0,
    "save_probability": 0.25,
    "monthly_margin_eur": 50.0,
    "other": 1.0,
}


DAY = date(2024, 12, 31)


def warehouse(
    values: Mapping[str, float],
    months: float | None = 9.0,
    learned: list[tuple[str, str, str, float]] | None = None,
) -> Warehouse:
    """Seeds, months and learned rates: (run, offer, tier, share saved)."""
    frame = pd.DataFrame({"name": list(values), "value": list(values.values())})
    rates = pd.DataFrame(
        learned or [], columns=["run_id", "offer", "risk_tier", "save_probability"]
    )
    stand_in = mock.Mock(spec=Warehouse)
    stand_in.read_table = lambda name: {"economics": frame, "risk_tiers": TIERS}[name]
    stand_in.read_external = lambda name: {"offer_save_rate": rates}[name]
    stand_in.query = lambda sql: pd.DataFrame({"months": [months]})
    return stand_in


def test_each_contact_costs_and_each_churner_among_them_brings() -> None:
    churn = np.array([1, 0, 1, 0])
    probability = np.array([0.9, 0.8, 0.5, 0.6])
    contacted = np.array([True, True, False, False])
    weights = np.array([[1, 1, 1, 1], [2, 0, 9, 9], [0, 3, 1, 0]], dtype=np.uint8)
    profit = ECONOMICS.profit(churn, probability, contacted, weights)
    assert profit.tolist() == [100 - 16, 200 - 16, -24]
    others = ECONOMICS.profit(churn, probability, ~contacted, weights[:1])
    assert others.tolist() == [100 - 16]


def test_a_churner_of_another_tier_is_saved_at_its_own_rate() -> None:
    churn, probability = np.array([1, 1, 0]), np.array([0.49, 0.5, 0.1])
    assert ECONOMICS.gain(churn, probability).tolist() == [40, 100, 0]


def test_profit_from_the_top_adds_up_from_the_highest_part() -> None:
    """Of 40 customers in four parts, 10 each: 5, 2 and 1 leave, and of the lowest none. The two
    lowest parts are of the tier Low, where a churner brings 40 €."""
    probability = np.concatenate([np.full(10, chance) for chance in (0.1, 0.4, 0.5, 0.9)])
    churn = np.zeros(40, dtype=np.int64)
    churn[[10, 20, 21, *range(30, 35)]] = 1
    weights = np.ones((2, 40), dtype=np.uint8)
    weights[1] *= 2
    once = np.array([420, 420 + 120, 420 + 120 - 40, 420 + 120 - 40 - 80])
    profit = ECONOMICS.profit_from_top(churn, probability, weights, 4)
    assert profit[0] == pytest.approx(once)
    assert profit[1] == pytest.approx(2 * once)


def test_economics_are_those_of_the_seed() -> None:
    found = read_economics(warehouse(SEED), DAY)
    assert (found.contact_cost_eur, found.value_at_stake_eur) == (8.0, 450.0)
    assert found.save_probability == {"Low": 0.25, "High": 0.25}


def test_what_campaigns_have_taught_of_a_contact_counts() -> None:
    """The newest rates, of a contact without a discount; a tier without any keeps the seed's."""
    learned = [
        ("r1", "contact_only", "High", 0.9),
        ("r2", "contact_only", "High", 0.4),
        ("r2", "offer_large", "Low", 0.8),
    ]
    found = read_economics(warehouse(SEED, learned=learned), DAY)
    assert found.save_probability == {"Low": 0.25, "High": 0.4}


@pytest.mark.parametrize("name", [name for name in SEED if name != "other"])
def test_a_value_that_the_seed_lacks_is_named(name: str) -> None:
    with pytest.raises(SpanishGasError, match=rf"no row named {name}$"):
        read_economics(warehouse({key: value for key, value in SEED.items() if key != name}), DAY)
    assert economics_values(warehouse(SEED), ["other"]) == {"other": 1.0}


def test_a_date_without_customers_is_refused() -> None:
    with pytest.raises(SpanishGasError, match="no customers as of 2024-12-31"):
        read_economics(warehouse(SEED, months=None), DAY)
