"""How text becomes typed values, value by value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

import duckdb
import pytest

from python_ml.contracts.schema import ColumnSchema
from python_ml.land.convert import agree, survey, survey_signs, text_of, value_sql
from python_ml.land.mapping import SourceMapping


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


def read(
    connection: duckdb.DuckDBPyConnection,
    column: ColumnSchema,
    texts: Sequence[str | None],
    others: dict[str, dict[str, int]] | None = None,
    said: dict[str, Any] | None = None,
) -> list[object]:
    """The texts of one column through survey, convention and cast.

    Raises:
        AssertionError: with the problem, where the convention cannot be known.
    """
    connection.execute("create or replace temp table given (raw varchar)")
    connection.executemany("insert into given values (?)", [[text] for text in texts])
    text = text_of(column, "raw")
    aggregates = survey(column, text) | survey_signs(column, text)
    found = {}
    if aggregates:
        listing = ", ".join(f"coalesce({sql}, 0)" for sql in aggregates.values())
        (row,) = connection.execute(f"select {listing} from given").fetchall()
        found = dict(zip(aggregates, row, strict=True))
    conventions, problems = agree(
        "file.csv",
        {column.name: found, **(others or {})},
        SourceMapping.model_validate(said or {}),
    )
    assert not problems, str(problems[0])
    read_as = conventions[column.name]
    value = value_sql(column, "clean", "VARCHAR", read_as)
    rows = connection.execute(f"select {value} from (select {text} as clean from given)").fetchall()
    return [value for (value,) in rows]


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1.5", " 2 ", "-3e-2"], [1.5, 2.0, -0.03]),
        (["1,5", "2", "-0,25"], [1.5, 2.0, -0.25]),
        (["1,5", "2.5", "3.5"], [None, 2.5, 3.5]),  # one against the others is a wrong value
        (["1,5", "2,75", "3.5"], [1.5, 2.75, None]),
        (["1.314,50", "733"], [1314.5, 733.0]),
        (["1,314.50", "733", "2,000"], [1314.5, 733.0, 2000.0]),
        (["1.234.567", "1.314", "0,5"], [1234567.0, 1314.0, 0.5]),
        (["1,5", "1,314"], [1.5, 1.314]),
        (["1.314", "733"], [1.314, 733.0]),  # a point is a decimal point, as documented
        (["-1,50", "+2,25", ",5"], [-1.5, 2.25, 0.5]),
        (["", "NaN", "null", "N/A", None, "#N/D", "#N/A"], [None] * 7),
        (["12 kWh", "x"], [None, None]),
    ],
)
def test_numbers(connection: duckdb.DuckDBPyConnection, texts: Any, values: Any) -> None:
    assert read(connection, ColumnSchema("x", "double"), texts) == values


def test_whole_numbers_and_flags_among_them(connection: duckdb.DuckDBPyConnection) -> None:
    assert read(connection, ColumnSchema("n", "integer"), ["3", "4.0", "4.5", "1e2", "yes"]) == [
        *(3, 4, None, 100, None)
    ]
    flag = ColumnSchema("churn", "integer", {"minimum": 0, "maximum": 1})
    assert read(connection, flag, ["1", "0.0", "true", "No", "2"]) == [1, 0, 1, 0, 2]


def test_yes_and_no(connection: duckdb.DuckDBPyConnection) -> None:
    column = ColumnSchema("is_x", "boolean", {"words": {"true": ["sme"], "false": ["hogar"]}})
    texts = ["1", "0", "TRUE", "f", "Sí", "n", "SME", " Hogar ", "2", "maybe", ""]
    expected = [True, False, True, False, True, False, True, False, None, None, None]
    assert read(connection, column, texts) == expected


def test_text_keeps_words_that_mean_nothing_elsewhere(
    connection: duckdb.DuckDBPyConnection,
) -> None:
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
        (["04/03/2024 10:30", "13/03/2024 00:00:00"], [4, 13]),
    ],
)
def test_dates_by_the_convention_of_their_column(
    connection: duckdb.DuckDBPyConnection, texts: list[str], days: list[int]
) -> None:
    found = read(connection, ColumnSchema("d", "date"), texts)
    assert found == [date(2024, 3, day) for day in days]


@pytest.mark.parametrize(
    "text", ["31/02/2024", "2024-13-01", "epoch", "infinity", "03/04/24", "1 March", "now"]
)
def test_what_is_no_date(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    assert read(connection, ColumnSchema("d", "date"), [text, "25/12/2024"])[0] is None


def test_instants_with_a_zone_are_put_on_spanish_clocks(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    texts = ["2024-01-15T12:00:00Z", "2024-07-15 12:00:00+00:00", "2024-07-15 12:00"]
    found = read(connection, ColumnSchema("t", "timestamp"), texts)
    assert found == [
        datetime(2024, 1, 15, 13),
        datetime(2024, 7, 15, 14),
        datetime(2024, 7, 15, 12),
    ]


def test_hours_beyond_the_day(connection: duckdb.DuckDBPyConnection) -> None:
    texts = ["2024-01-15 24:00:00", "2024-01-15 25:00:00", *["2024-01-15 00:00:00"] * 30]
    found = read(connection, ColumnSchema("t", "timestamp"), texts)
    assert found[:2] == [datetime(2024, 1, 16), None]


@pytest.mark.parametrize(
    ("texts", "begins"),
    [
        (["01/10/2024 01:00", "31/10/2024 24:00"], [(1, 0, 0), (31, 23, 0)]),
        (["2024-10-01 00:15", "2024-10-01 24:00"], [(1, 0, 0), (1, 23, 45)]),
        (["2024-10-01T00:30:00", "2024-10-01T24:00:00"], [(1, 0, 0), (1, 23, 30)]),
    ],
)
def test_labels_that_name_the_end(
    connection: duckdb.DuckDBPyConnection, texts: list[str], begins: list[tuple[int, int, int]]
) -> None:
    """24:00 and never 00:00: the label 01:00 is of 0 to 1 h."""
    found = read(connection, ColumnSchema("t", "timestamp"), texts)
    assert found == [datetime(2024, 10, day, hour, minute) for day, hour, minute in begins]


def test_labels_that_name_ends_and_beginnings(connection: duckdb.DuckDBPyConnection) -> None:
    texts = ["2024-10-01 24:00", "2024-10-01 00:00"]
    column = ColumnSchema("t", "timestamp")
    with pytest.raises(AssertionError, match="1 hours are labelled 24:00 and 1 00:00"):
        read(connection, column, texts)
    found = read(connection, column, texts, said={"readings": {"hour_label": "ending"}})
    assert found == [datetime(2024, 10, 1, 23), datetime(2024, 9, 30, 23)]
    found = read(connection, column, texts, said={"readings": {"hour_label": "starting"}})
    assert found == [datetime(2024, 10, 2), datetime(2024, 10, 1)]


def test_zero_dates_are_missing(connection: duckdb.DuckDBPyConnection) -> None:
    texts = ["00/00/0000", "0000-00-00", "31/12/2024", "#N/D"]
    found = read(connection, ColumnSchema("d", "date"), texts)
    assert found == [None, None, date(2024, 12, 31), None]


def test_words_in_decomposed_form(connection: duckdb.DuckDBPyConnection) -> None:
    column = ColumnSchema("is_x", "boolean", {"words": {"false": ["dom\u00e9stico"]}})
    texts = ["Si\u0301", "S\u00ed", "dome\u0301stico"]
    assert read(connection, column, texts) == [True, True, False]
    assert read(connection, ColumnSchema("p", "varchar"), ["A\u0301lava"]) == ["\u00c1lava"]


NUMBER, DATE = ColumnSchema("n", "double"), ColumnSchema("d", "date")
COMMAS = {"commas": 9, "comma_proofs": 9, "point_proofs": 0, "comma_groups": 0, "point_groups": 0}
POINTS = COMMAS | {"comma_proofs": 0, "point_proofs": 9}
DAYS = {"year_last": 9, "day_first": 6, "month_first": 0, "zoned": 0, "compact": 0}


def test_a_comma_that_may_be_of_thousands_or_decimals(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """`1,314` beside 733 was read as 1.314."""
    texts = ["1,314", "733"]
    with pytest.raises(AssertionError, match="no value of the file tells"):
        read(connection, NUMBER, texts)
    assert read(connection, NUMBER, texts, {"other": COMMAS}) == [1.314, 733]
    assert read(connection, NUMBER, texts, {"other": POINTS}) == [1314, 733]
    assert read(connection, NUMBER, texts, None, {"decimal": ","}) == [1.314, 733]
    assert read(connection, NUMBER, texts, None, {"decimal": "."}) == [1314, 733]
    assert read(connection, NUMBER, ["1.314", "733"], {"other": COMMAS}) == [1314, 733]


def test_days_up_to_12_and_one_date_against_them(connection: duckdb.DuckDBPyConnection) -> None:
    """50 of 59 dates were read as another day, because of one."""
    texts = [f"{1 + n % 12:02d}/0{1 + n % 9}/2025" for n in range(58)] + ["05/13/2025"]
    with pytest.raises(AssertionError, match=r"only 1 of 59 dates has a number above 12"):
        read(connection, DATE, texts)
    for found in (
        read(connection, DATE, texts, {"other": DAYS}),
        read(connection, DATE, texts, None, {"dates": "day_first"}),
    ):
        assert found[0] == date(2025, 1, 1)
        assert found[1] == date(2025, 2, 2)
        assert found[11] == date(2025, 3, 12)
        assert found[58] is None


def test_one_contradiction_is_a_wrong_date(connection: duckdb.DuckDBPyConnection) -> None:
    texts = [f"{13 + n % 15}/03/2025" for n in range(40)] + ["03/14/2025"]
    found = read(connection, DATE, texts)
    assert found[:2] == [date(2025, 3, 13), date(2025, 3, 14)]
    assert found[40] is None


def test_order_of_day_and_month_that_nothing_tells(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(AssertionError) as caught:
        read(connection, DATE, ["01/02/2024", "02/03/2024", "03/04/2024"])
    assert str(caught.value).startswith(
        "file.csv, column d: no date tells whether the day or the month comes first (3 rows). "
        "Write them as YYYY-MM-DD, or state the order in the mapping."
    )
