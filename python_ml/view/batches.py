"""What a person sees once raw files are simulated or landed: tables on stdout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from python_ml.console import line, new_table, open_console
from python_ml.land.result import LandResult

if TYPE_CHECKING:  # scipy.stats, which landing does not need
    from python_ml.simulate.report import ReportRow
    from python_ml.simulate.run import SimulationResult


def show_simulation(result: SimulationResult, was_there: bool, report: Sequence[ReportRow]) -> None:
    """What was written, and how it compares with the published aggregates."""
    console = open_console()
    hours = sum(n for name, n in result.rows.items() if name.startswith("consumption_hourly"))
    done = "is there already" if was_there else f"simulated in {result.seconds:.0f} s"
    console.print(
        f"{result.customers:,} customers, {hours:,} hourly rows, "
        f"{result.byte_count / 1e6:,.0f} MB in {result.folder}, as of {result.as_of_date}: {done}",
    )
    if not report:
        return
    table = new_table("Published against simulated", "Aggregate", "Published", "Simulated", "±", "")
    for row in report:
        verdict = line(("✓", "green") if row.is_within else ("✗", "red"))
        values = (f"{value:,.4g}" for value in (row.published, row.simulated, row.tolerance))
        table.add_row(row.aggregate, *values, verdict)
    console.print(table)
    within = sum(row.is_within for row in report)
    console.print(f"{within} of {len(report)} aggregates within tolerance")


def show_landing(landed: LandResult) -> None:
    """What became of each file of a batch."""
    console = open_console()
    title = f"Batch {landed.batch_id}, as of {landed.as_of_date}"
    table = new_table(title, "Table", "Rows", "Landed", "Set aside", "Parquet MB", "Seconds", "")
    for result in landed.tables.values():
        table.add_row(
            result.name,
            f"{result.rows_in:,}",
            f"{result.rows_landed:,}",
            f"{result.rows_set_aside:,}",
            f"{result.byte_count / 1e6:,.1f}",
            f"{result.seconds:.1f}",
            "" if result.taken == "rewritten" else result.taken,
        )
    console.print(table)
    for result in landed.tables.values():
        for reason, count in result.set_aside.items():
            console.print(f"  {result.name}: {count:,} rows set aside, {reason}")
    for warning in landed.warnings:
        console.print(line("  ", ("note", "yellow"), f" {warning}"))
