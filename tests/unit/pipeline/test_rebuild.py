"""A version made again from snapshot, split, settings and seed is the same, bit for bit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from python_ml.engines import Warehouse, open_ledger
from python_ml.engines.ledger import RunRecord
from python_ml.errors import SpanishGasError
from python_ml.pipeline.identity import git_sha
from python_ml.pipeline.rebuild import rebuild_version
from python_ml.pipeline.results import TrainResult
from python_ml.pipeline.train import train
from python_ml.registry import open_registry
from tests.unit import gold_fixture as gold

pytestmark = pytest.mark.thorough

Trained = tuple[Warehouse, TrainResult]


@pytest.fixture
def home(tmp_path: Path) -> Trained:
    settings = gold.settings_for(tmp_path, **{"model.minimum_recall": 0.6, "model.seed": 9})
    frame = gold.gold_frame()
    frame["churn"] = frame["churn"].astype("Int64")
    frame.loc[7, "churn"] = None
    warehouse = gold.warehouse_with(settings, frame)
    trained = train(warehouse, settings, gold.contract(), "run-1", gold.AS_OF_DATE)
    return warehouse, trained


def test_artifact_and_scores_come_again_whatever_the_settings_of_today(
    home: Trained, tmp_path: Path
) -> None:
    warehouse, trained = home
    # Today's gold, seed and trees are others; what the version names counts.
    today = gold.settings_for(tmp_path, **{"model.xgboost.max_depth": 2, "threads": 2})
    gold.warehouse_with(today, gold.gold_frame(seed=99))
    rebuilt = rebuild_version(warehouse, today, trained.model_version)
    assert rebuilt.rebuilt_sha256 == rebuilt.registered_sha256 == trained.sha256
    assert (rebuilt.customer_count, rebuilt.different_score_count) == (1500, 0)
    assert rebuilt.changed_libraries == {}
    rebuilt.raise_if_different()


def test_what_cannot_be_made_again_is_told(
    home: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse, trained = home
    settings = gold.settings_for(tmp_path)
    registered = open_registry(settings).load(trained.model_version)
    origin = {**registered.origin, "libraries": {**registered.origin["libraries"], "numpy": "1"}}
    origin["model_settings"] = {**origin["model_settings"], "minimum_recall": 0.9}
    other = dataclasses.replace(registered, origin=origin)
    registry = type(open_registry(settings))
    monkeypatch.setattr(registry, "load", lambda self, version: other)
    record = {"run_id": "run-1", "mode": "train", "target": "duckdb", "status": "succeeded"}
    then = RunRecord.from_dict({**record, "git_sha": "0a1b2c"})
    open_ledger(settings).save(then)
    rebuilt = rebuild_version(warehouse, settings, trained.model_version)
    assert not rebuilt.is_identical
    assert "trained by commit 0a1b2c, whose own `spanishgas rebuild`" in rebuilt.message
    open_ledger(settings).save(dataclasses.replace(then, git_sha=git_sha()))
    assert "commit" not in rebuild_version(warehouse, settings, trained.model_version).message
    with pytest.raises(SpanishGasError, match=r"differs.*numpy 1 →"):
        rebuilt.raise_if_different()


def test_a_changed_split_is_refused(home: Trained, tmp_path: Path) -> None:
    warehouse, trained = home
    settings = gold.settings_for(tmp_path)
    split = warehouse.read_external("model_split", "run-1").drop(columns="run_id")
    split.loc[0, "split_part"] = "test" if split.loc[0, "split_part"] == "train" else "train"
    warehouse.write_external("model_split", split, "run-1")
    with pytest.raises(SpanishGasError, match="not the split"):
        rebuild_version(warehouse, settings, trained.model_version)
