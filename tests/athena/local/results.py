"""Trino's answers in Athena's clothes: type names, cells as text, result files."""

from __future__ import annotations

import base64
import csv
import io
from typing import Any

from tests.athena.local.trino_client import TrinoResult

# Trino's raw type -> what Athena calls it in ResultSetMetadata.
_TYPE_NAMES = {"real": "float"}


def column_info(column: dict[str, Any]) -> dict[str, Any]:
    """The ColumnInfo of GetQueryResults."""
    raw = column["typeSignature"]["rawType"]
    numbers = [
        int(argument["value"])
        for argument in column["typeSignature"].get("arguments", [])
        if argument.get("kind") == "LONG"
    ]
    precision, scale = 0, 0
    if raw == "decimal":
        precision, scale = numbers
    elif raw in ("varchar", "char"):
        precision = numbers[0] if numbers else 2147483647
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": column["name"],
        "Label": column["name"],
        "Type": _TYPE_NAMES.get(raw, raw),
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": raw in ("varchar", "char"),
    }


def cell(value: Any, signature: dict[str, Any]) -> str | None:
    """A value as Athena writes it: `[a, b]`, `{k=v}`, bytes in hex, null as None."""
    if value is None:
        return None
    raw = signature["rawType"]
    arguments = signature.get("arguments", [])
    text = str(value)
    if raw == "array":
        text = "[" + ", ".join(_nested(item, arguments[0]["value"]) for item in value) + "]"
    elif raw == "map":
        key, item = (argument["value"] for argument in arguments)
        pairs = (f"{_nested(k, key)}={_nested(v, item)}" for k, v in value.items())
        text = "{" + ", ".join(pairs) + "}"
    elif raw == "row":
        text = _row(value, arguments)
    elif raw == "varbinary":
        text = base64.b64decode(value).hex(" ")
    elif isinstance(value, bool):
        text = text.lower()
    return text


def _row(values: list[Any], arguments: list[dict[str, Any]]) -> str:
    names = [argument["value"].get("fieldName") for argument in arguments]
    kinds = [argument["value"]["typeSignature"] for argument in arguments]
    fields = (
        f"{name['name'] if name else f'field{index}'}={_nested(item, kind)}"
        for index, (name, item, kind) in enumerate(zip(names, values, kinds, strict=True))
    )
    return "{" + ", ".join(fields) + "}"


def _nested(value: Any, signature: dict[str, Any]) -> str:
    text = cell(value, signature)
    return "null" if text is None else text


def text_rows(result: TrinoResult) -> list[list[str | None]]:
    """All cells as text."""
    signatures = [column["typeSignature"] for column in result.columns]
    return [
        [cell(value, signature) for value, signature in zip(row, signatures, strict=True)]
        for row in result.rows
    ]


def csv_file(columns: list[str], rows: list[list[str | None]]) -> bytes:
    """The result file of a SELECT: header, everything quoted, null as nothing at all."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        quoted = [
            '"' + value.replace('"', '""') + '"' if value is not None else "" for value in row
        ]
        text.write(",".join(quoted) + "\n")
    return text.getvalue().encode()
