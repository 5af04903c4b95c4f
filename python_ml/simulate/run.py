"""`simulate`: the seven raw files of a year, and month after month what follows."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from python_ml.errors import UsageError
from python_ml.simulate.churn import draw_churn
from python_ml.simulate.files import SmallFiles
from python_ml.simulate.hourly import ALL_HOURS, write_hours, write_panel
from python_ml.simulate.interactions import draw_interactions
from python_ml.simulate.month import add_month
from python_ml.simulate.offers import Campaigns
from python_ml.simulate.panel import MONTHS, draw_panel, province_costs
from python_ml.simulate.place import (
    MARKER,
    fresh_folder,
    put_in_place,
    read_marker,
    simulator_hash,
)
from python_ml.simulate.response import TruthFile
from python_ml.simulate.traits import draw_traits
from python_ml.simulate.world import NO_SHIFT, World

CHUNK_CUSTOMERS = 4096
Reporter = Callable[[str, float | None], None]


@dataclass(frozen=True)
class SimulationResult:
    """What a folder holds. `customers` are those of the first as-of date, `months` those added
    after the first year; `shifts` says which of them (YYYY-MM) brought which change."""

    folder: Path
    customers: int
    year: int
    seed: int
    text_signal: str
    readings: str
    months: int
    as_of_date: str
    shifts: dict[str, str]
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
    readings: str = ALL_HOURS,
    months: int = 0,
    threads: int = 2,
    progress: Reporter | None = None,
) -> SimulationResult:
    """Write the seven raw files under `out`, dirt included.

    The same arguments give the same files byte for byte, whatever the number of threads, and the
    first n customers are the same whatever the number of customers. Files are made in a folder
    beside `out` and swapped in at the end, so an interrupted run leaves the old batch.

    Args:
        customers: how many.
        year: the calendar year observed; the as-of date is its 31 December.
        text_signal: how much the interaction texts know of the outcome: as-published, weak, none.
        readings: all-hours, or typical-days: two days of hours that stand for a month.
        months: to go on after the year, each as `append_month` adds it.
        threads: months of hours made at the same time.
        progress: called with a phrase and the share done.

    Raises:
        UsageError: a value that makes no sense.
    """
    world = World(customers, year, seed, text_signal, readings)
    if threads < 1 or months < 0:
        raise UsageError("threads must be at least 1, months at least 0")
    started, say, out = time.perf_counter(), progress or _silent, out.resolve()
    with fresh_folder(out) as fresh:
        rows = _write_year(fresh, world, threads, say)
        for month in range(1, months + 1):
            _add(rows, add_month(world, month, fresh, fresh, progress=say))
        marker = _write_marker(fresh, world, months, months, rows)
        put_in_place(fresh, out, instead_of=None)
    return _result(out, marker, time.perf_counter() - started)


def append_month(
    out: Path,
    month: str,
    *,
    shift: str = NO_SHIFT,
    campaigns: Campaigns | None = None,
    progress: Reporter | None = None,
) -> SimulationResult:
    """Add the next month to a simulated folder, for the same customers.

    Args:
        out: a folder that `simulate` wrote.
        month: YYYY-MM, the one after the newest.
        shift: what changes: none, price-shock, channel-mix, province-outage, text-style.
        campaigns: whom the retention team calls in this month; by default nobody.
        progress: called with a phrase and the share done.

    Raises:
        UsageError: no simulation wrote the folder, it was another version of the simulator, the
            month is there already or would leave a gap, the campaigns are not of this company, or
            another simulation came between.
    """
    started, out = time.perf_counter(), out.resolve()
    with fresh_folder(out) as fresh:
        found = read_marker(out)
        if found is None:
            raise UsageError(f"{out}: no simulation wrote it, so no month can follow")
        if found["simulator_sha256"] != simulator_hash():
            raise UsageError(f"{out}: another version of the simulator wrote it; simulate it anew")
        world, done = World.from_dict(found["world"]), found["months"]
        _check_next(world, done, month, out)
        if shift != NO_SHIFT:
            world = replace(world, shifts={**world.shifts, done + 1: shift})
        rows = dict(found["files"])
        say = progress or _silent
        _add(rows, add_month(world, done + 1, out, fresh, campaigns=campaigns, progress=say))
        marker = _write_marker(fresh, world, done + 1, found["months_asked"], rows)
        put_in_place(fresh, out, instead_of=found, append=True)
    return _result(out, marker, time.perf_counter() - started)


def described(out: Path) -> SimulationResult:
    """What a simulated folder holds, without writing anything."""
    marker = read_marker(out)
    assert marker is not None
    return _result(out, marker, 0.0)


def _check_next(world: World, done: int, month: str, out: Path) -> None:
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise UsageError(f"month {month!r}: write it as YYYY-MM")
    newest, following = world.name(done), world.name(done + 1)
    if month <= newest:
        raise UsageError(f"{out} has {month} already; the next month is {following}")
    if month != following:
        raise UsageError(f"{out} ends with {newest}; {month} would leave a gap before it")


def _add(rows: dict[str, int], more: dict[str, int]) -> None:
    for name, count in more.items():
        rows[name] = rows.get(name, 0) + count


def _write_marker(
    fresh: Path, world: World, months: int, months_asked: int, rows: dict[str, int]
) -> dict[str, Any]:
    """Say beside the files what they were made from; nothing that differs from run to run."""
    marker = {
        "world": world.as_dict(),
        "months": months,
        "months_asked": months_asked,
        "simulator_sha256": simulator_hash(),
        "files": rows,
    }
    (fresh / MARKER).write_text(json.dumps(marker, indent=2), encoding="utf-8")
    return marker


def _result(out: Path, marker: dict[str, Any], seconds: float) -> SimulationResult:
    world = World.from_dict(marker["world"])
    files = (p for p in out.rglob("*") if p.is_file() and p.name != MARKER)
    return SimulationResult(
        folder=out,
        customers=world.customers,
        year=world.year,
        seed=world.seed,
        text_signal=world.text_signal,
        readings=world.readings,
        months=marker["months"],
        as_of_date=str(world.as_of(marker["months"])),
        shifts={world.name(month): shift for month, shift in sorted(world.shifts.items())},
        rows=marker["files"],
        seconds=seconds,
        byte_count=sum(path.stat().st_size for path in files),
    )


def _write_year(folder: Path, world: World, threads: int, say: Reporter) -> dict[str, int]:
    """The first year's seven files; returns their rows."""
    scratch = folder / ".scratch"
    scratch.mkdir()
    panels, rows = _write_small(folder, scratch, world, say)
    hours = f"consumption_hourly_{world.year}"
    rows[hours] = write_hours(
        panels,
        folder / hours,
        scratch,
        seed=world.seed,
        year=world.year,
        readings=world.readings,
        threads=threads,
        progress=say,
    )
    shutil.rmtree(scratch)
    return rows


