"""Is the candidate at least as good as the champion in place, for every group of customers?

Both score the same rows of the test part, those that neither has learned from, under the same
bootstrap weights, so that the differences are paired.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from scipy.stats import norm

from python_ml.errors import SpanishGasError
from python_ml.judge.gate import Check
from python_ml.judge.metrics import Estimate, decision_metrics, estimate, ranking_metrics
from python_ml.registry import RegisteredModel
from python_ml.settings import Settings

PR_AUC, RECALL = "pr_auc", "recall"
DIFFERENCE = "pr_auc_difference_to_champion"
PARENT = "log_loss_difference_to_parent"
_LEAST_CHANCE = 1e-12  # of what happened, in a log loss


@dataclass(frozen=True)
class Paired:
    """n rows of the test part, as candidate and champion see them."""

    frame: pd.DataFrame
    churn: np.ndarray
    scores: tuple[np.ndarray, np.ndarray]
    flagged: tuple[np.ndarray, np.ndarray]
    weights: np.ndarray

    def part(self, mask: np.ndarray) -> Paired:
        return Paired(
            self.frame[mask],
            self.churn[mask],
            (self.scores[0][mask], self.scores[1][mask]),
            (self.flagged[0][mask], self.flagged[1][mask]),
            self.weights[:, mask],
        )

    def differences(self, confidence: float) -> dict[str, Estimate]:
        """PR-AUC and recall at each model's own threshold, candidate less champion."""

        def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
            ranked = [ranking_metrics(self.churn, score, weights)[PR_AUC] for score in self.scores]
            found = [decision_metrics(self.churn, flag, weights)[RECALL] for flag in self.flagged]
            return {PR_AUC: ranked[0] - ranked[1], RECALL: found[0] - found[1]}

        return estimate(measure, self.weights, confidence)


def champion_checks(
    settings: Settings,
    champion: RegisteredModel,
    champion_training: set[str],
    candidate_as_of: date,
    candidate: tuple[np.ndarray, np.ndarray],
    test: pd.DataFrame,
    churn: np.ndarray,
    weights: np.ndarray,
) -> list[Check]:
    """Newer data than the champion's, PR-AUC overall, and PR-AUC and recall of each segment.

    Args:
        settings: of gate and evaluation.
        champion: the model in place.
        champion_training: customers it was trained on; their rows are left out, for it knows them.
        candidate_as_of: as-of date of the candidate's data.
        candidate: its n scores and n decisions.
        test: n rows of the test part.
        churn: n labels.
        weights: bootstrap weights, (resamples, n).
    """
    checks = [_fresh(champion, candidate_as_of)]
    limit = -settings.gate.minimum_margin
    name = DIFFERENCE
    if champion.origin["sentiment_backend"] and settings.sentiment.backend == "none":
        detail = f"not compared: {champion.version} needs sentiment, and there is none"
        return [*checks, Check(name, math.nan, limit, True, detail)]
    try:
        theirs = champion.model.predict(test)
    except SpanishGasError as error:
        detail = f"not compared: {champion.version} cannot read today's rows ({error})"
        return [*checks, Check(name, math.nan, limit, True, detail)]
    unseen = ~test["customer_id"].isin(champion_training).to_numpy()
    if not churn[unseen].any():
        detail = f"{champion.version} was trained on every row"
        return [*checks, Check(name, math.nan, limit, False, detail)]
    paired = Paired(
        test,
        churn,
        (candidate[0], theirs["churn_probability"].to_numpy()),
        (candidate[1], theirs["is_flagged"].to_numpy(dtype=bool)),
        weights,
    ).part(unseen)
    rows = f"{unseen.sum():,} rows that neither saw"
    checks.append(difference_check(settings, champion.version, paired, rows))
    return checks + segment_checks(settings, champion.version, paired)


