"""A home of an earlier version, moved to another place since: mended by the command that is named.

tests/homes holds what commit 3861823 made of 200 simulated customers, without its raw files and
pages. Older ones are made and tried by `python -m tests.proof.old_homes`.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from python_ml.simulate.run import simulate
from tests.proof.sequences import DONE, USAGE, query, require_whole, run_command

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


def test_what_cannot_go_on_names_the_command_that_mends_it_and_begins_nothing(home: Path) -> None:
    (version,) = [path.parent.name for path in (home / "lake" / "models").glob("*/model.json")]
    before = (query(home, "from mart_overview"), run_command(home, "status --json").stdout)
    lines = ("score", "train", "evaluate", f"promote {version}", "ladder", "dashboards preview")
    for line in lines:
        outcome = run_command(home, line)
        assert outcome.code == USAGE, (line, outcome.stderr)
        assert "spanishgas run" in outcome.stderr, line
        assert "Traceback" not in outcome.stderr
    assert (query(home, "from mart_overview"), run_command(home, "status --json").stdout) == before
    outcome = run_command(home, "doctor")
    assert outcome.code == 1 and "spanishgas run" in outcome.stderr + outcome.stdout


def test_a_run_mends_it(home: Path) -> None:
    simulate(home / "raw", customers=200, seed=7, readings="typical-days")
    for line in ("run", "dashboards preview", "evaluate", "score", "doctor"):
        outcome = run_command(home, line)
        assert outcome.code == DONE, (line, outcome.stderr, outcome.stdout)
    require_whole(home, pointer_may_lag=False)
    assert query(home, "select count(*) from mart_customer_risk") == [(200,)]
