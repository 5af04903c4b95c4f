"""Published scores: what they promise before labels mature, and what became of the customers.

Without labels, outcomes are drawn from the calibrated probabilities themselves: how many will
leave, how well the scores rank them (PR-AUC) and how large the calibration error is by chance
alone. The calibration was fitted on a sample and is uncertain too, and it is not equally right on
every date. So each draw first moves slope and intercept of the log-odds: by their covariance, and
by what has been seen to vary between dates (between_dates.py). The estimate knows nothing of a
change in what makes customers leave (concept shift); that shows once the labels have matured.

With labels, the same figures are measured on the same groups, and the calibration slope besides.
Labels count as in training (untreated.py): the score says what happens without an offer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit, ndtri

from python_ml.engines import Warehouse
from python_ml.engines.sql import literal
from python_ml.judge.between_dates import ALL_CUSTOMERS, LEVEL, SLOPE, BetweenDates
from python_ml.judge.metrics import (
    Estimate,
    at_once,
    calibration_metrics,
    ece_of_outcomes,
    estimate,
    pr_auc_of_outcomes,
    ranking_metrics,
    resample_weights,
)
from python_ml.judge.untreated import counts_of, untreated_weights
from python_ml.settings import Settings

ESTIMATE, OUTCOME = "score_estimate", "score_outcome"
CHURN_SHARE, PR_AUC, ECE = "churn_share", "pr_auc", "ece"
DIMENSIONS = {"risk tier": "risk_tier", "segment": "segment"}
DRAWS = 400  # of outcomes, and resamples of known ones
_RISK = "mean_risk"  # of a draw
_EDGE = 1e-9  # the nearest that a probability comes to 0 and 1 in log-odds
_LEAST_EACH = 10  # who left and who stayed, for a slope
_NEWTON_STEPS = 30


def calibration_covariance(probability: np.ndarray) -> np.ndarray:
    """How uncertain a calibration is: covariance of slope and intercept of the log-odds.

    Args:
        probability: n calibrated out-of-fold probabilities that it was fitted on.

    Returns:
        2 × 2, for slope (1 by construction) and intercept (0) of a logistic regression of churn on
        the calibrated log-odds.
    """
    design = _design(probability)
    information = design.T @ (design * (probability * (1 - probability))[:, None])
    covariance: np.ndarray = np.linalg.pinv(information)
    return covariance


def estimate_scores(
    scores: pd.DataFrame,
    covariance: Sequence[Sequence[float]] | None,
    between: BetweenDates | None,
    settings: Settings,
) -> pd.DataFrame:
    """What the scores of one run promise, without labels.

    Args:
        scores: churn_probability, risk_tier and segment of n customers.
        covariance: that of the calibration; None where a version has none, and it is taken to be
            exact on average.
        between: how calibrations vary between dates; None takes them to be right on every date.
        settings: bins and confidence of the evaluation, seed of the model.

    Returns:
        Rows of `score_estimate` without date and versions: one a group of customers and measure.
    """
    probability = scores["churn_probability"].to_numpy(dtype=np.float64)
    slices = list(_slices(scores))
    drawn: dict[tuple[int, str], list[np.ndarray]] = {}
    for drawing in _draw(probability, covariance, between, settings.model.seed):
        for number, (_, _, mask) in enumerate(slices):
            found = _measures_of_draws(probability[mask], drawing.part(mask), settings)
            for name, values in found.items():
                drawn.setdefault((number, name), []).append(values)
    rows = []
    for number, (dimension, group, mask) in enumerate(slices):
        inside = probability[mask]
        for measure in (CHURN_SHARE, PR_AUC, ECE):
            values = np.concatenate(drawn[number, measure])
            values = values[np.isfinite(values)]
            middle = float(inside.mean()) if measure == CHURN_SHARE else _mean(values)
            low, high = _ends(values, settings.evaluate.confidence)
            row: dict[str, Any] = {"dimension": dimension, "group_name": group, "measure": measure}
            row |= {"customer_count": len(inside), "estimate": middle}
            row |= {"ci_low": min(low, middle), "ci_high": max(high, middle)}
            chance = calibration = np.nan
            if measure == CHURN_SHARE:
                chance = float(np.sqrt((inside * (1 - inside)).sum()) / len(inside))
                calibration = float(np.concatenate(drawn[number, _RISK]).std())
            rows.append(row | {"chance_sd": chance, "calibration_sd": calibration})
    return pd.DataFrame(rows)


def measure_known(scores: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """What became of scored customers, in each group.

    Args:
        scores: churn_probability, risk_tier, segment, churn and `count`, how often each of the n
            labels counts.
        settings: bins and confidence of the evaluation, seed of the model.

    Returns:
        Rows of `score_outcome` without date and versions; figures that a group is too small for
        are NaN.
    """
    rows = []
    for dimension, group, mask in _slices(scores):
        part = scores[mask]
        churn = part["churn"].to_numpy(dtype=np.int64)
        probability = part["churn_probability"].to_numpy(dtype=np.float64)
        count = part["count"].to_numpy(dtype=np.int32)
        weights = resample_weights(len(part), DRAWS, settings.model.seed)
        measured = partial(_measures, churn, probability, count, settings)
        found = estimate(measured, weights, settings.evaluate.confidence)
        confidence = settings.evaluate.confidence
        found[SLOPE] = calibration_slope(churn, probability, count, confidence)
        found[LEVEL] = calibration_level(churn, probability, count, confidence)
        for measure, figure in found.items():
            rows.append(
                {
                    "dimension": dimension,
                    "group_name": group,
                    "measure": measure,
                    "customer_count": len(part),
                    "churner_count": int(churn.sum()),
                    "measured_value": figure.value,
                    "ci_low": figure.low,
                    "ci_high": figure.high,
                }
            )
    return pd.DataFrame(rows)


def calibration_slope(
    churn: np.ndarray, probability: np.ndarray, count: np.ndarray, confidence: float
) -> Estimate:
    """Slope of churn on the calibrated log-odds, 1 where risks are as far apart as the scores say.

    Below 1 the scores exaggerate the differences between customers; above 1 they play them down.

    Args:
        churn: n labels, 0 or 1.
        probability: n calibrated probabilities.
        count: how often each label counts.
        confidence: of the interval, which is robust against labels that count more than once.

    Returns:
        NaN where fewer than ten left or stayed, or where the scores part the two.
    """
    return _coefficient(_design(probability), np.zeros(len(churn)), churn, count, 1.0, confidence)


def calibration_level(
    churn: np.ndarray, probability: np.ndarray, count: np.ndarray, confidence: float
) -> Estimate:
    """By how much the log-odds of all were too low, 0 where as many left as the scores say.

    Args:
        churn: n labels, 0 or 1.
        probability: n calibrated probabilities.
        count: how often each label counts.
        confidence: of the interval, which is robust against labels that count more than once.

    Returns:
        NaN where fewer than ten left or stayed.
    """
    log_odds, constant = np.split(_design(probability), 2, axis=1)
    return _coefficient(constant, log_odds[:, 0], churn, count, 0.0, confidence)


def _coefficient(
    design: np.ndarray,
    offset: np.ndarray,
    churn: np.ndarray,
    count: np.ndarray,
    exact: float,
    confidence: float,
) -> Estimate:
    """The first coefficient of a logistic regression, NaN where there is too little to fit it.

    Args:
        design: n × k.
        offset: n log-odds to which the regression adds.
        churn: n labels, 0 or 1.
        count: how often each label counts.
        exact: the first coefficient if the scores are right, from which the search begins.
        confidence: of the interval.
    """
    nothing = Estimate(np.nan, np.nan, np.nan)
    if min(churn.sum(), len(churn) - churn.sum()) < _LEAST_EACH:
        return nothing
    fitted = np.zeros(design.shape[1])
    fitted[0] = exact
    for _ in range(_NEWTON_STEPS):
        risk = expit(offset + design @ fitted)
        information = design.T @ (design * (count * risk * (1 - risk))[:, None])
        inverse = np.linalg.pinv(information)
        step = inverse @ (design.T @ (count * (churn - risk)))
        fitted = fitted + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-8:
            break
    else:
        return nothing
    score = design * (count * (churn - expit(offset + design @ fitted)))[:, None]
    error = float(np.sqrt((inverse @ (score.T @ score) @ inverse)[0, 0]))
    spread = float(ndtri(0.5 + confidence / 2)) * error
    found = float(fitted[0])
    return Estimate(found, found - spread, found + spread)


def write_outcomes(warehouse: Warehouse, settings: Settings, run_id: str) -> list[date]:
    """Measure published scores whose labels have matured: those not measured yet, and the newest.

    Writes `score_outcome`. Of several runs on one date the last counts that did not fail. Scores by
    a model that has learned from the labels of their own date are no forecast and are left out.

    Returns:
        As-of dates that were measured, oldest first.
    """
    known = warehouse.read_external(OUTCOME)
    measured = set(zip(known["scored_run_id"], _days(known["as_of_date"]), strict=True))
    due = _matured_runs(warehouse, run_id)
    newest = due[-1:]
    due = [one for one in due if (one[0], one[1]) not in measured or one in newest]
    if not due:
        return []
    tables = []
    for scored_run_id, as_of_date in due:
        scores = _known_scores(warehouse, settings, scored_run_id, as_of_date)
        table = measure_known(scores, settings)
        tables.append(table.assign(as_of_date=as_of_date, scored_run_id=scored_run_id))
    warehouse.write_external(OUTCOME, pd.concat(tables, ignore_index=True), run_id)
    return [as_of_date for _, as_of_date in due]


def _matured_runs(warehouse: Warehouse, run_id: str) -> list[tuple[str, date]]:
    """The run whose scores count, and its date, for each date with matured labels."""
    runs = warehouse.read_external("pipeline_run")
    failed = set(runs.loc[runs["status"] == "failed", "run_id"])
    estimates = warehouse.read_external(ESTIMATE)
    estimates = estimates[
        (estimates["dimension"] == ALL_CUSTOMERS)
        & (estimates["measure"] == CHURN_SHARE)
        & (estimates["run_id"] <= run_id)
        & ~estimates["run_id"].isin(failed)
    ].sort_values("run_id")
    last = estimates.groupby("as_of_date", as_index=False).last()
    if last.empty:
        return []
    labels = warehouse.query("select label_date from bronze_label_date where is_matured")
    matured = set(_days(labels["label_date"]))
    return [
        (str(run), day)
        for run, day, learned in zip(
            last["run_id"],
            _days(last["as_of_date"]),
            _days(last["training_as_of_date"]),
            strict=True,
        )
        if day in matured and learned < day
    ]


def _known_scores(
    warehouse: Warehouse, settings: Settings, run_id: str, as_of_date: date
) -> pd.DataFrame:
    """Scores of a run with what became of the customers who were left alone."""
    scores = warehouse.read_external("customer_score", run_id)
    labels = warehouse.query(
        "select customer_id, churn from bronze_churn_label "
        f"where label_date = date {literal(as_of_date)}"
    )
    known = scores.merge(labels, on="customer_id", validate="one_to_one")
    weights = untreated_weights(warehouse, settings, [as_of_date])
    known["count"] = counts_of(known, weights).astype(np.int32)
    return known[known["count"] > 0].sort_values("customer_id", ignore_index=True)


def _days(dates: pd.Series) -> list[date]:
    return [pd.Timestamp(day).date() for day in dates]


def _slices(scores: pd.DataFrame) -> Iterator[tuple[str, str, np.ndarray]]:
    """Groups of customers: dimension, name, and who belongs to it. Scores of earlier versions have
    no segment."""
    if len(scores):
        yield ALL_CUSTOMERS, "all", np.ones(len(scores), dtype=bool)
    for dimension, column in DIMENSIONS.items():
        values = scores[column]
        for group in sorted(values.dropna().unique()):
            yield dimension, str(group), (values == group).to_numpy(dtype=bool)


def _design(probability: np.ndarray) -> np.ndarray:
    """n × 2: calibrated log-odds, and a constant."""
    log_odds = logit(np.clip(probability, _EDGE, 1 - _EDGE))
    return np.column_stack([log_odds, np.ones(len(probability))])


@dataclass(frozen=True)
class _Drawing:
    """Draws of what may become of n customers, each (draws, n)."""

    risk: np.ndarray  # what the probabilities may really be
    churn: np.ndarray  # outcomes under these
    exact_churn: np.ndarray  # outcomes if calibrations did not vary between dates

    def part(self, mask: np.ndarray) -> _Drawing:
        return _Drawing(self.risk[:, mask], self.churn[:, mask], self.exact_churn[:, mask])


def _draw(
    probability: np.ndarray,
    covariance: Sequence[Sequence[float]] | None,
    between: BetweenDates | None,
    seed: int,
) -> Iterator[_Drawing]:
    """Outcomes under a calibration as uncertain as it is, in chunks of draws."""
    random, design = np.random.default_rng(seed), _design(probability)
    spread = np.zeros((2, 2)) if covariance is None else np.asarray(covariance, dtype=np.float64)
    coefficients = random.multivariate_normal([1.0, 0.0], spread, size=DRAWS)
    moved = np.zeros((DRAWS, 2))
    if between is not None:
        slope, level = between.draw(DRAWS, np.random.default_rng([seed, 1])).T
        weight = probability * (1 - probability)
        middle = float((weight * design[:, 0]).sum() / max(weight.sum(), _EDGE))
        # The slope turns about the middle, so that it does not move the level.
        moved = np.column_stack([slope, level - slope * middle])
    size = at_once(len(probability))
    for start in range(0, DRAWS, size):
        of_chunk = coefficients[start : start + size]
        exact = expit(of_chunk @ design.T)
        risk = expit((of_chunk + moved[start : start + size]) @ design.T)
        draw = random.random(exact.shape)
        yield _Drawing(risk, draw < risk, draw < exact)


def _measures_of_draws(
    probability: np.ndarray, drawing: _Drawing, settings: Settings
) -> dict[str, np.ndarray]:
    """Measures of drawn outcomes, one value a draw. The calibration error is that of chance and of
    the calibration's own sample, so that it can be held against one that is measured."""
    bins = settings.evaluate.calibration_bins
    with np.errstate(invalid="ignore"):  # a group in which nobody leaves
        ranked = pr_auc_of_outcomes(drawing.churn, probability)
    return {
        CHURN_SHARE: drawing.churn.mean(axis=1),
        PR_AUC: ranked,
        ECE: ece_of_outcomes(drawing.exact_churn, probability, bins),
        _RISK: drawing.risk.mean(axis=1),
    }


def _measures(
    churn: np.ndarray,
    probability: np.ndarray,
    count: np.ndarray,
    settings: Settings,
    weights: np.ndarray,
) -> dict[str, np.ndarray]:
    """PR-AUC and calibration error of n rows, each as often as it was drawn and counts."""
    drawn = weights if (count == 1).all() else weights.astype(np.int32) * count
    bins = settings.evaluate.calibration_bins
    return {
        PR_AUC: ranking_metrics(churn, probability, drawn)["pr_auc"],
        ECE: calibration_metrics(churn, probability, drawn, bins)["ece"],
    }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _ends(values: np.ndarray, confidence: float) -> tuple[float, float]:
    if not len(values):
        return float("nan"), float("nan")
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
