"""Hours: each customer-month of the panel divided over its hours by one COPY in DuckDB.

A month is one file, made by one connection on one thread, so the bytes do not depend on how many
months are made at the same time. Rows stream from the panel to the file: memory holds one row
group, whatever the number of customers.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from python_ml.duckdb_connection import open_duckdb
from python_ml.engines.sql import literal, read_parquet
from python_ml.simulate.noise import Floats, hashed, uniform
from python_ml.simulate.panel import MONTHS
from python_ml.simulate.reference import HOLIDAYS, calibration, load_profiles
from python_ml.simulate.traits import Traits

ALL_HOURS, TYPICAL_DAYS = "all-hours", "typical-days"
READINGS = (ALL_HOURS, TYPICAL_DAYS)


def write_panel(
    path: Path, seed: int, traits: Traits, elec_kwh: Floats, gas_m3: Floats, months: Sequence[int]
) -> None:
    """Months of a chunk of customers, for `write_month`: one row a customer, by id.

    Args:
        elec_kwh: (customers, months), as `gas_m3`.
        months: of the calendar, 1 to 12, one a column.
    """
    zero_rate = np.array([profile.zero_day_rate for profile in load_profiles()])[traits.profile]
    columns: dict[str, object] = {
        "customer_id": traits.customer_id,
        "salt": hashed(seed, "hour", traits.index) >> np.uint64(1),
        "profile": traits.profile.astype(np.int32),
        # Of two neighbouring days one is empty and the other doubled: the month keeps its sum.
        "empty_share": np.minimum(2.0 * zero_rate, 0.9),
    }
    for position, month in enumerate(months):
        columns[f"elec_{month}"] = elec_kwh[:, position]
        columns[f"gas_{month}"] = gas_m3[:, position]
    pq.write_table(pa.table(columns), path)


def month_calendar(seed: int, year: int, month: int, readings: str = ALL_HOURS) -> pd.DataFrame:
    """One row a load profile, with lists over the hours that are read.

    With TYPICAL_DAYS these are the hours of one working day and one rest day, each of which stands
    for all of its kind.

    Columns: profile, ts (local clock time), elec and gas (share of the month's energy times 1000,
    so that a month in kWh gives Wh), pair and side (number of a pair of days, and -1 or 1).
    """
    days = calendar.monthrange(year, month)[1]
    dates = [dt.date(year, month, day) for day in range(1, days + 1)]
    rest = np.array([d.weekday() >= 5 or (d.month, d.day) in HOLIDAYS for d in dates])
    heating = np.array(calibration()["gas"]["heating_hours"])
    heat = heating[None, :] * _weather(seed, year, month, days)[:, None]
    day = np.arange(days)
    # The last day of an odd month has no partner, so it is left as it is (side 0).
    side = np.where((days % 2 == 1) & (day == days - 1), 0, day % 2 * 2 - 1)
    copies = np.ones((days, 1))
    if readings == TYPICAL_DAYS:
        # The last of each kind, so that the month is read to its end.
        day = np.sort([day[~rest][-1], day[rest][-1]])
        alike = rest[day][:, None] == rest
        heat = np.array([heat[same].mean(axis=0) for same in alike])
        copies = alike.sum(axis=1, keepdims=True)
        rest, side = rest[day], np.zeros(2, dtype=np.int64)
    start = np.datetime64(dates[0], "us")
    hours = (start + day[:, None] * np.timedelta64(1, "D")) + np.arange(24) * np.timedelta64(1, "h")
    rows = []
    for number, profile in enumerate(load_profiles()):
        shape = np.where(rest[:, None], profile.weekend[None, :], profile.weekday[None, :]) * copies
        rows.append(
            {
                "profile": number,
                "ts": hours.astype("datetime64[us]").ravel(),
                "elec": (shape / shape.sum() * 1000.0).ravel(),
                "gas": (heat * copies / (heat * copies).sum() * 1000.0).ravel(),
                "pair": np.repeat(day // 2, 24),
                "side": np.repeat(side, 24),
            }
        )
    return pd.DataFrame(rows)


def _weather(seed: int, year: int, month: int, days: int) -> Floats:
    """Heating need of each day of a month, around 1; the same in the whole country."""
    index = (year * 12 + month) * 32 + np.arange(days + 4)
    noise = uniform(seed, "weather", index)
    return 0.5 + np.convolve(noise, np.full(5, 0.2), "valid")


# Bits of `bits` and `day_bits`: each use takes its own, so that draws are independent.
_QUERY = """
with hours as (
    select
        customer_id,
        salt,
        empty_share,
        elec_kwh,
        gas_m3,
        unnest(ts) as ts,
        unnest(elec) as elec_share,
        unnest(gas) as gas_share,
        unnest(hour) as hour,
        unnest(pair) as pair,
        unnest(side) as side
    from (
        select customer_id, salt, profile, empty_share, elec_{month} as elec_kwh,
            gas_{month} as gas_m3
        from {scan}
    )
    inner join calendar using (profile)
),

