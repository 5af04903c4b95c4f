"""Landing as a command of its own, without what other commands import: models and plots."""

from __future__ import annotations

from python_ml.land import LandResult, land
from python_ml.land.discover import require_source
from python_ml.land.mapping import read_mapping
from python_ml.pipeline.workspace import Run, workspace


def land_batch(run: Run, source: str) -> LandResult:
    """Check a raw batch and make it the current one of the lake.

    Raises:
        BadInputError: the batch was refused; the lake is as before.
    """
    require_source(source)
    read_mapping(run.settings.land.mapping)
    run.mode, run.source = "land", source
    with workspace(run), run.step("land") as (step, report):
        landed = land(source, run.settings, progress=report)
        run.results.put(landed)
        step.rows = landed.row_count
    return landed
