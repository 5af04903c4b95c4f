"""Progress of long work, on stderr, so that stdout stays a document."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from python_ml.console import PlainConsole, harmless, line
from python_ml.interrupts import was_interrupted

# What a stage calls to say how far it is: a phrase, and the share done (0 to 1) or None.
Reporter = Callable[[str, float | None], None]

console = PlainConsole(stderr=True)
LOG_EVERY_SECONDS = 15.0
_is_verbose = False


def set_level(*, is_quiet: bool, is_verbose: bool) -> None:
    """Say nothing, or every message as a line; by default a bar, or a line now and then."""
    global _is_verbose
    console.quiet, _is_verbose = is_quiet, is_verbose


def silent(_message: str, _share: float | None = None) -> None:
    """A reporter that says nothing."""


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


@dataclass
class Step:
    """One step of a run: what it handled, how long it took, what became of it."""

    name: str
    status: str = "running"
    started_at: str = ""  # UTC, ISO 8601
    rows: int | None = None
    seconds: float = 0.0
    peak_memory_mb: float = 0.0
    detail: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "step": self.name,
            "status": self.status,
            "rows": self.rows,
            "seconds": round(self.seconds, 3),
            "peak_memory_mb": round(self.peak_memory_mb, 1),
        }


@contextmanager
def reporting(title: str) -> Iterator[Reporter]:
    """A bar on a terminal; elsewhere a line now and then."""
    if not console.is_terminal or _is_verbose:
        last = time.monotonic()

        def say(message: str, share: float | None = None) -> None:
            nonlocal last
            if _is_verbose or time.monotonic() - last >= LOG_EVERY_SECONDS:
                last = time.monotonic()
                done = "" if share is None else f" ({share:.0%})"
                console.print(f"  {title}: {message}{done}")

        yield say
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[title]:<10} {task.description}", markup=False),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None, title=title)

        def update(message: str, share: float | None = None) -> None:
            progress.update(
                task,
                description=harmless(message),
                total=None if share is None else 1.0,
                completed=0.0 if share is None else share,
            )

        yield update


@contextmanager
def timed_step(name: str, steps: list[Step]) -> Iterator[tuple[Step, Reporter]]:
    """Run a step: shows it while it goes on, records it and prints a line when it is over."""
    step = Step(name, started_at=datetime.now(UTC).isoformat(timespec="seconds"))
    steps.append(step)
    start = time.perf_counter()
    is_interrupted = False
    try:
        with reporting(name) as report:
            yield step, report
        step.status = "done"
    except BaseException as error:
        step.status = "failed"
        if is_interrupted := was_interrupted(error):
            raise KeyboardInterrupt from error  # of a library that had made an error of it
        raise
    finally:
        step.seconds = time.perf_counter() - start
        step.peak_memory_mb = peak_memory_mb()
        mark = ("✓", "green") if step.status == "done" else ("✗", "red")
        rows = "" if step.rows is None else f"{step.rows:>13,} rows"
        if not is_interrupted:  # who pressed Ctrl-C waits for one line, the command's
            console.print(line(mark, f" {name:<10} {rows:<18} {step.seconds:7.1f} s"))
