"""Rows of gold that a run used: read, kept under the run's id, and read again by their hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from python_ml.contracts.gold import GOLD, GoldContract
from python_ml.engines import Warehouse, open_store
from python_ml.engines.sql import literal
from python_ml.errors import OldTablesError, SpanishGasError, UsageError
from python_ml.judge.sample import EVERYBODY, CustomerSample
from python_ml.judge.split import of_date
from python_ml.privacy.tombstones import read_tombstones
from python_ml.registry.base import customer_share, learned_from, scored_on
from python_ml.settings import Settings

SCORED_ROWS, TRAINING_ROWS = "feature_snapshot", "training_snapshot"


@dataclass(frozen=True)
class GoldPart:
    """Neighbours among the customers of an as-of date, sorted by id; both ends belong to it."""

    first_id: str
    last_id: str
    customer_count: int


def gold_parts(
    warehouse: Warehouse, as_of_date: date, customers_per_part: int, fewest: int = 1
) -> list[GoldPart | None]:
    """The rows of gold_master for one as-of date in parts of one size, in the order of customers.

    Args:
        warehouse: with gold_master.
        as_of_date: whose rows are meant.
        customers_per_part: at most so many in a part.
        fewest: as many parts at least, where there are as many customers.

    Returns:
        Parts for `read_gold`; None stands for all rows, where a part has room for the whole table.

    Raises:
        SpanishGasError: a customer is there twice, or there is no row.
    """
    whole = warehouse.row_counts([GOLD]).get(GOLD)
    if fewest == 1 and whole is not None and whole <= customers_per_part:
        return [None]
    found = warehouse.query(
        f"""
        with customers as (
            select
                customer_id,
                row_number() over (order by customer_id) as place,
                count(*) over () as customer_count
            from {GOLD}
            where {_of_date(as_of_date)}
        ),

        placed as (
            select
                customer_id,
                floor(
                    (place - 1)
                    * greatest(ceil(customer_count / {customers_per_part}e0), {fewest}e0)
                    / customer_count
                ) as part
            from customers
        )

        select min(customer_id) as first_id, max(customer_id) as last_id, count(*) as customer_count
        from placed
        group by part
        """
    ).sort_values("first_id")
    columns = (found[name].to_list() for name in ("first_id", "last_id", "customer_count"))
    parts = [GoldPart(first, last, int(count)) for first, last, count in zip(*columns, strict=True)]
    if not parts:
        raise _no_row(as_of_date)
    if any(one.last_id >= other.first_id for one, other in pairwise(parts)):
        raise _twice(as_of_date)
    return list(parts)


def _of_date(as_of_date: date) -> str:
    return f"as_of_date = date {literal(f'{as_of_date:%Y-%m-%d}')}"


def _no_row(as_of_date: date) -> SpanishGasError:
    return SpanishGasError(f"{GOLD} has no row for the as-of date {as_of_date}")


def _twice(as_of_date: date) -> SpanishGasError:
    return SpanishGasError(f"{GOLD} holds a customer twice for the as-of date {as_of_date}")


def read_gold(
    warehouse: Warehouse,
    contract: GoldContract,
    as_of_date: date,
    part: GoldPart | None = None,
    sample: CustomerSample = EVERYBODY,
) -> pa.Table:
    """Rows of gold_master for one as-of date, typed by the contract, sorted by customer.

    Args:
        warehouse: with gold_master.
        contract: of gold_master.
        as_of_date: whose rows are meant.
        part: one of `gold_parts`; all rows by default.
        sample: of the customers of whole tables.

    Raises:
        OldTablesError: a column is missing or not declared.
        SpanishGasError: a customer is there twice, or there is no row; the part is not what it was.
    """
    where = _of_date(as_of_date)
    if part is not None:
        where += f" and customer_id between {literal(part.first_id)} and {literal(part.last_id)}"
    if not sample.is_everybody:
        where += f" and {sample.condition(warehouse)}"
    frame = warehouse.read_table(GOLD, where=where)
    declared = {column.name for column in contract.columns}
    missing, unknown = sorted(declared - set(frame.columns)), sorted(set(frame.columns) - declared)
    if missing or unknown:
        raise OldTablesError(
            f"{GOLD}: missing columns {missing}, undeclared columns {unknown}. What another "
            "version has built is built anew by `spanishgas run`"
        )
    if frame.empty:
        raise _no_row(as_of_date)
    if frame["customer_id"].duplicated().any():
        raise _twice(as_of_date)
    if part is not None and len(frame) != part.customer_count:
        raise SpanishGasError(f"{GOLD} was changed while it was read; start a new run")
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
    sample: CustomerSample = EVERYBODY,
) -> Snapshot:
    """Write the rows of gold_master that the run uses, once; a second call finds them unchanged.

    Args:
        kind: SCORED_ROWS, or TRAINING_ROWS where a run learns from other rows than it scores.
        earlier: more as-of dates, whose rows come before, oldest first.
        sample: of the customers of all dates.

    Raises:
        SpanishGasError: gold breaks its contract, or has changed since the run's first call.
    """
    dates = [*earlier, as_of_date]
    table = pa.concat_tables([read_gold(warehouse, contract, day, sample=sample) for day in dates])
    with keeping_rows(settings, contract, run_id, kind) as keep:
        keep(table)
    return Snapshot(run_id, table.to_pandas(), content_hash(table))


@contextmanager
def keeping_rows(
    settings: Settings, contract: GoldContract, run_id: str, kind: str = SCORED_ROWS
) -> Iterator[Callable[[pa.Table], None]]:
    """To write the rows of gold_master that a run uses, table by table; they are there when the
    block ends. Where the run has written them before, they are compared instead.

    Raises:
        SpanishGasError: gold has changed since then.
    """
    store, key = open_store(settings), snapshot_key(run_id, kind)
    if store.exists(key):
        kept = _KeptRows(store.read(key))
        changed = SpanishGasError(
            f"{GOLD} has changed since run {run_id} took its snapshot; start a new run"
        )

        def compare(table: pa.Table) -> None:
            if content_hash(kept.take(len(table))) != content_hash(table):
                raise changed

        yield compare
        if len(kept.take(1)):
            raise changed
    else:
        schema = contract.arrow_schema()
        with store.writing(key) as file, pq.ParquetWriter(file, schema, compression="zstd") as rows:
            yield rows.write_table


class _KeptRows:
    """The rows of a Parquet file from the first to the last, a few at a time."""

    def __init__(self, content: bytes) -> None:
        file = pq.ParquetFile(pa.BufferReader(content))
        self._batches = file.iter_batches()
        self._next = file.schema_arrow.empty_table()

    def take(self, count: int) -> pa.Table:
        """The next rows; fewer at the end."""
        while len(self._next) < count:
            try:
                batch = next(self._batches)
            except StopIteration:
                break
            self._next = pa.concat_tables([self._next, pa.Table.from_batches([batch])])
        taken, self._next = self._next.slice(0, count), self._next.slice(count)
        return taken


def training_rows_of(origin: Mapping[str, Any]) -> str:
    """The kind of snapshot that a version was trained on, from what it says of its origin."""
    is_scored = learned_from(origin) == [scored_on(origin)] and customer_share(origin) == 1
    return SCORED_ROWS if is_scored else TRAINING_ROWS


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
    table = pq.read_table(pa.BufferReader(_kept(settings, run_id, kind)))
    digest = content_hash(table)
    if sha256 is not None and digest not in (
        sha256,
        read_tombstones(open_store(settings)).now(sha256),
    ):
        raise SpanishGasError(
            f"{store.place(key)} is not the snapshot that the model names: {digest}"
        )
    return Snapshot(run_id, table.to_pandas(), digest)


def read_scored_rows(settings: Settings, run_id: str, maximum_count: int) -> pd.DataFrame:
    """The rows that a run has scored, of a sample of about `maximum_count` customers; of others no
    row is held in memory.

    Raises:
        UsageError: there are none.
    """
    file = _scored_file(settings, run_id)
    return _rows_where(file, CustomerSample.of(file.metadata.num_rows, maximum_count).drawn)


def read_rows_of(settings: Settings, run_id: str, customer_ids: Collection[str]) -> pd.DataFrame:
    """The rows of these customers as a run has scored them, without those who were not scored.

    Raises:
        UsageError: the run has left none.
    """
    wanted = set(customer_ids)
    return _rows_where(_scored_file(settings, run_id), lambda ids: ids.isin(wanted).to_numpy())


def _scored_file(settings: Settings, run_id: str) -> pq.ParquetFile:
    return pq.ParquetFile(pa.BufferReader(_kept(settings, run_id, SCORED_ROWS)))


def _rows_where(file: pq.ParquetFile, is_wanted: Callable[[pd.Series], np.ndarray]) -> pd.DataFrame:
    """Rows of the customers that are wanted, read a few at a time."""
    parts = [file.schema_arrow.empty_table()]
    for batch in file.iter_batches():
        mask = is_wanted(batch.column("customer_id").to_pandas())
        parts.append(pa.Table.from_batches([batch.filter(pa.array(mask))]))
    frame: pd.DataFrame = pa.concat_tables(parts).to_pandas()
    return frame


def _kept(settings: Settings, run_id: str, kind: str) -> bytes:
    store, key = open_store(settings), snapshot_key(run_id, kind)
    if not store.exists(key):
        raise UsageError(
            f"the feature snapshot of run {run_id} is not there ({store.place(key)}); "
            "`spanishgas run` takes one, with a model and scores of its own"
        )
    return store.read(key)


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
