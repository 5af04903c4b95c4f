"""Dirt in the hourly readings: clock changes, repeated hours, months that end early."""

from __future__ import annotations

import pandas as pd
from raw_batch import (
    CUSTOMERS,
    READINGS,
    RawBatch,
    landed,
    readings,
    rejected,
    spoil,
    write_parquet,
)

from python_ml.land import land


def test_year_without_december(raw, settings, tmp_path):
    (raw / READINGS / "month=2024-12").rename(tmp_path / "december")
    result = land(raw, settings)
    assert (result.newest_month, str(result.as_of_date)) == ("2024-11", "2024-11-30")
    assert any("readings from 2024-10 to 2024-11 (2 months)" in text for text in result.warnings)


def test_newest_month_that_is_not_over(raw, settings):
    batch = spoil(READINGS, lambda frame: frame[frame["timestamp"] < "2024-12-20"])
    result = land(batch.write(raw), settings)
    assert any("2024-12 ends at 2024-12-19 23:00:00" in text for text in result.warnings)


def test_thirty_hour_day_of_repeated_hours(raw, settings):
    """Six hours of a day come twice: the larger reading of each stays."""
    frame = RawBatch()[READINGS]
    extra = frame[
        (frame["customer_id"] == "C00002")
        & frame["timestamp"].between("2024-11-05 00:00", "2024-11-05 05:00")
    ].assign(consumption_elec_kwh=99.0)
    batch = spoil(
        READINGS, lambda f: pd.concat([f, extra]).sort_values(["customer_id", "timestamp"])
    )
    result = land(batch.write(raw), settings).tables["consumption_hourly"]
    assert result.set_aside == {"timestamp: second row for the same hour": 6}
    assert result.taken == "partly as is"
    found = landed(settings.layout.lake, "consumption_hourly")
    assert not found.duplicated(["customer_id", "timestamp"]).any()
    assert (found["consumption_elec_kwh"] == 99.0).sum() == 6
    assert len(rejected(settings.layout.lake, "consumption_hourly")) == 6


def test_thirty_hour_day_of_hours_that_do_not_exist(raw, settings, tmp_path):
    frame = RawBatch()[READINGS].assign(timestamp=lambda f: f["timestamp"].astype(str))
    extra = frame.head(6).assign(timestamp=[f"2024-10-01 {hour}:00:00" for hour in range(25, 31)])
    (raw / READINGS).rename(tmp_path / "months")
    pd.concat([frame, extra]).to_csv(raw / f"{READINGS}.csv", index=False)
    result = land(raw, settings).tables["consumption_hourly"]
    assert result.set_aside == {"timestamp: not a timestamp": 6}
    assert (
        "2024-10-01 30:00:00"
        in rejected(settings.layout.lake, "consumption_hourly")["timestamp"].tolist()
    )


def test_hours_of_clock_changes(raw, settings):
    """02:00 comes twice on the last Sunday of October: both rows stay, and the file as it is."""
    frame = RawBatch()[READINGS]
    again = frame[frame["timestamp"] == "2024-10-27 02:00"].assign(consumption_elec_kwh=7.0)
    batch = spoil(
        READINGS,
        lambda f: pd.concat([f, again]).sort_values(["customer_id", "timestamp"], kind="stable"),
    )
    result = land(batch.write(raw), settings).tables["consumption_hourly"]
    assert (result.taken, result.set_aside) == ("as is", {})
    assert result.rows_landed == 13_248 + 6


def test_hour_that_clocks_leave_out(raw, settings):
    frame = readings("2024-03-01", "2024-03-31 23:00")
    batch = RawBatch()
    batch[READINGS] = frame[frame["timestamp"] != "2024-03-31 02:00"]
    result = land(batch.write(raw / "march"), settings).tables["consumption_hourly"]
    assert (result.taken, result.set_aside) == ("as is", {})


def test_three_rows_for_the_hour_that_comes_twice(raw, settings):
    frame = RawBatch()[READINGS]
    again = frame[frame["timestamp"] == "2024-10-27 02:00"]
    batch = spoil(
        READINGS, lambda f: pd.concat([f, again, again]).sort_values(["customer_id", "timestamp"])
    )
    result = land(batch.write(raw), settings).tables["consumption_hourly"]
    assert result.set_aside == {"timestamp: second row for the same hour": 6}
    assert result.rows_landed == 13_248 + 6


def test_negative_readings_stay(raw, settings):
    land(raw, settings)
    found = landed(settings.layout.lake, "consumption_hourly")["consumption_elec_kwh"]
    expected = RawBatch()[READINGS]["consumption_elec_kwh"]
    assert (found < 0).sum() == (expected < 0).sum() > 0


def test_rows_without_customer(raw, settings):
    batch = spoil(
        READINGS, lambda f: f.assign(customer_id=f["customer_id"].mask(f.index % 4000 == 9))
    )
    result = land(batch.write(raw), settings).tables["consumption_hourly"]
    assert result.set_aside == {"customer_id: missing": 4}
    assert result.taken == "as is"
    assert len(rejected(settings.layout.lake, "consumption_hourly")) == 4


def test_unsorted_readings_are_sorted(raw, settings):
    batch = spoil(READINGS, lambda frame: frame.sample(frac=1, random_state=1))
    result = land(batch.write(raw), settings).tables["consumption_hourly"]
    assert (result.taken, result.rows_landed) == ("rewritten", 13_248)
    found = landed(settings.layout.lake, "consumption_hourly")
    for _, month in found.groupby(found["timestamp"].dt.month):
        assert month[["customer_id", "timestamp"]].apply(tuple, axis=1).is_monotonic_increasing


def test_reading_in_the_wrong_month_goes_to_its_own(raw, settings):
    frame = RawBatch()[READINGS]
    october = frame[frame["timestamp"] < "2024-11-01"]
    stray = frame[frame["timestamp"] == "2024-11-01 00:00"]
    write_parquet(pd.concat([october, stray]), raw / READINGS / "month=2024-10" / "part-0.parquet")
    november = frame[frame["timestamp"].between("2024-11-01 01:00", "2024-11-30 23:00")]
    write_parquet(november, raw / READINGS / "month=2024-11" / "part-0.parquet")
    result = land(raw, settings).tables["consumption_hourly"]
    assert (result.taken, result.rows_landed, result.set_aside) == ("partly as is", 13_248, {})
    part = settings.layout.lake / "raw/consumption_hourly/month=2024-11/part-0.parquet"
    assert len(pd.read_parquet(part)) == 720 * len(CUSTOMERS)


def test_unknown_customer_ids_are_set_aside(raw, settings):
    batch = spoil(
        READINGS, lambda f: f.assign(customer_id=f["customer_id"].mask(f.index < 10, "ES-17"))
    )
    result = land(batch.write(raw), settings).tables["consumption_hourly"]
    assert result.set_aside == {"customer_id: not like C[0-9]{5,9}": 10}


def test_impossible_reading_is_set_aside(raw, settings):
    batch = RawBatch()
    batch[READINGS].loc[3, "consumption_elec_kwh"] = 2e5
    result = land(batch.write(raw), settings).tables["consumption_hourly"]
    assert result.set_aside == {"consumption_elec_kwh: above 100000": 1}
