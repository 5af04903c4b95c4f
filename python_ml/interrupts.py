"""An interrupt that is never lost.

Python raises KeyboardInterrupt wherever the main thread happens to be. In a finaliser or in the
callback of a library it is printed and forgotten, and DuckDB turns it into an error of its own
("Query interrupted"). So it is remembered too: long work asks between its steps, and an error that
follows it is not taken for a failure.

Nor is a query waited for whose result nobody will have: DuckDB's threads go on with it, and closing
the connection waits for them, unless they are told to stop.
"""

from __future__ import annotations

import signal
from threading import Event, current_thread, main_thread
from types import FrameType
from typing import Protocol
from weakref import ref


class Interruptible(Protocol):
    """A connection whose statement can be stopped while it runs."""

    def interrupt(self) -> None: ...


_seen = Event()
# By address, which a later connection takes over: nothing need run as one goes, where an interrupt
# could be lost.
_connections: dict[int, ref[Interruptible]] = {}


def remember_interrupts() -> None:
    """Begin to; a process that ignores interrupts, or has a handler of its own, keeps its ways."""
    _seen.clear()
    if current_thread() is not main_thread():
        return
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def stop_on_interrupt(connection: Interruptible) -> None:
    """Have what a connection runs stopped by an interrupt, for as long as the connection lives."""
    _connections[id(connection)] = ref(connection)


def was_interrupted(error: BaseException | None = None) -> bool:
    """Whether an error is an interrupt, or whether one came before it."""
    return isinstance(error, KeyboardInterrupt) or _seen.is_set()


def raise_if_interrupted() -> None:
    """Raise what was lost.

    Raises:
        KeyboardInterrupt: there was an interrupt since `remember_interrupts`.
    """
    if was_interrupted():
        raise KeyboardInterrupt


def _interrupt(number: int, frame: FrameType | None) -> None:
    _seen.set()
    for found in list(_connections.values()):
        if (connection := found()) is not None:
            connection.interrupt()
    signal.default_int_handler(number, frame)
