"""Why a customer scores as it does: the model's own additive contributions to the log-odds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from python_ml.model.churn_model import ChurnModel

REASON_COUNT = 10  # SQL tells three of them, those one can act on first


def top_reasons(
    model: ChurnModel, frame: pd.DataFrame, count: int = REASON_COUNT, threads: int = 1
) -> pd.DataFrame:
    """The largest positive contributions of each customer.

    Args:
        model: the version that scores.
        frame: n rows of gold_master.
        count: at most so many a customer; fewer when fewer features raise the score.
        threads: to use; the result is the same for any number.

    Returns:
        customer_id, reason_rank (1 is the strongest), feature, feature_value (text, null when
        there is no value) and contribution_log_odds, in the order of the rows, then of the ranks.
    """
    values, _ = model.classifier.contributions(frame, threads)
    # Stable, so that equal contributions keep the order of the features from run to run.
    ranked = np.argsort(-values, axis=1, kind="stable")[:, :count]
    strongest = np.take_along_axis(values, ranked, axis=1)
    row, rank = np.nonzero(strongest > 0)
    feature = ranked[row, rank]
    shown = _shown_values(frame, model.features, row, feature)
    return pd.DataFrame(
        {
            "customer_id": frame["customer_id"].to_numpy()[row],
            "reason_rank": (rank + 1).astype(np.int32),
            "feature": np.array(model.features, dtype=object)[feature],
            "feature_value": shown,
            "contribution_log_odds": strongest[row, rank],
        }
    )


def _shown_values(
    frame: pd.DataFrame, features: list[str], row: np.ndarray, feature: np.ndarray
) -> np.ndarray:
    """The customer's value of each named feature as text."""
    shown = np.empty(len(row), dtype=object)
    for position, name in enumerate(features):
        chosen = feature == position
        values = frame[name].to_numpy(dtype=object)[row[chosen]]
        shown[chosen] = [shown_value(value) for value in values]
    return shown


def shown_value(value: Any) -> str | None:
    """A value of a feature as people read it; None for no value."""
    if pd.isna(value):
        return None
    return f"{value:.6g}" if isinstance(value, float) else str(value)
