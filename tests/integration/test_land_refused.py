"""Raw files that break the contract: refused with words, the lake untouched."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from python_ml.errors import BadInputError
from python_ml.land import land
from python_ml.settings import Settings, load_settings
from tests.integration.raw_batch import (
    READINGS,
    RawBatch,
    day_first,
    spoil,
    tree_hash,
    write_parquet,
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home whose lake holds a good batch already."""
    folder = tmp_path_factory.mktemp("home")
    settings = load_settings({"home": str(folder)}, environ={})
    land(RawBatch().write(folder / "good"), settings)
    return settings


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


# ---------------------------------------------------------------- files


def test_missing_file(raw: Path, home: Settings) -> None:
    (raw / "price_history.csv").unlink()
    assert_mentions(refused(raw, home), "price_history: the file is missing", "Add it as CSV")


def test_missing_file_with_a_look_alike(raw: Path, home: Settings) -> None:
    (raw / "churn_label.csv").rename(raw / "churn_labels.csv")
    assert_mentions(refused(raw, home), "churn_labels.csv looks like it")


def test_missing_folder(tmp_path: Path, home: Settings) -> None:
    assert_mentions(refused(tmp_path / "nowhere", home), "nowhere: no such folder")


def test_empty_folder(tmp_path: Path, home: Settings) -> None:
    assert_mentions(refused(tmp_path, home), "holds no file")


def test_two_files_for_one_table(raw: Path, home: Settings) -> None:
    write_parquet(RawBatch()["churn_label"], raw / "churn_label.parquet")
    message = refused(raw, home)
    assert_mentions(message, "churn_label.csv and churn_label.parquet", "Keep one of them")


def test_empty_file(raw: Path, home: Settings) -> None:
    (raw / "churn_label.csv").write_bytes(b"")
    assert_mentions(refused(raw, home), "churn_label.csv: the file is empty (0 rows). Export")


def test_header_without_rows(raw: Path, home: Settings) -> None:
    (raw / "churn_label.csv").write_text("customer_id,churn\n")
    assert_mentions(refused(raw, home), "churn_label.csv: the file holds no rows (0 rows). Export")


def test_truncated_parquet(raw: Path, home: Settings) -> None:
    path = raw / READINGS / "month=2024-11" / "part-0.parquet"
    path.write_bytes(path.read_bytes()[:-5000])
    assert_mentions(refused(raw, home), READINGS, "unreadable or truncated", "Export or copy")


def test_corrupt_parquet_page(raw: Path, home: Settings) -> None:
    path = raw / READINGS / "month=2024-11" / "part-0.parquet"
    content = bytearray(path.read_bytes())
    content[4:104] = bytes(100)
    path.write_bytes(content)
    assert_mentions(refused(raw, home), READINGS, "unreadable or truncated")


def test_parquet_that_is_none(raw: Path, home: Settings) -> None:
    (raw / READINGS / "month=2024-11" / "part-0.parquet").write_text("customer_id,timestamp\n")
    assert_mentions(refused(raw, home), READINGS, "part-0.parquet is not a Parquet file")


