"""Customers whose response to every offer is known: what campaigns are played on, without files.

Churn and responses are those of the simulator (python_ml/simulate). The score is what a good model
could know of the churn probability: its log-odds with noise, calibrated on outcomes of its own.
Margins are drawn, with the median of the seed economics.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import cache

import numpy as np
import pandas as pd
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from python_ml.campaigns import CONTROL
from python_ml.simulate.churn import churn_probability
from python_ml.simulate.panel import draw_panel, province_costs
from python_ml.simulate.reference import calibration
from python_ml.simulate.response import save_probability
from python_ml.simulate.traits import draw_traits

AS_OF = date(2024, 12, 31)
DISCOUNTS = {"contact_only": 0.0, "offer_small": 0.05, "offer_medium": 0.15, "offer_large": 0.25}
PRIOR, CONTACT_EUR, MONTHS, OFFER_MONTHS, DRIVE_AWAY = 0.3, 20.0, 32.0, 6.0, 0.005
SCORE_NOISE = 0.7  # standard deviation, in log-odds
TIERS = (("Low", 0.0), ("Medium", 0.4), ("High", 0.6), ("Critical", 0.8))
Rates = dict[tuple[str, str], tuple[float, float]]  # by offer and tier
WEIGHT = 20.0  # churners that the seed's number counts for
_OF_SEED = (PRIOR, float(np.sqrt(PRIOR * (1 - PRIOR) / WEIGHT)))
RANKS = pd.Series({name: rank for rank, (name, _) in enumerate(TIERS, 1)})


@dataclass(frozen=True)
class People:
    """One customer base. `saves` has one column per offer, in the order of DISCOUNTS."""

    customer_id: np.ndarray
    probability: np.ndarray  # of leaving, if nobody makes an offer
    score: np.ndarray
    margin: np.ndarray  # € a month
    saves: np.ndarray
    woken: np.ndarray  # chance to leave because of a call, of one who would stay

    @property
    def tier(self) -> np.ndarray:
        names = np.array([name for name, _ in TIERS], dtype=object)
        return names[np.searchsorted([limit for _, limit in TIERS], self.score, side="right") - 1]

    def part(self, mask: np.ndarray) -> People:
        return People(**{name: value[mask] for name, value in self.__dict__.items()})

    def homogeneous(self) -> People:
        """The same people, whom each offer keeps with one chance, whoever they are."""
        mean = np.average(self.saves, axis=0, weights=self.probability)
        return replace(self, saves=np.tile(mean, (len(self.score), 1)))


@cache
def make_people(seed: int, customers: int) -> People:
    """A customer base of the simulator."""
    index = np.arange(customers, dtype=np.int64)
    traits = draw_traits(seed, index, 5)
    costs = province_costs(seed)
    panel = draw_panel(seed, traits, costs)
    p = churn_probability(traits, panel, costs)
    response = calibration()["response"]
    saves = save_probability(traits, panel, costs, response)
    near = (traits.months_to_renewal > 0) & (traits.months_to_renewal <= 3)
    rng = np.random.default_rng([seed, 1])
    noisy = logit(p) + rng.normal(0, SCORE_NOISE, customers)
    model = LogisticRegression(C=1e6).fit(noisy[:, None], rng.random(customers) < p)
    return People(
        customer_id=np.asarray(traits.customer_id, dtype=object),
        probability=p,
        score=model.predict_proba(noisy[:, None])[:, 1],
        margin=np.exp(rng.normal(np.log(7.0), 0.6, customers)),
        saves=np.column_stack([saves[offer] for offer in DISCOUNTS]),
        woken=np.where(near, 0.0, response["woken_share"]),
    )


def next_month(people: People, seed: int, month: int) -> People:
    """The same company a month later: most stay as they are, some are nearer to leaving."""
    rng = np.random.default_rng([seed, 2, month])
    order = rng.permutation(len(people.score))
    moved = rng.random(len(order)) < 1 / 3  # a third of the contracts moves on in its course
    taken = np.where(moved, order, np.arange(len(order)))
    mixed = {name: value[taken] for name, value in people.__dict__.items() if name != "customer_id"}
    return People(customer_id=people.customer_id, **mixed)


def values_by_offer(
    people: People, rates: Rates | None = None, busy: set[str] | None = None
) -> pd.DataFrame:
    """mart_offer_value of these people: one row per customer and offer.

    Args:
        people: of one month.
        rates: mean and standard deviation of the share saved, by default those of the seed.
        busy: customers who take part in a campaign.
    """
    tier = people.tier
    base = pd.DataFrame(
        {
            "customer_id": people.customer_id,
            "run_id": "r",
            "model_version": "m",
            "risk_tier": tier,
            "is_low_risk": tier == "Low",
            "reasons": "A reason.",
            "contact_after_days": 0,
            "contact_within_days": 7,
            "churn_probability": people.score,
            "avg_monthly_margin_eur": people.margin,
            "margin_at_stake_eur": people.margin * MONTHS,
            "contact_cost_eur": CONTACT_EUR,
        }
    )
    is_busy = base["customer_id"].isin(busy or set()).to_numpy()
    parts = []
    for offer, share in DISCOUNTS.items():
        known = np.array([(rates or {}).get((offer, name), _OF_SEED) for name, _ in TIERS])
        save, sd = known[RANKS.loc[tier].to_numpy() - 1].T
        budget = share * people.margin * OFFER_MONTHS
        kept = people.score * save - (1 - people.score) * DRIVE_AWAY
        net = kept * people.margin * MONTHS - budget - CONTACT_EUR
        verdict = np.where(is_busy, "in_campaign", np.where(net < 0, "value_negative", "eligible"))
        parts.append(
            base.assign(
                offer=offer,
                save_probability=save,
                save_probability_sd=sd,
                discount_eur_month=share * people.margin,
                offer_budget_eur=budget,
                spend_eur=budget + CONTACT_EUR,
                expected_net_value_eur=net,
                verdict=verdict,
            )
        )
    return pd.concat(parts, ignore_index=True)


def true_effect(people: People, rows: pd.DataFrame, reach: float) -> np.ndarray:
    """Reduction of churn by the customer's own arm, had it been offered to all: (n, offers)."""
    at = pd.Index(people.customer_id).get_indexer(rows["customer_id"])
    p = people.probability[at][:, None]
    effect: np.ndarray = reach * (p * people.saves[at] - (1 - p) * people.woken[at][:, None])
    return effect


