"""The hazard of leaving within the horizon, and the outcome drawn from it."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from python_ml.simulate.noise import Floats, uniform
from python_ml.simulate.panel import Panel
from python_ml.simulate.reference import calibration
from python_ml.simulate.traits import Traits


def churn_probability(traits: Traits, panel: Panel) -> Floats:
    """Probability of leaving when nobody makes an offer."""
    base = calibration()["churn"]["base"]
    near = (traits.months_to_renewal > 0) & (traits.months_to_renewal <= 3)
    logit = base + 1.5 * near - 1.2 * (traits.months_to_renewal > 6)
    logit = logit + 0.6 * traits.is_high_competition - 0.8 * (traits.tenure_months > 60)
    return np.asarray(expit(logit), dtype=np.float64)


def draw_churn(seed: int, traits: Traits, panel: Panel) -> np.ndarray:
    """Who leaves when nobody makes an offer: booleans, one a customer."""
    return uniform(seed, "churn", traits.index) < churn_probability(traits, panel)
