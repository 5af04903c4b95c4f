"""How text becomes typed values, value by value."""

from __future__ import annotations

from datetime import date, datetime

import duckdb
import pytest

from python_ml.contracts.schema import ColumnSchema
from python_ml.land.convert import Convention, convention, survey, text_of, value_sql
from python_ml.land.result import Problem


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


def read(connection, column: ColumnSchema, texts: list[str | None]) -> list[object]:
    """The texts of one column through survey, convention and cast."""
    connection.execute("create or replace temp table given (raw varchar)")
    connection.executemany("insert into given values (?)", [[text] for text in texts])
    text = text_of(column, "raw")
    aggregates = survey(column, text)
    found = {}
    if aggregates:
        listing = ", ".join(f"coalesce({sql}, 0)" for sql in aggregates.values())
        row = connection.execute(f"select {listing} from given").fetchone()
        found = dict(zip(aggregates, row, strict=True))
    read_as = convention("file.csv", column.name, found)
    assert isinstance(read_as, Convention), read_as
    value = value_sql(column, "clean", "VARCHAR", read_as)
    rows = connection.execute(f"select {value} from (select {text} as clean from given)").fetchall()
    return [value for (value,) in rows]


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1.5", " 2 ", "-3e-2"], [1.5, 2.0, -0.03]),
        (["1,5", "2", "-0,25"], [1.5, 2.0, -0.25]),
        (["1,5", "2.5"], [None, 2.5]),  # a comma and a point: the point it is
        (["", "NaN", "null", "N/A", None], [None] * 5),
        (["12 kWh", "x"], [None, None]),
    ],
)
def test_numbers(connection, texts, values):
    assert read(connection, ColumnSchema("x", "double"), texts) == values


def test_whole_numbers_and_flags_among_them(connection):
    assert read(connection, ColumnSchema("n", "integer"), ["3", "4.0", "4.5", "1e2", "yes"]) == [
        *(3, 4, None, 100, None)
    ]
    flag = ColumnSchema("churn", "integer", {"minimum": 0, "maximum": 1})
    assert read(connection, flag, ["1", "0.0", "true", "No", "2"]) == [1, 0, 1, 0, 2]


def test_yes_and_no(connection):
    column = ColumnSchema("is_x", "boolean", {"words": {"true": ["sme"], "false": ["hogar"]}})
    texts = ["1", "0", "TRUE", "f", "Sí", "n", "SME", " Hogar ", "2", "maybe", ""]
    expected = [True, False, True, False, True, False, True, False, None, None, None]
    assert read(connection, column, texts) == expected


def test_text_keeps_words_that_mean_nothing_elsewhere(connection):
    """NA is Navarre."""
    texts = ["NA", " null ", "", "  ", None]
    assert read(connection, ColumnSchema("p", "varchar"), texts) == ["NA", "null", None, None, None]


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (["2024-03-04", "2024/3/4", "20240304", "2024-03-04 10:30:00"], [4, 4, 4, 4]),
        (["04/03/2024", "13/03/2024"], [4, 13]),
        (["03/04/2024", "03-13-2024"], [4, 13]),
        (["04.03.2024", "2024-03-05", "31.03.2024"], [4, 5, 31]),
    ],
)
def test_dates_by_the_convention_of_their_column(connection, texts, days):
    found = read(connection, ColumnSchema("d", "date"), texts)
    assert found == [date(2024, 3, day) for day in days]


@pytest.mark.parametrize(
    "text", ["31/02/2024", "2024-13-01", "epoch", "infinity", "03/04/24", "1 March", "now"]
)
def test_what_is_no_date(connection, text):
    assert read(connection, ColumnSchema("d", "date"), [text, "25/12/2024"])[0] is None


def test_instants_with_a_zone_are_put_on_spanish_clocks(connection):
    texts = ["2024-01-15T12:00:00Z", "2024-07-15 12:00:00+00:00", "2024-07-15 12:00"]
    found = read(connection, ColumnSchema("t", "timestamp"), texts)
    assert found == [
        datetime(2024, 1, 15, 13),
        datetime(2024, 7, 15, 14),
        datetime(2024, 7, 15, 12),
    ]


def test_hours_beyond_the_day(connection):
    texts = ["2024-01-15 24:00:00", "2024-01-15 25:00:00"]
    found = read(connection, ColumnSchema("t", "timestamp"), texts)
    assert found == [datetime(2024, 1, 16), None]


def test_order_of_day_and_month_that_nothing_tells():
    found = {"year_last": 3, "day_first": 0, "month_first": 0, "zoned": 0, "compact": 0}
    problem = convention("file.csv", "d", found)
    assert isinstance(problem, Problem)
    assert str(problem) == (
        "file.csv, column d: no date tells whether the day or the month comes first (3 rows). "
        "Write them as YYYY-MM-DD."
    )
