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
from python_ml.errors import BadInputError
from python_ml.land import land
from python_ml.settings import Settings
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
