"""Probabilities mean what they say, and the threshold is chosen on the scores that ship."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from python_ml.model.calibrate import choose_threshold, fit_platt, fit_tree_weight


def test_platt_recovers_a_known_distortion() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(-2.2, 1.5, 60_000)
    churn = (rng.random(60_000) < expit(truth)).astype(int)
    distorted = (truth + 2.2) / 0.8  # weighting positives shifts and stretches log-odds like this
    found = fit_platt(distorted, churn)
    assert found.slope == pytest.approx(0.8, abs=0.03)
    assert found.intercept == pytest.approx(-2.2, abs=0.05)
    assert np.abs(found.probability(distorted) - expit(truth)).max() < 0.02


def test_platt_keeps_the_mean_and_the_order() -> None:
    rng = np.random.default_rng(1)
    margin = rng.normal(size=5000)
    churn = (rng.random(5000) < expit(margin - 2)).astype(int)
    probability = fit_platt(margin, churn).probability(margin)
    assert probability.mean() == pytest.approx(churn.mean(), abs=1e-3)
    assert (np.argsort(probability) == np.argsort(margin)).all()


def test_separable_scores_stay_finite() -> None:
    margin = np.array([-3.0, -2.0, 2.0, 3.0])
    found = fit_platt(margin, np.array([0, 0, 1, 1]))
    assert np.isfinite([found.slope, found.intercept]).all()
    assert 0.5 < found.probability(margin)[-1] < 1


def test_scores_that_run_backwards_are_not_turned_round() -> None:
    margin = np.linspace(-2, 2, 200)
    churn = (margin < -1).astype(int)
    found = fit_platt(margin, churn)
    assert found.slope == 0
    assert found.probability(margin) == pytest.approx(churn.mean(), abs=0.01)


def by_hand(probability: np.ndarray, churn: np.ndarray, minimum_recall: float) -> float:
    """The definition, without any cleverness."""
    best = None
    for threshold in np.unique(probability):
        flagged = probability >= threshold
        recall = churn[flagged].sum() / churn.sum()
        if recall >= minimum_recall:
            merit = (churn[flagged].mean(), -threshold)
            best = max(best, merit) if best else merit
    assert best is not None
    return float(-best[1])


@pytest.mark.parametrize("seed", range(5))
def test_threshold_has_the_highest_precision_that_keeps_the_recall(seed: int) -> None:
    rng = np.random.default_rng(seed)
    probability = rng.random(300).round(2)  # with ties
    churn = (rng.random(300) < probability**2).astype(int)
    assert choose_threshold(probability, churn, 0.7) == by_hand(probability, churn, 0.7)


def test_tied_scores_are_flagged_together() -> None:
    probability = np.array([0.9, 0.5, 0.5, 0.5, 0.1])
    churn = np.array([1, 1, 0, 0, 0])
    assert choose_threshold(probability, churn, 0.7) == 0.5


def test_best_f1_when_the_recall_cannot_be_reached() -> None:
    probability = np.array([0.9, 0.8, 0.7, 0.2, 0.1])
    churn = np.array([1, 1, 0, 0, 1])
    # F1: 0.5, 0.8, 0.667, 0.571, 0.75 from the top.
    assert choose_threshold(probability, churn, 1.01) == 0.8


def test_best_f1_is_not_best_precision_or_recall() -> None:
    """F1 from the top: 0.4, 0.667, 0.857, 0.75, 0.667; precision is best at 0.9, recall at 0.3."""
    probability = np.array([0.9, 0.8, 0.7, 0.5, 0.3, 0.1])
    churn = np.array([1, 0, 1, 1, 0, 1])
    # F1: 1/1 → 2·1/(1+4); found 1,1,2,3,3,4 of 4 among 1 … 6 flagged.
    f1 = 2 * np.cumsum(churn) / (np.arange(1, 7) + 4)
    assert np.argmax(f1) == 5
    assert choose_threshold(probability, churn, 1.01) == 0.1
    churn = np.array([1, 0, 1, 1, 0, 0])
    f1 = 2 * np.cumsum(churn) / (np.arange(1, 7) + 3)
    assert np.argmax(f1) == 3
    assert choose_threshold(probability, churn, 1.01) == 0.5


def test_of_equal_merit_the_lowest_threshold_is_taken() -> None:
    probability = np.array([0.9, 0.8, 0.7, 0.6])
    churn = np.array([1, 1, 1, 0])
    assert choose_threshold(probability, churn, 0.3) == 0.7


def test_the_recall_may_be_reached_exactly() -> None:
    probability = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    churn = np.array([1, 0, 0, 0, 1])
    assert choose_threshold(probability, churn, 0.5) == 0.9
    assert choose_threshold(probability, churn, 0.5001) == 0.5


def test_platt_minimises_the_loss_with_his_smoothed_targets() -> None:
    rng = np.random.default_rng(3)
    margin = rng.normal(size=40)
    churn = (rng.random(40) < expit(margin)).astype(int)
    found = fit_platt(margin, churn)
    positives, negatives = churn.sum(), 40 - churn.sum()
    target = np.where(churn == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    residual = found.probability(margin) - target
    assert residual.mean() == pytest.approx(0, abs=1e-6)
    assert (residual * margin).mean() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_the_fit_ends_at_the_optimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    margin = rng.normal(-2.5, 1.2, 400)
    churn = (rng.random(400) < expit(margin)).astype(int)
    positives = churn.sum()
    target = np.where(churn, (positives + 1) / (positives + 2), 1 / (400 - positives + 2))
    residual = fit_platt(margin, churn).probability(margin) - target
    assert abs(residual.mean()) < 1e-14
    assert abs((residual * margin).mean()) < 1e-14


def two_models(trees: float, smooth: float, rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Margins of two models, and labels that follow these slopes of theirs."""
    rng = np.random.default_rng(6)
    margins = rng.normal(size=(rows, 2))
    odds = trees * margins[:, 0] + smooth * margins[:, 1] - 1.5
    return margins, (rng.random(rows) < expit(odds)).astype(int)


def test_the_share_of_the_trees_is_their_part_of_the_slopes() -> None:
    margins, churn = two_models(1.5, 0.5)
    found = fit_tree_weight(margins, churn, 0.1)
    assert found == pytest.approx(0.75, abs=0.04) and found == round(found, 4)
    turned = fit_tree_weight(margins[:, ::-1], churn, 0.1)
    assert turned == pytest.approx(1 - found, abs=1e-4)
    assert fit_tree_weight(*two_models(0.3, 0.3), 0.1) == pytest.approx(0.5, abs=0.1)


def test_the_trees_have_at_least_the_minimum_and_all_where_neither_model_tells_anything() -> None:
    margins, churn = two_models(-0.5, 1.0)
    assert fit_tree_weight(margins, churn, 0.0) == 0.0
    assert fit_tree_weight(margins, churn, 0.30004) == 0.3
    assert fit_tree_weight(*two_models(-0.5, -1.0), 0.3) == 1.0
