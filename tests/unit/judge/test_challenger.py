"""A worse challenger is rejected, a better one promoted, and every decision is on record."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from python_ml.errors import UsageError
from python_ml.judge.verdict import EvaluateResult
from python_ml.pipeline.evaluate import evaluate
from python_ml.pipeline.score import score
from python_ml.pipeline.train import fit_by_protocol, labelled_rows, train
from python_ml.registry import APPROVED, PENDING, REJECTED, open_registry, promotion
from python_ml.registry.base import Registry
from tests.unit import gold_fixture as gold

pytestmark = pytest.mark.slow

# Only the comparison is to decide here.
NO_LIMITS = {"gate.minimum_pr_auc": 0.0, "gate.minimum_recall": 0.0, "gate.maximum_ece": 1.0}
ARGUMENTS: dict[str, Any] = {
    "is_roll_back": False,
    "reason": "",
    "decided_by": "maria",
    "force": False,
}


def candidate(
    home: Path,
    run_id: str,
    frame: pd.DataFrame | None = None,
    as_of_date: date = gold.AS_OF_DATE,
    /,
    **overrides: Any,
) -> EvaluateResult:
    """Train and evaluate one version on its own data."""
    settings = gold.settings_for(home, **{**NO_LIMITS, **overrides})
    frame = gold.gold_frame() if frame is None else frame
    # Rows of an earlier date rest on nothing later.
    frame = frame.assign(as_of_date=as_of_date, max_reading_date=pd.Timestamp(as_of_date))
    warehouse = gold.warehouse_with(settings, frame)
    trained = train(warehouse, settings, gold.contract(), run_id, as_of_date)
    return evaluate(warehouse, settings, gold.contract(), run_id, trained.model_version)


@pytest.fixture(scope="module")
def champion_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose champion has all features."""
    home = tmp_path_factory.mktemp("home")
    first = candidate(home, "run-1")
    open_registry(gold.settings_for(home)).promote(first.model_version, "run-1")
    return home


@pytest.fixture
def registry(champion_home: Path, tmp_path: Path) -> Registry:
    """The registry of a copy of that home, in which challengers are trained."""
    shutil.copytree(champion_home, tmp_path, dirs_exist_ok=True)
    return open_registry(gold.settings_for(tmp_path))


def failed(result: EvaluateResult) -> set[str]:
    return {check.check_name for check in result.checks if not check.is_passed}


def test_fewer_features_are_rejected(tmp_path: Path, registry: Registry) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # Without lifecycle, and without intent.
        patch.setattr(gold, "TIERS", ["MP risk", "2B"])
        result = candidate(tmp_path, "run-2")
    assert "pr_auc_difference_to_champion" in failed(result)
    assert registry.status(result.model_version) == REJECTED
    assert registry.champion() == "churn-run-1"


def test_shuffled_labels_are_rejected_at_the_base_rate(tmp_path: Path, registry: Registry) -> None:
    """A batch whose labels went astray: nothing can be learned, and nothing is."""
    frame = gold.gold_frame()
    frame["churn"] = np.random.default_rng(4).permutation(frame["churn"].to_numpy())
    result = candidate(tmp_path, "run-2", frame, **{"gate.minimum_pr_auc": 0.3})
    pr_auc, base_rate = (result.metrics[name] for name in ("pr_auc", "base_rate"))
    assert pr_auc.low < base_rate.value < pr_auc.high
    assert pr_auc.value < base_rate.value + 0.06
    assert "pr_auc" in failed(result)
    assert registry.status(result.model_version) == REJECTED
    assert registry.champion() == "churn-run-1"


def test_a_model_of_shuffled_labels_tells_nothing_of_the_true_ones(tmp_path: Path) -> None:
    """Trained on labels that went astray, tested on true ones: PR-AUC is the base rate."""
    settings = gold.settings_for(tmp_path)
    rows = labelled_rows(gold.gold_frame(6000), gold.contract(), settings, gold.AS_OF_DATE)
    training = rows[rows["split_part"] == "train"].reset_index(drop=True)
    test = rows[rows["split_part"] == "test"]
    columns = gold.contract().experiment(settings, "E5_full")
    churn = test["churn"].to_numpy()
    found = {}
    for name in ("true", "shuffled"):
        if name == "shuffled":
            order = np.random.default_rng(2).permutation(len(training))
            training["churn"] = training["churn"].to_numpy()[order]
        fitted = fit_by_protocol(training, columns, "churn", "E5_full", settings)
        score = fitted.model.predict(test)["raw_score"].to_numpy()
        found[name] = average_precision_score(churn, score)
    assert found["true"] > 3 * churn.mean()
    assert found["shuffled"] == pytest.approx(churn.mean(), abs=0.035)


def test_stale_data_are_rejected_however_well_they_score(
    tmp_path: Path, registry: Registry
) -> None:
    result = candidate(tmp_path, "run-2", None, date(2024, 6, 30))
    assert "days_newer_than_champion" in failed(result)
    assert "2024-06-30" in " ".join(result.reasons)
    assert registry.status(result.model_version) == REJECTED


def test_a_better_challenger_is_approved_and_promoted(tmp_path: Path) -> None:
    weakened = {"model.xgboost.n_estimators": 1, "model.additive.knots": 0}
    weak = candidate(tmp_path, "run-1", **weakened)
    registry = open_registry(gold.settings_for(tmp_path))
    registry.promote(weak.model_version, "run-1")
    better = candidate(tmp_path, "run-2")
    assert not failed(better)
    assert better.status == APPROVED
    difference = {check.check_name: check for check in better.checks}
    assert difference["pr_auc_difference_to_champion"].observed_value > -0.01
    registry.promote(better.model_version, "run-2")
    assert (registry.champion(), registry.previous_champion()) == ("churn-run-2", "churn-run-1")


