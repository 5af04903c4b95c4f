"""What campaigns teach: pooled shares saved, from the assumption to the truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from python_ml.campaigns.learn import Prior, save_rates
from python_ml.campaigns.plan import arm_chances, eligible_offers
from tests.unit.campaigns.test_campaign_draw import DISCOUNTS, LIMITS, offer_values, terms
from tests.unit.campaigns.test_campaign_effect import SAVED, assigned, played

pytestmark = pytest.mark.thorough

TIERS = ["Low", "Medium", "High", "Critical"]
PRIOR = Prior(0.3, 20.0, 0.0)


def learned(customers: pd.DataFrame, prior: Prior = PRIOR) -> pd.DataFrame:
    return save_rates(customers, DISCOUNTS, TIERS, prior).set_index(["offer", "risk_tier"])


def measured(count: int = 12000, name: str = "a", seed: int = 0) -> pd.DataFrame:
    return played(assigned(name, count), SAVED, seed)


def test_without_a_campaign_the_assumption_holds() -> None:
    rates = learned(measured(200).iloc[:0])
    assert (rates["save_probability"] == 0.3).all()
    assert np.mean(rates["save_probability_sd"] ** 2) == pytest.approx(0.3 * 0.7 / 20)
    assert (rates["treated_count"] == 0).all()
    assert len(rates) == len(DISCOUNTS) * len(TIERS)


def test_large_campaigns_find_the_truth_and_say_how_sure_they_are() -> None:
    rates = learned(measured())
    for row in rates.reset_index().to_dict("records"):
        offer, tier = row["offer"], row["risk_tier"]
        if tier == "Low":
            continue
        assert row["save_probability"] == pytest.approx(SAVED[offer], abs=0.07), (offer, tier)
        assert row["save_probability_sd"] < 0.04
        assert row["treated_count"] > 0


def test_neighbouring_discounts_are_told_apart_by_all_of_them() -> None:
    """Between two discounts one campaign says little; the rise over all of them says more."""
    medium, large = [], []
    for number in range(12):
        rates = learned(measured(1500, f"n{number}", number))["save_probability"]
        medium.append(rates["offer_medium", "High"])
        large.append(rates["offer_large", "High"])
    assert (np.array(large) > np.array(medium)).mean() >= 0.9


@pytest.mark.parametrize("best", ["offer_small", "offer_medium"])
def test_an_offer_that_beats_larger_ones_is_found_all_the_same(best: str) -> None:
    shares = {**dict.fromkeys(SAVED, 0.25), best: 0.45}
    rates = learned(played(assigned("bent", 12000), shares, 3))["save_probability"]
    for tier in TIERS[1:]:
        assert rates.xs(tier, level="risk_tier").idxmax() == best


def test_tiers_that_nobody_was_drawn_in_borrow_from_the_others() -> None:
    rates = learned(measured())
    low = rates.xs("Low", level="risk_tier")
    chance = low["save_probability"]
    assert chance["offer_large"] > chance["contact_only"]
    assert (low["treated_count"] == 0).all()
    assert (
        low["save_probability_sd"] > rates.xs("Critical", level="risk_tier")["save_probability_sd"]
    ).all()


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    inside = []
    for number in range(30):
        rates = learned(measured(1500, f"c{number}", number))
        for row in rates.reset_index().to_dict("records"):
            offer, tier = row["offer"], row["risk_tier"]
            if tier != "Low":
                low, high = row["save_probability_low"], row["save_probability_high"]
                inside.append(low <= SAVED[offer] <= high)
    assert np.mean(inside) > 0.9


def test_a_heavy_assumption_is_given_up_slowly() -> None:
    customers = measured(1500)
    light, heavy = (learned(customers, Prior(0.3, weight, 0.0)) for weight in (5.0, 5000.0))
    gap = np.abs(heavy["save_probability"] - 0.3).max()
    assert gap < 0.02
    assert np.abs(light["save_probability"] - 0.3).max() > 2 * gap


def test_more_campaigns_make_it_surer() -> None:
    one = learned(measured(1500))
    three = learned(pd.concat([measured(1500, name, k) for k, name in enumerate("abc")]))
    assert (three["save_probability_sd"] < one["save_probability_sd"]).all()
    assert three["campaign_count"].max() == 3


def test_scores_that_are_too_low_do_not_look_like_an_offer_that_harms() -> None:
    customers = measured()
    honest = learned(customers)
    lowered = learned(customers.assign(churn_probability=customers["churn_probability"] * 0.9))
    gap = (honest["save_probability"] - lowered["save_probability"]).abs()
    assert gap.drop("Low", level="risk_tier").max() < 0.05


def test_what_is_known_to_be_best_is_drawn_most_and_the_rest_still_is() -> None:
    eligible = eligible_offers(offer_values(), "fixed_tiers")
    vague = arm_chances(eligible, 0.2, LIMITS)
    large = eligible["offer"] == "offer_large"
    better = eligible.assign(
        save_probability_sd=0.01,
        expected_net_value_eur=eligible["expected_net_value_eur"] + 50 * large,
    )
    sure = arm_chances(better, 0.2, LIMITS)
    for chances in (vague, sure):
        assert np.allclose(chances.groupby("stratum")["propensity"].sum(), 1)
        assert chances["propensity"].min() >= LIMITS.minimum_propensity
    whole = sure[(sure["stratum"] == "Critical") & (sure["arm"] == "offer_large")]
    assert whole["propensity"].iloc[0] == pytest.approx(0.8 - 3 * LIMITS.minimum_propensity)
    spread = vague[(vague["stratum"] == "Critical") & (vague["arm"] != "control")]["propensity"]
    assert spread.max() < whole["propensity"].iloc[0]


def test_chances_do_not_depend_on_the_order_of_rows() -> None:
    eligible = eligible_offers(offer_values(), terms().policy)
    shuffled = eligible.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(
        arm_chances(eligible, 0.2, LIMITS), arm_chances(shuffled, 0.2, LIMITS)
    )
