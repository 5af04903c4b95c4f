"""Dirt in the hourly readings: clock changes, repeated hours, months that end early."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from python_ml.errors import BadInputError
from python_ml.land import land
from python_ml.settings import Settings
from tests.integration.raw_batch import (
    CUSTOMERS,
    READINGS,
    RawBatch,
    landed,
    readings,
    rejected,
    spoil,
    write_months,
    write_parquet,
)


def test_year_without_december(raw: Path, settings: Settings, tmp_path: Path) -> None:
    (raw / READINGS / "month=2024-12").rename(tmp_path / "december")
    result = land(raw, settings)
    assert (result.newest_month, str(result.as_of_date)) == ("2024-11", "2024-11-30")
    assert any("readings from 2024-10 to 2024-11 (2 months)" in text for text in result.warnings)


def test_newest_month_that_is_not_over(raw: Path, settings: Settings) -> None:
    batch = spoil(READINGS, lambda frame: frame[frame["timestamp"] < "2024-12-20"])
    result = land(batch.write(raw), settings)
    assert any("2024-12 ends at 2024-12-19 23:00:00" in text for text in result.warnings)


def test_thirty_hour_day_of_repeated_hours(raw: Path, settings: Settings) -> None:
    """Six hours of a day come twice with other readings: they are added up and counted."""
    frame = RawBatch()[READINGS]
    extra = frame[
        (frame["customer_id"] == "C00002")
        & frame["timestamp"].between("2024-11-05 00:00", "2024-11-05 05:00")
    ].assign(consumption_elec_kwh=99.0)
    batch = spoil(
        READINGS, lambda f: pd.concat([f, extra]).sort_values(["customer_id", "timestamp"])
    )
    landing = land(batch.write(raw), settings)
    result = landing.tables["consumption_hourly"]
    assert (result.set_aside, result.rows_added_up) == ({}, 6)
    assert (result.taken, result.rows_landed) == ("partly as is", 13_248)
    assert any("6 readings of 1 customers share an hour" in text for text in landing.warnings)
    found = landed(settings.layout.lake, "consumption_hourly")
    assert not found.duplicated(["customer_id", "timestamp"]).any()
    assert found["consumption_elec_kwh"].sum() == pytest.approx(
        frame["consumption_elec_kwh"].sum() + 6 * 99
    )


def test_rows_that_equal_another_in_everything_count_once(raw: Path, settings: Settings) -> None:
    frame = RawBatch()[READINGS]
    batch = spoil(READINGS, lambda f: pd.concat([f, f.iloc[5:11]]))
    result = land(batch.write(raw), settings).tables["consumption_hourly"]
    assert result.set_aside == {"timestamp: equal to another row in everything": 6}
    assert (result.rows_added_up, result.rows_landed) == (0, 13_248)
    assert len(rejected(settings.layout.lake, "consumption_hourly")) == 6
    found = landed(settings.layout.lake, "consumption_hourly")
    assert found["consumption_elec_kwh"].sum() == pytest.approx(frame["consumption_elec_kwh"].sum())


def quarters(frame: pd.DataFrame) -> pd.DataFrame:
    """Each reading in four quarter-hours of different sizes."""
    parts = [
        frame.assign(
            timestamp=frame["timestamp"] + pd.Timedelta(minutes=15 * number),
            consumption_elec_kwh=frame["consumption_elec_kwh"] * share,
            consumption_gas_m3=frame["consumption_gas_m3"] * share,
        )
        for number, share in enumerate((0.1, 0.2, 0.3, 0.4))
    ]
    return pd.concat(parts).sort_values(["customer_id", "timestamp"], kind="stable")


@pytest.mark.parametrize(
    ("form", "customers"),
    [
        *product(["parquet", "csv"], [CUSTOMERS, CUSTOMERS[:2]]),
        ("csv by end", CUSTOMERS),  # no file names the ends of intervals of two lengths
    ],
)
def test_quarter_hours_are_added_up(
    raw: Path, settings: Settings, form: str, customers: Any
) -> None:
    """Those of two customers had lost three quarters of their energy."""
    frame = RawBatch()[READINGS]
    short = frame["customer_id"].isin(customers)
    mixed = pd.concat([frame[~short], quarters(frame[short])])
    if form == "parquet":
        write_months(mixed, raw / READINGS)
    else:
        shutil.rmtree(raw / READINGS)
        times = mixed["timestamp"].dt.strftime("%Y-%m-%d %H:%M")
        if form == "csv by end":
            minutes = short.reindex(mixed.index).map({True: 15, False: 60})
            ends = mixed["timestamp"] + pd.to_timedelta(minutes, unit="m")
            midnight = ends.dt.strftime("%H:%M") == "00:00"
            times = ends.dt.strftime("%Y-%m-%d %H:%M").mask(
                midnight, (ends - pd.Timedelta(days=1)).dt.strftime("%Y-%m-%d 24:00")
            )
        mixed.assign(timestamp=times).to_csv(raw / f"{READINGS}.csv", index=False)
    landing = land(raw, settings)
    result = landing.tables["consumption_hourly"]
    assert (result.rows_landed, result.set_aside) == (13_248, {})
    assert result.rows_added_up == 3 * 13_248 * len(customers) // len(CUSTOMERS)
    assert any("were added up" in text for text in landing.warnings)
    found = landed(settings.layout.lake, "consumption_hourly")
    assert found["timestamp"].tolist()[:3] == frame["timestamp"].tolist()[:3]
    expected = frame.sort_values(["customer_id", "timestamp"])
    found = found.sort_values(["customer_id", "timestamp"])
    assert found["consumption_elec_kwh"].tolist() == pytest.approx(
        expected["consumption_elec_kwh"].tolist()
    )


def test_few_rows_off_the_hour_are_wrong(raw: Path, settings: Settings) -> None:
    batch = spoil(
        READINGS,
        lambda f: f.assign(
            timestamp=f["timestamp"].mask(f.index == 7, pd.Timestamp("2024-10-01 07:30"))
        ),
    )
    result = land(batch.write(raw), settings).tables["consumption_hourly"]
    assert result.set_aside == {"timestamp: not on the hour": 1}
    assert len(rejected(settings.layout.lake, "consumption_hourly")) == 1


def two_points(frame: pd.DataFrame) -> pd.DataFrame:
    shares = [
        frame.assign(consumption_elec_kwh=frame["consumption_elec_kwh"] * s) for s in (0.3, 0.7)
    ]
    return pd.concat(shares).sort_values(["customer_id", "timestamp"], kind="stable")


def test_two_supply_points_are_added_up(raw: Path, settings: Settings) -> None:
    """The larger one alone had been kept."""
    frame = RawBatch()[READINGS]
    batch = spoil(READINGS, two_points)
    result = land(batch.write(raw), settings).tables["consumption_hourly"]
    assert result.rows_landed == 13_248
    found = landed(settings.layout.lake, "consumption_hourly")
    assert found["consumption_elec_kwh"].sum() == pytest.approx(frame["consumption_elec_kwh"].sum())


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_labels_that_name_the_end_of_the_hour(raw: Path, settings: Settings, form: str) -> None:
    """Every day has 24:00 and never 00:00: everything had landed an hour late."""
    frame = RawBatch()[READINGS]
    ends = frame["timestamp"] + pd.Timedelta(hours=1)
    shutil.rmtree(raw / READINGS)
    if form == "parquet":  # midnight is of the next day: the values alone do not say what they name
        write_months(frame.assign(timestamp=ends), raw / READINGS)
        with pytest.raises(BadInputError, match="seem to name the ends of the hours"):
            land(raw, settings)
        return
    labels = frame["timestamp"].dt.strftime("%d/%m/%Y ") + (
        (frame["timestamp"].dt.hour + 1).map("{:02d}:00".format)
    )
    frame.assign(timestamp=labels).to_csv(raw / f"{READINGS}.csv", index=False)
    landing = land(raw, settings)
    found = landed(settings.layout.lake, "consumption_hourly")
    assert (found["timestamp"].min(), found["timestamp"].max()) == (
        pd.Timestamp("2024-10-01 00:00"),
        pd.Timestamp("2024-12-31 23:00"),
    )
    assert any("name the end of 60 minutes" in text for text in landing.warnings)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_whole_column_decides(raw: Path, settings: Settings, first: bool, threads: int) -> None:
    """A zone after 50,000 plain rows had moved hours, or not, by the number of threads."""
    frame = readings("2024-07-01", "2024-12-31 23:00", [f"C{n:05d}" for n in range(1, 14)])
    plain = frame["timestamp"].dt.strftime("%Y-%m-%d %H:%M")
    last = frame["customer_id"] == "C00013"
    zoned = (frame["timestamp"] - pd.Timedelta(hours=2)).dt.strftime("%Y-%m-%dT%H:%M:00Z")
    summer = frame["timestamp"] < "2024-10-27"
    text = frame.assign(timestamp=plain.mask(last & summer, zoned))
    text = text[~(last & ~summer)]
    assert len(text[~last]) > 50_000
    text = text.sort_values("customer_id", ascending=not first, kind="stable")
    shutil.rmtree(raw / READINGS)
    text.to_csv(raw / f"{READINGS}.csv", index=False)
    land(raw, settings.with_overrides({"threads": threads}))
    found = landed(settings.layout.lake, "consumption_hourly")
    found = found[found["customer_id"] == "C00013"]
    assert found["timestamp"].tolist() == frame.loc[last & summer, "timestamp"].tolist()


def test_thirty_hour_day_of_hours_that_do_not_exist(
    raw: Path, settings: Settings, tmp_path: Path
) -> None:
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


def test_hours_of_clock_changes(raw: Path, settings: Settings) -> None:
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


def test_hour_that_clocks_leave_out(raw: Path, settings: Settings) -> None:
    frame = readings("2024-03-01", "2024-03-31 23:00")
    batch = RawBatch()
    batch[READINGS] = frame[frame["timestamp"] != "2024-03-31 02:00"]
    result = land(batch.write(raw / "march"), settings).tables["consumption_hourly"]
    assert (result.taken, result.set_aside) == ("as is", {})


def test_three_rows_for_the_hour_that_comes_twice(raw: Path, settings: Settings) -> None:
    frame = RawBatch()[READINGS]
    again = frame[frame["timestamp"] == "2024-10-27 02:00"]
    batch = spoil(
        READINGS, lambda f: pd.concat([f, again, again]).sort_values(["customer_id", "timestamp"])
    )
    result = land(batch.write(raw), settings).tables["consumption_hourly"]
    assert result.set_aside == {"timestamp: equal to another row in everything": 6}
    assert result.rows_landed == 13_248 + 6


def test_negative_readings_stay(raw: Path, settings: Settings) -> None:
    land(raw, settings)
    found = landed(settings.layout.lake, "consumption_hourly")["consumption_elec_kwh"]
    expected = RawBatch()[READINGS]["consumption_elec_kwh"]
    assert (found < 0).sum() == (expected < 0).sum() > 0


def test_rows_without_customer(raw: Path, settings: Settings) -> None:
    batch = spoil(
        READINGS, lambda f: f.assign(customer_id=f["customer_id"].mask(f.index % 4000 == 9))
    )
    result = land(batch.write(raw), settings).tables["consumption_hourly"]
    assert result.set_aside == {"customer_id: missing": 4}
    assert result.taken == "as is"
    assert len(rejected(settings.layout.lake, "consumption_hourly")) == 4


def test_unsorted_readings_are_sorted(raw: Path, settings: Settings) -> None:
    batch = spoil(READINGS, lambda frame: frame.sample(frac=1, random_state=1))
    result = land(batch.write(raw), settings).tables["consumption_hourly"]
    assert (result.taken, result.rows_landed) == ("rewritten", 13_248)
    found = landed(settings.layout.lake, "consumption_hourly")
    for _, month in found.groupby(found["timestamp"].dt.month):
        assert month[["customer_id", "timestamp"]].apply(tuple, axis=1).is_monotonic_increasing


def test_reading_in_the_wrong_month_goes_to_its_own(raw: Path, settings: Settings) -> None:
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


def test_unknown_customer_ids_are_set_aside(raw: Path, settings: Settings) -> None:
    batch = spoil(
        READINGS, lambda f: f.assign(customer_id=f["customer_id"].mask(f.index < 10, "ES-17"))
    )
    result = land(batch.write(raw), settings).tables["consumption_hourly"]
    assert result.set_aside == {"customer_id: not like C[0-9]{5,9}": 10}


def test_impossible_reading_is_set_aside(raw: Path, settings: Settings) -> None:
    batch = RawBatch()
    batch[READINGS].loc[3, "consumption_elec_kwh"] = 2e5
    result = land(batch.write(raw), settings).tables["consumption_hourly"]
    assert result.set_aside == {"consumption_elec_kwh: above 100000": 1}
