"""A raw file as a relation that DuckDB scans, with its columns under the names of the schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from python_ml.engines.sql import files, identifier, literal, one_row, read_parquet
from python_ml.errors import SpanishGasError
from python_ml.land.convert import number_sql
from python_ml.land.discover import RawFile
from python_ml.land.parts import ENCODING, MEGABYTE, Part, forms, prepare
from python_ml.land.result import EngineLost, Problem, Refusal, listing, shown
from python_ml.settings import LandSettings

_MOST_TOLD = 10  # unknown columns, each with a line of its own
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
    and the DuckDB type of that; `malformed` names the tables that a scan fills with unreadable
    lines, and `unparsed` is the expression that is true for a record that could not be parsed.
    """

    raw: RawFile
    relation: str
    columns: dict[str, tuple[str, str]]
    malformed: tuple[str, ...] = ()
    unparsed: str = "false"


def open_raw(
    connection: duckdb.DuckDBPyConnection,
    raw: RawFile,
    paths: list[Path],
    land: LandSettings,
    scratch: Path,
) -> Source:
    """The file as a relation, all its parts together.

    Args:
        connection: that will scan it.
        raw: what it stands for.
        paths: where it, or each of its parts, lies.
        land: the section of the settings, with the limits.
        scratch: folder for copies of parts that DuckDB cannot read as they are.

    Raises:
        Refusal: it cannot be read, or its columns are not those of the schema.
    """
    parts = [prepare(_named(raw, path, len(paths)), path, land, scratch) for path in paths]
    filled = [part for part in parts if part.records != "nothing"]
    if not filled and raw.table.meta.get("optional"):
        return Source(raw, "(select 1 where false)", {})
    sources = [
        _open(connection, _named(raw, members[0], len(paths)), form, members, land, number)
        for number, (form, members) in enumerate(forms(filled or parts))
    ]
    return replace(_together(raw, sources), raw=raw) if len(sources) > 1 else sources[0]


def _named(raw: RawFile, path: Path, count: int) -> RawFile:
    """The file under the name of one of its parts, for messages."""
    return raw if count == 1 else replace(raw, label=f"{raw.label}/{path.name}")


def _open(
    connection: duckdb.DuckDBPyConnection,
    raw: RawFile,
    form: Part,
    paths: list[Path],
    land: LandSettings,
    number: int,
) -> Source:
    if form.kind == "parquet":
        return _open_parquet(connection, raw, form, paths, land)
    if form.kind == "json":
        return _open_json(connection, raw, form, paths, land)
    return _open_csv(connection, raw, form, paths, land, number)


def _together(raw: RawFile, sources: list[Source]) -> Source:
    """Parts of several formats as one relation; a column that types differ in is read as text.

    Raises:
        Refusal: they do not have the same columns.
    """
    names = list(sources[0].columns)
    for other in sources[1:]:
        if differing := set(names) ^ other.columns.keys():
            what = f"{sources[0].raw.label} and {other.raw.label} differ in the columns"
            raise Refusal(
                Problem(
                    raw.label,
                    f"{what} {listing(sorted(differing))}",
                    "Write all parts with the same columns.",
                )
            )
    types = {
        name: (
            sources[0].columns[name][1]
            if len({source.columns[name][1] for source in sources}) == 1
            else "VARCHAR"
        )
        for name in names
    }
    selects = []
    for source in sources:
        given = ", ".join(
            f"cast({sql} as {types[name]}) as {identifier(name)}"
            for name, (sql, _) in source.columns.items()
        )
        selects.append(f"select {given}, {source.unparsed} as is_unparsed from {source.relation}")
    return Source(
        raw,
        f"({' union all by name '.join(selects)})",
        {name: (identifier(name), types[name]) for name in names},
        tuple(table for source in sources for table in source.malformed),
        "is_unparsed",
    )


