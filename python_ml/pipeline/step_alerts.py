"""What the steps of a run tell the sinks."""

from __future__ import annotations

import pandas as pd

from python_ml.alerts import CRITICAL, INFO, WARNING, Alert
from python_ml.judge.between_dates import ALL_CUSTOMERS
from python_ml.judge.drift.monitor import DriftResult

# What to do where the model that is off still scores.
TRAIN = (
    "Train a new model on the labels that have matured since: spanishgas run (mode train). It is "
    "calibrated again and must pass the gate."
)
RECALIBRATE = (
    "Refit the calibration on the labels that have matured since: spanishgas train --recalibrate "
    "{version}, then evaluate and promote the version that it names. Or train a new model: "
    "spanishgas run (mode train). Either must pass the gate."
)
MEANWHILE = "Until then expected losses are off by as much."


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


def outcome_alert(
    rows: pd.DataFrame, run_id: str, *, can_recalibrate: bool = False
) -> Alert | None:
    """How the newest published scores whose labels have matured came out, by `mart_score_outcome`.

    An alarm where what happened differs from what was expected by more than chance explains and the
    same model still scores; a warning where it has been replaced since; else figures only. None
    where no labels have matured.

    Args:
        rows: of `mart_score_outcome`.
        run_id: of the run that tells.
        can_recalibrate: whether enough labels have matured to refit the calibration; it is the next
            step where the level of all customers is off.
    """
    newest = rows[rows["is_newest"].astype(bool)]
    if newest.empty:
        return None
    overall = newest[newest["dimension"] == ALL_CUSTOMERS].iloc[0]
    off = newest[newest["is_off"].astype(bool)]
    is_current = bool(overall["is_current_model"])
    severity = INFO if off.empty else CRITICAL if is_current else WARNING
    named = [
        f"{group} ({dimension}) {verdict}, ratio {ratio:.2f}"
        for dimension, group, verdict, ratio in zip(
            off["dimension"], off["group_name"], off["verdict"], off["ratio"], strict=True
        )
    ]
    done = "Another model has replaced it since: nothing to do."
    if is_current:
        step = RECALIBRATE if can_recalibrate and bool(overall["is_off"]) else TRAIN
        done = f"{step.format(version=overall['model_version'])} {MEANWHILE}"
    return Alert(
        source="outcomes",
        severity=severity,
        title=f"Published scores of {overall['model_version']}: {overall['finding']}",
        text=f"Observed over expected churn is off in {'; '.join(named)}. {done}" if named else "",
        run_id=run_id,
        figures={
            "outcome_ratio": float(overall["ratio"]),
            "outcome_groups_off": float(len(off)),
        },
    )
