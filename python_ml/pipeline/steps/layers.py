"""The layers of dbt models, and the labels of texts between them."""

from __future__ import annotations

from pathlib import Path

from python_ml.alerts import send_alert
from python_ml.errors import BadInputError
from python_ml.judge.shipped import write_outcomes
from python_ml.land.result import LandResult
from python_ml.land.write import is_intact
from python_ml.pipeline.campaign_effects import write_effects
from python_ml.pipeline.context import Batch, Published, RunContext
from python_ml.pipeline.gold import can_recalibrate, planned_as_of_dates
from python_ml.pipeline.months import TABLE, month_versions
from python_ml.pipeline.results import (
    BronzeResult,
    GoldResult,
    MartsResult,
    SilverResult,
)
from python_ml.pipeline.step_alerts import outcome_alert
from python_ml.pipeline.steps.quality import hold_layer
from python_ml.transform.sentiment import SentimentResult, label_sentiment


def bronze_step(context: RunContext, landed: LandResult) -> BronzeResult:
    """Build bronze from the landed batch; hourly readings of unchanged months are not read again.

    Raises:
        BadInputError: the batch was changed in place meanwhile.
        QualityGateError: a data test or a quality gate failed.
    """
    batch = context.batch_folder(landed)
    versions = month_versions(landed.months)
    touched = context.engine.begin_with_months(context.run_id, TABLE, versions, force=context.force)
    context.dbt(landed).variables.update(month_versions=versions, touched_months=touched)
    rows = _build(context, landed, "resource_type:seed bronze")
    hold_layer(context, landed, "bronze")
    if context.engine.reads_landed_files and not is_intact(batch):
        raise changed_in_place(batch)
    return BronzeResult(rows, None if touched is None else tuple(touched))


def sentiment_step(context: RunContext, bronze: BronzeResult) -> SentimentResult:
    """Label the texts that no run has labelled yet."""
    with context.warehouse() as warehouse:
        return label_sentiment(warehouse, context.settings, context.run_id)


def silver_step(
    context: RunContext, landed: LandResult, bronze: BronzeResult, sentiment: SentimentResult
) -> SilverResult:
    """Build silver of the run's as-of date, and of those that its model learns from.

    Raises:
        QualityGateError: a data test or a quality gate failed.
    """
    with context.warehouse() as warehouse:
        dates = planned_as_of_dates(context, landed, warehouse)
    _know_dates(context, landed, dates)
    rows = _build(context, landed, "silver")
    hold_layer(context, landed, "silver")
    return SilverResult(rows, dates)


def gold_step(context: RunContext, landed: LandResult, silver: SilverResult) -> GoldResult:
    """Build gold of the same as-of dates.

    Raises:
        QualityGateError: a data test failed.
    """
    _know_dates(context, landed, silver.as_of_dates)
    return GoldResult(_build(context, landed, "gold"))


def marts_step(context: RunContext, batch: LandResult | Published) -> MartsResult:
    """Measure what campaigns have achieved and what became of published scores, build the marts of
    what has been scored, and tell where scores have turned out to be off.

    Raises:
        QualityGateError: a data test or a guardrail failed.
    """
    with context.warehouse() as warehouse:
        write_effects(
            warehouse, context.settings, context.contract(batch), context.run_id, context.run_id
        )
        write_outcomes(warehouse, context.settings, context.run_id)
    built = build_marts(context, batch, "marts")
    with context.warehouse() as warehouse:
        rows = warehouse.read_table("mart_score_outcome", "is_newest")
        is_off = bool(rows["is_off"].astype(bool).any())
        recalibrate = is_off and can_recalibrate(context, batch, warehouse)
    alert = outcome_alert(rows, context.run_id, can_recalibrate=recalibrate)
    if alert is not None:
        send_alert(context.settings, alert)
    return built


def build_marts(context: RunContext, batch: Batch, select: str) -> MartsResult:
    """Build and test some of the marts.

    Args:
        select: of dbt.

    Raises:
        QualityGateError: a data test or a guardrail failed.
    """
    return MartsResult(_build(context, batch, select))


def changed_in_place(batch: Path) -> BadInputError:
    """The error for a landed batch whose linked files were written over."""
    return BadInputError(
        f"the landed batch {batch} changed while it was read: a raw file that it is linked to was "
        "written over in place. Deliver the batch anew, or set land.link_files to false."
    )


def _know_dates(context: RunContext, landed: LandResult, dates: tuple[str, ...]) -> None:
    if dates:
        context.dbt(landed).variables["as_of_dates"] = list(dates)


def _build(context: RunContext, batch: Batch, select: str) -> int:
    """Build and test a selection; returns the rows of its tables."""
    with context.warehouse() as warehouse:
        warehouse.declare_external_tables()
        nodes = context.dbt(batch).build(select, context.report, jointly=True)
        counts = warehouse.row_counts({node.name for node in nodes if node.kind == "model"})
    return sum(counts.values())
