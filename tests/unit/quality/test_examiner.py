"""Great Expectations beside the run: verdicts, Data Docs, and a process that leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from python_ml.errors import SpanishGasError
from python_ml.quality import QualityProcess
from python_ml.quality.checks import Check, checks_frame

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def examiner() -> Iterator[QualityProcess]:
    with closing(QualityProcess()) as examiner:
        yield examiner


def layer(name: str, *shares: float) -> pd.DataFrame:
    """Checks of null shares against 5 %."""
    return checks_frame(
        [
            Check(name, "table", f"column_{number}", "null_share", "stop", share, 0.05, 0, 100)
            for number, share in enumerate(shares)
        ]
    )


def test_a_value_at_its_limit_passes_and_one_beyond_fails(examiner: QualityProcess) -> None:
    decided = examiner.decide(layer("bronze", 0.0, 0.05, 0.0501))
    assert decided["is_passed"].tolist() == [True, True, False]


def test_a_layer_can_be_decided_again(examiner: QualityProcess) -> None:
    for shares, passed in (((0.2,), [False]), ((0.0, 0.0), [True, True])):
        assert examiner.decide(layer("silver", *shares))["is_passed"].tolist() == passed


def test_data_docs_show_layers_that_another_process_has_decided(
    examiner: QualityProcess, tmp_path: Path
) -> None:
    decided = pd.concat(
        [layer("raw", 0.0).assign(is_passed=True), examiner.decide(layer("gold", 0.9))]
    )
    examiner.write_docs(decided, tmp_path / "docs")
    examiner.settle()
    pages = {page.stem for page in (tmp_path / "docs").rglob("*.html")}
    assert {"index", "warehouse-raw", "warehouse-gold"} <= pages
    index = (tmp_path / "docs" / "index.html").read_text(encoding="utf-8")
    assert "raw</a>: 1 of 1 checks passed" in index
    assert "gold</a>: 0 of 1 checks passed" in index


def test_what_the_library_cannot_decide_is_an_error_and_the_next_is_decided(
    examiner: QualityProcess,
) -> None:
    unknown = layer("bronze", 0.0).assign(check_name="colour")
    with pytest.raises(SpanishGasError, match="check colour has no direction"):
        examiner.decide(unknown)
    assert examiner.decide(layer("raw", 0.0))["is_passed"].all()


def test_a_process_that_has_ended_is_an_error() -> None:
    examiner = QualityProcess()
    examiner._process.kill()
    examiner._process.wait()
    with pytest.raises(SpanishGasError, match="--resume"):
        examiner.decide(layer("raw", 0.0))
    examiner.close()


def test_a_killed_run_takes_its_process_along() -> None:
    """Also while the library is still being imported, which is most of a small run."""
    script = (
        "from python_ml.quality import QualityProcess; import time\n"
        "print(QualityProcess()._process.pid, flush=True); time.sleep(600)"
    )
    run = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    beside = int(run.stdout.readline())
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    deadline = time.monotonic() + 120
    while Path(f"/proc/{beside}/stat").exists() and time.monotonic() < deadline:
        if Path(f"/proc/{beside}/stat").read_text(encoding="ascii").split()[2] == "Z":
            break  # ended; whoever inherited it has not looked yet
        time.sleep(0.2)
    else:
        assert not Path(f"/proc/{beside}").exists()
