"""Measures of a scored sample, each for any number of weightings of its rows at once.

A bootstrap resample is a weighting: how often each row was drawn. Every function takes `weights` of
shape (resamples, rows) and returns one value a resample; one row of ones gives the plain measure.
So a figure and its interval come out of the same code, and two models weighted alike are paired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

CHUNK_CELLS = 400_000  # resamples × rows handled at once, which fit into a processor's cache


@dataclass(frozen=True)
class Estimate:
    """A figure with its percentile interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


def resample_weights(rows: int, count: int, seed: int) -> np.ndarray:
    """Bootstrap weights, (count, rows): how often each row is drawn in `rows` draws."""
    generator = np.random.default_rng(seed)
    weights = np.empty((count, rows), dtype=np.uint8)
    for resample in weights:  # all draws at once would take seventeen times the memory
        resample[:] = np.bincount(generator.integers(0, rows, size=rows), minlength=rows)
    return weights


def estimate(
    measure: Callable[[np.ndarray], dict[str, np.ndarray]], weights: np.ndarray, confidence: float
) -> dict[str, Estimate]:
    """Each measure on the sample itself, with its interval over the resamples."""
    with np.errstate(invalid="ignore", divide="ignore"):  # a slice without churners, or undrawn
        plain = measure(np.ones((1, weights.shape[1]), dtype=np.uint8))
        parts = [measure(chunk) for chunk in _chunks(weights)]
    tail = (1 - confidence) / 2
    results = {}
    for name, value in plain.items():
        resampled = np.concatenate([part[name] for part in parts])
        resampled = resampled[np.isfinite(resampled)]
        low, high = np.quantile(resampled, [tail, 1 - tail]) if len(resampled) else (np.nan, np.nan)
        results[name] = Estimate(float(value[0]), float(low), float(high))
    return results


