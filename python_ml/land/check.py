"""The checks of one table as SQL generated from its schema: which rows stay, which do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from python_ml.contracts.schema import ColumnSchema, TableSchema
from python_ml.engines.sql import identifier, literal, one_row
from python_ml.land.convert import (
    Convention,
    agree,
    is_number,
    is_text,
    native_convention,
    reason_sql,
    survey,
    survey_signs,
    text_of,
    value_sql,
)
from python_ml.land.parts import ENCODING
from python_ml.land.read import Source
from python_ml.land.result import Problem, Refusal
from python_ml.settings import Settings

RAW_PREFIX = "raw__"
MALFORMED = "malformed line"


@dataclass(frozen=True)
class Tally:
    """Counts of one checked table."""

    rows: int
    set_aside: dict[str, int]
    nulls: Mapping[str, int]  # by column, values missing or unreadable

    @property
    def wrong(self) -> int:
        """Rows set aside for a value that is there and wrong."""
        return sum(n for reason, n in self.set_aside.items() if not reason.endswith(": missing"))

    @property
    def landed(self) -> int:
        return self.rows - sum(self.set_aside.values())


def conventions(connection: duckdb.DuckDBPyConnection, source: Source) -> dict[str, Convention]:
    """How to read each text column, found in one scan of all rows: a sample may be of other rows.

    Raises:
        Refusal: the order of day and month, or the decimal sign, cannot be known.
    """
    outcome: dict[str, Convention] = {}
    texts: dict[str, str] = {}  # by column
    given_as: dict[str, str] = {}  # likewise; commas are looked for before text is trimmed
    for column, raw, source_type in _present(source):
        said = source.raw.mapping
        if is_text(column, source_type):
            text = text_of(column, f"cast({raw} as varchar)", said.conventions(column.name))
            texts[column.name] = text
            given_as[column.name] = f"cast({raw} as varchar)" if is_number(column) else text
        elif (given := native_convention(column, source_type, said)) is not None:
            outcome[column.name] = given
    found = _survey(connection, source, given_as, survey)
    if any(counts.get("commas") for counts in found.values()):
        forget_malformed(connection, source)
        for name, counts in _survey(connection, source, texts, survey_signs).items():
            found[name] = {**found.get(name, {}), **counts}
    of_text, problems = agree(source.raw.label, found, source.raw.mapping)
    if problems:
        raise Refusal(*problems)
    return outcome | of_text


def _survey(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    texts: Mapping[str, str],
    aggregates_of: Callable[[ColumnSchema, str], dict[str, str]],
) -> dict[str, dict[str, int]]:
    """Aggregates over all rows, by column and name."""
    table = source.raw.table
    aggregates = {
        (name, counted): sql
        for name in texts
        for counted, sql in aggregates_of(table.column(name), identifier(name)).items()
    }
    if not aggregates:
        return {}
    used = {name for name, _ in aggregates}
    given = ", ".join(f"{texts[name]} as {identifier(name)}" for name in texts if name in used)
    row = one_row(
        connection,
        f"select {', '.join(aggregates.values())} from (select {given} from {source.relation})",
    )
    found: dict[str, dict[str, int]] = {}
    for (name, counted), count in zip(aggregates, row, strict=True):
        found.setdefault(name, {})[counted] = count
    return found


def checked_sql(
    source: Source,
    read_as: Mapping[str, Convention],
    extra: Mapping[str, str] | None = None,
) -> str:
    """SELECT of typed columns, the raw ones beside them (`raw__…`), and `reason` (null: stays).

    `extra` maps further reasons to conditions over the typed columns.
    """
    given: list[str] = []
    values: list[str] = []
    reasons: list[tuple[str, str]] = [("is_malformed", MALFORMED)]
    present = {column.name: (raw, kind) for column, raw, kind in _present(source)}
    for column in source.raw.table.columns:
        raw, source_type = present.get(column.name, ("null", "VARCHAR"))
        text = is_text(column, source_type)
        name, shown = identifier(column.name), identifier(RAW_PREFIX + column.name)
        said = source.raw.mapping.conventions(column.name)
        cleaned = text_of(column, f"cast({raw} as varchar)", said) if text else raw
        given.append(f"{cleaned} as {shown}")
        value = value_sql(column, shown, source_type, read_as.get(column.name, Convention()))
        values.append(f"cast({value} as {column.duckdb_type}) as {name}")
        missing = f"{shown} is null"
        if column.data_type == "double" and not text:
            missing = f"{name} is null"  # NaN is missing, too
        reasons += reason_sql(column, missing, name)
    reasons += [(condition, reason) for reason, condition in (extra or {}).items()]
    cases = " ".join(f"when {condition} then {literal(reason)}" for condition, reason in reasons)
    return (
        f"select *, case {cases} end as reason "
        f"from (select *, {', '.join(values)} "
        f"from (select {', '.join(given)}, {source.unparsed} as is_malformed "
        f"from {source.relation}) as given_rows) as read_rows"
    )


def materialise(connection: duckdb.DuckDBPyConnection, source: Source) -> tuple[str, Tally]:
    """Check a table that fits in memory (or spills) into a temporary one; its name and counts.

    Raises:
        Refusal: a convention cannot be known, or lines are not UTF-8.
        duckdb.Error: the file cannot be read.
    """
    name = source.raw.table.name
    listing = ", ".join(
        f"{raw} as {identifier(column)}" for column, (raw, _) in source.columns.items()
    )
    connection.execute(
        f"create or replace temp table read_{name} as "
        f"select {listing}, {source.unparsed} as is_unparsed from {source.relation}"
    )
    copied = replace(
        source,
        relation=f"read_{name}",
        columns={
            column: (identifier(column), kind) for column, (_, kind) in source.columns.items()
        },
        unparsed="is_unparsed",
        malformed=(),  # of the file, not of this copy
    )
    checked = f"checked_{name}"
    connection.execute(
        f"create or replace temp table {checked} as "
        f"{checked_sql(copied, conventions(connection, copied))}"
    )
    connection.execute(f"drop table read_{name}")
    return checked, tally(connection, source, checked)


def tally(connection: duckdb.DuckDBPyConnection, source: Source, checked: str) -> Tally:
    """Counts over a relation that `checked_sql` gave.

    Raises:
        Refusal: the file holds bytes that are not UTF-8.
    """
    names = source.raw.table.column_names
    nulls = ", ".join(f"count(*) - count({identifier(name)})" for name in names)
    rows, *null_counts = one_row(connection, f"select count(*), {nulls} from {checked}")
    by_reason = connection.execute(
        f"select reason, count(*) from {checked} where reason is not null group by 1 order by 1"
    ).fetchall()
    set_aside = dict(by_reason)
    if lines := malformed_lines(connection, source):
        set_aside[MALFORMED] = set_aside.get(MALFORMED, 0) + lines
        rows += lines
    return Tally(rows, set_aside, dict(zip(names, null_counts, strict=True)))


def malformed_lines(connection: duckdb.DuckDBPyConnection, source: Source) -> int:
    """Lines that the last scan could not split into the columns of the header.

    Raises:
        Refusal: lines are not UTF-8.
    """
    if not source.malformed:
        return 0
    lines: int
    noted = " union all ".join(
        f"select {position} as scan, line, error_type from {table}"
        for position, table in enumerate(source.malformed)
    )
    lines, undecodable, first = one_row(
        connection,
        "select count(distinct (scan, line)), "
        "count(distinct (scan, line)) filter (where error_type = 'INVALID ENCODING'), "
        f"min(line) filter (where error_type = 'INVALID ENCODING') from ({noted})",
    )
    if undecodable:
        raise Refusal(
            Problem(
                source.raw.label,
                f"the text is not UTF-8, first in line {first}; it may be Latin-1",
                ENCODING,
                rows=undecodable,
            )
        )
    return lines


def forget_malformed(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Drop what earlier scans of the file noted, which the next one would count again."""
    for table in source.malformed:
        connection.execute(f"drop table if exists {table}")


