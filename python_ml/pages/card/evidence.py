"""What a card is written from."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from python_ml.judge.verdict import EvaluateResult
from python_ml.registry import RegisteredModel


@dataclass(frozen=True)
class Evidence:
    """A version, its evaluation and decision, and the tables that were written on the way."""

    candidate: RegisteredModel
    result: EvaluateResult
    status: str
    reason: str
    metrics: pd.DataFrame
    curves: pd.DataFrame
    policies: pd.DataFrame
    audit: pd.DataFrame
    ladder: pd.DataFrame
    has_drift: bool
