"""How far calibrations vary between dates, as an estimate without labels takes it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from python_ml.judge.between_dates import (
    ALL_CUSTOMERS,
    LEVEL,
    SLOPE,
    BetweenDates,
    between_dates,
    between_variance,
)
from python_ml.settings import Settings, load_settings

NOW = date(2030, 1, 31)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"home": str(tmp_path)}, environ={})


def outcomes(
    slopes: np.ndarray, levels: np.ndarray, error: float, months_apart: int = 3
) -> pd.DataFrame:
    """Rows of `score_outcome`, the newest a quarter before NOW."""
    rows: list[dict[str, Any]] = []
    for number, values in enumerate(zip(slopes, levels, strict=True)):
        day = pd.Timestamp(NOW) - pd.offsets.MonthEnd(3 + months_apart * number)
        for measure, value in zip((SLOPE, LEVEL), values, strict=True):
            rows.append(
                {
                    "as_of_date": day.date(),
                    "run_id": "r1",
                    "dimension": ALL_CUSTOMERS,
                    "measure": measure,
                    "measured_value": value,
                    "ci_low": value - 1.959964 * error,
                    "ci_high": value + 1.959964 * error,
                }
            )
    return pd.DataFrame(rows)


NO_OUTCOMES = outcomes(np.ones(1), np.zeros(1), 0.1)[:0]


class TestVariance:
    def test_sampling_alone_is_no_variation(self) -> None:
        found = [
            between_variance(np.random.default_rng(seed).normal(0, 0.1, 200), np.full(200, 0.1))
            for seed in range(20)
        ]
        assert np.mean(found) < 0.001

    @pytest.mark.parametrize("sd", [0.1, 0.3])
    def test_what_is_beyond_sampling_is_found(self, sd: float) -> None:
        random = np.random.default_rng(1)
        error = random.uniform(0.05, 0.15, 2000)
        deviation = random.normal(0, np.hypot(sd, error))
        assert np.sqrt(between_variance(deviation, error)) == pytest.approx(sd, rel=0.06)

    def test_a_lasting_bias_counts(self) -> None:
        assert between_variance(np.full(10, 0.2), np.full(10, 0.01)) == pytest.approx(
            0.04, rel=0.01
        )


class TestPooling:
    def test_without_outcomes_it_is_the_prior(self, settings: Settings) -> None:
        prior = settings.monitor
        found = between_dates(NO_OUTCOMES, NOW, settings)
        assert found.slope_sd == pytest.approx(prior.slope_sd)
        assert found.level_sd == pytest.approx(prior.level_sd)
        assert found.degrees_of_freedom == prior.prior_dates

    def test_many_dates_overrule_the_prior(self, settings: Settings) -> None:
        random = np.random.default_rng(2)
        rows = outcomes(1 + random.normal(0, 0.4, 80), random.normal(0, 0.02, 80), 0.02)
        found = between_dates(rows, NOW, settings)
        assert found.slope_sd == pytest.approx(0.4, rel=0.15)
        assert found.level_sd < settings.monitor.level_sd / 2
        assert found.degrees_of_freedom == pytest.approx(86, abs=1)

    def test_overlapping_horizons_are_one_date(self, settings: Settings) -> None:
        monthly = outcomes(np.ones(12), np.zeros(12), 0.05, months_apart=1)
        found = between_dates(monthly, NOW, settings)
        assert found.degrees_of_freedom == settings.monitor.prior_dates + 4

    def test_later_dates_and_other_groups_are_not_looked_at(self, settings: Settings) -> None:
        wild = outcomes(np.full(8, 5.0), np.full(8, 5.0), 0.01)
        groups = wild.assign(dimension="segment")
        later = wild.assign(as_of_date=NOW)
        undefined = wild.assign(measured_value=np.nan)
        expected = between_dates(NO_OUTCOMES, NOW, settings)
        for rows in (groups, later, undefined):
            assert between_dates(rows, NOW, settings) == expected

    def test_the_last_measurement_of_a_date_counts(self, settings: Settings) -> None:
        first = outcomes(np.full(4, 3.0), np.full(4, 2.0), 0.01)
        second = outcomes(np.ones(4), np.zeros(4), 0.01).assign(run_id="r2")
        rows = pd.concat([second, first], ignore_index=True)
        assert between_dates(rows, NOW, settings) == between_dates(second, NOW, settings)


@pytest.mark.thorough
def test_a_new_date_lies_within_the_interval_as_often_as_it_says(settings: Settings) -> None:
    """Worlds with a variation unlike the prior's: few dates known, and the next one drawn."""
    random = np.random.default_rng(3)
    for sd in (0.0, 0.05, 0.1, 0.13):
        held = []
        for _ in range(300):
            effects = random.normal(0, sd, 5)
            rows = outcomes(np.ones(4), effects[:4] + random.normal(0, 0.05, 4), 0.05)
            drawn = between_dates(rows, NOW, settings).draw(400, random)[:, 1]
            low, high = np.quantile(drawn, [0.025, 0.975])
            held.append(low <= effects[4] <= high)
        assert np.mean(held) >= 0.9, sd


def test_slopes_and_levels_are_drawn_apart() -> None:
    drawn = BetweenDates(0.2, 0.1, 50).draw(20_000, np.random.default_rng(4))
    assert np.std(drawn, axis=0) == pytest.approx([0.2, 0.1], rel=0.05)
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.03
