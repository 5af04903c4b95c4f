"""A raw file as a relation that DuckDB scans, with its columns under the names of the schema."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import duckdb

from python_ml.contracts.schema import DELIMITERS
from python_ml.documents import allow_fields
from python_ml.engines.sql import files, identifier, literal, read_parquet
from python_ml.errors import SpanishGasError
from python_ml.land.convert import number_sql
from python_ml.land.discover import RawFile
from python_ml.land.expansion import is_gzip
from python_ml.land.result import EngineLost, Problem, Refusal, listing, shown
from python_ml.settings import LandSettings

_MEGABYTE = 1_000_000
_MOST_TOLD = 10  # unknown columns, each with a line of its own
_PARQUET, _ZIP = b"PAR1", b"PK\x03\x04"
_UTF8 = "Save it as UTF-8, for example with `iconv -f latin1 -t utf-8`."
# After these the engine answers nothing any more. Damage that passes for content leads to them.
_LOST = (duckdb.InternalException, duckdb.FatalException)
DAMAGED = (duckdb.Error, UnicodeDecodeError)  # the latter of names in a footer
_OWN_FAULT = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.NotImplementedException,
    duckdb.ParserException,
)


@dataclass(frozen=True)
class Source:
    """A scannable file.

    `relation` is what follows FROM; `columns` maps names of the schema to an expression over it
    and the DuckDB type of that; `malformed` names the table that a scan fills with unreadable
    lines, and `line` is the expression that is true for a record that could not be parsed.
    """

    raw: RawFile
    relation: str
    columns: dict[str, tuple[str, str]]
    malformed: str | None = None
    unparsed: str = "false"


def open_raw(
    connection: duckdb.DuckDBPyConnection, raw: RawFile, paths: list[Path], land: LandSettings
) -> Source:
    """The file as a relation.

    Args:
        connection: that will scan it.
        raw: what it stands for.
        paths: where it, or each of its parts, lies.
        land: the section of the settings, with the limits.

    Raises:
        Refusal: it cannot be read, or its columns are not those of the schema.
    """
    _check_magic(raw, paths)
    if raw.kind == "parquet":
        return _open_parquet(connection, raw, paths, land)
    if raw.kind == "json":
        return _open_json(connection, raw, paths[0], land)
    return _open_csv(raw, paths[0], land)


def unreadable(raw: RawFile, error: duckdb.Error | UnicodeDecodeError) -> Problem:
    """What to tell about an engine error while reading a raw file.

    Raises:
        SpanishGasError: the error is about this machine, not about the file.
        EngineLost: the engine gave up over the file.
        duckdb.Error: it is about our SQL.
    """
    label = raw.label
    if isinstance(error, _OWN_FAULT):
        raise error
    first_line = str(error).strip().splitlines()[0]
    if isinstance(error, duckdb.OutOfMemoryException) or "No space left" in str(error):
        raise SpanishGasError(f"{label}: {first_line}. Free memory or disk and land again.")
    problem = Problem(
        label, f"the file is unreadable or truncated: {first_line}", "Export or copy it again."
    )
    if isinstance(error, _LOST):
        raise EngineLost(problem) from error
    if "maximum_object_size" in str(error):
        what = "a record is larger than land.maximum_record_mb"
        return Problem(label, what, "Raise it in the settings if that is what you mean to land.")
    if raw.kind != "parquet" and ("unicode" in str(error).lower() or "utf" in str(error).lower()):
        return Problem(label, f"the text is not UTF-8: {first_line}", _UTF8)
    return problem


def mapped(raw: RawFile, names: Iterable[str], land: LandSettings) -> dict[str, str]:
    """Schema name -> name in the file, of the columns that are read as they are.

    Raises:
        Refusal: columns are unknown, missing or there twice.
    """
    schema, label = raw.table, raw.label
    known = {name: column.name for column in schema.columns for name in column.names}
    declared = raw.mapping.columns
    of_sums = {name for column in declared.values() for name in column.sum or ()}
    of_readings = set(raw.mapping.readings.names) if raw.mapping.readings else set()
    names = list(names)
    if len(names) > land.maximum_columns:
        raise Refusal(
            Problem(
                label,
                f"the file has {len(names):,} columns ({listing(names)}), more than "
                "land.maximum_columns",
                f"{schema.name} has {len(schema.columns)}; export it again.",
            )
        )
    found: dict[str, list[str]] = {}
    unknown: list[str] = []
    for name in names:
        exact = name.strip().lstrip("\ufeff")
        plain = exact.lower().replace(" ", "_").replace("-", "_")
        of_mapping = [own for own, column in declared.items() if column.column == exact]
        for own in of_mapping:
            found.setdefault(own, []).append(name)
        if of_mapping or exact in of_sums | of_readings or raw.mapping.is_ignored(exact):
            continue
        if plain in known and known[plain] not in declared:
            found.setdefault(known[plain], []).append(name)
        else:
            unknown.append(name)
    for name in sorted(of_sums - {name.strip().lstrip("\ufeff") for name in names}):
        unknown_sum = Problem(
            label,
            f"the mapping adds it up, but the file has {listing(names)}",
            "Correct the mapping.",
            column=name,
        )
        raise Refusal(unknown_sum)
    missing = [
        c.name
        for c in schema.columns
        if (c.required or (c.name in declared and declared[c.name].column))
        and c.name not in found
        and not (c.name in declared and declared[c.name].column is None)
    ]
    problems = [
        Problem(
            label,
            f"the required column is missing; the file has {listing(names) or 'none'}",
            (
                f"Correct {schema.name}.columns.{name} in the mapping, which says "
                f"{declared[name].column}."
                if name in declared
                else "Add it, or rename the column that holds it; accepted: "
                f"{', '.join(schema.column(name).names)}.{_header_hint(unknown)}"
            ),
            column=name,
        )
        for name in missing
    ]
    remedy = (
        f"Remove it, or say in a mapping (--mapping) under sources.{schema.name} what it stands "
        "for, or ignore it."
    )
    if len(unknown) <= _MOST_TOLD:
        problems += [
            Problem(label, "the column is unknown", remedy, column=name) for name in unknown
        ]
    else:
        what = f"{len(unknown):,} columns are unknown ({listing(unknown)})"
        problems.append(Problem(label, what, "Export the file without them."))
    problems += [
        Problem(
            label,
            f"{' and '.join(map(shown, same))} stand for one column",
            "Keep one.",
            column=name,
        )
        for name, same in found.items()
        if len(same) > 1
    ]
    if problems:
        raise Refusal(*problems)
    return {name: same[0] for name, same in found.items()}


def declared(
    raw: RawFile, columns: Mapping[str, tuple[str, str]], of_file: Mapping[str, tuple[str, str]]
) -> dict[str, tuple[str, str]]:
    """Columns of the schema as expressions, those that the mapping adds up or gives included.

    Args:
        raw: the file.
        columns: of the schema that are read as they are: expression and DuckDB type.
        of_file: all columns of the file by name, likewise.
    """
    more: dict[str, tuple[str, str]] = {}
    for name, column in raw.mapping.columns.items():
        if column.value is not None:
            more[name] = (f"cast({literal(column.value)} as varchar)", "VARCHAR")
        elif column.sum:
            sums = [
                number_sql(*of_file[part], raw.mapping.conventions(name)) for part in column.sum
            ]
            present = " or ".join(f"{part} is not null" for part in sums)
            total = " + ".join(f"coalesce({part}, 0)" for part in sums)
            more[name] = (f"case when {present} then {total} end", "DOUBLE")
    return {**columns, **more}


def _header_hint(names: list[str]) -> str:
    values = any(name.strip()[1:].isdigit() or name.strip().isdigit() for name in names)
    return " The first line looks like data: it must hold the column names." if values else ""


def _check_magic(raw: RawFile, paths: list[Path]) -> None:
    for path in paths:
        with path.open("rb") as stream:
            start = stream.read(4)
        if raw.kind != "parquet":
            if start.startswith((_PARQUET, _ZIP)):
                raise Refusal(
                    Problem(
                        raw.label,
                        f"holds {'Parquet' if start == _PARQUET else 'a ZIP or Excel file'}, "
                        f"not {raw.kind.upper()}",
                        "Give it the extension of its format, or export it anew.",
                    )
                )
            if start.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise Refusal(Problem(raw.label, "the text is UTF-16, not UTF-8", _UTF8))
        elif start != _PARQUET:
            raise Refusal(
                Problem(
                    raw.label,
                    f"{path.name} is not a Parquet file or is truncated",
                    "Export or copy it again.",
                )
            )


def _open_parquet(
    connection: duckdb.DuckDBPyConnection, raw: RawFile, paths: list[Path], land: LandSettings
) -> Source:
    relation = read_parquet(*paths, options=", union_by_name = true")
    try:
        described = connection.execute(f"describe select * from {relation}").fetchall()
    except DAMAGED as error:
        raise Refusal(unreadable(raw, error)) from error
    _same_columns(connection, raw, paths)
    types = {row[0]: row[1] for row in described}
    names = mapped(raw, types, land)
    columns = {name: (identifier(own), types[own]) for name, own in names.items()}
    of_file = {name: (identifier(name), kind) for name, kind in types.items()}
    return Source(raw, relation, declared(raw, columns, of_file))


def _same_columns(connection: duckdb.DuckDBPyConnection, raw: RawFile, paths: list[Path]) -> None:
    """A column that one part lacks would be read as null without a word."""
    scans = ", ".join(files(path) for path in paths)
    shapes = connection.execute(
        "select min(file_name), names from (select file_name, list_sort(list(name)) as names "
        f"from parquet_schema([{scans}]) where num_children is null group by file_name) "
        "group by names order by 1"
    ).fetchall()
    if len(shapes) > 1:
        (first, names), (other, other_names) = shapes[0], shapes[1]
        differing = listing(sorted(set(names) ^ set(other_names)))
        raise Refusal(
            Problem(
                raw.label,
                f"{Path(first).parent.name}/{Path(first).name} and "
                f"{Path(other).parent.name}/{Path(other).name} differ in the columns {differing}",
                "Write all parts with the same columns.",
            )
        )


def _open_csv(raw: RawFile, path: Path, land: LandSettings) -> Source:
    longest = int(land.maximum_header_mb * _MEGABYTE)
    try:
        with _text_stream(path) as stream:
            line = stream.readline(longest + 1)
        if len(line) > longest:
            what = f"the first line is longer than {longest:,} bytes (land.maximum_header_mb)"
            raise Refusal(Problem(raw.label, what, "Export it again, one record a line."))
        head = _header(raw, line)
    except (OSError, EOFError, zlib.error) as error:
        what = f"the file is truncated: {error}"
        raise Refusal(Problem(raw.label, what, "Copy it again.")) from error
    delimiter = raw.mapping.delimiter or _delimiter(raw, head)
    header = _cells(head, delimiter)
    names = mapped(raw, header, land)
    types = ", ".join(f"c{index}: 'VARCHAR'" for index in range(len(header)))
    rejects = f"malformed_{raw.table.name}_{raw.year or 0}"
    relation = (
        f"read_csv({files(path)}, auto_detect = false, header = true, "
        f"columns = {{{types}}}, delim = {literal(delimiter)}, quote = '\"', escape = '\"', "
        f"compression = {literal('gzip' if is_gzip(path) else 'none')}, store_rejects = true, "
        f"rejects_table = {literal(rejects)}, rejects_scan = {literal(f'{rejects}_scan')})"
    )
    columns = {name: (f"c{header.index(own)}", "VARCHAR") for name, own in names.items()}
    of_file = {own.strip(): (f"c{index}", "VARCHAR") for index, own in enumerate(header)}
    return Source(raw, relation, declared(raw, columns, of_file), malformed=rejects)


def _header(raw: RawFile, line: bytes) -> str:
    """The first line of a CSV file as text.

    Raises:
        Refusal: it is no header.
    """
    try:
        head = line.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise Refusal(Problem(raw.label, "the header is not UTF-8", _UTF8)) from error
    if "\0" in head:
        what = "the header has NUL bytes, as binary files and UTF-16 have"
        raise Refusal(Problem(raw.label, what, _UTF8))
    if "\r" in head:
        what = "lines end with a carriage return alone, as on old Macs, or the header has one"
        raise Refusal(Problem(raw.label, what, "Save it with line feeds."))
    return head


def _cells(head: str, delimiter: str) -> list[str]:
    allow_fields(len(head))
    return next(csv.reader([head], delimiter=delimiter), [])


def _delimiter(raw: RawFile, head: str) -> str:
    """The delimiter under which the header holds most names that are known; a comma if none is."""
    known = {name.lower() for column in raw.table.columns for name in column.names}
    known |= {name.lower() for it in raw.mapping.columns.values() for name in it.names}

    def hits(delimiter: str) -> int:
        return sum(name.strip().lower() in known for name in _cells(head, delimiter))

    return max(DELIMITERS, key=hits)


def _open_json(
    connection: duckdb.DuckDBPyConnection, raw: RawFile, path: Path, land: LandSettings
) -> Source:
    try:
        with _text_stream(path) as stream:
            start = stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    except (OSError, EOFError, zlib.error) as error:
        raise Refusal(
            Problem(raw.label, f"the file is truncated: {error}", "Copy it again.")
        ) from error
    if start not in (b"[", b"{"):
        what = "is neither a JSON array of records nor JSON lines"
        raise Refusal(Problem(raw.label, what, "Write one JSON object a record."))
    lines = start == b"{"
    relation = (
        f"read_json_objects({files(path)}, "
        f"format = {literal('newline_delimited' if lines else 'array')}, "
        f"compression = {literal('gzip' if is_gzip(path) else 'uncompressed')}, "
        f"ignore_errors = {'true' if lines else 'false'}, "
        f"maximum_object_size = {int(land.maximum_record_mb * _MEGABYTE)})"
    )
    try:
        keys = connection.execute(
            f"select distinct unnest(json_keys(json)) as key from {relation} order by key"
        ).fetchall()
    except DAMAGED as error:
        raise Refusal(unreadable(raw, error)) from error
    names = mapped(raw, [key for (key,) in keys], land)
    of_file = {key: (f"(json ->> {literal(_json_path(key))})", "VARCHAR") for (key,) in keys}
    columns = declared(raw, {name: of_file[own] for name, own in names.items()}, of_file)
    return Source(raw, relation, columns, unparsed="json_type(json) is distinct from 'OBJECT'")


def _json_path(key: str) -> str:
    return '$."' + key.replace('"', '\\"') + '"'


def _text_stream(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if is_gzip(path) else path.open("rb")
