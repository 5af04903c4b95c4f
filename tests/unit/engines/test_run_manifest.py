"""Both stores of the run manifest, held to the same rules."""

from __future__ import annotations

import getpass
import hashlib
import json
import multiprocessing
import os
import socket
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from python_ml.engines import ledger as manifest_module
from python_ml.engines import sqlite_ledger as local
from python_ml.engines.dynamodb_ledger import DynamoLedger
from python_ml.engines.ledger import (
    DONE,
    FAILED,
    RUNNING,
    SUCCEEDED,
    BatchClaim,
    Lease,
    RunLedger,
    RunRecord,
    StepRecord,
    held_by,
    iso,
    listing_hash,
    lost,
    new_lease,
    new_run_id,
    user_name,
)
from python_ml.engines.sqlite_ledger import SqliteLedger
from python_ml.errors import LeaseHeldError
from tests.unit.aws_fixture import create_runs_table

REGION = "eu-south-2"


@pytest.fixture
def dynamo_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        create_runs_table("runs")
        yield "runs"


@pytest.fixture(params=["local", "dynamodb"])
def open_another(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], RunLedger]:
    """Opens the same manifest as another process would."""
    if request.param == "local":
        return lambda: SqliteLedger(tmp_path)
    table = request.getfixturevalue("dynamo_table")
    return lambda: DynamoLedger(table, "spanishgas", REGION)


def claim(run_id: str, work: Any = "w1", mode: str = "train") -> BatchClaim:
    return BatchClaim("b" * 64, mode, "claimed", run_id, work)


def standing_claim(manifest: RunLedger, claim: BatchClaim) -> BatchClaim:
    """The claim that stands in the way of another one."""
    standing = manifest.claim(claim, 60)
    assert standing is not None
    return standing


def test_the_words_of_a_record_are_those_that_older_homes_and_scripts_have() -> None:
    assert (RUNNING, SUCCEEDED, FAILED) == ("running", "succeeded", "failed")


def test_one_holds_the_lease_and_the_second_is_told_who(
    open_another: Callable[[], RunLedger],
) -> None:
    first, second = open_another(), open_another()
    held = first.acquire(new_lease("run-1", "train"), 60)
    with pytest.raises(LeaseHeldError, match="run-1") as refused:
        second.acquire(new_lease("run-2", "score"), 60)
    assert f"process {os.getpid()}" in str(refused.value)
    assert held.expires_at in str(refused.value)
    assert refused.value.exit_code == 6
    holder = second.holder()
    assert holder is not None and holder.run_id == "run-1"

    first.release(held)
    assert second.holder() is None
    second.acquire(new_lease("run-2", "score"), 60)


def test_the_holder_may_take_the_lease_again_and_renew_it(
    open_another: Callable[[], RunLedger],
) -> None:
    manifest = open_another()
    held = manifest.acquire(new_lease("run-1", "train"), 1)
    again = manifest.acquire(held, 1000)
    assert again.token == held.token
    manifest.beat(held, 100_000)
    renewed = manifest.holder()
    assert renewed is not None and renewed.expires_at > again.expires_at


def test_a_lease_that_has_gone_to_another_is_noticed(open_another: Callable[[], RunLedger]) -> None:
    manifest = open_another()
    held = manifest.acquire(new_lease("run-1", "train"), 60)
    stranger = replace(held, token="another")
    with pytest.raises(LeaseHeldError, match="lost its lease"):
        manifest.beat(stranger, 60)
    manifest.release(held)
    with pytest.raises(LeaseHeldError, match="lost its lease"):
        manifest.beat(held, 60)


def test_a_batch_is_done_once_by_the_same_work(open_another: Callable[[], RunLedger]) -> None:
    manifest = open_another()
    assert manifest.claim(claim("run-1"), 60) is None
    assert manifest.claim(claim("run-1"), 60) is None, "the run itself may claim it again"
    manifest.finish(claim("run-1"), succeeded=True)
    standing = standing_claim(manifest, claim("run-2"))
    assert (standing.state, standing.run_id) == (DONE, "run-1")
    assert manifest.claim(claim("run-2", work="w2"), 60) is None, "other code or settings"
    assert manifest.claim(claim("run-3", mode="score"), 60) is None, "another mode"


def test_a_batch_of_a_failed_run_can_be_run_again(open_another: Callable[[], RunLedger]) -> None:
    manifest = open_another()
    assert manifest.claim(claim("run-1"), 60) is None
    manifest.finish(claim("run-1"), succeeded=False)
    assert manifest.claim(claim("run-2"), 60) is None
    manifest.finish(claim("run-1"), succeeded=False)  # late, and not its claim any more
    manifest.finish(claim("run-2"), succeeded=True)
    assert standing_claim(manifest, claim("run-3")).run_id == "run-2"


