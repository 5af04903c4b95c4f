"""What forgetting a person finds and does, in a home and in an account alike."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from python_ml.errors import UsageError
from python_ml.judge.snapshot import SCORED_ROWS, TRAINING_ROWS, content_hash
from python_ml.judge.split import split_hash
from python_ml.land.mapping import id_pattern, id_shape
from python_ml.privacy.search import Find, Searched
from python_ml.privacy.tombstones import Tombstones
from python_ml.privacy.traces import REMOVED, Traces
from python_ml.settings import Settings


@dataclass(frozen=True)
class Survey:
    """Where something of a person is, before anything is removed."""

    customer_id: str
    traces: Traces
    places: list[Find]
    file_count: int  # searched
    where: str  # as in "18 places in 200 files <where>"

    def as_dict(self) -> dict[str, Any]:
        return {
            "is_dry_run": True,
            "places": [place.as_dict() for place in self.places],
            "searched_files": self.file_count,
            "short_texts": self.traces.short_text_count,
        }


@dataclass(frozen=True)
class ForgetResult:
    """What was removed; it does not say of whom."""

    places: list[Find] = field(default_factory=list)
    searched_files: int = 0
    short_texts: int = 0  # which only the person has said, of too few words to be searched for
    pages_written: bool = False
    totals_renewed: bool = False  # the marts add up without the person

    def as_dict(self) -> dict[str, Any]:
        places = [place.as_dict() for place in self.places]
        return asdict(self) | {"is_dry_run": False, "places": places}


def require_customer_id(settings: Settings, customer_id: str) -> None:
    """Refuse what cannot be the id of a customer.

    Raises:
        UsageError: it looks different.
    """
    if not re.fullmatch(pattern := id_pattern(settings), customer_id):
        raise UsageError(f"{customer_id!r} is not a customer id, which looks {id_shape(pattern)}")


def left_over(left: Searched, traces: Traces, where: str) -> str:
    """What is left, in words that a record of the run may keep."""
    listing = "\n".join(f"  {traces.redact(str(place))}" for place in left.places)
    return (
        f"something of the customer is left {where} ({REMOVED} stands for the id):\n"
        f"{listing}"
        "\nDelete these files, or put right what cannot be opened, and call forget again"
    )


def note_change(path: Path, stones: Tombstones) -> Callable[[Path], None] | None:
    """Keep track of content that model versions name by its hash."""
    kind = path.parent.parent.name if path.suffix == ".parquet" else ""
    if kind in (SCORED_ROWS, TRAINING_ROWS):
        hash_of = _content_hash
    elif kind == "model_split":
        hash_of = _split_hash
    else:
        return None
    before = hash_of(path)
    return lambda rest: stones.note_change(before, hash_of(rest))


def _content_hash(path: Path) -> str:
    return content_hash(pq.ParquetFile(path).read())


def _split_hash(path: Path) -> str:
    frame: pd.DataFrame = pq.ParquetFile(path).read().to_pandas()
    return split_hash(frame[["customer_id", "split_part", "cv_fold"]])
