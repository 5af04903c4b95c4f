"""A home to kill runs in, and runs in processes of their own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb

from python_ml.documents import read_json
from python_ml.errors import SpanishGasError
from python_ml.pipeline.run import run_pipeline
from python_ml.pipeline.workspace import Run
from python_ml.settings import Settings, load_settings
from python_ml.simulate.run import simulate
from tests.open_gate import OPEN_GATE

# What differs from run to run although nothing is wrong: names of runs and models, and times.
OWN = ("run_id", "model_version", "evaluation_run_id", "training_run_id")
COMPARED = (
    *("bronze_customer_month", "silver_customer_month", "gold_master"),
    *("mart_customer_risk", "mart_customer_reason", "mart_recommendation", "mart_overview"),
)
# Small and quick: what is shown is that runs survive, not that models are good.
LENIENT: dict[str, Any] = {
    **OPEN_GATE,
    "model.xgboost.n_estimators": 40,
    "evaluate.bootstrap_count": 100,
    "threads": 1,
    "quality.data_docs": False,
}
Tables = dict[str, list[tuple[Any, ...]]]


@dataclass
class World:
    """A home that has published eleven months, and twelve months to run."""

    home: Path
    raw: Path
    mode: str
    before: Tables = field(default_factory=dict)
    after: Tables = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)  # of each step, undisturbed

    @contextlib.contextmanager
    def copy(self) -> Iterator[Path]:
        """A fresh copy of the home, gone at the end."""
        with tempfile.TemporaryDirectory(dir=self.home.parent, prefix="home-") as folder:
            home = Path(folder) / "home"
            shutil.copytree(self.home, home, symlinks=True, copy_function=shutil.copy2)
            yield home


def settings_of(home: Path) -> Settings:
    return load_settings({"home": str(home), **LENIENT}, environ={})


def tables(home: Path) -> Tables:
    """What is published, without what differs from run to run."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        found = {}
        for table in COMPARED:
            names = [row[0] for row in connection.execute(f"describe {table}").fetchall()]
            listing = ", ".join(f'"{name}"' for name in names if name not in OWN)
            rows = connection.execute(f"select {listing} from {table} order by all").fetchall()
            found[table] = rows
        return found


def start(
    home: Path,
    raw: Path,
    mode: str,
    *,
    resume: bool = False,
    force: bool = False,
    prepare: Callable[[], None] | None = None,
) -> tuple[Any, Any]:
    """A run in a process of its own; its exit code is the command's, and it tells of each step.

    Returns:
        The process, and a connection on which ("begin" or "end", step) arrive.
    """
    context = multiprocessing.get_context("fork")
    listener, speaker = context.Pipe(duplex=False)
    process = context.Process(
        target=_run, args=(home, raw, mode, resume, force, prepare, speaker), daemon=True
    )
    process.start()
    speaker.close()
    return process, listener


def _run(
    home: Path, raw: Path, mode: str, resume: bool, force: bool, prepare: Any, speaker: Any
) -> None:
    with (home / "log.txt").open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    step = Run.step

    @contextlib.contextmanager
    def telling(run: Run, name: str) -> Iterator[Any]:
        speaker.send(("begin", name))
        with step(run, name) as entered:
            yield entered
        speaker.send(("end", name))

    mock.patch.object(Run, "step", telling).start()  # as long as the process lives
    if prepare is not None:
        prepare()
    code = 0
    try:
        run_pipeline(Run(settings_of(home)), str(raw), mode=mode, resume=resume, force=force)
    except SpanishGasError as error:
        print(f"error: {error}", flush=True)
        code = error.exit_code
    except BaseException as error:
        print(f"unexpected: {type(error).__name__}: {error}", flush=True)
        code = 1
    os._exit(code)


def finish(process: Any, listener: Any) -> int:
    """Exit code of a run, once it has ended."""
    with contextlib.suppress(EOFError):
        while True:
            listener.recv()
    process.join()
    return int(process.exitcode)


def make_world(folder: Path, customers: int, mode: str) -> World:
    """Simulate, publish eleven months, and run the twelve undisturbed once."""
    raw, home = folder / "raw", folder / "home"
    simulate(raw, customers=customers, seed=7, readings="typical-days")
    shorter = folder / "raw-11"
    shutil.copytree(raw, shorter)
    shutil.rmtree(shorter / "consumption_hourly_2024" / "month=2024-12")
    home.mkdir()
    code = finish(*start(home, shorter, "train"))
    assert code == 0, (home / "log.txt").read_text()
    world = World(home, raw, mode, before=tables(home))
    with world.copy() as undisturbed:
        process, listener = start(undisturbed, raw, mode)
        began: dict[str, float] = {}
        with contextlib.suppress(EOFError):
            while True:
                event, step = listener.recv()
                if event == "begin":
                    began[step] = time.monotonic()
                else:
                    world.seconds[step] = time.monotonic() - began[step]
        process.join()
        assert process.exitcode == 0, (undisturbed / "log.txt").read_text()
        world.after = tables(undisturbed)
    assert world.before != world.after
    return world


def which(world: World, home: Path) -> str:
    """Whether a home shows the tables of before, of after, or (lost) neither."""
    try:
        seen = tables(home)
    except duckdb.Error:
        return "lost"
    if read_json(home / "lake" / "models" / "champion.json") is None:
        return "lost"
    return {True: "before"}.get(seen == world.before, "after" if seen == world.after else "lost")
