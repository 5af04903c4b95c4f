"""Landing of the hourly readings: months that conform are taken as they are, others rewritten.

Rewriting keeps memory bounded: rows are checked and split by month in one streaming pass, then each
month is sorted by itself (and may spill to disk).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from python_ml.contracts.schema import TableSchema
from python_ml.engines.sql import files, identifier, identifiers, literal, read_parquet
from python_ml.errors import SpanishGasError
from python_ml.land.check import (
    MALFORMED,
    RAW_PREFIX,
    Tally,
    checked_sql,
    conventions,
    forget_malformed,
    judge,
    malformed_lines,
    rejected_sql,
    write_rejected,
)
from python_ml.land.convert import Convention
from python_ml.land.crosscheck import judge_readings
from python_ml.land.discover import RawFile
from python_ml.land.inspect import (
    HOUR_US,
    Inspection,
    has_landed_types,
    inspect,
    repeats_sql,
)
from python_ml.land.known import KnownMonth, customers_table, keep_customers
from python_ml.land.read import DAMAGED, Source, open_raw, unreadable
from python_ml.land.result import Problem, Refusal, TableResult
from python_ml.land.write import take
from python_ml.settings import Settings

_SAMPLE = 50_000
_SECOND = "timestamp: second row for the same hour"
_NO_CUSTOMER = "customer_id: missing"


@dataclass
class Landing:
    """State of the work on the hourly readings."""

    connection: duckdb.DuckDBPyConnection
    table: TableSchema
    settings: Settings
    staged: Path  # the staging folder
    report: Callable[[str, float | None], None]
    years: list[int]
    result: TableResult
    as_is: dict[str, Path] = field(default_factory=dict)  # month -> file of the source
    inspections: dict[str, Inspection] = field(default_factory=dict)  # month -> of the final file
    rewritten: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)  # SELECTs of raw columns and reason
    problems: list[Problem] = field(default_factory=list)
    nulls: Counter[str] = field(default_factory=Counter)
    known: Mapping[Path, KnownMonth] = field(default_factory=dict)  # by source file

    @property
    def target(self) -> Path:
        return self.staged / "batch" / self.table.name

    @property
    def split(self) -> Path:
        return self.staged / "split"


def land_consumption(
    connection: duckdb.DuckDBPyConnection,
    files: list[RawFile],
    root: Path,
    staged: Path,
    settings: Settings,
    report: Callable[[str, float | None], None],
    known: Mapping[Path, KnownMonth],
) -> Landing:
    """Check all files of hourly readings and stage their months; problems are in the result.

    Files that are `known` are not read again. Leaves a table `consumption_customers`.
    """
    table = files[0].table
    years = sorted({raw.year for raw in files if raw.year is not None})
    result = TableResult(table.name, [raw.label for raw in files])
    work = Landing(connection, table, settings, staged, report, years, result, known=known)
    connection.execute(
        "create or replace temp table consumption_customers (customer_id varchar, n bigint)"
    )
    for raw in files:
        try:
            _one_file(work, raw, raw.paths(root))
        except Refusal as refusal:
            work.problems += refusal.problems
        except DAMAGED as error:
            work.problems.append(unreadable(raw, error))
    if not work.problems:
        _finish(work, files)
    return work


def _one_file(work: Landing, raw: RawFile, paths: list[Path]) -> None:
    """Sort the parts of one file into those that stay and those that are split into months."""
    source = open_raw(work.connection, raw, paths, work.settings.land)  # names, whatever the types
    others: list[Path] = []
    for number, path in enumerate(paths):
        work.report(f"checking {raw.label} ({number + 1} of {len(paths)})", number / len(paths))
        month = _month_as_is(work, raw, path) if raw.kind == "parquet" else None
        if month is None:
            others.append(path)
        elif month in work.as_is:  # a month in several parts is merged
            others += [path, work.as_is.pop(month)]
            del work.inspections[month]
        else:
            work.as_is[month] = path
    if others:
        if raw.kind == "parquet":
            source = open_raw(work.connection, raw, others, work.settings.land)
        work.report(f"splitting {raw.label} by month", None)
        _split(work, source)


def _month_as_is(work: Landing, raw: RawFile, path: Path) -> str | None:
    """The month of a part that conforms and holds one month of the file's year only."""
    known = work.known.get(path)
    if known is not None and known.month.startswith(f"{raw.year}-"):
        known.load_customers(work.connection)
        work.inspections[known.month] = known.inspection
        return known.month
    if not has_landed_types(work.connection, work.table, path):
        return None
    found = inspect(work.connection, work.table, path, work.years)
    if not found.conforms or found.first is None or found.last is None:
        return None
    month = f"{found.first:%Y-%m}"
    if found.first.year != raw.year or f"{found.last:%Y-%m}" != month:
        return None
    _remember(work, month, found)
    return month


