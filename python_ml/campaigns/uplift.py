"""Share saved by offer for each customer, where it is known to differ from that of the risk tier.

A DR-learner (Kennedy 2023, "Towards optimal doubly robust estimation of heterogeneous causal
effects") on trees: the reduction of churn by each offer has an unbiased value for every customer,
because the chances of the arms are known, and trees predict how far it is from that of the pooled
rate. It is used only if it is better on assignments that it has not seen (cross-fitting), by two
measures: the Qini curve, whom it would reach first, and the value of the offers that it would make,
doubly robust with the logged chances (Dudík, Langford and Li 2011, "Doubly robust policy evaluation
and learning"). Otherwise the pooled rates stay.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xgboost as xgb
from scipy.stats import norm

from python_ml.campaigns import CONTROL
from python_ml.campaigns.assign import hash_share
from python_ml.campaigns.learn import Prior, save_rates

Floats = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]
Rates = Mapping[tuple[str, str], float]
_FOLDS = 5
# Weak trees: what differs between customers of one tier is little, and has to earn its place.
_TREES = {"max_depth": 2, "eta": 0.05, "min_child_weight": 100.0, "lambda": 100.0}
_ROUNDS = 100


@dataclass(frozen=True)
class Gain:
    """How much better the trees are than the pooled rates, with an interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, terms: Floats, confidence: float) -> Gain:
        """Mean of independent terms, with a normal interval."""
        mean, n = float(np.mean(terms)), len(terms)
        half = float(norm.ppf((1 + confidence) / 2)) * float(np.std(terms)) / math.sqrt(n)
        return cls(mean, mean - half, mean + half)


@dataclass(frozen=True)
class Verdict:
    """Whether the trees are used, and why, in words; gains are None where none were measured."""

    is_used: bool
    reason: str
    customer_count: int
    qini_gain: Gain | None = None  # reduction of churn, averaged over whom one reaches first
    value_gain_eur: Gain | None = None  # a customer


@dataclass(frozen=True)
class Offers:
    """What offers are worth: discounts as a share of the monthly margin, and the economics."""

    discounts: Mapping[str, float]
    tiers: Sequence[str]
    prior: Prior
    offer_months: float
    contact_cost_eur: float

    def spend(self, customers: pd.DataFrame) -> Floats:
        """Cost of each offer for each customer, (n, offers), €."""
        shares = np.array(list(self.discounts.values()))
        margin = _floats(customers, "avg_monthly_margin_eur")[:, None]
        return np.asarray(shares * margin * self.offer_months + self.contact_cost_eur)


@dataclass(frozen=True)
class Uplift:
    """Fitted trees, and the pooled rates that they depart from."""

    booster: xgb.Booster
    rates: Rates
    offers: Offers

    def save_probability(self, customers: pd.DataFrame, features: Matrix) -> Floats:
        """Share saved by each offer for each customer, (n, offers).

        Args:
            customers: risk_tier and churn_probability of n customers.
            features: n rows, as the trees were fitted on.
        """
        n, count = len(customers), len(self.offers.discounts)
        base = _pooled(customers, self.rates, self.offers)
        p = _floats(customers, "churn_probability")
        rows = _stacked(features, p, self.offers)
        departure = self.booster.predict(xgb.DMatrix(rows)).reshape(count, n).T
        return np.asarray((base + departure).clip(0, 1), dtype=np.float64)


def learn_uplift(
    customers: pd.DataFrame,
    features: Matrix,
    offers: Offers,
    *,
    minimum_customers: int,
    confidence: float,
    threads: int,
) -> tuple[Uplift | None, Verdict]:
    """Fit trees, judge them on assignments that they have not seen, and say whether to use them.

    Args:
        customers: rows of silver_campaign_customer of measured, sound campaigns, n of them.
        features: n rows of what was known of the customers when the campaigns started.
        offers: what they are worth.
        minimum_customers: fewer are not even tried.
        confidence: of both gains, which must lie above 0.
        threads: of XGBoost.

    Returns:
        The trees if they are used, and the verdict.
    """
    n = len(customers)
    if n < minimum_customers:
        why = f"{n:,} customers have been measured; {minimum_customers:,} are needed"
        return None, Verdict(False, f"pooled rates: {why}", n)
    customers = customers.reset_index(drop=True)
    fold = np.array([int(_FOLDS * hash_share(f"fold:{c}")) for c in customers["customer_id"]])
    chance = _chances(customers, offers)
    own, pooled = (np.full((n, len(offers.discounts)), np.nan) for _ in range(2))
    for number in range(_FOLDS):
        seen, unseen = fold != number, fold == number
        fitted = _fit(customers[seen], features[seen], chance[seen], offers, threads)
        own[unseen] = fitted.save_probability(customers[unseen], features[unseen])
        pooled[unseen] = _pooled(customers[unseen], fitted.rates, offers)
    qini = Gain.of(_qini_terms(customers, chance, own, pooled), confidence)
    value = Gain.of(_value_terms(customers, chance, own, pooled, offers), confidence)
    is_used = qini.low > 0 and value.low > 0
    told = (
        f"on unseen assignments, offers chosen by customer bring {value.value:,.2f} € more a "
        f"customer ({value.low:,.2f} to {value.high:,.2f}) and save {100 * qini.value:.2f} points "
        f"more ({100 * qini.low:.2f} to {100 * qini.high:.2f}) of those reached first"
    )
    choice = "rates by customer" if is_used else "pooled rates: nothing better is known"
    verdict = Verdict(is_used, f"{choice}; {told}", n, qini, value)
    if not is_used:
        return None, verdict
    return _fit(customers, features, chance, offers, threads), verdict


