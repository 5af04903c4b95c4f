"""Whose turn it is, and which batches are run: lease and claims, by upload, by hand and forced."""

from __future__ import annotations

import json

import boto3
import pytest

from python_ml.aws import state_machine as control
from python_ml.aws import step, trigger
from python_ml.aws.uploads import UploadTable
from python_ml.engines import open_ledger
from python_ml.engines.ledger import CLAIMED, DONE, BatchClaim, RunRecord, new_lease
from python_ml.errors import BadInputError, QualityGateError
from python_ml.pipeline.identity import identify_batch
from python_ml.pipeline.workspace import Run
from tests.unit import aws_fixture as aws
from tests.unit.machine_fixture import (
    SOURCE,
    Jobs,
    error_of,
    is_free,
    put_batch,
    put_champion,
    record,
    run,
)

pytestmark = pytest.mark.slow


def test_a_run_id_that_has_succeeded_does_nothing_again(jobs: Jobs) -> None:
    run(jobs, "r1")
    aws.notifications()
    jobs.calls.clear()
    again = boto3.client("stepfunctions").start_execution(
        stateMachineArn=jobs.machine,
        name="r1-by-hand",
        input=json.dumps(
            {
                **{"run_id": "r1", "mode": "train", "source": SOURCE, "batch_sha256": ""},
                **{"force": True, "started_by": "t"},
            }
        ),
    )
    ended = aws.wait_for(again["executionArn"])
    assert ended["status"] == "SUCCEEDED"
    assert ended["states"] == ["Begin", "IsDone", "AlreadyDone"]
    assert not jobs.calls
    assert not aws.notifications()
    assert is_free(jobs)


