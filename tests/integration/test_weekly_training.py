"""A batch whose newest month has no labels yet: the newest matured ones are learned from, customers
of now are scored, and what is learned from knows nothing of later."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from python_ml.contracts.gold import read_contract
from python_ml.engines import open_warehouse
from python_ml.judge.drift import DriftResult
from python_ml.judge.snapshot import TRAINING_ROWS, read_gold, read_snapshot
from python_ml.judge.verdict import EvaluateResult
from python_ml.land import land
from python_ml.pipeline import commands
from python_ml.pipeline.backtest import _runner
from python_ml.pipeline.rebuild import rebuild_version
from python_ml.pipeline.results import TrainResult
from python_ml.pipeline.run import Run, run_pipeline
from python_ml.registry import open_registry
from python_ml.settings import load_settings
from python_ml.simulate.run import append_month, simulate
from python_ml.transform.sentiment import label_sentiment
from tests.open_gate import FEW_TREES, OPEN_GATE

QUICK = {
    **OPEN_GATE,
    **FEW_TREES,
    "evaluate.bootstrap_count": 100,
    "gate.direction_customers": 200,
}
BATCH: dict[str, Any] = {"customers": 400, "seed": 5, "readings": "typical-days"}
TRAINED, SCORED = date(2025, 1, 31), date(2025, 4, 30)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Four months after the first year; labels of January are known on the last day of April."""
    home = tmp_path_factory.mktemp("weekly")
    simulate(home / "raw", **BATCH, months=4)
    run = Run(load_settings({"home": str(home), **QUICK}, environ={}))
    run_pipeline(run, str(home / "raw"))
    return run


def test_every_result_names_the_date_learned_from_and_the_date_scored(run: Run) -> None:
    document = json.loads(json.dumps(run.as_dict(), default=str))
    assert (document["training_as_of_date"], document["as_of_date"]) == (f"{TRAINED}", f"{SCORED}")
    for step in ("training", "evaluation"):
        dates = document[step]["as_of_date"], document[step]["scoring_as_of_date"]
        assert dates == (f"{TRAINED}", f"{SCORED}")
    scores = document["scores"]
    assert (scores["training_as_of_date"], scores["as_of_date"]) == (f"{TRAINED}", f"{SCORED}")
    assert f"on labels of {TRAINED}" in document["training"]["message"]
    with open_warehouse(run.settings) as warehouse:
        for mart in ("mart_overview", "mart_model_performance"):
            shown = warehouse.read_table(mart)[["training_as_of_date", "as_of_date"]]
            assert {tuple(row) for row in shown.itertuples(index=False)} == {
                (pd.Timestamp(TRAINED), pd.Timestamp(SCORED))
            }
    card = run.settings.layout.reports / "cards" / document["training"]["model_version"]
    text = (card / "card.md").read_text(encoding="utf-8")
    assert f"| Trained and tested as of | {TRAINED} |" in text
    assert f"| Made to score customers as of | {SCORED} |" in text


def test_customers_of_now_are_scored_and_those_of_then_learned_from(run: Run) -> None:
    settings, run_id = run.settings, run.run_id
    learned = read_snapshot(settings, run_id, kind=TRAINING_ROWS).frame
    scored = read_snapshot(settings, run_id).frame
    assert set(learned["as_of_date"]) == {TRAINED}
    assert set(scored["as_of_date"]) == {SCORED}
    assert learned["churn"].notna().all() and scored["churn"].isna().all()
    left = set(learned["customer_id"]) - set(scored["customer_id"])
    assert set(learned.loc[learned["churn"] == 1, "customer_id"]) <= left
    with open_warehouse(settings) as warehouse:
        risk = warehouse.read_table("mart_customer_risk")
        split = warehouse.read_external("model_split", run_id)
        dates = warehouse.query("select distinct as_of_date from gold_master")["as_of_date"]
    assert set(risk["customer_id"]) == set(scored["customer_id"])
    assert set(split["customer_id"]) == set(learned["customer_id"])
    assert sorted(dates) == [pd.Timestamp(TRAINED), pd.Timestamp(SCORED)]
    assert not list(settings.layout.work.iterdir())


def test_what_is_learned_from_is_gold_of_the_batch_delivered_then(run: Run, tmp_path: Path) -> None:
    """Everything delivered later leaves the rows of an earlier as-of date as they are, value for
    value."""
    simulate(tmp_path / "raw", **BATCH, months=1)
    then = gold_of_batch(tmp_path / "raw", tmp_path / "then")
    learned = read_snapshot(run.settings, run.run_id, kind=TRAINING_ROWS).frame
    assert then["churn"].isna().all()
    unlabelled = learned.drop(columns="churn")
    pd.testing.assert_frame_equal(then.drop(columns="churn"), unlabelled, check_exact=True)


