"""What the state machine asks of Python between its jobs, as one Lambda function.

Jobs do the work; this takes the lease, reads the gate's verdict, moves the champion pointer and
records how the run ended. Every action can be repeated without harm.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3

from python_ml.aws.run_folder import RunFolder, RunRequest
from python_ml.aws.uploads import FAILED, SUCCEEDED, UploadTable
from python_ml.config import Settings, load_settings
from python_ml.errors import (
    LeaseHeldError,
    ModelGateError,
    SpanishGasError,
    UsageError,
)
from python_ml.registry import APPROVED, PENDING, open_registry
from python_ml.runs import open_manifest
from python_ml.runs.identity import git_sha, lock_hash
from python_ml.runs.manifest import Lease, RunRecord, StepRecord, iso, new_lease
from python_ml.runs.record import write_run_tables
from python_ml.store import open_store
from python_ml.warehouse.athena_publication import Publication

NAMESPACE = "SpanishGas"
APPROVED_VERDICT, CHAMPION_VERDICT, REJECTED_VERDICT = "approved", "champion", "rejected"
MODES = ("train", "score")
_EXIT_CODES = {
    kind.__name__: kind.exit_code for kind in (UsageError, ModelGateError, LeaseHeldError)
}
_LEASE_MARGIN_SECONDS = 600  # beyond the longest execution, to record how it ended

log = logging.getLogger(__name__)


def handler(event: Mapping[str, Any], _context: object = None) -> dict[str, Any]:
    """Entry point of the Lambda function.

    `event` has `action` and `run_id`; an event of EventBridge that an execution was stopped or ran
    out of time counts as the action `end`, since such an execution takes no step any more.
    """
    if "detail" in event:
        event = _of_stopped(event["detail"])
    actions: dict[str, Callable[[Settings, Mapping[str, Any]], dict[str, Any]]] = {
        "begin": begin,
        "gate": gate,
        "register": register,
        "publish": publish,
        "end": end,
    }
    result = actions[event["action"]](_settings(), event)
    log.info("%s %s: %s", event["action"], event.get("run_id"), result)
    return result


def begin(settings: Settings, event: Mapping[str, Any]) -> dict[str, Any]:
    """Take the lease and record the run as running.

    Returns:
        `is_done`: whether a run of this id has already succeeded, so that nothing is to be done.

    Raises:
        UsageError: there is no such mode.
        LeaseHeldError: another run holds the warehouse; the state machine waits.
        SpanishGasError: mode score, and there is no champion.
    """
    if event["mode"] not in MODES:
        raise UsageError(f"mode {event['mode']!r}: it is one of {', '.join(MODES)}")
    folder = RunFolder(open_store(settings), event["run_id"])
    if _has_succeeded(folder):
        return {"is_done": True}
    manifest = open_manifest(settings)
    manifest.acquire(_lease(event["run_id"], event["mode"]), _lease_seconds())
    publication = Publication(settings.athena)
    publication.settle()
    publication.clear(keep=[event["run_id"]])  # what runs that failed have built
    if event["mode"] == "score":
        open_registry(settings).require_champion()
    request = _request(event)
    folder.write_request(request)
    manifest.save(_record(request, settings))
    return {"is_done": False}


def gate(settings: Settings, event: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict on the run's candidate, and which model is to score.

    `approved`: the candidate scores. `champion`: it has passed and waits for a person, so the
    champion in place scores. `rejected`: nothing scores; `reason` says why.
    """
    evaluated = RunFolder(open_store(settings), event["run_id"]).result("evaluate")
    version = evaluated["model_version"]
    registry = open_registry(settings)
    # The registry decides, not the job's report: a person may have approved it in between.
    status = registry.status(version)
    reason = registry.decisions(version)[-1]["reason"]
    champion = registry.champion()
    if status == APPROVED:
        verdict, scoring = APPROVED_VERDICT, version
    elif status == PENDING and champion is not None:
        verdict, scoring = CHAMPION_VERDICT, champion
    else:
        verdict, scoring = REJECTED_VERDICT, ""
        if status == PENDING:
            reason += f"; no champion is in place to score with: `spanishgas promote {version}`"
    return {
        "verdict": verdict,
        "model_version": version,
        "scoring_version": scoring,
        "reason": f"model {version} is {status}: {reason}",
    }


