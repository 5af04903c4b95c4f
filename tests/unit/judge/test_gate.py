from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from python_ml.judge.gate import Check, benchmark_check, metric_checks
from python_ml.judge.metrics import Estimate, chance_ece
from python_ml.settings import load_settings

SETTINGS = load_settings(environ={})
PROBABILITY = np.linspace(0.0, 0.2, 4000)


def checks(
    *,
    pr_auc: tuple[float, float, float] = (0.75, 0.7, 0.8),
    recall: tuple[float, float, float] = (0.7, 0.6, 0.8),
    ece: float = 0.01,
    churners: int = 400,
    **changed: Any,
) -> dict[str, Check]:
    metrics = {"pr_auc": Estimate(*pr_auc), "recall": Estimate(*recall)}
    metrics["base_rate"] = Estimate(0.1, 0.09, 0.11)
    metrics["ece"] = Estimate(ece, ece, ece)
    arguments = {"probability": PROBABILITY, "experiment": "E5_full", **changed}
    found = metric_checks(SETTINGS, metrics, churner_count=churners, **arguments)
    return {check.check_name: check for check in found}


def test_with_many_leavers_the_point_estimate_counts() -> None:
    found = checks(pr_auc=(0.69, 0.6, 0.9))["pr_auc"]
    assert not found.is_passed and found.observed_value == 0.69


def test_with_few_leavers_only_an_interval_that_misses_the_limit_rejects() -> None:
    assert checks(pr_auc=(0.62, 0.48, 0.76), churners=40)["pr_auc"].is_passed
    rejected = checks(pr_auc=(0.50, 0.40, 0.69), churners=40)["pr_auc"]
    assert not rejected.is_passed
    assert rejected.observed_value == 0.69 and "few leavers" in rejected.detail
    undefined = checks(pr_auc=(float("nan"),) * 3, churners=0)["pr_auc"]
    assert not undefined.is_passed


def test_skill_is_a_multiple_of_the_base_rate() -> None:
    """A PR-AUC that is nothing much where a tenth leave."""
    assert checks(pr_auc=(0.2, 0.1, 0.3))["pr_auc_lift"].is_passed
    found = checks(pr_auc=(0.19, 0.1, 0.3))["pr_auc_lift"]
    assert not found.is_passed and found.observed_value == pytest.approx(1.9)
    assert checks(pr_auc=(0.19, 0.1, 0.3), churners=40)["pr_auc_lift"].is_passed


@pytest.mark.parametrize(("noise", "is_better"), [(0.5, True), (3.0, False)])
def test_a_model_must_beat_the_benchmark_on_the_same_rows(noise: float, is_better: bool) -> None:
    rng = np.random.default_rng(1)
    churn = (rng.random(4000) < 0.1).astype(int)
    truth = churn * 2 + rng.normal(size=(3, 4000)) * [[0.0], [1.5], [noise]]
    weights = rng.poisson(1, size=(200, 4000)).astype(np.uint8)
    check = benchmark_check(SETTINGS, churn, (truth[2], truth[1]), weights)
    assert check.is_passed is is_better
    assert "E0_baseline" in check.detail and "lower end" in check.detail
    assert check.check_name == "pr_auc_over_benchmark"
    assert check.limit_value == SETTINGS.gate.minimum_benchmark_gain

    def end_of(rows: int, end: str) -> float:
        given = churn[:rows], (truth[2, :rows], truth[1, :rows]), weights[:, :rows]
        found = benchmark_check(SETTINGS, *given)
        low, high = re.findall(r"interval (\S+) to (\S+);", found.detail)[0]
        assert f"the {end}" in found.detail and low != high
        ends = {"lower end": float(low), "upper end, as few churned,": float(high)}
        assert found.observed_value == pytest.approx(ends[end], abs=1e-4)
        return found.observed_value

    end_of(4000, "lower end")
    end_of(500, "upper end, as few churned,")


def test_the_limit_of_calibration_is_the_setting_or_chance_if_that_is_more() -> None:
    assert checks(ece=0.029)["ece"].is_passed
    assert not checks(ece=0.031)["ece"].is_passed
    few = checks(ece=0.031, probability=np.linspace(0.0, 0.6, 200))["ece"]
    assert few.is_passed and few.limit_value > 0.03


@pytest.mark.parametrize("rows", [400, 4000])
def test_chance_is_what_it_says(rows: int) -> None:
    probability = np.random.default_rng(0).beta(0.5, 4.5, rows)
    limit = chance_ece(probability, bins=10, confidence=0.95, seed=1)
    parts = np.array_split(np.argsort(probability), 10)
    fresh = np.random.default_rng(2)
    beyond = 0
    for _ in range(400):
        churn = fresh.random(rows) < probability
        gaps = [abs(churn[part].mean() - probability[part].mean()) for part in parts]
        beyond += int(np.mean(gaps) > limit)
    assert 0.01 <= beyond / 400 <= 0.10


def test_the_fallback_without_sentiment_has_a_limit_of_its_own() -> None:
    found = checks(pr_auc=(0.65, 0.6, 0.7), experiment="E8_no_sentiment")["pr_auc"]
    assert found.is_passed and found.limit_value == 0.60


def test_a_figure_exactly_at_its_limit_passes() -> None:
    limits = SETTINGS.gate
    pr_auc, recall = limits.minimum_pr_auc, limits.minimum_recall
    found = checks(pr_auc=(pr_auc, 0.6, 0.8), recall=(recall, 0.6, 0.8), ece=limits.maximum_ece)
    assert [check.is_passed for check in found.values()] == [True] * 4
    assert found["ece"].limit_value == limits.maximum_ece
    lower, less = math.nextafter(pr_auc, 0), math.nextafter(recall, 0)
    found = checks(pr_auc=(lower, 0.6, 0.8), recall=(less, 0.6, 0.8))
    assert [found[name].is_passed for name in ("pr_auc", "recall")] == [False, False]


def test_as_many_leavers_as_the_minimum_are_not_few() -> None:
    minimum = SETTINGS.gate.minimum_churner_count
    assert checks(pr_auc=(0.5, 0.4, 0.9), churners=minimum)["pr_auc"].observed_value == 0.5
    assert checks(pr_auc=(0.5, 0.4, 0.9), churners=minimum - 1)["pr_auc"].observed_value == 0.9


def test_each_check_tells_its_figure_and_its_limit() -> None:
    found = checks()
    assert list(found) == ["pr_auc", "pr_auc_lift", "recall", "ece"]
    assert "recall on the test part is 0.7000" in found["recall"].detail
    assert "0.6500" in found["recall"].detail and "0.0300" in found["ece"].detail
