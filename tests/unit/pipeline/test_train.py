"""The protocol: what is learned, from which rows, and that it is learned alike each time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from python_ml.engines import Warehouse
from python_ml.errors import BadInputError
from python_ml.model.calibrate import choose_threshold
from python_ml.pipeline.results import TrainResult
from python_ml.pipeline.train import FittedModel, fit_by_protocol, labelled_rows, train
from python_ml.registry import open_registry
from python_ml.settings import Settings
from tests.unit import gold_fixture as gold

pytestmark = pytest.mark.thorough

CHURN = "churn"


def run(
    home: Path, frame: pd.DataFrame | None = None, run_id: str = "run-1", /, **overrides: Any
) -> tuple[Settings, Warehouse, TrainResult]:
    settings = gold.settings_for(home, **overrides)
    warehouse = gold.warehouse_with(settings, gold.gold_frame() if frame is None else frame)
    result = train(warehouse, settings, gold.contract(), run_id, gold.AS_OF_DATE)
    return settings, warehouse, result


def training_part(settings: Settings, frame: pd.DataFrame | None = None) -> pd.DataFrame:
    frame = gold.gold_frame() if frame is None else frame
    rows = labelled_rows(frame, gold.contract(), settings, gold.AS_OF_DATE)
    return rows[rows["split_part"] == "train"].reset_index(drop=True)


def fit(settings: Settings, training: pd.DataFrame) -> FittedModel:
    columns = gold.contract().experiment(settings, "E5_full")
    return fit_by_protocol(training, columns, CHURN, "E5_full", settings)


def test_perturbed_test_rows_change_nothing_in_the_artifact(tmp_path: Path) -> None:
    """Labels of the split's strata aside, the test part is as good as absent."""
    settings, warehouse, result = run(tmp_path / "a")
    test = warehouse.read_external("model_split", "run-1").query("split_part == 'test'")
    frame = gold.gold_frame()
    is_test = frame["customer_id"].isin(test["customer_id"])
    rng = np.random.default_rng(0)
    # Labels swapped within the test part keep its churn rate, on which the split depends.
    frame.loc[is_test, CHURN] = rng.permutation(frame.loc[is_test, CHURN].to_numpy())
    frame.loc[is_test, "months_to_renewal"] = rng.normal(1000, 1, is_test.sum())
    frame.loc[is_test, "sales_channel"] = "Only in test"
    rows = labelled_rows(gold.gold_frame(), gold.contract(), settings, gold.AS_OF_DATE)
    frame = frame.merge(rows[["customer_id", "split_part", "cv_fold"]], on="customer_id")
    training = frame[frame["split_part"] == "train"].reset_index(drop=True)
    perturbed = fit(settings, training)
    assert perturbed.model.sha256() == result.sha256


def test_a_training_label_does_change_the_artifact(tmp_path: Path) -> None:
    settings = gold.settings_for(tmp_path)
    training = training_part(settings)
    changed = training.copy()
    changed.loc[[0, 1], CHURN] = 1 - changed.loc[[0, 1], CHURN]
    assert fit(settings, training).model.sha256() != fit(settings, changed).model.sha256()


def test_out_of_fold_scores_come_from_models_that_have_not_seen_the_row(tmp_path: Path) -> None:
    """With a feature that names the row, a reused row would be read by heart; a held-out one
    cannot be."""
    settings = gold.settings_for(tmp_path, **{"model.xgboost.max_depth": 8})
    frame = gold.gold_frame(800)
    rng = np.random.default_rng(3)
    frame[CHURN] = (rng.random(800) < 0.3).astype(int)
    frame["months_to_renewal"] = rng.permutation(800).astype(float)
    training = training_part(settings, frame)
    fitted = fit(settings, training)
    churn = training[CHURN].to_numpy()
    seen = fitted.model.predict(training)["raw_score"].to_numpy()

    def gap(score: np.ndarray) -> float:
        return float(score[churn == 1].mean() - score[churn == 0].mean())

    assert gap(seen) > 0.3
    assert gap(fitted.out_of_fold) < 0.03


