"""Is a candidate good enough by itself? One check a row; all must pass.

How it does against the champion in place is judged in challenger.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass

import numpy as np

from python_ml.judge.metrics import Estimate, chance_ece, estimate, ranking_metrics
from python_ml.settings import Settings


@dataclass(frozen=True)
class Check:
    """One condition of the gate. A figure that is not defined does not pass."""

    check_name: str
    observed_value: float
    limit_value: float
    is_passed: bool
    detail: str


def metric_checks(
    settings: Settings,
    metrics: Mapping[str, Estimate],
    probability: np.ndarray,
    churner_count: int,
    experiment: str,
) -> list[Check]:
    """The absolute limits, on the test part.

    With few leavers a point estimate falls on either side of a limit by chance. Below
    `gate.minimum_churner_count` of them a candidate is rejected only where the whole interval
    misses the limit, and the check says so. The limit of the calibration error is never below what
    exact probabilities reach by chance in a test part of this size.

    Args:
        metrics: with intervals.
        probability: calibrated ones of the test part.
        churner_count: in the test part.
        experiment: the fallback without sentiment has a limit of its own.
    """
    limits = settings.gate
    is_fallback = experiment == settings.model.fallback_experiment
    pr_auc = limits.minimum_pr_auc_of_fallback if is_fallback else limits.minimum_pr_auc
    evaluation = settings.evaluate
    chance = chance_ece(
        probability, evaluation.calibration_bins, evaluation.confidence, settings.model.seed
    )
    is_small = _is_small(settings, churner_count)
    base_rate = metrics["base_rate"].value
    lift = Estimate(*(end / base_rate for end in astuple(metrics["pr_auc"])))
    return [
        _at_least("pr_auc", metrics["pr_auc"], pr_auc, is_small),
        _at_least("pr_auc_lift", lift, limits.minimum_pr_auc_lift, is_small),
        _at_least("recall", metrics["recall"], limits.minimum_recall, is_small),
        _at_most("ece", metrics["ece"].value, max(limits.maximum_ece, chance)),
    ]


def benchmark_check(
    settings: Settings,
    churn: np.ndarray,
    scores: tuple[np.ndarray, np.ndarray],
    weights: np.ndarray,
) -> Check:
    """Is the candidate better than a simple model of the benchmark's features on the same rows?

    Args:
        settings: of the gate.
        churn: n labels of the test part.
        scores: n scores of the candidate, and of the benchmark.
        weights: bootstrap weights, (resamples, n).
    """

    def gain(resamples: np.ndarray) -> dict[str, np.ndarray]:
        ours, theirs = (ranking_metrics(churn, score, resamples)["pr_auc"] for score in scores)
        return {"gain": ours - theirs, "benchmark": theirs}

    found = estimate(gain, weights, settings.evaluate.confidence)
    limit, is_small = settings.gate.minimum_benchmark_gain, _is_small(settings, int(churn.sum()))
    observed = found["gain"].high if is_small else found["gain"].low
    end = "upper end, as few churned," if is_small else "lower end"
    detail = (
        f"PR-AUC less that of the benchmark ({settings.gate.benchmark_experiment}, "
        f"{found['benchmark'].value:.4f}) on the same rows is {found['gain'].value:+.4f}, interval "
        f"{found['gain'].low:+.4f} to {found['gain'].high:+.4f}; the {end} must be at least "
        f"{limit:+.4f}"
    )
    return Check("pr_auc_over_benchmark", observed, limit, bool(observed >= limit), detail)


def _is_small(settings: Settings, churner_count: int) -> bool:
    return churner_count < settings.gate.minimum_churner_count


def _at_least(name: str, found: Estimate, limit: float, is_small: bool) -> Check:
    observed = found.high if is_small else found.value
    figure = f"{name} on the test part is {found.value:.4f}"
    if is_small:
        figure += f", few leavers, so the upper end of its interval counts: {found.high:.4f}"
    passed = bool(observed >= limit)
    return Check(name, observed, limit, passed, f"{figure}; it must be at least {limit:.4f}")


def _at_most(name: str, observed: float, limit: float) -> Check:
    detail = f"{name} on the test part is {observed:.4f}; it must be at most {limit:.4f}"
    return Check(name, observed, limit, bool(observed <= limit), detail)
