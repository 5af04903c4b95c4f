"""Contributions from tables are XGBoost's own, to its last digits, for any rows and trees."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost as xgb

from python_ml.model.contributions import contributions, tree_tables


def booster(
    seed: int, *, depth: int = 3, rounds: int = 30, monotone: bool = False
) -> tuple[xgb.Booster, np.ndarray]:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(900, 6)).astype(np.float32)
    matrix[:, 4] = rng.integers(0, 2, 900)
    matrix[rng.random(matrix.shape) < 0.1] = np.nan
    logit = np.nan_to_num(matrix[:, 0] * matrix[:, 4] + np.abs(matrix[:, 1])) - 1
    churn = (rng.random(900) < 1 / (1 + np.exp(-logit))).astype(int)
    parameters = {
        "objective": "binary:logistic",
        "max_depth": depth,
        "subsample": 0.8,
        "seed": seed,
    }
    if monotone:
        parameters["monotone_constraints"] = (1, 0, 0, -1, 0, 0)
    data = xgb.QuantileDMatrix(matrix, churn)
    return xgb.train({**parameters, "nthread": 1}, data, num_boost_round=rounds), matrix


@pytest.mark.parametrize(("depth", "monotone"), [(1, False), (2, True), (3, False), (3, True)])
def test_they_are_those_of_xgboost(depth: int, monotone: bool) -> None:
    trees, matrix = booster(depth, depth=depth, monotone=monotone)
    strange = np.full((3, 6), np.nan, dtype=np.float32)
    strange[1:] = [[9, -9, 9, -9, 1, 0], [-9, 9, -9, 9, 0, 1]]
    rows = np.concatenate([matrix, strange])
    tables = tree_tables(trees)
    assert tables is not None
    ours = contributions(trees, tables, rows, threads=1)
    theirs = trees.predict(xgb.DMatrix(rows), pred_contribs=True)
    np.testing.assert_allclose(ours, theirs, atol=2e-5)
    margin = trees.predict(xgb.DMatrix(rows), output_margin=True)
    np.testing.assert_allclose(ours.sum(axis=1), margin, atol=2e-5)


def test_threads_and_blocks_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    trees, matrix = booster(7)
    tables = tree_tables(trees)
    assert tables is not None
    whole = contributions(trees, tables, matrix, threads=1)
    monkeypatch.setattr("python_ml.model.contributions.BLOCK", 100)
    np.testing.assert_array_equal(contributions(trees, tables, matrix, threads=3), whole)


def test_deep_trees_are_left_to_xgboost() -> None:
    assert tree_tables(booster(3, depth=6)[0]) is None
