"""Every customer scored, and the scores held against those that the model was trained on."""

from __future__ import annotations

from python_ml.alerts import send_alert
from python_ml.judge.drift import watch_drift
from python_ml.judge.drift.monitor import DriftResult
from python_ml.judge.verdict import EvaluateResult
from python_ml.land.result import LandResult
from python_ml.pipeline.context import ChosenModel, Published, RunContext
from python_ml.pipeline.results import GoldResult, ScoreResult
from python_ml.pipeline.score import score
from python_ml.pipeline.step_alerts import drift_alert
from python_ml.registry import open_registry
from python_ml.registry.promotion import decision_table


def score_step(
    context: RunContext,
    batch: LandResult | Published,
    gold: GoldResult | Published,
    chosen: ChosenModel | None,
    evaluated: EvaluateResult | None,
) -> ScoreResult:
    """Score with the chosen version, or the one that has just passed the gate, or the champion."""
    version = None if chosen is None else chosen.model_version
    if version is None and evaluated is not None and evaluated.is_approved:
        version = evaluated.model_version
    with context.warehouse() as warehouse, warehouse.held():
        scored = score(
            warehouse,
            context.settings,
            context.contract(batch),
            context.run_id,
            batch.as_of_date,
            version,
        )
        decisions = decision_table(open_registry(context.settings))
        warehouse.write_external("model_decision", decisions, context.run_id)
    return scored


def drift_step(
    context: RunContext, batch: LandResult | Published, scored: ScoreResult
) -> DriftResult:
    """Compare the run's rows and scores with those that its model was trained on."""
    with context.warehouse() as warehouse, warehouse.held():
        drift = watch_drift(
            warehouse,
            context.settings,
            context.contract(batch),
            context.run_id,
            batch.as_of_date,
            scored.model_version,
        )
    send_alert(context.settings, drift_alert(drift, context.run_id))
    return drift
