"""Refit the calibration of a version on months that have matured since it was trained.

Trees, smooth terms and their blend stay as they are: the ranking of customers is the parent's. The
map from score to probability and the threshold are learned from later dates than those that the
parent learned from, and judged on a later date still, by whose time their labels had matured, on
customers whom neither has learned from. The result is a version of its own, pending approval, that
must pass the gate like any other.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from python_ml.contracts.gold import GoldContract
from python_ml.engines import Warehouse
from python_ml.judge.audit import audit_training, findings_table
from python_ml.judge.shipped import calibration_covariance
from python_ml.judge.split import TRAIN, of_date
from python_ml.pipeline.results import TrainResult
from python_ml.pipeline.train import drawn_from, out_of_fold_metrics, take_rows
from python_ml.registry import RegisteredModel, open_registry
from python_ml.registry.base import calibrated_on, fitted_until, lineage
from python_ml.settings import Settings


def recalibrate(
    warehouse: Warehouse,
    settings: Settings,
    contract: GoldContract,
    run_id: str,
    parent_version: str,
    calibrate_on: Sequence[date],
    as_of_date: date,
    scoring_as_of_date: date,
) -> TrainResult:
    """Fit a new calibration and threshold to a version and register it, pending approval.

    Writes what a training writes: snapshot, `model_split`, `training_weight`, `leakage_audit`, and
    the version `churn-<run_id>`. The test part is that of the parent, as far as its customers are
    still there, and a share of those who have come since.

    Args:
        parent_version: any registered version.
        calibrate_on: as-of dates to learn from, oldest first; all later than those that the
            parent's trees learned from, and known by `as_of_date`.
        as_of_date: whose test part it is judged on; nothing is learned from it.
        scoring_as_of_date: of the batch.

    Raises:
        SpanishGasError: gold breaks its contract or lacks what the version reads, or
            (BadInputError) there are too few labels.
    """
    start = time.perf_counter()
    registry = open_registry(settings)
    parent = registry.load(parent_version)
    drawn_on = date.fromisoformat(fitted_until(parent.origin))
    days = [*calibrate_on, as_of_date]
    taken = take_rows(
        warehouse, settings, contract, run_id, days, scoring_as_of_date, rotated_on=drawn_on
    )
    rows = taken.rows
    learned = rows_to_calibrate_on(rows, [f"{day}" for day in calibrate_on])
    target = contract.target
    churn = learned[target].to_numpy(dtype=np.int64)
    model = parent.model.recalibrated(learned, churn, settings.model.minimum_recall)
    probability = model.predict(learned)["churn_probability"].to_numpy()
    metrics = out_of_fold_metrics(model.threshold, probability, learned[target], settings)
    counts = {
        "train_count": len(learned),
        "train_churner_count": int(churn.sum()),
        "test_count": int((rows["split_part"] != TRAIN).sum()),
    }
    version = f"churn-{run_id}"
    origin = {
        **taken.origin,
        **counts,
        "out_of_fold": metrics,
        "model_settings": {
            **parent.origin.get("model_settings", {}),
            "minimum_recall": settings.model.minimum_recall,
        },
        "sentiment_backend": parent.origin["sentiment_backend"],
        "libraries": parent.origin.get("libraries", {}),
        "calibration_covariance": calibration_covariance(probability).tolist(),
        "recalibration": _descent(parent, calibrate_on),
    }
    digest = registry.register(version, model, origin)
    audited = of_date(rows[rows["split_part"] == TRAIN], as_of_date).reset_index(drop=True)
    columns = [column for column in contract.features if column.name in set(model.features)]
    findings = audit_training(
        warehouse,
        settings,
        audited,
        columns,
        contract,
        as_of_date,
        model.predict(audited)["churn_probability"].to_numpy(),
    )
    warehouse.write_external("leakage_audit", findings_table(findings, version), run_id)
    told = ", ".join(map(str, calibrate_on))
    return TrainResult(
        model_version=version,
        sha256=digest,
        experiment=model.experiment,
        message=f"{parent_version} is recalibrated on labels of {told}, to be judged on labels of "
        f"{as_of_date}{drawn_from(taken.origin)}",
        as_of_date=as_of_date,
        scoring_as_of_date=scoring_as_of_date,
        feature_count=len(model.features),
        **counts,
        threshold=model.threshold,
        out_of_fold=metrics,
        alarms=[finding.alarm for finding in findings if finding.alarm],
        seconds=time.perf_counter() - start,
        recalibrated_from=parent_version,
    )


def rows_to_calibrate_on(rows: pd.DataFrame, dates: Sequence[str]) -> pd.DataFrame:
    """Rows of the training part of these as-of dates (YYYY-MM-DD)."""
    is_of_dates = pd.to_datetime(rows["as_of_date"]).isin(pd.to_datetime(list(dates)))
    return rows[(rows["split_part"] == TRAIN) & is_of_dates].reset_index(drop=True)


def without_unused_rows(rows: pd.DataFrame, origin: dict[str, Any]) -> pd.DataFrame:
    """Rows of a version less those that a recalibration learned nothing from, which are of the
    date that it is judged on; all of a version that was trained."""
    if not (dates := calibrated_on(origin)):
        return rows
    used = pd.to_datetime(rows["as_of_date"]).isin(pd.to_datetime(dates))
    return rows[used | (rows["split_part"] != TRAIN)].reset_index(drop=True)


def _descent(parent: RegisteredModel, calibrate_on: Sequence[date]) -> dict[str, Any]:
    """What the registry keeps of where a recalibrated version comes from."""
    before = parent.model.calibration
    return {
        "lineage": [*lineage(parent.origin), parent.version],
        "parent_sha256": parent.sha256,
        "fitted_until": fitted_until(parent.origin),
        "as_of_dates": [f"{day}" for day in calibrate_on],
        "calibration_before": {"slope": before.slope, "intercept": before.intercept},
        "threshold_before": parent.model.threshold,
    }
