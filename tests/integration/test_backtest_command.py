"""`spanishgas backtest` as a user runs it, and that gold of an as-of date knows nothing later."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from command import spanishgas

from python_ml.config import load_settings
from python_ml.dataset import read_contract, read_gold
from python_ml.land import land
from python_ml.modelling.backtest import AS_OF_MODELS, _runner
from python_ml.sentiment import label_sentiment
from python_ml.simulate import simulate
from python_ml.warehouse import open_warehouse

QUICK = {
    "SPANISHGAS_MODEL__XGBOOST__N_ESTIMATORS": "40",
    "SPANISHGAS_MODEL__XGBOOST__LEARNING_RATE": "0.15",
    "SPANISHGAS_BACKTEST__MINIMUM_CHURNER_COUNT": "15",
    "SPANISHGAS_EVALUATE__BOOTSTRAP_COUNT": "100",
}
CUSTOMERS, SEED = 300, 8


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("backtest")
    simulate(home / "raw", customers=CUSTOMERS, seed=SEED, readings="typical-days", months=6)
    return home


def test_it_trains_on_matured_labels_and_tests_later(home: Path) -> None:
    done = spanishgas("backtest", home=home, **QUICK)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    pairs = {(row["train_as_of_date"], row["test_as_of_date"]) for row in document["results"]}
    assert pairs == {("2024-12-31", "2025-03-31")}
    assert document["newest"] == document["results"]
    metrics = {row["metric"] for row in document["results"] if row["slice"] == "overall"}
    assert {"pr_auc", "roc_auc_without_text", "ece", "realised_churn"} <= metrics
    assert Path(document["plot"]).read_bytes().startswith(b"\x89PNG")
    # Nothing was published before, so nothing is now; the rows wait in the lake.
    assert not (home / "warehouse.duckdb").exists()
    assert list((home / "lake" / "ml" / "backtest_result").rglob("part-0.parquet"))


def test_gold_of_an_as_of_date_is_that_of_the_batch_delivered_then(
    home: Path, tmp_path: Path
) -> None:
    """Everything delivered later leaves the row of an earlier as-of date as it is."""
    simulate(tmp_path / "raw", customers=CUSTOMERS, seed=SEED, readings="typical-days", months=3)
    then = gold(tmp_path / "raw", tmp_path / "then", date(2025, 3, 31))
    later = gold(home / "raw", tmp_path / "later", date(2025, 3, 31))
    assert then["churn"].isna().all() and later["churn"].notna().all()
    pd.testing.assert_frame_equal(then.drop(columns="churn"), later.drop(columns="churn"))


def gold(raw: Path, folder: Path, as_of_date: date) -> pd.DataFrame:
    settings = load_settings({"home": str(folder)}, environ={})
    land(str(raw), settings)
    runner = _runner(settings, folder, as_of_date)
    with open_warehouse(settings) as warehouse:
        warehouse.declare_external_tables()
        runner.build("resource_type:seed bronze")
        label_sentiment(warehouse, settings, "test")
        runner.run(AS_OF_MODELS, exclude="resource_type:seed")
        return read_gold(warehouse, read_contract(runner.manifest()), as_of_date).to_pandas()
