"""The ladder: every cell on the stored split, nothing learned from what it is measured on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from python_ml.engines import Warehouse
from python_ml.errors import SpanishGasError
from python_ml.pages.plots import ladder_plot
from python_ml.pipeline import ladder
from python_ml.pipeline.ladder import KINDS, LadderResult, climb_ladder
from python_ml.pipeline.train import train
from python_ml.registry import open_registry
from python_ml.settings import Settings
from tests.unit import gold_fixture as gold

pytestmark = pytest.mark.slow

SMALL: dict[str, Any] = {
    "ladder.xgboost.n_estimators": 20,
    "ladder.random_forest.n_estimators": 20,
    "evaluate.bootstrap_count": 100,
    "experiments": {"E0_baseline": ["1A"], "E5_full": gold.TIERS},
}


Climbed = tuple[Settings, Warehouse, LadderResult]


@pytest.fixture(scope="module")
def climbed(tmp_path_factory: pytest.TempPathFactory) -> Climbed:
    settings = gold.settings_for(
        tmp_path_factory.mktemp("home"), **{"audit.ablation.n_estimators": 5}
    )
    settings = settings.with_overrides(
        {name: value for name, value in SMALL.items() if name != "experiments"}
    ).model_copy(update={"experiments": SMALL["experiments"]})
    warehouse = gold.warehouse_with(settings, gold.gold_frame())
    version = train(warehouse, settings, gold.contract(), "run-1", gold.AS_OF_DATE).model_version
    result = climb_ladder(warehouse, settings, gold.contract(), "run-2", version)
    return settings, warehouse, result


def test_every_cell_is_measured_and_written(climbed: Climbed) -> None:
    _, warehouse, result = climbed
    written = warehouse.read_external("model_ladder", "run-2")
    assert len(written) == 2 * len(KINDS)
    assert set(zip(written["experiment"], written["model_kind"], strict=True)) == {
        (experiment, kind) for experiment in SMALL["experiments"] for kind in KINDS
    }
    for name in ("pr_auc", "roc_auc"):
        low, value, high = (written[f"test_{name}{end}"] for end in ("_ci_low", "", "_ci_high"))
        assert ((low < value) & (value < high)).all()
        assert (abs(written[f"cv_{name}_mean"] - value) < 0.15).all()
    assert set(written["test_count"]) == {300}
    assert result.model_version == "churn-run-1"


def test_text_lifts_every_kind_of_model(climbed: Climbed) -> None:
    cells = climbed[2].cells.set_index(["experiment", "model_kind"])["test_pr_auc"]
    for kind in KINDS:
        assert cells["E5_full", kind] > cells["E0_baseline", kind] + 0.1


def test_a_figure_is_that_of_the_stored_test_part(climbed: Climbed) -> None:
    settings, warehouse, result = climbed
    split = warehouse.read_external("model_split", "run-1").set_index("customer_id")["split_part"]
    frame = gold.gold_frame()
    is_test = frame["customer_id"].map(split) == "test"
    columns = gold.contract().experiment(settings, "E5_full")
    churn = frame["churn"].to_numpy()
    score = ladder.fit_and_score(
        ladder.LOGISTIC, columns, frame[~is_test], churn[~is_test], frame[is_test], settings
    )
    cells = result.cells.set_index(["experiment", "model_kind"]).to_dict("index")
    cell = cells["E5_full", ladder.LOGISTIC]
    assert cell["test_pr_auc"] == pytest.approx(average_precision_score(churn[is_test], score))


@pytest.mark.parametrize("kind", KINDS)
def test_preprocessing_learns_nothing_from_the_rows_it_is_measured_on(
    climbed: Climbed, kind: str
) -> None:
    """A held-out row's score does not move when the other held-out rows are another kind."""
    settings = climbed[0]
    columns = gold.contract().experiment(settings, "E5_full")
    frame = gold.gold_frame(600)
    churn = frame["churn"].to_numpy()
    strange = frame.tail(100).assign(
        months_to_renewal=1e6, gas_price_trend_12m=np.nan, sales_channel="never seen"
    )
    strange.iloc[0] = frame.iloc[-100]
    args = (kind, columns, frame.head(500), churn[:500])
    alone = ladder.fit_and_score(*args, frame.iloc[-100:-99], settings)
    among = ladder.fit_and_score(*args, strange, settings)
    # Single-precision sums over one row and over a hundred differ in their last digits.
    assert among[0] == pytest.approx(alone[0], abs=1e-4)


def test_all_gaps_in_training_are_no_obstacle() -> None:
    matrix = np.array([[np.nan, 1.0], [np.nan, 3.0], [np.nan, np.nan]], dtype=np.float32)
    ours, other = ladder._without_gaps(matrix, np.array([[7.0, np.nan]], dtype=np.float32))
    assert ours.tolist() == [[0, 1], [0, 3], [0, 2]]
    assert other.tolist() == [[7, 2]]


def test_without_a_champion_it_says_so(tmp_path: Path) -> None:
    settings = gold.settings_for(tmp_path)
    warehouse = gold.warehouse_with(settings, gold.gold_frame(50))
    assert open_registry(settings).champion() is None
    with pytest.raises(SpanishGasError, match="no champion"):
        climb_ladder(warehouse, settings, gold.contract(), "run-1")


def test_the_plot_is_the_same_for_the_same_figures(climbed: Climbed, tmp_path: Path) -> None:
    cells = climbed[2].cells.assign(published_pr_auc=np.nan)
    for name in ("a.png", "b.png"):
        ladder_plot(cells, tmp_path / name)
    image = (tmp_path / "a.png").read_bytes()
    assert image[:4] == b"\x89PNG" and len(image) > 10_000
    assert image == (tmp_path / "b.png").read_bytes()
    moved = cells["test_pr_auc_ci_high"]
    ladder_plot(cells.assign(test_pr_auc=moved), tmp_path / "c.png")
    assert image != (tmp_path / "c.png").read_bytes()
