"""Measure a candidate on the test part, which nothing before has looked at, and gate it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial

import numpy as np
import pandas as pd

from python_ml.config import Settings
from python_ml.dataset import GoldContract, read_snapshot, without_text
from python_ml.errors import SpanishGasError
from python_ml.model.churn_model import ChurnModel
from python_ml.modelling.alarms import judge_alarms
from python_ml.modelling.card import write_card
from python_ml.modelling.challenger import champion_checks
from python_ml.modelling.curves import curve_rows
from python_ml.modelling.direction import ChangedCustomers, direction_checks
from python_ml.modelling.gate import Check, metric_checks
from python_ml.modelling.metrics import (
    Estimate,
    calibration_metrics,
    decision_metrics,
    estimate,
    ranking_metrics,
    resample_weights,
)
from python_ml.modelling.policies import policy_rows
from python_ml.modelling.profit import Economics, read_economics
from python_ml.modelling.split import TEST, TRAIN, split_hash
from python_ml.modelling.train import fit_by_protocol
from python_ml.modelling.verdict import MANUAL, EvaluateResult, register_decision
from python_ml.registry import (
    RegisteredModel,
    Registry,
    open_registry,
)
from python_ml.tombstones import read_tombstones
from python_ml.warehouse import Warehouse

CHAMPION_SET, WITHOUT_TEXT = "champion", "without_text"
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


def evaluate(
    warehouse: Warehouse,
    settings: Settings,
    contract: GoldContract,
    run_id: str,
    model_version: str,
    changed: ChangedCustomers | None = None,
) -> EvaluateResult:
    """Metrics with intervals, curves and gate of a registered version, on its stored test part.

    Writes `model_metric`, `model_curve`, `policy_value`, `leakage_alarm`, `model_gate`, registers
    the decision, Rejected with the reasons or Approved (PendingManualApproval where `gate.approval`
    is manual), and writes the model card. The champion stays as it is either way; call
    `raise_if_rejected` on the result to end a run.

    Args:
        warehouse: holds the seeds, the split and the audit.
        settings: of evaluation and gate.
        contract: of gold_master.
        run_id: to write under.
        model_version: what to evaluate.
        changed: customers with one thing changed, for the checks of direction; without them the
            gate has none.

    Raises:
        SpanishGasError: the stored snapshot or split is not the one that the model names.
    """
    start = time.perf_counter()
    registry = open_registry(settings)
    candidate = registry.load(model_version)
    rows = stored_rows(warehouse, settings, candidate)
    test = rows[rows["split_part"] == TEST].reset_index(drop=True)
    weights = resample_weights(len(test), settings.evaluate.bootstrap_count, settings.model.seed)
    economics = read_economics(warehouse)
    plain_model = _model_without_text(rows, contract, candidate.model, settings)
    sets = {
        CHAMPION_SET: Scored.by(candidate.model, test, contract.target),
        WITHOUT_TEXT: Scored.by(plain_model, test, contract.target),
    }
    measured = {
        name: _slices(scored, weights, economics, settings) for name, scored in sets.items()
    }
    as_of_date = date.fromisoformat(candidate.origin["as_of_date"])
    metric_table = _metric_rows(measured).assign(model_version=model_version, as_of_date=as_of_date)
    warehouse.write_external("model_metric", metric_table, run_id)
    curves = [
        curve_rows(
            scored.churn,
            scored.probability,
            weights,
            economics,
            bins=settings.evaluate.calibration_bins,
            confidence=settings.evaluate.confidence,
        ).assign(feature_set=name, model_version=model_version)
        for name, scored in sets.items()
    ]
    warehouse.write_external("model_curve", pd.concat(curves, ignore_index=True), run_id)
    policies = [
        policy_rows(warehouse, settings, test, scored.churn, scored.probability, weights).assign(
            feature_set=name, model_version=model_version
        )
        for name, scored in sets.items()
    ]
    warehouse.write_external("policy_value", pd.concat(policies, ignore_index=True), run_id)
    overall = {name: measured[name][0].metrics for name in sets}
    checks = metric_checks(
        settings,
        overall[CHAMPION_SET],
        sets[CHAMPION_SET].probability,
        int(sets[CHAMPION_SET].churn.sum()),
        candidate.model.experiment,
    )
    alarms, alarm_check = judge_alarms(warehouse, settings, run_id, candidate)
    checks.append(alarm_check)
    if changed is not None:
        checks += direction_checks(settings, candidate.model, changed)
    checks += _against_champion(
        warehouse, settings, registry, candidate, sets[CHAMPION_SET], weights
    )
    gate = pd.DataFrame([asdict(check) for check in checks]).assign(model_version=model_version)
    warehouse.write_external("model_gate", gate, run_id)
    result = EvaluateResult(
        model_version=model_version,
        as_of_date=as_of_date,
        test_count=len(test),
        test_churner_count=int(sets[CHAMPION_SET].churn.sum()),
        metrics=overall[CHAMPION_SET],
        metrics_without_text=overall[WITHOUT_TEXT],
        checks=checks,
        alarms=alarms,
        needs_approval=settings.gate.approval == MANUAL,
        seconds=time.perf_counter() - start,
    )
    register_decision(registry, result)
    write_card(warehouse, settings, registry, candidate, result, run_id)
    return result


def stored_rows(
    warehouse: Warehouse, settings: Settings, candidate: RegisteredModel
) -> pd.DataFrame:
    """The labelled rows that the version was trained and is tested on, with split_part."""
    origin = candidate.origin
    snapshot = read_snapshot(settings, origin["run_id"], origin["snapshot_sha256"])
    split = warehouse.read_external("model_split", origin["run_id"])
    split = split[["customer_id", "split_part", "cv_fold"]]
    stones = read_tombstones(settings.layout.lake)
    if split_hash(split) not in (origin["split_sha256"], stones.now(origin["split_sha256"])):
        raise SpanishGasError(
            f"ml.model_split of run {origin['run_id']} is not the split that {candidate.version}"
            " names"
        )
    return snapshot.frame.merge(split, on="customer_id", validate="one_to_one").sort_values(
        "customer_id", ignore_index=True
    )


def _model_without_text(
    rows: pd.DataFrame, contract: GoldContract, model: ChurnModel, settings: Settings
) -> ChurnModel:
    """A model of the same protocol, fitted on the features that hold no word of an interaction."""
    used = set(model.features)
    columns = without_text([column for column in contract.features if column.name in used])
    training = rows[rows["split_part"] == TRAIN].reset_index(drop=True)
    name = f"{model.experiment}_without_text"
    return fit_by_protocol(training, columns, contract.target, name, settings).model


@dataclass(frozen=True)
class Slice:
    """Metrics of one part of the test customers."""

    dimension: str
    value: str
    customer_count: int
    churner_count: int
    metrics: dict[str, Estimate]


def _slices(
    scored: Scored, weights: np.ndarray, economics: Economics, settings: Settings
) -> list[Slice]:
    """Overall first, then each value of each dimension."""
    every = np.ones(len(scored.churn), dtype=bool)
    parts = [(OVERALL, OVERALL, every)]
    for dimension in settings.evaluate.segments:
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
            "profit_at_threshold_eur": economics.profit(churn, scored.flagged, weights),
            "profit_everybody_eur": economics.profit(churn, everybody, weights),
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


def _against_champion(
    warehouse: Warehouse,
    settings: Settings,
    registry: Registry,
    candidate: RegisteredModel,
    scored: Scored,
    weights: np.ndarray,
) -> Sequence[Check]:
    champion_version = registry.champion()
    if champion_version is None or champion_version == candidate.version:
        return []
    champion = registry.load(champion_version)
    split = warehouse.read_external("model_split", champion.origin["run_id"])
    return champion_checks(
        settings,
        champion,
        set(split.loc[split["split_part"] == TRAIN, "customer_id"]),
        date.fromisoformat(candidate.origin["as_of_date"]),
        (scored.probability, scored.flagged),
        scored.frame,
        scored.churn,
        weights,
    )
