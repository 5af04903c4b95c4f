"""The steps of a run. Each is timed and recorded, and writes only where nobody reads yet."""

from __future__ import annotations

import shutil
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from python_ml.errors import BadInputError
from python_ml.pipeline.closing import keep_assignments, keep_costs, read_closing
from python_ml.pipeline.gold import labelled_date, plan_as_of_dates, require_gold
from python_ml.pipeline.months import TABLE, month_versions
from python_ml.pipeline.workspace import Run, swap

if TYPE_CHECKING:
    from python_ml.judge.verdict import EvaluateResult
    from python_ml.pipeline.train import TrainResult
    from python_ml.settings import Settings


def land_step(run: Run) -> None:
    """Check the run's source and write it to the lake, where only this run reads it.

    Raises:
        BadInputError: the batch was refused, or changed while it was read.
    """
    from python_ml.land import land
    from python_ml.land.write import is_intact
    from python_ml.pipeline.identity import require_unchanged

    assert run.identity is not None
    with run.step("land") as (step, report):
        landed = land(
            run.source,
            run.settings,
            batch_id=run.run_id,
            hashes=run.identity.files,
            make_current=False,
            progress=report,
        )
        require_unchanged(run.source, run.identity.entries)
        run.results["landing"] = landed
        run.as_of_date, run.batch_id = landed.as_of_date, landed.batch_id
        step.rows = landed.row_count
        gate(run, "raw")
        assert run.batch is not None
        if (place := run.engine.deliver(run.batch, report)) is not None:
            if not is_intact(run.batch):
                raise _changed_in_place(run.batch)
            run.engine.deliver_rejected(landed.batch_id)
            run.dbt.register_external_tables({"raw": place})


def bronze_step(run: Run) -> None:
    """Build bronze from the landed batch; hourly readings of unchanged months are not read again.

    Raises:
        BadInputError: the batch was changed in place meanwhile.
    """
    from python_ml.land.write import is_intact

    assert run.batch is not None
    versions = month_versions(run.results["landing"].months)
    run.dbt.variables["month_versions"] = versions
    run.dbt.variables["touched_months"] = run.engine.begin_with_months(
        run.run_id, TABLE, versions, force=run.force
    )
    build_step(run, "bronze", "resource_type:seed bronze")
    if run.engine.reads_landed_files and not is_intact(run.batch):
        run.steps[-1].status = "failed"
        raise _changed_in_place(run.batch)


def _changed_in_place(batch: Path | None) -> BadInputError:
    return BadInputError(
        f"the landed batch {batch} changed while it was read: a raw file that it is linked to was "
        "written over in place. Deliver the batch anew, or set land.link_files to false."
    )


def build_step(run: Run, layer: str, select: str | None = None) -> None:
    """Build and test one layer of dbt models; its rows are those of its tables.

    Raises:
        QualityGateError: a data test or a quality gate failed.
    """
    with run.step(layer) as (step, report):
        with run.warehouse() as warehouse:
            warehouse.declare_external_tables()
            nodes = run.dbt.build(select or layer, progress=report)
            counts = warehouse.row_counts({node.name for node in nodes if node.kind == "model"})
        step.rows = sum(counts.values())
        if layer in ("bronze", "silver"):
            gate(run, layer)


def silver_step(run: Run) -> None:
    """Build silver of the run's as-of date, and of the one that its model learns from.

    Raises:
        QualityGateError: a data test or a quality gate failed.
    """
    with run.warehouse() as warehouse:
        plan_as_of_dates(run, warehouse)
    build_step(run, "silver")


def quality_step(run: Run) -> None:
    """The last gate, and the pages of all: is gold good enough to go on with?

    Raises:
        QualityGateError: it is not.
    """
    from python_ml.alerts import quality_alert, send_alert

    with run.step("quality") as (step, _):
        gate(run, "gold")
        quality = run.results["quality"]
        step.rows = quality.check_count
        send_alert(run.settings, quality_alert(run.run_id, quality.check_count, quality.warnings))


def gate(run: Run, layer: str) -> None:
    """Hold a layer against its limits.

    Raises:
        QualityGateError: it does not keep one that stops a run.
    """
    from python_ml.quality import check_layer

    with run.warehouse() as warehouse:
        run.results["quality"] = check_layer(
            warehouse,
            run.settings,
            layer,
            run.run_id,
            run.as_of_date,
            batch=run.batch if layer == "raw" else None,
            landed=run.results.get("landing"),
            manifest=None if layer == "raw" else run.dbt.manifest(),
            examiner=run.examiner,
        )


def sentiment_step(run: Run) -> None:
    """Label the texts that no run has labelled yet."""
    from python_ml.transform.sentiment import label_sentiment

    with run.step("sentiment") as (step, _), run.warehouse() as warehouse:
        labelled = label_sentiment(warehouse, run.settings, run.run_id)
        run.results["sentiment"] = labelled
        step.rows = labelled.text_count


