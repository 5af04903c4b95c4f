"""Versions never change, decisions add up, and the pointer moves only by promotion."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from python_ml.errors import SpanishGasError
from python_ml.model.churn_model import ChurnModel
from python_ml.registry import APPROVED, PENDING, REJECTED, open_registry
from python_ml.registry.base import Registry
from tests.unit import gold_fixture as gold


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return open_registry(gold.settings_for(tmp_path))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "lake" / "models"


def test_a_version_comes_back_with_the_same_scores(registry: Registry, model: ChurnModel) -> None:
    digest = registry.register("v1", model, {"run_id": "r1"})
    loaded = registry.load("v1")
    frame = gold.gold_frame(200, seed=2)
    np.testing.assert_array_equal(
        loaded.model.predict(frame).to_numpy(), model.predict(frame).to_numpy()
    )
    assert loaded.sha256 == digest == model.sha256()
    assert loaded.origin == {"run_id": "r1"}


def test_artifacts_are_json_and_nothing_else(
    registry: Registry, root: Path, model: ChurnModel
) -> None:
    registry.register("v1", model, {})
    files = [path for path in (root / "v1").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json"}
    for path in files:
        json.loads(path.read_bytes())


def test_a_version_is_never_overwritten(registry: Registry, model: ChurnModel) -> None:
    registry.register("v1", model, {})
    registry.register("v1", model, {})  # the same again, as a resumed run does
    other = replace(model, threshold=0.32)
    with pytest.raises(SpanishGasError, match="never change"):
        registry.register("v1", other, {})
    assert registry.load("v1").model.threshold == 0.31


@pytest.mark.parametrize("name", ["booster.json", "model.json"])
def test_a_tampered_artifact_is_not_loaded(
    registry: Registry, root: Path, model: ChurnModel, name: str
) -> None:
    registry.register("v1", model, {})
    path = root / "v1" / name
    old, new = ('"threshold": 0.31', '"threshold": 0.11')
    if name == "booster.json":
        old, new = ('"base_score":"', '"base_score":"1')
    text = path.read_text()
    text = text.replace(old, new, 1)
    if name == "booster.json":
        document = json.loads(text if text != path.read_text() else path.read_text())
        trees = document["learner"]["gradient_booster"]["model"]["trees"]
        trees[0]["base_weights"] = [w + 0.5 for w in trees[0]["base_weights"]]
        trees[0]["split_conditions"] = [w + 0.5 for w in trees[0]["split_conditions"]]
        text = json.dumps(document)
    assert text != path.read_text()
    path.write_text(text)
    for read in (registry.load, registry.verify):
        with pytest.raises(SpanishGasError, match="not what was registered"):
            read("v1")


def test_a_version_is_verified_without_the_library_that_runs_it(
    registry: Registry, model: ChurnModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the image of the functions, which has no XGBoost."""
    registry.register("v1", model, {})
    loaded = registry.load("v1").sha256
    monkeypatch.setitem(sys.modules, "python_ml.model.churn_model", None)
    assert registry.verify("v1") == loaded
    with pytest.raises(ImportError):
        registry.load("v1")


def test_the_last_decision_holds_and_earlier_ones_stay(
    registry: Registry, model: ChurnModel
) -> None:
    registry.register("v1", model, {})
    assert registry.status("v1") == PENDING
    registry.decide("v1", REJECTED, "recall too low", "gate", evidence={"recall": 0.4})
    registry.decide("v1", APPROVED, "accepted after review", "maria")
    assert registry.status("v1") == APPROVED
    assert [entry["status"] for entry in registry.decisions("v1")] == [PENDING, REJECTED, APPROVED]
    assert registry.decisions("v1")[1]["reason"] == "recall too low"
    assert registry.decisions("v1")[1]["evidence"] == {"recall": 0.4}
    with pytest.raises(SpanishGasError, match="Splendid"):
        registry.decide("v1", "Splendid", "", "")


def test_only_approved_versions_become_champion(registry: Registry, model: ChurnModel) -> None:
    registry.register("v1", model, {})
    with pytest.raises(SpanishGasError, match=PENDING):
        registry.promote("v1", "r1")
    registry.decide("v1", REJECTED, "too weak", "gate")
    with pytest.raises(SpanishGasError, match=REJECTED):
        registry.promote("v1", "r1")
    assert registry.champion() is None
    with pytest.raises(SpanishGasError, match="there is no champion"):
        registry.require_champion()


def test_promotion_and_roll_back_move_the_pointer(
    registry: Registry, root: Path, model: ChurnModel
) -> None:
    for version in ("v1", "v2"):
        registry.register(version, model, {})
        registry.decide(version, APPROVED, "", "gate")
        registry.promote(version, "r1")
    assert registry.require_champion() == "v2"
    pointer = json.loads((root / "champion.json").read_text())
    assert pointer["previous_version"] == "v1"
    registry.promote("v2", "r2")  # as a run does that scores with it again
    assert registry.previous_champion() == "v1"
    registry.promote("v1", "r3")
    assert (registry.champion(), registry.previous_champion()) == ("v1", "v2")
    assert not list(root.rglob(".*"))


def test_an_unfinished_version_is_not_seen(
    registry: Registry, root: Path, model: ChurnModel
) -> None:
    registry.register("v1", model, {})
    unfinished = root / "v2"
    unfinished.mkdir()
    (unfinished / "booster.json").write_text("{}")
    (unfinished / ".model.json.abcd").write_text("{}")
    assert registry.versions() == ["v1"]
    with pytest.raises(SpanishGasError, match="known versions: v1"):
        registry.load("v2")