def play(
    people: People,
    rows: pd.DataFrame,
    seed: int | list[int],
    *,
    reach: float = 0.8,
    called_control: float = 0.0,
    strength: float = 1.0,
) -> pd.DataFrame:
    """What becomes of a campaign's customers within the horizon.

    Args:
        people: of the month.
        rows: the frozen draw.
        seed: of the outcomes.
        reach: share of the treated who are reached; others are as if nobody had called.
        called_control: share of the control group that is called, and reached, all the same.
        strength: of the offers, 0 for offers that do nothing at all.

    Returns:
        Rows as mart_campaign_customer has them, with `leaves_at`, the share of the horizon after
        which each leaves (above 1: stays).
    """
    rng = np.random.default_rng(seed)
    at = pd.Index(people.customer_id).get_indexer(rows["customer_id"])
    arm = rows["arm"].to_numpy(dtype=object)
    treated = arm != CONTROL
    called = ~treated & (rng.random(len(rows)) < called_control)
    reached = treated & (rng.random(len(rows)) < reach)
    leaves = rng.random(len(rows)) < people.probability[at]
    column = np.array([list(DISCOUNTS).index(a) if a != CONTROL else 0 for a in arm])
    save = strength * people.saves[at, column]
    spoken = reached | called
    stays = leaves & spoken & (rng.random(len(rows)) < save)
    driven = ~leaves & spoken & (rng.random(len(rows)) < strength * people.woken[at])
    leaves = (leaves & ~stays) | driven
    return rows.assign(
        is_treated=treated,
        is_contacted=treated | called,
        is_reached=spoken,
        cost_eur=np.where(reached, rows["contact_cost_eur"] + rows["offer_budget_eur"], 0.0)
        + np.where(treated & ~reached, rows["contact_cost_eur"], 0.0),
        leaves_at=np.where(leaves, rng.random(len(rows)), 2.0),
    )


def seen_at(played: pd.DataFrame, share: float) -> pd.DataFrame:
    """The same customers as far as their outcome is known after a share of the horizon."""
    return played.assign(
        churn=(played["leaves_at"] < share).astype(float),
        horizon_share=share,
        is_matured=share >= 1,
        look_date=AS_OF,
    )
