"""Fit a candidate by the protocol: nothing is learned from a row of the test part."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import date
from importlib.metadata import version as library_version
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from python_ml.contracts.gold import Column, GoldContract
from python_ml.engines import Warehouse
from python_ml.errors import BadInputError
from python_ml.judge.audit import audit_training, findings_table
from python_ml.judge.fingerprint import data_fingerprint
from python_ml.judge.metrics import calibration_metrics, decision_metrics, ranking_metrics
from python_ml.judge.sample import sample_of_date
from python_ml.judge.shipped import calibration_covariance
from python_ml.judge.snapshot import take_snapshot, training_rows_of
from python_ml.judge.split import TRAIN, of_date, placed, split_by_customer, split_hash
from python_ml.judge.untreated import (
    repeated,
    untreated_weights,
    without_treated,
    write_weights,
)
from python_ml.model.calibrate import choose_threshold, fit_platt, fit_tree_weight
from python_ml.model.churn_model import ChurnModel, Classifier, booster_parameters, fit_classifier
from python_ml.pipeline.results import TrainResult
from python_ml.registry import Registry, open_registry
from python_ml.registry.base import customer_share
from python_ml.settings import Settings
from python_ml.transform.sentiment import sentiment_backend

SENTIMENT_TIER = "2B"


@dataclass(frozen=True)
class FittedModel:
    """A model, and the calibrated out-of-fold probabilities of its training rows."""

    model: ChurnModel
    out_of_fold: np.ndarray


def train(
    warehouse: Warehouse,
    settings: Settings,
    contract: GoldContract,
    run_id: str,
    as_of_date: date,
    *,
    earlier: Sequence[date] = (),
    scoring_as_of_date: date | None = None,
) -> TrainResult:
    """Fit the champion's experiment and register it, pending approval.

    Labels of customers who were offered something in a campaign are left out, and the control
    groups stand for them (untreated.py).

    Writes the snapshot of the rows, `model_split`, `training_weight`, `leakage_audit` and the model
    version `churn-<run_id>`.

    Args:
        as_of_date: the newest date to learn from; the test part and the audit are of it alone.
        earlier: more dates to learn from, oldest first, with horizons that do not overlap.
        scoring_as_of_date: of the batch, whose customers are to be scored; the same by default.

    Raises:
        SpanishGasError: gold breaks its contract, or (BadInputError) there are too few labels.
    """
    start = time.perf_counter()
    scored_on = scoring_as_of_date or as_of_date
    days = [*earlier, as_of_date]
    taken = take_rows(warehouse, settings, contract, run_id, days, scored_on)
    rows = taken.rows
    experiment, message = choose_experiment(settings)
    columns = contract.learned(settings, experiment)
    training = rows[rows["split_part"] == TRAIN].reset_index(drop=True)
    target, version = contract.target, f"churn-{run_id}"
    fitted = fit_by_protocol(training, columns, target, experiment, settings)
    counts = _counts(rows, target)
    # One date, as for the champion that they are compared with, and as of a customer's one row.
    is_newest = (pd.to_datetime(training["as_of_date"]) == pd.Timestamp(as_of_date)).to_numpy()
    newest = training[is_newest].reset_index(drop=True)
    out_of_fold = fitted.out_of_fold[is_newest]
    metrics = out_of_fold_metrics(fitted.model.threshold, out_of_fold, newest[target], settings)
    origin = {**taken.origin, **counts, "out_of_fold": metrics, **_means(settings, columns)}
    origin["calibration_covariance"] = calibration_covariance(fitted.out_of_fold).tolist()
    registry = open_registry(settings)
    digest = registry.register(version, fitted.model, origin)
    findings = audit_training(
        warehouse,
        settings,
        newest,
        columns,
        contract,
        as_of_date,
        out_of_fold,
        previous=_previous(registry),
    )
    warehouse.write_external("leakage_audit", findings_table(findings, version), run_id)
    return TrainResult(
        model_version=version,
        sha256=digest,
        experiment=experiment,
        message=message
        + _without(contract, settings, experiment)
        + _when(days, scored_on)
        + drawn_from(taken.origin),
        as_of_date=as_of_date,
        scoring_as_of_date=scored_on,
        feature_count=len(columns),
        **counts,
        threshold=fitted.model.threshold,
        out_of_fold=metrics,
        alarms=[finding.alarm for finding in findings if finding.alarm],
        seconds=time.perf_counter() - start,
        recalibrated_from=None,
    )


@dataclass(frozen=True)
class TakenRows:
    """Labelled rows of a run with split_part and cv_fold, each as often as its label counts."""

    rows: pd.DataFrame
    origin: dict[str, Any]  # what a version says of them, by which they are found again


def take_rows(
    warehouse: Warehouse,
    settings: Settings,
    contract: GoldContract,
    run_id: str,
    days: Sequence[date],
    scoring_as_of_date: date,
    rotated_on: date | None = None,
) -> TakenRows:
    """Take the rows that a version is learned from and judged on, and keep them under the run's id:
    snapshot, `model_split` and `training_weight`.

    Args:
        days: as-of dates, oldest first; the test part is of the last.
        scoring_as_of_date: of the batch.
        rotated_on: the date by which the test part is drawn; by default the last of `days`.

    Raises:
        SpanishGasError: gold breaks its contract, or (BadInputError) there are too few labels.
    """
    *earlier, as_of_date = days
    sample = sample_of_date(warehouse, as_of_date, settings.model.maximum_customer_count)
    dates: dict[str, Any] = {
        "customer_share": sample.share,
        "as_of_date": f"{as_of_date}",
        "scoring_as_of_date": f"{scoring_as_of_date}",
        "training_as_of_dates": [f"{day}" for day in days],
    }
    kind = training_rows_of(dates)
    snapshot = take_snapshot(
        warehouse, settings, contract, run_id, as_of_date, kind, earlier, sample
    )
    weights = untreated_weights(warehouse, settings, days)
    write_weights(warehouse, weights, run_id)
    rows = labelled_rows(snapshot.frame, contract, settings, as_of_date, weights, rotated_on)
    split = rows[["customer_id", "split_part", "cv_fold"]].drop_duplicates(ignore_index=True)
    warehouse.write_external("model_split", split.assign(as_of_date=as_of_date), run_id)
    origin = {
        "run_id": run_id,
        **dates,
        "target": contract.target,
        "snapshot_sha256": snapshot.sha256,
        "split_sha256": split_hash(split),
        "absent": sorted(contract.absent),
        "switched_off": [column.name for column in contract.switched_off],
        "data_fingerprint": asdict(data_fingerprint(warehouse, as_of_date)),
    }
    return TakenRows(repeated(rows, weights), origin)


def _previous(registry: Registry) -> tuple[str, float] | None:
    """The champion and its PR-AUC out of fold, which the audit compares with."""
    if (champion := registry.champion()) is None:
        return None
    return champion, registry.load(champion).origin["out_of_fold"]["pr_auc"]


def _counts(rows: pd.DataFrame, target: str) -> dict[str, int]:
    is_training = rows["split_part"] == TRAIN
    return {
        "train_count": int(is_training.sum()),
        "train_churner_count": int(rows.loc[is_training, target].sum()),
        "test_count": int((~is_training).sum()),
    }


def _without(contract: GoldContract, settings: Settings, experiment: str) -> str:
    """For the summary, the features of the experiment that the batch lacks the data of."""
    tiers = settings.experiments[experiment]
    off = [c.name for c in contract.switched_off if c.role == "feature" and c.tier in tiers]
    if not off:
        return ""
    return f" without {len(off)} features that rest on missing data ({', '.join(off)})"


def _when(days: Sequence[date], scoring_as_of_date: date) -> str:
    """For the summary, where a model learns from other dates than it is to score."""
    *earlier, newest = days
    told = ""
    if newest != scoring_as_of_date:
        told = (
            f" on labels of {newest}, the newest that had matured by {scoring_as_of_date}, as of "
            "which customers are scored"
        )
    if earlier:
        told += f"; it learns from labels of {', '.join(map(str, earlier))} too"
    return told


def drawn_from(origin: Mapping[str, Any]) -> str:
    """For the summary, where not all customers are learned from."""
    share = customer_share(origin)
    return "" if share == 1 else f", a random {share:.1%} of the customers"


def _means(settings: Settings, columns: Sequence[Column]) -> dict[str, Any]:
    """What a version was made with: it is fitted anew with the same (`spanishgas rebuild`)."""
    uses_sentiment = any(column.tier == SENTIMENT_TIER for column in columns)
    return {
        "model_settings": settings.model.as_dict(),
        "sentiment_backend": sentiment_backend(settings) if uses_sentiment else None,
        "libraries": {
            name: library_version(name) for name in ("xgboost-cpu", "scipy", "numpy", "pandas")
        },
    }


def choose_experiment(settings: Settings) -> tuple[str, str]:
    """The experiment to train, and a sentence for the summary."""
    if settings.sentiment.backend == "none":
        fallback = settings.model.fallback_experiment
        return fallback, f"no sentiment, so {fallback} is trained in place of the champion's set"
    return settings.model.experiment, f"{settings.model.experiment} is trained"


def labelled_rows(
    frame: pd.DataFrame,
    contract: GoldContract,
    settings: Settings,
    as_of_date: date,
    weights: pd.DataFrame | None = None,
    rotated_on: date | None = None,
) -> pd.DataFrame:
    """The rows of a snapshot that carry a label, sorted by customer, with split_part and cv_fold.

    Args:
        frame: rows of one as-of date, or of several whose horizons do not overlap.
        contract: of gold_master.
        settings: of the model.
        as_of_date: the newest; the test part is of it.
        weights: how often labels of customers of campaigns count (untreated.py).
        rotated_on: as-of date whose test part is used; the newest by default.

    Raises:
        BadInputError: there are none of the newest date, or too few.
    """
    rows = labelled(frame, contract.target)
    if weights is not None:
        rows = without_treated(rows, weights)
    if of_date(rows, as_of_date).empty:
        raise BadInputError(
            f"churn_label, column label_date: none of {len(frame):,} customers has a label of "
            f"{as_of_date}. Deliver labels of that date, or score with the "
            "champion: spanishgas run --mode score."
        )
    try:
        split = split_by_customer(
            rows,
            contract.target,
            as_of_date,
            seed=settings.model.seed,
            test_share=settings.model.test_share,
            folds=settings.model.folds,
            rotated_on=rotated_on,
        )
    except BadInputError as error:
        raise BadInputError(
            f"churn_label, labels of {as_of_date}: {error}. Deliver more labels, or score with the "
            "champion: spanishgas run --mode score."
        ) from error
    return placed(rows, split, as_of_date)


def labelled(frame: pd.DataFrame, target: str) -> pd.DataFrame:
    """Rows with a label, sorted by customer and date, of each customer up to the first that says
    that the customer left: there is nobody later who could be lost."""
    rows = frame[frame[target].notna()].sort_values(["customer_id", "as_of_date"])
    left = rows[target].astype(int).groupby(rows["customer_id"]).cumsum() - rows[target].astype(int)
    return rows[left == 0].reset_index(drop=True)


def fit_by_protocol(
    training: pd.DataFrame,
    columns: Sequence[Column],
    target: str,
    experiment: str,
    settings: Settings,
) -> FittedModel:
    """Blend, calibration and threshold on out-of-fold scores; the final fit on all rows.

    Args:
        training: the training part, with cv_fold.
        columns: features to use.
        target: name of the label column.
        experiment: name to store with the model.
        settings: of the model.
    """
    churn = training[target].to_numpy(dtype=np.int64)
    fold = training["cv_fold"].to_numpy(dtype=np.int64)

    def fit(rows: np.ndarray) -> Classifier:
        return fit_classifier(training[rows], churn[rows], columns, settings)

    def of_fold(number: int) -> tuple[np.ndarray, np.ndarray]:
        held_out = fold == number
        return held_out, fit(~held_out).margins(training[held_out])

    # Fits run side by side, each with one thread of linear algebra, however many were asked for.
    with threadpool_limits(1), ThreadPoolExecutor(settings.threads) as pool:
        final = pool.submit(fit, np.ones(len(training), dtype=bool))
        parts = list(pool.map(of_fold, np.unique(fold)))
    margins = np.empty((len(training), parts[0][1].shape[1]), dtype=parts[0][1].dtype)
    for held_out, of_part in parts:
        margins[held_out] = of_part
    classifier = final.result()
    if classifier.additive is not None:
        least = settings.model.additive.minimum_tree_weight
        share = fit_tree_weight(margins, churn, least)
        classifier = replace(classifier, tree_weight=share)
    margin = classifier.blended(margins)
    calibration = fit_platt(margin, churn)
    probability = calibration.probability(margin)
    model = ChurnModel(
        experiment=experiment,
        classifier=classifier,
        calibration=calibration,
        threshold=choose_threshold(probability, churn, settings.model.minimum_recall),
        parameters=booster_parameters(settings),
    )
    return FittedModel(model, probability)


def out_of_fold_metrics(
    threshold: float, probability: np.ndarray, labels: pd.Series, settings: Settings
) -> dict[str, float]:
    """Figures of n calibrated probabilities of rows that the model has not learned from."""
    churn = labels.to_numpy(dtype=np.int64)
    once = np.ones((1, len(churn)), dtype=np.uint8)
    decided = decision_metrics(churn, probability >= threshold, once)
    metrics = {
        **ranking_metrics(churn, probability, once),
        **calibration_metrics(churn, probability, once, settings.evaluate.calibration_bins),
        **{name: decided[name] for name in ("precision", "recall", "f1")},
    }
    return {name: float(value[0]) for name, value in metrics.items()}
