"""A logistic regression on smooth terms: the log-odds are a sum of one curve a column.

Trees find thresholds and combinations; a sum of smooth curves (cubic splines; Hastie and Tibshirani
1990, "Generalized Additive Models") wastes fewer rows on what rises and falls gently. The champion
blends both. Each column's curve is its contribution, so that the sum explains itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse
from scipy.interpolate import BSpline
from scipy.optimize import minimize
from scipy.special import expit

DEGREE = 3
LINEAR, SPLINE, LEVELS = "linear", "spline", "levels"
SMALLEST_SPREAD = 1e-9  # of a column that tells customers apart
FEWEST_VALUES = 12  # a column with fewer distinct values gets a straight line


@dataclass(frozen=True)
class Term:
    """The curve of one column of the matrix, centred on the training rows.

    `knots` of a spline hold its ends four times; a value beyond them counts as the end. A linear
    term has one coefficient, a category one a code. `missing` is what a missing value adds.
    """

    kind: str
    coefficients: np.ndarray
    missing: float
    centre: float
    knots: np.ndarray

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """What n values add to the log-odds, float64."""
        numbers = values.astype(np.float64)
        is_missing = np.isnan(numbers)
        known = np.where(is_missing, self.knots[0] if self.kind == SPLINE else 0.0, numbers)
        if self.kind == SPLINE:
            inside = np.clip(known, self.knots[0], self.knots[-1])
            curve = BSpline(self.knots, self.coefficients, DEGREE)(inside)
        elif self.kind == LEVELS:
            curve = self.coefficients[known.astype(np.int64)]
        else:
            curve = self.coefficients[0] * known
        return np.where(is_missing, self.missing, curve) - self.centre

    def as_document(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "coefficients": self.coefficients.tolist(),
            "missing": self.missing,
            "centre": self.centre,
            "knots": self.knots.tolist(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Term:
        return cls(
            document["kind"],
            np.array(document["coefficients"], dtype=np.float64),
            document["missing"],
            document["centre"],
            np.array(document["knots"], dtype=np.float64),
        )


@dataclass(frozen=True)
class AdditiveModel:
    """One term a column of the preprocessor's matrix, and the log-odds of the average customer."""

    terms: tuple[Term, ...]
    intercept: float

    def contributions(self, matrix: np.ndarray) -> np.ndarray:
        """What each column adds to the log-odds: n × (columns + 1) float64; the last one is the
        intercept."""
        parts = [term(matrix[:, column]) for column, term in enumerate(self.terms)]
        return np.column_stack([*parts, np.full(len(matrix), self.intercept)])

    def margin(self, matrix: np.ndarray) -> np.ndarray:
        """Log-odds of n rows, float64. A row's are the same whatever others are beside it."""
        total = np.full(len(matrix), self.intercept)
        for column, term in enumerate(self.terms):
            total += term(matrix[:, column])
        return total

    def as_document(self) -> dict[str, Any]:
        terms = [term.as_document() for term in self.terms]
        return {"intercept": self.intercept, "terms": terms}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> AdditiveModel:
        terms = tuple(Term.from_document(term) for term in document["terms"])
        return cls(terms, document["intercept"])


def fit_additive(
    matrix: np.ndarray,
    churn: np.ndarray,
    feature_types: Sequence[str],
    directions: Sequence[int],
    *,
    knots: int,
    penalty: float,
) -> AdditiveModel:
    """Penalised maximum likelihood of all terms at once.

    Args:
        matrix: n × columns float32 of the preprocessor; NaN is missing.
        churn: n labels, 0 or 1.
        feature_types: XGBoost's type of each column: c (category) or q (quantity).
        directions: which way the score may go when a column rises: 1 up, -1 down, 0 either.
        knots: of a spline, at quantiles of its column.
        penalty: weight of the squared coefficients (L2) against the log-likelihood.
    """
    bases = [
        _basis(matrix[:, column].astype(np.float64), kind, direction, knots)
        for column, (kind, direction) in enumerate(zip(feature_types, directions, strict=True))
    ]
    signs = np.concatenate([basis.signs for basis in bases])
    fitted, intercept = _fit(_side_by_side(bases, len(matrix)), churn, signs, penalty)
    ends = np.cumsum([len(basis.signs) for basis in bases])
    terms = []
    for column, (basis, end) in enumerate(zip(bases, ends, strict=True)):
        *own, missing = fitted[end - len(basis.signs) : end]
        coefficients = np.concatenate([[0.0], np.cumsum(own)]) if basis.is_summed else np.array(own)
        term = Term(basis.kind, coefficients, float(missing), 0.0, basis.knots)
        centre = float(np.average(term(matrix[:, column])))
        terms.append(replace(term, centre=centre))
        intercept += centre
    return AdditiveModel(tuple(terms), intercept)


