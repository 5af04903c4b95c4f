"""Plan and draw of campaigns: chances, budget, guardrails, and that a draw never changes."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from python_ml.campaigns import CONTROL
from python_ml.campaigns.assign import broken_guardrails, draw, hash_share
from python_ml.campaigns.contacts import check_contacts, read_contacts
from python_ml.campaigns.export import export_lists
from python_ml.campaigns.plan import Terms, eligible_offers, make_design
from python_ml.errors import BadInputError, UsageError
from python_ml.settings import CampaignsSettings, load_settings

LIMITS = CampaignsSettings()
RANKS = pd.Series({"Low": 1, "Medium": 2, "High": 3, "Critical": 4})
DISCOUNTS = {"contact_only": 0.0, "offer_small": 0.05, "offer_medium": 0.15, "offer_large": 0.25}


def offer_values(count: int = 2000, seed: int = 1) -> pd.DataFrame:
    """mart_offer_value in miniature: one row per customer and offer."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.4, 1, count)
    tier = np.where(p < 0.6, "Medium", np.where(p < 0.8, "High", "Critical"))
    margin = rng.gamma(4, 2.5, count)
    people = pd.DataFrame(
        {
            "customer_id": [f"C{i:05}" for i in range(count)],
            "run_id": "r1",
            "model_version": "m1",
            "risk_tier": tier,
            "is_low_risk": False,
            "reasons": "A reason.",
            "contact_after_days": 0,
            "contact_within_days": 7,
            "churn_probability": p,
            "avg_monthly_margin_eur": margin,
            "margin_at_stake_eur": 32 * margin,
        }
    )
    parts = []
    for offer, share in DISCOUNTS.items():
        budget = share * margin * 6
        net = p * 0.3 * 32 * margin - (1 - p) * 0.005 * 32 * margin - budget - 20
        parts.append(
            people.assign(
                offer=offer,
                discount_eur_month=share * margin,
                offer_budget_eur=budget,
                contact_cost_eur=20.0,
                spend_eur=budget + 20,
                expected_net_value_eur=net,
                save_probability_sd=0.084,
                verdict=np.where(net < 0, "value_negative", "eligible"),
            )
        )
    return pd.concat(parts, ignore_index=True)


def terms(**changed: Any) -> Terms:
    return Terms(**{"campaign": "a", "policy": "fixed_tiers", "control_share": 0.2, **changed})


def drawn(offers: pd.DataFrame, **changed: object) -> pd.DataFrame:
    design = make_design(offers, terms(**changed), LIMITS, 0.95)
    return draw(offers, design, LIMITS, date(2024, 12, 31), RANKS).rows


def test_chances_add_up_and_never_reach_0_or_1() -> None:
    chances = make_design(offer_values(), terms(), LIMITS, 0.95).chances
    assert np.allclose(chances.groupby("stratum")["propensity"].sum(), 1)
    assert chances["propensity"].between(LIMITS.minimum_propensity, 1, inclusive="left").all()
    assert (chances[chances["arm"] == CONTROL]["propensity"] == 0.2).all()


def test_an_offer_that_a_guardrail_forbids_is_never_drawn() -> None:
    offers = offer_values()
    rows = drawn(offers)
    allowed = set(
        map(tuple, eligible_offers(offers, "fixed_tiers")[["customer_id", "offer"]].values)
    )
    treated = rows[rows["arm"] != CONTROL]
    assert len(treated) > 500
    assert set(map(tuple, treated[["customer_id", "arm"]].to_numpy())) <= allowed
    assert set(treated["arm"]) == set(DISCOUNTS)


@pytest.mark.thorough
def test_shares_follow_the_chances() -> None:
    rows = drawn(offer_values(8000))
    for (_, arm), group in rows.groupby(["stratum", "arm"]):
        of_stratum = rows[rows["stratum"] == group["stratum"].iloc[0]]
        chance, n = group["propensity"].iloc[0], len(of_stratum)
        assert abs(len(group) - n * chance) < 4.5 * np.sqrt(n * chance * (1 - chance)) + 1, arm


