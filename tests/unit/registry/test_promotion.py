"""Decisions of people on versions, against a registry that only remembers."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest

from python_ml.errors import UsageError
from python_ml.registry import APPROVED, PENDING, REJECTED, Registry, promotion
from python_ml.registry.promotion import approve, chosen_version, decision_table, reconcile
from python_ml.settings import load_settings

EVALUATION: dict[str, Any] = {
    "metrics": {name: {"value": 0.5} for name in ("pr_auc", "recall", "ece", "brier")},
    "checks": [
        {"check_name": "pr_auc", "is_passed": True},
        {"check_name": "recall", "is_passed": False},
    ],
}
METRICS = {name: {"value": 0.5} for name in ("pr_auc", "recall", "ece")}


class Remembering:
    """One version `v2` beside the champion `v1`, with its status and evaluation."""

    def __init__(self, status: str, evaluation: dict[str, Any] | None = EVALUATION) -> None:
        self._status, self._evaluation = status, evaluation
        self.earlier: str | None = "v0"
        self.taken: list[tuple[Any, ...]] = []
        self.promoted: list[tuple[str, str]] = []

    def status(self, version: str) -> str:
        return self._status

    def evaluation(self, version: str) -> dict[str, Any] | None:
        return self._evaluation

    def champion(self) -> str:
        return "v1"

    def previous_champion(self) -> str | None:
        return self.earlier

    def versions(self) -> list[str]:
        return ["v1", "v2"]

    def promote(self, version: str, run_id: str) -> None:
        self.promoted.append((version, run_id))

    def decide(self, *decision: Any, action: str, evidence: dict[str, Any]) -> None:
        self.taken.append((*decision, action, evidence))

    def decisions(self, version: str) -> list[dict[str, Any]]:
        first = {
            "action": "register",
            "status": PENDING,
            "reason": "registered",
            "decided_by": "nightly",
            "decided_at": "2025-01-06T13:00:00+01:00",
            "evidence": {"b": 1, "a": 2},
        }
        return [first, {**first, "action": "gate", "reason": "the last word"}]


def asked(registry: Remembering, version: str = "v2", **told: Any) -> None:
    arguments: dict[str, Any] = {
        **{"is_roll_back": False, "reason": "", "decided_by": "maria", "force": False},
        **told,
    }
    approve(cast(Registry, registry), version, **arguments)


def evidence(**changed: Any) -> dict[str, Any]:
    return {"metrics": METRICS, "failed_checks": ["recall"], "champion_before": "v1", **changed}


@pytest.mark.parametrize(
    ("given", "reason"), [("", "promoted by hand"), ("it is better", "it is better")]
)
def test_a_version_that_the_gate_has_passed_is_promoted(given: str, reason: str) -> None:
    for registry in (Remembering(APPROVED), Remembering(PENDING)):
        asked(registry, reason=given)
        assert registry.taken == [("v2", APPROVED, reason, "maria", "promote", evidence())]


def test_a_roll_back_is_to_the_champion_before() -> None:
    registry = Remembering(APPROVED)
    assert chosen_version(cast(Registry, registry), None, is_roll_back=True) == "v0"
    asked(registry, "v0", is_roll_back=True)
    assert registry.taken == [("v0", APPROVED, "rolled back", "maria", "roll_back", evidence())]
    registry.earlier = None
    with pytest.raises(UsageError, match="no earlier champion"):
        chosen_version(cast(Registry, registry), None, is_roll_back=True)


def test_a_version_or_a_roll_back_not_both() -> None:
    registry = cast(Registry, Remembering(APPROVED))
    assert chosen_version(registry, "v2", is_roll_back=False) == "v2"
    for version, is_roll_back in [("v2", True), (None, False)]:
        with pytest.raises(UsageError, match="not both"):
            chosen_version(registry, version, is_roll_back=is_roll_back)


@pytest.mark.parametrize(
    ("status", "evaluation", "why"),
    [(REJECTED, EVALUATION, "was rejected"), (PENDING, None, "was never evaluated")],
)
def test_force_takes_a_reason_and_both_are_recorded(
    status: str, evaluation: dict[str, Any] | None, why: str
) -> None:
    registry = Remembering(status, evaluation)
    for told in ({}, {"force": True}, {"reason": "because"}):
        with pytest.raises(UsageError, match=f"v2 {why}: the last word; .*--force and a --reason"):
            asked(registry, **told)
    assert registry.taken == []
    asked(registry, force=True, reason="because")
    ((_, _, reason, _, _, found),) = registry.taken
    assert reason == f"because (forced: {why})"
    assert found == (evidence() if evaluation else {"champion_before": "v1"})


def test_without_a_name_the_user_has_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Remembering(APPROVED)
    monkeypatch.setattr(getpass, "getuser", lambda: "ana")
    asked(registry, decided_by=None)

    def nameless() -> str:
        raise KeyError("uid 1000")

    monkeypatch.setattr(getpass, "getuser", nameless)
    asked(registry, decided_by=None)
    assert [decision[3] for decision in registry.taken] == ["ana", "unknown"]


def test_the_table_of_decisions_holds_utc_times_without_a_zone_and_sorted_evidence() -> None:
    table = decision_table(cast(Registry, Remembering(APPROVED)))
    assert table.iloc[0].to_dict() == {
        "model_version": "v1",
        "decision_number": 1,
        "action": "register",
        "status": PENDING,
        "reason": "registered",
        "decided_by": "nightly",
        "decided_at": pd.Timestamp("2025-01-06 12:00:00"),
        "evidence": '{"a": 2, "b": 1}',
    }
    assert json.loads(table["evidence"].iloc[0]) == {"a": 2, "b": 1}
    assert table["decision_number"].tolist() == [1, 2, 1, 2]
    assert table["decision_number"].dtype == "int32"
    assert table["model_version"].tolist() == ["v1", "v1", "v2", "v2"]


@pytest.mark.parametrize(
    ("published", "status", "moved"),
    [
        (("run-2", "v2"), APPROVED, "v2"),
        (("run-2", "v2"), REJECTED, None),
        (("run-1", "v1"), APPROVED, None),  # it is champion
        (("run-3", "unknown"), APPROVED, None),
        (None, APPROVED, None),
    ],
)
def test_the_pointer_follows_an_approved_version_that_was_published(
    published: tuple[str, str] | None,
    status: str,
    moved: str | None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    registry = Remembering(status)
    monkeypatch.setattr(promotion, "published_run", lambda settings: published)
    monkeypatch.setattr(promotion, "open_registry", lambda settings: registry)
    assert reconcile(load_settings({"home": str(tmp_path)}, environ={})) == moved
    assert registry.promoted == ([("v2", "run-2")] if moved else [])
