"""The test part is the stored one, the gate decides, and a rejection touches nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from python_ml.engines import Warehouse
from python_ml.errors import ModelGateError, SpanishGasError
from python_ml.judge.verdict import EvaluateResult
from python_ml.pipeline.evaluate import evaluate
from python_ml.pipeline.train import train
from python_ml.registry import APPROVED, REJECTED, open_registry
from python_ml.settings import Settings
from tests.unit import gold_fixture as gold

pytestmark = pytest.mark.thorough

Evaluated = tuple[Settings, Warehouse, EvaluateResult]


def run(
    home: Path, frame: pd.DataFrame | None = None, run_id: str = "run-1", /, **overrides: Any
) -> Evaluated:
    settings = gold.settings_for(home, **overrides)
    warehouse = gold.warehouse_with(settings, gold.gold_frame() if frame is None else frame)
    version = train(warehouse, settings, gold.contract(), run_id, gold.AS_OF_DATE).model_version
    return settings, warehouse, evaluate(warehouse, settings, gold.contract(), run_id, version)


def figure(
    table: pd.DataFrame,
    metric: str,
    feature_set: str = "champion",
    dimension: str = "overall",
) -> pd.Series:
    chosen = table[
        (table["metric"] == metric)
        & (table["feature_set"] == feature_set)
        & (table["slice_dimension"] == dimension)
    ]
    return chosen.set_index("slice_value")["metric_value"]


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    return run(tmp_path_factory.mktemp("home"))


def test_figures_are_those_of_the_stored_test_part(evaluated: Evaluated) -> None:
    from sklearn.metrics import average_precision_score

    settings, warehouse, result = evaluated
    test = warehouse.read_external("model_split", "run-1").query("split_part == 'test'")
    frame = gold.gold_frame()
    frame = frame[frame["customer_id"].isin(test["customer_id"])]
    model = open_registry(settings).load(result.model_version).model
    predicted = model.predict(frame)
    assert result.test_count == len(frame) == 300
    assert result.metrics["pr_auc"].value == pytest.approx(
        average_precision_score(frame["churn"], predicted["churn_probability"])
    )
    flagged = predicted["is_flagged"].to_numpy()
    assert result.metrics["recall"].value == pytest.approx(
        flagged[frame["churn"].to_numpy() == 1].mean()
    )
    for estimate in (result.metrics["pr_auc"], result.metrics["roc_auc"]):
        assert estimate.low < estimate.value < estimate.high


@pytest.mark.slow
def test_a_changed_gold_does_not_change_the_test_part(tmp_path: Path) -> None:
    settings, _, result = run(tmp_path)
    other = gold.warehouse_with(settings, gold.gold_frame(seed=99))
    again = evaluate(other, settings, gold.contract(), "run-1", result.model_version)
    assert again.metrics == result.metrics


@pytest.mark.slow
def test_a_changed_split_is_noticed(tmp_path: Path) -> None:
    settings, warehouse, result = run(tmp_path)
    split = warehouse.read_external("model_split", "run-1").drop(columns="run_id")
    split.loc[split["split_part"] == "test", "split_part"] = "train"
    warehouse.write_external("model_split", split.assign(cv_fold=1), "run-1")
    with pytest.raises(SpanishGasError, match="not the split"):
        evaluate(warehouse, settings, gold.contract(), "run-1", result.model_version)


def test_text_carries_what_the_fixture_gave_it(evaluated: Evaluated) -> None:
    _, warehouse, result = evaluated
    drop = result.metrics["pr_auc"].value - result.metrics_without_text["pr_auc"].value
    assert drop > 0.1
    table = warehouse.read_external("model_metric", "run-1")
    assert figure(table, "pr_auc", "without_text")["overall"] == pytest.approx(
        result.metrics_without_text["pr_auc"].value
    )


def test_slices_cover_the_test_part(evaluated: Evaluated) -> None:
    settings, warehouse, result = evaluated
    table = warehouse.read_external("model_metric", "run-1")
    assert set(table["slice_dimension"]) == {"overall", *settings.evaluate.segments}
    accuracy = table[(table["metric"] == "accuracy") & (table["feature_set"] == "champion")]
    for dimension in settings.evaluate.segments:
        part = accuracy[accuracy["slice_dimension"] == dimension]
        assert part["customer_count"].sum() == result.test_count
        assert part["churner_count"].sum() == result.test_churner_count
        weighted = (part["metric_value"] * part["customer_count"]).sum() / result.test_count
        assert weighted == pytest.approx(result.metrics["accuracy"].value)


def test_curves_agree_with_the_metrics(evaluated: Evaluated) -> None:
    _, warehouse, result = evaluated
    curves = warehouse.read_external("model_curve", "run-1").query("feature_set == 'champion'")
    curve = {name: part.sort_values("point") for name, part in curves.groupby("curve")}
    assert set(curve) == {
        *("precision_recall", "roc", "reliability", "profit"),
        *("decile_precision", "decile_lift", "decile_recall"),
    }
    reliability = curve["reliability"]
    ece = np.abs(reliability["y"] - reliability["x"]).mean()
    assert ece == pytest.approx(result.metrics["ece"].value)
    roc = curve["roc"]
    area = np.trapezoid(np.append(0, roc["y"]), np.append(0, roc["x"]))
    assert area == pytest.approx(result.metrics["roc_auc"].value, abs=0.01)
    deciles = curve["decile_precision"]
    assert deciles["customer_count"].sum() == result.test_count
    assert deciles["y"].mean() == pytest.approx(result.metrics["base_rate"].value)
    assert curve["decile_recall"]["y"].iloc[-1] == pytest.approx(1)
    assert curve["decile_lift"]["y"].mean() == pytest.approx(1)
    everybody = result.metrics["profit_everybody_eur"].value
    assert curve["profit"]["y"].iloc[-1] == pytest.approx(everybody)


def test_profit_follows_the_economics(evaluated: Evaluated) -> None:
    """Every flagged churner is worth 0.4 x 7 x 32 = 89.60 EUR, every contact costs 20 EUR."""
    _, _, result = evaluated
    found = result.metrics["true_positive_count"].value
    wasted = result.metrics["false_positive_count"].value
    expected = found * 89.6 - (found + wasted) * 20
    assert result.metrics["profit_at_threshold_eur"].value == pytest.approx(expected)


def test_passing_the_gate_approves(evaluated: Evaluated) -> None:
    settings, warehouse, result = evaluated
    assert result.is_approved and not result.reasons
    result.raise_if_rejected()
    assert open_registry(settings).status(result.model_version) == APPROVED
    gate = warehouse.read_external("model_gate", "run-1")
    assert gate["check_name"].tolist() == [
        *("pr_auc", "pr_auc_lift", "recall", "ece"),
        *("pr_auc_over_benchmark", "unaccepted_leakage_alarms"),
    ]
    assert gate["is_passed"].all()


@pytest.mark.parametrize(
    ("limit", "value", "check"),
    [
        ("gate.minimum_pr_auc", 0.99, "pr_auc"),
        ("gate.minimum_recall", 0.99, "recall"),
    ],
)
@pytest.mark.slow
def test_each_limit_alone_rejects(tmp_path: Path, limit: str, value: float, check: str) -> None:
    settings, warehouse, result = run(tmp_path, **{limit: value})
    assert len(result.reasons) == 1 and result.reasons[0].startswith(check)
    registry = open_registry(settings)
    assert registry.status(result.model_version) == REJECTED
    assert registry.decisions(result.model_version)[-1]["reason"] == result.reasons[0]
    gate = warehouse.read_external("model_gate", "run-1").set_index("check_name")
    assert not gate.loc[check, "is_passed"] and gate["is_passed"].sum() == len(gate) - 1
    with pytest.raises(ModelGateError, match=result.model_version):
        result.raise_if_rejected()


@pytest.mark.slow
def test_a_rejected_challenger_leaves_champion_and_scores(tmp_path: Path) -> None:
    from python_ml.pipeline.score import score

    settings, warehouse, first = run(tmp_path)
    registry = open_registry(settings)
    registry.promote(first.model_version, "run-1")
    score(warehouse, settings, gold.contract(), "run-1", gold.AS_OF_DATE)
    before = {
        path: path.read_bytes()
        for folder in ("champion.json", "churn-run-1/model.json", "churn-run-1/booster.json")
        for path in [settings.layout.models / folder]
    }
    scores = warehouse.read_external("customer_score")
    # The challenger learned from shuffled labels; the test part carries true ones.
    frame = gold.gold_frame()
    split = warehouse.read_external("model_split", "run-1")
    training = frame["customer_id"].isin(split.query("split_part == 'train'")["customer_id"])
    rng = np.random.default_rng(0)
    frame.loc[training, "churn"] = rng.permutation(frame.loc[training, "churn"].to_numpy())
    limits = {"gate.minimum_pr_auc": 0.0, "gate.minimum_recall": 0.0, "gate.maximum_ece": 1.0}
    *_, second = run(tmp_path, frame, "run-2", **limits)
    failed = [check.check_name for check in second.checks if not check.is_passed]
    assert "pr_auc_difference_to_champion" in failed
    assert "churn-run-1" in second.reasons[0]
    assert registry.champion() == first.model_version
    assert {path: path.read_bytes() for path in before} == before
    assert warehouse.read_external("customer_score").equals(scores)


@pytest.mark.slow
def test_an_equal_challenger_passes_on_the_same_rows(tmp_path: Path) -> None:
    settings, _, first = run(tmp_path)
    open_registry(settings).promote(first.model_version, "run-1")
    *_, second = run(tmp_path, None, "run-2")
    checks = {check.check_name: check for check in second.checks}
    check = checks["pr_auc_difference_to_champion"]
    assert (check.observed_value, check.is_passed) == (0.0, True)
    assert "300 rows" in check.detail


@pytest.mark.slow
def test_rows_that_the_champion_knows_are_not_compared_on(tmp_path: Path) -> None:
    settings, _, first = run(tmp_path)
    open_registry(settings).promote(first.model_version, "run-1")
    *_, second = run(tmp_path, None, "run-2", **{"model.seed": 43})
    # Another seed tests other customers; about a fifth were in the champion's test part.
    checks = {check.check_name: check for check in second.checks}
    detail = checks["pr_auc_difference_to_champion"].detail
    compared = int(detail.split(" on ")[1].split(" ")[0])
    assert 35 < compared < 90


@pytest.mark.slow
def test_a_champion_that_cannot_read_todays_rows_is_not_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, _, first = run(tmp_path)
    registry = open_registry(settings)
    registry.promote(first.model_version, "run-1")
    columns = {name: value for name, value in gold.COLUMNS.items() if name != "segment"}
    monkeypatch.setattr(gold, "COLUMNS", columns)
    limits = {"evaluate.segments": ["sales_channel"]}
    frame = gold.gold_frame().drop(columns="segment")
    *_, second = run(tmp_path, frame, "run-2", **limits)
    check = second.checks[-1]
    assert check.is_passed and "cannot read" in check.detail and "segment" in check.detail


@pytest.mark.slow
def test_shuffled_labels_fall_to_the_base_rate(tmp_path: Path) -> None:
    frame = gold.gold_frame(4000)
    rng = np.random.default_rng(1)
    frame["churn"] = rng.permutation(frame["churn"].to_numpy())
    *_, result = run(tmp_path, frame)
    base_rate = result.metrics["base_rate"].value
    assert result.metrics["pr_auc"].value == pytest.approx(base_rate, abs=0.05)
    assert result.metrics["roc_auc"].low <= 0.5 <= result.metrics["roc_auc"].high


def test_result_and_stored_evidence_are_json(evaluated: Evaluated) -> None:
    settings, _, result = evaluated
    document = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    stored = settings.layout.models / result.model_version / "evaluation.json"
    assert json.loads(stored.read_text()) == document
    assert set(document["metrics"]["pr_auc"]) == {"value", "low", "high"}
