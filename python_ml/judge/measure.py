"""What a model does on the test part: metrics by group of customers, curves, worth of policies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import numpy as np
import pandas as pd

from python_ml.engines import Warehouse
from python_ml.errors import SpanishGasError
from python_ml.judge.curves import curve_rows
from python_ml.judge.metrics import (
    Estimate,
    calibration_metrics,
    decision_metrics,
    estimate,
    ranking_metrics,
)
from python_ml.judge.policies import policy_rows
from python_ml.judge.profit import Economics, read_economics
from python_ml.model.churn_model import ChurnModel
from python_ml.settings import Settings

OVERALL = "overall"


@dataclass(frozen=True)
class Scored:
    """The test part as one model sees it."""

    frame: pd.DataFrame
    churn: np.ndarray
    raw_score: np.ndarray
    probability: np.ndarray
    flagged: np.ndarray

    @classmethod
    def by(cls, model: ChurnModel, test: pd.DataFrame, target: str) -> Scored:
        prediction = model.predict(test)
        return cls(
            test,
            test[target].to_numpy(dtype=np.int64),
            prediction["raw_score"].to_numpy(),
            prediction["churn_probability"].to_numpy(),
            prediction["is_flagged"].to_numpy(dtype=bool),
        )

    def part(self, mask: np.ndarray) -> Scored:
        return Scored(
            self.frame[mask],
            self.churn[mask],
            self.raw_score[mask],
            self.probability[mask],
            self.flagged[mask],
        )


@dataclass(frozen=True)
class Slice:
    """Metrics of one part of the test customers."""

    dimension: str
    value: str
    customer_count: int
    churner_count: int
    metrics: dict[str, Estimate]


def measure_sets(
    warehouse: Warehouse,
    settings: Settings,
    sets: Mapping[str, Scored],
    weights: np.ndarray,
    as_of_date: date,
) -> tuple[dict[str, dict[str, Estimate]], dict[str, pd.DataFrame]]:
    """Metrics over all customers by feature set, and the tables that tell the rest."""
    economics = read_economics(warehouse, as_of_date)
    measured = {name: _slices(part, weights, economics, settings) for name, part in sets.items()}
    overall = {name: slices[0].metrics for name, slices in measured.items()}
    return overall, {
        "model_metric": _metric_rows(measured).assign(as_of_date=as_of_date),
        "model_curve": _curves(sets, weights, economics, settings),
        "policy_value": _policies(warehouse, sets, weights, settings),
    }


def measure_overall(
    warehouse: Warehouse,
    settings: Settings,
    sets: Mapping[str, Scored],
    weights: np.ndarray,
    as_of_date: date,
) -> tuple[dict[str, dict[str, Estimate]], pd.DataFrame]:
    """Metrics over all customers by feature set, and their rows of `model_metric`."""
    economics = read_economics(warehouse, as_of_date)
    measured = {
        name: _slices(part, weights, economics, settings, dimensions=())
        for name, part in sets.items()
    }
    overall = {name: slices[0].metrics for name, slices in measured.items()}
    return overall, _metric_rows(measured).assign(as_of_date=as_of_date)


def _slices(
    scored: Scored,
    weights: np.ndarray,
    economics: Economics,
    settings: Settings,
    dimensions: Sequence[str] | None = None,
) -> list[Slice]:
    """Overall first, then each value of each dimension, by default those of the settings."""
    every = np.ones(len(scored.churn), dtype=bool)
    parts = [(OVERALL, OVERALL, every)]
    for dimension in settings.evaluate.segments if dimensions is None else dimensions:
        if dimension not in scored.frame:
            raise SpanishGasError(f"evaluate.segments: gold_master has no column {dimension}")
        values = scored.frame[dimension].astype(str)
        parts += [
            (dimension, value, (values == value).to_numpy()) for value in sorted(values.unique())
        ]
    bins, confidence = settings.evaluate.calibration_bins, settings.evaluate.confidence
    slices = [
        Slice(
            dimension,
            value,
            int(mask.sum()),
            int(scored.churn[mask].sum()),
            estimate(_measures(scored.part(mask), economics, bins), weights[:, mask], confidence),
        )
        for dimension, value, mask in parts
    ]
    uncalibrated = estimate(
        partial(calibration_metrics, scored.churn, scored.raw_score, bins=bins), weights, confidence
    )
    slices[0].metrics.update({f"{name}_uncalibrated": v for name, v in uncalibrated.items()})
    return slices


def _measures(
    scored: Scored, economics: Economics, bins: int
) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Every figure of `model_metric`, as a function of the weights."""
    churn, probability = scored.churn, scored.probability
    everybody = np.ones(len(churn), dtype=bool)

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        return {
            **ranking_metrics(churn, probability, weights),
            **decision_metrics(churn, scored.flagged, weights),
            **calibration_metrics(churn, probability, weights, bins),
            "profit_at_threshold_eur": economics.profit(
                churn, probability, scored.flagged, weights
            ),
            "profit_everybody_eur": economics.profit(churn, probability, everybody, weights),
        }

    return measure


def _metric_rows(measured: dict[str, list[Slice]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "feature_set": feature_set,
                "slice_dimension": part.dimension,
                "slice_value": part.value,
                "metric": name,
                "metric_value": figure.value,
                "ci_low": figure.low,
                "ci_high": figure.high,
                "customer_count": part.customer_count,
                "churner_count": part.churner_count,
            }
            for feature_set, parts in measured.items()
            for part in parts
            for name, figure in part.metrics.items()
        ]
    )


def _curves(
    sets: Mapping[str, Scored], weights: np.ndarray, economics: Economics, settings: Settings
) -> pd.DataFrame:
    curves = [
        curve_rows(
            scored.churn,
            scored.probability,
            weights,
            economics,
            bins=settings.evaluate.calibration_bins,
            confidence=settings.evaluate.confidence,
        ).assign(feature_set=name)
        for name, scored in sets.items()
    ]
    return pd.concat(curves, ignore_index=True)


def _policies(
    warehouse: Warehouse, sets: Mapping[str, Scored], weights: np.ndarray, settings: Settings
) -> pd.DataFrame:
    policies = [
        policy_rows(
            warehouse, settings, scored.frame, scored.churn, scored.probability, weights
        ).assign(feature_set=name)
        for name, scored in sets.items()
    ]
    return pd.concat(policies, ignore_index=True)
