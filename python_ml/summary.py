"""What a person sees at the end of a command: tables in the terminal, on stdout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from python_ml.evaluate import EvaluateResult
    from python_ml.land.result import LandResult
    from python_ml.metrics import Estimate
    from python_ml.pipeline import Run
    from python_ml.simulate.report import ReportRow
    from python_ml.simulate.run import SimulationResult
    from python_ml.train import TrainResult

# Shown in this order; names are those of evaluate.
METRIC_TITLES = {
    "pr_auc": "PR-AUC (average precision)",
    "roc_auc": "ROC-AUC",
    "precision": "Precision of the flagged",
    "recall": "Recall of the leavers",
    "ece": "Calibration error (ECE)",
}
# The same colours wherever a tier is shown; distinct for colour-blind eyes too.
TIER_STYLES = {"Critical": "bold red", "High": "yellow", "Medium": "cyan", "Low": "dim"}


def _table(title: str, *columns: str) -> Table:
    """A table whose first column is text and whose others are figures."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    return table


def euros(amount: float) -> str:
    return f"{amount:,.0f} €"


def show_simulation(result: SimulationResult, was_there: bool, report: Sequence[ReportRow]) -> None:
    """What was written, and how it compares with the published aggregates."""
    console = Console()
    hours = max(result.rows.values())
    done = "is there already" if was_there else f"simulated in {result.seconds:.0f} s"
    console.print(
        f"{result.customers:,} customers, {hours:,} hourly rows, "
        f"{result.byte_count / 1e6:,.0f} MB in {result.folder}: {done}",
        highlight=False,
    )
    if not report:
        return
    table = _table("Published against simulated", "Aggregate", "Published", "Simulated", "±", "")
    for row in report:
        verdict = "[green]✓[/]" if row.is_within else "[red]✗[/]"
        values = (f"{value:,.4g}" for value in (row.published, row.simulated, row.tolerance))
        table.add_row(row.aggregate, *values, verdict)
    console.print(table)
    within = sum(row.is_within for row in report)
    console.print(f"{within} of {len(report)} aggregates within tolerance", highlight=False)


def show_landing(landed: LandResult) -> None:
    """What became of each file of a batch."""
    console = Console()
    title = f"Batch {landed.batch_id}, as of {landed.as_of_date}"
    table = _table(title, "Table", "Rows", "Landed", "Set aside", "Parquet MB", "Seconds", "File")
    for result in landed.tables.values():
        table.add_row(
            result.name,
            f"{result.rows_in:,}",
            f"{result.rows_landed:,}",
            f"{result.rows_set_aside:,}",
            f"{result.byte_count / 1e6:,.1f}",
            f"{result.seconds:.1f}",
            result.taken,
        )
    console.print(table)
    for result in landed.tables.values():
        for reason, count in result.set_aside.items():
            console.print(f"  {result.name}: {count:,} rows set aside, {reason}", highlight=False)
    for warning in landed.warnings:
        console.print(f"  [yellow]note[/] {warning}", highlight=False)


def show_training(trained: TrainResult) -> None:
    """A candidate before its evaluation."""
    console = Console()
    console.print(f"{trained.message}: {trained.model_version}", highlight=False)
    table = _table("Out-of-fold, training part", "Metric", "Value")
    for name, value in trained.out_of_fold.items():
        table.add_row(METRIC_TITLES.get(name, name), f"{value:.3f}")
    table.add_row("Threshold on the probability", f"{trained.threshold:.3f}")
    console.print(table)
    console.print(f"next: spanishgas evaluate {trained.model_version}", highlight=False)


def show_evaluation(evaluated: EvaluateResult) -> None:
    """Metrics with intervals, without text beside them, and the gate."""
    console = Console()
    console.print(_metrics_table(evaluated))
    table = _table("Gate", "Check", "Observed", "Limit", "")
    for check in evaluated.checks:
        verdict = "[green]passed[/]" if check.is_passed else "[red]failed[/]"
        values = (f"{value:.3f}" for value in (check.observed_value, check.limit_value))
        table.add_row(check.check_name, *values, verdict)
    console.print(table)


def _metrics_table(evaluated: EvaluateResult) -> Table:
    title = (
        f"Model {evaluated.model_version} on {evaluated.test_count:,} customers it never saw, "
        f"{evaluated.test_churner_count:,} of whom left"
    )
    table = _table(title, "Metric", "Value", "95 % interval", "Without text", "95 % interval")
    for name, shown in METRIC_TITLES.items():
        table.add_row(
            shown,
            *_estimate(evaluated.metrics, name),
            *_estimate(evaluated.metrics_without_text, name),
        )
    return table


def _estimate(metrics: Mapping[str, Estimate], name: str) -> tuple[str, str]:
    estimate = metrics[name]
    return f"{estimate.value:.3f}", f"{estimate.low:.3f} to {estimate.high:.3f}"
