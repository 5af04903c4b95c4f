"""What Trino and AWS know of Glue and moto does not.

Trino's metastore asks for column statistics and user-defined functions, which moto answers with an
error. Trino's Iceberg connector registers tables without columns or location, which Athena shows.
AWS fills members of requests and answers that were left out; Trino relies on it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.athena.local import projection

# Operation -> the answer of a Glue that holds nothing of the kind.
STUBS: dict[str, dict[str, Any]] = {
    "GetColumnStatisticsForTable": {"ColumnStatisticsList": [], "Errors": []},
    "GetColumnStatisticsForPartition": {"ColumnStatisticsList": [], "Errors": []},
    "UpdateColumnStatisticsForTable": {"Errors": []},
    "UpdateColumnStatisticsForPartition": {"Errors": []},
    "DeleteColumnStatisticsForTable": {},
    "DeleteColumnStatisticsForPartition": {},
    "GetUserDefinedFunctions": {"UserDefinedFunctions": []},
}

# What AWS stores for members of a storage descriptor that the caller left out.
_STORAGE_DEFAULTS: dict[str, Any] = {
    "NumberOfBuckets": 0,
    "Compressed": False,
    "StoredAsSubDirectories": False,
    "BucketColumns": [],
    "SortColumns": [],
    "Parameters": {},
}
# Operation -> how its answer has to look for Trino; moto leaves out an empty list.
FOR_ENGINE: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "BatchGetPartition": lambda answer: {"UnprocessedKeys": [], **answer},
    "GetTable": projection.for_engine,
}
WRITES = frozenset(("CreateTable", "UpdateTable", "CreatePartition", "BatchCreatePartition"))

_ICEBERG_TO_HIVE = {"long": "bigint", "timestamptz": "timestamp", "uuid": "string"}


def complete(request: dict[str, Any], s3: Any) -> dict[str, Any]:
    """A write of a table or of partitions with everything that AWS would add."""
    request = _complete_iceberg_table(request, s3)
    inputs = [request.get("TableInput", {}), request.get("PartitionInput", {})]
    for entry in [*inputs, *request.get("PartitionInputList", [])]:
        if storage := entry.get("StorageDescriptor"):
            entry["StorageDescriptor"] = {**_STORAGE_DEFAULTS, **storage}
    return request


def _complete_iceberg_table(request: dict[str, Any], s3: Any) -> dict[str, Any]:
    """An Iceberg table of Trino's with the columns and location of its metadata file."""
    table = request.get("TableInput", {})
    parameters = table.get("Parameters", {})
    pointer = parameters.get("metadata_location")
    if parameters.get("table_type", "").upper() != "ICEBERG" or not pointer:
        return request
    bucket, _, key = pointer.split("://", 1)[1].partition("/")
    metadata = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    schemas = {schema["schema-id"]: schema for schema in metadata["schemas"]}
    fields = schemas[metadata["current-schema-id"]]["fields"]
    table["StorageDescriptor"] = {
        **table.get("StorageDescriptor", {}),
        "Columns": [iceberg_column(field) for field in fields],
        "Location": metadata["location"],
    }
    table.setdefault("TableType", "EXTERNAL_TABLE")
    return request


def iceberg_column(field: dict[str, Any]) -> dict[str, Any]:
    """A Glue column as Athena registers an Iceberg field."""
    return {
        "Name": field["name"].lower(),
        "Type": hive_type_of_iceberg(field["type"]),
        "Parameters": {
            "iceberg.field.current": "true",
            "iceberg.field.id": str(field["id"]),
            "iceberg.field.optional": str(not field["required"]).lower(),
        },
    }


def hive_type_of_iceberg(kind: Any) -> str:
    """The Hive name of an Iceberg type, nested ones included."""
    if isinstance(kind, str):
        if kind.startswith(("fixed", "binary")):
            return "binary"
        return _ICEBERG_TO_HIVE.get(kind, kind.replace(" ", ""))
    if kind["type"] == "list":
        return f"array<{hive_type_of_iceberg(kind['element'])}>"
    if kind["type"] == "map":
        return f"map<{hive_type_of_iceberg(kind['key'])},{hive_type_of_iceberg(kind['value'])}>"
    inner = (f"{f['name']}:{hive_type_of_iceberg(f['type'])}" for f in kind["fields"])
    return f"struct<{','.join(inner)}>"


def hive_type_of_trino(name: str) -> str:
    """The Glue type of a view's column, from the type that Trino prints."""
    base = name.split("(", maxsplit=1)[0]
    if base == "varchar":
        return "string"
    if base in ("integer", "real"):
        return {"integer": "int", "real": "float"}[base]
    if base.startswith("timestamp"):
        return "timestamp"
    if base == "varbinary":
        return "binary"
    if base == "array":
        return f"array<{hive_type_of_trino(name[6:-1])}>"
    return name.replace(" ", "") if base == "decimal" else base


def set_view_columns(glue: Any, name: tuple[str, str], columns: list[tuple[str, str]]) -> None:
    """Give a view its columns; Trino registers one dummy column."""
    database, view = name
    table = glue.get_table(DatabaseName=database, Name=view)["Table"]
    glue.update_table(
        DatabaseName=database,
        TableInput={
            **table_input(table),
            "StorageDescriptor": {
                **table["StorageDescriptor"],
                "Columns": [
                    {"Name": column, "Type": hive_type_of_trino(kind)} for column, kind in columns
                ],
            },
        },
        SkipArchive=True,
    )


def table_input(table: dict[str, Any]) -> dict[str, Any]:
    """What UpdateTable and CreateTable take of what GetTable gives.

    Empty members are dropped: the AWS models refuse some of them.
    """
    kept = (
        *("Name", "Description", "Owner", "Retention", "StorageDescriptor", "PartitionKeys"),
        *("ViewOriginalText", "ViewExpandedText", "TableType", "Parameters"),
    )
    return {key: table[key] for key in kept if table.get(key) is not None}
