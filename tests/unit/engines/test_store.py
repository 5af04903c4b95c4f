"""A folder and a bucket hold the same files under the same keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from python_ml.engines import open_store
from python_ml.engines.store import Store
from python_ml.errors import SpanishGasError
from tests.unit import gold_fixture as gold


@pytest.fixture(params=["duckdb", "athena"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    settings = gold.settings_for(tmp_path).with_overrides(
        {"target": request.param, "athena.region": "us-east-1", "athena.lake": "s3://lake/in/here"}
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="lake")
        yield open_store(settings)


def test_what_is_written_is_read_and_replaced(store: Store) -> None:
    store.write("models/v1/model.json", b"one")
    store.write("models/v1/model.json", b"two")
    assert store.read("models/v1/model.json") == b"two"
    assert store.exists("models/v1/model.json")


def test_keys_are_those_of_a_folder_in_order_and_of_no_other(store: Store) -> None:
    for key in ("models/v2/b.json", "models/v1/a.json", "models/v10/c.json", "models.json"):
        store.write(key, b"")
    assert store.keys("models") == ["models/v1/a.json", "models/v10/c.json", "models/v2/b.json"]
    assert store.keys("models/v1") == ["models/v1/a.json"]
    assert store.keys("nothing") == []


def test_what_is_not_there_says_where_it_was_sought(store: Store) -> None:
    assert not store.exists("models/champion.json")
    with pytest.raises(SpanishGasError, match=r"models/champion\.json is not there"):
        store.read("models/champion.json")


def test_a_bucket_that_refuses_is_an_error_and_not_an_absent_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    settings = gold.settings_for(tmp_path).with_overrides(
        {"target": "athena", "athena.region": "us-east-1", "athena.lake": "s3://no-such-bucket"}
    )
    with mock_aws(), pytest.raises(SpanishGasError, match="NoSuchBucket"):
        open_store(settings).write("models/champion.json", b"{}")
