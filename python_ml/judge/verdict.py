"""What an evaluation found, and the decision that follows from it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, ClassVar

from python_ml.errors import ModelGateError
from python_ml.judge.alarms import AlarmDecision
from python_ml.judge.gate import Check
from python_ml.judge.metrics import Estimate
from python_ml.registry import APPROVED, PENDING, REJECTED, Registry

MANUAL = "manual"  # of the setting gate.approval
HEADLINE = ("pr_auc", "roc_auc", "recall", "precision", "ece")


@dataclass(frozen=True)
class OutOfTime:
    """Figures of a model of the same protocol that learned from `training_as_of_dates` alone, on
    the test part, which is of a later date: what to expect of the shipped model in months to come.
    """

    training_as_of_dates: tuple[date, ...]
    metrics: dict[str, Estimate]
    metrics_without_text: dict[str, Estimate]

    @property
    def told(self) -> str:
        return ", ".join(map(str, self.training_as_of_dates))

    def as_dict(self) -> dict[str, Any]:
        days = [day.isoformat() for day in self.training_as_of_dates]
        return {**asdict(self), "training_as_of_dates": days}


@dataclass(frozen=True)
class EvaluateResult:
    """Figures on the test part and the gate's decision, already recorded.

    `as_of_date` is that of the rows it was trained and tested on; `scoring_as_of_date` that of the
    batch it was trained for, whose customers it is to score.
    """

    document_name: ClassVar[str] = "evaluation"

    model_version: str
    as_of_date: date
    scoring_as_of_date: date
    test_count: int
    test_churner_count: int
    metrics: dict[str, Estimate]
    metrics_without_text: dict[str, Estimate]
    checks: list[Check]
    alarms: list[AlarmDecision]
    needs_approval: bool
    seconds: float
    card: str  # where the model card lies
    champion: str | None  # the version in place when it was evaluated
    out_of_time: OutOfTime | None = None  # where labels of several dates have matured

    @property
    def row_count(self) -> int | None:
        """Customers that it was measured on."""
        return self.test_count

    @property
    def has_passed(self) -> bool:
        return all(check.is_passed for check in self.checks)

    @property
    def is_approved(self) -> bool:
        return self.status == APPROVED

    @property
    def status(self) -> str:
        """The registry's status: a candidate that passes may still need a person's approval."""
        if not self.has_passed:
            return REJECTED
        return PENDING if self.needs_approval else APPROVED

    @property
    def reasons(self) -> list[str]:
        """Why the candidate was rejected."""
        return [check.detail for check in self.failed]

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if not check.is_passed]

    def raise_if_rejected(self) -> None:
        """End the run when the gate did.

        Raises:
            ModelGateError: the candidate was rejected.
        """
        if not self.has_passed:
            checks = "\n".join(f"  {check.check_name}: {check.detail}" for check in self.failed)
            kept = "There is no champion, and nothing is scored."
            if self.champion is not None:
                kept = f"Champion {self.champion} and its scores are as before."
            raise ModelGateError(
                f"model {self.model_version} was rejected: {len(self.failed)} of "
                f"{len(self.checks)} checks of the gate failed\n{checks}\n{kept} The model card "
                f"has the evidence: {self.card}"
            )

    def require_scoring_model(self) -> None:
        """End the run unless there is a model that may score: the candidate, or else the champion.

        Raises:
            ModelGateError: the candidate was rejected, or waits for approval and there is no
                champion to score meanwhile.
        """
        self.raise_if_rejected()
        if not self.is_approved and self.champion is None:
            raise ModelGateError(
                f"model {self.model_version} has passed the gate and waits for approval "
                "(gate.approval), and no champion is in place to score with; `spanishgas promote "
                f"{self.model_version}`, then run in mode score"
            )

    def as_dict(self) -> dict[str, Any]:
        document: dict[str, Any] = _without_nan(
            {
                **asdict(self),
                "as_of_date": self.as_of_date.isoformat(),
                "scoring_as_of_date": self.scoring_as_of_date.isoformat(),
                "out_of_time": self.out_of_time.as_dict() if self.out_of_time else None,
                "is_approved": self.is_approved,
                "status": self.status,
                "reasons": self.reasons,
            }
        )
        return document


def register_decision(registry: Registry, result: EvaluateResult) -> None:
    """Record the evaluation, and the decision of the gate with the figures it rests on."""
    registry.attach_evaluation(result.model_version, result.as_dict())
    reasons = {
        APPROVED: "every check of the gate passed",
        PENDING: "every check of the gate passed; gate.approval is manual",
        REJECTED: "; ".join(result.reasons),
    }
    figures = {name: asdict(result.metrics[name]) for name in HEADLINE}
    failed = [check.check_name for check in result.checks if not check.is_passed]
    registry.decide(
        result.model_version,
        result.status,
        reasons[result.status],
        "gate",
        evidence=_without_nan({"metrics": figures, "failed_checks": failed}),
    )


def _without_nan(value: Any) -> Any:
    """The same document with null for what is not a number, as JSON wants it."""
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
