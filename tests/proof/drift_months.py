"""How often drift alarms in months in which nothing has changed but the calendar.

For each seed a company of twenty-one as-of dates is simulated, whose churn rises and falls with its
renewals. A training every quarter learns from the newest date with matured labels, so months are
compared with a date three, four and five months before: twelve quiet months a company. The first
three dates are left out, as in the proof of monitoring, whose data sets these are. Then changes are
planted in each of the months: complaints double, and one value in 25 of a feature is lost. The
share of customers with a contact is shown besides.

Columns that move with the season are told apart. The simulator's prices of its first year are not
those of later years, so that their alarms are no false ones.

    python -m tests.proof.drift_months --customers 3000 --seeds 42 101 102

Exit code 1 if a claim fails: alarms on contacts and what is said in them in at most one quiet month
in twenty, on anything that no season moves in at most one in five; lost values found in at least 95
of 100 months, doubled complaints in at least `--least-found`. With few customers chance leaves
little to be found: of 3,000, about 60 complain.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from python_ml.contracts.gold import SEASON, Column
from python_ml.judge.drift.monitor import months_between
from python_ml.judge.drift.samples import Sample, compare_samples
from python_ml.settings import DriftSettings
from tests.proof.drift_pairs import LEAST_FOUND, PLANTED, plant, rate
from tests.proof.golds import build
from tests.proof.monitoring import FIRST_LEARNED, HORIZON_MONTHS, LAST_MONTH, MONTHS, QUARTER

SETTLED_MONTHS = 6
MOST_FALSE, MOST_FALSE_OF_CONTACTS = 0.2, 0.05  # shares of quiet months
COMPLAINTS, VALUES = "complaints doubled", "4% of values lost"


@dataclass(frozen=True)
class QuietMonth:
    """A date, the one that a model learned from, and the same month of the year before."""

    months: float
    reference: pd.DataFrame
    current: pd.DataFrame
    year_before: pd.DataFrame | None

    def alarms(
        self, current: Sample, columns: tuple[Column, ...], limits: DriftSettings
    ) -> set[tuple[str, str]]:
        """Kinds and names of subjects that alarm."""
        found = compare_samples(
            columns,
            Sample(self.reference),
            current,
            self.months,
            limits,
            year_before=self.year_before,
        )
        return {(one.subject_kind, one.subject) for one in found if one.is_alarm}


def quiet_months(gold: pd.DataFrame) -> Iterator[QuietMonth]:
    """A year of scored dates, with the newest date that a training every quarter learns from."""
    frames = [
        (pd.Timestamp(str(day)).date(), rows.reset_index(drop=True))
        for day, rows in gold.groupby("as_of_date")
    ]
    for number in range(MONTHS):
        learned = FIRST_LEARNED + number - number % QUARTER
        scored = FIRST_LEARNED + HORIZON_MONTHS + number
        (before, reference), (now, current) = frames[learned], frames[scored]
        year_before = frames[scored - 12][1] if scored - 12 >= FIRST_LEARNED else None
        yield QuietMonth(months_between(before, now), reference, current, year_before)


def tell_contacts(gold: pd.DataFrame) -> None:
    """Who has contacted the company, by outcome: on the first date, later, and in single months."""
    known = gold[gold["churn"].notna()]
    first = known["as_of_date"] == known["as_of_date"].min()
    print("\nshare with a contact: first date, later dates, range of these")
    settled = known["tenure_months"] >= SETTLED_MONTHS
    for who, asked in (("all", settled | True), ("of six months and more", settled)):
        for name, churn in (("churners", 1), ("others", 0)):
            there = asked & (known["churn"] == churn)
            later = known[there & ~first].groupby("as_of_date")["has_interaction"].mean()
            print(
                f"  {name}, {who}: {known.loc[there & first, 'has_interaction'].mean():.1%}, "
                f"{known.loc[there & ~first, 'has_interaction'].mean():.1%}, "
                f"{later.min():.1%} to {later.max():.1%}"
            )


def main(flags: argparse.Namespace) -> int:
    by_subject: Counter[tuple[str, str]] = Counter()
    quiet: list[set[tuple[str, str]]] = []
    found = dict.fromkeys((COMPLAINTS, VALUES), 0)
    gold: list[pd.DataFrame] = []
    seasonal: set[str] = set()
    said: set[str] = set()
    for seed in flags.seeds:
        data = build(flags.home, flags.customers, seed, months=LAST_MONTH)
        gold.append(data.gold())
        settings = data.settings
        columns = data.contract().learned(settings, settings.model.experiment)
        seasonal = {column.name for column in columns if column.calendar == SEASON}
        said = {it.name for it in columns if it.from_text or "interaction" in it.name} - seasonal
        for number, month in enumerate(quiet_months(gold[-1])):
            quiet.append(month.alarms(Sample(month.current), columns, settings.drift))
            by_subject.update(quiet[-1])
            for kind in found:
                planted = plant(kind, Sample(month.current), columns, seed + number)
                told = month.alarms(planted, columns, settings.drift)
                found[kind] += bool(told & PLANTED[kind])
        print(f"seed {seed} done", flush=True)
    others = [{it for it in one if it[1] not in seasonal} for one in quiet]
    false, count = sum(map(bool, others)), len(quiet)
    false_said = sum(any(name in said for _, name in one) for one in quiet)
    print(f"\nquiet months: {count}; alarms per month {sum(map(len, quiet)) / count:.2f}")
    print(f"  with any alarm                   {rate(sum(map(bool, quiet)), count)}")
    print(f"  on what no season moves          {rate(false, count)}")
    print(f"  on contacts and what they say    {rate(false_said, count)}")
    for (kind, subject), times in by_subject.most_common():
        print(f"    {subject} ({kind}) {times}")
    tell_contacts(pd.concat(gold))
    failed = ["false alarms"] if false > MOST_FALSE * count else []
    if false_said > MOST_FALSE_OF_CONTACTS * count:
        failed.append("false alarms on contacts")
    for kind, least in ((COMPLAINTS, flags.least_found), (VALUES, LEAST_FOUND)):
        print(f"  {kind:<20} found in {rate(found[kind], count)}, wanted {least:.0%}")
        if found[kind] < least * count:
            failed.append(kind)
    print(f"{'FAILED: ' + ', '.join(failed) if failed else 'all claims hold'}")
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, default=Path("data/proof/monitoring"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 101, 102])
    parser.add_argument("--customers", type=int, default=6000)
    parser.add_argument("--least-found", type=float, default=0.9)
    sys.exit(main(parser.parse_args()))
