"""How the values of a subject were distributed at training and are now, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from python_ml.contracts.gold import Column
from python_ml.judge.drift.samples import CATEGORY, NUMERIC, PREDICTION, Sample
from python_ml.judge.drift.statistics import PSI_BINS, Floats

FEW_VALUES = 12  # numbers with so many different values, or fewer, are shown value by value
MOST_LEVELS = 20  # of a category; the rarest others are one bin
MISSING, OTHERS = "missing", "others"


def distribution_table(
    columns: Sequence[Column], reference: Sample, current: Sample
) -> pd.DataFrame:
    """Shares of customers by bin of each feature, and of the score where both samples have it.

    Numbers are in the deciles of the reference, as in the population stability index; few values,
    and categories, are bins themselves. Null is a bin of its own.

    Returns:
        Columns subject_kind, subject, bin_number (from 1), bin_label, reference_share and
        current_share; both add up to 1 for each subject.
    """
    parts = []
    for column in columns:
        first, second = reference.frame[column.name], current.frame[column.name]
        if column.is_category:
            parts.append(_levels(first, second).assign(subject_kind=CATEGORY, subject=column.name))
        else:
            parts.append(_numbers(first, second).assign(subject_kind=NUMERIC, subject=column.name))
    if reference.scores is not None and current.scores is not None:
        scores = _numbers(pd.Series(reference.scores), pd.Series(current.scores))
        parts.append(scores.assign(subject_kind=PREDICTION, subject="churn_probability"))
    table = pd.concat(parts, ignore_index=True)
    return table.astype({"bin_number": "int64"})


def _numbers(reference: pd.Series, current: pd.Series) -> pd.DataFrame:
    first, second = _floats(reference), _floats(current)
    known = np.unique(np.concatenate([first[~np.isnan(first)], second[~np.isnan(second)]]))
    of_reference = first[~np.isnan(first)]
    if len(known) <= FEW_VALUES or not len(of_reference):
        edges = np.asarray((known[:-1] + known[1:]) / 2, dtype=np.float64)
        labels = [f"{value:.6g}" for value in known]
    else:
        cuts = np.linspace(0, 1, PSI_BINS + 1)[1:-1]
        edges = np.unique(np.quantile(of_reference, cuts))
        labels = _ranges(edges)
    count = len(labels)
    return _table(_binned(first, edges, count), _binned(second, edges, count), [*labels, MISSING])


def _floats(values: pd.Series) -> Floats:
    return np.asarray(values.astype("float64"), dtype=np.float64)


def _binned(values: Floats, edges: Floats, count: int) -> np.ndarray:
    """The bin of each value, from 0; null is the one after the last."""
    return np.where(np.isnan(values), count, np.searchsorted(edges, values))


def _ranges(edges: Floats) -> list[str]:
    """Names of the bins between edges, with as many digits as tell the edges apart."""
    digits = next(
        (n for n in range(3, 16) if len({f"{it:.{n}g}" for it in edges}) == len(edges)), 16
    )
    told = [_plain(float(f"{it:.{digits}g}")) for it in edges]
    between = [f"{low} to {high}" for low, high in pairwise(told)]
    return [f"up to {told[0]}", *between, f"above {told[-1]}"]


def _plain(value: float) -> str:
    """A number without an exponent, whole numbers without decimals."""
    return f"{value:.0f}" if value == round(value) else np.format_float_positional(value, trim="-")


def _levels(reference: pd.Series, current: pd.Series) -> pd.DataFrame:
    first, second = (it.astype("object").where(it.notna(), MISSING) for it in (reference, current))
    common = first.value_counts(normalize=True).add(
        second.value_counts(normalize=True), fill_value=0.0
    )
    names = pd.DataFrame({"level": common.index.astype(str), "share": common.to_numpy()})
    names = names.sort_values(["share", "level"], ascending=[False, True])
    kept = [str(it) for it in names["level"] if it != MISSING][:MOST_LEVELS]
    labels = [*kept, OTHERS, MISSING]
    place = {label: number for number, label in enumerate(labels)}
    others = place[OTHERS]
    codes = [
        np.array([place.get(str(it), others) for it in values], dtype=np.int64)
        for values in (first, second)
    ]
    return _table(codes[0], codes[1], labels)


def _table(first: np.ndarray, second: np.ndarray, labels: list[str]) -> pd.DataFrame:
    shares = [
        np.bincount(codes, minlength=len(labels)) / max(len(codes), 1) for codes in (first, second)
    ]
    table = pd.DataFrame(
        {"bin_label": labels, "reference_share": shares[0], "current_share": shares[1]}
    )
    table = table[(table["reference_share"] > 0) | (table["current_share"] > 0)]
    return table.assign(bin_number=range(1, len(table) + 1))
