"""Errors that end a command, each with the exit code that scripts rely on."""

from __future__ import annotations


class SpanishGasError(Exception):
    """Something that we foresaw; the message says what to do about it."""

    exit_code = 1


class UsageError(SpanishGasError):
    """The command was called with settings that make no sense."""

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
