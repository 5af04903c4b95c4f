"""One more month in a folder of raw files: what a company would deliver at its end.

`consumption_hourly_<year>` gains the month's file; the other six come as full exports, longer by
the month's rows, and so do the contacts of campaigns where there are any. Customers and contracts
gain a snapshot with its date, so that any as-of date can be seen as it was.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd

from python_ml.errors import BadInputError
from python_ml.simulate.contacts import draw_month_contacts
from python_ml.simulate.files import (
    attribute_frame,
    contract_frame,
    cost_frame,
    interaction_lines,
    price_frame,
)
from python_ml.simulate.hourly import write_month, write_panel
from python_ml.simulate.lifecycle import Course, draw_course, with_calls
from python_ml.simulate.offers import CONTACTS, Campaigns, Team, read_calls, write_calls
from python_ml.simulate.panel import province_costs
from python_ml.simulate.reference import calibration, provinces
from python_ml.simulate.world import World

CHUNK_CUSTOMERS = 4096
_COPY_ROWS = 65_536
_INTERACTIONS = "customer_interactions"


def add_month(
    world: World,
    month: int,
    old: Path,
    new: Path,
    *,
    campaigns: Campaigns | None = None,
    progress: Callable[[str, float | None], None],
) -> dict[str, int]:
    """Write to `new` what month 1, 2, … changes in the files of `old`; returns the rows added.

    Both may be the same folder. Customers go through in chunks, so that memory does not grow with
    them.

    Args:
        world: the company.
        month: number of the month.
        old: folder with the files so far.
        new: folder to write to.
        campaigns: who is to be called in this month; nobody by default. Calls of earlier months
            have their effect all the same.
        progress: called with a phrase and the share done.
    """
    costs = province_costs(world.seed)
    scratch = new / f".month-{world.name(month)}"
    scratch.mkdir(parents=True)
    panels: list[Path] = []
    count = world.customer_count(month)
    team = Team(world, month, campaigns, read_calls(old))
    lost = team.lost(month - calibration()["course"]["horizon_months"])
    with _Export(world, month, old, scratch, lost) as export:
        export.append("costs_by_province_month", cost_frame(costs, [world.name(month)]))
        for start in range(0, count, CHUNK_CUSTOMERS):
            index = np.arange(start, min(start + CHUNK_CUSTOMERS, count), dtype=np.int64)
            course = draw_course(world, index, costs, month)
            course = with_calls(course, costs, team.calls_to(course))
            course = with_calls(course, costs, team.work(course, costs), are_new=True)
            export.append_chunk(course)
            panels.append(scratch / f"panel-{start:09d}.parquet")
            _write_panel(panels[-1], course, month)
            progress(f"customers of {world.name(month)}", (start + len(index)) / count)
    year, number = world.calendar(month)
    folder = f"consumption_hourly_{year}"
    part = Path(folder) / f"month={world.name(month)}" / "part-0.parquet"
    progress(f"hours of {world.name(month)}", None)
    export.rows[folder] = write_month(
        panels,
        new / part,
        scratch,
        seed=world.seed,
        year=year,
        month=number,
        readings=world.readings,
    )
    export.correct_first_labels()
    for name in export.names:
        (scratch / name).replace(new / name)
    if len(team.calls) > len(team.earlier):
        write_calls(team.calls, new)
        export.rows[CONTACTS] = team.own_count
    shutil.rmtree(scratch)
    return export.rows


def _write_panel(path: Path, course: Course, month: int) -> None:
    """Energy of the month, of those who are customers at its end."""
    world, position = course.world, 11 + month
    elec = course.panel.elec_kwh[:, [position]]
    gas = course.panel.gas_m3[:, [position]]
    if world.shifts.get(month) == "province-outage":
        codes = calibration()["shifts"]["province-outage"]["provinces"]
        dark = np.isin(provinces().code[course.traits.province], codes)[:, None]
        elec, gas = np.where(dark, 0.0, elec), np.where(dark, 0.0, gas)
    here = course.is_customer(month)
    number = world.calendar(month)[1]
    write_panel(path, world.seed, course.traits.part(here), elec[here], gas[here], [number])


class _Export:
    """Files of the export, each a copy of the old one that rows are added to."""

    def __init__(
        self, world: World, month: int, old: Path, target: Path, lost: Collection[str]
    ) -> None:
        self._world, self._month, self._old, self._target = world, month, old, target
        self._lost = lost  # customers whose labels never arrive
        self._corrected: dict[str, str] = {}
        self._files = ExitStack()
        self._open: dict[str, TextIO] = {}
        self.rows: dict[str, int] = {}

    @property
    def names(self) -> list[str]:
        return [Path(file.name).name for file in self._open.values()]

    def __enter__(self) -> _Export:
        first, horizon = str(self._world.as_of(0)), calibration()["course"]["horizon_months"]
        dated = {"snapshot_date": first}
        first_label = {"label_date": first, "horizon_days": str(self._days(0, horizon))}
        for name, more in (
            ("churn_label", first_label),
            ("customer_attributes", dated),
            ("customer_contracts", dated),
            ("price_history", {}),
            ("costs_by_province_month", {}),
        ):
            self._open[name] = self._files.enter_context(self._new(f"{name}.csv"))
            _copy_csv(self._old / f"{name}.csv", self._open[name], more)
            self.rows[name] = 0
        self._open[_INTERACTIONS] = self._files.enter_context(self._new(f"{_INTERACTIONS}.json"))
        has_elements = _copy_array(self._old / f"{_INTERACTIONS}.json", self._open[_INTERACTIONS])
        self._separator = ",\n" if has_elements else "\n"
        self.rows[_INTERACTIONS] = 0
        return self

    def __exit__(self, *_exc: object) -> None:
        self._open[_INTERACTIONS].write("\n]\n")
        self._files.close()

    def _new(self, name: str) -> TextIO:
        return (self._target / name).open("w", encoding="utf-8", newline="")

    def _days(self, month: int, later: int) -> int:
        return int((self._world.as_of(later) - self._world.as_of(month)).astype(np.int64))

    def append(self, name: str, frame: pd.DataFrame) -> None:
        frame.to_csv(self._open[name], index=False, header=False, lineterminator="\n")
        self.rows[name] += len(frame)

    def append_chunk(self, course: Course) -> None:
        world, month = self._world, self._month
        here = course.is_customer(month)
        traits = course.traits_at(month).part(here)
        as_of = world.as_of(month)
        self.append("customer_attributes", attribute_frame(traits).assign(snapshot_date=as_of))
        contracts = contract_frame(world.seed, traits, course.contract(month).part(here), as_of)
        self.append("customer_contracts", contracts.assign(snapshot_date=as_of))
        prices = course.prices().part(here, slice(11 + month, 12 + month))
        months = [world.first_day(month)]
        self.append("price_history", price_frame(world.seed, traits, prices, months, 11 + month))
        self._append_labels(course)
        contacts = draw_month_contacts(course, month)
        for line in interaction_lines(course.traits.customer_id, contacts, str(as_of)):
            self._open[_INTERACTIONS].write(self._separator + line)
            self._separator = ",\n"
        self.rows[_INTERACTIONS] += len(contacts.customer)

    def _append_labels(self, course: Course) -> None:
        """Labels whose horizon has ended with this month; those of the first date are there."""
        horizon = calibration()["course"]["horizon_months"]
        labelled = self._month - horizon
        if labelled < 1:
            label = course.label(0)
            changed = (label != course.churned) & (course.cohort == 0)
            ids = course.traits.customer_id[changed]
            values = label[changed].astype(int).astype(str)
            self._corrected.update(zip(ids.tolist(), values.tolist(), strict=True))
            return
        here = course.is_customer(labelled) & ~np.isin(
            course.traits.customer_id.astype(str), list(self._lost)
        )
        frame = pd.DataFrame(
            {
                "customer_id": course.traits.customer_id[here],
                "churn": course.label(labelled)[here].astype(int),
                "label_date": self._world.as_of(labelled),
                "horizon_days": self._days(labelled, self._month),
            }
        )
        self.append("churn_label", frame)

    def correct_first_labels(self) -> None:
        """Labels of the first date were delivered at once, as if nobody would get an offer: until
        they mature, those of customers who were called come as they turned out."""
        if not self._corrected and (self._month > calibration()["course"]["horizon_months"]):
            return
        if not (self._corrected or self._lost):
            return
        path = self._target / "churn_label.csv"
        rows = pd.concat(_text_frames(path), ignore_index=True)
        is_first = rows["label_date"] == str(self._world.as_of(0))
        found = rows["customer_id"].map(self._corrected)
        rows["churn"] = rows["churn"].where(found.isna() | ~is_first, found)
        rows = rows[~(is_first & rows["customer_id"].isin(self._lost))]
        rows.to_csv(path, index=False, lineterminator="\n")


def _copy_csv(source: Path, target: TextIO, more: dict[str, str]) -> None:
    """Copy a CSV, with columns added to rows that do not have them yet."""
    for number, frame in enumerate(_text_frames(source)):
        missing = {name: value for name, value in more.items() if name not in frame.columns}
        frame.assign(**missing).to_csv(target, index=False, header=number == 0, lineterminator="\n")


def _text_frames(source: Path) -> Iterator[pd.DataFrame]:
    with pd.read_csv(source, dtype=str, keep_default_na=False, chunksize=_COPY_ROWS) as reader:
        yield from reader


def _copy_array(source: Path, target: TextIO) -> bool:
    """Copy a JSON array, in whatever layout, without its end; tells whether it has elements."""
    text = source.read_text(encoding="utf-8").strip()
    if not (text.startswith("[") and text.endswith("]")):
        raise BadInputError(f"{source}: no JSON array; simulate the folder anew")
    elements = text[1:-1].strip()
    target.write(text[:-1].rstrip())
    return bool(elements)
