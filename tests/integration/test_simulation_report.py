"""`spanishgas simulate --report` as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from python_ml.settings import PROJECT_DIR


@pytest.mark.parametrize("text_signal", ["as-published", "none"])
def test_report_of_the_command(tmp_path: Path, text_signal: str) -> None:
    command = [PROJECT_DIR / ".venv" / "bin" / "spanishgas", "simulate", "--home", tmp_path]
    options = ["--customers", "2000", "--seed", "6", "--text-signal", text_signal]
    done = subprocess.run(
        [*map(str, command), *options, "--report", "--json"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "SPANISHGAS_HOME": str(tmp_path)},
        cwd=PROJECT_DIR,
    )
    document = json.loads(done.stdout)
    assert document["customers"] == 2000
    assert [row for row in document["report"] if not row["is_within"]] == []
    judged = {row["aggregate"] for row in document["report"]}
    assert ("churn, sentiment negative" in judged) == (text_signal == "as-published")
    assert "customers, sentiment negative" in judged
