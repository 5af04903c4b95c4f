"""The main job as its users call it: a process, its exit code, its files."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from python_ml.engines.sql import say_where_the_lake_is
from python_ml.pipeline.context import Share
from python_ml.pipeline.flow import take_all
from python_ml.pipeline.on_published import on_published
from python_ml.pipeline.plan import RESCORE, SCORE_SHARE
from python_ml.pipeline.workspace import Run
from python_ml.settings import load_settings
from tests.integration.command import spanishgas, spanishgas_anew
from tests.open_gate import FEW_TREES, as_variables

CUSTOMERS = 1000
# With some 20 churners in the test part, the limits of the full size would decide by chance.
LENIENT_GATE = {
    **as_variables(FEW_TREES),
    "SPANISHGAS_GATE__MINIMUM_PR_AUC": "0.45",
    "SPANISHGAS_GATE__MINIMUM_RECALL": "0.3",
    "SPANISHGAS_GATE__MAXIMUM_ECE": "0.2",
}


def scores(home: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(
            "select customer_id, churn_probability, risk_tier from mart_customer_risk order by 1"
        ).fetchall()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    made = ["simulate", "--customers", str(CUSTOMERS), "--readings", "typical-days"]
    done = spanishgas(*made, home=home)
    assert done.returncode == 0, done.stderr
    return home


@pytest.fixture(scope="module")
def first_run(home: Path) -> dict[str, Any]:
    done = spanishgas_anew("run", home=home, **LENIENT_GATE)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_a_run_scores_every_customer_and_tells_what_it_did(
    home: Path, first_run: dict[str, Any]
) -> None:
    assert len(scores(home)) == CUSTOMERS
    assert [step["step"] for step in first_run["steps"]] == [
        *("land", "bronze", "sentiment", "silver", "gold", "quality"),
        *("train", "evaluate", "score", "drift", "marts", "publish"),
    ]
    assert all(step["status"] == "done" for step in first_run["steps"])
    assert first_run["as_of_date"] == "2024-12-31"
    checks = {check["check_name"]: check for check in first_run["evaluation"]["checks"]}
    for change in ("nearer_renewal", "shorter_tenure", "complaint"):
        assert checks[f"direction_{change}"]["is_passed"], checks[f"direction_{change}"]["detail"]
    assert checks["direction_complaint"]["observed_value"] >= 0.95, "the direction that is declared"
    assert (home / "reports" / "runs" / f"{first_run['run_id']}.json").exists()
    assert not list((home / ".runs").iterdir()), "a run leaves no work folder behind"


def test_the_same_batch_is_not_run_again(home: Path, first_run: dict[str, Any]) -> None:
    before = digest(home / "warehouse.duckdb")
    done = spanishgas("run", home=home, **LENIENT_GATE)
    assert done.returncode == 0, done.stderr
    assert first_run["run_id"] in json.loads(done.stdout)["skipped"]
    assert json.loads(done.stdout)["steps"] == []
    assert digest(home / "warehouse.duckdb") == before
    assert not list((home / ".runs").iterdir())


def test_the_run_is_on_record(home: Path, first_run: dict[str, Any]) -> None:
    done = spanishgas("status", home=home)
    document = json.loads(done.stdout)
    (recorded,) = [run for run in document["runs"] if run["run_id"] == first_run["run_id"]]
    assert (recorded["status"], recorded["is_published"]) == ("succeeded", True)
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute(say_where_the_lake_is(home / "lake"))
        (shown,) = connection.execute(
            "select * from mart_pipeline_run where is_published"
        ).fetchall()
        steps = connection.execute(
            "select step, status from mart_pipeline_step where run_id = ? order by step_number",
            (first_run["run_id"],),
        ).fetchall()
    assert first_run["run_id"] in shown
    assert steps == [(step["step"], "succeeded") for step in first_run["steps"]]


def test_the_same_raw_files_give_the_same_scores(home: Path, first_run: dict[str, Any]) -> None:
    before = scores(home)
    done = spanishgas("run", "--force", home=home, **LENIENT_GATE)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["run_id"] != first_run["run_id"]
    assert scores(home) == before


def test_score_mode_uses_the_champion(home: Path, first_run: dict[str, Any]) -> None:
    before = scores(home)
    done = spanishgas("run", "--mode", "score", home=home)
    assert done.returncode == 0, done.stderr
    assert "train" not in [step["step"] for step in json.loads(done.stdout)["steps"]]
    assert scores(home) == before


def scored_by(home: Path, machines: int, customers_per_part: int = CUSTOMERS) -> str:
    """Score again and publish: `spanishgas score`, by several machines; returns the run's id."""
    changed = {"home": str(home), "customers_per_part": customers_per_part}
    run = Run(load_settings(changed, environ={}), "rescore")
    with on_published(run):
        if machines > 1:
            for machine in reversed(range(machines)):
                run.share = Share(machine, machines, "1")
                SCORE_SHARE.function(run.context, **SCORE_SHARE.inputs(run.results))
            assert not list((home / "lake" / "ml").glob(f"*/run_id={run.run_id}"))
        take_all(run, RESCORE)
    return run.run_id