def test_threshold_is_chosen_on_calibrated_out_of_fold_scores(tmp_path: Path) -> None:
    """A threshold on other scores than those that ship would flag too many or too few."""
    settings = gold.settings_for(tmp_path)
    training = training_part(settings)
    fitted = fit(settings, training)
    churn = training[CHURN].to_numpy()
    minimum = settings.model.minimum_recall
    assert fitted.model.threshold == choose_threshold(fitted.out_of_fold, churn, minimum)
    recall = (fitted.out_of_fold[churn == 1] >= fitted.model.threshold).mean()
    assert recall >= minimum


def test_calibrated_out_of_fold_scores_match_the_churn_rate(tmp_path: Path) -> None:
    settings = gold.settings_for(tmp_path)
    training = training_part(settings)
    fitted = fit(settings, training)
    assert fitted.out_of_fold.mean() == pytest.approx(training[CHURN].mean(), abs=0.01)
    raw = fitted.model.predict(training)["raw_score"]
    # No class weighs more than the other, so that raw scores are near already.
    assert raw.mean() == pytest.approx(training[CHURN].mean(), abs=0.02)


def test_two_runs_give_the_same_bits_whatever_the_order_of_rows(tmp_path: Path) -> None:
    frame = gold.gold_frame()
    *_, first = run(tmp_path / "a", frame)
    *_, second = run(tmp_path / "b", frame.sample(frac=1, random_state=9), "run-2")
    assert first.sha256 == second.sha256
    *_, other = run(tmp_path / "c", frame, **{"model.seed": 43})
    assert other.sha256 != first.sha256


def test_business_columns_are_never_trained_on(tmp_path: Path) -> None:
    settings, _, result = run(tmp_path)
    model = open_registry(settings).load(result.model_version).model
    assert "avg_monthly_margin_eur" not in model.features
    assert CHURN not in model.features
    frame = gold.gold_frame()
    leaking = frame.assign(avg_monthly_margin_eur=frame[CHURN] * 100.0)
    *_, again = run(tmp_path / "b", leaking)
    assert again.sha256 == result.sha256


def test_without_sentiment_the_fallback_is_trained_and_said(tmp_path: Path) -> None:
    settings, _, result = run(tmp_path, **{"sentiment.backend": "none"})
    assert result.experiment == "E8_no_sentiment"
    assert "E8_no_sentiment" in result.message and "no sentiment" in result.message
    registered = open_registry(settings).load(result.model_version)
    assert "is_negative_sentiment" not in registered.model.features
    assert registered.origin["sentiment_backend"] is None


def test_unlabelled_customers_are_left_out_of_training(tmp_path: Path) -> None:
    frame = gold.gold_frame(1600)
    frame["churn"] = frame["churn"].astype("Int64")
    frame.loc[1500:, "churn"] = None
    _, warehouse, result = run(tmp_path, frame)
    assert result.train_count + result.test_count == 1500
    split = warehouse.read_external("model_split", "run-1")
    assert "C01600" not in set(split["customer_id"])


def test_no_label_at_all_is_said(tmp_path: Path) -> None:
    frame = gold.gold_frame(100)
    frame["churn"] = None
    with pytest.raises(BadInputError, match=r"churn_label.*100 customers.*mode score"):
        run(tmp_path, frame)


@pytest.mark.parametrize("encoding", ["one_hot", "native"])
def test_either_encoding_survives_being_stored(tmp_path: Path, encoding: str) -> None:
    settings, _, result = run(tmp_path, **{"model.category_encoding": encoding})
    model = open_registry(settings).load(result.model_version).model
    fitted = fit(settings, training_part(settings))
    frame = gold.gold_frame(200, seed=5)
    np.testing.assert_array_equal(
        model.predict(frame).to_numpy(), fitted.model.predict(frame).to_numpy()
    )


def test_result_is_json(tmp_path: Path) -> None:
    *_, result = run(tmp_path)
    document = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert document["as_of_date"] == "2024-12-31"
    assert document["train_churner_count"] > 0
    assert replace(result, seconds=0.0).model_version == "churn-run-1"