def register(settings: Settings, event: Mapping[str, Any]) -> dict[str, Any]:
    """Bind the approved candidate to the run: from here on, it scores and is published.

    Raises:
        SpanishGasError: it is not an approved version; the gate cannot be passed by.
    """
    folder = RunFolder(open_store(settings), event["run_id"])
    version = folder.result("evaluate")["model_version"]
    if (status := open_registry(settings).status(version)) != APPROVED:
        raise SpanishGasError(f"model {version} is {status}; only Approved ones are registered")
    folder.write("register", _done({"model_version": version}))
    return {"model_version": version}


def publish(settings: Settings, event: Mapping[str, Any]) -> dict[str, Any]:
    """Make the run's tables the published ones, and the model that has scored the champion.

    Raises:
        LeaseHeldError: the lease has gone to another run.
        SpanishGasError: the marts of this run have not been built.
    """
    folder = RunFolder(open_store(settings), event["run_id"])
    version = folder.result("score")["model_version"]
    folder.result("marts")
    lease = _lease(event["run_id"], folder.request().mode)
    open_manifest(settings).beat(lease, _lease_seconds())
    # The pointer of the tables decides; a run that dies behind it is settled by the next.
    Publication(settings.athena).publish(event["run_id"])
    open_registry(settings).promote(version, event["run_id"])
    folder.write("publish", _done({"model_version": version}))
    return {"model_version": version}


def end(settings: Settings, event: Mapping[str, Any]) -> dict[str, Any]:
    """Record how the run ended, give back batch and lease, and count it in CloudWatch.

    `event["error"]`, as a Catch of the state machine gives it, says that it failed.

    Returns:
        The record, with a `message` for people.
    """
    folder = RunFolder(open_store(settings), event["run_id"])
    if _has_succeeded(folder):
        return {"status": SUCCEEDED, "message": "recorded before"}
    if not folder.has_begun():
        folder.write_request(_request(event))
    request, error, now = folder.request(), event.get("error"), datetime.now(UTC)
    record = _record(request, settings)
    record.status = SUCCEEDED if error is None else FAILED
    record.exit_code = 0 if error is None else 1
    record.ended_at = iso(now)
    record.seconds = (now - datetime.fromisoformat(record.started_at)).total_seconds()
    _add_steps(record, folder, request)
    if error is not None:
        _add_error(record, folder, request, error)
    manifest = open_manifest(settings)
    manifest.save(record)
    try:
        write_run_tables(settings, record)
    except SpanishGasError as failure:  # the manifest has it; the lease must come back
        log.warning("run %s is not in the tables of runs: %s", record.run_id, failure)
    manifest.release(_lease(record.run_id, record.mode))
    if record.batch_sha256:
        uploads = UploadTable(settings.athena.runs_table, settings.athena.schema)
        uploads.mark_ended(record.batch_sha256, record.run_id, record.status, now)
    _count(record, folder, settings)
    message = _message(record)
    folder.write("end", {**record.as_dict(), "message": message})
    return {"status": record.status, "failed_step": record.failed_step, "message": message}


def _record(request: RunRequest, settings: Settings) -> RunRecord:
    return RunRecord(
        run_id=request.run_id,
        mode=request.mode,
        target=settings.target,
        source=request.source,
        started_by=request.started_by,
        started_at=request.started_at,
        batch_sha256=request.batch_sha256 or None,
        git_sha=git_sha(),
        lock_sha256=lock_hash(),
    )


