"""`spanishgas drift`: the published run's drift, as a chart in the terminal."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.table import Table

from python_ml.console import open_console
from python_ml.engines import Warehouse
from python_ml.errors import UsageError
from python_ml.judge.drift.samples import shown_subject

_STYLES = {"alarm": "bold red", "watch": "yellow", "calendar": "cyan", "stable": "dim"}
_STYLES |= {"not measured": "dim"}
_ORDER = list(_STYLES)
_BAR = 12  # characters of a distance of 1


def read_drift(warehouse: Warehouse) -> list[dict[str, Any]]:
    """The rows of mart_drift of the published run, alarms first, then by rank.

    Raises:
        UsageError: it has not been measured yet.
    """
    if "mart_drift" not in warehouse.row_counts():
        raise UsageError("drift has not been measured yet; the next `spanishgas run` does it")
    rows = warehouse.query("select * from mart_drift where is_newest_run order by importance_rank")
    if rows.empty:
        raise UsageError("the published run has not measured drift; `spanishgas run` does")
    rows = rows.astype(object).where(rows.notna(), None)
    for name in ("as_of_date", "reference_as_of_date"):
        rows[name] = [pd.Timestamp(value).date().isoformat() for value in rows[name]]
    records = [{str(k): v for k, v in row.items()} for row in rows.to_dict("records")]
    return sorted(records, key=lambda row: _ORDER.index(row["verdict"]))


def drift_document(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What `--json` prints."""
    first = rows[0]
    named = ("run_id", "as_of_date", "reference_as_of_date", "reference_run_id", "model_version")
    return {
        **{name: first[name] for name in named},
        "verdicts": {v: sum(row["verdict"] == v for row in rows) for v in _ORDER},
        "plain_alarm_count": sum(bool(row["is_alarm_plain"]) for row in rows),
        "subjects": rows,
    }


def show_drift(rows: list[dict[str, Any]], show_all: bool) -> None:
    """A bar each: how far from what the calendar leads one to expect (filled), and from the
    reference as it was (dotted)."""
    console = open_console()
    document = drift_document(rows)
    verdicts = document["verdicts"]
    table = Table(
        title=f"Drift of {document['as_of_date']} against {document['reference_as_of_date']}, "
        f"which {document['model_version']} was trained on",
        title_justify="left",
        title_style="bold",
        header_style="dim",
    )
    for name in ("Verdict", "Subject", "From 0 to 1", "Distance", "Adj. p", "Before", "Now"):
        is_text = name in ("Verdict", "Subject", "From 0 to 1")
        table.add_column(name, justify="left" if is_text else "right", no_wrap=True)
    shown = [row for row in rows if show_all or row["verdict"] != "stable"] or rows[:5]
    for row in shown:
        table.add_row(
            row["verdict"],
            shown_subject(row["subject_kind"], row["subject"]),
            _bar(row["distance"], row["expected_distance"]),
            f"{row['distance']:.3f}",
            f"{row['p_value_adjusted']:.1g}",
            *("–" if row[n] is None else f"{row[n]:,.3g}" for n in _MEANS),
            style=_STYLES[row["verdict"]],
        )
    console.print(table)
    console.print(
        f"{verdicts['alarm']} alarms, {verdicts['watch']} to watch, {verdicts['calendar']} that "
        f"move with the calendar, {verdicts['stable']} stable. The plain rule p < 0.01 would raise "
        f"{document['plain_alarm_count']} alarms."
    )


_MEANS = ("reference_mean", "current_mean")


def _bar(distance: float, expected: float | None) -> str:
    filled = round(_BAR * (expected or 0.0))
    return "█" * filled + "░" * max(round(_BAR * distance) - filled, 0)
