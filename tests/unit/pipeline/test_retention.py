"""What old runs leave is removed, and never what something still rests on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from python_ml.engines import Warehouse
from python_ml.engines.ledger import (
    CLAIMED,
    DONE,
    FAILED,
    RUNNING,
    SUCCEEDED,
    BatchClaim,
    RunRecord,
)
from python_ml.land.result import LandResult
from python_ml.pipeline import retention
from python_ml.pipeline.retention import apply_retention, clear_leftovers, mend
from python_ml.pipeline.workspace import Run
from python_ml.settings import Settings, load_settings

RUNS = [f"2025010{day}T060000-aaaaaa" for day in range(1, 7)]
TRAINED, EVALUATED = RUNS[0], RUNS[1]
KEPT = (
    *("offer_assignment", "score_estimate", "score_outcome"),
    *("campaign_assignment", "campaign_contact", "campaign_effect", "campaign_stop"),
)
TABLES = ("customer_score", "feature_snapshot", "interaction_sentiment", "pipeline_run")


@dataclass
class Registered:
    origin: dict[str, Any]


class FakeRegistry:
    def champion(self) -> str:
        return "churn-champion"

    def previous_champion(self) -> None:
        return None

    def versions(self) -> list[str]:
        return ["churn-champion"]

    def load(self, version: str) -> Registered:
        return Registered({"run_id": TRAINED})


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Six runs; the first trained the champion, the second evaluated it, three are to be kept."""
    settings = load_settings(
        {"home": str(tmp_path), "runs.keep_runs": 3, "runs.keep_records": 4}, environ={}
    )
    monkeypatch.setattr(
        "python_ml.pipeline.retention.open_registry", lambda settings: FakeRegistry()
    )
    run = Run(settings, run_id=RUNS[-1])
    layout = settings.layout
    for run_id in RUNS:
        run.ledger.save(RunRecord(run_id, "train", "duckdb", batch_id=f"b-{run_id}"))
        for table in (
            "customer_score",
            "feature_snapshot",
            "interaction_sentiment",
            "pipeline_run",
            *KEPT,
        ):
            (layout.lake / "ml" / table / f"run_id={run_id}").mkdir(parents=True, exist_ok=True)
        (layout.rejected / "customer_attributes" / f"batch=b-{run_id}").mkdir(parents=True)
        (layout.reports / "runs").mkdir(parents=True, exist_ok=True)
        (layout.reports / "runs" / f"{run_id}.json").write_text("{}")
        (layout.batches / f"b-{run_id}").mkdir(parents=True)
    (layout.lake / "ml" / "model_ladder" / f"run_id={RUNS[2]}").mkdir(parents=True)
    (layout.lake / "raw").symlink_to(layout.batches / f"b-{RUNS[-1]}")
    evaluated = pd.DataFrame({"model_version": ["churn-champion"], "run_id": [EVALUATED]})

    def read(warehouse: Warehouse, table: str, run_id: str | None = None) -> pd.DataFrame:
        return evaluated if table == "model_gate" else evaluated[:0]

    monkeypatch.setattr("python_ml.engines.duckdb.DuckDBWarehouse.read_external", read)
    return run


def kept(folder: Path, prefix: str = "") -> list[str]:
    return sorted(path.name.removeprefix(prefix).removesuffix(".json") for path in folder.iterdir())


def test_old_runs_go_and_those_of_the_champion_stay(run: Run) -> None:
    apply_retention(run)
    layout = run.settings.layout
    needed = [TRAINED, EVALUATED, *RUNS[3:]]
    assert kept(layout.lake / "ml" / "feature_snapshot", "run_id=") == needed
    assert kept(layout.lake / "ml" / "customer_score", "run_id=") == RUNS, "held against outcomes"
    assert kept(layout.reports / "runs") == needed
    rejected = kept(layout.rejected / "customer_attributes", "batch=b-")
    assert rejected == needed
    assert kept(layout.batches) == [f"b-{RUNS[-1]}"]
    assert kept(layout.lake / "ml" / "interaction_sentiment", "run_id=") == RUNS
    assert kept(layout.lake / "ml" / "model_ladder", "run_id=") == [RUNS[2]], "the newest there is"
    for table in KEPT:
        assert kept(layout.lake / "ml" / table, "run_id=") == RUNS, "measured or learned from later"


def test_records_stay_longer(run: Run) -> None:
    apply_retention(run)
    on_record = [TRAINED, EVALUATED, *RUNS[2:]]
    assert sorted(record.run_id for record in run.ledger.runs()) == on_record
    assert kept(run.settings.layout.lake / "ml" / "pipeline_run", "run_id=") == on_record


