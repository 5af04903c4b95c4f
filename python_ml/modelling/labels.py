"""Which as-of dates have labels, when those were known, and which date a training learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from python_ml.config import Settings
from python_ml.errors import BadInputError
from python_ml.modelling.split import is_splittable
from python_ml.warehouse import Warehouse

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
        return (
            f"{self.as_of_date} ({self.customer_count:,} customers, {self.churner_count:,} leavers)"
        )


def labelled_dates(warehouse: Warehouse, batch_as_of_date: date) -> list[LabelledDate]:
    """As-of dates with labels up to the one that the batch ends with, oldest first.

    Labels are known once their horizon is over. Without a horizon in the file those of a date count
    as known on the next label date, and those of the last one with the batch. A batch whose only
    labels are of the date that it ends with was cut there to be learnt from: they are known too.

    Args:
        warehouse: holds `bronze_churn_label`.
        batch_as_of_date: the last day of its newest month.
    """
    labels = warehouse.query(
        "select label_date, max(horizon_days) as horizon_days, count(*) as customer_count, "
        "cast(sum(churn) as bigint) as churner_count "
        "from bronze_churn_label group by label_date order by label_date"
    )
    labels = labels[labels["label_date"] <= pd.Timestamp(batch_as_of_date)]
    days = [value.date() for value in labels["label_date"]]
    found = []
    for number, row in enumerate(labels.to_dict("records")):
        if days == [batch_as_of_date]:
            matured = batch_as_of_date
        elif pd.isna(row["horizon_days"]):
            matured = days[number + 1] if number + 1 < len(days) else batch_as_of_date
        else:
            matured = days[number] + timedelta(days=int(row["horizon_days"]))
        counts = int(row["customer_count"]), int(row["churner_count"])
        found.append(LabelledDate(days[number], matured, *counts))
    return found


def training_date(warehouse: Warehouse, settings: Settings, batch_as_of_date: date) -> date:
    """The as-of date to learn from: the newest whose labels have matured, if they are enough.

    Enough are `backtest.minimum_churner_count` leavers; where no date has as many, as many as the
    split needs.

    Raises:
        BadInputError: there is none; the message names the dates, their counts and what to do.
    """
    dates = labelled_dates(warehouse, batch_as_of_date)
    usable = [day for day in dates if not _obstacle(day, settings, batch_as_of_date)]
    minimum = settings.backtest.minimum_churner_count
    if enough := [day for day in usable if day.churner_count >= minimum]:
        return enough[-1].as_of_date
    if usable:
        return usable[-1].as_of_date
    raise BadInputError(
        f"churn_label: nothing can be learnt as of {batch_as_of_date}: "
        f"{_listing(dates, settings, batch_as_of_date)}. Deliver matured labels, or the batch of a "
        "month by which they have matured; until then score with the champion: spanishgas run "
        "--mode score."
    )


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
        f"; and {older} older dates" if older > 0 else ""
    )