def difference_check(
    settings: Settings, champion_version: str, paired: Paired, rows: str = "the same rows"
) -> Check:
    """Is the candidate's PR-AUC not below the champion's by more than a margin?

    The margin is what the rows can resolve: with a confidence of 95 %, an equal candidate passes in
    95 of 100 cases, and one that is worse by the margin in 5. Where the margin is larger than what
    must be noticed, the check says so; more labels, not another limit, would help.
    """
    gate = settings.gate
    found = paired.differences(settings.evaluate.confidence)[PR_AUC]
    standard_error = (found.high - found.low) / (
        2 * norm.ppf((1 + settings.evaluate.confidence) / 2)
    )
    reach = norm.ppf(gate.noninferiority_confidence) * standard_error
    margin = max(gate.minimum_margin, 2 * reach)
    low = found.value - reach
    detail = (
        f"PR-AUC less that of {champion_version} on {rows}: {_told(found)}; the lower end at "
        f"{gate.noninferiority_confidence:.0%}, one-sided, is {low:+.4f} and must be at least "
        f"{-margin:+.4f}, the margin that these rows can resolve"
    )
    if margin > gate.noticed_loss:
        detail += (
            f". A loss of {gate.noticed_loss:.2f} may go unnoticed: there are too few churners"
        )
    return Check(DIFFERENCE, low, -margin, bool(low >= -margin), detail)


def recalibration_check(
    settings: Settings,
    parent_version: str,
    churn: np.ndarray,
    probabilities: tuple[np.ndarray, np.ndarray],
    weights: np.ndarray,
) -> Check:
    """Are recalibrated probabilities nearer to what happened than those of the parent?

    Measured by the log loss, which calibrated probabilities alone make least; the ranking is the
    same. A calibration that was fitted on months unlike the newest fails.

    Args:
        settings: of the evaluation.
        parent_version: what was recalibrated.
        churn: n labels of the test part.
        probabilities: n of the candidate and n of its parent.
        weights: bootstrap weights, (resamples, n).
    """
    losses = [-np.log(np.where(churn == 1, p, 1 - p).clip(_LEAST_CHANCE)) for p in probabilities]
    difference = losses[0] - losses[1]

    def measure(resamples: np.ndarray) -> dict[str, np.ndarray]:
        return {"difference": resamples @ difference / resamples.sum(axis=1)}

    found = estimate(measure, weights, settings.evaluate.confidence)["difference"]
    detail = (
        f"log loss less that of {parent_version} on the same rows is {_told(found)}; that of a "
        "recalibrated version must be lower"
    )
    return Check(PARENT, found.value, 0.0, bool(found.value < 0), detail)


def _fresh(champion: RegisteredModel, candidate_as_of: date) -> Check:
    theirs = date.fromisoformat(champion.origin["as_of_date"])
    days = float((candidate_as_of - theirs).days)
    detail = (
        f"trained on data as of {candidate_as_of}, {champion.version} as of {theirs}; a candidate "
        "must not be older"
    )
    return Check("days_newer_than_champion", days, 0.0, days >= 0, detail)


def segment_checks(settings: Settings, champion_version: str, paired: Paired) -> list[Check]:
    """One check a measure; it fails when the whole interval of a segment lies beyond the limit.

    A segment is small and there are many, so a fall counts only where the interval proves it: the
    upper end of the difference is below the limit.
    """
    falls: dict[str, list[tuple[Estimate, str]]] = {PR_AUC: [], RECALL: []}
    for dimension in settings.evaluate.segments:
        values = paired.frame[dimension].astype(str)
        for value in sorted(values.unique()):
            part = paired.part((values == value).to_numpy())
            if part.churn.sum() < settings.gate.minimum_segment_churners:
                continue
            for measure, found in part.differences(settings.evaluate.confidence).items():
                falls[measure].append((found, f"{dimension}={value}"))
    gate = settings.gate
    return [
        _segment_check(PR_AUC, -gate.maximum_segment_pr_auc_fall, falls[PR_AUC], champion_version),
        _segment_check(RECALL, -gate.maximum_segment_recall_fall, falls[RECALL], champion_version),
    ]


def _segment_check(
    measure: str, limit: float, falls: list[tuple[Estimate, str]], champion_version: str
) -> Check:
    name = f"segment_{measure}_difference_to_champion"
    if not falls:
        return Check(name, math.nan, limit, True, "no segment has churners enough to be compared")
    worst, where = min(falls, key=lambda fall: fall[0].high)
    broken = [f"{place} {_told(found)}" for found, place in falls if found.high < limit]
    shown = "; ".join(broken) or f"the worst is {where} {_told(worst)}"
    detail = (
        f"{measure} less that of {champion_version} in {len(falls)} segments: {shown}; the upper "
        f"end must not be below {limit:+.4f}"
    )
    return Check(name, worst.high, limit, not broken, detail)


def _told(found: Estimate) -> str:
    return f"{found.value:+.4f}, interval {found.low:+.4f} to {found.high:+.4f}"