def _write_small(
    folder: Path, scratch: Path, world: World, say: Reporter
) -> tuple[list[Path], dict[str, int]]:
    """The six small files, and the monthly panel that the hours are made from."""
    seed, customers = world.seed, world.customers
    costs = province_costs(seed)
    as_of = dt.date(world.year, 12, 31)
    panels: list[Path] = []
    with SmallFiles(folder, seed, world.year) as files, TruthFile(folder, seed) as truth:
        files.write_costs(costs)
        for start in range(0, customers, CHUNK_CUSTOMERS):
            index = np.arange(start, min(start + CHUNK_CUSTOMERS, customers), dtype=np.int64)
            traits = draw_traits(seed, index, world.id_digits)
            panel = draw_panel(seed, traits, costs)
            churned = draw_churn(seed, traits, panel, costs)
            truth.write(traits, panel, costs, churned)
            files.write_customers(traits, churned)
            files.write_prices(traits, panel)
            files.write_interactions(
                traits.customer_id,
                draw_interactions(seed, traits, churned, as_of, world.text_signal),
            )
            panels.append(scratch / f"panel-{start:09d}.parquet")
            year = range(1, MONTHS + 1)
            write_panel(panels[-1], seed, traits, panel.elec_kwh, panel.gas_m3, year)
            say("customers, prices and interactions", (start + len(index)) / customers)
    return panels, files.rows
