"""One step of a run in a container of its own: what `spanishgas run` does in one process.

    python -m python_ml.aws.step <step>      with SPANISHGAS_RUN_ID in the environment

The dbt image runs the layers this way, as an ECS task; sagemaker_entry.py runs the others under the
conventions of SageMaker. Steps are those of the pipeline and call the same stages.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from python_ml.aws.run_folder import RunFolder, RunRequest, changed_since
from python_ml.documents import read_json, write_json
from python_ml.engines import open_store
from python_ml.engines.ledger import iso
from python_ml.errors import ServiceError, UsageError, foreseen
from python_ml.judge.drift.monitor import DriftResult
from python_ml.judge.verdict import EvaluateResult
from python_ml.land import LandResult
from python_ml.pipeline import resume
from python_ml.pipeline.context import ALONE, ChosenModel, Share
from python_ml.pipeline.flow import take
from python_ml.pipeline.identity import BatchIdentity, identify_batch
from python_ml.pipeline.plan import SCORE_SHARE, STEPS
from python_ml.pipeline.results import ScoreResult, TrainResult
from python_ml.pipeline.workspace import Run, prepare
from python_ml.progress import peak_memory_mb
from python_ml.settings import Settings, load_settings

STATE = "state"


@dataclass(frozen=True)
class StepContext:
    """A step's view of its run."""

    settings: Settings
    folder: RunFolder
    request: RunRequest
    overrides: Mapping[str, Any] = field(default_factory=dict)
    share: Share = ALONE

    @property
    def own_settings(self) -> Settings:
        """With what this job alone was told; the run's own stay what the other jobs have."""
        return self.settings.with_overrides(self.overrides)

    @property
    def run_id(self) -> str:
        return self.request.run_id

    @cached_property
    def run(self) -> Run:
        """The run as the containers before this one have left it."""
        request = self.request
        run = Run(self.settings, request.mode, request.run_id, request.source, request.started_at)
        run.force = request.force
        run.work_dir.mkdir(parents=True, exist_ok=True)
        if (state := self.folder.read(STATE)) is not None:
            write_json(run.work_dir / resume.FILE, state)
            resume.load_state(run)
        else:
            run.identity = self._identity()
        run.can_resume = True  # each step leaves its state behind
        run.share = self.share
        return run

    def _identity(self) -> BatchIdentity:
        """What lies at the source, which must be the batch that the run has claimed."""
        identity = identify_batch(
            self.request.source, self.settings.threads, self.settings.land.mapping
        )
        if identity.sha256 != self.request.batch_sha256:
            raise changed_since(self.request.source)
        return identity


@dataclass(frozen=True)
class Outcome:
    """What a step found, as a JSON document, and how many rows it handled."""

    result: Mapping[str, Any]
    row_count: int | None = None


Work = Callable[[StepContext], Outcome]


def run_step(
    settings: Settings,
    run_id: str,
    step: str,
    overrides: Mapping[str, Any] | None = None,
    share: Share = ALONE,
) -> Outcome:
    """Run one step and leave its document, done or failed, and its reports in the run's folder.

    Args:
        settings: those of every step of the run.
        run_id: whose step.
        step: one of WORK.
        overrides: settings by dotted name, of a training alone.
        share: of this machine, where several take the step together. The one that leads leaves the
            step's document; the others leave theirs only if they fail, which ends the job.

    Raises:
        UsageError: there is no such step.
        SpanishGasError: what the step raises.
    """
    if step not in WORK:
        raise UsageError(f"step {step!r}: it is one of {', '.join(WORK)}")
    folder = RunFolder(open_store(settings), run_id)
    context = StepContext(settings, folder, folder.request(), overrides or {}, share)
    start = time.perf_counter()
    document: dict[str, Any] = {"step": step, "started_at": iso(datetime.now(UTC))}
    try:
        outcome = WORK[step](context)
    except BaseException as error:
        foretold = foreseen(error)
        code = 1 if foretold is None else foretold.exit_code
        reports = settings.layout.reports  # of this container, gone with it
        told = str(foretold or error) or repr(error)
        # The bucket that has refused the step may refuse its document; the step's error is told.
        with suppress(ServiceError):
            told = told.replace(str(reports), folder.keep_reports(reports))
        with suppress(ServiceError):
            failed = {"status": "failed", "error": told, "exit_code": code}
            folder.write(step, {**document, **failed, **_measured(start)})
        raise
    finally:
        if "run" in vars(context):
            context.run.tools.close()
    if not share.leads:
        return outcome
    folder.keep_reports(settings.layout.reports)
    document |= {"status": "done", "row_count": outcome.row_count, "result": dict(outcome.result)}
    folder.write(step, {**document, **_measured(start)})
    return outcome


