"""Do campaigns tell the truth about offers? Held against the simulator, which knows it.

    python -m tests.proof.campaigns --part effect --campaigns 200

Parts:
  effect     coverage of the intervals, wins without an effect, broken comparisons that are found
  learn      what six campaigns in a row teach: value of the learned policy on new customers
  uplift     rates by customer, where customers react alike and where they differ
  times      `plan` for 20,099 customers, `effect` over 24 campaigns
  training   models that learn beside six campaigns, against those of a company without
  kills      `start`, `record` and `effect` killed, half as often as --campaigns says
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from python_ml.campaigns import ALL, CONTROL
from python_ml.campaigns.assign import draw
from python_ml.campaigns.effect import (
    WORKS,
    Arrays,
    arm_figures,
    campaign_effect,
    measure_effects,
    soundness,
    verdict_of,
)
from python_ml.campaigns.learn import Prior, save_rates
from python_ml.campaigns.plan import Design, Terms, arm_chances, eligible_offers, make_design
from python_ml.settings import CampaignsSettings
from tests.proof.campaign_kills import kills
from tests.proof.campaign_training import training
from tests.proof.campaigns_uplift import is_used
from tests.proof.campaigns_world import (
    AS_OF,
    CONTACT_EUR,
    DISCOUNTS,
    DRIVE_AWAY,
    MONTHS,
    OFFER_MONTHS,
    PRIOR,
    RANKS,
    TIERS,
    WEIGHT,
    People,
    Rates,
    make_people,
    next_month,
    play,
    seen_at,
    true_effect,
    values_by_offer,
)

Floats = npt.NDArray[np.float64]
LIMITS = CampaignsSettings()
CONFIDENCE, WEEKS, REACH, CUSTOMERS = 0.95, 13, 0.8, 20_099
TRAINED_CUSTOMERS = 6000  # of each of two companies whose whole pipelines run for eight months
ARMS = (CONTROL, *DISCOUNTS)
ARM_NAMES = (ALL, *DISCOUNTS)
KINDS = {
    "counts": "a quarter of the control group is lost on its way",
    "risk": "half of its customers at higher risk are put on the call list",
    "labels": "a quarter of its labels is lost",
    "called": "5% of it is called",
}


@dataclass(frozen=True)
class Company:
    """A customer base that campaigns are drawn on, one after the other, from the same chances.

    `rows` is a frozen draw of all eligible customers; `chance` has one column for the control group
    and one for each offer, of which a stratum may lack some (0).
    """

    people: People
    rows: pd.DataFrame
    chance: Floats
    truth: Floats  # reduction of churn by each offer, (customers, offers)
    costs: Floats  # of each arm, planned, €

    @classmethod
    @cache
    def of(cls, seed: int) -> Company:
        people = make_people(seed, CUSTOMERS)
        values = values_by_offer(people)
        rows, chances = started(values, f"company-{seed}", 0.3)
        table = chances.pivot(index="stratum", columns="arm", values="propensity")
        chance = table.reindex(columns=ARMS).fillna(0.0).loc[rows["stratum"]].to_numpy()
        spend = values.pivot(index="customer_id", columns="offer", values="spend_eur")
        planned = spend.reindex(index=rows["customer_id"], columns=ARMS[1:]).to_numpy()
        costs = np.column_stack([np.zeros(len(rows)), planned])
        return cls(people, rows, chance, true_effect(people, rows, REACH), costs)

    def draw(self, rng: np.random.Generator) -> pd.DataFrame:
        """Another campaign of the same chances."""
        u, n = rng.random(len(self.rows)), np.arange(len(self.rows))
        arm = (u[:, None] >= self.chance.cumsum(axis=1)[:, :-1]).sum(axis=1)
        cost = self.costs[n, arm]
        return self.rows.assign(
            arm=np.array(ARMS, dtype=object)[arm],
            propensity=self.chance[n, arm],
            contact_cost_eur=np.where(arm > 0, CONTACT_EUR, 0.0),
            offer_budget_eur=np.where(arm > 0, cost - CONTACT_EUR, 0.0),
        )

    def could_be(self, rows: pd.DataFrame, arm: str) -> np.ndarray:
        """Who could have been drawn into an arm: customers of the strata that somebody was."""
        if arm == ALL:
            return np.ones(len(rows), dtype=bool)
        stratum = rows["stratum"]
        return stratum.isin(stratum[rows["arm"] == arm]).to_numpy(dtype=bool)

    def wanted(self, rows: pd.DataFrame, arm: str) -> float:
        """True reduction of churn by an arm, over those who could have been drawn into it.

        Of all arms together each customer counts with the chances of the arms, given that it is
        not in the control group.
        """
        if arm != ALL:
            return float(self.truth[self.could_be(rows, arm), ARMS.index(arm) - 1].mean())
        treated = self.chance[:, 1:]
        weight = treated / treated.sum(axis=1)[:, None]
        return float((weight * self.truth).sum(axis=1).mean())


def started(
    values: pd.DataFrame, name: str, control_share: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A campaign drawn on these offers, and the chances it was drawn with."""
    terms = Terms(name, "expected_value", control_share)
    eligible = eligible_offers(values, terms.policy)
    chances = arm_chances(eligible, control_share, LIMITS)
    none = pd.DataFrame()
    design = Design(terms, eligible["customer_id"].nunique(), {}, chances, none, none)
    return draw(values, design, LIMITS, AS_OF, RANKS).rows, chances


