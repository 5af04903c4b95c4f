"""Model versions: immutable artifacts, the decisions on them, and which one is champion.

    models/<version>/booster.json        XGBoost's own format
    models/<version>/model.json          features, fills, calibration, threshold, origin, hashes, …
    models/<version>/evaluation.json     metrics and gate checks on the test part
    models/<version>/card.html, card.md  the model card and its plots
    models/<version>/decisions/000N.json status with reason and evidence; the last one holds
    models/champion.json                 the pointer, replaced in one step

Nothing but the pointer is ever changed; `model.json` is written last, and a version without it does
not exist. The statuses are those of SageMaker's Model Registry.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from python_ml.documents import json_text
from python_ml.engines.published import CHAMPION
from python_ml.engines.store import Store
from python_ml.errors import SpanishGasError, UsageError
from python_ml.model.digest import model_digest

if TYPE_CHECKING:
    from python_ml.model.churn_model import ChurnModel

APPROVED, REJECTED, PENDING = "Approved", "Rejected", "PendingManualApproval"
STATUSES = (APPROVED, REJECTED, PENDING)
FORMAT = 2


@dataclass(frozen=True)
class RegisteredModel:
    """A version as the registry holds it; `origin` says which rows and split it came from."""

    version: str
    model: ChurnModel
    sha256: str
    origin: dict[str, Any]

    @property
    def scoring_as_of_date(self) -> str:
        """As-of date of the batch that it was trained for."""
        return scored_on(self.origin)


class Registry(ABC):
    """What a model registry offers, in a folder or in SageMaker."""

    @abstractmethod
    def register(self, version: str, model: ChurnModel, origin: Mapping[str, Any]) -> str:
        """Store a version, pending approval; returns its sha256.

        Raises:
            SpanishGasError: the version is there with another content.
        """

    @abstractmethod
    def load(self, version: str) -> RegisteredModel:
        """A version, its hash checked.

        Raises:
            SpanishGasError: it is not there, or not what was stored.
        """

    @abstractmethod
    def verify(self, version: str) -> str:
        """The SHA-256 of a version whose files are those that were stored; loads no model.

        Raises:
            SpanishGasError: it is not there, or not what was stored.
        """

    @abstractmethod
    def attach_evaluation(self, version: str, evaluation: Mapping[str, Any]) -> None:
        """Store the evidence on which a decision rests."""

    @abstractmethod
    def attach_file(self, version: str, name: str, content: bytes) -> None:
        """Lay a file for readers, such as the model card, beside the version."""

    @abstractmethod
    def evaluation(self, version: str) -> dict[str, Any] | None:
        """The evidence, or None before the version has been evaluated."""

    @abstractmethod
    def decide(
        self,
        version: str,
        status: str,
        reason: str,
        decided_by: str,
        *,
        action: str = "gate",
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a decision; earlier ones stay.

        Args:
            version: what is decided on.
            status: one of STATUSES.
            reason: in words.
            decided_by: a person, or the step that did.
            action: register, gate, promote or roll_back.
            evidence: figures that it rests on.
        """

    @abstractmethod
    def decisions(self, version: str) -> list[dict[str, Any]]:
        """All decisions on a version, oldest first."""

    @abstractmethod
    def versions(self) -> list[str]:
        """All versions, in the order of their names (run ids sort by time)."""

    @abstractmethod
    def place(self, version: str, name: str) -> str:
        """Where a file of a version lies, for messages."""

    @abstractmethod
    def champion(self) -> str | None:
        """The version that scores are made with, or None before the first."""

    @abstractmethod
    def previous_champion(self) -> str | None:
        """The version that was champion before the present one, or None."""

    @abstractmethod
    def promote(self, version: str, run_id: str) -> None:
        """Make an approved version the champion, in one step.

        Raises:
            SpanishGasError: its status is not Approved.
        """

    def status(self, version: str) -> str:
        """The status that the last decision gave."""
        status: str = self.decisions(version)[-1]["status"]
        return status

    def require_champion(self) -> str:
        """The champion.

        Raises:
            UsageError: there is none.
        """
        if (version := self.champion()) is None:
            raise UsageError("there is no champion; `spanishgas run` trains one")
        return version


