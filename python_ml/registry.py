"""Model versions: immutable artifacts, the decisions on them, and which one is champion.

    models/<version>/booster.json        XGBoost's own format
    models/<version>/model.json          features, fills, calibration, threshold, origin, hashes, …
    models/<version>/evaluation.json     metrics and gate checks on the test part
    models/<version>/decisions/000N.json status with reason and evidence; the last one holds
    models/champion.json                 the pointer, replaced in one step

Nothing but the pointer is ever changed. The statuses are those of SageMaker's Model Registry.
"""

from __future__ import annotations

import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from python_ml.config import Settings
from python_ml.errors import SpanishGasError
from python_ml.model import ChurnModel

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
    def attach_evaluation(self, version: str, evaluation: Mapping[str, Any]) -> None:
        """Store the evidence on which a decision rests."""

    @abstractmethod
    def decide(self, version: str, status: str, reason: str, decided_by: str) -> None:
        """Add a decision; earlier ones stay."""

    @abstractmethod
    def decisions(self, version: str) -> list[dict[str, Any]]:
        """All decisions on a version, oldest first."""

    @abstractmethod
    def versions(self) -> list[str]:
        """All versions, in the order of their names (run ids sort by time)."""

    @abstractmethod
    def champion(self) -> str | None:
        """The version that scores are made with, or None before the first."""

    @abstractmethod
    def promote(self, version: str, run_id: str) -> None:
        """Make an approved version the champion, in one step.

        Raises:
            SpanishGasError: its status is not Approved.
        """

    def status(self, version: str) -> str:
        """The status that the last decision gave."""
        return self.decisions(version)[-1]["status"]

    def require_champion(self) -> str:
        """The champion.

        Raises:
            SpanishGasError: there is none yet.
        """
        if (version := self.champion()) is None:
            raise SpanishGasError("there is no champion yet; run in mode train first")
        return version


class LocalRegistry(Registry):
    """A registry in a folder."""

    def __init__(self, root: Path, threads: int) -> None:
        self.root = root
        self._threads = threads

    def register(self, version: str, model: ChurnModel, origin: Mapping[str, Any]) -> str:
        digest = model.sha256()
        folder = self.root / version
        if folder.exists():
            if self._document(version)["sha256"] != digest:
                raise SpanishGasError(f"{folder} holds another model; versions never change")
            return digest
        document = {
            "format": FORMAT,
            "version": version,
            "created_at": _now(),
            "sha256": digest,
            "definition": model.definition(),
            "origin": dict(origin),
        }
        unfinished = self.root / f".{version}.{secrets.token_hex(4)}"
        (unfinished / "decisions").mkdir(parents=True)
        (unfinished / "booster.json").write_bytes(model.booster_bytes())
        _write_json(unfinished / "model.json", document)
        _write_json(
            unfinished / "decisions" / "0001.json",
            _decision(PENDING, "trained, not evaluated yet", "train"),
        )
        unfinished.rename(folder)
        return digest

    def load(self, version: str) -> RegisteredModel:
        document = self._document(version)
        booster = (self.root / version / "booster.json").read_bytes()
        model = ChurnModel.from_parts(document["definition"], booster, self._threads)
        if model.sha256() != document["sha256"]:
            raise SpanishGasError(f"{self.root / version}: the artifact is not what was registered")
        return RegisteredModel(version, model, document["sha256"], document["origin"])

    def attach_evaluation(self, version: str, evaluation: Mapping[str, Any]) -> None:
        self._document(version)
        _write_json(self.root / version / "evaluation.json", dict(evaluation))

    def decide(self, version: str, status: str, reason: str, decided_by: str) -> None:
        if status not in STATUSES:
            raise SpanishGasError(f"status {status!r}: it is one of {', '.join(STATUSES)}")
        number = len(self.decisions(version)) + 1
        path = self.root / version / "decisions" / f"{number:04}.json"
        _write_json(path, _decision(status, reason, decided_by))

    def decisions(self, version: str) -> list[dict[str, Any]]:
        self._document(version)
        paths = sorted((self.root / version / "decisions").glob("*.json"))
        return [json.loads(path.read_text(encoding="utf-8")) for path in paths]

    def versions(self) -> list[str]:
        return sorted(path.parent.name for path in self.root.glob("[!.]*/model.json"))

    def champion(self) -> str | None:
        pointer = self.root / "champion.json"
        if not pointer.exists():
            return None
        return json.loads(pointer.read_text(encoding="utf-8"))["version"]

    def promote(self, version: str, run_id: str) -> None:
        if (status := self.status(version)) != APPROVED:
            raise SpanishGasError(f"model {version} is {status}; only Approved ones are promoted")
        pointer = {
            "version": version,
            "sha256": self._document(version)["sha256"],
            "previous_version": self.champion(),
            "run_id": run_id,
            "promoted_at": _now(),
        }
        _write_json(self.root / "champion.json", pointer)

    def _document(self, version: str) -> dict[str, Any]:
        path = self.root / version / "model.json"
        if not path.exists():
            known = ", ".join(self.versions()) or "none"
            raise SpanishGasError(f"there is no model {version}; known versions: {known}")
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise SpanishGasError(
                f"{path}: format {document['format']}, this release reads {FORMAT}"
            )
        return document


def open_registry(settings: Settings) -> Registry:
    """The registry of `settings.target`."""
    return LocalRegistry(settings.layout.models, settings.threads)


def _decision(status: str, reason: str, decided_by: str) -> dict[str, str]:
    return {"status": status, "reason": reason, "decided_by": decided_by, "decided_at": _now()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    """All or nothing: a reader sees the whole document or the one before."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    unfinished.write_text(text + "\n", encoding="utf-8")
    unfinished.replace(path)
