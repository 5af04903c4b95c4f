from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from python_ml.cli import main as cli
from python_ml.cli.options import shown
from python_ml.errors import (
    BadInputError,
    LeaseHeldError,
    ModelGateError,
    QualityGateError,
    SpanishGasError,
    UsageError,
)
from python_ml.pipeline.closing import Closing
from python_ml.pipeline.flow import Results
from python_ml.pipeline.workspace import Run
from python_ml.settings import load_settings


def commands(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below a group, as its words."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.mark.parametrize(
    ("words", "command"), [pytest.param(*it, id=" ".join(it[0])) for it in commands(cli.cli)]
)
def test_every_command_explains_itself_and_takes_json_and_home(words: Any, command: Any) -> None:
    result = CliRunner().invoke(cli.cli, [*words, "--help"])
    assert result.exit_code == 0
    assert "--json" in result.output and "--home" in result.output
    assert command.help


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SpanishGasError, 1),
        (UsageError, 2),
        (BadInputError, 3),
        (ModelGateError, 4),
        (QualityGateError, 5),
        (LeaseHeldError, 6),
    ],
)
def test_each_foreseen_error_is_one_message_and_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Any, code: int
) -> None:
    def fail(**_: Any) -> None:
        raise error("what went wrong, and the remedy")

    monkeypatch.setattr(cli.cli, "main", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
    output = capsys.readouterr()
    assert output.err == "error: what went wrong, and the remedy\n"
    assert output.out == ""


@pytest.mark.parametrize(
    "arguments", [["run", "--mode", "guess"], ["no-such-command"], ["simulate", "--customers", "0"]]
)
def test_usage_errors_have_their_own_code(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["spanishgas", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2


@pytest.mark.parametrize(
    "line",
    [
        "simulate --append 2025-01 --customers 60",
        "simulate --append 2025-01 --reuse",
        "simulate --shift none",
        "simulate --customers 60 --target athena",
        "land --target athena",
        "run --resume",
        "promote",
        "promote some-version --rollback",
        "dashboards check --offline --url http://localhost:1",
        "cost",
        "cost --target athena --dashboards --hours 24",
        "forget C00001 --target athena",
        "forget C00001 --dry-run --yes",
    ],
)
def test_what_would_be_ignored_is_refused_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str
) -> None:
    home = tmp_path / "home"
    monkeypatch.setattr("sys.argv", ["spanishgas", *line.split(), "--home", str(home)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert not list(home.glob("*/*")), "neither raw files, nor reports, nor a lake"


@pytest.mark.thorough
def test_json_is_the_only_thing_on_stdout(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        cli.cli, ["simulate", "--home", str(tmp_path), "--customers", "60", "--json"]
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["customers"] == 60


def call(monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> int | str | int | None:
    """The exit code of the command in this process."""
    monkeypatch.setattr("sys.argv", ["spanishgas", *arguments])
    try:
        cli.main()
    except SystemExit as ended:
        return ended.code
    return 0


LONG = "x" * 600


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (2, ["status"]),
        (2, ["train"]),
        (2, ["train", "--recalibrate", "no-such-version"]),
        (2, ["evaluate", "no-such-version"]),
        (2, ["score", "--version", "no-such-version"]),
        (2, ["promote", "no-such-version"]),
        (2, ["promote", "--rollback"]),
        (2, ["ladder"]),
        (2, ["drift"]),
        (2, ["explain", "C00001"]),
        (2, ["rebuild"]),
        (2, ["dashboards", "preview"]),
        (2, ["run", "--resume"]),
        (2, ["run", "--mode", "score", "--raw", "/"]),
        (3, ["run", "--raw", "x[/v2]"]),
        (3, ["run", "--raw", LONG]),
        (3, ["run", "--raw", "no\0such"]),
        (3, ["land", "no-such-folder"]),
        (3, ["backtest", "--raw", "no-such-folder"]),
    ],
    ids=lambda it: " ".join(it)[:40] if isinstance(it, list) else "",
)
def test_bad_arguments_are_one_message_and_leave_nothing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    code: int,
    arguments: list[str],
) -> None:
    home = tmp_path / "home"
    assert call(monkeypatch, *arguments, "--home", str(home)) == code
    output = capsys.readouterr()
    assert output.err.count("\n") == 1 and output.err.startswith("error: ")
    assert output.out == ""
    assert not home.exists()


@pytest.mark.parametrize("command", [["status"], ["simulate", "--customers", "60"], ["doctor"]])
def test_a_home_with_too_long_a_name_is_one_message(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    command: list[str],
) -> None:
    assert call(monkeypatch, *command, "--home", str(tmp_path / LONG)) == 1
    error = capsys.readouterr().err
    assert "too long" in error and error.count("\n") == 1


def test_a_folder_that_is_no_home_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").touch()
    assert call(monkeypatch, "status", "--home", str(tmp_path)) == 2
    assert "is no home of SpanishGas" in capsys.readouterr().err
    (tmp_path / "raw").mkdir()
    assert call(monkeypatch, "status", "--home", str(tmp_path)) == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interruption_is_one_line_and_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    def interrupt(**_: Any) -> None:
        raise error

    monkeypatch.setattr(cli.cli, "main", interrupt)
    assert call(monkeypatch) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_mistake_of_ours_shows_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise KeyError("a mistake")

    monkeypatch.setattr(cli.cli, "main", fail)
    with pytest.raises(KeyError):
        call(monkeypatch)


def test_a_run_whose_output_cannot_be_written_has_succeeded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings({"home": str(tmp_path)}, environ={})
    done = Run(settings, results=Results([Closing({}, [], [], [], [])]))

    def no_space(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("python_ml.view.summary.show_run", no_space)
    monkeypatch.setattr("python_ml.cli.options.print_json", no_space)
    for as_json in (True, False):
        with shown(done, as_json):
            done.has_published = True
    assert len(done.warnings) == 2
    assert capsys.readouterr().err.count("warning: the ") == 2
