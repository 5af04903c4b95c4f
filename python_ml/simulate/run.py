"""`simulate`: the seven raw files, chunk by chunk."""

from __future__ import annotations

import datetime as dt
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from python_ml.errors import UsageError
from python_ml.simulate.churn import draw_churn
from python_ml.simulate.files import SmallFiles, customer_ids
from python_ml.simulate.hourly import write_hours, write_panel
from python_ml.simulate.interactions import TEXT_SIGNALS, draw_interactions
from python_ml.simulate.panel import draw_panel, province_costs
from python_ml.simulate.traits import draw_traits

CHUNK_CUSTOMERS = 4096


@dataclass(frozen=True)
class SimulationResult:
    """What was written."""

    folder: Path
    customers: int
    year: int
    seed: int
    text_signal: str
    rows: dict[str, int]
    seconds: float
    byte_count: int

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "folder": str(self.folder)}


def _silent(_message: str, _share: float | None = None) -> None:
    pass


def simulate(
    out: Path,
    *,
    customers: int = 20099,
    year: int = 2024,
    seed: int = 42,
    text_signal: str = "as-published",
    threads: int = 2,
    progress: Callable[[str, float | None], None] | None = None,
) -> SimulationResult:
    """Write the seven raw files under `out`, dirt included.

    The same arguments give the same files byte for byte, whatever the number of threads, and the
    first n customers are the same whatever the number of customers. Files are made in a folder
    beside `out` and moved in at the end, so an interrupted run leaves no half batch.

    Args:
        customers: how many.
        year: the calendar year observed; the as-of date is its 31 December.
        text_signal: how much the interaction texts know of the outcome: as-published, weak, none.
        threads: months of hours made at the same time.
        progress: called with a phrase and the share done.

    Raises:
        UsageError: a value that makes no sense.
    """
    if customers < 1 or threads < 1:
        raise UsageError("customers and threads must be at least 1")
    if not dt.MINYEAR < year < dt.MAXYEAR:
        raise UsageError(f"year {year} is not a calendar year")
    if text_signal not in TEXT_SIGNALS:
        raise UsageError(f"text signal {text_signal!r}: choose one of {', '.join(TEXT_SIGNALS)}")
    started = time.perf_counter()
    say = progress or _silent
    out = out.resolve()
    fresh = out.parent / f".{out.name}-being-simulated"
    shutil.rmtree(fresh, ignore_errors=True)
    scratch = fresh / "scratch"
    scratch.mkdir(parents=True)
    try:
        panels, rows = _write_small(fresh, scratch, customers, year, seed, text_signal, say)
        hours = f"consumption_hourly_{year}"
        rows[hours] = write_hours(
            panels, fresh / hours, scratch, seed=seed, year=year, threads=threads, progress=say
        )
        shutil.rmtree(scratch)
        size = sum(path.stat().st_size for path in fresh.rglob("*") if path.is_file())
        _move_in(fresh, out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    seconds = time.perf_counter() - started
    return SimulationResult(out, customers, year, seed, text_signal, rows, seconds, size)


def _write_small(
    folder: Path,
    scratch: Path,
    customers: int,
    year: int,
    seed: int,
    text_signal: str,
    say: Callable[[str, float | None], None],
) -> tuple[list[Path], dict[str, int]]:
    """The six small files, and the monthly panel that the hours are made from."""
    costs = province_costs(seed)
    as_of = dt.date(year, 12, 31)
    panels: list[Path] = []
    with SmallFiles(folder, seed, year) as files:
        files.write_costs(costs)
        for start in range(0, customers, CHUNK_CUSTOMERS):
            index = np.arange(start, min(start + CHUNK_CUSTOMERS, customers), dtype=np.int64)
            traits = draw_traits(seed, index)
            panel = draw_panel(seed, traits, costs)
            churned = draw_churn(seed, traits, panel, costs)
            files.write_customers(traits, churned)
            files.write_prices(traits, panel)
            files.write_interactions(
                customer_ids(index), draw_interactions(seed, traits, churned, as_of, text_signal)
            )
            panels.append(scratch / f"panel-{start:09d}.parquet")
            write_panel(panels[-1], seed, traits, panel)
            say("customers, prices and interactions", (start + len(index)) / customers)
    return panels, files.rows


def _move_in(fresh: Path, out: Path) -> None:
    """Put the new files in `out`; what else lies there stays."""
    out.mkdir(parents=True, exist_ok=True)
    for new in sorted(fresh.iterdir()):
        old = out / new.name
        if old.is_dir():
            shutil.rmtree(old)
        new.replace(old)
