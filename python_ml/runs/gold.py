"""Gold that a run's model learns from: its own, or that of an earlier date beside it."""

from __future__ import annotations

import shutil
from datetime import date
from typing import TYPE_CHECKING

from python_ml.runs.manifest import SUCCEEDED

if TYPE_CHECKING:
    from python_ml.config import Settings
    from python_ml.modelling.as_of import GoldAsOf
    from python_ml.runs.workspace import Run
    from python_ml.warehouse import Warehouse


def labelled_gold(run: Run, warehouse: Warehouse, settings: Settings) -> GoldAsOf:
    """Gold of the newest as-of date with labels enough that have matured, by these settings.

    Raises:
        BadInputError: there is no such date, or the batch does not tell what was known on it.
    """
    from python_ml.modelling.as_of import require_snapshots
    from python_ml.modelling.labels import training_date

    as_of_date = training_date(warehouse, settings, run.as_of_date)
    gold = gold_as_of(run, warehouse, as_of_date)
    if as_of_date < run.as_of_date:
        require_snapshots(gold.warehouse, as_of_date)
    return gold


def gold_as_of(run: Run, warehouse: Warehouse, as_of_date: date) -> GoldAsOf:
    """Gold of an as-of date: the run's own, or built once in its folder, where nobody reads."""
    from python_ml.modelling.as_of import GoldAsOf, gold_beside

    if as_of_date == run.as_of_date:
        return GoldAsOf(as_of_date, warehouse, run.dbt)
    if as_of_date not in run.golds:
        folder = run.work_dir / f"as_of_{as_of_date}"
        shutil.rmtree(folder, ignore_errors=True)  # of a run that is resumed
        run.golds[as_of_date] = gold_beside(
            warehouse, run.dbt, as_of_date, folder, _landed_batch(run)
        )
    return run.golds[as_of_date]


def _landed_batch(run: Run) -> str | None:
    """The batch that bronze is made of: the run's own, or that of the published tables."""
    if run.batch_id is not None:
        return run.batch_id
    landed = (r for r in run.manifest.runs() if r.mode in ("train", "score") and r.batch_id)
    return next((record.batch_id for record in landed if record.status == SUCCEEDED), None)
