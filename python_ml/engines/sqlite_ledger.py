"""The manifest of a home: an SQLite file, and a lock that dies with its holder.

SQLite rather than DuckDB: several processes may open it at a time, so `status` works while a run
goes on, and each write is one transaction that a kill cannot halve. Whether a lease holds is not a
question of clocks: the kernel keeps a lock on `.lease` as long as the process lives. Only where the
lease is of another machine, which shares the home over a network, its expiry decides.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from python_ml.engines.ledger import (
    CLAIMED,
    DONE,
    BatchClaim,
    Lease,
    RunLedger,
    RunRecord,
    held_by,
    iso,
    lost,
)
from python_ml.errors import SpanishGasError, TerminalError, TransientError, on_disk

FILE, LOCK = "runs.sqlite", ".lease"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SCHEMA = """
create table if not exists lease (
    one integer primary key check (one = 1), machine text not null, document text not null
);
create table if not exists batch_claim (
    batch_sha256 text not null, mode text not null, document text not null,
    primary key (batch_sha256, mode)
);
create table if not exists run (run_id text primary key, document text not null);
"""


class SqliteLedger(RunLedger):
    """Runs of one home."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._lock: int | None = None

    def acquire(self, lease: Lease, seconds: float) -> Lease:
        handle = self._lock
        if handle is None:
            with on_disk(self._home):
                self._home.mkdir(parents=True, exist_ok=True)
                handle = os.open(self._home / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(handle)
                raise held_by(self._row()[0]) from error
        try:
            now = datetime.now(UTC)
            held = replace(lease, since=iso(now), expires_at=iso(now + timedelta(seconds=seconds)))
            with self._transaction() as connection:
                other, machine = _read_lease(connection)
                if other and _is_elsewhere(other, machine) and other.expires_at >= iso(now):
                    raise held_by(other)
                _write_lease(connection, held)
        except BaseException:
            os.close(handle)
            self._lock = None
            raise
        self._lock = handle
        return held

    def beat(self, lease: Lease, seconds: float) -> None:
        with self._transaction() as connection:
            other, _ = _read_lease(connection)
            if other is None or other.token != lease.token:
                raise lost(lease, other)
            until = datetime.now(UTC) + timedelta(seconds=seconds)
            _write_lease(connection, replace(other, expires_at=iso(until)))

    def release(self, lease: Lease) -> None:
        try:
            with self._transaction() as connection:
                other, _ = _read_lease(connection)
                if other is not None and other.token == lease.token:
                    connection.execute("delete from lease")
        finally:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    def holder(self) -> Lease | None:
        lease, machine = self._row()
        if lease is None:
            return None
        if _is_elsewhere(lease, machine):
            return lease if lease.expires_at >= iso(datetime.now(UTC)) else None
        return lease if self._is_locked() else None

    def claim(self, claim: BatchClaim, seconds: float, *, force: bool = False) -> BatchClaim | None:
        # A claim that goes on is of a run that died: this one holds the lease.
        with self._transaction() as connection:
            standing = _read_claim(connection, claim)
            same_work = standing is not None and standing.work_sha256 == claim.work_sha256
            if standing and standing.state == DONE and same_work and not force:
                return standing
            until = iso(datetime.now(UTC) + timedelta(seconds=seconds))
            earlier = standing.to_keep if standing else None
            taken = replace(claim, state=CLAIMED, expires_at=until, earlier=earlier)
            _write_claim(connection, taken)
        return None

    def finish(self, claim: BatchClaim, *, succeeded: bool) -> None:
        with self._transaction() as connection:
            standing = _read_claim(connection, claim)
            if standing is not None and standing.run_id != claim.run_id:
                return
            if succeeded:
                done = replace(claim, state=DONE, expires_at=None, earlier=None)
                _write_claim(connection, done)
            elif standing is not None and standing.earlier is not None:
                _write_claim(connection, BatchClaim(**standing.earlier))
            else:
                connection.execute(
                    "delete from batch_claim where batch_sha256 = ? and mode = ?",
                    (claim.batch_sha256, claim.mode),
                )

    def save(self, record: RunRecord) -> None:
        with self._transaction() as connection:
            connection.execute(
                "insert or replace into run values (?, ?)",
                (record.run_id, json.dumps(record.as_dict())),
            )

    def runs(self, limit: int | None = None) -> list[RunRecord]:
        with self._reading() as connection:
            rows = connection.execute(
                "select document from run order by run_id desc limit ?",
                (-1 if limit is None else limit,),
            ).fetchall()
        return [RunRecord.from_dict(json.loads(row[0])) for row in rows]

    def forget_runs(self, run_ids: list[str]) -> None:
        with self._transaction() as connection:
            connection.executemany("delete from run where run_id = ?", [(r,) for r in run_ids])

    def _row(self) -> tuple[Lease | None, str]:
        with self._reading() as connection:
            return _read_lease(connection)

    def _is_locked(self) -> bool:
        """Whether a living process, perhaps this one, has the lock."""
        if self._lock is not None:
            return True
        try:
            handle = os.open(self._home / LOCK, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """To look only, which a home that cannot be written to allows, too."""
        path = self._home / FILE
        with on_disk(path):
            is_there = path.exists()
        if is_there and all(os.access(place, os.W_OK) for place in (path, self._home)):
            with self._transaction() as connection:
                yield connection
            return
        address = f"{path.absolute().as_uri()}?mode=ro" if is_there else ":memory:"
        try:
            with closing(sqlite3.connect(address, timeout=30, uri=True)) as connection:
                if not is_there:
                    connection.executescript(_SCHEMA)
                yield connection
        except sqlite3.Error as error:
            raise _failed(path, error) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One writer at a time, all or nothing, on disk when it ends."""
        path = self._home / FILE
        try:
            with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
                connection.execute("pragma synchronous = full")
                # Nothing that was deleted stays in the file's free pages.
                connection.execute("pragma secure_delete = on")
                connection.execute("begin immediate")
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                yield connection
                connection.execute("commit")
        except sqlite3.Error as error:
            raise _failed(path, error) from error


def _failed(path: Path, error: sqlite3.Error) -> SpanishGasError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return TransientError(f"{path}: {error}")
    if code == sqlite3.SQLITE_FULL:
        return TerminalError(f"{path}: {error}. Free some space")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR):
        return TerminalError(f"{path}: {error}. The disk is full, or the file cannot be written")
    return SpanishGasError(
        f"{path}: {error}. It holds the record of runs; if it is damaged, move it away "
        "(a new one is begun, and the batches that it knew are run again)."
    )


def _machine() -> str:
    """This boot of this kernel; containers on one kernel share its locks."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:  # no Linux: a lock that is ours to take means that the holder is gone
        return ""


def _is_elsewhere(lease: Lease, machine: str) -> bool:
    """Whether a lease is of another machine, of whose processes our lock tells nothing.

    One of this host from before a reboot is not: its process is gone.
    """
    return machine != _machine() and lease.host != socket.gethostname()


def _read_lease(connection: sqlite3.Connection) -> tuple[Lease | None, str]:
    row = connection.execute("select machine, document from lease").fetchone()
    return (Lease(**json.loads(row[1])), row[0]) if row else (None, "")


def _write_lease(connection: sqlite3.Connection, lease: Lease) -> None:
    connection.execute(
        "insert or replace into lease values (1, ?, ?)", (_machine(), json.dumps(asdict(lease)))
    )


def _read_claim(connection: sqlite3.Connection, claim: BatchClaim) -> BatchClaim | None:
    row: Any = connection.execute(
        "select document from batch_claim where batch_sha256 = ? and mode = ?",
        (claim.batch_sha256, claim.mode),
    ).fetchone()
    return BatchClaim(**json.loads(row[0])) if row else None


def _write_claim(connection: sqlite3.Connection, claim: BatchClaim) -> None:
    connection.execute(
        "insert or replace into batch_claim values (?, ?, ?)",
        (claim.batch_sha256, claim.mode, json.dumps(asdict(claim))),
    )