def _add_steps(record: RunRecord, folder: RunFolder, request: RunRequest) -> None:
    for step in request.steps():
        document = folder.read(step)
        if document is None:
            continue
        found = {name: document[name] for name in asdict(StepRecord(step)) if name in document}
        record.steps.append(StepRecord(**{**found, "step": step}))
        record.peak_memory_mb = max(record.peak_memory_mb, document.get("peak_memory_mb") or 0.0)
        result = document.get("result") or {}
        record.batch_id = result.get("batch_id", record.batch_id)
        record.as_of_date = result.get("as_of_date", record.as_of_date)
        record.model_version = result.get("model_version", record.model_version)
        if step == "score":
            record.row_count = document.get("row_count")


def _add_error(
    record: RunRecord, folder: RunFolder, request: RunRequest, error: Mapping[str, Any]
) -> None:
    """What failed. A job that could still speak has said it better than the state machine."""
    kind = str(error.get("Error", "unknown"))
    done = {step.step for step in record.steps if step.status == "done"}
    waiting = [step for step in request.steps() if step not in done]
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


def _message(record: RunRecord) -> str:
    if record.status == SUCCEEDED:
        return (
            f"Run {record.run_id} (mode {record.mode}) has published "
            f"{record.row_count or 0:,} customers as of {record.as_of_date}, scored with "
            f"{record.model_version}, in {record.seconds / 60:.0f} minutes."
        )
    return (
        f"Run {record.run_id} (mode {record.mode}) failed at step {record.failed_step}: "
        f"{record.error_message}\nExit code {record.exit_code}. What was published before stays. "
        "docs/runbook.md says what to do."
    )


def _count(record: RunRecord, folder: RunFolder, settings: Settings) -> None:
    """Figures that alarms watch."""
    drift = folder.read("drift") or {}
    figures = {
        "RunSucceeded": float(record.status == SUCCEEDED),
        "RunFailed": float(record.status != SUCCEEDED),
        "RunSeconds": record.seconds,
        "DriftAlarms": float((drift.get("result") or {}).get("alarm_count", 0)),
    }
    dimensions = [{"Name": "Warehouse", "Value": settings.athena.schema}]
    boto3.client("cloudwatch", region_name=settings.athena.region).put_metric_data(
        Namespace=NAMESPACE,
        MetricData=[
            {"MetricName": name, "Value": value, "Dimensions": dimensions}
            for name, value in figures.items()
        ],
    )


def _of_stopped(detail: Mapping[str, Any]) -> dict[str, Any]:
    """The action for an execution that was aborted or ran out of time."""
    document = json.loads(detail["input"])
    cause = detail.get("cause") or f"the execution {detail['status'].lower().replace('_', ' ')}"
    error = {"Error": detail.get("error") or detail["status"], "Cause": cause}
    return {**document, "action": "end", "error": error}


def _request(event: Mapping[str, Any]) -> RunRequest:
    return RunRequest(
        run_id=event["run_id"],
        mode=event["mode"],
        source=event["source"],
        batch_sha256=event.get("batch_sha256", ""),
        started_by=event.get("started_by", "unknown"),
        started_at=iso(datetime.now(UTC)),
        attempt=secrets.token_hex(8),
    )


def _has_succeeded(folder: RunFolder) -> bool:
    """Whether the run, whose id this is, needs nothing more."""
    ended = folder.read("end") if folder.has_begun() else None
    return ended is not None and ended["status"] == SUCCEEDED


def _done(result: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a step that took no job."""
    return {"status": "done", "started_at": iso(datetime.now(UTC)), "result": dict(result)}


def _lease(run_id: str, mode: str) -> Lease:
    """The lease is the execution's, whichever container asks: its token follows from the run id."""
    token = f"execution-{run_id}"
    return replace(new_lease(run_id, mode), token=token, user="state machine")


def _lease_seconds() -> float:
    return float(os.environ["EXECUTION_SECONDS"]) + _LEASE_MARGIN_SECONDS


@cache
def _settings() -> Settings:
    return load_settings({"target": "athena"})
