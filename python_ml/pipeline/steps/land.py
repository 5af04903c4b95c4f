"""From raw files to checked tables of the lake."""

from __future__ import annotations

from python_ml.errors import UsageError
from python_ml.land import LandResult, land
from python_ml.land.write import is_intact
from python_ml.pipeline.context import RunContext
from python_ml.pipeline.identity import require_unchanged
from python_ml.pipeline.steps.layers import changed_in_place
from python_ml.pipeline.steps.quality import hold_layer


def land_step(context: RunContext) -> LandResult:
    """Check the run's source and write it to the lake, where only this run reads it.

    Raises:
        BadInputError: the batch was refused, or changed while it was read.
        QualityGateError: it breaks a limit that stops a run.
    """
    identity = context.identity
    if identity is None:
        raise UsageError("a run lands the batch that it has claimed, and this one has claimed none")
    landed = land(
        context.source,
        context.settings,
        batch_id=context.run_id,
        hashes=identity.files,
        make_current=False,
        progress=context.report,
    )
    require_unchanged(context.source, identity.entries)
    hold_layer(context, landed, "raw")
    batch = context.batch_folder(landed)
    if (place := context.engine.deliver(batch, context.report)) is not None:
        if not is_intact(batch):
            raise changed_in_place(batch)
        context.engine.deliver_rejected(landed.batch_id)
        context.dbt(landed).register_external_tables({"raw": place})
    return landed
