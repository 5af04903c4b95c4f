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
    logit: Floats = (
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
    return logit


def _wave(x: Floats, period: float, phase: float) -> Floats:
    wave: Floats = np.cos(2.0 * np.pi * (x / period - phase))
    return wave


def _mean_cost(traits: Traits, costs: ProvinceCosts) -> Floats:
    mean: Floats = costs.elec.mean(axis=1)[traits.province]
    return mean


def market(traits: Traits, panel: Panel, costs: ProvinceCosts, table: Mapping[str, Any]) -> Floats:
    """Log-odds by what rivals offer here to a customer of this size.

    Rivals' tariffs beat ours in bands of consumption, and in provinces by their cost level: both
    rise and fall over the range, so that a straight line sees nearly nothing of them. Firms with
    an account manager hardly leave.
    """
    kwh = np.maximum(panel.elec_kwh.mean(axis=1), 1.0)
    heavy = np.maximum(np.log(kwh / table["heavy_from"]), 0.0)
    band = _wave(np.log(kwh), table["band_period"], table["band_phase"])
    limits = calibration()["prices"]["province_cost_eur_kwh"]
    level = (_mean_cost(traits, costs) - limits["low"]) / (limits["high"] - limits["low"])
    region = _wave(level, table["region_period"], table["region_phase"])
    logit: Floats = (
        -table["heavy_use"] * heavy
        + table["band"] * band
        + table["region"] * region
        + table["band_region"] * band * region
    )
    return logit


def price_risk(
    traits: Traits, panel: Panel, costs: ProvinceCosts, table: Mapping[str, Any]
) -> Floats:
    """Log-odds by the course and the level of the peak price.

    A shock raises them steadily between two trends. Beside it trend and spread act in waves:
    customers who were repriced to a level that a rival's offer just undercuts.
    """
    price = panel.tier1_price
    trend = np.log(price[:, -1] / price[:, 0])
    low, high = table["shock_from"], table["shock_to"]
    shock = (np.clip(trend, low, high) - low) / (high - low)
    spread = price[:, -1] - _mean_cost(traits, costs)
    logit: Floats = (
        table["shock"] * shock
        + table["trend"] * _wave(trend, table["trend_period"], table["trend_phase"])
        + table["spread"] * _wave(spread, table["spread_period"], table["spread_phase"])
    )
    return logit


def behaviour(traits: Traits, table: Mapping[str, Any]) -> Floats:
    """Log-odds by a recent change of product, which fades."""
    months = np.nan_to_num(traits.months_since_change, nan=np.inf)
    logit: Floats = table["recent_change"] * np.exp(-months / table["change_months"])
    return logit


def churn_logit(
    traits: Traits, panel: Panel, costs: ProvinceCosts, table: Mapping[str, Any] | None = None
) -> Floats:
    """Log-odds of leaving within the horizon when nobody makes an offer."""
    table = table or calibration()["churn"]
    return (
        lifecycle(traits, table)
        + market(traits, panel, costs, table)
        + price_risk(traits, panel, costs, table)
        + behaviour(traits, table)
    )


def churn_probability(traits: Traits, panel: Panel, costs: ProvinceCosts) -> Floats:
    """Probability of leaving within the horizon when nobody makes an offer."""
    return np.asarray(expit(churn_logit(traits, panel, costs)), dtype=np.float64)


def draw_churn(seed: int, traits: Traits, panel: Panel, costs: ProvinceCosts) -> np.ndarray:
    """Who leaves when nobody makes an offer: booleans, one a customer."""
    probability = churn_probability(traits, panel, costs)
    return uniform(seed, "churn", traits.index) < probability
