"""A copy of the project, as a clone has it, and dbt typed in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.forked import run_forked

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def copy_project(folder: Path) -> Path:
    """Every file that git knows, or would; nothing that was built."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (source := ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    return folder


def plain_environment(**variables: str) -> dict[str, str]:
    """Of a person who has set nothing of ours."""
    ours = ("SPANISHGAS", "DBT", "AWS")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)} | variables


def dbt(project: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Type a dbt command at the top of a project."""
    environment = plain_environment(**variables)
    return run_forked(["--no-use-colors", *arguments], environment, "dbt", project)


def ran(target: Path) -> dict[str, str]:
    """Status of each node of the last command, by its name, from dbt's own document."""
    document: dict[str, Any] = json.loads((target / "run_results.json").read_text(encoding="utf-8"))
    return {
        each["unique_id"].split(".")[2]: each["status"]
        for each in document["results"]
        if not each["unique_id"].startswith("operation.")
    }
