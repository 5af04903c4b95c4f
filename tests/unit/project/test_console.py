"""What others wrote is shown as it is, on every terminal."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import Any

import pytest
from rich.text import Text

from python_ml import alerts, console, progress
from python_ml.engines.ledger import FAILED, RunRecord
from python_ml.errors import SpanishGasError
from python_ml.pipeline import status
from python_ml.settings import PACKAGE_DIR, load_settings
from python_ml.view.drift import show_drift

# Markup that closes nothing, markup that would vanish, an emoji's name, a link, an escape.
HOSTILE = [
    "x[/v2]",
    "[old]",
    "[bold red]a[/]",
    ":smiley:",
    "[link=http://a]b[/link]",
    "[/]",
    "\\[a]",
]
MODULES = sorted(PACKAGE_DIR.rglob("*.py"))
# A tag of rich in a string of ours: nothing would read it.
MARKUP = re.compile(r"\[/\]|\[/?(?:bold|dim|italic|red|green|yellow|cyan|blue|default)\b[^\]]*\]")


def shown(monkeypatch: pytest.MonkeyPatch, *modules: Any, show: Any) -> str:
    """What `show` prints, with the consoles of the modules writing to memory, as to a terminal."""
    out = io.StringIO()
    plain = console.PlainConsole(file=out, force_terminal=True, color_system=None, width=200)
    for module in modules:
        name = "open_console" if hasattr(module, "open_console") else "console"
        value = (lambda *_: plain) if name == "open_console" else plain
        monkeypatch.setattr(module, name, value)
    show()
    return out.getvalue()


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_others_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    record = RunRecord(text, text, "duckdb", FAILED, error_message=text, started_by=text)
    found = status.Status(None, text, text, text, [record])
    output = shown(monkeypatch, status, show=lambda: status.show_status(found))
    assert output.count(text) == 8, output

    alert = alerts.Alert("run", alerts.CRITICAL, text, "", "r1")
    output = shown(monkeypatch, alerts, show=lambda: alerts.LogSink().send(alert))
    assert output == f"critical {text}\n"

    row: dict[str, Any] = {"verdict": "alarm", "subject_kind": "feature", "subject": text}
    row |= {"distance": 0.5, "expected_distance": 0.1}
    row |= {"p_value_adjusted": 0.1, "reference_mean": 1.0, "current_mean": None}
    row |= {"as_of_date": text, "reference_as_of_date": text, "model_version": text}
    row |= {"run_id": "r1", "reference_run_id": "r0", "is_alarm_plain": True}
    module = sys.modules[show_drift.__module__]
    output = shown(monkeypatch, module, show=lambda: show_drift([row], False))
    assert output.count(text) == 4, output


@pytest.mark.parametrize("text", HOSTILE)
def test_a_step_and_its_progress_show_text_as_it_is(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    def work() -> None:
        with progress.timed_step(text, []) as (_, report):
            report(text, 0.5)

    assert f"✓ {text}" in shown(monkeypatch, progress, show=work)


@pytest.mark.parametrize("sink", ["webhook", "sns"])
def test_an_alert_that_cannot_be_sent_says_so_whatever_its_text(
    monkeypatch: pytest.MonkeyPatch, sink: str
) -> None:
    settings = load_settings({"alerts.sinks": [sink]}, environ={})

    def fail(*_: Any) -> None:
        raise SpanishGasError("no such host [/v2]")

    monkeypatch.setattr(alerts, "open_sink", fail)
    alert = alerts.Alert("run", alerts.CRITICAL, "t", "", "r1")
    output = shown(monkeypatch, alerts, show=lambda: alerts.send_alert(settings, alert))
    assert output == f"alert not sent to {sink}: no such host [/v2]\n"


def test_control_characters_do_not_reach_the_terminal() -> None:
    text = "a\x1b[31mred\x07\x9b2J\r\x00b\tc\nd"
    assert console.harmless(text) == "a\\x1b[31mred\\x07\\x9b2J\\x0d\\x00b\tc\nd"
    assert console.line(("\x1b[2J", "red"), "\x07").plain == "\\x1b[2J\\x07"
    out = io.StringIO()
    plain = console.PlainConsole(file=out, width=80)
    table = console.new_table(text, text)
    table.add_row(text)
    plain.print(table)
    plain.print(text)
    assert not set(out.getvalue()) & set(map(chr, console._CONTROLS))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE_DIR)))
def test_no_module_asks_the_terminal_to_read_markup(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not MARKUP.search(node.value), f"line {node.lineno}: {node.value!r}"
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func).rpartition(".")[2]
        keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
        assert name not in ("from_markup", "from_ansi"), f"line {node.lineno}"
        assert name != "Console", f"line {node.lineno}: open_console or PlainConsole"
        assert keywords.get("markup", "False") == "False", f"line {node.lineno}"
        if name == "TextColumn":
            assert keywords.get("markup") == "False", f"line {node.lineno}"


def test_tables_of_ours_are_made_for_consoles_of_ours() -> None:
    table = console.new_table("t", "a")
    table.add_row("[old]")
    out = io.StringIO()
    console.PlainConsole(file=out, width=40).print(table, Text("[old]"), "[old]")
    assert out.getvalue().count("[old]") == 3


SHOW = """
import sys
from python_ml.cli.options import print_json
from python_ml.console import open_console, open_streams
from python_ml.progress import console
open_streams()
if "--json" in sys.argv:
    print_json({"name": "Muñoz \\u20ac \\udcff"})
