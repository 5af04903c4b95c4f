"""Readings in another layout than one row an hour, as rows of consumption_hourly.

A mapping says the layout (`readings` of consumption_hourly, docs/own-files.md). Each layout becomes
intervals (a customer's supply point, begin, end, energy) by one statement; a second one puts them
on the hours: those of an hour are added up, those longer than an hour are spread evenly over their
hours, or over the hours of their tariff period. What is spread keeps its sums and is an estimate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from python_ml.contracts.schema import ColumnSchema, TableSchema
from python_ml.engines.sql import files, identifier, identifiers, literal, one_row, read_parquet
from python_ml.land.check import (
    MALFORMED,
    RAW_PREFIX,
    checked_sql,
    conventions,
    forget_malformed,
    malformed_lines,
)
from python_ml.land.discover import RawFile
from python_ml.land.mapping import ColumnMapping, ReadingsMapping, SourceMapping
from python_ml.land.parts import prepare
from python_ml.land.read import Source, open_raw
from python_ml.land.result import Problem, Refusal
from python_ml.settings import PROJECT_DIR, LandSettings

EQUAL = "timestamp: equal to another row in everything"
_LAST_HOUR = 25  # of the day on which clocks go back
_SPREAD = ("daily", "monthly", "billing_period", "register")
_MEASURES = ("consumption_elec_kwh", "consumption_gas_m3")
_TIERS = {"peak": 1, "standard": 2, "off_peak": 3}


@dataclass
class Reshaped:
    """Readings of one file as rows of consumption_hourly.

    Attributes:
        source: the rows, in a Parquet file.
        rows: of the file.
        landed: hours that came of them.
        set_aside: rows of the file that cannot be used, by reason.
        rejected: SELECTs of these rows: columns as text, reason, source_line.
        estimated: hours whose energy was spread.
        notes: what was understood and is worth a word.
    """

    source: Source
    rows: int
    landed: int
    set_aside: dict[str, int]
    rejected: list[str]
    estimated: int = 0
    notes: list[str] = field(default_factory=list)


def is_reshaped(said: SourceMapping) -> bool:
    """Whether a mapping says more of readings than what labels name."""
    readings = said.readings
    if readings is None:
        return False
    return readings.layout not in ("hourly", "quarter_hourly") or any(
        (readings.date, readings.supply_point, readings.exported, readings.meter)
    )


def reshape(
    connection: duckdb.DuckDBPyConnection,
    raw: RawFile,
    paths: list[Path],
    land: LandSettings,
    scratch: Path,
) -> Reshaped:
    """Read a file by the layout that its mapping says.

    Args:
        connection: that scans it.
        raw: the file, with its mapping.
        paths: its parts.
        land: the section of the settings.
        scratch: folder for what is made of it.

    Raises:
        Refusal: it cannot be read, or the mapping does not fit.
        duckdb.Error: likewise.
    """
    work = _Work(connection, raw, paths, land, scratch)
    work.read()
    work.make_intervals()
    return work.put_on_hours()


class _Work:
    """The readings of one file on their way to hours."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        raw: RawFile,
        paths: list[Path],
        land: LandSettings,
        scratch: Path,
    ) -> None:
        assert raw.mapping.readings is not None
        self.connection, self.raw, self.paths = connection, raw, paths
        self.land, self.scratch = land, scratch
        self.said: ReadingsMapping = raw.mapping.readings
        self.hour_numbers: list[int] = []
        self.notes: list[str] = []

    # ------------------------------------------------------------ the file, typed

    def read(self) -> None:
        """`typed`: the columns that the layout needs, typed, with the reason of rows set aside."""
        table, mapping = self._table()
        raw = replace(self.raw, table=table, mapping=mapping)
        source = open_raw(self.connection, raw, self.paths, self.land, self.scratch)
        if self.said.layout == "monthly" and "timestamp" in source.columns:
            sql, kind = source.columns["timestamp"]
            if kind == "VARCHAR":  # 2024-03 and 03/2024 are months
                month = (
                    f"case when regexp_full_match(trim({sql}), '\\d{{4}}-\\d{{1,2}}') "
                    f"then trim({sql}) || '-01' "
                    f"when regexp_full_match(trim({sql}), '\\d{{6}}') then trim({sql}) || '01' "
                    f"when regexp_full_match(trim({sql}), '\\d{{1,2}}/\\d{{4}}') "
                    f"then split_part(trim({sql}), '/', 2) || '-' || "
                    f"lpad(split_part(trim({sql}), '/', 1), 2, '0') || '-01' else {sql} end"
                )
                source.columns["timestamp"] = (month, kind)
        read_as = conventions(self.connection, source)
        forget_malformed(self.connection, source)
        self.connection.execute(
            "create or replace temp table typed as select *, row_number() over () as nth "
            f"from ({checked_sql(source, read_as)})"
        )
        self.malformed = malformed_lines(self.connection, source)
        self.malformed_tables = source.malformed

    def _table(self) -> tuple[TableSchema, SourceMapping]:
        """A schema of the columns that the layout needs, and a mapping to the file's names."""
        said, schema = self.said, self.raw.table
        columns = {column.name: column for column in schema.columns}
        extra: dict[str, tuple[str, str]] = {}  # our name: data type, theirs
        for name, kind, theirs in (
            ("day", "date", said.date),
            ("hour", "varchar", said.hour),
            ("supply_point", "varchar", said.supply_point),
            ("meter", "varchar", said.meter),
            ("exported_kwh", "double", said.exported),
        ):
            if theirs is not None:
                extra[name] = (kind, theirs)
        # Their mappings say more than a column: one day for all rows, or the order of dates.
        periods = {
            name: period
            for name, period in (("begins", said.period_start), ("ends", said.period_end))
            if period is not None
        }
        for tier, theirs in zip(_TIERS, said.energy_by_period or (), strict=False):
            extra[tier] = ("double", theirs)
        if said.layout == "hour_matrix":
            extra |= self._matrix()
        if said.date or said.layout in ("hour_matrix", "billing_period"):
            columns.pop("timestamp")
        if said.layout == "hour_matrix" or said.energy_by_period:
            columns.pop("consumption_elec_kwh")
            columns.pop("consumption_gas_m3", None)
        energy = schema.column("consumption_elec_kwh").meta
        meta = {key: energy[key] for key in ("factor", "unit") if key in energy}
        kinds = {name: kind for name, (kind, _) in extra.items()} | dict.fromkeys(periods, "date")
        for name, kind in kinds.items():
            is_key = name in ("day", "begins", "ends", "hour")
            rest = meta if kind == "double" else {}
            columns[name] = ColumnSchema(name, kind, {"nullable": not is_key, **rest})
        if "consumption_gas_m3" in columns and "consumption_gas_m3" not in self.raw.mapping.columns:
            gas = columns["consumption_gas_m3"]
            columns["consumption_gas_m3"] = replace(gas, meta={**gas.meta, "required": False})
        mapping = self.raw.mapping
        kept = {name: column for name, column in mapping.columns.items() if name in columns}
        added = {name: ColumnMapping(column=theirs) for name, (_, theirs) in extra.items()}
        return (
            replace(schema, columns=tuple(columns.values())),
            mapping.model_copy(update={"columns": kept | added | periods}),
        )

    def _matrix(self) -> dict[str, tuple[str, str]]:
        """The columns of hours that the file has, by number."""
        pattern = str(self.said.hour_columns)
        try:
            names = {number: pattern.format(hour=number) for number in range(_LAST_HOUR + 1)}
        except (KeyError, IndexError, ValueError) as error:
            what = f"readings.hour_columns {pattern!r} is no pattern such as H{{hour:02}}"
            raise Refusal(Problem(self.raw.label, what, "Correct the mapping.")) from error
        part = prepare(self.raw, self.paths[0], self.land, self.scratch)
        if part.kind == "parquet":
            present = set(pq.read_schema(part.path).names)
        elif part.kind == "csv":
            present = {name.strip() for name in part.header}
        else:
            present = {names[number] for number in range(1, 25)}
        self.hour_numbers = [number for number, name in names.items() if name in present]
        if not self.hour_numbers:
            what = f"no column is named like {names[1]}"
            raise Refusal(Problem(self.raw.label, what, "Correct readings.hour_columns."))
        return {f"h{number}": ("double", names[number]) for number in self.hour_numbers}

    # ------------------------------------------------------------ intervals

    def make_intervals(self) -> None:
        """`intervals`: customer, point, begin, end, pass, energy; `pass` is 1 in a second 02:00."""
        match self.said.layout:
            case "hour_matrix":
                rows = self._of_matrix()
            case "register":
                rows = self._of_registers()
            case "daily" | "monthly" | "billing_period":
                rows = self._of_periods()
            case _:
                rows = self._of_hours()
        point = "supply_point" if self.said.supply_point else "null::varchar"
        meter = "meter" if self.said.meter else "null::varchar"
        everything = [
            identifier(name)
            for (name, *_) in self.connection.execute("describe typed").fetchall()
            if not name.startswith(RAW_PREFIX) and name not in ("nth", "reason", "is_malformed")
        ]
        allowed = f"case when {_goes_back(self._day())} then 2 else 1 end"
        same = f"row_number() over (partition by {', '.join(everything)} order by nth)"
        self.connection.execute(
            f"create or replace temp table usable as select *, {point} as point, "
            f"{meter} as meter_, {same} > {allowed} "
            "as is_equal from typed where reason is null"
        )
        self.connection.execute(f"create or replace temp table intervals as {rows}")

    def _day(self) -> str:
        if self.said.date:
            return "day"
        return "begins" if self.said.layout == "billing_period" else "timestamp::date"

    def _gas(self) -> str:
        return "consumption_gas_m3" if self._has("consumption_gas_m3") else "null::double"

    def _has(self, name: str) -> bool:
        return bool(
            one_row(
                self.connection,
                f"select count(*) from (describe typed) where column_name = {literal(name)}",
            )[0]
        )

    def _of_hours(self) -> str:
        """Rows of an hour or of a quarter, with a timestamp or a day and an hour."""
        minutes = 15 if self.said.layout == "quarter_hourly" else 60
        begins, again = "timestamp", "null"
        if self.said.date:
            begins, again, minutes = self._clock(minutes)
        # The hour that clocks show twice: the second row of the same label is the second hour.
        nth = (
            "row_number() over (partition by customer_id, point, meter_, begins "
            "order by consumption_elec_kwh desc, nth) - 1"
        )
        return (
            "select customer_id, point, begins, begins + "
            f"interval {minutes} minutes as ends, case when {_is_repeated('begins')} "
            f"then coalesce(again, least({nth}, 1)) else 0 end as pass, "
            f"consumption_elec_kwh as elec, {self._gas()} as gas, null::varchar as tier "
            f"from (select *, {begins} as begins, {again} as again from usable where not is_equal)"
        )

    def _clock(self, minutes: int) -> tuple[str, str, int]:
        """Begin of an interval, whether it is the second 02:00, and its minutes.

        Raises:
            Refusal: the numbers of the hours do not tell what they name.
        """
        hour = r"try_cast(regexp_extract(hour, '^(\d{1,2})', 1) as integer)"
        minute = r"coalesce(try_cast(regexp_extract(hour, '^\d{1,2}:(\d{2})', 1) as integer), 0)"
        low, high, quarters, halves, unread = one_row(
            self.connection,
            f"select min({hour}), max({hour}), count(*) filter ({minute} in (15, 45)), "
            f"count(*) filter ({minute} = 30), count(*) filter ({hour} is null) "
            "from typed where reason is null",
        )
        if unread:
            raise Refusal(
                Problem(
                    self.raw.label,
                    "hours that are no number and no time",
                    "Correct readings.hour in the mapping.",
                    column=str(self.said.hour),
                    rows=unread,
                )
            )
        minutes = 15 if quarters else 30 if halves else minutes
        numbers: str | None = self.said.hours
        if numbers is None and high is not None:
            numbers = "0-23" if low == 0 else {24: "1-24", 25: "1-25"}.get(high)
        ending = self.said.hour_label == "ending" or (
            self.said.hour_label is None and numbers == "1-24"
        )
        if numbers is None and self.said.hour_label is None:
            raise Refusal(
                Problem(
                    self.raw.label,
                    f"the hours go from {low} to {high}: they may name the beginning of an hour or "
                    "its end",
                    "State readings.hours (0-23, 1-24 or 1-25) or readings.hour_label.",
                    column=str(self.said.hour),
                )
            )
        if numbers == "1-25":
            number = _clock_hour("day", hour)
            return f"day + interval 1 hour * {number}", _is_second("day", hour), 60
        if ending:
            self.notes.append(
                f"{self.raw.label}: the hours name the end of an interval: 1 was read as 0 to 1 h"
            )
        back = minutes if ending else 0
        clock = f"day + interval 1 hour * {hour} + interval 1 minute * ({minute} - {back})"
        return clock, "null", minutes

    def _of_matrix(self) -> str:
        """Rows of a day with a column an hour."""
        numbers = self.hour_numbers
        values = ", ".join(f"h{number}" for number in numbers)
        listed = ", ".join(map(str, numbers))
        if numbers[0] == 0:
            clock, again = "number", "0"
        else:
            # On the day that clocks go forward either the third column is empty or the last one.
            h3 = "h3 is null" if 3 in numbers else "false"
            h25 = f"h{_LAST_HOUR} is not null" if _LAST_HOUR in numbers else "false"
            clock = (
                f"case when {_goes_forward('day')} then case when {h3} then number - 1 "
                f"else {_clock_hour('day', 'number')} end "
                f"when {h25} then {_clock_hour('day', 'number')} else number - 1 end"
            )
            again = f"case when {h25} then {_is_second('day', 'number')} else 0 end"
        return (
            f"select customer_id, point, day + interval 1 hour * ({clock}) as begins, "
            f"day + interval 1 hour * ({clock} + 1) as ends, {again} as pass, elec, "
            "null::double as gas, null::varchar as tier from (select *, "
            f"unnest([{values}]) as elec, unnest([{listed}]) as number from usable "
            "where not is_equal) where elec is not null"
        )

    def _of_periods(self) -> str:
        """Rows of a day, a month or a billing period."""
        begins, ends = {
            "daily": (self._day(), f"{self._day()} + interval 1 day"),
            "monthly": (
                f"date_trunc('month', {self._day()})",
                f"date_trunc('month', {self._day()}) + interval 1 month",
            ),
            "billing_period": ("begins", "ends + interval 1 day"),
        }[self.said.layout]
        base = f"customer_id, point, ({begins})::timestamp as begins, ({ends})::timestamp as ends"
        if not self.said.energy_by_period:
            return (
                f"select {base}, 0 as pass, consumption_elec_kwh as elec, {self._gas()} as gas, "
                "null::varchar as tier from usable where not is_equal"
            )
        return " union all ".join(
            f"select {base}, 0 as pass, {tier} as elec, null::double as gas, "
            f"{literal(tier)} as tier from usable where not is_equal and {tier} is not null"
            for tier in list(_TIERS)[: len(self.said.energy_by_period)]
        )

    def _of_registers(self) -> str:
        """Rows of a cumulative register: energy between two readings of the same meter."""
        again = (
            f"elec - before + {self.said.register_maximum!r}"
            if self.said.register_maximum
            else "null::double"
        )
        time = "timestamp"
        if self.said.date:
            time, _, _ = self._clock(60)
        second = f"case when {_is_repeated('read_at')} then nth_at - 1 else 0 end"
        return (
            "select customer_id, point, began as begins, read_at as ends, "
            f"case when {_is_repeated('began')} then before_pass else 0 end as pass, "
            f"case when elec >= before then elec - before else {again} end as elec, "
            "null::double as gas, null::varchar as tier from ("
            "select *, lag(read_at) over meters as began, lag(elec) over meters as before, "
            "lag(pass_at) over meters as before_pass from ("
            f"select *, {second} as pass_at from ("
            f"select *, {time} as read_at, consumption_elec_kwh as elec, row_number() over "
            f"(partition by customer_id, point, meter_, {time} order by consumption_elec_kwh) "
            "as nth_at from usable where not is_equal and consumption_elec_kwh is not null)) "
            "window meters as (partition by customer_id, point, meter_ order by read_at, pass_at)) "
            "where began is not null"
        )

    # ------------------------------------------------------------ hours

    def put_on_hours(self) -> Reshaped:
        """A Parquet file of hours, and the account of what became of the rows."""
        connection, target = (
            self.connection,
            self.scratch / f"readings-{self.raw.year or 0}.parquet",
        )
        self.scratch.mkdir(parents=True, exist_ok=True)
        # From 01:00 to 03:00 it is one hour where clocks go forward.
        skips = f"{_goes_forward('begins')} and hour(begins) = 1"
        long = f"ends - begins > case when {skips} then interval 2 hour else interval 1 hour end"
        backwards = int(
            one_row(
                connection, "select count(*) from intervals where elec is null and gas is null"
            )[0]
        )
        hours = (
            "select customer_id, date_trunc('hour', begins) as hour, pass, elec, gas, false as "
            f"is_spread from intervals where not ({long})"
        )
        if self.said.layout in _SPREAD:
            hours += f" union all {self._spread(long)}"
        connection.execute(
            f"copy (select customer_id, hour as timestamp, sum(elec) as consumption_elec_kwh, "
            "sum(gas) as consumption_gas_m3, bool_or(is_spread) as is_spread from "
            f"({hours}) group by customer_id, hour, pass having count(elec) + count(gas) > 0 "
            "order by customer_id, hour, pass) "
            f"to {literal(target)} (format parquet, compression zstd)"
        )
        landed, estimated = one_row(
            connection,
            f"select count(*), count(*) filter (is_spread) from {read_parquet(target)}",
        )
        return self._account(target, landed, estimated, backwards)

    def _spread(self, long: str) -> str:
        """Intervals of more than an hour, over their hours or those of their tariff period."""
        seeds = PROJECT_DIR / "seeds"
        weight = "1.0"
        joins = ""
        if self.said.energy_by_period:
            joins = (
                f" left join read_csv({files(seeds / 'national_holidays.csv')}) as holidays "
                "on holidays.month_of_year = month(hour) and holidays.day_of_month = day(hour) "
                f"left join read_csv({files(seeds / 'tariff_periods.csv')}) as tariff "
                "on tariff.hour_of_day = hour(hour) and tariff.day_type = case when "
                "holidays.month_of_year is not null or dayofweek(hour) in (0, 6) "
                "then 'rest_day' else 'working_day' end"
            )
            # A period without an hour of the tier (a weekend has no peak) is spread over all.
            weight = "case when tariff.tariff_period = tier then 1.0 else 1e-12 end"
        return (
            "select customer_id, hour, pass, elec * share as elec, gas * share as gas, "
            "true as is_spread from (select *, "
            "weight / sum(weight) over (partition by nth_interval) "
            f"as share from (select intervals.*, {weight} as weight from (select *, "
            "unnest(generate_series(date_trunc('hour', begins), "
            "ends - interval 1 microsecond, interval 1 hour)) as hour "
            "from (select *, row_number() over () as nth_interval "
            f"from intervals where {long})) as intervals{joins} "
            f"where not ({_goes_forward('hour::date')} and hour(hour) = 2)))"
        )

    def _account(self, target: Path, landed: int, estimated: int, backwards: int) -> Reshaped:
        connection = self.connection
        set_aside: dict[str, int] = dict(
            connection.execute(
                "select reason, count(*) from typed where reason is not null group by 1 order by 1"
            ).fetchall()
        )
        rows, equal = one_row(
            connection,
            "select (select count(*) from typed), (select count(*) from usable where is_equal)",
        )
        if equal:
            set_aside[EQUAL] = equal
        if self.malformed:
            set_aside[MALFORMED] = set_aside.get(MALFORMED, 0) + self.malformed
            rows += self.malformed
        rejected = self._rejected(bool(equal))
        label = self.raw.label
        if estimated:
            over = (
                "the hours of their tariff period" if self.said.energy_by_period else "their hours"
            )
            self.notes.append(
                f"{label}: {estimated:,} hourly values are estimates: readings of longer intervals "
                f"({self.said.layout.replace('_', ' ')}) were spread evenly over {over}; sums of a "
                "day, month or period are exact where they hold whole intervals"
            )
        if backwards:
            self.notes.insert(
                0,
                f"{label}: {backwards:,} times a register was lower than before, by a change of "
                "the meter or a new start at 0: the energy between is unknown; state "
                "readings.meter or readings.register_maximum",
            )
        if self.said.exported:
            exported = one_row(
                connection, "select sum(exported_kwh) from usable where not is_equal"
            )
            self.notes.append(
                f"{label}: {exported[0] or 0:,.0f} kWh of exported energy were read and are not "
                "part of the consumption"
            )
        points = one_row(
            connection,
            "select count(*) from (select customer_id from usable where point is not null "
            "group by 1 having count(distinct point) > 1)",
        )[0]
        if points:
            self.notes.append(
                f"{label}: {points:,} customers have several supply points; they were added up"
            )
        table = _plain(self.raw.table)
        raw = replace(self.raw, table=table, mapping=SourceMapping(), kind="parquet")
        columns: Mapping[str, tuple[str, str]] = {
            column.name: (identifier(column.name), column.duckdb_type)
            for column in table.columns
            if column.name in ("customer_id", "timestamp", *_MEASURES)
        }
        source = Source(raw, read_parquet(target), dict(columns))
        return Reshaped(source, rows, landed, set_aside, rejected, estimated, self.notes)

    def _rejected(self, has_equal: bool) -> list[str]:
        """SELECTs of the rows set aside, in the columns of consumption_hourly, from a file."""
        names = [row[0] for row in self.connection.execute("describe typed").fetchall()]
        shown = {
            "timestamp": [n for n in ("timestamp", "day", "begins", "hour") if n in names],
            "consumption_elec_kwh": [
                n for n in ("consumption_elec_kwh", "h1", "peak") if n in names
            ],
            "consumption_gas_m3": [n for n in ("consumption_gas_m3",) if n in names],
            "customer_id": ["customer_id"],
        }
        listing = ", ".join(
            (
                f"concat_ws(' ', {', '.join(_shown(part) for part in shown[column])})"
                if shown.get(column)
                else "null::varchar"
            )
            + f" as {identifier(column)}"
            for column in self.raw.table.column_names
        )
        parts = [
            f"select {listing}, reason, null::varchar as source_line from typed "
            "where reason is not null"
        ]
        if has_equal:
            parts.append(
                f"select {listing}, {literal(EQUAL)} as reason, null::varchar as source_line "
                "from usable where is_equal"
            )
        nothing = ", ".join(f"null as {identifier(name)}" for name in self.raw.table.column_names)
        parts += [
            f"select distinct {nothing}, {literal(MALFORMED)} as reason, "
            f"trim(csv_line, chr(10) || chr(13)) as source_line from {table}"
            for table in (self.malformed_tables if self.malformed else ())
        ]
        kept = self.scratch / f"rejected-{self.raw.year or 0}.parquet"
        self.connection.execute(
            f"copy ({' union all '.join(parts)}) to {literal(kept)} (format parquet)"
        )
        return [
            f"select {identifiers(self.raw.table.column_names)}, reason, source_line "
            f"from {read_parquet(kept)}"
        ]


