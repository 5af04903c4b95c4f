"""Hive DDL, as Athena's own parser reads it: back-ticks only, Hive type names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.athena.local.lexer import ParseError, Reader
from tests.athena.local.statements import Statement

_SIMPLE_TYPES = frozenset(
    [
        "boolean",
        "tinyint",
        "smallint",
        "int",
        "bigint",
        "double",
        "float",
        "string",
        "binary",
        "date",
        "timestamp",
    ]
)
_SERDES = {
    "parquet": (
        "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    ),
    "textfile": (
        "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
        "org.apache.hadoop.mapred.TextInputFormat",
        "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    ),
}

_COLUMN_CHANGES = {
    ("add", "columns"): "add columns",
    ("replace", "columns"): "replace columns",
}

Column = tuple[str, str]
Partition = dict[str, str]


@dataclass(frozen=True)
class CreateTable:
    """CREATE EXTERNAL TABLE."""

    name: tuple[str, ...]
    if_not_exists: bool
    columns: list[Column]
    partitions: list[Column]
    serde: tuple[str, str, str]
    serde_properties: dict[str, str]
    location: str
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DatabaseChange:
    """CREATE or DROP SCHEMA; `flag` is IF NOT EXISTS or IF EXISTS."""

    name: str
    create: bool
    flag: bool
    cascade: bool = False


@dataclass(frozen=True)
class DropTable:
    """DROP TABLE."""

    name: tuple[str, ...]
    if_exists: bool


@dataclass(frozen=True)
class AlterTable:
    """ALTER TABLE; what `action` needs is in the other members."""

    name: tuple[str, ...]
    action: str
    columns: list[Column] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    target: tuple[str, ...] = ()
    partitions: list[tuple[Partition, str | None]] = field(default_factory=list)
    flag: bool = False


Parsed = CreateTable | DatabaseChange | DropTable | AlterTable


def parse(statement: Statement) -> Parsed:
    """Read one statement of Hive DDL.

    Raises:
        ParseError: Athena's parser would refuse it.
    """
    for token in statement.tokens:
        if token.kind == "quoted":
            raise ParseError(f"mismatched input '\"' in DDL: write `{token.value}`")
    reader = Reader(statement.sql, list(statement.tokens))
    parsers: dict[str, Callable[[Reader], Parsed]] = {
        "CREATE_TABLE": _create_table,
        "CREATE_DATABASE": _create_database,
        "DROP_DATABASE": _drop_database,
        "DROP_TABLE": _drop_table,
        "ALTER_TABLE": _alter_table,
    }
    parsed = parsers[statement.subkind](reader)
    if not reader.at_end:
        raise ParseError(f"extraneous input {reader.next().text!r}")
    return parsed


def _create_database(reader: Reader) -> DatabaseChange:
    reader.expect("create")
    reader.next()
    flag = reader.accept("if", "not", "exists")
    return DatabaseChange(reader.name()[-1], create=True, flag=flag)


def _drop_database(reader: Reader) -> DatabaseChange:
    reader.expect("drop")
    reader.next()
    flag = reader.accept("if", "exists")
    name = reader.name()[-1]
    cascade = reader.accept("cascade")
    reader.accept("restrict")
    return DatabaseChange(name, create=False, flag=flag, cascade=cascade)


def _drop_table(reader: Reader) -> DropTable:
    reader.expect("drop", "table")
    flag = reader.accept("if", "exists")
    return DropTable(reader.name(), flag)


def _create_table(reader: Reader) -> CreateTable:
    reader.expect("create", "external", "table")
    flag = reader.accept("if", "not", "exists")
    name = reader.name()
    columns = _columns(reader)
    partitions = _columns(reader) if reader.accept("partitioned", "by") else []
    serde, serde_properties = _SERDES["textfile"], {}
    if reader.accept("row", "format", "serde"):
        serde = (reader.next().value, *_SERDES["textfile"][1:])
        if reader.accept("with", "serdeproperties"):
            serde_properties = _properties(reader)
    if reader.accept("stored", "as"):
        serde = _storage(reader.next().lower)
    reader.expect("location")
    location = reader.next().value
    properties = _properties(reader) if reader.accept("tblproperties") else {}
    return CreateTable(
        name, flag, columns, partitions, serde, serde_properties, location, properties
    )


def _storage(name: str) -> tuple[str, str, str]:
    if name not in _SERDES:
        raise ParseError(f"STORED AS {name} is not used here")
    return _SERDES[name]


def _alter_table(reader: Reader) -> AlterTable:
    reader.expect("alter", "table")
    name = reader.name()
    for words, action in _COLUMN_CHANGES.items():
        if reader.accept(*words):
            return AlterTable(name, action, columns=_columns(reader))
    if reader.accept("set", "tblproperties"):
        return AlterTable(name, "set properties", properties=_properties(reader))
    if reader.accept("set", "location"):
        return AlterTable(name, "set location", target=(reader.next().value,))
    if reader.accept("rename", "to"):
        return AlterTable(name, "rename", target=reader.name())
    if reader.accept("change"):
        reader.accept("column")
        old = reader.name()
        return AlterTable(name, "change column", columns=[_column(reader)], target=old)
    adds = reader.accept("add")
    if not adds:
        reader.expect("drop")
    flag = reader.accept("if", "not", "exists") if adds else reader.accept("if", "exists")
    action = "add partitions" if adds else "drop partitions"
    return AlterTable(name, action, partitions=_partitions(reader), flag=flag)


def _columns(reader: Reader) -> list[Column]:
    reader.expect("(")
    columns = []
    while not reader.accept(")"):
        columns.append(_column(reader))
        reader.accept(",")
    return columns


def _column(reader: Reader) -> Column:
    name = reader.next().value.lower()
    kind = reader.until(",", ")", "comment")
    if reader.accept("comment"):
        reader.next()
    return name, _hive_type(kind)


def _hive_type(kind: str) -> str:
    """The type without spaces, lower case; `integer` and a bare `varchar` are not Hive's."""
    text = "".join(kind.lower().split())
    base = text.split("(")[0].split("<")[0]
    if base in ("array", "map", "struct"):
        return text
    if base in ("decimal", "varchar", "char") and (base == "decimal" or "(" in text):
        return text
    if text not in _SIMPLE_TYPES:
        raise ParseError(f"ParseException: cannot recognize input near {kind!r} in column type")
    return text


def _properties(reader: Reader) -> dict[str, str]:
    reader.expect("(")
    properties = {}
    while not reader.accept(")"):
        key = reader.next()
        reader.expect("=")
        properties[key.value] = reader.next().value
        reader.accept(",")
    return properties


def _partitions(reader: Reader) -> list[tuple[Partition, str | None]]:
    found = []
    while reader.accept("partition"):
        reader.expect("(")
        values = {}
        while not reader.accept(")"):
            key = reader.next().value.lower()
            reader.expect("=")
            values[key] = reader.next().value
            reader.accept(",")
        location = reader.next().value if reader.accept("location") else None
        found.append((values, location))
        reader.accept(",")
    if not found:
        raise ParseError("expected PARTITION")
    return found
