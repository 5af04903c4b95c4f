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
from python_ml.judge.metrics import Bins
from python_ml.judge.profit import Economics, economics_values, read_economics

# A churner who is contacted brings 0.25 × 400 = 100 €, and each contact costs 8 €.
ECONOMICS = Economics(contact_cost_eur=8.0, save_probability=0.25, value_at_stake_eur=400.0)
SEED = {
    "contact_cost_eur": 8.0,
    "save_probability": 0.25,
    "monthly_margin_eur": 50.0,
    "other": 1.0,
}


DAY = date(2024, 12, 31)


def warehouse(values: Mapping[str, float], months: float | None = 9.0) -> Warehouse:
    frame = pd.DataFrame({"name": list(values), "value": list(values.values())})
    stand_in = mock.Mock(spec=Warehouse)
    stand_in.read_table = lambda name: {"economics": frame}[name]
    stand_in.query = lambda sql: pd.DataFrame({"months": [months]})
    return stand_in


def test_each_contact_costs_and_each_churner_among_them_brings() -> None:
    churn = np.array([1, 0, 1, 0])
    contacted = np.array([True, True, False, False])
    weights = np.array([[1, 1, 1, 1], [2, 0, 9, 9], [0, 3, 1, 0]], dtype=np.uint8)
    profit = ECONOMICS.profit(churn, contacted, weights)
    assert profit.tolist() == [100 - 16, 200 - 16, -24]
    assert ECONOMICS.profit(churn, ~contacted, weights[:1]).tolist() == [100 - 16]


def test_profit_from_the_top_adds_up_from_the_highest_bin() -> None:
    """Of 40 rows in four bins, 10 each; of 80 likewise 20."""
    observed = np.array([[0.0, 0.1, 0.2, 0.5], [0.0, 0.0, 0.0, 1.0]])
    bins = Bins(observed, observed)
    profit = ECONOMICS.profit_from_top(bins, np.array([40, 80]))
    assert profit[0] == pytest.approx([420, 420 + 120, 420 + 120 + 20, 420 + 120 + 20 - 80])
    assert profit[1] == pytest.approx([1840, 1680, 1520, 1360])


def test_economics_are_those_of_the_seed() -> None:
    found = read_economics(warehouse(SEED), DAY)
    assert found == Economics(8.0, 0.25, 450.0)
    assert found.gain_per_churner_eur == 112.5


@pytest.mark.parametrize("name", [name for name in SEED if name != "other"])
def test_a_value_that_the_seed_lacks_is_named(name: str) -> None:
    with pytest.raises(SpanishGasError, match=rf"no row named {name}$"):
        read_economics(warehouse({key: value for key, value in SEED.items() if key != name}), DAY)
    assert economics_values(warehouse(SEED), ["other"]) == {"other": 1.0}


def test_a_date_without_customers_is_refused() -> None:
    with pytest.raises(SpanishGasError, match="no customers as of 2024-12-31"):
        read_economics(warehouse(SEED, months=None), DAY)