def _remember(work: Landing, month: str, found: Inspection) -> None:
    work.inspections[month] = found
    work.connection.execute(
        f"create or replace temp table {customers_table(month)} as "
        "select customer_id, n from inspected where customer_id is not null"
    )


def _split(work: Landing, source: Source) -> None:
    """Write the rows of a file into split/<year>/part=<month>, bad ones into part=rejected."""
    raw, table = source.raw, work.table
    extra = {
        "timestamp: not on the hour": f"epoch_us(timestamp) % {HOUR_US} <> 0",
        f"timestamp: not in {raw.year}, the year of the file": f"year(timestamp) <> {raw.year}",
    }
    checked = checked_sql(source, _conventions(work, source), extra)
    names = identifiers(table.column_names)
    shown = ", ".join(
        f"case when reason is not null then cast({name} as varchar) end as {name}"
        for name in (identifier(RAW_PREFIX + each) for each in table.column_names)
    )
    folder = work.split / f"{raw.year}"
    folder.mkdir(parents=True)
    work.connection.execute(
        f"copy (select {names}, {shown}, reason, "
        "case when reason is null then strftime(timestamp, '%Y-%m') else 'rejected' end as part "
        f"from ({checked})) to {literal(folder)} "
        "(format parquet, partition_by (part), compression snappy)"
    )
    _count_split(work, source, folder)


def _count_split(work: Landing, source: Source, folder: Path) -> None:
    parts = f"read_parquet({files(folder, '*/*.parquet')}, hive_partitioning = false)"
    set_aside: dict[str, int] = {}
    rows = malformed = malformed_lines(work.connection, source)
    nulls = dict.fromkeys(work.table.column_names, 0)
    if any(folder.rglob("*.parquet")):
        missing = ", ".join(f"count(*) - count({identifier(name)})" for name in nulls)
        for reason, count, *null_counts in work.connection.execute(
            f"select reason, count(*), {missing} from {parts} group by 1 order by 1"
        ).fetchall():
            rows += count
            if reason is not None:
                set_aside[reason] = count
            for name, null_count in zip(nulls, null_counts, strict=True):
                nulls[name] += null_count
    if malformed:
        set_aside[MALFORMED] = set_aside.get(MALFORMED, 0) + malformed
    bad = folder / "part=rejected"
    if bad.exists() or malformed:
        checked = f"read_parquet({files(bad, '*.parquet')})" if bad.exists() else None
        work.rejected += rejected_sql(source, checked)
    _count(work, rows, set_aside, nulls)


def _conventions(work: Landing, source: Source) -> Mapping[str, Convention]:
    """From the first rows if they are plain; from all, by one more scan, where they are not."""
    outcome: Mapping[str, Convention] = {}
    try:
        outcome = conventions(work.connection, source, limit=_SAMPLE)
    except Refusal:  # not known from the first rows; perhaps from all
        outcome = {"timestamp": Convention(year_last=True)}
    if any(found != Convention() for found in outcome.values()):
        forget_malformed(work.connection, source)
        outcome = conventions(work.connection, source)
    forget_malformed(work.connection, source)
    return outcome


def _count(
    work: Landing, rows: int, set_aside: Mapping[str, int], nulls: Mapping[str, int]
) -> None:
    work.result.rows_in += rows
    work.nulls.update(nulls)
    for reason, count in set_aside.items():
        work.result.set_aside[reason] = work.result.set_aside.get(reason, 0) + count


def _count_as_is(work: Landing, path: Path, found: Inspection) -> None:
    """Count a conforming part; its rows without a customer are copied to the rejected ones."""
    nulls = {name: found.rows - count for name, count in found.counts.items()}
    aside = {_NO_CUSTOMER: found.without_customer} if found.without_customer else {}
    _count(work, found.rows, aside, nulls | {"customer_id": found.without_customer})
    if found.without_customer:
        shown = ", ".join(
            f"cast({name} as varchar) as {name}"
            for name in map(identifier, work.table.column_names)
        )
        work.rejected.append(
            f"select {shown}, {literal(_NO_CUSTOMER)} as reason, null as source_line "
            f"from {read_parquet(path)} where customer_id is null"
        )


