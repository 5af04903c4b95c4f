"""What campaigns have achieved and taught, written where the marts find it."""

from __future__ import annotations

import pandas as pd

from python_ml.campaigns import ALL, CONTACT_ONLY
from python_ml.campaigns.effect import BROKEN, measure_effects
from python_ml.campaigns.learn import Prior, save_rates
from python_ml.engines import Warehouse
from python_ml.judge.profit import economics_values
from python_ml.settings import Settings

CUSTOMERS, EFFECT, RATE = "silver_campaign_customer", "campaign_effect", "offer_save_rate"


def write_effects(warehouse: Warehouse, settings: Settings, run_id: str) -> pd.DataFrame | None:
    """Measure every campaign as far as its outcomes are known, and learn from those that are sound.

    Writes `ml.campaign_effect`, and `ml.offer_save_rate` from campaigns whose labels have matured.

    Returns:
        The effects, or None where no campaign has started.
    """
    customers = warehouse.read_table(CUSTOMERS)
    if customers.empty:
        return None
    effects = measure_effects(customers, settings.campaigns, settings.evaluate.confidence)
    warehouse.write_external(EFFECT, effects, run_id)
    whole = effects[(effects["arm"] == ALL) & (effects["risk_tier"] == ALL)]
    sound = whole.loc[whole["is_final"] & (whole["verdict"] != BROKEN), "campaign"]
    names = ["save_probability", "save_probability_weight", "drive_away_probability"]
    assumed = economics_values(warehouse, names)
    policy = warehouse.read_table("offer_policy")
    offers = policy[policy["offer"] != "no_offer"].groupby("offer")["monthly_margin_share"].max()
    known = customers["campaign"].isin(set(sound)) & customers["churn"].notna()
    rates = save_rates(
        customers[known],
        {CONTACT_ONLY: 0.0, **{str(k): float(v) for k, v in offers.items()}},
        sorted(policy["risk_tier"]),
        Prior(
            assumed["save_probability"],
            assumed["save_probability_weight"],
            assumed["drive_away_probability"],
        ),
    )
    warehouse.write_external(RATE, rates, run_id)
    return effects
