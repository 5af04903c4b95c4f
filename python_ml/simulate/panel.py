"""Customer-months: energy used and prices paid, before any dirt. Hours only divide these up."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy.special import ndtr

from python_ml.simulate.noise import Floats, Integers, normal, quantile, uniform
from python_ml.simulate.reference import (
    SEGMENTS,
    calibration,
    household_count,
    load_profiles,
    month_levels,
    provinces,
)
from python_ml.simulate.traits import Traits

MONTHS = 12
COMPARISON_CHANNEL = "comparador"


@dataclass(frozen=True)
class Panel:
    """Arrays of shape (customers, 12) unless noted; kWh, m³, €/kWh, €/m³, €/month, €/year."""

    elec_kwh: Floats
    gas_m3: Floats
    tier1_price: Floats
    fixed_fee: Floats  # (customers,)
    fixed_cost: Floats  # (customers,)
    gas_price: Floats  # (customers,)
    gas_fixed_revenue: Floats  # (customers,)
    gas_fixed_cost: Floats  # (customers,)

    def part(self, mask: np.ndarray, months: slice) -> Panel:
        """Some customers, and some of the months."""
        arrays = {field.name: getattr(self, field.name)[mask] for field in fields(self)}
        return Panel(**{k: v if v.ndim == 1 else v[:, months] for k, v in arrays.items()})


@dataclass(frozen=True)
class ProvinceCosts:
    """Arrays of shape (provinces, 12): €/kWh, €/m³ and the network toll in €/kWh."""

    elec: Floats
    gas: Floats
    toll: Floats


def province_costs(seed: int) -> ProvinceCosts:
    """Cost of energy and toll by province and month."""
    table, prices = provinces(), calibration()["prices"]
    cost = prices["province_cost_eur_kwh"]
    mean = cost["low"] + (cost["high"] - cost["low"]) * table.elec_cost_level
    slope = prices["province_cost_trend"]
    trend = slope["low"] + (slope["high"] - slope["low"]) * table.elec_cost_trend
    ramp = np.arange(MONTHS) / (MONTHS - 1)
    path = 1.0 + trend[:, None] * ramp
    elec = mean[:, None] * path / path.mean(axis=1, keepdims=True)
    gas = prices["province_gas_cost_eur_m3"]
    season = 0.5 + 0.5 * np.cos(2 * np.pi * (np.arange(MONTHS) + 0.5) / MONTHS)
    gas_level = gas["low"] + (gas["high"] - gas["low"]) * (
        0.55 * table.gas_cost_level[:, None] + 0.45 * season
    )
    toll = prices["toll_eur_kwh"]
    u = uniform(seed, "toll", np.arange(len(table.code)))
    tolls = np.repeat((toll["low"] + (toll["high"] - toll["low"]) * u)[:, None], MONTHS, axis=1)
    return ProvinceCosts(np.round(elec, 6), np.round(gas_level, 6), np.round(tolls, 6))


def draw_panel(seed: int, traits: Traits, costs: ProvinceCosts) -> Panel:
    """Energy and prices of a calendar year."""
    prices = calibration()["prices"]
    index, segment = traits.index, traits.segment
    names = list(calibration()["sales_channels"])
    compares = traits.channel == names.index(COMPARISON_CHANNEL)
    own = prices["fixed_margin_eur_month"]
    rival = prices["comparador_fixed_margin_eur_month"]
    mean = np.array([own[s]["mean"] for s in SEGMENTS])[segment]
    sd = np.array([own[s]["sd"] for s in SEGMENTS])[segment]
    z = normal(seed, "fixed_margin", index)
    margin = np.where(compares, rival["mean"] + rival["sd"] * z, mean + sd * z)
    fee = np.round(prices["fixed_fee_eur_kw_month"] * traits.power_kw + 2.0, 2)
    fee = np.where(traits.has_elec, np.maximum(fee, np.round(margin, 2) + 0.5), 0.0)
    cost = np.where(traits.has_elec, np.round(np.maximum(fee - margin, 0.1), 2), 0.0)

    def gas_draw(name: str) -> Floats:
        entry = prices[name]
        value = entry["mean"] + entry["sd"] * normal(seed, name, index)
        return np.asarray(np.where(traits.has_gas, np.maximum(value, 0.0), 0.0), dtype=np.float64)

    return Panel(
        elec_kwh=elec_year(seed, traits),
        gas_m3=gas_year(seed, traits),
        tier1_price=tier1_prices(seed, traits, costs, MONTHS),
        fixed_fee=fee,
        fixed_cost=cost,
        gas_price=np.round(gas_draw("gas_price_eur_m3"), 5),
        gas_fixed_revenue=np.round(gas_draw("gas_fixed_revenue_eur_year"), 2),
        gas_fixed_cost=np.round(gas_draw("gas_fixed_cost_eur_year"), 2),
    )


def month_grid(index: Integers, first: int = 0, count: int = MONTHS) -> Integers:
    """One counter a customer-month, (customers, count); month 0 is the first January simulated."""
    return index[:, None] * 4096 + first + np.arange(count)


def elec_year(seed: int, traits: Traits, year: int = 0) -> Floats:
    """kWh of the twelve months of a year; 0 is the first one simulated."""
    grid = month_grid(traits.index, year * MONTHS)
    profiles = load_profiles()
    constants = calibration()["electricity"]
    seasonal = np.array([p.seasonal for p in profiles])[traits.profile][:, None]
    away = np.array([p.zero_day_rate for p in profiles])[traits.profile][:, None]
    level = month_levels() - 1.0
    # The table's swing belongs to the mean household, whose own amplitude is about 0.33.
    weight = np.maximum(1.0 + level * np.minimum(seasonal / 0.33, 2.5), 0.1)
    firm = (traits.profile >= household_count())[:, None]
    sigma = np.where(
        firm, constants["firm_month_sigma"], constants["month_sigma"] * (1.0 + seasonal)
    )
    weight = weight * np.exp(sigma * normal(seed, "elec_month", grid))
    # A month at zero is rarer than a day at zero, and only where the home is empty at times.
    empty = uniform(seed, "elec_zero", grid) < np.where(away > 0.05, 0.3 * away, 0.0)
    weight = np.where(empty, 0.0, weight)
    total = weight.sum(axis=1, keepdims=True)
    weight = np.where(total > 0, weight * MONTHS / np.maximum(total, 1e-9), 1.0)
    return traits.elec_level[:, None] * weight


def gas_year(seed: int, traits: Traits, year: int = 0) -> Floats:
    """m³ of the twelve months of a year; 0 is the first one simulated."""
    grid = month_grid(traits.index, year * MONTHS)
    constants = calibration()["gas"]
    shape = np.array(constants["month_shape"])
    firm = (traits.profile >= household_count())[:, None]
    weight = np.where(firm, 0.5 + 0.5 * shape, shape)
    weight = weight * np.exp(constants["month_sigma"] * normal(seed, "gas_month", grid))
    weight = weight * MONTHS / weight.sum(axis=1, keepdims=True)
    value: Floats = traits.gas_level[:, None] * weight
    return value


def tier1_prices(seed: int, traits: Traits, costs: ProvinceCosts, months: int) -> Floats:
    """Peak price of each month, (customers, months): one repricing a year, a little noise around.

    The first year's trend and last price follow the published distributions. From then on a price
    far above the cost tends to fall at the next repricing and a low one to rise, so that level and
    trend stay distributed as they were.
    """
    prices, index = calibration()["prices"], traits.index
    mean, sd = _spread(traits)
    cost = costs.elec.mean(axis=1)[traits.province]
    level = np.maximum(cost + mean + sd * normal(seed, "spread", index), 0.02)
    # Most repricings fall near the turn of the year.
    when = quantile(uniform(seed, "step", index), prices["step"])
    step = 1 + np.floor(when * (MONTHS - 1)).astype(np.int64)
    first = level / (1.0 + _trend(traits, uniform(seed, "trend", index)))
    month = np.arange(months)
    path = np.where(month >= step[:, None], level[:, None], first[:, None])
    course = calibration()["course"]["repricing"]
    for year in range(1, -(-months // MONTHS)):
        pull = course["pull"] * (level - cost - mean) / sd + course["drift"]
        chance = normal(seed, "repricing", index * 4096 + year)
        rank = ndtr(np.sqrt(1.0 - course["pull"] ** 2) * chance - pull)
        level = np.maximum(level * (1.0 + _trend(traits, rank)), 0.02)
        path = np.where(month >= year * MONTHS + step[:, None], level[:, None], path)
    noise = prices["month_noise"] * normal(seed, "price_month", month_grid(index, 0, months))
    noise[:, [0, MONTHS - 1]] = 0.0  # the first year's trend is that of first and last price
    value: Floats = np.round(np.maximum(path * (1.0 + noise), 0.005), 5)
    return value


def _spread(traits: Traits) -> tuple[Floats, Floats]:
    """Mean and deviation of the peak price above the province's mean cost."""
    entry = calibration()["prices"]["spread_eur_kwh"]
    mean = np.array([entry[s]["mean"] for s in SEGMENTS])[traits.segment]
    return mean, np.array([entry[s]["sd"] for s in SEGMENTS])[traits.segment]


def _trend(traits: Traits, rank: Floats) -> Floats:
    """Relative change of a repricing from its rank, 0 to 1."""
    prices = calibration()["prices"]
    trend = quantile(rank, prices["trend"])
    return np.where(traits.segment > 0, prices["firm_trend_ratio"], 1.0) * trend
