"""Two samples of customers, column by column: what drifted, and what the calendar explains.

The rule is the same for a run and for the proof in tests/proof/drift_pairs.py; docs/drift.md gives
the reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from python_ml.contracts.gold import CLOCK_DOWN, CLOCK_UP, HISTORY, SEASON, Column
from python_ml.judge.drift.dependence import tell_apart
from python_ml.judge.drift.statistics import (
    Comparison,
    Floats,
    Matching,
    adjust,
    as_numbers,
    compare_categories,
    compare_numbers,
    compare_shares,
    match,
)
from python_ml.settings import DriftSettings

NUMERIC, CATEGORY, MISSING_VALUES, DEPENDENCE, PREDICTION, LABEL = (
    "numeric_feature",
    "category_feature",
    "missing_values",
    "dependence",
    "prediction",
    "label",
)
JOINT = "all features together"
STABLE, WATCH, ALARM, CALENDAR = "stable", "watch", "alarm", "calendar"
A_DAY = 1 / 30.44
WINDOW_MONTHS = 12  # of gold's history
MOST = 0.5
CONTRACT_MONTHS = 365 / 30.44  # in the unit of the features, months of 30.44 days
UNTOLD = (
    "moves with the season, and no snapshot of the same month a year before is there to compare"
)


def shown_subject(subject_kind: str, subject: str) -> str:
    """A subject as it is named to people.

    >>> shown_subject(MISSING_VALUES, "tenure_months")
    'tenure_months (missing values)'
    """
    return f"{subject} (missing values)" if subject_kind == MISSING_VALUES else subject


@dataclass(frozen=True)
class Sample:
    """Rows of gold_master for one as-of date, with scores where they are to be compared.

    Scores are of customers that the model has not learned from, so they may be fewer rows:
    `scored` says which.
    """

    frame: pd.DataFrame
    scores: Floats | None = None
    scored: np.ndarray | None = None


@dataclass
class Finding:
    """One subject; `plain` against the reference as it was, `judged` against what the calendar
    makes of it (None where nothing can be said). `has_odds` says whether odds ratios are judged."""

    subject_kind: str
    subject: str
    tier: str | None
    plain: Comparison
    judged: Comparison | None
    reference_count: int
    current_count: int
    reference_mean: float | None
    current_mean: float | None
    note: str = ""
    has_odds: bool = False
    p_value_adjusted: float = 1.0
    is_alarm: bool = False
    is_alarm_plain: bool = False
    verdict: str = STABLE


def compare_samples(
    columns: Sequence[Column],
    reference: Sample,
    current: Sample,
    months: float,
    limits: DriftSettings,
    *,
    year_before: pd.DataFrame | None = None,
    label: Finding | None = None,
) -> list[Finding]:
    """Compare all features, and the scores where both samples have them, and judge.

    Args:
        columns: features that the model reads.
        reference: what the champion was trained on.
        current: the newest as-of date.
        months: from the one as-of date to the other, in months of 30.44 days; 0 on the same date.
        limits: the settings `drift`.
        year_before: rows of the same calendar month a year or more before the current one.
        label: the finding on labels, where some have matured.
    """
    aged = _Aged(columns, reference.frame, current.frame, months)
    findings = [
        _feature(column, reference.frame, current.frame, aged, year_before) for column in columns
    ]
    for column in columns:
        before, now = (one.frame[column.name].isna().to_numpy() for one in (reference, current))
        if before.any() or now.any():
            findings.append(_missing(column, before, now, aged, (reference.frame, current.frame)))
    if (joint := _dependence(columns, reference.frame, current.frame, aged, limits)) is not None:
        findings.append(joint)
    if reference.scores is not None and current.scores is not None:
        findings.append(_prediction(reference, current, aged))
    if label is not None:
        findings.append(label)
    judge(findings, limits)
    return findings


def judge(findings: Sequence[Finding], limits: DriftSettings) -> None:
    """Verdicts of all subjects together: p-values are adjusted for how many were looked at."""
    plain = adjust(np.array([finding.plain.p_value for finding in findings]))
    judged = adjust(np.array([(f.judged or f.plain).p_value for f in findings]))
    for finding, plain_p, judged_p in zip(findings, plain, judged, strict=True):
        finding.p_value_adjusted = float(judged_p)
        finding.is_alarm_plain = finding.plain.p_value < limits.maximum_p_value
        before = _exceeds(finding, finding.plain, plain_p, limits)
        now = _exceeds(finding, finding.judged, judged_p, limits) if finding.judged else STABLE
        finding.is_alarm = now == ALARM
        explained = before == ALARM and now != ALARM and finding.judged is not finding.plain
        finding.verdict = CALENDAR if explained else now


def _exceeds(finding: Finding, found: Comparison, p_value: float, limits: DriftSettings) -> str:
    """Verdict of one comparison. Significance alone is none: with many customers everything is."""
    if p_value >= limits.maximum_p_value:
        return STABLE
    if finding.subject_kind == CATEGORY:
        has_effect = found.psi >= limits.alarm_psi
    elif finding.subject_kind == MISSING_VALUES:
        has_effect = found.distance >= limits.minimum_missing_change
    elif finding.subject_kind == DEPENDENCE:
        has_effect = found.distance >= limits.minimum_dependence
    else:
        has_effect = found.distance >= limits.minimum_distance
    if has_effect or (finding.has_odds and found.odds_ratio >= limits.minimum_odds_ratio):
        return ALARM
    return WATCH if found.psi >= limits.watch_psi else STABLE


class _Aged:
    """The reference as the calendar alone would have left it.

    A column that counts months (a clock) is moved on by those that have passed. A column that moves
    with such a clock is expected to be, where all clocks stand alike, what it was; so the reference
    is weighted to where the clocks of the current customers stand.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        reference: pd.DataFrame,
        current: pd.DataFrame,
        months: float,
    ) -> None:
        self.months = months
        self.expected: dict[str, Floats] = {}
        clocks = [c for c in columns if months and c.calendar in (CLOCK_DOWN, CLOCK_UP)]
        for column in clocks:
            law = count_down if column.calendar == CLOCK_DOWN else count_up
            values = reference[column.name].to_numpy(dtype=np.float64)
            self.expected[column.name] = law(values, months)
        self.renewal = next((c.name for c in clocks if c.calendar == CLOCK_DOWN), None)
        self.tenure = next((c.name for c in clocks if c.calendar == CLOCK_UP), None)
        self._frames = (reference, current)
        self._matchings: dict[str, Matching] = {}

    def matching(self, clock: str | None) -> Matching | None:
        """Customers whose clocks stand alike, `clock` most closely; None where it is no clock."""
        if clock is None or clock not in self.expected:
            return None
        if clock not in self._matchings:
            self._matchings[clock] = self.match(clock, *self._frames)
        return self._matchings[clock]

    def match(self, clock: str, reference: pd.DataFrame, current: pd.DataFrame) -> Matching:
        """As `matching`, of other rows."""
        clocks = [clock, *(name for name in self.expected if name != clock)]
        return match(*(f[clocks].to_numpy(dtype=np.float64) for f in (reference, current)))

    def told(self) -> str:
        return f"against the reference weighted to {' and '.join(self.expected)} as they are now"

    def remained(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Which rows of both samples are of customers on both dates; None unless most are."""
        before, now = (frame["customer_id"] for frame in self._frames)
        own, new = before.isin(now).to_numpy(), now.isin(before).to_numpy()
        return (own, new) if min(own.mean(), new.mean()) > MOST else None

    def stayed(self, current: pd.DataFrame) -> np.ndarray | None:
        """Which current customers were there on the reference's date; None where all were.

        The lengths of months are rounded, so a day is no arrival.
        """
        if self.tenure is None:
            return None
        tenure = current[self.tenure].to_numpy(dtype=np.float64)
        return ~(tenure < self.months - A_DAY)

    def full_windows(
        self, reference: pd.DataFrame, current: pd.DataFrame
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Which rows are of customers who have been there for the whole window; None where that is
        not known, or where either sample has none."""
        if self.tenure is None:
            return None
        before, now = (
            ~(frame[self.tenure].to_numpy(dtype=np.float64) < WINDOW_MONTHS - A_DAY)
            for frame in (reference, current)
        )
        return (before, now) if before.any() and now.any() else None


def count_down(values: Floats, months: float) -> Floats:
    """Months to a renewal, later. Contracts run out and are renewed for a year some time after, the
    longest known delay being the lowest value; half of it is when we take them to be renewed."""
    left = values - months
    known = values[~np.isnan(values)]
    lowest = min(float(known.min()), 0.0) / 2 if len(known) else 0.0
    terms = np.ceil(np.maximum(lowest - left, 0.0) / CONTRACT_MONTHS)
    return np.asarray(left + CONTRACT_MONTHS * terms, dtype=np.float64)


def count_up(values: Floats, months: float) -> Floats:
    """Months since something began, later."""
    return np.asarray(values + months, dtype=np.float64)


def _feature(
    column: Column,
    reference: pd.DataFrame,
    current: pd.DataFrame,
    aged: _Aged,
    year_before: pd.DataFrame | None,
) -> Finding:
    read, compare = _reader(column)
    first, second = read(reference[column.name]), read(current[column.name])
    plain = compare(first, second, None)
    judged: Comparison | None = plain
    note = ""
    if aged.months and column.calendar == SEASON:
        judged, note = None, UNTOLD
        if year_before is not None:
            judged = compare(read(year_before[column.name]), second, None)
            note = "against the same month a year before"
    elif column.calendar == HISTORY and (full := aged.full_windows(reference, current)):
        before, now = full
        judged = compare(first[before], second[now], None)
        note = f"without the {(~now).sum():,} who have been customers for less than a year"
    elif column.name in aged.expected:
        judged = _compare_clock(read(aged.expected[column.name]), second, aged, column, current)
        note = f"against the reference {aged.months:.1f} months on"
    elif (matching := aged.matching(column.calendar)) is not None:
        judged = compare(first, second, matching)
        note = aged.told()
    return Finding(
        subject_kind=CATEGORY if column.is_category else NUMERIC,
        subject=column.name,
        tier=column.tier,
        plain=plain,
        judged=judged,
        reference_count=len(reference),
        current_count=len(current),
        reference_mean=_mean(column, reference),
        current_mean=_mean(column, current),
        note=note,
        # Shares that are computed from the clock itself hang on how closely it is matched, the more
        # so the rarer they are.
        has_odds=judged is plain or column.from_text,
    )


def _compare_clock(
    expected: Floats, found: Floats, aged: _Aged, column: Column, current: pd.DataFrame
) -> Comparison:
    """Whether a clock has gone on as it should, by those who were there on both dates: who leaves
    and who joins is not spread evenly over its readings."""
    if (both := aged.remained()) is not None:
        before, now = both
        return compare_numbers(expected[before], found[now])
    if column.calendar == CLOCK_UP and (stayed := aged.stayed(current)) is not None:
        found = found[stayed]
    return compare_numbers(expected, found)


def _reader(column: Column) -> tuple[Callable[..., np.ndarray], Callable[..., Comparison]]:
    """How values are read, nulls filled as for the model, and how two samples are compared."""

    def levels(values: pd.Series) -> np.ndarray:
        return pd.Series(values).fillna(str(column.fill)).astype(str).to_numpy(object)

    def numbers(values: pd.Series | Floats) -> Floats:
        filled = pd.Series(values).astype("float64")
        return as_numbers(filled if column.fill is None else filled.fillna(float(column.fill)))

    def compare(
        reference: np.ndarray, current: np.ndarray, matching: Matching | None
    ) -> Comparison:
        weights = None if matching is None else matching.weights
        if column.is_category:
            return compare_categories(reference, current, weights)
        if np.isin(reference, (0.0, 1.0)).all() and np.isin(current, (0.0, 1.0)).all():
            return compare_shares(reference, current, matching)
        return compare_numbers(reference, current, weights)

    return levels if column.is_category else numbers, compare


def _missing(
    column: Column,
    reference: np.ndarray,
    current: np.ndarray,
    aged: _Aged,
    frames: tuple[pd.DataFrame, pd.DataFrame],
) -> Finding:
    """The share of nulls of a feature, compared as its values are.

    Args:
        reference: which values are null.
        current: likewise.
        frames: the rows of both.
    """
    plain = compare_shares(reference, current)
    judged: Comparison | None = plain
    note = "share of missing values"
    if aged.months and column.calendar == SEASON:
        judged, note = None, UNTOLD
    elif column.calendar == HISTORY and (full := aged.full_windows(*frames)):
        judged = compare_shares(reference[full[0]], current[full[1]])
    elif (matching := aged.matching(column.calendar)) is not None:
        judged = compare_shares(reference, current, matching)
    return Finding(
        subject_kind=MISSING_VALUES,
        subject=column.name,
        tier=column.tier,
        plain=plain,
        judged=judged,
        reference_count=len(reference),
        current_count=len(current),
        reference_mean=float(reference.mean()),
        current_mean=float(current.mean()),
        note=note,
    )


def _dependence(
    columns: Sequence[Column],
    reference: pd.DataFrame,
    current: pd.DataFrame,
    aged: _Aged,
    limits: DriftSettings,
) -> Finding | None:
    """Whether all features together, and so their dependence, are as they were.

    Once time has passed, features that move with the calendar are left out: what the calendar makes
    of their dependence is not known. None with fewer than two features left.
    """
    used = [column for column in columns if not (aged.months and column.calendar)]
    if len(used) < 2:
        return None
    read = {column.name: _reader(column)[0] for column in used}
    first, second = (
        pd.DataFrame({name: values(frame[name]) for name, values in read.items()})
        for frame in (reference, current)
    )
    told_apart = tell_apart(
        first,
        second,
        reference["customer_id"].to_numpy(dtype=object),
        current["customer_id"].to_numpy(dtype=object),
        limits.dependence_customers,
    )
    found = Comparison(told_apart.distance, 0.0, told_apart.p_value, statistic="auc")
    return Finding(
        subject_kind=DEPENDENCE,
        subject=JOINT,
        tier=None,
        plain=found,
        judged=found,
        reference_count=told_apart.reference_count,
        current_count=told_apart.current_count,
        reference_mean=None,
        current_mean=None,
        note=f"told apart by {', '.join(told_apart.strongest)}",
    )


def _mean(column: Column, frame: pd.DataFrame) -> float | None:
    if column.is_category:
        return None
    mean = frame[column.name].astype("float64").mean()
    return None if pd.isna(mean) else float(mean)


def _prediction(reference: Sample, current: Sample, aged: _Aged) -> Finding:
    """The calibrated score, which moves with the renewals as the features do."""
    assert reference.scores is not None
    assert current.scores is not None
    first, second = as_numbers(reference.scores), as_numbers(current.scores)
    plain = compare_numbers(first, second)
    judged, note = plain, ""
    if aged.renewal is not None:
        rows = (
            it.frame if it.scored is None else it.frame[it.scored] for it in (reference, current)
        )
        judged = compare_numbers(first, second, aged.match(aged.renewal, *rows).weights)
        note = aged.told()
    return Finding(
        subject_kind=PREDICTION,
        subject="churn_probability",
        tier=None,
        plain=plain,
        judged=judged,
        reference_count=len(first),
        current_count=len(second),
        reference_mean=float(first.mean()),
        current_mean=float(second.mean()),
        note=note,
    )


def label_finding(
    reference: Mapping[str, float], current: Mapping[str, float], weighted_rate: float | None
) -> Finding:
    """Label drift: counts `customers` and `churners` of the training date and of a later one.

    Args:
        weighted_rate: churn rate that the calendar leads one to expect; None where none has passed.
    """
    first, second = _outcomes(reference), _outcomes(current)
    plain = compare_categories(first, second)
    judged = plain
    if weighted_rate is not None:
        expected = dict(reference, churners=round(weighted_rate * reference["customers"]))
        judged = compare_categories(_outcomes(expected), second)
    return Finding(
        subject_kind=LABEL,
        subject="churn",
        tier=None,
        plain=plain,
        judged=judged,
        reference_count=int(reference["customers"]),
        current_count=int(current["customers"]),
        reference_mean=reference["churners"] / reference["customers"],
        current_mean=current["churners"] / current["customers"],
    )


def _outcomes(counts: Mapping[str, float]) -> np.ndarray:
    left = int(counts["churners"])
    return np.array(["1"] * left + ["0"] * (int(counts["customers"]) - left), dtype=object)