drawn as (
    select *, hash(salt + hour) as bits, hash(salt + pair) as day_bits from hours
),

readings as (
    select
        *,
        floor(
            elec_kwh * elec_share
            * ({elec_low} + {elec_span} * (bits & 65535) / 65535.0)
            * (1.0 + side * case
                when (day_bits & 1023) / 1024.0 < empty_share
                    then case when (day_bits >> 40) & 1 = 1 then 1.0 else -1.0 end
                else {day_swing} * (2.0 * ((day_bits >> 10) & 1023) / 1023.0 - 1.0)
            end)
            + ((bits >> 50) & 1023) / 1024.0
        ) / 1000.0 as elec,
        floor(
            gas_m3 * gas_share * ({gas_low} + {gas_span} * ((bits >> 38) & 1023) / 1023.0)
            + (xor(day_bits >> 20, bits >> 16) & 1023) / 1024.0
        ) / 1000.0 as gas
    from drawn
)

select
    case when bits % {nameless_every} = 0 then null else customer_id end as customer_id,
    ts as "timestamp",
    case
        when elec_kwh > 0 and (bits >> 16) & 1048575 < {negative_elec} * 1048576
            then -greatest(round(elec * {negative_elec_ratio}, 3), 0.001)
        else elec
    end as consumption_elec_kwh,
    case
        when gas_m3 > 0 and hash(bits) & 1048575 < {negative_gas} * 1048576
            then -least(
                greatest(
                    round(
                        {gas_scale} * power(-ln((bits & 65535 | 1) / 65536.0), {gas_power}), 3
                    ),
                    0.001
                ),
                {gas_limit}
            )
        else gas
    end as consumption_gas_m3
from readings
"""


# How far an hour may lie from its share: lowest factor and span. Typical days stand for many, whose
# ups and downs have cancelled out.
_SPREAD = {
    ALL_HOURS: {"elec_low": 0.4, "elec_span": 1.2, "gas_low": 0.5, "gas_span": 1.0},
    TYPICAL_DAYS: {"elec_low": 0.9, "elec_span": 0.2, "gas_low": 0.9, "gas_span": 0.2},
}


def write_month(
    panels: Sequence[Path],
    target: Path,
    scratch: Path,
    *,
    seed: int,
    year: int,
    month: int,
    readings: str = ALL_HOURS,
) -> int:
    """Write one month, sorted by customer and hour. Returns the number of rows."""
    dirt = calibration()["dirt"]
    shapes = month_calendar(seed, year, month, readings)
    hours = len(shapes["ts"].iloc[0])
    query = _QUERY.format(
        month=month,
        scan=read_parquet(*panels),
        day_swing=calibration()["electricity"]["day_swing"],
        nameless_every=round(1 / dirt["hourly_without_customer_share"]),
        negative_elec=dirt["negative_elec_share"],
        negative_elec_ratio=dirt["negative_elec_ratio"],
        negative_gas=dirt["negative_gas_share"],
        gas_scale=dirt["negative_gas_m3"]["scale"],
        gas_power=dirt["negative_gas_m3"]["power"],
        gas_limit=dirt["negative_gas_m3"]["limit"],
        **_SPREAD[readings],
    )
    # Counters that no other month uses, those of days behind those of hours.
    first = (year * 12 + month) * 1000
    pairs = first + 2**40
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_duckdb() as connection:
        connection.execute("set threads = 1")
        connection.execute("set preserve_insertion_order = true")
        connection.execute(f"set temp_directory = {literal(scratch / f'spill-{month:02d}')}")
        connection.register("shapes", shapes)
        connection.execute(
            f"""
            create table calendar as
            select profile::integer as profile, ts::timestamp[] as ts, elec::double[] as elec,
                gas::double[] as gas, range({first}, {first + hours})::ubigint[] as hour,
                list_transform(pair, lambda x: x::ubigint + {pairs}) as pair,
                side::integer[] as side
            from shapes
            """
        )
        connection.execute(
            f"copy ({query}) to {literal(target)} "
            "(format parquet, compression zstd, row_group_size 122880)"
        )
        count = connection.execute(f"select count(*) from {read_parquet(target)}").fetchone()
    return int(count[0]) if count else 0


def write_hours(
    panels: Sequence[Path],
    folder: Path,
    scratch: Path,
    *,
    seed: int,
    year: int,
    readings: str,
    threads: int,
    progress: Callable[[str, float | None], None],
) -> int:
    """Write `folder/month=YYYY-MM/part-0.parquet` for the twelve months; returns the rows."""
    done = 0

    def one(month: int) -> int:
        target = folder / f"month={year}-{month:02d}" / "part-0.parquet"
        return write_month(
            panels, target, scratch, seed=seed, year=year, month=month, readings=readings
        )

    rows = 0
    with ThreadPoolExecutor(max_workers=threads) as pool:
        for count in pool.map(one, range(1, MONTHS + 1)):
            rows += count
            done += 1
            progress("hourly consumption", done / MONTHS)
    return rows
