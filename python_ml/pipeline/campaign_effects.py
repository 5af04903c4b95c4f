"""What campaigns have achieved and taught, written where the marts find it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from python_ml.campaigns import ALL, CONTACT_ONLY
from python_ml.campaigns.effect import BROKEN, measure_effects
from python_ml.campaigns.learn import Prior, save_rates
from python_ml.campaigns.uplift import Matrix, Offers, Uplift, Verdict, learn_uplift
from python_ml.contracts.gold import GoldContract
from python_ml.engines import Warehouse
from python_ml.errors import SpanishGasError
from python_ml.judge.profit import economics_values
from python_ml.judge.snapshot import read_rows_of, read_snapshot
from python_ml.judge.tiers import assign_tier, read_tiers
from python_ml.model.preprocess import ONE_HOT, Preprocessor
from python_ml.settings import Settings

CUSTOMERS, EFFECT, RATE = "silver_campaign_customer", "campaign_effect", "offer_save_rate"
BY_CUSTOMER = "customer_save_rate"


@dataclass(frozen=True)
class Measured:
    """Effects of all campaigns, and whether what they teach is used by customer."""

    effects: pd.DataFrame
    uplift: Verdict


def write_effects(
    warehouse: Warehouse,
    settings: Settings,
    contract: GoldContract,
    run_id: str,
    scored_run_id: str,
) -> Measured | None:
    """Measure every campaign as far as its outcomes are known, and learn from those that are sound.

    Writes `ml.campaign_effect`, `ml.offer_save_rate` from campaigns whose labels have matured, and
    `ml.customer_save_rate` where rates by customer are better.

    Args:
        warehouse: of the run.
        settings: how to measure and to learn.
        contract: of the features.
        run_id: that writes.
        scored_run_id: whose scores and features are the newest.

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
    known = customers["campaign"].isin(set(sound)) & customers["churn"].notna()
    offers = _offers(warehouse)
    rates = save_rates(customers[known], offers.discounts, offers.tiers, offers.prior)
    warehouse.write_external(RATE, rates, run_id)
    minimum = settings.campaigns.minimum_uplift_customers
    rows, features, encoder = customers[known], np.empty((0, 0), dtype=np.float32), None
    if len(rows) >= minimum:
        rows, features, encoder = _featured(rows, settings, contract)
    uplift, verdict = learn_uplift(
        rows,
        features,
        offers,
        minimum_customers=minimum,
        confidence=settings.campaigns.uplift_confidence,
        threads=settings.threads,
    )
    if uplift is not None and encoder is not None:
        newest = _rates_of_all(warehouse, settings, scored_run_id, uplift, encoder)
        warehouse.write_external(BY_CUSTOMER, newest, run_id)
    return Measured(effects, verdict)


def _offers(warehouse: Warehouse) -> Offers:
    names = ["save_probability", "save_probability_weight", "drive_away_probability"]
    assumed = economics_values(warehouse, [*names, "offer_months", "contact_cost_eur"])
    policy = warehouse.read_table("offer_policy")
    made = policy[policy["offer"] != "no_offer"].groupby("offer")["monthly_margin_share"].max()
    return Offers(
        discounts={CONTACT_ONLY: 0.0, **{str(k): float(v) for k, v in made.items()}},
        tiers=sorted(policy["risk_tier"]),
        prior=Prior(*(assumed[name] for name in names)),
        offer_months=assumed["offer_months"],
        contact_cost_eur=assumed["contact_cost_eur"],
    )


def _featured(
    customers: pd.DataFrame, settings: Settings, contract: GoldContract
) -> tuple[pd.DataFrame, Matrix, Preprocessor | None]:
    """Customers of campaigns with what was known of them at the start, as far as it is kept."""
    names = [column.name for column in contract.features]
    apart = {name: f"gold.{name}" for name in names}  # some are columns of the draw, too
    parts = []
    for run_id, rows in customers.groupby("scored_run_id", sort=True):
        try:
            frame = read_rows_of(settings, str(run_id), rows["customer_id"])
        except SpanishGasError:
            continue
        if set(names) <= set(frame.columns):
            known = frame[["customer_id", *names]].rename(columns=apart)
            parts.append(rows.merge(known, on="customer_id"))
    if not parts:
        return customers.iloc[:0], np.empty((0, 0), dtype=np.float32), None
    every = pd.concat(parts, ignore_index=True)
    gold = every[list(apart.values())].set_axis(names, axis=1)
    encoder = Preprocessor.fit(gold, contract.features, ONE_HOT)
    return every, encoder.transform(gold), encoder


def _rates_of_all(
    warehouse: Warehouse,
    settings: Settings,
    scored_run_id: str,
    uplift: Uplift,
    encoder: Preprocessor,
) -> pd.DataFrame:
    """Share saved by each offer for each customer of the newest scores."""
    scores = warehouse.read_external("customer_score", scored_run_id)
    frame = read_snapshot(settings, scored_run_id).frame.merge(
        scores[["customer_id", "churn_probability"]], on="customer_id", suffixes=("_gold", "")
    )
    tier = assign_tier(frame["churn_probability"].to_numpy(), read_tiers(warehouse))
    saves = uplift.save_probability(frame.assign(risk_tier=tier), encoder.transform(frame))
    wide = pd.DataFrame(saves, columns=list(uplift.offers.discounts))
    wide = wide.assign(customer_id=frame["customer_id"].to_numpy())
    return wide.melt("customer_id", var_name="offer", value_name="save_probability")
