"""Which as-of dates have labels, when those were known, and which dates a training learns from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from python_ml.engines import Warehouse
from python_ml.errors import BadInputError
from python_ml.judge.split import is_splittable
from python_ml.settings import Settings, TrainingDatesSettings

SHOWN_DATES = 6  # of an error's list, the newest


@dataclass(frozen=True)
class LabelledDate:
    """An as-of date with labels, and the day on which they were known."""

    as_of_date: date
    matured: date
    customer_count: int
    churner_count: int

    @property
    def told(self) -> str:
        counts = f"{self.customer_count:,} customers, {self.churner_count:,} churners"
        return f"{self.as_of_date} ({counts})"


def labelled_dates(warehouse: Warehouse) -> list[LabelledDate]:
    """As-of dates with labels up to the one that the batch ends with, oldest first.

    Args:
        warehouse: holds `bronze_label_date`, which says when labels are known.
    """
    rows = warehouse.read_table("bronze_label_date").sort_values("label_date")
    return [
        LabelledDate(
            row["label_date"].date(),
            row["matured_date"].date(),
            int(row["customer_count"]),
            int(row["churner_count"]),
        )
        for row in rows.to_dict("records")
    ]


def training_date(warehouse: Warehouse, settings: Settings, batch_as_of_date: date) -> date:
    """The as-of date to learn from: the newest whose labels have matured, if they are enough.

    Enough are `backtest.minimum_churner_count` leavers; where no date has as many, as many as the
    split needs.

    Raises:
        BadInputError: there is none; the message names the dates, their counts and what to do.
    """
    dates = labelled_dates(warehouse)
    usable = [day for day in dates if not _obstacle(day, settings, batch_as_of_date)]
    minimum = settings.backtest.minimum_churner_count
    if enough := [day for day in usable if day.churner_count >= minimum]:
        return enough[-1].as_of_date
    if usable:
        return usable[-1].as_of_date
    raise BadInputError(
        f"churn_label: no matured labels yet for {batch_as_of_date}: "
        f"{_listing(dates, settings, batch_as_of_date)}. Deliver matured labels, or the batch of a "
        "month by which they have matured; until then score with the champion: spanishgas run "
        "--mode score."
    )


def training_dates(
    warehouse: Warehouse, settings: Settings, batch_as_of_date: date
) -> tuple[date, ...]:
    """All as-of dates to learn from, oldest first; the last is `training_date`.

    Of the earlier ones those count whose labels had matured by the next one, so that no outcome is
    told twice, and of which the batch has snapshots and twelve months of readings.

    Raises:
        BadInputError: as for `training_date`.
    """
    newest = training_date(warehouse, settings, batch_as_of_date)
    usable = [
        day for day in labelled_dates(warehouse) if not _obstacle(day, settings, batch_as_of_date)
    ]
    limits = settings.model.training_dates
    return apart(newest, usable, limits, lambda day: _is_known(warehouse, day))


def recalibration_dates(
    warehouse: Warehouse, settings: Settings, batch_as_of_date: date, fitted_until: date
) -> tuple[date, ...]:
    """As-of dates to fit a calibration on, oldest first, and last the one to judge it on, by which
    the labels of the others had matured.

    Args:
        fitted_until: the newest date that the model itself has learned from; all are later.

    Raises:
        BadInputError: too few labels have matured since; the message says what is missing.
    """
    limits, minimum = settings.model.training_dates, settings.backtest.minimum_churner_count
    newest = training_date(warehouse, settings, batch_as_of_date)
    later = [
        day
        for day in labelled_dates(warehouse)
        if day.as_of_date > fitted_until and not _obstacle(day, settings, batch_as_of_date)
    ]
    dates = apart(newest, later, limits, lambda day: _is_known(warehouse, day))
    churners = sum(day.churner_count for day in later if day.as_of_date in dates[:-1])
    if len(dates) > 1 and churners >= minimum:
        return dates
    listed = ", ".join(day.told for day in later[-SHOWN_DATES:]) or "none"
    raise BadInputError(
        f"churn_label: a calibration cannot be refitted as of {batch_as_of_date}: it needs labels "
        f"of a date after {fitted_until}, which the model learned from, with at least {minimum} "
        f"churned customers, that had matured by a later date with matured labels to judge it on. "
        f"Matured since: {listed}. Deliver the batches of later months, or train a new model: "
        "spanishgas run."
    )


def apart(
    newest: date,
    dates: Sequence[LabelledDate],
    limits: TrainingDatesSettings,
    is_known: Callable[[date], bool] = lambda _: True,
) -> tuple[date, ...]:
    """`newest` and dates before it, as many and as far apart as the settings say, oldest first.

    Horizons do not overlap: rows of one customer on two dates then tell of different outcomes.

    Args:
        newest: the last of them.
        dates: to choose from, oldest first.
        limits: the settings.
        is_known: whether there is gold of a date; asked of the others last.
    """
    chosen = [newest]
    for day in reversed(dates):
        if len(chosen) == limits.maximum_count:
            break
        months = _months(chosen[0]) - _months(day.as_of_date)
        is_before = day.as_of_date < chosen[0] and day.matured <= chosen[0]
        if is_before and months >= limits.months_apart and is_known(day.as_of_date):
            chosen.insert(0, day.as_of_date)
    return tuple(chosen)


def _months(day: date) -> int:
    return day.year * 12 + day.month


def _is_known(warehouse: Warehouse, as_of_date: date) -> bool:
    """Whether the batch tells what was known on a date, twelve whole months back."""
    first = warehouse.query("select min(month_start) as month from bronze_customer_month")
    after = as_of_date + timedelta(days=1)
    is_long = pd.Timestamp(first["month"].iloc[0]) <= pd.Timestamp(after.year - 1, after.month, 1)
    return is_long and not _later_snapshots(warehouse, as_of_date)


def require_snapshots(warehouse: Warehouse, as_of_date: date) -> None:
    """Make sure that customers and contracts are those of the as-of date, not of a later one.

    A file without dates holds the state at the end of its batch: who has left since is missing, and
    a contract that was renewed shows its new date. Attributes may lack them, since contracts then
    say who is a customer.

    Raises:
        BadInputError: they are of later.
    """
    if said := _later_snapshots(warehouse, as_of_date):
        raise BadInputError(
            f"{said}, so that nothing tells what was known on {as_of_date}, of which there are "
            "labels. Deliver the snapshots of that date too; without them the champion can still "
            "score: spanishgas run --mode score."
        )


def _later_snapshots(warehouse: Warehouse, as_of_date: date) -> str:
    """What is wrong with the snapshots of a date; empty where they are of then."""
    found = warehouse.query(
        "select (select min(snapshot_date) from bronze_customer_attribute) as customer_attributes, "
        "(select min(snapshot_date) from bronze_customer_contract) as customer_contracts"
    ).iloc[0]
    for table, first in found.items():
        if pd.isna(first):
            said = None if table == "customer_attributes" else "there is none"
        else:
            said = f"the first is of {first:%Y-%m-%d}" if first.date() > as_of_date else None
        if said:
            return f"{table}, column snapshot_date: {said}"
    return ""


def _obstacle(day: LabelledDate, settings: Settings, batch_as_of_date: date) -> str:
    """Why a date cannot be learnt from; empty where it can."""
    if day.matured > batch_as_of_date:
        return f"known on {day.matured}"
    model = settings.model
    sizes = (day.churner_count, day.customer_count - day.churner_count)
    if not is_splittable(sizes, test_share=model.test_share, folds=model.folds):
        return f"too few for {model.folds} folds and a test part"
    return ""


def _listing(dates: Sequence[LabelledDate], settings: Settings, batch_as_of_date: date) -> str:
    if not dates:
        return "it holds no label of a date up to then"
    told = [f"{day.told}: {_obstacle(day, settings, batch_as_of_date)}" for day in dates]
    older = len(told) - SHOWN_DATES
    return f"labels of {'; '.join(told[-SHOWN_DATES:])}" + (
        f"; and {older} older date{'s' if older > 1 else ''}" if older > 0 else ""
    )
