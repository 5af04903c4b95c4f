"""What the steps of a run on AWS tell each other: documents under `runs/<run_id>/` of the lake.

Each step runs in a container of its own. `request.json` says what the run is; `<step>.json` what
became of a step. A step that is repeated writes its document anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from python_ml.engines.ledger import CLAIMED, BatchClaim
from python_ml.engines.store import Store
from python_ml.errors import BadInputError, SpanishGasError

REQUEST = "request"
# In the order of a run; mode score leaves out train and evaluate.
STEPS = (
    *("land", "bronze", "sentiment", "silver", "gold", "quality", "train", "evaluate"),
    *("register", "score", "drift", "marts", "publish"),
)
ONLY_TRAIN = ("train", "evaluate", "register")


@dataclass(frozen=True)
class RunRequest:
    """What a run is asked to do. Times are UTC, ISO 8601."""

    run_id: str
    mode: str
    source: str
    batch_sha256: str
    started_by: str
    started_at: str
    attempt: str  # a run that is begun anew reads no document of the attempt before
    work_sha256: str | None = None  # code and settings, once it has its batch
    force: bool = False  # trust nothing that earlier runs have made

    def claim(self) -> BatchClaim:
        """The run's claim on its batch."""
        return BatchClaim(self.batch_sha256, self.mode, CLAIMED, self.run_id, self.work_sha256)

    def steps(self) -> tuple[str, ...]:
        return tuple(step for step in STEPS if self.mode == "train" or step not in ONLY_TRAIN)


class RunFolder:
    """Documents of one run."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self.run_id = run_id

    def write_request(self, request: RunRequest) -> None:
        self._write(REQUEST, asdict(request))

    def request(self) -> RunRequest:
        """What the run was asked for.

        Raises:
            SpanishGasError: no such run has begun.
        """
        document = self._read(REQUEST)
        if document is None:
            raise SpanishGasError(f"run {self.run_id} has not begun: no {self.place(REQUEST)}")
        return RunRequest(**document)

    def has_begun(self) -> bool:
        return self._store.exists(self._key(REQUEST))

    def write(self, name: str, document: Mapping[str, Any]) -> None:
        self._write(name, {**document, "attempt": self.request().attempt})

    def read(self, name: str) -> dict[str, Any] | None:
        """A document of the present attempt, or None."""
        document = self._read(name)
        if document is None or document["attempt"] != self.request().attempt:
            return None
        return document

    def result(self, step: str) -> dict[str, Any]:
        """What a step that must be over has found.

        Raises:
            SpanishGasError: it has not run, or has failed.
        """
        document = self.read(step)
        if document is None or document["status"] != "done":
            raise SpanishGasError(f"run {self.run_id}: step {step} is not done")
        values: dict[str, Any] = document["result"]
        return values

    def keep_reports(self, reports: Path) -> str:
        """Keep the pages that a step has written; returns where they lie."""
        for path in reports.rglob("*"):
            if path.is_file():
                name = path.relative_to(reports).as_posix()
                self._store.write(f"runs/{self.run_id}/reports/{name}", path.read_bytes())
        return self._store.place(f"runs/{self.run_id}/reports")

    def place(self, name: str) -> str:
        return self._store.place(self._key(name))

    def _write(self, name: str, document: Mapping[str, Any]) -> None:
        text = json.dumps(document, indent=2, default=str)
        self._store.write(self._key(name), f"{text}\n".encode())

    def _read(self, name: str) -> dict[str, Any] | None:
        key = self._key(name)
        return json.loads(self._store.read(key)) if self._store.exists(key) else None

    def _key(self, name: str) -> str:
        return f"runs/{self.run_id}/{name}.json"


def changed_since(source: str) -> BadInputError:
    """The error of a run whose batch has been written over before it was read."""
    return BadInputError(
        f"{source} is no longer what this run was started for: files were added or replaced since. "
        "The run of the newer upload reads them; this one ends."
    )