def wilson(hits: int, n: int) -> str:
    """A share with its 95% interval (Wilson)."""
    z, share = 1.96, hits / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return f"{hits:,} of {n:,} ({share:.1%}, {centre - half:.1%} to {centre + half:.1%})"


def effect_part(count: int) -> bool:
    """Coverage at every look, wins without an effect, and comparisons that are broken."""
    inside, won_with, wins = [], 0, 0
    for number in range(count):
        company = Company.of(number % 4 + 1)
        rows = company.draw(np.random.default_rng([number, 0]))
        held, won = _looks(company, play(company.people, rows, [number, 1], reach=REACH), ARM_NAMES)
        inside.append(held)
        won_with += won
        without = play(company.people, rows, [number, 2], reach=REACH, strength=0.0)
        wins += _looks(company, without, (ALL,))[1]
        if not number:
            _check_shortcut(company, rows)
    covered = np.array(inside)
    print(f"intervals that hold the truth, five arms at each of {WEEKS} weeks: ", end="")
    print(wilson(int(covered.sum()), covered.size))
    whole = int(covered.all(axis=1).sum())
    print(f"campaigns whose every interval holds it at every look: {wilson(whole, count)}")
    print(f"campaigns with an effect that are called a win by the end: {wilson(won_with, count)}")
    print(f"campaigns without one that are ever called a win: {wilson(wins, count)}")
    draws = min(count, 100)
    found = {kind: sum(_is_found(kind, n) for n in range(draws)) for kind in KINDS}
    for kind, hits in found.items():
        print(f"{KINDS[kind]}, found broken: {wilson(hits, draws)}")
    sound = sum(_is_found("sound", number) for number in range(draws))
    print(f"sound ones that are called broken: {wilson(sound, draws)}")
    return (
        bool(covered.mean() >= 0.93)
        and wins <= 0.05 * count
        and all(hits >= 0.95 * draws for hits in found.values())
    )


def _looks(company: Company, played: pd.DataFrame, arms: Sequence[str]) -> tuple[list[bool], bool]:
    """Whether each interval holds the truth at each weekly look, and whether one calls a win."""
    final = seen_at(played, 1.0)
    every, sound = Arrays.of(final), soundness(final, LIMITS)
    leaves_at = played["leaves_at"].to_numpy()
    held, won = [], False
    for arm in arms:
        here, wanted = company.could_be(played, arm), company.wanted(played, arm)
        whole = every.part(here)
        for week in range(1, WEEKS + 1):
            share = week / WEEKS
            churn = (leaves_at[here] < share).astype(float)
            seen = replace(whole, churn=churn, expected=whole.p * share)
            figures = arm_figures(seen, whole, arm, 1 - CONFIDENCE)
            low, high = figures["churn_reduction_low"], figures["churn_reduction_high"]
            held.append(bool(low <= wanted * share <= high))
            if arm == ALL:
                won |= verdict_of(figures, sound, share, week == WEEKS)[0] == WORKS
    return held, won


def _check_shortcut(company: Company, rows: pd.DataFrame) -> None:
    """The proof goes straight to the figures of an arm; what the command shows are the same."""
    seen = seen_at(play(company.people, rows, [0, 1], reach=REACH), 1.0)
    effects = campaign_effect(seen, LIMITS, CONFIDENCE)
    shown = effects[effects["risk_tier"] == ALL].set_index("arm")
    every = Arrays.of(seen)
    for arm in ARM_NAMES:
        part = every.part(company.could_be(rows, arm))
        found = arm_figures(part, part, arm, 1 - CONFIDENCE)
        assert np.isclose(found["churn_reduction_low"], shown["churn_reduction_low"][arm]), arm


