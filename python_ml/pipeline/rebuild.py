"""Any version can be made again from what it names: snapshot, split, settings and seed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version as library_version
from typing import Any

import numpy as np
import pandas as pd

from python_ml.contracts.gold import Column
from python_ml.engines import Warehouse, open_ledger, open_store
from python_ml.errors import SpanishGasError, UsageError
from python_ml.judge.snapshot import read_training_rows
from python_ml.judge.split import TRAIN, placed, split_hash
from python_ml.judge.untreated import read_weights, repeated
from python_ml.model.churn_model import ChurnModel
from python_ml.pipeline.identity import git_sha
from python_ml.pipeline.recalibrate import rows_to_calibrate_on
from python_ml.pipeline.train import fit_by_protocol, labelled
from python_ml.privacy.tombstones import read_tombstones
from python_ml.registry import RegisteredModel, open_registry
from python_ml.registry.base import calibrated_on, lineage
from python_ml.settings import Settings


@dataclass(frozen=True)
class RebuildResult:
    """A version made again, held against the registered one."""

    model_version: str
    registered_sha256: str
    rebuilt_sha256: str
    customer_count: int
    different_score_count: int
    changed_libraries: dict[str, str]
    trained_by: str | None  # commit of the code, where it is known and not today's

    @property
    def is_identical(self) -> bool:
        return self.registered_sha256 == self.rebuilt_sha256 and not self.different_score_count

    @property
    def message(self) -> str:
        verdict = "is identical" if self.is_identical else "differs"
        told = (
            f"{self.model_version} rebuilt {verdict}: sha256 {self.rebuilt_sha256[:16]}…, "
            f"registered {self.registered_sha256[:16]}…; {self.different_score_count:,} of "
            f"{self.customer_count:,} scores differ"
        )
        changes = ", ".join(f"{name} {change}" for name, change in self.changed_libraries.items())
        told += f"; libraries are others: {changes}" if changes else ""
        if self.is_identical or self.trained_by is None:
            return told
        return (
            f"{told}; the code is another: it was trained by commit {self.trained_by}, whose own "
            "`spanishgas rebuild` makes the same"
        )

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "is_identical": self.is_identical}

    def raise_if_different(self) -> None:
        """End the command where the version could not be made again.

        Raises:
            SpanishGasError: artifact or scores differ.
        """
        if not self.is_identical:
            raise SpanishGasError(self.message)


def rebuild_version(
    warehouse: Warehouse, settings: Settings, version: str | None = None
) -> RebuildResult:
    """Fit a version anew, in memory, and score its snapshot with both. Nothing is written.

    Features, fills and the settings of the model are those stored with the version, not today's.

    Args:
        warehouse: holds `ml.model_split`.
        settings: of the threads and the places.
        version: a registered version; the champion by default.

    Raises:
        UsageError: no such version, or one that cannot be made again.
        SpanishGasError: its snapshot or split is not the one it names.
    """
    registry = open_registry(settings)
    registered = registry.load(version or registry.require_champion())
    origin = registered.origin
    if "model_settings" not in origin:
        raise UsageError(
            f"{registered.version} was registered before versions kept their settings, so it "
            "cannot be rebuilt"
        )
    stones = read_tombstones(open_store(settings))
    if stones.now(origin["snapshot_sha256"]) != origin["snapshot_sha256"]:
        raise UsageError(
            f"{registered.version} was trained on rows of customers who have been forgotten since; "
            "it stays valid, but it cannot be made again to be compared"
        )
    frame = read_training_rows(settings, origin).frame
    split = warehouse.read_external("model_split", origin["run_id"])
    split = split[["customer_id", "split_part", "cv_fold"]]
    if split_hash(split) != origin["split_sha256"]:
        raise SpanishGasError(
            f"ml.model_split of run {origin['run_id']} is not the split that "
            f"{registered.version} names"
        )
    weights = read_weights(warehouse, origin["run_id"])
    if versions := lineage(origin):
        parent = registry.load(versions[-1]).model
        model = _recalibrated(frame, split, weights, registered, parent)
    else:
        model = _fit(frame, split, weights, registered, settings)
    theirs, ours = registered.model.predict(frame), model.predict(frame)
    libraries = origin["libraries"]
    now = {name: library_version(name) for name in libraries}
    return RebuildResult(
        model_version=registered.version,
        registered_sha256=registered.sha256,
        rebuilt_sha256=model.sha256(),
        customer_count=len(frame),
        different_score_count=int(np.any(theirs.to_numpy() != ours.to_numpy(), axis=1).sum()),
        changed_libraries={
            name: f"{then} → {now[name]}" for name, then in libraries.items() if then != now[name]
        },
        trained_by=_other_code(settings, origin["run_id"]),
    )


def _other_code(settings: Settings, run_id: str) -> str | None:
    """The commit that a run is on record with, unless it is the one of today."""
    found = [run.git_sha for run in open_ledger(settings).runs() if run.run_id == run_id]
    return found[0] if found and found[0] != git_sha() else None


def _recalibrated(
    frame: pd.DataFrame,
    split: pd.DataFrame,
    weights: pd.DataFrame,
    registered: RegisteredModel,
    parent: ChurnModel,
) -> ChurnModel:
    """The parent with its calibration refitted on the stored rows; the parent itself is rebuilt by
    its own name."""
    origin = registered.origin
    as_of_date = date.fromisoformat(origin["as_of_date"])
    rows = repeated(placed(labelled(frame, origin["target"]), split, as_of_date), weights)
    learned = rows_to_calibrate_on(rows, calibrated_on(origin))
    churn = learned[origin["target"]].to_numpy(dtype=np.int64)
    return parent.recalibrated(learned, churn, origin["model_settings"]["minimum_recall"])


def _fit(
    frame: pd.DataFrame,
    split: pd.DataFrame,
    weights: pd.DataFrame,
    registered: RegisteredModel,
    settings: Settings,
) -> ChurnModel:
    """The protocol on the stored rows, with the stored settings."""
    stored = registered.origin["model_settings"]
    settings = settings.with_overrides(
        {f"model.{name}": value for name, value in stored.items() if not isinstance(value, dict)}
        | {
            f"model.{name}.{inner}": value
            for name, section in stored.items()
            if isinstance(section, dict)
            for inner, value in section.items()
        }
    )
    columns = [
        Column(
            feature.name,
            "varchar" if feature.is_category else "double",
            "feature",
            fill=feature.fill,
            monotone=feature.monotone,
        )
        for feature in registered.model.classifier.preprocessor.features
    ]
    target, as_of_date = registered.origin["target"], registered.origin["as_of_date"]
    rows = placed(labelled(frame, target), split, date.fromisoformat(as_of_date))
    rows = repeated(rows, weights)
    training = rows[rows["split_part"] == TRAIN].reset_index(drop=True)
    return fit_by_protocol(training, columns, target, registered.model.experiment, settings).model
