"""Drift: has what the champion learned from changed, and is it more than the calendar?"""

from __future__ import annotations

from python_ml.judge.drift.monitor import DriftResult, watch_drift

__all__ = ["DriftResult", "watch_drift"]