def _is_found(kind: str, number: int) -> bool:
    """Whether a campaign that somebody has spoilt counts as broken."""
    company = Company.of(number % 4 + 1)
    rng = np.random.default_rng([number, list(KINDS).index(kind) if kind in KINDS else 9, 3])
    rows = company.draw(rng)
    control = (rows["arm"] == CONTROL).to_numpy()
    a_quarter = control & (rng.random(len(rows)) < 0.25)
    if kind == "counts":
        rows = rows[~a_quarter].reset_index(drop=True)
    if kind == "risk":
        best = rows["churn_probability"] > rows["churn_probability"].median()
        moved = control & best.to_numpy() & (rng.random(len(rows)) < 0.5)
        rows = _moved(rows, moved)
    called = 0.05 if kind == "called" else 0.0
    played = seen_at(play(company.people, rows, [number, 4], called_control=called), 1.0)
    if kind == "labels":
        played.loc[a_quarter, "churn"] = np.nan
    return bool(soundness(played, LIMITS).problems)


def _moved(rows: pd.DataFrame, moved: np.ndarray) -> pd.DataFrame:
    """Customers of the control group put into an arm of their stratum instead."""
    treated = rows[rows["arm"] != CONTROL].drop_duplicates("stratum").set_index("stratum")
    moved = moved & rows["stratum"].isin(treated.index).to_numpy()
    changed = rows.copy()
    for name in ("arm", "propensity", "contact_cost_eur", "offer_budget_eur"):
        changed.loc[moved, name] = treated.loc[rows.loc[moved, "stratum"], name].to_numpy()
    return changed


