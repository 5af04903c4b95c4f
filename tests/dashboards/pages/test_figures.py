"""What pages say equals what the marts hold, computed by hand, and what the command says."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from python_ml.engines import Warehouse
from python_ml.judge.customer import explain_customer
from python_ml.pages.compile import load_dashboards
from python_ml.pages.results import run_card
from python_ml.settings import PROJECT_DIR, Settings

PAGES = {page.key: page for page in load_dashboards()}
TIERS = ("Critical", "High", "Medium", "Low")

DECISIONS = {
    "offered": "Offer to make",
    "low_risk": "No offer: low risk",
    "value_negative": "No offer: net value negative",
    "margin_not_positive": "No offer: margin not positive",
}
OFFERS = {
    "no_offer": "No offer",
    "offer_small": "Small discount",
    "offer_medium": "Medium discount",
    "offer_large": "Large discount",
}


def rows(warehouse: Warehouse, page: str, card: str, **values: str) -> list[dict[str, Any]]:
    found = next(it for it in PAGES[page].cards if it.key == card)
    return [
        dict(zip(found.columns, row, strict=True))
        for row in run_card(warehouse, found, "duckdb", values)
    ]


def test_every_number_on_overview_is_that_of_the_marts(warehouse: Warehouse) -> None:
    """By hand: row by row in Python, out of the marts of customers, not the one of totals."""
    risks = warehouse.read_table("mart_customer_risk").to_dict("records")
    offers = {
        row["customer_id"]: row
        for row in warehouse.read_table("mart_recommendation").to_dict("records")
    }
    at_risk = [row for row in risks if row["risk_tier"] != "Low"]
    (loss,) = rows(warehouse, "overview", "expected_loss")
    by_hand = sum(row["churn_probability"] * max(row["avg_monthly_margin_eur"], 0) for row in risks)
    assert loss["expected_monthly_loss_eur"] == pytest.approx(by_hand, abs=0.01)
    assert loss["previous_expected_monthly_loss_eur"] == pytest.approx(by_hand, abs=0.01), (
        "the run before scored the same customers with the same model"
    )
    (count,) = rows(warehouse, "overview", "at_risk")
    assert count["at_risk_count"] == len(at_risk) == count["previous_at_risk_count"]
    (part,) = rows(warehouse, "overview", "loss_at_risk")
    assert part["expected_monthly_loss_eur"] == pytest.approx(
        sum(row["expected_monthly_loss_eur"] for row in at_risk)
    )
    (customers,) = rows(warehouse, "overview", "state")
    assert customers["customer_count"] == len(risks)
    made = {key: row for key, row in offers.items() if row["decision"] == "offered"}
    (net,) = rows(warehouse, "overview", "net_value")
    by_hand = sum(row["expected_net_value_eur"] for row in made.values())
    assert net["expected_net_value_eur"] == pytest.approx(by_hand, abs=0.01)

    for shown in rows(warehouse, "overview", "tiers"):
        inside = [row for row in risks if row["risk_tier"] == shown["risk_tier"]]
        theirs = [made[row["customer_id"]] for row in inside if row["customer_id"] in made]
        assert shown["customer_count"] == len(inside)
        assert shown["customer_share"] == pytest.approx(len(inside) / len(risks))
        assert shown["mean_churn_probability"] == pytest.approx(
            sum(row["churn_probability"] for row in inside) / len(inside)
        )
        assert shown["expected_monthly_loss_eur"] == pytest.approx(
            sum(row["expected_monthly_loss_eur"] for row in inside)
        )
        assert shown["offer_count"] == len(theirs)
        assert shown["offer_cost_eur"] == pytest.approx(
            sum(row["offer_budget_eur"] + row["contact_cost_eur"] for row in theirs)
        )
        assert shown["expected_net_value_eur"] == pytest.approx(
            sum(row["expected_net_value_eur"] for row in theirs)
        )
    tiers = [row["risk_tier"] for row in rows(warehouse, "overview", "tiers")]
    assert tiers == [tier for tier in TIERS if any(row["risk_tier"] == tier for row in risks)]

    for shown in rows(warehouse, "overview", "segments"):
        losses = [
            row["expected_monthly_loss_eur"]
            for row in at_risk
            if (row["segment"], row["risk_tier"]) == (shown["segment"], shown["risk_tier"])
        ]
        assert shown["expected_monthly_loss_eur"] == pytest.approx(sum(losses))
    for shown in rows(warehouse, "overview", "reasons"):
        code = shown["reason"].upper().replace(" ", "_")
        assert shown["customer_count"] == sum(row["reason_1_code"] == code for row in at_risk)
    trend = rows(warehouse, "overview", "trend")
    assert len(trend) == 2
    assert trend[-1]["expected_monthly_loss_eur"] == loss["expected_monthly_loss_eur"]


def test_the_health_of_model_and_data_is_that_of_the_marts(warehouse: Warehouse) -> None:
    shown = {row["area"]: row for row in rows(warehouse, "overview", "health")}
    measures = warehouse.read_table("mart_model_performance", "measure_kind = 'gate'")
    passed, count = int(measures["is_passed"].sum()), len(measures)
    assert shown["Model: gate"]["detail"] == f"{passed} of {count} checks passed"
    audit = warehouse.read_table("mart_leakage_audit", "is_alarm")
    accepted = int(audit["is_accepted"].sum())
    assert shown["Model: leakage audit"]["detail"] == (
        f"{len(audit)} alarms, {accepted} accepted by name"
    )
    checks = warehouse.read_table("mart_data_quality", "is_newest_run")
    assert shown["Data: quality gates"]["detail"] == (
        f"{int(checks['is_passed'].sum())} of {len(checks)} checks passed"
    )
    assert shown["Pipeline: last run"]["verdict"] == "good"


def test_customer_lookup_says_what_explain_says(
    warehouse: Warehouse, company_settings: Settings
) -> None:
    known = warehouse.query("select customer_id from mart_customer_risk order by customer_id")
    for customer in random.Random(8).sample(list(known["customer_id"]), 10):
        explained = explain_customer(warehouse, company_settings, customer)

        def card(key: str, customer: str = customer) -> list[dict[str, Any]]:
            return rows(warehouse, "customer_lookup", key, customer_id=customer)

        (risk,), (tier,), (score,) = card("risk"), card("tier"), card("score")
        assert risk["churn_probability"] == explained.churn_probability
        assert tier["risk_tier"] == explained.risk_tier
        assert score["flagged"] == ("yes" if explained.is_flagged else "no")
        assert card("customer") == [{"customer_id": customer}]
        assert card("offer")[0]["decision"] == DECISIONS[explained.decision]
        assert card("offer_made") == [{"offer": OFFERS[explained.offer]}]
        assert [row["sentence"] for row in card("reasons")] == explained.reasons
        (profile,) = card("profile")
        for name, value in explained.profile.items():
            if name in profile:
                shown = value.replace("_", " ") if name == "portfolio_type" else value
                assert profile[name] == shown, (customer, name)
        contributions = {it.feature: it.log_odds for it in explained.contributions}
        told = warehouse.read_table("mart_customer_reason", f"customer_id = '{customer}'")
        for feature, value in zip(told["feature"], told["contribution_log_odds"], strict=True):
            assert value == pytest.approx(contributions[feature], abs=1e-6)
        assert {row["contribution_log_odds"] for row in card("reasons")} == set(
            told["contribution_log_odds"]
        )


def test_an_action_lists_everybody_who_gets_it(warehouse: Warehouse) -> None:
    """Without one, the offers to make; the figures above count the offers among them."""
    shown = {row["customer_id"] for row in rows(warehouse, "recommendations", "list")}
    recommendations = warehouse.read_table("mart_recommendation")
    offered = recommendations[recommendations["decision"] == "offered"]
    assert shown == set(offered["customer_id"])
    actions = [row["action"] for row in rows(warehouse, "recommendations", "actions")]
    assert set(actions) == set(recommendations["action_name"]) and len(actions) == len(set(actions))
    for action in actions:
        theirs = set(recommendations.loc[recommendations["action_name"] == action, "customer_id"])
        listed = rows(warehouse, "recommendations", "list", action=action)
        assert {row["customer_id"] for row in listed} == theirs
        (count,) = rows(warehouse, "recommendations", "offers", action=action)
        assert count["offer_count"] == len(theirs & set(offered["customer_id"]))


@pytest.mark.parametrize("save_rate", [0.1, 0.3, 0.6])
def test_what_if_is_what_the_formula_says(warehouse: Warehouse, save_rate: float) -> None:
    """By hand, from the customers: by risk tier, the offers that pay, in order, within a budget."""
    customers = warehouse.query(
        "select risks.*, rates.monthly_margin_share, rates.minimum_probability "
        "from mart_customer_risk as risks "
        "inner join mart_offer_rate as rates on risks.risk_tier = rates.risk_tier "
        "where rates.is_offer_of_tier and risks.reason_1_code is not null "
        "and risks.avg_monthly_margin_eur > 0"
    )
    seed = pd.read_csv(PROJECT_DIR / "seeds" / "economics.csv").set_index("name")["value"]
    margin = customers["avg_monthly_margin_eur"]
    spend = customers["monthly_margin_share"] * margin * seed["offer_months"]
    spend += seed["contact_cost_eur"]
    leaves = customers["churn_probability"]
    saved = leaves * save_rate * customers["saved_value_months"]
    driven_away = (1 - leaves) * seed["drive_away_probability"] * customers["stayer_value_months"]
    customers["value"] = (saved - driven_away) * margin - spend
    customers["spend"] = spend
    pays = customers[customers["value"] >= 0].sort_values(
        ["minimum_probability", "churn_probability", "customer_id"], ascending=[False, False, True]
    )
    budgets = [row["budget_eur"] for row in rows(warehouse, "recommendations", "budgets")]
    assert budgets == sorted(budgets) and 8 <= len(budgets) <= 21
    for budget in (budgets[2], budgets[-1]):
        bought = pays[pays["spend"].cumsum() <= budget]
        values = {"save_rate": f"{save_rate:.0%}", "budget": str(budget)}
        shown = {
            (row["save_rate"], row["policy"]): row
            for row in rows(warehouse, "recommendations", "what_if", **values)
        }
        assert len(shown) == 4, "both policies, as supposed and as planned"
        supposed = shown[values["save_rate"], "By risk tier"]
        assert supposed["offer_count"] == len(bought)
        assert supposed["spent_eur"] == pytest.approx(bought["spend"].sum(), abs=0.01)
        assert supposed["expected_net_value_eur"] == pytest.approx(bought["value"].sum(), abs=0.01)
        if save_rate == 0.3:  # what the seed assumes, and no campaign has measured yet
            planned = {**shown["as planned", "By risk tier"], "save_rate": values["save_rate"]}
            assert planned == pytest.approx(supposed)


@pytest.mark.parametrize("spelling", ["{}", " {}", "c{n:05d}", "C{n}", "{n}", "{n:05d}"])
def test_the_spelling_of_an_id_is_forgiven(warehouse: Warehouse, spelling: str) -> None:
    known = warehouse.query("select max(customer_id) as id from mart_customer_risk")["id"].iloc[0]
    typed = spelling.format(known, n=int(known[1:]))
    assert rows(warehouse, "customer_lookup", "customer", customer_id=typed) == [
        {"customer_id": known}
    ]


def test_an_unknown_id_is_nobody(warehouse: Warehouse) -> None:
    cards = [card for card in PAGES["customer_lookup"].cards if card.tags]
    assert {len(run_card(warehouse, it, "duckdb", {"customer_id": "C99999"})) for it in cards} == {
        0
    }


def test_without_an_id_the_lookup_opens_the_largest_loss(warehouse: Warehouse) -> None:
    (profile,) = rows(warehouse, "customer_lookup", "profile")
    first = warehouse.query(
        "select customer_id from mart_customer_risk "
        "order by expected_monthly_loss_eur desc, customer_id limit 1"
    )
    assert profile["customer_id"] == first["customer_id"].iloc[0]


def test_the_pages_are_written_by_every_run(company: Path, warehouse: Warehouse) -> None:
    folder = company / "reports" / "dashboards"
    assert {path.stem for path in folder.glob("*.html")} == {"index", *PAGES}
    overview = (folder / "overview.html").read_text(encoding="utf-8")
    data = overview.split('id="document">')[1].split("</script>")[0].replace("<\\/", "</")
    run_id = warehouse.query("select run_id from mart_overview")["run_id"].iloc[0]
    assert json.loads(data)["state"]["run_id"] == run_id
    assert "http" not in overview.replace("http-equiv", ""), "nothing is fetched when it is read"
