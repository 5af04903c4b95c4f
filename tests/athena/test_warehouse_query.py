"""What a query of the warehouse gives back, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pandas as pd
import pytest

from python_ml.engines.athena import AthenaWarehouse
from python_ml.engines.athena_costs import costs_of
from python_ml.errors import SpanishGasError
from python_ml.settings import AthenaSettings, load_settings
from tests.athena.local.server import REGION, LocalAthena
from tests.athena.project import BUCKET
from tests.athena.queries import Queries

SCHEMA = "test_warehouse_query"
ROWS = """-- {"card": "a comment before it"}
with numbered (n) as (values 3, 1, 2)
select
    n,
    if(n = 2, null, n) as whole_or_null,
    cast(n as decimal(18, 2)) / 4 as amount,
    n / 3e0 as ratio,
    n > 1 as is_many,
    date '2024-01-01' + interval '1' day * n as day,
    timestamp '2024-01-01 00:00:00.123' as moment,
    if(n = 3, '', if(n = 1, 'a "quoted", 100 % one
    in two lines')) as text
from numbered -- the last line"""


@pytest.fixture
def section(
    athena: LocalAthena, queries: Queries, monkeypatch: pytest.MonkeyPatch
) -> AthenaSettings:
    for name, value in athena.environment.items():
        monkeypatch.setenv(name, value)
    values: dict[str, str | float] = {"athena.region": REGION, "athena.schema": SCHEMA}
    values |= {"athena.work_group": "primary", "athena.poll_seconds": 0.05}
    for name, folder in {"lake": "lake", "data": "data", "staging": "staging"}.items():
        values[f"athena.{name}"] = f"s3://{BUCKET}/query/{folder}"
    return load_settings(values, environ={}).athena


@pytest.fixture
def warehouse(section: AthenaSettings) -> Iterator[AthenaWarehouse]:
    with AthenaWarehouse(section) as opened:
        yield opened


def left_behind(athena: LocalAthena) -> list[str]:
    pages = athena.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="query/staging/unload/")
    return [entry["Key"] for entry in pages.get("Contents", [])]


@pytest.mark.parametrize("ordered", [False, True])
def test_values_keep_their_types(
    warehouse: AthenaWarehouse, athena: LocalAthena, ordered: bool
) -> None:
    frame = warehouse.query(f"{ROWS}\norder by n" if ordered else ROWS)
    if not ordered:
        frame = frame.sort_values("n", ignore_index=True)
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        "n": "int32",
        "whole_or_null": "float64",
        "amount": "object",
        "ratio": "float64",
        "is_many": "bool",
        "day": "datetime64[us]",
        "moment": "datetime64[us]",
        "text": "str" if pd.__version__ >= "3" else "object",
    }
    assert frame["n"].tolist() == [1, 2, 3]
    assert frame["whole_or_null"].isna().tolist() == [False, True, False]
    assert frame["amount"].tolist() == [Decimal("0.25"), Decimal("0.50"), Decimal("0.75")]
    assert frame["ratio"].tolist() == [1 / 3, 2 / 3, 1.0]
    assert [day.date() for day in frame["day"]] == [date(2024, 1, 2 + n) for n in range(3)]
    assert frame["moment"].tolist() == [pd.Timestamp("2024-01-01 00:00:00.123")] * 3
    assert frame["text"].isna().tolist() == [False, True, False]
    assert frame["text"].dropna().tolist() == ['a "quoted", 100 % one\n    in two lines', ""]
    assert not left_behind(athena)


def test_no_rows_have_the_names_of_their_columns(
    warehouse: AthenaWarehouse, athena: LocalAthena
) -> None:
    frame = warehouse.query("select 1 as a, date '2024-01-01' as b where 1 > 2 -- none")
    assert list(frame.columns) == ["a", "b"]
    assert frame.empty
    assert not left_behind(athena)


def test_what_fails_says_why_and_leaves_nothing(
    warehouse: AthenaWarehouse, athena: LocalAthena, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SpanishGasError, match=r"^Athena query .*COLUMN_NOT_FOUND"):
        warehouse.query("select absent from (values 1) as rows (a)")
    with pytest.raises(SpanishGasError, match=r"^athena primary: .*InvalidRequestException"):
        warehouse.query(f"select '{'x' * 300_000}' as a")
    assert not left_behind(athena)
    assert not capfd.readouterr().err


def test_statements_have_ids_that_costs_are_asked_by(
    warehouse: AthenaWarehouse, section: AthenaSettings, queries: Queries
) -> None:
    place = f"s3://{BUCKET}/query/data/made/"
    query_id = warehouse.execute(
        f"create table made with (external_location = '{place}', format = 'PARQUET') "
        "as select 1 as a"
    )
    assert queries.finish(query_id).state == "SUCCEEDED"
    frame = warehouse.query("select count(*) as row_count from made")
    assert frame["row_count"].tolist() == [1]
    node = '/* {"node_id": "model.spanishgas.a"} */'
    costs = costs_of(section, [f"{node} select a from made", f"{node} select a + 1 as a from made"])
    assert [(cost.node, cost.query_count) for cost in costs.costs] == [("model.spanishgas.a", 2)]
