"""What every engine offers to the stages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from types import TracebackType
from typing import Self

import pandas as pd
import pyarrow as pa

from python_ml.contracts.schema import TableSchema, load_source
from python_ml.errors import SpanishGasError


class Warehouse(ABC):
    """Reads tables that dbt built; reads and writes the external tables of python_ml."""

    @abstractmethod
    def query(self, sql: str) -> pd.DataFrame:
        """The result of one SELECT."""

    @abstractmethod
    def hash_share(self, text: str) -> str:
        """SQL for a share of 0 or more and below 1 that follows from the SQL of a text, as
        macros/cross_db/hash_share.sql has it."""

    @abstractmethod
    def external_runs(self, table: str) -> list[str]:
        """Runs that have written an external table, in the order of their ids (by time)."""

    @abstractmethod
    def table_names(self) -> list[str]:
        """Tables that dbt built, without views, from the catalog."""

    @abstractmethod
    def row_counts(self, names: Collection[str] | None = None) -> dict[str, int]:
        """Rows of each table that dbt built, or of those named, by name."""

    @abstractmethod
    def column_types(self) -> dict[str, dict[str, str]]:
        """Columns of each table that dbt built, by name and in order, with their engine-neutral
        types (those of models/sources.yml), from the catalog."""

    @abstractmethod
    def writing_external(
        self, table: str, run_id: str
    ) -> AbstractContextManager[Callable[[pd.DataFrame], None]]:
        """To write the run's part of an external table of source `ml` frame by frame.

        Readers see all of it when the block ends, and nothing if it raises. Each frame has the
        table's columns but `run_id`; it is cast to the types in models/sources.yml. A part that the
        same run wrote before is replaced.

        Raises:
            SpanishGasError: a column is missing, unknown or cannot be cast.
        """

    def write_external(self, table: str, frame: pd.DataFrame, run_id: str) -> None:
        """The same with one frame."""
        with self.writing_external(table, run_id) as write:
            write(frame)

    @abstractmethod
    def read_external(self, table: str, run_id: str | None = None) -> pd.DataFrame:
        """Rows of an external table, of one run or (None) of all; no rows if it is not there."""

    @abstractmethod
    def lost_tables(self) -> list[str]:
        """Landed tables and those of python_ml that are known, and whose files are gone; each with
        the place where they were. No query that costs is sent."""

    def declare_external_tables(self) -> list[str]:
        """Make tables that no run has written yet readable, as tables without rows.

        Returns:
            Those it had to be done for: none where a catalog knows them anyway.
        """
        return []

    def settle(self) -> None:
        """Bring everything that was written into the file itself, and let its views read the lake
        beside it wherever both are moved; nothing to do for a service."""
        return

    @abstractmethod
    def close(self) -> None:
        """Let go of the database file."""

    @contextmanager
    def held(self) -> Iterator[None]:
        """For many queries in a row: what each of them would set up anew is kept meanwhile."""
        yield

    def read_table(self, relation: str, where: str | None = None) -> pd.DataFrame:
        """All columns of a table that dbt built."""
        return self.query(f"select * from {relation}" + (f" where {where}" if where else ""))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @cached_property
    def _external_schemas(self) -> dict[str, TableSchema]:
        return load_source("ml")

    def _typed(self, table: str, frame: pd.DataFrame) -> pa.Table:
        """The frame in the column order and types of the source YAML, without `run_id`."""
        schema = self._external_arrow_schema(table)
        if set(frame.columns) != set(schema.names):
            missing = sorted(set(schema.names) - set(frame.columns))
            unknown = sorted(set(frame.columns) - set(schema.names))
            raise SpanishGasError(
                f"ml.{table}: missing columns {missing}, unknown columns {unknown}; "
                "its columns are declared in models/sources.yml"
            )
        try:
            return pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise SpanishGasError(f"ml.{table}: {error}") from error

    def _external_arrow_schema(self, table: str) -> pa.Schema:
        if table not in self._external_schemas:
            raise SpanishGasError(f"ml.{table} is not declared in models/sources.yml")
        fields = self._external_schemas[table].arrow_schema()
        return pa.schema([field for field in fields if field.name != "run_id"])
