"""Bad input of many kinds: handled as docs/landing.md says, or refused with the lake untouched."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from raw_batch import (
    CUSTOMERS,
    READINGS,
    RawBatch,
    landed,
    readings,
    rejected,
    tree_hash,
    write_json,
    write_months,
    write_parquet,
)

from python_ml.config import Settings, load_settings
from python_ml.errors import BadInputError
from python_ml.land import land


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Settings:
    """A home whose lake holds a good batch already."""
    folder = tmp_path_factory.mktemp("home")
    settings = load_settings({"home": str(folder)}, environ={})
    land(RawBatch().write(folder / "good"), settings)
    return settings


@pytest.fixture
def raw(tmp_path) -> Path:
    return RawBatch().write(tmp_path / "raw")


@pytest.fixture
def fresh(tmp_path) -> Settings:
    return load_settings({"home": str(tmp_path / "home")}, environ={})


def refused(raw: Path | str, home: Settings) -> str:
    """The message of the refusal, once it is known that the lake is as before, byte by byte."""
    before = tree_hash(home.layout.lake)
    with pytest.raises(BadInputError) as caught:
        land(raw, home)
    assert caught.value.exit_code == 3
    assert tree_hash(home.layout.lake) == before
    return str(caught.value)


def assert_mentions(message: str, *parts: str) -> None:
    for part in parts:
        assert part in message, message


def spoil(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> RawBatch:
    batch = RawBatch()
    batch[name] = change(batch[name].copy())
    return batch


# ---------------------------------------------------------------- refused: files


def test_missing_file(raw, home):
    (raw / "price_history.csv").unlink()
    assert_mentions(refused(raw, home), "price_history: the file is missing", "Add it as CSV")


def test_missing_file_with_a_look_alike(raw, home):
    (raw / "churn_label.csv").rename(raw / "churn_labels.csv")
    assert_mentions(refused(raw, home), "churn_labels.csv looks like it")


def test_missing_folder(tmp_path, home):
    assert_mentions(refused(tmp_path / "nowhere", home), "nowhere: no such folder")


def test_empty_folder(tmp_path, home):
    assert_mentions(refused(tmp_path, home), "holds no file")


def test_two_files_for_one_table(raw, home):
    write_parquet(RawBatch()["churn_label"], raw / "churn_label.parquet")
    message = refused(raw, home)
    assert_mentions(message, "churn_label.csv and churn_label.parquet", "Keep one of them")


def test_unknown_format(raw, home):
    (raw / "churn_label.csv").rename(raw / "churn_label")
    assert_mentions(refused(raw, home), "churn_label: its format is unknown", "CSV.gz")


def test_empty_file(raw, home):
    (raw / "churn_label.csv").write_bytes(b"")
    assert_mentions(refused(raw, home), "churn_label.csv: the file is empty (0 rows). Export")


def test_header_without_rows(raw, home):
    (raw / "churn_label.csv").write_text("customer_id,churn\n")
    assert_mentions(refused(raw, home), "churn_label.csv: the file holds no rows (0 rows). Export")


def test_truncated_parquet(raw, home):
    path = raw / READINGS / "month=2024-11" / "part-0.parquet"
    path.write_bytes(path.read_bytes()[:-5000])
    assert_mentions(refused(raw, home), READINGS, "unreadable or truncated", "Export or copy")


def test_corrupt_parquet_page(raw, home):
    path = raw / READINGS / "month=2024-11" / "part-0.parquet"
    content = bytearray(path.read_bytes())
    content[4:104] = bytes(100)
    path.write_bytes(content)
    assert_mentions(refused(raw, home), READINGS, "unreadable or truncated")


def test_parquet_that_is_none(raw, home):
    (raw / READINGS / "month=2024-11" / "part-0.parquet").write_text("customer_id,timestamp\n")
    assert_mentions(refused(raw, home), READINGS, "part-0.parquet is not a Parquet file")


@pytest.mark.parametrize("name", ["churn_label", READINGS])
def test_truncated_gzip(raw, home, name, tmp_path):
    frame = RawBatch()[name]
    packed = gzip.compress(frame.to_csv(index=False).encode())
    for old in raw.glob(f"{name}*"):
        old.rename(tmp_path / f"old-{old.name}")
    (raw / f"{name}.csv.gz").write_bytes(packed[: len(packed) * 3 // 4])
    assert_mentions(refused(raw, home), f"{name}.csv.gz: the gzip file is truncated", "Copy it")


def test_excel_file_named_csv(raw, home):
    (raw / "churn_label.csv").write_bytes(b"PK\x03\x04" + bytes(100))
    assert_mentions(refused(raw, home), "churn_label.csv: holds a ZIP or Excel file, not CSV")


def test_latin_1_file(raw, home):
    text = RawBatch()["customer_attributes"].to_csv(index=False)
    (raw / "customer_attributes.csv").write_bytes(text.encode("latin-1"))
    message = refused(raw, home)
    assert_mentions(message, "customer_attributes.csv: the text is not UTF-8", "line 2", "iconv")
    assert "(6 rows)" in message


def test_utf_16_file(raw, home):
    text = RawBatch()["churn_label"].to_csv(index=False)
    (raw / "churn_label.csv").write_bytes(text.encode("utf-16"))
    assert_mentions(refused(raw, home), "churn_label.csv: the text is UTF-16", "iconv")


def test_truncated_json(raw, home):
    path = raw / "customer_interactions.json"
    path.write_text(path.read_text(encoding="utf-8")[:-30], encoding="utf-8")
    assert_mentions(refused(raw, home), "customer_interactions.json: the file is unreadable")


def test_json_that_is_no_list_of_records(raw, home):
    (raw / "customer_interactions.json").write_text('"nothing"')
    assert_mentions(refused(raw, home), "neither a JSON array of records nor JSON lines")


# ---------------------------------------------------------------- refused: columns


def test_missing_column(raw, home):
    batch = spoil("customer_contracts", lambda frame: frame.drop(columns="next_renewal_date"))
    message = refused(batch.write(raw), home)
    assert_mentions(message, "customer_contracts.csv, column next_renewal_date: the required")
    assert_mentions(message, "accepted: next_renewal_date, renewal_date")


def test_renamed_column(raw, home):
    batch = spoil("churn_label", lambda frame: frame.rename(columns={"churn": "left_us"}))
    message = refused(batch.write(raw), home)
    assert_mentions(message, "column churn: the required column is missing")
    assert_mentions(message, "column left_us: the column is unknown", "models/sources.yml")


def test_unknown_column(raw, home):
    batch = spoil("churn_label", lambda frame: frame.assign(mood="good"))
    assert_mentions(refused(batch.write(raw), home), "column mood: the column is unknown")


def test_two_columns_for_one(raw, home):
    batch = spoil("customer_attributes", lambda frame: frame.assign(province="28"))
    message = refused(batch.write(raw), home)
    assert_mentions(message, "column province_code: province_code and province stand for one")


def test_no_header_line(raw, home):
    RawBatch()["churn_label"].to_csv(raw / "churn_label.csv", index=False, header=False)
    assert_mentions(refused(raw, home), "churn_label.csv", "The first line looks like data")


def test_wrong_delimiter_that_nobody_uses(raw, home):
    RawBatch()["churn_label"].to_csv(raw / "churn_label.csv", index=False, sep="^")
    message = refused(raw, home)
    assert_mentions(message, "column churn: the required column is missing", "customer_id^churn")


def test_parts_with_different_columns(raw, home):
    path = raw / READINGS / "month=2024-11" / "part-0.parquet"
    write_parquet(pq.ParquetFile(path).read().to_pandas().drop(columns="consumption_gas_m3"), path)
    message = refused(raw, home)
    assert_mentions(
        message, "month=2024-11/part-0.parquet", "differ in the columns consumption_gas"
    )


# ---------------------------------------------------------------- refused: values


def test_mostly_null_required_column(raw, home):
    batch = spoil(
        "customer_contracts",
        lambda f: f.assign(next_renewal_date=["2025-02-11"] + [""] * 5),
    )
    message = refused(batch.write(raw), home)
    assert_mentions(message, "customer_contracts.csv, column next_renewal_date: 83% missing")
    assert_mentions(message, "at most 80% may be", "(5 rows)", "Export the column again")


def test_all_null_prices(raw, home):
    batch = spoil("price_history", lambda frame: frame.assign(variable_price_tier1_eur_kwh=None))
    message = refused(batch.write(raw), home)
    assert_mentions(message, "price_history.csv, column variable_price_tier1_eur_kwh: 100% missing")


@pytest.mark.parametrize("second", [0, 1])
def test_duplicate_label(raw, home, second):
    batch = spoil(
        "churn_label",
        lambda frame: pd.concat(
            [frame, pd.DataFrame({"customer_id": ["C00003"], "churn": [second]})]
        ),
    )
    message = refused(batch.write(raw), home)
    assert_mentions(message, "churn_label.csv, column customer_id: duplicate label")
    assert_mentions(message, "C00003", "(1 row)", "Keep one row for each customer_id")


def test_duplicate_costs(raw, home):
    batch = spoil("costs_by_province_month", lambda frame: pd.concat([frame, frame.head(2)]))
    message = refused(batch.write(raw), home)
    assert_mentions(message, "column month, province: duplicate key", "2024-10 28", "(2 rows)")


def test_no_customer_in_common(raw, home):
    batch = spoil("churn_label", lambda f: f.assign(customer_id=[f"C9000{i}" for i in range(6)]))
    message = refused(batch.write(raw), home)
    assert_mentions(
        message, "churn_label.csv and customer_attributes.csv", "no customer is in both"
    )
    assert_mentions(message, "(6 rows)", "same form of ids")


def test_no_province_in_common(raw, home):
    batch = spoil("costs_by_province_month", lambda f: f.assign(province="P" + f["province"]))
    message = refused(batch.write(raw), home)
    assert_mentions(message, "no province is in both", "customers have 08, 28, NA")


def test_text_in_every_number(raw, home):
    batch = spoil("price_history", lambda frame: frame.assign(elec_fixed_fee_eur_month="much"))
    message = refused(batch.write(raw), home)
    assert_mentions(message, "price_history.csv", "100% of the rows would be set aside")
    assert_mentions(message, "elec_fixed_fee_eur_month: not a number (18)", "at most 20%")


def test_dates_that_may_be_either_way(raw, home):
    batch = spoil("price_history", lambda f: f.assign(pricing_date=_day_first(f["pricing_date"])))
    message = refused(batch.write(raw), home)
    assert_mentions(message, "price_history.csv, column pricing_date: no date tells whether")
    assert_mentions(message, "(18 rows)", "YYYY-MM-DD")


def test_dates_both_ways_in_one_column(raw, home):
    dates = ["11/02/2025", "12/02/2025", "13/02/2025", "02/14/2025", "02/15/2025", "02/16/2025"]
    batch = spoil("customer_contracts", lambda frame: frame.assign(next_renewal_date=dates))
    message = refused(batch.write(raw), home)
    assert_mentions(message, "column next_renewal_date: dates with the day first (1)")
    assert_mentions(message, "with the month first (3) in one column")


@pytest.mark.parametrize(
    ("name", "column", "factor", "unit"),
    [
        ("customer_attributes", "contracted_power_kw", 1000, "kW"),
        (READINGS, "consumption_elec_kwh", 1000, "kWh"),
        (READINGS, "consumption_elec_kwh", 0.001, "kWh"),
    ],
)
def test_other_units(raw, home, name, column, factor, unit):
    batch = spoil(name, lambda frame: frame.assign(**{column: frame[column] * factor}))
    message = refused(batch.write(raw), home)
    assert_mentions(message, f"column {column}: the mean is", f"convert it to {unit}")


def test_prices_in_eur_per_mwh(raw, home):
    column = "variable_price_tier1_eur_kwh"
    batch = spoil("price_history", lambda frame: frame.assign(**{column: frame[column] * 1000}))
    assert_mentions(refused(batch.write(raw), home), f"{column}: above 5 (18)")


def test_quarter_hours(raw, home):
    batch = spoil(
        READINGS,
        lambda frame: frame.assign(
            timestamp=frame["timestamp"] + pd.to_timedelta(np.arange(len(frame)) % 4 * 15, unit="m")
        ),
    )
    assert_mentions(refused(batch.write(raw), home), "timestamp: not on the hour (9,936)")


def test_month_missing_in_between(raw, home, tmp_path):
    (raw / READINGS / "month=2024-11").rename(tmp_path / "november")
    message = refused(raw, home)
    assert_mentions(message, READINGS, "no readings for 2024-11", "Add the months")


def test_readings_of_another_year(raw, home):
    (raw / READINGS).rename(raw / "consumption_hourly_2023")
    message = refused(raw, home)
    assert_mentions(message, "timestamp: not in 2023, the year of the file (13,248)")


def test_every_problem_is_told_at_once(raw, home):
    (raw / "customer_contracts.csv").unlink()
    (raw / "churn_label.csv").write_text("customer_id\nC00001\n")
    (raw / READINGS / "month=2024-12" / "part-0.parquet").write_bytes(b"PAR1")
    message = refused(raw, home)
    assert_mentions(message, "3 problems", "customer_contracts", "column churn", READINGS)


def test_refusal_leaves_no_lake_where_there_was_none(raw, fresh):
    (raw / "churn_label.csv").unlink()
    with pytest.raises(BadInputError):
        land(raw, fresh)
    assert not fresh.layout.lake.exists()


# ---------------------------------------------------------------- handled: text files


def test_semicolons_and_decimal_commas(raw, fresh):
    for name in ("price_history", "customer_attributes"):
        RawBatch()[name].to_csv(raw / f"{name}.csv", index=False, sep=";", decimal=",")
    land(raw, fresh)
    found = landed(fresh.layout.lake, "price_history")
    assert found["variable_price_tier1_eur_kwh"].tolist() == pytest.approx(
        RawBatch()["price_history"]["variable_price_tier1_eur_kwh"].tolist()
    )
    power = landed(fresh.layout.lake, "customer_attributes")["contracted_power_kw"]
    assert power.tolist() == [4.6, 3.45, 5.75, 10.0, 4.6, 2.3]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_byte_order_mark_and_line_ends(raw, fresh, line_end):
    frame = RawBatch()["churn_label"]
    text = frame.to_csv(index=False, lineterminator=line_end)
    (raw / "churn_label.csv").write_bytes(text.encode("utf-8-sig"))
    land(raw, fresh)
    assert landed(fresh.layout.lake, "churn_label")["churn"].tolist() == frame["churn"].tolist()


def test_json_lines_where_an_array_is_usual(raw, fresh):
    write_json(RawBatch()["customer_interactions"], raw / "customer_interactions.json", lines=True)
    assert land(raw, fresh).tables["customer_interactions"].rows_landed == 3


def test_malformed_lines_are_set_aside(raw, fresh):
    frame = RawBatch()["price_history"]
    text = frame.to_csv(index=False) + "C00001,2024-10-01\n" + ("1," * 40) + "\n"
    (raw / "price_history.csv").write_text(text)
    result = land(raw, fresh).tables["price_history"]
    assert (result.rows_in, result.rows_landed) == (20, 18)
    assert result.set_aside == {"malformed line": 2}
    lines = rejected(fresh.layout.lake, "price_history")["source_line"].tolist()
    assert "C00001,2024-10-01" in lines


def test_malformed_json_line_is_set_aside(raw, fresh):
    path = raw / "customer_interactions.json"
    frame = pd.concat([RawBatch()["customer_interactions"]] * 3)
    write_json(frame, path, lines=True)
    with path.open("a") as stream:
        stream.write('{"customer_id": "C00001", "da\n')
    result = land(raw, fresh).tables["customer_interactions"]
    assert result.set_aside == {"malformed line": 1}
    assert result.rows_landed == 9


def test_long_export_names(raw, fresh):
    batch = RawBatch()
    batch["churn_label"] = (
        batch["churn_label"]
        .rename(columns={"churn": "churned_within_horizon"})
        .assign(label_date="2024-12-31", horizon_days=90)
    )
    batch["customer_attributes"] = batch["customer_attributes"].rename(
        columns={"province_code": "province", "is_industrial": "Customer Type"}
    )
    batch["customer_attributes"]["Customer Type"] = ["Residential"] * 3 + ["SME"] + ["hogar"] * 2
    land(batch.write(raw), fresh)
    labels = landed(fresh.layout.lake, "churn_label")
    assert list(labels.columns) == ["customer_id", "churn", "label_date", "horizon_days"]
    assert labels["churn"].tolist() == [0, 1, 0, 0, 1, 0]
    attributes = landed(fresh.layout.lake, "customer_attributes")
    assert attributes["is_industrial"].tolist() == [False, False, False, True, False, False]
    assert attributes["province_code"].tolist() == ["28", "08", "NA", "28", "08", "NA"]


# ---------------------------------------------------------------- handled: values


def test_text_in_a_number_is_set_aside(raw, fresh):
    batch = RawBatch()
    prices = batch["price_history"].astype({"elec_fixed_fee_eur_month": object})
    prices.loc[4, "elec_fixed_fee_eur_month"] = "5.5 EUR"
    batch["price_history"] = prices
    result = land(batch.write(raw), fresh).tables["price_history"]
    assert result.set_aside == {"elec_fixed_fee_eur_month: not a number": 1}
    row = rejected(fresh.layout.lake, "price_history").iloc[0]
    assert (row["customer_id"], row["elec_fixed_fee_eur_month"]) == ("C00002", "5.5 EUR")
    assert any("1 of 18 rows were set aside" in text for text in land(raw, fresh).warnings)


def test_nan_is_missing_and_infinite_is_wrong(raw, fresh):
    batch = RawBatch()
    prices = batch["price_history"]
    prices.loc[2, "gas_variable_price_eur_m3"] = np.nan
    prices.loc[3, "gas_variable_price_eur_m3"] = np.inf
    for name in ("csv", "parquet"):
        folder = batch.write(raw / name)
        if name == "parquet":
            (folder / "price_history.csv").unlink()
            write_parquet(prices, folder / "price_history.parquet")
        result = land(folder, fresh).tables["price_history"]
        assert result.set_aside == {"gas_variable_price_eur_m3: infinite": 1}
        assert (
            landed(fresh.layout.lake, "price_history")["gas_variable_price_eur_m3"].isna().sum()
            == 1
        )


def test_nan_and_infinite_readings(raw, fresh):
    batch = RawBatch()
    batch[READINGS].loc[5, "consumption_elec_kwh"] = np.nan
    batch[READINGS].loc[6, "consumption_elec_kwh"] = -np.inf
    batch[READINGS].loc[7, "consumption_gas_m3"] = np.inf
    write_months(batch[READINGS], raw / READINGS)
    # Arrow writes pandas' NaN as null; a NaN that is one must come out as null, too.
    _write_real_nan(raw / READINGS / "month=2024-10" / "part-0.parquet", batch[READINGS])
    result = land(raw, fresh).tables["consumption_hourly"]
    assert result.set_aside == {
        "consumption_elec_kwh: infinite": 1,
        "consumption_gas_m3: infinite": 1,
    }
    assert result.taken == "partly as is"
    found = landed(fresh.layout.lake, "consumption_hourly")
    assert len(found) == result.rows_landed == 13_248 - 2
    assert np.isfinite(found["consumption_elec_kwh"].dropna()).all()


@pytest.mark.parametrize(
    "spelling",
    [
        lambda dates: dates,
        lambda dates: [text.replace("-", "/") for text in dates],
        lambda dates: [text.replace("-", "") for text in dates],
        lambda dates: [f"{text}T00:00:00" for text in dates],
        lambda dates: _day_first(dates),  # noqa: PLW0108 (defined below)
        lambda dates: [f"{d[5:7]}/{d[8:]}/{d[:4]}" for d in dates],
        lambda dates: [*dates[:3], *_day_first(dates[3:5]), dates[5].replace("-", "")],
    ],
    ids=["iso", "slashes", "compact", "with time", "day first", "month first", "three formats"],
)
def test_spellings_of_dates(raw, fresh, spelling):
    dates = RawBatch()["customer_contracts"]["next_renewal_date"].tolist()
    batch = spoil(
        "customer_contracts", lambda frame: frame.assign(next_renewal_date=spelling(dates))
    )
    land(batch.write(raw), fresh)
    found = landed(fresh.layout.lake, "customer_contracts")["next_renewal_date"]
    assert [str(value) for value in found] == dates


def test_duplicate_customer_rows_are_kept_and_counted(raw, fresh):
    batch = spoil("customer_contracts", lambda frame: pd.concat([frame, frame.head(2)]))
    result = land(batch.write(raw), fresh)
    assert result.tables["customer_contracts"].duplicate_key_rows == 2
    assert len(landed(fresh.layout.lake, "customer_contracts")) == 8
    assert any("2 rows repeat a key" in warning for warning in result.warnings)


def test_orphan_customers_are_told(raw, fresh):
    batch = spoil(
        "churn_label",
        lambda frame: pd.concat(
            [frame.iloc[1:], pd.DataFrame({"customer_id": ["C77777"], "churn": [0]})]
        ),
    )
    warnings = land(batch.write(raw), fresh).warnings
    assert any("churn_label.csv: 1 customers are not in customer_attributes" in w for w in warnings)
    assert any(
        "churn_label.csv: 1 customers of customer_attributes.csv are not" in w for w in warnings
    )


@pytest.mark.parametrize(
    ("yes", "no"), [("true", "FALSE"), ("Yes", "no"), ("Sí", "no"), ("1", "0")]
)
def test_words_for_flags(raw, fresh, yes, no):
    batch = spoil("customer_attributes", lambda f: f.assign(is_urban=[yes, no, yes, no, yes, no]))
    land(batch.write(raw), fresh)
    found = landed(fresh.layout.lake, "customer_attributes")["is_urban"]
    assert found.tolist() == [True, False] * 3


def test_flag_that_is_none_is_set_aside(raw, fresh):
    batch = spoil("customer_attributes", lambda f: f.assign(is_urban=["maybe"] + ["1"] * 5))
    result = land(batch.write(raw), fresh).tables["customer_attributes"]
    assert result.set_aside == {"is_urban: not a yes or no": 1}


# ---------------------------------------------------------------- handled: hours


def test_year_without_december(raw, fresh, tmp_path):
    (raw / READINGS / "month=2024-12").rename(tmp_path / "december")
    result = land(raw, fresh)
    assert (result.newest_month, str(result.as_of_date)) == ("2024-11", "2024-11-30")
    assert any("readings from 2024-10 to 2024-11 (2 months)" in text for text in result.warnings)


def test_newest_month_that_is_not_over(raw, fresh):
    batch = spoil(READINGS, lambda frame: frame[frame["timestamp"] < "2024-12-20"])
    result = land(batch.write(raw), fresh)
    assert any("2024-12 ends at 2024-12-19 23:00:00" in text for text in result.warnings)


def test_thirty_hour_day_of_repeated_hours(raw, fresh):
    """Six hours of a day come twice: the larger reading of each stays."""
    frame = RawBatch()[READINGS]
    extra = frame[
        (frame["customer_id"] == "C00002")
        & frame["timestamp"].between("2024-11-05 00:00", "2024-11-05 05:00")
    ].assign(consumption_elec_kwh=99.0)
    batch = spoil(
        READINGS, lambda f: pd.concat([f, extra]).sort_values(["customer_id", "timestamp"])
    )
    result = land(batch.write(raw), fresh).tables["consumption_hourly"]
    assert result.set_aside == {"timestamp: second row for the same hour": 6}
    assert result.taken == "partly as is"
    found = landed(fresh.layout.lake, "consumption_hourly")
    assert not found.duplicated(["customer_id", "timestamp"]).any()
    assert (found["consumption_elec_kwh"] == 99.0).sum() == 6
    assert len(rejected(fresh.layout.lake, "consumption_hourly")) == 6


def test_thirty_hour_day_of_hours_that_do_not_exist(raw, fresh, tmp_path):
    frame = RawBatch()[READINGS].assign(timestamp=lambda f: f["timestamp"].astype(str))
    extra = frame.head(6).assign(timestamp=[f"2024-10-01 {hour}:00:00" for hour in range(25, 31)])
    (raw / READINGS).rename(tmp_path / "months")
    pd.concat([frame, extra]).to_csv(raw / f"{READINGS}.csv", index=False)
    result = land(raw, fresh).tables["consumption_hourly"]
    assert result.set_aside == {"timestamp: not a timestamp": 6}
    assert (
        "2024-10-01 30:00:00"
        in rejected(fresh.layout.lake, "consumption_hourly")["timestamp"].tolist()
    )


def test_hours_of_clock_changes(raw, fresh):
    """02:00 comes twice on the last Sunday of October: both rows stay, and the file as it is."""
    frame = RawBatch()[READINGS]
    again = frame[frame["timestamp"] == "2024-10-27 02:00"].assign(consumption_elec_kwh=7.0)
    batch = spoil(
        READINGS,
        lambda f: pd.concat([f, again]).sort_values(["customer_id", "timestamp"], kind="stable"),
    )
    result = land(batch.write(raw), fresh).tables["consumption_hourly"]
    assert (result.taken, result.set_aside) == ("as is", {})
    assert result.rows_landed == 13_248 + 6


def test_hour_that_clocks_leave_out(raw, fresh):
    frame = readings("2024-03-01", "2024-03-31 23:00")
    batch = RawBatch()
    batch[READINGS] = frame[frame["timestamp"] != "2024-03-31 02:00"]
    result = land(batch.write(raw / "march"), fresh).tables["consumption_hourly"]
    assert (result.taken, result.set_aside) == ("as is", {})


def test_three_rows_for_the_hour_that_comes_twice(raw, fresh):
    frame = RawBatch()[READINGS]
    again = frame[frame["timestamp"] == "2024-10-27 02:00"]
    batch = spoil(
        READINGS, lambda f: pd.concat([f, again, again]).sort_values(["customer_id", "timestamp"])
    )
    result = land(batch.write(raw), fresh).tables["consumption_hourly"]
    assert result.set_aside == {"timestamp: second row for the same hour": 6}
    assert result.rows_landed == 13_248 + 6


def test_negative_readings_stay(raw, fresh):
    land(raw, fresh)
    found = landed(fresh.layout.lake, "consumption_hourly")["consumption_elec_kwh"]
    expected = RawBatch()[READINGS]["consumption_elec_kwh"]
    assert (found < 0).sum() == (expected < 0).sum() > 0


def test_rows_without_customer(raw, fresh):
    batch = spoil(
        READINGS, lambda f: f.assign(customer_id=f["customer_id"].mask(f.index % 4000 == 9))
    )
    result = land(batch.write(raw), fresh).tables["consumption_hourly"]
    assert result.set_aside == {"customer_id: missing": 4}
    assert result.taken == "as is"
    assert len(rejected(fresh.layout.lake, "consumption_hourly")) == 4


def test_unsorted_readings_are_sorted(raw, fresh):
    batch = spoil(READINGS, lambda frame: frame.sample(frac=1, random_state=1))
    result = land(batch.write(raw), fresh).tables["consumption_hourly"]
    assert (result.taken, result.rows_landed) == ("rewritten", 13_248)
    found = landed(fresh.layout.lake, "consumption_hourly")
    for _, month in found.groupby(found["timestamp"].dt.month):
        assert month[["customer_id", "timestamp"]].apply(tuple, axis=1).is_monotonic_increasing


def test_reading_in_the_wrong_month_goes_to_its_own(raw, fresh):
    frame = RawBatch()[READINGS]
    october = frame[frame["timestamp"] < "2024-11-01"]
    stray = frame[frame["timestamp"] == "2024-11-01 00:00"]
    write_parquet(pd.concat([october, stray]), raw / READINGS / "month=2024-10" / "part-0.parquet")
    november = frame[frame["timestamp"].between("2024-11-01 01:00", "2024-11-30 23:00")]
    write_parquet(november, raw / READINGS / "month=2024-11" / "part-0.parquet")
    result = land(raw, fresh).tables["consumption_hourly"]
    assert (result.taken, result.rows_landed, result.set_aside) == ("partly as is", 13_248, {})
    part = fresh.layout.lake / "raw/consumption_hourly/month=2024-11/part-0.parquet"
    assert len(pd.read_parquet(part)) == 720 * len(CUSTOMERS)


def test_unknown_customer_ids_are_set_aside(raw, fresh):
    batch = spoil(
        READINGS, lambda f: f.assign(customer_id=f["customer_id"].mask(f.index < 10, "ES-17"))
    )
    result = land(batch.write(raw), fresh).tables["consumption_hourly"]
    assert result.set_aside == {"customer_id: not like C[0-9]{5,9}": 10}


def test_impossible_reading_is_set_aside(raw, fresh):
    batch = RawBatch()
    batch[READINGS].loc[3, "consumption_elec_kwh"] = 2e5
    result = land(batch.write(raw), fresh).tables["consumption_hourly"]
    assert result.set_aside == {"consumption_elec_kwh: above 100000": 1}


def _nameless(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(customer_id=frame["customer_id"].mask(frame.index % 4000 == 9))


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(["customer_id", "timestamp"], kind="stable")


def _day_first(dates) -> list[str]:
    return [f"{text[8:]}/{text[5:7]}/{text[:4]}" for text in dates]


def _write_real_nan(path: Path, frame: pd.DataFrame) -> None:
    part = frame[frame["timestamp"] < "2024-11-01"]
    columns = {
        "customer_id": pa.array(part["customer_id"], pa.string()),
        "timestamp": pa.array(part["timestamp"], pa.timestamp("us")),
    }
    for name in ("consumption_elec_kwh", "consumption_gas_m3"):
        columns[name] = pa.array(part[name].to_numpy(), pa.float64(), from_pandas=False)
    pq.write_table(pa.table(columns), path)
