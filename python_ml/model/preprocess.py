"""From rows of gold_master to the numbers a model is fitted on, the same in training and scoring.

Fills come from the contract; the levels of categories are learned, on training rows only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from python_ml.contracts.gold import INCREASING, Column, Monotone
from python_ml.errors import SpanishGasError

ONE_HOT, NATIVE = "one_hot", "native"


@dataclass(frozen=True)
class Feature:
    """One feature as the model knows it; `levels` of a category are in alphabetical order, or in
    that of the score where the contract gives one."""

    name: str
    is_category: bool
    fill: str | float | None
    levels: tuple[str, ...] = ()
    monotone: Monotone | None = None

    @property
    def is_ordered(self) -> bool:
        """The levels are ranks: one number a row, missing for a level that has no rank."""
        return self.is_category and isinstance(self.monotone, Sequence)


@dataclass(frozen=True)
class Preprocessor:
    """Encodes features. A level that training has not seen belongs to no column (one-hot) or is
    missing (native)."""

    features: tuple[Feature, ...]
    encoding: str = ONE_HOT

    @classmethod
    def fit(cls, frame: pd.DataFrame, columns: Sequence[Column], encoding: str) -> Preprocessor:
        """Learn the levels from training rows.

        Raises:
            SpanishGasError: the encoding is unknown, or a feature is not in the frame.
        """
        if encoding not in (ONE_HOT, NATIVE):
            raise SpanishGasError(
                f"model.category_encoding is {encoding!r}; it can be {ONE_HOT} or {NATIVE}"
            )
        _require(frame, [column.name for column in columns])
        features = []
        for column in columns:
            levels: tuple[str, ...] = ()
            if column.is_category and isinstance(column.monotone, Sequence):
                levels = tuple(column.monotone)
            elif column.is_category:
                levels = tuple(sorted(set(filled(frame, column.name, column.fill).dropna())))
            features.append(
                Feature(column.name, column.is_category, column.fill, levels, column.monotone)
            )
        return cls(tuple(features), encoding)

    @cached_property
    def encoded_names(self) -> list[str]:
        """Names of the matrix's columns."""
        return [
            feature.name if level is None else f"{feature.name}={level}"
            for feature in self.features
            for level in self._columns_of(feature)
        ]

    @cached_property
    def sources(self) -> np.ndarray:
        """For each column of the matrix the position of its feature."""
        widths = [len(self._columns_of(feature)) for feature in self.features]
        return np.repeat(np.arange(len(self.features)), widths)

    @cached_property
    def feature_types(self) -> list[str]:
        """XGBoost's type of each column: c (category) or q (quantity)."""
        native = self.encoding == NATIVE
        categories = [f.is_category and not f.is_ordered for f in self.features]
        return ["c" if native and categories[i] else "q" for i in self.sources]

    @cached_property
    def directions(self) -> list[int]:
        """For each column of the matrix which way the score may go when it rises: 1 up, -1 down,
        0 either. XGBoost knows no direction of a native category."""
        return [
            1 if feature.is_ordered else _direction(feature.monotone, level)
            for feature in self.features
            for level in self._columns_of(feature)
        ]

    def _columns_of(self, feature: Feature) -> tuple[str | None, ...]:
        one_hot = feature.is_category and not feature.is_ordered and self.encoding == ONE_HOT
        return feature.levels if one_hot else (None,)

    def transform(self, frame: pd.DataFrame) -> np.ndarray:
        """Matrix of n rows, float32; nulls that the contract keeps are NaN.

        Raises:
            SpanishGasError: a feature is not in the frame, or is infinite.
        """
        _require(frame, [feature.name for feature in self.features])
        blocks = [self._encode(feature, frame) for feature in self.features]
        return np.concatenate(blocks, axis=1, dtype=np.float32)

    def _encode(self, feature: Feature, frame: pd.DataFrame) -> np.ndarray:
        values = filled(frame, feature.name, feature.fill)
        if not feature.is_category:
            numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
            if np.isinf(numbers).any():
                raise SpanishGasError(f"gold_master.{feature.name} holds infinite values")
            return numbers[:, None]
        codes = pd.Index(feature.levels, dtype=object).get_indexer(pd.Index(values, dtype=object))
        if self.encoding == ONE_HOT and not feature.is_ordered:
            result: np.ndarray = codes[:, None] == np.arange(len(feature.levels))
            return result
        return np.where(codes < 0, np.nan, codes)[:, None]

    def as_document(self) -> dict[str, Any]:
        return {
            "encoding": self.encoding,
            "features": [
                {
                    "name": feature.name,
                    "kind": "category" if feature.is_category else "number",
                    "fill": feature.fill,
                    **({"levels": list(feature.levels)} if feature.is_category else {}),
                    **({"monotone": feature.monotone} if feature.monotone else {}),
                }
                for feature in self.features
            ],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Preprocessor:
        features = tuple(
            Feature(
                entry["name"],
                entry["kind"] == "category",
                entry["fill"],
                tuple(entry.get("levels", ())),
                entry.get("monotone"),
            )
            for entry in document["features"]
        )
        return cls(features, document["encoding"])


def _direction(monotone: Monotone | None, level: str | None) -> int:
    declared = monotone.get(level or "") if isinstance(monotone, Mapping) else monotone
    return 0 if declared is None else 1 if declared == INCREASING else -1


def filled(frame: pd.DataFrame, name: str, fill: str | float | None) -> pd.Series:
    """A feature's values with the contract's fill in place of nulls."""
    values = frame[name]
    if isinstance(fill, str):
        values = values.astype(object)
    return values if fill is None else values.fillna(fill)


def _require(frame: pd.DataFrame, names: Sequence[str]) -> None:
    if missing := sorted(set(names) - set(frame.columns)):
        raise SpanishGasError(f"the rows lack the features {missing}")
