"""Two samples of one variable: how far apart, and could chance do it?

Numbers by Kolmogorov–Smirnov, categories and shares by chi-square. A reference may carry weights;
its size is then Kish's effective one, (Σw)² / Σw².
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

CHI2 = "chi2"
PSI_BINS = 10
# Below this expected count chi-square is no good guide; rarer levels are put together.
MINIMUM_EXPECTED = 5.0
_STRATA, _STRATA_WITHIN = 20, 6  # of the first driver, and of the next within each of them
_LEAST_IN_STRATUM = 25  # rows of the reference
MISSING = float(np.finfo(np.float32).min)  # below every value, so that a share of nulls can drift


@dataclass(frozen=True)
class Comparison:
    """Of two samples: KS distance (of categories half the sum of absolute differences of shares),
    population stability index, and p-value of no difference.

    `odds_ratio`, at least 1, is by how much the odds of a share have changed, either way: that of a
    flag, of nulls, or of the level of a category that has changed most surely.
    """

    distance: float
    psi: float
    p_value: float
    odds_ratio: float = 1.0
    statistic: str = "ks"


@dataclass(frozen=True)
class Matching:
    """Which rows of two samples are alike in what drives a variable: a stratum of each row, from 0.
    Every stratum has rows of the reference."""

    reference: NDArray[np.int64]
    current: NDArray[np.int64]

    @property
    def weights(self) -> Floats:
        """Of the reference, to give it the distribution over the strata that the current has."""
        count = int(self.reference.max()) + 1
        have = np.bincount(self.reference, minlength=count)
        want = np.bincount(self.current, minlength=count)
        return np.asarray((want / have)[self.reference], dtype=np.float64)


def as_numbers(values: object) -> Floats:
    """Numbers as the model reads them, in single precision: a mean over the same twelve prices in
    another order differs in the last digits of a double, and every tie would be broken."""
    numbers = np.asarray(values, dtype=np.float64)
    exact = np.where(np.isnan(numbers), MISSING, numbers)
    return exact.astype(np.float32).astype(np.float64)


def compare_numbers(
    reference: Floats, current: Floats, weights: Floats | None = None
) -> Comparison:
    """Two-sample Kolmogorov–Smirnov test, and PSI over the deciles of the reference.

    Args:
        reference: values without NaN (see `as_numbers`).
        current: likewise.
        weights: of the reference, not negative; None where all count alike.
    """
    if weights is None:
        tested = stats.ks_2samp(reference, current, method="asymp")
        distance, p_value = float(tested.statistic), float(tested.pvalue)
    else:
        distance = _weighted_distance(reference, current, weights)
        size = effective_size(weights)
        both = size * len(current) / (size + len(current))
        p_value = float(stats.kstwo.sf(distance, max(round(both), 1)))
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, PSI_BINS + 1)[1:-1]))
    counted = _shares(np.searchsorted(edges, reference), len(edges) + 1, weights)
    found = _shares(np.searchsorted(edges, current), len(edges) + 1, None)
    return Comparison(distance, psi(counted, found), min(p_value, 1.0))


def compare_categories(
    reference: NDArray[np.object_],
    current: NDArray[np.object_],
    weights: Floats | None = None,
) -> Comparison:
    """Chi-square test of homogeneity, rare levels put together, and PSI over the same levels.

    Args:
        reference: levels as text; nulls filled before.
        current: likewise.
        weights: of the reference, or None.
    """
    levels, codes = np.unique(np.concatenate([reference, current]), return_inverse=True)
    own, new = codes[: len(reference)], codes[len(reference) :]
    size = float(len(reference)) if weights is None else effective_size(weights)
    first = size * _shares(own, len(levels), weights)
    second = np.bincount(new, minlength=len(levels)).astype(np.float64)
    smaller = min(size, len(current)) / (size + len(current))
    rare = (first + second) * smaller < MINIMUM_EXPECTED
    if rare.any():
        first = np.append(first[~rare], first[rare].sum())
        second = np.append(second[~rare], second[rare].sum())
    table = np.vstack([first, second])[:, (first + second) > 0]
    if table.shape[1] < 2:
        return Comparison(0.0, 0.0, 1.0, statistic=CHI2)
    p_value = float(stats.chi2_contingency(table, correction=False)[1])
    shares = table / table.sum(axis=1, keepdims=True)
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
    sizes = table.sum(axis=1)
    # A rare level that doubles moves no index of the whole: what became of it is told by its odds.
    surest = min((_of_counts(counts, sizes) for counts in table.T), key=lambda one: one.p_value)
    return Comparison(distance, psi(shares[0], shares[1]), p_value, surest.odds_ratio, CHI2)


def compare_shares(
    reference: NDArray[np.bool_] | Floats,
    current: NDArray[np.bool_] | Floats,
    matching: Matching | None = None,
) -> Comparison:
    """Compare the shares of customers of whom something is true, by chi-square and odds ratio.

    With a matching, distance and odds are of the reference weighted to the current strata, and the
    p-value is that of Cochran, Mantel and Haenszel over the strata: weights make rare events of a
    few rows count for many, and a test on them finds little.

    Args:
        reference: true or false, or 1 and 0.
        current: likewise.
        matching: of the rows, or None.
    """
    first, second = (np.asarray(one, dtype=np.float64) for one in (reference, current))
    weights = None if matching is None else matching.weights
    size = float(len(first)) if weights is None else effective_size(weights)
    counts = np.array([size * np.average(first, weights=weights), second.sum()])
    found = _of_counts(counts, np.array([size, float(len(second))]))
    if matching is None:
        return found
    return replace(found, p_value=_stratified_p_value(first, second, matching))


def _stratified_p_value(reference: Floats, current: Floats, matching: Matching) -> float:
    """Of equal odds in each stratum, by the test of Cochran, Mantel and Haenszel."""
    count = int(matching.reference.max()) + 1
    before, now = (
        np.bincount(strata, minlength=count).astype(np.float64)
        for strata in (matching.reference, matching.current)
    )
    true_before = np.bincount(matching.reference, weights=reference, minlength=count)
    true_now = np.bincount(matching.current, weights=current, minlength=count)
    both, true = before + now, true_before + true_now
    expected = true * now / both
    variance = true * (both - true) * before * now / (both**2 * np.maximum(both - 1, 1))
    if not variance.sum() > 0:
        return 1.0
    excess = (true_now - expected).sum()
    return float(stats.chi2.sf(excess**2 / variance.sum(), 1))


def _of_counts(counts: Floats, sizes: Floats) -> Comparison:
    """Compare two shares, given how many of how many."""
    shares = counts / sizes
    if not 0 < counts.sum() < sizes.sum():
        return Comparison(0.0, 0.0, 1.0, statistic=CHI2)
    table = np.vstack([counts, sizes - counts])
    p_value = float(stats.chi2_contingency(table, correction=bool((table < 5).any()))[1])
    # A half is added to each count, so that no odds are zero.
    odds = (counts + 0.5) / (sizes - counts + 0.5)
    ratio = float(max(odds[0] / odds[1], odds[1] / odds[0]))
    both = psi(np.array([shares[0], 1 - shares[0]]), np.array([shares[1], 1 - shares[1]]))
    return Comparison(float(abs(shares[0] - shares[1])), both, p_value, ratio, CHI2)


def psi(expected: Floats, found: Floats, floor: float = 1e-4) -> float:
    """Population stability index of two lists of shares; an empty bin counts as `floor`.

    >>> round(psi(np.array([0.5, 0.5]), np.array([0.4, 0.6])), 3)
    0.041
    """
    first, second = np.maximum(expected, floor), np.maximum(found, floor)
    return float(((second - first) * np.log(second / first)).sum())


def adjust(p_values: Floats) -> Floats:
    """Benjamini–Hochberg: what each p-value comes to among all that were looked at.

    >>> adjust(np.array([0.01, 0.02, 0.5])).tolist()
    [0.03, 0.03, 0.5]
    """
    return np.asarray(stats.false_discovery_control(p_values, method="bh"), dtype=np.float64)


def effective_size(weights: Floats) -> float:
    return float(weights.sum() ** 2 / (weights**2).sum())


def stratum_weights(driver: Floats, expected: Floats, strata: int = 40) -> Floats:
    """Weights that give a sample the distribution of its driver that is expected of it.

    >>> round(effective_size(np.array([1.0, 1.0, 2.0])), 2)
    2.67

    Args:
        driver: values of the sample; NaN is a stratum of its own.
        expected: what they are expected to be, for the same rows.
        strata: at most so many groups, of equal size in the sample.
    """
    known = driver[~np.isnan(driver)]
    if not len(known):
        return np.ones(len(driver))
    count = max(2, min(strata, len(known) // 25))
    edges = np.unique(np.quantile(known, np.linspace(0, 1, count + 1)[1:-1]))
    own = np.where(np.isnan(driver), len(edges) + 1, np.searchsorted(edges, driver))
    aged = np.where(np.isnan(expected), len(edges) + 1, np.searchsorted(edges, expected))
    have = np.bincount(own, minlength=len(edges) + 2)
    want = np.bincount(aged, minlength=len(edges) + 2)
    return (want / np.maximum(have, 1))[own].astype(np.float64)


def match(reference: Floats, current: Floats) -> Matching:
    """Put together the rows of two samples whose drivers are alike.

    The first driver is cut into groups of equal size in the reference, each of these by the second,
    and so on; NaN counts as the lowest value.

    Args:
        reference: n × k values of the k drivers.
        current: m × k.
    """
    first, second = (np.nan_to_num(one, nan=-np.inf) for one in (reference, current))
    own, now = np.zeros(len(first), dtype=np.int64), np.zeros(len(second), dtype=np.int64)
    for driver in range(first.shape[1]):
        most = _STRATA if driver == 0 else _STRATA_WITHIN
        finer_own, finer_now, count = np.empty_like(own), np.empty_like(now), 0
        for group in range(int(own.max()) + 1):
            before, after = own == group, now == group
            values = first[before, driver]
            parts = max(1, min(most, len(values) // _LEAST_IN_STRATUM))
            ranks = np.linspace(0, 1, parts + 1)[1:-1]
            edges = np.unique(np.quantile(values, ranks, method="higher"))
            edges = edges[edges > values.min()]  # below the lowest edge somebody must be
            finer_own[before] = count + np.searchsorted(edges, values, side="right")
            finer_now[after] = count + np.searchsorted(edges, second[after, driver], side="right")
            count += len(edges) + 1
        own, now = finer_own, finer_now
    return Matching(own, now)


def _weighted_distance(reference: Floats, current: Floats, weights: Floats) -> float:
    """Largest distance between the weighted distribution function and the other."""
    order = np.argsort(reference, kind="stable")
    values = reference[order]
    cumulative = np.concatenate([[0.0], np.cumsum(weights[order])]) / weights.sum()
    other = np.sort(current)
    at = np.concatenate([values, other])
    first = cumulative[np.searchsorted(values, at, side="right")]
    second = np.searchsorted(other, at, side="right") / len(other)
    return float(np.abs(first - second).max())


def _shares(codes: NDArray[np.intp], count: int, weights: Floats | None) -> Floats:
    counted = np.bincount(codes, weights=weights, minlength=count).astype(np.float64)
    value: Floats = counted / counted.sum()
    return value
