import json

import click
import pytest
from click.testing import CliRunner

from python_ml.cli import main as cli
from python_ml.errors import (
    BadInputError,
    LeaseHeldError,
    ModelGateError,
    QualityGateError,
    SpanishGasError,
    UsageError,
)


def commands(group, path=()):
    """Every command below a group, as its words."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.mark.parametrize(
    ("words", "command"), [pytest.param(*it, id=" ".join(it[0])) for it in commands(cli.cli)]
)
def test_every_command_explains_itself_and_takes_json_and_home(words, command):
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
def test_each_foreseen_error_is_one_message_and_its_exit_code(monkeypatch, capsys, error, code):
    def fail(**_):
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
def test_usage_errors_have_their_own_code(monkeypatch, arguments):
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
def test_what_would_be_ignored_is_refused_and_leaves_nothing(monkeypatch, tmp_path, line):
    home = tmp_path / "home"
    monkeypatch.setattr("sys.argv", ["spanishgas", *line.split(), "--home", str(home)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert not list(home.glob("*/*")), "neither raw files, nor reports, nor a lake"


def test_json_is_the_only_thing_on_stdout(tmp_path):
    result = CliRunner().invoke(
        cli.cli, ["simulate", "--home", str(tmp_path), "--customers", "60", "--json"]
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["customers"] == 60
