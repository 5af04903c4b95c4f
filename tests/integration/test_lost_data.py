"""What somebody has removed by hand is missed, whatever the record of runs says of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.integration.command import spanishgas
from tests.integration.test_folders import QUICK

LOST = {
    "lake": "/lake/ml/",
    "lake/batches": "/lake/batches/",
    "lake/ml": "/lake/ml/",
    "lake/models": "/lake/models/",
    "warehouse.duckdb": "the published tables",
}
# What each removal leaves to do: exit code, and what the message names.
DONE = (0, "")
COMMANDS = {
    "lake": {
        "score": (2, "there is no champion; `spanishgas run` trains one"),
        "explain C00011": (2, "`spanishgas run` trains the first"),
        "dashboards preview": (2, "files that are not there"),
        "rebuild": (2, "there is no champion; `spanishgas run` trains one"),
        "evaluate": (2, "no model to evaluate yet"),
        "train": DONE,
        "drift": DONE,
    },
    "warehouse.duckdb": {
        "score": (2, "nothing has been published yet; `spanishgas run` does it"),
        "explain C00011": (2, "`spanishgas run` builds it"),
        "dashboards preview": (2, "`spanishgas run` builds it"),
        "train": (2, "nothing has been published yet; `spanishgas run` does it"),
        "drift": (2, "`spanishgas run` builds it"),
        "rebuild": DONE,
    },
    "lake/models": {
        "score": (2, "there is no champion; `spanishgas run` trains one"),
        "explain C00011": (2, "`spanishgas run` trains the first"),
        "dashboards preview": DONE,
        "rebuild": (2, "there is no champion; `spanishgas run` trains one"),
    },
    "lake/ml": {
        "score": (2, "feature snapshot"),
        "explain C00011": (2, "feature snapshot"),
        "dashboards preview": (2, "`spanishgas run` writes them anew"),
        "rebuild": (2, "feature snapshot"),
    },
    "lake/batches": {"score": DONE, "explain C00011": DONE, "dashboards preview": DONE},
    "reports": {"score": DONE, "explain C00011": DONE, "dashboards preview": DONE},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that has run."""
    home = tmp_path_factory.mktemp("lost") / "whole"
    for command in ("simulate --customers 300 --readings typical-days", "run"):
        done = spanishgas(*command.split(), home=home, **QUICK)
        assert done.returncode == 0, done.stderr
    return home


def without(whole: Path, what: str, home: Path) -> Path:
    """A copy of a home from which something has been removed."""
    shutil.copytree(whole, home, symlinks=True)
    if (place := home / what).is_dir():
        shutil.rmtree(place)
    else:
        place.unlink()
    return home


@pytest.mark.parametrize(("what", "named"), LOST.items())
def test_status_names_what_is_gone(whole: Path, tmp_path: Path, what: str, named: str) -> None:
    assert json.loads(spanishgas("status", home=whole, **QUICK).stdout)["lost"] == []
    home = without(whole, what, tmp_path / "home")
    found = json.loads(spanishgas("status", home=home, **QUICK).stdout)
    assert named in found["lost"][0]


@pytest.mark.parametrize("what", ["lake", "lake/models", "warehouse.duckdb"])
def test_a_batch_whose_tables_are_gone_is_run_again(whole: Path, tmp_path: Path, what: str) -> None:
    home = without(whole, what, tmp_path / "home")
    done = spanishgas("run", home=home, **QUICK)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["skipped"] is None
    (warning,) = document["warnings"]
    assert "has run this very batch, but" in warning and LOST[what] in warning
    assert json.loads(spanishgas("status", home=home, **QUICK).stdout)["lost"] == []
    assert json.loads(spanishgas("run", home=home, **QUICK).stdout)["skipped"], "all is there again"


@pytest.mark.parametrize("what", COMMANDS)
def test_other_commands_work_without_or_say_what_to_do(
    whole: Path, tmp_path: Path, what: str
) -> None:
    for number, (command, (code, named)) in enumerate(COMMANDS[what].items()):
        home = without(whole, what, tmp_path / str(number))
        done = spanishgas(*command.split(), home=home, **QUICK)
        assert done.returncode == code, f"{command}: {done.stderr}"
        assert "Traceback" not in done.stderr
        if code:
            (message,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
            assert named in message, command
        shutil.rmtree(home)
