"""A person goes from everything that a run leaves; what a run writes is the owner's alone."""

from __future__ import annotations

import base64
import gzip
import json
import re
import sqlite3
from pathlib import Path

import duckdb
import pytest

from python_ml.pipeline.forget_result import ForgetResult
from python_ml.pipeline.renew import renew_totals
from python_ml.pipeline.workspace import Run
from python_ml.settings import load_settings
from tests.integration.command import spanishgas
from tests.open_gate import OPEN_GATE, as_variables

LENIENT_GATE = as_variables(OPEN_GATE)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("forget") / "home"
    for arguments in (["simulate", "--customers", "300", "--readings", "typical-days"], ["run"]):
        done = spanishgas(*arguments, home=home, **LENIENT_GATE)
        assert done.returncode == 0, done.stderr
    return home


def modes(home: Path) -> dict[str, set[int]]:
    paths = [path for path in (home, *home.rglob("*")) if not path.is_symlink()]
    return {
        kind: {
            path.stat().st_mode & 0o777 for path in paths if path.is_dir() == (kind == "folders")
        }
        for kind in ("folders", "files")
    }


def test_what_a_run_writes_is_readable_by_its_owner_alone(home: Path) -> None:
    assert modes(home) == {"folders": {0o700}, "files": {0o600}}


def test_readable_by_group_and_files_of_an_earlier_version(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "home"
    settings = {"SPANISHGAS_READABLE_BY": "group"}
    options = ("--customers", "20", "--readings", "typical-days")
    assert spanishgas("simulate", *options, home=other, **settings).returncode == 0
    assert spanishgas("land", str(other / "raw"), home=other, **settings).returncode == 0
    assert modes(other) == {"folders": {0o750}, "files": {0o640}}
    assert spanishgas("land", str(other / "raw"), home=other).returncode == 0
    assert (other / "lake").stat().st_mode & 0o777 == 0o700, "what was open is closed"
    assert (other / "runs.sqlite").stat().st_mode & 0o777 == 0o600
    wrong = spanishgas("status", home=other, SPANISHGAS_READABLE_BY="nobody")
    assert wrong.returncode == 2 and "owner, group, everyone" in wrong.stderr


def shown_in(pages: Path) -> str:
    """All that the pages and their databases hold, read by other means than the product's."""
    found = []
    for path in sorted(pages.rglob("*")):
        if path.suffix in (".html", ".js", ".json", ".md") and "vendor" not in path.parts:
            text = path.read_text(encoding="utf-8")
            found.append(text)
            for packed in re.findall(r'window.previewData = "([^"]+)"', text):
                with sqlite3.connect(":memory:") as connection:
                    connection.deserialize(gzip.decompress(base64.b64decode(packed)))
                    found += connection.iterdump()
    return "\n".join(found)


def totals(home: Path) -> tuple[int, list[tuple[str]]]:
    """Customers that the overview counts, and the runs whose scores the marts show."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        ((count, loss, listed_loss),) = connection.execute(
            "select customer_count, expected_monthly_loss_eur, "
            "(select round(sum(expected_monthly_loss_eur order by customer_id), 2) "
            "from mart_customer_risk) from mart_overview"
        ).fetchall()
        runs = connection.execute("select distinct run_id from mart_customer_risk").fetchall()
    assert loss == listed_loss
    return count, runs


def test_pages_hold_nothing_of_a_person_who_was_forgotten(home: Path) -> None:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        gone, text = connection.execute(
            "select customer_id, min(interaction_summary) from mart_customer_interaction "
            "where customer_id in (select customer_id from mart_customer_profile) "
            "group by customer_id order by length(min(interaction_summary)) desc, 1 limit 1"
        ).fetchone() or ("", "")
    pages = home / "reports" / "dashboards"
    _, shown_runs = totals(home)
    before = shown_in(pages)
    assert gone in before and text in before
    kept = home / "reports" / "kept"  # a copy that a person made, which no run writes anew
    kept.mkdir()
    for path in (pages / "assets").glob("data_*.js"):
        (kept / path.name).write_bytes(path.read_bytes())
    (kept / "page.html").write_bytes((pages / "data_explorer.html").read_bytes())

    done = spanishgas("forget", gone, "--yes", home=home)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pages_written"]
    after = shown_in(home / "reports")
    assert gone not in after and text not in after and text[:60] not in after
    assert "(forgotten)" not in after, "the rows are gone, not only the id"
    assert len(re.findall(r"C\d{5}", shown_in(pages))) > 1000, "everybody else is there"
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) from mart_customer_risk").fetchone() == (299,)
    assert json.loads(done.stdout)["totals_renewed"]
    assert totals(home) == (299, shown_runs), "of the same scores, without the person"

    again = spanishgas("forget", gone, "--yes", home=home)
    assert again.returncode == 0 and json.loads(again.stdout)["places"] == []


def test_marts_that_cannot_be_built_are_a_warning_and_what_is_published_stays(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = totals(home)

    def fail(run: Run, select: str) -> None:
        raise RuntimeError(f"{select} cannot be built")

    monkeypatch.setattr("python_ml.pipeline.renew.marts_step", fail)
    settings = load_settings({"home": str(home)}, environ={})
    assert not renew_totals(settings, ForgetResult()).totals_renewed
    assert "marts cannot be built" in caplog.text and "spanishgas run" in caplog.text
    assert totals(home) == before


def test_a_run_after_it_goes_well(home: Path) -> None:
    done = spanishgas("run", "--mode", "score", home=home)
    assert done.returncode == 0, done.stderr
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) from mart_customer_risk").fetchone() == (299,)