def _shown(name: str) -> str:
    return f"cast({identifier(RAW_PREFIX + name)} as varchar)"


def _plain(table: TableSchema) -> TableSchema:
    """The schema of readings whose units are ours already."""
    return replace(
        table,
        columns=tuple(
            replace(column, meta={k: v for k, v in column.meta.items() if k != "factor"})
            for column in table.columns
        ),
    )


def _last_sunday(day: str, month: int) -> str:
    """The last Sunday of a month of the day's year."""
    end = f"make_date(year({day}), {month}, 31)"
    return f"{end} - dayofweek({end})::integer"


def _goes_back(day: str) -> str:
    return f"({day})::date = ({_last_sunday(day, 10)})::date"


def _goes_forward(day: str) -> str:
    return f"({day})::date = ({_last_sunday(day, 3)})::date"


def _is_repeated(time: str) -> str:
    return f"{_goes_back(time)} and hour({time}) = 2"


def _clock_hour(day: str, number: str) -> str:
    """The clock hour of the nth hour of a day, counted from 1: 25 of them where clocks go back."""
    return (
        f"({number} - case when {_goes_back(day)} and {number} > 3 then 2 "
        f"when {_goes_forward(day)} and {number} > 2 then 0 else 1 end)"
    )


def _is_second(day: str, number: str) -> str:
    return f"case when {_goes_back(day)} and {number} = 4 then 1 else 0 end"
