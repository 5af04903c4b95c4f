"""Amazon Athena: queries by PyAthena through UNLOAD to Parquet, results of python_ml as partitions
in Glue."""

from __future__ import annotations

import gzip
import json
import logging
import tempfile
import uuid
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeVar

import boto3
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyathena
from pyathena.connection import Connection
from pyathena.cursor import Cursor
from pyathena.filesystem.s3 import S3FileSystem
from pyathena.formatter import DefaultParameterFormatter
from pyathena.model import AthenaQueryExecution
from pyathena.pandas.cursor import PandasCursor

from python_ml.contracts.schema import load_source
from python_ml.engines import cloud
from python_ml.engines.base import Warehouse
from python_ml.engines.location import bucket_and_key
from python_ml.engines.sql import is_ordered, literal
from python_ml.errors import NotFoundError, ServiceError, SpanishGasError, TransientError
from python_ml.settings import AthenaSettings

# It prints what it raises, with a traceback.
logging.getLogger("pyathena").setLevel(logging.CRITICAL)

_Kind = TypeVar("_Kind", Cursor, PandasCursor)
_DATES = {"date_as_object": False}  # of pyarrow: as datetime64
_ARROW_TYPES = {
    **dict.fromkeys(("varchar", "char"), pa.string()),
    **dict.fromkeys(("tinyint", "smallint", "integer"), pa.int32()),
    "bigint": pa.int64(),
    **{"float": pa.float32(), "double": pa.float64()},
    "boolean": pa.bool_(),
    **{"date": pa.date32(), "timestamp": pa.timestamp("us")},
}
OURS = "/* python_ml */"  # before a query whose text says nothing else of where it comes from
_FOOTER_BYTES = 1_000_000  # more than the footer of any table of ours
_NEUTRAL_TYPES = {"string": "varchar", "int": "integer"}  # of Glue, where they differ


