"""A fitted churn model: trees and smooth terms, preprocessing, calibration, threshold, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb
from scipy.special import expit

from python_ml.contracts.gold import Column
from python_ml.errors import SpanishGasError
from python_ml.model.additive import AdditiveModel, fit_additive
from python_ml.model.calibrate import PlattScaling, choose_threshold, fit_platt
from python_ml.model.contributions import TreeTable, contributions, tree_tables
from python_ml.model.digest import model_digest
from python_ml.model.preprocess import Preprocessor
from python_ml.settings import Settings


@dataclass(frozen=True)
class Classifier:
    """Boosted trees and smooth terms on the same columns, and the preprocessing in front of them.

    The log-odds are `tree_weight` parts those of the trees; the rest is those of the smooth terms,
    which there may be none of.
    """

    preprocessor: Preprocessor
    booster: xgb.Booster
    additive: AdditiveModel | None = None
    tree_weight: float = 1.0

    def _rows(self, matrix: np.ndarray) -> xgb.DMatrix:
        return xgb.DMatrix(
            matrix,
            feature_names=self.preprocessor.encoded_names,
            feature_types=self.preprocessor.feature_types,
            enable_categorical=True,
        )

    def margin(self, frame: pd.DataFrame) -> np.ndarray:
        """Uncalibrated log-odds of n rows."""
        return self.blended(self.margins(frame))

    def margins(self, frame: pd.DataFrame) -> np.ndarray:
        """Log-odds of n rows by the trees and by the smooth terms, where there are any: n × 2 or
        n × 1."""
        matrix = self.preprocessor.transform(frame)
        trees = self.booster.predict(self._rows(matrix), output_margin=True)
        if self.additive is None:
            return trees[:, None]
        return np.column_stack([trees.astype(np.float64), self.additive.margin(matrix)])

    def blended(self, margins: np.ndarray) -> np.ndarray:
        """The log-odds that `margins` come to."""
        if self.additive is None:
            return margins[:, 0]
        return self.tree_weight * margins[:, 0] + (1 - self.tree_weight) * margins[:, 1]

    @cached_property
    def _tables(self) -> list[TreeTable] | None:
        return tree_tables(self.booster)

    def contributions(self, frame: pd.DataFrame, threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """What each feature adds to the log-odds of each row: TreeSHAP of the trees, and the smooth
        terms themselves.

        Returns:
            n × features, the one-hot columns of a category summed back to it, and n biases. Each
            row and its bias sum to the margin.
        """
        matrix = self.preprocessor.transform(frame)
        if self._tables is None:
            rows = self._rows(matrix)
            values = self.booster.predict(rows, pred_contribs=True).astype(np.float64)
        else:
            values = contributions(self.booster, self._tables, matrix, threads)
        if self.additive is not None:
            smooth = self.additive.contributions(matrix)
            values = self.tree_weight * values + (1 - self.tree_weight) * smooth
        starts = np.flatnonzero(np.diff(self.preprocessor.sources, prepend=-1))
        return np.add.reduceat(values[:, :-1], starts, axis=1), values[:, -1]


@dataclass(frozen=True)
class ChurnModel:
    """What is shipped: everything that turns a row of gold_master into a decision."""

    experiment: str
    classifier: Classifier
    calibration: PlattScaling
    threshold: float
    parameters: dict[str, Any]
    # Earlier versions had one. Nothing reads it, but it is part of their hash.
    interval: Mapping[str, Any] | None = None

    @property
    def features(self) -> list[str]:
        return [feature.name for feature in self.classifier.preprocessor.features]

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """raw_score (uncalibrated, 0 to 1), churn_probability (calibrated) and is_flagged of n
        rows, in their order."""
        margin = self.classifier.margin(frame)
        probability = self.calibration.probability(margin)
        return pd.DataFrame(
            {
                "raw_score": expit(margin.astype(np.float64)),
                "churn_probability": probability,
                "is_flagged": probability >= self.threshold,
            }
        )

    def recalibrated(
        self, frame: pd.DataFrame, churn: np.ndarray, minimum_recall: float
    ) -> ChurnModel:
        """The same model with calibration and threshold learned from n rows that it has not seen.

        Args:
            frame: n rows of gold_master.
            churn: n labels, 0 or 1.
            minimum_recall: that the threshold keeps.
        """
        margin = self.classifier.margin(frame)
        calibration = fit_platt(margin, churn)
        threshold = choose_threshold(calibration.probability(margin), churn, minimum_recall)
        return replace(self, calibration=calibration, threshold=threshold)

    def check_features(self, columns: Sequence[Column]) -> None:
        """The gold layer offers just the features that the model was trained on, filled alike.

        Raises:
            SpanishGasError: a feature is missing, new, of another kind or filled otherwise.
        """
        ours = {(f.name, f.is_category, f.fill) for f in self.classifier.preprocessor.features}
        theirs = {(c.name, c.is_category, c.fill) for c in columns}
        if ours != theirs:
            raise SpanishGasError(
                f"the model's features are not those of {self.experiment} in gold_master: missing "
                f"or changed {sorted(name for name, *_ in ours - theirs)}, new or changed "
                f"{sorted(name for name, *_ in theirs - ours)}; train a new model"
            )

    def definition(self) -> dict[str, Any]:
        """All but the trees, as a JSON document."""
        additive = self.classifier.additive
        smooth = (
            {"tree_weight": self.classifier.tree_weight, "additive": additive.as_document()}
            if additive
            else {}
        )
        return {
            **smooth,
            "experiment": self.experiment,
            "preprocessing": self.classifier.preprocessor.as_document(),
            "calibration": {
                "method": "platt",
                "slope": self.calibration.slope,
                "intercept": self.calibration.intercept,
            },
            **({"interval": self.interval} if self.interval else {}),
            "threshold": self.threshold,
            "parameters": self.parameters,
        }

    def booster_bytes(self) -> bytes:
        """XGBoost's own JSON."""
        return bytes(self.classifier.booster.save_raw("json"))

    def sha256(self) -> str:
        """Hash of everything that decides a score."""
        return model_digest(self.definition(), self.booster_bytes())

    @classmethod
    def from_parts(cls, definition: Mapping[str, Any], booster: bytes, threads: int) -> ChurnModel:
        """The inverse of `definition` and `booster_bytes`."""
        trees = xgb.Booster({"nthread": threads})
        trees.load_model(bytearray(booster))
        calibration = definition["calibration"]
        return cls(
            experiment=definition["experiment"],
            classifier=Classifier(
                Preprocessor.from_document(definition["preprocessing"]),
                trees,
                AdditiveModel.from_document(definition["additive"])
                if "additive" in definition
                else None,
                definition.get("tree_weight", 1.0),
            ),
            calibration=PlattScaling(calibration["slope"], calibration["intercept"]),
            interval=definition.get("interval"),
            threshold=definition["threshold"],
            parameters=dict(definition["parameters"]),
        )


