"""What is kept of a run, whatever became of it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from python_ml.engines import open_warehouse
from python_ml.engines.ledger import FAILED, RUNNING, SUCCEEDED, RunRecord, StepRecord
from python_ml.errors import ModelGateError
from python_ml.land.result import LandResult, TableResult
from python_ml.pipeline import record
from python_ml.pipeline.identity import BatchIdentity
from python_ml.pipeline.record import (
    begin_record,
    bury,
    finish_record,
    keep_warnings,
    record_of,
    save_record,
    write_run_tables,
)
from python_ml.pipeline.results import ScoreResult, TrainResult
from python_ml.pipeline.workspace import Run
from python_ml.progress import Step
from python_ml.settings import load_settings

RUN_ID = "20250106T120000-abcdef"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    settings = load_settings({"home": str(tmp_path), "runs.started_by": "nightly"}, environ={})
    run = Run(settings, mode="score", run_id=RUN_ID, source="raw/monday")
    run.__dict__["work_sha256"] = "w" * 64
    run.steps = [
        Step("land", "done", "2025-01-06T12:00:00+00:00", 70, 1.23456, 99.96),
        Step("gold", "running", "2025-01-06T12:00:02+00:00", None, 2.0, 10.0),
    ]
    return run


def trained(version: str) -> TrainResult:
    day = date(2024, 6, 30)
    return TrainResult(version, "h", "E5_full", "", day, day, 9, 80, 8, 20, 0.5, {}, [], 1.0)


def scored(version: str) -> ScoreResult:
    return ScoreResult(version, date(2024, 12, 31), date(2024, 6, 30), 100, 9, {"Low": 100}, 1.0)


def table(run: Run, name: str) -> pd.DataFrame:
    with open_warehouse(run.settings) as warehouse:
        return warehouse.read_external(name, RUN_ID)


def test_a_record_holds_what_is_known_so_far(run: Run) -> None:
    kept = record_of(run)
    assert (kept.run_id, kept.mode, kept.target) == (RUN_ID, "score", "duckdb")
    assert (kept.source, kept.started_by, kept.status) == ("raw/monday", "nightly", RUNNING)
    assert kept.seconds == 3.235
    assert kept.work_sha256 == "w" * 64 and kept.git_sha and kept.lock_sha256
    assert (kept.as_of_date, kept.batch_sha256, kept.model_version) == (None, None, None)
    assert kept.row_count is None and kept.peak_memory_mb > 1
    first, second = kept.steps
    assert first == StepRecord("land", SUCCEEDED, "2025-01-06T12:00:00+00:00", 1.235, 70, 100.0)
    assert (second.status, second.row_count) == (RUNNING, None)


def test_memory_is_told_to_a_tenth_of_a_megabyte(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "peak_memory_mb", lambda: 512.3456)
    assert record_of(run).peak_memory_mb == 512.3


def test_a_warning_that_comes_later_is_kept_with_its_run_alone(run: Run) -> None:
    run.ledger.save(RunRecord(RUN_ID, "train", "duckdb"))
    run.ledger.save(RunRecord("20250105T120000-abcdef", "train", "duckdb"))
    run.warnings = ["the pages are not written"]
    keep_warnings(run)
    assert {each.run_id: each.warnings for each in run.ledger.runs()} == {
        RUN_ID: ["the pages are not written"],
        "20250105T120000-abcdef": [],
    }


def test_a_record_names_batch_date_and_the_model_that_scored(run: Run) -> None:
    run.identity = BatchIdentity("f" * 64, {}, ())
    churn = TableResult("churn_label", rows_landed=12)
    run.results.put(LandResult("b1", "h", "2024-12", date(2024, 12, 31), {"churn_label": churn}))
    run.results.put(trained("candidate"))
    kept = record_of(run)
    assert (kept.as_of_date, kept.batch_id, kept.batch_sha256) == ("2024-12-31", "b1", "f" * 64)
    assert (kept.row_count, kept.model_version) == (12, "candidate")
    run.results.put(scored("champion"))
    assert record_of(run).model_version == "champion"


def test_without_a_name_in_the_settings_the_user_started_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.settings = run.settings.with_overrides({"runs.started_by": ""})
    monkeypatch.setattr(record, "user_name", lambda: "ana")
    assert record_of(run).started_by == "ana"


def test_a_run_that_begins_is_seen_in_manifest_and_tables(run: Run) -> None:
    begin_record(run)
    assert run.ledger.runs()[0].status == RUNNING
    row = table(run, "pipeline_run").iloc[0]
    assert (row["status"], row["mode"]) == (RUNNING, "score")
    assert "source" not in row.index and "work_sha256" not in row.index
    steps = table(run, "pipeline_step").sort_values("step_number")
    assert steps["step_number"].tolist() == [1, 2]
    assert steps["step"].tolist() == ["land", "gold"]
    assert str(steps["started_at"].iloc[0]) == "2025-01-06 12:00:00", "UTC, without a zone"


def test_how_far_a_run_is_goes_to_the_manifest_alone(run: Run) -> None:
    save_record(run)
    assert [step.step for step in run.ledger.runs()[0].steps] == ["land", "gold"]
    assert table(run, "pipeline_run").empty


def test_the_end_of_a_good_run(run: Run) -> None:
    finish_record(run, None)
    kept = run.ledger.runs()[0]
    assert (kept.status, kept.exit_code, kept.error_message) == (SUCCEEDED, 0, None)
    assert kept.failed_step is None
    assert kept.ended_at is not None
    age = datetime.now(UTC) - datetime.fromisoformat(kept.ended_at)
    assert abs(age.total_seconds()) < 60
    row = table(run, "pipeline_run").iloc[0]
    assert (row["status"], row["exit_code"]) == (SUCCEEDED, 0)
    written = run.settings.layout.reports / "runs" / f"{RUN_ID}.json"
    document = json.loads(written.read_text())
    assert document["run_id"] == RUN_ID and document["record"]["status"] == SUCCEEDED


def test_the_end_of_a_failed_run_names_the_step_and_the_exit_code(run: Run) -> None:
    run.steps[1].status = FAILED
    finish_record(run, ModelGateError("PR-AUC is too low" + "!" * 5000))
    kept = run.ledger.runs()[0]
    assert (kept.status, kept.exit_code, kept.failed_step) == (FAILED, 4, "gold")
    assert kept.error_message is not None
    assert kept.error_message.startswith("PR-AUC is too low")
    assert len(kept.error_message) == 4000


def test_an_error_without_words_is_told_by_its_kind(run: Run) -> None:
    finish_record(run, ZeroDivisionError())
    kept = run.ledger.runs()[0]
    assert (kept.exit_code, kept.error_message) == (1, "ZeroDivisionError")


def test_a_run_that_had_nothing_to_do_leaves_no_record(run: Run) -> None:
    run.skipped = "done before"
    finish_record(run, None)
    assert run.ledger.runs() == []
    assert not (run.settings.layout.reports / "runs").exists()


def test_the_project_that_dbt_read_is_kept_by_its_hash(run: Run) -> None:
    place = run.work_dir / "dbt" / "manifest.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps({"nodes": {}, "macros": {}, "metadata": {}}))
    finish_record(run, None)
    sha256 = run.ledger.runs()[0].dbt_manifest_sha256
    assert sha256 is not None and len(sha256) == 64


def test_a_record_without_a_step_has_no_step_table(run: Run) -> None:
    write_run_tables(run.settings, RunRecord(RUN_ID, "train", "duckdb"))
    assert len(table(run, "pipeline_run")) == 1
    assert table(run, "pipeline_step").empty


def running() -> RunRecord:
    steps = [StepRecord("land", SUCCEEDED), StepRecord("bronze"), StepRecord("gold")]
    return RunRecord(RUN_ID, "train", "duckdb", steps=steps)


def test_a_run_that_died_failed_at_its_last_step() -> None:
    buried = bury(running(), has_published=False)
    assert (buried.status, buried.failed_step) == (FAILED, "gold")
    assert [step.status for step in buried.steps] == [SUCCEEDED, FAILED, FAILED]
    assert buried.exit_code is None and buried.error_message
    assert buried.ended_at
    assert bury(RunRecord(RUN_ID, "train", "duckdb"), has_published=False).failed_step is None


def test_a_run_that_died_after_publishing_succeeded() -> None:
    buried = bury(running(), has_published=True)
    assert (buried.status, buried.exit_code) == (SUCCEEDED, 0)
    assert buried.failed_step is None and buried.error_message is None and buried.ended_at


def test_times_of_other_zones_are_written_as_utc(run: Run) -> None:
    noon = "2025-01-06T13:00:00+01:00"
    steps = [StepRecord("land", started_at=noon), StepRecord("gold", started_at="")]
    write_run_tables(run.settings, RunRecord(RUN_ID, "train", "duckdb", steps=steps))
    found = table(run, "pipeline_step").sort_values("step_number")["started_at"]
    assert str(found.iloc[0]) == "2025-01-06 12:00:00" and pd.isna(found.iloc[1])


def test_a_record_names_the_backend_of_the_sentiment(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "sentiment_backend", lambda settings: f"of {settings.target}")
    assert record_of(run).sentiment_backend == "of duckdb"
