"""What published scores promise, and what is measured once it is known who left."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score

from python_ml.engines import Warehouse
from python_ml.judge import metrics
from python_ml.judge.between_dates import LEVEL, SLOPE, BetweenDates
from python_ml.judge.metrics import chance_ece
from python_ml.judge.shipped import (
    CHURN_SHARE,
    ECE,
    ESTIMATE,
    OUTCOME,
    PR_AUC,
    calibration_covariance,
    calibration_level,
    calibration_slope,
    estimate_scores,
    measure_known,
    write_outcomes,
)
from python_ml.settings import Settings
from tests.unit import gold_fixture as gold

DECEMBER, JANUARY = date(2024, 12, 31), date(2025, 1, 31)


def scores(count: int = 2000, seed: int = 3) -> pd.DataFrame:
    probability = expit(np.random.default_rng(seed).normal(-2.5, 1.5, count))
    return pd.DataFrame(
        {
            "customer_id": [f"C{number:05}" for number in range(count)],
            "churn_probability": probability,
            "risk_tier": np.where(probability < 0.4, "Low", "High"),
            "segment": np.where(np.arange(count) % 10 == 0, "SME", "Residential"),
        }
    )


def row(table: pd.DataFrame, measure: str, group: str = "all") -> pd.Series:
    (found,) = table[(table["measure"] == measure) & (table["group_name"] == group)].to_dict(
        "records"
    )
    return pd.Series(found)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return gold.settings_for(tmp_path)


class TestWithoutLabels:
    @pytest.mark.thorough
    def test_it_is_what_exact_probabilities_come_to(self, settings: Settings) -> None:
        frame = scores()
        found = estimate_scores(frame, None, None, settings)
        p = frame["churn_probability"].to_numpy()
        drawn = np.random.default_rng(1).random((400, len(p))) < p
        ranked = [average_precision_score(churn, p) for churn in drawn]
        assert row(found, CHURN_SHARE)["estimate"] == pytest.approx(p.mean())
        assert row(found, PR_AUC)["estimate"] == pytest.approx(np.mean(ranked), abs=0.005)
        for measure, truth in ((CHURN_SHARE, drawn.mean(axis=1)), (PR_AUC, np.array(ranked))):
            line = row(found, measure)
            inside = (truth >= line["ci_low"]) & (truth <= line["ci_high"])
            assert 0.9 < inside.mean() < 0.99, measure
        by_chance = chance_ece(p, settings.evaluate.calibration_bins, 0.975, seed=2)
        assert row(found, ECE)["ci_high"] == pytest.approx(by_chance, abs=0.002)
        assert set(found["group_name"]) == {"all", "Low", "High", "SME", "Residential"}

    def test_an_uncertain_calibration_widens_the_interval(self, settings: Settings) -> None:
        frame = scores()
        known = calibration_covariance(scores(500, seed=4)["churn_probability"].to_numpy())
        exact, uncertain = (
            estimate_scores(frame, spread, None, settings) for spread in (None, known.tolist())
        )
        first, second = row(exact, CHURN_SHARE), row(uncertain, CHURN_SHARE)
        assert first["calibration_sd"] == pytest.approx(0, abs=1e-12)
        assert second["calibration_sd"] > first["chance_sd"]
        assert first["chance_sd"] == second["chance_sd"]
        width = {
            name: line["ci_high"] - line["ci_low"]
            for name, line in (("exact", first), ("uncertain", second))
        }
        assert width["uncertain"] > 1.5 * width["exact"]

    def test_variation_between_dates_widens_what_it_bears_on(self, settings: Settings) -> None:
        frame = scores()
        exact, level, slope = (
            estimate_scores(frame, None, between, settings)
            for between in (None, BetweenDates(0.0, 0.2, 1e6), BetweenDates(0.2, 0.0, 1e6))
        )

        def width(table: pd.DataFrame, measure: str) -> float:
            line = row(table, measure)
            return float(line["ci_high"] - line["ci_low"])

        assert width(level, CHURN_SHARE) > 1.5 * width(exact, CHURN_SHARE)
        assert width(slope, CHURN_SHARE) < 1.2 * width(exact, CHURN_SHARE)
        assert width(slope, PR_AUC) > 1.5 * width(exact, PR_AUC)
        assert row(level, CHURN_SHARE)["calibration_sd"] > row(level, CHURN_SHARE)["chance_sd"]
        for table in (level, slope):
            assert row(table, ECE)["ci_high"] == row(exact, ECE)["ci_high"], "chance alone"

    def test_the_same_scores_give_the_same_estimate(self, settings: Settings) -> None:
        first, second = (estimate_scores(scores(300), None, None, settings) for _ in range(2))
        pd.testing.assert_frame_equal(first, second)

    @pytest.mark.thorough
    @pytest.mark.parametrize("draws", [1, 7])
    def test_fewer_draws_at_once_give_the_same_estimate(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch, draws: int
    ) -> None:
        between = BetweenDates(0.1, 0.2, 4)
        given = (scores(300), [[0.01, 0.0], [0.0, 0.02]], between, settings)
        expected = estimate_scores(*given)
        monkeypatch.setattr(metrics, "CHUNK_CELLS", 300 * draws)
        pd.testing.assert_frame_equal(estimate_scores(*given), expected, rtol=1e-12)

    def test_a_group_in_which_hardly_anybody_leaves(self, settings: Settings) -> None:
        frame = scores(50).assign(churn_probability=1e-12)
        line = row(estimate_scores(frame, None, None, settings), PR_AUC)
        assert np.isnan(line["estimate"]) and np.isnan(line["ci_low"])


class TestCalibrationSlope:
    @pytest.mark.parametrize("slope", [0.5, 1.0, 1.6])
    def test_it_is_found(self, slope: float) -> None:
        p = scores(20_000)["churn_probability"].to_numpy()
        churn = (np.random.default_rng(5).random(len(p)) < expit(slope * logit(p))).astype(int)
        found = calibration_slope(churn, p, np.ones(len(p), dtype=int), 0.95)
        assert found.low < slope < found.high
        assert found.high - found.low < 0.2

    def test_few_or_parted_labels_have_none(self) -> None:
        p = np.linspace(0.01, 0.99, 100)
        once = np.ones(100, dtype=int)
        assert np.isnan(calibration_slope((p > 0.95).astype(int), p, once, 0.95).value)
        assert np.isnan(calibration_slope((p > 0.5).astype(int), p, once, 0.95).value)


class TestCalibrationLevel:
    @pytest.mark.parametrize("level", [-0.4, 0.0, 0.3])
    def test_it_is_found_as_often_as_the_interval_says(self, level: float) -> None:
        p = scores(4000)["churn_probability"].to_numpy()
        once = np.ones(len(p), dtype=int)
        found = []
        for seed in range(100):
            churn = (np.random.default_rng(seed).random(len(p)) < expit(level + logit(p))).astype(
                int
            )
            found.append(calibration_level(churn, p, once, 0.95))
        assert np.mean([one.value for one in found]) == pytest.approx(level, abs=0.03)
        assert np.mean([one.low < level < one.high for one in found]) == pytest.approx(
            0.95, abs=0.04
        )

    def test_few_labels_have_none(self) -> None:
        p = np.linspace(0.01, 0.99, 100)
        once = np.ones(100, dtype=int)
        assert np.isnan(calibration_level((p > 0.95).astype(int), p, once, 0.95).value)


def test_labels_that_count_twice_are_two_rows(settings: Settings) -> None:
    frame = scores(400)
    churn = (np.random.default_rng(6).random(400) < frame["churn_probability"]).astype(int)
    frame = frame.assign(churn=churn, count=np.where(np.arange(400) < 100, 2, 1))
    counted = measure_known(frame, settings)
    doubled = pd.concat([frame, frame[:100]], ignore_index=True).assign(count=1)
    repeated = measure_known(doubled, settings)
    for measure in (PR_AUC, ECE, SLOPE, LEVEL):
        assert row(counted, measure)["measured_value"] == pytest.approx(
            row(repeated, measure)["measured_value"]
        )
    assert row(counted, PR_AUC)["customer_count"] == 400


class TestOutcomes:
    @pytest.fixture
    def warehouse(self, settings: Settings) -> Warehouse:
        """Two dates, of which January's labels have not matured; C00000 was treated."""
        warehouse = gold.warehouse_with(settings, gold.gold_frame(10))
        labels = scores(400).assign(churn=lambda rows: rows.index % 5 == 0)
        with duckdb.connect(str(settings.layout.warehouse)) as connection:
            connection.register("labels", labels)
            connection.execute(
                "create or replace table bronze_churn_label as select customer_id, "
                "churn::integer as churn, date '2024-12-31' as label_date from labels"
            )
            connection.execute(
                "create or replace table bronze_label_date as select * from (values "
                "(date '2024-12-31', true), (date '2025-01-31', false)) t(label_date, is_matured)"
            )
            connection.execute(
                "create or replace table silver_campaign_customer as select 'C00000' as "
                "customer_id, 'call' as arm, 0.5 as control_propensity, true as is_contacted, "
                "date '2024-12-31' as as_of_date, date '2025-03-31' as outcome_date"
            )
        return warehouse

    def publish(
        self,
        warehouse: Warehouse,
        settings: Settings,
        run_id: str,
        day: date,
        learned: date = date(2024, 9, 30),
    ) -> None:
        frame = scores(400)
        extra = {"raw_score": 0.5, "is_flagged": False, "avg_monthly_margin_eur": 1.0}
        named: dict[str, Any] = {"as_of_date": day, "model_version": "m"}
        warehouse.write_external("customer_score", frame.assign(**extra, **named), run_id)
        promised = estimate_scores(frame, None, None, settings)
        warehouse.write_external(
            ESTIMATE, promised.assign(training_as_of_date=learned, **named), run_id
        )

    def test_the_last_run_of_a_matured_date_is_measured_once(
        self, warehouse: Warehouse, settings: Settings
    ) -> None:
        for run_id, day in (("r1", DECEMBER), ("r2", DECEMBER), ("r3", JANUARY)):
            self.publish(warehouse, settings, run_id, day)
        assert write_outcomes(warehouse, settings, "r3") == [DECEMBER]
        found = warehouse.read_external(OUTCOME, "r3")
        assert set(found["scored_run_id"]) == {"r2"}
        line = row(found, PR_AUC)
        assert line["customer_count"] == 399, "who was treated does not count"
        assert line["churner_count"] == 79
        assert line["ci_low"] < line["measured_value"] < line["ci_high"]

    def test_a_model_that_knew_the_labels_has_forecast_nothing(
        self, warehouse: Warehouse, settings: Settings
    ) -> None:
        self.publish(warehouse, settings, "r1", DECEMBER, learned=DECEMBER)
        assert write_outcomes(warehouse, settings, "r1") == []
        assert warehouse.read_external(OUTCOME).empty

    def test_nothing_is_published_yet(self, warehouse: Warehouse, settings: Settings) -> None:
        assert write_outcomes(warehouse, settings, "r1") == []

    def test_an_older_date_is_not_measured_again(
        self, warehouse: Warehouse, settings: Settings
    ) -> None:
        with duckdb.connect(str(settings.layout.warehouse)) as connection:
            connection.execute("update bronze_label_date set is_matured = true")
            connection.execute(
                "insert into bronze_churn_label select customer_id, churn, date '2025-01-31' "
                "from bronze_churn_label"
            )
        self.publish(warehouse, settings, "r1", DECEMBER)
        self.publish(warehouse, settings, "r2", JANUARY)
        assert write_outcomes(warehouse, settings, "r2") == [DECEMBER, JANUARY]
        assert write_outcomes(warehouse, settings, "r3") == [JANUARY], "the newest, with new labels"
