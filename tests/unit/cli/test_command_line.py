"""What the command line forgives, and what it shows on narrow terminals."""

from __future__ import annotations

import io
import json
import webbrowser
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from python_ml import console, progress
from python_ml.cli.main import cli
from python_ml.engines.ledger import RunRecord
from python_ml.errors import SpanishGasError
from python_ml.judge.customer import spellings
from python_ml.pipeline import campaigns, commands, land_batch, preview, status

RUN_ID = "20261128T224756-ae88bd"


@pytest.mark.parametrize("typed", ["C01234", "c01234", "1234", " 01234 ", "C1234"])
def test_the_spelling_of_an_id_is_forgiven(typed: str) -> None:
    assert "C01234" in spellings(typed)


@pytest.mark.parametrize("typed", ["", "x; drop table", "C01234' or 1=1", "C" * 40])
def test_what_is_no_id_is_never_asked_for(typed: str) -> None:
    assert [it for it in spellings(typed) if not it.removeprefix("C").isdigit()] == []


@pytest.mark.parametrize("width", [80, 100, 200])
def test_run_ids_are_whole_at_every_width(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    out = io.StringIO()
    plain = console.PlainConsole(file=out, force_terminal=True, color_system=None, width=width)
    monkeypatch.setattr(status, "open_console", lambda *_: plain)
    run = RunRecord(RUN_ID, "train", "duckdb", "succeeded", started_by="arn:aws:somebody")
    run.as_of_date, run.seconds, run.peak_memory_mb = "2024-12-31", 77.5, 581.0
    status.show_status(status.Status(None, RUN_ID, "churn-1", None, [run]))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert [line for line in lines if f"{RUN_ID} ●" in line]
    assert any("Peak memory" in line for line in lines) == (width > 80)


def test_the_home_may_stand_before_the_command(tmp_path: Path) -> None:
    (tmp_path / "reports" / "dashboards").mkdir(parents=True)
    (tmp_path / "reports" / "dashboards" / "overview.html").write_text("x")
    for words in (["--home", str(tmp_path), "open"], ["open", "--home", str(tmp_path)]):
        done = CliRunner().invoke(cli, [*words, "recommendations"])
        assert "the pages are overview" in str(done.exception)


def test_open_opens_a_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened: list[str] = []

    def browse(address: str) -> bool:
        opened.append(address)
        return True

    monkeypatch.setattr(webbrowser, "open", browse)
    folder = tmp_path / "reports" / "dashboards"
    empty = CliRunner().invoke(cli, ["open", "--home", str(tmp_path)])
    assert "there are no pages" in str(empty.exception)
    folder.mkdir(parents=True)
    (folder / "index.html").write_text("x")
    done = CliRunner().invoke(cli, ["open", "--home", str(tmp_path), "--json"])
    assert json.loads(done.stdout) == {
        "address": (folder / "index.html").as_uri(),
        "is_opened": True,
    }
    assert opened == [(folder / "index.html").as_uri()]


def test_quiet_prints_no_progress_and_verbose_every_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = io.StringIO()
    monkeypatch.setattr(progress, "console", console.PlainConsole(file=out, width=100))
    for level, expected in (({}, 0), ({"is_verbose": True}, 2), ({"is_quiet": True}, 0)):
        out.seek(0)
        out.truncate()
        progress.set_level(**{"is_quiet": False, "is_verbose": False, **level})
        with progress.reporting("land") as say:
            say("one", 0.1)
            say("two", None)
        assert len(out.getvalue().splitlines()) == expected, level
    progress.set_level(is_quiet=False, is_verbose=False)


@pytest.mark.parametrize("group", [[], ["campaign"], ["dashboards"]])
def test_the_list_of_commands_is_not_cut_at_80_columns(group: list[str]) -> None:
    text = CliRunner(env={"COLUMNS": "80"}).invoke(cli, [*group, "--help"]).output
    assert "..." not in text.split("Commands:")[1]


RUNS = [  # a command that is a run, and the function that does it
    ("land", land_batch, "land_batch"),
    ("train", commands, "train_candidate"),
    ("evaluate", commands, "evaluate_candidate"),
    ("score", commands, "rescore"),
    ("promote --rollback", commands, "promote"),
    ("ladder", commands, "climb"),
    ("backtest", commands, "backtest"),
    ("campaign start spring", campaigns, "start_campaign"),
    ("campaign record crm.csv", campaigns, "record_contacts"),
    ("campaign effect", campaigns, "measure_campaigns"),
    ("campaign stop spring", campaigns, "stop_campaign"),
]


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize(("command", "module", "step"), RUNS, ids=[it for it, _, _ in RUNS])
def test_the_pages_are_written_again_after_what_they_show_has_changed(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: str,
    module: ModuleType,
    step: str,
    fails: bool,
) -> None:
    happened: list[str] = []

    def run(*_: object, **__: object) -> None:
        happened.append(step)
        if fails:
            raise SpanishGasError("it did not work")

    monkeypatch.setattr(module, step, run)
    monkeypatch.setattr(preview, "refresh_preview", lambda _: happened.append("pages"))
    (tmp_path / "crm.csv").touch()
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(cli, [*command.split(), "--home", str(tmp_path)])
    assert happened == [step, "pages"]
