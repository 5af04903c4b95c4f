"""The as-of dates that a run's silver and gold are built for: its own, and those it learns from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from python_ml.engines import Warehouse
from python_ml.errors import BadInputError
from python_ml.judge.labels import recalibration_dates, require_snapshots, training_dates
from python_ml.pipeline.context import Batch, RunContext
from python_ml.registry import open_registry
from python_ml.registry.base import fitted_until

LAYERS = "silver gold"  # what depends on the as-of date
SPINE = "silver_as_of_date"


def planned_as_of_dates(context: RunContext, batch: Batch, warehouse: Warehouse) -> tuple[str, ...]:
    """The dates that the run's model is to learn from, oldest first.

    Where there is none, training says so.
    """
    if context.mode != "train":
        return ()
    try:
        dates = training_dates(warehouse, context.settings, batch.as_of_date)
    except BadInputError:
        return ()
    return tuple(day.isoformat() for day in dates)


def dates_to_learn_from(
    context: RunContext, batch: Batch, warehouse: Warehouse
) -> tuple[date, ...]:
    """The as-of dates with labels enough that have matured, oldest first; their gold is there.

    Raises:
        BadInputError: there is no such date, or the batch does not tell what was known on the
            newest.
    """
    dates = training_dates(warehouse, context.settings, batch.as_of_date)
    if dates[-1] < batch.as_of_date:
        require_snapshots(warehouse, dates[-1])
    require_gold(context, batch, warehouse, dates)
    return dates


def dates_to_recalibrate_on(
    context: RunContext, batch: Batch, warehouse: Warehouse, fitted_until: date
) -> tuple[date, ...]:
    """The as-of dates to fit a calibration on, and last the one to judge it on; their gold is
    there.

    Raises:
        BadInputError: too few labels have matured since `fitted_until`.
    """
    dates = recalibration_dates(warehouse, context.settings, batch.as_of_date, fitted_until)
    require_snapshots(warehouse, dates[0])
    require_gold(context, batch, warehouse, dates)
    return dates


def can_recalibrate(context: RunContext, batch: Batch, warehouse: Warehouse) -> bool:
    """Whether enough labels have matured to refit the champion's calibration."""
    registry = open_registry(context.settings)
    if (champion := registry.champion()) is None:
        return False
    until = date.fromisoformat(fitted_until(registry.load(champion).origin))
    try:
        recalibration_dates(warehouse, context.settings, batch.as_of_date, until)
    except BadInputError:
        return False
    return True


def require_gold(
    context: RunContext, batch: Batch, warehouse: Warehouse, dates: Sequence[date]
) -> None:
    """Build silver and gold of as-of dates, beside the run's own, unless they are there."""
    built = {batch.as_of_date}
    if SPINE in warehouse.column_types():
        known = warehouse.query(f"select as_of_date from {SPINE}")["as_of_date"]
        built |= {day.date() for day in known}
    if built.issuperset(dates):
        return
    dbt = context.dbt(batch)
    dbt.variables["as_of_dates"] = [day.isoformat() for day in dates]
    dbt.run(LAYERS)
