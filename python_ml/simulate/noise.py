"""Counter-based noise: every draw is a pure function of (seed, name of the draw, index).

No generator carries state from one customer to the next, so a customer's traits are the same
whatever the chunk it is made in, the number of threads or the number of customers.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_MASK = np.uint64(0xFFFFFFFFFFFFFFFF)
_GOLDEN = 0x9E3779B97F4A7C15


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Finaliser of SplitMix64 (Steele, Lea and Flood 2014): every input bit moves every other."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def hashed(seed: int, name: str, index: Integers) -> NDArray[np.uint64]:
    """64 random-looking bits for each index, of any shape."""
    salt = (seed * _GOLDEN + zlib.crc32(name.encode()) * 0xD1B54A32D192ED03) & int(_MASK)
    with np.errstate(over="ignore"):
        return _mix(_mix(index.astype(np.uint64) + np.uint64(salt)) + np.uint64(_GOLDEN))


def uniform(seed: int, name: str, index: Integers) -> Floats:
    """Uniform draws in (0, 1), ends outside."""
    bits = hashed(seed, name, index) >> np.uint64(11)
    return (bits.astype(np.float64) + 0.5) * 2.0**-53


def normal(seed: int, name: str, index: Integers) -> Floats:
    """Standard normal draws."""
    from scipy.special import ndtri  # 0.4 s that landing, which asks for texts, need not wait

    return np.asarray(ndtri(uniform(seed, name, index)), dtype=np.float64)


def choose(u: Floats, shares: Sequence[float] | Floats) -> Integers:
    """Position of the share that holds each u; the shares are normalised."""
    edges = np.cumsum(np.asarray(shares, dtype=np.float64))
    return np.searchsorted(edges[:-1] / edges[-1], u, side="right").astype(np.int64)


def quantile(u: Floats, knots: Mapping[float, float], *, log: bool = False) -> Floats:
    """Inverse distribution function through knots (share: value), linear or log-linear between."""
    shares = np.array(sorted(knots), dtype=np.float64)
    values = np.array([knots[share] for share in sorted(knots)], dtype=np.float64)
    if log:
        return np.exp(np.interp(u, shares, np.log(values)))
    return np.interp(u, shares, values)
