"""What steps hand on where no other package has a type for it.

These types take no library of models to import, so that whoever asks for a result needs none.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, ClassVar


@dataclass(frozen=True)
class LayerResult:
    """A layer of the run's own tables, built and tested; `row_count` is that of its tables."""

    row_count: int


@dataclass(frozen=True)
class BronzeResult(LayerResult):
    """The batch as typed tables; `touched_months` (YYYY-MM) were read, or all where it is None."""

    touched_months: tuple[str, ...] | None = ()


@dataclass(frozen=True)
class SilverResult(LayerResult):
    """Cleaned tables; `as_of_dates` are the ones beside the batch's own (YYYY-MM-DD)."""

    as_of_dates: tuple[str, ...] = ()


@dataclass(frozen=True)
class GoldResult(LayerResult):
    """One row per customer and as-of date."""


@dataclass(frozen=True)
class MartsResult(LayerResult):
    """What pages and people read."""


@dataclass(frozen=True)
class TrainResult:
    """A registered candidate, not evaluated yet. It learned from `as_of_date` and is to score
    `scoring_as_of_date`. Metrics are those of the out-of-fold scores; `alarms` are those of the
    leakage audit, accepted or not.

    One that is `recalibrated_from` another learned its calibration from earlier dates, which the
    metrics are of, and is judged on `as_of_date`."""

    document_name: ClassVar[str] = "training"

    model_version: str
    sha256: str
    experiment: str
    message: str
    as_of_date: date
    scoring_as_of_date: date
    feature_count: int
    train_count: int
    train_churner_count: int
    test_count: int
    threshold: float
    out_of_fold: dict[str, float]
    alarms: list[str]
    seconds: float
    recalibrated_from: str | None = None

    @property
    def row_count(self) -> int | None:
        """Customers that it learned from."""
        return self.train_count

    def as_dict(self) -> dict[str, Any]:
        dates = {n: getattr(self, n).isoformat() for n in ("as_of_date", "scoring_as_of_date")}
        return {**asdict(self), **dates}


@dataclass(frozen=True)
class ShareResult:
    """What one machine of several has scored; `row_count` is the number of customers."""

    row_count: int


@dataclass(frozen=True)
class ScoreResult:
    """What was scored, and the date of the labels that the model learned from; tiers run from the
    lowest to the highest."""

    document_name: ClassVar[str] = "scores"

    model_version: str
    as_of_date: date
    training_as_of_date: date
    customer_count: int
    flagged_count: int
    tier_counts: dict[str, int]
    seconds: float

    @property
    def row_count(self) -> int | None:
        """Customers who were scored."""
        return self.customer_count

    def as_dict(self) -> dict[str, Any]:
        dates = {n: getattr(self, n).isoformat() for n in ("as_of_date", "training_as_of_date")}
        return {**asdict(self), **dates}
