"""A version whose level has drifted is mended without a new training, and the gate judges it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from python_ml.engines import Warehouse
from python_ml.errors import ModelGateError
from python_ml.judge.challenger import PARENT
from python_ml.judge.snapshot import read_training_rows
from python_ml.judge.verdict import EvaluateResult
from python_ml.pipeline.evaluate import evaluate
from python_ml.pipeline.rebuild import rebuild_version
from python_ml.pipeline.recalibrate import recalibrate
from python_ml.pipeline.results import TrainResult
from python_ml.pipeline.retention import _runs_of_champions
from python_ml.pipeline.score import score
from python_ml.pipeline.train import train
from python_ml.registry import APPROVED, REJECTED, Registry, open_registry
from python_ml.registry.base import calibrated_on, fitted_until, lineage
from python_ml.settings import Settings
from tests.unit import gold_fixture as gold

pytestmark = pytest.mark.slow

TRAINED, MATURED, JUDGED = date(2024, 6, 30), date(2024, 9, 30), gold.AS_OF_DATE
PARENT_VERSION = "churn-run-1"


def world(levels: Mapping[date, float], customers: int = 3000) -> pd.DataFrame:
    """Gold of three dates; everybody's log-odds of leaving move by `levels`."""
    parts: list[pd.DataFrame] = []
    gone: set[str] = set()
    for number, day in enumerate((TRAINED, MATURED, JUDGED)):
        frame = gold.gold_frame(
            customers + 300 * number, seed=number, text_strength=2.5, level=levels.get(day, 0.0)
        )
        frame = frame.assign(as_of_date=pd.Timestamp(day), max_reading_date=pd.Timestamp(day))
        frame = frame[~frame["customer_id"].isin(gone)]
        gone |= set(frame.loc[frame["churn"] == 1, "customer_id"])
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


class Home:
    """A home whose champion has learned from the first date."""

    def __init__(self, place: Path, levels: Mapping[date, float]) -> None:
        self.settings: Settings = gold.settings_for(place)
        self.warehouse: Warehouse = gold.warehouse_with(self.settings, world(levels))
        train(self.warehouse, self.settings, gold.contract(), "run-1", TRAINED)
        evaluate(
            self.warehouse, self.settings, gold.contract(), "run-1", PARENT_VERSION
        ).raise_if_rejected()
        self.registry.promote(PARENT_VERSION, "run-1")

    @property
    def registry(self) -> Registry:
        return open_registry(self.settings)

    def recalibrate(self, run_id: str = "run-2", parent: str = PARENT_VERSION) -> TrainResult:
        return recalibrate(
            self.warehouse,
            self.settings,
            gold.contract(),
            run_id,
            parent,
            [MATURED],
            JUDGED,
            JUDGED,
        )

    def evaluate(self, version: str, run_id: str = "run-2") -> EvaluateResult:
        return evaluate(self.warehouse, self.settings, gold.contract(), run_id, version)