def claim_by_hand(jobs: Jobs, mode: str = "train") -> tuple[BatchClaim, BatchClaim | None]:
    """What `spanishgas run --target athena` of the same prefix does before its first step."""
    by_hand = Run(jobs.settings, mode, source=SOURCE)
    by_hand.identity = identify_batch(SOURCE)
    claim = BatchClaim(by_hand.identity.sha256, mode, CLAIMED, "by-hand", by_hand.work_sha256)
    return claim, open_ledger(jobs.settings).claim(claim, 300)


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is gone of what was published; nothing, as long as nothing is put in."""
    found: list[str] = []
    monkeypatch.setattr(control, "lost_of_published", lambda _: found)
    return found


def test_a_batch_that_was_run_by_hand_is_not_run_again_unless_forced(
    jobs: Jobs, lost: list[str]
) -> None:
    claim, standing = claim_by_hand(jobs)
    assert standing is None
    open_ledger(jobs.settings).finish(claim, succeeded=True)
    ended = run(jobs, "r1")
    assert (ended["status"], ended["states"]) == ("SUCCEEDED", ["Begin", "IsDone", "AlreadyDone"])
    assert is_free(jobs)
    assert not jobs.calls
    put_champion(jobs)
    assert run(jobs, "r2", mode="score")["states"][-1] == "Succeeded"  # another mode, another claim
    assert run(jobs, "r3", force=True)["states"][-1] == "Succeeded"
    put_batch("corrected")
    assert run(jobs, "r4")["states"][-1] == "Succeeded"
    assert run(jobs, "r5")["states"][-1] == "AlreadyDone"
    lost.append("gold_master (spanishgas in Athena)")
    assert run(jobs, "r6")["states"][-1] == "Succeeded", "the record alone is not believed"
    assert [r.run_id for r in open_ledger(jobs.settings).runs()] == ["r6", "r4", "r3", "r2"]


@pytest.mark.usefixtures("lost")
def test_a_batch_that_the_state_machine_has_run_is_not_run_again_by_hand(jobs: Jobs) -> None:
    jobs.errors["gold"] = [QualityGateError("1 data test failed")]
    run(jobs, "r1")
    claim, standing = claim_by_hand(jobs)
    assert standing is None  # the failed run has given it back
    open_ledger(jobs.settings).finish(claim, succeeded=False)
    run(jobs, "r2")
    _, standing = claim_by_hand(jobs)
    assert standing is not None
    assert (standing.state, standing.run_id) == (DONE, "r2")
    assert run(jobs, "r3")["states"][-1] == "AlreadyDone"


def test_a_batch_that_is_being_run_is_waited_for(jobs: Jobs) -> None:
    claim, _ = claim_by_hand(jobs)
    ended = run(jobs, "r1")
    assert (ended["status"], ended["error"]) == ("FAILED", "LeaseHeldError")
    assert "is being run already, by by-hand" in error_of(jobs, "r1")
    assert is_free(jobs)
    open_ledger(jobs.settings).finish(claim, succeeded=False)
    assert run(jobs, "r2")["states"][-1] == "Succeeded"


@pytest.mark.parametrize("when", ["waiting", "begun"])
def test_a_batch_that_was_written_over_before_it_is_read_ends_its_run(
    jobs: Jobs, when: str
) -> None:
    started_for = identify_batch(SOURCE).sha256
    document = {"run_id": "r1", "mode": "train", "source": SOURCE, "batch_sha256": started_for}
    if when == "begun":
        control.handler({**document, "force": False, "started_by": "upload", "action": "begin"})
        put_batch("corrected")
        with pytest.raises(BadInputError, match="no longer what this run was started for"):
            step.run_step(jobs.settings, "r1", "land")
        return
    put_batch("corrected")
    ended = run(jobs, "r1", batch_sha256=started_for)
    assert (ended["status"], ended["error"]) == ("FAILED", "BadInputError")
    assert record(jobs, "r1").exit_code == 3
    assert is_free(jobs)
    assert run(jobs, "r2", batch_sha256=identify_batch(SOURCE).sha256)["status"] == "SUCCEEDED"


def test_a_run_waits_for_the_lease_and_gives_up_with_words(jobs: Jobs) -> None:
    manifest = open_ledger(jobs.settings)
    held = manifest.acquire(new_lease("someone", "train"), 3600)
    ended = run(jobs, "r1")
    assert (ended["status"], ended["error"]) == ("FAILED", "LeaseHeldError")
    assert ended["states"].count("Begin") == 1
    assert not jobs.calls
    assert "held by run someone" in error_of(jobs, "r1")
    holder = manifest.holder()
    assert holder is not None and holder.run_id == "someone"  # what is another's stays
    manifest.release(held)
    assert run(jobs, "r2")["status"] == "SUCCEEDED"


def start(jobs: Jobs, run_id: str, mode: str = "train") -> str:
    """An execution named after its run that has taken the lease and goes on for ever."""
    waits = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 600, "End": True}}}
    client = boto3.client("stepfunctions")
    client.update_state_machine(stateMachineArn=jobs.machine, definition=json.dumps(waits))
    execution = client.start_execution(stateMachineArn=jobs.machine, name=run_id, input="{}")
    client.update_state_machine(stateMachineArn=jobs.machine, definition=aws.render())
    document = {"run_id": run_id, "mode": mode, "source": SOURCE, "batch_sha256": ""}
    control.handler({**document, "force": False, "started_by": "upload", "action": "begin"})
    return str(execution["executionArn"])


def test_a_run_that_died_frees_lease_and_batch_for_the_next_within_a_poll(jobs: Jobs) -> None:
    """It could not record its end, and its lease would hold for twelve hours."""
    execution = start(jobs, "dead")
    ended = run(jobs, "r1")
    assert (ended["status"], ended["error"]) == ("FAILED", "LeaseHeldError")  # it still runs
    boto3.client("stepfunctions").stop_execution(executionArn=execution)
    ended = run(jobs, "r2")
    assert ended["status"] == "SUCCEEDED"
    assert is_free(jobs)


def test_an_end_that_is_told_twice_is_recorded_once(jobs: Jobs) -> None:
    """By the failure path of the state machine, and by the event that the execution failed."""
    jobs.errors["gold"] = [QualityGateError("1 data test failed")]
    ended = run(jobs, "r1")
    before = record(jobs, "r1")
    detail = {"input": ended["input"], "status": "FAILED"}
    answer = control.handler({"detail": detail})
    assert answer["status"] == "failed"
    assert "1 data test failed" in answer["message"]
    assert record(jobs, "r1") == before


def test_a_duplicate_upload_starts_nothing_and_a_failed_one_may_come_again(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_MACHINE_ARN", jobs.machine)
    monkeypatch.setenv("RUNS_TABLE", aws.TABLE)
    monkeypatch.setenv("WAREHOUSE", jobs.settings.athena.schema)
    for cached in (trigger._s3, trigger._states, trigger._uploads):
        cached.cache_clear()
    s3 = boto3.client("s3")
    names = ["churn_label", "customer_attributes", "customer_contracts", "price_history"]
    names += ["costs_by_province_month", "consumption_hourly_2024", "customer_interactions"]
    for name in names:
        s3.put_object(Bucket=aws.LAKE, Key=f"raw/train/a/{name}.csv", Body=name.encode())
    objects = [{"key": f"raw/train/a/{name}.csv"} for name in names]
    event = {"Records": [{"s3": {"bucket": {"name": aws.LAKE}, "object": o}} for o in objects]}
    jobs.errors["gold"] = [QualityGateError("1 data test failed")]
    assert [b["outcome"] for b in trigger.handler(event)["batches"]] == ["started"]
    listed = boto3.client("stepfunctions").list_executions(stateMachineArn=jobs.machine)
    (execution,) = listed["executions"]
    ended = aws.wait_for(execution["executionArn"])
    assert ended["status"] == "FAILED"
    sha256 = json.loads(ended["input"])["batch_sha256"]
    uploads = UploadTable(aws.TABLE, jobs.settings.athena.schema)
    upload = uploads.read(sha256)
    assert upload is not None and upload["state"] == "failed"
    for _ in range(3):
        assert [b["outcome"] for b in trigger.handler(event)["batches"]] == ["known"]
    listed = boto3.client("stepfunctions").list_executions(stateMachineArn=jobs.machine)
    assert len(listed["executions"]) == 1
    assert jobs.calls["land"] == 1


def test_a_run_that_ended_without_a_word_is_recorded_by_the_next(jobs: Jobs) -> None:
    """By the control function: a job has no right to the table but to write its own record."""
    ledger = open_ledger(jobs.settings)
    ledger.save(RunRecord("r1", "train", "athena", started_at="2024-01-01T00:00:00+00:00"))
    assert run(jobs, "r2")["status"] == "SUCCEEDED"
    dead = record(jobs, "r1")
    assert dead.status == "failed"
    assert "ended without a word" in error_of(jobs, "r1")