class StoredRegistry(Registry):
    """A registry in the lake's store."""

    def __init__(self, store: Store, threads: int) -> None:
        self._store = store
        self._threads = threads

    def register(self, version: str, model: ChurnModel, origin: Mapping[str, Any]) -> str:
        digest = model.sha256()
        key = _key(version, "model.json")
        if self._store.exists(key):
            if self._document(version)["sha256"] != digest:
                raise SpanishGasError(
                    f"{self._store.place(key)} holds another model; versions never change"
                )
            return digest
        document = {
            "format": FORMAT,
            "version": version,
            "created_at": _now(),
            "sha256": digest,
            "definition": model.definition(),
            "origin": dict(origin),
        }
        self._store.write(_key(version, "booster.json"), model.booster_bytes())
        first = _decision(PENDING, "trained, not evaluated yet", "train", "register", None)
        self._write(_key(version, "decisions/0001.json"), first)
        self._write(key, document)
        return digest

    def load(self, version: str) -> RegisteredModel:
        document = self._document(version)
        booster = self._store.read(_key(version, "booster.json"))
        from python_ml.model.churn_model import ChurnModel  # a function that decides loads no model

        model = ChurnModel.from_parts(document["definition"], booster, self._threads)
        self._require_same(version, model.sha256(), document)
        return RegisteredModel(version, model, document["sha256"], document["origin"])

    def _require_same(self, version: str, digest: str, document: Mapping[str, Any]) -> None:
        if digest != document["sha256"]:
            place = self._store.place(_key(version, "model.json"))
            raise SpanishGasError(f"{place}: the artifact is not what was registered")

    def verify(self, version: str) -> str:
        document = self._document(version)
        booster = self._store.read(_key(version, "booster.json"))
        found = model_digest(document["definition"], booster)
        self._require_same(version, found, document)
        return found

    def attach_evaluation(self, version: str, evaluation: Mapping[str, Any]) -> None:
        self._require(version)
        self._write(_key(version, "evaluation.json"), dict(evaluation))

    def attach_file(self, version: str, name: str, content: bytes) -> None:
        self._require(version)
        self._store.write(_key(version, name), content)

    def evaluation(self, version: str) -> dict[str, Any] | None:
        self._require(version)
        key = _key(version, "evaluation.json")
        return self._read(key) if self._store.exists(key) else None

    def decide(
        self,
        version: str,
        status: str,
        reason: str,
        decided_by: str,
        *,
        action: str = "gate",
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        if status not in STATUSES:
            raise SpanishGasError(f"status {status!r}: it is one of {', '.join(STATUSES)}")
        number = len(self._kept_decisions(version)) + 1
        decision = _decision(status, reason, decided_by, action, evidence)
        self._write(_key(version, f"decisions/{number:04}.json"), decision)

    def decisions(self, version: str) -> list[dict[str, Any]]:
        return self._kept_decisions(version)

    def _kept_decisions(self, version: str) -> list[dict[str, Any]]:
        self._require(version)
        return [self._read(key) for key in self._store.keys(_key(version, "decisions"))]

    def versions(self) -> list[str]:
        parts = [key.split("/") for key in self._store.keys("models")]
        return sorted(part[1] for part in parts if len(part) == 3 and part[2] == "model.json")

    def place(self, version: str, name: str) -> str:
        return self._store.place(_key(version, name))

    def champion(self) -> str | None:
        return self._pointer().get("version")

    def previous_champion(self) -> str | None:
        return self._pointer().get("previous_version")

    def promote(self, version: str, run_id: str) -> None:
        if (status := self.status(version)) != APPROVED:
            raise SpanishGasError(f"model {version} is {status}; only Approved ones are promoted")
        before = self._pointer()
        # A run that scores with the champion again must not forget whom it can roll back to.
        previous = before.get("previous_version" if before.get("version") == version else "version")
        pointer = {
            "version": version,
            "sha256": self._document(version)["sha256"],
            "previous_version": previous,
            "run_id": run_id,
            "promoted_at": _now(),
        }
        self._write(CHAMPION, pointer)

    def _pointer(self) -> dict[str, Any]:
        return self._read(CHAMPION) if self._store.exists(CHAMPION) else {}

    def _require(self, version: str) -> str:
        key = _key(version, "model.json")
        if not self._store.exists(key):
            known = ", ".join(self.versions()) or "none; `spanishgas run` trains the first"
            raise UsageError(f"there is no model {version!r}; known versions: {known}")
        return key

    def _document(self, version: str) -> dict[str, Any]:
        key = self._require(version)
        document = self._read(key)
        if document["format"] != FORMAT:
            raise SpanishGasError(
                f"{self._store.place(key)}: format {document['format']}, this release reads "
                f"{FORMAT}; train a new model"
            )
        return document

    def _read(self, key: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self._store.read(key))
        return document

    def _write(self, key: str, document: Mapping[str, Any]) -> None:
        text = json_text(document, indent=2, allow_nan=False)
        self._store.write(key, f"{text}\n".encode())


def _key(version: str, name: str) -> str:
    return f"models/{version}/{name}"


def _decision(
    status: str,
    reason: str,
    decided_by: str,
    action: str,
    evidence: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return {
        "action": action,
        "status": status,
        "reason": reason,
        "decided_by": decided_by,
        "decided_at": _now(),
        "evidence": dict(evidence or {}),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def learned_from(origin: Mapping[str, Any]) -> list[str]:
    """As-of dates that a version learned from, oldest first; versions once had but one."""
    dates: list[str] = origin.get("training_as_of_dates", [origin["as_of_date"]])
    return dates


def customer_share(origin: Mapping[str, Any]) -> float:
    """Share of the customers that a version learned from and was tested on; 1 is everybody."""
    share: float = origin.get("customer_share", 1.0)
    return share


def lineage(origin: Mapping[str, Any]) -> list[str]:
    """The versions that a recalibrated one descends from, the one whose trees it has first; none
    for one that was trained."""
    versions: list[str] = origin.get("recalibration", {}).get("lineage", [])
    return versions


def fitted_until(origin: Mapping[str, Any]) -> str:
    """Newest as-of date that trees and smooth terms of a version learned from."""
    as_of_date: str = origin.get("recalibration", {}).get("fitted_until", origin["as_of_date"])
    return as_of_date


def calibrated_on(origin: Mapping[str, Any]) -> list[str]:
    """As-of dates that the calibration of a recalibrated version was fitted on, oldest first."""
    dates: list[str] = origin.get("recalibration", {}).get("as_of_dates", [])
    return dates


def scored_on(origin: Mapping[str, Any]) -> str:
    """As-of date of the batch that a version was trained for; versions once had but one date."""
    as_of_date: str = origin.get("scoring_as_of_date", origin["as_of_date"])
    return as_of_date