def _fit(
    design: sparse.csr_matrix,
    churn: np.ndarray,
    signs: np.ndarray,
    penalty: float,
) -> tuple[np.ndarray, float]:
    """Coefficients of a logistic regression, none of the wrong sign, and its intercept."""
    # All columns in units of their standard deviation, so that the penalty means the same to each.
    mean = np.asarray(design.mean(axis=0)).ravel()
    variance = np.asarray(design.multiply(design).mean(axis=0)).ravel() - mean**2
    spread = np.sqrt(np.maximum(variance, 0.0))  # of a constant, rounding leaves less than 0
    scale = np.where(spread > SMALLEST_SPREAD, spread, 1.0)
    scaled = sparse.csr_matrix(design @ sparse.diags(1 / scale))
    turned = sparse.csr_matrix(scaled.T)
    rate = float(np.average(churn))

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        own, intercept = parameters[:-1], parameters[-1]
        log_odds = scaled @ own + intercept
        residual = expit(log_odds) - churn
        value = (np.logaddexp(0.0, log_odds) - churn * log_odds).sum()
        value += penalty / 2 * (own @ own)
        gradient = np.append(turned @ residual + penalty * own, residual.sum())
        return float(value) / len(churn), gradient / len(churn)

    start = np.zeros(design.shape[1] + 1)
    start[-1] = np.log(rate / (1 - rate))
    bounds = [(0.0 if s > 0 else None, 0.0 if s < 0 else None) for s in signs]
    best = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[*bounds, (None, None)],
        options={"maxiter": 300, "gtol": 3e-4, "ftol": 1e-8, "maxcor": 20},
    )
    return best.x[:-1] / scale, float(best.x[-1])


@dataclass(frozen=True)
class _Basis:
    """The columns that a term is fitted on, with the sign that each coefficient must have (0: any).

    The last one marks missing values. The coefficients of a spline that has a direction are the
    steps between those of its B-splines (`is_summed`): where all rise, the curve does.

    `entries` are values that are not 0, each with its row and its column. All bases become one
    sparse matrix; as matrices of their own they would take as long as the fit.
    """

    kind: str
    knots: np.ndarray
    entries: tuple[np.ndarray, np.ndarray, np.ndarray]
    signs: np.ndarray
    is_summed: bool = False


def _basis(values: np.ndarray, feature_type: str, direction: int, knots: int) -> _Basis:
    is_missing = np.isnan(values)
    rows, none = np.flatnonzero(~is_missing), np.empty(0)
    known = values[rows]

    def basis(
        kind: str,
        at: np.ndarray,
        size: int,
        own: tuple[np.ndarray, np.ndarray, np.ndarray],
        *,
        is_summed: bool = False,
    ) -> _Basis:
        signs = np.append(np.full(size, direction), 0)
        blank = np.flatnonzero(is_missing)
        marks = (np.ones(len(blank)), blank, np.full(len(blank), size))
        data, row, column = (np.concatenate(both) for both in zip(own, marks, strict=True))
        return _Basis(kind, at, (data, row, column), signs, is_summed)

    if feature_type == "c":
        direction = 0  # the codes of a category have no order
        size = int(known.max(initial=0)) + 1
        return basis(LEVELS, none, size, (np.ones(len(known)), rows, known.astype(np.int64)))
    inner = np.unique(np.quantile(known, np.linspace(0, 1, knots))) if len(known) else none
    if len(inner) < 3 or len(np.unique(known)) <= FEWEST_VALUES:
        told = np.flatnonzero(known)
        line = known[told], rows[told], np.zeros(len(told), dtype=np.int64)
        return basis(LINEAR, none, 1, line)
    padded = np.concatenate([[inner[0]] * DEGREE, inner, [inner[-1]] * DEGREE])
    curves = BSpline.design_matrix(known, padded, DEGREE)
    size = curves.shape[1]
    if direction:
        # The first sum is 1 everywhere, which the intercept is for.
        curves = curves @ sparse.csr_matrix(np.tril(np.ones((size, size)))[:, 1:])
        size -= 1
    each = curves.tocoo()
    entries = each.data, rows[each.row], each.col
    return basis(SPLINE, padded, size, entries, is_summed=bool(direction))


def _side_by_side(bases: Sequence[_Basis], row_count: int) -> sparse.csr_matrix:
    """The columns of all bases, rows × columns."""
    widths = [len(basis.signs) for basis in bases]
    starts = np.cumsum([0, *widths[:-1]])
    data, row = (np.concatenate([basis.entries[part] for basis in bases]) for part in (0, 1))
    column = np.concatenate(
        [basis.entries[2] + start for basis, start in zip(bases, starts, strict=True)]
    )
    return sparse.csr_matrix((data, (row, column)), shape=(row_count, sum(widths)))
