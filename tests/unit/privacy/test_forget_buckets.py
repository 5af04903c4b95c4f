"""A person in buckets: every version of every object, and what is kept beside them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto import mock_aws

from python_ml.privacy.buckets import Buckets
from python_ml.privacy.person import traces_in
from tests.unit.aws_fixture import REGION

GONE, STAYS = "C00003", "C00004"
SAID = "my neighbour at number seven pays far less than we do"
BUCKET = "lake"
TRACES = traces_in(GONE, {SAID}, {"please send the invoice again to me"})


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


def parquet(*ids: str) -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.table({"customer_id": list(ids), "n": list(range(len(ids)))}), target)
    return target.getvalue()


def put(s3: Any, key: str, content: bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=content)


def everything(s3: Any) -> dict[tuple[str, str], bytes]:
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET)
    return {
        (entry["Key"], entry["VersionId"]): s3.get_object(
            Bucket=BUCKET, Key=entry["Key"], VersionId=entry["VersionId"]
        )["Body"].read()
        for page in pages
        for entry in page.get("Versions", [])
    }


def test_no_version_of_any_object_holds_the_person_and_others_stay(s3: Any) -> None:
    put(s3, "warehouse/t/20240101_00001", parquet(GONE, STAYS))  # as Athena names its files
    put(s3, "ml/customer_score/run_id=1/part-0.parquet", parquet(STAYS))
    put(s3, "raw/2024/churn_label.csv", f"customer_id,n\n{GONE},1\n{STAYS},0\n".encode())
    put(s3, "runs/1/land.json", json.dumps({"error": f"{GONE} has two contracts"}).encode())
    put(s3, "runs/1/gone.json", b"old")
    put(s3, "runs/1/gone.json", f"<p>{SAID}</p>".encode())
    put(s3, "runs/1/gone.json", b"new")
    put(s3, f"reports/{GONE}.html", b"<p>a page</p>")
    put(s3, "reports/deleted.txt", f"of {GONE}".encode())
    s3.delete_object(Bucket=BUCKET, Key="reports/deleted.txt")
    put(s3, f"reports/old-{GONE}.html", b"a page")  # its mark keeps the name
    s3.delete_object(Bucket=BUCKET, Key=f"reports/old-{GONE}.html")
    buckets = Buckets([f"s3://{BUCKET}", f"s3://{BUCKET}/warehouse"], REGION)
    assert len(buckets.versions()) == 10  # a place within another counts once
    found = {place.path for place in buckets.search(TRACES).places}
    assert len(found) == 8
    assert sum(", version " in place for place in found) == 3
    untouched = [each for each in everything(s3).items() if "customer_score" in each[0][0]]
    buckets.remove(TRACES, lambda _: None)
    assert buckets.search(TRACES).is_clean
    left = everything(s3)
    marks = s3.list_object_versions(Bucket=BUCKET).get("DeleteMarkers", [])
    assert not any(GONE in mark["Key"] for mark in marks)
    for (key, _), content in left.items():
        text = content.decode("utf-8", errors="replace")
        text += str(pq.read_table(io.BytesIO(content))) if content[:4] == b"PAR1" else ""
        assert GONE not in key + text
        assert SAID not in text
    rest = {key: content for (key, _), content in left.items()}
    table = pq.read_table(io.BytesIO(rest["warehouse/t/20240101_00001"]))
    assert table.to_pylist() == [{"customer_id": STAYS, "n": 1}]
    assert rest["raw/2024/churn_label.csv"].decode() == f"customer_id,n\n{STAYS},0\n"
    assert "has two contracts" in rest["runs/1/land.json"].decode()
    kept = {content for (key, _), content in left.items() if key == "runs/1/gone.json"}
    assert kept == {b"old", b"new"}
    assert untouched == [each for each in left.items() if "customer_score" in each[0][0]]


def test_what_people_said_is_read_from_the_objects(s3: Any) -> None:
    interaction = {"customer_id": GONE, "date": "2024-01-01", "interaction_summary": SAID}
    put(s3, "raw/2024/customer_interactions.json", json.dumps([interaction]).encode())
    put(s3, "raw/2024/broken.parquet", b"PAR1 and nothing more")
    said = list(Buckets([f"s3://{BUCKET}"], REGION).said())
    assert said == [(GONE, SAID)]
    target = io.BytesIO()
    columns = {"customer_id": [STAYS], "interaction_summary": ["another text"]}
    pq.write_table(pa.table(columns), target)
    put(s3, "batches/1/customer_interactions/part-0.parquet", target.getvalue())
    both = {(GONE, SAID), (STAYS, "another text")}
    assert set(Buckets([f"s3://{BUCKET}"], REGION).said()) == both
