"""What one scan of a file of hourly readings finds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from python_ml.contracts.schema import load_source
from python_ml.land.inspect import Inspection, has_landed_types, inspect, repeated_hours

TABLE = load_source("raw")["consumption_hourly"]
GOOD = """
    select 'C' || lpad(customer::varchar, 5, '0') as customer_id,
        timestamp '2024-10-01' + hour * interval 1 hour as timestamp,
        0.25::double as consumption_elec_kwh,
        case when customer = 2 then null else 0.5 end::double as consumption_gas_m3
    from range(1, 4) as c (customer), range(744) as h (hour)
"""
ORDER = "order by customer_id, timestamp"


@pytest.fixture
def look(tmp_path: Path) -> Callable[[str], Inspection]:
    def look(sql: str) -> Inspection:
        with duckdb.connect() as connection:
            path = tmp_path / "part.parquet"
            connection.execute(f"copy ({sql}) to '{path}' (format parquet, row_group_size 2048)")
            return inspect(connection, TABLE, path, [2024])

    return look


def test_file_without_a_blemish(look: Callable[[str], Inspection]) -> None:
    found = look(f"{GOOD} {ORDER}")
    assert found.conforms
    assert (found.rows, found.without_customer) == (3 * 744, 0)
    assert (found.first, found.last) == (datetime(2024, 10, 1), datetime(2024, 10, 31, 23))
    assert found.counts == {"consumption_elec_kwh": 2232, "consumption_gas_m3": 1488}
    assert found.sums == {"consumption_elec_kwh": 558.0, "consumption_gas_m3": 744.0}


@pytest.mark.parametrize(
    "sql",
    [
        f"select * from ({GOOD}) where hour(timestamp) % 5 <> 3 {ORDER}",
        f"select * replace (if(hour(timestamp) = 3, null, customer_id) as customer_id) "
        f"from ({GOOD} {ORDER})",
        f"select * from ({GOOD} union all select 'C00002', timestamp '2024-10-27 02:00', 1, 1) "
        f"{ORDER}",
        f"select * replace (consumption_elec_kwh::float as consumption_elec_kwh) from ({GOOD}) "
        f"{ORDER}",
    ],
    ids=["gaps", "rows without customer", "hour that comes twice", "floats"],
)
def test_what_may_stay(look: Callable[[str], Inspection], sql: str) -> None:
    assert look(sql).conforms


@pytest.mark.parametrize(
    ("sql", "finding", "count"),
    [
        (f"{GOOD} order by customer_id desc, timestamp", "unordered", 2),
        (f"{GOOD} order by customer_id, timestamp desc", "unordered", 3 * 743),
        (
            f"select * from ({GOOD}) order by customer_id, "
            "if(timestamp = timestamp '2024-10-02', timestamp '2024-10-05 00:30', timestamp)",
            "unordered",
            3,
        ),
        (
            f"select * from ({GOOD} union all select 'C00002', timestamp '2024-10-20', 9, 9) "
            f"{ORDER}",
            "duplicates",
            1,
        ),
        (
            f"select * replace (if(customer_id = 'C00002', timestamp + interval 30 minute, "
            f"timestamp) as timestamp) from ({GOOD}) {ORDER}",
            "off_hour",
            744,
        ),
        (
            "select * replace (if(timestamp = timestamp '2024-10-03', "
            f"timestamp + interval 15 minute, timestamp) as timestamp) from ({GOOD}) {ORDER}",
            "off_hour",
            3,
        ),
        (
            f"select * replace (replace(customer_id, 'C', 'K') as customer_id) from ({GOOD}) "
            f"{ORDER}",
            "bad_ids",
            3,
        ),
        (
            "select * replace (if(hour(timestamp) = 0, null, timestamp) as timestamp) "
            f"from ({GOOD} {ORDER})",
            "without_timestamp",
            3 * 31,
        ),
    ],
)
def test_what_may_not(
    look: Callable[[str], Inspection], sql: str, finding: str, count: int
) -> None:
    found = look(sql)
    assert not found.conforms
    assert getattr(found, finding) == count


@pytest.mark.parametrize("value", ["'nan'", "'inf'", "'-inf'", "100000.5"])
@pytest.mark.parametrize("column", ["consumption_elec_kwh", "consumption_gas_m3"])
def test_one_reading_that_does_not_fit(
    look: Callable[[str], Inspection], value: str, column: str
) -> None:
    found = look(
        f"select * replace (if(customer_id = 'C00003' and timestamp = timestamp '2024-10-09', "
        f"{value}::double, {column}) as {column}) from ({GOOD}) {ORDER}"
    )
    assert not found.measures_fit
    assert not found.conforms


@pytest.mark.parametrize(
    ("sql", "as_landed"),
    [
        (GOOD, True),
        (f"select * replace (timestamp::timestamp_ns as timestamp) from ({GOOD})", False),
        (f"select * replace (timestamp::varchar as timestamp) from ({GOOD})", False),
        (f"select *, 1 as extra from ({GOOD})", False),
        (f"select timestamp, * exclude (timestamp) from ({GOOD})", False),
    ],
)
def test_types_of_the_lake(tmp_path: Path, sql: str, as_landed: bool) -> None:
    with duckdb.connect() as connection:
        path = tmp_path / "part.parquet"
        connection.execute(f"copy ({sql}) to '{path}' (format parquet)")
        assert has_landed_types(connection, TABLE, path) is as_landed


def test_hour_that_comes_twice_by_year() -> None:
    assert repeated_hours([2023, 2024, 2027]) == [
        datetime(2023, 10, 29, 2),
        datetime(2024, 10, 27, 2),
        datetime(2027, 10, 31, 2),
    ]


@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize(("value", "fits"), [(5.0, True), (1e6, False), (float("nan"), False)])
def test_files_with_and_without_statistics(
    tmp_path: Path, statistics: bool, value: float, fits: bool
) -> None:
    """Other writers leave statistics out, or leave NaN out of them."""
    with duckdb.connect() as connection:
        table = connection.execute(f"{GOOD} {ORDER}").to_arrow_table()
        elec = table["consumption_elec_kwh"].to_pylist()
        elec[100] = value
        table = table.set_column(2, "consumption_elec_kwh", pa.array(elec, pa.float64()))
        path = tmp_path / "part.parquet"
        pq.write_table(table, path, write_statistics=statistics, row_group_size=1000)
        found = inspect(connection, TABLE, path, [2024])
    assert (found.measures_fit, found.conforms) == (fits, fits)
    assert found.counts == {"consumption_elec_kwh": 2232, "consumption_gas_m3": 1488}
