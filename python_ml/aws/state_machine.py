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
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from python_ml.aws.report import add_error, add_steps, count, message, open_steps, record_of
from python_ml.aws.run_folder import RunFolder, RunRequest, changed_since
from python_ml.aws.uploads import FAILED, SUCCEEDED, UploadTable
from python_ml.contracts.gold import require_experiments
from python_ml.doctor.athena import check_account
from python_ml.doctor.diagnosis import Diagnosis
from python_ml.engines import cloud, open_engine, open_ledger, open_store
from python_ml.engines.ledger import DONE, Lease, RunLedger, iso, new_lease
from python_ml.engines.published import lost_of_published, lost_text
from python_ml.errors import LeaseHeldError, NotFoundError, SpanishGasError, UsageError
from python_ml.pipeline.closing import keep_assignments, keep_costs
from python_ml.pipeline.identity import identify_batch, work_hash
from python_ml.pipeline.record import write_run_tables
from python_ml.pipeline.retention import mend
from python_ml.registry import APPROVED, PENDING, open_registry
from python_ml.settings import Settings, load_settings

APPROVED_VERDICT, CHAMPION_VERDICT, REJECTED_VERDICT = "approved", "champion", "rejected"
MODES = ("train", "score")
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
        "check": check,
    }
    result = actions[event["action"]](_settings(), event)
    log.info("%s %s: %s", event["action"], event.get("run_id"), result)
    return result


