"""Files that crash or drown a reader: one message, exit code 3, the lake as before."""

from __future__ import annotations

import csv
import gzip
import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto import mock_aws

from python_ml.errors import BadInputError
from python_ml.land import land
from python_ml.land.discover import list_source
from python_ml.settings import Settings
from tests.integration.raw_batch import READINGS, RawBatch, landed, readings, write_parquet

LABEL = "churn_label.csv"
ROWS = "C00001,0\nC00002,1\nC00003,0\nC00004,0\nC00005,1\nC00006,0\n"


def refused(raw: Path, settings: Settings) -> str:
    """The one line of the one problem."""
    with pytest.raises(BadInputError) as caught:
        land(raw, settings)
    assert caught.value.exit_code == 3
    assert not settings.layout.lake.exists()
    first, *problems = str(caught.value).split("\n")
    assert first.endswith("1 problem:") and len(problems) == 1, caught.value
    assert len(problems[0]) < 700 and problems[0].isprintable(), problems[0]
    return problems[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("customer_id,churn\r" + ROWS.replace("\n", "\r"), "carriage return alone"),
        ("customer_id,chu\rrn\n" + ROWS, "carriage return alone"),
        ('"customer_id","chu\rrn"\n' + ROWS, "carriage return alone"),
        ("customer_id,chu\0rn\n" + ROWS, "NUL bytes"),
        ("\0" * 5_000, "NUL bytes"),
        (",".join(f"c{n}" for n in range(200_000)) + "\n" + ROWS, "the first line is longer"),
        (",".join(f"c{n}" for n in range(50_000)) + "\n" + ROWS, "50,000 columns (c0, c1, "),
        ("customer_id,churn," + "x" * 200_000 + "\n" + ROWS, "xxx…: the column is unknown"),
        ("x" * 3_000_000, "the first line is longer"),
    ],
)
@pytest.mark.parametrize("is_packed", [False, True])
def test_a_header_that_is_none(
    raw: Path, settings: Settings, content: str, said: str, is_packed: bool
) -> None:
    packed = gzip.compress(content.encode(), 1) if is_packed else content.encode()
    (raw / LABEL).write_bytes(packed)
    assert said in refused(raw, settings)


@pytest.mark.parametrize(
    ("name", "limit", "label", "content"),
    [
        ("maximum_columns", 99, LABEL, ",".join(f"c{n}" for n in range(100)) + "\n" + ROWS),
        ("maximum_header_mb", 0.001, LABEL, "x" * 1_001),
        # The engine reads in blocks of some 30 MB, and only notices what fits in none.
        ("maximum_record_mb", 1.0, "churn_label.json", '[{"note": "' + "x" * 40_000_000 + '"}]'),
    ],
    ids=["columns", "header", "record"],
)
def test_limits_of_what_is_read_are_settings(
    raw: Path, settings: Settings, name: str, limit: float, label: str, content: str
) -> None:
    (raw / LABEL).unlink()
    (raw / label).write_text(content)
    assert f"land.{name}" in refused(raw, settings.with_overrides({f"land.{name}": limit}))


def test_other_readers_of_csv_in_the_process_keep_their_limit(
    raw: Path, settings: Settings
) -> None:
    before = csv.field_size_limit()
    land(raw, settings)
    assert csv.field_size_limit() >= before, "dbt reads seeds in the same process"


def test_a_parquet_file_of_thousands_of_columns(raw: Path, settings: Settings) -> None:
    (raw / LABEL).unlink()
    table = pa.table({f"c{n}": pa.array([1], pa.int8()) for n in range(5_000)})
    pq.write_table(table, raw / "churn_label.parquet")
    assert "churn_label.parquet has 5,000 columns" in refused(raw, settings)


@pytest.mark.parametrize("error", [duckdb.InternalException, duckdb.FatalException])
@pytest.mark.parametrize("place", ["batch.materialise", "consumption.open_raw"])
def test_damage_over_which_the_engine_gives_up_is_one_message(
    raw: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, place: str, error: Any
) -> None:
    def give_up(*_: Any, **__: Any) -> None:
        raise error("INTERNAL Error: attempted to access index 7 within vector of size 7\nutf")

    monkeypatch.setattr(f"python_ml.land.{place}", give_up)
    assert "unreadable or truncated: INTERNAL Error" in refused(raw, settings)


