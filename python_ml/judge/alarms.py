"""Alarms of the leakage audit, and who has accepted them.

An alarm is accepted by its full name in the settings (`audit.accepted`), with reason, author, date
and the fingerprint of the data in which it was looked into. There are no patterns, and an entry
that was given for other data, such as the simulator's, accepts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from python_ml.embedding import in_rows
from python_ml.engines import Warehouse
from python_ml.errors import UsageError
from python_ml.judge.fingerprint import DataFingerprint
from python_ml.judge.gate import Check
from python_ml.registry import RegisteredModel
from python_ml.settings import Settings

GATE_CHECK = "unaccepted_leakage_alarms"
UNKNOWN_DATA: dict[str, Any] = {"customers": "", "is_simulated": False}  # of an older version


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
    fingerprint = DataFingerprint(**candidate.origin.get("data_fingerprint", UNKNOWN_DATA))
    decisions = decide_alarms(audit, settings, fingerprint)
    warehouse.write_external("leakage_alarm", alarm_table(decisions, candidate.version), run_id)
    return decisions, alarm_check(decisions, fingerprint.customers)


def require_accepted(
    warehouse: Warehouse, candidate: RegisteredModel, evaluation: Mapping[str, Any] | None
) -> None:
    """Hold back a version with alarms that nobody has accepted, as of its newest evaluation.

    A person may overrule the gate's figures. An alarm says that the figures are not to be trusted;
    what overrules it is the entry that accepts it by name, and an evaluation that has read it.

    Raises:
        UsageError: there are such alarms.
    """
    if evaluation is None:
        audit = warehouse.read_external("leakage_audit", candidate.origin["run_id"])
        raised = audit[(audit["model_version"] == candidate.version) & audit["alarm"].notna()]
        is_open, names = not raised.empty, ", ".join(sorted(raised["alarm"].unique()))
        found = f"its leakage audit raised {names}; accept them in the settings (audit.accepted)"
    else:
        check = next(it for it in evaluation["checks"] if it["check_name"] == GATE_CHECK)
        # A version that was never audited has no alarms.
        is_open, found = (check["observed_value"] or 0) > 0, check["detail"]
    if is_open:
        raise UsageError(
            f"model {candidate.version} cannot be the champion, not even with --force: {found}. "
            f"Once they are accepted: spanishgas evaluate {candidate.version}"
        )


def decide_alarms(
    audit: pd.DataFrame, settings: Settings, fingerprint: DataFingerprint
) -> list[AlarmDecision]:
    """Each alarm of an audit, with the entry of the settings that accepts it in this data, if there
    is one."""
    accepted = {
        entry.alarm: {"reason": entry.reason, "author": entry.author, "accepted_on": entry.date}
        for entry in settings.audit.accepted
        if fingerprint.matches(entry.data)
    }
    raised = audit[audit["alarm"].notna()].drop_duplicates("alarm")
    return [
        AlarmDecision(name, detail, name in accepted, **accepted.get(name, {}))
        for name, detail in zip(raised["alarm"], raised["detail"], strict=True)
    ]


def alarm_table(decisions: Sequence[AlarmDecision], model_version: str) -> pd.DataFrame:
    """Decisions as rows of `ml.leakage_alarm`."""
    names = list(AlarmDecision.__dataclass_fields__)
    frame = pd.DataFrame(in_rows(asdict(decision) for decision in decisions), columns=names)
    day = pd.to_datetime(frame["accepted_on"].replace("", None)).dt.date
    return frame.assign(model_version=model_version, accepted_on=day.astype(object))


def alarm_check(decisions: Sequence[AlarmDecision], fingerprint: str) -> Check:
    """The gate's check: every alarm is accepted by name, in data with this fingerprint."""
    open_alarms = [decision.alarm for decision in decisions if not decision.is_accepted]
    if open_alarms:
        detail = (
            f"{len(open_alarms)} alarms of the leakage audit that nobody has accepted: "
            f"{', '.join(open_alarms)}. Look at ml.leakage_audit, then fix the source, or accept "
            f"them one by one in the settings (audit.accepted) for this data ({fingerprint})"
        )
    else:
        detail = f"{len(decisions)} alarms of the leakage audit, each accepted by name"
    return Check(GATE_CHECK, float(len(open_alarms)), 0.0, not open_alarms, detail)
