"""The PowerCo shape, from its two files to scores, by a mapping and settings alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from click.testing import CliRunner

from python_ml.cli.main import cli
from python_ml.contracts.needs import switched_off
from python_ml.errors import ModelGateError, UsageError
from python_ml.land import land
from python_ml.pipeline.closing import Closing
from python_ml.pipeline.run import Run, run_pipeline
from python_ml.settings import PROJECT_DIR, Settings, load_settings
from tests.integration.raw_batch import landed

sys.path.insert(0, str(PROJECT_DIR))
from tests.powerco import write

MAPPING = str(PROJECT_DIR / "examples/powerco/mapping.yml")


def settings_of(home: Path, **others: object) -> Settings:
    return load_settings({"home": str(home), "land.mapping": MAPPING, **others}, environ={})


def test_yearly_sums_become_months_that_add_up_to_them(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", firms=200)
    settings = settings_of(tmp_path / "home")
    found = land(raw, settings)
    clients = pd.read_csv(raw / "client_data.csv").set_index("id")
    hours = landed(settings.layout.lake, "consumption_hourly")
    sums = hours.groupby("customer_id").sum(numeric_only=True).loc[clients.index]
    expected = {"consumption_elec_kwh": clients["cons_12m"] * 1.0}
    expected["consumption_gas_m3"] = clients["cons_gas_12m"] / 11
    for name, values in expected.items():
        pd.testing.assert_series_equal(sums[name], values, check_names=False, rtol=1e-9)
    months = hours["timestamp"].dt.strftime("%Y-%m")
    assert sorted(months.unique()) == [f"2015-{month:02}" for month in range(1, 13)]
    january = hours[months == "2015-01"].groupby("customer_id")["consumption_elec_kwh"].sum()
    assert (january / clients["cons_12m"]).dropna().round(9).eq(round(31 / 365, 9)).all()
    assert str(found.as_of_date) == "2015-12-31"
    assert "consumption_hourly.months" in found.absent
    assert any("spread evenly over the hours" in warning for warning in found.warnings)
    assert not any("before it is over" in warning for warning in found.warnings)
    prices = landed(settings.layout.lake, "price_history")
    assert (prices["variable_price_tier1_eur_kwh"] > 0).all()


def test_a_firm_with_an_id_of_the_mapping_is_forgotten_and_kept_out(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", firms=60)
    settings = settings_of(tmp_path / "home")
    land(raw, settings)
    gone, *others = pd.read_csv(raw / "client_data.csv")["id"]
    home = ["--home", str(tmp_path / "home"), "--yes"]
    refused = CliRunner().invoke(cli, ["forget", "C00001", *home])
    assert isinstance(refused.exception, UsageError)
    assert "looks like [0-9a-f]{32}" in str(refused.exception)
    done = CliRunner().invoke(cli, ["forget", gone, *home])
    assert done.exit_code == 0, done.output
    again = write(tmp_path / "next", firms=60, seed=5)
    (again / "price_data.csv").write_text((raw / "price_data.csv").read_text() + "\n")
    found = land(again, settings)
    assert not found.reused
    for table in ("customer_attributes", "price_history", "consumption_hourly"):
        assert set(landed(settings.layout.lake, table)["customer_id"]) == set(others)


@pytest.mark.slow
def test_all_firms_are_scored_by_a_model_of_what_there_is(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", firms=1500)
    refused = Run(settings_of(tmp_path / "home"))
    with pytest.raises(ModelGateError, match=r"pr_auc on the test part is") as caught:
        run_pipeline(refused, str(raw))
    assert caught.value.exit_code == 4
    lenient = {"gate.minimum_pr_auc": 0.01, "gate.minimum_recall": 0.01}
    run = Run(settings_of(tmp_path / "home", **lenient))
    run_pipeline(run, str(raw))
    with duckdb.connect(str(run.settings.layout.warehouse), read_only=True) as warehouse:
        ((count,),) = warehouse.execute("select count(*) from mart_customer_risk").fetchall()
        told = warehouse.execute("select distinct affected_name from mart_missing_input").fetchall()
    assert count == 1500
    closing = run.results.require(Closing)
    assert closing.overview["unknown_margin_count"] == 1500
    for money in (closing.overview, *(it for it in closing.tiers if it["customer_count"])):
        assert money["expected_monthly_loss_eur"] is None
        assert money["expected_net_value_eur"] is None
        assert money["offer_count"] == money["offer_budget_eur"] == 0
    decisions = "select distinct decision from mart_recommendation"
    with duckdb.connect(str(run.settings.layout.warehouse), read_only=True) as warehouse:
        ((someone,),) = warehouse.execute("select min(customer_id) from gold_master").fetchall()
        found = {decision for (decision,) in warehouse.execute(decisions).fetchall()}
    assert found <= {"margin_unknown", "low_risk"}
    home = ["--home", str(tmp_path / "home")]
    explained = CliRunner().invoke(cli, ["explain", someone, *home]).stdout
    assert "margin eur not known" in " ".join(explained.split())
    models = run.settings.layout.lake / "models"
    card = (models / f"churn-{run.run_id}" / "card.md").read_text(encoding="utf-8")
    assert run.batch is not None
    off = {it.name for it in switched_off(run.batch.absent)}
    assert off <= {name for (name,) in told}
    assert {"customer_intent", "std_margin", "std_monthly_elec_kwh"} <= off
    document = json.loads(json.dumps(run.as_dict(), default=str))
    assert "gold.gold_master.customer_intent" in document["quality"]["skipped"]
    (unknown,) = (it for it in document["quality"]["warnings"] if it.startswith("the margin of"))
    assert unknown.startswith(
        "the margin of 1,500 of 1,500 customers is not known (the batch lacks"
    )
    assert "costs_by_province_month" in unknown
    trained = document["training"]["message"]
    for name in ("customer_intent", "std_margin"):
        assert name in trained
        assert name in card
    for name in ("months_to_renewal", "avg_monthly_elec_kwh", "elec_price_trend_12m"):
        assert name not in trained
