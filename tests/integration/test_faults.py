"""Runs that are killed, raced and starved, in small: real processes and landing, two quick steps.

The proof with all steps, a hundred kills and full disks is `python -m tests.proof.faults`.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import pytest

from python_ml import land
from python_ml.engines import open_ledger
from python_ml.errors import SpanishGasError
from python_ml.land.result import LandResult
from python_ml.pipeline import identity, record, resume, retention
from python_ml.pipeline import run as pipeline
from python_ml.pipeline.closing import Closing
from python_ml.pipeline.context import RunContext
from python_ml.pipeline.flow import Step
from python_ml.pipeline.identity import BatchIdentity
from python_ml.pipeline.plan import STEPS
from python_ml.pipeline.results import MartsResult
from python_ml.pipeline.steps import land as land_step
from python_ml.pipeline.workspace import Run
from python_ml.registry import promotion
from python_ml.settings import Settings, load_settings
from tests.integration.raw_batch import RawBatch

CONTEXT = multiprocessing.get_context("fork")
# What a run imports as it goes, and hashes that do not change: each fork finds them there.
PRELOADED = (land, promotion, record, resume, retention)
identity.code_hash(), identity.git_sha(), identity.lock_hash()


def settings_of(home: Path) -> Settings:
    return load_settings({"home": str(home), "quality.data_docs": False}, environ={})


def build(context: RunContext, landed: LandResult) -> MartsResult:
    """Stands for the models: two tables out of the run's landed batch."""
    database = context.engine.database(context.run_id)
    with duckdb.connect(str(database)) as connection:
        labels = f"read_parquet('{context.landed_folder(landed)}/churn_label/*.parquet')"
        connection.execute(f"create or replace table scores as select * from {labels}")
        connection.execute(
            "create or replace table mart_overview as select ? as run_id, 'none' as model_version",
            [context.run_id],
        )
    return MartsResult(6)


def publish(context: RunContext, marts: MartsResult) -> Closing:
    context.publish()
    return Closing({}, [], [], [], [])


def start(
    home: Path,
    source: Path,
    *,
    stop_at: tuple[str, str] | None = None,
    prepare: Callable[[], object] | None = None,
    **options: Any,
) -> tuple[ForkProcess, Connection]:
    """A run in a process of its own. At ("begin" or "end", step) it waits to be killed."""
    listener, speaker = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(
        target=_run, args=(home, source, stop_at, prepare, options, speaker), daemon=True
    )
    process.start()
    speaker.close()
    return process, listener


def _run(
    home: Path,
    source: Path,
    stop_at: tuple[str, str] | None,
    prepare: Callable[[], object] | None,
    options: dict[str, Any],
    speaker: Connection,
) -> None:
    step = Run.step

    def pause(at: tuple[str, str]) -> None:
        if at == stop_at:
            speaker.send(at)
            time.sleep(600)

    @contextlib.contextmanager
    def pausing(run: Run, name: str) -> Iterator[Any]:
        with step(run, name) as entered:
            pause(("begin", name))
            yield entered
            pause(("inside", name))
        pause(("end", name))

    def put(place: object, name: str, other: object) -> None:
        mock.patch.object(place, name, other).start()  # as long as the process lives

    put(Run, "step", pausing)
    plan = [
        STEPS["land"],
        Step("build", f"{__name__}:build"),
        Step("publish", f"{__name__}:publish"),
    ]
    put(pipeline, "plan_of", lambda mode: plan)
    put(land_step, "hold_layer", lambda context, landed, layer: None)
    if prepare is not None:
        prepare()
    code = 0
    try:
        pipeline.run_pipeline(Run(settings_of(home)), str(source), **options)
    except SpanishGasError as error:
        code = error.exit_code
    except BaseException:
        code = 1
    os._exit(code)


def finish(home: Path, source: Path, **options: Any) -> int | None:
    process, _ = start(home, source, **options)
    process.join(60)
    return process.exitcode