def _fit(
    customers: pd.DataFrame,
    features: Matrix,
    chance: Floats,
    offers: Offers,
    threads: int,
) -> Uplift:
    """Trees for the departure of each customer's share saved from the pooled one."""
    table = save_rates(customers, offers.discounts, offers.tiers, offers.prior)
    keys = zip(table["offer"], table["risk_tier"], strict=True)
    rates = dict(zip(keys, table["save_probability"], strict=True))
    p = _floats(customers, "churn_probability").clip(1e-3, 1 - 1e-3)[:, None]
    churn = _floats(customers, "churn")[:, None]
    arm = customers["arm"].to_numpy(dtype=object)
    control = (arm == CONTROL)[:, None]
    c = _floats(customers, "control_propensity")[:, None]
    drawn = arm[:, None] == np.array(list(offers.discounts), dtype=object)[None, :]
    base = _pooled(customers, rates, offers)
    can = chance > 0
    e = np.where(can, chance, 1.0)
    left = p * (1 - base)
    reduction = p - left + control / c * (churn - p) - drawn / e * (churn - left)
    # Of a customer with a small chance to leave, the share saved is known worst.
    weight = np.where(can, p / (1 - p + 0.05) / (1 / c + 1 / e), 0.0)
    flat = weight.T.ravel()
    rows = xgb.DMatrix(
        _stacked(features, p[:, 0], offers)[flat > 0],
        label=(reduction / p - base).T.ravel()[flat > 0],
        weight=flat[flat > 0] / flat[flat > 0].mean(),
    )
    parameters = {**_TREES, "tree_method": "hist", "base_score": 0.0, "nthread": threads, "seed": 0}
    return Uplift(xgb.train(parameters, rows, num_boost_round=_ROUNDS), rates, offers)


def _stacked(features: Matrix, p: Floats, offers: Offers) -> Floats:
    """Rows of the trees, offer by offer: features, score and discount."""
    return np.vstack(
        [
            np.column_stack([features, p, np.full(len(p), share)])
            for share in offers.discounts.values()
        ]
    )


def _pooled(customers: pd.DataFrame, rates: Rates, offers: Offers) -> Floats:
    """Pooled share saved of each offer for each customer, (n, offers)."""
    by_tier = {tier: [rates[offer, tier] for offer in offers.discounts] for tier in offers.tiers}
    return np.array([by_tier[tier] for tier in customers["risk_tier"]], dtype=np.float64)


def _chances(customers: pd.DataFrame, offers: Offers) -> Floats:
    """Chance of each offer for each customer, (n, offers); 0 where it could not be drawn."""
    keys = ["campaign", "stratum"]
    found = customers.groupby([*keys, "arm"])["propensity"].first().unstack()
    found = found.reindex(columns=list(offers.discounts)).fillna(0.0)
    at = pd.MultiIndex.from_frame(customers[keys])
    return found.loc[at].to_numpy(dtype=np.float64)


def _qini_terms(customers: pd.DataFrame, chance: Floats, own: Floats, pooled: Floats) -> Floats:
    """Terms of the difference between the areas under both Qini curves.

    Each customer has an unbiased value of its reduction of churn by the arms as they were drawn,
    and counts the more, the earlier it is reached.
    """
    p, churn = _floats(customers, "churn_probability"), _floats(customers, "churn")
    control = (customers["arm"] == CONTROL).to_numpy()
    c = _floats(customers, "control_propensity")
    reduction = np.where(control, 1 / c, -1 / (1 - c)) * (churn - p)
    share = chance / chance.sum(axis=1, keepdims=True)
    terms = np.zeros(len(p))
    for sign, saves in ((1, own), (-1, pooled)):
        order = np.argsort(-p * (share * saves).sum(axis=1), kind="stable")
        early = np.empty(len(p))
        early[order] = 1 - (np.arange(len(p)) + 0.5) / len(p)
        terms += sign * early * reduction
    return terms


def _value_terms(
    customers: pd.DataFrame, chance: Floats, own: Floats, pooled: Floats, offers: Offers
) -> Floats:
    """Terms of the difference in net value (€) between the offers by trees and by pooled rates."""
    p, churn = _floats(customers, "churn_probability"), _floats(customers, "churn")
    stake, spend = _floats(customers, "margin_at_stake_eur"), offers.spend(customers)
    lost = offers.prior.drive_away_probability * (1 - p)
    arm = customers["arm"].to_numpy(dtype=object)
    drawn = np.array([[*offers.discounts].index(a) if a != CONTROL else -1 for a in arm])
    n = np.arange(len(p))
    expected = (p[:, None] * pooled - lost[:, None]) * stake[:, None] - spend
    cost = np.where(drawn >= 0, spend[n, drawn], 0.0)
    seen = -(churn - p) * stake - cost
    mean = np.where(drawn >= 0, expected[n, drawn], 0.0)
    own_chance = _floats(customers, "propensity")
    terms = np.zeros(len(p))
    for sign, saves in ((1, own), (-1, pooled)):
        net = (p[:, None] * saves - lost[:, None]) * stake[:, None] - spend
        net = np.where(chance > 0, net, -np.inf)
        choice = np.where(net.max(axis=1) > 0, net.argmax(axis=1), -1)
        planned = np.where(choice >= 0, expected[n, choice], 0.0)
        terms += sign * (planned + (choice == drawn) / own_chance * (seen - mean))
    return terms


def _floats(customers: pd.DataFrame, name: str) -> Floats:
    return customers[name].to_numpy(dtype=np.float64, na_value=np.nan)
