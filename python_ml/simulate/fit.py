"""Fits the lifecycle part of the hazard to the published margins, with the other parts given.

`python -m python_ml.simulate.fit` prints the lines of `churn` in calibration.yml that it found; run
it after a change to any other constant that moves churn.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml
from scipy.special import expit, logit

from python_ml.simulate.churn import behaviour, lifecycle, market, price_risk
from python_ml.simulate.noise import Floats, Integers
from python_ml.simulate.panel import draw_panel, province_costs
from python_ml.simulate.reference import calibration
from python_ml.simulate.traits import Traits, draw_traits

FIT_SEED = 9001  # not a seed that anybody simulates with by default
_OWN_WEBSITE, _COMPARISON = 5, 2  # channels: too few customers for a constant, and its stand-in
_STEP = 0.6  # of a Newton step: groups overlap, so full steps would swing


@dataclass(frozen=True)
class Margin:
    """Customers of one group are to churn at `rate`; `name[position]` is the constant for it."""

    name: str
    position: int
    mask: np.ndarray
    rate: float


@dataclass(frozen=True)
class Contrast:
    """The constant `name` is to set the odds of `mask` against those of `other`."""

    name: str
    mask: np.ndarray
    other: np.ndarray
    rate: float
    other_rate: float


def _positions(edges: list[float], values: Floats) -> Integers:
    return np.searchsorted(edges, values, side="left").astype(np.int64)


def margins(traits: Traits, table: dict[str, Any], target: dict[str, Any]) -> Iterator[Margin]:
    """Every group that a constant belongs to, with its rate."""
    near = (traits.months_to_renewal > 0) & (traits.months_to_renewal <= 3)
    renewal = _positions(table["renewal_edges"], traits.months_to_renewal)
    tenure = _positions(table["tenure_edges"], traits.tenure_months)
    for position, rate in enumerate(target["renewal"]):
        yield Margin("renewal", position, renewal == position, rate)
    for name, side in (("tenure_near", near), ("tenure", ~near)):
        for position, rate in enumerate(target[name]):
            yield Margin(name, position, (tenure == position) & side, rate)
    for name, side in (("channel_near", near), ("channel", ~near)):
        for position, rate in enumerate(target[name]):
            yield Margin(name, position, (traits.channel == position) & side, rate)


def contrasts(traits: Traits, target: dict[str, Any]) -> Iterator[Contrast]:
    """Every flag that has a constant of its own."""
    near = (traits.months_to_renewal > 0) & (traits.months_to_renewal <= 3)
    rivals, dual = traits.is_high_competition, traits.has_elec & traits.has_gas
    for name, mask, other in (
        ("competition_near", rivals & near, ~rivals & near),
        ("competition", rivals & ~near, ~rivals & ~near),
        ("dual_fuel", dual, ~dual),
    ):
        yield Contrast(name, mask, other, *target[name])


def fit_lifecycle(customers: int, seed: int = FIT_SEED, rounds: int = 60) -> dict[str, Any]:
    """The block `churn` with lifecycle constants that meet the block `churn_targets`.

    Repeats Newton steps, one group at a time (iterative proportional fitting on the log-odds).
    """
    traits, costs = draw_traits(seed, np.arange(customers)), province_costs(seed)
    panel = draw_panel(seed, traits, costs)
    target = calibration()["churn_targets"]
    table = copy.deepcopy(calibration()["churn"])
    given = (
        market(traits, panel, costs, table)
        + price_risk(traits, panel, costs, table)
        + behaviour(traits, table)
    )
    groups, flags = list(margins(traits, table, target)), list(contrasts(traits, target))
    for _ in range(rounds):
        for name in dict.fromkeys(group.name for group in groups):
            p = expit(lifecycle(traits, table) + given)
            for group in (group for group in groups if group.name == name):
                gap = logit(group.rate) - logit(p[group.mask].mean())
                table[name][group.position] += _STEP * gap
        p = expit(lifecycle(traits, table) + given)
        for flag in flags:
            wanted = logit(flag.rate) - logit(flag.other_rate)
            found = logit(p[flag.mask].mean()) - logit(p[flag.other].mean())
            table[flag.name] += _STEP * (wanted - found)
    for name in ("channel", "channel_near"):
        table[name][_OWN_WEBSITE] = table[name][_COMPARISON]
    document: dict[str, Any] = table
    return document


def _main() -> None:
    table = fit_lifecycle(customers=300_000)
    plain = {
        name: np.round(np.asarray(value, dtype=np.float64), 4).tolist()
        for name, value in table.items()
    }
    yaml.safe_dump({"churn": plain}, sys.stdout, sort_keys=False, default_flow_style=None)


if __name__ == "__main__":
    _main()