@pytest.fixture(scope="module")
def drifted(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Since the training more customers leave, whoever they are."""
    return Home(tmp_path_factory.mktemp("drifted"), {MATURED: 0.8, JUDGED: 0.8})


@pytest.fixture(scope="module")
def mended(drifted: Home) -> tuple[TrainResult, EvaluateResult]:
    made = drifted.recalibrate()
    return made, drifted.evaluate(made.model_version)


def test_the_level_is_mended_and_the_ranking_is_the_parents(
    drifted: Home, mended: tuple[TrainResult, EvaluateResult]
) -> None:
    made, evaluated = mended
    rows = world({JUDGED: 0.8})
    rows = rows[rows["as_of_date"] == pd.Timestamp(JUDGED)]
    parent, child = (
        drifted.registry.load(version).model.predict(rows)
        for version in (PARENT_VERSION, made.model_version)
    )
    happened = rows["churn"].mean()
    assert happened / parent["churn_probability"].mean() > 1.3
    assert happened / child["churn_probability"].mean() == pytest.approx(1, abs=0.12)
    assert (parent["raw_score"] == child["raw_score"]).all()
    assert evaluated.status == APPROVED
    (check,) = [one for one in evaluated.checks if one.check_name == PARENT]
    assert check.is_passed and check.observed_value < 0 and PARENT_VERSION in check.detail
    names = {one.check_name for one in evaluated.checks}
    assert {"pr_auc", "ece", "unaccepted_leakage_alarms", "pr_auc_difference_to_champion"} <= names


def test_no_row_is_on_two_sides(drifted: Home, mended: tuple[TrainResult, EvaluateResult]) -> None:
    made, evaluated = mended
    origin = drifted.registry.load(made.model_version).origin
    rows = read_training_rows(drifted.settings, origin).frame
    assert set(pd.to_datetime(rows["as_of_date"]).dt.date) == {MATURED, JUDGED}
    split = drifted.warehouse.read_external("model_split", "run-2").set_index("customer_id")
    judged = set(split.index[split["split_part"] == "test"])
    learned = set(split.index[split["split_part"] == "train"])
    before = drifted.warehouse.read_external("model_split", "run-1").set_index("customer_id")
    known = set(before.index[before["split_part"] == "train"])
    assert evaluated.test_count == len(judged)
    assert len(judged & known) < 0.1 * len(judged), "the trees have learned from few of them"
    matured = rows[pd.to_datetime(rows["as_of_date"]).dt.date == MATURED]
    assert made.train_count == matured["customer_id"].isin(learned).sum()


def test_lineage_is_in_registry_and_card(
    drifted: Home, mended: tuple[TrainResult, EvaluateResult]
) -> None:
    made, _ = mended
    origin = drifted.registry.load(made.model_version).origin
    assert lineage(origin) == [PARENT_VERSION] and made.recalibrated_from == PARENT_VERSION
    assert fitted_until(origin) == f"{TRAINED}" and calibrated_on(origin) == [f"{MATURED}"]
    card = drifted.settings.layout.reports / "cards" / made.model_version / "card.md"
    text = card.read_text(encoding="utf-8")
    assert f"| Recalibrated from | {PARENT_VERSION} |" in text
    assert f"| Tested as of | {JUDGED} |" in text
    assert "Out of time" in text


def test_it_is_promoted_rebuilt_and_recalibrated_like_any_version(
    drifted: Home, mended: tuple[TrainResult, EvaluateResult]
) -> None:
    made, _ = mended
    assert rebuild_version(drifted.warehouse, drifted.settings, made.model_version).is_identical
    drifted.registry.promote(made.model_version, "run-2")
    scored = score(
        drifted.warehouse, drifted.settings, gold.contract(), "run-3", JUDGED, made.model_version
    )
    assert scored.model_version == made.model_version
    again = drifted.recalibrate("run-4", made.model_version)
    origin = drifted.registry.load(again.model_version).origin
    assert lineage(origin) == [PARENT_VERSION, made.model_version]
    assert fitted_until(origin) == f"{TRAINED}", "the trees are the first one's"
    drifted.evaluate(again.model_version, "run-4")
    drifted.registry.promote(PARENT_VERSION, "run-5")
    drifted.registry.promote(made.model_version, "run-6")


def test_runs_of_the_parent_are_kept_for_the_twin_without_text(
    drifted: Home, mended: tuple[TrainResult, EvaluateResult]
) -> None:
    made, _ = mended
    drifted.registry.promote(made.model_version, "run-2")
    assert {"run-1", "run-2"} <= _runs_of_champions(drifted.settings)


@pytest.mark.parametrize(("matured", "judged"), [(1.5, 0.0), (-1.5, 0.0)])
def test_a_calibration_of_months_unlike_the_newest_is_refused(
    tmp_path: Path, matured: float, judged: float
) -> None:
    home = Home(tmp_path, {MATURED: matured, JUDGED: judged})
    made = home.recalibrate()
    refused = home.evaluate(made.model_version)
    assert refused.status == REJECTED
    assert PARENT in [check.check_name for check in refused.failed]
    with pytest.raises(ModelGateError, match=r"log loss less that of churn-run-1"):
        refused.raise_if_rejected()
    assert home.registry.champion() == PARENT_VERSION


def test_without_drift_nothing_much_changes(tmp_path: Path) -> None:
    home = Home(tmp_path, {})
    made = home.recalibrate()
    rows = world({})
    first, second = (
        home.registry.load(version).model.predict(rows)["churn_probability"].to_numpy()
        for version in (PARENT_VERSION, made.model_version)
    )
    assert np.abs(first - second).mean() < 0.02
