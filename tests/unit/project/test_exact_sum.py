"""Aggregates that give the same digits in whatever order an engine adds up."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import cast

import duckdb
import numpy as np
import pytest
from jinja2 import Environment

from python_ml.settings import PROJECT_DIR

MACROS = Environment().from_string((PROJECT_DIR / "macros" / "exact_sum.sql").read_text()).module
ORDERS = 5


def in_orders(expression: str, values: Sequence[float | None]) -> set[float | None]:
    """What an aggregate of `amount` comes to in several orders of the same values."""
    found = set()
    for seed in range(ORDERS):
        rows = np.random.default_rng(seed).permutation(len(values))
        amounts = [None if values[row] is None else str(values[row]) for row in rows]
        with duckdb.connect() as connection:
            # As text, since a parameter that is not a number would arrive as null.
            connection.execute(
                "create table amounts as select cast(unnest($1::varchar[]) as double) as amount",
                [amounts],
            )
            row = connection.execute(f"select {expression} from amounts").fetchone()
        found.add(cast("tuple[float | None]", row)[0])
    return found


def aggregated(macro: str, values: Sequence[float | None], **options: int) -> set[float | None]:
    return in_orders(getattr(MACROS, macro)("amount", **options), values)


@pytest.fixture(scope="module")
def amounts() -> list[float]:
    """Of every size, which plain sums of doubles give other last digits in another order."""
    generator = np.random.default_rng(7)
    return list(generator.normal(0, 10.0 ** generator.integers(-4, 5, 3000)))


@pytest.mark.parametrize(
    ("macro", "aggregate", "expected"),
    [
        ("exact_sum", "sum", math.fsum),
        ("exact_mean", "avg", np.mean),
        ("exact_stddev", "stddev_samp", lambda values: np.std(values, ddof=1)),
    ],
)
def test_no_order_changes_a_digit(
    amounts: list[float], macro: str, aggregate: str, expected: Callable[[list[float]], float]
) -> None:
    assert len(in_orders(f"{aggregate}(amount)", amounts)) > 1
    (found,) = aggregated(macro, amounts, digits=8)
    assert found == pytest.approx(expected(amounts), rel=1e-9)


def test_no_aggregate_of_numbers_sorts_its_rows() -> None:
    sorting = re.compile(r"\b(sum|avg|stddev\w*|var\w*)\((?:[^()]|\([^()]*\))*\border by\b", re.I)
    files = [*PROJECT_DIR.glob("models/**/*.sql"), *PROJECT_DIR.glob("macros/**/*.sql")]
    assert len(files) > 80
    assert [path.name for path in files if sorting.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.thorough
def test_cents_stay_cents() -> None:
    """In whole multiples of a power of two, 200,000 times a cent would be 5 cents off."""
    assert aggregated("exact_sum", [0.01] * 200_000) == {2000.0}


def test_a_constant_has_no_deviation() -> None:
    assert aggregated("exact_stddev", [0.1] * 7, digits=9) == {0.0}


@pytest.mark.parametrize(
    ("values", "deviation"),
    [
        ([], None),
        ([3.0], None),
        ([None, 3.0, None], None),
        ([1.0, None, 4.0, 7.0], 3.0),
        ([1.0, 2.0, 1e8], None),
        ([1.0, 2.0, math.inf], None),
        ([1.0, 2.0, math.nan], None),
    ],
)
def test_a_deviation_that_is_not_known(values: list[float | None], deviation: float | None) -> None:
    assert aggregated("exact_stddev", values) == {deviation}


def test_of_no_values_there_is_no_sum() -> None:
    assert aggregated("exact_sum", [None]) == aggregated("exact_mean", [None]) == {None}
    assert aggregated("exact_mean", [None, 2.0, 4.0]) == {3.0}


def test_values_beyond_the_digits_are_still_added_up() -> None:
    assert aggregated("exact_sum", [1e300, math.inf]) == {math.inf}
    (found,) = aggregated("exact_sum", [1e20, 1.0])
    assert found == pytest.approx(1e20)
