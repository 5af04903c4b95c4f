import numpy as np
import pytest

from python_ml.config import load_settings
from python_ml.modelling.gate import metric_checks
from python_ml.modelling.metrics import Estimate, chance_ece

SETTINGS = load_settings(environ={})
PROBABILITY = np.linspace(0.0, 0.2, 4000)


def checks(*, pr_auc=(0.75, 0.7, 0.8), recall=(0.7, 0.6, 0.8), ece=0.01, churners=400, **changed):
    metrics = {"pr_auc": Estimate(*pr_auc), "recall": Estimate(*recall)}
    metrics["ece"] = Estimate(ece, ece, ece)
    arguments = {"probability": PROBABILITY, "experiment": "E5_full", **changed}
    found = metric_checks(SETTINGS, metrics, churner_count=churners, **arguments)
    return {check.check_name: check for check in found}


def test_with_many_leavers_the_point_estimate_counts():
    found = checks(pr_auc=(0.69, 0.6, 0.9))["pr_auc"]
    assert not found.is_passed and found.observed_value == 0.69


def test_with_few_leavers_only_an_interval_that_misses_the_limit_rejects():
    assert checks(pr_auc=(0.62, 0.48, 0.76), churners=40)["pr_auc"].is_passed
    rejected = checks(pr_auc=(0.50, 0.40, 0.69), churners=40)["pr_auc"]
    assert not rejected.is_passed
    assert rejected.observed_value == 0.69 and "few leavers" in rejected.detail
    undefined = checks(pr_auc=(float("nan"),) * 3, churners=0)["pr_auc"]
    assert not undefined.is_passed


def test_the_limit_of_calibration_is_the_setting_or_chance_if_that_is_more():
    assert checks(ece=0.029)["ece"].is_passed
    assert not checks(ece=0.031)["ece"].is_passed
    few = checks(ece=0.031, probability=np.linspace(0.0, 0.6, 200))["ece"]
    assert few.is_passed and few.limit_value > 0.03


@pytest.mark.parametrize("rows", [400, 4000])
def test_chance_is_what_it_says(rows):
    probability = np.random.default_rng(0).beta(0.5, 4.5, rows)
    limit = chance_ece(probability, bins=10, confidence=0.95, seed=1)
    parts = np.array_split(np.argsort(probability), 10)
    fresh = np.random.default_rng(2)
    beyond = 0
    for _ in range(400):
        churn = fresh.random(rows) < probability
        gaps = [abs(churn[part].mean() - probability[part].mean()) for part in parts]
        beyond += np.mean(gaps) > limit
    assert 0.01 <= beyond / 400 <= 0.10


def test_the_fallback_without_sentiment_has_a_limit_of_its_own():
    found = checks(pr_auc=(0.65, 0.6, 0.7), experiment="E8_no_sentiment")["pr_auc"]
    assert found.is_passed and found.limit_value == 0.60
