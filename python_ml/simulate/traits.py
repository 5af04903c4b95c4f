"""Latent traits of customers: a pure function of (seed, customer index)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy.special import ndtr

from python_ml.simulate.noise import Floats, Integers, choose, normal, quantile, uniform
from python_ml.simulate.reference import (
    SEGMENTS,
    calibration,
    household_count,
    load_profiles,
    provinces,
)

DAYS_A_MONTH = 30.44


@dataclass(frozen=True)
class Traits:
    """One value a customer in each array; `customer_id` is C00001 for index 0.

    Units: power kW, `elec_level` kWh and `gas_level` m³ an average month (0: fuel not used),
    times months of 30.44 days before or after the as-of date. `segment`, `province`, `channel` and
    `profile` are positions in SEGMENTS, `provinces()`, the channels of calibration.yml and
    `load_profiles()`. `months_since_change` is NaN where the product never changed.
    """

    index: Integers
    customer_id: np.ndarray
    segment: Integers
    province: Integers
    channel: Integers
    is_second_residence: np.ndarray
    is_urban: np.ndarray
    power_kw: Floats
    tenure_months: Floats
    months_to_renewal: Floats
    months_since_change: Floats
    has_elec: np.ndarray
    has_gas: np.ndarray
    profile: Integers
    elec_level: Floats
    gas_level: Floats

    def __len__(self) -> int:
        return len(self.index)

    def part(self, mask: np.ndarray) -> Traits:
        return Traits(**{field.name: getattr(self, field.name)[mask] for field in fields(self)})

    @property
    def is_high_competition(self) -> np.ndarray:
        return provinces().is_high_competition[self.province]


def draw_traits(seed: int, index: Integers, id_digits: int = 5) -> Traits:
    """Traits of the customers with these indices."""
    constants = calibration()
    segment = choose(
        uniform(seed, "segment", index), [constants["segments"][s]["share"] for s in SEGMENTS]
    )
    is_home = segment == 0
    second = is_home & (
        uniform(seed, "second", index) < constants["second_residence_share_of_residential"]
    )
    tenure_bucket, tenure = _tenure(seed, index)
    dual_share = np.array([constants["segments"][s]["dual_share"] for s in SEGMENTS])[segment]
    has_gas = uniform(seed, "gas", index) < dual_share
    gas_only = has_gas & (
        uniform(seed, "gas_only", index) < constants["gas_only_share_of_gas_users"]
    )
    profile = _profile(seed, index, is_home, second)
    change = quantile(uniform(seed, "change", index), constants["product_change"]["months"])
    never = uniform(seed, "no_change", index) < constants["product_change"]["none_share"]
    channels = constants["sales_channels"]
    renewal = _months_to_renewal(seed, index, tenure_bucket)
    # Products change when a contract comes up for renewal: the nearer, the more recent the change.
    low, slope, high = (constants["product_change"][k] for k in ("low", "slope", "high"))
    change = change * np.clip(low + slope * renewal, low, high)
    return Traits(
        index=index,
        customer_id=np.array([f"C{i + 1:0{id_digits}d}" for i in index], dtype=object),
        segment=segment,
        province=choose(uniform(seed, "province", index), provinces().share),
        channel=choose(
            uniform(seed, "channel", index), [entry["share"] for entry in channels.values()]
        ),
        is_second_residence=second,
        is_urban=uniform(seed, "urban", index) < constants["urban_share"],
        power_kw=_power(seed, index, segment, second),
        tenure_months=tenure,
        months_to_renewal=renewal,
        months_since_change=np.where(never, np.nan, np.minimum(change, np.maximum(tenure, 0.05))),
        has_elec=~gas_only,
        has_gas=has_gas,
        profile=profile,
        elec_level=np.where(gas_only, 0.0, _elec_level(seed, index, segment, profile)),
        gas_level=np.where(has_gas, _by_segment(seed, "gas_level", index, segment, "gas"), 0.0),
    )


def _tenure(seed: int, index: Integers) -> tuple[Integers, Floats]:
    table = calibration()["tenure_months"]
    edges, powers = np.array(table["edges"]), np.array(table["powers"])
    bucket = choose(uniform(seed, "tenure_bucket", index), table["shares"])
    inside = uniform(seed, "tenure", index) ** powers[bucket]
    return bucket, edges[bucket] + inside * (edges[bucket + 1] - edges[bucket])


def _months_to_renewal(seed: int, index: Integers, tenure_bucket: Integers) -> Floats:
    table = calibration()["months_to_renewal"]
    near = np.array(table["near_share_by_tenure"])[tenure_bucket]
    others = ("expired", "mid", "far")
    part = choose(uniform(seed, "renewal_part", index), [table[p]["share"] for p in others])
    u = uniform(seed, "renewal", index)

    def inside(name: str) -> Floats:
        entry = table[name]
        value: Floats = entry["low"] + u ** entry.get("power", 1.0) * (entry["high"] - entry["low"])
        return value

    elsewhere = np.choose(part, [inside(name) for name in others])
    return np.where(uniform(seed, "renewal_near", index) < near, inside("near"), elsewhere)


def _power(seed: int, index: Integers, segment: Integers, second: np.ndarray) -> Floats:
    table = calibration()["power_kw"]
    u = uniform(seed, "power", index)
    home = np.where(
        second, quantile(u, table["second_residence"]), quantile(u, table["Residential"])
    )
    # Spanish supplies are sold in steps of 1.15 kW at 230 V; real files hold a few other values.
    steps = np.round(home / 1.15) * 1.15
    home = np.where(uniform(seed, "power_step", index) < 0.85, steps, home)
    firm = np.where(segment == 1, 10.0, quantile(u, table["Corporate"]))
    return np.asarray(np.round(np.where(segment == 0, home, firm), 2), dtype=np.float64)


def _profile(seed: int, index: Integers, is_home: np.ndarray, second: np.ndarray) -> Integers:
    households = household_count()
    shares = np.array([profile.share for profile in load_profiles()])
    u = uniform(seed, "profile", index)
    home = np.where(second, households - 1, choose(u, shares[:households]))
    return np.where(is_home, home, households + choose(u, shares[households:]))


def _elec_level(seed: int, index: Integers, segment: Integers, profile: Integers) -> Floats:
    """Average month in kWh.

    A household's rank follows its cluster's level in the reference table; the published quantiles
    then turn ranks into kWh.
    """
    homes = load_profiles()[: household_count()]
    shares = np.array([entry.share for entry in homes])
    centre = np.log([entry.level for entry in homes])
    sigma = 0.9
    score = centre[np.minimum(profile, len(homes) - 1)] + sigma * normal(seed, "level", index)
    rank = sum(
        share / shares.sum() * ndtr((score - mean) / sigma)
        for share, mean in zip(shares, centre, strict=True)
    )
    knots = calibration()["electricity"]["monthly_kwh"]
    u = np.where(segment == 0, rank, uniform(seed, "firm_level", index))
    return np.choose(segment, [quantile(u, knots[s], log=True) for s in SEGMENTS])


def _by_segment(seed: int, name: str, index: Integers, segment: Integers, fuel: str) -> Floats:
    u = uniform(seed, name, index)
    knots = calibration()[fuel]["monthly_m3"]
    return np.choose(segment, [quantile(u, knots[s], log=True) for s in SEGMENTS])
