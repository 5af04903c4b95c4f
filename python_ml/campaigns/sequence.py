"""Intervals that stay valid however often one looks: asymptotic confidence sequences.

Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic
confidence sequences", Annals of Statistics 52 (2024), theorem 2.2: for a mean of n terms with
variance σ², the interval

    mean ± sqrt( 2 (n σ² ρ² + 1) / (n² ρ²) · log( sqrt(n σ² ρ² + 1) / α ) )

covers at all times together with probability 1 − α, asymptotically. It comes from Robbins' normal
mixture, and ρ decides at which intrinsic time V = n σ² it is narrowest.
"""

from __future__ import annotations

import math

import numpy as np


def boundary(variance: float, planned_variance: float, alpha: float) -> float:
    """Half-width of the sequence in standard errors, at intrinsic time `variance`.

    Args:
        variance: sum of squared deviations so far (V = n σ²); above 0.
        planned_variance: V at which the sequence is to be narrowest: that of the last look. It
            must not depend on outcomes.
        alpha: one minus the confidence.
    """
    rho2 = _rho2(planned_variance, alpha)
    x = variance * rho2
    return math.sqrt(2 * (x + 1) / x * math.log(math.sqrt(x + 1) / alpha))


def _rho2(planned_variance: float, alpha: float) -> float:
    """ρ² that makes the sequence nearly the narrowest at the planned variance.

    Section B.1 of the supplement (as in Howard, Ramdas, McAuliffe and Sekhon 2021, section 3.5):
    ρ² V = −2 log α + log(−2 log α + 1).
    """
    return (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / planned_variance


def mean_sequence(
    terms: np.ndarray, planned_variance: float, alpha: float
) -> tuple[float, float, float]:
    """Mean of n terms, and the ends of its interval at this look; infinite where V is 0."""
    n = len(terms)
    mean = float(np.mean(terms)) if n else math.nan
    variance = float(np.sum((terms - mean) ** 2)) if n > 1 else 0.0
    if variance <= 0:
        return mean, -math.inf, math.inf
    half = boundary(variance, planned_variance, alpha) * math.sqrt(variance) / n
    return mean, mean - half, mean + half


def ratio_sequence(
    numerator: np.ndarray, denominator: np.ndarray, planned_variance: float, alpha: float
) -> tuple[float, float, float]:
    """Ratio of two means over the same n terms, and its interval by inversion (Fieller 1954).

    A value r is inside if the sequence of the terms a − r b holds 0. The interval is infinite on
    both sides where the denominator itself may be 0.
    """
    n = len(numerator)
    if n < 2:
        return math.nan, -math.inf, math.inf
    a, b = float(np.mean(numerator)), float(np.mean(denominator))
    spread = np.cov(numerator, denominator, ddof=0)
    var_a, var_b, cov = float(spread[0, 0]), float(spread[1, 1]), float(spread[0, 1])
    if var_a <= 0 or b == 0:
        return (a / b if b else math.nan), -math.inf, math.inf
    ratio = a / b
    variance = n * (var_a - 2 * ratio * cov + ratio**2 * var_b)
    if variance <= 0:
        return ratio, -math.inf, math.inf
    k2 = boundary(variance, planned_variance, alpha) ** 2 / n
    # (a − r b)² = k² Var(a − r b), a quadratic in r.
    qa, qb, qc = b**2 - k2 * var_b, a * b - k2 * cov, a**2 - k2 * var_a
    if qa <= 0:
        return ratio, -math.inf, math.inf
    root = math.sqrt(max(qb**2 - qa * qc, 0.0))
    return ratio, (qb - root) / qa, (qb + root) / qa
