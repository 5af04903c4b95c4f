"""What a query of the warehouse gives back, and what it leaves behind."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from python_ml.contracts.gold import read_contract
from python_ml.engines import open_warehouse
from python_ml.engines.athena import AthenaWarehouse
from python_ml.engines.athena_costs import costs_of
from python_ml.errors import SpanishGasError
from python_ml.judge.sample import CustomerSample, sample_of_date
from python_ml.judge.snapshot import gold_parts, read_gold
from python_ml.settings import AthenaSettings, load_settings
from tests.athena.local.server import REGION, LocalAthena
from tests.athena.project import BUCKET
from tests.athena.queries import Queries
from tests.unit import gold_fixture as gold

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


def test_gold_comes_in_the_same_parts_as_from_duckdb(
    warehouse: AthenaWarehouse, queries: Queries, tmp_path: Path
) -> None:
    """Ids of small letters and accents too: both engines sort them as Python does."""
    columns = {
        "customer_id": ("varchar", {"role": "key"}),
        "as_of_date": ("date", {"role": "key"}),
        "usage": ("double", {"role": "feature", "tier": "1A", "fill": "keep"}),
        "churn": ("integer", {"role": "target"}),
    }
    contract, newest = read_contract(gold.manifest(columns)), date(2024, 12, 31)
    ids = [f"{'CcÑñ é'[number % 6]}{number * 7919 % 1003:04}" for number in range(1003)]
    values = ", ".join(f"('{customer_id}')" for customer_id in ids)
    select = (
        "select customer_id, day as as_of_date, 0.5e0 as usage, cast(null as integer) as churn "
        f"from (values {values}) as t (customer_id) "
        "cross join (values (date '2024-11-30'), (date '2024-12-31')) as d (day)"
    )
    done = queries.run(
        f"create table {SCHEMA}.gold_master with (table_type = 'iceberg', is_external = false, "
        f"location = 's3://{BUCKET}/query/data/gold/', format = 'parquet') as {select}"
    )
    assert done.state == "SUCCEEDED", done.reason
    settings = load_settings({"home": str(tmp_path)}, environ={})
    with duckdb.connect(str(settings.layout.warehouse)) as connection:
        connection.execute(f"create table gold_master as {select}")
    with open_warehouse(settings) as local:
        for size, fewest in ((5000, 1), (400, 1), (5000, 8), (126, 2)):
            parts = gold_parts(warehouse, newest, size, fewest)
            assert parts == gold_parts(local, newest, size, fewest)
            tables = [read_gold(warehouse, contract, newest, part) for part in parts]
            assert pa.concat_tables(tables)["customer_id"].to_pylist() == sorted(ids)
            assert max(len(table) for table in tables) <= size
            assert len(tables) == max(math.ceil(1003 / size), fewest)
        sample = sample_of_date(warehouse, newest, 400)
        assert sample == sample_of_date(local, newest, 400) == CustomerSample(400 / 1003)
        drawn = [
            one for one, is_drawn in zip(ids, sample.drawn(pd.Series(ids)), strict=True) if is_drawn
        ]
        for engine in (warehouse, local):
            rows = read_gold(engine, contract, newest, sample=sample)
            assert rows["customer_id"].to_pylist() == sorted(drawn)
