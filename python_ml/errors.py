"""Errors that end a command, each with the exit code that scripts rely on."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager


class SpanishGasError(Exception):
    """Something that we foresaw; the message says what to do about it."""

    exit_code = 1


class UsageError(SpanishGasError):
    """The command was called with settings that make no sense."""

    exit_code = 2


class OldTablesError(SpanishGasError):
    """The published tables were built by another version, and lack what this one reads."""

    exit_code = 2


class BadInputError(SpanishGasError):
    """A raw batch breaks the contract and was refused whole.

    The message names the file, the column, the number of rows and the remedy.
    """

    exit_code = 3


class ModelGateError(SpanishGasError):
    """The candidate did not pass the gate; champion and scores are as before."""

    exit_code = 4


class QualityGateError(SpanishGasError):
    """A data test or guardrail failed; nothing was published."""

    exit_code = 5


class LeaseHeldError(SpanishGasError):
    """Another run holds the warehouse."""

    exit_code = 6


class InterruptedRunError(SpanishGasError):
    """A person ended the command (Ctrl-C)."""

    exit_code = 130


class ServiceError(SpanishGasError):
    """A disk, a store or a service that we rely on failed; which of the two, its class says.

    Args:
        message: what failed, where, in the words of what failed.
        code: the service's own name of the error.
    """

    advice = ""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(f"{message.rstrip('. ')}. {self.advice}".strip())
        self.code = code


class TransientError(ServiceError):
    """Nothing need be changed before the next attempt."""

    advice = "It may pass: try again."


class TerminalError(ServiceError):
    """The next attempt fails too, until somebody has changed something."""

    advice = "Trying again does not help until that is fixed."


class NotFoundError(TerminalError):
    """What a service was asked for is not there."""


class AlreadyThereError(TerminalError):
    """What a service was to make is there."""


class ConditionFailedError(TerminalError):
    """A conditional write found another state."""


# What errors of the system call for; of all others nobody knows, and trying again is no harm.
_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "The disk is full: free some space"),
    errno.EFBIG: "No file may grow so large here: raise the limit (ulimit -f)",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "Give this user the right to write and read it"),
    errno.EROFS: "Name a place that can be written to",
    errno.ENAMETOOLONG: "Name a shorter path",
    errno.ENOENT: "Name a place that is there",
    **dict.fromkeys(
        (errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
        "A file stands where a folder is wanted, or the other way round",
    ),
}


def of_disk(error: OSError, place: object = None) -> ServiceError:
    """Our error of one of the operating system.

    Args:
        error: the system's.
        place: what was read or written, where the error does not say.
    """
    name = str(error.filename or place or "").strip()
    name = f"{name[:200]}…" if len(name) > 200 else name
    what = error.strerror or str(error) or type(error).__name__
    told = f"{name}: {what}" if name and name not in what else what
    if (remedy := _REMEDIES.get(error.errno or 0)) is None:
        return TransientError(told)
    return TerminalError(f"{told}. {remedy}")


@contextmanager
def on_disk(place: object) -> Iterator[None]:
    """What the operating system refuses at a place becomes an error of ours.

    Raises:
        ServiceError: it was refused; whether a retry helps, the class says.
    """
    try:
        yield
    except OSError as error:
        raise of_disk(error, place) from error


# Modules whose errors tell of data and disks, never of a mistake in our code.
_FOREIGN = ("duckdb", "_duckdb", "sqlite3", "pyarrow", "botocore", "boto3", "pyathena")


def foreseen(error: BaseException) -> SpanishGasError | None:
    """Our error of one that a library raised, or None where it tells of a mistake in our code.

    The net below what each place wraps for itself: a full disk can strike anywhere.
    """
    if isinstance(error, SpanishGasError):
        return error
    if isinstance(error, OSError):
        return of_disk(error)
    if isinstance(error, MemoryError):
        return TerminalError("there is not enough memory; set memory_limit or threads lower")
    if type(error).__module__.split(".")[0] not in _FOREIGN:
        return None
    told = f"{error}".strip() or type(error).__name__
    if "No space left on device" in told or "database or disk is full" in told:
        return TerminalError(f"{told}. {_REMEDIES[errno.ENOSPC]}")
    return SpanishGasError(told)
