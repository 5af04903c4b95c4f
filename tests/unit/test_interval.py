"""Venn–Abers intervals are isotonic regression, exactly; one end of them is calibrated."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from python_ml.model.interval import VennAbers, fit_venn_abers


def by_definition(margin, churn, score):
    """Isotonic regression fitted anew with the customer as one who stays, and as one who leaves."""
    ends = []
    for label in (0, 1):
        fit = IsotonicRegression(y_min=0, y_max=1).fit(
            np.append(margin, score), np.append(churn, label)
        )
        ends.append(fit.predict([score])[0])
    return ends


@pytest.mark.parametrize("seed", range(6))
def test_it_is_isotonic_regression_with_the_customer_added_either_way(seed):
    rng = np.random.default_rng(seed)
    # Few distinct scores in half of the cases, so that there are ties and pools.
    margin = rng.normal(size=60) if seed % 2 else rng.integers(0, 8, 60).astype(float)
    churn = (rng.random(60) < 1 / (1 + np.exp(2 - margin / 2))).astype(int)
    fitted = fit_venn_abers(margin, churn)
    places = np.unique(margin)
    scores = np.concatenate([places, (places[1:] + places[:-1]) / 2, [-99.0, 99.0]])
    wanted = np.array([by_definition(margin, churn, score) for score in scores])
    np.testing.assert_allclose(fitted.low(scores), wanted[:, 0], atol=1e-12)
    np.testing.assert_allclose(fitted.high(scores), wanted[:, 1], atol=1e-12)


def test_the_ends_hold_the_churn_rate_of_new_customers():
    """Group new customers by their interval: their churn rate lies within, but for chance."""
    rng = np.random.default_rng(5)
    truth = 1 / (1 + np.exp(2.2 - np.sin(np.linspace(-6, 6, 24000)) * 3))
    # The score is a bent view of the truth, which Platt scaling could not mend.
    score = truth**3
    churn = (rng.random(24000) < truth).astype(int)
    known = rng.random(24000) < 0.5
    fitted = fit_venn_abers(score[known], churn[known])
    low, high = fitted.low(score[~known]), fitted.high(score[~known])
    assert (low <= high).all()
    for part in np.array_split(np.argsort(low, kind="stable"), 8):
        rate, chance = churn[~known][part].mean(), 3 * np.sqrt(0.25 / len(part))
        assert low[part].mean() - chance <= rate <= high[part].mean() + chance


def test_more_customers_narrow_the_interval_and_noise_is_no_obstacle():
    rng = np.random.default_rng(0)
    widths = []
    for count in (100, 1000, 10000):
        score = rng.normal(size=count)
        churn = (rng.random(count) < 0.1).astype(int)
        fitted = fit_venn_abers(score, churn)
        widths.append(float(np.mean(fitted.high(score) - fitted.low(score))))
    assert widths[0] > 2 * widths[1] > 4 * widths[2]


def test_it_holds_the_shipped_probability_and_comes_back_from_json():
    rng = np.random.default_rng(1)
    margin = rng.normal(size=500).astype(np.float32)
    churn = (rng.random(500) < 0.2).astype(int)
    fitted = fit_venn_abers(margin, churn)
    probability = rng.random(500)
    low, high = fitted.interval(margin, probability)
    assert ((low >= 0) & (low <= probability) & (probability <= high) & (high <= 1)).all()
    again = VennAbers.from_document(json.loads(json.dumps(fitted.as_document(), allow_nan=False)))
    for ours, theirs in ((fitted.low, again.low), (fitted.high, again.high)):
        np.testing.assert_array_equal(ours.starts, theirs.starts)
        np.testing.assert_array_equal(ours.values, theirs.values)
    for end, other in zip(again.interval(margin, probability), (low, high), strict=True):
        assert end.tobytes() == other.tobytes()
