"""A person goes from buckets, table of runs and logs of an account; no run starts because of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from python_ml.aws import trigger
from python_ml.aws.forget import OUT_OF_REACH, Account
from python_ml.aws.uploads import FAILED, SUCCEEDED, UploadTable
from python_ml.contracts.schema import load_source
from python_ml.engines import open_ledger
from python_ml.engines.ledger import RunRecord, iso, new_lease
from python_ml.errors import SpanishGasError, UsageError
from python_ml.pipeline.workspace import Run
from python_ml.privacy.tombstones import read_tombstones
from python_ml.settings import PROJECT_DIR, Settings, load_settings
from tests.unit.aws_fixture import REGION, create_runs_table

GONE, STAYS = "C00003", "C00004"
SAID = "my neighbour at number seven pays far less than we do"
LAKE, RESULTS, TABLE = "lake", "results", "sg-test-runs"
PREFIX = "raw/train/2024/"
JOBS = "/aws/sagemaker/ProcessingJobs"
WAIT = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
ROLE = "arn:aws:iam::123456789012:role/states"

pytestmark = pytest.mark.slow


@dataclass
class Cloud:
    """An account in which a run has left something of a person everywhere."""

    settings: Settings
    states: str  # ARN of the state machine

    def s3(self) -> Any:
        return boto3.client("s3")

    def everything(self) -> str:
        """All that is kept, as text, read without the code under test."""
        s3, logs, found = self.s3(), boto3.client("logs"), []
        for bucket in (LAKE, RESULTS):
            for entry in s3.list_object_versions(Bucket=bucket).get("Versions", []):
                given = {"Key": entry["Key"], "VersionId": entry["VersionId"]}
                content = s3.get_object(Bucket=bucket, **given)["Body"].read()
                found.append(entry["Key"] + content.decode("utf-8", errors="replace"))
        found += [str(item) for item in boto3.client("dynamodb").scan(TableName=TABLE)["Items"]]
        for group in logs.describe_log_groups()["logGroups"]:
            events = logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
            found += [event["message"] for event in events]
        return "\n".join(found)

    def upload(self) -> str:
        """The event of the marker; what the trigger did with it."""
        record = {"s3": {"bucket": {"name": LAKE}, "object": {"key": f"{PREFIX}_SUCCESS"}}}
        (batch,) = trigger.handler({"Records": [record]})["batches"]
        return str(batch["outcome"])


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cloud]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        for cached in (trigger._s3, trigger._states, trigger._uploads):
            cached.cache_clear()
        s3 = boto3.client("s3")
        for bucket in (LAKE, RESULTS):
            place = {"LocationConstraint": REGION}
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
            on = {"Status": "Enabled"}
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=on)
        create_runs_table(TABLE)
        machine = boto3.client("stepfunctions").create_state_machine(
            name="sg-test", definition=json.dumps(WAIT), roleArn=ROLE
        )["stateMachineArn"]
        variables = {"STATE_MACHINE_ARN": machine, "RUNS_TABLE": TABLE, "WAREHOUSE": "sg_test"}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        register_external_tables("sg_test_ml")
        values = {
            "home": str(tmp_path / "home"),
            "target": "athena",
            "athena.region": REGION,
            "athena.schema": "sg_test",
            "athena.lake": f"s3://{LAKE}",
            "athena.data": f"s3://{LAKE}/warehouse",
            "athena.staging": f"s3://{RESULTS}/athena",
            "athena.runs_table": TABLE,
            "athena.log_groups": "/sg-test/",
        }
        made = Cloud(load_settings(values, environ={}), machine)
        leave_traces(made)
        yield made


def register_external_tables(database: str) -> None:
    glue = boto3.client("glue")
    glue.create_database(DatabaseInput={"Name": database})
    for name, schema in load_source("ml").items():
        columns = [each for each in schema.column_names if each != schema.partition]
        glue.create_table(
            DatabaseName=database,
            TableInput={
                "Name": name,
                "StorageDescriptor": {"Columns": [{"Name": each} for each in columns]},
            },
        )


def leave_traces(account: Cloud) -> None:
    s3 = account.s3()
    label = f"customer_id,churned\n{GONE},1\n{STAYS},0\n"
    said = [{"customer_id": GONE, "date": "2024-01-01", "interaction_summary": SAID}]
    s3.put_object(Bucket=LAKE, Key=f"{PREFIX}churn_label.csv", Body=label.encode())
    s3.put_object(
        Bucket=LAKE, Key=f"{PREFIX}customer_interactions.json", Body=json.dumps(said).encode()
    )
    s3.put_object(Bucket=LAKE, Key=f"{PREFIX}_SUCCESS")
    s3.put_object(Bucket=LAKE, Key="runs/1/page.html", Body=f"<p>{GONE}</p>".encode())
    s3.put_object(Bucket=LAKE, Key="runs/1/page.html", Body=b"<p>new</p>")
    s3.put_object(Bucket=RESULTS, Key="athena/results/1.csv", Body=f'"{GONE}"\n'.encode())
    s3.put_object(Bucket=LAKE, Key="warehouse/old/metadata/m0.avro", Body=b"Obj\x01packed")
    ledger = open_ledger(account.settings)
    message = f'customer {GONE} has "two" contracts'
    ledger.save(
        RunRecord("20200101T000000-aaaaaa", "train", "athena", "failed", error_message=message)
    )
    logs = boto3.client("logs")
    streams = [("/sg-test/lambda/control", "one", f"{message}\nand: {SAID}")]
    streams += [("/sg-test/ecs/dbt", "two", "nothing of anybody")]
    streams += [(JOBS, "sg-test-land/algo-1", message), (JOBS, "other-land/algo-1", "not ours")]
    for group in {group for group, _, _ in streams}:
        logs.create_log_group(logGroupName=group)
    for group, stream, text in streams:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        event = [{"timestamp": int(datetime.now(UTC).timestamp() * 1000), "message": text}]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=event)


def forget(account: Cloud) -> list[str]:
    """Forget the person; returns the places where something was."""
    this = Account(Run(account.settings))
    survey = this.survey(GONE)
    return [place.path for place in this.forget(survey).places]


def test_nothing_holds_the_person_and_the_rest_stays(account: Cloud) -> None:
    assert account.upload() == "started"
    places = forget(account)
    assert {place.split(" ")[0] for place in places} == {
        *(f"s3://{LAKE}/{PREFIX}churn_label.csv", f"s3://{LAKE}/runs/1/page.html,"),
        *(
            f"s3://{LAKE}/{PREFIX}customer_interactions.json",
            f"s3://{RESULTS}/athena/results/1.csv",
        ),
        *("table", "log"),
    }
    left = account.everything()
    assert GONE not in left
    assert SAID not in left
    assert all(text in left for text in (STAYS, "new", "nothing of anybody", "not ours"))
    assert "packed" not in left, "a manifest of a table that is not published has bounds of ids"
    record = open_ledger(account.settings).runs()[-1]
    assert record.error_message == 'customer (forgotten) has "two" contracts'
    stones = read_tombstones(Run(account.settings).engine.store())
    assert stones.among([GONE, STAYS]) == {GONE}
    assert open_ledger(account.settings).holder() is None
    assert not account.settings.layout.forgetting.exists()


def test_an_upload_that_was_edited_starts_no_run(account: Cloud) -> None:
    assert [account.upload(), account.upload()] == ["started", "known"]
    upload = trigger.read_upload(LAKE, PREFIX, "train")
    table = UploadTable(TABLE, "sg_test", REGION)
    mark = table.read(upload.sha256)
    assert mark is not None
    table.mark_ended(upload.sha256, mark["run_id"], SUCCEEDED, upload.newest)
    forget(account)
    edited = trigger.read_upload(LAKE, PREFIX, "train")
    assert edited.sha256 != upload.sha256
    assert account.upload() == "known", "S3 tells of what was edited, too"
    assert (table.read(edited.sha256) or {})["state"] == SUCCEEDED
    account.s3().put_object(Bucket=LAKE, Key=f"{PREFIX}price_history.csv", Body=b"new")
    assert account.upload() == "started"


def test_a_failed_upload_is_not_started_again_by_an_edit(account: Cloud) -> None:
    account.upload()
    table, upload = (
        UploadTable(TABLE, "sg_test", REGION),
        trigger.read_upload(LAKE, PREFIX, "train"),
    )
    mark = table.read(upload.sha256)
    assert mark is not None
    table.mark_ended(upload.sha256, mark["run_id"], FAILED, upload.newest)
    forget(account)
    assert account.upload() == "known"


def test_while_a_run_edits_an_upload_no_other_starts(account: Cloud) -> None:
    run_id = "20240101T000000-abcdef"
    table, ledger = UploadTable(TABLE, "sg_test", REGION), open_ledger(account.settings)
    table.hold(PREFIX, run_id)
    lease = ledger.acquire(new_lease(run_id, "forget"), 60)
    assert account.upload() == "held"
    ledger.release(lease)  # a note of a command that was killed holds nobody up
    assert account.upload() == "started"
    table.let_go(PREFIX)
    assert not table.is_held(PREFIX)
    assert lease.expires_at > iso(trigger.read_upload(LAKE, PREFIX, "train").newest)


def test_what_is_uploaded_meanwhile_is_not_taken_for_an_edit(
    account: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.upload()
    run = Run(account.settings)
    this = Account(run)
    survey = this.survey(GONE)
    remove = this._buckets.remove

    def remove_and_upload(*given: Any) -> None:
        remove(*given)
        account.s3().put_object(Bucket=LAKE, Key=f"{PREFIX}price_history.csv", Body=b"theirs")

    monkeypatch.setattr(this._buckets, "remove", remove_and_upload)
    this.forget(survey)
    assert any("upload _SUCCESS to it again" in warning for warning in run.warnings)
    assert account.upload() == "started"


def test_what_only_a_person_can_edit_is_told_and_kept(account: Cloud) -> None:
    unknown = b"\x00\x01" + GONE.encode()
    account.s3().put_object(Bucket=LAKE, Key="runs/1/unknown.bin", Body=unknown)
    with pytest.raises(SpanishGasError, match=r"is left in s3://lake.*\n.*unknown\.bin"):
        forget(account)
    kept = account.s3().get_object(Bucket=LAKE, Key="runs/1/unknown.bin")["Body"].read()
    assert kept == unknown
    assert account.settings.layout.forgetting.exists(), "a second call must search for the same"


def test_a_person_of_whom_nothing_is_known_is_refused(account: Cloud) -> None:
    with pytest.raises(UsageError, match="nothing was changed"):
        Account(Run(account.settings)).survey("C99999")
    with pytest.raises(UsageError, match="not a customer id"):
        Account(Run(account.settings)).survey("Maria")


def test_the_page_lists_what_is_out_of_reach_with_the_times_that_are_configured() -> None:
    page = (PROJECT_DIR / "docs/runbook.md").read_text(encoding="utf-8")
    for each in OUT_OF_REACH:
        assert f"| {each.where} | {each.what} | {each.kept_for} |" in page
    times = {each.where: each.kept_for for each in OUT_OF_REACH}
    modules = PROJECT_DIR / "infra/terraform/modules"

    def found(file: str, pattern: str) -> int:
        match = re.search(pattern, (modules / file).read_text(encoding="utf-8"), re.DOTALL)
        assert match, (file, pattern)
        return int(match[1])

    days = found("ecs/database.tf", r"backup_retention_period\s+= (\d+)")
    assert times["backups of Metabase's database"].startswith(f"{days} days")
    seconds = found("lambda/main.tf", r"message_retention_seconds\s+= (\d+)")
    assert times["queue of failed events"] == f"{seconds // 86400} days"
    days = found("s3/lifecycle.tf", r'"old-logs".*?days = (\d+)')
    assert times["access logs of buckets and load balancer"] == f"{days} days"
