"""Refusals of AWS that neither moto nor Trino makes."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from tests.athena.local.statements import TableCreation, Unload
from tests.athena.local.trino_client import TrinoQueryError

MAX_QUERY_BYTES = 262_144

# Properties of CREATE TABLE AS, from the AWS documentation; others are a syntax error there.
CTAS_PROPERTIES = frozenset(
    (
        *("table_type", "is_external", "format", "external_location", "location"),
        *("partitioned_by", "partitioning", "bucketed_by", "bucket_count", "field_delimiter"),
        *("write_compression", "compression_level", "orc_compression", "parquet_compression"),
        *("optimize_rewrite_min_data_file_size_bytes", "optimize_rewrite_max_data_file_size_bytes"),
        *("optimize_rewrite_data_file_threshold", "optimize_rewrite_delete_file_threshold"),
        *("vacuum_min_snapshots_to_keep", "vacuum_max_snapshot_age_seconds"),
        *("vacuum_max_metadata_files_to_keep",),
    )
)
_HIVE_ONLY = frozenset(("external_location", "partitioned_by", "bucketed_by", "bucket_count"))
_ICEBERG_ONLY = frozenset(("location", "partitioning"))
_UNLOAD_PROPERTIES = frozenset(
    ("format", "compression", "compression_level", "field_delimiter", "partitioned_by")
)


def check_query_size(sql: str) -> str | None:
    """Why StartQueryExecution refuses the text, or None."""
    size = len(sql.encode())
    if size <= MAX_QUERY_BYTES:
        return None
    return (
        "1 validation error detected: Value at 'queryString' failed to satisfy constraint: "
        f"Member must have length less than or equal to {MAX_QUERY_BYTES} (it has {size})"
    )


def check_creation(creation: TableCreation) -> None:
    """Refuse unknown properties, those of the other table type, and Iceberg without a place.

    Raises:
        TrinoQueryError: as Athena would say it.
    """
    foreign = _HIVE_ONLY if creation.is_iceberg else _ICEBERG_ONLY
    for name in creation.properties:
        if name not in CTAS_PROPERTIES:
            raise TrinoQueryError(
                "SYNTAX_ERROR", "USER_ERROR", f"Unsupported table property: {name}"
            )
        if name in foreign:
            raise TrinoQueryError(
                "INVALID_TABLE_PROPERTY",
                "USER_ERROR",
                f"property {name} cannot be used with this table type",
            )
    if creation.is_iceberg and (
        creation.text("is_external") != "false" or creation.text("location") is None
    ):
        raise TrinoQueryError(
            "INVALID_TABLE_PROPERTY",
            "USER_ERROR",
            "an Iceberg table needs is_external = false and a location",
        )


def check_unload(statement: Unload) -> None:
    """Refuse an UNLOAD without a format or with unknown properties."""
    if "format" not in statement.properties:
        raise TrinoQueryError("INVALID_TABLE_PROPERTY", "USER_ERROR", "UNLOAD needs a format")
    for name in statement.properties:
        if name not in _UNLOAD_PROPERTIES:
            raise TrinoQueryError(
                "INVALID_TABLE_PROPERTY", "USER_ERROR", f"Unsupported property: {name}"
            )


def check_empty(s3: Any, location: str) -> None:
    """Refuse to write where objects lie already.

    Raises:
        TrinoQueryError: the location holds something.
    """
    bucket, prefix = bucket_and_prefix(location)
    if s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)["KeyCount"]:
        raise TrinoQueryError(
            "HIVE_PATH_ALREADY_EXISTS",
            "EXTERNAL",
            f"Target directory for table already exists: {location}. "
            "You may need to manually clean the data at this location before retrying.",
        )


def bucket_and_prefix(location: str) -> tuple[str, str]:
    """`s3://bucket/a/b` as (`bucket`, `a/b/`)."""
    parts = urlsplit(location)
    return parts.netloc, parts.path.strip("/") + "/"