def test_manual_approval_leaves_the_word_to_a_person(tmp_path: Path, registry: Registry) -> None:
    result = candidate(tmp_path, "run-2", **{"gate.approval": "manual"})
    assert result.status == PENDING
    assert not failed(result)
    result.raise_if_rejected()
    version = result.model_version
    promotion.approve(registry, version, **ARGUMENTS)
    assert registry.status(version) == APPROVED
    last = registry.decisions(version)[-1]
    assert (last["action"], last["decided_by"]) == ("promote", "maria")
    assert last["evidence"]["metrics"]["pr_auc"]["value"] == result.metrics["pr_auc"].value
    assert last["evidence"]["champion_before"] == "churn-run-1"


def test_a_rejected_version_takes_force_and_a_reason(tmp_path: Path, registry: Registry) -> None:
    result = candidate(tmp_path, "run-2", None, date(2024, 6, 30))
    for words in ({}, {"force": True}, {"reason": "because"}):
        with pytest.raises(UsageError, match="rejected"):
            promotion.approve(registry, result.model_version, **{**ARGUMENTS, **words})
    forced = {**ARGUMENTS, "force": True, "reason": "the new data are broken"}
    promotion.approve(registry, result.model_version, **forced)
    last = registry.decisions(result.model_version)[-1]
    assert last["status"] == APPROVED
    assert last["reason"] == "the new data are broken (forced: was rejected)"
    assert "days_newer_than_champion" in last["evidence"]["failed_checks"]


def test_what_was_never_evaluated_is_not_promoted_by_mistake(
    tmp_path: Path, registry: Registry
) -> None:
    settings = gold.settings_for(tmp_path)
    warehouse = gold.warehouse_with(settings, gold.gold_frame())
    trained = train(warehouse, settings, gold.contract(), "run-2", gold.AS_OF_DATE)
    with pytest.raises(UsageError, match="never evaluated"):
        promotion.approve(registry, trained.model_version, **ARGUMENTS)


def test_roll_back_restores_byte_identical_scores(tmp_path: Path, registry: Registry) -> None:
    settings = gold.settings_for(tmp_path)
    warehouse = gold.warehouse_with(settings, gold.gold_frame())
    score(warehouse, settings, gold.contract(), "run-1", gold.AS_OF_DATE)
    second = candidate(tmp_path, "run-2", **{"model.xgboost.max_depth": 2})
    registry.decide(second.model_version, APPROVED, "a test", "maria")
    registry.promote(second.model_version, "run-2")
    score(warehouse, settings, gold.contract(), "run-2", gold.AS_OF_DATE)
    back = promotion.chosen_version(registry, None, is_roll_back=True)
    promotion.approve(registry, back, **{**ARGUMENTS, "is_roll_back": True})
    registry.promote(back, "run-3")
    score(warehouse, settings, gold.contract(), "run-3", gold.AS_OF_DATE)
    scores = {
        run: warehouse.read_external("customer_score", run).drop(columns="run_id")
        for run in ("run-1", "run-2", "run-3")
    }
    assert not scores["run-1"].equals(scores["run-2"])
    parts = settings.layout.lake / "ml" / "customer_score"
    first, third = ((parts / f"run_id={run}" / "part-0.parquet") for run in ("run-1", "run-3"))
    assert first.read_bytes() == third.read_bytes()


@pytest.mark.parametrize(("version", "is_roll_back"), [("churn-run-1", True), (None, False)])
def test_promote_wants_a_version_or_a_roll_back(
    registry: Registry, version: str | None, is_roll_back: bool
) -> None:
    with pytest.raises(UsageError, match="not both"):
        promotion.chosen_version(registry, version, is_roll_back=is_roll_back)


def test_there_may_be_nothing_to_roll_back_to(registry: Registry) -> None:
    with pytest.raises(UsageError, match="no earlier champion"):
        promotion.chosen_version(registry, None, is_roll_back=True)


def test_the_pointer_follows_a_warehouse_published_before_a_kill(
    tmp_path: Path, registry: Registry
) -> None:
    """A run that was killed after the rename has published; the next command finishes its work."""
    import duckdb

    second = candidate(tmp_path, "run-2")
    settings = gold.settings_for(tmp_path)
    assert promotion.reconcile(settings) is None, "a warehouse without marts says nothing"
    with duckdb.connect(str(settings.layout.warehouse)) as connection:
        connection.execute(
            "create table mart_overview as "
            f"select 'run-2' as run_id, '{second.model_version}' as model_version"
        )
    assert registry.champion() == "churn-run-1"
    assert promotion.reconcile(settings) == second.model_version
    assert (registry.champion(), registry.previous_champion()) == ("churn-run-2", "churn-run-1")
    assert promotion.reconcile(settings) is None
    with duckdb.connect(str(settings.layout.warehouse)) as connection:
        connection.execute("update mart_overview set model_version = 'churn-unknown'")
    assert promotion.reconcile(settings) is None


def test_the_decision_table_holds_every_decision(tmp_path: Path, registry: Registry) -> None:
    candidate(tmp_path, "run-2", None, date(2024, 6, 30))
    table = promotion.decision_table(registry)
    assert table["model_version"].tolist() == ["churn-run-1"] * 2 + ["churn-run-2"] * 2
    assert table["status"].tolist() == [PENDING, APPROVED, PENDING, REJECTED]
    assert table["action"].tolist() == ["register", "gate"] * 2
    warehouse = gold.warehouse_with(gold.settings_for(tmp_path), gold.gold_frame())
    warehouse.write_external("model_decision", table, "run-2")
    assert len(warehouse.read_external("model_decision", "run-2")) == 4
