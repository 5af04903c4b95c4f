"""Contacts of the months after the first year.

An export holds contacts up to the month before its as-of date, as the first one does. Who gets in
touch at all does so once a quarter; who is about to leave, and only then picks up the phone, in the
month in which the note can know it.
"""

from __future__ import annotations

import datetime as dt

import numpy as np

from python_ml.simulate.interactions import (
    Interactions,
    draw_pair,
    gets_in_touch,
    newest_contact,
    write_down,
)
from python_ml.simulate.lifecycle import Course
from python_ml.simulate.noise import Integers, uniform
from python_ml.simulate.reference import calibration


def draw_month_contacts(course: Course, as_of_month: int) -> Interactions:
    """Contacts of month `as_of_month - 1`, which the export of `as_of_month` brings."""
    world, index = course.world, course.traits.index
    month = as_of_month - 1
    counter = index * 4096 + as_of_month
    here = course.is_customer(as_of_month) & (course.cohort <= month)
    horizon = calibration()["course"]["horizon_months"]
    # Calls of the newest month come after the notes of the month before.
    leaving = (course.foreseen > as_of_month) & (course.foreseen <= as_of_month + horizon)
    nobody = np.zeros(len(index), dtype=bool)
    by_turn = gets_in_touch(world.seed, index, nobody) & _has_turn(course, month)
    alarmed = gets_in_touch(world.seed, index, ~nobody) & (course.foreseen == as_of_month + horizon)
    contacts = by_turn | alarmed
    new_style = world.shifts.get(as_of_month) == "text-style"
    shift = calibration()["shifts"]["text-style"]
    noted = nobody
    if new_style:
        noted = ~contacts & (uniform(world.seed, "noted", counter) < shift["extra_contact_share"])
    at = np.flatnonzero(here & (contacts | noted))
    pair = draw_pair(world.seed, counter[at], leaving[at], world.text_signal, "month_")
    plain = noted[at] | (
        new_style & (uniform(world.seed, "plain", counter[at]) < shift["plain_share"])
    )
    return write_down(
        world.seed,
        counter[at],
        customer=at,
        dates=_dates(course, at, month),
        pair=pair,
        mood=["neutral" if is_plain else None for is_plain in plain],
        always_prose=new_style,
        draw="month_",
    )


def _has_turn(course: Course, month: int) -> np.ndarray:
    """Whose quarterly contact falls into a month: counted on from the newest of the first year."""
    world, index = course.world, course.traits.index
    every = calibration()["course"]["contact_every_months"]
    _, lag = newest_contact(world.seed, index, course.churned, world.text_signal)
    newest = world.as_of(0) - lag.astype("timedelta64[D]")
    first = (newest.astype("datetime64[M]") - world.as_of(0).astype("datetime64[M]")).astype(int)
    drawn = (uniform(world.seed, "turn", index) * every).astype(np.int64)
    turn = np.where(course.cohort == 0, first, drawn)
    values: np.ndarray = (month - turn) % every == 0
    return values


def _dates(course: Course, at: Integers, month: int) -> list[dt.date]:
    """A day of the month, not before the customer's first."""
    world = course.world
    first = np.maximum(course.first[at], world.first_day(month))
    days = (world.as_of(month) - first).astype(np.int64) + 1
    u = uniform(world.seed, "contact_day", course.traits.index[at] * 4096 + month)
    chosen = first + (u * days).astype(np.int64).astype("timedelta64[D]")
    return list(chosen.astype("datetime64[D]").astype(dt.date))
