"""Landing of the hourly readings: months that conform are taken as they are, others rewritten.

Rewriting keeps memory bounded: rows are checked and split by month in one streaming pass, then each
month is sorted by itself (and may spill to disk). Several readings of a customer's hour are added
up there; a row that equals another in everything is counted once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb

from python_ml.contracts.schema import TableSchema
from python_ml.engines.sql import (
    files,
    identifier,
    identifiers,
    literal,
    one_row,
    read_parquet,
)
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
from python_ml.land.discover import HOURS_PER_READING, RawFile
from python_ml.land.expansion import starts_with
from python_ml.land.inspect import (
    HOUR_US,
    Inspection,
    has_landed_types,
    inspect,
    repeats_sql,
)
from python_ml.land.known import KnownMonth, customers_table, keep_customers
from python_ml.land.parts import PARQUET
from python_ml.land.read import DAMAGED, Source, open_raw, unreadable
from python_ml.land.readings import Reshaped, is_reshaped, reshape
from python_ml.land.result import Problem, Refusal, TableResult
from python_ml.land.write import take
from python_ml.settings import Settings

_EQUAL = "timestamp: equal to another row in everything"
_OFF_HOUR = "timestamp: not on the hour"
_GRID_US = 15 * 60 * 1_000_000  # quarter-hours and half-hours are added up
_OFF = "-off-the-hour"  # ends the name of the part with such rows of a month
_OFF_SHARE = 0.05  # of the rows: fewer that are off the hour are wrong, not of a shorter interval
_NO_CUSTOMER = "customer_id: missing"
_MIDNIGHT = datetime.min.time()


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
    notes: list[str] = field(default_factory=list)
    year_ends: int = 0  # rows of 00:00 on the 1st of January after the year of their file

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
        "create or replace temp table consumption_customers "
        "(customer_id varchar, n bigint, elec_kwh double, month varchar)"
    )
    connection.execute("create or replace temp table added_up (customer_id varchar)")
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
    if is_reshaped(raw.mapping):
        work.report(f"reading {raw.label} by its layout", None)
        scratch = work.staged / "prepared"
        shaped = reshape(work.connection, raw, paths, work.settings.land, scratch)
        _split(work, shaped.source)
        _account(work, shaped)
        return
    source = _open(work, raw, paths)  # names, whatever the types
    others: list[Path] = []
    for number, path in enumerate(paths):
        work.report(f"checking {raw.label} ({number + 1} of {len(paths)})", number / len(paths))
        month = _month_as_is(work, raw, path) if starts_with(path, PARQUET) else None
        if month is None:
            others.append(path)
        elif month in work.as_is:  # a month in several parts is merged
            others += [path, work.as_is.pop(month)]
            del work.inspections[month]
        else:
            work.as_is[month] = path
    if others:
        if others != paths:
            source = _open(work, raw, others)
        work.report(f"splitting {raw.label} by month", None)
        _split(work, source)


def _account(work: Landing, shaped: Reshaped) -> None:
    """Count the rows of the file, of which the split has seen the hours that came of them."""
    used = shaped.rows - sum(shaped.set_aside.values())
    _count(work, shaped.rows - shaped.landed, shaped.set_aside, {})
    work.result.rows_added_up += max(used - shaped.landed, 0)
    work.result.rows_made += max(shaped.landed - used, 0)
    work.result.rows_estimated += shaped.estimated
    work.rejected += shaped.rejected
    work.notes += shaped.notes


def _open(work: Landing, raw: RawFile, paths: list[Path]) -> Source:
    return open_raw(work.connection, raw, paths, work.settings.land, work.staged / "prepared")


def _month_as_is(work: Landing, raw: RawFile, path: Path) -> str | None:
    """The month of a part that conforms and holds one month of the file's year only."""
    said = raw.mapping
    if said.columns or said.readings is not None or said.zone is not None:
        return None
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
        "select customer_id, n, sum_0 as elec_kwh from inspected where customer_id is not null"
    )


