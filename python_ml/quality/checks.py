"""From profiles and rules to a table of checks: what was observed, and what the limit is.

Nothing is decided here; python_ml/quality/expectations.py has Great Expectations do that.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from python_ml.contracts.schema import TableSchema
from python_ml.quality.profile import Declared, TableProfile
from python_ml.quality.rules import STOP, WARN, LayerRules, NullRule, RangeRule, TableRules

# Kinds of checks: those that have a lower limit, and those that have an upper one.
LOWER = ("row_count", "minimum")
UPPER = (
    "missing_columns",
    "undeclared_columns",
    "wrong_types",
    "duplicate_keys",
    "duplicate_share",
    "null_keys",
    "null_share",
    "maximum",
    "volume_change",
    "age_days",
    "clock_age_days",
    "set_aside_share",
    "landing_note",
    "unknown_margin",
)


@dataclass(frozen=True)
class Check:
    """One row of the source table `quality_check` before it is decided; its columns say what."""

    layer: str
    table_name: str
    column_name: str  # empty for the table as a whole
    check_name: str
    severity: str
    observed_value: float
    limit_value: float
    failed_count: int
    row_count: int
    detail: str = ""

    @property
    def name(self) -> str:
        """By which `quality.accepted` lets it through."""
        parts = (self.layer, self.table_name, self.column_name, self.check_name)
        return ".".join(part for part in parts if part)


@dataclass(frozen=True)
class Subject:
    """A table with all that its checks are made of."""

    name: str
    declared: Declared
    rules: TableRules
    profile: TableProfile | None
    schema: TableSchema | None = None  # of a landed table


def skipped_checks(declared: Mapping[str, Declared], absent: Collection[str]) -> list[str]:
    """Tables and columns whose checks are skipped, since the batch lacks what they rest on."""
    skipped = []
    for table, of_table in declared.items():
        if of_table.lacks("", absent):
            skipped.append(table)
        else:
            names = [name for name in of_table.types if of_table.lacks(name, absent)]
            skipped += [f"{table}.{name}" for name in names]
    return skipped


def layer_checks(
    subjects: list[Subject],
    rules: LayerRules,
    as_of_date: date,
    previous: Mapping[str, float],
    today: date | None = None,
    absent: Collection[str] = (),
) -> list[Check]:
    """All checks of a layer.

    Args:
        subjects: its tables.
        rules: its limits.
        as_of_date: ages are counted from it.
        previous: rows by table (a month, where the rules say so) of the run before; may be empty.
        today: given, the age of the as-of date itself is checked.
        absent: raw tables and columns that the batch is declared to lack; what rests on them is
            not checked (`skipped_checks` names it).
    """
    checks = [
        check
        for subject in subjects
        if not subject.declared.lacks("", absent)
        for check in _table(subject, rules, as_of_date, previous)
        if not (check.column_name and subject.declared.lacks(check.column_name, absent))
    ]
    if today is not None:
        age, limit = float((today - as_of_date).days), rules.maximum_clock_age_days
        checks.append(
            Check(
                *(rules.layer, "", "", "clock_age_days", STOP, age, limit),
                *(int(age > limit), 1, f"as of {as_of_date}, looked at on {today}"),
            )
        )
    return checks


def landing_notes(layer: str, notes: Sequence[str]) -> list[Check]:
    """What landing told about a batch that it took, the most serious first: a check each."""
    checks = []
    for rank, note in enumerate(notes, 1):
        file, _, detail = note.partition(": ")
        place = (layer, file, f"note {rank:02}", "landing_note", WARN)
        checks.append(Check(*place, 1, 0, 1, 0, detail))
    return checks


def _table(
    subject: Subject, rules: LayerRules, as_of_date: date, previous: Mapping[str, float]
) -> Iterator[Check]:
    profile = subject.profile
    if profile is None:
        yield Check(rules.layer, subject.name, "", "row_count", STOP, 0, 1, 1, 0, "no such table")
        return
    yield from _schema(subject, rules.layer, profile)
    volume = monthly_rows(profile, subject.rules)
    # Row counts of later runs are compared with this one.
    detail = "rows a month" if subject.rules.month_column else ""
    empty = int(profile.row_count == 0)
    yield Check(
        rules.layer,
        subject.name,
        "",
        "row_count",
        STOP,
        volume,
        1,
        empty,
        profile.row_count,
        detail,
    )
    if empty:
        return
    yield from _keys(subject, rules, profile)
    yield from _nulls(subject, rules, profile)
    yield from _ranges(subject, rules.layer, profile)
    yield from _volume(subject, rules, volume, previous.get(subject.name))
    yield from _freshness(subject, rules.layer, profile, as_of_date)


def monthly_rows(profile: TableProfile, rules: TableRules) -> float:
    """Rows of the table, or rows a month where it grows with the months."""
    return profile.row_count / (profile.months(rules.month_column) if rules.month_column else 1)


def _schema(subject: Subject, layer: str, profile: TableProfile) -> Iterator[Check]:
    declared, found = subject.declared.types, profile.types
    missing = sorted(set(declared) - set(found))
    undeclared = sorted(set(found) - set(declared))
    wrong = [
        f"{name} is {found[name]}, not {kind}"
        for name, kind in declared.items()
        if kind and name in found and found[name] != kind
    ]
    for name, listing, severity in (
        ("missing_columns", missing, STOP),
        ("undeclared_columns", undeclared, WARN),
        ("wrong_types", wrong, STOP),
    ):
        count = len(listing)
        yield Check(
            *(layer, subject.name, "", name, severity, count, 0),
            *(count, profile.row_count, ", ".join(listing)),
        )


def _keys(subject: Subject, rules: LayerRules, profile: TableProfile) -> Iterator[Check]:
    rows, repeated = profile.row_count, profile.duplicate_count
    place = (rules.layer, subject.name, "")
    key = f"key {', '.join(subject.declared.key)}"
    if subject.schema is None:
        nulls = sum(profile.null_counts.get(name, 0) for name in subject.declared.key)
        if subject.declared.key:
            yield Check(*place, "null_keys", STOP, nulls, 0, nulls, rows, key)
        if repeated is not None:
            yield Check(*place, "duplicate_keys", STOP, repeated, 0, repeated, rows, key)
    elif repeated is not None and subject.schema.key:
        if subject.schema.meta.get("duplicates") == "refuse":
            yield Check(*place, "duplicate_keys", STOP, repeated, 0, repeated, rows, key)
        else:
            for severity, limit in rules.duplicate_share.items():
                share = repeated / rows
                yield Check(*place, "duplicate_share", severity, share, limit, repeated, rows, key)
    if profile.set_aside_count is not None:
        aside = profile.set_aside_count
        for severity, limit in rules.set_aside_share.items():
            share = aside / (rows + aside)
            yield Check(*place, "set_aside_share", severity, share, limit, aside, rows + aside)


def _nulls(subject: Subject, rules: LayerRules, profile: TableProfile) -> Iterator[Check]:
    for name, count in profile.null_counts.items():
        structural = subject.rules.nulls.get(name) or _declared_null(subject.schema, name)
        limit = structural.limit if structural else rules.null_share
        yield Check(
            *(
                rules.layer,
                subject.name,
                name,
                "null_share",
                STOP,
                count / profile.row_count,
                limit,
            ),
            *(count, profile.row_count, f"structural: {structural.reason}" if structural else ""),
        )


def _declared_null(schema: TableSchema | None, name: str) -> NullRule | None:
    """What models/sources.yml says of a landed column that a file may leave empty, or leave out."""
    if schema is None or name not in schema.column_names:
        return None
    column = schema.column(name)
    if not column.required:
        return NullRule(1.0, "a file may be without the column")
    return NullRule(1.0, "most rows have no value by nature") if column.meta.get("sparse") else None


def _ranges(subject: Subject, layer: str, profile: TableProfile) -> Iterator[Check]:
    for name, rule in {**_declared_ranges(subject.schema), **subject.rules.ranges}.items():
        for kind, limit, observed in (
            ("minimum", rule.minimum, profile.minimum.get(name)),
            ("maximum", rule.maximum, profile.maximum.get(name)),
        ):
            if limit is None or observed is None:
                continue
            value = _number(observed)
            # Not a number is below a minimum too.
            value = -value if kind == "minimum" and value == math.inf else value
            beyond = int(value < limit if kind == "minimum" else value > limit)
            yield Check(
                *(layer, subject.name, name, kind, rule.severity, value, limit),
                *(beyond, profile.row_count),
                "" if isinstance(observed, float) else f"days since 1970-01-01: {observed}",
            )


def _declared_ranges(schema: TableSchema | None) -> dict[str, RangeRule]:
    """Ranges that models/sources.yml gives; landing has set aside what is outside."""
    if schema is None:
        return {}
    limits = {
        column.name: (column.meta.get("minimum"), column.meta.get("maximum"))
        for column in schema.columns
    }
    return {
        name: RangeRule(
            minimum=None if low is None else _number(low),
            maximum=None if high is None else _number(high),
        )
        for name, (low, high) in limits.items()
        if (low, high) != (None, None)
    }


def _number(value: float | date) -> float:
    """A date as days since 1970, so that all observed values are of one type."""
    return float((value - date(1970, 1, 1)).days) if isinstance(value, date) else float(value)


def _volume(
    subject: Subject, rules: LayerRules, volume: float, before: float | None
) -> Iterator[Check]:
    is_optional = subject.schema is not None and subject.schema.meta.get("supplementary")
    if not before or subject.profile is None or is_optional:  # campaigns come and go
        return
    change = volume / before - 1
    for severity, limit in rules.volume.items():
        yield Check(
            *(rules.layer, subject.name, "", "volume_change", severity, abs(change), limit),
            *(int(abs(change) > limit), subject.profile.row_count),
            f"{change:+.1%}: {volume:,.0f} after {before:,.0f} rows"
            + (" a month" if subject.rules.month_column else ""),
        )


def _freshness(
    subject: Subject, layer: str, profile: TableProfile, as_of_date: date
) -> Iterator[Check]:
    column = subject.rules.fresh_column
    newest = profile.maximum.get(column) if column else None
    if not column or not isinstance(newest, date):
        return
    age = float((as_of_date - newest).days)
    for severity, limit in subject.rules.fresh_days.items():
        yield Check(
            *(layer, subject.name, column, "age_days", severity, age, limit),
            *(int(age > limit), profile.row_count, f"newest {newest}, as of {as_of_date}"),
        )


def checks_frame(checks: list[Check]) -> pd.DataFrame:
    """The checks as columns, in the order of the fields."""
    names = list(Check.__dataclass_fields__)
    frame = pd.DataFrame([[getattr(c, name) for name in names] for c in checks], columns=names)
    return frame.astype(dict.fromkeys(("observed_value", "limit_value"), "float64"))