@pytest.mark.parametrize("name", ["churn_label", READINGS])
def test_truncated_gzip(raw: Path, home: Settings, name: Any, tmp_path: Path) -> None:
    frame = RawBatch()[name]
    packed = gzip.compress(frame.to_csv(index=False).encode())
    for old in raw.glob(f"{name}*"):
        old.rename(tmp_path / f"old-{old.name}")
    (raw / f"{name}.csv.gz").write_bytes(packed[: len(packed) * 3 // 4])
    assert_mentions(refused(raw, home), f"{name}.csv.gz: the gzip file is truncated", "Copy it")


def test_excel_file_named_csv(raw: Path, home: Settings) -> None:
    (raw / "churn_label.csv").write_bytes(b"PK\x03\x04" + bytes(100))
    assert_mentions(refused(raw, home), "churn_label.csv: holds a ZIP or Excel file, not CSV")


def test_latin_1_file(raw: Path, home: Settings) -> None:
    text = RawBatch()["customer_attributes"].to_csv(index=False)
    (raw / "customer_attributes.csv").write_bytes(text.encode("latin-1"))
    message = refused(raw, home)
    assert_mentions(message, "customer_attributes.csv: the text is not UTF-8", "line 2", "iconv")
    assert "(6 rows)" in message


def test_truncated_json(raw: Path, home: Settings) -> None:
    path = raw / "customer_interactions.json"
    path.write_text(path.read_text(encoding="utf-8")[:-30], encoding="utf-8")
    assert_mentions(refused(raw, home), "customer_interactions.json: the file is unreadable")


def test_json_that_is_no_list_of_records(raw: Path, home: Settings) -> None:
    (raw / "customer_interactions.json").write_text('"nothing"')
    assert_mentions(refused(raw, home), "neither a JSON array of records nor JSON lines")


# ---------------------------------------------------------------- columns


def test_missing_column(raw: Path, home: Settings) -> None:
    batch = spoil("customer_contracts", lambda frame: frame.drop(columns="next_renewal_date"))
    message = refused(batch.write(raw), home)
    assert_mentions(message, "customer_contracts.csv, column next_renewal_date: the required")
    assert_mentions(message, "accepted: next_renewal_date, renewal_date")


def test_renamed_column(raw: Path, home: Settings) -> None:
    batch = spoil("churn_label", lambda frame: frame.rename(columns={"churn": "left_us"}))
    message = refused(batch.write(raw), home)
    assert_mentions(message, "column churn: the required column is missing")
    assert_mentions(message, "column left_us: the column is unknown", "sources.churn_label")


def test_unknown_column(raw: Path, home: Settings) -> None:
    batch = spoil("churn_label", lambda frame: frame.assign(mood="good"))
    assert_mentions(refused(batch.write(raw), home), "column mood: the column is unknown")


def test_two_columns_for_one(raw: Path, home: Settings) -> None:
    batch = spoil("customer_attributes", lambda frame: frame.assign(province="28"))
    message = refused(batch.write(raw), home)
    assert_mentions(message, "column province_code: province_code and province stand for one")


def test_no_header_line(raw: Path, home: Settings) -> None:
    RawBatch()["churn_label"].to_csv(raw / "churn_label.csv", index=False, header=False)
    assert_mentions(refused(raw, home), "churn_label.csv", "The first line looks like data")


def test_wrong_delimiter_that_nobody_uses(raw: Path, home: Settings) -> None:
    RawBatch()["churn_label"].to_csv(raw / "churn_label.csv", index=False, sep="^")
    message = refused(raw, home)
    assert_mentions(message, "column churn: the required column is missing", "customer_id^churn")


def test_parts_with_different_columns(raw: Path, home: Settings) -> None:
    path = raw / READINGS / "month=2024-11" / "part-0.parquet"
    write_parquet(pq.ParquetFile(path).read().to_pandas().drop(columns="consumption_gas_m3"), path)
    message = refused(raw, home)
    assert_mentions(
        message, "month=2024-11/part-0.parquet", "differ in the columns consumption_gas"
    )


# ---------------------------------------------------------------- values


def test_mostly_null_required_column(raw: Path, home: Settings) -> None:
    batch = spoil(
        "customer_contracts",
        lambda f: f.assign(next_renewal_date=["2025-02-11"] + [""] * 5),
    )
    message = refused(batch.write(raw), home)
    assert_mentions(message, "customer_contracts.csv, column next_renewal_date: 83% missing")
    assert_mentions(message, "at most 80% may be", "(5 rows)", "Export the column again")


def test_all_null_prices(raw: Path, home: Settings) -> None:
    batch = spoil("price_history", lambda frame: frame.assign(variable_price_tier1_eur_kwh=None))
    message = refused(batch.write(raw), home)
    assert_mentions(message, "price_history.csv, column variable_price_tier1_eur_kwh: 100% missing")


@pytest.mark.parametrize("second", [0, 1])
def test_duplicate_label(raw: Path, home: Settings, second: int) -> None:
    batch = spoil(
        "churn_label",
        lambda frame: pd.concat(
            [frame, pd.DataFrame({"customer_id": ["C00003"], "churn": [second]})]
        ),
    )
    message = refused(batch.write(raw), home)
    assert_mentions(message, "churn_label.csv, column customer_id: duplicate label")
    assert_mentions(message, "C00003", "(1 row)", "Keep one row for each customer_id")


def test_duplicate_costs(raw: Path, home: Settings) -> None:
    batch = spoil("costs_by_province_month", lambda frame: pd.concat([frame, frame.head(2)]))
    message = refused(batch.write(raw), home)
    assert_mentions(message, "column month, province: duplicate key", "2024-10 28", "(2 rows)")


def test_no_customer_in_common(raw: Path, home: Settings) -> None:
    batch = spoil("churn_label", lambda f: f.assign(customer_id=[f"C9000{i}" for i in range(6)]))
    message = refused(batch.write(raw), home)
    assert_mentions(
        message, "churn_label.csv and customer_attributes.csv", "no customer is in both"
    )
    assert_mentions(message, "(6 rows)", "same form of ids")


def test_no_province_in_common(raw: Path, home: Settings) -> None:
    batch = spoil("costs_by_province_month", lambda f: f.assign(province="P" + f["province"]))
    message = refused(batch.write(raw), home)
    assert_mentions(message, "no province is in both", "customers have 08, 28, NA")


def test_text_in_every_number(raw: Path, home: Settings) -> None:
    batch = spoil("price_history", lambda frame: frame.assign(elec_fixed_fee_eur_month="much"))
    message = refused(batch.write(raw), home)
    assert_mentions(message, "price_history.csv", "100% of the rows would be set aside")
    assert_mentions(message, "elec_fixed_fee_eur_month: not a number (18)", "at most 20%")


def test_dates_that_may_be_either_way(raw: Path, home: Settings) -> None:
    batch = spoil("price_history", lambda f: f.assign(pricing_date=day_first(f["pricing_date"])))
    message = refused(batch.write(raw), home)
    assert_mentions(message, "price_history.csv, column pricing_date: no date tells whether")
    assert_mentions(message, "(18 rows)", "YYYY-MM-DD")


def test_dates_both_ways_in_one_column(raw: Path, home: Settings) -> None:
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
def test_other_units(
    raw: Path, home: Settings, name: Any, column: str, factor: float, unit: str
) -> None:
    batch = spoil(name, lambda frame: frame.assign(**{column: frame[column] * factor}))
    message = refused(batch.write(raw), home)
    assert_mentions(message, f"column {column}: the mean is", f"convert it to {unit}")


def test_prices_in_eur_per_mwh(raw: Path, home: Settings) -> None:
    column = "variable_price_tier1_eur_kwh"
    batch = spoil("price_history", lambda frame: frame.assign(**{column: frame[column] * 1000}))
    assert_mentions(refused(batch.write(raw), home), f"{column}: above 5 (18)")


def test_month_missing_in_between(raw: Path, home: Settings, tmp_path: Path) -> None:
    (raw / READINGS / "month=2024-11").rename(tmp_path / "november")
    message = refused(raw, home)
    assert_mentions(message, READINGS, "no readings for 2024-11", "Add the months")


def test_readings_of_another_year(raw: Path, home: Settings) -> None:
    (raw / READINGS).rename(raw / "consumption_hourly_2023")
    message = refused(raw, home)
    assert_mentions(message, "timestamp: not in 2023, the year of the file (13,248)")


def test_every_problem_is_told_at_once(raw: Path, home: Settings) -> None:
    (raw / "customer_contracts.csv").unlink()
    (raw / "churn_label.csv").write_text("customer_id\nC00001\n")
    (raw / READINGS / "month=2024-12" / "part-0.parquet").write_bytes(b"PAR1")
    message = refused(raw, home)
    assert_mentions(message, "3 problems", "customer_contracts", "column churn", READINGS)


def test_refusal_leaves_no_lake_where_there_was_none(raw: Path, settings: Settings) -> None:
    (raw / "churn_label.csv").unlink()
    with pytest.raises(BadInputError):
        land(raw, settings)
    assert not settings.layout.lake.exists()


def test_snapshots_all_of_later_than_the_as_of_date(tmp_path: Path, home: Settings) -> None:
    """Nobody would be a customer on the last day of the newest month with readings."""
    batch = spoil("customer_contracts", lambda rows: rows.assign(snapshot_date="2025-01-05"))
    assert_mentions(
        refused(batch.write(tmp_path / "raw"), home),
        *("customer_contracts.csv", "snapshot_date", "2025-01-05", "2024-12-31", "6 rows"),
    )
