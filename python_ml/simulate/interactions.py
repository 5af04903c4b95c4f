"""Who got in touch, when, and what was written about it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from python_ml.simulate.noise import Floats, Integers, choose, hashed, quantile, uniform
from python_ml.simulate.reference import calibration
from python_ml.simulate.texts import compose
from python_ml.simulate.traits import Traits

TEXT_SIGNALS = ("as-published", "weak", "none")


@dataclass(frozen=True)
class Interactions:
    """One row an interaction: position of the customer in the chunk, and what was recorded."""

    customer: Integers
    date: list[dt.date]
    channel: list[str]
    summary: list[str]


@cache
def _cells() -> tuple[list[tuple[str, str]], np.ndarray, np.ndarray]:
    """Pairs of intent and sentiment, with their customers and churners."""
    table = calibration()["interactions"]["cells"]
    pairs = [(intent, mood) for intent, row in table.items() for mood in row]
    counts = np.array([table[intent][mood] for intent, mood in pairs], dtype=np.float64)
    return pairs, counts[:, 0], counts[:, 1]


def draw_interactions(
    seed: int, traits: Traits, churned: np.ndarray, as_of: dt.date, text_signal: str
) -> Interactions:
    """Interactions of a chunk, by customer and date.

    The newest one of a customer carries the intent and mood of the published table; an older one,
    where there is one, is a contact about nothing in particular.
    """
    constants = calibration()["interactions"]
    at = np.flatnonzero(gets_in_touch(seed, traits.index, churned))
    index = traits.index[at]
    pair, lag = newest_contact(seed, index, churned[at], text_signal)
    older = uniform(seed, "second", index) < constants["second_share"]
    rows: list[tuple[int, dt.date, int, int, int]] = []
    for position, customer in enumerate(at.tolist()):
        newest = as_of - dt.timedelta(days=int(lag[position]))
        if older[position]:
            # Before the newest, so it never decides a feature.
            gap = 5 + int(lag[position]) % 60
            rows.append((customer, newest - dt.timedelta(days=gap), -1, position, 1))
        rows.append((customer, newest, int(pair[position]), position, 0))
    return _write(seed, index, rows)


def gets_in_touch(seed: int, index: Integers, churned: np.ndarray) -> np.ndarray:
    """Who gets in touch at all: a trait, and more frequent among those who leave."""
    share = calibration()["interactions"]["contact_share"]
    values: np.ndarray = uniform(seed, "contact", index) < np.where(
        churned, share["churner"], share["other"]
    )
    return values


def contact_log_odds(
    seed: int, index: Integers, churned: np.ndarray, text_signal: str
) -> tuple[Floats, Floats]:
    """What is learned of a customer's outcome from getting in touch or not, and from what is said:
    log likelihood ratios, for those who measure how much can be known at all."""
    share = calibration()["interactions"]["contact_share"]
    contacts = gets_in_touch(seed, index, churned)
    yes, no = (
        np.log(share["churner"] / share["other"]),
        np.log((1 - share["churner"]) / (1 - share["other"])),
    )
    _, customers, churners = _cells()
    others = customers - churners
    knowing = calibration()["interactions"]["knowing_share"][text_signal]
    any_one = customers / customers.sum()
    of_churners = knowing * churners / churners.sum() + (1 - knowing) * any_one
    of_others = knowing * others / others.sum() + (1 - knowing) * any_one
    told = np.log(np.maximum(of_churners, 1e-12) / np.maximum(of_others, 1e-12))
    pair = draw_pair(seed, index, churned, text_signal)
    return np.where(contacts, yes, no), np.where(contacts, told[pair], 0.0)


def newest_contact(
    seed: int, index: Integers, churned: np.ndarray, text_signal: str
) -> tuple[Integers, Integers]:
    """What the newest contact before the first as-of date is about, and how many days it is ago."""
    pair = draw_pair(seed, index, churned, text_signal)
    return pair, _lag_days(seed, index, pair)


def _lag_days(seed: int, index: Integers, pair: Integers) -> Integers:
    """Days from the newest interaction to the as-of date."""
    entry = calibration()["interactions"]["lag_days"]
    days = entry["minimum"] + quantile(uniform(seed, "lag", index), entry["knots"])
    positive = np.array([mood == "positive" for _, mood in _cells()[0]])[pair]
    value: Integers = (days + entry["positive_days"] * positive).astype(np.int64)
    return value


def draw_pair(
    seed: int, counter: Integers, churned: np.ndarray, text_signal: str, draw: str = ""
) -> Integers:
    """Position in `_cells()` of intent and sentiment; `draw` names draws of their own."""
    _, customers, churners = _cells()
    share = calibration()["interactions"]["knowing_share"][text_signal]
    u = uniform(seed, f"{draw}intent", counter)
    knowing = uniform(seed, f"{draw}knowing", counter) < share
    informed = np.where(churned, choose(u, churners), choose(u, customers - churners))
    return np.where(knowing, informed, choose(u, customers))


def _write(
    seed: int, index: Integers, rows: list[tuple[int, dt.date, int, int, int]]
) -> Interactions:
    position = np.array([row[3] for row in rows], dtype=np.int64)
    counter = index[position] * 8 + np.array([row[4] for row in rows], dtype=np.int64)
    any_pair = choose(uniform(seed, "older_pair", counter), _cells()[1])
    pair = np.array([row[2] for row in rows], dtype=np.int64)
    return write_down(
        seed,
        counter,
        customer=np.array([row[0] for row in rows], dtype=np.int64),
        dates=[row[1] for row in rows],
        pair=np.where(pair >= 0, pair, any_pair),
    )


def write_down(
    seed: int,
    counter: Integers,
    *,
    customer: Integers,
    dates: list[dt.date],
    pair: Integers,
    mood: Sequence[str | None] | None = None,
    always_prose: bool = False,
    draw: str = "",
) -> Interactions:
    """Choose the channel and the words of each contact.

    Args:
        counter: one number a contact, which decides its draws.
        pair: position in `_cells()` of intent and sentiment.
        mood: sentiment in place of the pair's, where it is not None.
        always_prose: no terse notes.
        draw: names draws of their own.
    """
    constants = calibration()["interactions"]
    names, shares = list(constants["channels"]), list(constants["channels"].values())
    pairs = _cells()[0]
    bits = hashed(seed, f"{draw}text", counter)
    terse = uniform(seed, f"{draw}style", counter) < constants["terse_share"]
    channel = choose(uniform(seed, f"{draw}contact_channel", counter), shares)
    summaries = []
    for row, text_bits in enumerate(bits):
        intent, own_mood = pairs[pair[row]]
        style = "terse" if terse[row] and not always_prose else "summary"
        told = (mood[row] if mood is not None else None) or own_mood
        summaries.append(compose(int(text_bits), style, intent, told))
    return Interactions(customer, dates, [names[c] for c in channel], summaries)