def begin(settings: Settings, event: Mapping[str, Any]) -> dict[str, Any]:
    """Take the lease and the batch, and record the run as running.

    Returns:
        `is_done`: whether nothing is to be done, since a run of this id has already succeeded, or,
        unless `event["force"]`, one of this batch in this mode by this code and these settings, and
        what is published is there.

    Raises:
        UsageError: there is no such mode, or an experiment of the settings has no features.
        BadInputError: there is no batch, or it is not the one that the run was started for.
        LeaseHeldError: another run holds the warehouse; the state machine waits.
        SpanishGasError: mode score, and there is no champion.
    """
    if event["mode"] not in MODES:
        raise UsageError(f"mode {event['mode']!r}: it is one of {', '.join(MODES)}")
    require_experiments(settings)
    folder = RunFolder(open_store(settings), event["run_id"])
    if _has_succeeded(folder):
        return {"is_done": True}
    ledger, lease = open_ledger(settings), _lease(event["run_id"], event["mode"])
    _free_lease_of_ended(ledger)
    ledger.acquire(lease, _lease_seconds())
    request = _request(settings, event)
    folder.write_request(request)
    standing = ledger.claim(request.claim(), _lease_seconds(), force=request.force)
    if standing is not None and standing.state != DONE and has_ended(standing.run_id):
        ledger.finish(standing, succeeded=False)
        standing = ledger.claim(request.claim(), _lease_seconds(), force=request.force)
    if standing is not None and standing.state == DONE and (lost := lost_of_published(settings)):
        log.warning("%s: run again, for want of %s", request.run_id, lost_text(lost))
        standing = ledger.claim(request.claim(), _lease_seconds(), force=True)
    if standing is not None:
        ledger.release(lease)
        if standing.state != DONE:  # its run ends, or its claim expires
            raise LeaseHeldError(f"{request.source} is being run already, by {standing.run_id}")
        _mark_upload(settings, request, SUCCEEDED)
        log.info("%s: run %s has run this very batch", request.run_id, standing.run_id)
        return {"is_done": True}
    engine = open_engine(settings)
    engine.settle()
    engine.clear(keep=[event["run_id"]])  # what runs that failed have built
    if event["mode"] == "score":
        open_registry(settings).require_champion()
    ledger.save(record_of(request, settings))
    try:  # here, so that no job needs a right to the table that holds the lease
        mend(settings, ledger, event["run_id"])
    except SpanishGasError as failure:  # the next run tries again
        log.warning("what earlier runs have left could not be mended: %s", failure)
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

    A call that died half way is finished by the next one.

    Raises:
        LeaseHeldError: the lease has gone to another run.
        SpanishGasError: the marts of this run have not been built.
    """
    folder = RunFolder(open_store(settings), event["run_id"])
    version = folder.result("score")["model_version"]
    folder.result("marts")
    run_id, request = event["run_id"], folder.request()
    open_ledger(settings).beat(_lease(run_id, request.mode), _lease_seconds())
    engine = open_engine(settings)
    if not engine.is_published(run_id):
        with engine.warehouse(run_id) as warehouse:
            keep_assignments(warehouse, run_id)
    engine.publish(run_id)
    # The pointer of the tables decides; a run that dies here is mended by the next.
    open_registry(settings).promote(version, run_id)
    folder.write("publish", _done({"model_version": version}))
    try:
        with engine.warehouse() as warehouse:
            costs = engine.costs_since(datetime.fromisoformat(request.started_at))
            keep_costs(warehouse, costs, run_id)
        engine.remove_other_batches(folder.result("land")["batch_id"])
    except SpanishGasError as failure:  # it is published all the same
        log.warning("run %s: %s", run_id, failure)
    return {"model_version": version}


def end(settings: Settings, event: Mapping[str, Any]) -> dict[str, Any]:
    """Record how the run ended, give back batch and lease, and count it in CloudWatch.

    `event["error"]`, as a Catch of the state machine gives it, says that it failed.

    Returns:
        The record, with a `message` for people.
    """
    folder = RunFolder(open_store(settings), event["run_id"])
    if (ended := _ended(folder)) is not None:  # told by the state machine, and by its event
        return {name: ended[name] for name in ("status", "failed_step", "message")}
    if not folder.has_begun():
        folder.write_request(_requested(event))
    request, error, now = folder.request(), event.get("error"), datetime.now(UTC)
    record = record_of(request, settings)
    add_steps(record, folder, request)
    if not open_steps(record, request):
        error = None  # it has published; that its end could not be recorded at first is no failure
    record.status = SUCCEEDED if error is None else FAILED
    record.exit_code = 0 if error is None else 1
    record.ended_at = iso(now)
    record.seconds = (now - datetime.fromisoformat(record.started_at)).total_seconds()
    if error is not None:
        add_error(record, folder, request, error)
    ledger = open_ledger(settings)
    # Each is tried, whichever fails: above all, batch and lease must come back. What has failed is
    # raised at the end, so that the state machine asks again.
    failures: list[Exception] = []
    acts: tuple[Callable[[], object], ...] = (
        lambda: ledger.save(record),
        lambda: (
            ledger.finish(request.claim(), succeeded=error is None)
            if request.work_sha256 is not None
            else None
        ),
        lambda: ledger.release(_lease(record.run_id, record.mode)),
        lambda: _mark_upload(settings, request, record.status),
        lambda: count(record, folder, settings),
    )
    for act in acts:
        try:
            act()
        except Exception as failure:
            log.warning("the end of run %s: %s", record.run_id, failure)
            failures.append(failure)
    if failures:
        raise failures[0]
    try:
        write_run_tables(settings, record)
    except SpanishGasError as failure:  # the ledger has it
        log.warning("run %s is not in the tables of runs: %s", record.run_id, failure)
    told = message(record)
    folder.write("end", {**record.as_dict(), "message": told})
    return {"status": record.status, "failed_step": record.failed_step, "message": told}


def _of_stopped(detail: Mapping[str, Any]) -> dict[str, Any]:
    """The action for an execution that was aborted or ran out of time."""
    document = json.loads(detail["input"])
    cause = detail.get("cause") or f"the execution {detail['status'].lower().replace('_', ' ')}"
    error = {"Error": detail.get("error") or detail["status"], "Cause": cause}
    return {**document, "action": "end", "error": error}


def _request(settings: Settings, event: Mapping[str, Any]) -> RunRequest:
    """What the run is to do, with the batch that lies there now."""
    identity = identify_batch(event["source"], mapping=settings.land.mapping).sha256
    if event["batch_sha256"] not in ("", identity):
        raise changed_since(event["source"])
    work = work_hash(settings)
    return replace(_requested(event), batch_sha256=identity, work_sha256=work)


def _requested(event: Mapping[str, Any]) -> RunRequest:
    return RunRequest(
        run_id=event["run_id"],
        mode=event["mode"],
        source=event["source"],
        batch_sha256=event.get("batch_sha256", ""),
        started_by=event.get("started_by", "unknown"),
        started_at=iso(datetime.now(UTC)),
        attempt=secrets.token_hex(8),
        force=bool(event.get("force")),
    )


def _mark_upload(settings: Settings, request: RunRequest, state: str) -> None:
    """An upload whose run has failed may come again; nothing happens to a batch of another kind."""
    uploads = UploadTable(settings.athena.runs_table, settings.athena.schema)
    uploads.mark_ended(request.batch_sha256, request.run_id, state, datetime.now(UTC))


def check(settings: Settings, _event: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a run would find what it needs, asked with the rights of this function.

    A deployment ends with it.

    Raises:
        SpanishGasError: something is missing; the message names it.
    """
    found = Diagnosis(settings.target, check_account(settings))
    if found.failed:
        told = "; ".join(f"{one.name}: {one.detail}" for one in found.failed)
        raise SpanishGasError(f"{len(found.failed)} of {len(found.checks)} checks failed: {told}")
    return found.as_dict()


def has_ended(run_id: str) -> bool:
    """Whether the execution of a run is known to have ended.

    A run of the command line, which has no execution, is not known to have.
    """
    execution = os.environ["STATE_MACHINE_ARN"].replace(":stateMachine:", ":execution:")
    try:
        described = cloud.client("stepfunctions").describe_execution(
            executionArn=f"{execution}:{run_id}"
        )
    except NotFoundError:
        return False
    return str(described["status"]) != "RUNNING"


def _free_lease_of_ended(ledger: RunLedger) -> None:
    """Give back the lease of an execution that died: nobody waits for it to expire."""
    holder = ledger.holder()
    if holder is not None and has_ended(holder.run_id):
        log.warning("run %s has ended and left the lease; it is free again", holder.run_id)
        ledger.release(holder)


def _has_succeeded(folder: RunFolder) -> bool:
    """Whether the run, whose id this is, needs nothing more."""
    ended = _ended(folder)
    return ended is not None and ended["status"] == SUCCEEDED


def _ended(folder: RunFolder) -> dict[str, Any] | None:
    """What is recorded of the end of the run's present attempt."""
    return folder.read("end") if folder.has_begun() else None


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
