"""Smooth terms: what they learn, that they keep directions, and that they explain themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from python_ml.model.additive import AdditiveModel, fit_additive
from python_ml.model.calibrate import fit_tree_weight
from python_ml.model.churn_model import fit_classifier
from tests.unit import gold_fixture as gold

QUANTITIES = ["q", "q", "q"]


def sample(size: int = 4000, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A wave in the first column, nothing in the second, a flag in the third."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(size, 3)).astype(np.float32)
    matrix[:, 2] = random.integers(0, 2, size)
    logit = 2 * np.sin(2 * matrix[:, 0]) + 0.8 * matrix[:, 2] - 1
    matrix[random.random(size) < 0.1, 1] = np.nan
    return matrix, (random.random(size) < 1 / (1 + np.exp(-logit))).astype(int), logit


def fitted(
    matrix: np.ndarray, churn: np.ndarray, directions: Any = (0, 0, 0), **more: Any
) -> AdditiveModel:
    return fit_additive(matrix, churn, QUANTITIES, directions, knots=8, penalty=5.0, **more)


def test_a_wave_is_learned_and_noise_is_not() -> None:
    matrix, churn, logit = sample()
    margin = fitted(matrix, churn).margin(matrix)
    assert np.corrcoef(margin, logit)[0, 1] > 0.97
    parts = fitted(matrix, churn).contributions(matrix)
    assert parts[:, 1].std() < 0.15 < parts[:, 2].std() < parts[:, 0].std()


def test_contributions_are_centred_and_sum_to_the_margin() -> None:
    matrix, churn, _ = sample()
    model = fitted(matrix, churn)
    parts = model.contributions(matrix)
    np.testing.assert_allclose(parts.sum(axis=1), model.margin(matrix), atol=1e-9)
    np.testing.assert_allclose(parts[:, :-1].mean(axis=0), 0, atol=1e-9)
    assert (parts[:, -1] == model.intercept).all()


@pytest.mark.parametrize("direction", [1, -1])
def test_a_declared_direction_holds_over_the_whole_range(direction: int) -> None:
    matrix, churn, _ = sample()
    model = fitted(matrix, churn, (direction, 0, -1))
    rising = np.linspace(-6, 6, 500, dtype=np.float32)
    steps = np.diff(model.terms[0](rising)) * direction
    assert (steps >= -1e-12).all()
    flag = model.terms[2](np.array([0.0, 1.0]))
    assert flag[1] <= flag[0], "here the flag raises the score, which its direction forbids"
    assert np.diff(fitted(matrix, churn).terms[0](rising)).min() < 0, "free, the wave falls too"


def test_values_beyond_the_training_range_count_as_its_ends() -> None:
    matrix, churn, _ = sample()
    term = fitted(matrix, churn).terms[0]
    low, high = matrix[:, 0].min(), matrix[:, 0].max()
    assert term(np.array([low - 100, high + 100])) == pytest.approx(term(np.array([low, high])))
    assert np.isfinite(term(np.array([np.nan])))[0]


def test_a_row_scores_alone_as_among_others_and_after_being_stored() -> None:
    matrix, churn, _ = sample()
    model = fitted(matrix, churn)
    among = model.margin(matrix[:100])
    np.testing.assert_array_equal([model.margin(matrix[[n]])[0] for n in range(100)], among)
    stored = AdditiveModel.from_document(json.loads(json.dumps(model.as_document())))
    np.testing.assert_array_equal(stored.margin(matrix[:100]), among)


def test_a_category_is_a_step_a_code() -> None:
    codes = np.repeat([0.0, 1.0, 2.0], 400).astype(np.float32)[:, None]
    churn = np.concatenate([np.zeros(400), np.arange(400) % 2, np.ones(400)]).astype(int)
    model = fit_additive(codes, churn, ["c"], [0], knots=8, penalty=1.0)
    steps = model.terms[0](np.array([0.0, 1.0, 2.0]))
    assert steps[0] < steps[1] < steps[2]


def test_the_better_of_two_models_weighs_more_and_trees_at_least_their_part() -> None:
    random = np.random.default_rng(2)
    logit = random.normal(size=6000) * 2
    churn = (random.random(6000) < 1 / (1 + np.exp(-logit))).astype(int)
    noisy = logit + random.normal(size=6000) * 3
    assert fit_tree_weight(np.column_stack([logit, noisy]), churn, 0.5) > 0.9
    assert fit_tree_weight(np.column_stack([noisy, logit]), churn, 0.5) == 0.5
    assert fit_tree_weight(np.column_stack([noisy, logit]), churn, 0.0) < 0.2


def test_contributions_of_a_blend_sum_to_its_margin(tmp_path: Path) -> None:
    settings, frame = gold.settings_for(tmp_path), gold.gold_frame(600)
    columns = gold.contract().experiment(settings, "E5_full")
    both = fit_classifier(frame, frame["churn"].to_numpy(), columns, settings)
    values, bias = both.contributions(frame)
    np.testing.assert_allclose(values.sum(axis=1) + bias, both.margin(frame), atol=1e-5)
    margins = both.margins(frame)
    assert margins.shape == (600, 2)
    assert np.abs(margins[:, 0] - margins[:, 1]).max() > 0.1
    alone = settings.with_overrides({"model.additive.knots": 0})
    trees = fit_classifier(frame, frame["churn"].to_numpy(), columns, alone)
    np.testing.assert_array_equal(trees.margin(frame), margins[:, 0].astype(np.float32))
