"""The hazard of leaving within the horizon, and the outcome drawn from it.

log-odds = lifecycle + market + risk + behaviour. docs/simulator.md gives the terms and says what
each is fitted to; the numbers are in the block `churn` of calibration.yml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import expit

from python_ml.simulate.noise import Floats, uniform
from python_ml.simulate.panel import Panel, ProvinceCosts
from python_ml.simulate.reference import calibration
from python_ml.simulate.traits import Traits


def lifecycle(traits: Traits, table: Mapping[str, Any]) -> Floats:
    """Log-odds by time to renewal, tenure, channel, competition and fuel."""
    near = (traits.months_to_renewal > 0) & (traits.months_to_renewal <= 3)
    bucket = np.searchsorted(table["renewal_edges"], traits.months_to_renewal, side="left")
    tenure = np.searchsorted(table["tenure_edges"], traits.tenure_months, side="left")
    rivals = traits.is_high_competition
    return (
        table["base"]
        + np.array(table["renewal"])[bucket]
        + np.where(near, np.array(table["tenure_near"])[tenure], np.array(table["tenure"])[tenure])
        + np.where(
            near,
            np.array(table["channel_near"])[traits.channel],
            np.array(table["channel"])[traits.channel],
        )
        + rivals * np.where(near, table["competition_near"], table["competition"])
        + (traits.has_elec & traits.has_gas) * table["dual_fuel"]
    )


def _wave(x: Floats, period: float, phase: float) -> Floats:
    return np.cos(2.0 * np.pi * (x / period - phase))


def market_exposure(traits: Traits, panel: Panel, costs: ProvinceCosts, table) -> Floats:
    kwh = np.log(np.maximum(panel.elec_kwh.mean(axis=1), 1.0))
    band = _wave(kwh, table["band_period"], table["band_phase"])
    cost = costs.elec.mean(axis=1)[traits.province]
    region = _wave((cost - 0.0761) / 0.005, table["region_period"], table["region_phase"])
    gcost = costs.gas.mean(axis=1)[traits.province]
    region2 = _wave((gcost - 0.73) / 0.09, table["region2_period"], 0.3)
    return (
        table["band"] * band
        + table["region"] * region
        + table["region2"] * region2
        + table["band_region"] * band * region
    )


def price_risk(traits: Traits, panel: Panel, costs: ProvinceCosts, table) -> Floats:
    price = panel.tier1_price
    trend = np.log(np.maximum(price[:, -1] / price[:, 0], 0.05))
    r1 = np.clip(trend, table["shock_from"], table["shock_to"]) - table["shock_from"]
    r1 = r1 / (table["shock_to"] - table["shock_from"])
    r1b = _wave(trend, table["trend_period"], table["trend_phase"])
    spread = price[:, -1] - costs.elec.mean(axis=1)[traits.province]
    r2 = _wave(spread, table["spread_period"], table["spread_phase"])
    return (
        table["shock"] * r1
        + table["trend"] * r1b
        + table["spread"] * r2
        + table["trend_spread"] * r1b * r2
    )


def behaviour(traits: Traits, table) -> Floats:
    recent = np.nan_to_num(traits.months_since_change, nan=1e9)
    return table["recent_change"] * np.exp(-recent / table["change_months"])


def churn_logit(traits, panel, costs, table=None):
    table = table or calibration()["churn"]
    return (
        lifecycle(traits, table)
        + market_exposure(traits, panel, costs, table)
        + price_risk(traits, panel, costs, table)
        + behaviour(traits, table)
    )


def churn_probability(traits: Traits, panel: Panel, costs: ProvinceCosts) -> Floats:
    """Probability of leaving when nobody makes an offer."""
    return np.asarray(expit(churn_logit(traits, panel, costs)), dtype=np.float64)


def draw_churn(seed: int, traits: Traits, panel: Panel, costs: ProvinceCosts) -> np.ndarray:
    """Who leaves when nobody makes an offer: booleans, one a customer."""
    probability = churn_probability(traits, panel, costs)
    return uniform(seed, "churn", traits.index) < probability
