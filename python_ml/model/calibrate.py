"""From scores to probabilities, and from probabilities to a decision.

Both are learned on out-of-fold scores of the training part: scores of rows that the model which
gave them has not seen, as every row will be that the final model scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

NEWTON_STEPS = 3  # from 1e-9 beside the optimum, each squares the distance


@dataclass(frozen=True)
class PlattScaling:
    """P(churn) = 1 / (1 + exp(−(slope · margin + intercept))), margin in log-odds."""

    slope: float
    intercept: float

    def probability(self, margin: np.ndarray) -> np.ndarray:
        """Calibrated probabilities, float64, of margins."""
        values: np.ndarray = expit(self.slope * margin.astype(np.float64) + self.intercept)
        return values


def fit_platt(margin: np.ndarray, churn: np.ndarray) -> PlattScaling:
    """Platt scaling with his smoothed targets (Platt 1999, section 2.2).

    Args:
        margin: n out-of-fold log-odds.
        churn: n labels, 0 or 1.
    """
    margins = margin.astype(np.float64)[:, None]
    (slope,), intercept = _fit_logistic(margins, churn)
    return PlattScaling(slope, intercept)


def fit_tree_weight(margins: np.ndarray, churn: np.ndarray, minimum: float) -> float:
    """Share of the trees in the blend of two models that predicts best out of fold.

    Args:
        margins: n × 2 out-of-fold log-odds, those of the trees first.
        churn: n labels, 0 or 1.
        minimum: least share of the trees.
    """
    (trees, smooth), _ = _fit_logistic(margins.astype(np.float64), churn)
    share = trees / (trees + smooth) if trees + smooth > 0 else 1.0
    return round(max(share, minimum), 4)


def _fit_logistic(margins: np.ndarray, churn: np.ndarray) -> tuple[list[float], float]:
    """Slopes, none below 0, and intercept of a logistic regression on Platt's smoothed targets."""
    positives = float(churn.sum())
    negatives = len(churn) - positives
    count = margins.shape[1]
    target = np.where(churn == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        logit = margins @ parameters[:count] + parameters[count]
        residual = expit(logit) - target
        value = np.mean(np.logaddexp(0.0, logit) - target * logit)
        slopes = [np.mean(residual * margins[:, column]) for column in range(count)]
        return float(value), np.array([*slopes, np.mean(residual)])

    prior = np.log((positives + 1) / (negatives + 1))
    best = minimize(
        loss,
        np.array([*[1.0 / count] * count, prior]),
        jac=True,
        method="L-BFGS-B",
        # Scores that tell nothing may by chance run backwards; to turn them round would be no cure.
        bounds=[*[(0.0, None)] * count, (None, None)],
        options={"gtol": 1e-10, "ftol": 1e-15},
    )
    fitted = _newton(margins, target, best.x)
    return [float(value) for value in fitted[:count]], float(fitted[count])


def _newton(margins: np.ndarray, target: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The optimum near `start` to the last digits; a slope that is held at 0 stays there.

    L-BFGS-B stops where the mean loss is flat, some 1e-9 beside the optimum, and just where depends
    on the last digits of the margins. Tables that differ in those alone are to give one model.
    """
    design = np.column_stack([margins, np.ones(len(margins))])
    free = np.append(start[:-1] > 0, True)
    fitted = start.copy()
    for _ in range(NEWTON_STEPS):
        probability = expit(design @ fitted)
        own = design[:, free]
        curvature = own.T @ (own * (probability * (1 - probability))[:, None])
        fitted[free] -= np.linalg.lstsq(curvature, own.T @ (probability - target))[0]
    return np.append(np.maximum(fitted[:-1], 0.0), fitted[-1])


def choose_threshold(probability: np.ndarray, churn: np.ndarray, minimum_recall: float) -> float:
    """The threshold (score ≥ threshold is flagged) of highest precision that keeps the recall.

    Among the four scores, 0.6 is the highest threshold that finds both churners:

    >>> churn = np.array([1, 0, 1, 0])
    >>> choose_threshold(np.array([0.9, 0.7, 0.6, 0.1]), churn, minimum_recall=0.7)
    0.6

    Args:
        probability: n calibrated out-of-fold probabilities.
        churn: n labels, 0 or 1.
        minimum_recall: above 1 no threshold reaches it, and the one of best F1 is taken.
    """
    order = np.argsort(-probability)
    score = probability[order]
    last_of_ties = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    found = np.cumsum(churn[order])[last_of_ties]
    precision = found / (last_of_ties + 1)
    recall = found / churn.sum()
    reaching = recall >= minimum_recall
    f1 = 2 * found / (last_of_ties + 1 + churn.sum())
    merit = precision if reaching.any() else f1
    candidates = np.flatnonzero(reaching) if reaching.any() else np.arange(len(merit))
    # Of equal merit the lowest threshold is taken: it finds more churners.
    best = candidates[len(candidates) - 1 - np.argmax(merit[candidates][::-1])]
    return float(score[last_of_ties[best]])
