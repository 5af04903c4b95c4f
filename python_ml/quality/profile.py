"""What there is to check of a table: counts, nulls and extremes, in one aggregate a table.

Raw tables are not scanned at all: their Parquet footers hold the counts, and landing has counted
what it set aside. The hourly table, which is most of the data, costs nothing this way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from python_ml.errors import SpanishGasError
from python_ml.quality.rules import TableRules
from python_ml.schema import TableSchema
from python_ml.warehouse import Warehouse

if TYPE_CHECKING:
    from python_ml.land.result import TableResult

Extreme = float | date | None


@dataclass(frozen=True)
class Declared:
    """A table as its YAML declares it. `types` holds None where the YAML gives no type."""

    types: Mapping[str, str | None]
    key: tuple[str, ...] = ()


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


def profile_table(
    warehouse: Warehouse,
    table: str,
    types: dict[str, str],
    declared: Declared,
    rules: TableRules,
) -> TableProfile | None:
    """Profile of a table that dbt built, by one query; None if it has no columns."""
    if not types:
        return None
    wanted = [column for column in _wanted(rules) if column in types]
    selected = ["count(*) as row_count"]
    selected += [f"count({name}) as c{number}" for number, name in enumerate(types)]
    for number, name in enumerate(wanted):
        # Decimals and integers of any width arrive as one type.
        value = name if types[name] in ("date", "timestamp") else f"cast({name} as double)"
        selected += [f"min({value}) as n{number}", f"max({value}) as x{number}"]
    if declared.key and set(declared.key) <= set(types):
        key = ", ".join(declared.key)
        distinct = f"(select count(*) from (select distinct {key} from {table}) as distinct_keys)"
        selected.append(f"{distinct} as key_count")
    row = warehouse.query(f"select {', '.join(selected)} from {table}").iloc[0]
    count = int(row["row_count"])
    nulls = {name: count - int(row[f"c{number}"]) for number, name in enumerate(types)}
    # A null extreme looks like one that is not a number; only a column without values has one.
    valued = [(number, name) for number, name in enumerate(wanted) if nulls[name] < count]
    return TableProfile(
        types=types,
        row_count=count,
        null_counts=nulls,
        minimum={name: _extreme(row[f"n{number}"]) for number, name in valued},
        maximum={name: _extreme(row[f"x{number}"]) for number, name in valued},
        duplicate_count=count - int(row["key_count"]) if "key_count" in row else None,
    )


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
        profile.minimum[name] = low if known is None else min(known, low)  # type: ignore[type-var]
    if high is not None:
        known = profile.maximum.get(name)
        profile.maximum[name] = high if known is None else max(known, high)  # type: ignore[type-var]


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
    keys = dict(_keys(manifest))
    return {
        node["name"]: Declared(
            types={
                name: (column.get("data_type") or "").lower() or None
                for name, column in node["columns"].items()
            },
            key=keys.get(unique_id, ()),
        )
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] == "model"
    }


def _keys(manifest: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Model and its key, from the tests `unique` of a column and `unique_key` of a table."""
    for node in manifest["nodes"].values():
        test = node.get("test_metadata") or {}
        model = node.get("attached_node")
        if model and test.get("name") == "unique":
            yield model, (node["column_name"],)
        elif model and test.get("name") == "unique_key":
            yield model, tuple(test["kwargs"]["columns"])
