"""How customers go on after the first year: renewals, product changes, prices, and who leaves when.

Everything is a pure function of the world and the customer index, so any month can be made without
those before it. docs/simulator.md describes the process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from python_ml.simulate.churn import churn_probability, draw_churn
from python_ml.simulate.files import ContractDates, days_of
from python_ml.simulate.noise import Floats, Integers, uniform
from python_ml.simulate.panel import (
    MONTHS,
    Panel,
    ProvinceCosts,
    draw_panel,
    elec_year,
    gas_year,
    tier1_prices,
)
from python_ml.simulate.reference import calibration
from python_ml.simulate.response import save_probability, woken_share
from python_ml.simulate.traits import DAYS_A_MONTH, Traits, draw_traits
from python_ml.simulate.world import World

NEVER = 1 << 40  # month of leaving of who stays as far as we look


@dataclass(frozen=True)
class Call:
    """Calls of one month that reached customers with one offer of campaigns of one as-of date."""

    at: Integers  # places of the customers in their chunk
    month: int  # of the call
    start: int  # month that ends with the campaigns' as-of date
    offer: str


@dataclass(frozen=True)
class Reaction:
    """How the customers of a chunk react to a call, n booleans each."""

    saved: dict[str, np.ndarray]  # by offer: stays, if it would leave without
    woken: np.ndarray  # leaves, if it would stay without


@dataclass(frozen=True)
class Course:
    """A chunk of customers up to a month `until`, and who leaves in the horizon after it.

    `cohort` is the month of arrival, `leaves` the month of leaving, and `foreseen` the month of
    leaving as it was before the calls of the newest month. Energy and prices have shape
    (customers, 12 + until + 1): one month more than observed, because who leaves hangs on it.
    """

    world: World
    until: int
    traits: Traits  # of the first as-of date; of arrivals, of their first one
    panel: Panel
    churned: np.ndarray  # label of the first as-of date
    cohort: Integers
    first: np.ndarray  # day of activation
    renewals: list[np.ndarray]  # next renewal date at as-of date 0, 1, …
    changes: list[np.ndarray]  # last change of product at as-of date 0, 1, …
    leaves: Integers
    foreseen: Integers

    def is_customer(self, month: int) -> np.ndarray:
        """Who is a customer on the as-of date that ends a month."""
        return (self.cohort <= month) & (self.leaves > month)

    def label(self, month: int) -> np.ndarray:
        """Who leaves within the horizon after an as-of date."""
        horizon = calibration()["course"]["horizon_months"]
        values: np.ndarray = (self.leaves > month) & (self.leaves <= month + horizon)
        return values

    def contract(self, month: int) -> ContractDates:
        return ContractDates(self.first, self.changes[month], self.renewals[month])

    def traits_at(self, month: int) -> Traits:
        """Traits with the sales channel of an as-of date: its own, or that which took it over."""
        return replace(self.traits, channel=_channel(self.world, self.traits, month))

    def prices(self) -> Panel:
        """The panel, with the shifts in its prices."""
        return replace(self.panel, tier1_price=_shifted_prices(self.world, self.panel, delay=0))


def draw_course(world: World, index: Integers, costs: ProvinceCosts, until: int) -> Course:
    """The customers with these indices, from the first as-of date to the one that ends `until`.

    Nobody makes them an offer; `with_calls` says what becomes of those who get one.
    """
    seed = world.seed
    traits = draw_traits(seed, index, world.id_digits)
    churned = draw_churn(seed, traits, draw_panel(seed, traits, costs), costs)
    cohort = world.cohort(index)
    panel = _long_panel(seed, traits, costs, MONTHS + until + 1)
    dates = _first_dates(world, traits, cohort)
    renewals = [_renewal(world, dates, index, month) for month in range(until + 2)]
    changes = _product_changes(world, dates, traits, cohort, renewals)
    course = Course(
        world=world,
        until=until,
        traits=traits,
        panel=panel,
        churned=churned,
        cohort=cohort,
        first=dates.first,
        renewals=renewals,
        changes=changes,
        leaves=np.full(len(index), NEVER, dtype=np.int64),
        foreseen=np.full(len(index), NEVER, dtype=np.int64),
    )
    leaves = _draw_leaving(course, costs, ())
    return replace(course, leaves=leaves, foreseen=leaves)


def with_calls(
    course: Course, costs: ProvinceCosts, calls: Sequence[Call], *, are_new: bool = False
) -> Course:
    """The same customers after calls.

    Args:
        course: with some or none of the calls.
        costs: of the provinces.
        calls: all of them, those of earlier months too.
        are_new: whether some are of the newest month, which nobody foresaw.
    """
    if not calls:
        return course
    leaves = _draw_leaving(course, costs, calls)
    return replace(course, leaves=leaves, foreseen=course.foreseen if are_new else leaves)


def reaction(course: Course, costs: ProvinceCosts, start: int) -> Reaction:
    """How customers react to calls of campaigns with the as-of date that ends a month.

    One draw per customer and as-of date decides for all offers. On the first as-of date it is that
    of the truth file, and so are the chances.
    """
    world, index = course.world, course.traits.index
    traits, panel = _as_seen(course, start)
    if start == 0:
        traits = course.traits  # before dates were cut to whole days
    table = calibration()["response"]
    name, counter = ("", index) if start == 0 else ("_month", index * 4096 + start)
    draw = uniform(world.seed, f"response{name}", counter)
    chances = save_probability(traits, panel, costs, table)
    return Reaction(
        saved={offer: draw < chance for offer, chance in chances.items()},
        woken=uniform(world.seed, f"woken{name}", counter) < woken_share(traits, table),
    )


def _long_panel(seed: int, traits: Traits, costs: ProvinceCosts, months: int) -> Panel:
    years = range(-(-months // MONTHS))
    return replace(
        draw_panel(seed, traits, costs),
        elec_kwh=np.hstack([elec_year(seed, traits, year) for year in years])[:, :months],
        gas_m3=np.hstack([gas_year(seed, traits, year) for year in years])[:, :months],
        tier1_price=tier1_prices(seed, traits, costs, months),
    )


def _first_dates(world: World, traits: Traits, cohort: Integers) -> ContractDates:
    """Dates at the first as-of date of each customer."""
    dates = ContractDates.of(traits, world.as_of(0))
    for month in np.unique(cohort[cohort > 0]).tolist():
        here = cohort == month
        first, last = world.first_day(month), world.as_of(month)
        days = (last - first).astype(np.int64) + 1
        day = (uniform(world.seed, "arrival", traits.index[here]) * days).astype(np.int64)
        dates.first[here] = first + day.astype("timedelta64[D]")
        dates.change[here] = np.datetime64("NaT")
        dates.renewal[here] = last + days_of(np.maximum(traits.months_to_renewal[here], 0.1))
    return dates


def _renewal(world: World, dates: ContractDates, index: Integers, month: int) -> np.ndarray:
    """Next renewal at an as-of date: a contract that ran out is renewed some days later."""
    if month == 0:
        return dates.renewal
    constants = calibration()["course"]
    delay = uniform(world.seed, "renewal_delay", index) * (constants["renewal_delay_days"] + 1)
    due = dates.renewal + delay.astype(np.int64).astype("timedelta64[D]")
    late = (world.as_of(month) - due).astype(np.int64)
    times = np.maximum(late // constants["contract_days"] + 1, 0)
    values: np.ndarray = dates.renewal + (times * constants["contract_days"]).astype(
        "timedelta64[D]"
    )
    return values


def _product_changes(
    world: World,
    dates: ContractDates,
    traits: Traits,
    cohort: Integers,
    renewals: list[np.ndarray],
) -> list[np.ndarray]:
    """Last change of product at each as-of date; who never changed in the first year never does."""
    chance, seed, index = calibration()["course"]["product_change"], world.seed, traits.index
    changes_at_all = ~np.isnan(traits.months_since_change)
    last = [dates.change]
    for month in range(1, len(renewals)):
        ahead = (renewals[month - 1] - world.as_of(month - 1)).astype(np.int64) / DAYS_A_MONTH
        rate = np.where(ahead <= 3.0, chance["near"], chance["otherwise"])
        counter = index * 4096 + month
        now = changes_at_all & (uniform(seed, "change_now", counter) < rate) & (cohort < month)
        days = (world.as_of(month) - world.first_day(month)).astype(np.int64) + 1
        day = (uniform(seed, "change_day", counter) * days).astype(np.int64)
        date = world.first_day(month) + day.astype("timedelta64[D]")
        last.append(np.where(now, date, last[-1]))
    return last


def _draw_leaving(course: Course, costs: ProvinceCosts, calls: Sequence[Call]) -> Integers:
    """Month of leaving.

    Who the first label says leaves does so in one of the horizon's months. From then on a month's
    chance is that of the horizon, cut to a month, at the as-of date two before the month's end:
    the label of an as-of date adds up three months around what is known on it.

    Whom an offer keeps stays to the end of its campaign's horizon, and is at risk again after it;
    whom a call drives away leaves within the horizon.
    """
    world, index = course.world, course.traits.index
    horizon = calibration()["course"]["horizon_months"]
    month = 1 + (uniform(world.seed, "leave_month", index) * horizon).astype(np.int64)
    leaves = np.where(course.churned & (course.cohort == 0), month, NEVER)
    first = np.where(course.cohort == 0, horizon + 1, course.cohort + 1)
    for month_number in range(2, course.until + horizon + 1):
        at_risk = (leaves == NEVER) & (first <= month_number)
        if at_risk.any():
            chance = leaving_chance(course, month_number, costs)
            drawn = uniform(world.seed, "leave", index * 4096 + month_number) < chance
            leaves = np.where(at_risk & drawn, month_number, leaves)
        if ended := [call for call in calls if call.start + horizon == month_number]:
            leaves = _after_calls(course, costs, ended, leaves)
    return leaves


def _after_calls(
    course: Course, costs: ProvinceCosts, calls: Sequence[Call], leaves: Integers
) -> Integers:
    """Month of leaving after calls of campaigns whose horizon has ended, all on the same day."""
    start, seed = calls[0].start, course.world.seed
    end = start + calibration()["course"]["horizon_months"]
    reacts, leaves = reaction(course, costs, start), leaves.copy()
    u = uniform(seed, "woken_when", course.traits.index * 4096 + start)
    for call in calls:
        would = leaves[call.at]
        is_late = would < call.month
        leaving = ~is_late & (would <= end)
        month = call.month + (u[call.at] * (end - call.month + 1)).astype(np.int64)
        leaves[call.at] = np.where(
            leaving & reacts.saved[call.offer][call.at],
            NEVER,
            np.where((would > end) & reacts.woken[call.at], month, would),
        )
    return leaves


def leaving_chance(course: Course, month: int, costs: ProvinceCosts) -> Floats:
    """Chance of each customer who is still there to leave in a month after those of the first
    label."""
    p = churn_probability(*_as_seen(course, month - 2), costs)
    chance: Floats = 1.0 - (1.0 - p) ** (1.0 / calibration()["course"]["horizon_months"])
    return chance


def label_probability(course: Course, month: int, costs: ProvinceCosts) -> Floats:
    """Probability of leaving within the horizon after an as-of date, of those who are customers on
    it: what no company knows, for those who measure how true scores are.

    Args:
        course: up to the month of the as-of date, or a later one.
        month: of the as-of date.
    """
    horizon = calibration()["course"]["horizon_months"]
    seed, traits = course.world.seed, course.traits
    # The first label is spread over its months evenly.
    of_first = churn_probability(traits, draw_panel(seed, traits, costs), costs) / horizon
    stays = np.ones(len(course.cohort))
    for ahead in range(month + 1, month + horizon + 1):
        chance = leaving_chance(course, ahead, costs) if ahead > 1 else np.zeros(len(stays))
        if ahead <= horizon:
            is_first = course.cohort == 0
            chance = np.where(is_first, of_first / (1.0 - of_first * (ahead - 1)), chance)
        stays *= 1.0 - chance
    return np.asarray(1.0 - stays)


def _as_seen(course: Course, month: int) -> tuple[Traits, Panel]:
    """Traits and twelve months of energy and prices at an as-of date, as the hazard takes them.

    Customers react to a shift a month late: so a month's files never depend on the next one's.
    """
    world, as_of = course.world, course.world.as_of(month)
    tenure = (as_of - course.first).astype(np.int64) / DAYS_A_MONTH
    ahead = (course.renewals[month] - as_of).astype(np.int64) / DAYS_A_MONTH
    change = course.changes[month]
    since = np.where(np.isnat(change), np.nan, (as_of - change).astype(np.int64) / DAYS_A_MONTH)
    traits = replace(
        course.traits,
        tenure_months=np.maximum(tenure, 0.0),
        months_to_renewal=ahead,
        months_since_change=since,
        channel=_channel(world, course.traits, month - 1),
    )
    window = slice(month, month + MONTHS)
    prices = _shifted_prices(world, course.panel, delay=1)
    panel = replace(
        course.panel,
        elec_kwh=course.panel.elec_kwh[:, window],
        gas_m3=course.panel.gas_m3[:, window],
        tier1_price=prices[:, window],
    )
    return traits, panel


def _shifted_prices(world: World, panel: Panel, *, delay: int) -> Floats:
    ratio = calibration()["shifts"]["price-shock"]["price_ratio"]
    factor = np.ones(panel.tier1_price.shape[1])
    for month, shift in world.shifts.items():
        if shift == "price-shock":
            factor[11 + month + delay :] *= ratio
    return np.round(panel.tier1_price * factor, 5)


def _channel(world: World, traits: Traits, month: int) -> Integers:
    if not world.shifted("channel-mix", month):
        return traits.channel
    entry = calibration()["shifts"]["channel-mix"]
    moved = uniform(world.seed, "channel_moves", traits.index) < entry["moved_share"]
    target = list(calibration()["sales_channels"]).index(entry["channel"])
    return np.where(moved, target, traits.channel)
