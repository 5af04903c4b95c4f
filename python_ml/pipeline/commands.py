"""Commands that change the warehouse without a new batch; each is a run of its own."""

from __future__ import annotations

from python_ml.contracts.gold import require_experiments
from python_ml.engines.published import published_run, require_home
from python_ml.errors import UsageError
from python_ml.judge.alarms import require_accepted
from python_ml.judge.verdict import EvaluateResult
from python_ml.land.discover import require_source
from python_ml.pages.plots import backtest_plot, ladder_plot
from python_ml.pipeline.backtest import BacktestResult, run_backtest
from python_ml.pipeline.context import ChosenModel, ParentModel, Published
from python_ml.pipeline.flow import take, take_all
from python_ml.pipeline.ladder import LadderReport, climb_ladder
from python_ml.pipeline.on_published import marts_step, on_published, require_published
from python_ml.pipeline.plan import RESCORE, STEPS
from python_ml.pipeline.results import TrainResult
from python_ml.pipeline.score import require_approved
from python_ml.pipeline.workspace import Run, workspace
from python_ml.registry import open_registry
from python_ml.registry.promotion import approve, chosen_version


def train_candidate(run: Run, recalibrate: str | None = None) -> TrainResult:
    """Fit a candidate on the published gold and register it, pending approval.

    Args:
        recalibrate: a version whose calibration is refitted, in place of a whole training.

    Raises:
        UsageError: nothing has been published, or there is no such version.
    """
    _require_ready(run)
    if recalibrate is not None:
        open_registry(run.settings).status(recalibrate)
    run.mode = "train_candidate"
    with on_published(run):
        if recalibrate is not None:
            run.results.put(ParentModel(recalibrate))
        take(run, STEPS["train"])
    return run.results.require(TrainResult)


def evaluate_candidate(run: Run, version: str | None) -> EvaluateResult:
    """Hold a registered version, by default the newest, against the gate; record the decision.

    Raises:
        UsageError: there is no such version, or nothing has been published.
    """
    _require_ready(run)
    registry = open_registry(run.settings)
    if version is None and not (known := registry.versions()):
        raise UsageError("there is no model to evaluate yet; `spanishgas train` fits one")
    version = version or known[-1]
    registry.status(version)
    run.mode = "evaluate"
    with on_published(run):
        run.results.put(ChosenModel(version))
        take(run, STEPS["evaluate"])
    return run.results.require(EvaluateResult)


def rescore(run: Run, version: str | None) -> None:
    """Score the published gold again, with the champion or another approved version; publish.

    Raises:
        UsageError: there is no such version, it is not an approved one, or nothing has been
            published.
    """
    _require_ready(run)
    registry = open_registry(run.settings)
    require_approved(registry, version or registry.require_champion())
    run.mode = "rescore"
    with on_published(run):
        if version is not None:
            run.results.put(ChosenModel(version))
        take_all(run, RESCORE)


def _require_ready(run: Run) -> None:
    """Something is published, and the experiments of the settings have features.

    Raises:
        UsageError: it is not so.
    """
    require_experiments(run.settings)
    require_published(run.settings)


def climb(run: Run, version: str | None) -> None:
    """Fit the ladder on the stored split of a version, by default the champion; publish its mart.

    Raises:
        UsageError: there is no champion yet, no such version, or nothing has been published.
    """
    _require_ready(run)
    registry = open_registry(run.settings)
    registry.status(version or registry.require_champion())

    run.mode = "ladder"
    with on_published(run):
        contract = run.context.contract(run.results.require(Published))
        with run.step("ladder") as (step, report), run.warehouse() as warehouse:
            fitted = climb_ladder(warehouse, run.settings, contract, run.run_id, version, report)
            step.rows = len(fitted.cells)
        marts_step(run, "published_ladder mart_model_ladder")
        with run.warehouse() as warehouse:
            cells = warehouse.query("select * from mart_model_ladder order by experiment")
        ladder_plot(cells, plot := run.settings.layout.reports / "ladder.png")
        run.results.put(LadderReport(fitted.model_version, cells, plot, fitted.seconds))
        run.publish()


def backtest(run: Run, source: str) -> None:
    """Train on the past and test on a later as-of date, for every date with labels in a raw batch.

    The published tables stay as they are, but for mart_backtest; before anything has been
    published, the results wait in the lake for the next run's marts.

    Raises:
        BadInputError: the batch was refused.
        SpanishGasError: no two as-of dates with labels are far enough apart.
    """
    require_experiments(run.settings)
    require_source(source)
    run.mode, run.source = "backtest", source
    has_published = run.engine.holds_published()
    with workspace(run, of_published=has_published):
        with run.step("backtest") as (step, report), run.warehouse() as warehouse:
            tested = run_backtest(source, run.settings, run.work_dir / "backtest", progress=report)
            warehouse.write_external("backtest_result", tested.rows, run.run_id)
            step.rows = len(tested.rows)
        backtest_plot(tested.rows, plot := run.settings.layout.reports / "backtest.png")
        run.results.put(BacktestResult(tested, plot))
        if has_published:
            marts_step(run, "mart_backtest")
            run.publish()


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
        UsageError: nothing to roll back to, the version needs force and a reason, or it has alarms
            of the leakage audit that nobody has accepted, which no force replaces.
    """
    require_home(run.settings)
    run.mode = "promote"
    has_published = published_run(run.settings) is not None
    with on_published(run) if has_published else workspace(run):
        registry = open_registry(run.settings)
        version = chosen_version(registry, version, is_roll_back=is_roll_back)
        require_accepted(run.warehouse(), registry.load(version), registry.evaluation(version))
        approve(
            registry,
            version,
            is_roll_back=is_roll_back,
            reason=reason,
            decided_by=decided_by,
            force=force,
        )
        if has_published:
            run.results.put(ChosenModel(version))
            take_all(run, RESCORE)
        else:
            registry.promote(version, run.run_id)
    return version
