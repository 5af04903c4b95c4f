"""The as-of dates that a run's silver and gold are built for: its own, and that it learns from."""

from __future__ import annotations

from datetime import date

from python_ml.engines import Warehouse
from python_ml.errors import BadInputError
from python_ml.judge.labels import require_snapshots, training_date
from python_ml.pipeline.context import Batch, RunContext

LAYERS = "silver gold"  # what depends on the as-of date
SPINE = "silver_as_of_date"


def planned_as_of_dates(context: RunContext, batch: Batch, warehouse: Warehouse) -> tuple[str, ...]:
    """The date that the run's model is to learn from, where it is another than the batch's.

    Where there is none, training says so.
    """
    if context.mode != "train":
        return ()
    try:
        return (training_date(warehouse, context.settings, batch.as_of_date).isoformat(),)
    except BadInputError:
        return ()


def labelled_date(context: RunContext, batch: Batch, warehouse: Warehouse) -> date:
    """The newest as-of date with labels enough that have matured; its gold is there.

    Raises:
        BadInputError: there is no such date, or the batch does not tell what was known on it.
    """
    as_of_date = training_date(warehouse, context.settings, batch.as_of_date)
    if as_of_date < batch.as_of_date:
        require_snapshots(warehouse, as_of_date)
    require_gold(context, batch, warehouse, as_of_date)
    return as_of_date


def require_gold(context: RunContext, batch: Batch, warehouse: Warehouse, as_of_date: date) -> None:
    """Build silver and gold of an as-of date, beside the run's own, unless they are there."""
    if as_of_date == batch.as_of_date:
        return
    if SPINE in warehouse.column_types():
        dates = warehouse.query(f"select as_of_date from {SPINE}")["as_of_date"]
        if as_of_date in {day.date() for day in dates}:
            return
    dbt = context.dbt(batch)
    dbt.variables["as_of_dates"] = [as_of_date.isoformat()]
    dbt.run(LAYERS)
