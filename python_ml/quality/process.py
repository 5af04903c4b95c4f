"""Great Expectations in a process of its own, beside the run.

Importing the library takes seconds, and writing Data Docs one or two: both happen while the run
lands and builds. Only a verdict is waited for.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pandas as pd

from python_ml.errors import SpanishGasError


class QualityProcess:
    """Starts the process at once; `close` ends it. A killed run takes it along."""

    def __init__(self) -> None:
        self._link, other = Pipe()
        self._process = _begin(other.fileno())
        other.close()
        self._is_writing = False

    def decide(self, checks: pd.DataFrame) -> pd.DataFrame:
        """As `Expectations.decide`.

        Raises:
            SpanishGasError: the process ended, or the library failed.
        """
        self.settle()
        self._send("decide", checks)
        frame: pd.DataFrame = self._receive()
        return frame

    def write_docs(self, checks: pd.DataFrame, folder: Path) -> None:
        """As `Expectations.write_docs`, but they are there only once `settle` has returned."""
        self.settle()
        self._send("write_docs", checks, folder)
        self._is_writing = True

    def settle(self) -> None:
        """Wait for Data Docs that are being written.

        Raises:
            SpanishGasError: they could not be.
        """
        if self._is_writing:
            self._is_writing = False
            self._receive()

    def close(self) -> None:
        """End the process, whatever it does."""
        self._link.close()
        self._process.terminate()
        self._process.wait()

    def _send(self, method: str, *arguments: Any) -> None:
        try:
            self._link.send((method, arguments))
        except OSError as error:
            raise _gone() from error

    def _receive(self) -> Any:
        try:
            result, failure = self._link.recv()
        except (EOFError, OSError) as error:
            raise _gone() from error
        if failure is not None:
            raise SpanishGasError(f"the quality gates could not be decided: {failure}")
        return result


def _begin(descriptor: int) -> subprocess.Popen[bytes]:
    """The process, which answers through a connection of this descriptor."""
    # No child of multiprocessing: a run may itself be in a worker that must not have any.
    return subprocess.Popen(
        [sys.executable, "-c", f"import {__name__} as it; it.serve({descriptor})"],
        pass_fds=[descriptor],
        process_group=0,  # Ctrl-C is for the run, which ends this process
    )


def _gone() -> SpanishGasError:
    return SpanishGasError(
        "the process that decides the quality gates has ended, perhaps for want of memory; "
        "`spanishgas run --resume` starts another"
    )


def serve(descriptor: int) -> None:
    """What the process does: answer until the other end of the connection is closed."""
    from python_ml.quality.expectations import Expectations  # seconds, in this process alone

    link = Connection(descriptor)
    with suppress(EOFError, OSError, KeyboardInterrupt):
        expectations = Expectations()
        while True:
            method, arguments = link.recv()
            result, failure = None, None
            try:
                result = getattr(expectations, method)(*arguments)
            except Exception as error:
                failure = f"{type(error).__name__}: {error}"
            link.send((result, failure))
