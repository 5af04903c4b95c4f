"""`spanishgas status`: who holds the warehouse, what is published, what became of the last runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from python_ml.console import Column, fitting_table, open_console
from python_ml.engines import open_ledger
from python_ml.engines.ledger import FAILED, RUNNING, SUCCEEDED, Lease, RunRecord
from python_ml.engines.published import lost_of_published, lost_text, published_run, require_home
from python_ml.pipeline.resume import FILE
from python_ml.settings import Settings

_COLUMNS = (
    *(Column("Run"), Column("Mode"), Column("As of", is_spared=True), Column("Status")),
    Column("Step", is_spared=True),
    Column("Seconds", is_figure=True),
    Column("Peak memory", is_figure=True, is_spared=True),
    Column("By", is_spared=True),
)
_PUBLISHING = ("train", "score")
_STYLES = {RUNNING: "cyan", FAILED: "red"}


@dataclass(frozen=True)
class Status:
    """Runs are newest first. One that counts as running without a holder was killed; the next
    command that writes will say so in its record."""

    holder: Lease | None
    published_run_id: str | None
    model_version: str | None
    can_resume: str | None
    runs: list[RunRecord]
    lost: list[str] = field(default_factory=list)  # what runs have made and is gone since

    def as_dict(self) -> dict[str, Any]:
        holder = None
        if self.holder is not None:
            holder = {key: value for key, value in asdict(self.holder).items() if key != "token"}
        runs = [
            {**run.as_dict(), "is_published": run.run_id == self.published_run_id}
            for run in self.runs
        ]
        return {**asdict(self), "holder": holder, "runs": runs}


def read_status(settings: Settings, last: int) -> Status:
    """The state of one warehouse.

    Raises:
        UsageError: the folder is no home.

    Args:
        settings: which.
        last: how many runs.
    """
    require_home(settings)
    ledger = open_ledger(settings)
    holder, runs = ledger.holder(), ledger.runs(last)
    for run in runs:
        if run.status == RUNNING and (holder is None or holder.run_id != run.run_id):
            run.status, run.error_message = FAILED, "killed, or its machine went down"
    run_id, version = published_run(settings) or (None, None)
    left = [run.run_id for run in runs if (settings.layout.work / run.run_id / FILE).exists()]
    has_run = any(run.status == SUCCEEDED and run.mode in _PUBLISHING for run in ledger.runs())
    lost = lost_of_published(settings) if has_run else []
    return Status(holder, run_id, version, left[0] if left and holder is None else None, runs, lost)


def show_status(status: Status) -> None:
    """The same for a person."""
    console = open_console(120)
    held = "nobody" if status.holder is None else str(status.holder)
    console.print(f"Held by    {held}")
    shown = "nothing yet"
    if status.published_run_id is not None:
        shown = f"run {status.published_run_id}, scored by {status.model_version}"
    console.print(f"Published  {shown}")
    if status.lost:
        console.print(
            f"Missing    {lost_text(status.lost)}: `spanishgas run` makes it again",
            style="red",
            soft_wrap=True,
        )
    if status.can_resume is not None:
        console.print(f"Resume     run {status.can_resume}: spanishgas run --resume")
    rows = []
    for run in status.runs:
        told = f"{run.status} ({run.exit_code})" if run.exit_code else run.status
        mark = " ●" if run.run_id == status.published_run_id else ""
        last_step = run.failed_step or (run.steps[-1].step if run.steps else "")
        cells = (
            *(run.run_id + mark, run.mode, run.as_of_date or "", told, last_step),
            *(f"{run.seconds:.1f}", f"{run.peak_memory_mb / 1000:.2f} GB", run.started_by),
        )
        rows.append((cells, _STYLES.get(run.status, "")))
    table = fitting_table(console, _COLUMNS, rows)
    console.print(table)
    for run in status.runs[:1]:
        if run.error_message:
            first_line = run.error_message.splitlines()[0]
            console.print(f"{run.run_id}: {first_line}", style="red", soft_wrap=True)
        for warning in run.warnings:
            console.print(f"{run.run_id}: warning: {warning}", style="yellow", soft_wrap=True)