def test_what_cannot_be_removed_does_not_fail_a_run(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(f"{path}: not ours")

    monkeypatch.setattr("shutil.rmtree", refuse)
    apply_retention(run)
    assert "could not all be removed" in capsys.readouterr().err


def died(run: Run, run_id: str = RUNS[-2], **changed: Any) -> RunRecord:
    """A run that still counts as running, with a claim on its batch."""
    values = {"batch_id": f"b-{run_id}", "batch_sha256": "f" * 64, "work_sha256": "w1", **changed}
    record = RunRecord(run_id, "train", "duckdb", status=RUNNING, **values)
    run.ledger.save(record)
    claim = BatchClaim("f" * 64, "train", CLAIMED, run_id, "w1")
    assert run.ledger.claim(claim, 1000) is None
    return record


def mended(
    run: Run, monkeypatch: pytest.MonkeyPatch, published: Any, *, is_champion: bool = True
) -> list[Settings]:
    """Mend, with `published` as the published run and its model; the reconciled settings."""
    reconciled: list[Settings] = []
    monkeypatch.setattr(retention, "published_run", lambda settings: published)
    monkeypatch.setattr(retention, "is_champion", lambda settings, version: is_champion)
    monkeypatch.setattr("python_ml.pipeline.retention.reconcile", reconciled.append)
    mend(run.settings, run.ledger, run.run_id)
    return reconciled


def by_id(run: Run, run_id: str) -> RunRecord:
    return next(record for record in run.ledger.runs() if record.run_id == run_id)


def test_a_run_that_died_is_buried_and_its_batch_is_free(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = died(run)
    mended(run, monkeypatch, published=(RUNS[0], "v1"))
    assert by_id(run, record.run_id).status == FAILED
    again = BatchClaim("f" * 64, "train", CLAIMED, RUNS[-1], "w1")
    assert run.ledger.claim(again, 1000) is None


def test_a_run_that_died_after_publishing_has_done_its_batch(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = died(run)
    mended(run, monkeypatch, published=(record.run_id, "v1"))
    assert by_id(run, record.run_id).status == SUCCEEDED
    again = BatchClaim("f" * 64, "train", CLAIMED, RUNS[-1], "w1")
    standing = run.ledger.claim(again, 1000)
    assert standing is not None
    assert (standing.state, standing.run_id) == (DONE, record.run_id)
    current = (run.settings.layout.lake / "raw").resolve()
    assert current.name == f"b-{record.run_id}", "the published batch is the current one"


def test_the_run_that_mends_is_not_dead_itself(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    died(run, run_id=run.run_id)
    mended(run, monkeypatch, published=None)
    assert by_id(run, run.run_id).status == RUNNING


def test_runs_that_ended_are_left_as_they_are(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.ledger.save(RunRecord(RUNS[1], "train", "duckdb", status=FAILED, error_message="why"))
    mended(run, monkeypatch, published=None)
    assert by_id(run, RUNS[1]).error_message == "why"


def test_a_published_batch_that_is_gone_is_not_made_current(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (run.settings.layout.lake / "raw").resolve()
    record = died(run, batch_id="gone")
    mended(run, monkeypatch, published=(record.run_id, "v1"))
    assert (run.settings.layout.lake / "raw").resolve() == before


def test_a_dead_run_without_a_batch_is_buried_too(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.ledger.save(RunRecord(RUNS[2], "forget", "duckdb", status=RUNNING))
    mended(run, monkeypatch, published=None)
    assert by_id(run, RUNS[2]).status == FAILED


def test_the_champion_follows_the_published_warehouse_only_where_it_differs(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mended(run, monkeypatch, published=(RUNS[0], "v1")) == []
    assert mended(run, monkeypatch, published=None, is_champion=False) == []
    moved = mended(run, monkeypatch, published=(RUNS[0], "v1"), is_champion=False)
    assert moved == [run.settings]


def test_folders_of_other_runs_go(run: Run) -> None:
    work = run.settings.layout.work
    for name in (run.run_id, RUNS[0]):
        (work / name / "dbt").mkdir(parents=True)
    clear_leftovers(run.settings, run.run_id)
    assert kept(work) == [run.run_id]


def test_without_a_folder_there_is_nothing_to_clear(run: Run) -> None:
    clear_leftovers(run.settings, run.run_id)
    assert not run.settings.layout.work.exists()


def test_on_athena_other_runs_leave_no_database(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    cleared = []

    class Publication:
        def __init__(self, athena: Any) -> None:
            self.athena = athena

        def clear(self, keep: Collection[str]) -> None:
            cleared.append((self.athena, keep))

    monkeypatch.setattr("python_ml.engines.athena_engine.Publication", Publication)
    clear_leftovers(run.settings, run.run_id)
    assert cleared == []
    on_athena = run.settings.with_overrides({"target": "athena"})
    clear_leftovers(on_athena, run.run_id)
    assert cleared == [(on_athena.athena, [run.run_id])]


def test_the_parts_of_the_published_run_stay(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "published_run", lambda settings: (RUNS[2], "churn-champion"))
    apply_retention(run)
    parts = kept(run.settings.layout.lake / "ml" / "feature_snapshot", "run_id=")
    assert parts == [TRAINED, EVALUATED, RUNS[2], *RUNS[3:]]


def test_a_part_without_a_run_and_the_newest_part_stay(run: Run) -> None:
    ladder = run.settings.layout.lake / "ml" / "model_ladder"
    (ladder / "run_id=none").mkdir()
    apply_retention(run)
    assert kept(ladder, "run_id=") == [RUNS[2], "none"]


def test_data_docs_and_batches_of_old_runs_go(run: Run) -> None:
    docs = run.settings.layout.reports / "data_docs"
    for run_id in RUNS:
        (docs / run_id).mkdir(parents=True)
    apply_retention(run)
    assert kept(docs) == [TRAINED, EVALUATED, *RUNS[3:]]


@pytest.mark.parametrize("table", ["model_gate", "model_metric", "leakage_alarm", "policy_value"])
def test_what_a_champion_was_evaluated_by_stays_whichever_table_names_the_run(
    run: Run, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    rows = pd.DataFrame({"model_version": ["churn-champion", "another"], "run_id": RUNS[1:3]})

    def read(warehouse: Warehouse, asked: str, run_id: str | None = None) -> pd.DataFrame:
        return rows if asked == table else rows[:0]

    monkeypatch.setattr("python_ml.engines.duckdb.DuckDBWarehouse.read_external", read)
    apply_retention(run)
    parts = kept(run.settings.layout.lake / "ml" / "feature_snapshot", "run_id=")
    assert parts == [TRAINED, EVALUATED, *RUNS[3:]]


def test_runs_of_the_champion_before_and_of_what_was_recalibrated_stay(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The champion was recalibrated from v1, and v2 is the one to roll back to; v3 is gone."""
    origins: dict[str, dict[str, Any]] = {
        "churn-champion": {"run_id": RUNS[4], "recalibration": {"lineage": ["v1", "v3"]}},
        "v1": {"run_id": RUNS[0]},
        "v2": {"run_id": RUNS[2]},
        "another": {"run_id": RUNS[1]},
    }
    monkeypatch.setattr(FakeRegistry, "versions", lambda self: list(origins))
    monkeypatch.setattr(FakeRegistry, "load", lambda self, version: Registered(origins[version]))
    monkeypatch.setattr(FakeRegistry, "previous_champion", lambda self: "v2")
    nothing = pd.DataFrame({"model_version": [], "run_id": []})
    monkeypatch.setattr(
        "python_ml.engines.duckdb.DuckDBWarehouse.read_external", lambda *_, **__: nothing
    )
    apply_retention(run)
    parts = kept(run.settings.layout.lake / "ml" / "feature_snapshot", "run_id=")
    assert parts == [RUNS[0], RUNS[2], *RUNS[3:]]


def test_a_champion_that_is_not_in_the_registry_any_more_keeps_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeRegistry, "versions", lambda self: [])
    apply_retention(run)
    parts = kept(run.settings.layout.lake / "ml" / "feature_snapshot", "run_id=")
    assert parts == RUNS[3:]


def test_records_of_runs_that_nothing_rests_on_go_after_their_time(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeRegistry, "versions", lambda self: [])
    apply_retention(run)
    assert sorted(record.run_id for record in run.ledger.runs()) == RUNS[2:]
    parts = run.settings.layout.lake / "ml" / "pipeline_run"
    assert kept(parts, "run_id=") == RUNS[2:]


def test_an_engine_drops_batches_beside_the_one_that_was_landed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped: list[str] = []
    monkeypatch.setattr(
        type(run.engine), "remove_other_batches", lambda _, batch_id: dropped.append(batch_id)
    )
    apply_retention(run)
    assert dropped == [], "a run that landed nothing knows of none"
    run.results.put(LandResult("b7", "h", "2024-12", date(2024, 12, 31), {}))
    apply_retention(run)
    assert dropped == ["b7"]
