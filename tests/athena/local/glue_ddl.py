"""Carry out Hive DDL on the Glue catalog."""

from __future__ import annotations

from typing import Any

from tests.athena.local import ddl
from tests.athena.local.glue_patches import table_input
from tests.athena.local.statements import Statement
from tests.athena.local.strict import bucket_and_prefix
from tests.athena.local.trino_client import TrinoQueryError


class GlueDdl:
    """Applies parsed statements; `database` is the one of the query's context."""

    def __init__(self, glue: Any, s3: Any) -> None:
        self._glue = glue
        self._s3 = s3

    def run(self, statement: Statement, database: str | None) -> None:
        """Parse and apply.

        Raises:
            ParseError: not Hive DDL as Athena reads it.
            TrinoQueryError: it cannot be applied (FAILED: SemanticException …).
        """
        parsed = ddl.parse(statement)
        if isinstance(parsed, ddl.DatabaseChange):
            self._database(parsed)
            return
        schema, table = _qualified(parsed.name, database)
        if isinstance(parsed, ddl.CreateTable):
            self._create(parsed, schema, table)
        elif isinstance(parsed, ddl.DropTable):
            self._drop(parsed, schema, table)
        else:
            self._alter(parsed, schema, table, database)

    def _database(self, change: ddl.DatabaseChange) -> None:
        exists = self._exists(self._glue.get_database, Name=change.name)
        if change.create:
            if not exists:
                self._glue.create_database(DatabaseInput={"Name": change.name})
            elif not change.flag:
                raise _failed(f"Database {change.name} already exists")
            return
        if not exists:
            if not change.flag:
                raise _failed(f"Database does not exist: {change.name}")
            return
        tables = self._tables(change.name)
        if tables and not change.cascade:
            raise _failed(f"Database {change.name} is not empty. One or more tables exist.")
        for table in tables:
            self._glue.delete_table(DatabaseName=change.name, Name=table)
        self._glue.delete_database(Name=change.name)

    def _tables(self, database: str) -> list[str]:
        pages = self._glue.get_paginator("get_tables").paginate(DatabaseName=database)
        return [table["Name"] for page in pages for table in page["TableList"]]

    def _create(self, create: ddl.CreateTable, schema: str, table: str) -> None:
        if self._exists(self._glue.get_table, DatabaseName=schema, Name=table):
            if not create.if_not_exists:
                raise _failed(f"Table {schema}.{table} already exists")
            return
        serde, reader, writer = create.serde
        self._glue.create_table(
            DatabaseName=schema,
            TableInput={
                "Name": table,
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {"EXTERNAL": "TRUE", **create.properties},
                "PartitionKeys": _glue_columns(create.partitions),
                "StorageDescriptor": {
                    "Columns": _glue_columns(create.columns),
                    "Location": create.location,
                    "InputFormat": reader,
                    "OutputFormat": writer,
                    "SerdeInfo": {
                        "SerializationLibrary": serde,
                        "Parameters": create.serde_properties,
                    },
                },
            },
        )

    def _drop(self, drop: ddl.DropTable, schema: str, table: str) -> None:
        if not self._exists(self._glue.get_table, DatabaseName=schema, Name=table):
            if not drop.if_exists:
                raise _failed(f"Table not found {schema}.{table}")
            return
        found = self._table(schema, table)
        if _is_iceberg(found):  # Athena deletes the files of an Iceberg table
            self._delete_files(found["StorageDescriptor"]["Location"])
        self._glue.delete_table(DatabaseName=schema, Name=table)

    def _delete_files(self, location: str) -> None:
        bucket, prefix = bucket_and_prefix(location)
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            keys = [{"Key": entry["Key"]} for entry in page.get("Contents", [])]
            if keys:
                self._s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})

    def _alter(self, alter: ddl.AlterTable, schema: str, table: str, database: str | None) -> None:
        found = self._table(schema, table)
        if alter.action == "rename":
            self._rename(found, schema, _qualified(alter.target, database))
            return
        if alter.action == "add partitions":
            self._add_partitions(alter, found, schema, table)
            return
        if alter.action == "drop partitions":
            self._drop_partitions(alter, found, schema, table)
            return
        changed = table_input(found)
        storage = changed["StorageDescriptor"] = dict(changed["StorageDescriptor"])
        columns = storage["Columns"]
        if _is_iceberg(found):
            raise _failed(f"ALTER TABLE {alter.action} of an Iceberg table is not used here")
        if alter.action == "set properties":
            changed["Parameters"] = {**changed.get("Parameters", {}), **alter.properties}
        elif alter.action == "set location":
            storage["Location"] = alter.target[0]
        elif alter.action == "add columns":
            storage["Columns"] = columns + _glue_columns(alter.columns)
        elif alter.action == "replace columns":
            storage["Columns"] = _glue_columns(alter.columns)
        else:
            (old,), new = alter.target, _glue_columns(alter.columns)[0]
            storage["Columns"] = [new if c["Name"] == old else c for c in columns]
        self._glue.update_table(DatabaseName=schema, TableInput=changed)

    def _rename(self, found: dict[str, Any], schema: str, target: tuple[str, str]) -> None:
        if not _is_iceberg(found):
            raise _failed("ALTER TABLE RENAME is not supported on a Hive table")
        if self._exists(self._glue.get_table, DatabaseName=target[0], Name=target[1]):
            raise _failed(f"new table {'.'.join(target)} already exists")
        self._glue.create_table(
            DatabaseName=target[0], TableInput={**table_input(found), "Name": target[1]}
        )
        self._glue.delete_table(DatabaseName=schema, Name=found["Name"])

    def _add_partitions(
        self, alter: ddl.AlterTable, found: dict[str, Any], schema: str, table: str
    ) -> None:
        storage = found["StorageDescriptor"]
        for values, location in alter.partitions:
            path = "/".join(f"{key}={value}" for key, value in values.items())
            place = location or f"{storage['Location'].rstrip('/')}/{path}"
            answer = self._glue.batch_create_partition(
                DatabaseName=schema,
                TableName=table,
                PartitionInputList=[
                    {
                        "Values": _partition_values(values, found),
                        "StorageDescriptor": {**storage, "Location": place},
                    }
                ],
            )
            if answer.get("Errors") and not alter.flag:
                raise _failed(f"Partition already exists: {values}")

    def _drop_partitions(
        self, alter: ddl.AlterTable, found: dict[str, Any], schema: str, table: str
    ) -> None:
        for values, _ in alter.partitions:
            answer = self._glue.batch_delete_partition(
                DatabaseName=schema,
                TableName=table,
                PartitionsToDelete=[{"Values": _partition_values(values, found)}],
            )
            if answer.get("Errors") and not alter.flag:
                raise _failed(f"Partition not found: {values}")

    def _table(self, schema: str, table: str) -> dict[str, Any]:
        if not self._exists(self._glue.get_table, DatabaseName=schema, Name=table):
            raise _failed(f"Table not found {schema}.{table}")
        found: dict[str, Any] = self._glue.get_table(DatabaseName=schema, Name=table)["Table"]
        return found

    def _exists(self, operation: Any, **arguments: str) -> bool:
        try:
            operation(**arguments)
        except self._glue.exceptions.EntityNotFoundException:
            return False
        return True


def _qualified(name: tuple[str, ...], database: str | None) -> tuple[str, str]:
    if len(name) > 1:
        return name[-2], name[-1]
    if database is None:
        raise _failed(f"no database for table {name[0]}")
    return database, name[0]


def _glue_columns(columns: list[ddl.Column]) -> list[dict[str, str]]:
    return [{"Name": name, "Type": kind} for name, kind in columns]


def _partition_values(values: dict[str, str], table: dict[str, Any]) -> list[str]:
    keys = [key["Name"] for key in table.get("PartitionKeys", [])]
    if sorted(keys) != sorted(values):
        raise _failed(f"partition spec {values} does not match the keys {keys}")
    return [values[key] for key in keys]


def _is_iceberg(table: dict[str, Any]) -> bool:
    return str(table.get("Parameters", {}).get("table_type", "")).upper() == "ICEBERG"


def _failed(message: str) -> TrinoQueryError:
    return TrinoQueryError("FAILED", "USER_ERROR", f"SemanticException {message}")
