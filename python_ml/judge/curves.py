"""The curves of `model_curve`: one row a point, with bootstrap intervals where a point has one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from python_ml.judge.metrics import Estimate, equal_count_bins, estimate, ranked
from python_ml.judge.profit import Economics

CURVE_POINTS = 200
DECILES = 10
PROFIT_POINTS = 50


def curve_rows(
    churn: np.ndarray,
    probability: np.ndarray,
    weights: np.ndarray,
    economics: Economics,
    *,
    bins: int,
    confidence: float,
) -> pd.DataFrame:
    """Precision-recall, ROC, reliability, decile and profit curves of one scored sample.

    Args:
        churn: n labels.
        probability: n calibrated probabilities.
        weights: bootstrap weights, (resamples, n).
        economics: of a contact.
        bins: of the reliability curve.
        confidence: of the intervals.
    """
    curves = [
        _ranking_curves(churn, probability),
        _reliability(churn, probability, weights, bins, confidence),
        _deciles(churn, probability, weights, confidence),
        _profit(churn, probability, weights, economics, confidence),
    ]
    return pd.concat(curves, ignore_index=True)


def _ranking_curves(churn: np.ndarray, probability: np.ndarray) -> pd.DataFrame:
    order, last = ranked(probability)
    kept = last[np.unique(np.linspace(0, len(last) - 1, CURVE_POINTS).round().astype(int))]
    found = np.cumsum(churn[order])[kept]
    recall = found / churn.sum()
    precision = found / (kept + 1)
    false_rate = (kept + 1 - found) / (len(churn) - churn.sum())
    shared = {"threshold": probability[order][kept], "customer_count": kept + 1}
    return pd.concat(
        [
            _curve("precision_recall", x=recall, y=precision, **shared),
            _curve("roc", x=false_rate, y=recall, **shared),
        ]
    )


def _reliability(
    churn: np.ndarray, probability: np.ndarray, weights: np.ndarray, bins: int, confidence: float
) -> pd.DataFrame:
    """x: mean predicted probability of the bin, y: its churn rate."""

    def observed(resamples: np.ndarray) -> dict[str, np.ndarray]:
        return _named(equal_count_bins(churn, probability, resamples, bins).observed)

    once = np.ones((1, len(churn)), dtype=np.uint8)
    predicted = equal_count_bins(churn, probability, once, bins).predicted[0]
    return _curve(
        "reliability",
        x=predicted,
        threshold=np.nan,
        customer_count=_bin_sizes(len(churn), bins),
        **_columns(estimate(observed, weights, confidence)),
    )


def _deciles(
    churn: np.ndarray, probability: np.ndarray, weights: np.ndarray, confidence: float
) -> pd.DataFrame:
    """x: decile, 1 is that of the highest scores; y: churn rate, lift, share of churners found."""

    def measure(resamples: np.ndarray) -> dict[str, np.ndarray]:
        rate = equal_count_bins(churn, probability, resamples, DECILES).observed[:, ::-1]
        lift = rate / rate.mean(axis=1, keepdims=True)
        recall = np.cumsum(lift, axis=1) / DECILES
        return _named(np.concatenate([rate, lift, recall], axis=1))

    points = _columns(estimate(measure, weights, confidence))
    sizes = _bin_sizes(len(churn), DECILES)
    lowest = np.sort(probability)[::-1][np.cumsum(sizes) - 1]
    names = ("decile_precision", "decile_lift", "decile_recall")
    return pd.concat(
        _curve(
            name,
            x=np.arange(1, DECILES + 1),
            threshold=lowest,
            customer_count=sizes,
            **{key: values[number * DECILES :][:DECILES] for key, values in points.items()},
        )
        for number, name in enumerate(names)
    )


def _profit(
    churn: np.ndarray,
    probability: np.ndarray,
    weights: np.ndarray,
    economics: Economics,
    confidence: float,
) -> pd.DataFrame:
    """x: share of customers contacted, highest scores first, y: expected profit in €."""

    def profit(resamples: np.ndarray) -> dict[str, np.ndarray]:
        return _named(economics.profit_from_top(churn, probability, resamples, PROFIT_POINTS))

    reached = np.cumsum(_bin_sizes(len(churn), PROFIT_POINTS))
    return _curve(
        "profit",
        x=np.arange(1, PROFIT_POINTS + 1) / PROFIT_POINTS,
        threshold=np.sort(probability)[::-1][reached - 1],
        customer_count=reached,
        **_columns(estimate(profit, weights, confidence)),
    )


def _curve(name: str, **columns: np.ndarray | float) -> pd.DataFrame:
    frame = pd.DataFrame({"y_low": np.nan, "y_high": np.nan, **columns})
    return frame.assign(curve=name, point=np.arange(1, len(frame) + 1), x=frame["x"].astype(float))


def _named(values: np.ndarray) -> dict[str, np.ndarray]:
    return {str(point): values[:, point] for point in range(values.shape[1])}


def _columns(points: dict[str, Estimate]) -> dict[str, np.ndarray]:
    found = list(points.values())
    return {
        "y": np.array([point.value for point in found]),
        "y_low": np.array([point.low for point in found]),
        "y_high": np.array([point.high for point in found]),
    }


def _bin_sizes(rows: int, bins: int) -> np.ndarray:
    """Rows in each bin, to the nearest whole row."""
    return np.diff(np.rint(np.arange(bins + 1) * rows / bins)).astype(np.int64)
