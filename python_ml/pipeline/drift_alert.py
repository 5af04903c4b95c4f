"""What the steps of a run tell the sinks."""

from __future__ import annotations

from python_ml.alerts import CRITICAL, INFO, WARNING, Alert
from python_ml.judge.drift.monitor import DriftResult


def drift_alert(result: DriftResult, run_id: str) -> Alert:
    """Alarm where something has drifted, a warning where it might; else figures only."""
    severity = CRITICAL if result.alarms else WARNING if result.watched else INFO
    named = result.alarms or result.watched
    shown = ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")
    text = (
        f"{result.as_of_date} against {result.reference_as_of_date}, which {result.model_version} "
        f"was trained on: {len(result.alarms)} alarms, {len(result.watched)} to watch, "
        f"{len(result.calendar)} that move with the calendar, of {result.subject_count}."
    )
    return Alert(
        source="drift",
        severity=severity,
        title=f"Drift as of {result.as_of_date}: {shown or 'none'}",
        text=text,
        run_id=run_id,
        figures={
            "drift_alarms": len(result.alarms),
            "drift_watched": len(result.watched),
            "drift_calendar": len(result.calendar),
        },
    )
