"""The command in a process of its own, forked from one that has imported what commands need.

Importing takes most commands longer than their work. Everything else is as if it was typed: its
environment, its exit code, what it prints, nobody to ask.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.forked_preload"])


def run_forked(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    program: str = "spanishgas",
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `<program> <arguments>`, spanishgas or dbt, in an environment and a folder."""
    command = [program, *arguments]
    with tempfile.TemporaryDirectory() as place:
        out, err = Path(place) / "stdout", Path(place) / "stderr"
        process = CONTEXT.Process(
            target=_call, args=(command, dict(environ), folder or Path.cwd(), out, err)
        )
        process.start()
        process.join()
        assert process.exitcode is not None
        # As `text=True` reads what a process prints.
        printed = (path.read_text(encoding="utf-8") for path in (out, err))
        return subprocess.CompletedProcess(command, process.exitcode, *printed)


def _call(
    command: list[str], environ: dict[str, str], folder: Path, out: Path, err: Path
) -> NoReturn:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    print_to(out, err)
    end_with_command(*command)


def print_to(out: Path, err: Path) -> None:
    """Let this process print into files."""
    for descriptor, path in ((1, out), (2, err)):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, descriptor)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115


def end_with_command(program: str, *arguments: str) -> NoReturn:
    """Do what spanishgas or dbt does, and end this process as it would end."""
    from dbt.cli.main import cli

    from python_ml.cli.main import main

    programs: dict[str, Callable[[], object]] = {"spanishgas": main, "dbt": cli}
    sys.argv = [program, *arguments]
    code: int | str | None = 0
    try:
        programs[program]()
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()  # dbt closes its databases there
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0)