def test_the_claim_of_a_run_that_did_the_batch_stands_again_when_a_later_one_fails(
    open_another: Callable[[], RunLedger],
) -> None:
    """Neither a forced run, nor one with other settings, that fails lets the batch be run again."""
    manifest = open_another()
    assert manifest.claim(claim("run-1"), 60) is None
    manifest.finish(claim("run-1"), succeeded=True)
    for later in (claim("run-2"), claim("run-3", work="w2")):
        assert manifest.claim(later, 60, force=True) is None
        assert manifest.claim(later, 60) is None, "renewed, and still known"
        manifest.finish(later, succeeded=False)
        assert standing_claim(manifest, claim("run-4")).run_id == "run-1"
    assert manifest.claim(claim("run-5"), -1, force=True) is None
    assert manifest.claim(claim("run-6"), 60, force=True) is None, "the fifth has died"
    manifest.finish(claim("run-6"), succeeded=False)
    assert standing_claim(manifest, claim("run-7")).run_id == "run-1"
    assert manifest.claim(claim("run-8"), 60, force=True) is None
    manifest.finish(claim("run-8"), succeeded=True)
    assert manifest.claim(claim("run-9"), 60, force=True) is None
    manifest.finish(claim("run-9"), succeeded=False)
    standing = standing_claim(manifest, claim("run-10"))
    assert (standing.run_id, standing.state, standing.earlier) == ("run-8", "done", None)


def test_runs_are_kept_newest_first(open_another: Callable[[], RunLedger]) -> None:
    manifest = open_another()
    for number in range(3):
        manifest.save(RunRecord(f"run-{number}", "train", "duckdb"))
    full = RunRecord(
        "run-2", "train", "duckdb", status="failed", steps=[StepRecord("land", row_count=3)]
    )
    manifest.save(full)
    assert [run.run_id for run in manifest.runs()] == ["run-2", "run-1", "run-0"]
    assert manifest.runs(limit=1) == [full]
    manifest.forget_runs(["run-2", "run-0"])
    assert [run.run_id for run in open_another().runs()] == ["run-1"]