def _measured(start: float) -> dict[str, float]:
    seconds = round(time.perf_counter() - start, 3)
    return {"seconds": seconds, "peak_memory_mb": round(peak_memory_mb(), 1)}


def _land(context: StepContext) -> Outcome:
    run = context.run
    prepare(run)
    run.engine.begin(run.run_id, of_published=False)
    take(run, STEPS["land"])
    landed = run.results.require(LandResult)
    found = {"batch_id": landed.batch_id, "as_of_date": landed.as_of_date.isoformat()}
    return _outcome(context, found)


def _plain(name: str) -> Work:
    """A step whose result only the next steps need."""

    def work(context: StepContext) -> Outcome:
        take(context.run, STEPS[name])
        return _outcome(context, {})

    return work


def _train(context: StepContext) -> Outcome:
    take(context.run, STEPS["train"], context.own_settings)
    trained = context.run.results.require(TrainResult)
    dates = {"training_as_of_date": trained.as_of_date.isoformat()}
    return _outcome(context, {"model_version": trained.model_version, **dates})


def _evaluate(context: StepContext) -> Outcome:
    """A rejected candidate is no failure of the job: the state machine asks for the verdict."""
    take(context.run, STEPS["evaluate"])
    evaluated = context.run.results.require(EvaluateResult)
    return _outcome(
        context,
        {
            "model_version": evaluated.model_version,
            "status": evaluated.status,
            "reasons": evaluated.reasons,
        },
    )


def _score(context: StepContext) -> Outcome:
    registered = context.folder.read("register")
    if registered:
        context.run.results.put(ChosenModel(registered["result"]["model_version"]))
    if context.share.machines > 1:
        run = context.run
        shared = SCORE_SHARE.function(run.context, **SCORE_SHARE.inputs(run.results))
        if not context.share.leads:
            return Outcome({"machine": context.share.machine}, shared.row_count)
    take(context.run, STEPS["score"])
    scored = context.run.results.require(ScoreResult)
    return _outcome(context, {"model_version": scored.model_version})


def _drift(context: StepContext) -> Outcome:
    take(context.run, STEPS["drift"])
    alarms = context.run.results.require(DriftResult).alarms
    return _outcome(context, {"alarms": alarms, "alarm_count": len(alarms)})


def _outcome(context: StepContext, result: Mapping[str, Any]) -> Outcome:
    """The step's outcome, once the next container can go on from here."""
    run = context.run
    run.tools.settle()
    context.folder.write(STATE, read_json(run.work_dir / resume.FILE) or {})
    return Outcome(result, run.steps[-1].rows)


_OWN: dict[str, Work] = {
    "land": _land,
    "train": _train,
    "evaluate": _evaluate,
    "score": _score,
    "drift": _drift,
}
# Publishing is the state machine's own action, beside the lease that it holds.
WORK: dict[str, Work] = {
    name: _OWN.get(name) or _plain(name) for name in STEPS if name != "publish"
}


def main(arguments: list[str]) -> int:
    """Run the step that is named; the exit code is the command's."""
    if len(arguments) != 1 or "SPANISHGAS_RUN_ID" not in os.environ:
        print("usage: SPANISHGAS_RUN_ID=<run> python -m python_ml.aws.step <step>", file=sys.stderr)
        return UsageError.exit_code
    try:
        run_step(load_settings(), os.environ["SPANISHGAS_RUN_ID"], arguments[0])
    except Exception as error:
        if (told := foreseen(error)) is None:
            raise
        print(f"error: {told}", file=sys.stderr)
        return told.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
