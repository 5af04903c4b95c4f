"""What the Athena warehouse reads without a query: whole tables, and how many rows they have."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import boto3
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto import mock_aws

from python_ml.contracts.schema import load_source
from python_ml.engines.athena import AthenaWarehouse
from python_ml.settings import load_settings

HIVE = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"


@pytest.fixture
def warehouse(monkeypatch: pytest.MonkeyPatch) -> Iterator[AthenaWarehouse]:
    """A Hive table in two files, an empty one, and an Iceberg table; no query can be run."""
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        settings = load_settings({"athena.region": "us-east-1"}, environ={}).athena
        glue: Any = boto3.client("glue", region_name="us-east-1")
        s3: Any = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="tables")
        glue.create_database(DatabaseInput={"Name": settings.schema})
        for part, days in enumerate(([1, 2, 3], [4])):
            rows = {"day": pa.array(days, pa.date32()), "name": [f"n{day}" for day in days]}
            content = io.BytesIO()
            pq.write_table(pa.table(rows), content)
            s3.put_object(Bucket="tables", Key=f"full/{part}.parquet", Body=content.getvalue())
        for name, kind in {"full": HIVE, "empty": HIVE, "months": ""}.items():
            columns = [{"Name": "day", "Type": "date"}, {"Name": "name", "Type": "string"}]
            place = {"Location": f"s3://tables/{name}", "InputFormat": kind, "Columns": columns}
            glue.create_table(
                DatabaseName=settings.schema,
                TableInput={
                    "Name": name,
                    "StorageDescriptor": place,
                    "TableType": "EXTERNAL_TABLE",
                },
            )
        yield AthenaWarehouse(settings)


def test_a_whole_table_is_read_from_its_files(warehouse: AthenaWarehouse) -> None:
    frame = warehouse.read_table("full")
    assert frame["name"].tolist() == ["n1", "n2", "n3", "n4"]
    assert frame["day"].tolist() == [pd.Timestamp(1970, 1, day + 1) for day in (1, 2, 3, 4)]
    assert list(warehouse.read_table("empty").columns) == ["day", "name"]
    assert warehouse.read_table("empty").empty


def test_a_table_whose_files_are_gone_is_lost(warehouse: AthenaWarehouse) -> None:
    """Raw tables by their folder, those of python_ml by their newest part, without a query."""
    s3: Any = boto3.client("s3", region_name="us-east-1")
    glue: Any = boto3.client("glue", region_name="us-east-1")
    ours = [name for name, table in load_source("raw").items() if not table.meta.get("optional")]
    landed = [name for name in ours if name != "campaign_contacts"]  # a batch may come without it
    written = sorted(load_source("ml"))
    for database, names in ((warehouse.raw_schema, landed), (warehouse.ml_schema, written)):
        glue.create_database(DatabaseInput={"Name": database})
        for name in names:
            entry = {"StorageDescriptor": {"Location": f"s3://tables/{name}", "Columns": []}}
            glue.create_table(DatabaseName=database, TableInput={"Name": name, **entry})
            s3.put_object(Bucket="tables", Key=f"{name}/part", Body=b"x")
    for run_id in ("a", "b"):
        place = f"s3://tables/customer_score/run_id={run_id}/"
        part = {"Values": [run_id], "StorageDescriptor": {"Location": place}}
        glue.create_partition(
            DatabaseName=warehouse.ml_schema, TableName="customer_score", PartitionInput=part
        )
        s3.put_object(Bucket="tables", Key=f"customer_score/run_id={run_id}/part", Body=b"x")
    assert warehouse.lost_tables() == []
    s3.delete_object(Bucket="tables", Key="customer_score/run_id=a/part")
    assert warehouse.lost_tables() == [], "an earlier part may have been removed"
    s3.delete_object(Bucket="tables", Key="customer_score/run_id=b/part")
    s3.delete_object(Bucket="tables", Key="customer_attributes/part")
    glue.delete_table(DatabaseName=warehouse.ml_schema, Name="score_reason")
    assert warehouse.lost_tables() == [
        "customer_attributes (s3://tables/customer_attributes)",
        "customer_score (s3://tables/customer_score/run_id=b/)",
        f"score_reason ({warehouse.ml_schema})",
    ]


def test_rows_are_counted_by_footers_and_asked_of_other_tables_only(
    warehouse: AthenaWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def query(sql: str) -> pd.DataFrame:
        asked.append(sql)
        return pd.DataFrame({"name": ["months"], "size": [7]})

    monkeypatch.setattr(warehouse, "query", query)
    assert warehouse.row_counts() == {"empty": 0, "full": 4, "months": 7}
    assert asked == ["select 'months' as name, count(*) as size from months"]
    assert warehouse.row_counts({"full"}) == {"full": 4}
    assert len(asked) == 1
