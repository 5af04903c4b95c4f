"""The command, as scripts call it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.forked import run_forked


def spanishgas(*arguments: str, home: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `spanishgas <arguments> --json` on a home; stdout is the document, stderr the log.

    It is forked from a process that has imported what commands need.

    Args:
        environ: variables beside those that are set.
    """
    arguments = (*arguments, "--home", str(home), "--json")
    return run_forked(arguments, {**os.environ, **environ})


def spanishgas_anew(
    *arguments: str, home: Path, **environ: str
) -> subprocess.CompletedProcess[str]:
    """The same in an interpreter that is started for it, as a script does."""
    command = [sys.executable, "-m", "python_ml.cli", *arguments, "--home", str(home), "--json"]
    variables = {**os.environ, **environ}
    return subprocess.run(command, capture_output=True, text=True, env=variables, check=False)
