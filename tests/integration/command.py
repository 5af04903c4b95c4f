"""The command, as scripts call it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def spanishgas(*arguments: str, home: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `spanishgas <arguments> --json` on a home; stdout is the document, stderr the log."""
    command = [sys.executable, "-m", "python_ml.cli", *arguments, "--home", str(home), "--json"]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environ}, check=False
    )
