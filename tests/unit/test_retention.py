"""What old runs leave is removed, and never what something still rests on."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import pytest

from python_ml.config import load_settings
from python_ml.runs import retention
from python_ml.runs.manifest import RunRecord
from python_ml.runs.retention import apply_retention
from python_ml.runs.workspace import Run

RUNS = [f"2025010{day}T060000-aaaaaa" for day in range(1, 7)]
TRAINED, EVALUATED = RUNS[0], RUNS[1]
TABLES = ("customer_score", "feature_snapshot", "interaction_sentiment", "pipeline_run")


@dataclass
class Registered:
    origin: dict


class FakeRegistry:
    def champion(self):
        return "churn-champion"

    def previous_champion(self):
        return None

    def versions(self):
        return ["churn-champion"]

    def load(self, version):
        return Registered({"run_id": TRAINED})


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Six runs; the first trained the champion, the second evaluated it, three are to be kept."""
    settings = load_settings(
        {"home": str(tmp_path), "runs.keep_runs": 3, "runs.keep_records": 4}, environ={}
    )
    monkeypatch.setattr("python_ml.registry.open_registry", lambda settings: FakeRegistry())
    run = Run(settings, run_id=RUNS[-1])
    layout = settings.layout
    for run_id in RUNS:
        run.manifest.save(RunRecord(run_id, "train", "duckdb", batch_id=f"b-{run_id}"))
        for table in (
            "customer_score",
            "feature_snapshot",
            "interaction_sentiment",
            "pipeline_run",
        ):
            (layout.lake / "ml" / table / f"run_id={run_id}").mkdir(parents=True)
        (layout.rejected / "customer_attributes" / f"batch=b-{run_id}").mkdir(parents=True)
        (layout.reports / "runs").mkdir(parents=True, exist_ok=True)
        (layout.reports / "runs" / f"{run_id}.json").write_text("{}")
        (layout.batches / f"b-{run_id}").mkdir(parents=True)
    (layout.lake / "ml" / "model_ladder" / f"run_id={RUNS[2]}").mkdir(parents=True)
    (layout.lake / "raw").symlink_to(layout.batches / f"b-{RUNS[-1]}")
    evaluated = pd.DataFrame({"model_version": ["churn-champion"], "run_id": [EVALUATED]})

    def read(warehouse, table, run_id=None):
        return evaluated if table == "model_gate" else evaluated[:0]

    monkeypatch.setattr("python_ml.warehouse.duckdb.DuckDBWarehouse.read_external", read)
    return run


def kept(folder, prefix=""):
    return sorted(path.name.removeprefix(prefix).removesuffix(".json") for path in folder.iterdir())


def test_old_runs_go_and_those_of_the_champion_stay(run):
    apply_retention(run)
    layout = run.settings.layout
    needed = [TRAINED, EVALUATED, *RUNS[3:]]
    for table in ("customer_score", "feature_snapshot"):
        assert kept(layout.lake / "ml" / table, "run_id=") == needed
    assert kept(layout.reports / "runs") == needed
    rejected = kept(layout.rejected / "customer_attributes", "batch=b-")
    assert rejected == needed
    assert kept(layout.batches) == [f"b-{RUNS[-1]}"]
    assert kept(layout.lake / "ml" / "interaction_sentiment", "run_id=") == RUNS
    assert kept(layout.lake / "ml" / "model_ladder", "run_id=") == [RUNS[2]], "the newest there is"


def test_records_stay_longer(run):
    apply_retention(run)
    on_record = [TRAINED, EVALUATED, *RUNS[2:]]
    assert sorted(record.run_id for record in run.manifest.runs()) == on_record
    assert kept(run.settings.layout.lake / "ml" / "pipeline_run", "run_id=") == on_record


def test_what_cannot_be_removed_does_not_fail_a_run(run, monkeypatch, capsys):
    def refuse(path):
        raise PermissionError(f"{path}: not ours")

    monkeypatch.setattr(retention, "_remove", refuse)
    apply_retention(run)
    assert "could not all be removed" in capsys.readouterr().err
