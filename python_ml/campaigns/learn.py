"""Share of churners that each offer saves, by risk tier, learned from all measured campaigns.

The assumption of the seed is the prior, with a stated weight: it counts as that many churners who
were seen with and without the offer. Offers and tiers borrow from each other (partial pooling): the
prior variance has a part that all share, one that rises or falls with the discount (which of them,
and how steeply, is for the campaigns to say), one of the offer, and one of offer and tier, so that
a response that is no line is learned too, with more data. What a campaign says is Gaussian, with
the covariance that its control group brings, so that the posterior has a closed form (Gelman et
al., "Bayesian Data Analysis", section 14.8; Rasmussen and Williams, "Gaussian Processes", sections
2.2 and 2.7).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from python_ml.campaigns import CONTROL

Floats = npt.NDArray[np.float64]
# Of the prior variance, on average over the offers: the level that all share, the slope by
# discount, the offer, the rest. Level and slope are equally unknown; so are both departures from
# the line.
_SHARED, _OF_DISCOUNT, _OF_OFFER, _OF_CELL = 0.4, 0.4, 0.1, 0.1
# How far the churn of a tier may be from its scores, as a share of it (standard deviation): the
# scores that pass the gate are calibrated, but their customers have moved on since.
_CALIBRATION_SD = 0.1
_NORMAL = 1.959963984540054  # of a 95 % interval


@dataclass(frozen=True)
class Prior:
    """What the seed economics assumes; `weight` is a number of churners."""

    save_probability: float
    weight: float
    drive_away_probability: float


def save_rates(
    customers: pd.DataFrame,
    discounts: Mapping[str, float],
    tiers: Sequence[str],
    prior: Prior,
) -> pd.DataFrame:
    """The posterior of the share saved, one row per offer and tier, as ml.offer_save_rate has it.

    Args:
        customers: rows of silver_campaign_customer; those of measured, sound campaigns count.
        discounts: of all offers, measured or not, as a share of the monthly margin.
        tiers: all risk tiers.
        prior: of every offer in every tier.
    """
    cells = [(offer, tier) for offer in discounts for tier in tiers]
    place = {cell: number for number, cell in enumerate(cells)}
    mean = np.full(len(cells), prior.save_probability)
    covariance = _prior_covariance(cells, discounts, prior)
    counts = {
        name: np.zeros(len(cells), dtype=np.int64)
        for name in ("campaign_count", "treated_count", "control_count")
    }
    for _, rows in customers.groupby(["campaign", "risk_tier"], sort=True):
        tier = str(rows["risk_tier"].iloc[0])
        arms = [arm for arm in sorted(set(rows["arm"])) if (arm, tier) in place]
        found = _shares(rows, arms, prior)
        if found is None:
            continue
        kept, value, noise = found
        at = [place[arm, tier] for arm in kept]
        mean, covariance = _updated(mean, covariance, at, value, noise)
        for arm in kept:
            own = place[arm, tier]
            counts["campaign_count"][own] += 1
            counts["treated_count"][own] += int((rows["arm"] == arm).sum())
            counts["control_count"][own] += int((rows["arm"] == CONTROL).sum())
    sd = np.sqrt(np.diag(covariance))
    return pd.DataFrame(
        {
            "offer": [offer for offer, _ in cells],
            "risk_tier": [tier for _, tier in cells],
            "save_probability": mean.clip(0, 1),
            "save_probability_sd": sd,
            "save_probability_low": (mean - _NORMAL * sd).clip(0, 1),
            "save_probability_high": (mean + _NORMAL * sd).clip(0, 1),
            "prior_save_probability": prior.save_probability,
            "prior_weight": prior.weight,
            **counts,
        }
    )


def _prior_covariance(
    cells: Sequence[tuple[str, str]], discounts: Mapping[str, float], prior: Prior
) -> Floats:
    variance = prior.save_probability * (1 - prior.save_probability) / prior.weight
    offers = np.array([offer for offer, _ in cells])
    discount = np.array([discounts[offer] for offer, _ in cells])
    same = (offers[:, None] == offers[None, :]).astype(np.float64)
    spread = float(discount.std())
    size = (discount - discount.mean()) / spread if spread else np.ones(len(cells))
    slope = np.outer(size, size)
    parts = _SHARED + _OF_DISCOUNT * slope + _OF_OFFER * same + _OF_CELL * np.eye(len(cells))
    return np.asarray(variance * parts)


def _shares(
    rows: pd.DataFrame, arms: Sequence[str], prior: Prior
) -> tuple[list[str], Floats, Floats] | None:
    """Shares saved by the arms of one campaign in one tier, with their covariance.

    The control group says by which factor the tier's churn differs from its scores; each arm then
    saves what is missing of the churn so expected. The error of the factor is shared by all arms.
    """
    arm = rows["arm"].to_numpy(dtype=object)
    p = rows["churn_probability"].to_numpy(dtype=np.float64)
    churn = rows["churn"].to_numpy(dtype=np.float64)
    control = arm == CONTROL
    if not control.any():
        return None
    expected = float(p[control].sum())
    seen = float((p * (1 - p))[control].sum()) / expected**2
    weight = _CALIBRATION_SD**2 / (_CALIBRATION_SD**2 + seen)
    factor = 1 + weight * (float(churn[control].sum()) / expected - 1)
    of_factor = weight * seen
    kept, value, own = [], [], []
    for name in arms:
        mine = arm == name
        base = factor * float(p[mine].sum())
        if name == CONTROL or base < 1:
            continue
        driven = prior.drive_away_probability * (int(mine.sum()) - base)
        left = (1 - prior.save_probability) * factor * p[mine]
        kept.append(name)
        value.append(1 - (float(churn[mine].sum()) - driven) / base)
        own.append(float((left * (1 - left)).sum()) / base**2)
    if not kept:
        return None
    stays = np.full(len(kept), 1 - prior.save_probability)
    noise = np.diag(own) + np.outer(stays, stays) * of_factor / factor**2
    return kept, np.array(value), noise


def _updated(
    mean: np.ndarray,
    covariance: np.ndarray,
    at: Sequence[int],
    value: np.ndarray,
    noise: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The Gaussian posterior after seeing some of the cells."""
    across = covariance[:, at]
    gain = np.linalg.solve(across[at] + noise, across.T).T
    updated = covariance - gain @ across.T
    moved: Floats = mean + gain @ (value - mean[at])
    return moved, (updated + updated.T) / 2
