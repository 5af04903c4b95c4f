"""A run's own Glue database, and the step that makes its tables the published ones.

dbt builds into `<schema>_run_<run id>`, which nobody reads. Publishing writes `published.json` to
the lake's bucket, which decides, and then points each table of `<schema>` at the run's files: no
data moves and no query runs. A run that fails or is killed before that object is written has
changed nothing that anyone reads; one that is killed after it is finished by the next command
(`settle`).

An Iceberg table that a run continues is a second catalog entry of the same table: the run's commits
are seen by readers once the published entry points at the run's metadata.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from python_ml.engines import cloud
from python_ml.engines.location import bucket_and_prefix
from python_ml.engines.s3_store import S3Store
from python_ml.engines.sql import identifier
from python_ml.errors import AlreadyThereError, NotFoundError, SpanishGasError
from python_ml.settings import AthenaSettings

POINTER = "published.json"
_CALLS_AT_ONCE = 8
_VIEW = re.compile(r"/\* Presto View: (\S+) \*/")
# What UpdateTable and CreateTable take of what GetTable gives.
_INPUT = (
    *("Name", "Description", "Owner", "Retention", "StorageDescriptor", "PartitionKeys"),
    *("ViewOriginalText", "ViewExpandedText", "TableType", "Parameters"),
)


def run_database_name(athena: AthenaSettings, run_id: str) -> str:
    """Name of the database that a run builds in."""
    return f"{athena.schema}_run_{re.sub('[^a-z0-9]', '_', run_id.lower())}"


class Publication:
    """The published tables of `athena.schema` and the databases of runs beside them."""

    def __init__(self, athena: AthenaSettings) -> None:
        self._athena = athena
        self._schema = athena.schema
        self._glue = cloud.client("glue", athena.region)
        self._s3 = cloud.client("s3", athena.region)
        self._store = S3Store(athena)

    def published_run(self) -> str | None:
        """The run whose tables are published, or None before the first."""
        return self._pointer().get("run_id")

    def begin(self, run_id: str, copied: Callable[[str], bool] = lambda _: False) -> str:
        """Make a run's database, with entries of the published tables that it goes on with.

        Args:
            run_id: whose database; one that is there already (of a run that is resumed) stays.
            copied: whether the run begins with the published table of that name. Only its entry is
                made anew; the files stay where they are and are not written to.

        Returns:
            Its name.
        """
        name = run_database_name(self._athena, run_id)
        if name in self._run_databases():
            return name
        # The run's views and tables are published as they are, so the target is made with it.
        for database in (self._schema, name):
            try:
                self._glue.create_database(DatabaseInput={"Name": database})
            except AlreadyThereError:
                continue
        chosen = [table for table in self._tables(self._schema) if copied(table["Name"])]
        self._each(chosen, lambda table: self._put(name, _table_input(table)))
        return name

    def is_iceberg(self, table: str) -> bool:
        """Whether there is a published table of that name that a run can go on with."""
        return _is_iceberg(self._table(self._schema, table) or {})

    def iceberg_tables(self) -> dict[str, str]:
        """Where each published Iceberg table lies, by its name."""
        return {
            table["Name"]: table["StorageDescriptor"]["Location"]
            for table in self._tables(self._schema)
            if _is_iceberg(table)
        }

    def continue_table(self, run_id: str, table: str) -> None:
        """Give a run an entry of a published Iceberg table, as it is published now."""
        found = self._table(self._schema, table)
        if found is None or not _is_iceberg(found):
            raise SpanishGasError(
                f"{self._schema}.{table} is no Iceberg table that a run can go on"
            )
        self._put(run_database_name(self._athena, run_id), _table_input(found))

    def forget_table(self, run_id: str, table: str) -> None:
        """Take a table from a run that is to begin it again; files that only it knows stay."""
        self._remove(run_database_name(self._athena, run_id), table)

    def publish(self, run_id: str) -> None:
        """Make a run's tables the published ones; tables that it has not are no longer there.

        Raises:
            SpanishGasError: the run has built nothing, or AWS refuses.
        """
        database = run_database_name(self._athena, run_id)
        locations = _locations(self._tables(database))
        if not locations:
            raise SpanishGasError(f"run {run_id} has no tables in {database} to publish")
        before = _locations(self._tables(self._schema))
        pointer = {
            "run_id": run_id,
            "database": database,
            "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "previous": sorted(before),  # kept for queries that have begun to read it
            "garbage": sorted(set(self._pointer().get("previous", [])) - before - locations),
        }
        self._store.write(POINTER, json.dumps(pointer, indent=2).encode())
        self.settle()

    def settle(self) -> str | None:
        """Finish a publication that was decided and not carried out; returns its run."""
        pointer = self._pointer()
        if pointer.get("database") not in self._run_databases():
            return None
        built = self._tables(pointer["database"])
        names = {table["Name"] for table in built}
        outdated = [t for t in self._tables(self._schema) if t["Name"] not in names]
        inputs = [_moved(_table_input(t), pointer["database"], self._schema) for t in built]
        self._each(inputs, lambda table: self._put(self._schema, table))
        self._each(outdated, lambda t: self._remove(self._schema, t["Name"]))
        self._delete_files(pointer["garbage"])
        self._drop_entries(pointer["database"])
        run_id: str | None = pointer["run_id"]
        return run_id

    def clear(self, keep: Iterable[str] = ()) -> list[str]:
        """Remove databases of runs that ended early, with what they wrote; returns their names.

        Args:
            keep: runs that may still be resumed.
        """
        kept = {run_database_name(self._athena, run_id) for run_id in keep}
        leftovers = [name for name in self._run_databases() if name not in kept]
        for name in leftovers:
            self._drop(name)
        return leftovers

    def discard(self, run_id: str) -> None:
        """Remove the database of a run, if it is there, and the files that only it knows."""
        if (name := run_database_name(self._athena, run_id)) in self._run_databases():
            self._drop(name)

    def _drop(self, database: str) -> None:
        published = _locations(self._tables(self._schema))
        only_here = _locations(self._tables(database)) - published
        self._delete_files(only_here - set(self._pointer().get("previous", [])))
        self._drop_entries(database)

    def _pointer(self) -> dict[str, Any]:
        return json.loads(self._store.read(POINTER)) if self._store.exists(POINTER) else {}

    def _run_databases(self) -> list[str]:
        pages = self._glue.get_paginator("get_databases").paginate()
        names = [entry["Name"] for page in pages for entry in page["DatabaseList"]]
        return [name for name in names if name.startswith(f"{self._schema}_run_")]

    def _tables(self, database: str) -> list[dict[str, Any]]:
        pages = self._glue.get_paginator("get_tables").paginate(DatabaseName=database)
        try:
            return [table for page in pages for table in page["TableList"]]
        except NotFoundError:
            return []

    def _table(self, database: str, name: str) -> dict[str, Any] | None:
        try:
            document: dict[str, Any] | None = self._glue.get_table(
                DatabaseName=database, Name=name
            )["Table"]
            return document
        except NotFoundError:
            return None

    def _put(self, database: str, table: dict[str, Any]) -> None:
        try:
            self._glue.update_table(DatabaseName=database, TableInput=table, SkipArchive=True)
        except NotFoundError:
            self._glue.create_table(DatabaseName=database, TableInput=table)

    def _remove(self, database: str, table: str) -> None:
        try:
            self._glue.delete_table(DatabaseName=database, Name=table)
        except NotFoundError:
            return

    def _drop_entries(self, database: str) -> None:
        self._each(self._tables(database), lambda table: self._remove(database, table["Name"]))
        self._glue.delete_database(Name=database)

    def _delete_files(self, locations: Iterable[str]) -> None:
        pages = self._s3.get_paginator("list_objects_v2")
        for location in locations:
            bucket, prefix = bucket_and_prefix(location)
            for page in pages.paginate(Bucket=bucket, Prefix=prefix):
                if keys := [{"Key": entry["Key"]} for entry in page.get("Contents", [])]:
                    self._s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})

    def _each(self, tables: list[dict[str, Any]], change: Callable[[Any], None]) -> None:
        """One catalog call a table, a few at once: a publication takes about a second."""
        with ThreadPoolExecutor(_CALLS_AT_ONCE) as pool:
            list(pool.map(change, tables))


def _is_iceberg(table: dict[str, Any]) -> bool:
    is_iceberg: bool = table.get("Parameters", {}).get("table_type", "").upper() == "ICEBERG"
    return is_iceberg


def _table_input(table: dict[str, Any]) -> dict[str, Any]:
    return {key: table[key] for key in _INPUT if table.get(key) not in (None, {})}


def _locations(tables: Iterable[dict[str, Any]]) -> set[str]:
    """Folders of tables; views have none."""
    found = (table.get("StorageDescriptor", {}).get("Location") for table in tables)
    return {location.rstrip("/") + "/" for location in found if location}


def _moved(table: dict[str, Any], source: str, target: str) -> dict[str, Any]:
    """The entry as it is to stand in another database: a view names the tables of its own.

    Glue's crawlers and jobs know what the files are by the parameter `classification`.
    """
    if "parquet" in table.get("StorageDescriptor", {}).get("InputFormat", "").lower():
        table = table | {"Parameters": table.get("Parameters", {}) | {"classification": "parquet"}}
    found = _VIEW.fullmatch(table.get("ViewOriginalText", "").strip())
    if found is None:
        return table
    view = json.loads(base64.b64decode(found.group(1)))
    view["originalSql"] = view["originalSql"].replace(identifier(source), identifier(target))
    if view.get("schema") == source:
        view["schema"] = target
    encoded = base64.b64encode(json.dumps(view).encode()).decode()
    return table | {"ViewOriginalText": f"/* Presto View: {encoded} */"}
