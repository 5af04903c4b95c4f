"""An interrupt that a library swallows, or turns into an error of its own, is not lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from python_ml.cli import main as cli
from python_ml.duckdb_connection import open_duckdb
from python_ml.interrupts import raise_if_interrupted, remember_interrupts
from python_ml.pipeline.context import RunContext
from python_ml.pipeline.flow import Step, take, take_all
from python_ml.pipeline.workspace import Run
from python_ml.settings import load_settings

LONG = "select count(distinct hash(range) % 1000) from range(3000000000)"  # minutes


@dataclass(frozen=True)
class Done:
    row_count: None = None


class Finaliser:
    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def swallow(context: RunContext) -> Done:
    del context
    Finaliser()
    return Done()


def query(context: RunContext) -> Done:
    del context
    run_long()
    return Done()


def run_long() -> None:
    interrupt_soon()
    open_duckdb().execute(LONG)


def interrupt_soon() -> None:
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()


SWALLOW, QUERY = Step("swallow", f"{__name__}:swallow"), Step("query", f"{__name__}:query")


@pytest.fixture(autouse=True)
def remembered() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    remember_interrupts()
    yield
    signal.signal(signal.SIGINT, before)
    remember_interrupts()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(load_settings({"home": str(tmp_path)}, environ={}), mode="score")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_in_a_finaliser_ends_the_run_before_the_next_step(run: Run) -> None:
    with pytest.raises(KeyboardInterrupt):
        take_all(run, [SWALLOW, SWALLOW])
    assert [step.status for step in run.steps] == ["done"]


def test_a_query_that_is_interrupted_is_no_failure_of_its_step(run: Run) -> None:
    with pytest.raises(KeyboardInterrupt) as told:
        take(run, QUERY)
    assert "Query interrupted" in str(told.value.__cause__)


def test_a_query_that_is_interrupted_ends_at_once() -> None:
    for _ in range(3):  # how DuckDB's threads share the work differs from time to time
        began = time.monotonic()
        with pytest.raises(RuntimeError, match="Query interrupted"):
            run_long()
        assert time.monotonic() - began < 30  # of minutes


def test_a_command_that_is_interrupted_in_a_query_ends_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(**_: object) -> None:
        run_long()

    monkeypatch.setattr(cli.cli, "main", work)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert (ended.value.code, capsys.readouterr().err) == (130, "interrupted\n")


def test_who_ignores_interrupts_goes_on_ignoring_them() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    remember_interrupts()
    signal.raise_signal(signal.SIGINT)
    raise_if_interrupted()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