def test_dynamodb_goes_by_the_time_of_the_service(
    dynamo_table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = DynamoLedger(dynamo_table, "spanishgas", REGION)
    first.acquire(new_lease("run-1", "train"), 60)
    first._table.update_item(
        Key={"warehouse": "spanishgas", "item": "lease"},
        UpdateExpression="set expires_at = :past",
        ExpressionAttributeValues={":past": "2001-01-01T00:00:00+00:00"},
    )
    second = DynamoLedger(dynamo_table, "spanishgas", REGION)
    assert second.holder() is None
    assert second.acquire(new_lease("run-2", "train"), 60).run_id == "run-2"
    other_warehouse = DynamoLedger(dynamo_table, "another", REGION)
    assert other_warehouse.acquire(new_lease("run-3", "train"), 60).run_id == "run-3"


def test_dynamodb_claim_of_a_run_that_died_expires(dynamo_table: str) -> None:
    manifest = DynamoLedger(dynamo_table, "spanishgas", REGION)
    assert manifest.claim(claim("run-1"), 60) is None
    standing = standing_claim(manifest, claim("run-2"))
    assert (standing.run_id, standing.state) == ("run-1", "claimed")
    assert manifest.claim(claim("run-1"), -1) is None
    assert manifest.claim(claim("run-2"), 60) is None


def _hold(home: Path, ready: Any) -> None:
    SqliteLedger(home).acquire(new_lease("run-1", "train"), 1e6)
    ready.set()
    multiprocessing.Event().wait()


@pytest.mark.thorough
def test_a_local_lease_dies_with_its_process_whatever_the_clock_says(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_hold, args=(tmp_path, ready))
    process.start()
    assert ready.wait(30)
    with sqlite3.connect(tmp_path / local.FILE) as connection:  # as if the clock had been turned
        (document,) = connection.execute("select document from lease").fetchone()
        expired = json.dumps({**json.loads(document), "expires_at": "2001-01-01T00:00:00+00:00"})
        connection.execute("update lease set document = ?", (expired,))
    manifest = SqliteLedger(tmp_path)
    with pytest.raises(LeaseHeldError, match=f"process {process.pid}"):
        manifest.acquire(new_lease("run-2", "train"), 60)
    process.kill()
    process.join()
    assert manifest.holder() is None
    assert manifest.acquire(new_lease("run-2", "train"), 60).run_id == "run-2"


def died(home: Path, lease: Lease) -> None:
    """A holder whose lock went with it and whose lease stays behind."""
    manifest = SqliteLedger(home)
    manifest.acquire(lease, 1e6)
    assert manifest._lock is not None
    os.close(manifest._lock)


def test_a_lease_of_another_machine_holds_until_it_expires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = SqliteLedger(tmp_path)
    monkeypatch.setattr(local, "_machine", lambda: "another-boot")
    theirs = replace(new_lease("run-1", "train"), host="another-host")
    died(tmp_path, theirs)
    monkeypatch.undo()
    with pytest.raises(LeaseHeldError, match="another-host"):
        manifest.acquire(new_lease("run-2", "train"), 60)
    with sqlite3.connect(tmp_path / local.FILE) as connection:
        connection.execute("update lease set document = json_set(document, '$.expires_at', '2001')")
    assert manifest.acquire(new_lease("run-2", "train"), 60).run_id == "run-2"


def test_a_lease_from_before_a_reboot_is_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_machine", lambda: "the-boot-before")
    died(tmp_path, new_lease("run-1", "train"))
    monkeypatch.undo()
    assert SqliteLedger(tmp_path).holder() is None


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """Stop the clock of run ids."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return moment.replace(tzinfo=tz)

    monkeypatch.setattr(manifest_module, "datetime", Clock)


def test_ids_rise_within_a_second_and_when_the_clock_is_turned_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noon = datetime(2025, 1, 6, 12, 0, 0)
    at(monkeypatch, noon)
    first = new_run_id()
    assert first.startswith("20250106T120000-") and len(first.partition("-")[2]) == 6
    assert new_run_id(first).startswith("20250106T120001-"), "the same second"
    at(monkeypatch, datetime(2025, 1, 6, 11, 0, 0))
    assert new_run_id(first).startswith("20250106T120001-"), "the clock was turned back"
    at(monkeypatch, datetime(2025, 1, 6, 12, 0, 5))
    assert new_run_id(first).startswith("20250106T120005-")
    assert new_run_id() != new_run_id()


def test_times_are_utc_to_the_second() -> None:
    moment = datetime(2025, 1, 6, 12, 0, 0, 999, tzinfo=timezone(timedelta(hours=1)))
    assert iso(moment) == "2025-01-06T11:00:00+00:00"


def test_what_a_later_release_adds_to_a_record_is_passed_over() -> None:
    record = RunRecord("r", "train", "duckdb", steps=[StepRecord("land", row_count=1)])
    assert RunRecord.from_dict({**record.as_dict(), "novelty": 1}) == record
    assert RunRecord.from_dict({"run_id": "r", "mode": "m", "target": "t"}).steps == []
    fresh = RunRecord("r", "train", "duckdb")
    assert (fresh.status, fresh.seconds, fresh.source) == ("running", 0.0, "")
    assert fresh.peak_memory_mb == 0.0 and fresh.started_by == fresh.started_at == ""
    assert StepRecord("land") == StepRecord("land", "running", "", 0.0, None, 0.0)


def test_a_listing_is_the_same_in_any_order_and_another_with_any_difference() -> None:
    listed = [("a", 1, "x"), ("b", 2, "y")]
    assert listing_hash(listed) == listing_hash(reversed(listed))
    others = [[("a", 1, "x")], [("a", 1, "x"), ("b", 3, "y")], [("a", 1, "x"), ("b", 2, "z")]]
    assert len({listing_hash(listed), *map(listing_hash, others)}) == 4
    accents = listing_hash([("año", 1, "x")])
    assert accents == hashlib.sha256('[["año", 1, "x"]]'.encode()).hexdigest()


def test_a_user_without_a_name_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> None:
        raise KeyError("uid 1000")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert user_name() == "unknown"
    assert new_lease("run-1", "train").user == "unknown"


def test_a_new_lease_is_of_this_process_and_its_token_of_nobody_else() -> None:
    lease = new_lease("run-1", "train")
    assert (lease.run_id, lease.mode, lease.pid) == ("run-1", "train", os.getpid())
    assert (lease.host, lease.since, lease.expires_at) == (socket.gethostname(), "", "")
    assert len(lease.token) == 32 and lease.token != new_lease("run-1", "train").token


def test_who_holds_the_lease_or_nobody_is_named() -> None:
    lease = new_lease("run-1", "train")
    assert "run run-1" in str(held_by(lease)) and "just taken" in str(held_by(None))
    assert "run run-2" in str(lost(lease, new_lease("run-2", "score")))
    assert "nobody" in str(lost(lease, None))
