"""The report: within tolerance for several seeds, and able to say no."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from python_ml.errors import BadInputError
from python_ml.simulate import tolerance
from python_ml.simulate.report import simulation_report
from python_ml.simulate.run import simulate

pytestmark = pytest.mark.slow

CUSTOMERS = 2000


@pytest.fixture(scope="module", params=[1, 2, 3])
def batch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "raw"
    simulate(out, customers=CUSTOMERS, seed=request.param)
    return out


def test_every_aggregate_is_within_tolerance(batch: Path) -> None:
    rows = simulation_report(batch)
    assert len(rows) > 175
    outside = [row for row in rows if not row.is_within]
    assert outside == []
    names = [row.aggregate for row in rows]
    assert len(set(names)) == len(names)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("small") / "raw"
    simulate(out, customers=1500, seed=4)
    return out


def test_text_tables_are_judged_only_where_the_text_knows(small: Path) -> None:
    published = {row.aggregate for row in simulation_report(small)}
    silent = {row.aggregate for row in simulation_report(small, text_signal="none")}
    assert silent < published
    assert "churn, sentiment negative" in published - silent
    assert all(
        "intent" in name or "sentiment" in name or "days" in name for name in published - silent
    )


def outside(folder: Path) -> set[str]:
    return {row.aggregate for row in simulation_report(folder) if not row.is_within}


def changed(small: Path, target: Path, name: str, **columns: Any) -> Path:
    shutil.copytree(small, target)
    frame = pd.read_csv(target / name, dtype={"province_code": str})
    for column, change in columns.items():
        frame[column] = change(frame) if callable(change) else change
    frame.to_csv(target / name, index=False)
    return target


def test_a_batch_with_shuffled_outcomes_is_told(small: Path, tmp_path: Path) -> None:
    assert outside(small) == set()
    shuffled = changed(
        small,
        tmp_path / "shuffled",
        "churn_label.csv",
        churn=lambda frame: np.random.default_rng(0).permutation(frame["churn"]),
    )
    told = outside(shuffled)
    assert {"churn, renewal 0–3 m", "churn, renewal 6–12 m", "churn, sentiment negative"} <= told
    # What shuffling keeps stays within.
    assert "churn" not in told and "customers, Residential" not in told


def test_prices_a_tenth_too_high_are_told(small: Path, tmp_path: Path) -> None:
    dear = changed(
        small,
        tmp_path / "dear",
        "price_history.csv",
        variable_price_tier1_eur_kwh=lambda f: f["variable_price_tier1_eur_kwh"] * 1.1,
    )
    assert "last tier-1 price over provincial cost, mean €/kWh" in outside(dear)


def test_a_missing_file_is_named(small: Path, tmp_path: Path) -> None:
    shutil.copytree(small, tmp_path / "raw")
    (tmp_path / "raw" / "price_history.csv").unlink()
    with pytest.raises(BadInputError, match=r"price_history\.csv"):
        simulation_report(tmp_path / "raw")


RNG = np.random.default_rng(11)
ALPHA = 0.02


def alarm_rate(judge: Any, draws: int = 600) -> float:
    return float(np.mean([judge() for _ in range(draws)]))


def mean_alarm(shift: float = 0.0) -> bool:
    x = RNG.exponential(2.0, 400) + shift
    return bool(abs(x.mean() - 2.0) > tolerance.of_mean(x, ALPHA))


def sd_alarm(shift: float = 0.0) -> bool:
    x = RNG.normal(0.0, 1.0 + shift, 400)
    return bool(abs(x.std(ddof=1) - 1.0) > tolerance.of_sd(x, ALPHA))


def share_alarm(shift: float = 0.0) -> bool:
    share = RNG.binomial(300, 0.05 + shift) / 300
    return abs(share - 0.05) > tolerance.of_share(0.05, share, 300, ALPHA)


def quantile_alarm(shift: float = 0.0) -> bool:
    x = RNG.exponential(1.0, 400) * (1.0 + shift)
    margin = tolerance.of_quantile(x, 0.9, np.log(10), ALPHA)
    return bool(abs(np.quantile(x, 0.9) - np.log(10)) > margin)


def ratio_alarm(shift: float = 0.0) -> bool:
    below = RNG.exponential(10.0, 400)
    above = below * RNG.uniform(0.0, 0.2 + shift, 400)
    return bool(abs(above.sum() / below.sum() - 0.1) > tolerance.of_ratio(above, below, ALPHA))


def correlation_alarm(shift: float = 0.0) -> bool:
    x = RNG.normal(size=400)
    y = shift * x + RNG.normal(size=400)
    return bool(abs(np.corrcoef(x, y)[0, 1]) > tolerance.of_correlation(x, y, ALPHA))


def extreme_alarm(shift: float = 0.0) -> bool:
    # Of n Pareto draws with index a half the largest is about √n: 20 at 400.
    x = (1.0 - RNG.uniform(size=400)) ** -(0.5 + shift)
    expected, margin = tolerance.of_extreme(x, 20.0, 400, 400, ALPHA)
    return bool(abs(x.max() - expected) > margin)


@pytest.mark.parametrize(
    ("judge", "shift"),
    [
        (mean_alarm, 1.0),
        (sd_alarm, 0.5),
        (share_alarm, 0.1),
        (quantile_alarm, 0.6),
        (ratio_alarm, 0.1),
        (correlation_alarm, 0.4),
    ],
)
def test_tolerances_cover_chance_and_no_more(judge: Any, shift: float) -> None:
    assert alarm_rate(judge) < 2.5 * ALPHA
    assert alarm_rate(lambda: judge(shift), 100) > 0.9


def test_extremes_are_judged_on_the_scale_of_their_tail() -> None:
    assert alarm_rate(extreme_alarm) < 4 * ALPHA
    x = np.linspace(0.0, 1.0, 400) ** 2 + 1.0
    expected, margin = tolerance.of_extreme(x, 20.0, 400, 400, ALPHA)
    assert abs(x.max() - expected) > margin
