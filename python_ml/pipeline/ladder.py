"""The ladder: what each group of features adds, to three kinds of model, on the stored split.

Every cell learns its preprocessing (levels, medians, scales) from the rows that it is fitted on, so
that neither the test part nor a held-out fold leaks into it. Settings are fixed (`ladder` in the
settings), not tuned: the ladder compares features, and the champion has its own protocol.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import xgboost as xgb
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from python_ml.contracts.gold import Column, GoldContract
from python_ml.documents import json_rows
from python_ml.engines import Warehouse
from python_ml.judge.metrics import Estimate, estimate, ranking_metrics, resample_weights
from python_ml.judge.split import TEST, of_date
from python_ml.model.preprocess import ONE_HOT, Preprocessor
from python_ml.pipeline.evaluate import stored_rows
from python_ml.progress import Reporter, silent
from python_ml.registry import open_registry
from python_ml.settings import Settings

LOGISTIC, FOREST, XGBOOST = "logistic_regression", "random_forest", "xgboost"
KINDS = (LOGISTIC, FOREST, XGBOOST)


@dataclass(frozen=True)
class LadderResult:
    """Rows of `ml.model_ladder`, one a cell."""

    model_version: str
    as_of_date: date
    cells: pd.DataFrame
    seconds: float


@dataclass(frozen=True)
class LadderReport:
    """Rows of mart_model_ladder, and where they are drawn."""

    document_name: ClassVar[str] = "ladder"

    model_version: str
    cells: pd.DataFrame
    plot: Path
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "model_version": self.model_version,
            "seconds": round(self.seconds, 3),
            "plot": str(self.plot),
            "cells": json_rows(self.cells),
        }


@dataclass(frozen=True)
class _Task:
    """One fit: on the training part (fold 0), or on all of it but one fold."""

    experiment: str
    kind: str
    fold: int


def climb_ladder(
    warehouse: Warehouse,
    settings: Settings,
    contract: GoldContract,
    run_id: str,
    model_version: str | None = None,
    progress: Reporter = silent,
) -> LadderResult:
    """Fit every experiment with every kind of model; writes `model_ladder`.

    Args:
        warehouse: where the split of the version lies.
        settings: ladder, experiments, evaluation.
        contract: of gold_master.
        run_id: to write under.
        model_version: whose rows and split are used; the champion by default.
        progress: hears of each cell.

    Raises:
        SpanishGasError: there is no champion, or its snapshot is not what it names.
    """
    start = time.perf_counter()
    registry = open_registry(settings)
    registered = registry.load(model_version or registry.require_champion())
    as_of_date = date.fromisoformat(registered.origin["as_of_date"])
    # One date shows what features add, as well as several would, and as fast for any number.
    rows = of_date(stored_rows(warehouse, settings, registered), as_of_date)
    rows = rows.reset_index(drop=True)
    fold = rows["cv_fold"].fillna(0).to_numpy(dtype=np.int64)  # 0 is the test part
    is_test = (rows["split_part"] == TEST).to_numpy()
    churn = rows[contract.target].to_numpy(dtype=np.int64)
    # The published peers knew no directions, and linear models and forests cannot.
    columns = {
        name: [replace(column, monotone=None) for column in contract.experiment(settings, name)]
        for name in settings.experiments
    }
    finished = _fit_all(rows, churn, fold, columns, settings, progress)
    weights = resample_weights(
        int(is_test.sum()), settings.evaluate.bootstrap_count, settings.model.seed
    )
    cells = [
        _cell(
            [(t.fold, score, seconds) for t, score, seconds in finished if _is(t, name, kind)],
            churn,
            fold,
            weights,
            settings.evaluate.confidence,
        )
        | {"experiment": name, "model_kind": kind, "feature_count": len(columns[name])}
        for name in columns
        for kind in KINDS
    ]
    frame = pd.DataFrame(cells).assign(
        model_version=registered.version,
        as_of_date=as_of_date,
        test_count=int(is_test.sum()),
        test_churner_count=int(churn[is_test].sum()),
    )
    warehouse.write_external("model_ladder", frame, run_id)
    return LadderResult(registered.version, as_of_date, frame, time.perf_counter() - start)


def _fit_all(
    rows: pd.DataFrame,
    churn: np.ndarray,
    fold: np.ndarray,
    columns: Mapping[str, Sequence[Column]],
    settings: Settings,
    progress: Reporter,
) -> list[tuple[_Task, np.ndarray, float]]:
    """Every fit with the scores of the rows that it has not seen, and its seconds.

    Args:
        rows: gold, training part and test part.
        churn: 0 or 1 a row.
        fold: a row's fold, 0 for the test part.
        columns: features by experiment.
    """
    tasks = _tasks(list(columns), sorted(set(fold[fold > 0])))
    done = 0

    def run_task(task: _Task) -> tuple[_Task, np.ndarray, float]:
        nonlocal done
        begun = time.perf_counter()
        held_out = fold == task.fold
        fitted = (fold > 0) & ~held_out
        score = fit_and_score(
            task.kind,
            columns[task.experiment],
            rows[fitted],
            churn[fitted],
            rows[held_out],
            settings,
        )
        done += 1
        progress(f"{task.experiment}, {task.kind.replace('_', ' ')}", done / len(tasks))
        return task, score, time.perf_counter() - begun

    with ThreadPoolExecutor(settings.threads) as pool:
        return list(pool.map(run_task, tasks))


def _is(task: _Task, experiment: str, kind: str) -> bool:
    return task.experiment == experiment and task.kind == kind


def _tasks(experiments: Sequence[str], folds: Sequence[int]) -> list[_Task]:
    """All fits, the slow kinds first, so that no thread is left with a long one at the end."""
    return [
        _Task(experiment, kind, int(fold))
        for kind in (FOREST, XGBOOST, LOGISTIC)
        for experiment in reversed(experiments)
        for fold in (0, *folds)
    ]


def _cell(
    parts: list[tuple[int, np.ndarray, float]],
    churn: np.ndarray,
    fold: np.ndarray,
    weights: np.ndarray,
    confidence: float,
) -> dict[str, Any]:
    """Figures of one cell: the test part with intervals, mean and spread of the folds."""
    by_fold = {number: score for number, score, _ in parts}
    test = estimate(partial(ranking_metrics, churn[fold == 0], by_fold.pop(0)), weights, confidence)
    held_out = [
        {name: float(value[0]) for name, value in _plain(churn[fold == number], score).items()}
        for number, score in by_fold.items()
    ]
    figures: dict[str, Any] = {"seconds": sum(seconds for *_, seconds in parts)}
    for name in ("pr_auc", "roc_auc"):
        found: Estimate = test[name]
        of_folds = [metrics[name] for metrics in held_out]
        figures |= {
            f"test_{name}": found.value,
            f"test_{name}_ci_low": found.low,
            f"test_{name}_ci_high": found.high,
            f"cv_{name}_mean": float(np.mean(of_folds)),
            f"cv_{name}_sd": float(np.std(of_folds, ddof=1)),
        }
    return figures


def _plain(churn: np.ndarray, score: np.ndarray) -> dict[str, np.ndarray]:
    return ranking_metrics(churn, score, np.ones((1, len(churn)), dtype=np.uint8))


def fit_and_score(
    kind: str,
    columns: Sequence[Column],
    training: pd.DataFrame,
    churn: np.ndarray,
    held_out: pd.DataFrame,
    settings: Settings,
) -> np.ndarray:
    """Scores of the held-out rows. One thread a fit: whole fits run side by side."""
    preprocessor = Preprocessor.fit(training, columns, ONE_HOT)
    matrix, other = preprocessor.transform(training), preprocessor.transform(held_out)
    seed, ladder = settings.model.seed, settings.ladder
    if kind == XGBOOST:
        parameters = ladder.xgboost.as_dict()
        rounds = parameters.pop("n_estimators")
        parameters |= {"objective": "binary:logistic", "tree_method": "hist", "seed": seed}
        parameters |= {"scale_pos_weight": float((churn == 0).sum() / (churn == 1).sum())}
        parameters |= {"nthread": 1}
        data = xgb.QuantileDMatrix(matrix, churn, nthread=1)
        booster = xgb.train(parameters, data, num_boost_round=rounds)
        return booster.predict(xgb.DMatrix(other, nthread=1), output_margin=True)
    matrix, other = _without_gaps(matrix, other)
    if kind == FOREST:
        forest = RandomForestClassifier(
            **ladder.random_forest.as_dict(), n_jobs=1, random_state=seed
        )
        probability: np.ndarray = forest.fit(matrix, churn).predict_proba(other)[:, 1]
        return probability
    mean, spread = matrix.mean(axis=0), matrix.std(axis=0)
    spread[spread == 0] = 1
    linear = LogisticRegression(**ladder.logistic_regression.as_dict())
    linear.fit((matrix - mean) / spread, churn)
    margin: np.ndarray = linear.decision_function((other - mean) / spread)
    return margin


def _without_gaps(matrix: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both with the training rows' median in place of what is missing; 0 where all is."""
    known = ~np.isnan(matrix).all(axis=0)
    median = np.zeros(matrix.shape[1], dtype=matrix.dtype)
    median[known] = np.nanmedian(matrix[:, known], axis=0)
    return np.where(np.isnan(matrix), median, matrix), np.where(np.isnan(other), median, other)