def write_rejected(
    connection: duckdb.DuckDBPyConnection, selects: list[str], staged: Path, table: TableSchema
) -> None:
    """Stage the rows set aside, given as SELECTs of the columns as text, reason, source_line."""
    if not selects:
        return
    folder = staged / "rejected" / table.name
    folder.mkdir(parents=True)
    names = ", ".join(f"{name}::varchar as {name}" for name in map(identifier, table.column_names))
    connection.execute(
        f"copy (select {names}, reason::varchar as reason, source_line::varchar as source_line "
        f"from ({' union all '.join(selects)}) order by all) "
        f"to {literal(folder / 'part-0.parquet')} (format parquet, compression zstd)"
    )


def rejected_sql(source: Source, checked: str | None) -> list[str]:
    """SELECTs of the rows of a checked relation that do not stay, and of malformed lines."""
    names = source.raw.table.column_names
    selects = []
    if checked is not None:
        shown = ", ".join(
            f"cast({identifier(RAW_PREFIX + name)} as varchar) as {identifier(name)}"
            for name in names
        )
        selects.append(
            f"select {shown}, reason, null as source_line from {checked} where reason is not null"
        )
    nothing = ", ".join(f"null as {identifier(name)}" for name in names)
    return selects + [
        f"select distinct {nothing}, {literal(MALFORMED)} as reason, "
        f"trim(csv_line, chr(10) || chr(13)) as source_line from {table}"
        for table in source.malformed
    ]


