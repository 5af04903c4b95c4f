"""A gold layer in miniature: a few features of each kind, a manifest, and a warehouse with both."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from python_ml.contracts.gold import GoldContract, read_contract
from python_ml.engines import Warehouse, open_warehouse
from python_ml.model.calibrate import PlattScaling
from python_ml.model.churn_model import ChurnModel, fit_classifier
from python_ml.settings import Settings, load_settings

AS_OF_DATE = date(2024, 12, 31)
COLUMNS: dict[str, tuple[str, dict[str, Any]]] = {
    "customer_id": ("varchar", {"role": "key"}),
    "as_of_date": ("date", {"role": "key"}),
    "months_to_renewal": ("double", {"role": "feature", "tier": "1A", "fill": "keep"}),
    "segment": ("varchar", {"role": "feature", "tier": "1A", "fill": "Residential"}),
    "sales_channel": ("varchar", {"role": "feature", "tier": "1A", "fill": "Unknown"}),
    "is_dual_fuel": ("integer", {"role": "feature", "tier": "1A", "fill": 0}),
    "is_high_competition_province": ("integer", {"role": "feature", "tier": "1A", "fill": 0}),
    "gas_price_trend_12m": ("double", {"role": "feature", "tier": "MP risk", "fill": "keep"}),
    "last_interaction_days_ago": ("double", {"role": "feature", "tier": "2A", "fill": 9999}),
    "customer_intent": (
        "varchar",
        {"role": "feature", "tier": "2A", "fill": "no_interaction", "from_text": True},
    ),
    "is_negative_sentiment": (
        "integer",
        {"role": "feature", "tier": "2B", "fill": 0, "from_text": True},
    ),
    "avg_monthly_margin_eur": ("double", {"role": "business"}),
    "max_reading_date": ("date", {"role": "lineage"}),
    "max_contact_date": ("date", {"role": "lineage"}),
    "churn": ("integer", {"role": "target"}),
}
SMALL_MODEL = {
    "threads": 1,
    "model.xgboost.n_estimators": 60,
    "model.xgboost.learning_rate": 0.1,
    "evaluate.bootstrap_count": 200,
}
TIERS = ["1A", "MP risk", "2A", "2B"]


def manifest(columns: dict[str, tuple[str, dict[str, Any]]] | None = None) -> dict[str, Any]:
    """The part of a dbt manifest that the contract is read from."""
    entries = {
        name: {"name": name, "data_type": kind, "config": {"meta": meta}}
        for name, (kind, meta) in (columns or COLUMNS).items()
    }
    node = {"resource_type": "model", "name": "gold_master", "columns": entries}
    return {"nodes": {"model.spanishgas.gold_master": node}}


def contract() -> GoldContract:
    return read_contract(manifest())


def gold_frame(
    customers: int = 1500, seed: int = 7, text_strength: float = 4.0, level: float = 0.0
) -> pd.DataFrame:
    """Rows in which renewal, competition and text each tell something of churn, and `level` is
    added to everybody's log-odds."""
    rng = np.random.default_rng(seed)
    renewal = rng.uniform(-1, 10, customers)
    competition = rng.integers(0, 2, customers)
    has_text = rng.random(customers) < 0.32
    logit = level - 3.4 - 0.25 * (renewal - 5) + 0.7 * competition
    negative = has_text & (rng.random(customers) < 0.15)
    logit += text_strength * negative
    churn = (rng.random(customers) < 1 / (1 + np.exp(-logit))).astype(int)
    intent = np.where(negative, "Complaint / Escalation", "Contract Renewal")
    return pd.DataFrame(
        {
            "customer_id": [f"C{number:05}" for number in range(1, customers + 1)],
            "as_of_date": pd.Timestamp(AS_OF_DATE),
            "months_to_renewal": renewal,
            "segment": rng.choice(["Residential", "SME"], customers, p=[0.9, 0.1]),
            "sales_channel": rng.choice(["Office", "Telemarketing", "Unknown"], customers),
            "is_dual_fuel": rng.integers(0, 2, customers),
            "is_high_competition_province": competition,
            "gas_price_trend_12m": np.where(
                rng.random(customers) < 0.7, np.nan, rng.normal(size=customers)
            ),
            "last_interaction_days_ago": np.where(
                has_text, rng.integers(30, 330, customers).astype(float), np.nan
            ),
            "customer_intent": np.where(has_text, intent, np.array(None, dtype=object)),
            "is_negative_sentiment": negative.astype(int),
            "avg_monthly_margin_eur": rng.normal(7, 3, customers),
            "max_reading_date": pd.Timestamp(AS_OF_DATE),
            "max_contact_date": np.where(
                has_text, np.datetime64("2024-06-30", "ns"), np.datetime64("NaT")
            ),
            "churn": churn,
        }
    )


