"""What rests on which raw data: declared for every feature, and switched off by name."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from python_ml.contracts.gold import read_contract
from python_ml.contracts.needs import consequence, dependents, switched_off
from python_ml.contracts.schema import load_source
from python_ml.errors import BadInputError
from python_ml.settings import PROJECT_DIR, Settings

RAW = load_source("raw")
PSEUDO = {"consumption_hourly.months"}  # no column: whether readings tell months apart


def manifest() -> dict[str, Any]:
    """The columns of gold_master as dbt's manifest has them."""
    text = (PROJECT_DIR / "models/gold/_gold__models.yml").read_text(encoding="utf-8")
    gold = next(m for m in yaml.safe_load(text)["models"] if m["name"] == "gold_master")
    columns = {column["name"]: column for column in gold["columns"]}
    node = {"resource_type": "model", "name": "gold_master", "columns": columns}
    return {"nodes": {"gold_master": node}}


def test_every_feature_says_what_it_rests_on() -> None:
    contract = read_contract(manifest())
    named = {it.name for it in dependents()}
    assert not [c.name for c in contract.features if not c.needs]
    assert {column.name for column in contract.features} <= named


def test_every_need_is_a_column_of_the_raw_data() -> None:
    known = {f"{name}.{column}" for name, table in RAW.items() for column in table.column_names}
    wanted = {need for it in dependents() for need in it.needs}
    assert wanted <= known | PSEUDO


def test_a_missing_table_or_column_switches_off_what_rests_on_it_and_nothing_else() -> None:
    contract = read_contract(manifest())
    assert not contract.switched_off
    less = read_contract(
        manifest(), ["costs_by_province_month", "customer_attributes.is_second_residence"]
    )
    off = {column.name for column in less.switched_off}
    assert {"is_second_residence", "std_margin", "province_elec_cost_trend"} <= off
    assert "avg_monthly_margin_eur" in off
    kept = {column.name for column in less.features}
    assert {"segment", "months_to_renewal", "elec_price_trend_12m", "customer_intent"} <= kept
    assert kept.isdisjoint(off)
    assert [c.name for c in less.columns] == [c.name for c in contract.columns]
    assert "max_cost_date" not in {c.name for c in less.source_dates}


def test_an_experiment_has_the_features_that_are_left_or_is_refused() -> None:
    contract = read_contract(manifest(), ["customer_interactions"])
    settings = Settings()
    left = {column.name for column in contract.experiment(settings, "E5_full")}
    assert "months_since_last_change" in left
    assert "customer_intent" not in left
    less = settings.with_overrides({"experiments.words": ["2B"]})
    with pytest.raises(BadInputError, match="every feature of its tiers rests on data"):
        contract.experiment(less, "words")


def test_the_consequence_is_told_by_name() -> None:
    told = consequence(["customer_interactions"])
    assert "features (has_interaction, customer_intent," in told
    assert "1 mart without figures (mart_customer_interaction)" in told
    assert consequence(["customer_attributes.region"]) == ""
    assert {it.name for it in switched_off(["churn_label"])} == {
        "mart_observed_churn",
        "mart_score_outcome",
    }
