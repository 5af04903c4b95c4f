"""What a run manifest offers; docs/runs.md tells the rules, its two stores how they keep them."""

from __future__ import annotations

import getpass
import hashlib
import os
import secrets
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from python_ml.documents import json_text
from python_ml.errors import LeaseHeldError

RUNNING, SUCCEEDED, FAILED = "running", "succeeded", "failed"
CLAIMED, DONE = "claimed", "done"
LEASE = "lease"  # item of the table in DynamoDB
_ID_TIME = "%Y%m%dT%H%M%S"


def new_run_id(newest: str | None = None) -> str:
    """A run id that sorts by time, after the newest even if the clock was turned back since."""
    moment = datetime.now(UTC).replace(tzinfo=None)
    if newest:
        last = datetime.strptime(newest.partition("-")[0], _ID_TIME)
        moment = max(moment, last + timedelta(seconds=1))
    return f"{moment:{_ID_TIME}}-{secrets.token_hex(3)}"


@dataclass
class StepRecord:
    """One step of a run; `started_at` is UTC, ISO 8601."""

    step: str
    status: str = RUNNING
    started_at: str = ""
    seconds: float = 0.0
    row_count: int | None = None
    peak_memory_mb: float = 0.0


@dataclass
class RunRecord:
    """Everything that is kept of a run, whatever became of it. Times are UTC, ISO 8601."""

    run_id: str
    mode: str
    target: str
    status: str = RUNNING
    source: str = ""
    started_by: str = ""
    started_at: str = ""
    ended_at: str | None = None
    seconds: float = 0.0
    peak_memory_mb: float = 0.0
    failed_step: str | None = None
    error_message: str | None = None
    exit_code: int | None = None
    batch_id: str | None = None
    batch_sha256: str | None = None
    as_of_date: str | None = None
    model_version: str | None = None
    row_count: int | None = None
    work_sha256: str | None = None  # code and settings: what decides besides the batch
    git_sha: str | None = None
    dbt_manifest_sha256: str | None = None
    lock_sha256: str | None = None
    sentiment_backend: str | None = None
    warnings: list[str] = field(default_factory=list)  # what failed and did not end the run
    steps: list[StepRecord] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> RunRecord:
        """The inverse of `as_dict`; what a later release has added is passed over."""
        known = {entry.name for entry in fields(cls)} - {"steps"}
        steps = [StepRecord(**step) for step in document.get("steps", [])]
        return cls(**{name: document[name] for name in known & document.keys()}, steps=steps)


@dataclass(frozen=True)
class Lease:
    """The right to write to a warehouse. Whoever has the token holds it."""

    run_id: str
    mode: str
    host: str
    pid: int
    user: str
    since: str
    expires_at: str
    token: str

    def __str__(self) -> str:
        return (
            f"run {self.run_id} (mode {self.mode}) of {self.user} on {self.host}, process "
            f"{self.pid}, since {self.since}, until {self.expires_at} if it is not renewed"
        )


@dataclass(frozen=True)
class BatchClaim:
    """What has become of a batch in one mode: `claimed` by a run that goes on, or `done` by it."""

    batch_sha256: str
    mode: str
    state: str
    run_id: str
    work_sha256: str | None = None
    expires_at: str | None = None
    # The claim that stood, and stands again if this run fails.
    earlier: dict[str, Any] | None = None

    @property
    def to_keep(self) -> dict[str, Any] | None:
        """The last claim of the batch that is done: this one, or the one before it."""
        return asdict(self) if self.state == DONE else self.earlier


class RunLedger(ABC):
    """Runs, the lease on one warehouse, and claims on batches."""

    @abstractmethod
    def acquire(self, lease: Lease, seconds: float) -> Lease:
        """Take the lease, or take it again with the same token.

        Args:
            lease: as `new_lease` makes it.
            seconds: after which it expires unless `beat` renews it.

        Returns:
            The lease as it is held, with its times.

        Raises:
            LeaseHeldError: another run holds it; the message says who, where and until when.
        """

    @abstractmethod
    def beat(self, lease: Lease, seconds: float) -> None:
        """Renew the lease.

        Raises:
            LeaseHeldError: it is not ours any more.
        """

    @abstractmethod
    def release(self, lease: Lease) -> None:
        """Give the lease back; nothing happens if it is not ours any more."""

    @abstractmethod
    def holder(self) -> Lease | None:
        """Who holds the lease now."""

    @abstractmethod
    def claim(self, claim: BatchClaim, seconds: float, *, force: bool = False) -> BatchClaim | None:
        """Take a batch for a run: one run a batch and mode. The same run may take it again.

        Args:
            claim: the batch, the mode and who wants it for which work.
            seconds: after which it can be taken by others, unless it is taken again before.
            force: take it also if the same work has been done.

        Returns:
            None when it is taken, else the claim that stands: of a run that goes on, or of one that
            did the same work.
        """

    @abstractmethod
    def finish(self, claim: BatchClaim, *, succeeded: bool) -> None:
        """Turn a run's claim into `done`, or put back the one that stood before it, if any."""

    @abstractmethod
    def save(self, record: RunRecord) -> None:
        """Write or replace what is kept of a run."""

    @abstractmethod
    def runs(self, limit: int | None = None) -> list[RunRecord]:
        """Runs, newest first."""

    @abstractmethod
    def forget_runs(self, run_ids: list[str]) -> None:
        """Remove what is kept of runs; claims on batches stay."""


def new_lease(run_id: str, mode: str) -> Lease:
    """A lease for this process, not taken yet."""
    return Lease(
        run_id=run_id,
        mode=mode,
        host=socket.gethostname(),
        pid=os.getpid(),
        user=user_name(),
        since="",
        expires_at="",
        token=secrets.token_hex(16),
    )


def listing_hash(objects: Iterable[tuple[str, int, str]]) -> str:
    """What identifies a batch in a bucket: relative path, size and ETag of each of its objects."""
    listed = json_text(sorted(list(entry) for entry in objects))
    return hashlib.sha256(listed.encode()).hexdigest()


def user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return "unknown"


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def held_by(lease: Lease | None) -> LeaseHeldError:
    """The error that names the holder."""
    who = "a run that has just taken it" if lease is None else str(lease)
    return LeaseHeldError(f"the warehouse is held by {who}. Wait for it, or end that process.")


def lost(lease: Lease, now: Lease | None) -> LeaseHeldError:
    """The error of a run whose lease has gone to another."""
    taken = "nobody" if now is None else str(now)
    return LeaseHeldError(
        f"run {lease.run_id} has lost its lease on the warehouse, which {taken} holds now. "
        "Nothing was published; start the run again."
    )