class AthenaWarehouse(Warehouse):
    """One work group and Glue database, by default the published one of the section `athena`."""

    def __init__(self, settings: AthenaSettings, schema: str | None = None) -> None:
        self.schema = schema or settings.schema
        self.raw_schema, self.ml_schema = f"{settings.schema}_raw", f"{settings.schema}_ml"
        self._lake = settings.lake.rstrip("/")
        self._staging = settings.staging.rstrip("/")
        self._settings = settings
        self._glue = cloud.client("glue", settings.region)
        self._s3 = cloud.client("s3", settings.region)

    def hash_share(self, text: str) -> str:
        digits = f"substr(to_hex(md5(to_utf8({text}))), 1, 8)"
        return f"cast(from_base({digits}, 16) as double) / 4294967296e0"

    def query(self, sql: str) -> pd.DataFrame:
        """The result of one SELECT; its columns need names, all different.

        Rows come as Parquet by UNLOAD, several times faster than pages of text. UNLOAD keeps no
        order, so those of an ordered query come as text, which is as exact.
        """
        return self._as_text(sql) if is_ordered(sql) else self._unloaded(sql)

    def _unloaded(self, sql: str) -> pd.DataFrame:
        folder = f"{self._staging}/unload/{uuid.uuid4()}/"
        unloading = {
            "unload": True,
            "formatter": _Unload(),
            "s3_staging_dir": folder,
            "engine": "pyarrow",
        }
        frame: Any
        try:
            with self._answer(PandasCursor, sql, unloading, to_pandas_kwargs=dict(_DATES)) as found:
                frame = found.as_pandas()
        finally:
            self._delete(folder, self._objects(folder))
        if frame.empty:  # UNLOAD writes no file for no rows
            return self._as_text(f"select * from ({sql}\n) as rows limit 0")
        return _in_microseconds(frame)

    def _as_text(self, sql: str) -> pd.DataFrame:
        """The result of a query with few rows: a request for each thousand."""
        with self._answer(Cursor, f"{OURS} {sql}") as found:
            rows = found.fetchall()
            columns = found.description or []
        values = zip(*rows, strict=True) if rows else ([] for _ in columns)
        arrays = {
            name: pa.array(column, _arrow_type(kind, precision, scale))
            for (name, kind, _, _, precision, scale, _), column in zip(columns, values, strict=True)
        }
        return _to_pandas(pa.table(arrays))

    def read_table(self, relation: str, where: str | None = None) -> pd.DataFrame:
        """All columns of a table that dbt built; whole tables are read from their files."""
        entry = self._whole(relation) if where is None else None
        if entry is None:
            return super().read_table(relation, where)
        folder = entry["StorageDescriptor"]["Location"].rstrip("/") + "/"
        names = [column["Name"] for column in entry["StorageDescriptor"]["Columns"]]
        parts = [self._read_parquet(f"{folder}{part}") for part in self._objects(folder)]
        if not parts:
            return pd.DataFrame(columns=names)
        return _to_pandas(pa.concat_tables(parts).select(names))

    def _whole(self, relation: str) -> Any:
        """The catalog's entry of a Hive table without partitions; None of anything else."""
        try:
            entry = self._glue.get_table(DatabaseName=self.schema, Name=relation)["Table"]
        except ServiceError:  # a query finds it, or says why not
            return None
        is_hive = "parquet" in entry["StorageDescriptor"].get("InputFormat", "").lower()
        return entry if is_hive and not entry.get("PartitionKeys") else None

    def external_runs(self, table: str) -> list[str]:
        return [run for run, _ in self._partitions(table)]

    def table_names(self) -> list[str]:
        tables = self._catalog(self.schema)
        return sorted(t["Name"] for t in tables if t.get("TableType") != "VIRTUAL_VIEW")

    def row_counts(self, names: Collection[str] | None = None) -> dict[str, int]:
        wanted = [name for name in self.table_names() if names is None or name in names]
        sizes: dict[str, int] = {}
        asked: list[str] = []
        for name in wanted:
            entry = self._whole(name)
            if entry is not None:  # the footers of its files say it
                folder = entry["StorageDescriptor"]["Location"].rstrip("/") + "/"
                parts = self._objects(folder)
                sizes[name] = sum(self._footer_rows(f"{folder}{part}") for part in parts)
            elif (size := self._iceberg_rows(name)) is not None:
                sizes[name] = size
            else:
                asked.append(name)
        if asked:
            counts = [
                f"select {literal(name)} as name, count(*) as size from {name}" for name in asked
            ]
            found = self.query(" union all ".join(counts))
            sizes |= dict(zip(found["name"], found["size"].astype(int), strict=True))
        return {name: sizes[name] for name in wanted}

    def _iceberg_rows(self, name: str) -> int | None:
        """Rows of an Iceberg table by the totals of its newest snapshot; None if they do not tell.

        Totals are those of https://iceberg.apache.org/spec/#optional-snapshot-summary-fields.
        """
        entry = self._glue.get_table(DatabaseName=self.schema, Name=name)["Table"]
        location = entry.get("Parameters", {}).get("metadata_location")
        if location is None:
            return None
        bucket, key = bucket_and_key(location)
        content = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        metadata = json.loads(gzip.decompress(content) if ".gz." in location else content)
        newest = metadata.get("current-snapshot-id")
        snapshots = {each["snapshot-id"]: each["summary"] for each in metadata.get("snapshots", [])}
        totals = snapshots.get(newest, {})
        if "total-records" not in totals or int(totals.get("total-equality-deletes", 1)):
            return None
        return int(totals["total-records"]) - int(totals.get("total-position-deletes", 0))

    def column_types(self) -> dict[str, dict[str, str]]:
        pages = self._glue.get_paginator("get_tables").paginate(DatabaseName=self.schema)
        return {
            table["Name"]: {
                column["Name"]: _neutral_type(column["Type"])
                for column in table["StorageDescriptor"]["Columns"]
            }
            for page in pages
            for table in page["TableList"]
        }

    @contextmanager
    def writing_external(self, table: str, run_id: str) -> Iterator[Callable[[pd.DataFrame], None]]:
        schema = self._external_arrow_schema(table)
        registered = self._registered(table)
        folder = f"{self._lake}/ml/{table}/run_id={run_id}/"
        bucket, key = bucket_and_key(f"{folder}part-0.parquet")
        with tempfile.TemporaryFile() as file:
            with pq.ParquetWriter(file, schema, compression="snappy") as writer:
                yield lambda frame: writer.write_table(self._typed(table, frame))
            file.seek(0)
            self._s3.upload_fileobj(Fileobj=file, Bucket=bucket, Key=key)
        # Only now does anyone see it. A part that the run wrote before has just been replaced.
        answer = self._glue.batch_create_partition(
            DatabaseName=self.ml_schema,
            TableName=table,
            PartitionInputList=[
                {
                    "Values": [run_id],
                    "StorageDescriptor": {**registered["StorageDescriptor"], "Location": folder},
                }
            ],
        )
        for error in answer.get("Errors", []):
            if error["ErrorDetail"]["ErrorCode"] != "AlreadyExistsException":
                raise SpanishGasError(f"ml.{table}: {error['ErrorDetail']['ErrorMessage']}")

    def read_external(self, table: str, run_id: str | None = None) -> pd.DataFrame:
        schema = self._external_arrow_schema(table)
        frames = [schema.empty_table().to_pandas().assign(run_id=pd.Series(dtype="str"))]
        for run, folder in self._partitions(table):
            if run_id in (None, run):
                for part in self._objects(folder):
                    rows = self._read_parquet(f"{folder}{part}").select(schema.names)
                    frames.append(rows.cast(schema).to_pandas().assign(run_id=run))
        frame: pd.DataFrame = pd.concat(frames[1:] or frames, ignore_index=True)
        return frame

    def lost_tables(self) -> list[str]:
        """As for every engine; of a table with a part for each run, the newest part counts."""
        lost = []
        known = {
            source: {entry["Name"]: entry for entry in self._catalog(schema)}
            for source, schema in (("raw", self.raw_schema), ("ml", self.ml_schema))
        }
        for name, schema in load_source("raw").items():
            if not (schema.meta.get("optional") or schema.meta.get("supplementary")):
                entry = known["raw"].get(name)
                place = entry["StorageDescriptor"]["Location"] if entry else self.raw_schema
                if entry is None or not self._objects(f"{place.rstrip('/')}/"):
                    lost.append(f"{name} ({place})")
        for name in load_source("ml"):
            parts = self._partitions(name)[-1:] if name in known["ml"] else [("", self.ml_schema)]
            lost += [
                f"{name} ({place})"
                for run_id, place in parts
                if not (run_id and self._objects(f"{place.rstrip('/')}/"))
            ]
        return lost

    def _catalog(self, schema: str) -> list[Any]:
        """Entries of a database, none where there is no such database."""
        pages = self._glue.get_paginator("get_tables").paginate(DatabaseName=schema)
        try:
            return [table for page in pages for table in page["TableList"]]
        except NotFoundError:
            return []

    def close(self) -> None:
        """Let go of the clients that read answers: fsspec would keep them."""
        S3FileSystem.clear_instance_cache()

    def execute(self, sql: str) -> str:
        """Run a statement to its end and return its id.

        Raises:
            SpanishGasError: it failed; the message is Athena's. A TransientError, where Athena says
                that it may succeed the next time.
            ServiceError: Athena refused it.
        """
        # One row is the fewest that the cursor reads of an answer that nobody wants.
        with self._answer(Cursor, sql, {"arraysize": 1}) as found:
            return str(found.query_id)

    @cached_property
    def _connection(self) -> Connection[Cursor]:
        return pyathena.connect(
            s3_staging_dir=f"{self._staging}/results/",
            region_name=self._settings.region,
            schema_name=self.schema,
            work_group=self._settings.work_group,
            poll_interval=self._settings.poll_seconds,
            kill_on_interrupt=False,  # it would go on, and Ctrl-C be lost
            session=boto3.DEFAULT_SESSION,  # one of its own takes 13 MB and 0.4 s
        )

    @contextmanager
    def _answer(
        self, kind: type[_Kind], sql: str, options: Mapping[str, Any] | None = None, **reading: Any
    ) -> Iterator[_Kind]:
        """A cursor at the end of a statement, to read from; what fails is an error of ours.

        Args:
            kind: of the cursor.
            options: of the cursor.
            reading: how the cursor reads the answer.
        """
        polled: deque[AthenaQueryExecution] = deque(maxlen=1)
        cursor = self._connection.cursor(kind, on_poll=polled.append, **(options or {}))
        try:
            cursor.execute(sql, **reading)
            yield cursor
        except pyathena.Error as error:
            if (cause := error.__cause__) is not None:
                of_file = isinstance(cause, OSError) and cause.__cause__  # of PyAthena's own
                place = f"athena {self._settings.work_group}"
                raise cloud.refusal(of_file or cause, place) from error
            told = f"Athena query {cursor.query_id}: {error}"
            passes = any(execution.retryable for execution in polled)
            raise (TransientError if passes else SpanishGasError)(told) from error

    def _registered(self, table: str) -> Any:
        try:
            return self._glue.get_table(DatabaseName=self.ml_schema, Name=table)["Table"]
        except NotFoundError as error:
            raise SpanishGasError(
                f"{self.ml_schema}.{table} is not in the catalog; "
                "`dbt run-operation register_external_tables --target athena` creates it"
            ) from error

    def _partitions(self, table: str) -> list[tuple[str, str]]:
        """Run id and folder of each part that is visible."""
        pages = self._glue.get_paginator("get_partitions").paginate(
            DatabaseName=self.ml_schema, TableName=table
        )
        try:
            found = [partition for page in pages for partition in page["Partitions"]]
        except NotFoundError:
            return []
        return sorted((part["Values"][0], part["StorageDescriptor"]["Location"]) for part in found)

    def _objects(self, folder: str) -> list[str]:
        """Names of the objects in a folder."""
        bucket, prefix = bucket_and_key(folder)
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return sorted(key.removeprefix(prefix) for key in keys)

    def _footer_rows(self, location: str) -> int:
        """Rows of a Parquet file, by its footer."""
        bucket, key = bucket_and_key(location)
        end = self._s3.get_object(Bucket=bucket, Key=key, Range=f"bytes=-{_FOOTER_BYTES}")
        count: int = pq.read_metadata(pa.BufferReader(end["Body"].read())).num_rows
        return count

    def _read_parquet(self, location: str) -> pa.Table:
        bucket, key = bucket_and_key(location)
        content = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return pq.read_table(pa.BufferReader(content))

    def _delete(self, folder: str, names: list[str]) -> None:
        bucket, prefix = bucket_and_key(folder)
        for first in range(0, len(names), 1000):  # the most that one call takes
            chunk = [{"Key": f"{prefix}{name}"} for name in names[first : first + 1000]]
            self._s3.delete_objects(Bucket=bucket, Delete={"Objects": chunk, "Quiet": True})


