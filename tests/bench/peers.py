"""The same customer-month aggregation by other means: DuckDB by hand, polars, pandas in chunks.

All give kWh by price tier, m³, readings and negative readings of each customer and month, from the
landed files and the calendar that dbt built; `check` holds them against the model's own rows.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq

CHUNK_ROWS = 2_000_000
KEY = ["customer_id", "month_start"]
MEASURES = {
    "elec_tier1_kwh": "sum",
    "elec_tier2_kwh": "sum",
    "elec_tier3_kwh": "sum",
    "gas_m3": "sum",
    "reading_count": "sum",
    "negative_elec_count": "sum",
    "negative_gas_count": "sum",
}


def calendar(database: Path) -> pd.DataFrame:
    """Hour, month and price tier of each landed hour."""
    with duckdb.connect(str(database), read_only=True) as connection:
        return connection.execute(
            'select hour_start as "timestamp", month_start, price_tier from bronze_hour'
        ).df()


def with_duckdb(files: list[Path], database: Path) -> pd.DataFrame:
    """One query without dbt, as somebody who knows SQL writes it: a sum for each tariff period."""
    names = ", ".join(f"'{file}'" for file in files)
    elec = "greatest(consumption_elec_kwh, 0)"
    tiers = ", ".join(
        f"sum(case when price_tier = {tier} then {elec} else 0 end) as elec_tier{tier}_kwh"
        for tier in (1, 2, 3)
    )
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("set enable_progress_bar = false")
        return connection.execute(
            f"""select customer_id, month_start, {tiers},
                sum(greatest(consumption_gas_m3, 0)) as gas_m3,
                count(*) as reading_count,
                count_if(consumption_elec_kwh < 0) as negative_elec_count,
                count_if(consumption_gas_m3 < 0) as negative_gas_count
            from read_parquet([{names}]) as readings
            inner join bronze_hour on readings."timestamp" = bronze_hour.hour_start
            where customer_id is not null
            group by all"""
        ).df()


def with_pandas(files: list[Path], database: Path) -> pd.DataFrame:
    """Chunk by chunk, as it is done where no engine is at hand."""
    hours = calendar(database).set_index("timestamp")
    parts = []
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=CHUNK_ROWS):
            chunk = batch.to_pandas().dropna(subset="customer_id")
            chunk = chunk.join(hours, on="timestamp", how="inner")
            use = chunk["consumption_elec_kwh"].clip(lower=0)
            columns = {
                f"elec_tier{tier}_kwh": use.where(chunk["price_tier"] == tier, 0)
                for tier in (1, 2, 3)
            }
            part = chunk[KEY].assign(
                **columns,
                gas_m3=chunk["consumption_gas_m3"].clip(lower=0),
                reading_count=1,
                negative_elec_count=chunk["consumption_elec_kwh"] < 0,
                negative_gas_count=chunk["consumption_gas_m3"] < 0,
            )
            parts.append(part.groupby(KEY, as_index=False).agg(MEASURES))
    whole: pd.DataFrame = pd.concat(parts).groupby(KEY, as_index=False).agg(MEASURES)
    return whole


def with_polars(files: list[Path], database: Path) -> pd.DataFrame:
    """One lazy query, executed by the streaming engine."""
    hours = pl.from_pandas(calendar(database)).lazy()
    elec, gas = pl.col("consumption_elec_kwh"), pl.col("consumption_gas_m3")
    query = (
        pl.scan_parquet(files)
        .filter(pl.col("customer_id").is_not_null())
        .with_columns(pl.col("timestamp").cast(pl.Datetime("us")))
        .join(hours.with_columns(pl.col("timestamp").cast(pl.Datetime("us"))), on="timestamp")
        .group_by(KEY)
        .agg(
            *(
                elec.clip(0)
                .filter(pl.col("price_tier") == tier)
                .sum()
                .alias(f"elec_tier{tier}_kwh")
                for tier in (1, 2, 3)
            ),
            gas.clip(0).sum().alias("gas_m3"),
            pl.len().alias("reading_count"),
            (elec < 0).sum().alias("negative_elec_count"),
            (gas < 0).sum().alias("negative_gas_count"),
        )
    )
    return query.collect(engine="streaming").to_pandas()


def check(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Raise AssertionError where a peer's rows are not the model's, to 1e-6 kWh and m³."""
    left, right = (
        frame.astype({"month_start": "datetime64[us]"}).sort_values(KEY).reset_index(drop=True)
        for frame in (found, expected)
    )
    pd.testing.assert_frame_equal(
        left[KEY + list(MEASURES)],
        right[KEY + list(MEASURES)],
        check_dtype=False,
        rtol=1e-9,
        atol=1e-6,
    )
