"""Who got in touch, when, and what was written about it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cache

import numpy as np

from python_ml.simulate.noise import Integers, choose, hashed, quantile, uniform
from python_ml.simulate.reference import calibration
from python_ml.simulate.texts import compose
from python_ml.simulate.traits import Traits

TEXT_SIGNALS = ("as-published", "weak", "none")
SENTIMENTS = ("negative", "neutral", "positive")


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
    share = np.where(
        churned, constants["contact_share"]["churner"], constants["contact_share"]["other"]
    )
    has = uniform(seed, "contact", traits.index) < share
    at = np.flatnonzero(has)
    index = traits.index[at]
    pair = _draw_pair(seed, index, churned[at], constants["knowing_share"][text_signal])
    lag = _lag_days(seed, index, pair)
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


def _lag_days(seed: int, index: Integers, pair: Integers) -> Integers:
    """Days from the newest interaction to the as-of date."""
    entry = calibration()["interactions"]["lag_days"]
    days = entry["minimum"] + quantile(uniform(seed, "lag", index), entry["knots"])
    positive = np.array([mood == "positive" for _, mood in _cells()[0]])[pair]
    return (days + entry["positive_days"] * positive).astype(np.int64)


def _draw_pair(seed: int, index: Integers, churned: np.ndarray, knowing_share: float) -> Integers:
    """Position in `_cells()` of intent and sentiment."""
    _, customers, churners = _cells()
    u = uniform(seed, "intent", index)
    knowing = uniform(seed, "knowing", index) < knowing_share
    informed = np.where(churned, choose(u, churners), choose(u, customers - churners))
    return np.where(knowing, informed, choose(u, customers))


def _write(
    seed: int, index: Integers, rows: list[tuple[int, dt.date, int, int, int]]
) -> Interactions:
    constants = calibration()["interactions"]
    names, shares = list(constants["channels"]), list(constants["channels"].values())
    pairs, customers, _ = _cells()
    position = np.array([row[3] for row in rows], dtype=np.int64)
    counter = index[position] * 8 + np.array([row[4] for row in rows], dtype=np.int64)
    bits = hashed(seed, "text", counter)
    terse = uniform(seed, "style", counter) < constants["terse_share"]
    channel = choose(uniform(seed, "contact_channel", counter), shares)
    any_pair = choose(uniform(seed, "older_pair", counter), customers)
    summaries = []
    for row, text_bits, is_terse, fallback in zip(rows, bits, terse, any_pair, strict=True):
        intent, mood = pairs[row[2] if row[2] >= 0 else fallback]
        summaries.append(compose(int(text_bits), "terse" if is_terse else "summary", intent, mood))
    return Interactions(
        customer=np.array([row[0] for row in rows], dtype=np.int64),
        date=[row[1] for row in rows],
        channel=[names[c] for c in channel],
        summary=summaries,
    )