@pytest.mark.thorough
def test_a_draw_depends_on_campaign_and_customer_alone() -> None:
    offers = offer_values()
    first, again = drawn(offers), drawn(offers.sample(frac=1, random_state=3))
    pd.testing.assert_frame_equal(first, again)
    other = drawn(offers, campaign="b")
    assert (first["arm"] != other["arm"]).mean() > 0.3


def test_the_draw_is_that_of_the_sql_macro() -> None:
    # tests/dbt/micro/micro_offer.sql: the first 32 bits of md5('campaign-1:C00001') are 0.017.
    # As in the unit test of mart_recommendation, which draws by the macro of the same name.
    assert [round(hash_share(f"f:C{number}"), 2) for number in (1, 2, 3)] == [0.72, 0.15, 0.47]
    assert hash_share("campaign-1:C00001") == pytest.approx(0.017, abs=5e-4)


@pytest.mark.parametrize("policy", ["fixed_tiers", "expected_value"])
def test_the_budget_is_spent_on_those_who_get_an_offer(policy: str) -> None:
    rows = drawn(offer_values(), budget_eur=5000.0, control_share=0.5, policy=policy)
    cost = rows["contact_cost_eur"] + rows["offer_budget_eur"]
    assert 4800 < cost.sum() <= 5000
    assert (cost[rows["arm"] == CONTROL] == 0).all()
    assert (rows["arm"] == CONTROL).mean() > 0.4


@pytest.mark.thorough
def test_whoever_is_in_a_campaign_is_left_out() -> None:
    offers = offer_values()
    busy = offers["customer_id"].isin(offers["customer_id"].unique()[:700])
    offers.loc[busy, "verdict"] = "in_campaign"
    design = make_design(offers, terms(), LIMITS, 0.95)
    assert design.excluded["in_campaign"] == 700
    assert not set(drawn(offers)["customer_id"]) & set(offers.loc[busy, "customer_id"])


def test_a_larger_control_group_detects_more_and_costs_more() -> None:
    table = make_design(offer_values(), terms(), LIMITS, 0.95).control_shares
    table = table[table["control_share"] <= 0.5]
    assert (np.diff(table["detectable_save_share"]) < 0).all()
    assert (np.diff(table["cost_of_learning_eur"]) > 0).all()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.9, 1.0])
def test_an_impossible_control_share_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match="control share"):
        make_design(offer_values(), terms(control_share=share), LIMITS, 0.95)


def test_nobody_eligible_is_an_error_that_says_why() -> None:
    offers = offer_values().assign(verdict="no_reason")
    with pytest.raises(UsageError, match="no_reason"):
        make_design(offers, terms(), LIMITS, 0.95)


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("propensity", 1.0, "chance"),
        ("control_propensity", 0.01, "chance"),
        ("avg_monthly_margin_eur", -1.0, "margin"),
        ("expected_net_value_eur", -0.5, "cost more"),
        ("reasons", "", "reason"),
        ("customer_id", "C00001", "twice"),
    ],
)
def test_guardrails_stop_a_draw(column: str, value: str | float, told: str) -> None:
    rows = drawn(offer_values(200))
    assert broken_guardrails(rows, terms(), LIMITS) == []
    at = rows.index[rows["arm"] != CONTROL][:2]
    rows.loc[at, column] = value
    assert any(told in line for line in broken_guardrails(rows, terms(), LIMITS))


def test_a_budget_that_is_exceeded_is_told() -> None:
    rows = drawn(offer_values(200))
    assert "budget" in broken_guardrails(rows, terms(budget_eur=100.0), LIMITS)[0]


# Contacts


def assignments() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "campaign": "a",
            "customer_id": ["C00001", "C00002", "C00003"],
            "arm": [CONTROL, "offer_large", "contact_only"],
            "as_of_date": date(2024, 12, 31),
        }
    )