def test_a_parquet_file_whose_names_are_no_text(raw: Path, settings: Settings) -> None:
    (raw / LABEL).unlink()
    table = pa.table({"customer_id": ["C00002"], "churn": [1]})
    pq.write_table(table, raw / "churn_label.parquet", store_schema=False)
    content = (raw / "churn_label.parquet").read_bytes()
    (raw / "churn_label.parquet").write_bytes(content.replace(b"churn", b"ch\x9drn"))
    assert "churn_label.parquet: the file is unreadable" in refused(raw, settings)


def test_many_unknown_columns_are_one_problem(raw: Path, settings: Settings) -> None:
    extra = ",".join(f"c{n}" for n in range(500))
    (raw / LABEL).write_text(f"customer_id,churn,{extra}\n")
    assert "500 columns are unknown (c0, c1, " in refused(raw, settings)


@pytest.mark.parametrize("name", ["churn_label.csv\n", "churn\nlabel.csv", "churn_label\n.csv"])
def test_a_file_name_with_a_line_break(raw: Path, settings: Settings, name: str) -> None:
    (raw / LABEL).rename(raw / name)
    assert "churn_label: the file is missing" in refused(raw, settings)


def test_a_part_whose_name_has_a_line_break_is_read(raw: Path, settings: Settings) -> None:
    part = raw / READINGS / "month=2024-11" / "part-0.parquet"
    part.rename(part.with_name("part\n0.parquet"))
    (raw / "notes\n.txt").write_text("ignored")
    result = land(raw, settings)
    assert result.tables["consumption_hourly"].rows_landed == len(RawBatch()[READINGS])
    assert result.ignored_files == ["notes\n.txt"]


@pytest.mark.parametrize("is_known", [True, False])
def test_a_part_of_one_customer(raw: Path, settings: Settings, is_known: bool) -> None:
    """No row comes before another customer's, and a count over nothing known is null."""
    customer = "C00006" if is_known else None
    extra = readings("2024-11-01", "2024-11-30 23:00", ["C00009"]).assign(customer_id=customer)
    write_parquet(extra, raw / READINGS / "month=2024-11" / "extra.parquet")
    result = land(raw, settings)
    landed_readings = result.tables["consumption_hourly"]
    assert landed_readings.set_aside == ({} if is_known else {"customer_id: missing": 720})
    assert landed_readings.rows_added_up == (720 if is_known else 0)


def test_a_batch_of_one_customer_and_one_reading(settings: Settings, tmp_path: Path) -> None:
    batch = RawBatch()
    for name, frame in batch.frames.items():
        if "customer_id" in frame:
            batch[name] = frame[frame["customer_id"] == "C00002"].head(1)
    land(batch.write(tmp_path / "one"), settings)
    assert len(landed(settings.layout.lake, "consumption_hourly")) == 1


# ---------------------------------------------------------------- bombs


@pytest.fixture
def strict(settings: Settings) -> Settings:
    """At most a megabyte, or 200 times the size."""
    return settings.with_overrides({"land.expansion_allowed_gb": 0.001})


@pytest.mark.parametrize("name", ["churn_label.csv.gz", LABEL])
def test_a_gzip_bomb(raw: Path, strict: Settings, name: str) -> None:
    (raw / LABEL).unlink()
    bomb = io.BytesIO()
    with gzip.open(bomb, "wb", compresslevel=9) as stream:
        stream.write(b"customer_id,churn\n")
        for _ in range(5):
            stream.write(b"C00001,0\n" * 1_000_000)
    (raw / name).write_bytes(bomb.getvalue())
    said = refused(raw, strict)
    assert f"{name}: {name} expands to more than" in said
    assert "land.maximum_expansion" in said


