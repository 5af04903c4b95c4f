"""`spanishgas backtest` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from python_ml.simulate.run import simulate
from tests.integration.command import spanishgas

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