def _finish(work: Landing, files: list[RawFile]) -> None:
    """Stage every month and judge the readings as a whole."""
    split = {
        folder.name.removeprefix("part=")
        for folder in work.split.glob("*/part=*")
        if folder.name != "part=rejected"
    }
    months = sorted(split | set(work.as_is))
    for number, month in enumerate(months):
        work.report(f"landing {work.table.name} {month}", number / len(months))
        if month in split:
            _rewrite(work, month)
        else:
            path = work.as_is[month]
            take(path, _part(work, month), work.settings.land.link_files)
            _count_as_is(work, path, work.inspections[month])
    label = " and ".join(raw.label for raw in files)
    counts = Tally(work.result.rows_in, work.result.set_aside, work.nulls)
    work.problems += judge(label, work.table, counts, work.settings)
    work.problems += judge_readings(label, work.table, work.inspections)
    write_rejected(work.connection, work.rejected, work.staged, work.table)
    for month in work.inspections:
        work.connection.execute(
            f"insert into consumption_customers select customer_id, n from {customers_table(month)}"
        )
    keep_customers(work.connection, work.as_is, work.staged / "batch")
    work.result.rows_landed = work.result.rows_in - work.result.rows_set_aside
    if work.as_is:
        work.result.taken = "partly as is" if work.rewritten else "as is"


def _rewrite(work: Landing, month: str) -> None:
    """Sort what the split and an as-is part hold of a month into one file; drop second hours."""
    names = identifiers(work.table.column_names)
    parts = sorted(work.split.glob(f"*/part={month}/*.parquet"))
    rows = f"select {names} from {read_parquet(*parts)}"
    if month in work.as_is:
        path = work.as_is.pop(month)
        _count_as_is(work, path, work.inspections[month])
        rows += f" union all select {names} from {read_parquet(path)} where customer_id is not null"
    target = _part(work, month)
    _write_sorted(work, rows, target)
    found = inspect(work.connection, work.table, target, work.years)
    if found.duplicates:
        found = _drop_second_hours(work, month, found.duplicates)
    if not found.conforms:
        raise SpanishGasError(f"{target}: written, but not as it should be: {found}")
    _remember(work, month, found)
    work.rewritten.append(month)


def _write_sorted(work: Landing, rows: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    names = identifiers(work.table.column_names)
    work.connection.execute(
        f"copy (select {names} from ({rows}) order by {names}) to {literal(target)} "
        "(format parquet, compression zstd)"
    )


def _drop_second_hours(work: Landing, month: str, count: int) -> Inspection:
    """Keep one row an hour, that with the larger reading: a reading that failed shows as nothing.

    Only customers with a repeated hour are looked at; the window over a whole month is dear.
    """
    target = _part(work, month)
    doubled = work.split / f"doubled-{month}.parquet"
    target.rename(doubled)
    names = list(work.table.column_names)
    order = ", ".join(f"{identifier(name)} desc nulls last" for name in names[2:])
    suspects = "(select customer_id from suspects)"
    work.connection.execute(
        "create or replace temp table suspects as select customer_id from inspected "
        "where min_lag <> max_lag"
    )
    ranked = (
        f"select *, row_number() over (partition by customer_id, timestamp order by {order}) "
        f"as nth from {read_parquet(doubled)} where customer_id in {suspects}"
    )
    allowed = f"case when {repeats_sql(work.years)} then 2 else 1 end"
    listing = identifiers(names)
    _write_sorted(
        work,
        f"select {listing} from {read_parquet(doubled)} "
        f"where customer_id not in {suspects} "
        f"union all select {listing} from ({ranked}) where nth <= {allowed}",
        target,
    )
    shown = ", ".join(f"cast({name} as varchar) as {name}" for name in map(identifier, names))
    extra = work.split / f"second-{month}.parquet"
    work.connection.execute(
        f"copy (select {shown}, {literal(_SECOND)} as reason, null::varchar as source_line "
        f"from ({ranked}) where nth > {allowed}) to {literal(extra)} (format parquet)"
    )
    work.rejected.append(f"select * from {read_parquet(extra)}")
    work.result.set_aside[_SECOND] = work.result.set_aside.get(_SECOND, 0) + count
    return inspect(work.connection, work.table, target, work.years)


def _part(work: Landing, month: str) -> Path:
    return work.target / f"month={month}" / "part-0.parquet"
