"""Which as-of dates have labels, when those were known, and which date a training learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from python_ml.engines import Warehouse
from python_ml.errors import BadInputError
from python_ml.judge.split import is_splittable
from python_ml.settings import Settings

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
        f"churn_label: nothing can be learnt as of {batch_as_of_date}: "
        f"{_listing(dates, settings, batch_as_of_date)}. Deliver matured labels, or the batch of a "
        "month by which they have matured; until then score with the champion: spanishgas run "
        "--mode score."
    )


def require_snapshots(warehouse: Warehouse, as_of_date: date) -> None:
    """Make sure that customers and contracts are those of the as-of date, not of a later one.

    A file without dates holds the state at the end of its batch: who has left since is missing, and
    a contract that was renewed shows its new date. Attributes may lack them, since contracts then
    say who is a customer.

    Raises:
        BadInputError: they are of later.
    """
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
            raise BadInputError(
                f"{table}, column snapshot_date: {said}, so that nothing tells what was known on "
                f"{as_of_date}, of which there are labels. Deliver the snapshots of that date too; "
                "without them the champion can still score: spanishgas run --mode score."
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
        f"; and {older} older date{'s' if older > 1 else ''}" if older > 0 else ""
    )
