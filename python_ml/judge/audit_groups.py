"""What one feature alone tells of the label: its groups of customers, and their ROC-AUC.

Whatever the feature is, it comes down to groups of rows that share a value or a range, so that one
rule fits flags, categories and quantities, and a relation need not be monotone to be seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.special import ndtri

from python_ml.judge.metrics import Estimate

BINS = 20
MISSING = "=missing"
STRATA, CHURNERS_PER_STRATUM = 20, 10
LONGEST_ID = 24  # characters of an id that are looked at from either end


@dataclass(frozen=True)
class Group:
    """Customers who share a value (`=1`) or a range (`<=0.5`) of a feature."""

    name: str
    customer_count: int
    churner_count: int

    @property
    def churn_share(self) -> float:
        return self.churner_count / self.customer_count


def group_names(values: pd.Series, minimum_size: int) -> np.ndarray:
    """Each row's group.

    Args:
        values: n values of a category, flag or quantity; null is a group of its own.
        minimum_size: single values of a quantity that more rows than this share stay groups; the
            others go into twenty ranges of equal count.

    Returns:
        n names: `=value`, `low..high` (the upper end inside) or `=missing`.
    """
    if not pd.api.types.is_numeric_dtype(values):
        code, distinct = pd.factorize(values)
        labels = np.array([f"={value}" for value in distinct.astype(str)], dtype=object)
        return np.append(labels, MISSING)[code]  # the code of what is missing is -1
    code, numbers = pd.factorize(values.to_numpy(dtype=np.float64, na_value=np.nan))
    rows = np.bincount(code[code >= 0], minlength=len(numbers))
    is_shared = (rows > minimum_size) | (len(numbers) <= BINS)
    labels = np.array([f"={number:.6g}" for number in numbers], dtype=object)
    if not is_shared.all():
        rest = numbers[~is_shared]
        each_row = np.repeat(rest, rows[~is_shared])
        edges = np.unique(np.quantile(each_row, np.linspace(0, 1, BINS + 1)))
        ranges = [f"{low:.6g}..{high:.6g}" for low, high in pairwise(edges)]
        part = np.searchsorted(edges[1:-1], rest)
        labels[~is_shared] = np.array(ranges or [f"={edges[0]:.6g}"], dtype=object)[part]
    return np.append(labels, MISSING)[code]


def groups(names: np.ndarray, churn: np.ndarray) -> list[Group]:
    """The groups with their counts, in the order of their names."""
    counts = pd.Series(churn).groupby(names).agg(["size", "sum"])
    return [Group(str(name), int(n), int(churners)) for name, n, churners in counts.itertuples()]


def tails(values: pd.Series, churn: np.ndarray, minimum_size: int) -> Iterator[Group]:
    """The lowest and highest values of a quantity: just over `minimum_size` rows, and one in a
    hundred. Rows that tie with the last are in."""
    if not pd.api.types.is_numeric_dtype(values) or values.nunique() <= BINS:
        return
    numbers = values.to_numpy(dtype=np.float64)
    ordered = np.sort(numbers[~np.isnan(numbers)])
    for size in sorted({minimum_size + 1, len(ordered) // 100}):
        if minimum_size < size < len(ordered) // 2:
            low, high = ordered[size - 1], ordered[-size]
            for name, mask in (
                (f"<={low:.4g}", numbers <= low),
                (f">={high:.4g}", numbers >= high),
            ):
                yield Group(name, int(mask.sum()), int(churn[mask].sum()))


def out_of_fold_rate(names: np.ndarray, churn: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Churn rate of each row's group in the other folds; a row's own label is not in it.

    Small groups are drawn to the mean as if they held one more row of the average customer.
    """
    code, distinct = pd.factorize(pd.Series(names))
    size = len(distinct)
    rate = np.empty(len(churn), dtype=np.float64)
    for number in np.unique(fold):
        held_out = fold == number
        base = churn[~held_out].mean()
        churners = np.bincount(code[~held_out], churn[~held_out], minlength=size)
        rows = np.bincount(code[~held_out], minlength=size)
        rate[held_out] = ((churners + base) / (rows + 1))[code[held_out]]
    return rate


def roc_auc(score: np.ndarray, churn: np.ndarray, confidence: float) -> Estimate:
    """ROC-AUC with the interval of DeLong, DeLong and Clarke-Pearson (1988).

    The bootstrap of the other figures would take minutes for sixty features.
    """
    return _reaching(*_auc_and_variance(score, churn), confidence)


