"""How a run ends: whatever fails, claim and lease are settled and its own error is told."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pytest

from python_ml import alerts
from python_ml.engines import open_ledger
from python_ml.engines import sqlite_ledger as local
from python_ml.engines.ledger import CLAIMED, BatchClaim
from python_ml.errors import (
    BadInputError,
    InterruptedRunError,
    SpanishGasError,
    TerminalError,
    UsageError,
)
from python_ml.pipeline import preview, record, retention, workspace
from python_ml.pipeline.identity import BatchIdentity
from python_ml.pipeline.workspace import Run
from python_ml.settings import Settings, load_settings

FAILURES = [
    OSError(28, "No space left on device"),
    SpanishGasError("the table of runs is gone"),
    duckdb.IOException("cannot be written"),
    sqlite3.OperationalError("locked"),
    RuntimeError("a mistake"),
]


def raising(error: BaseException) -> Callable[..., None]:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    given = {"home": str(tmp_path / "home"), "alerts.sinks": ["log", "file"]}
    return load_settings(given, environ={})


@pytest.fixture
def run(settings: Settings) -> Run:
    return Run(
        settings, identity=BatchIdentity("batch", {}, ()), started_at="2024-12-31T00:00:00+00:00"
    )


def work(run: Run, error: Any = None, *, publishes: Any = False, has_step: Any = True) -> None:
    """A run with one step, which claims a batch and may publish and fail."""
    with workspace.workspace(run):
        run.claim = BatchClaim("batch", run.mode, CLAIMED, run.run_id, run.work_sha256)
        assert run.ledger.claim(run.claim, 300) is None
        if has_step:
            with run.step("build"):
                run.has_published = publishes
        if error is not None:
            raise error


def claim_of(settings: Settings) -> list[tuple[Any, ...]]:
    with sqlite3.connect(settings.layout.runs) as connection:
        return connection.execute("select document from batch_claim").fetchall()


def is_settled(settings: Settings, *, succeeded: bool) -> bool:
    manifest = open_ledger(settings)
    assert manifest.holder() is None, "the lease is free"
    assert bool(claim_of(settings)) is succeeded
    assert CLAIMED not in str(claim_of(settings))
    return True


@pytest.mark.parametrize("failure", FAILURES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    ("module", "name"),
    [
        (workspace, "finish_record"),
        (record, "write_run_tables"),
        (workspace, "_tell"),
        (workspace, "_discard"),
        (workspace, "run_alert"),
    ],
)
def test_claim_and_lease_are_settled_and_the_runs_own_error_told(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    run: Run,
    module: ModuleType,
    name: str,
    failure: Exception,
) -> None:
    own = BadInputError("what the run died of")

    def fail_then(*_: Any) -> None:
        monkeypatch.setattr(module, name, raising(failure))
        raise own

    with pytest.raises(BadInputError) as told, workspace.workspace(run):
        run.claim = BatchClaim("batch", run.mode, CLAIMED, run.run_id, run.work_sha256)
        run.ledger.claim(run.claim, 300)
        with run.step("build"):
            pass
        fail_then()
    assert told.value is own
    assert is_settled(settings, succeeded=False)
    assert len(run.warnings) == 1 and str(failure).split("]")[-1].strip(" .") in run.warnings[0]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    ("kind", "name"), [(local.SqliteLedger, "finish"), (local.SqliteLedger, "release")]
)
def test_a_claim_or_lease_that_cannot_be_given_back_hides_nothing(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    run: Run,
    kind: Any,
    name: str,
    failure: Exception,
) -> None:
    monkeypatch.setattr(kind, name, raising(failure))
    with pytest.raises(BadInputError, match="died of"):
        work(run, BadInputError("what the run died of"))
    assert "300 s" in run.warnings[0], "it is said when others can go on"


@pytest.mark.parametrize("failure", FAILURES, ids=lambda error: type(error).__name__)
def test_what_fails_after_publishing_is_a_warning_and_the_run_has_succeeded(
    settings: Settings, run: Run, failure: Exception
) -> None:
    work(run, failure, publishes=True)
    assert is_settled(settings, succeeded=True)
    (kept,) = open_ledger(settings).runs()
    assert (kept.status, kept.exit_code, kept.error_message) == ("succeeded", 0, None)
    assert len(kept.warnings) == 1 and kept.warnings == run.warnings
    assert run.as_dict()["warnings"] == run.warnings
    assert not run.work_dir.exists()


@pytest.mark.parametrize(
    "name",
    ["python_ml.pages.preview.write_preview", "python_ml.pipeline.preview.open_warehouse"],
)
def test_pages_that_cannot_be_written_are_a_warning_on_record(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, run: Run, name: str
) -> None:
    work(run, publishes=True)
    duckdb.connect(str(settings.layout.warehouse)).close()
    monkeypatch.setattr(name, raising(OSError(28, "No space left on device")))
    preview.refresh_preview(run)
    (kept,) = open_ledger(settings).runs()
    assert kept.status == "succeeded"
    assert "the pages of the dashboards are not written" in kept.warnings[0]


def test_retention_that_fails_is_a_warning(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setattr(retention, "_runs_of_champions", raising(duckdb.IOException("gone")))
    with workspace.workspace(run), run.step("build"):
        retention.apply_retention(run)
    assert run.warnings == ["what earlier runs left could not all be removed: gone"]


def test_a_failure_is_told_once(
    settings: Settings, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadInputError):
        work(run, BadInputError("what the run died of"))
    output = capsys.readouterr()
    assert "died of" not in output.out + output.err, "the command tells it as it ends"
    assert len(list((settings.layout.reports / "alerts").iterdir())) == 1, "other sinks have it"


def test_a_full_disk_is_one_error_and_one_line_of_what_it_cost(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    run: Run,
    capsys: pytest.CaptureFixture[str],
) -> None:
    full = OSError(28, "No space left on device")
    for kind, name in ((workspace, "finish_record"), (local.SqliteLedger, "release")):
        monkeypatch.setattr(kind, name, raising(full))
    monkeypatch.setattr(alerts.FileSink, "send", raising(full))
    with pytest.raises(TerminalError, match="free some space"):
        work(run, full)
    lines = [line for line in capsys.readouterr().err.splitlines() if "✓" not in line]
    assert len(lines) == 1 and "could not be recorded" in lines[0] and "lease" in lines[0]
    assert len(run.warnings) == 3


def test_what_was_asked_for_wrongly_leaves_nothing(settings: Settings, run: Run) -> None:
    left = settings.layout.work / "20240101T000000-aaaaaa"
    left.mkdir(parents=True)
    with pytest.raises(UsageError):
        work(run, UsageError("no such thing"), has_step=False)
    assert open_ledger(settings).runs() == []
    assert not settings.layout.reports.exists(), "no alert"
    assert is_settled(settings, succeeded=False)
    assert list(settings.layout.work.iterdir()) == [left], "and what can be resumed stays"
    work(Run(settings, identity=run.identity))
    assert not left.exists(), "until a run begins in its place"


@pytest.mark.parametrize("can_resume", [True, False])
def test_an_interrupted_run_says_how_to_go_on(
    settings: Settings, run: Run, can_resume: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    run.can_resume = can_resume
    with pytest.raises(InterruptedRunError) as told, workspace.workspace(run):
        with run.step("land"):
            run.work_dir.joinpath("state.json").touch()
        run.can_resume = can_resume
        with run.step("build"):
            raise KeyboardInterrupt
    message = str(told.value)
    assert message.startswith("interrupted at step build") and "\n" not in message
    assert ("--resume" in message) is can_resume
    (kept,) = open_ledger(settings).runs()
    assert (kept.status, kept.exit_code, kept.failed_step) == ("failed", 130, "build")
    assert "build" not in capsys.readouterr().err, "one line, which the command prints"
    assert run.work_dir.exists() is can_resume


def test_interrupted_after_publishing_it_has_succeeded_on_record(
    settings: Settings, run: Run
) -> None:
    with pytest.raises(InterruptedRunError, match="had published"):
        work(run, KeyboardInterrupt(), publishes=True)
    (kept,) = open_ledger(settings).runs()
    assert (kept.status, kept.exit_code) == ("succeeded", 0)
    assert is_settled(settings, succeeded=True)


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (OSError(28, "No space left on device", "/x/y"), "/x/y: No space left on device"),
        (MemoryError(), "not enough memory"),
        (duckdb.OutOfMemoryException("No space left on device"), "free some space"),
    ],
)
def test_an_error_of_the_system_becomes_one_of_ours(
    settings: Settings, run: Run, raised: Exception, told: str
) -> None:
    with pytest.raises(TerminalError, match=rf"(?i){told}.*does not help"):
        work(run, raised)
    (kept,) = open_ledger(settings).runs()
    assert kept.exit_code == 1 and kept.error_message