def gold_of_batch(raw: Path, folder: Path) -> pd.DataFrame:
    settings = load_settings({"home": str(folder)}, environ={})
    landed = land(str(raw), settings)
    dbt = _runner(settings, folder, landed.as_of_date)
    with open_warehouse(settings) as warehouse:
        warehouse.declare_external_tables()
        dbt.build("resource_type:seed bronze")
        label_sentiment(warehouse, settings, "test")
        dbt.run("silver gold")
        contract = read_contract(dbt.manifest())
        gold: pd.DataFrame = read_gold(warehouse, contract, landed.as_of_date).to_pandas()
        return gold


def test_drift_is_measured_since_the_training_date(run: Run) -> None:
    drift = run.results.require(DriftResult)
    assert (drift.reference_as_of_date, drift.as_of_date) == (TRAINED, SCORED)
    assert "months_to_renewal" in drift.calendar
    assert not drift.alarms


def test_a_version_is_rebuilt_and_judged_on_its_own_date(run: Run) -> None:
    settings = run.settings
    version = run.results.require(TrainResult).model_version
    with open_warehouse(settings) as warehouse:
        rebuilt = rebuild_version(warehouse, settings, version)
    assert rebuilt.is_identical
    assert rebuilt.customer_count == run.results.require(TrainResult).train_count + (
        run.results.require(TrainResult).test_count
    )
    judged = commands.evaluate_candidate(Run(settings), version)
    before = run.results.require(EvaluateResult)
    assert judged.as_of_date == TRAINED
    assert judged.metrics == before.metrics
    assert str(judged.checks) == str(before.checks), (
        "directions are tried on the customers of that date"
    )
    assert open_registry(settings).load(version).origin["as_of_date"] == f"{TRAINED}"


def test_scores_that_did_not_come_true_alarm_once_labels_have_matured(
    run: Run, tmp_path: Path
) -> None:
    """Three months later it is known who has left since: as simulated, and one customer in ten
    besides, whom nothing had announced."""
    shutil.copytree(run.settings.layout.home, tmp_path / "home", symlinks=True)
    settings = load_settings({"home": str(tmp_path / "home"), **QUICK}, environ={})
    with open_warehouse(settings) as warehouse:
        before = warehouse.read_table("mart_score_outcome", "dimension = 'all customers'")
    assert list(before["verdict"]) == ["not matured"]
    assert before["estimated_share_low"].iloc[0] < before["estimated_share"].iloc[0]
    raw = tmp_path / "home" / "raw"
    for month in ("2025-05", "2025-06", "2025-07"):
        append_month(raw, month)
    labels = pd.read_csv(raw / "churn_label.csv")
    lured = (labels["label_date"] == f"{SCORED}") & labels["customer_id"].str.endswith("3")
    labels.loc[lured, "churn"] = 1
    labels.to_csv(raw / "churn_label.csv", index=False)
    later = Run(settings)
    run_pipeline(later, str(raw), mode="score")
    with open_warehouse(settings) as warehouse:
        rows = warehouse.read_table("mart_score_outcome", "dimension = 'all customers'")
        health = warehouse.query(
            "select verdict, detail from mart_health where area = 'Model: published scores'"
        ).iloc[0]
        measured = warehouse.read_external("score_outcome", later.run_id)
    outcome = rows[rows["is_newest"]].iloc[0]
    assert (outcome["scored_run_id"], outcome["verdict"]) == (run.run_id, "too low")
    assert outcome["is_off"] and not outcome["is_share_held"]
    assert sorted(rows["verdict"]) == ["not matured", "too low"]
    overall = measured[measured["dimension"] == "all customers"].set_index("measure")
    assert overall.loc["pr_auc", "customer_count"] == outcome["customer_count"]
    assert outcome["pr_auc"] == pytest.approx(overall.loc["pr_auc", "measured_value"], abs=1e-6)
    assert health["verdict"] == "alarm"
    assert outcome["finding"] in health["detail"]
    alert = settings.layout.reports / "alerts" / f"{later.run_id}-outcomes.json"
    told = json.loads(alert.read_text(encoding="utf-8"))
    assert told["severity"] == "critical"
    assert outcome["finding"] in told["title"] and "spanishgas run" in told["text"]
