"""Landing of a batch that lies in S3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest
from moto import mock_aws
from moto.server import ThreadedMotoServer

from python_ml.contracts.schema import load_source
from python_ml.engines import open_engine
from python_ml.errors import BadInputError
from python_ml.land import land
from python_ml.pipeline.identity import identify_batch, work_hash
from python_ml.settings import PROJECT_DIR, Settings
from tests.integration.raw_batch import landed

TABLES = [name for name, it in load_source("raw").items() if not it.meta.get("supplementary")]


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def _upload(folder: Path, client: Any, bucket: str) -> None:
    client.create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-south-2"}
    )
    for path in folder.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), bucket, f"in/{path.relative_to(folder).as_posix()}")


@mock_aws
def test_s3_prefix_lands_like_a_folder(raw: Path, settings: Settings, credentials: None) -> None:
    land(raw, settings)
    expected = {name: landed(settings.layout.lake, name) for name in TABLES}
    _upload(raw, boto3.client("s3", region_name="eu-south-2"), "incoming")
    settings = settings.with_overrides({"home": f"{settings.home}-s3"})
    result = land("s3://incoming/in/", settings)
    assert result.tables["consumption_hourly"].taken == "as is"
    for name in TABLES:
        pd.testing.assert_frame_equal(landed(settings.layout.lake, name), expected[name])
    assert land("s3://incoming/in", settings).reused


@mock_aws
def test_s3_bucket_that_is_not_there(settings: Settings, credentials: None) -> None:
    with pytest.raises(BadInputError, match=r"s3://nowhere/x: .*NoSuchBucket.*Check the bucket"):
        land("s3://nowhere/x", settings)


EXAMPLES = PROJECT_DIR / "examples"


@mock_aws
@pytest.mark.parametrize("name", ["datadis", "athena_unload", "powerco"])
def test_files_and_mapping_may_both_lie_in_s3(
    settings: Settings, credentials: None, name: str
) -> None:
    here = settings.with_overrides({"land.mapping": str(EXAMPLES / name / "mapping.yml")})
    expected = land(EXAMPLES / name, here)
    _upload(EXAMPLES / name, boto3.client("s3", region_name="eu-south-2"), "incoming")
    there = settings.with_overrides(
        {"home": f"{settings.home}-s3", "land.mapping": "s3://incoming/in/mapping.yml"}
    )
    result = land("s3://incoming/in", there)
    assert result.row_count == expected.row_count
    assert result.absent == expected.absent
    assert work_hash(there) == work_hash(here.with_overrides({"home": there.home}))
    assert identify_batch("s3://incoming/in", mapping=there.land.mapping).entries
    for table in result.tables:
        pd.testing.assert_frame_equal(
            landed(there.layout.lake, table), landed(here.layout.lake, table)
        )


@mock_aws
def test_a_mapping_that_is_not_in_the_bucket_names_the_remedy(
    settings: Settings, credentials: None
) -> None:
    _upload(EXAMPLES / "datadis", boto3.client("s3", region_name="eu-south-2"), "incoming")
    for place, said in {
        "s3://incoming/in/none.yml": r"no such object\. Upload it",
        "s3://nowhere/mapping.yml": "NoSuchBucket.*Check the bucket",
    }.items():
        with pytest.raises(BadInputError, match=f"{place}: .*{said}"):
            land("s3://incoming/in", settings.with_overrides({"land.mapping": place}))


@mock_aws
def test_athena_gets_a_mapped_batch_with_its_empty_tables(
    settings: Settings, credentials: None
) -> None:
    client = boto3.client("s3", region_name="eu-south-2")
    _upload(EXAMPLES / "powerco", client, "incoming")
    client.create_bucket(
        Bucket="the-lake", CreateBucketConfiguration={"LocationConstraint": "eu-south-2"}
    )
    settings = settings.with_overrides(
        {
            "target": "athena",
            "athena.lake": "s3://the-lake",
            "land.mapping": "s3://incoming/in/mapping.yml",
        }
    )
    result = land("s3://incoming/in", settings)
    assert "costs_by_province_month" in result.absent
    place = open_engine(settings).deliver(settings.layout.lake / "batches" / result.batch_id)
    assert place == f"s3://the-lake/batches/{result.batch_id}"
    keys = {it["Key"] for it in client.list_objects_v2(Bucket="the-lake")["Contents"]}
    for table in result.tables:
        assert any(key.startswith(f"batches/{result.batch_id}/{table}/") for key in keys)


def test_s3_endpoint_of_ones_own(
    raw: Path, settings: Settings, credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ThreadedMotoServer(port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        _upload(raw, boto3.client("s3", region_name="eu-south-2"), "incoming-2")
        assert land("s3://incoming-2/in", settings).row_count > 13_248
    finally:
        server.stop()
