"""Measured campaigns whose customers react alike, or by something that is known of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit

from python_ml.campaigns import CONTROL
from python_ml.campaigns.learn import Prior
from python_ml.campaigns.uplift import Matrix, Offers, learn_uplift
from tests.proof.campaigns_world import (
    CONTACT_EUR,
    DISCOUNTS,
    DRIVE_AWAY,
    MONTHS,
    OFFER_MONTHS,
    PRIOR,
    TIERS,
    WEIGHT,
)

OFFERS = Offers(
    discounts=DISCOUNTS,
    tiers=[name for name, _ in TIERS],
    prior=Prior(PRIOR, WEIGHT, DRIVE_AWAY),
    offer_months=OFFER_MONTHS,
    contact_cost_eur=CONTACT_EUR,
)
_SAVED = np.array([0.16, 0.22, 0.29, 0.36])  # by each offer, of those who would leave


def measured_customers(seed: int, count: int, strength: float) -> tuple[pd.DataFrame, Matrix]:
    """Customers of one campaign with five arms of equal chance, and eight features.

    Args:
        seed: of the draw.
        count: of customers.
        strength: how far the first feature moves the share saved, from 0 (not at all) to 1.
    """
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 8)).astype(np.float32)
    p = expit(rng.normal(-0.2, 1.5, count))
    names, limits = [name for name, _ in TIERS], [limit for _, limit in TIERS]
    tier = np.array(names, dtype=object)[np.searchsorted(limits[1:], p, side="right")]
    saved = _SAVED * (1 + strength * np.tanh(1.5 * features[:, :1]))
    arm = rng.integers(0, 5, count)
    own = np.where(arm > 0, saved[np.arange(count), np.maximum(arm - 1, 0)], 0.0)
    leaves = (rng.random(count) < p) & (rng.random(count) >= own)
    margin = np.exp(rng.normal(np.log(7.0), 0.6, count))
    customers = pd.DataFrame(
        {
            "campaign": "one",
            "customer_id": [f"C{number:05d}" for number in range(count)],
            "arm": np.array([CONTROL, *DISCOUNTS], dtype=object)[arm],
            "stratum": tier,
            "risk_tier": tier,
            "propensity": 0.2,
            "control_propensity": 0.2,
            "churn_probability": p,
            "avg_monthly_margin_eur": margin,
            "margin_at_stake_eur": margin * MONTHS,
            "churn": leaves.astype(float),
        }
    )
    return customers, features


def is_used(seed: int, count: int, strength: float) -> bool:
    """Whether rates by customer are used after such a campaign, by the settings' defaults."""
    customers, features = measured_customers(seed, count, strength)
    _, verdict = learn_uplift(
        customers, features, OFFERS, minimum_customers=5000, confidence=0.99, threads=1
    )
    return verdict.is_used
