"""A simulated company as a whole: what its files are made from, and how its months are counted.

As-of date 0 is 31 December of the first year; month t ends with as-of date t. Panels count months
from the first January, so that month t is the panel's month 11 + t.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from python_ml.errors import UsageError
from python_ml.simulate.hourly import ALL_HOURS, READINGS
from python_ml.simulate.interactions import TEXT_SIGNALS
from python_ml.simulate.noise import Integers
from python_ml.simulate.panel import MONTHS
from python_ml.simulate.reference import calibration

NO_SHIFT = "none"
SHIFTS = (NO_SHIFT, "price-shock", "channel-mix", "province-outage", "text-style")


@dataclass(frozen=True)
class World:
    """Everything that decides the bytes; `shifts` names the month (1, 2, …) of each change."""

    customers: int
    year: int
    seed: int
    text_signal: str = "as-published"
    readings: str = ALL_HOURS
    shifts: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.customers < 1:
            raise UsageError("customers must be at least 1")
        if not dt.MINYEAR < self.year < dt.MAXYEAR:
            raise UsageError(f"year {self.year} is not a calendar year")
        for name, value, known in (
            ("text signal", self.text_signal, TEXT_SIGNALS),
            ("readings", self.readings, READINGS),
            *(("shift", shift, SHIFTS) for shift in self.shifts.values()),
        ):
            if value not in known:
                raise UsageError(f"{name} {value!r}: choose one of {', '.join(known)}")

    @property
    def id_digits(self) -> int:
        """So many that the order of ids is that of the first customers' indices."""
        return max(5, len(str(self.customers)))

    @property
    def arrivals(self) -> int:
        """New customers a month."""
        count: int = round(self.customers * calibration()["course"]["arrival_share"])
        return count

    def customer_count(self, month: int) -> int:
        """Who is or was a customer by the end of a month."""
        return self.customers + month * self.arrivals

    def cohort(self, index: Integers) -> Integers:
        """Month in which each customer arrives; 0 for the first ones."""
        late = (index - self.customers) // max(self.arrivals, 1) + 1
        return np.where(index < self.customers, 0, late)

    def calendar(self, month: int) -> tuple[int, int]:
        """Year and month of the calendar."""
        years, number = divmod(11 + month, MONTHS)
        return self.year + years, number + 1

    def name(self, month: int) -> str:
        """YYYY-MM."""
        return "{}-{:02d}".format(*self.calendar(month))

    def as_of(self, month: int) -> np.datetime64:
        """Last day of a month."""
        year, number = self.calendar(month)
        return np.datetime64(dt.date(year, number, calendar.monthrange(year, number)[1]))

    def first_day(self, month: int) -> np.datetime64:
        return np.datetime64(dt.date(*self.calendar(month), 1))

    def shifted(self, shift: str, month: int) -> bool:
        """Whether a lasting change was in force by the end of a month."""
        return any(name == shift and since <= month for since, name in self.shifts.items())

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "shifts": {str(k): v for k, v in sorted(self.shifts.items())}}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> World:
        shifts = {int(month): shift for month, shift in values["shifts"].items()}
        return cls(**{**values, "shifts": shifts})
