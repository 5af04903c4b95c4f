"""A home of an earlier version, moved to another place since: mended by the command that is named.

tests/homes holds what commit 3861823 made of 200 simulated customers, without its raw files and
pages. Older ones are made and tried by `python -m tests.proof.old_homes`.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from python_ml.simulate import simulate
from tests.proof.sequences import DONE, query, require_whole, run_command

OLD = Path(__file__).resolve().parents[1] / "homes" / "2026-11-28.tar.xz"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with tarfile.open(OLD) as archive:
        archive.extractall(tmp_path / "home", filter="data")
    return tmp_path / "home"


def test_what_has_been_published_is_shown(home: Path) -> None:
    for line in ("status", "drift", "explain C00011"):
        outcome = run_command(home, line)
        assert outcome.code == DONE, (line, outcome.stderr)


def test_what_cannot_go_on_names_the_command_that_mends_it(home: Path) -> None:
    for line in ("dashboards preview", "score", "doctor"):
        outcome = run_command(home, line)
        assert outcome.code == 1, (line, outcome.stderr)
        assert "spanishgas run" in outcome.stderr + outcome.stdout, line
        assert "Traceback" not in outcome.stderr


def test_a_run_mends_it(home: Path) -> None:
    simulate(home / "raw", customers=200, seed=7, readings="typical-days")
    for line in ("run", "dashboards preview", "evaluate", "score", "doctor"):
        outcome = run_command(home, line)
        assert outcome.code == DONE, (line, outcome.stderr, outcome.stdout)
    require_whole(home, pointer_may_lag=False)
    assert query(home, "select count(*) from mart_customer_risk") == [(200,)]
