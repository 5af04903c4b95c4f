"""One scan of one Parquet file of hourly readings: what is in it, and whether it may stay as it is.

The trick: with the row's number in the file, `row × 1 hour − timestamp` is the same for all rows of
a customer exactly when they follow each other hour by hour. One grouping by customer with a minimum
and a maximum of it thereby proves order, whole hours and uniqueness; only customers with gaps or
worse are looked at row by row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from python_ml.contracts.schema import ColumnSchema, TableSchema
from python_ml.engines.sql import files, identifier, literal, one_row, read_parquet

HOUR_US = 3_600_000_000


@dataclass(frozen=True)
class Inspection:
    """Findings on one file; counts are of rows unless named otherwise."""

    rows: int
    without_customer: int
    without_timestamp: int
    bad_ids: int  # customers whose id breaks the pattern
    unordered: int  # customers, or rows of one, that are not in order
    duplicates: (
        int  # rows beyond the first of a customer's hour (but for the hour that comes twice)
    )
    off_hour: int
    first: datetime | None
    last: datetime | None
    measures_fit: bool  # every reading finite and within limits
    counts: dict[str, int]  # readings that are there, by measure
    sums: dict[str, float]

    @property
    def conforms(self) -> bool:
        """Nothing to correct but rows without a customer, which bronze leaves out."""
        defects = (self.without_timestamp, self.bad_ids, self.unordered, self.duplicates)
        return (
            self.rows > self.without_customer
            and self.measures_fit
            and not any(defects)
            and not self.off_hour
        )


def repeated_hours(years: Sequence[int]) -> list[datetime]:
    """The hour that Spanish clocks show twice: 02:00 on the last Sunday of October."""
    last_days = [datetime(year, 10, 31, 2) for year in years]
    return [day - timedelta(days=(day.weekday() + 1) % 7) for day in last_days]


def repeats_sql(years: Sequence[int], column: str = "timestamp") -> str:
    """Whether an hour is one that the clock shows twice."""
    hours = ", ".join(f"timestamp {literal(hour)}" for hour in repeated_hours(years))
    return f"{column} in ({hours})" if hours else "false"


def has_landed_types(connection: duckdb.DuckDBPyConnection, table: TableSchema, path: Path) -> bool:
    """Whether names, order and types are those of the lake (FLOAT widens to DOUBLE when read)."""
    described = connection.execute(f"describe select * from {read_parquet(path)}").fetchall()
    if tuple(row[0] for row in described) != table.column_names:
        return False
    return all(
        row[1] == column.duckdb_type or (column.data_type == "double" and row[1] == "FLOAT")
        for row, column in zip(described, table.columns, strict=True)
    )


def inspect(
    connection: duckdb.DuckDBPyConnection, table: TableSchema, path: Path, years: Sequence[int]
) -> Inspection:
    """Scan a file that has the landed types.

    Leaves the temporary table `inspected`, one row a customer.

    Raises:
        duckdb.Error: the file cannot be read.
    """
    scan = read_parquet(path, options=", file_row_number = true")
    measures = [column for column in table.columns if column.data_type == "double"]
    footer = _footer(connection, path)
    _group(connection, scan, measures, footer)
    pattern = literal(table.column("customer_id").meta["pattern"])
    totals = ""
    for i, m in enumerate(measures):
        largest, nulls = footer.get(m.name, (f"max(max_{i})", f"sum(n - n_{i})"))
        # A sum is finite only if every reading is; the footer does not tell.
        fits = f"isfinite(sum(sum_{i})) and {largest} <= {m.meta['maximum']}"
        totals += f", (sum(n) - {nulls})::bigint, sum(sum_{i}), coalesce({fits}, true)"
    whole = one_row(
        connection,
        "select coalesce(sum(n), 0)::bigint, "
        "coalesce(sum(n) filter (customer_id is null), 0)::bigint, "
        "coalesce(sum(n - timed), 0)::bigint, "
        "count(*) filter (not regexp_full_match(customer_id, "
        f"{pattern})){totals} from inspected",
    )
    unordered, off_hour, low, high = one_row(
        connection,
        "select count(*) filter (first_row <= before), "
        f"coalesce(sum(n) filter (min_lag % {HOUR_US} <> 0 and min_lag = max_lag), 0)::bigint, "
        f"make_timestamp(min(first_row * {HOUR_US} - min_lag) filter (min_lag = max_lag)), "
        f"make_timestamp(max(last_row * {HOUR_US} - min_lag) filter (min_lag = max_lag)) "
        "from (select *, lag(last_row) over (order by customer_id) as before from inspected "
        "where customer_id is not null)",
    )
    rows, without_customer, without_timestamp, bad_ids, *rest = whole
    gaps = _irregular(connection, scan, years)
    firsts = [value for value in (low, gaps[3]) if value is not None]
    lasts = [value for value in (high, gaps[4]) if value is not None]
    return Inspection(
        rows=rows,
        without_customer=without_customer,
        without_timestamp=without_timestamp,
        bad_ids=bad_ids,
        unordered=unordered + gaps[0],
        duplicates=gaps[1],
        off_hour=off_hour + gaps[2],
        first=min(firsts, default=None),
        last=max(lasts, default=None),
        measures_fit=all(rest[2::3]),
        counts={m.name: rest[3 * i] or 0 for i, m in enumerate(measures)},
        sums={m.name: rest[3 * i + 1] or 0.0 for i, m in enumerate(measures)},
    )


def _group(
    connection: duckdb.DuckDBPyConnection,
    scan: str,
    measures: Sequence[ColumnSchema],
    footer: Mapping[str, tuple[str, str]],
) -> None:
    """The one scan: `inspected`, a row a customer. What the footer tells is not computed again."""
    per_measure = "".join(
        f", sum({identifier(m.name)}) as sum_{i}"
        + (
            ""
            if m.name in footer
            else f", max({identifier(m.name)}) as max_{i}, count({identifier(m.name)}) as n_{i}"
        )
        for i, m in enumerate(measures)
    )
    connection.execute(
        "create or replace temp table inspected as "
        "select customer_id, count(*) as n, count(timestamp) as timed, "
        "min(file_row_number) as first_row, max(file_row_number) as last_row, "
        "min(lag_us) as min_lag, max(lag_us) as max_lag"
        f"{per_measure} "
        f"from (select *, file_row_number * {HOUR_US} - epoch_us(timestamp) as lag_us from {scan}) "
        "group by customer_id"
    )


def _footer(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, tuple[str, str]]:
    """Largest value and number of nulls by column, where the file's statistics are complete."""
    rows = connection.execute(
        "select path_in_schema, max(largest), sum(stats_null_count)::bigint from ("
        "select *, try_cast(coalesce(stats_max_value, stats_max) as double) as largest "
        f"from parquet_metadata({files(path)})) group by 1 "
        "having count(*) = count(largest) and count(*) = count(stats_null_count) "
        "and bool_and(isfinite(largest))"
    ).fetchall()
    return {name: (f"{largest!r}", str(nulls)) for name, largest, nulls in rows}


def _irregular(
    connection: duckdb.DuckDBPyConnection, scan: str, years: Sequence[int]
) -> tuple[int, int, int, datetime | None, datetime | None]:
    """Rows out of order, duplicates, rows off the hour, first and last, of customers with gaps."""
    where = "select customer_id from inspected where customer_id is not null and min_lag <> max_lag"
    if not one_row(connection, f"select exists ({where})")[0]:
        return (0, 0, 0, None, None)
    order, duplicates, off_hour, first, last = one_row(
        connection,
        "select count(*) filter (timestamp < before), "
        "count(*) filter (timestamp = before and "
        f"(timestamp = before_2 or not {repeats_sql(years)})), "
        f"count(*) filter (epoch_us(timestamp) % {HOUR_US} <> 0), min(timestamp), max(timestamp) "
        "from (select timestamp, lag(timestamp) over in_file as before, "
        f"lag(timestamp, 2) over in_file as before_2 from {scan} where customer_id in ({where}) "
        "window in_file as (partition by customer_id order by file_row_number))",
    )
    return order, duplicates, off_hour, first, last