def learn_part(count: int) -> bool:
    """Six monthly campaigns in a row, and what their policy earns on new customers."""
    worlds = max(count // 10, 2)
    earned: dict[str, list[float]] = {}
    for world in range(worlds):
        rates = _taught(world)
        fresh = make_people(100 + world, CUSTOMERS)
        for name, value in _earned(fresh, rates).items():
            earned.setdefault(name, []).append(value)
    table = pd.DataFrame(earned)
    print(f"value of a campaign on {CUSTOMERS:,} new customers, mean of {worlds} worlds (EUR):")
    for name in earned:
        print(f"  {name:<22} {table[name].mean():>10,.0f}")
    learned, ok = table["learned rates"], True
    for other, share in (("true rates", 0.95), ("fixed tiers", 1.0), ("one rate", 1.0)):
        ratio, low, high = _ratio(learned, table[other])
        kept = low >= share if other != "true rates" else ratio >= share
        ok &= kept
        print(f"learned against {other}: {ratio:.3f} ({low:.3f} to {high:.3f}), needed {share}")
    return ok


def _ratio(a: pd.Series, b: pd.Series) -> tuple[float, float, float]:
    """Ratio of two sums over worlds, with a bootstrap 95% interval."""
    rng = np.random.default_rng(1)
    picks = rng.integers(0, len(a), size=(4000, len(a)))
    found = a.to_numpy()[picks].sum(axis=1) / b.to_numpy()[picks].sum(axis=1)
    low, high = np.quantile(found, [0.025, 0.975])
    return float(a.sum() / b.sum()), float(low), float(high)


def _taught(world: int) -> Rates:
    """What six campaigns in a row have taught by the time that the last one has matured.

    Labels mature three months after a campaign starts: the first four are drawn on less.
    """
    prior = Prior(PRIOR, WEIGHT, DRIVE_AWAY)
    tiers = [name for name, _ in TIERS]
    people = make_people(world + 1, CUSTOMERS)
    played: list[pd.DataFrame] = []
    free: dict[str, int] = {}
    for month in range(6):
        if month:
            people = next_month(people, world + 1, month)
        matured = played[: max(month - 2, 0)]
        rates = None
        if matured:
            rates = _rates(save_rates(pd.concat(matured), DISCOUNTS, tiers, prior))
        busy = {customer for customer, until in free.items() if month < until}
        values = values_by_offer(people, rates, busy)
        rows, _ = started(values, f"w{world}-m{month}", 0.3)
        free.update(dict.fromkeys(rows["customer_id"], month + 6))
        played.append(seen_at(play(people, rows, [world, month, 6], reach=REACH), 1.0))
    every = pd.concat(played)
    print(f"  world {world}: {len(every):,} customers in six campaigns", file=sys.stderr)
    return _rates(save_rates(every, DISCOUNTS, tiers, prior))


def _rates(table: pd.DataFrame) -> Rates:
    return {
        (row["offer"], row["risk_tier"]): (row["save_probability"], row["save_probability_sd"])
        for row in table.to_dict("records")
    }


def _earned(people: People, learned: Rates) -> dict[str, float]:
    """Expected value (EUR) by the truth of each policy's offers, made to all who are worth it."""
    p, tier = people.probability[:, None], people.tier
    gain = REACH * (p * people.saves - (1 - p) * people.woken[:, None])
    spend = np.column_stack(
        [share * people.margin * OFFER_MONTHS + CONTACT_EUR for share in DISCOUNTS.values()]
    )
    worth = gain * (people.margin * MONTHS)[:, None] - spend
    true: Rates = {}
    for name, _ in TIERS:
        here = tier == name
        for column, offer in enumerate(DISCOUNTS):
            mean = np.average(people.saves[here, column], weights=people.probability[here])
            true[offer, name] = (REACH * float(mean), 0.0)
    chosen = {
        "one rate": _choice(people, None, of_tier=True),
        "learned rates": _choice(people, learned),
        "true rates": _choice(people, true),
        "fixed tiers": np.where(tier == "Low", -1, _choice(people, None, of_tier=True)),
        "everything known": np.where(worth.max(axis=1) > 0, worth.argmax(axis=1), -1),
    }
    at = np.arange(len(tier))
    return {name: float(worth[at, of][of >= 0].sum()) for name, of in chosen.items()}


def _choice(people: People, rates: Rates | None, *, of_tier: bool = False) -> np.ndarray:
    """Number of the offer that the value policy makes to each customer; -1 for none."""
    values = values_by_offer(people, rates)
    net = values["expected_net_value_eur"].to_numpy().reshape(len(DISCOUNTS), -1).T
    # Contact only, small, medium, large: the offer of each tier, as the seed has it.
    best = RANKS.loc[people.tier].to_numpy() - 1 if of_tier else net.argmax(axis=1)
    return np.where(net[np.arange(len(net)), best] > 0, best, -1)


def uplift_part(count: int) -> bool:
    """Rates by customer: not used where customers are alike, used where they differ."""
    alike, differ = count // 2, max(count // 10, 2)
    wrong = sum(is_used(seed, 6000, 0.0) for seed in range(alike))
    right = sum(is_used(seed, 40_000, 0.9) for seed in range(differ))
    print(f"pooled rates stay, 6,000 customers who react alike: {wilson(alike - wrong, alike)}")
    print(f"rates by customer are used, 40,000 who differ: {wilson(right, differ)}")
    return wrong == 0 and right >= LIMITS.power * differ


def times_part(_: int) -> bool:
    """Seconds of the computations that people wait for, without the start of the process."""
    people = make_people(1, CUSTOMERS)
    values = values_by_offer(people)
    begin = time.perf_counter()
    make_design(values, Terms("a", "expected_value", 0.2), LIMITS, CONFIDENCE)
    planned = time.perf_counter() - begin
    drawn = [started(values, f"t{k}", 0.3)[0] for k in range(24)]
    parts = [seen_at(play(people, rows, [k, 5]), 1.0) for k, rows in enumerate(drawn)]
    begin = time.perf_counter()
    measure_effects(pd.concat(parts, ignore_index=True), LIMITS, CONFIDENCE)
    measured = time.perf_counter() - begin
    print(f"plan of {CUSTOMERS:,} customers: {planned:.1f} s; effect of 24 campaigns of ", end="")
    print(f"{len(parts[0]):,} customers: {measured:.1f} s")
    return planned <= 5 and measured <= 10


PARTS: dict[str, Callable[[int], bool]] = {
    "effect": effect_part,
    "learn": learn_part,
    "uplift": uplift_part,
    "times": times_part,
    "training": lambda _: training(TRAINED_CUSTOMERS, seed=7),
    "kills": lambda count: kills(count // 2),
}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=list(PARTS), action="append")
    parser.add_argument("--campaigns", type=int, default=200)
    flags = parser.parse_args()
    kept = [PARTS[part](flags.campaigns) for part in flags.part or PARTS]
    sys.exit(0 if all(kept) else 1)
