"""A gate that lets every model pass, and few trees, where neither is what a test is about.

With a dozen churners in the test part, the limits of the full size would decide by chance.
"""

from __future__ import annotations

from collections.abc import Mapping

OPEN_GATE = {
    "gate.minimum_pr_auc": 0.0,
    "gate.minimum_pr_auc_of_fallback": 0.0,
    "gate.minimum_recall": 0.0,
    "gate.maximum_ece": 1.0,
    "gate.minimum_churner_count": 1,
    "gate.minimum_pr_auc_lift": 0.0,
    "gate.minimum_benchmark_gain": -1.0,
    "gate.minimum_margin": 1.0,
    "gate.maximum_segment_pr_auc_fall": 1.0,
    "gate.maximum_segment_recall_fall": 1.0,
    "gate.minimum_direction_share": 0.0,
}
FEW_TREES = {"model.xgboost.n_estimators": 60, "model.xgboost.learning_rate": 0.1}


def as_variables(settings: Mapping[str, object]) -> dict[str, str]:
    """Settings by name as variables of the environment."""
    return {
        f"SPANISHGAS_{name.replace('.', '__').upper()}": str(value)
        for name, value in settings.items()
    }
