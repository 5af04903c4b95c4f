"""The contract of gold_master as Python sees it, and the rows that a run used.

Which columns are features, their tiers and their fills are declared once, in the YAML of
gold_master; this module reads them from the dbt manifest and holds no list of its own.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from python_ml.config import PROJECT_DIR, Settings
from python_ml.errors import OldTablesError, SpanishGasError, UsageError
from python_ml.schema import ColumnSchema
from python_ml.sql import literal
from python_ml.store import open_store
from python_ml.tombstones import read_tombstones
from python_ml.warehouse import Warehouse

GOLD = "gold_master"
MODEL_FILE = PROJECT_DIR / "models" / "gold" / "_gold__models.yml"
SCORED_ROWS, TRAINING_ROWS = "feature_snapshot", "training_snapshot"
LINEAGE = "lineage"
ROLES = ("key", "target", "feature", "business", LINEAGE)
KEEP = "keep"
CLOCK_DOWN, CLOCK_UP, SEASON, HISTORY = "counts_down", "counts_up", "season", "history"
INCREASING, DECREASING = "increasing", "decreasing"
Monotone = str | Mapping[str, str] | Sequence[str]


@dataclass(frozen=True)
class Column:
    """One column of gold_master.

    `fill` replaces nulls; None keeps them. `from_text` marks what is read out of the words of an
    interaction, as against its mere existence or date. `monotone` says which way the score may go
    when the value rises, other things equal: a direction; of a category one by level, or levels in
    the order in which the score may rise. `calendar` says what moves the value as time goes by
    (docs/drift.md): it counts months down or up, hangs on the season or on the length of a
    customer's history, or names the column that counts.
    """

    name: str
    data_type: str
    role: str
    tier: str | None = None
    fill: str | float | None = None
    from_text: bool = False
    monotone: Monotone | None = None
    calendar: str | None = None

    @property
    def is_category(self) -> bool:
        return self.data_type == "varchar"


@dataclass(frozen=True)
class GoldContract:
    """The columns of gold_master, in the order of its YAML."""

    columns: tuple[Column, ...]

    @property
    def target(self) -> str:
        return next(column.name for column in self.columns if column.role == "target")

    @property
    def features(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.role == "feature")

    @property
    def source_dates(self) -> tuple[Column, ...]:
        """Newest dates of what went into a row, one column a kind of source."""
        return tuple(column for column in self.columns if column.role == LINEAGE)

    def experiment(self, settings: Settings, name: str) -> tuple[Column, ...]:
        """Features of the experiment's tiers.

        Raises:
            SpanishGasError: no such experiment, or a tier that no feature carries.
        """
        if name not in settings.experiments:
            raise SpanishGasError(
                f"no experiment {name!r}; settings know {', '.join(settings.experiments)}"
            )
        tiers = [str(tier) for tier in settings.experiments[name]]
        if empty := sorted(set(tiers) - {column.tier or "" for column in self.features}):
            raise SpanishGasError(f"experiment {name}: no feature of {GOLD} has the tier {empty}")
        return tuple(column for column in self.features if column.tier in tiers)

    def arrow_schema(self) -> pa.Schema:
        return pa.schema(
            [(c.name, ColumnSchema(c.name, c.data_type).arrow_type) for c in self.columns]
        )


def require_experiments(settings: Settings, model_file: Path = MODEL_FILE) -> None:
    """Make sure, before anything is begun, that every experiment has features.

    Args:
        settings: with the experiments.
        model_file: the YAML of gold_master, which dbt need not have read.

    Raises:
        UsageError: an experiment names a tier that no feature carries, or no tier.
    """
    text = model_file.read_text(encoding="utf-8")
    models = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["models"]
    columns = [column for model in models if model["name"] == GOLD for column in model["columns"]]
    tiers = sorted({str(tier) for c in columns if (tier := c["config"]["meta"].get("tier"))})
    for name, wanted in settings.experiments.items():
        if unknown := sorted(set(map(str, wanted)) - set(tiers)):
            raise UsageError(
                f"experiments.{name}: no feature of {GOLD} has the tier {', '.join(unknown)}; "
                f"tiers are {', '.join(tiers)}"
            )
        if not wanted:
            raise UsageError(f"experiments.{name}: names no tier; tiers are {', '.join(tiers)}")


def read_contract(manifest: Mapping[str, Any]) -> GoldContract:
    """The contract out of a dbt manifest (its JSON document).

    Raises:
        SpanishGasError: gold_master is not in the project, or a column lacks role, type, tier or
            fill.
    """
    nodes = [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["name"] == GOLD
    ]
    if not nodes:
        raise SpanishGasError(f"the dbt project has no model {GOLD}")
    columns = tuple(_column(entry) for entry in nodes[0]["columns"].values())
    targets = [column.name for column in columns if column.role == "target"]
    if len(targets) != 1:
        raise SpanishGasError(f"{GOLD}: exactly one column has the role target, not {targets}")
    for column in columns:
        counters = [c.name for c in columns if c.calendar in (CLOCK_DOWN, CLOCK_UP)]
        if column.calendar not in (None, CLOCK_DOWN, CLOCK_UP, SEASON, HISTORY, *counters):
            raise SpanishGasError(
                f"{GOLD}.{column.name}: meta.calendar is {CLOCK_DOWN}, {CLOCK_UP}, {SEASON}, "
                f"{HISTORY} or a column that counts ({', '.join(counters)}), not {column.calendar}"
            )
    return GoldContract(columns)


def _column(entry: Mapping[str, Any]) -> Column:
    meta = {**entry.get("meta", {}), **entry.get("config", {}).get("meta", {})}
    name, role = entry["name"], meta.get("role")
    wanted = [] if role != "feature" else [key for key in ("tier", "fill") if key not in meta]
    if role not in ROLES or not entry.get("data_type") or wanted:
        raise SpanishGasError(
            f"{GOLD}.{name}: its YAML needs a data_type, a meta role out of {', '.join(ROLES)}"
            " and, for a feature, tier and fill"
        )
    fill = meta.get("fill", KEEP)
    return Column(
        name=name,
        data_type=entry["data_type"].lower(),
        role=role,
        tier=None if meta.get("tier") is None else str(meta["tier"]),
        fill=None if fill == KEEP else fill,
        from_text=bool(meta.get("from_text", False)),
        monotone=_monotone(name, entry["data_type"].lower(), meta.get("monotone")),
        calendar=meta.get("calendar"),
    )


def _monotone(name: str, data_type: str, declared: Any) -> Monotone | None:
    """A direction of the score, or for a category one by level, or its levels in order."""
    if declared is None:
        return None
    directions = {INCREASING, DECREASING}
    if data_type != "varchar":
        is_known = isinstance(declared, str) and declared in directions
    elif isinstance(declared, Mapping):
        is_known = set(declared.values()) <= directions
    else:
        is_known = isinstance(declared, list) and all(isinstance(level, str) for level in declared)
    if not is_known:
        raise SpanishGasError(
            f"{GOLD}.{name}: meta.monotone is {INCREASING} or {DECREASING}; of a category a "
            "mapping of levels to one of them, or a list of levels by rising score"
        )
    return declared


def without_text(features: Sequence[Column]) -> tuple[Column, ...]:
    """The features that no word of an interaction went into."""
    return tuple(column for column in features if not column.from_text)


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


def take_snapshot(
    warehouse: Warehouse,
    settings: Settings,
    contract: GoldContract,
    run_id: str,
    as_of_date: date,
    kind: str = SCORED_ROWS,
) -> Snapshot:
    """Write the rows of gold_master that the run uses, once; a second call finds them unchanged.

    Args:
        kind: SCORED_ROWS, or TRAINING_ROWS where a run learns from another date than it scores.

    Raises:
        SpanishGasError: gold breaks its contract, or has changed since the run's first call.
    """
    table = read_gold(warehouse, contract, as_of_date)
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
    return SCORED_ROWS if scored_on(origin) == origin["as_of_date"] else TRAINING_ROWS


def scored_on(origin: Mapping[str, Any]) -> str:
    """As-of date of the batch that a version was trained for; versions once had but one date."""
    return origin.get("scoring_as_of_date", origin["as_of_date"])


def read_training_rows(settings: Settings, origin: Mapping[str, Any]) -> Snapshot:
    """The rows that a version was trained and tested on, of its own as-of date.

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
        SpanishGasError: there are none, or their content is not what `sha256` says; rows of
            customers who were forgotten since may be missing.
    """
    store, key = open_store(settings), snapshot_key(run_id, kind)
    if not store.exists(key):
        raise SpanishGasError(f"run {run_id} has no feature snapshot ({store.place(key)})")
    table = pq.read_table(pa.BufferReader(store.read(key)))
    digest = content_hash(table)
    if sha256 is not None and digest not in (
        sha256,
        read_tombstones(settings.layout.lake).now(sha256),
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
