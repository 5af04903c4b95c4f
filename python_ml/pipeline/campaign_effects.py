"""What campaigns have achieved, written where the marts find it."""

from __future__ import annotations

import pandas as pd

from python_ml.campaigns.effect import measure_effects
from python_ml.engines import Warehouse
from python_ml.settings import Settings

CUSTOMERS, EFFECT = "silver_campaign_customer", "campaign_effect"


def write_effects(warehouse: Warehouse, settings: Settings, run_id: str) -> pd.DataFrame | None:
    """Measure every campaign as far as its outcomes are known; write `ml.campaign_effect`.

    Returns:
        The rows written, or None where no campaign has started.
    """
    customers = warehouse.read_table(CUSTOMERS)
    if customers.empty:
        return None
    effects = measure_effects(customers, settings.campaigns, settings.evaluate.confidence)
    warehouse.write_external(EFFECT, effects, run_id)
    return effects
