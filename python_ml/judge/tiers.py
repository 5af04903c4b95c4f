"""The tiers of risk, as the seed `risk_tiers` has them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from python_ml.engines import Warehouse
from python_ml.errors import SpanishGasError


def read_tiers(warehouse: Warehouse) -> pd.DataFrame:
    """The seed `risk_tiers`, from the lowest minimum_probability to the highest.

    Raises:
        SpanishGasError: its lowest tier does not begin at 0, or two begin alike.
    """
    tiers = warehouse.read_table("risk_tiers").sort_values("minimum_probability", ignore_index=True)
    if tiers.empty or tiers["minimum_probability"].iloc[0] != 0:
        raise SpanishGasError("the seed risk_tiers has no tier with minimum_probability 0")
    if tiers["minimum_probability"].duplicated().any():
        raise SpanishGasError("the seed risk_tiers has two tiers with one minimum_probability")
    return tiers


def assign_tier(probability: np.ndarray, tiers: pd.DataFrame) -> np.ndarray:
    """Name of the highest tier whose minimum each probability reaches.

    >>> tiers = pd.DataFrame({"minimum_probability": [0, 0.4], "risk_tier": ["Low", "Medium"]})
    >>> list(assign_tier(np.array([0.39, 0.4, 0.9]), tiers))
    ['Low', 'Medium', 'Medium']
    """
    minimum = tiers["minimum_probability"].to_numpy(dtype=np.float64)
    names = tiers["risk_tier"].to_numpy(dtype=object)
    return names[np.searchsorted(minimum, probability, side="right") - 1]
