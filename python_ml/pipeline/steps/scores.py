"""Every customer scored, and the scores held against those that the model was trained on."""

from __future__ import annotations

from python_ml.alerts import send_alert
from python_ml.judge.drift import watch_drift
from python_ml.judge.drift.monitor import DriftResult
from python_ml.judge.verdict import EvaluateResult
from python_ml.land.result import LandResult
from python_ml.pipeline.context import ChosenModel, Published, RunContext
from python_ml.pipeline.results import GoldResult, ScoreResult, ShareResult
from python_ml.pipeline.score import score, score_share
from python_ml.pipeline.scored_parts import HandedOn
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
    """Score with the chosen version, or the one that has just passed the gate, or the champion.

    Of several machines, the one that leads puts together what each has scored
    (`score_share_step`).
    """
    with context.warehouse() as warehouse, warehouse.held():
        scored = score(
            warehouse,
            context.settings,
            context.contract(batch),
            context.run_id,
            batch.as_of_date,
            _version(chosen, evaluated),
            _handed_on(context) if context.share.machines > 1 else None,
        )
        decisions = decision_table(open_registry(context.settings))
        warehouse.write_external("model_decision", decisions, context.run_id)
    return scored


def score_share_step(
    context: RunContext,
    batch: LandResult | Published,
    gold: GoldResult | Published,
    chosen: ChosenModel | None,
    evaluated: EvaluateResult | None,
) -> ShareResult:
    """Score what falls to this machine of several, for the one that leads."""
    with context.warehouse() as warehouse, warehouse.held():
        count = score_share(
            warehouse,
            context.settings,
            context.contract(batch),
            batch.as_of_date,
            _version(chosen, evaluated),
            _handed_on(context),
        )
    return ShareResult(count)


def _version(chosen: ChosenModel | None, evaluated: EvaluateResult | None) -> str | None:
    if chosen is not None:
        return chosen.model_version
    if evaluated is not None and evaluated.is_approved:
        return evaluated.model_version
    return None


def _handed_on(context: RunContext) -> HandedOn:
    return HandedOn(context.engine.handover(context.run_id), context.share)


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
