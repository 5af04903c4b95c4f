"""Uploads start runs: once a content, whatever S3 does to its events."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

import boto3
import pytest
from moto import mock_aws

from python_ml.aws import trigger, uploads
from python_ml.aws.uploads import Claim, UploadTable
from python_ml.engines.dynamodb_ledger import DynamoLedger
from python_ml.engines.ledger import new_lease
from tests.unit.aws_fixture import create_runs_table

BUCKET, TABLE, REGION = "lake", "manifest", "eu-south-2"
FILES = (
    "churn_label.csv",
    "customer_attributes.csv",
    "customer_contracts.csv",
    "price_history.csv",
    "costs_by_province_month.csv",
    "consumption_hourly_2024.parquet",
    "customer_interactions.json",
)
ROLE = "arn:aws:iam::123456789012:role/state-machine"
WAIT = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        for cached in (trigger._s3, trigger._states, trigger._uploads):
            cached.cache_clear()
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        create_runs_table(TABLE)
        machine = boto3.client("stepfunctions").create_state_machine(
            name="spanishgas", definition=json.dumps(WAIT), roleArn=ROLE
        )["stateMachineArn"]
        monkeypatch.setenv("STATE_MACHINE_ARN", machine)
        monkeypatch.setenv("RUNS_TABLE", TABLE)
        monkeypatch.setenv("WAREHOUSE", "spanishgas")
        yield s3


def put(s3: Any, key: str, content: bytes = b"x") -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=content)


def event(*keys: str) -> dict[str, Any]:
    """As S3 sends it, keys quoted."""
    return {
        "Records": [
            {"s3": {"bucket": {"name": BUCKET}, "object": {"key": quote_plus(key, safe="/")}}}
            for key in keys
        ]
    }


def send(*keys: str) -> list[str]:
    return [batch["outcome"] for batch in trigger.handler(event(*keys))["batches"]]


def executions() -> list[dict[str, Any]]:
    client = boto3.client("stepfunctions")
    machine = client.list_state_machines()["stateMachines"][0]["stateMachineArn"]
    pages = client.get_paginator("list_executions").paginate(stateMachineArn=machine)
    arns = [entry["executionArn"] for page in pages for entry in page["executions"]]
    return [json.loads(client.describe_execution(executionArn=arn)["input"]) for arn in arns]


def upload(s3: Any, prefix: str, seed: str = "x", files: Sequence[str] = FILES) -> list[str]:
    for name in files:
        put(s3, f"{prefix}{name}", f"{seed} {name}".encode())
    return [f"{prefix}{name}" for name in files]


@pytest.mark.slow
def test_a_thousand_disordered_events_of_fifty_batches_start_fifty_runs(cloud: Any) -> None:
    """Objects are written while events are under way; each event comes up to four times."""
    chance = random.Random(7)
    puts, deliveries = [], []
    for number in range(50):
        prefix = f"raw/{('', 'train/', 'score/')[number % 3]}week {number:02}/"
        names = [*FILES, "_SUCCESS"] if number % 5 == 0 else list(FILES)
        times = [number * 0.3 + chance.random() * 5 for _ in names]
        times[-1] = max(times)  # the marker comes last, as its sender must see to
        for name, moment in zip(names, times, strict=True):
            puts.append((moment, f"{prefix}{name}", f"{number} {name}".encode()))
    keys = [(moment, key) for moment, key, _ in puts]
    again = [chance.choice(keys) for _ in range(1000 - len(keys))]
    for moment, key in [*keys, *again]:
        deliveries.append((moment + chance.expovariate(0.2), key))  # up to half a minute late
    assert len(deliveries) == 1000
    timeline = [(moment, 0, key, content) for moment, key, content in puts]
    timeline += [(moment, 1, key, b"") for moment, key in deliveries]
    outcomes = []
    for _, is_event, key, content in sorted(timeline):
        if is_event:
            outcomes += send(key)
        else:
            put(cloud, key, content)
    runs = executions()
    assert len(runs) == len({run["batch_sha256"] for run in runs}) == 50
    assert len({run["source"] for run in runs}) == 50
    assert outcomes.count("started") == 50
    modes = [run["mode"] for run in runs if "/score/" in run["source"]]
    assert modes == ["score"] * 16
    print(f"\n1,000 events, 50 batches: {len(runs)} executions", dict(Counter(outcomes)))


def test_six_files_are_not_a_batch(cloud: Any) -> None:
    keys = upload(cloud, "raw/2025-01/", files=FILES[:6])
    assert send(*keys) == ["incomplete"]
    put(cloud, "raw/2025-01/customer_interactions.json")
    assert send("raw/2025-01/customer_interactions.json") == ["started"]


def test_a_file_of_another_folder_completes_no_batch(cloud: Any) -> None:
    """Nor one at the root of the bucket, whose key is that of none."""
    for prefix in ("", "raw/", "raw/2025-02/"):
        put(cloud, f"{prefix}customer_interactions.json")
        put(cloud, f"{prefix}_SUCCESS", b"score")
    assert send(*upload(cloud, "raw/2025-01/", files=FILES[:6])) == ["incomplete"]


def test_the_item_of_an_upload_names_its_execution(cloud: Any) -> None:
    send(*upload(cloud, "raw/a/"))
    (run,) = executions()
    item = UploadTable(TABLE, "spanishgas").read(run["batch_sha256"])
    assert item is not None
    assert item["execution_arn"].endswith(f":execution:spanishgas:{run['run_id']}")
    assert item["execution_arn"] == trigger.start(
        os.environ["STATE_MACHINE_ARN"],
        Claim(run["batch_sha256"], run["run_id"], run["source"], "train", datetime.now(UTC)),
    ), "who starts it again finds it"


def test_a_folder_of_parts_needs_the_marker(cloud: Any) -> None:
    keys = upload(cloud, "raw/2025-01/", files=[name for name in FILES if "hourly" not in name])
    for month in ("01", "02"):
        put(cloud, f"raw/2025-01/consumption_hourly_2024/month=2024-{month}/part-0.parquet")
    assert send(*keys) == ["incomplete"]
    put(cloud, "raw/2025-01/_SUCCESS", b"score\n")
    assert send("raw/2025-01/_SUCCESS") == ["started"]
    assert [run["mode"] for run in executions()] == ["score"]


def test_the_path_sets_the_mode_and_the_marker_wins(cloud: Any) -> None:
    assert send(*upload(cloud, "raw/score/a/", "a")) == ["started"]
    put(cloud, "raw/train/b/_SUCCESS", b"score")
    assert send(*upload(cloud, "raw/train/b/", "b")) == ["started"]
    assert send(*upload(cloud, "raw/c/", "c")) == ["started"]
    modes = {run["source"].split("/")[-2]: run["mode"] for run in executions()}
    assert modes == {"a": "score", "b": "score", "c": "train"}


def test_the_same_content_in_another_folder_is_known_and_a_corrected_file_is_not(
    cloud: Any,
) -> None:
    assert send(*upload(cloud, "raw/a/", "same")) == ["started"]
    assert send(*upload(cloud, "raw/b/", "same")) == ["known"]
    put(cloud, "raw/a/price_history.csv", b"corrected")
    assert send("raw/a/price_history.csv") == ["started"]
    put(cloud, "raw/a/notes.txt", b"an ignored file is no content")
    assert send("raw/a/notes.txt") == ["known"]
    assert len(executions()) == 2


def test_what_is_outside_raw_starts_nothing(cloud: Any) -> None:
    put(cloud, "models/v1/model.json")
    assert send("models/v1/model.json", "raw/loose.csv", "raw/train/") == []
    assert trigger.handler({"Event": "s3:TestEvent"}) == {"batches": []}


def test_who_dies_between_claim_and_start_is_followed_by_the_next_event(
    cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = upload(cloud, "raw/a/")

    def die(*_: Any) -> None:
        raise TimeoutError("the function ran out of time")

    with monkeypatch.context() as patch:
        patch.setattr(trigger, "start", die)
        with pytest.raises(TimeoutError):
            send(keys[0])
    assert send(keys[0]) == ["known"]  # the claim is still fresh
    monkeypatch.setattr(uploads, "CLAIM_SECONDS", -1)
    table = UploadTable(TABLE, "spanishgas")
    upload_now = trigger.read_upload(BUCKET, "raw/a/", "train")
    kept = table.read(upload_now.sha256)
    assert kept is not None
    first = kept["run_id"]
    later = datetime.now(UTC) + timedelta(seconds=120)
    batch = Claim(upload_now.sha256, "another-run", "s3://lake/raw/a/", "train", later)
    standing = table.claim(batch, later)
    assert standing is not None and standing.run_id == first


def test_a_run_that_had_started_before_its_starter_died_is_found(
    cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = upload(cloud, "raw/a/")
    monkeypatch.setattr(uploads, "CLAIM_SECONDS", -1)  # every claim has expired at once

    def die(*_: Any) -> None:
        raise TimeoutError("the function ran out of time")

    with monkeypatch.context() as patch:
        patch.setattr(UploadTable, "mark_started", die)
        with pytest.raises(TimeoutError):
            send(keys[0])
    assert send(keys[0]) == ["started"]
    assert len(executions()) == 1


def test_a_failed_run_starts_again_on_a_new_upload_and_not_on_a_late_event(cloud: Any) -> None:
    keys = upload(cloud, "raw/a/")
    assert send(*keys) == ["started"]
    run = executions()[0]
    table = UploadTable(TABLE, "spanishgas")
    failed_at = datetime.now(UTC) + timedelta(seconds=1)
    table.mark_ended(run["batch_sha256"], run["run_id"], uploads.FAILED, failed_at)
    assert send(*keys) == ["known"]
    again = Claim(
        run["batch_sha256"], "second-run", run["source"], "train", failed_at + timedelta(hours=1)
    )
    standing = table.claim(again)
    assert standing is not None and standing.run_id == "second-run"
    assert table.claim(again) is None


def test_an_ended_run_of_an_older_claim_changes_nothing(cloud: Any) -> None:
    assert send(*upload(cloud, "raw/a/")) == ["started"]
    run = executions()[0]
    table = UploadTable(TABLE, "spanishgas")
    table.mark_ended(run["batch_sha256"], "an-older-run", uploads.FAILED, datetime.now(UTC))
    kept = table.read(run["batch_sha256"])
    assert kept is not None and kept["state"] == uploads.STARTED


def test_an_execution_is_told_everything_and_never_to_force(cloud: Any) -> None:
    assert send(*upload(cloud, "raw/score/a/")) == ["started"]
    (run,) = executions()
    seen = trigger.read_upload(BUCKET, "raw/score/a/", "score")
    assert run == {
        "run_id": seen.run_id,
        "mode": "score",
        "source": f"s3://{BUCKET}/raw/score/a/",
        "batch_sha256": seen.sha256,
        "force": False,
        "started_by": "upload",
    }
    assert seen.run_id == f"{seen.newest:%Y%m%dT%H%M%S}-{seen.sha256[:6]}"


@pytest.mark.parametrize("key", ["raw/train//churn_label.csv", "raw/score/churn_label.csv"])
def test_the_folder_of_a_mode_is_no_batch(cloud: Any, key: str) -> None:
    """It holds the batches of others, which such a key would take for one."""
    upload(cloud, "raw/train/2024/")
    put(cloud, key)
    assert send(key) == []
    assert executions() == []


def test_records_of_other_services_and_folder_marks_are_passed_over(cloud: Any) -> None:
    keys = upload(cloud, "raw/a/")
    put(cloud, "raw/a/notes/", b"")
    own = event(keys[0])["Records"]
    strangers = [{"Sns": {"Message": "hello"}}, {"eventSource": "aws:sqs"}]
    answer = trigger.handler({"Records": [*strangers, *own, *own]})
    assert answer == {"batches": [{"batch": f"s3://{BUCKET}/raw/a/", "outcome": "started"}]}


def test_files_that_are_no_table_change_neither_content_nor_time(
    cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(cloud, "raw/a/")
    before = trigger.read_upload(BUCKET, "raw/a/", "train")
    later = datetime.now(UTC) + timedelta(hours=1)
    listing = trigger._s3().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="raw/")
    objects = [item for page in listing for item in page["Contents"]]
    note = {"Key": "raw/a/notes.txt", "Size": 3, "ETag": '"n"', "LastModified": later}
    mark = {"Key": "raw/a/empty/", "Size": 0, "ETag": '"m"', "LastModified": later}

    class Listing:
        def paginate(self, **_: Any) -> list[dict[str, Any]]:
            return [{"Contents": [*objects, note, mark]}, {}]

    class Client:
        def get_paginator(self, _: str) -> Listing:
            return Listing()

    monkeypatch.setattr(trigger, "_s3", Client)
    after = trigger.read_upload(BUCKET, "raw/a/", "train")
    assert (after.sha256, after.newest, after.is_complete) == (
        before.sha256,
        before.newest,
        True,
    )
    assert len(after.content) == 7
    assert after == before


def test_a_marker_alone_is_complete_and_its_content_is_what_lies_there(cloud: Any) -> None:
    put(cloud, "raw/a/_SUCCESS", b"  SCORE\n")
    put(cloud, "raw/a/unknown.bin", b"x")
    seen = trigger.read_upload(BUCKET, "raw/a/", "train")
    assert seen.is_complete and seen.mode == "score"
    assert sorted(entry.path for entry in seen.content) == ["_SUCCESS", "unknown.bin"]
    put(cloud, "raw/a/_SUCCESS", b"\xff")
    assert trigger.read_upload(BUCKET, "raw/a/", "train").mode == "train"


def test_the_default_mode_is_that_of_the_environment(
    cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEFAULT_MODE", "score")
    assert send(*upload(cloud, "raw/a/")) == ["started"]
    monkeypatch.delenv("DEFAULT_MODE")
    assert send(*upload(cloud, "raw/b/", "b")) == ["started"]
    assert sorted(run["mode"] for run in executions()) == ["score", "train"]


def test_two_files_of_one_table_are_not_complete(cloud: Any) -> None:
    upload(cloud, "raw/a/")
    put(cloud, "raw/a/price_history.json", b"[]")
    assert send("raw/a/price_history.csv") == ["incomplete"]


def test_an_execution_that_exists_is_named_by_its_arn(cloud: Any) -> None:
    assert send(*upload(cloud, "raw/a/")) == ["started"]
    (run,) = executions()
    claim = Claim(run["batch_sha256"], run["run_id"], run["source"], "score", datetime.now(UTC))
    client = boto3.client("stepfunctions")
    machine = client.list_state_machines()["stateMachines"][0]["stateMachineArn"]
    first = client.list_executions(stateMachineArn=machine)["executions"][0]["executionArn"]
    assert trigger.start(machine, claim) == first


@pytest.mark.thorough
@pytest.mark.parametrize("odd", ["/notes.txt", "a//b.csv", "a\nb.csv", "\n", "../../x", "[*]?"])
def test_keys_that_no_file_would_have_stop_no_batch(cloud: Any, odd: str) -> None:
    keys = upload(cloud, "raw/a/", files=FILES[:6])
    put(cloud, f"raw/a/{odd}")
    put(cloud, f"raw/a/{FILES[6]}")
    assert send(*keys, f"raw/a/{odd}", f"raw/a/{FILES[6]}") == ["started"]


@pytest.mark.parametrize("key", ["raw//churn_label.csv", "raw/a//churn_label.csv", "//", "raw/\n"])
def test_a_key_with_two_slashes_is_no_file_of_a_batch(cloud: Any, key: str) -> None:
    keys = upload(cloud, "raw/a/", files=FILES[1:])
    put(cloud, key)
    assert set(send(key)) <= {"incomplete"}
    assert send(*keys) == ["incomplete"]
    put(cloud, f"raw/a/{FILES[0]}")
    cloud.delete_object(Bucket=BUCKET, Key=key)
    assert send(f"raw/a/{FILES[0]}") == ["started"]


def test_a_batch_that_forgetting_edits_starts_nothing(cloud: Any) -> None:
    """Nor does one that was deleted before its events came."""
    keys = upload(cloud, "raw/a/")
    lease = new_lease("20250106T120000-abcdef", "forget")
    DynamoLedger(TABLE, "spanishgas", REGION).acquire(lease, 60)
    UploadTable(TABLE, "spanishgas").hold("raw/a/", lease.run_id)
    assert send(*keys) == ["held"]
    assert send("raw/gone/churn_label.csv") == ["incomplete"]
    assert executions() == []
