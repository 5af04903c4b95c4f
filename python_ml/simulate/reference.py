"""Tables and constants that ground the simulator; see reference/README.md for their sources."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from python_ml.simulate.noise import Floats

REFERENCE_DIR = Path(__file__).resolve().parent / "reference"
SEGMENTS = ("Residential", "SME", "Corporate")
# National holidays with a fixed date, month and day: they count as weekends for the tariff.
HOLIDAYS = ((1, 1), (1, 6), (5, 1), (8, 15), (10, 12), (11, 1), (12, 6), (12, 8), (12, 25))


@cache
def calibration() -> dict[str, Any]:
    """Constants of calibration.yml."""
    document: dict[str, Any] = yaml.safe_load(
        (REFERENCE_DIR / "calibration.yml").read_text(encoding="utf-8")
    )
    return document


@dataclass(frozen=True)
class Provinces:
    """Provinces in code order; every array has one value a province."""

    code: np.ndarray
    region: np.ndarray
    share: Floats
    is_high_competition: np.ndarray
    elec_cost_level: Floats
    elec_cost_trend: Floats
    gas_cost_level: Floats


@cache
def provinces() -> Provinces:
    """The provinces, with competition and cost levels (0 to 1 within the published ranges)."""
    table = pd.read_csv(REFERENCE_DIR / "provinces.csv", dtype={"province_code": str})
    return Provinces(
        code=table["province_code"].to_numpy(dtype=object),
        region=table["region"].to_numpy(dtype=object),
        share=table["share"].to_numpy(),
        is_high_competition=table["is_high_competition_province"].to_numpy(dtype=bool),
        elec_cost_level=table["elec_cost_level"].to_numpy(),
        elec_cost_trend=table["elec_cost_trend"].to_numpy(),
        gas_cost_level=table["gas_cost_level"].to_numpy(),
    )


@dataclass(frozen=True)
class LoadProfile:
    """A load shape.

    `level` is the median day in kWh (firms: 1), `seasonal` the swing over the year relative to
    its mean; `weekday` and `weekend` hold 24 ratios to the mean hour.
    """

    name: str
    share: float
    level: float
    seasonal: float
    weekday: Floats
    weekend: Floats
    zero_day_rate: float


_DAY_PARTS = {  # hours of the clusters' parts of the day
    "morning": range(7, 14),
    "afternoon": range(14, 19),
    "evening": range(19, 24),
    "night": range(7),
}
# Firms have no table of their own; opening hours give the shape (GoiEner's 24-hour mean of all
# tariffs shows their midday hump).
_FIRM_HOURS = {
    "office": (0.45, range(8, 19), 3.2, 0.45),
    "shop": (0.35, range(10, 22), 2.8, 0.80),
    "continuous": (0.20, range(24), 1.0, 0.90),
}


@cache
def load_profiles() -> tuple[LoadProfile, ...]:
    """Household clusters first, then firms; shares add up to 1 within each group."""
    shape = pd.read_csv(REFERENCE_DIR / "load_shape_hour.csv")
    base = {
        kind: part.sort_values("hour")["ratio_to_daily_mean"].to_numpy(dtype=np.float64)
        for kind, part in shape.groupby("day_type")
    }
    clusters = pd.read_csv(REFERENCE_DIR / "load_profile_clusters.csv")
    households = [_household(row, base) for row in clusters.to_dict("records")]
    firms = [_firm(name, *hours) for name, hours in _FIRM_HOURS.items()]
    return tuple(households + firms)


def household_count() -> int:
    """How many of `load_profiles()` are households."""
    return len(load_profiles()) - len(_FIRM_HOURS)


def _household(row: dict[Any, Any], base: dict[Any, Floats]) -> LoadProfile:
    """The mean shape, bent so that each part of the day has the cluster's share."""
    factor = np.ones(24)
    for part, hours in _DAY_PARTS.items():
        at = list(hours)
        factor[at] = row[f"{part}_kWh_share"] * 24 / base["weekday"][at].sum()
    ratio = float(row["ratio_weekend_weekday"])
    weekday_level = 7 / (5 + 2 * ratio)
    return LoadProfile(
        name=str(row["cluster_label"]),
        share=float(row["pct"]),
        level=float(row["median_daily_kWh"]),
        seasonal=float(row["seasonal_amplitude_norm"]),
        weekday=_unit_mean(base["weekday"] * factor) * weekday_level,
        weekend=_unit_mean(base["weekend"] * factor) * weekday_level * ratio,
        zero_day_rate=float(row["zero_day_rate"]),
    )


def _firm(name: str, share: float, open_hours: range, lift: float, ratio: float) -> LoadProfile:
    shape = np.ones(24)
    shape[list(open_hours)] = lift
    weekday_level = 7 / (5 + 2 * ratio)
    shape = _unit_mean(np.convolve(np.r_[shape[-1], shape, shape[0]], [0.2, 0.6, 0.2], "valid"))
    return LoadProfile(
        name=name,
        share=share,
        level=1.0,
        seasonal=0.2,
        weekday=shape * weekday_level,
        weekend=shape * weekday_level * ratio,
        zero_day_rate=0.0,
    )


def _unit_mean(shape: Floats) -> Floats:
    value: Floats = shape / shape.mean()
    return value


@cache
def month_levels() -> Floats:
    """Household electricity of each month over the year's mean, mean 1; 12 values."""
    table = pd.read_csv(REFERENCE_DIR / "load_level_month.csv").sort_values("month")
    return _unit_mean(table["ratio_to_year_mean"].to_numpy(dtype=np.float64))
