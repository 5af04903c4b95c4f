"""A run, from raw files to published marts.

Everything is built in the run's own folder and under the run's own `run_id=` prefixes. The last
step renames the finished warehouse into place; until then readers see the run before.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from python_ml.closing import read_closing
from python_ml.config import Settings
from python_ml.dbt_runner import DbtRunner
from python_ml.progress import Step, peak_memory_mb, timed_step
from python_ml.warehouse import Warehouse, open_warehouse

if TYPE_CHECKING:
    from python_ml.dataset import GoldContract
    from python_ml.train import TrainResult
    from python_ml.verdict import EvaluateResult


def new_run_id() -> str:
    """A run id that sorts by time: `20250106T060000-1a2b3c`."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


@dataclass
class Run:
    """A run in progress; steps and results fill in as they finish, so a failed one can be shown."""

    settings: Settings
    run_id: str = field(default_factory=new_run_id)
    as_of_date: date = date.min  # known once the batch has landed
    steps: list[Step] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)

    @property
    def work_dir(self) -> Path:
        return self.settings.layout.home / ".runs" / self.run_id

    @property
    def database(self) -> Path:
        # Views name their catalog, and the catalog is the file's name: it must not change.
        return self.work_dir / self.settings.layout.warehouse.name

    @property
    def has_database(self) -> bool:
        """The tables are in one file, built beside the published one and renamed into its place."""
        return self.settings.target == "duckdb"

    def warehouse(self) -> Warehouse:
        return open_warehouse(self.settings, self.database)

    @cached_property
    def dbt(self) -> DbtRunner:
        """dbt with this run's variables; the as-of date must be known by now."""
        from python_ml.sentiment import sentiment_backend

        variables = {
            "run_id": self.run_id,
            "as_of_date": self.as_of_date.isoformat(),
            "sentiment_backend": sentiment_backend(self.settings),
        }
        return DbtRunner(self.settings, self.database, self.work_dir / "dbt", variables)

    @cached_property
    def contract(self) -> GoldContract:
        """What the columns of gold_master are, out of dbt's manifest."""
        from python_ml.dataset import read_contract

        return read_contract(self.dbt.manifest())

    def as_dict(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "as_of_date": None if self.as_of_date == date.min else self.as_of_date.isoformat(),
            "target": self.settings.target,
            "seconds": round(sum(step.seconds for step in self.steps), 3),
            "peak_memory_mb": round(peak_memory_mb(), 1),
            "steps": [step.as_dict() for step in self.steps],
            **{name: result.as_dict() for name, result in self.results.items()},
        }


def run_pipeline(run: Run, source: str, *, mode: str = "train") -> None:
    """All steps from a raw batch to published marts, recorded in `run`.

    Args:
        run: a fresh run.
        source: folder or `s3://` prefix with the seven raw files.
        mode: `train` fits and gates a candidate; `score` uses the champion.

    Raises:
        BadInputError: the batch was refused; the lake is as before.
        QualityGateError: a data test or guardrail failed; nothing was published.
        ModelGateError: the candidate was rejected; nothing was scored or published.
    """
    from python_ml.promotion import reconcile
    from python_ml.registry import open_registry

    reconcile(run.settings)
    if mode == "score":
        open_registry(run.settings).require_champion()
    with _workspace(run):
        _land(run, source)
        _build(run, "bronze", "resource_type:seed bronze")
        _sentiment(run)
        _build(run, "silver")
        _build(run, "gold")
        if mode == "train":
            _train(run)
            evaluated = _evaluate(run, run.results["training"].model_version)
            evaluated.raise_if_rejected()
            if not evaluated.is_approved:
                _require_champion_meanwhile(run, evaluated.model_version)
        _score(run)
        _build(run, "marts")
        _publish(run)


def train_candidate(run: Run) -> TrainResult:
    """Fit a candidate on the published gold and register it, pending approval."""
    with _workspace(run, of_published=True):
        return _train(run)


def evaluate_candidate(run: Run, version: str | None) -> EvaluateResult:
    """Hold a registered version, by default the newest, against the gate; record the decision.

    Raises:
        SpanishGasError: there is no such version.
    """
    from python_ml.registry import open_registry

    newest = open_registry(run.settings).versions()[-1:]
    with _workspace(run, of_published=True):
        return _evaluate(run, version or "".join(newest))


def rescore(run: Run, version: str | None) -> None:
    """Score the published gold again, with the champion or another approved version; publish.

    Raises:
        SpanishGasError: there is no such version, or it is not an approved one.
    """
    with _workspace(run, of_published=True):
        _score(run, version)
        _build(run, "marts")
        _publish(run)


def climb(run: Run, version: str | None) -> None:
    """Fit the ladder on the stored split of a version, by default the champion; publish its mart.

    Raises:
        SpanishGasError: there is no champion yet, or no such version.
    """
    from python_ml.ladder import LadderReport, climb_ladder
    from python_ml.plots import ladder_plot

    with _workspace(run, of_published=True):
        with timed_step("ladder", run.steps) as (step, report), run.warehouse() as warehouse:
            fitted = climb_ladder(
                warehouse, run.settings, run.contract, run.run_id, version, report
            )
            step.rows = len(fitted.cells)
        _build(run, "marts", "published_ladder mart_model_ladder")
        with run.warehouse() as warehouse:
            cells = warehouse.query("select * from mart_model_ladder order by experiment")
        ladder_plot(cells, plot := run.settings.layout.reports / "ladder.png")
        run.results["ladder"] = LadderReport(fitted.model_version, cells, plot, fitted.seconds)
        _swap(run)


