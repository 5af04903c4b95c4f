"""A customer's score is explained to the last digit, and so is its change."""

from __future__ import annotations

import json

import duckdb
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from python_ml.cli import main as cli
from python_ml.engines import Warehouse
from python_ml.errors import UsageError
from python_ml.judge.customer import CustomerExplanation, explain_customer
from python_ml.pipeline.score import score
from python_ml.pipeline.train import train
from python_ml.registry import APPROVED, open_registry
from python_ml.settings import Settings
from python_ml.view.customer import show_customer
from tests.unit import gold_fixture as gold

pytestmark = pytest.mark.thorough

QUIET, UPSET = "C00001", "C00002"


def publish(settings: Settings, run_id: str) -> None:
    """The two marts that the command reads, with what the miniature knows."""
    scores = settings.layout.lake / "ml" / "customer_score" / f"run_id={run_id}" / "part-0.parquet"
    with duckdb.connect(str(settings.layout.warehouse)) as connection:
        columns = {name[0] for name in connection.execute("describe gold_master").fetchall()}
        wanted = (
            *("portfolio_type", "province_code", "tenure_months", "avg_monthly_elec_kwh"),
            *("avg_monthly_gas_m3", "avg_monthly_margin_eur", "sentiment_label"),
        )
        missing = ", ".join(f"null as {name}" for name in wanted if name not in columns)
        connection.execute(
            f"create or replace table mart_customer_risk as select *, '{run_id}' as run_id, "
            f"{missing}, 'Call soon.' as reason_1, null as reason_2, null as reason_3 "
            f"from read_parquet('{scores}') join gold_master using (customer_id, as_of_date)"
        )
        connection.execute(
            "create or replace table mart_recommendation as select customer_id, "
            "'no_offer' as offer, 'low_risk' as decision from mart_customer_risk"
        )


def scored(settings: Settings, frame: pd.DataFrame, run_id: str, version: str) -> Warehouse:
    warehouse = gold.warehouse_with(settings, frame)
    score(warehouse, settings, gold.contract(), run_id, gold.AS_OF_DATE, version)
    publish(settings, run_id)
    return warehouse


Twice = tuple[Settings, Warehouse, CustomerExplanation]


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Twice:
    """Two runs of one model; between them a customer complains and its renewal comes near."""
    settings = gold.settings_for(tmp_path_factory.mktemp("home"))
    frame = gold.gold_frame()
    frame.loc[1, ["months_to_renewal", "customer_intent"]] = [9.0, None]
    frame.loc[1, "is_negative_sentiment"] = 0
    warehouse = gold.warehouse_with(settings, frame)
    version = train(warehouse, settings, gold.contract(), "run-1", gold.AS_OF_DATE).model_version
    open_registry(settings).decide(version, APPROVED, "a test", "gate")
    scored(settings, frame, "run-1", version)
    first = explain_customer(warehouse, settings, UPSET)
    changed = frame.copy()
    changed.loc[1, "months_to_renewal"] = 0.5
    changed.loc[1, "customer_intent"] = "Complaint / Escalation"
    changed.loc[1, "is_negative_sentiment"] = 1
    return settings, scored(settings, changed, "run-2", version), first


def test_contributions_and_bias_sum_to_the_score(twice: Twice) -> None:
    settings, warehouse, _ = twice
    told = explain_customer(warehouse, settings, QUIET)
    total = sum(entry.log_odds for entry in told.contributions) + told.bias
    assert total == pytest.approx(told.log_odds, abs=1e-9)
    logit = told.calibration_slope * told.log_odds + told.calibration_intercept
    assert 1 / (1 + np.exp(-logit)) == pytest.approx(told.churn_probability, abs=1e-6)
    assert 0 < told.churn_probability < 1
    assert told.run_id == "run-2"
    assert len(told.contributions) == 9


def test_the_first_run_has_nothing_to_compare_with(twice: Twice) -> None:
    assert twice[2].change is None


def test_the_change_adds_up_and_names_what_changed(twice: Twice) -> None:
    settings, warehouse, first = twice
    told = explain_customer(warehouse, settings, UPSET)
    change = told.change
    assert change is not None and change.features is not None
    assert change.run_id == "run-1"
    assert change.churn_probability == pytest.approx(first.churn_probability)
    assert told.churn_probability > first.churn_probability
    assert change.from_model == pytest.approx(0, abs=1e-5)
    assert sum(entry.log_odds_change for entry in change.features) == pytest.approx(
        told.log_odds - first.log_odds, abs=1e-4
    )
    moved = {entry.feature for entry in change.features if entry.value_before != entry.value_now}
    assert moved == {"months_to_renewal", "customer_intent", "is_negative_sentiment"}
    assert "months_to_renewal 9 → 0.5" in change.reason


def test_another_model_has_its_own_part_of_the_change(twice: Twice) -> None:
    settings, warehouse, _ = twice
    other = settings.with_overrides({"model.xgboost.max_depth": 2})
    version = train(warehouse, other, gold.contract(), "run-3", gold.AS_OF_DATE).model_version
    open_registry(settings).decide(version, APPROVED, "a test", "gate")
    score(warehouse, settings, gold.contract(), "run-3", gold.AS_OF_DATE, version)
    publish(settings, "run-3")
    told = explain_customer(warehouse, settings, UPSET)
    change = told.change
    assert change is not None and change.from_model is not None
    assert abs(change.from_model) > 1e-3
    assert change.from_data == 0
    assert change.log_odds + change.from_model == pytest.approx(told.log_odds, abs=1e-4)
    assert "another model" in change.reason


def test_the_terminal_shows_the_bars_and_their_sum(
    twice: Twice, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, warehouse, _ = twice
    told = explain_customer(warehouse, settings, UPSET)
    show_customer(told)
    shown = capsys.readouterr().out
    assert "██" in shown
    assert f"sum to {told.log_odds:+.2f} log-odds" in " ".join(shown.split())
    assert "customer_intent" in shown and UPSET in shown


@pytest.mark.parametrize("customer", ["C99999", "C1' or 1=1 --", "maria"])
def test_an_unknown_customer_is_a_usage_error(twice: Twice, customer: str) -> None:
    settings, warehouse, _ = twice
    with pytest.raises(UsageError, match="no customer"):
        explain_customer(warehouse, settings, customer)


def test_the_command_gives_one_document(twice: Twice) -> None:
    home = str(twice[0].layout.home)
    result = CliRunner().invoke(cli.cli, ["explain", QUIET, "--home", home, "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["customer_id"] == QUIET
