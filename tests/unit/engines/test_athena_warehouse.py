"""What the Athena warehouse reads by queries and without, and what it says of those that fail."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import boto3
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from python_ml.contracts.schema import load_source
from python_ml.engines.athena import AthenaWarehouse
from python_ml.errors import SpanishGasError, TerminalError, TransientError
from python_ml.settings import PACKAGE_DIR, load_settings

STAGING = "s3://tables/staging"
HIVE = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"


@pytest.fixture
def warehouse(monkeypatch: pytest.MonkeyPatch) -> Iterator[AthenaWarehouse]:
    """A Hive table in two files, an empty one, and an Iceberg table; no query can be run yet."""
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        values = {"athena.region": "us-east-1", "athena.staging": STAGING}
        settings = load_settings(values, environ={}).athena
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


class Answering:
    """Athena's side of queries that all have one answer."""

    def __init__(
        self,
        client: Any,
        columns: dict[str, str],
        parts: Sequence[pa.Table] = (),
        rows: Sequence[Sequence[str | None]] = (),
    ) -> None:
        self.columns, self.parts, self.rows = columns, parts, rows
        self.sent: list[dict[str, Any]] = []
        self._s3: Any = boto3.client("s3", region_name="us-east-1")
        client.meta.events.register("before-call.athena", self._answer)

    def objects(self) -> list[str]:
        pages = self._s3.list_objects_v2(Bucket="tables", Prefix="staging/")
        return [entry["Key"] for entry in pages.get("Contents", [])]

    def _answer(self, model: Any, params: dict[str, Any], **_: Any) -> Any:
        request = json.loads(params["body"])
        answer = getattr(self, model.name)(request)
        return SimpleNamespace(status_code=200), answer

    def StartQueryExecution(self, request: dict[str, Any]) -> dict[str, Any]:
        self.sent.append(request)
        if place := re.search(r" to 's3://tables/(\S+)'", request["QueryString"]):
            keys = []
            for number, part in enumerate(self.parts):
                keys.append(f"{place[1]}2024_{number}")
                self._put(keys[-1], _as_parquet(part))
            manifest = "".join(f"s3://tables/{key}\n" for key in keys)
            folder = request["ResultConfiguration"]["OutputLocation"].removeprefix("s3://tables/")
            self._put(f"{folder}q-manifest.csv", manifest.encode())
        return {"QueryExecutionId": "q"}

    def GetQueryExecution(self, _: Any) -> dict[str, Any]:
        output = self.sent[-1]["ResultConfiguration"]["OutputLocation"]
        execution = {
            "QueryExecutionId": "q",
            "Query": self.sent[-1]["QueryString"],
            "Status": {"State": "SUCCEEDED"},
            "Statistics": {"DataManifestLocation": f"{output}q-manifest.csv"},
            "ResultConfiguration": {"OutputLocation": f"{output}q"},
        }
        return {"QueryExecution": execution}

    def GetQueryResults(self, request: dict[str, Any]) -> dict[str, Any]:
        named = [
            {"Name": name, "Type": kind, "Precision": 18, "Scale": 2, "Nullable": "UNKNOWN"}
            for name, kind in self.columns.items()
        ]
        first = int(request.get("NextToken") or 0)
        page = [list(self.columns), *self.rows][first : first + request["MaxResults"]]
        rows = [
            {"Data": [{} if text is None else {"VarCharValue": text} for text in row]}
            for row in page
        ]
        answer = {"ResultSet": {"Rows": rows, "ResultSetMetadata": {"ColumnInfo": named}}}
        left = len(self.rows) + 1 - first - len(page)
        return answer | ({"NextToken": str(first + len(page))} if left else {})

    def _put(self, key: str, content: bytes) -> None:
        self._s3.put_object(Bucket="tables", Key=key, Body=content)


def _as_parquet(table: pa.Table) -> bytes:
    content = io.BytesIO()
    pq.write_table(table, content)
    return content.getvalue()


def test_a_query_has_exact_values_and_leaves_nothing(warehouse: AthenaWarehouse) -> None:
    columns = {
        "whole": pa.int32(),
        "or_null": pa.int64(),
        "amount": pa.decimal128(18, 2),
        "day": pa.date32(),
        "moment": pa.timestamp("ms"),
        "text": pa.string(),
    }
    rows: list[list[Any]] = [
        [1, None, Decimal("0.10"), date(2024, 1, 1), datetime(2024, 1, 1, 12), ""],
        [2, 7, Decimal("9.99"), None, None, None],
    ]
    schema = pa.schema(list(columns.items()))
    named = [dict(zip(columns, row, strict=True)) for row in rows]
    parts = [pa.Table.from_pylist([row], schema=schema) for row in named]
    athena = Answering(warehouse._connection.client, {}, parts)
    sql = "-- a card's name\nselect *, 'a   b' as text from full -- all"
    frame = warehouse.query(sql)
    assert frame["whole"].tolist() == [1, 2]
    assert frame["or_null"].dtype == "float64"
    assert frame["amount"].tolist() == [Decimal("0.10"), Decimal("9.99")]
    assert frame["day"].dtype == frame["moment"].dtype == "datetime64[us]"
    assert frame["moment"].tolist() == [pd.Timestamp("2024-01-01 12:00"), pd.NaT]
    assert frame["text"].tolist()[0] == ""
    assert frame["text"].isna().tolist() == [False, True]
    (sent,) = athena.sent
    assert f"({sql}\n)" in sent["QueryString"]
    assert athena.objects() == []