def promote(
    run: Run,
    version: str | None,
    *,
    is_roll_back: bool,
    reason: str,
    decided_by: str | None,
    force: bool,
) -> str:
    """Make a version the champion by a person's decision; score and publish with it.

    Before anything has been published there is nothing to score: the version is champion, and the
    next run scores with it.

    Returns:
        The version.

    Raises:
        UsageError: nothing to roll back to, or the version needs force and a reason.
    """
    from python_ml.promotion import approve, reconcile
    from python_ml.registry import open_registry

    reconcile(run.settings)
    registry = open_registry(run.settings)
    version = approve(
        registry,
        version,
        is_roll_back=is_roll_back,
        reason=reason,
        decided_by=decided_by,
        force=force,
    )
    if run.has_database and not run.settings.layout.warehouse.exists():
        registry.promote(version, run.run_id)
    else:
        rescore(run, version)
    return version


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


@contextmanager
def _workspace(run: Run, *, of_published: bool = False) -> Iterator[None]:
    """The run's folder, with a copy of what is published or empty; recorded and cleared after."""
    from python_ml.promotion import reconcile

    run.work_dir.mkdir(parents=True)
    try:
        if of_published:
            reconcile(run.settings)
            with open_warehouse(run.settings) as published:
                newest = published.query("select max(as_of_date) as as_of_date from gold_master")
            run.as_of_date = newest["as_of_date"].iloc[0].date()
            if run.has_database:
                shutil.copyfile(run.settings.layout.warehouse, run.database)
        yield
    finally:
        _record(run)
        shutil.rmtree(run.work_dir, ignore_errors=True)


def _land(run: Run, source: str) -> None:
    from python_ml.land import land

    with timed_step("land", run.steps) as (step, report):
        landed = land(source, run.settings, batch_id=run.run_id, progress=report)
        run.results["landing"] = landed
        run.as_of_date = landed.as_of_date
        step.rows = landed.row_count
        if run.settings.target == "athena":
            from python_ml.aws.lake import publish_batch

            batch = run.settings.layout.lake / "batches" / landed.batch_id
            place = publish_batch(run.settings.athena, batch, landed.batch_id, report)
            run.dbt.register_external_tables({"raw": place})


def _build(run: Run, layer: str, select: str | None = None) -> None:
    """Build and test one layer of dbt models; its rows are those of its tables."""
    with timed_step(layer, run.steps) as (step, report):
        with run.warehouse() as warehouse:
            warehouse.declare_external_tables()
            nodes = run.dbt.build(select or layer, progress=report)
            counts = warehouse.row_counts()
        step.rows = sum(counts.get(node.name, 0) for node in nodes if node.kind == "model")


def _sentiment(run: Run) -> None:
    from python_ml.sentiment import label_sentiment

    with timed_step("sentiment", run.steps) as (step, _), run.warehouse() as warehouse:
        labelled = label_sentiment(warehouse, run.settings, run.run_id)
        run.results["sentiment"] = labelled
        step.rows = labelled.text_count


def _train(run: Run) -> TrainResult:
    from python_ml.train import train

    with timed_step("train", run.steps) as (step, _), run.warehouse() as warehouse:
        trained = train(warehouse, run.settings, run.contract, run.run_id, run.as_of_date)
        run.results["training"] = trained
        step.rows = trained.train_count
    return trained


def _evaluate(run: Run, version: str) -> EvaluateResult:
    from python_ml.direction import changed_customers
    from python_ml.evaluate import evaluate

    with timed_step("evaluate", run.steps) as (step, _), run.warehouse() as warehouse:
        copy = run.work_dir / "changed"
        changed = changed_customers(warehouse, run.settings, run.contract, run.dbt, copy)
        evaluated = evaluate(warehouse, run.settings, run.contract, run.run_id, version, changed)
        run.results["evaluation"] = evaluated
        step.rows = evaluated.test_count
    return evaluated


def _score(run: Run, version: str | None = None) -> None:
    """Score with a version, by default the one that has just passed the gate or the champion."""
    from python_ml.promotion import decision_table
    from python_ml.registry import open_registry
    from python_ml.score import score

    evaluated = run.results.get("evaluation")
    if version is None and evaluated is not None and evaluated.is_approved:
        version = evaluated.model_version
    with timed_step("score", run.steps) as (step, _), run.warehouse() as warehouse:
        scored = score(warehouse, run.settings, run.contract, run.run_id, run.as_of_date, version)
        decisions = decision_table(open_registry(run.settings))
        warehouse.write_external("model_decision", decisions, run.run_id)
        run.results["scores"] = scored
        step.rows = scored.customer_count


def _publish(run: Run) -> None:
    """Make the run the one that everyone sees, by one rename, and its model the champion."""
    from python_ml.registry import open_registry

    with timed_step("publish", run.steps), run.warehouse() as warehouse:
        run.results["closing"] = read_closing(warehouse)
        _swap(run)
        # The swap is the moment of publishing; `reconcile` mends the pointer after a kill.
        open_registry(run.settings).promote(run.results["scores"].model_version, run.run_id)


def _swap(run: Run) -> None:
    """The run's tables become the published ones."""
    if run.has_database:
        run.database.replace(run.settings.layout.warehouse)


def _record(run: Run) -> None:
    """Keep what the run did, whatever became of it."""
    path = run.settings.layout.reports / "runs" / f"{run.run_id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(run.as_dict(), indent=2, default=str), encoding="utf-8")
