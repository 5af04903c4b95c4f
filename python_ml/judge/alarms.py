"""Alarms of the leakage audit, and who has accepted them.

An alarm is accepted by its full name in the settings (`audit.accepted`), with reason, author and
date. There are no patterns: whoever accepts has looked at that one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from python_ml.embedding import in_rows
from python_ml.engines import Warehouse
from python_ml.errors import UsageError
from python_ml.judge.gate import Check
from python_ml.registry import RegisteredModel
from python_ml.settings import Settings

ACCEPTANCE = ("alarm", "reason", "author", "date")
GATE_CHECK = "unaccepted_leakage_alarms"


@dataclass(frozen=True)
class AlarmDecision:
    """An alarm, and who has accepted it and why, if anybody has."""

    alarm: str
    detail: str
    is_accepted: bool
    reason: str = ""
    author: str = ""
    accepted_on: str = ""


def judge_alarms(
    warehouse: Warehouse, settings: Settings, run_id: str, candidate: RegisteredModel
) -> tuple[list[AlarmDecision], Check]:
    """The alarms of a version's training, as of today's settings, and the gate's check of them.

    Writes `leakage_alarm`. A version that was never audited does not pass.
    """
    audit = warehouse.read_external("leakage_audit", candidate.origin["run_id"])
    audit = audit[audit["model_version"] == candidate.version]
    if audit.empty:
        detail = f"{candidate.version} was trained without a leakage audit"
        return [], Check(GATE_CHECK, np.nan, 0.0, False, detail)
    decisions = decide_alarms(audit, settings)
    warehouse.write_external("leakage_alarm", alarm_table(decisions, candidate.version), run_id)
    return decisions, alarm_check(decisions)


def decide_alarms(audit: pd.DataFrame, settings: Settings) -> list[AlarmDecision]:
    """Each alarm of an audit, held against the acceptances in the settings.

    Raises:
        UsageError: an acceptance lacks alarm, reason, author or date.
    """
    accepted = read_acceptances(settings.audit.accepted)
    raised = audit[audit["alarm"].notna()].drop_duplicates("alarm")
    return [
        AlarmDecision(name, detail, name in accepted, **accepted.get(name, {}))
        for name, detail in zip(raised["alarm"], raised["detail"], strict=True)
    ]


def read_acceptances(entries: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Acceptances by the name of the alarm.

    Raises:
        UsageError: an entry is not complete, names an alarm twice, or a pattern instead of one.
    """
    accepted: dict[str, dict[str, str]] = {}
    for entry in entries:
        if not isinstance(entry, Mapping) or set(entry) != set(ACCEPTANCE):
            raise UsageError(f"audit.accepted: {entry!r} must have {', '.join(ACCEPTANCE)}")
        name, when = str(entry["alarm"]), str(entry["date"])
        if not all(str(entry[key]).strip() for key in ACCEPTANCE):
            raise UsageError(f"audit.accepted: {name!r} has an empty field")
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", when):
            raise UsageError(f"audit.accepted: the date {when!r} of {name!r} is not YYYY-MM-DD")
        if name in accepted or "*" in name:
            raise UsageError(f"audit.accepted: {name!r}: one entry an alarm, by its full name")
        accepted[name] = {
            "reason": str(entry["reason"]).strip(),
            "author": str(entry["author"]).strip(),
            "accepted_on": when,
        }
    return accepted


def alarm_table(decisions: Sequence[AlarmDecision], model_version: str) -> pd.DataFrame:
    """Decisions as rows of `ml.leakage_alarm`."""
    names = list(AlarmDecision.__dataclass_fields__)
    frame = pd.DataFrame(in_rows(asdict(decision) for decision in decisions), columns=names)
    day = pd.to_datetime(frame["accepted_on"].replace("", None)).dt.date
    return frame.assign(model_version=model_version, accepted_on=day.astype(object))


def alarm_check(decisions: Sequence[AlarmDecision]) -> Check:
    """The gate's check: every alarm is accepted by name."""
    open_alarms = [decision.alarm for decision in decisions if not decision.is_accepted]
    if open_alarms:
        detail = (
            f"{len(open_alarms)} alarms of the leakage audit that nobody has accepted: "
            f"{', '.join(open_alarms)}; look at ml.leakage_audit, then mend the source or accept "
            "them one by one in the settings (audit.accepted)"
        )
    else:
        detail = f"{len(decisions)} alarms of the leakage audit, each accepted by name"
    return Check(GATE_CHECK, float(len(open_alarms)), 0.0, not open_alarms, detail)