def test_parts_and_machines_score_as_one(home: Path, first_run: dict[str, Any]) -> None:
    """Two and eight equal one in every cell of what `score` and `drift` write."""

    def rows(run_id: str, table: str) -> pd.DataFrame:
        (part,) = (home / "lake" / "ml" / table / f"run_id={run_id}").iterdir()
        return pd.read_parquet(part, partitioning=None)

    tables = (
        *("feature_snapshot", "customer_score", "score_reason", "score_estimate"),
        *("drift_result", "drift_distribution"),
    )
    alone = scored_by(home, 1)
    whole = {table: rows(alone, table) for table in tables}
    assert len(whole["customer_score"]) == CUSTOMERS
    before = scores(home)
    for run_id, count in (
        (scored_by(home, 1, CUSTOMERS // 2), 2),
        (scored_by(home, 1, CUSTOMERS // 8), 8),
        (scored_by(home, 2), 2),
        (scored_by(home, 8), 8),
    ):
        snapshot = home / "lake" / "ml" / "feature_snapshot" / f"run_id={run_id}"
        groups = pq.ParquetFile(snapshot / "part-0.parquet").num_row_groups
        assert groups == count, "gold was read part by part"
        for table, expected in whole.items():
            found = rows(run_id, table)
            pd.testing.assert_frame_equal(found, expected, check_exact=True, obj=table)
        assert scores(home) == before


def test_a_version_that_was_evaluated_twice_shows_the_newest_evaluation(
    home: Path, first_run: dict[str, Any]
) -> None:
    done = spanishgas("evaluate", home=home, **LENIENT_GATE)
    assert done.returncode == 0, done.stderr
    version = json.loads(done.stdout)["model_version"]
    newest = json.loads(spanishgas("status", home=home).stdout)["runs"][0]["run_id"]

    done = spanishgas("score", "--version", version, home=home)

    assert done.returncode == 0, done.stderr
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        for mart in ("mart_model_performance", "mart_policy_value"):
            shown = f"select distinct model_version, evaluation_run_id from {mart}"
            assert connection.execute(shown).fetchall() == [(version, newest)]


def test_a_rejected_model_changes_nothing(home: Path, first_run: dict[str, Any]) -> None:
    warehouse, champion = home / "warehouse.duckdb", home / "lake" / "models" / "champion.json"
    before = digest(warehouse), digest(champion)
    scored = set((home / "lake" / "ml" / "customer_score").iterdir())

    done = spanishgas("run", home=home, SPANISHGAS_GATE__MINIMUM_PR_AUC="0.999")

    assert done.returncode == 4
    assert "pr_auc on the test part" in done.stderr
    assert json.loads(done.stdout)["steps"][-1]["step"] == "evaluate"
    document = json.loads(spanishgas("status", home=home).stdout)
    (shown,) = [run for run in document["runs"] if run["exit_code"] == 4]
    assert shown["failed_step"] == "evaluate"
    assert document["can_resume"] == shown["run_id"]
    assert (digest(warehouse), digest(champion)) == before
    assert set((home / "lake" / "ml" / "customer_score").iterdir()) == scored


def test_texts_that_know_nothing_fail_the_gate(tmp_path: Path) -> None:
    done = spanishgas(
        *("simulate", "--customers", str(CUSTOMERS), "--text-signal", "none"),
        *("--readings", "typical-days"),
        home=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    done = spanishgas("run", home=tmp_path)
    assert done.returncode == 4, done.stderr
    assert not (tmp_path / "warehouse.duckdb").exists()
    # The one part there is has no rows: it gives the table its columns.
    scored = tmp_path / "lake" / "ml" / "customer_score"
    assert [part.name for part in scored.iterdir()] == ["run_id=none"]
    count = f"select count(*) from read_parquet('{scored}/*/*.parquet')"
    assert duckdb.sql(count).fetchone() == (0,)


def test_a_refused_batch_changes_nothing(
    home: Path, first_run: dict[str, Any], tmp_path: Path
) -> None:
    before = digest(home / "warehouse.duckdb")
    (tmp_path / "churn_label.csv").write_text("customer_id,churn\nC00001,1\n")
    done = spanishgas("run", "--raw", str(tmp_path), home=home)
    assert done.returncode == 3
    assert "customer_contracts" in done.stderr
    assert digest(home / "warehouse.duckdb") == before


def test_a_batch_that_a_gate_stops_publishes_nothing_and_can_be_looked_up(
    home: Path, first_run: dict[str, Any], tmp_path: Path
) -> None:
    before = digest(home / "warehouse.duckdb")
    raw = shutil.copytree(home / "raw", tmp_path / "raw", copy_function=os.link)
    prices = (raw / "price_history.csv").read_text().splitlines(keepends=True)
    (raw / "price_history.csv").unlink()
    (raw / "price_history.csv").write_text(
        "".join(line for line in prices if not re.search(r"2024-(0[7-9]|1\d)-", line))
    )

    done = spanishgas("run", "--raw", str(raw), home=home)

    assert done.returncode == 5, done.stderr
    assert "raw.price_history.pricing_date.age_days: 213, limit 92" in done.stderr
    assert digest(home / "warehouse.duckdb") == before
    run_id = json.loads(done.stdout)["run_id"]
    assert (home / "reports" / "data_docs" / run_id / "index.html").exists()
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute(say_where_the_lake_is(home / "lake"))
        stopping = "select table_name, check_name from mart_data_quality where is_stopping"
        found = connection.execute(f"{stopping} and is_newest_run").fetchall()
    assert ("price_history", "age_days") in found


def test_without_sentiment_the_fallback_model_is_trained_and_said(
    home: Path, first_run: dict[str, Any]
) -> None:
    done = spanishgas("run", home=home, SPANISHGAS_SENTIMENT__BACKEND="none", **LENIENT_GATE)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["training"]["experiment"] == "E8_no_sentiment"
    assert "E8_no_sentiment" in document["sentiment"]["message"]