def _auc_and_variance(score: np.ndarray, churn: np.ndarray) -> tuple[float, float]:
    """From counts by score: of a group's rates there are few, and ranks would be sorted thrice."""
    code = np.unique(score, return_inverse=True)[1]
    left = np.bincount(code, churn)
    stayed = np.bincount(code) - left
    positives, negatives = left.sum(), stayed.sum()
    # Shares of the others that score lower, and half of those that score the same.
    above = (np.cumsum(stayed) - stayed / 2) / negatives
    under = (np.cumsum(left) - left / 2) / positives
    auc = left @ above / positives
    spread = left @ (above - auc) ** 2 / (positives - 1)
    spread_under = stayed @ (under - (1 - auc)) ** 2 / (negatives - 1)
    return float(auc), float(spread / positives + spread_under / negatives)


def _reaching(value: float, variance: float, confidence: float) -> Estimate:
    reach = float(ndtri((1 + confidence) / 2) * np.sqrt(variance))
    return Estimate(value, max(value - reach, 0.0), min(value + reach, 1.0))


def stratified_roc_auc(
    score: np.ndarray, churn: np.ndarray, stratum: np.ndarray, confidence: float
) -> Estimate:
    """ROC-AUC of pairs within a stratum alone: the AUCs of the strata, each weighted by its pairs
    of one who left and one who stayed. Strata with fewer than two of either do not count.

    Returns:
        Not a number, if no stratum counts.
    """
    total, value, variance = 0.0, 0.0, 0.0
    for each in np.unique(stratum):
        inside = stratum == each
        positive = int(churn[inside].sum())
        negative = int(inside.sum()) - positive
        if min(positive, negative) < 2:
            continue
        found, spread = _auc_and_variance(score[inside], churn[inside])
        pairs = positive * negative
        total, value, variance = (
            total + pairs,
            value + pairs * found,
            variance + pairs**2 * spread,
        )
    if not total:
        return Estimate(np.nan, np.nan, np.nan)
    return _reaching(value / total, variance / total**2, confidence)


def strata_of(values: pd.Series, churn: np.ndarray) -> np.ndarray:
    """Equal parts of n customers by a number, and one of those without it, n codes.

    As many parts as leave about `CHURNERS_PER_STRATUM` who left in each, at most `STRATA`.
    """
    count = int(np.clip(churn.sum() // CHURNERS_PER_STRATUM, 1, STRATA))
    rank = values.rank(method="average", pct=True).to_numpy(dtype=np.float64)
    code = np.ceil(np.nan_to_num(rank, nan=0.0) * count)
    return code.astype(np.int64)


def share_interval(group: Group, confidence: float) -> Estimate:
    """Churn share of a group with Wilson's interval (1927)."""
    n, share = group.customer_count, group.churn_share
    z = float(ndtri((1 + confidence) / 2))
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Estimate(share, float(max(centre - reach, 0.0)), float(min(centre + reach, 1.0)))


def identifier_parts(identifiers: pd.Series) -> dict[str, pd.Series]:
    """What an id might encode an outcome in: order, length, letters, digits and sums of digits.

    Ids are not trained on. One that tells who leaves was given, or sorted, with the outcome known,
    and then other columns of that source are in doubt as well.
    """
    text = identifiers.astype(str)
    digits = text.str.replace(r"\D", "", regex=True)
    number = pd.to_numeric(digits.str[-15:], errors="coerce")
    parts: dict[str, pd.Series] = {
        "order": number.rank(method="first"),
        "length": text.str.len(),
        "letters": text.str.replace(r"\d", "", regex=True),
        "first_digit": digits.str[:1],
        "digit_sum": digits.map(lambda some: sum(map(int, some))),
        "digit_sum_remainder_by_10": digits.map(lambda some: sum(map(int, some)) % 10),
        "weighted_digit_sum_by_11": digits.map(_weighted_sum),
    }
    parts |= {
        f"remainder_by_{divisor}": number % divisor for divisor in (2, 3, 5, 7, 10, 11, 13, 100)
    }
    places = range(1, min(int(text.str.len().max()), LONGEST_ID) + 1)
    # A place beyond the end of an id is empty, which is a value like any other.
    own = {f"character_{place}": text.str[place - 1].fillna("") for place in places}
    own |= {f"character_{place}_from_the_end": text.str[-place].fillna("") for place in places}
    parts |= {name: part for name, part in own.items() if part.nunique() > 1}
    return parts


def _weighted_sum(digits: str) -> int:
    """Like the check digits of account numbers: weights 1, 2, … from the end, modulo 11."""
    return sum(place * int(digit) for place, digit in enumerate(reversed(digits), 1)) % 11
