"""How sure a probability is: Venn–Abers intervals, exact and in whole numbers.

Inductive Venn–Abers prediction (Vovk, Petej and Fedorova 2015, "Large-scale probabilistic
predictors with and without guarantees of validity", section 2) asks twice for each new score: what
would isotonic regression say here if this customer left, and what if not? One of the two answers is
calibrated by construction, whatever the model is worth. They lie close where many training scores
are alike, and apart where few are. Both depend only on the place of the new score among those of
the training part, so that they are worked out once and kept as two step functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

# A point of the cumulative sum diagram: customers so far, churners so far.
Point = tuple[int, int]


@dataclass(frozen=True)
class StepFunction:
    """`values[i]` holds from `starts[i]` (inside) on; the first start stands for minus infinity."""

    starts: np.ndarray
    values: np.ndarray

    def __call__(self, score: np.ndarray) -> np.ndarray:
        place = np.searchsorted(self.starts[1:], score, side="right")
        return self.values[place]

    def as_document(self) -> dict[str, list[float]]:
        return {"starts": self.starts[1:].tolist(), "values": self.values.tolist()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> StepFunction:
        starts = np.array([-np.inf, *document["starts"]], dtype=np.float64)
        return cls(starts, np.array(document["values"], dtype=np.float64))


@dataclass(frozen=True)
class VennAbers:
    """Both answers as functions of the margin: isotonic regression with the customer as one who
    stays (`low`) and as one who leaves (`high`)."""

    low: StepFunction
    high: StepFunction

    def interval(
        self, margin: np.ndarray, probability: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends for n customers, between 0 and 1.

        The shipped probability comes from Platt scaling, a smooth curve; where the curve leaves
        the Venn–Abers interval, the interval is widened to it. That keeps the guarantee: the
        answer that is calibrated lies inside.

        Args:
            margin: n uncalibrated log-odds.
            probability: n calibrated probabilities.
        """
        scores = margin.astype(np.float64)
        return np.minimum(self.low(scores), probability), np.maximum(self.high(scores), probability)

    def as_document(self) -> dict[str, Any]:
        return {
            "method": "venn_abers",
            "low": self.low.as_document(),
            "high": self.high.as_document(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> VennAbers:
        return cls(*(StepFunction.from_document(document[end]) for end in ("low", "high")))


def fit_venn_abers(margin: np.ndarray, churn: np.ndarray) -> VennAbers:
    """Both step functions from out-of-fold scores of the training part.

    Args:
        margin: n uncalibrated log-odds, each by a model that has not seen the row.
        churn: n labels, 0 or 1.
    """
    score, group = np.unique(margin.astype(np.float64), return_inverse=True)
    size = np.bincount(group)
    churners = np.bincount(group, weights=churn).astype(np.int64)
    # One who stays at a score is one who leaves in the mirror image.
    if_leaving = _inserted_churner(size.tolist(), churners.tolist())
    mirrored = _inserted_churner(size[::-1].tolist(), (size - churners)[::-1].tolist())
    if_staying = [(whole - part) / whole for whole, part in mirrored[::-1]]
    # Between two known scores, one who leaves does as at the next, one who stays as at the last;
    # beyond the ends there is none but the customer.
    high = _compressed(
        np.concatenate([[-np.inf], np.nextafter(score, np.inf)]),
        np.array([part / whole for whole, part in if_leaving] + [1.0]),
    )
    low = _compressed(np.concatenate([[-np.inf], score]), np.array([0.0, *if_staying]))
    return VennAbers(low, high)


def _compressed(starts: np.ndarray, values: np.ndarray) -> StepFunction:
    """Only the places where the value changes."""
    changed = np.concatenate([[True], np.diff(values) != 0])
    return StepFunction(starts[changed], values[changed])


def _inserted_churner(size: list[int], churners: list[int]) -> list[Point]:
    """Isotonic regression at each of k scores when one more churner has that score.

    Algorithms 1 and 2 of the paper: the greatest convex minorant of the cumulative sum diagram is
    kept on a stack while the extra churner moves up from score to score, in O(k) altogether.

    Args:
        size: customers at each score, rising.
        churners: of these.

    Returns:
        k slopes as (customers, churners).
    """
    points: list[Point] = [(-1, -1), (0, 0)]
    for count, left in zip(size, churners, strict=True):
        points.append((points[-1][0] + count, points[-1][1] + left))
    corners = points[:2]
    for point in points[2:]:
        while len(corners) > 1 and _turn(corners[-2], corners[-1], point) <= 0:
            corners.pop()
        corners.append(point)
    corners.reverse()
    slopes = []
    for i in range(2, len(points)):
        (x, y), (next_x, next_y) = corners[-1], corners[-2]
        slopes.append((next_x - x, next_y - y))
        before, here = points[i - 2], points[i - 1]
        moved = (before[0] + points[i][0] - here[0], before[1] + points[i][1] - here[1])
        points[i - 1] = moved
        if _turn(corners[-1], corners[-2], moved) >= 0:
            continue
        corners.pop()
        while len(corners) > 1 and _turn(moved, corners[-1], corners[-2]) <= 0:
            corners.pop()
        corners.append(moved)
    return slopes


def _turn(a: Point, b: Point, c: Point) -> int:
    """Positive when a → b → c turns left, 0 on a straight line."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
