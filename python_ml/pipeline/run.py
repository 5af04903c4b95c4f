"""The order of a run's steps, from raw files to published marts, and where it may begin."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from threading import Thread

from python_ml.contracts.gold import require_experiments
from python_ml.engines.ledger import CLAIMED, DONE, BatchClaim
from python_ml.engines.published import lost_of_published, lost_text
from python_ml.errors import LeaseHeldError
from python_ml.land.discover import require_source
from python_ml.land.mapping import read_mapping
from python_ml.pipeline.flow import Step, take_all
from python_ml.pipeline.identity import identify_batch
from python_ml.pipeline.plan import plan_of
from python_ml.pipeline.resume import find_failed, require_same, restore
from python_ml.pipeline.retention import apply_retention
from python_ml.pipeline.workspace import Run, workspace
from python_ml.registry import open_registry
from python_ml.transform.dbt import import_dbt

__all__ = ["Run", "run_pipeline"]


def run_pipeline(
    run: Run,
    source: str | None = None,
    *,
    mode: str | None = None,
    force: bool = False,
    resume: bool = False,
) -> None:
    """All steps from a raw batch to published marts, recorded in `run`.

    A batch that the same code and settings have run already in this mode is not run again, as long
    as what is published is there with all that it rests on; `run.skipped` then says so.

    Args:
        run: a fresh run.
        source: folder or `s3://` prefix with the seven raw files; by default raw/ of the home.
        mode: `train` (the default) fits and gates a candidate; `score` uses the champion.
        force: run the batch even if that has been done, and read all its months.
        resume: go on with the last run, which failed, at the step that it failed at. Source, mode
            and force are that run's; they may be named, but not be others.

    Raises:
        BadInputError: the batch was refused; the lake is as before.
        LeaseHeldError: another run holds the warehouse.
        QualityGateError: a gate, data test or guardrail failed; nothing was published.
        ModelGateError: the candidate was rejected; nothing was scored or published.
        UsageError: there is no run to resume, or it has another source, mode or force; or an
            experiment of the settings has no features.
    """
    require_experiments(run.settings)
    if resume:
        run.run_id = find_failed(run)
        require_same(run, source=source, mode=mode, force=force)
    else:
        run.source, run.mode = source or str(run.settings.layout.raw), mode or "train"
        run.force = force
        require_source(run.source)
        read_mapping(run.settings.land.mapping)
        if run.mode == "score":
            open_registry(run.settings).require_champion()
    with workspace(run):
        if resume:
            run.can_resume = True
            restore(run)
        _claim(run)
        if run.skipped:
            return
        run.can_resume = True
        if plan := [step for step in plan_of(run.mode) if not run.has_done(step.name)]:
            _warm_up(run, plan)
        take_all(run, plan)
        apply_retention(run)


def _warm_up(run: Run, plan: Sequence[Step]) -> None:
    """Begin with what takes seconds to import, while landing waits for files."""
    import_module(plan[0].module)  # what all steps import, before two threads do at once
    if not run.has_done("quality"):
        _ = run.tools.quality
    Thread(target=_import, args=(plan,), daemon=True).start()


def _import(plan: Sequence[Step]) -> None:
    import_dbt()
    for step in plan:
        import_module(step.module)


def _claim(run: Run) -> None:
    """Take the batch; where there is nothing to do, `run.skipped` says so."""
    if run.identity is None:
        run.identity = identify_batch(run.source, run.settings.threads, run.settings.land.mapping)
    claim = BatchClaim(run.identity.sha256, run.mode, CLAIMED, run.run_id, run.work_sha256)
    seconds = run.settings.runs.lease_seconds
    standing = run.ledger.claim(claim, seconds, force=run.force)
    if standing and standing.state == DONE and (lost := lost_of_published(run.settings)):
        run.warn(
            f"run {standing.run_id} has run this very batch, but not all of it is there any more: "
            f"{lost_text(lost)}; the batch is run again"
        )
        standing = run.ledger.claim(claim, seconds, force=True)
    if standing is None:
        run.claim = claim
    elif standing.state == DONE:
        run.skipped = (
            f"nothing to do: run {standing.run_id} has run this very batch in mode {run.mode} with "
            "the same code and settings (--force runs it again)"
        )
    else:
        raise LeaseHeldError(
            f"the batch in {run.source} is being run already, by {standing.run_id}, until "
            f"{standing.expires_at} if that run does not renew its claim"
        )
