"""The record of runs in memory: one lease, and claims by batch and mode."""

from __future__ import annotations

from dataclasses import replace

from python_ml.engines import RunLedger
from python_ml.engines.ledger import DONE, BatchClaim, Lease, RunRecord, held_by, lost


class MemoryLedger(RunLedger):
    """Of one process: nothing expires, since whoever held it would have died with it."""

    def __init__(self) -> None:
        self._lease: Lease | None = None
        self._claims: dict[tuple[str, str], BatchClaim] = {}
        self._records: dict[str, RunRecord] = {}

    def acquire(self, lease: Lease, seconds: float) -> Lease:
        if self._lease is not None and self._lease.token != lease.token:
            raise held_by(self._lease)
        self._lease = lease
        return lease

    def beat(self, lease: Lease, seconds: float) -> None:
        if self._lease is None or self._lease.token != lease.token:
            raise lost(lease, self._lease)

    def release(self, lease: Lease) -> None:
        if self._lease is not None and self._lease.token == lease.token:
            self._lease = None

    def holder(self) -> Lease | None:
        return self._lease

    def claim(self, claim: BatchClaim, seconds: float, *, force: bool = False) -> BatchClaim | None:
        key = (claim.batch_sha256, claim.mode)
        standing = self._claims.get(key)
        is_free = standing is None or standing.run_id == claim.run_id
        if standing is not None and standing.state == DONE:
            is_free = is_free or force or standing.work_sha256 != claim.work_sha256
        if not is_free:
            return standing
        self._claims[key] = claim
        return None

    def finish(self, claim: BatchClaim, *, succeeded: bool) -> None:
        key = (claim.batch_sha256, claim.mode)
        if succeeded:
            self._claims[key] = replace(claim, state=DONE)
        else:
            self._claims.pop(key, None)

    def save(self, record: RunRecord) -> None:
        self._records[record.run_id] = record

    def runs(self, limit: int | None = None) -> list[RunRecord]:
        return [self._records[run_id] for run_id in sorted(self._records, reverse=True)][:limit]

    def forget_runs(self, run_ids: list[str]) -> None:
        for run_id in run_ids:
            self._records.pop(run_id, None)