def _from_path(form: Part, raw: RawFile, present: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Columns that the folders of the parts name and the parts do not have."""
    have = {name.strip().lower() for name in present}
    known = {name for column in raw.table.columns for name in column.names}
    known |= {name.lower() for it in raw.mapping.columns.values() for name in it.names}
    return {
        name: (
            f"url_decode(regexp_extract(filename, {literal(f'(?i)/{name}=([^/]*)/')}, 1))",
            "VARCHAR",
        )
        for name in form.in_path
        if name in known and name not in have
    }


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
        return Problem(label, f"the text is not UTF-8: {first_line}", ENCODING)
    return problem


def mapped(raw: RawFile, names: Iterable[str], land: LandSettings) -> dict[str, str]:
    """Schema name -> name in the file, of the columns that are read as they are.

    Raises:
        Refusal: columns are unknown, missing or there twice.
    """
    schema, label = raw.table, raw.label
    known = {name: column.name for column in schema.columns for name in column.names}
    declared = raw.mapping.columns
    of_sums = {
        name
        for column in declared.values()
        for name in (*(column.sum or ()), *(column.first or ()))
    }
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
            f"the mapping reads it, but the file has {listing(names)}",
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
        elif column.first:
            said = raw.mapping.conventions(name)
            values = [f"nullif({number_sql(*of_file[part], said)}, 0)" for part in column.first]
            more[name] = (f"coalesce({', '.join(values)})", "DOUBLE")
    return {**columns, **more}


def _header_hint(names: list[str]) -> str:
    values = any(name.strip()[1:].isdigit() or name.strip().isdigit() for name in names)
    return " The first line looks like data: it must hold the column names." if values else ""


def _open_parquet(
    connection: duckdb.DuckDBPyConnection,
    raw: RawFile,
    form: Part,
    paths: list[Path],
    land: LandSettings,
) -> Source:
    named = ", filename = true" if form.in_path else ""
    relation = read_parquet(*paths, options=f", union_by_name = true{named}")
    try:
        described = connection.execute(f"describe select * from {relation}").fetchall()
    except DAMAGED as error:
        raise Refusal(unreadable(raw, error)) from error
    _same_columns(connection, raw, paths)
    types = {row[0]: row[1] for row in described if not (named and row[0] == "filename")}
    of_file = {name: (identifier(name), kind) for name, kind in types.items()}
    of_file |= _from_path(form, raw, types)
    names = mapped(raw, of_file, land)
    columns = {name: of_file[own] for name, own in names.items()}
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


def _open_csv(
    connection: duckdb.DuckDBPyConnection,
    raw: RawFile,
    form: Part,
    paths: list[Path],
    land: LandSettings,
    number: int,
) -> Source:
    header = list(form.header)
    types = ", ".join(f"c{index}: 'VARCHAR'" for index in range(len(header)))
    suffix = f"_{number}" if number else ""
    rejects = f"malformed_{raw.table.name}_{raw.year or 0}{suffix}"
    listed = ", ".join(files(path) for path in paths)
    options = (
        f"[{listed}], auto_detect = false, header = true, "
        f"columns = {{{types}}}, delim = {literal(form.delimiter)}, quote = '\"', escape = '\"', "
        f"skip = {form.skipped}, filename = {'true' if form.in_path else 'false'}, "
        f"compression = {literal('gzip' if form.is_packed else 'none')}"
    )
    relation = (
        f"read_csv({options}, store_rejects = true, "
        f"rejects_table = {literal(rejects)}, rejects_scan = {literal(f'{rejects}_scan')})"
    )
    given = {own.strip(): (f"c{index}", "VARCHAR") for index, own in enumerate(header)}
    given |= _from_path(form, raw, given)
    nameless = [f"c{index}" for index, own in enumerate(header) if not own.strip()]
    names = mapped(raw, [own for own in header if own.strip()] + list(given)[len(header) :], land)
    if nameless and len(header) > 1:
        _require_nothing(connection, raw, f"read_csv({options}, ignore_errors = true)", nameless)
    columns = {name: given[own.strip()] for name, own in names.items()}
    return Source(raw, relation, declared(raw, columns, given), malformed=(rejects,))


def _require_nothing(
    connection: duckdb.DuckDBPyConnection, raw: RawFile, relation: str, columns: list[str]
) -> None:
    """Columns without a name come from delimiters at the ends of lines: they hold nothing.

    Raises:
        Refusal: they hold something, which would be lost.
    """
    filled = " or ".join(f"coalesce(trim({column}), '') <> ''" for column in columns)
    try:
        rows = one_row(connection, f"select count(*) from {relation} where {filled}")[0]
    except DAMAGED as error:
        raise Refusal(unreadable(raw, error)) from error
    if rows:
        what = "a column without a name has values"
        raise Refusal(Problem(raw.label, what, "Name it, or remove it.", rows=rows))


def _open_json(
    connection: duckdb.DuckDBPyConnection,
    raw: RawFile,
    form: Part,
    paths: list[Path],
    land: LandSettings,
) -> Source:
    lines, wrapper = form.records == "lines", form.records.partition("in ")[2]
    layout = {"lines": "newline_delimited", "array": "array"}.get(form.records, "unstructured")
    listed = ", ".join(files(path) for path in paths)
    relation = (
        f"read_json_objects([{listed}], format = {literal(layout)}, "
        f"filename = {'true' if form.in_path else 'false'}, "
        f"compression = {literal('gzip' if form.is_packed else 'uncompressed')}, "
        f"ignore_errors = {'true' if lines else 'false'}, "
        f"maximum_object_size = {int(land.maximum_record_mb * MEGABYTE)})"
    )
    try:
        if form.records == "objects":  # on several lines each, or one that wraps them all
            wrapper = _wrapper(connection, relation)
        if wrapper:
            place = literal(_json_path(wrapper))
            relation = (
                f"(select unnest(json_extract(json, {place})::json[]) as json from {relation})"
            )
        keys = connection.execute(
            f"select distinct unnest(json_keys(json)) as key from {relation} order by key"
        ).fetchall()
    except DAMAGED as error:
        raise Refusal(unreadable(raw, error)) from error
    of_file = {key: (f"(json ->> {literal(_json_path(key))})", "VARCHAR") for (key,) in keys}
    of_file |= _from_path(form, raw, of_file)
    names = mapped(raw, of_file, land)
    columns = declared(raw, {name: of_file[own] for name, own in names.items()}, of_file)
    return Source(raw, relation, columns, unparsed="json_type(json) is distinct from 'OBJECT'")


def _wrapper(connection: duckdb.DuckDBPyConnection, relation: str) -> str:
    """The only key of the only object that holds a list; empty where there is none."""
    count, keys = one_row(
        connection,
        "select count(distinct json), list(distinct key) filter (json_type(json, "
        "'$.\"' || replace(key, '\"', '\\\"') || '\"') = 'ARRAY') "
        f"from (select json, unnest(json_keys(json)) as key from {relation})",
    )
    return str(keys[0]) if count == 1 and keys and len(keys) == 1 else ""


def _json_path(key: str) -> str:
    return '$."' + key.replace('"', '\\"') + '"'