def _split(work: Landing, source: Source) -> None:
    """Write the rows of a file into split/<year>/part=<month>, bad ones into part=rejected."""
    raw, table = source.raw, work.table
    off_grid = f"epoch_us(timestamp) % {_GRID_US} <> 0"
    extra = {_OFF_HOUR: off_grid}
    if raw.year is not None:
        wrong = f"timestamp: not in {raw.year}, the year of the file"
        extra[wrong] = f"year(timestamp) <> {raw.year}"
    checked = checked_sql(source, _conventions(work, source), extra)
    names = identifiers(table.column_names)
    shown = ", ".join(
        f"case when reason is not null then cast({name} as varchar) end as {name}"
        for name in (identifier(RAW_PREFIX + each) for each in table.column_names)
    )
    folder = work.split / f"{raw.year}"
    folder.mkdir(parents=True)
    off_hour = f"epoch_us(timestamp) % {HOUR_US} <> 0"
    work.connection.execute(
        f"copy (select {names}, {shown}, reason, case when reason is not null then 'rejected' "
        f"else strftime(timestamp, '%Y-%m') || case when {off_hour} then {literal(_OFF)} else '' "
        f"end end as part from ({checked})) to {literal(folder)} "
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
                if reason.startswith("timestamp: not in "):
                    work.year_ends += _year_ends(work, source.raw.year, folder)
            for name, null_count in zip(nulls, null_counts, strict=True):
                nulls[name] += null_count
    if malformed:
        set_aside[MALFORMED] = set_aside.get(MALFORMED, 0) + malformed
    bad = folder / "part=rejected"
    if bad.exists() or malformed:
        checked = f"read_parquet({files(bad, '*.parquet')})" if bad.exists() else None
        work.rejected += rejected_sql(source, checked)
    _count(work, rows, set_aside, nulls)


def _year_ends(work: Landing, year: int | None, folder: Path) -> int:
    """Rows of the first instant after the year of a file: its labels may name ends of hours."""
    after = f"timestamp = timestamp {literal(f'{(year or 0) + 1}-01-01')}"
    part = f"read_parquet({files(folder / 'part=rejected', '*.parquet')})"
    return int(one_row(work.connection, f"select count(*) from {part} where {after}")[0])


def _conventions(work: Landing, source: Source) -> Mapping[str, Convention]:
    outcome = conventions(work.connection, source)
    forget_malformed(work.connection, source)
    if label := outcome.get("timestamp", Convention()).label_minutes:
        work.notes.append(
            f"{source.raw.label}: the labels of the readings name the end of {label} minutes "
            "(24:00 is there and 00:00 is not): 01:00 was read as the time up to 01:00"
        )
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
    _judge_off_hour(work)
    split = {
        folder.name.removeprefix("part=").removesuffix(_OFF)
        for folder in work.split.glob("*/part=*")
        if folder.name != "part=rejected"
    }
    months = sorted(split | set(work.as_is))
    work.years = sorted({*work.years, *(int(month[:4]) for month in months)})
    for number, month in enumerate(months):
        work.report(f"landing {work.table.name} {month}", number / len(months))
        if month in split:
            _rewrite(work, month)
        else:
            path = work.as_is[month]
            take(path, _part(work, month), work.settings.land.link_files)
            _count_as_is(work, path, work.inspections[month])
    connection, label = work.connection, " and ".join(raw.label for raw in files)
    counts = Tally(work.result.rows_in, work.result.set_aside, work.nulls)
    work.problems += judge(label, work.table, counts, work.settings)
    is_said = any(raw.mapping.readings and raw.mapping.readings.hour_label for raw in files)
    year_ends = None if is_said else work.year_ends
    stands_for = HOURS_PER_READING if files[0].is_spread else 1.0
    work.problems += judge_readings(label, work.table, work.inspections, year_ends, stands_for)
    if _are_days(work):
        work.notes.append(
            f"{label}: every reading is of 00:00, as if the timestamps were days without hours: "
            "the energy counts as that of 0 to 1 h. If it is of the whole day, state layout: daily "
            "in the mapping (readings), or the columns of the date and of the hour"
        )
    if work.result.rows_added_up and not any(is_reshaped(raw.mapping) for raw in files):
        customers = one_row(connection, "select count(distinct customer_id) from added_up")[0]
        work.notes.append(
            f"{label}: {work.result.rows_added_up:,} readings of {customers:,} "
            "customers share an hour with another reading of the same customer (intervals shorter "
            "than an hour, or several supply points); the readings of an hour were added up"
        )
    write_rejected(work.connection, work.rejected, work.staged, work.table)
    for month in work.inspections:
        work.connection.execute(
            "insert into consumption_customers "
            f"select customer_id, n, elec_kwh, {literal(month)} from {customers_table(month)}"
        )
    keep_customers(work.connection, work.as_is, work.staged / "batch")
    work.result.rows_landed = (
        work.result.rows_in
        - work.result.rows_set_aside
        - work.result.rows_added_up
        + work.result.rows_made
    )
    if work.as_is:
        work.result.taken = "partly as is" if work.rewritten else "as is"


def _rewrite(work: Landing, month: str) -> None:
    """Sort what the split and an as-is part hold of a month into one file; drop second hours."""
    names = identifiers(work.table.column_names)
    parts = [
        path
        for name in (month, f"{month}{_OFF}")
        for path in sorted(work.split.glob(f"*/part={name}/*.parquet"))
    ]
    rows = f"select {names} from {read_parquet(*parts)}"
    if month in work.as_is:
        path = work.as_is.pop(month)
        _count_as_is(work, path, work.inspections[month])
        rows += f" union all select {names} from {read_parquet(path)} where customer_id is not null"
    target = _part(work, month)
    _write_sorted(work, rows, target)
    found = inspect(work.connection, work.table, target, work.years)
    if found.duplicates or found.off_hour:
        found = _add_up(work, month)
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


def _judge_off_hour(work: Landing) -> None:
    """Set aside rows off the hour where they are too few to be of a shorter interval."""
    parts = sorted(work.split.glob(f"*/part=*{_OFF}/*.parquet"))
    if not parts:
        return
    scan = read_parquet(*parts)
    count = int(one_row(work.connection, f"select count(*) from {scan}")[0])
    rows = sum(
        int(one_row(work.connection, f"select count(*) from {read_parquet(path)}")[0])
        for path in work.split.glob("*/part=*/*.parquet")
    )
    if count >= _OFF_SHARE * rows:
        return
    shown = ", ".join(
        f"cast({name} as varchar) as {name}" for name in map(identifier, work.table.column_names)
    )
    kept = work.split / "off-the-hour.parquet"
    work.connection.execute(
        f"copy (select {shown}, {literal(_OFF_HOUR)} as reason, null::varchar as source_line "
        f"from {scan}) to {literal(kept)} (format parquet)"
    )
    work.rejected.append(f"select * from {read_parquet(kept)}")
    _count(work, 0, {_OFF_HOUR: count}, {})
    for path in parts:
        path.unlink()
    for folder in {path.parent for path in parts}:
        folder.rmdir()


def _add_up(work: Landing, month: str) -> Inspection:
    """One row an hour: readings of the same hour added up, but rows equal in everything once.

    Only customers with several readings in an hour are looked at; the window over a whole month is
    expensive. The hour that clocks show twice stays two rows.
    """
    target = _part(work, month)
    several = work.split / f"several-{month}.parquet"
    target.rename(several)
    names = list(work.table.column_names)
    suspects = "(select customer_id from suspects)"
    work.connection.execute(
        "create or replace temp table suspects as select customer_id from inspected "
        f"where min_lag <> max_lag or min_lag % {HOUR_US} <> 0"
    )
    hour = "date_trunc('hour', timestamp)"
    repeats = repeats_sql(work.years, hour)
    everything = identifiers(names)
    # In the hour that clocks show twice there is twice what the customer has in other hours.
    usual = f"round(count(*) over customer / count(distinct {hour}) over customer)"
    work.connection.execute(
        f"create or replace temp table of_suspects as select {everything}, {hour} as hour, "
        f"case when {repeats} and count(*) over hours >= 2 * {usual} then "
        "(row_number() over times - 1) % 2 else 0 end as pass, "
        f"equals > case when {repeats} then 2 else 1 end as is_equal from ("
        f"select {everything}, row_number() over (partition by {everything}) as equals "
        f"from {read_parquet(several)} where customer_id in {suspects}) "
        f"window customer as (partition by customer_id), "
        f"hours as (partition by customer_id, {hour}), "
        f"times as (partition by customer_id, timestamp order by {everything})"
    )
    sums = ", ".join(f"sum({name}) as {name}" for name in map(identifier, names[2:]))
    _write_sorted(
        work,
        f"select {everything} from {read_parquet(several)} where customer_id not in {suspects} "
        f"union all select {everything} from (select customer_id, "
        f"hour as timestamp, {sums} from of_suspects "
        "where not is_equal group by customer_id, hour, pass)",
        target,
    )
    equal, kept, hours = one_row(
        work.connection,
        "select count(*) filter (where is_equal), count(*) filter (where not is_equal), "
        "count(distinct (customer_id, hour, pass)) from of_suspects",
    )
    work.result.rows_added_up += kept - hours
    work.connection.execute(
        "insert into added_up select distinct customer_id from (select customer_id "
        "from of_suspects where not is_equal group by customer_id, hour, pass having count(*) > 1)"
    )
    if equal:
        shown = ", ".join(f"cast({name} as varchar) as {name}" for name in map(identifier, names))
        extra = work.split / f"equal-{month}.parquet"
        work.connection.execute(
            f"copy (select {shown}, {literal(_EQUAL)} as reason, null::varchar as source_line "
            f"from of_suspects where is_equal) to {literal(extra)} (format parquet)"
        )
        work.rejected.append(f"select * from {read_parquet(extra)}")
        _count(work, 0, {_EQUAL: equal}, {})
    return inspect(work.connection, work.table, target, work.years)


def _are_days(work: Landing) -> bool:
    """Whether there are readings of several days, and none at another time than midnight."""
    ends = [
        time
        for found in work.inspections.values()
        for time in (found.first, found.last)
        if time is not None
    ]
    # The first or the last reading of a month nearly always tells, without a scan.
    if not ends or min(ends) == max(ends) or any(time.time() != _MIDNIGHT for time in ends):
        return False
    parts = [_part(work, month) for month in work.inspections]
    (others,) = one_row(
        work.connection,
        f"select count(*) from {read_parquet(*parts)} "
        "where timestamp <> date_trunc('day', timestamp)",
    )
    return not others


def _part(work: Landing, month: str) -> Path:
    return work.target / f"month={month}" / "part-0.parquet"
