"""Decisions of people on model versions, and what keeps pointer and warehouse in step."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from python_ml.embedding import in_rows
from python_ml.engines.published import published_run
from python_ml.errors import UsageError
from python_ml.registry import APPROVED, PENDING, REJECTED, Registry, open_registry
from python_ml.settings import Settings

PROMOTE, ROLL_BACK = "promote", "roll_back"


def chosen_version(registry: Registry, version: str | None, *, is_roll_back: bool) -> str:
    """The version that a person names, or the champion before the present one.

    Raises:
        UsageError: both or neither are asked for, or there is nothing to roll back to.
    """
    if is_roll_back == (version is not None):
        raise UsageError("name the version to promote, or --rollback, not both")
    if version is not None:
        return version
    if (earlier := registry.previous_champion()) is None:
        raise UsageError("there is no earlier champion to roll back to")
    return earlier


def approve(
    registry: Registry,
    version: str,
    *,
    is_roll_back: bool,
    reason: str,
    decided_by: str | None,
    force: bool,
) -> None:
    """Record that a person wants a version as champion.

    Args:
        registry: where it is.
        version: to promote.
        is_roll_back: whether it is the champion before the present one.
        reason: in words; needed to promote a version that the gate has not passed.
        decided_by: who; the user of the operating system by default.
        force: promote a version that was rejected or never evaluated.

    Raises:
        UsageError: a version that needs force and a reason.
        SpanishGasError: there is no such version.
    """
    status, evaluation = registry.status(version), registry.evaluation(version)
    if status == REJECTED or (status == PENDING and evaluation is None):
        why = "was rejected" if status == REJECTED else "was never evaluated"
        if not (force and reason):
            raise UsageError(
                f"model {version} {why}: {registry.decisions(version)[-1]['reason']}; to promote "
                "it all the same takes --force and a --reason, and both are recorded"
            )
        reason = f"{reason} (forced: {why})"
    registry.decide(
        version,
        APPROVED,
        reason or ("rolled back" if is_roll_back else "promoted by hand"),
        decided_by or _user(),
        action=ROLL_BACK if is_roll_back else PROMOTE,
        evidence={**_evidence(evaluation), "champion_before": registry.champion()},
    )


def _evidence(evaluation: dict[str, Any] | None) -> dict[str, Any]:
    if evaluation is None:
        return {}
    metrics = {name: evaluation["metrics"][name] for name in ("pr_auc", "recall", "ece")}
    failed = [check["check_name"] for check in evaluation["checks"] if not check["is_passed"]]
    return {"metrics": metrics, "failed_checks": failed}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return "unknown"


def decision_table(registry: Registry) -> pd.DataFrame:
    """All decisions on all versions, in the columns of `ml.model_decision`."""
    rows = [
        {
            "model_version": version,
            "decision_number": number,
            "action": decision["action"],
            "status": decision["status"],
            "reason": decision["reason"],
            "decided_by": decision["decided_by"],
            "decided_at": datetime.fromisoformat(decision["decided_at"])
            .astimezone(UTC)
            .replace(tzinfo=None),
            "evidence": json.dumps(decision["evidence"], sort_keys=True),
        }
        for version in registry.versions()
        for number, decision in enumerate(registry.decisions(version), start=1)
    ]
    return pd.DataFrame(in_rows(rows)).astype({"decision_number": "int32"})


def reconcile(settings: Settings) -> str | None:
    """Let the champion pointer follow the published warehouse; returns the version if it moved.

    Publishing renames the finished warehouse into place and then moves the pointer. The rename is
    what counts: a run that was killed between the two has published, and the next command that
    reads the pointer finishes its work. The warehouse itself names the run and the model.
    """
    if (published := published_run(settings)) is None:
        return None
    run_id, version = published
    registry = open_registry(settings)
    if registry.champion() == version or version not in registry.versions():
        return None
    if registry.status(version) != APPROVED:
        return None
    registry.promote(version, run_id)
    return version