def at_once(rows: int) -> int:
    """How many resamples or draws of so many rows are handled at once."""
    return max(1, CHUNK_CELLS // max(rows, 1))


def _chunks(weights: np.ndarray) -> Iterator[np.ndarray]:
    size = at_once(weights.shape[1])
    for start in range(0, len(weights), size):
        yield weights[start : start + size]


def ranked(score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows from the highest score down, and the places at which a run of equal scores ends."""
    order = np.argsort(-score, kind="stable")
    return order, np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)


def ranking_metrics(
    churn: np.ndarray, score: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """PR-AUC (average precision) and ROC-AUC; equal scores count as one step."""
    order, last_of_ties = ranked(score)
    ordered = weights[:, order]
    left = np.flatnonzero(churn[order])
    if not len(left):
        undefined = np.full(len(weights), np.nan)
        return {"pr_auc": undefined, "roc_auc": undefined}
    # Only steps that hold churners count, so that all else is looked at once, to be summed up.
    step = np.searchsorted(last_of_ties, left)
    first = np.flatnonzero(np.diff(step, prepend=-1))
    steps = step[first]
    flagged = np.cumsum(ordered, axis=1, dtype=np.int32)
    above = np.where(steps > 0, flagged[:, last_of_ties[steps - 1]], 0)
    all_rows, flagged = flagged[:, -1], flagged[:, last_of_ties[steps]]
    new_found = np.add.reduceat(ordered[:, left], first, axis=1, dtype=np.int32)
    found = np.cumsum(new_found, axis=1, dtype=np.int32)
    churners = found[:, -1].astype(np.float64)
    others = all_rows - churners
    # Of those who stayed, who scores lower than a churner, and half of those who score the same.
    others_above = above - (found - new_found)
    below = others[:, None] - (others_above + (flagged - found)) / 2
    precision = found / np.maximum(flagged, 1)
    return {
        "pr_auc": np.einsum("ij,ij->i", new_found, precision) / churners,
        "roc_auc": np.einsum("ij,ij->i", new_found, below) / (churners * others),
    }


def decision_metrics(
    churn: np.ndarray, flagged: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Confusion counts, and the shares made of them."""
    cells = np.stack([flagged & (churn == 1), flagged, churn == 1, np.ones_like(flagged)], axis=1)
    counts = weights.astype(np.float32) @ cells.astype(np.float32)
    found, called, churners, all_rows = counts.astype(np.float64).T
    return {
        "precision": found / called,
        "recall": found / churners,
        "f1": 2 * found / (called + churners),
        "accuracy": (all_rows - called - churners + 2 * found) / all_rows,
        "base_rate": churners / all_rows,
        "flagged_share": called / all_rows,
        "true_positive_count": found,
        "false_positive_count": called - found,
        "false_negative_count": churners - found,
        "true_negative_count": all_rows - called - churners + found,
    }


@dataclass(frozen=True)
class Bins:
    """Equal-count bins by rising score; arrays of shape (resamples, bins)."""

    predicted: np.ndarray
    observed: np.ndarray

    @property
    def ece(self) -> np.ndarray:
        """Expected calibration error: mean over the bins of |observed − predicted|."""
        values: np.ndarray = np.abs(self.observed - self.predicted).mean(axis=1)
        return values


def equal_count_bins(
    churn: np.ndarray, probability: np.ndarray, weights: np.ndarray, bins: int
) -> Bins:
    """Mean prediction and churn rate in each of `bins` parts of equal weight.

    Where a border falls inside a row (its weight is not a multiple of the part) the row counts to
    both sides in proportion.
    """
    order = np.argsort(probability, kind="stable")
    ordered = weights[:, order]
    size = np.cumsum(ordered, axis=1, dtype=np.int32)
    reach = size[:, -1:] * np.arange(1, bins + 1) / bins
    last = np.ceil(reach).astype(np.int32)
    row = np.stack([np.searchsorted(*each) for each in zip(size, last, strict=True)])
    beyond = np.take_along_axis(size, row, axis=1) - reach
    parts = [
        np.diff(_reached(ordered * value, row) - beyond * value[row], axis=1, prepend=0.0)
        for value in (probability[order], churn[order])
    ]
    in_bin = size[:, -1:] / bins
    return Bins(parts[0] / in_bin, parts[1] / in_bin)


def chance_ece(probability: np.ndarray, bins: int, confidence: float, seed: int) -> float:
    """Calibration error that exact probabilities stay under in `confidence` of such test parts.

    Labels are drawn from the probabilities themselves, so what is left is chance alone: about 0.01
    with 4,000 rows and 0.03 with 400.
    """
    drawn = np.random.default_rng(seed).random((1000, len(probability))) < np.sort(probability)
    return float(np.quantile(ece_of_outcomes(drawn, np.sort(probability), bins), confidence))


def pr_auc_of_outcomes(outcomes: np.ndarray, score: np.ndarray) -> np.ndarray:
    """PR-AUC of the same n scores under each of several outcomes, (draws, n) of booleans.

    NaN for a draw in which nobody leaves.
    """
    order, last_of_ties = ranked(score)
    found = np.cumsum(outcomes[:, order], axis=1, dtype=np.int32)[:, last_of_ties]
    precision = found / (last_of_ties + 1)
    new_found = np.diff(found, axis=1, prepend=0)
    return np.asarray(np.einsum("ij,ij->i", new_found, precision) / found[:, -1])


def ece_of_outcomes(outcomes: np.ndarray, probability: np.ndarray, bins: int) -> np.ndarray:
    """Calibration error of the same n probabilities under each of several outcomes, (draws, n).

    Bins are those of `equal_count_bins`.
    """
    order = np.argsort(probability, kind="stable")
    rows = np.arange(len(order))[:, None]
    borders = np.arange(bins + 1) * len(order) / bins
    shares = np.minimum(rows + 1, borders[1:]) - np.maximum(rows, borders[:-1])
    shares = np.maximum(shares, 0.0) * bins / len(order)
    gaps = outcomes[:, order] @ shares - probability[order] @ shares
    return np.asarray(np.abs(gaps).mean(axis=1))


def _reached(values: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Sum of each line of `values` up to and including each of its `row` positions."""
    starts = np.concatenate([np.zeros((len(row), 1), dtype=np.int64), row[:, :-1] + 1], axis=1)
    starts = (starts + np.arange(len(row))[:, None] * values.shape[1]).ravel()
    length = np.diff(starts, append=values.size)
    # Beyond the last position of a line nothing was drawn, so its last part may run to the end.
    sums = np.add.reduceat(values.ravel(), np.minimum(starts, values.size - 1))
    return np.cumsum(np.where(length > 0, sums, 0.0).reshape(row.shape), axis=1)


def calibration_metrics(
    churn: np.ndarray, probability: np.ndarray, weights: np.ndarray, bins: int
) -> dict[str, np.ndarray]:
    """Brier score and expected calibration error."""
    squares = ((probability - churn) ** 2).astype(np.float64)
    size = weights.sum(axis=1, dtype=np.int64)
    return {
        "brier": weights.astype(np.float64) @ squares / size,
        "ece": equal_count_bins(churn, probability, weights, bins).ece,
    }
