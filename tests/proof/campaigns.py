"""Do campaigns tell the truth about offers? Held against the simulator, which knows it.

    python -m tests.proof.campaigns --part effect --campaigns 200

Parts:
  effect     coverage of the intervals, wins without an effect, broken comparisons that are found
  learn      what six campaigns in a row teach: value of the learned policy on new customers
  times      `plan` for 20,099 customers, `effect` over 24 campaigns
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from python_ml.campaigns import ALL, CONTROL
from python_ml.campaigns.assign import draw
from python_ml.campaigns.effect import BROKEN, WORKS, campaign_effect, measure_effects
from python_ml.campaigns.learn import Prior, save_rates
from python_ml.campaigns.plan import Terms, make_design
from python_ml.settings import CampaignsSettings
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

LIMITS = CampaignsSettings()
CONFIDENCE, WEEKS, REACH, CUSTOMERS = 0.95, 13, 0.8, 20_099


def started(people: People, name: str, control_share: float = 0.3) -> pd.DataFrame:
    """A campaign drawn on the scores of these people."""
    values = values_by_offer(people)
    terms = Terms(name, "expected_value", control_share)
    design = make_design(values, terms, LIMITS, CONFIDENCE)
    return draw(values, design, LIMITS, AS_OF, RANKS).rows


def wilson(hits: int, n: int) -> str:
    """A share with its 95% interval (Wilson)."""
    z, share = 1.96, hits / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return f"{hits} of {n} ({share:.1%}, {centre - half:.1%} to {centre + half:.1%})"


def effect_part(count: int) -> bool:
    """Coverage at every look, wins without an effect, and comparisons that are broken."""
    covered, looks, at_once, campaigns = 0, 0, 0, 0
    wins, won_with = 0, 0
    for number in range(count):
        people = make_people(number % 4 + 1, CUSTOMERS)
        rows = started(people, f"with-{number}").assign(risk_tier="one")
        truth = true_effect(people, rows, REACH)
        with_effect = play(people, rows, [number, 1], reach=REACH)
        all_inside, has_won = True, False
        for week in range(1, WEEKS + 1):
            effects = _of_all_tiers(seen_at(with_effect, week / WEEKS))
            has_won |= effects.loc[ALL, "verdict"] == WORKS
            for arm, row in effects.iterrows():
                wanted = _truth_of(str(arm), rows, truth) * week / WEEKS
                inside = row["churn_reduction_low"] <= wanted <= row["churn_reduction_high"]
                covered, looks = covered + inside, looks + 1
                all_inside &= bool(inside)
        at_once, campaigns, won_with = at_once + all_inside, campaigns + 1, won_with + has_won
        without = play(people, rows, [number, 2], reach=REACH, strength=0.0)
        wins += any(
            _of_all_tiers(seen_at(without, week / WEEKS)).loc[ALL, "verdict"] == WORKS
            for week in range(1, WEEKS + 1)
        )
    print(f"intervals that hold the truth, five arms at each of {WEEKS} weeks: ", end="")
    print(wilson(covered, looks))
    print(f"campaigns whose every interval holds it at every look: {wilson(at_once, campaigns)}")
    print(f"campaigns with an effect that are called a win by the end: {wilson(won_with, count)}")
    print(f"campaigns without one that are ever called a win: {wilson(wins, count)}")
    broken = {
        kind: sum(_is_found(kind, number) for number in range(min(count, 100)))
        for kind in ("counts", "risk", "called")
    }
    for kind, found in broken.items():
        print(f"broken ({kind}) that are found: {wilson(found, min(count, 100))}")
    true_draws = sum(_is_found("none", number) for number in range(min(count, 100)))
    print(f"sound ones that are called broken: {wilson(true_draws, min(count, 100))}")
    need = 0.95 * min(count, 100)
    return (
        covered / looks >= 0.93
        and wins <= 0.05 * count
        and all(found >= need for found in broken.values())
    )


def _of_all_tiers(customers: pd.DataFrame) -> pd.DataFrame:
    effects = campaign_effect(customers, LIMITS, CONFIDENCE)
    return effects[effects["risk_tier"] == ALL].set_index("arm")


def _truth_of(arm: str, rows: pd.DataFrame, truth: np.ndarray) -> float:
    """The mean reduction over those who could have been drawn into the arm.

    Of all arms together each customer counts with the chances of the arms, given that it is not in
    the control group.
    """
    chance = pd.DataFrame(
        {o: rows.loc[rows["arm"] == o].groupby("stratum")["propensity"].first() for o in DISCOUNTS}
    )
    of_rows = chance.reindex(rows["stratum"]).to_numpy()
    if arm != ALL:
        column = list(DISCOUNTS).index(arm)
        return float(truth[~np.isnan(of_rows[:, column]), column].mean())
    weight = np.nan_to_num(of_rows) / (1 - rows["control_propensity"].to_numpy())[:, None]
    return float((weight * truth).sum(axis=1).mean())


def _is_found(kind: str, number: int) -> bool:
    """Whether a campaign that somebody has spoilt counts as broken."""
    people = make_people(number % 4 + 1, CUSTOMERS)
    rows = started(people, f"{kind}-{number}")
    rng = np.random.default_rng([number, 3])
    control = (rows["arm"] == CONTROL).to_numpy()
    if kind == "counts":  # a quarter of the control group is lost on its way
        rows = rows[~(control & (rng.random(len(rows)) < 0.25))].reset_index(drop=True)
    if kind == "risk":  # a team puts the likelier leavers on its list, one time in two
        best = rows["churn_probability"] > rows["churn_probability"].median()
        moved = control & best.to_numpy() & (rng.random(len(rows)) < 0.5)
        rows = _moved(rows, moved)
    played = play(people, rows, [number, 4], called_control=0.05 if kind == "called" else 0.0)
    return bool(_of_all_tiers(seen_at(played, 1.0)).loc[ALL, "verdict"] == BROKEN)


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
    worlds = max(count // 20, 2)
    earned: dict[str, list[float]] = {}
    for world in range(worlds):
        rates = _taught(world)
        fresh = make_people(100 + world, CUSTOMERS)
        for name, value in _earned(fresh, rates).items():
            earned.setdefault(name, []).append(value)
    table = pd.DataFrame(earned)
    print(f"value of a campaign on {CUSTOMERS:,} new customers, mean of {worlds} worlds (EUR):")
    for name in table:
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
    people, played, free = make_people(world + 1, CUSTOMERS), [], {}
    for month in range(6):
        if month:
            people = next_month(people, world + 1, month)
        matured = played[: max(month - 2, 0)]
        rates = None
        if matured:
            rates = _rates(save_rates(pd.concat(matured), DISCOUNTS, tiers, prior))
        busy = {customer for customer, until in free.items() if month < until}
        values = values_by_offer(people, rates, busy)
        terms = Terms(f"w{world}-m{month}", "expected_value", 0.3)
        design = make_design(values, terms, LIMITS, CONFIDENCE)
        rows = draw(values, design, LIMITS, AS_OF, RANKS).rows
        free.update(dict.fromkeys(rows["customer_id"], month + 6))
        played.append(seen_at(play(people, rows, [world, month, 6], reach=REACH), 1.0))
    every = pd.concat(played)
    print(f"  world {world}: {len(every):,} customers in six campaigns", file=sys.stderr)
    return _rates(save_rates(every, DISCOUNTS, tiers, prior))


def _rates(table: pd.DataFrame) -> Rates:
    return {
        (row.offer, row.risk_tier): (row.save_probability, row.save_probability_sd)
        for row in table.itertuples()
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


def times_part(_: int) -> bool:
    """Seconds of the computations that people wait for, without the start of the process."""
    people = make_people(1, CUSTOMERS)
    values = values_by_offer(people)
    begin = time.perf_counter()
    make_design(values, Terms("a", "expected_value", 0.2), LIMITS, CONFIDENCE)
    planned = time.perf_counter() - begin
    parts = [seen_at(play(people, started(people, f"t{k}"), [k, 5]), 1.0) for k in range(24)]
    begin = time.perf_counter()
    measure_effects(pd.concat(parts, ignore_index=True), LIMITS, CONFIDENCE)
    measured = time.perf_counter() - begin
    print(f"plan of {CUSTOMERS:,} customers: {planned:.1f} s; effect of 24 campaigns of ", end="")
    print(f"{len(parts[0]):,} customers: {measured:.1f} s")
    return planned <= 5 and measured <= 10


PARTS: dict[str, Callable[[int], bool]] = {
    "effect": effect_part,
    "learn": learn_part,
    "times": times_part,
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
