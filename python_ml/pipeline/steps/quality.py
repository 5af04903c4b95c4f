"""The quality gates of a run, layer by layer."""

from __future__ import annotations

from python_ml.alerts import quality_alert, send_alert
from python_ml.land.result import LandResult
from python_ml.pipeline.context import RunContext
from python_ml.pipeline.results import GoldResult
from python_ml.quality import QualityResult, check_layer


def quality_step(context: RunContext, landed: LandResult, gold: GoldResult) -> QualityResult:
    """The last gate, and the pages of all: is gold good enough to go on with?

    Raises:
        QualityGateError: it is not.
    """
    quality = hold_layer(context, landed, "gold")
    alert = quality_alert(context.run_id, quality.check_count, quality.warnings)
    send_alert(context.settings, alert)
    return quality


def hold_layer(context: RunContext, landed: LandResult, layer: str) -> QualityResult:
    """Hold a layer against its limits.

    Raises:
        QualityGateError: it breaks one that stops a run.
    """
    is_raw = layer == "raw"
    with context.warehouse() as warehouse, warehouse.held():
        return check_layer(
            warehouse,
            context.settings,
            layer,
            context.run_id,
            landed.as_of_date,
            batch=context.batch_folder(landed) if is_raw else None,
            landed=landed,
            manifest=None if is_raw else context.dbt(landed).manifest(),
            examiner=context.tools.quality,
        )
