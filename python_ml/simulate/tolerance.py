"""How far a simulated aggregate may lie from the published one by chance alone.

The published value is taken as the truth of the population, and the simulation as a sample of it:
a row is within tolerance if chance explains the difference. With about two hundred rows, each is
judged at the error rate that keeps the chance of any false alarm at `FAMILY_ERROR` (Bonferroni).
Half a unit of the last published digit is added.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from python_ml.simulate.noise import Floats

FAMILY_ERROR = 0.01


def normal_quantile(alpha: float) -> float:
    """Two-sided quantile of the standard normal."""
    return float(stats.norm.ppf(1.0 - alpha / 2.0))


def of_share(published: float, simulated: float, count: int, alpha: float) -> float:
    """Exact binomial: the distance from the published share to the end of its interval."""
    low, high = stats.binom.ppf([alpha / 2.0, 1.0 - alpha / 2.0], count, published) / count
    return float(high - published if simulated >= published else published - low)


def of_mean(values: Floats, alpha: float) -> float:
    """Standard error of a mean."""
    return normal_quantile(alpha) * float(values.std(ddof=1)) / math.sqrt(len(values))


def of_sd(values: Floats, alpha: float) -> float:
    """Standard error of a standard deviation, by the fourth moment."""
    spread = values - values.mean()
    variance = float((spread**2).mean())
    fourth = float((spread**4).mean())
    error = math.sqrt(max(fourth - variance**2, 0.0) / len(values))
    return normal_quantile(alpha) * error / (2.0 * math.sqrt(variance)) if variance else 0.0


def of_ratio(above: Floats, below: Floats, alpha: float) -> float:
    """Standard error of a ratio of sums, customers being the units drawn (linearised)."""
    residual = above - above.sum() / below.sum() * below
    error = float(residual.std(ddof=1)) * math.sqrt(len(above)) / float(below.sum())
    return normal_quantile(alpha) * error


def of_correlation(x: Floats, y: Floats, alpha: float) -> float:
    """Standard error of a correlation, by its influence function."""
    a, b = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    r = float((a * b).mean())
    influence = a * b - r / 2.0 * (a**2 + b**2)
    return normal_quantile(alpha) * float(influence.std()) / math.sqrt(len(x))


def of_quantile(values: Floats, q: float, published: float, alpha: float) -> float:
    """Distance to the order statistic that bounds the quantile on the published value's side."""
    ordered = np.sort(values)
    simulated = float(np.quantile(values, q))
    low, high = stats.binom.ppf([alpha / 2.0, 1.0 - alpha / 2.0], len(values), q)
    if published >= simulated:
        return float(ordered[min(int(high) + 1, len(values) - 1)]) - simulated
    return simulated - float(ordered[max(int(low) - 1, 0)])


def of_extreme(
    sizes: Floats, published: float, count: int, published_count: int, alpha: float
) -> tuple[float, float]:
    """The end of a heavy tail: its value expected at `count` customers, and the tolerance.

    The largest of n draws grows with n to the power of the tail index (Hill's estimate from the
    largest draws), and varies as an exponential to minus that power.

    Args:
        sizes: positive; larger is farther out.
    """
    simulated = float(sizes.max())
    tail = np.sort(sizes)[-max(int(math.sqrt(len(sizes))), 5) :]
    index = float(np.log(tail[1:] / tail[0]).mean()) if tail[0] > 0 else 0.0
    expected = published * (count / published_count) ** index
    low, high = (expected * (-math.log(p)) ** -index for p in (alpha / 2.0, 1.0 - alpha / 2.0))
    return expected, high - expected if simulated >= expected else expected - low


def of_bound(values: Floats, end: str, alpha: float) -> float:
    """The end of a bounded range: distance from the outermost value to the k-th one.

    The share of the population beyond the k-th value is above 0 with probability 1 - alpha for
    k = -ln(alpha); where values do not thin out, the range ends within that distance.
    """
    ordered = np.sort(values)
    if end == "high":
        ordered = -ordered[::-1]
    k = min(max(math.ceil(-math.log(alpha)), 1), len(ordered) - 1)
    return float(ordered[k] - ordered[0])
