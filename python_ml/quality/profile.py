"""What there is to check of a table: counts, nulls and extremes, in one aggregate a table.

Raw tables are not scanned at all: their Parquet footers hold the counts, and landing has counted
what it set aside. The hourly table, which is most of the data, costs nothing this way.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from python_ml.contracts.needs import lacking
from python_ml.contracts.schema import TableSchema
from python_ml.engines import Warehouse
from python_ml.engines.sql import literal
from python_ml.errors import SpanishGasError
from python_ml.quality.rules import TableRules

if TYPE_CHECKING:
    from python_ml.land.result import TableResult

Extreme = float | date | None


@dataclass(frozen=True)
class Declared:
    """A table as its YAML declares it. `types` holds None where the YAML gives no type.

    `needs` names the raw tables and columns (`table.column`) that columns rest on, and under the
    empty name those of the whole table.
    """

    types: Mapping[str, str | None]
    key: tuple[str, ...] = ()
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def lacks(self, column: str, absent: Collection[str]) -> list[str]:
        """What a column, or the whole table under the empty name, rests on and there is not."""
        return lacking(self.needs.get(column, ()), absent)


@dataclass
class TableProfile:
    """What was measured; extremes only of the columns that a rule asks for."""

    types: dict[str, str]
    row_count: int
    null_counts: dict[str, int]
    minimum: dict[str, Extreme] = field(default_factory=dict)
    maximum: dict[str, Extreme] = field(default_factory=dict)
    duplicate_count: int | None = None
    set_aside_count: int | None = None

    def months(self, column: str) -> int:
        """Calendar months from the oldest to the newest date of a column, both counted."""
        low, high = self.minimum.get(column), self.maximum.get(column)
        if not isinstance(low, date) or not isinstance(high, date):
            return 1
        return (high.year - low.year) * 12 + high.month - low.month + 1


@dataclass(frozen=True)
class Built:
    """A table that dbt built: its columns, what is declared of them, and what is looked at."""

    name: str
    types: dict[str, str]
    declared: Declared
    rules: TableRules

    @property
    def ranged(self) -> list[str]:
        """Columns whose extremes are looked at."""
        return [column for column in _wanted(self.rules) if column in self.types]

    def query(self, prefix: str, as_of_date: date) -> str:
        """One row of counts and extremes, in columns whose names begin with the prefix.

        Of a table that is keyed by as-of date, rows of the one date: how many others there are
        says nothing of the data.
        """
        rows = self.name
        if "as_of_date" in self.types:
            rows += f" where as_of_date = date {literal(as_of_date)}"
        selected = [f"count(*) as {prefix}row_count"]
        selected += [f"count({name}) as {prefix}c{n}" for n, name in enumerate(self.types)]
        for n, name in enumerate(self.ranged):
            # Decimals and integers of any width arrive as one type.
            is_time = self.types[name] in ("date", "timestamp")
            value = name if is_time else f"cast({name} as double)"
            selected += [f"min({value}) as {prefix}n{n}", f"max({value}) as {prefix}x{n}"]
        if self.declared.key and set(self.declared.key) <= set(self.types):
            key = ", ".join(self.declared.key)
            distinct = f"select count(*) from (select distinct {key} from {rows}) as keys"
            selected.append(f"({distinct}) as {prefix}key_count")
        return f"select {', '.join(selected)} from {rows}"

    def profile(self, row: Mapping[Any, Any], prefix: str) -> TableProfile:
        """What the row of `query` says."""
        count = int(row[f"{prefix}row_count"])
        nulls = {name: count - int(row[f"{prefix}c{n}"]) for n, name in enumerate(self.types)}
        # A null extreme looks like one that is not a number; only a column without values has one.
        valued = [(n, name) for n, name in enumerate(self.ranged) if nulls[name] < count]
        keys = row.get(f"{prefix}key_count")
        return TableProfile(
            types=self.types,
            row_count=count,
            null_counts=nulls,
            minimum={name: _extreme(row[f"{prefix}n{n}"]) for n, name in valued},
            maximum={name: _extreme(row[f"{prefix}x{n}"]) for n, name in valued},
            duplicate_count=None if keys is None else count - int(keys),
        )


def profile_tables(
    warehouse: Warehouse, tables: Sequence[Built], as_of_date: date
) -> list[TableProfile | None]:
    """Profiles of tables that dbt built, all by one query; None of one that has no columns."""
    there = {f"t{n}_": table for n, table in enumerate(tables) if table.types}
    if not there:
        return [None for _ in tables]
    parts = [f"({table.query(prefix, as_of_date)}) as {prefix}" for prefix, table in there.items()]
    (row,) = warehouse.query(f"select * from {' cross join '.join(parts)}").to_dict("records")
    found = {table.name: table.profile(row, prefix) for prefix, table in there.items()}
    return [found.get(table.name) for table in tables]


def profile_landed(
    folder: Path, schema: TableSchema, rules: TableRules, landed: TableResult | None
) -> TableProfile | None:
    """Profile of a landed table out of its Parquet footers; None if there is no file."""
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        return None
    first = pq.ParquetFile(files[0]).schema_arrow
    wanted = set(_wanted(rules)) | {
        column.name for column in schema.columns if {"minimum", "maximum"} & set(column.meta)
    }
    profile = TableProfile(
        types={name: _neutral(first.field(name).type) for name in first.names},
        row_count=0,
        null_counts=dict.fromkeys(first.names, 0),
    )
    for file in files:
        _add_file(profile, file, wanted)
    if landed is not None:
        profile.duplicate_count = landed.duplicate_key_rows
        profile.set_aside_count = landed.rows_set_aside
    return profile


def _add_file(profile: TableProfile, file: Path, wanted: set[str]) -> None:
    """Add the counts and extremes of one Parquet file."""
    metadata = pq.ParquetFile(file).metadata
    profile.row_count += metadata.num_rows
    for position, name in enumerate(metadata.schema.names):
        if name not in profile.null_counts:
            raise SpanishGasError(f"{file}: column {name} is not in the table's other files")
        groups = [metadata.row_group(g).column(position) for g in range(metadata.num_row_groups)]
        described = [group.statistics for group in groups]
        if any(s is None or not s.has_null_count for s in described):
            column = pq.read_table(file, columns=[name], partitioning=None)[name]
            profile.null_counts[name] += column.null_count
            low, high = pc.min_max(column).as_py().values()
            extremes = [(low, high)]
        else:
            profile.null_counts[name] += sum(s.null_count for s in described)
            extremes = [(s.min, s.max) for s in described if s.has_min_max]
        if name in wanted:
            for low, high in extremes:
                _widen(profile, name, _extreme(low), _extreme(high))


def _widen(profile: TableProfile, name: str, low: Extreme, high: Extreme) -> None:
    if low is not None:
        known = profile.minimum.get(name)
        profile.minimum[name] = low if known is None else min(known, low)
    if high is not None:
        known = profile.maximum.get(name)
        profile.maximum[name] = high if known is None else max(known, high)


def _wanted(rules: TableRules) -> list[str]:
    """Columns whose extremes a rule needs."""
    named: Iterable[str | None] = (rules.month_column, rules.fresh_column, *rules.ranges)
    return list(dict.fromkeys(name for name in named if name))


def _extreme(value: Any) -> Extreme:
    """A number, a date or None. Not a number is beyond every limit, so it counts as infinite."""
    if value is None or value is pd.NaT or isinstance(value, bool):
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, str):  # months as text
        return date.fromisoformat(f"{value}-01") if len(value) == 7 else None
    number = float(value)
    return math.inf if math.isnan(number) else number


def _neutral(kind: pa.DataType) -> str:
    """The engine-neutral name of an Arrow type, as models/sources.yml writes it."""
    names = {
        "string": "varchar",
        "large_string": "varchar",
        "int32": "integer",
        "int64": "bigint",
        "double": "double",
        "float": "double",
        "bool": "boolean",
        "date32[day]": "date",
    }
    text = str(kind)
    return "timestamp" if text.startswith("timestamp") else names.get(text, text)


def declared_models(manifest: Mapping[str, Any]) -> dict[str, Declared]:
    """Columns, types and keys of all models, out of a dbt manifest."""
    return {
        node["name"]: Declared(
            types={
                name: (column.get("data_type") or "").lower() or None
                for name, column in node["columns"].items()
            },
            key=primary_key(node),
            needs=_needs(node),
        )
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }


def _needs(node: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """What a model (the empty name) and its columns rest on, by `needs` in their `meta`."""
    declared = {"": node.get("config", {}), **{n: c.get("config", {}) for n, c in
                node["columns"].items()}}  # fmt: skip
    found = {name: config.get("meta", {}).get("needs", ()) for name, config in declared.items()}
    return {name: tuple(needs) for name, needs in found.items() if needs}


def primary_key(node: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns that name a row of a model, by the constraint of its contract."""
    for constraint in node["constraints"]:
        if constraint["type"] == "primary_key":
            return tuple(constraint["columns"])
    return tuple(
        name
        for name, column in node["columns"].items()
        if any(constraint["type"] == "primary_key" for constraint in column["constraints"])
    )
