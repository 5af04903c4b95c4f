"""Rates by customer are used where they help, and not where customers are alike."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from python_ml.campaigns.learn import Prior
from python_ml.campaigns.uplift import Offers, Uplift, Verdict, learn_uplift
from tests.proof.campaigns_uplift import OFFERS, measured_customers


def learned(
    customers: pd.DataFrame, features: np.ndarray, minimum: int = 2000
) -> tuple[Uplift | None, Verdict]:
    return learn_uplift(
        customers, features, OFFERS, minimum_customers=minimum, confidence=0.99, threads=1
    )


def test_too_few_customers_are_not_even_tried() -> None:
    uplift, verdict = learned(*measured_customers(1, 500, 0.9), minimum=501)
    assert uplift is None and not verdict.is_used
    assert verdict.reason == "pooled rates: 500 customers have been measured; 501 are needed"


@pytest.mark.thorough
def test_customers_who_are_alike_keep_the_pooled_rates() -> None:
    uplift, verdict = learned(*measured_customers(2, 4000, 0.0))
    assert uplift is None and not verdict.is_used
    assert "nothing better is known" in verdict.reason
    assert verdict.value_gain_eur is not None and verdict.value_gain_eur.low < 0


@pytest.mark.slow
def test_customers_who_differ_get_rates_of_their_own() -> None:
    customers, features = measured_customers(3, 20_000, 0.9)
    uplift, verdict = learned(customers, features)
    assert uplift is not None and verdict.is_used, verdict.reason
    saves = uplift.save_probability(customers, features)
    assert saves.shape == (20_000, 4) and saves.min() >= 0 and saves.max() <= 1
    # The first feature decides: high values listen, low ones do not.
    high, low = features[:, 0] > 1, features[:, 0] < -1
    assert saves[high, 3].mean() > saves[low, 3].mean() + 0.1
    again, _ = learned(customers, features)
    assert again is not None
    assert np.array_equal(again.save_probability(customers, features), saves)


def test_an_offer_that_could_not_be_drawn_for_some_is_no_evidence() -> None:
    """Strata with other arms: nothing is divided by a chance that was none."""
    customers, features = measured_customers(4, 3000, 0.0)
    small = (customers["risk_tier"] == "Low") & (customers["arm"] == "offer_large")
    customers, features = customers[~small], features[~small.to_numpy()]
    _, verdict = learned(customers, features)
    assert verdict.value_gain_eur is not None and np.isfinite(verdict.value_gain_eur.value)


def test_spend_is_the_discount_of_its_months_and_the_contact() -> None:
    offers = Offers({"contact_only": 0.0, "large": 0.25}, ["Low"], Prior(0.3, 20, 0.0), 6.0, 20.0)
    spend = offers.spend(pd.DataFrame({"avg_monthly_margin_eur": [10.0]}))
    assert spend.tolist() == [[20.0, 35.0]]
