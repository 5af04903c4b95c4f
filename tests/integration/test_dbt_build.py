"""The dbt project built from simulated raw files, against the same rules written another way."""

from __future__ import annotations

import math
import re
import shutil
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import yaml

from python_ml.contracts.gold import read_contract
from python_ml.engines import open_warehouse
from python_ml.judge.direction import changed_customers
from python_ml.land import land
from python_ml.simulate.run import simulate
from python_ml.transform.dbt import DbtRunner
from tests.integration.dbt_home import (
    ROOT,
    build,
    dbt,
    parsed_project,
    query,
    settings_of,
    write_scores,
)
from tests.unit.project.test_sql_static import read_seed

CUSTOMERS = 300
RUN = "test-run"
HOLIDAYS = {(1, 1), (1, 6), (5, 1), (8, 15), (10, 12), (11, 1), (12, 6), (12, 8), (12, 25)}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home built layer by layer up to gold, as the pipeline does it."""
    home = tmp_path_factory.mktemp("home")
    simulate(home / "raw", customers=CUSTOMERS, seed=11)
    land(home / "raw", settings_of(home))
    for layer in ("resource_type:seed bronze", "silver", "gold"):
        build(home, layer)
    return home


@pytest.fixture(scope="module")
def scored(home: Path) -> Path:
    """The same home with scores of a made-up model, and marts on them."""
    write_scores(home, RUN)
    build(home, "marts", "--vars", f"{{run_id: {RUN}}}")
    return home


def price_tier(hours: pd.Series) -> np.ndarray:
    """The regulation in Python: 1 peak, 2 standard, 3 off-peak."""
    of_day = hours.dt.hour
    holiday = pd.Series(list(zip(hours.dt.month, hours.dt.day, strict=True))).isin(HOLIDAYS)
    rest = (hours.dt.day_of_week >= 5) | holiday.to_numpy()
    peak = of_day.between(10, 13) | of_day.between(18, 21)
    standard = of_day.between(8, 9) | of_day.between(14, 17) | of_day.between(22, 23)
    return np.select([rest, peak, standard], [3, 1, 2], 3)


def test_consumption_adds_up_by_tier_like_the_raw_hours(home: Path) -> None:
    hours = duckdb.sql(
        f"""select customer_id, timestamp, consumption_elec_kwh as elec, consumption_gas_m3 as gas
        from '{home}/raw/consumption_hourly_2024/*/*.parquet'
        where customer_id in ('C00001', 'C00007', 'C00150')"""
    ).df()
    hours["tier"] = price_tier(hours["timestamp"])
    hours["month_start"] = hours["timestamp"].dt.to_period("M").dt.to_timestamp()
    hours["negative"] = hours["elec"] < 0
    hours[["elec", "gas"]] = hours[["elec", "gas"]].clip(lower=0)
    group = ["customer_id", "month_start"]
    expected = hours.pivot_table(index=group, columns="tier", values="elec", aggfunc="sum")
    built = query(home, "select * from bronze_customer_month").set_index(group)
    built = built.loc[expected.index]
    assert len(built) == 36
    for tier in (1, 2, 3):
        np.testing.assert_allclose(built[f"elec_tier{tier}_kwh"], expected[tier], atol=1e-5)
    by_month = hours.groupby(group)
    np.testing.assert_allclose(built["gas_m3"], by_month["gas"].sum(), atol=1e-5)
    np.testing.assert_array_equal(built["negative_elec_count"], by_month["negative"].sum())
    np.testing.assert_array_equal(built["reading_count"], by_month.size())


def test_intent_is_the_first_match_of_whole_words(home: Path) -> None:
    patterns = [
        (
            int(row["intent_priority"]),
            row["customer_intent"],
            re.compile(
                r"\b" + row["keyword"] + ("" if row["is_prefix"] == "true" else r"\b"), re.ASCII
            ),
        )
        for row in read_seed("intent_keywords")
    ]

    def intent(summary: str) -> str:
        text = re.sub(r"[^a-z0-9]+", " ", summary.lower())
        found = [(priority, name) for priority, name, pattern in patterns if pattern.search(text)]
        return min(found)[1] if found else "Other / Unclassified"

    interactions = query(
        home, "select interaction_summary, customer_intent from silver_interaction"
    )
    assert interactions["customer_intent"].nunique() >= 4
    expected = interactions["interaction_summary"].map(intent)
    assert (expected == interactions["customer_intent"]).all()


def test_imputed_prices_say_where_they_come_from(home: Path) -> None:
    prices = query(home, "select * from silver_price_month").set_index("customer_id")
    raw = query(home, "select * from bronze_price_month").set_index(["customer_id", "month_start"])
    column = "variable_price_tier1_eur_kwh"
    known = raw[column].dropna().sort_index()
    sources = prices[f"{column}_source"]
    assert {"observed", "last_known"} <= set(sources)
    assert prices[column].notna().all()
    for customer, row in prices[sources == "last_known"].head(50).iterrows():
        before = known.loc[str(customer)]
        assert row[column] == before[before.index < row["month_start"]].iloc[-1]
    for customer, row in prices[sources == "next_known"].head(50).iterrows():
        own = known.loc[str(customer)]
        assert own.index.min() > row["month_start"]
        assert row[column] == own.iloc[0]


def test_gold_has_a_row_for_every_customer(home: Path) -> None:
    gold = query(home, "select * from gold_master")
    assert len(gold) == CUSTOMERS == gold["customer_id"].nunique()
    assert gold["churn"].notna().all()
    assert (gold["as_of_date"].astype(str).str[:10] == "2024-12-31").all()


def test_threads_do_not_change_a_digit(home: Path, tmp_path: Path) -> None:
    (tmp_path / "lake").symlink_to(home / "lake")
    build(tmp_path, "resource_type:seed bronze silver gold", threads=1)
    order = "select * from gold_master order by customer_id"
    pd.testing.assert_frame_equal(query(home, order), query(tmp_path, order), check_exact=True)


def test_one_thing_changed_moves_every_feature_that_hangs_on_it(home: Path, tmp_path: Path) -> None:
    """What the checks of direction compare: gold as it is, and by its own rules after a change."""
    settings = settings_of(home).with_overrides({"gate.direction_customers": 200})
    variables = {"as_of_date": "2024-12-31"}
    runner = DbtRunner(settings, home / "warehouse.duckdb", tmp_path / "dbt", variables)
    contract = read_contract(runner.manifest())
    with open_warehouse(settings) as warehouse:
        customers = changed_customers(
            warehouse, settings, contract, runner, tmp_path / "changed", date(2024, 12, 31)
        )
    gold = query(home, "select * from gold_master order by customer_id")
    same = gold[gold["customer_id"].isin(customers.as_is["customer_id"])].reset_index(drop=True)
    assert len(same) == 200
    pd.testing.assert_frame_equal(
        customers.as_is, same[customers.as_is.columns], check_dtype=False, check_exact=True
    )
    before, nearer = customers.as_is, customers.changed["nearer_renewal"]
    moved = before["months_to_renewal"] - nearer["months_to_renewal"]
    ahead = before["months_to_renewal"] > 30 / 30.44
    np.testing.assert_allclose(moved, np.where(ahead, 30 / 30.44, 0), atol=1e-9)
    months = nearer["months_to_renewal"]
    assert (nearer["is_within_3m_of_renewal"] == months.between(1e-9, 3).astype(int)).all()
    assert (nearer["renewal_bucket"] == "0-3m").sum() > (before["renewal_bucket"] == "0-3m").sum()
    newer = customers.changed["shorter_tenure"]
    assert (newer["tenure_months"] <= before["tenure_months"] / 2 + 0.05).all()
    complained = customers.changed["complaint"]
    assert (complained["recent_complaint_flag"] == 1).all()
    assert (complained["has_interaction"] == 1).all() and (before["has_interaction"] == 0).any()
    known = before["has_interaction"] == 1
    pd.testing.assert_series_equal(
        complained.loc[known, "sentiment_label"], before.loc[known, "sentiment_label"]
    )
    pd.testing.assert_frame_equal(
        complained.filter(like="kwh"), before.filter(like="kwh"), check_exact=True
    )


@pytest.fixture(scope="module")
def cut(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake that ends on 30 June: whatever is dated later is taken out of every table."""
    cut = tmp_path_factory.mktemp("cut")
    shutil.copytree(home / "lake" / "raw", cut / "lake" / "raw")
    raw = cut / "lake" / "raw"
    for month in range(7, 13):
        shutil.rmtree(raw / "consumption_hourly" / f"month=2024-{month:02d}")
    rules = {
        "price_history": "pricing_date <= date '2024-06-30'",
        "costs_by_province_month": "month <= '2024-06'",
        "customer_interactions": "date <= date '2024-06-30'",
    }
    for table, rule in rules.items():
        for path in (raw / table).glob("*.parquet"):
            kept = path.with_suffix(".kept")
            duckdb.execute(
                f"copy (select * from '{path}' where {rule}) to '{kept}' (format parquet)"
            )
            kept.replace(path)
    return cut


