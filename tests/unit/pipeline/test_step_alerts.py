"""What is told of published scores whose labels have matured."""

from __future__ import annotations

import pandas as pd
import pytest

from python_ml.alerts import CRITICAL, INFO, WARNING, Alert
from python_ml.pipeline.step_alerts import outcome_alert


def rows(*, is_off: bool = False, is_current: bool = True, tier_off: bool = False) -> pd.DataFrame:
    line = {
        "is_newest": True,
        "is_current_model": is_current,
        "model_version": "churn-1",
        "finding": "As of 2024-12-31: 180 left, 120 expected (100 to 140 by chance)",
    }
    return pd.DataFrame(
        [
            line
            | {
                "dimension": "all customers",
                "group_name": "all",
                "is_off": is_off,
                "ratio": 1.5,
                "verdict": "too low",
            },
            line
            | {
                "dimension": "risk tier",
                "group_name": "Low",
                "is_off": tier_off,
                "ratio": 2.0,
                "verdict": "too low",
            },
        ]
    )


def alert_of(outcomes: pd.DataFrame) -> Alert:
    alert = outcome_alert(outcomes, "r9")
    assert alert is not None
    return alert


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({}, INFO),
        ({"is_off": True}, CRITICAL),
        ({"tier_off": True}, CRITICAL),
        ({"is_off": True, "is_current": False}, WARNING),
    ],
)
def test_an_alarm_needs_scores_that_are_off_by_the_model_in_use(
    changes: dict[str, bool], severity: str
) -> None:
    alert = alert_of(rows(**changes))
    assert alert.severity == severity
    assert "180 left, 120 expected" in alert.title
    assert alert.figures["outcome_ratio"] == 1.5


def test_the_alarm_says_what_to_do_next() -> None:
    alert = alert_of(rows(is_off=True, tier_off=True))
    assert "spanishgas run" in alert.text
    assert "Low (risk tier) too low, ratio 2.00" in alert.text
    assert "nothing to do" in alert_of(rows(is_off=True, is_current=False)).text


def test_recalibration_is_named_where_the_level_is_off_and_it_can_be_done() -> None:
    named = outcome_alert(rows(is_off=True), "r9", can_recalibrate=True)
    assert named is not None and "spanishgas train --recalibrate churn-1," in named.text
    of_a_tier = outcome_alert(rows(tier_off=True), "r9", can_recalibrate=True)
    assert of_a_tier is not None and "--recalibrate" not in of_a_tier.text
    assert "--recalibrate" not in alert_of(rows(is_off=True)).text


def test_there_is_nothing_to_tell_before_labels_mature() -> None:
    assert outcome_alert(rows()[:0], "r9") is None