def test_a_query_without_rows_has_its_columns(warehouse: AthenaWarehouse) -> None:
    athena = Answering(warehouse._connection.client, {"a": "date", "b": "bigint"})
    frame = warehouse.query("select 1 as a, 2 as b where 1 > 2")
    assert frame.dtypes.astype(str).to_dict() == {"a": "datetime64[us]", "b": "int64"}
    assert frame.empty
    assert athena.objects() == []


def test_an_ordered_query_keeps_its_order_and_its_exact_values(warehouse: AthenaWarehouse) -> None:
    columns = {
        "whole": "integer",
        "or_null": "bigint",
        "amount": "decimal",
        "ratio": "double",
        "is_it": "boolean",
        "day": "date",
        "moment": "timestamp",
        "text": "varchar",
    }
    texts = ["1", None, "0.10", "0.1", "true", "2024-01-01", "2024-01-01 12:00:00.000", ""]
    rows = [["3", "7", None, "NaN", None, None, None, None], texts]
    rows += [[str(number), *texts[1:]] for number in range(2500)]
    athena = Answering(warehouse._connection.client, columns, rows=rows)
    frame = warehouse.query("-- a card\nselect * from full order by ratio")
    assert frame["whole"].tolist() == [3, 1, *range(2500)]
    assert frame["or_null"].dtype == "float64"
    assert frame["amount"].tolist()[:2] == [None, Decimal("0.10")]
    assert frame["ratio"].isna().tolist()[:2] == [True, False]
    assert frame["ratio"][1] == 0.1
    assert frame["is_it"].tolist()[:2] == [None, True]
    assert frame["day"].dtype == frame["moment"].dtype == "datetime64[us]"
    assert frame["moment"].tolist()[:2] == [pd.NaT, pd.Timestamp("2024-01-01 12:00")]
    assert frame["text"].isna().tolist()[:2] == [True, False]
    assert frame["text"][1] == ""
    (sent,) = athena.sent
    assert sent["QueryString"] == "/* python_ml */ -- a card\nselect * from full order by ratio"


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


@pytest.mark.parametrize(("passes", "kind"), [(True, TransientError), (False, SpanishGasError)])
def test_a_statement_that_failed_says_why_and_whether_to_try_again(
    warehouse: AthenaWarehouse, passes: bool, kind: type[SpanishGasError]
) -> None:
    status: Any = {
        "State": "FAILED",
        "StateChangeReason": "GENERIC_INTERNAL_ERROR: no worker",
        "AthenaError": {"Retryable": passes},
    }
    with Stubber(warehouse._connection.client) as answers:
        answers.add_response("start_query_execution", {"QueryExecutionId": "q-1"})
        execution = {"QueryExecutionId": "q-1", "Query": "select 1", "Status": status}
        answers.add_response("get_query_execution", {"QueryExecution": execution})
        with pytest.raises(SpanishGasError) as raised:
            warehouse.execute("select 1")
    assert type(raised.value) is kind
    assert str(raised.value).startswith("Athena query q-1: GENERIC_INTERNAL_ERROR: no worker")


def test_what_athena_refuses_is_an_error_of_ours_and_printed_once(
    warehouse: AthenaWarehouse, capfd: pytest.CaptureFixture[str]
) -> None:
    with Stubber(warehouse._connection.client) as answers:
        answers.add_client_error(
            "start_query_execution", "InvalidRequestException", "No output location provided"
        )
        with pytest.raises(TerminalError, match=r"^athena .*No output location provided"):
            warehouse.execute("select 1")
    assert not capfd.readouterr().err


def test_ctrl_c_ends_the_wait_for_a_statement(
    warehouse: AthenaWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pyathena.common.time.sleep", interrupted)
    execution = {"QueryExecutionId": "q-1", "Query": "select 1", "Status": {"State": "RUNNING"}}
    with Stubber(warehouse._connection.client) as answers:
        answers.add_response("start_query_execution", {"QueryExecutionId": "q-1"})
        answers.add_response("get_query_execution", {"QueryExecution": execution})
        with pytest.raises(KeyboardInterrupt):
            warehouse.execute("select 1")


def test_no_module_sends_and_awaits_statements_by_itself() -> None:
    by_hand = re.compile(r"\b(start_query_execution|get_query_execution|get_query_results)\b")
    found = [
        str(path)
        for path in PACKAGE_DIR.rglob("*.py")
        if by_hand.search(path.read_text(encoding="utf-8"))
    ]
    assert not found, "PyAthena does it (AthenaWarehouse.query, execute)"
