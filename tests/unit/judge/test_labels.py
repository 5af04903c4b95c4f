"""Which as-of date a training learns from, and what is said where there is none."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from python_ml.engines import Warehouse, open_warehouse
from python_ml.errors import BadInputError
from python_ml.judge.labels import (
    LabelledDate,
    apart,
    labelled_dates,
    recalibration_dates,
    require_snapshots,
    training_date,
    training_dates,
)
from python_ml.settings import Settings, load_settings

NEWEST = date(2025, 4, 30)
Row = tuple[str, str, int, int]  # label date, day on which it was known, customers, leavers


def settings_of(home: Path, **overrides: object) -> Settings:
    return load_settings({"home": str(home), **overrides}, environ={})


def labels(settings: Settings, *rows: Row) -> Warehouse:
    """A warehouse with labels of these dates."""
    settings.layout.home.mkdir(exist_ok=True)
    with duckdb.connect(str(settings.layout.warehouse)) as connection:
        connection.execute(
            "create table bronze_label_date (label_date date, matured_date date,"
            " customer_count bigint, churner_count bigint)"
        )
        for row in rows:
            connection.execute("insert into bronze_label_date values (?, ?, ?, ?)", row)
    return open_warehouse(settings)


def chosen(home: Path, *rows: Row, **overrides: object) -> str:
    settings = settings_of(home, **overrides)
    return training_date(labels(settings, *rows), settings, NEWEST).isoformat()


def refused(home: Path, *rows: Row) -> str:
    settings = settings_of(home)
    with pytest.raises(BadInputError) as refusal:
        training_date(labels(settings, *rows), settings, NEWEST)
    assert refusal.value.exit_code == 3
    assert "run --mode score" in str(refusal.value)
    return str(refusal.value)


def test_labels_of_the_date_that_the_batch_ends_with_are_learned_from(tmp_path: Path) -> None:
    """As in the published data."""
    assert chosen(tmp_path, ("2025-04-30", "2025-04-30", 800, 80)) == "2025-04-30"


def test_the_newest_matured_date_is_learned_from(tmp_path: Path) -> None:
    rows = [
        ("2024-12-31", "2025-03-31", 800, 80),
        ("2025-01-31", "2025-04-30", 800, 80),  # known on the very day that the batch ends with
        ("2025-02-28", "2025-05-31", 800, 80),
        ("2025-04-30", "2025-07-31", 800, 5),  # who has left by now, which is not the outcome
    ]
    assert chosen(tmp_path, *rows) == "2025-01-31"


def test_labels_known_a_day_after_the_batch_are_not(tmp_path: Path) -> None:
    rows = [("2024-12-31", "2025-03-31", 800, 80), ("2025-01-31", "2025-05-01", 800, 80)]
    assert chosen(tmp_path, *rows) == "2024-12-31"


def test_dates_come_oldest_first_with_their_counts(tmp_path: Path) -> None:
    rows = [("2025-03-31", "2025-04-30", 790, 70), ("2024-12-31", "2025-03-31", 800, 80)]
    assert labelled_dates(labels(settings_of(tmp_path), *rows)) == [
        LabelledDate(date(2024, 12, 31), date(2025, 3, 31), 800, 80),
        LabelledDate(date(2025, 3, 31), date(2025, 4, 30), 790, 70),
    ]


def test_an_older_date_with_leavers_enough_goes_before_a_newer_one_without(tmp_path: Path) -> None:
    rows = [("2024-12-31", "2025-03-31", 800, 80), ("2025-01-31", "2025-04-30", 60, 8)]
    assert chosen(tmp_path / "a", *rows) == "2024-12-31"
    few = {"backtest.minimum_churner_count": 8}
    assert chosen(tmp_path / "b", *rows, **few) == "2025-01-31"


def test_where_no_date_has_enough_the_newest_that_can_be_split_is_learned_from(
    tmp_path: Path,
) -> None:
    rows = [
        ("2024-11-30", "2025-02-28", 300, 31),
        ("2024-12-31", "2025-03-31", 300, 30),
        ("2025-01-31", "2025-04-30", 300, 25),
    ]
    assert chosen(tmp_path, *rows) == "2025-01-31"


def test_labels_that_have_not_matured_are_named_with_their_day(tmp_path: Path) -> None:
    said = refused(
        tmp_path, ("2025-02-28", "2025-05-31", 800, 80), ("2025-03-31", "2025-06-30", 790, 75)
    )
    assert "no matured labels yet for 2025-04-30" in said
    assert "2025-02-28 (800 customers, 80 churners): known on 2025-05-31" in said
    assert "2025-03-31 (790 customers, 75 churners): known on 2025-06-30" in said


def test_too_few_labels_are_counted(tmp_path: Path) -> None:
    said = refused(tmp_path, ("2024-12-31", "2025-03-31", 800, 4))
    assert "2024-12-31 (800 customers, 4 churners): too few for 5 folds and a test part" in said


def test_of_many_dates_the_newest_are_named(tmp_path: Path) -> None:
    rows = [(f"2024-{month:02}-28", "2026-01-01", 20, 1) for month in range(5, 13)]
    said = refused(tmp_path, *rows)
    assert "2024-12-28" in said and "2024-05-28" not in said
    assert "and 2 older dates" in said
    assert "and 1 older date." in refused(tmp_path / "seven", *rows[1:])
    assert "older" not in refused(tmp_path / "six", *rows[2:])


def test_no_label_at_all_is_said(tmp_path: Path) -> None:
    assert "no label of a date up to then" in refused(tmp_path)


@pytest.mark.parametrize(
    ("attributes", "contracts", "words"),
    [
        ("2025-01-31", "2025-01-31", None),
        ("2024-12-31", "2025-01-31", None),
        (None, "2025-01-31", None),  # contracts say who is a customer
        ("2025-01-31", None, "customer_contracts.*there is none.*2025-01-31"),
        (None, None, "customer_contracts.*there is none"),
        ("2025-01-31", "2025-02-28", "customer_contracts.*first is of 2025-02-28"),
        ("2025-02-28", "2025-01-31", "customer_attributes.*first is of 2025-02-28"),
    ],
)
def test_customers_of_a_later_date_are_not_taken_for_those_of_the_date(
    tmp_path: Path, attributes: str | None, contracts: str | None, words: str | None
) -> None:
    settings = settings_of(tmp_path)
    with duckdb.connect(str(settings.layout.warehouse)) as connection:
        for table, first in (
            ("bronze_customer_attribute", attributes),
            ("bronze_customer_contract", contracts),
        ):
            connection.execute(
                f"create table {table} as select cast(? as date) as snapshot_date", [first]
            )
    warehouse = open_warehouse(settings)
    if words is None:
        require_snapshots(warehouse, date(2025, 1, 31))
        return
    with pytest.raises(BadInputError, match=words):
        require_snapshots(warehouse, date(2025, 1, 31))


def monthly(settings: Settings, *rows: Row, first_month: str = "2023-01-01") -> Warehouse:
    """A warehouse with these labels, and snapshots of every month end from 2024-01-31 on."""
    warehouse = labels(settings, *rows)
    with duckdb.connect(str(settings.layout.warehouse)) as connection:
        for table in ("customer_attribute", "customer_contract"):
            connection.execute(
                f"create table bronze_{table} as select date '2024-01-31' as snapshot_date"
            )
        connection.execute(
            "create table bronze_customer_month as select cast(? as date) as month_start",
            [first_month],
        )
    return warehouse


def learned(home: Path, *rows: Row, first_month: str = "2023-01-01", **overrides: Any) -> list[str]:
    """Dates that are learned from."""
    settings = settings_of(home, **overrides)
    warehouse = monthly(settings, *rows, first_month=first_month)
    return [f"{day}" for day in training_dates(warehouse, settings, NEWEST)]


MONTHLY = [
    ("2023-12-31", "2024-03-30", 800, 80),  # before the first snapshot
    ("2024-03-31", "2024-06-29", 800, 80),
    ("2024-06-30", "2024-09-28", 800, 80),
    ("2024-09-30", "2024-12-29", 800, 80),
    ("2024-10-31", "2025-01-29", 800, 80),
    ("2024-11-30", "2025-02-28", 800, 80),
    ("2024-12-31", "2025-03-31", 800, 80),
    ("2025-01-31", "2025-05-01", 800, 80),  # not known yet
]


def test_horizons_of_the_dates_learned_from_do_not_overlap(tmp_path: Path) -> None:
    dates = ["2024-03-31", "2024-06-30", "2024-09-30", "2024-12-31"]
    assert learned(tmp_path / "a", *MONTHLY) == dates
    touching = [MONTHLY[2], ("2024-06-30", "2024-09-30", 800, 80), MONTHLY[3], *MONTHLY[5:]]
    assert "2024-06-30" in learned(tmp_path / "c", *touching[1:]), "known on the very day"
    close: dict[str, Any] = {"model.training_dates.months_apart": 1}
    assert learned(tmp_path / "b", *MONTHLY, **close) == dates, "however close they may be"


def test_how_many_dates_and_how_far_apart_are_settings(tmp_path: Path) -> None:
    two: dict[str, Any] = {"model.training_dates.maximum_count": 2}
    assert learned(tmp_path / "a", *MONTHLY, **two) == ["2024-09-30", "2024-12-31"]
    alone: dict[str, Any] = {"model.training_dates.maximum_count": 1}
    assert learned(tmp_path / "b", *MONTHLY, **alone) == ["2024-12-31"]
    far: dict[str, Any] = {"model.training_dates.months_apart": 4}
    assert learned(tmp_path / "c", *MONTHLY, **far) == ["2024-06-30", "2024-12-31"]


def test_a_date_without_a_year_before_it_is_not_learned_from_beside_another(tmp_path: Path) -> None:
    found = learned(tmp_path / "more", *MONTHLY, first_month="2023-08-01")
    assert found == ["2024-09-30", "2024-12-31"]
    first = {"first_month": "2023-10-01"}  # twelve months, the last of them September 2024
    assert learned(tmp_path / "whole", *MONTHLY, **first) == ["2024-09-30", "2024-12-31"]


def recalibrated_on(home: Path, fitted_until: date, **overrides: Any) -> list[str]:
    settings = settings_of(home, **overrides)
    warehouse = monthly(settings, *MONTHLY)
    return [f"{day}" for day in recalibration_dates(warehouse, settings, NEWEST, fitted_until)]


def test_a_calibration_is_fitted_on_later_dates_and_judged_on_one_by_which_they_were_known(
    tmp_path: Path,
) -> None:
    days = recalibrated_on(tmp_path / "a", date(2024, 3, 31))
    assert days == ["2024-06-30", "2024-09-30", "2024-12-31"]
    assert recalibrated_on(tmp_path / "b", date(2024, 6, 30)) == ["2024-09-30", "2024-12-31"]


@pytest.mark.parametrize(
    ("fitted_until", "minimum", "words"),
    [
        (date(2024, 9, 30), 50, "after 2024-09-30.*2024-10-31.*2024-12-31"),  # not known by then
        (date(2024, 12, 31), 50, "Matured since: none"),
        (date(2025, 3, 31), 50, "Matured since: none"),
        (date(2024, 6, 30), 81, "at least 81 churned"),
    ],
)
def test_a_calibration_without_enough_labels_since_is_refused(
    tmp_path: Path, fitted_until: date, minimum: int, words: str
) -> None:
    limits = {"backtest.minimum_churner_count": minimum}
    with pytest.raises(BadInputError, match=words) as refusal:
        recalibrated_on(tmp_path, fitted_until, **limits)
    assert refusal.value.exit_code == 3
    assert "spanishgas run" in str(refusal.value)


@pytest.mark.parametrize(("months", "is_apart"), [(1, True), (2, False)])
def test_months_are_counted_over_the_turn_of_a_year(
    tmp_path: Path, months: int, is_apart: bool
) -> None:
    newest, before = date(2025, 1, 31), date(2024, 12, 31)
    limits = settings_of(tmp_path, **{"model.training_dates.months_apart": months})
    day = LabelledDate(before, newest, 800, 80)
    found = apart(newest, [day], limits.model.training_dates)
    assert found == ((before, newest) if is_apart else (newest,))
