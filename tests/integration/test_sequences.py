"""Commands one after the other on one home, in any order, and on homes that were moved.

Two hundred random sequences are `python -m tests.proof.sequences`; here are a few, and those that
went wrong once.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from python_ml.registry import PENDING, open_registry
from python_ml.settings import load_settings
from tests.proof.sequences import (
    DONE,
    USAGE,
    query,
    require_whole,
    run_command,
    run_sequences,
    template,
)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("homes"))


@pytest.fixture
def home(homes: Path, tmp_path: Path) -> Path:
    """One that has published twice."""
    return Path(shutil.copytree(homes / "published", tmp_path / "home", symlinks=True))


def done(home: Path, *lines: str) -> str:
    """Run commands that have to end well; what the last one printed."""
    for line in lines:
        outcome = run_command(home, line)
        assert outcome.code == DONE, (line, outcome.stderr)
    return outcome.stdout


def test_random_sequences_end_well(homes: Path) -> None:
    tally = run_sequences(homes, sequences=3, commands=5)
    assert tally["sequences"] >= 3 and tally["commands"] >= 15


def test_an_evaluated_champion_scores_and_can_be_rolled_back_to(home: Path) -> None:
    versions = sorted(path.parent.name for path in (home / "lake/models").glob("*/model.json"))
    done(home, f"evaluate {versions[0]}", f"evaluate {versions[1]}", "score", "promote --rollback")
    require_whole(home, pointer_may_lag=False)
    assert query(home, "select model_version from mart_overview") == [(versions[0],)]


def test_force_does_not_stand_for_the_acceptance_of_an_alarm(homes: Path, tmp_path: Path) -> None:
    """It ended in a broken data test of the audit's mart, with the decision on record."""
    home = Path(shutil.copytree(homes / "raw-only", tmp_path / "home", symlinks=True))
    done(home, "run --mode train")
    champion = open_registry(load_settings({"home": str(home)})).champion()
    strict: dict[str, Any] = {"audit.accepted": []}
    trained = run_command(home, "train --json", strict | {"audit.maximum_feature_auc": 0.5})
    assert trained.code == DONE, trained.stderr
    version = json.loads(trained.stdout)["model_version"]
    refused = run_command(home, f"promote {version} --force --reason tried", strict)
    assert refused.code == USAGE and "not even with --force" in refused.stderr
    registry = open_registry(load_settings({"home": str(home)}))
    assert (registry.champion(), registry.status(version)) == (champion, PENDING)


def test_a_resumed_run_is_the_one_that_failed(home: Path) -> None:
    assert run_command(home, "run --mode score --raw elsewhere --resume").code == USAGE


def test_a_home_that_was_moved_works(home: Path, tmp_path: Path) -> None:
    moved = home.rename(tmp_path / "it's [another] place")
    done(moved, "drift", "dashboards preview", "explain C00011")
    checks = json.loads(done(moved, "doctor --json"))["checks"]
    assert [check["status"] for check in checks if check["name"] == "place"] == ["ok"]
    pages = moved / "reports" / "dashboards"
    assert (pages / "index.html").exists()
    done(moved, "evaluate", "score", "run --force")
    require_whole(moved, pointer_may_lag=False)
    assert not home.exists(), "nothing is written where the home was"
