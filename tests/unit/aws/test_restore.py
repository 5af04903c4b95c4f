"""A lost bucket comes back from its versions, and a lost table of runs from a point in time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from python_ml.aws.restore import main, restore_bucket, restore_table
from python_ml.engines.dynamodb_ledger import DynamoLedger
from python_ml.engines.ledger import RunRecord, new_lease
from python_ml.errors import SpanishGasError, UsageError
from tests.unit.aws_fixture import REGION, create_runs_table

BUCKET = "sg-test-data"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        client = boto3.client("s3")
        place = {"LocationConstraint": REGION}
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
        versions = {"Status": "Enabled"}
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration=versions)
        yield client


def content(s3: Any) -> dict[str, bytes]:
    listed = s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return {
        entry["Key"]: s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read()
        for entry in listed
    }


def next_second() -> datetime:
    """A moment after what was written; S3 tells times by the second."""
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    time.sleep((moment - datetime.now(UTC)).total_seconds() + 0.05)
    return moment


@pytest.mark.thorough
def test_a_bucket_that_was_emptied_and_overwritten_is_what_it_was(s3: Any) -> None:
    for number in range(40):
        s3.put_object(Bucket=BUCKET, Key=f"models/v1/{number}", Body=b"good")
    s3.put_object(Bucket=BUCKET, Key="published.json", Body=b"run 1")
    s3.put_object(Bucket=BUCKET, Key="gone-before", Body=b"x")
    next_second()
    s3.delete_object(Bucket=BUCKET, Key="gone-before")
    before, moment = content(s3), next_second()
    time.sleep(1.05)
    for number in range(20):
        s3.delete_object(Bucket=BUCKET, Key=f"models/v1/{number}")
    for number in range(20, 40):
        s3.put_object(Bucket=BUCKET, Key=f"models/v1/{number}", Body=b"spoilt")
    s3.put_object(Bucket=BUCKET, Key="published.json", Body=b"run 2")
    s3.put_object(Bucket=BUCKET, Key="later", Body=b"not there then")
    s3.put_object(Bucket=BUCKET, Key="gone-before", Body=b"not there either")
    spoilt, later = content(s3), next_second()
    time.sleep(1.05)
    counted = restore_bucket(f"s3://{BUCKET}", moment, dry_run=True)
    assert content(s3) == spoilt
    began = time.monotonic()
    done = restore_bucket(f"s3://{BUCKET}", moment)
    print(f"\n{done}: {time.monotonic() - began:.2f} s on the emulator")
    assert content(s3) == before
    assert (done.brought_back, done.removed, done.unchanged) == (41, 2, 0)
    assert counted == done
    # Nothing was deleted for good: what came after can be had back.
    restore_bucket(f"s3://{BUCKET}", later)
    assert content(s3) == spoilt


@pytest.mark.thorough
def test_only_what_lies_below_the_place_is_touched(s3: Any) -> None:
    moment = next_second()
    time.sleep(1.05)
    for key in ("models/new", "other/new"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    assert restore_bucket(f"s3://{BUCKET}/models", moment).removed == 1
    assert set(content(s3)) == {"other/new"}


def test_a_bucket_without_versions_and_a_moment_to_come_are_refused(s3: Any) -> None:
    place = {"LocationConstraint": REGION}
    s3.create_bucket(Bucket="plain", CreateBucketConfiguration=place)
    with pytest.raises(UsageError, match="keeps no versions"):
        restore_bucket("s3://plain", datetime(2025, 1, 1, tzinfo=UTC))
    for moment in (datetime.now(UTC) + timedelta(hours=1), datetime(2025, 1, 1)):
        with pytest.raises(UsageError, match="a moment of the past"):
            restore_bucket(f"s3://{BUCKET}", moment)


def test_a_lost_table_of_runs_is_what_it_was_at_a_point_in_time(
    s3: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    create_runs_table("runs")
    ledger = DynamoLedger("runs", "warehouse", REGION)
    ledger.save(RunRecord("r1", "train", "athena", "succeeded"))
    lease = ledger.acquire(new_lease("r1", "train"), 3600)
    client = boto3.client("dynamodb")
    client.update_continuous_backups(
        TableName="runs",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    client.restore_table_to_point_in_time(
        SourceTableName="runs", TargetTableName="runs-restored", UseLatestRestorableTime=True
    )
    ledger.forget_runs(["r1"])
    ledger.release(lease)
    ledger.save(RunRecord("r2", "train", "athena", "failed"))
    assert main(["table", "runs-restored", "runs", "--dry-run"]) == 0
    assert [record.run_id for record in ledger.runs()] == ["r2"]
    assert main(["table", "runs-restored", "runs"]) == 0
    assert "2 brought back, 1 removed, 0 unchanged\n" in capsys.readouterr().out
    assert [(record.run_id, record.status) for record in ledger.runs()] == [("r1", "succeeded")]
    assert ledger.holder() == lease
    assert restore_table("runs-restored", "runs").unchanged == 2


def test_an_empty_copy_is_not_taken_for_a_restored_one(s3: Any) -> None:
    create_runs_table("runs")
    create_runs_table("empty")
    DynamoLedger("runs", "warehouse", REGION).save(RunRecord("r1", "train", "athena"))
    with pytest.raises(SpanishGasError, match="is empty"):
        restore_table("empty", "runs")
    assert main(["table", "empty", "runs"]) == 1
