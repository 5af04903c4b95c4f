"""A batch with matured labels of two dates: both are learned from, and figures out of time come
first, from the files to the card."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from python_ml.engines import open_warehouse
from python_ml.judge.snapshot import TRAINING_ROWS, read_snapshot
from python_ml.judge.split import TEST, TRAIN
from python_ml.judge.verdict import EvaluateResult
from python_ml.pipeline import commands
from python_ml.pipeline.rebuild import rebuild_version
from python_ml.pipeline.results import TrainResult
from python_ml.pipeline.run import Run, run_pipeline
from python_ml.registry import open_registry
from python_ml.settings import load_settings
from python_ml.simulate.run import simulate
from python_ml.view.summary import show_evaluation
from tests.open_gate import FEW_TREES, OPEN_GATE

QUICK = {
    **OPEN_GATE,
    **FEW_TREES,
    "evaluate.bootstrap_count": 100,
    "gate.direction_customers": 200,
    # In months after the first year, whoever is about to leave gets in touch as nobody else does.
    "audit.maximum_trace_auc": 0.95,
    "audit.maximum_trace_pr_auc": 0.95,
}
EARLIER, NEWEST, SCORED = date(2024, 12, 31), date(2025, 3, 31), date(2025, 6, 30)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    home = tmp_path_factory.mktemp("dates")
    simulate(home / "raw", customers=400, seed=5, readings="typical-days", months=6)
    run = Run(load_settings({"home": str(home), **QUICK}, environ={}))
    run_pipeline(run, str(home / "raw"))
    return run


def test_both_dates_are_learned_from_and_the_newest_is_tested(run: Run) -> None:
    learned = read_snapshot(run.settings, run.run_id, kind=TRAINING_ROWS).frame
    assert sorted(set(learned["as_of_date"])) == [EARLIER, NEWEST]
    version = run.results.require(TrainResult).model_version
    origin = open_registry(run.settings).load(version).origin
    assert origin["training_as_of_dates"] == [f"{EARLIER}", f"{NEWEST}"]
    with open_warehouse(run.settings) as warehouse:
        split = warehouse.read_external("model_split", run.run_id)
        dates = warehouse.query("select distinct as_of_date from gold_master")["as_of_date"]
        rebuilt = rebuild_version(warehouse, run.settings, version)
    assert not split["customer_id"].duplicated().any()
    known = set(learned.loc[learned["as_of_date"] == NEWEST, "customer_id"])
    parts = split.set_index("customer_id")["split_part"]
    tested = run.results.require(EvaluateResult).test_count
    assert tested == (parts[list(known)] == TEST).sum()
    rows = learned["customer_id"].map(parts) == TRAIN
    assert run.results.require(TrainResult).train_count == rows.sum()
    assert sorted(dates) == [pd.Timestamp(day) for day in (EARLIER, NEWEST, SCORED)]
    assert rebuilt.is_identical


def test_whoever_has_left_is_no_row_later(run: Run) -> None:
    learned = read_snapshot(run.settings, run.run_id, kind=TRAINING_ROWS).frame
    earlier, newest = (learned[learned["as_of_date"] == day] for day in (EARLIER, NEWEST))
    left = set(earlier.loc[earlier["churn"] == 1, "customer_id"])
    assert left and not left & set(newest["customer_id"])


def test_figures_out_of_time_come_first(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    evaluated = run.results.require(EvaluateResult)
    assert evaluated.out_of_time is not None
    assert evaluated.out_of_time.training_as_of_dates == (EARLIER,)
    show_evaluation(evaluated)
    shown = " ".join(capsys.readouterr().out.split())
    assert f"Out of time: learned from labels of {EARLIER}" in shown
    assert shown.index("Out of time") < shown.index(f"Model {evaluated.model_version}")
    card = run.settings.layout.reports / "cards" / evaluated.model_version / "card.md"
    text = card.read_text(encoding="utf-8")
    assert text.index("Out of time, PR-AUC is") < text.index("customers that the model never saw")
    assert text.index("| Out of time |") < text.index("| Metric |")
    assert f"| Learned from earlier dates too | {EARLIER} |" in text
    document = json.loads(json.dumps(run.as_dict(), default=str))
    assert document["evaluation"]["out_of_time"]["metrics"]["pr_auc"]["value"] > 0
    cards = Path("infra/metabase/dashboards/model_performance")
    figure = evaluated.out_of_time.metrics["pr_auc"].value
    plain = evaluated.out_of_time.metrics_without_text["pr_auc"].value
    with open_warehouse(run.settings) as warehouse:
        page = warehouse.query((cards / "metrics.sql").read_text())
        tiles = [
            warehouse.query((cards / f"{name}.sql").read_text())["measure_value"].tolist()
            for name in ("pr_auc", "pr_auc_without_text")
        ]
    assert page["measure"].iloc[0] == "PR-AUC, out of time"
    assert page["champion_value"].iloc[0] == pytest.approx(figure)
    assert tiles == [[figure], [plain]]


def test_a_candidate_on_published_data_learns_from_the_same_dates(run: Run) -> None:
    first = run.results.require(TrainResult)
    again = commands.train_candidate(Run(run.settings))
    assert again.sha256 == first.sha256
    judged = commands.evaluate_candidate(Run(run.settings), again.model_version)
    assert judged.out_of_time is not None
    before = run.results.require(EvaluateResult).out_of_time
    assert before is not None
    assert judged.out_of_time.metrics == before.metrics
