"""A run that has ended, however it did, has left no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from python_ml.simulate.run import simulate
from tests.proof.old_homes import PROJECT, environment

# What the command does, and then the processes that it has started and not ended.
SCRIPT = """
import os, sys
from pathlib import Path
import signal
from python_ml.cli.main import main

# A shell without job control has what it puts in the background ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    main()
finally:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == os.getpid():
                words = (stat.parent / "cmdline").read_text().split("\\0")
                print("left:", *words, flush=True)
        except OSError:
            pass
    print("looked", flush=True)
"""


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processes") / "raw"
    simulate(folder, customers=120, seed=7, readings="typical-days")
    return folder


def start(home: Path, raw: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "run", "--home", str(home), "--raw", str(raw)],
        env=environment(PROJECT),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def left(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    out, err = process.communicate(timeout=600)
    lines = out.splitlines()
    assert lines[-1] == "looked", err
    return process.returncode, [line for line in lines if line.startswith("left:")]


def test_a_run_that_succeeds_leaves_none(tmp_path: Path, raw: Path) -> None:
    assert left(start(tmp_path, raw)) == (0, [])


def test_a_run_that_is_refused_leaves_none(tmp_path: Path, raw: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    for path in raw.iterdir():
        if path.name != "customer_contracts.csv":
            (bad / path.name).symlink_to(path)
    assert left(start(tmp_path / "home", bad)) == (3, [])


@pytest.mark.parametrize("to_all", [True, False], ids=["ctrl-c", "interrupted alone"])
def test_a_run_that_is_interrupted_leaves_none(tmp_path: Path, raw: Path, to_all: bool) -> None:
    """A terminal interrupts the whole group; a supervisor only the process that it started."""
    process = start(tmp_path, raw)
    assert process.stderr is not None
    for line in process.stderr:  # it lands, and builds next
        if "land" in line:
            break
    (os.killpg if to_all else os.kill)(process.pid, signal.SIGINT)
    code, processes = left(process)
    assert processes == []
    assert code == 130