def churners(home: Path) -> int:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        ((found,),) = connection.execute("select sum(churn) from scores").fetchall()
        return int(found)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    batch = RawBatch()
    batch["churn_label"] = batch["churn_label"].assign(churn=1)
    return batch.write(tmp_path / "new")


@pytest.fixture(scope="module")
def first_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that has published, made once."""
    folder = tmp_path_factory.mktemp("first")
    assert finish(folder / "home", RawBatch().write(folder / "old")) == 0
    assert churners(folder / "home") == 2
    return folder


@pytest.fixture
def home(first_home: Path, tmp_path: Path) -> Path:
    shutil.copytree(first_home / "old", tmp_path / "old")
    return shutil.copytree(first_home / "home", tmp_path / "home", symlinks=True)


@pytest.mark.parametrize(
    ("where", "step"),
    [
        ("begin", "land"),
        ("end", "land"),
        ("inside", "build"),
        ("begin", "publish"),
        ("inside", "publish"),
        ("end", "publish"),
    ],
)
def test_a_killed_run_leaves_the_last_good_state_and_nothing_in_the_way(
    home: Path, source: Path, where: str, step: str
) -> None:
    process, listener = start(home, source, stop_at=(where, step))
    assert listener.poll(60)
    process.kill()
    process.join()
    has_published = step == "publish" and where != "begin"
    assert churners(home) == (6 if has_published else 2)

    can_resume = any((home / ".runs").glob("*/state.json"))
    assert can_resume is not (step == "land" and where != "end")
    run = open_ledger(settings_of(home)).runs(1)[0]
    assert finish(home, source, resume=can_resume) == 0
    assert churners(home) == 6
    assert not list((home / ".runs").iterdir())
    assert not list((home / "lake").glob(".staging*"))
    now = open_ledger(settings_of(home)).runs()
    assert all(each.status in ("succeeded", "failed") for each in now)
    (killed,) = [each for each in now if each.run_id == run.run_id]
    assert killed.status == ("succeeded" if can_resume or has_published else "failed")


def test_of_two_runs_at_once_one_proceeds_and_the_other_is_told(home: Path, source: Path) -> None:
    first, listener = start(home, source, stop_at=("begin", "land"))
    assert listener.poll(60)
    assert finish(home, source) == 6
    holder = open_ledger(settings_of(home)).holder()
    assert holder is not None
    assert (holder.pid, holder.mode) == (first.pid, "train")
    first.kill()
    first.join()
    assert finish(home, source) == 0


def test_the_same_batch_is_run_once_and_a_corrected_one_again(
    home: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # These runs are so small that most tables were never there (tests/integration/test_lost_data).
    monkeypatch.setattr("python_ml.pipeline.run.lost_of_published", lambda settings: [])
    assert finish(home, tmp_path / "old") == 0
    assert len(open_ledger(settings_of(home)).runs()) == 1, "nothing was done"
    assert finish(home, tmp_path / "old", force=True) == 0
    assert finish(home, source) == 0
    assert len(open_ledger(settings_of(home)).runs()) == 3


def test_a_full_disk_loses_nothing(home: Path, source: Path) -> None:
    starve = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (100_000, 100_000))
    assert finish(home, source, prepare=starve) == 1
    assert churners(home) == 2
    assert finish(home, source) == 0
    assert churners(home) == 6


def _change_labels(labels: Path) -> None:
    """As soon as the batch has been identified, one of its files becomes another."""
    identify = identity.identify_batch

    def identify_and_change(*arguments: Any) -> BatchIdentity:
        found = identify(*arguments)
        labels.write_text(labels.read_text().replace(",1", ",0", 1))
        return found

    mock.patch.object(pipeline, "identify_batch", identify_and_change).start()


def test_a_file_that_changes_during_the_run_is_refused(home: Path, source: Path) -> None:
    change = partial(_change_labels, source / "churn_label.csv")
    assert finish(home, source, prepare=change) == 3
    assert churners(home) == 2
    assert finish(home, source) == 0
    assert churners(home) == 5