def judge(label: str, table: TableSchema, counts: Tally, settings: Settings) -> list[Problem]:
    """Problems of a table as a whole: no rows, too many nulls, too many rows to set aside."""
    if counts.rows == 0:
        return [Problem(label, "the file holds no rows", "Export it again.", rows=0)]
    limit = settings.land.maximum_null_share
    problems = [
        Problem(
            label,
            f"{nulls / counts.rows:.0%} missing or unreadable, at most {limit:.0%} may be",
            "Export the column again, or check that it holds what its name says.",
            column=column.name,
            rows=nulls,
        )
        for column in table.columns
        if column.required
        and not column.meta.get("sparse")
        and (nulls := counts.nulls.get(column.name, 0)) > limit * counts.rows
    ]
    most = settings.land.maximum_rejected_share
    if counts.wrong > most * counts.rows:
        reasons = ", ".join(f"{reason} ({n:,})" for reason, n in _largest(counts.set_aside))
        problems.append(
            Problem(
                label,
                f"{counts.wrong / counts.rows:.0%} of the rows would be set aside, "
                f"at most {most:.0%} may be: {reasons}",
                "Correct the export, or land.maximum_rejected_share if the rows may go.",
                rows=counts.wrong,
            )
        )
    if not problems and counts.landed == 0:
        reasons = ", ".join(f"{reason} ({n:,})" for reason, n in _largest(counts.set_aside))
        problems.append(
            Problem(label, f"no row is usable: {reasons}", "Export it again.", rows=counts.rows)
        )
    return problems


def judge_mean(label: str, column: ColumnSchema, mean: float | None, count: int) -> list[Problem]:
    """A mean that only another unit explains."""
    low, high = column.meta.get("mean_minimum"), column.meta.get("mean_maximum")
    if mean is None or ((low is None or mean >= low) and (high is None or mean <= high)):
        return []
    limits = f"{low if low is not None else ''} to {high if high is not None else ''}"
    return [
        Problem(
            label,
            f"the mean is {mean:,.6g}, outside {limits.strip()} {column.meta.get('unit', '')}",
            f"It looks like another unit: convert it to {column.meta.get('unit')}.",
            column=column.name,
            rows=count,
        )
    ]


def _largest(reasons: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:5]


def _present(source: Source) -> list[tuple[ColumnSchema, str, str]]:
    """Columns of the schema that the file has: schema, expression, DuckDB type."""
    table = source.raw.table
    return [(table.column(name), raw, kind) for name, (raw, kind) in source.columns.items()]