else:
    open_console().print("Muñoz: 12 € – ✓ \\udcff")
    console.print("Muñoz: 12 € – ✓")
"""


def show(encoding: str, *arguments: Any) -> CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", SHOW, *arguments],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        check=False,
    )


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", b"Munoz: 12 EUR - + \\xff\n"),
        ("latin-1", "Muñoz: 12 EUR - + \\xff\n".encode("latin-1")),
        ("cp1252", "Muñoz: 12 € – + \\xff\n".encode("cp1252")),
        ("utf-8", "Muñoz: 12 € – ✓ \\xff\n".encode()),
    ],
)
def test_a_terminal_that_lacks_a_character_gets_the_nearest(encoding: str, expected: bytes) -> None:
    done = show(encoding)
    assert (done.returncode, done.stdout) == (0, expected), done.stderr
    assert done.stderr == expected.replace(b" \\xff", b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_document_loses_no_character_on_any_terminal(encoding: str) -> None:
    done = show(encoding, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.decode(encoding)) == {"name": "Muñoz € \udcff"}


def test_a_stream_that_cannot_be_changed_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", SimpleNamespace())
    console.open_streams()


def test_who_stops_reading_does_not_end_the_process() -> None:
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        console.PlainConsole(file=Closed()).print("a")


def unread(arguments: Sequence[str], *, also_stderr: bool = False) -> tuple[int, bytes]:
    """The exit code and stderr of the command, whose reader has gone before it begins."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "python_ml.cli", *arguments],
            stdout=writing,
            stderr=writing if also_stderr else subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writing)
    return done.returncode, done.stderr or b""


@pytest.mark.thorough
@pytest.mark.parametrize("arguments", [["status"], ["status", "--json"], ["--help"], ["--version"]])
def test_a_reader_who_has_seen_enough_is_no_error(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "raw").mkdir()
    home = ["--home", str(tmp_path)] if arguments[0] == "status" else []
    assert unread([*arguments, *home]) == (0, b"")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("code", "arguments"),
    [(2, ["no-such-command"]), (2, ["status"]), (3, ["land", "no-such-folder"])],
)
def test_who_reads_no_message_still_gets_the_exit_code(
    tmp_path: Path, code: int, arguments: list[str]
) -> None:
    home = [] if code == 2 and arguments != ["status"] else ["--home", str(tmp_path / "none")]
    assert unread([*arguments, *home], also_stderr=True)[0] == code


def test_a_connection_that_a_service_has_closed_is_an_error() -> None:
    with pytest.raises(BrokenPipeError), console.writing_to_stdout():
        raise BrokenPipeError(32, "Broken pipe")
