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
from functools import partial

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
from python_ml.pipeline.plan import STEPS
from python_ml.pipeline.results import MartsResult
from python_ml.pipeline.steps import land as land_step
from python_ml.pipeline.workspace import Run
from python_ml.registry import promotion
from python_ml.settings import load_settings
from tests.integration.raw_batch import RawBatch

CONTEXT = multiprocessing.get_context("fork")
# What a run imports as it goes, and hashes that do not change: each fork finds them there.
PRELOADED = (land, promotion, record, resume, retention)
identity.code_hash(), identity.git_sha(), identity.lock_hash()


def settings_of(home):
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


def start(home, source, *, stop_at=None, prepare=None, **options):
    """A run in a process of its own. At ("begin" or "end", step) it waits to be killed."""
    listener, speaker = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(
        target=_run, args=(home, source, stop_at, prepare, options, speaker), daemon=True
    )
    process.start()
    speaker.close()
    return process, listener


def _run(home, source, stop_at, prepare, options, speaker):
    step = Run.step

    def pause(at):
        if at == stop_at:
            speaker.send(at)
            time.sleep(600)

    @contextlib.contextmanager
    def pausing(run, name):
        with step(run, name) as entered:
            pause(("begin", name))
            yield entered
            pause(("inside", name))
        pause(("end", name))

    Run.step = pausing
    plan = [
        STEPS["land"],
        Step("build", f"{__name__}:build"),
        Step("publish", f"{__name__}:publish"),
    ]
    pipeline.plan_of = lambda mode: plan
    land_step.hold_layer = lambda context, landed, layer: None
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


def finish(home, source, **options):
    process, _ = start(home, source, **options)
    process.join(60)
    return process.exitcode


def churners(home):
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute("select sum(churn) from scores").fetchone()[0]


@pytest.fixture
def source(tmp_path):
    batch = RawBatch()
    batch["churn_label"] = batch["churn_label"].assign(churn=1)
    return batch.write(tmp_path / "new")


@pytest.fixture(scope="module")
def first_home(tmp_path_factory):
    """A home that has published, made once."""
    folder = tmp_path_factory.mktemp("first")
    assert finish(folder / "home", RawBatch().write(folder / "old")) == 0
    assert churners(folder / "home") == 2
    return folder


@pytest.fixture
def home(first_home, tmp_path):
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
def test_a_killed_run_leaves_the_last_good_state_and_nothing_in_the_way(home, source, where, step):
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


def test_of_two_runs_at_once_one_proceeds_and_the_other_is_told(home, source):
    first, listener = start(home, source, stop_at=("begin", "land"))
    assert listener.poll(60)
    assert finish(home, source) == 6
    holder = open_ledger(settings_of(home)).holder()
    assert (holder.pid, holder.mode) == (first.pid, "train")
    first.kill()
    first.join()
    assert finish(home, source) == 0


def test_the_same_batch_is_run_once_and_a_corrected_one_again(home, source, tmp_path):
    assert finish(home, tmp_path / "old") == 0
    assert len(open_ledger(settings_of(home)).runs()) == 1, "nothing was done"
    assert finish(home, tmp_path / "old", force=True) == 0
    assert finish(home, source) == 0
    assert len(open_ledger(settings_of(home)).runs()) == 3


def test_a_full_disk_loses_nothing(home, source):
    starve = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (100_000, 100_000))
    assert finish(home, source, prepare=starve) == 1
    assert churners(home) == 2
    assert finish(home, source) == 0
    assert churners(home) == 6


def _change_labels(labels):
    """As soon as the batch has been identified, one of its files becomes another."""
    identify = pipeline.identify_batch

    def identify_and_change(*arguments):
        found = identify(*arguments)
        labels.write_text(labels.read_text().replace(",1", ",0", 1))
        return found

    pipeline.identify_batch = identify_and_change


def test_a_file_that_changes_during_the_run_is_refused(home, source):
    change = partial(_change_labels, source / "churn_label.csv")
    assert finish(home, source, prepare=change) == 3
    assert churners(home) == 2
    assert finish(home, source) == 0
    assert churners(home) == 5