def train_step(run: Run, settings: Settings | None = None) -> TrainResult:
    """Fit a candidate on the newest as-of date with matured labels and register it, pending
    approval.

    Args:
        settings: of this training alone, where they are not the run's.

    Raises:
        BadInputError: there are no labels, or too few.
    """
    from python_ml.pipeline.train import train

    with run.step("train") as (step, _), run.warehouse() as warehouse:
        chosen = settings or run.settings
        learned_from = labelled_date(run, warehouse, chosen)
        trained = train(
            warehouse,
            chosen,
            run.contract,
            run.run_id,
            learned_from,
            scoring_as_of_date=run.as_of_date,
        )
        run.results["training"] = trained
        step.rows = trained.train_count
    return trained


def evaluate_step(run: Run, version: str, *, is_gate: bool = False) -> EvaluateResult:
    """Hold a version against the gate and record the decision.

    Args:
        is_gate: end the run unless there is a model that may score.

    Raises:
        ModelGateError: as the gate, the version was rejected, or waits for approval and there is no
            champion to score meanwhile.
    """
    from python_ml.judge.direction import changed_customers
    from python_ml.pipeline.evaluate import evaluate
    from python_ml.registry import open_registry

    with run.step("evaluate") as (step, _), run.warehouse() as warehouse:
        copy = run.work_dir / "changed"
        shutil.rmtree(copy, ignore_errors=True)  # of a run that is resumed
        origin = open_registry(run.settings).load(version).origin
        learned_from = date.fromisoformat(origin["as_of_date"])
        require_gold(run, warehouse, learned_from)
        changed = changed_customers(
            warehouse, run.settings, run.contract, run.dbt, copy, learned_from
        )
        evaluated = evaluate(warehouse, run.settings, run.contract, run.run_id, version, changed)
        run.results["evaluation"] = evaluated
        step.rows = evaluated.test_count
        if is_gate:
            evaluated.raise_if_rejected()
            if not evaluated.is_approved:
                _require_champion_meanwhile(run, version)
    return evaluated


def _require_champion_meanwhile(run: Run, version: str) -> None:
    """A candidate that waits for a person does not score; the champion in place does."""
    from python_ml.errors import ModelGateError
    from python_ml.registry import open_registry

    if open_registry(run.settings).champion() is None:
        raise ModelGateError(
            f"model {version} has passed the gate and waits for approval (gate.approval), and no "
            f"champion is in place to score with; `spanishgas promote {version}`, then run in mode "
            "score"
        )


def score_step(run: Run, version: str | None = None) -> None:
    """Score with a version, by default the one that has just passed the gate or the champion."""
    from python_ml.pipeline.score import score
    from python_ml.registry import open_registry
    from python_ml.registry.promotion import decision_table

    evaluated = run.results.get("evaluation")
    if version is None and evaluated is not None and evaluated.is_approved:
        version = evaluated.model_version
    with run.step("score") as (step, _), run.warehouse() as warehouse:
        scored = score(warehouse, run.settings, run.contract, run.run_id, run.as_of_date, version)
        decisions = decision_table(open_registry(run.settings))
        warehouse.write_external("model_decision", decisions, run.run_id)
        run.results["scores"] = scored
        step.rows = scored.customer_count


def drift_step(run: Run) -> None:
    """Compare the run's rows and scores with those that its model was trained on."""
    from python_ml.alerts import send_alert
    from python_ml.judge.drift import watch_drift
    from python_ml.pipeline.drift_alert import drift_alert

    with run.step("drift") as (step, _), run.warehouse() as warehouse:
        version = run.results["scores"].model_version
        drift = watch_drift(
            warehouse, run.settings, run.contract, run.run_id, run.as_of_date, version
        )
        run.results["drift"] = drift
        step.rows = drift.subject_count
        send_alert(run.settings, drift_alert(drift, run.run_id))


def publish_step(run: Run) -> None:
    """Make the run the one that everyone sees, all at once, and its model the champion."""
    from python_ml.land import write
    from python_ml.registry import open_registry

    with run.step("publish"), run.warehouse() as warehouse:
        run.settle()
        run.results["closing"] = read_closing(warehouse)
        keep_assignments(warehouse, run.run_id)
        swap(run)
        # The swap is the moment of publishing; after a kill here, `mend` moves both pointers.
        with run.surviving("the next command makes the model champion, which has scored"):
            open_registry(run.settings).promote(run.results["scores"].model_version, run.run_id)
        if run.batch is not None and run.batch.is_dir():
            with run.surviving("the next command makes the batch the current one of the lake"):
                write.make_current(run.settings.layout.lake, run.batch.name)
        if run.engine.bills_queries:
            with run.surviving("what the queries cost is not kept"):
                costs = run.engine.costs_since(datetime.fromisoformat(run.started_at))
                keep_costs(warehouse, costs, run.run_id)
