"""Rows of gold that a run used: read, kept under the run's id, and read again by their hash."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from python_ml.contracts.gold import GOLD, GoldContract
from python_ml.engines import Warehouse, open_store
from python_ml.engines.sql import literal
from python_ml.errors import OldTablesError, SpanishGasError, UsageError
from python_ml.judge.split import of_date
from python_ml.privacy.tombstones import read_tombstones
from python_ml.registry.base import learned_from, scored_on
from python_ml.settings import Settings

SCORED_ROWS, TRAINING_ROWS = "feature_snapshot", "training_snapshot"


def read_gold(warehouse: Warehouse, contract: GoldContract, as_of_date: date) -> pa.Table:
    """All rows of gold_master for one as-of date, typed by the contract, sorted by customer.

    Raises:
        OldTablesError: a column is missing or not declared.
        SpanishGasError: a customer is there twice, or there is no row.
    """
    frame = warehouse.read_table(
        GOLD, where=f"as_of_date = date {literal(f'{as_of_date:%Y-%m-%d}')}"
    )
    declared = {column.name for column in contract.columns}
    missing, unknown = sorted(declared - set(frame.columns)), sorted(set(frame.columns) - declared)
    if missing or unknown:
        raise OldTablesError(
            f"{GOLD}: missing columns {missing}, undeclared columns {unknown}. What another "
            "version has built is built anew by `spanishgas run`"
        )
    if frame.empty:
        raise SpanishGasError(f"{GOLD} has no row for the as-of date {as_of_date}")
    if frame["customer_id"].duplicated().any():
        raise SpanishGasError(f"{GOLD} holds a customer twice for the as-of date {as_of_date}")
    frame = frame.sort_values("customer_id", ignore_index=True)
    schema = contract.arrow_schema()
    return pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)


@dataclass(frozen=True)
class Snapshot:
    """The rows that a run used, and the sha256 of their content."""

    run_id: str
    frame: pd.DataFrame
    sha256: str

    def of(self, as_of_date: date) -> pd.DataFrame:
        """Its rows of one as-of date."""
        return of_date(self.frame, as_of_date).reset_index(drop=True)


def take_snapshot(
    warehouse: Warehouse,
    settings: Settings,
    contract: GoldContract,
    run_id: str,
    as_of_date: date,
    kind: str = SCORED_ROWS,
    earlier: Sequence[date] = (),
) -> Snapshot:
    """Write the rows of gold_master that the run uses, once; a second call finds them unchanged.

    Args:
        kind: SCORED_ROWS, or TRAINING_ROWS where a run learns from other dates than it scores.
        earlier: more as-of dates, whose rows come before, oldest first.

    Raises:
        SpanishGasError: gold breaks its contract, or has changed since the run's first call.
    """
    dates = [*earlier, as_of_date]
    table = pa.concat_tables([read_gold(warehouse, contract, day) for day in dates])
    digest = content_hash(table)
    store, key = open_store(settings), snapshot_key(run_id, kind)
    if store.exists(key):
        if content_hash(pq.read_table(pa.BufferReader(store.read(key)))) != digest:
            raise SpanishGasError(
                f"{GOLD} has changed since run {run_id} took its snapshot; start a new run"
            )
    else:
        content = io.BytesIO()
        pq.write_table(table, content, compression="zstd")
        store.write(key, content.getvalue())
    return Snapshot(run_id, table.to_pandas(), digest)


def training_rows_of(origin: Mapping[str, Any]) -> str:
    """The kind of snapshot that a version was trained on, from what it says of its origin."""
    return SCORED_ROWS if learned_from(origin) == [scored_on(origin)] else TRAINING_ROWS


def read_training_rows(settings: Settings, origin: Mapping[str, Any]) -> Snapshot:
    """The rows that a version was trained and tested on, of its own as-of dates.

    Raises:
        SpanishGasError: as for `read_snapshot`.
    """
    kind = training_rows_of(origin)
    return read_snapshot(settings, origin["run_id"], origin["snapshot_sha256"], kind)


def read_snapshot(
    settings: Settings, run_id: str, sha256: str | None = None, kind: str = SCORED_ROWS
) -> Snapshot:
    """The rows that an earlier step or run used.

    Raises:
        UsageError: there are none.
        SpanishGasError: their content is not what `sha256` says; rows of customers who were
            forgotten since may be missing.
    """
    store, key = open_store(settings), snapshot_key(run_id, kind)
    if not store.exists(key):
        raise UsageError(
            f"the feature snapshot of run {run_id} is not there ({store.place(key)}); "
            "`spanishgas run` takes one, with a model and scores of its own"
        )
    table = pq.read_table(pa.BufferReader(store.read(key)))
    digest = content_hash(table)
    if sha256 is not None and digest not in (
        sha256,
        read_tombstones(open_store(settings)).now(sha256),
    ):
        raise SpanishGasError(
            f"{store.place(key)} is not the snapshot that the model names: {digest}"
        )
    return Snapshot(run_id, table.to_pandas(), digest)


def snapshot_key(run_id: str, kind: str = SCORED_ROWS) -> str:
    return f"ml/{kind}/run_id={run_id}/part-0.parquet"


def content_hash(table: pa.Table) -> str:
    """sha256 of names, types and values, whatever wrote them; unlike that of a Parquet file,
    it does not change with the writer's version."""
    digest = hashlib.sha256()
    for field, column in zip(table.schema, table.columns, strict=True):
        digest.update(f"{field.name}:{field.type};".encode())
        digest.update(column.is_null().combine_chunks().to_numpy(zero_copy_only=False).tobytes())
        values = column.to_numpy()
        if values.dtype.kind == "O":
            digest.update("\x1f".join("" if v is None else str(v) for v in values).encode())
        else:
            digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