NOBODY = pd.DataFrame(columns=["campaign", "customer_id", "contact_date", "channel"])


def test_contacts_are_checked_against_the_campaign(tmp_path: Path) -> None:
    file = tmp_path / "crm.csv"
    file.write_text(
        "Campaign,customer_id,date,channel,result,offer,cost\n"
        "a,C00001,2025-01-02,phone,reached,,20\n"  # control group
        "a,C00002,2025-01-02,phone,not_reached,,20\n"
        "a,C00002,2025-01-02,phone,accepted,offer_small,20\n"  # same call, another offer
        "a,C00003,2024-12-30,phone,reached,,20\n"  # too early
        "a,C00009,2025-01-02,phone,reached,,20\n",  # does not take part
        encoding="utf-8",
    )
    rows, rejected = read_contacts(file, load_settings({"home": str(tmp_path)}, environ={}))
    kept, found = check_contacts(rows, rejected, assignments(), NOBODY, file)
    assert list(kept["customer_id"]) == ["C00001", "C00002"]
    assert found.called_control_count == 1
    assert found.other_offer_count == 1
    assert found.rejected == {
        "customer_id: does not take part in the campaign": 1,
        "contact_date: before the campaign started": 1,
    }
    _, again = check_contacts(rows, rejected, assignments(), kept, file)
    assert again.known_count == len(kept)


def test_contacts_of_an_unknown_campaign_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "crm.csv"
    file.write_text("campaign,customer_id,contact_date,outcome\nb,C00001,2025-01-02,reached\n")
    rows, rejected = read_contacts(file, load_settings({"home": str(tmp_path)}, environ={}))
    with pytest.raises(BadInputError, match=r"column campaign: no such campaign .* b \(1 row\)"):
        check_contacts(rows, rejected, assignments(), NOBODY, file)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "campaign,customer_id\na,C00001\n",
        "campaign,customer_id,contact_date,outcome\na,C00001,2025-01-02,maybe\n",
    ],
)
def test_a_file_that_breaks_the_contract_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "crm.csv"
    file.write_text(content)
    with pytest.raises(BadInputError, match=r"crm\.csv"):
        read_contacts(file, load_settings({"home": str(tmp_path)}, environ={}))


# Lists


def test_lists_are_for_people_and_spreadsheets(tmp_path: Path) -> None:
    customers = pd.DataFrame(
        {
            "campaign": "a",
            "customer_id": ["C00001", "C00002", "C00003"],
            "is_treated": [True, False, True],
            "arm_name": ["Large discount", "Control group: do not contact", "Small discount"],
            "contact_from_date": pd.Timestamp("2024-12-31"),
            "contact_until_date": pd.Timestamp("2025-01-07"),
            "outcome_date": pd.Timestamp("2025-03-31"),
            "as_of_date": pd.Timestamp("2024-12-31"),
            "discount_eur_month": [1.239, 0.0, 0.5],
            "risk_tier": "High",
            "churn_probability": [0.61, 0.7, 0.75],
            "reasons": ["=HYPERLINK(0)", "Plain.", "Pays 10 €."],
        }
    )
    done = export_lists(customers, "a", tmp_path)
    assert (done.call_count, done.control_count, len(done.files)) == (2, 1, 4)
    text = (tmp_path / "a-call-list-2024-12-31.csv").read_text(encoding="utf-8-sig")
    lines = text.splitlines()
    assert lines[0].startswith("campaign,customer_id,offer,contact_from,contact_until")
    assert [line.split(",")[1] for line in lines[1:]] == ["C00003", "C00001"]
    assert "'=HYPERLINK(0)" in text
    assert "2025-01-07" in lines[1]
    control = pd.read_parquet(tmp_path / "a-control-group-2024-12-31.parquet")
    assert list(control["instruction"]) == ["Control group: do not contact"]
