"""Four policies on the same customers, worth what the arithmetic says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from python_ml.engines import Warehouse
from python_ml.errors import SpanishGasError
from python_ml.judge.metrics import resample_weights
from python_ml.judge.policies import (
    OfferEconomics,
    RemainingMonths,
    choose_customers,
    policy_rows,
)
from python_ml.judge.profit import economics_values
from python_ml.settings import Settings
from tests.unit import gold_fixture as gold

Fixture = tuple[Settings, Warehouse]


@pytest.fixture(scope="module")
def fixture(tmp_path_factory: pytest.TempPathFactory) -> Fixture:
    settings = gold.settings_for(tmp_path_factory.mktemp("home"))
    return settings, gold.warehouse_with(settings, gold.gold_frame(50))


def rows_of(
    fixture: Fixture,
    margin: np.ndarray | list[float],
    churn: np.ndarray | list[int],
    probability: np.ndarray | list[float],
) -> pd.DataFrame:
    settings, warehouse = fixture
    ids = gold.gold_frame(50)["customer_id"].to_numpy()
    test = pd.DataFrame(
        {
            "customer_id": ids[np.arange(len(margin)) % len(ids)],
            "as_of_date": pd.Timestamp(gold.AS_OF_DATE),
            "avg_monthly_margin_eur": margin,
        }
    )
    weights = resample_weights(len(test), 200, 1)
    rows = policy_rows(
        warehouse, settings, test, np.asarray(churn), np.asarray(probability, float), weights
    )
    return rows.set_index(["policy", "basis"])


def test_profit_is_margin_saved_less_discount_and_contact(fixture: Fixture) -> None:
    """One customer of 10 € a month, critical: 0.4 × 10 × 32 saved if it leaves, 0.25 × 10 × 6
    discounted and 20 for the contact either way."""
    rows = rows_of(fixture, [10.0], [1], [0.9])
    cost = 0.25 * 10 * 6 + 20
    for policy in ("contact_everybody", "fixed_tiers", "expected_value"):
        assert rows.loc[(policy, "expected"), "profit_eur"] == pytest.approx(0.9 * 128 - cost)
        assert rows.loc[(policy, "realised"), "profit_eur"] == pytest.approx(128 - cost)
    assert rows.loc[("contact_nobody", "realised"), "profit_eur"] == 0
    assert (
        rows_of(fixture, [10.0], [0], [0.9]).loc[("fixed_tiers", "realised"), "profit_eur"] == -cost
    )


@pytest.mark.parametrize(
    ("margin", "probability", "tiers", "value"),
    [
        (10.0, 0.9, True, True),
        (50.0, 0.2, False, True),  # low tier, and still worth a call
        (50.0, 0.001, False, False),
        (1.5, 0.9, False, False),  # at risk, and the call costs more than it saves
        (-5.0, 0.9, False, False),
    ],
)
def test_whom_each_policy_contacts(
    fixture: Fixture, margin: float, probability: float, tiers: bool, value: bool
) -> None:
    rows = rows_of(fixture, [margin], [0], [probability])
    contacted = rows["contacted_count"]
    assert contacted["fixed_tiers", "expected"] == tiers
    assert contacted["expected_value", "expected"] == value
    assert contacted["contact_everybody", "expected"] == 1
    assert np.isfinite(rows["profit_eur"]).all()


def test_profit_is_not_known_where_no_margin_is(fixture: Fixture) -> None:
    rows = rows_of(fixture, [np.nan, np.inf], [0, 1], [0.9, 0.9])
    assert (rows["contacted_count"] == 0).all()
    assert (rows["customer_count"] == 0).all()
    figures = rows[["profit_eur", "ci_low", "ci_high", "difference_eur"]]
    nobody = figures.index.get_level_values("policy") == "contact_nobody"
    assert figures[~nobody].isna().all(axis=None)
    assert (figures.loc[nobody, "profit_eur"] == 0).all()


def test_customers_without_a_margin_are_left_out(fixture: Fixture) -> None:
    figures = ["profit_eur", "contacted_count", "customer_count"]
    with_unknown = rows_of(fixture, [10.0, np.nan, np.inf], [1, 1, 1], [0.9, 0.9, 0.9])[figures]
    pd.testing.assert_frame_equal(with_unknown, rows_of(fixture, [10.0], [1], [0.9])[figures])


def test_the_choice_does_not_look_at_the_outcome(fixture: Fixture) -> None:
    rng = np.random.default_rng(1)
    margin, probability = rng.normal(8, 4, 400), rng.random(400)
    counts = [
        rows_of(fixture, margin, churn, probability)["contacted_count"]
        for churn in (np.zeros(400, int), np.ones(400, int))
    ]
    assert counts[0].equals(counts[1])


def test_expected_value_is_never_expected_to_be_worse(fixture: Fixture) -> None:
    """It takes whatever the tiers take that pays, and more; intervals are paired."""
    rng = np.random.default_rng(2)
    probability = rng.beta(0.5, 3, 3000)
    churn = (rng.random(3000) < probability).astype(int)
    rows = rows_of(fixture, rng.normal(12, 6, 3000), churn, probability)
    best = rows.xs("expected", level="basis")["profit_eur"]
    assert best["expected_value"] == best.max()
    assert best["expected_value"] > best["fixed_tiers"] > best["contact_everybody"]
    row = rows.to_dict("index")
    gained = row["expected_value", "realised"]
    assert gained["difference_ci_low"] < gained["difference_eur"] < gained["difference_ci_high"]
    assert gained["difference_eur"] == pytest.approx(
        gained["profit_eur"] - row["fixed_tiers", "realised"]["profit_eur"]
    )
    # Right probabilities: what was expected comes true, to within chance.
    for policy in ("fixed_tiers", "expected_value", "contact_everybody"):
        expected, realised = (row[policy, basis] for basis in ("expected", "realised"))
        assert realised["ci_low"] < expected["profit_eur"] < realised["ci_high"]
    paired = gained["difference_ci_high"] - gained["difference_ci_low"]
    assert paired < gained["ci_high"] - gained["ci_low"]


def test_the_rule_of_the_tiers_is_that_of_the_recommendations(fixture: Fixture) -> None:
    economics = OfferEconomics.read(fixture[1])
    tier = np.array(["Low", "Medium", "High"], dtype=object)
    expected = np.array([5.0, 0.0, -0.01])
    chosen = choose_customers(economics, tier, np.array([5.0, 5.0, 5.0]), expected)
    assert chosen["fixed_tiers"].tolist() == [False, True, False]
    assert chosen["expected_value"].tolist() == [True, False, False]


def test_each_customer_brings_its_own_months() -> None:
    """Saved at 0.5 and driven away at 0.1, in a call without a discount."""
    save, share = {"Low": 0.5}, {"Low": 0.0}
    economics = OfferEconomics(20.0, save, 0.1, 6.0, pd.DataFrame(), share, {"Low": False})
    months = RemainingMonths(saved=np.array([10.0, 30.0]), stayer=np.array([20.0, 40.0]))
    chance, margin = np.array([0.8, 0.8]), np.array([10.0, 10.0])
    value = economics.net_value(chance, margin, np.array(["Low", "Low"]), months)
    assert value == pytest.approx([40 - 4 - 20, 120 - 8 - 20])


def test_a_customer_without_remaining_months_is_refused(fixture: Fixture) -> None:
    rows = pd.DataFrame({"customer_id": ["C99999"], "as_of_date": pd.Timestamp(gold.AS_OF_DATE)})
    with pytest.raises(SpanishGasError, match="silver_remaining_months lacks 1 customers"):
        RemainingMonths.of(fixture[1], rows)


def test_what_campaigns_have_taught_counts_for_the_offer_of_each_tier(tmp_path: Path) -> None:
    """The newest rates, of the offer that each tier gets; a tier without one gets a contact."""
    settings = gold.settings_for(tmp_path)
    warehouse = gold.warehouse_with(settings, gold.gold_frame(50))
    cells = [
        (offer, tier)
        for offer in ("contact_only", "offer_small", "offer_medium", "offer_large")
        for tier in ("Low", "Medium", "High", "Critical")
    ]
    for run_id, extra in (("20250101T000000Z-aaaa", 0.5), ("20250201T000000Z-bbbb", 0.0)):
        rates = pd.DataFrame(cells, columns=["offer", "risk_tier"])
        rates["save_probability"] = 0.1 + 0.02 * np.arange(len(cells)) + extra
        for name in ("sd", "low", "high"):
            rates[f"save_probability_{name}"] = 0.1
        rates = rates.assign(prior_save_probability=0.3, prior_weight=20.0)
        counts = dict.fromkeys(("campaign_count", "treated_count", "control_count"), 1)
        warehouse.write_external("offer_save_rate", rates.assign(**counts), run_id)
    found = OfferEconomics.read(warehouse).save_probability
    wanted = {"Low": 0, "Medium": 5, "High": 10, "Critical": 15}
    assert found == {tier: pytest.approx(0.1 + 0.02 * at) for tier, at in wanted.items()}


def test_a_missing_assumption_is_named(fixture: Fixture) -> None:
    with pytest.raises(SpanishGasError, match="no row named horse"):
        economics_values(fixture[1], ["save_probability", "horse"])
