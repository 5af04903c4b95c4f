"""The moment at which everybody sees the run."""

from __future__ import annotations

from datetime import datetime

from python_ml.land import write
from python_ml.land.result import LandResult
from python_ml.pipeline.closing import Closing, keep_assignments, keep_costs, read_closing
from python_ml.pipeline.context import Published, RunContext
from python_ml.pipeline.results import MartsResult, ScoreResult
from python_ml.registry import open_registry


def publish_step(
    context: RunContext, batch: LandResult | Published, scored: ScoreResult, marts: MartsResult
) -> Closing:
    """Make the run the one that everyone sees, all at once, and its model the champion.

    Raises:
        LeaseHeldError: the lease has gone to another run.
    """
    settings, run_id = context.settings, context.run_id
    with context.warehouse() as warehouse:
        context.tools.settle()
        with warehouse.held():
            closing = read_closing(warehouse)
        keep_assignments(warehouse, run_id)
        context.publish()
        # That was the moment; after a kill here, `mend` moves both pointers.
        with context.surviving("the next command makes the model champion, which has scored"):
            open_registry(settings).promote(scored.model_version, run_id)
        landed = context.landed_folder(batch)
        if landed is not None and landed.is_dir():
            with context.surviving("the next command makes the batch the current one of the lake"):
                write.make_current(settings.layout.lake, landed.name)
        if context.engine.bills_queries:
            with context.surviving("what the queries cost is not kept"):
                costs = context.engine.costs_since(datetime.fromisoformat(context.started_at))
                keep_costs(warehouse, costs, run_id)
    return closing
