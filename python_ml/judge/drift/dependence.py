"""Do all features together look as they did? A classifier two-sample test.

A classifier learns to tell rows of the one sample from rows of the other. If nothing has changed,
its area under the ROC curve on customers that it has not learned from is one half, and varies as
the statistic of Mann and Whitney. It notices what no look at single features can: that they no
longer go together as they did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xgboost as xgb
from scipy import stats

FOLDS = 2
ROUNDS = 80
SEED = 20  # of the sample of customers
STRONGEST = 3  # features that are named
_PARAMETERS = {
    "objective": "binary:logistic",
    "max_depth": 4,
    "eta": 0.1,
    "subsample": 0.8,
    "min_child_weight": 5,
    "tree_method": "hist",
    "nthread": 1,
    "seed": SEED,
}


@dataclass(frozen=True)
class ToldApart:
    """How well two samples can be told apart.

    `distance` is 2 AUC − 1, from 0 to 1; `p_value` is one-sided; `strongest` are the features that
    the classifier gained most from.
    """

    distance: float
    p_value: float
    strongest: tuple[str, ...]
    reference_count: int
    current_count: int


def tell_apart(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    reference_customers: np.ndarray,
    current_customers: np.ndarray,
    customers: int,
) -> ToldApart:
    """Compare all features of two samples together.

    Args:
        reference: features as numbers or text, without nulls.
        current: the same columns.
        reference_customers: IDs of the rows.
        current_customers: likewise. A customer who is in both samples is in one fold.
        customers: of each sample at most so many are used.
    """
    random = np.random.default_rng(SEED)
    everybody = random.permutation(np.union1d(reference_customers, current_customers))
    place = pd.Series(np.arange(len(everybody)), index=everybody)
    parts, folds = [], []
    for frame, ids in ((reference, reference_customers), (current, current_customers)):
        order = place.loc[ids].to_numpy()
        chosen = np.argsort(order, kind="stable")[:customers]
        parts.append(frame.iloc[chosen])
        folds.append(order[chosen] % FOLDS)
    codes = _codes(*parts)
    areas, deviations, gains = [], [], np.zeros(reference.shape[1])
    for number in range(FOLDS):
        learned = [fold != number for fold in folds]
        if min(min(mask.sum(), (~mask).sum()) for mask in learned) == 0:
            continue
        training = [one[mask] for one, mask in zip(codes, learned, strict=True)]
        test = [one[~mask] for one, mask in zip(codes, learned, strict=True)]
        booster = xgb.train(
            _PARAMETERS, xgb.DMatrix(np.vstack(training), _labels(training)), num_boost_round=ROUNDS
        )
        scores = booster.predict(xgb.DMatrix(np.vstack(test)))
        areas.append(_area(scores, _labels(test)))
        first, second = (len(one) for one in test)
        deviations.append(np.sqrt((first + second + 1) / (12 * first * second)))
        for name, gain in booster.get_score(importance_type="total_gain").items():
            gains[int(name[1:])] += float(np.mean(gain))
    if not areas:
        return ToldApart(0.0, 1.0, (), len(parts[0]), len(parts[1]))
    # Each fold is tested with what the other has taught and teaches the other, so that both may err
    # together: the mean of their areas is taken to vary as much as one alone.
    area, deviation = float(np.mean(areas)), float(np.mean(deviations))
    named = [str(reference.columns[place]) for place in np.argsort(-gains)[:STRONGEST]]
    return ToldApart(
        distance=max(2 * area - 1, 0.0),
        p_value=float(stats.norm.sf((area - 0.5) / deviation)),
        strongest=tuple(named),
        reference_count=len(parts[0]),
        current_count=len(parts[1]),
    )


def _codes(reference: pd.DataFrame, current: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Values as their places among those of both samples; levels in the order of their names."""
    count = len(reference)
    both = [
        np.unique(np.concatenate([reference[name], current[name]]), return_inverse=True)[1]
        for name in reference.columns
    ]
    table = np.column_stack(both)
    return table[:count], table[count:]


def _labels(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.repeat([0, 1], [len(part) for part in parts])


def _area(scores: np.ndarray, is_current: np.ndarray) -> float:
    """Area under the ROC curve, with average ranks where scores are equal."""
    ranks = stats.rankdata(scores)
    count = int(is_current.sum())
    won = ranks[is_current == 1].sum() - count * (count + 1) / 2
    return float(won / (count * (len(is_current) - count)))
