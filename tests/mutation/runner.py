"""Runs tests on a copy of the project that has a fault in it.

A process that has imported the heavy libraries, and nothing of the project, is forked for each
mutant: starting pandas, DuckDB and XGBoost anew would take longer than most tests.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

HEAVY = (
    *("boto3", "click", "duckdb", "httpx", "hypothesis", "moto", "numpy", "pandas", "pyarrow"),
    *("pyarrow.parquet", "pytest", "rich", "scipy.stats", "sklearn.linear_model"),
    *("sklearn.ensemble", "sqlglot", "xgboost", "yaml", "matplotlib.pyplot"),
)
KILLED, SURVIVED, TIMED_OUT = "killed", "survived", "timed out"


@dataclass(frozen=True)
class Outcome:
    """What the tests said, and how long they took."""

    result: str
    seconds: float
    log: str


def preload(*names: str) -> None:
    """Import what every test needs, or some libraries; to be called before the first fork."""
    for name in names or HEAVY:
        import_module(name)


def copy_project(root: Path, folder: Path) -> Path:
    """Copy what git tracks, with the environment linked into it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (root / name).is_file():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, place, follow_symlinks=True)
            shutil.copymode(root / name, place)
    (folder / ".venv").symlink_to(root / ".venv")
    git = ["git", "-c", "user.name=tests", "-c", "user.email=tests@localhost"]
    for arguments in (["init", "-q"], ["add", "--all"], ["commit", "-q", "-m", "as it is"]):
        subprocess.run([*git, *arguments], cwd=folder, check=True)
    return folder


def run_tests(folder: Path, tests: Sequence[str], timeout_seconds: float) -> Outcome:
    """Run tests in a copy of the project, but for slow ones, until the first that fails.

    Args:
        folder: of the copy.
        tests: files below it.
        timeout_seconds: after which the tests count as hanging, which is a kill.
    """

    def pytest() -> int:
        import pytest

        options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
        return int(pytest.main([*options, *tests]))

    return run_child(folder, pytest, timeout_seconds)


def run_child(folder: Path, action: Callable[[], int], timeout_seconds: float) -> Outcome:
    """Run something in a fork, inside a copy of the project; 0 means that nothing was noticed."""
    began = time.monotonic()
    log = folder.parent / f"{folder.name}.log"
    child = os.fork()
    if child == 0:
        _run(folder, action, log)
    result = _wait(child, began + timeout_seconds)
    return Outcome(result, time.monotonic() - began, log.read_text(errors="replace"))


def _wait(child: int, until: float) -> str:
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            _end_group(child)
            return SURVIVED if code == 0 else KILLED
        time.sleep(0.05)
    _end_group(child)
    os.waitpid(child, 0)
    return TIMED_OUT


def _end_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _run(folder: Path, action: Callable[[], int], log: Path) -> None:
    """The child: never returns."""
    code = 1
    try:
        os.setsid()
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        os.chdir(folder)
        # Forget the project that this program itself belongs to, however it came in.
        for name in [n for n in sys.modules if n.split(".")[0] in ("tests", "python_ml")]:
            del sys.modules[name]
        project = str(Path(__file__).resolve().parents[2])
        sys.path[:] = [str(folder), *(p for p in sys.path if p not in ("", project))]
        os.environ["PYTHONPATH"] = str(folder)
        code = action()
    finally:
        sys.stdout.flush()
        os._exit(code)
