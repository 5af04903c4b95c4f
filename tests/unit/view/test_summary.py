"""What the summary of a run says of money, also where it is not known."""

from __future__ import annotations

from typing import Any

import pytest

from python_ml.pipeline.closing import Closing
from python_ml.view.summary import _loss_line, _tier_table, euros


def closing_of(losses: dict[str, float | None], unknown: int) -> Closing:
    known = [loss for loss in losses.values() if loss is not None]
    money: dict[str, Any] = {"offer_count": 0, "offer_budget_eur": 0.0, "contact_cost_eur": 0.0}
    tiers = [
        {
            **money,
            "risk_tier": tier,
            "is_at_risk": tier != "Low",
            "customer_count": 2,
            "mean_churn_probability": 0.5,
            "expected_monthly_loss_eur": loss,
            "expected_net_value_eur": None if loss is None else 0.0,
        }
        for tier, loss in losses.items()
    ]
    overview = {
        **money,
        "customer_count": 2 * len(tiers),
        "mean_churn_probability": 0.5,
        "unknown_margin_count": unknown,
        "expected_monthly_loss_eur": sum(known) if known else None,
        "expected_net_value_eur": 0.0 if known else None,
    }
    return Closing(overview, tiers, [], [], [])


def test_an_amount_that_is_missing_is_not_known() -> None:
    assert [euros(it) for it in (1234.4, 0, None, float("nan"))] == [
        *("1,234 €", "0 €", "not known", "not known")
    ]


@pytest.mark.parametrize(
    ("losses", "unknown", "told"),
    [
        (
            {"High": 1000.0, "Low": 500.0},
            0,
            "Expected loss of all customers: 1,500 € of margin a month; 1,000 € of it from "
            "customers at risk.",
        ),
        (
            {"High": None, "Medium": 200.0, "Low": 500.0},
            3,
            "Expected loss of all customers: 700 € of margin a month; 200 € of it from customers "
            "at risk. Not counted are 3 customers whose margin is not known.",
        ),
        (
            {"High": None, "Low": None},
            4,
            "Expected loss is not known, because no customer's margin is.",
        ),
    ],
)
def test_the_loss_names_whom_it_leaves_out(
    losses: dict[str, float | None], unknown: int, told: str
) -> None:
    assert _loss_line(closing_of(losses, unknown)) == told


def test_tiers_without_a_margin_show_no_zero() -> None:
    table = _tier_table(closing_of({"High": None, "Low": 5.0}, 2))
    cells = {str(column.header): list(column.cells) for column in table.columns}
    assert cells["Loss a month"] == ["not known", "5 €", "5 €"]
    assert cells["Net value"] == ["not known", "0 €", "0 €"]
    assert cells["Offer cost"] == ["0 €"] * 3
