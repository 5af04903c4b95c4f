"""Design of a campaign: who may get which offer, with which chance, and what that can detect."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from python_ml.campaigns import CONTROL
from python_ml.campaigns.sequence import boundary
from python_ml.documents import json_rows
from python_ml.errors import UsageError
from python_ml.settings import CampaignsSettings

FIXED_TIERS, EXPECTED_VALUE = "fixed_tiers", "expected_value"
ELIGIBLE = "eligible"
_SEED, _DRAWS = 20_241_231, 10_000  # of the draws from what is known
CONTROL_SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)  # that a plan is shown for


@dataclass(frozen=True)
class Terms:
    """What a campaign is started with; `budget_eur` is None without a limit."""

    campaign: str
    policy: str
    control_share: float
    budget_eur: float | None = None


@dataclass(frozen=True)
class Design:
    """Chances of the arms, and what they can detect.

    `chances` has one row per stratum and arm: stratum, risk_tier, arm, propensity, customer_count.
    `power` has one row per risk tier and arm (and `all`): expected counts, detectable shares.
    `control_shares` shows what other sizes of the control group would detect and cost.
    """

    terms: Terms
    customer_count: int
    excluded: Mapping[str, int]
    chances: pd.DataFrame
    power: pd.DataFrame
    control_shares: pd.DataFrame

    def as_dict(self) -> dict[str, Any]:
        return {
            **asdict(self.terms),
            "customer_count": self.customer_count,
            "excluded": dict(self.excluded),
            "chances": json_rows(self.chances),
            "power": json_rows(self.power),
            "control_shares": json_rows(self.control_shares),
        }


def eligible_offers(offers: pd.DataFrame, policy: str) -> pd.DataFrame:
    """The offers that a campaign of the policy may draw for each customer, with the stratum.

    Args:
        offers: mart_offer_value, one row per customer and offer.
        policy: fixed_tiers leaves customers of tiers without an offer alone; expected_value
            includes them where a contact pays.

    Returns:
        The eligible rows, with `stratum`: the risk tier, and the arms where the guardrails forbid
        some of them.
    """
    rows = offers[offers["verdict"] == ELIGIBLE]
    if policy == FIXED_TIERS:
        rows = rows[~rows["is_low_risk"].astype(bool)]
    if rows.empty:
        return rows.assign(stratum=pd.Series(dtype=object))
    rows = rows.sort_values(["customer_id", "offer"], ignore_index=True)
    all_offers = sorted(offers["offer"].unique())
    position = rows["offer"].map({offer: 1 << i for i, offer in enumerate(all_offers)})
    mask = position.groupby(rows["customer_id"]).transform("sum").astype(int)
    names = {
        bits: ", ".join(o for i, o in enumerate(all_offers) if bits >> i & 1)
        for bits in mask.unique()
    }
    everything = (1 << len(all_offers)) - 1
    tier = rows["risk_tier"].astype(str)
    stratum = np.where(mask == everything, tier, tier + ": " + mask.map(names))
    return rows.assign(stratum=stratum)


def excluded_counts(offers: pd.DataFrame, policy: str) -> dict[str, int]:
    """Customers at risk whom no offer is eligible for, by the rule that forbids their offers."""
    rows = offers if policy == EXPECTED_VALUE else offers[~offers["is_low_risk"].astype(bool)]
    rows = rows.assign(is_eligible=rows["verdict"] == ELIGIBLE)
    out = rows[~rows.groupby("customer_id")["is_eligible"].transform("any")]
    first = out.sort_values(["customer_id", "offer"]).drop_duplicates("customer_id")
    return {str(k): int(v) for k, v in first["verdict"].value_counts().items()}


def arm_chances(
    eligible: pd.DataFrame, control_share: float, settings: CampaignsSettings
) -> pd.DataFrame:
    """Chance of each arm in each stratum; they add up to 1 and keep the smallest one allowed.

    Above that smallest chance, the treated are shared out by how probable it is that an offer is
    the best one, given what is known of the shares that offers save (Thompson 1933). As long as
    little is known all offers are tried; once one is known to be better, most get it.

    Raises:
        UsageError: the control group leaves too little for the offers.
    """
    floor = settings.minimum_propensity
    if not floor <= control_share < 1:
        raise UsageError(
            f"control share {control_share}: choose one from {floor} "
            "(campaigns.minimum_propensity) to less than 1"
        )
    stake = eligible["churn_probability"] * eligible["margin_at_stake_eur"]
    value = (
        eligible.assign(stake_eur=stake)
        .groupby(["stratum", "risk_tier", "offer"], as_index=False)
        .agg(
            mean_value=("expected_net_value_eur", "mean"),
            mean_stake=("stake_eur", "mean"),
            sd=("save_probability_sd", "mean"),
            customer_count=("customer_id", "size"),
        )
    )
    rows = []
    for (stratum, tier), group in value.groupby(["stratum", "risk_tier"], sort=True):
        treated, count = 1 - control_share, len(group)
        if floor * count > treated + 1e-12:
            raise UsageError(
                f"control share {control_share}: {count} offers of {stratum} would get less than "
                f"{floor} each (campaigns.minimum_propensity); choose a smaller one"
            )
        shares = floor + (treated - floor * count) * _best_probability(group)
        size = int(group["customer_count"].max())
        rows.append((stratum, tier, CONTROL, control_share, size))
        rows += [
            (stratum, tier, offer, share, size)
            for offer, share in zip(group["offer"], shares, strict=True)
        ]
    columns = ["stratum", "risk_tier", "arm", "propensity", "customer_count"]
    return pd.DataFrame(rows, columns=columns)


def _best_probability(group: pd.DataFrame) -> np.ndarray:
    """How probable it is that each offer of a stratum has the highest mean value; adds up to 1."""
    draws = np.random.default_rng(_SEED).normal(size=(_DRAWS, len(group)))
    spread = group["sd"].to_numpy(np.float64) * group["mean_stake"].to_numpy(np.float64)
    best = np.argmax(group["mean_value"].to_numpy(np.float64) + draws * spread, axis=1)
    counts = np.bincount(best, minlength=len(group))
    # In whole percent, so that a draw of the last digit moves no chance.
    shares = np.round(counts / _DRAWS, 2)
    shares[int(np.argmax(shares))] += 1 - shares.sum()
    return np.asarray(shares)


def make_design(
    offers: pd.DataFrame, terms: Terms, settings: CampaignsSettings, confidence: float
) -> Design:
    """The design of a campaign on the newest scores.

    Args:
        offers: mart_offer_value.
        terms: policy, control share, budget.
        settings: limits of the draw.
        confidence: of the intervals, for example 0.95.

    Raises:
        UsageError: nobody may get an offer, or the control share is impossible.
    """
    eligible = eligible_offers(offers, terms.policy)
    excluded = excluded_counts(offers, terms.policy)
    if eligible.empty:
        told = ", ".join(f"{count:,} {rule}" for rule, count in excluded.items()) or "no customers"
        raise UsageError(f"no customer may get an offer of the policy {terms.policy}: {told}")
    chances = arm_chances(eligible, terms.control_share, settings)
    shares = sorted({*CONTROL_SHARES, terms.control_share})
    floor = settings.minimum_propensity
    possible = [s for s in shares if s >= floor and _fits(eligible, s, floor)]
    return Design(
        terms=terms,
        customer_count=eligible["customer_id"].nunique(),
        excluded=excluded,
        chances=chances,
        power=_power(eligible, chances, settings, confidence),
        control_shares=pd.DataFrame(
            [
                {
                    "control_share": share,
                    **_overall(
                        eligible, arm_chances(eligible, share, settings), settings, confidence
                    ),
                }
                for share in possible
            ]
        ),
    )


def _fits(eligible: pd.DataFrame, share: float, floor: float) -> bool:
    most = int(eligible.groupby("stratum")["offer"].nunique().max())
    return floor * most <= 1 - share


def _power(
    eligible: pd.DataFrame, chances: pd.DataFrame, settings: CampaignsSettings, confidence: float
) -> pd.DataFrame:
    """What each arm can detect against the control group, by tier and for all tiers together."""
    joined = _with_chances(eligible, chances)
    rows = []
    for (tier, arm), group in joined.groupby(["risk_tier", "offer"], sort=True):
        rows.append({"risk_tier": tier, "arm": arm, **_detectable(group, settings, confidence)})
    every = joined.drop_duplicates("customer_id").assign(
        propensity=lambda frame: 1 - frame["control_propensity"]
    )
    for tier, group in every.groupby("risk_tier", sort=True):
        rows.append({"risk_tier": tier, "arm": "all", **_detectable(group, settings, confidence)})
    rows.append({"risk_tier": "all", "arm": "all", **_detectable(every, settings, confidence)})
    return pd.DataFrame(rows)


def _with_chances(eligible: pd.DataFrame, chances: pd.DataFrame) -> pd.DataFrame:
    control = chances.loc[chances["arm"] == CONTROL, ["stratum", "propensity"]]
    control = control.rename(columns={"propensity": "control_propensity"})
    arms = chances.rename(columns={"arm": "offer"})[["stratum", "offer", "propensity"]]
    return eligible.merge(arms, on=["stratum", "offer"]).merge(control, on="stratum")


def _detectable(
    group: pd.DataFrame, settings: CampaignsSettings, confidence: float
) -> dict[str, float]:
    """Counts, and the smallest effect that is detected with the power of the settings.

    Args:
        group: one row per customer who may get the arm: churn_probability p, propensity e of the
            arm, control_propensity c. The variance of the weighted difference is the mean of
            p (1 − p) (1 / e + 1 / c) over n, when the offer changes little.
    """
    p = group["churn_probability"].to_numpy(dtype=np.float64)
    e = group["propensity"].to_numpy(dtype=np.float64)
    c = group["control_propensity"].to_numpy(dtype=np.float64)
    n = len(group)
    variance = float(np.mean(p * (1 - p) * (1 / e + 1 / c)))
    factor = boundary(1.0, 1.0, 1 - confidence) + norm.ppf(settings.power)
    churn = factor * math.sqrt(variance / n)
    share = churn / float(np.mean(p))
    return {
        "customer_count": n,
        "treated_count": float(e.sum()),
        "control_count": float(c.sum()),
        "expected_churn_share": float(np.mean(p)),
        "detectable_churn_points": 100 * churn,
        "detectable_save_share": share,
        "campaigns_for_5_points": math.ceil((share / 0.05) ** 2),
    }


def _overall(
    eligible: pd.DataFrame, chances: pd.DataFrame, settings: CampaignsSettings, confidence: float
) -> dict[str, float]:
    """What a control share detects over everybody, and what leaving its customers alone costs."""
    joined = _with_chances(eligible, chances)
    value = joined["expected_net_value_eur"] * joined["propensity"]
    best = joined.groupby("customer_id")["expected_net_value_eur"].max().sum()
    every = joined.drop_duplicates("customer_id").assign(
        propensity=lambda frame: 1 - frame["control_propensity"]
    )
    detected = _detectable(every, settings, confidence)
    spend = (joined["spend_eur"] * joined["propensity"]).sum()
    return {
        "control_count": detected["control_count"],
        "detectable_save_share": detected["detectable_save_share"],
        "expected_cost_eur": float(spend),
        "expected_net_value_eur": float(value.sum()),
        "cost_of_learning_eur": float(best - value.sum()),
    }
