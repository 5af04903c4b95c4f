"""Kills, and two simulations of one folder at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from python_ml.errors import UsageError
from python_ml.simulate import place
from python_ml.simulate.run import append_month, simulate
from tests.unit.simulate.test_simulate import digests


def test_leftovers_of_the_killed_go_and_work_of_the_living_stays(tmp_path: Path) -> None:
    living = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    killed = subprocess.Popen([sys.executable, "-c", "pass"])
    killed.wait()
    try:
        for process in (living, killed):
            (tmp_path / f".raw-simulated-by-{process.pid}-ab12").mkdir()
        simulate(tmp_path / "raw", customers=2, seed=1, readings="typical-days")
        left = {path.name for path in tmp_path.iterdir()}
        assert left == {"raw", f".raw-simulated-by-{living.pid}-ab12"}
    finally:
        living.communicate(b"\n")


def test_a_kill_between_the_renames_loses_nothing(tmp_path: Path) -> None:
    out = tmp_path / "raw"
    simulate(out, customers=4, seed=1, readings="typical-days")
    before = digests(out)
    killed = subprocess.Popen([sys.executable, "-c", "pass"])
    killed.wait()
    out.rename(tmp_path / f".raw-replaced-by-{killed.pid}-ab12")
    with pytest.raises(UsageError, match="would leave a gap"):
        append_month(out, "2025-09")
    assert digests(out) == before


@pytest.mark.slow
def test_two_simulations_at_once_leave_one_whole_batch(tmp_path: Path) -> None:
    out = tmp_path / "raw"
    code = (
        "import pathlib, sys; from python_ml.simulate.run import simulate; "
        "simulate(pathlib.Path(sys.argv[1]), customers=60, seed=int(sys.argv[2]), "
        "readings='typical-days', threads=1)"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(out), str(seed)]) for seed in (1, 2)
    ]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    found = digests(out)
    alone = []
    for seed in (1, 2):
        simulate(tmp_path / f"alone-{seed}", customers=60, seed=seed, readings="typical-days")
        alone.append(digests(tmp_path / f"alone-{seed}"))
    assert found in alone
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "alone-1", "alone-2"}


def test_of_two_appends_at_once_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one ends while this one is at work."""
    out = tmp_path / "raw"
    simulate(out, customers=20, seed=1, readings="typical-days")
    swap = place.put_in_place

    def late(*args: Any, **kwargs: Any) -> None:
        monkeypatch.setattr("python_ml.simulate.run.put_in_place", swap)
        append_month(out, "2025-01", shift="price-shock")
        swap(*args, **kwargs)

    monkeypatch.setattr("python_ml.simulate.run.put_in_place", late)
    with pytest.raises(UsageError, match="changed by another simulation"):
        append_month(out, "2025-01")
    marker = place.read_marker(out)
    assert marker is not None and marker["world"]["shifts"] == {"1": "price-shock"}