def settings_for(home: Path, **overrides: Any) -> Settings:
    """Settings of a small model; experiments have only the tiers of the miniature."""
    changed = {"home": str(home), **SMALL_MODEL, **overrides}
    changed["experiments.E5_full"] = TIERS
    changed["experiments.E8_no_sentiment"] = TIERS[:-1]
    # The miniature is smaller than what the limits are made for.
    changed.setdefault("gate.minimum_pr_auc", 0.30)
    changed.setdefault("gate.minimum_recall", 0.30)
    changed.setdefault("gate.maximum_ece", 0.10)
    return load_settings(changed, environ={})


def small_model(home: Path) -> ChurnModel:
    """A fitted model of 300 customers."""
    settings = settings_for(home)
    frame = gold_frame(300)
    churn = frame["churn"].to_numpy()
    classifier = fit_classifier(frame, churn, contract().experiment(settings, "E5_full"), settings)
    platt = PlattScaling(0.9, -2.0)
    return ChurnModel("E5_full", classifier, platt, 0.31, {"max_depth": 3})


def warehouse_with(settings: Settings, gold: pd.DataFrame) -> Warehouse:
    """A warehouse that holds `gold` as gold_master, and the other tables that python_ml reads."""
    types = {name: kind for name, (kind, _) in COLUMNS.items()}
    listing = ", ".join(f'"{c}"::{types.get(c, "double")} as "{c}"' for c in gold.columns)
    settings.layout.home.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(settings.layout.warehouse)) as connection:
        connection.register("frame", gold)
        connection.execute(f"create or replace table gold_master as select {listing} from frame")
        connection.execute(
            "create or replace table risk_tiers as select * from (values ('High', 0.6),"
            " ('Low', 0.0), ('Critical', 0.8), ('Medium', 0.4)) t(risk_tier, minimum_probability)"
        )
        connection.execute(
            "create or replace table economics as select * from (values ('contact_cost_eur', 20.0),"
            " ('save_probability', 0.4), ('drive_away_probability', 0.0),"
            " ('monthly_margin_eur', 7.0), ('offer_months', 6.0))"
            " t(name, value)"
        )
        connection.execute(
            "create or replace table offer_policy as select * from (values"
            " ('Low', 'no_offer', 0.0), ('Medium', 'offer_small', 0.05),"
            " ('High', 'offer_medium', 0.15), ('Critical', 'offer_large', 0.25))"
            " t(risk_tier, offer, monthly_margin_share)"
        )
        # A saved customer stays for 32 months, one who would have stayed for 40.
        connection.execute(
            "create or replace table silver_remaining_months as select customer_id, as_of_date,"
            " 32.0::double as saved_value_months, 40.0::double as stayer_value_months"
            " from gold_master"
        )
        # Customers were activated on the first of 2020; nobody's records tell anything.
        connection.execute(
            "create or replace table silver_customer as select customer_id, as_of_date,"
            " date '2020-01-01' as customer_first_activation_date from gold_master"
        )
        connection.execute(
            "create or replace table silver_customer_trace as select customer_id, as_of_date,"
            " 1 as months_since_price from gold_master"
        )
        connection.execute(
            "create or replace table silver_interaction as select as_of_date, 'h' as text_hash,"
            " 'Called.' as interaction_summary from gold_master limit 1"
        )
        connection.execute(
            "create or replace table silver_campaign_customer (customer_id varchar, arm varchar,"
            " control_propensity double, is_contacted boolean, as_of_date date, outcome_date date)"
        )
        connection.execute(
            "create or replace table silver_source_date as select 'max_' || kind || '_date' as"
            " date_column, 'bronze_' || kind as bronze_model, as_of_date,"
            " date '2025-01-31' as latest_date, 500 as row_count, 20 as later_count from (values"
            " ('attribute'), ('contract'), ('reading'), ('price'), ('cost'), ('contact')) t(kind)"
            " cross join (select distinct as_of_date from gold_master)"
        )
    return open_warehouse(settings)


def write_label_dates(settings: Settings, frame: pd.DataFrame) -> None:
    """The dates of labels with customer_id, label_date and churn, which mature after 90 days."""
    with duckdb.connect(str(settings.layout.warehouse)) as connection:
        connection.register("frame", frame)
        connection.execute(
            "create table bronze_label_date as select label_date::date as label_date,"
            " label_date::date + 90 as matured_date, count(*) as customer_count,"
            " sum(churn)::bigint as churner_count from frame group by all"
        )
