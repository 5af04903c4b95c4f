"""Draw the arms of a campaign. The draw follows from campaign and customer alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from python_ml.campaigns import CONTROL
from python_ml.campaigns.plan import EXPECTED_VALUE, Design, Terms, eligible_offers
from python_ml.errors import QualityGateError
from python_ml.settings import CampaignsSettings

# Of the highest tier by probability first, as a team works through a list; by value per euro spent.
_MONEY = ("discount_eur_month", "offer_budget_eur", "contact_cost_eur", "expected_net_value_eur")


@dataclass(frozen=True)
class Assignment:
    """The frozen draw: rows as `ml.campaign_assignment` has them, without run_id."""

    rows: pd.DataFrame
    over_budget_count: int  # eligible customers whom the budget does not reach


def hash_share(text: str) -> float:
    """A share of 0 or more and below 1 that follows from a text: as macros/cross_db/hash_share."""
    return int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:8], 16) / 4294967296


def draw(
    offers: pd.DataFrame,
    design: Design,
    settings: CampaignsSettings,
    as_of_date: date,
    tier_ranks: pd.Series,
) -> Assignment:
    """Draw an arm for every eligible customer, and stop where the budget ends.

    Arms are independent between customers. The budget counts only what the treated would cost: a
    customer takes part if the treated before it in the policy's order and its own dearest offer
    fit, which does not depend on its own arm.

    Args:
        offers: mart_offer_value, as the design was made from.
        design: chances of the arms.
        settings: lengths of horizon and cool-down, in days.
        as_of_date: of the scores.
        tier_ranks: rank by risk tier, 1 is the lowest risk.

    Raises:
        QualityGateError: the draw breaks a guardrail.
    """
    terms = design.terms
    eligible = eligible_offers(offers, terms.policy)
    people = _in_order(eligible, terms, tier_ranks)
    people["arm"], people["propensity"], people["control_propensity"] = _drawn(people, design)
    made = eligible.rename(columns={"offer": "arm"})[["customer_id", "arm", "spend_eur", *_MONEY]]
    rows = people.merge(made, on=["customer_id", "arm"], how="left").fillna(
        dict.fromkeys(("spend_eur", *_MONEY), 0.0)
    )
    taken = _within_budget(rows, terms.budget_eur)
    rows, left = rows[taken], int((~taken).sum())
    end = as_of_date + timedelta(days=settings.horizon_days)
    dates: dict[str, Any] = {
        "as_of_date": as_of_date,
        "contact_from_date": _later(as_of_date, rows["contact_after_days"]),
        "contact_until_date": _later(as_of_date, rows["contact_within_days"]),
        "outcome_date": end,
        "free_date": end + timedelta(days=settings.cooldown_days),
    }
    budget = np.nan if terms.budget_eur is None else terms.budget_eur
    rows = rows.assign(
        campaign=terms.campaign,
        policy=terms.policy,
        budget_eur=budget,
        scored_run_id=rows["run_id"],
        **dates,
    )
    kept = rows[[*_KEPT]].sort_values("customer_id", ignore_index=True)
    if broken := broken_guardrails(kept, terms, settings):
        raise QualityGateError(f"campaign {terms.campaign}: " + "; ".join(broken))
    return Assignment(kept, left)


_KEPT = (
    *("campaign", "customer_id", "as_of_date", "arm", "stratum", "risk_tier"),
    *("propensity", "control_propensity", "churn_probability", "avg_monthly_margin_eur"),
    *("margin_at_stake_eur", *_MONEY, "contact_from_date", "contact_until_date", "outcome_date"),
    *("free_date", "reasons", "policy", "budget_eur", "model_version", "scored_run_id"),
)


def broken_guardrails(
    rows: pd.DataFrame, terms: Terms, settings: CampaignsSettings
) -> Sequence[str]:
    """The rules that a draw breaks, each with its number of rows; the same are tests of dbt."""
    treated = rows["arm"] != CONTROL
    spent = float((rows["contact_cost_eur"] + rows["offer_budget_eur"]).sum())
    floor = settings.minimum_propensity - 1e-9
    found = {
        "a customer is in twice": rows["customer_id"].duplicated(),
        "a chance is below campaigns.minimum_propensity or is 1": ~(
            rows["propensity"].between(floor, 1, inclusive="left")
            & rows["control_propensity"].between(floor, 1, inclusive="left")
        ),
        "an offer has a margin that is not positive": treated
        & ~(rows["avg_monthly_margin_eur"] > 0),
        "an offer is expected to cost more than it brings": treated
        & ~(rows["expected_net_value_eur"] >= 0),
        "a customer of the control group has a cost": ~treated
        & (rows["contact_cost_eur"] + rows["offer_budget_eur"] != 0),
        "a treated customer has no reason": treated & (rows["reasons"].fillna("") == ""),
    }
    told = [f"{what} ({int(bad.sum()):,} rows)" for what, bad in found.items() if bad.any()]
    if terms.budget_eur is not None and spent > terms.budget_eur + 0.01:
        told.append(f"it would spend {spent:,.2f} € of a budget of {terms.budget_eur:,.2f} €")
    return told


def _in_order(eligible: pd.DataFrame, terms: Terms, tier_ranks: pd.Series) -> pd.DataFrame:
    """One row per customer, in the order in which the policy spends its budget."""
    per_euro = eligible["expected_net_value_eur"] / eligible["spend_eur"].clip(lower=0.01)
    best = per_euro.groupby(eligible["customer_id"]).transform("max")
    dearest = eligible.groupby("customer_id")["spend_eur"].transform("max")
    people = eligible.assign(
        value_per_eur=best, dearest_eur=dearest, tier_rank=eligible["risk_tier"].map(tier_ranks)
    ).drop_duplicates("customer_id")
    people = people.drop(columns=["spend_eur", *_MONEY])
    order = ["value_per_eur"] if terms.policy == EXPECTED_VALUE else ["tier_rank"]
    order += [] if terms.policy == EXPECTED_VALUE else ["churn_probability"]
    return people.sort_values(
        [*order, "customer_id"], ascending=[*[False] * len(order), True], ignore_index=True
    )


def _drawn(people: pd.DataFrame, design: Design) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arm, its chance and that of the control group, by customer."""
    u = np.array([hash_share(f"{design.terms.campaign}:{c}") for c in people["customer_id"]])
    arm = np.empty(len(people), dtype=object)
    propensity, control = np.empty(len(people)), np.empty(len(people))
    for stratum, chances in design.chances.groupby("stratum"):
        here = (people["stratum"] == stratum).to_numpy()
        ends = np.cumsum(chances["propensity"].to_numpy())
        place = np.minimum(np.searchsorted(ends, u[here], side="right"), len(ends) - 1)
        arm[here] = chances["arm"].to_numpy()[place]
        propensity[here] = chances["propensity"].to_numpy()[place]
        is_control = chances["arm"].to_numpy() == CONTROL
        control[here] = chances["propensity"].to_numpy()[is_control][0]
    return arm, propensity, control


def _within_budget(rows: pd.DataFrame, budget_eur: float | None) -> np.ndarray:
    """Who takes part: up to the first customer whose dearest offer would not fit any more."""
    if budget_eur is None:
        return np.ones(len(rows), dtype=bool)
    spent = rows["spend_eur"].to_numpy(dtype=np.float64)
    before = np.concatenate([[0.0], np.cumsum(spent)[:-1]])
    fits = before + rows["dearest_eur"].to_numpy(dtype=np.float64) <= budget_eur
    return np.logical_and.accumulate(fits)


def _later(as_of_date: date, days: pd.Series) -> pd.Series:
    return (pd.Timestamp(as_of_date) + pd.to_timedelta(days.astype(float), unit="D")).dt.date
