"""The command, as scripts call it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.forked import run_forked


def spanishgas(
    *arguments: str, home: Path, is_forked: bool = True, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run `spanishgas <arguments> --json` on a home; stdout is the document, stderr the log.

    Args:
        is_forked: from a process that has imported what commands need, not started anew.
        environ: variables beside those that are set.
    """
    arguments, variables = (*arguments, "--home", str(home), "--json"), {**os.environ, **environ}
    if is_forked:
        return run_forked(arguments, variables)
    command = [sys.executable, "-m", "python_ml.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=variables, check=False)
