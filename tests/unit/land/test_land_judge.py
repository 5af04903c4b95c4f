"""When a table as a whole is refused, at the very limits."""

from __future__ import annotations

from typing import Any

import pytest

from python_ml.contracts.schema import ColumnSchema, TableSchema
from python_ml.land.check import MALFORMED, Tally, judge, judge_mean
from python_ml.land.result import Problem
from python_ml.settings import load_settings

SETTINGS = load_settings(
    {"land.maximum_null_share": 0.8, "land.maximum_rejected_share": 0.2}, environ={}
)
TABLE = TableSchema(
    "t",
    (
        ColumnSchema("needed", "varchar"),
        ColumnSchema("sparse", "double", {"sparse": True}),
        ColumnSchema("extra", "double", {"required": False}),
    ),
)
KWH = {"mean_minimum": 0.1, "mean_maximum": 5.0, "unit": "kWh"}


def judged(rows: Any, set_aside: Any = None, **nulls: Any) -> list[Problem]:
    return judge("t.csv", TABLE, Tally(rows, set_aside or {}, nulls), SETTINGS)


def test_a_tally_tells_wrong_values_from_missing_ones() -> None:
    tally = Tally(100, {"a: missing": 5, "b: no number": 7, MALFORMED: 1}, {})
    assert (tally.wrong, tally.landed) == (8, 87)


def test_without_rows_nothing_else_is_said() -> None:
    (problem,) = judged(0, {"a: missing": 0}, needed=0)
    assert (problem.what, problem.rows) == ("the file holds no rows", 0)


@pytest.mark.parametrize(
    ("nulls", "count"),
    [({"needed": 80}, 0), ({"needed": 81}, 1), ({"sparse": 100}, 0), ({"extra": 100}, 0)],
)
def test_missing_values_up_to_the_limit_of_a_column_that_must_be_there(
    nulls: dict[str, int], count: int
) -> None:
    problems = judged(100, **nulls)
    assert len(problems) == count
    for problem in problems:
        assert (problem.column, problem.rows) == ("needed", 81)
        assert problem.what == "81% missing or unreadable, at most 80% may be"


@pytest.mark.parametrize(
    ("set_aside", "count"),
    [
        ({"b: x": 20}, 0),
        ({"b: x": 21}, 1),
        ({"a: missing": 99}, 0),
        ({"a: missing": 79, "b: x": 20}, 0),
    ],
)
def test_wrong_rows_up_to_the_limit(set_aside: dict[str, int], count: int) -> None:
    problems = judged(100, set_aside)
    assert len(problems) == count
    for problem in problems:
        assert problem.rows == 21 and problem.column is None
        assert problem.what == "21% of the rows would be set aside, at most 20% may be: b: x (21)"


def test_the_most_frequent_reasons_are_named_and_of_equal_ones_the_first_by_name() -> None:
    reasons = {"z": 2, "b": 9, "y": 9, "c": 1, "d": 1, "e": 8, "f": 7}
    (problem,) = judged(100, reasons)
    assert problem.what.endswith("b (9), y (9), e (8), f (7), z (2)")


def test_a_table_of_which_no_row_is_usable() -> None:
    (problem,) = judged(10, {"a: missing": 10})
    assert (problem.what, problem.rows) == ("no row is usable: a: missing (10)", 10)
    assert judged(10, {"a: missing": 9}) == []
    problems = judged(10, {"b: x": 10})
    assert len(problems) == 1, "the share of wrong ones has said it"


@pytest.mark.parametrize(
    ("mean", "meta", "is_wrong"),
    [
        (None, KWH, False),
        (0.1, KWH, False),
        (5.0, KWH, False),
        (0.0999, KWH, True),
        (5.001, KWH, True),
        (9.0, {"mean_minimum": 0.1, "unit": "kWh"}, False),
        (0.0, {"mean_minimum": 0.1, "unit": "kWh"}, True),
        (0.0, {"mean_maximum": 5.0, "unit": "kWh"}, False),
        (9.0, {"mean_maximum": 5.0, "unit": "kWh"}, True),
    ],
)
def test_a_mean_at_the_limits_of_its_unit(
    mean: float | None, meta: dict[str, object], is_wrong: bool
) -> None:
    problems = judge_mean("t.csv", ColumnSchema("kwh", "double", meta), mean, 12)
    assert len(problems) == is_wrong
    for problem in problems:
        assert (problem.column, problem.rows) == ("kwh", 12)
        assert "convert it to kWh" in problem.remedy


def test_a_mean_names_the_limits_that_there_are() -> None:
    told = [
        judge_mean("t", ColumnSchema("kwh", "double", {**meta, "unit": "kWh"}), mean, 1)[0].what
        for mean, meta in ((9.0, KWH), (9.0, {"mean_maximum": 5.0}), (0.0, {"mean_minimum": 0.1}))
    ]
    assert told == [
        "the mean is 9, outside 0.1 to 5.0 kWh",
        "the mean is 9, outside to 5.0 kWh",
        "the mean is 0, outside 0.1 to kWh",
    ]
