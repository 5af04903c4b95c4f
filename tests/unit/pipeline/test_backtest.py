"""Which dates are trained and tested on, and what is measured on them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from python_ml.judge.labels import LabelledDate
from python_ml.judge.metrics import resample_weights
from python_ml.pipeline.backtest import choose_rounds, churn_levels, measure_later
from python_ml.settings import load_settings
from tests.unit.gold_fixture import contract, gold_frame, settings_for

pytestmark = pytest.mark.thorough

TIERS = pd.DataFrame(
    {
        "risk_tier": ["Low", "Medium", "High", "Critical"],
        "minimum_probability": [0.0, 0.4, 0.6, 0.8],
    }
)


def labelled(day: str, matured: str, churners: int = 100) -> LabelledDate:
    return LabelledDate(date.fromisoformat(day), date.fromisoformat(matured), 1000, churners)


def rounds(
    dates: list[LabelledDate], minimum_churners: int = 50
) -> tuple[list[tuple[tuple[date, ...], date]], dict[str, str]]:
    limit = {"backtest.minimum_churner_count": minimum_churners}
    return choose_rounds(dates, load_settings(limit, environ={}))


def test_the_newest_labels_known_by_then_are_learned_from() -> None:
    dates = [
        labelled("2024-12-31", "2025-03-31"),
        labelled("2025-01-31", "2025-04-30"),
        labelled("2025-03-31", "2025-06-30"),
        labelled("2025-04-30", "2025-07-31"),
    ]
    chosen, skipped = rounds(dates)
    assert [([str(day) for day in past], str(test)) for past, test in chosen] == [
        (["2024-12-31"], "2025-03-31"),
        (["2025-01-31"], "2025-04-30"),
    ]
    assert skipped.keys() == {"2024-12-31", "2025-01-31"}


def test_all_dates_known_by_then_are_learned_from() -> None:
    dates = [
        labelled("2024-09-30", "2024-12-29"),
        labelled("2024-12-31", "2025-03-31"),
        labelled("2025-03-31", "2025-06-29"),
        labelled("2025-06-30", "2025-09-28"),
    ]
    chosen, _ = rounds(dates)
    assert [([str(day) for day in past], str(test)) for past, test in chosen] == [
        (["2024-09-30"], "2024-12-31"),
        (["2024-09-30", "2024-12-31"], "2025-03-31"),
        (["2024-09-30", "2024-12-31", "2025-03-31"], "2025-06-30"),
    ]


def test_a_date_with_few_leavers_is_neither_trained_nor_tested_on() -> None:
    dates = [
        labelled("2024-12-31", "2025-03-31", churners=20),
        labelled("2025-03-31", "2025-06-30"),
        labelled("2025-06-30", "2025-09-30"),
    ]
    chosen, skipped = rounds(dates)
    assert [str(test) for _, test in chosen] == ["2025-06-30"]
    assert "20 leavers" in skipped["2024-12-31"]
    assert skipped["2025-03-31"] == "no labels had matured by then"


def test_intervals_of_churn_hold_where_nobody_left() -> None:
    churn, probability = np.zeros(40), np.full(40, 0.05)
    weights = resample_weights(40, 200, seed=1)
    levels = churn_levels(churn, probability, np.ones(40, dtype=bool), weights, 0.95)
    assert levels["realised_churn"].value == 0.0
    assert 0.05 < levels["realised_churn"].high < 0.15  # not the point that a bootstrap gives
    assert levels["expected_churn"].value == pytest.approx(0.05)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    settings = settings_for(tmp_path_factory.mktemp("home"))
    past, later = gold_frame(seed=1), gold_frame(seed=2)
    return measure_later(past, later, contract(), settings, TIERS)


def figure(rows: pd.DataFrame, metric: str, part: str = "overall") -> pd.Series:
    found = rows[(rows["slice"] == part) & (rows["metric"] == metric)]
    assert len(found) == 1
    return found.iloc[0]


def test_text_helps_and_the_model_without_it_stands_beside(measured: pd.DataFrame) -> None:
    with_text, without = (figure(measured, f"pr_auc{s}") for s in ("", "_without_text"))
    assert with_text["metric_value"] > without["ci_high"]
    for row in measured.to_dict("records"):
        assert row["ci_low"] - 1e-9 <= row["metric_value"] <= row["ci_high"] + 1e-9 or (
            row["metric"].startswith("ece")  # that of resamples lies above the sample's
        )


def test_expected_and_realised_churn_agree_on_a_draw_of_the_same_kind(
    measured: pd.DataFrame,
) -> None:
    realised = figure(measured, "realised_churn")
    assert realised["ci_low"] < figure(measured, "expected_churn")["metric_value"]
    assert figure(measured, "expected_churn")["metric_value"] < realised["ci_high"]


def test_tiers_add_up_to_the_whole(measured: pd.DataFrame) -> None:
    parts = measured[(measured["metric"] == "realised_churn") & (measured["slice"] != "overall")]
    whole = figure(measured, "realised_churn")
    assert parts["customer_count"].sum() == whole["customer_count"] == 1500
    assert parts["churner_count"].sum() == whole["churner_count"]
    rising = [
        figure(measured, "expected_churn", tier)["metric_value"]
        for tier in TIERS["risk_tier"]
        if tier in set(measured["slice"])
    ]
    assert rising == sorted(rising)


def test_a_world_that_changed_shows(tmp_path: Path) -> None:
    """Churn at twice the odds: discrimination stays, calibration does not."""
    settings = settings_for(tmp_path)
    past, later = gold_frame(seed=1), gold_frame(seed=2)
    rng = np.random.default_rng(3)
    more = (later["churn"] == 0) & (rng.random(len(later)) < 0.12)
    later.loc[more, "churn"] = 1
    rows = measure_later(past, later, contract(), settings, TIERS)
    assert figure(rows, "realised_churn")["ci_low"] > figure(rows, "expected_churn")["ci_high"]
    assert figure(rows, "ece")["metric_value"] > 0.05
