"""The schema of everything that enters the warehouse from outside dbt, read from one file.

`models/sources.yml` declares it; landing, the writers of python_ml and dbt all read that file, so
that no name or type is said twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from python_ml.errors import SpanishGasError
from python_ml.settings import PROJECT_DIR

SOURCES_FILE = PROJECT_DIR / "models" / "sources.yml"
DELIMITERS = ",;\t|"  # that raw text files may have

# Engine-neutral type of the YAML -> what Arrow and DuckDB call it. Timestamps are local clock
# times without a zone, in microseconds, the finest that both DuckDB and Iceberg keep.
_ARROW_TYPES: dict[str, pa.DataType] = {
    "varchar": pa.string(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}


@dataclass(frozen=True)
class ColumnSchema:
    """One column: its name, its engine-neutral type and what `meta` says about its values."""

    name: str
    data_type: str
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def arrow_type(self) -> pa.DataType:
        return _ARROW_TYPES[self.data_type]

    @property
    def duckdb_type(self) -> str:
        return self.data_type.upper()

    @property
    def required(self) -> bool:
        """The column must be there (default true)."""
        return bool(self.meta.get("required", True))

    @property
    def nullable(self) -> bool:
        """A null is data, not a defect (default false)."""
        return bool(self.meta.get("nullable", False))

    @property
    def names(self) -> tuple[str, ...]:
        """Its own name, then the names that other exports use."""
        return (self.name, *self.meta.get("aliases", ()))


@dataclass(frozen=True)
class TableSchema:
    """One table: columns in order, key, and for landed tables the name of the source file."""

    name: str
    columns: tuple[ColumnSchema, ...]
    key: tuple[str, ...] = ()
    partition: str | None = None
    file: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def column(self, name: str) -> ColumnSchema:
        """The column of that name.

        Raises:
            KeyError: there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name}.{name}")

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def arrow_schema(self) -> pa.Schema:
        """Field names and Arrow types in the order of the YAML."""
        return pa.schema([pa.field(column.name, column.arrow_type) for column in self.columns])


def load_source(name: str, path: Path = SOURCES_FILE) -> dict[str, TableSchema]:
    """The tables of one source system (`raw` or `ml`), by name, in the order of the YAML.

    Raises:
        SpanishGasError: no such source, or a column with a type that we do not know.
    """
    for source in _read(path)["sources"]:
        if source["name"] == name:
            return {table["name"]: _table(table, path) for table in source["tables"]}
    raise SpanishGasError(f"{path}: no source named {name}")


@cache
def customer_id_pattern() -> str:
    """The regular expression that a whole customer id matches."""
    return str(load_source("raw")["customer_attributes"].column("customer_id").meta["pattern"])


@cache
def _read(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        return document
    except (OSError, yaml.YAMLError) as error:
        raise SpanishGasError(f"{path}: {error}") from error


def _table(entry: Mapping[str, Any], path: Path) -> TableSchema:
    meta = {**entry.get("config", {}).get("meta", {}), **entry.get("meta", {})}
    for column in entry["columns"]:
        if column["data_type"] not in _ARROW_TYPES:
            raise SpanishGasError(
                f"{path}: {entry['name']}.{column['name']} has the type {column['data_type']}; "
                f"known are {', '.join(_ARROW_TYPES)}"
            )
    return TableSchema(
        name=entry["name"],
        columns=tuple(_column(column) for column in entry["columns"]),
        key=tuple(meta.get("key", ())),
        partition=meta.get("partition"),
        file=meta.get("file"),
        meta=meta,
    )


def _column(entry: Mapping[str, Any]) -> ColumnSchema:
    meta = {**entry.get("config", {}).get("meta", {}), **entry.get("meta", {})}
    return ColumnSchema(name=entry["name"], data_type=entry["data_type"], meta=meta)
