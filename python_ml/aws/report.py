"""What is said of a run of the state machine: its record, the words for people, the figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from python_ml.aws.run_folder import RunFolder, RunRequest
from python_ml.engines import cloud
from python_ml.engines.ledger import SUCCEEDED, RunRecord, StepRecord
from python_ml.errors import BadInputError, LeaseHeldError, ModelGateError, UsageError
from python_ml.pipeline.identity import git_sha, lock_hash
from python_ml.settings import Settings

NAMESPACE = "SpanishGas"
_EXIT_CODES = {
    kind.__name__: kind.exit_code
    for kind in (UsageError, BadInputError, ModelGateError, LeaseHeldError)
}


def record_of(request: RunRequest, settings: Settings) -> RunRecord:
    """The record of a run that goes on."""
    return RunRecord(
        run_id=request.run_id,
        mode=request.mode,
        target=settings.target,
        source=request.source,
        started_by=request.started_by,
        started_at=request.started_at,
        batch_sha256=request.batch_sha256 or None,
        work_sha256=request.work_sha256,
        git_sha=git_sha(),
        lock_sha256=lock_hash(),
    )


def add_steps(record: RunRecord, folder: RunFolder, request: RunRequest) -> None:
    """What the steps have left of themselves, in the words of every other run."""
    for step in request.steps():
        document = folder.read(step)
        if document is None:
            continue
        found = {name: document[name] for name in asdict(StepRecord(step)) if name in document}
        status = {"done": SUCCEEDED}.get(document["status"], document["status"])
        record.steps.append(StepRecord(**{**found, "step": step, "status": status}))
        record.peak_memory_mb = max(record.peak_memory_mb, document.get("peak_memory_mb") or 0.0)
        result = document.get("result") or {}
        record.batch_id = result.get("batch_id", record.batch_id)
        record.as_of_date = result.get("as_of_date", record.as_of_date)
        record.model_version = result.get("model_version", record.model_version)
        if step == "land":
            record.row_count = document.get("row_count")


def open_steps(record: RunRecord, request: RunRequest) -> list[str]:
    """Steps that have not succeeded; none of a run that has published."""
    done = {step.step for step in record.steps if step.status == SUCCEEDED}
    return [step for step in request.steps() if step not in done]


def add_error(
    record: RunRecord, folder: RunFolder, request: RunRequest, error: Mapping[str, Any]
) -> None:
    """What failed. A job that could still speak has said it better than the state machine."""
    kind = str(error.get("Error", "unknown"))
    waiting = open_steps(record, request)
    record.failed_step = "evaluate" if kind == ModelGateError.__name__ else waiting[0]
    said = folder.read(record.failed_step)
    if said is not None and said["status"] == "failed":
        record.error_message, record.exit_code = said["error"], said["exit_code"]
    else:
        record.error_message = _plain(str(error.get("Cause", kind)))[:2000]
        record.exit_code = _EXIT_CODES.get(kind, 1)


def _plain(cause: str) -> str:
    """The sentence inside a Cause, which may be a document of Lambda, ECS or SageMaker."""
    try:
        document = json.loads(cause)
    except ValueError:
        return cause
    if not isinstance(document, dict):
        return cause
    for name in ("errorMessage", "FailureReason", "StoppedReason", "ExitMessage"):
        if document.get(name):
            return str(document[name])
    return cause


def message(record: RunRecord) -> str:
    """How the run ended, for people."""
    if record.status == SUCCEEDED:
        customers = {step.step: step.row_count for step in record.steps}["score"]
        return (
            f"Run {record.run_id} (mode {record.mode}) has published "
            f"{customers or 0:,} customers as of {record.as_of_date}, scored with "
            f"{record.model_version}, in {record.seconds / 60:.0f} minutes."
        )
    return (
        f"Run {record.run_id} (mode {record.mode}) failed at step {record.failed_step}: "
        f"{record.error_message}\nExit code {record.exit_code}. What was published before stays. "
        "docs/runbook.md says what to do."
    )


def count(record: RunRecord, folder: RunFolder, settings: Settings) -> None:
    """Figures that alarms watch."""
    drift = folder.read("drift") or {}
    figures = {
        "RunSucceeded": float(record.status == SUCCEEDED),
        "RunFailed": float(record.status != SUCCEEDED),
        "RunSeconds": record.seconds,
        "DriftAlarms": float((drift.get("result") or {}).get("alarm_count", 0)),
    }
    dimensions = [{"Name": "Warehouse", "Value": settings.athena.schema}]
    cloud.client("cloudwatch", settings.athena.region).put_metric_data(
        Namespace=NAMESPACE,
        MetricData=[
            {"MetricName": name, "Value": value, "Dimensions": dimensions}
            for name, value in figures.items()
        ],
    )
