"""The as-of dates that a run's silver and gold are built for: its own, and that it learns from."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from python_ml.errors import BadInputError

if TYPE_CHECKING:
    from python_ml.engines import Warehouse
    from python_ml.pipeline.workspace import Run
    from python_ml.settings import Settings

LAYERS = "silver gold"  # what depends on the as-of date
SPINE = "silver_as_of_date"


def plan_as_of_dates(run: Run, warehouse: Warehouse) -> None:
    """Have silver and gold built for the date that the run's model is to learn from, too.

    Where there is none, training says so.
    """
    from python_ml.judge.labels import training_date

    if run.mode != "train":
        return
    try:
        learned_from = training_date(warehouse, run.settings, run.as_of_date)
    except BadInputError:
        return
    run.dbt.variables["as_of_dates"] = [learned_from.isoformat()]


def labelled_date(run: Run, warehouse: Warehouse, settings: Settings) -> date:
    """The newest as-of date with labels enough that have matured, by these settings; its gold is
    there.

    Raises:
        BadInputError: there is no such date, or the batch does not tell what was known on it.
    """
    from python_ml.judge.labels import require_snapshots, training_date

    as_of_date = training_date(warehouse, settings, run.as_of_date)
    if as_of_date < run.as_of_date:
        require_snapshots(warehouse, as_of_date)
    require_gold(run, warehouse, as_of_date)
    return as_of_date


def require_gold(run: Run, warehouse: Warehouse, as_of_date: date) -> None:
    """Build silver and gold of an as-of date, beside the run's own, unless they are there."""
    if as_of_date == run.as_of_date:
        return
    if SPINE in warehouse.column_types():
        dates = warehouse.query(f"select as_of_date from {SPINE}")["as_of_date"]
        if as_of_date in {day.date() for day in dates}:
            return
    run.dbt.variables["as_of_dates"] = [as_of_date.isoformat()]
    run.dbt.run(LAYERS)
