"""Where gold does not fit, a random sample of customers stands for all, and says so."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from python_ml.judge.drift.monitor import watch_drift
from python_ml.judge.sample import EVERYBODY, CustomerSample, sample_of_date
from python_ml.judge.snapshot import (
    SCORED_ROWS,
    TRAINING_ROWS,
    read_gold,
    read_rows_of,
    read_scored_rows,
    read_snapshot,
    read_training_rows,
)
from python_ml.pipeline.evaluate import evaluate
from python_ml.pipeline.score import score
from python_ml.pipeline.train import train
from python_ml.registry import open_registry
from tests.unit import gold_fixture as gold

CUSTOMERS = 1600


def drawn(sample: CustomerSample, frame: pd.DataFrame) -> list[str]:
    kept: list[str] = frame.loc[sample.drawn(frame["customer_id"]), "customer_id"].to_list()
    return kept


def test_python_and_sql_draw_the_same_customers(tmp_path: Path) -> None:
    frame = gold.gold_frame(CUSTOMERS)
    warehouse = gold.warehouse_with(gold.settings_for(tmp_path), frame)
    sample = CustomerSample(0.25)
    rows = read_gold(warehouse, gold.contract(), gold.AS_OF_DATE, sample=sample)
    assert rows["customer_id"].to_pylist() == sorted(drawn(sample, frame))
    assert 300 < len(rows) < 500


def test_a_larger_sample_contains_a_smaller_one() -> None:
    frame = gold.gold_frame(CUSTOMERS)
    quarter, half = (set(drawn(CustomerSample(share), frame)) for share in (0.25, 0.5))
    assert quarter < half
    assert drawn(EVERYBODY, frame) == frame["customer_id"].to_list()


def test_the_sample_is_as_large_as_there_is_room_for(tmp_path: Path) -> None:
    warehouse = gold.warehouse_with(gold.settings_for(tmp_path), gold.gold_frame(CUSTOMERS))
    assert sample_of_date(warehouse, gold.AS_OF_DATE, 400) == CustomerSample(0.25)
    assert sample_of_date(warehouse, gold.AS_OF_DATE, CUSTOMERS) == EVERYBODY


@pytest.mark.slow
def test_a_model_of_a_sample_says_so_and_scores_everybody(tmp_path: Path) -> None:
    """Trained, tested and compared are the customers who are drawn; scored are all."""
    settings = gold.settings_for(tmp_path, **{"model.maximum_customer_count": 800})
    warehouse = gold.warehouse_with(settings, gold.gold_frame(CUSTOMERS))
    contract, day = gold.contract(), gold.AS_OF_DATE
    trained = train(warehouse, settings, contract, "run-1", day)
    sample = CustomerSample(0.5)
    size = len(drawn(sample, gold.gold_frame(CUSTOMERS)))
    assert trained.train_count + trained.test_count == size
    assert trained.message.endswith(", a random 50.0% of the customers")
    origin = open_registry(settings).load(trained.model_version).origin
    assert len(read_training_rows(settings, origin).frame) == size
    result = evaluate(warehouse, settings, contract, "run-1", trained.model_version)
    assert result.test_count == trained.test_count
    assert "a random 50.0%" in Path(result.card).read_text(encoding="utf-8")
    score(warehouse, settings, contract, "run-1", day, trained.model_version)
    assert len(warehouse.read_external("customer_score", "run-1")) == CUSTOMERS
    assert len(read_snapshot(settings, "run-1", kind=SCORED_ROWS).frame) == CUSTOMERS
    assert len(read_snapshot(settings, "run-1", kind=TRAINING_ROWS).frame) == size
    assert read_scored_rows(settings, "run-1", 800)["customer_id"].to_list() == sorted(
        drawn(sample, gold.gold_frame(CUSTOMERS))
    )
    some = ["C00003", "C00001", "nobody"]
    assert read_rows_of(settings, "run-1", some)["customer_id"].to_list() == ["C00001", "C00003"]
    frame = gold.gold_frame(CUSTOMERS)[["customer_id", "churn"]]
    gold.write_label_dates(settings, frame.assign(label_date=day))
    watch_drift(warehouse, settings, contract, "run-1", day, trained.model_version)
    found = warehouse.read_external("drift_result", "run-1")
    features = found[found["subject_kind"].str.endswith("feature")]
    assert (features["current_count"] == size).all()
    assert (features["reference_count"] == size).all()
    assert not found["is_alarm"].any()
