"""Scored customers, part by part; what the machines of one run hand to each other.

Parts are neighbours in the order of customers, and of n machines each takes every n-th part. Nobody
else sees a part before the machine that leads has written all of them as one run's rows.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from python_ml.engines import Store
from python_ml.errors import SpanishGasError, TransientError
from python_ml.pipeline.context import Share

WAIT_SECONDS = 3600.0  # for one part of another machine; a job of SageMaker ends with the first
_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class ScoredPart:
    """Some customers of an as-of date.

    Attributes:
        rows: n rows of gold_master, sorted by customer.
        scores: rows of `customer_score`, n in the same order.
        reasons: rows of `score_reason`, in the order of the customers.
    """

    rows: pa.Table
    scores: pd.DataFrame
    reasons: pd.DataFrame


class HandedOn:
    """Scored parts as files, by number."""

    def __init__(self, store: Store, share: Share) -> None:
        self._store = store
        self.share = share

    def write(self, number: int, part: ScoredPart) -> None:
        """Hand a part on; the file that is written last makes it whole."""
        tables = {
            "rows": part.rows,
            "reasons": pa.Table.from_pandas(part.reasons, preserve_index=False),
            "scores": pa.Table.from_pandas(part.scores, preserve_index=False),
        }
        for name, table in tables.items():
            with self._store.writing(self._key(number, name)) as file:
                pq.write_table(table, file, compression="zstd")

    def wait_for(self, number: int, model_version: str) -> ScoredPart:
        """A part, as soon as its machine has written it.

        Args:
            number: of the part.
            model_version: that it must be scored with.

        Raises:
            TransientError: it has not come in an hour.
            SpanishGasError: another version has scored it.
        """
        until = time.monotonic() + WAIT_SECONDS
        while not self._store.exists(self._key(number, "scores")):
            if time.monotonic() > until:
                place = self._store.place(self._key(number, "scores"))
                machine = number % self.share.machines + 1
                raise TransientError(f"machine {machine} of {self.share.machines}: no {place}")
            time.sleep(_POLL_SECONDS)
        scores = self._read(number, "scores").to_pandas()
        if found := set(scores["model_version"]) - {model_version}:
            raise SpanishGasError(
                f"part {number} was scored with {', '.join(sorted(found))}, not {model_version}: "
                "the champion has changed meanwhile; start the step again"
            )
        reasons = self._read(number, "reasons").to_pandas()
        return ScoredPart(self._read(number, "rows"), scores, reasons)

    def _read(self, number: int, name: str) -> pa.Table:
        return pq.read_table(pa.BufferReader(self._store.read(self._key(number, name))))

    def _key(self, number: int, name: str) -> str:
        return f"score/{self.share.attempt}/part-{number}/{name}.parquet"