def fit_classifier(
    frame: pd.DataFrame,
    churn: np.ndarray,
    columns: Sequence[Column],
    settings: Settings,
) -> Classifier:
    """Preprocessing, trees and smooth terms, all learned on these rows alone.

    It takes one thread. At this size XGBoost's own threads wait for each other more than they work,
    many times over on a busy machine; whole fits run side by side instead, and the result is the
    same, bit for bit, for the same rows in the same order, whatever the number of processors.

    Args:
        frame: n rows of gold_master.
        churn: n labels, 0 or 1.
        columns: features to learn from.
        settings: of the model.
    """
    preprocessor = Preprocessor.fit(frame, columns, settings.model.category_encoding)
    parameters = booster_parameters(settings)
    if any(preprocessor.directions):
        parameters["monotone_constraints"] = tuple(preprocessor.directions)
    rounds = parameters.pop("n_estimators")
    matrix = preprocessor.transform(frame)
    rows = xgb.QuantileDMatrix(
        matrix,
        churn,
        feature_names=preprocessor.encoded_names,
        feature_types=preprocessor.feature_types,
        enable_categorical=True,
        nthread=1,
    )
    parameters["nthread"] = 1
    booster = xgb.train(parameters, rows, num_boost_round=rounds)
    smooth = settings.model.additive
    if smooth.knots == 0:
        return Classifier(preprocessor, booster)
    additive = fit_additive(
        matrix,
        churn,
        preprocessor.feature_types,
        preprocessor.directions,
        knots=smooth.knots,
        penalty=smooth.penalty,
    )
    return Classifier(preprocessor, booster, additive, smooth.minimum_tree_weight)


def booster_parameters(settings: Settings) -> dict[str, Any]:
    """XGBoost's parameters."""
    return {
        "objective": "binary:logistic",
        "tree_method": "hist",
        **settings.model.xgboost.as_dict(),
        "seed": settings.model.seed,
    }
