"""What is kept of a run: in the ledger while it goes on, and as tables that marts show."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd

from python_ml.documents import read_json, write_json
from python_ml.embedding import in_rows
from python_ml.engines import open_warehouse
from python_ml.engines.ledger import (
    FAILED,
    RUNNING,
    SUCCEEDED,
    RunRecord,
    StepRecord,
    iso,
    user_name,
)
from python_ml.land.result import LandResult
from python_ml.pipeline.identity import git_sha, lock_hash, manifest_hash
from python_ml.pipeline.results import ScoreResult, TrainResult
from python_ml.progress import peak_memory_mb
from python_ml.settings import Settings
from python_ml.transform.sentiment import sentiment_backend

if TYPE_CHECKING:
    from python_ml.pipeline.workspace import Run

RUN_TABLE, STEP_TABLE = "pipeline_run", "pipeline_step"
_LONGEST_MESSAGE = 4000
_TIMES = ("started_at", "ended_at")


def record_of(run: Run) -> RunRecord:
    """The record of a run as it is now, but for the hash of the project, which takes its time."""
    landed = run.results.get(LandResult)
    scored = run.results.get(ScoreResult) or run.results.get(TrainResult)
    return RunRecord(
        run_id=run.run_id,
        mode=run.mode,
        target=run.settings.target,
        source=run.source,
        started_by=run.settings.runs.started_by or user_name(),
        started_at=run.started_at,
        seconds=round(sum(step.seconds for step in run.steps), 3),
        peak_memory_mb=round(peak_memory_mb(), 1),
        batch_id=run.batch_id,
        batch_sha256=run.identity.sha256 if run.identity else None,
        as_of_date=None if run.as_of_date is None else run.as_of_date.isoformat(),
        model_version=None if scored is None else scored.model_version,
        row_count=None if landed is None else landed.row_count,
        work_sha256=run.work_sha256,
        git_sha=git_sha(),
        lock_sha256=lock_hash(),
        sentiment_backend=sentiment_backend(run.settings),
        warnings=list(run.warnings),
        steps=[
            StepRecord(
                step.name,
                {"done": SUCCEEDED}.get(step.status, step.status),
                step.started_at,
                round(step.seconds, 3),
                step.rows,
                round(step.peak_memory_mb, 1),
            )
            for step in run.steps
        ],
    )


def begin_record(run: Run) -> None:
    """Let everybody see that a run goes on."""
    record = record_of(run)
    run.ledger.save(record)
    write_run_tables(run.settings, record)


def save_record(run: Run) -> None:
    """Note how far a run is."""
    run.ledger.save(record_of(run))


def finish_record(run: Run, error: BaseException | None) -> None:
    """Keep what became of a run."""
    record = record_of(run)
    if project := read_json(run.work_dir / "dbt" / "manifest.json"):
        record.dbt_manifest_sha256 = manifest_hash(project)
    record.ended_at = iso(datetime.now(UTC))
    record.status = SUCCEEDED if error is None else FAILED
    record.exit_code = 0 if error is None else getattr(error, "exit_code", 1)
    if error is not None:
        record.error_message = (str(error) or type(error).__name__)[:_LONGEST_MESSAGE]
        record.failed_step = next((s.step for s in record.steps if s.status == FAILED), None)
    if run.skipped:
        return
    run.ledger.save(record)
    write_run_tables(run.settings, record)
    reports = run.settings.layout.reports / "runs"
    write_json(reports / f"{run.run_id}.json", {**run.as_dict(), "record": record.as_dict()})


def keep_warnings(run: Run) -> None:
    """Add to the record of a run that has ended what has failed since."""
    for record in run.ledger.runs():
        if record.run_id == run.run_id:
            record.warnings = list(run.warnings)
            run.ledger.save(record)


def write_run_tables(settings: Settings, record: RunRecord) -> None:
    """The record as a part of `pipeline_run` and `pipeline_step`; the same run's is replaced."""
    values = record.as_dict()
    steps = [
        {"step_number": number, **step} for number, step in enumerate(values.pop("steps"), start=1)
    ]
    for name in ("source", "work_sha256", "run_id", "warnings"):
        del values[name]
    with open_warehouse(settings) as warehouse:
        frame = pd.DataFrame(in_rows([values]))
        frame["as_of_date"] = pd.to_datetime(frame["as_of_date"]).dt.date
        warehouse.write_external(RUN_TABLE, _timed(frame), record.run_id)
        if steps:
            warehouse.write_external(
                STEP_TABLE, _timed(pd.DataFrame(in_rows(steps))), record.run_id
            )


def _timed(frame: pd.DataFrame) -> pd.DataFrame:
    """Times as the UTC timestamps without a zone that engines hold."""
    for name in set(_TIMES) & set(frame.columns):
        times = pd.to_datetime(frame[name].replace("", None), utc=True)
        frame[name] = times.dt.tz_localize(None)
    return frame


def bury(record: RunRecord, *, has_published: bool) -> RunRecord:
    """The record of a run that ended without a word: killed, or its machine went down."""
    if has_published:
        record.status, record.exit_code = SUCCEEDED, 0
    else:
        running = [step for step in record.steps if step.status == RUNNING]
        for step in running:
            step.status = FAILED
        record.status = FAILED
        record.failed_step = running[-1].step if running else None
        record.error_message = "the process ended without a word: killed, or its machine went down"
    record.ended_at = iso(datetime.now(UTC))
    return record
