"""Measures against independent implementations and cases worked out by hand."""

from __future__ import annotations

import time
import warnings
from functools import partial
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as reference

from python_ml.judge.metrics import (
    Estimate,
    calibration_metrics,
    chance_ece,
    decision_metrics,
    ece_of_outcomes,
    equal_count_bins,
    estimate,
    pr_auc_of_outcomes,
    ranking_metrics,
    resample_weights,
)


def sample(rows: int = 400, seed: int = 0, decimals: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probability = rng.beta(0.6, 3, rows).round(decimals)
    return (rng.random(rows) < probability).astype(int), probability


def once(rows: Any) -> np.ndarray:
    return np.ones((1, rows), dtype=np.uint8)


@pytest.mark.parametrize("seed", range(4))
def test_plain_figures_agree_with_scikit_learn(seed: int) -> None:
    churn, probability = sample(seed=seed)
    ranked = ranking_metrics(churn, probability, once(400))
    assert ranked["pr_auc"][0] == pytest.approx(
        reference.average_precision_score(churn, probability)
    )
    assert ranked["roc_auc"][0] == pytest.approx(reference.roc_auc_score(churn, probability))
    flagged = probability >= 0.3
    decided = decision_metrics(churn, flagged, once(400))
    assert decided["precision"][0] == pytest.approx(reference.precision_score(churn, flagged))
    assert decided["recall"][0] == pytest.approx(reference.recall_score(churn, flagged))
    assert decided["f1"][0] == pytest.approx(reference.f1_score(churn, flagged))
    assert decided["accuracy"][0] == pytest.approx(reference.accuracy_score(churn, flagged))
    confusion = [
        decided[f"{kind}_count"][0]
        for kind in ("true_negative", "false_positive", "false_negative", "true_positive")
    ]
    assert confusion == reference.confusion_matrix(churn, flagged).ravel().tolist()
    brier = calibration_metrics(churn, probability, once(400), 10)["brier"][0]
    assert brier == pytest.approx(reference.brier_score_loss(churn, probability))


def test_a_weighting_is_the_resample_itself() -> None:
    """Each row of weights gives what the drawn rows, written out, would give."""
    churn, probability = sample(200, decimals=6)
    weights = resample_weights(200, 5, seed=3)
    assert (weights.sum(axis=1) == 200).all()
    ranked = ranking_metrics(churn, probability, weights)
    eces = equal_count_bins(churn, probability, weights, 10).ece
    # Of other sizes than the sample: a resample is divided by its own.
    briers = calibration_metrics(churn, probability, weights * [[1], [2], [1], [3], [1]], 10)[
        "brier"
    ]
    for i, drawn in enumerate(weights):
        rows = np.repeat(np.arange(200), drawn)
        rows = rows[np.argsort(probability[rows], kind="stable")]
        y, p = churn[rows], probability[rows]
        assert ranked["pr_auc"][i] == pytest.approx(reference.average_precision_score(y, p))
        assert briers[i] == pytest.approx(reference.brier_score_loss(y, p))
        assert ranked["roc_auc"][i] == pytest.approx(reference.roc_auc_score(y, p))
        parts = zip(np.split(y, 10), np.split(p, 10), strict=True)
        assert eces[i] == pytest.approx(np.mean([abs(a.mean() - b.mean()) for a, b in parts]))


def test_ece_of_a_known_case() -> None:
    """Two bins: 0.2 predicted and 0.5 seen, 0.8 predicted and 1.0 seen."""
    probability = np.array([0.2, 0.2, 0.8, 0.8])
    churn = np.array([0, 1, 1, 1])
    bins = equal_count_bins(churn, probability, once(4), 2)
    np.testing.assert_allclose(bins.predicted, [[0.2, 0.8]])
    np.testing.assert_allclose(bins.observed, [[0.5, 1.0]])
    assert bins.ece[0] == pytest.approx(0.25)


def test_a_row_on_the_border_counts_to_both_bins() -> None:
    probability = np.array([0.1, 0.4, 0.7])
    bins = equal_count_bins(np.array([0, 1, 1]), probability, once(3), 2)
    np.testing.assert_allclose(bins.predicted, [[(0.1 + 0.2) / 1.5, (0.2 + 0.7) / 1.5]])
    np.testing.assert_allclose(bins.observed, [[0.5 / 1.5, 1.0]])


def test_an_interval_leaves_out_half_of_the_rest_at_either_end() -> None:
    """Of resamples in which the first row was drawn 0, 1, … 200 times, and of none without it."""
    weights = np.arange(201, dtype=np.uint8)[:, None].repeat(2, axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a resample that a measure cannot tell is no news
        found = estimate(
            lambda drawn: {
                "count": drawn[:, 0].astype(float),
                "share": np.where(drawn[:, 0] > 0, 1.0, np.inf),
                "ratio": 1.0 / drawn[:, 0].astype(float),
            },
            weights,
            0.9,
        )
    assert (found["count"].low, found["count"].high) == pytest.approx((10, 190))
    assert found["share"] == Estimate(1.0, 1.0, 1.0), "what is not finite does not count"
    assert found["ratio"].value == 1.0


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """200 samples of a score whose ROC-AUC is known: 95 % intervals hold it 95 % of the time."""
    rng = np.random.default_rng(5)
    truth, covered = 0.7602, 0  # P(N(1, 1) > N(0, 1)) = Phi(1 / sqrt(2))
    weights = resample_weights(300, 300, seed=0)
    churn = np.repeat([0, 1], [200, 100])
    for _ in range(200):
        score = rng.normal(size=300) + churn
        found = estimate(partial(ranking_metrics, churn, score), weights, 0.95)["roc_auc"]
        covered += found.low <= truth <= found.high
    assert 180 <= covered <= 198


def test_a_share_has_the_interval_of_the_binomial() -> None:
    churn = np.repeat([0, 1], [900, 100])
    flagged = np.ones(1000, dtype=bool)
    weights = resample_weights(1000, 2000, seed=1)
    rate = estimate(lambda w: decision_metrics(churn, flagged, w), weights, 0.95)["base_rate"]
    half_width = 1.96 * np.sqrt(0.1 * 0.9 / 1000)
    assert rate.value == pytest.approx(0.1)
    assert rate.high - rate.low == pytest.approx(2 * half_width, rel=0.08)


def test_a_slice_without_churners_has_no_ranking_and_does_not_break() -> None:
    weights = resample_weights(50, 100, seed=0)
    churn, probability = np.zeros(50, dtype=int), np.linspace(0, 1, 50)
    found = estimate(lambda w: ranking_metrics(churn, probability, w), weights, 0.95)
    assert np.isnan([found["pr_auc"].value, found["roc_auc"].low]).all()


def test_a_thousand_resamples_of_a_full_test_part_take_seconds() -> None:
    churn, probability = sample(4020, decimals=9)
    start = time.process_time()
    weights = resample_weights(4020, 1000, seed=0)
    estimate(
        lambda w: {
            **ranking_metrics(churn, probability, w),
            **calibration_metrics(churn, probability, w, 10),
        },
        weights,
        0.95,
    )
    assert time.process_time() - start < 5


def test_one_row_may_fill_several_bins() -> None:
    """Five of six draws are of the first row: two bins and half of the third."""
    weights = np.array([[5, 1], [1, 5], [6, 0], [3, 3]], dtype=np.uint8)
    found = equal_count_bins(np.array([0, 1]), np.array([0.2, 0.6]), weights, 3)
    expected = [[0.2, 0.2, 0.4], [0.4, 0.6, 0.6], [0.2, 0.2, 0.2], [0.2, 0.4, 0.6]]
    np.testing.assert_allclose(found.predicted, expected)
    churn = [[0.0, 0.0, 0.5], [0.5, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.5, 1.0]]
    np.testing.assert_allclose(found.observed, churn, atol=1e-12)
    alone = equal_count_bins(np.array([1]), np.array([0.3]), np.array([[1]], np.uint8), 4)
    np.testing.assert_allclose(alone.predicted, [[0.3] * 4])
    np.testing.assert_allclose(alone.ece, [0.7])


def test_rows_of_equal_probability_go_to_bins_in_their_order() -> None:
    churn = np.tile([1, 1, 0, 0], 250)
    probability = np.tile([0.2, 0.1], 500)
    found = equal_count_bins(np.sort(churn), probability, np.ones((1, 1000), np.uint8), 4)
    assert found.observed[0].tolist() == [0.0, 1.0, 0.0, 1.0], "of each half first those that stay"


@pytest.mark.parametrize("churn", [[1, 0, 0, 1], [0, 1, 1, 0], [1, 1, 0, 1], [0, 0, 1, 0]])
@pytest.mark.parametrize("score", [[4, 3, 2, 1], [1, 2, 3, 4], [2, 2, 1, 1]])
def test_rows_at_either_end_of_the_ranking_count(churn: list[int], score: list[int]) -> None:
    given = np.array(churn), np.array(score) / 4
    ranked = ranking_metrics(*given, once(4))
    assert ranked["pr_auc"][0] == pytest.approx(reference.average_precision_score(*given))
    assert ranked["roc_auc"][0] == pytest.approx(reference.roc_auc_score(*given))


@pytest.mark.parametrize("bins", [3, 6])
def test_a_row_may_be_a_bin_or_two(bins: int) -> None:
    """What labels drawn from the probabilities themselves miss them by, of a thousand draws."""
    probability = np.array([0.9, 0.2, 0.5])
    drawn = np.random.default_rng(4).random((1000, 3)) < np.sort(probability)
    gaps = np.abs(drawn - np.sort(probability)).mean(axis=1)
    found = chance_ece(probability, bins, 0.8, seed=4)
    assert found == pytest.approx(np.quantile(gaps, 0.8))


@pytest.mark.parametrize("decimals", [1, 6])
@pytest.mark.parametrize("rows", [7, 10, 403])
def test_outcomes_are_measured_as_labels_are(rows: int, decimals: int) -> None:
    probability = np.random.default_rng(1).beta(1, 2, rows).round(decimals)
    outcomes = np.random.default_rng(2).random((30, rows)) < probability
    outcomes[0] = False
    errors = ece_of_outcomes(outcomes, probability, 10)
    left = outcomes[outcomes.any(axis=1)]
    assert len(left) > 20
    for outcome, pr_auc in zip(left, pr_auc_of_outcomes(left, probability), strict=True):
        expected = ranking_metrics(outcome.astype(int), probability, once(rows))["pr_auc"][0]
        assert pr_auc == pytest.approx(expected)
    for outcome, error in zip(outcomes, errors, strict=True):
        expected = equal_count_bins(outcome.astype(int), probability, once(rows), 10).ece[0]
        assert error == pytest.approx(expected)


def test_a_draw_in_which_nobody_leaves_has_no_pr_auc() -> None:
    with np.errstate(invalid="ignore"):
        found = pr_auc_of_outcomes(np.zeros((2, 4), dtype=bool), np.array([0.1, 0.2, 0.2, 0.3]))
    assert np.isnan(found).all()


def test_a_bin_is_a_run_of_rows_by_probability() -> None:
    probability = np.array([0.9, 0.2, 0.5, 0.1])
    drawn = np.random.default_rng(4).random((1000, 4)) < np.sort(probability)
    by_row = drawn - np.sort(probability)
    gaps = (np.abs(by_row[:, :2].mean(axis=1)) + np.abs(by_row[:, 2:].mean(axis=1))) / 2
    assert chance_ece(probability, 2, 0.8, seed=4) == pytest.approx(np.quantile(gaps, 0.8))


def test_the_figures_of_decisions_by_hand() -> None:
    """Of six rows two are drawn twice and one is not; three are flagged."""
    churn = np.array([1, 1, 0, 0, 1, 0])
    flagged = np.array([True, False, True, True, False, False])
    weights = np.array([[2, 1, 1, 0, 1, 2]], dtype=np.uint8)
    found = {name: value[0] for name, value in decision_metrics(churn, flagged, weights).items()}
    assert found == pytest.approx(
        {
            "precision": 2 / 3,
            "recall": 2 / 4,
            "f1": 4 / 7,
            "accuracy": 4 / 7,
            "base_rate": 4 / 7,
            "flagged_share": 3 / 7,
            "true_positive_count": 2,
            "false_positive_count": 1,
            "false_negative_count": 2,
            "true_negative_count": 2,
        }
    )


def test_what_is_not_defined_warns_nobody() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = estimate(lambda drawn: {"share": drawn[:, 0] * 0.0 / 0}, once(3), 0.9)
    assert np.isnan([found["share"].value, found["share"].low, found["share"].high]).all()
