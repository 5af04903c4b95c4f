"""Kill runs, again and again, and see what is left: nothing lost, nothing in the way.

    python -m tests.proof.faults --kills 100 --customers 500 --races 20

A home publishes eleven months. Then a run on twelve is killed by SIGKILL, at the beginning or end
of a step or somewhere inside one, each time in a fresh copy of the home. After each kill the
published tables must be those of before or, once the swap has happened, those of an undisturbed
run; `run --resume` or a new run must end with exit code 0; and its tables must be those of the
undisturbed run, row by row. Runs are processes forked from one that has imported everything.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

from tests.proof.faults_world import World, finish, make_world, start, tables, which


@dataclass(frozen=True)
class Outcome:
    """What became of one kill."""

    place: str
    published: str  # after the kill: before, after or lost
    recovery: str  # resume or new run
    exit_code: int
    is_identical: bool
    leftovers: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        return (
            self.published != "lost"
            and self.exit_code == 0
            and self.is_identical
            and not self.leftovers
        )


def kill_once(world: World, seed: int) -> Outcome:
    """Kill a run at a place that the seed chooses, look, recover and compare."""
    draw = random.Random(seed)
    steps = list(world.seconds)
    step = steps[seed % len(steps)]
    where = draw.choice(["begin", "inside", "inside", "end"])
    wait = draw.random() * world.seconds[step] if where == "inside" else 0.0
    with world.copy() as home:
        process, listener = start(home, world.raw, world.mode)
        wanted = ("end" if where == "end" else "begin", step)
        with contextlib.suppress(EOFError):
            while listener.recv() != wanted:
                pass
        time.sleep(wait)
        process.kill()
        process.join()
        published = which(world, home)
        can_resume = any((home / ".runs").glob("*/state.json"))
        code = finish(*start(home, world.raw, world.mode, resume=can_resume))
        leftovers = [*(home / ".runs").glob("*"), *(home / "lake").glob(".staging*")]
        return Outcome(
            place=f"{where} {step}",
            published=published,
            recovery="resume" if can_resume else "new run",
            exit_code=code,
            is_identical=tables(home) == world.after,
            leftovers=tuple(path.name for path in leftovers),
        )


def race_once(world: World, _: int) -> bool:
    """Start two runs at once: one gets to its end of landing, the other is told who holds it."""
    with world.copy() as home:
        runs = [start(home, world.raw, world.mode) for _ in range(2)]
        landed, codes = 0, []
        for process, listener in runs:
            with contextlib.suppress(EOFError):
                while listener.recv() != ("end", "land"):
                    pass
                landed += 1
                process.kill()
            process.join()
            codes.append(process.exitcode)
        return landed == 1 and sorted(codes) == [-signal.SIGKILL, 6]


def full_disk(world: World, limit: int) -> tuple[int, bool]:
    """Let no file grow beyond a limit, as a full disk would not; then run again without it.

    Returns:
        Exit code of the run on the full disk, and whether all was well after it.
    """
    with world.copy() as home:
        prepare = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit))
        failed = finish(*start(home, world.raw, world.mode, prepare=prepare))
        kept = which(world, home) == "before"
        can_resume = any((home / ".runs").glob("*/state.json"))
        code = finish(*start(home, world.raw, world.mode, resume=can_resume))
        return failed, kept and code == 0 and tables(home) == world.after


def full_tmpfs(world: World, spare_mb: int) -> tuple[int, bool]:
    """The same on a small file system of its own, which is then made larger; needs root."""
    with tempfile.TemporaryDirectory(dir=world.home.parent) as place:
        size = sum(p.stat().st_size for p in world.home.rglob("*") if p.is_file()) // 2**20
        options = f"size={size + spare_mb}m"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
        try:
            home = Path(place) / "home"
            shutil.copytree(world.home, home, symlinks=True)
            failed = finish(*start(home, world.raw, world.mode))
            kept = which(world, home) == "before"
            subprocess.run(["mount", "-o", "remount,size=2g", place], check=True)
            can_resume = any((home / ".runs").glob("*/state.json"))
            code = finish(*start(home, world.raw, world.mode, resume=can_resume))
            return failed, kept and code == 0 and tables(home) == world.after
        finally:
            subprocess.run(["umount", place], check=True)


def vanishing_file(world: World) -> tuple[int, bool]:
    """A raw file goes once the run has begun; when it is back, a new run is as if nothing was."""
    with world.copy() as home, tempfile.TemporaryDirectory(dir=world.home.parent) as place:
        raw = Path(place) / "raw"
        shutil.copytree(world.raw, raw)
        gone = raw / "consumption_hourly_2024" / "month=2024-12" / "part-0.parquet"
        content = gone.read_bytes()
        process, listener = start(home, raw, world.mode)
        assert listener.recv() == ("begin", "land")
        gone.unlink()
        failed = finish(process, listener)
        kept = which(world, home) == "before"
        gone.write_bytes(content)
        code = finish(*start(home, raw, world.mode))
        return failed, kept and code == 0 and tables(home) == world.after


def turned_clock(world: World) -> tuple[int, bool]:
    """The clock goes back two years between two runs, while the first holds the lease."""
    with world.copy() as home:
        first, listener = start(home, world.raw, world.mode)
        assert listener.recv() == ("begin", "land")
        second = finish(*start(home, world.raw, world.mode, prepare=_turn_clock))
        code = finish(first, listener)
        again = finish(*start(home, world.raw, world.mode, force=True, prepare=_turn_clock))
        newest = max((home / "reports" / "runs").iterdir(), key=lambda path: path.stat().st_mtime)
        in_order = newest == max((home / "reports" / "runs").iterdir())
        return second, code == 0 and again == 0 and in_order and tables(home) == world.after


def _turn_clock() -> None:
    from datetime import datetime as real
    from datetime import timedelta

    from python_ml.engines import sqlite_ledger as local
    from python_ml.pipeline import workspace

    class Earlier(real):
        @classmethod
        def now(  # type: ignore[override]  # not one of its class: sqlite3 takes plain ones only
            cls, tz: Any = None
        ) -> datetime:
            return real.now(tz) - timedelta(days=730)

    for module in (workspace, local):  # as long as the process lives
        mock.patch.object(module, "datetime", Earlier).start()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--races", type=int, default=20)
    parser.add_argument("--customers", type=int, default=500)
    parser.add_argument("--mode", choices=["train", "score"], default="train")
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    for slow in ("dbt.cli.main", "dbt.adapters.duckdb", "python_ml.pipeline.score"):
        import_module(slow)  # every fork finds it there

    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        world = make_world(Path(folder), given.customers, given.mode)
        print(f"undisturbed: {world.seconds}", flush=True)
        others = _other_faults(world)
        with ThreadPoolExecutor(given.at_once) as pool:
            races = list(pool.map(partial(race_once, world), range(given.races)))
            print(f"races: exactly one proceeded in {sum(races)} of {len(races)}", flush=True)
            outcomes = []
            seeds = range(given.seed, given.seed + given.kills)
            for outcome in pool.map(partial(kill_once, world), seeds):
                outcomes.append(outcome)
                if not outcome.is_good or len(outcomes) % 10 == 0:
                    print(f"{len(outcomes)}: {outcome}", flush=True)
    good = sum(outcome.is_good for outcome in outcomes)
    lost = sum(outcome.published == "lost" for outcome in outcomes)
    print(f"kills by place: {dict(Counter(outcome.place for outcome in outcomes))}")
    print(f"recovered by: {dict(Counter(outcome.recovery for outcome in outcomes))}")
    print(f"kills {len(outcomes)}: recoveries {good}, losses {lost}, results identical {good}")
    return 0 if good == len(outcomes) and all(races) and others else 1


def _other_faults(world: World) -> bool:
    """Full disks, a file that vanishes, a clock that is turned; whether all went well."""
    faults: dict[str, Callable[[], tuple[int, bool]]] = {
        "no file beyond 1 MB": lambda: full_disk(world, 2**20),
        "no file beyond 6 MB": lambda: full_disk(world, 6 * 2**20),
        "file vanishes": lambda: vanishing_file(world),
        "clock turned back": lambda: turned_clock(world),
    }
    if os.geteuid() == 0:
        faults["tmpfs with 3 MB left"] = lambda: full_tmpfs(world, 3)
        faults["tmpfs with 12 MB left"] = lambda: full_tmpfs(world, 12)
    all_well = True
    for name, fault in faults.items():
        code, is_well = fault()
        print(
            f"{name}: exit code {code}, {'recovered' if is_well else 'NOT RECOVERED'}", flush=True
        )
        all_well &= is_well and code != 0
    return all_well


if __name__ == "__main__":
    sys.exit(main())