def test_nothing_after_the_as_of_date_enters(
    home: Path, cut: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Looking back to June from the whole year gives what June itself would have given."""
    build(cut, "resource_type:seed bronze silver gold")
    back = tmp_path_factory.mktemp("back")
    (back / "lake").symlink_to(home / "lake")
    build(back, "resource_type:seed bronze silver gold", "--vars", "{as_of_date: '2024-06-30'}")
    # The label of December is not the one of June.
    order = "select * exclude (churn) from gold_master order by customer_id"
    then, now = query(cut, order), query(back, order)
    assert 0.5 * CUSTOMERS < len(then) < CUSTOMERS, "later customers are left out"
    pd.testing.assert_frame_equal(then, now, check_exact=True)
    assert query(back, "select count(churn) from gold_master").iloc[0, 0] == 0


def test_unit_tests_hold(scored: Path) -> None:
    variables = ["--vars", f"{{run_id: {RUN}}}"]
    done = dbt(scored, "test", "--select", "test_type:unit", *variables)
    assert done.success, done.names
    assert set(done.names) == {"pass"}
    declared = sum(
        len(yaml.safe_load(path.read_text(encoding="utf-8"))["unit_tests"])
        for path in (ROOT / "models").glob("*/*unit_tests.yml")
    )
    assert len(done.names["pass"]) == declared >= 25


def test_marts_tell_who_why_and_what(scored: Path) -> None:
    risk = query(scored, "select * from mart_customer_risk").set_index("customer_id")
    offers = query(scored, "select * from mart_recommendation").set_index("customer_id")
    overview = query(scored, "select * from mart_overview").iloc[0]
    margin = risk["avg_monthly_margin_eur"]
    loss = (risk["churn_probability"] * margin.clip(lower=0)).sum()
    assert overview["customer_count"] == len(risk) == CUSTOMERS
    assert overview["expected_monthly_loss_eur"] == pytest.approx(loss, abs=0.01)
    assert overview["test_pr_auc"] == 0.7
    assert overview["test_pr_auc_without_text"] == 0.5
    assert risk["reason_1"].str.contains(r"\d months|expired", regex=True).all()
    offered = offers[offers["decision"] == "offered"]
    assert 0 < len(offered) < len(offers)
    assert (offered["avg_monthly_margin_eur"] > 0).all()
    assert (offered["expected_net_value_eur"] >= 0).all()
    assert (offers.loc[offers["risk_tier"] == "Low", "offer"] == "no_offer").all()
    budgets = query(
        scored,
        "select * from mart_offer_budget where save_rate = 'as planned' order by budget_eur",
    )
    by_policy = budgets.pivot(index="budget_eur", columns="policy", values="expected_net_value_eur")
    assert (by_policy["expected_value"] >= by_policy["fixed_tiers"] - 20).all()
    assert by_policy["expected_value"].is_monotonic_increasing
    most = budgets[budgets["policy"] == "fixed_tiers"].iloc[-1]
    assert most["offer_count"] == len(offered), "without a limit the whole policy is bought"
    withheld = offers[offers["decision"] == "value_negative"]
    assert len(withheld) > 0
    assert (withheld["expected_net_value_eur"] < 0).all(), "the value is not clipped"


def test_the_lineage_runs_from_every_raw_file_to_a_dashboard() -> None:
    parsed = parsed_project()
    parsed.build_parent_and_child_maps()  # type: ignore[no-untyped-call]  # dbt gives it none
    pages = {name for name in parsed.exposures if parsed.exposures[name].type == "dashboard"}
    assert len(pages) == 9

    def reached(node: str) -> set[str]:
        return {node}.union(*(reached(child) for child in parsed.child_map.get(node, [])))

    raw = [name for name in parsed.sources if parsed.sources[name].source_name == "raw"]
    assert len(raw) == 8  # with the optional contacts of campaigns
    assert [name for name in raw if not reached(name) & pages] == []


@pytest.mark.parametrize(
    ("guardrail", "damage"),
    [
        (
            "guardrail_offer_has_positive_margin",
            "update gold_master set avg_monthly_margin_eur = 'nan' where customer_id = {offered}",
        ),
        (
            "guardrail_offer_pays",
            "update gold_master set avg_monthly_margin_eur = 0.01 where customer_id = {offered}",
        ),
        (
            "guardrail_discount_within_policy",
            "update mart_recommendation set discount_eur_month = 2 * discount_eur_month"
            " where customer_id = {offered}",
        ),
        (
            "guardrail_spend_within_budget",
            "update offer_campaign set budget_eur = 1 where {offered} is not null",
        ),
        (
            "guardrail_reason_for_risk",
            "update mart_customer_risk set reason_1 = null where customer_id = {offered}",
        ),
        (
            "guardrail_probability_and_tier",
            "update mart_customer_risk set churn_probability = 1.2 where customer_id = {offered}",
        ),
        (
            "guardrail_probability_and_tier",
            "update mart_customer_risk set risk_tier = 'Low' where customer_id = {offered}",
        ),
        (
            "identity_scores_cover_gold",
            "delete from mart_customer_risk where customer_id = {offered}",
        ),
        (
            "identity_consumption_is_conserved",
            "update gold_master set total_gas_m3_12m = total_gas_m3_12m + 1"
            " where customer_id = {offered}",
        ),
    ],
)
def test_guardrails_stop_the_build(
    scored: Path, tmp_path: Path, guardrail: str, damage: str
) -> None:
    (tmp_path / "lake").symlink_to(scored / "lake")
    shutil.copy(scored / "warehouse.duckdb", tmp_path)
    offered = query(
        scored,
        "select min(customer_id) as c from mart_recommendation where decision = 'offered'",
    )["c"].iloc[0]
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute(damage.format(offered=f"'{offered}'"))
    variables = ["--vars", f"{{run_id: {RUN}}}"]
    done = dbt(tmp_path, "test", "--select", guardrail, *variables)
    assert done.names == {"fail": [guardrail]}


def test_rates_of_each_customer_decide_and_keep_the_guardrails(
    scored: Path, tmp_path: Path
) -> None:
    """Once campaigns have taught a rate for each customer, offers pay by it; that of the tier, at
    which hardly any offer would, no longer counts."""
    home = tmp_path / "home"
    shutil.copytree(scored, home, symlinks=True)
    settings, learned = settings_of(home), "29990101T000000Z-aaaaaa"
    with open_warehouse(settings) as warehouse:
        each = warehouse.query("select customer_id, offer, risk_tier from mart_offer_value")
        of_tier = each[["offer", "risk_tier"]].drop_duplicates().assign(save_probability=0.01)
        for name in ("sd", "low", "high"):
            of_tier[f"save_probability_{name}"] = 0.1
        counts = dict.fromkeys(("campaign_count", "treated_count", "control_count"), 7)
        of_tier = of_tier.assign(prior_save_probability=0.3, prior_weight=20.0, **counts)
        warehouse.write_external("offer_save_rate", of_tier, learned)
        warehouse.write_external(
            "customer_save_rate",
            each.drop(columns="risk_tier").assign(save_probability=0.5),
            learned,
        )
    build(home, "mart_offer_rate+", "--vars", f"{{run_id: {RUN}}}")
    offers = query(home, "select * from mart_recommendation where decision = 'offered'")
    before = query(scored, "select * from mart_recommendation where decision = 'offered'")
    assert set(before["customer_id"]) <= set(offers["customer_id"]) and len(before)
    saved = offers["churn_probability"] * offers["avg_monthly_margin_eur"] * 0.5
    ratio = offers["expected_saved_margin_eur"] / saved
    assert ratio.between(5, 60).all(), "months of a saved customer"


def wilson(count: int, total: int) -> tuple[float, float]:
    """The 95 % interval by the formula of the textbook."""
    z = 1.959963984540054
    share = count / total
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * math.sqrt(share * (1 - share) / total + (z / (2 * total)) ** 2)
    return centre - half, centre + half


def test_observed_churn_is_that_of_the_labels(scored: Path) -> None:
    gold = query(scored, "select * from gold_master where churn is not null")
    shown = query(scored, "select * from mart_observed_churn")
    for dimension, column in (
        ("renewal", "renewal_bucket"),
        ("tenure", "tenure_bucket"),
        ("sales channel", "sales_channel"),
        ("segment", "segment"),
    ):
        groups = gold.groupby(column)["churn"].agg(["size", "sum"])
        found = shown[shown["dimension"] == dimension].set_index("group_name")
        assert set(found.index) == set(groups.index) and len(groups) > 2
        for name, (total, churned) in groups.iterrows():
            row = found.loc[str(name)]
            assert (row["customer_count"], row["churner_count"]) == (total, churned)
            low, high = wilson(churned, total)
            assert row["churn_share"] == pytest.approx(churned / total)
            assert row["churn_share_low"] == pytest.approx(low, abs=1e-12)
            assert row["churn_share_high"] == pytest.approx(high, abs=1e-12)
    totals = shown.groupby("dimension")[["customer_count", "churner_count"]].sum()
    assert len(totals) == 8 and len(totals.drop_duplicates()) == 1
    renewal = shown[shown["dimension"] == "renewal"].sort_values("group_number")["group_name"]
    order = ["expired", "0-3m", "3-6m", "6-12m", "12m+", "unknown"]
    assert list(renewal) == [name for name in order if name in set(renewal)]


def test_every_question_of_an_analyst_has_an_answer(scored: Path) -> None:
    dbt(scored, "compile", "--select", "resource_type:analysis", "--vars", f"{{run_id: {RUN}}}")
    compiled = scored / "target" / "compiled" / "spanishgas" / "analyses"
    questions = {path.stem: path.read_text("utf-8") for path in compiled.glob("*.sql")}
    assert questions.keys() == {path.stem for path in (ROOT / "analyses").glob("*.sql")}
    assert len(questions) >= 12
    answers = {name: len(query(scored, text)) for name, text in questions.items()}
    # The home has marts on made-up scores: nothing was evaluated, compared, checked or run.
    of_runs = {"how_good_is_the_model", "what_has_drifted", "which_checks_failed", "what_ran_last"}
    assert {name for name, rows in answers.items() if not rows} <= of_runs
