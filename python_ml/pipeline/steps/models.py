"""A candidate: fitted, then held against the gate."""

from __future__ import annotations

import shutil
from datetime import date

from python_ml.judge.direction import changed_customers
from python_ml.judge.verdict import EvaluateResult
from python_ml.land.result import LandResult
from python_ml.pipeline.context import ChosenModel, ParentModel, Published, RunContext
from python_ml.pipeline.evaluate import evaluate
from python_ml.pipeline.gold import dates_to_learn_from, dates_to_recalibrate_on, require_gold
from python_ml.pipeline.recalibrate import recalibrate
from python_ml.pipeline.results import GoldResult, TrainResult
from python_ml.pipeline.train import train
from python_ml.registry import open_registry
from python_ml.registry.base import fitted_until


def train_step(
    context: RunContext,
    batch: LandResult | Published,
    gold: GoldResult | Published,
    parent: ParentModel | None,
) -> TrainResult:
    """Fit a candidate on the as-of dates with matured labels and register it, pending approval; or
    refit the calibration of a version.

    Raises:
        BadInputError: there are no labels, or too few.
    """
    with context.warehouse() as warehouse:
        if parent is not None:
            origin = open_registry(context.settings).load(parent.model_version).origin
            until = date.fromisoformat(fitted_until(origin))
            *before, judged = dates_to_recalibrate_on(context, batch, warehouse, until)
            with warehouse.held():
                return recalibrate(
                    warehouse,
                    context.settings,
                    context.contract(batch),
                    context.run_id,
                    parent.model_version,
                    before,
                    judged,
                    batch.as_of_date,
                )
        *earlier, newest = dates_to_learn_from(context, batch, warehouse)  # which may build them
        with warehouse.held():
            return train(
                warehouse,
                context.settings,
                context.contract(batch),
                context.run_id,
                newest,
                earlier=earlier,
                scoring_as_of_date=batch.as_of_date,
            )


def evaluate_step(
    context: RunContext, batch: LandResult | Published, candidate: TrainResult | ChosenModel
) -> EvaluateResult:
    """Hold a version against the gate and record the decision."""
    version = candidate.model_version
    with context.warehouse() as warehouse:
        copy = context.work_dir / "changed"
        shutil.rmtree(copy, ignore_errors=True)  # of a run that is resumed
        origin = open_registry(context.settings).load(version).origin
        learned_from = date.fromisoformat(origin["as_of_date"])
        require_gold(context, batch, warehouse, [learned_from])
        settings, contract, dbt = context.settings, context.contract(batch), context.dbt(batch)
        with warehouse.held():
            changed = changed_customers(warehouse, settings, contract, dbt, copy, learned_from)
            return evaluate(warehouse, settings, contract, context.run_id, version, changed)
