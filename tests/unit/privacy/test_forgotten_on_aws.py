"""Who is to be kept out is read where every container of a run can read it."""

from __future__ import annotations

from pathlib import Path

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto import mock_aws

from python_ml.contracts.schema import customer_id_pattern
from python_ml.engines.s3_store import S3Store
from python_ml.land.forgotten import keep_out
from python_ml.privacy.tombstones import read_tombstones
from python_ml.settings import AthenaSettings
from tests.unit.aws_fixture import REGION

GONE, STAYS = "C00003", "C00004"


def test_a_landing_anywhere_reads_who_is_to_be_kept_out_from_the_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers of a run share nothing but the bucket; a tombstone on a disk kept nobody out."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    staged = tmp_path / "batch/churn_label/part-0.parquet"
    staged.parent.mkdir(parents=True)
    pq.write_table(pa.table({"customer_id": [GONE, STAYS]}), staged)
    with mock_aws():
        s3 = boto3.client("s3", region_name=REGION)
        place = {"LocationConstraint": REGION}
        s3.create_bucket(Bucket="lake", CreateBucketConfiguration=place)
        store = S3Store(AthenaSettings(lake="s3://lake", region=REGION))
        read_tombstones(store).add(GONE, "2025-01-01T00:00:00+00:00", "t")
        assert list(keep_out(store, tmp_path / "batch", customer_id_pattern()).values()) == [1]
        kept = s3.get_object(Bucket="lake", Key="forgotten.json")["Body"].read()
    assert pq.read_table(staged)["customer_id"].to_pylist() == [STAYS]
    assert GONE not in kept.decode()