def test_a_parquet_bomb(raw: Path, strict: Settings) -> None:
    many = pa.table(
        {
            "customer_id": pa.array(["C00009"]).take(pa.array(np.zeros(2_000_000, dtype=np.int8))),
            "timestamp": pa.array(np.zeros(2_000_000, dtype="datetime64[us]")),
            "consumption_elec_kwh": np.zeros(2_000_000),
            "consumption_gas_m3": np.zeros(2_000_000),
        }
    )
    path = raw / READINGS / "month=2024-11" / "bomb.parquet"
    pq.write_table(many, path, compression="zstd")
    assert path.stat().st_size < 100_000
    assert f"{READINGS}: bomb.parquet expands to more than" in refused(raw, strict)


def test_the_limit_can_be_raised(raw: Path, strict: Settings) -> None:
    frame = readings("2024-10-01", "2024-12-31 23:00").assign(consumption_gas_m3=0.0)
    for path in raw.glob(f"{READINGS}/*/*.parquet"):
        path.unlink()
    packed = gzip.compress(frame.to_csv(index=False).encode())
    (raw / f"{READINGS}.csv.gz").write_bytes(packed)
    tight = strict.with_overrides(
        {"land.maximum_expansion": 2, "land.expansion_allowed_gb": 0.0001}
    )
    assert "expands to more than" in refused(raw, tight)
    land(raw, tight.with_overrides({"land.maximum_expansion": 50}))


@pytest.mark.parametrize("noise", [b"\xff" * 50, random.Random(1).randbytes(50)])
def test_a_gzip_file_with_a_broken_body(raw: Path, settings: Settings, noise: bytes) -> None:
    packed = bytearray(gzip.compress(("customer_id,churn\n" + ROWS * 50).encode()))
    packed[20:50] = noise[:30]
    (raw / LABEL).write_bytes(packed)
    assert "truncated" in refused(raw, settings)


# ---------------------------------------------------------------- buckets


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client and the name of a bucket."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        client = boto3.client("s3", region_name="eu-south-2")
        client.create_bucket(
            Bucket="incoming", CreateBucketConfiguration={"LocationConstraint": "eu-south-2"}
        )
        yield client


def upload(client: Any, raw: Path) -> None:
    for path in raw.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), "incoming", f"in/{path.relative_to(raw).as_posix()}")


def test_a_key_with_two_slashes(raw: Path, settings: Settings, bucket: Any) -> None:
    upload(bucket, raw)
    bucket.delete_object(Bucket="incoming", Key=f"in/{LABEL}")
    bucket.put_object(Bucket="incoming", Key=f"in//{LABEL}", Body=(raw / LABEL).read_bytes())
    with pytest.raises(BadInputError) as caught:
        land("s3://incoming/in", settings)
    assert f"/{LABEL}: the key has two slashes in a row" in str(caught.value)
    assert not settings.layout.lake.exists()


def test_a_key_with_two_slashes_that_is_none_of_the_seven_is_ignored(
    raw: Path, settings: Settings, bucket: Any
) -> None:
    upload(bucket, raw)
    for key in ("in//notes.txt", "in/a//b.csv", "in/a\nb.csv", "in/../../../x/churn_label.csv"):
        bucket.put_object(Bucket="incoming", Key=key, Body=b"x")
    result = land("s3://incoming/in", settings)
    assert sorted(result.ignored_files) == ["/notes.txt", "a\nb.csv", "a//b.csv"]


def test_nothing_is_fetched_to_a_place_outside_of_its_folder(
    raw: Path, settings: Settings, bucket: Any, tmp_path: Path
) -> None:
    upload(bucket, raw)
    bucket.put_object(Bucket="incoming", Key=f"in/{READINGS}/../../out.parquet", Body=b"x")
    bucket.put_object(Bucket="incoming", Key=f"in/{READINGS}//{tmp_path}/y.parquet", Body=b"x")
    with pytest.raises(BadInputError, match="two slashes"):
        land("s3://incoming/in", settings)
    assert not (tmp_path / "y.parquet").exists()
    assert list_source("s3://incoming/in")