class _Unload(DefaultParameterFormatter):
    """UNLOAD around every query, as it stands: PyAthena's own leaves those out that begin with a
    comment, and their answers would come as text."""

    @staticmethod
    def wrap_unload(
        operation: str, s3_staging_dir: str, format_: str = "PARQUET", compression: str = "SNAPPY"
    ) -> tuple[str, str]:
        place = f"{s3_staging_dir}rows/"
        properties = f"format = {literal(format_)}, compression = {literal(compression)}"
        return f"unload ({operation}\n) to {literal(place)} with ({properties})", place


def _neutral_type(hive_type: str) -> str:
    """A text that is known to be short has its length in Hive's type; ours has none."""
    bare = "varchar" if hive_type.startswith("varchar(") else hive_type
    return _NEUTRAL_TYPES.get(bare, bare)


def _arrow_type(kind: str, precision: int, scale: int) -> pa.DataType:
    """Of a column of Athena's answer; the same as in a file of UNLOAD."""
    return pa.decimal128(precision, scale) if kind == "decimal" else _ARROW_TYPES[kind]


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    return _in_microseconds(table.to_pandas(**_DATES))


def _in_microseconds(frame: pd.DataFrame) -> pd.DataFrame:
    """Dates and times as datetime64[us], as DuckDB gives them."""
    for column in frame.columns[frame.dtypes.astype(str).str.startswith("datetime64")]:
        frame[column] = frame[column].astype("datetime64[us]")
    return frame
