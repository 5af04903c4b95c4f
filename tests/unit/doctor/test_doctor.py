"""The doctor finds what is missing, says how to mend it, and ends the command accordingly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest
from click.testing import CliRunner
from moto import mock_aws

from python_ml.cli import main as cli
from python_ml.doctor import athena as aws_doctor
from python_ml.doctor.check import FAIL, OK, WARN, Check
from python_ml.doctor.diagnosis import diagnose, parse_bytes
from python_ml.documents import write_json
from python_ml.errors import SpanishGasError
from python_ml.land.write import MANIFEST
from python_ml.settings import Settings, load_settings


def found(settings: Settings) -> dict[str, Check]:
    return {check.name: check for check in diagnose(settings).checks}


def settings_for(home: Path, **values: Any) -> Settings:
    return load_settings({"home": str(home), **values}, environ={})


def test_an_empty_home_is_healthy_and_says_what_to_do_next(tmp_path: Path) -> None:
    checks = found(settings_for(tmp_path / "new"))
    assert {checks[name].status for name in ("lake", "warehouse", "champion")} == {WARN}
    assert "spanishgas run" in checks["warehouse"].remedy
    assert all(check.status != FAIL for check in checks.values())
    assert not (tmp_path / "new").exists()


def test_json_is_one_document_and_a_failure_is_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["doctor", "--home", str(tmp_path), "--json"]
    result = CliRunner().invoke(cli.cli, arguments)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["is_healthy"] is True
    monkeypatch.setenv("SPANISHGAS_DOCTOR__MINIMUM_FREE_DISK_GB", "1000000.0")
    result = CliRunner().invoke(cli.cli, arguments)
    assert isinstance(result.exception, SpanishGasError)
    assert result.exception.exit_code == 1
    document = json.loads(result.stdout)
    assert document["is_healthy"] is False
    assert [c["name"] for c in document["checks"] if c["status"] == FAIL] == ["disk"]


def test_a_home_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check = found(settings_for(tmp_path / "file"))["home"]
    assert check.status == FAIL
    assert "--home" in check.remedy


def test_a_landed_batch_whose_files_are_gone_fails(tmp_path: Path) -> None:
    (tmp_path / "lake" / "raw").mkdir(parents=True)
    check = found(settings_for(tmp_path))["lake"]
    assert check.status == FAIL
    assert "land" in check.remedy


@pytest.mark.parametrize(("size", "status"), [(4, WARN), (5, FAIL)])
def test_a_copy_that_kept_no_times_is_a_warning_and_other_files_are_a_failure(
    tmp_path: Path, size: int, status: str
) -> None:
    raw = tmp_path / "lake" / "raw"
    raw.mkdir(parents=True)
    (raw / "part.parquet").write_bytes(b"rows")
    write_json(raw / MANIFEST, {"files": [["part.parquet", [size, 1]]]})
    assert found(settings_for(tmp_path))["lake"].status == status


def test_a_warehouse_without_its_scores_or_marts_fails(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("create table gold_master as select 1 as a")
    assert "mart_overview" in found(settings_for(tmp_path))["warehouse"].detail
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute(
            "create table mart_overview as select 'r' as run_id, date '2024-12-31' as as_of_date"
        )
        connection.execute("create table mart_customer_risk as select 'C1' as customer_id")
    check = found(settings_for(tmp_path))["warehouse"]
    assert check.status == FAIL
    assert "1 customers, 0 scores" in check.detail
    (tmp_path / "warehouse.duckdb").write_bytes(b"not a database")
    assert found(settings_for(tmp_path))["warehouse"].status == FAIL


def test_a_champion_whose_artifact_is_gone_fails(tmp_path: Path) -> None:
    pointer = tmp_path / "lake" / "models" / "champion.json"
    pointer.parent.mkdir(parents=True)
    pointer.write_text('{"version": "gone"}')
    check = found(settings_for(tmp_path))["champion"]
    assert check.status == FAIL
    assert "gone" in check.detail


@pytest.mark.parametrize(("text", "size"), [("2GB", 2e9), ("512 MiB", 2**29), ("1.5gb", 1.5e9)])
def test_sizes_are_read_as_duckdb_reads_them(text: str, size: float) -> None:
    assert parse_bytes(text) == size


ATHENA = {
    "target": "athena",
    "athena.region": "eu-west-1",
    "athena.lake": "s3://lake",
    "athena.data": "s3://data",
    "athena.staging": "s3://staging",
}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An account with the three buckets in the right region, and nothing else."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        s3 = boto3.client("s3", region_name="eu-west-1")
        for bucket in ("lake", "data", "staging"):
            where = {"LocationConstraint": "eu-west-1"}
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
        yield s3


def work_group(name: str = "spanishgas", **configuration: Any) -> None:
    chosen: Any = {"EnforceWorkGroupConfiguration": False, **configuration}
    boto3.client("athena", region_name="eu-west-1").create_work_group(
        Name=name, Configuration=chosen
    )


def statuses(settings: Settings) -> dict[str, str]:
    return {check.name: check.status for check in aws_doctor.check_account(settings)}


def limit_of(settings: Settings, work_group: Any) -> str:
    changed = settings.with_overrides({"athena.work_group": work_group})
    return aws_doctor.WorkGroup(changed.athena).byte_limit().status


def test_without_credentials_nothing_else_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    checks = found(settings_for(tmp_path, **ATHENA))
    assert checks["credentials"].status == FAIL
    assert "AWS_PROFILE" in checks["credentials"].remedy
    assert "work group" not in checks


@pytest.mark.parametrize("values", [{}, ATHENA], ids=["duckdb", "athena"])
def test_a_person_of_whom_something_may_be_left_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]
) -> None:
    monkeypatch.setattr(aws_doctor, "check_account", lambda _: [])
    settings = settings_for(tmp_path, **values)
    assert "forgotten" not in found(settings)
    settings.layout.forgetting.mkdir(parents=True)
    (settings.layout.forgetting / "ab.json").write_text("{}")
    assert found(settings)["forgotten"].status == WARN


def test_buckets_of_the_region_pass_and_leave_nothing_behind(tmp_path: Path, account: Any) -> None:
    account.put_bucket_lifecycle_configuration(
        Bucket="staging",
        LifecycleConfiguration={
            "Rules": [{"ID": "x", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}]
        },
    )
    checks = statuses(settings_for(tmp_path, **ATHENA))
    names = ("locations", "region", "credentials", "bucket of lake", "bucket of data", "glue")
    assert {checks[name] for name in (*names, "staging expiry")} == {OK}
    assert account.list_objects_v2(Bucket="lake")["KeyCount"] == 0
    assert not boto3.client("glue", region_name="eu-west-1").get_databases()["DatabaseList"]


def test_a_missing_bucket_and_one_of_another_region_fail(tmp_path: Path, account: Any) -> None:
    account.delete_bucket(Bucket="data")
    elsewhere = {"LocationConstraint": "eu-south-2"}
    far = boto3.client("s3", region_name="eu-south-2")
    far.create_bucket(Bucket="far", CreateBucketConfiguration=elsewhere)
    settings = settings_for(tmp_path, **ATHENA | {"athena.lake": "s3://far/x"})
    checks = {check.name: check for check in aws_doctor.check_account(settings)}
    assert checks["bucket of data"].status == checks["bucket of lake"].status == FAIL
    assert "far lies in eu-south-2" in checks["bucket of lake"].detail
    assert "eu-west-1" in checks["bucket of data"].remedy


def test_the_work_group_needs_a_byte_limit_that_the_lake_fits_in(
    tmp_path: Path, account: Any
) -> None:
    settings = settings_for(tmp_path, **ATHENA)
    assert statuses(settings)["work group"] == FAIL
    account.put_object(
        Bucket="lake",
        Key="batches/1/consumption_hourly/month=2024-01/part-0.parquet",
        Body=bytes(10_000_001),
    )
    work_group("unlimited")
    work_group("tight", BytesScannedCutoffPerQuery=10_000_000)
    work_group("fitting", BytesScannedCutoffPerQuery=20_000_000)
    assert limit_of(settings, "unlimited") == limit_of(settings, "tight") == FAIL
    assert limit_of(settings, "fitting") == OK


def test_a_work_group_that_places_results_itself_fails(tmp_path: Path, account: Any) -> None:
    work_group(EnforceWorkGroupConfiguration=True)
    check = aws_doctor.WorkGroup(settings_for(tmp_path, **ATHENA).athena).state()
    assert check.status == FAIL
    assert "client-side" in check.remedy


@pytest.mark.parametrize(
    ("places", "status"),
    [
        ({"data": "/tmp"}, FAIL),
        ({"data": "s3://lake"}, FAIL),  # around the lake: dbt would empty it
        ({"data": "s3://lake/ml/built"}, FAIL),
        ({"staging": "s3://data/results"}, FAIL),
        ({"staging": "s3://lake/models"}, FAIL),
        ({"data": "s3://lake/warehouse", "staging": "s3://results/athena"}, OK),  # as deployed
        ({"lake": "s3://one/lake", "data": "s3://one/warehouse", "staging": "s3://one/x"}, OK),
    ],
)
def test_nothing_may_lie_where_dbt_or_a_run_writes(
    tmp_path: Path, places: dict[str, str], status: str
) -> None:
    given = {f"athena.{name}": place for name, place in places.items()}
    settings = settings_for(tmp_path, **ATHENA | given)
    assert aws_doctor.locations(settings.athena).status == status


@pytest.mark.parametrize(("with_client", "status"), [(False, FAIL), (True, OK)])
def test_the_image_of_the_functions_needs_a_part_of_the_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_client: bool, status: str
) -> None:
    """It is known by Lambda's client; anywhere else dbt and XGBoost are missed."""
    installed = metadata.version

    def version(name: str) -> str:
        if name == "awslambdaric" and with_client:
            return "4.2.2"
        if name in ("awslambdaric", "dbt-core", "xgboost-cpu", "great-expectations"):
            raise metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(metadata, "version", version)
    check = found(settings_for(tmp_path))["packages"]
    assert check.status == status
    assert ("dbt-core is missing" in check.detail) == (not with_client)
