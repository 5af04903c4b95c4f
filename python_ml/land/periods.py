"""Energy by periods longer than a month, such as yearly sums, spread over the months.

Each month gets its part of a period by the number of days, and each hour of the month the same. So
that few rows stand for many, those hours are written as two typical days, a Wednesday and a Sunday
that are no holidays, weighted by how many weekdays and days of weekends the month has: the sums by
month are those of the file, and the split into price tiers is an estimate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from python_ml.contracts.schema import ColumnSchema, TableSchema
from python_ml.engines.sql import identifier, literal, one_row
from python_ml.land.check import judge, materialise, rejected_sql, write_rejected
from python_ml.land.discover import Entry, RawFile
from python_ml.land.mapping import ColumnMapping, SourceMapping
from python_ml.land.read import DAMAGED, open_raw, unreadable
from python_ml.land.result import Problem, Refusal
from python_ml.settings import Settings

_ENERGY = ("consumption_elec_kwh", "consumption_gas_m3")


@dataclass(frozen=True)
class Spread:
    """Hours that stand for the periods of one file: a file a year, notes, or problems."""

    files: list[RawFile]
    notes: list[str]
    problems: list[Problem]


def spread_periods(
    connection: duckdb.DuckDBPyConnection,
    raw: RawFile,
    root: Path,
    staged: Path,
    settings: Settings,
) -> Spread:
    """Check a file of periods, and write two typical days of each of their months.

    Args:
        connection: for the work; leaves no table.
        raw: the file, whose mapping says `longer_than_month` of its readings.
        root: of the source.
        staged: the staging folder; hours are written below `spread`.
        settings: limits of a batch.
    """
    periods = _as_periods(raw)
    try:
        paths = periods.paths(root)
        source = open_raw(connection, periods, paths, settings.land, staged / "prepared")
        checked, counts = materialise(connection, source)
    except Refusal as refusal:
        return Spread([], [], list(refusal.problems))
    except DAMAGED as error:
        return Spread([], [], [unreadable(raw, error)])
    problems = judge(raw.label, periods.table, counts, settings)
    if counts.set_aside:
        write_rejected(connection, rejected_sql(source, checked), staged, periods.table)
    months = _spread(connection, f"(select * from {checked} where reason is null)")
    notes = []
    if months and not problems:
        (customers,) = one_row(connection, "select count(distinct customer_id) from spread_months")
        notes.append(
            f"{raw.label}: energy of {counts.landed:,} periods of {customers:,} customers is "
            "spread evenly over the hours that it stands for; how it divides into price tiers is "
            "an estimate"
        )
        for reason, count in counts.set_aside.items():
            notes.append(f"{raw.label}: {count:,} periods set aside, {reason}")
    files = [] if problems else _write_hours(connection, raw, months, staged / "spread")
    connection.execute(f"drop table {checked}")
    connection.execute("drop table spread_months")
    return Spread(files, notes, problems)


def _as_periods(raw: RawFile) -> RawFile:
    """The file as rows of customer, first and last day, and energy."""
    said = raw.mapping
    assert said.readings is not None
    days = {
        "period_start": said.readings.period_start,
        "period_end": said.readings.period_end,
    }
    mapped: dict[str, ColumnMapping] = {
        name: column for name, column in said.columns.items() if name != "timestamp"
    }
    columns = [raw.table.column("customer_id")]
    for name, given in days.items():
        if given is not None:
            mapped[name] = given
        aliases = [given.column] if given is not None and given.column else []
        columns.append(ColumnSchema(name, "date", {"aliases": aliases}))
    for name in _ENERGY:
        column = raw.table.column(name)
        kept = {key: value for key, value in column.meta.items() if not key.startswith("m")}
        columns.append(replace(column, meta={**kept, "nullable": True}))
    table = TableSchema("consumption_periods", tuple(columns), ("customer_id", "period_start"))
    mapping: SourceMapping = said.model_copy(update={"columns": mapped, "readings": None})
    return replace(raw, table=table, mapping=mapping)


def _spread(connection: duckdb.DuckDBPyConnection, periods: str) -> list[str]:
    """Leave `spread_months`: energy by customer and month. The months, as YYYY-MM."""
    sums = ", ".join(f"sum({name} * overlap / days) as {name}" for name in map(identifier, _ENERGY))
    connection.execute(
        f"""
        create or replace temp table spread_months as
        with periods as (
            select distinct customer_id, period_start, consumption_elec_kwh, consumption_gas_m3,
                period_end
            from {periods}
        ),
        months as (
            select *, period_end - period_start + 1 as days,
                unnest(generate_series(date_trunc('month', period_start), period_end,
                    interval 1 month))::date as month_start
            from periods where period_end >= period_start
        ),
        parts as (
            select *, least(period_end, last_day(month_start))
                - greatest(period_start, month_start) + 1 as overlap
            from months
        )
        select customer_id, month_start, {sums} from parts group by all
        """
    )
    rows = connection.execute(
        "select distinct strftime(month_start, '%Y-%m') as month from spread_months order by 1"
    ).fetchall()
    return [month for (month,) in rows]


def _write_hours(
    connection: duckdb.DuckDBPyConnection, raw: RawFile, months: list[str], folder: Path
) -> list[RawFile]:
    """Two typical days of each month, sorted, in a file a month; one RawFile a year."""
    by_year: dict[int, list[Entry]] = {}
    for month in months:
        first = f"date {literal(month + '-01')}"
        path = folder / f"month={month}" / "part-0.parquet"
        path.parent.mkdir(parents=True)
        energy = ", ".join(f"{name} * share as {name}" for name in map(identifier, _ENERGY))
        connection.execute(
            f"""
            copy (
                with days as (
                    select unnest(generate_series({first}, last_day({first}), interval 1 day))::date
                        as day
                ),
                kinds as (
                    select isodow(day) in (6, 7) as is_weekend, count(*) as days
                    from days group by all
                ),
                hours as (
                    select day + to_hours(hour) as hour_start,
                        days / (24 * day(last_day({first}))) as share
                    from days
                    join kinds on kinds.is_weekend = (isodow(day) = 7)
                    cross join range(24) as h (hour)
                    -- None of these days of any month is a holiday of seeds/national_holidays.csv.
                    where isodow(day) in (3, 7) and day(day) between 16 and 22
                )
                select customer_id, hour_start as timestamp, {energy}
                from spread_months cross join hours
                where month_start = {first}
                order by customer_id, hour_start
            ) to {literal(path)} (format parquet, compression zstd)
            """
        )
        stat = path.stat()
        entry = Entry(str(path), stat.st_size, f"{stat.st_mtime_ns}")
        by_year.setdefault(int(month[:4]), []).append(entry)
    return [
        RawFile(raw.table, raw.label, "parts", year, tuple(entries))
        for year, entries in sorted(by_year.items())
    ]
