"""Dirt that landing puts right or sets aside, as docs/landing.md says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from python_ml.land import land
from python_ml.settings import Settings
from tests.integration.raw_batch import (
    READINGS,
    RawBatch,
    day_first,
    landed,
    rejected,
    spoil,
    write_json,
    write_months,
    write_parquet,
)

# ---------------------------------------------------------------- text files


def test_semicolons_and_decimal_commas(raw: Path, settings: Settings) -> None:
    for name in ("price_history", "customer_attributes"):
        RawBatch()[name].to_csv(raw / f"{name}.csv", index=False, sep=";", decimal=",")
    land(raw, settings)
    found = landed(settings.layout.lake, "price_history")
    assert found["variable_price_tier1_eur_kwh"].tolist() == pytest.approx(
        RawBatch()["price_history"]["variable_price_tier1_eur_kwh"].tolist()
    )
    power = landed(settings.layout.lake, "customer_attributes")["contracted_power_kw"]
    assert power.tolist() == [4.6, 3.45, 5.75, 10.0, 4.6, 2.3]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_byte_order_mark_and_line_ends(raw: Path, settings: Settings, line_end: str) -> None:
    frame = RawBatch()["churn_label"]
    text = frame.to_csv(index=False, lineterminator=line_end)
    (raw / "churn_label.csv").write_bytes(text.encode("utf-8-sig"))
    land(raw, settings)
    assert landed(settings.layout.lake, "churn_label")["churn"].tolist() == frame["churn"].tolist()


def test_json_lines_where_an_array_is_usual(raw: Path, settings: Settings) -> None:
    write_json(RawBatch()["customer_interactions"], raw / "customer_interactions.json", lines=True)
    assert land(raw, settings).tables["customer_interactions"].rows_landed == 3


def test_malformed_lines_are_set_aside(raw: Path, settings: Settings) -> None:
    frame = RawBatch()["price_history"]
    text = frame.to_csv(index=False) + "C00001,2024-10-01\n" + ("1," * 40) + "\n"
    (raw / "price_history.csv").write_text(text)
    result = land(raw, settings).tables["price_history"]
    assert (result.rows_in, result.rows_landed) == (20, 18)
    assert result.set_aside == {"malformed line": 2}
    lines = rejected(settings.layout.lake, "price_history")["source_line"].tolist()
    assert "C00001,2024-10-01" in lines


def test_malformed_json_line_is_set_aside(raw: Path, settings: Settings) -> None:
    path = raw / "customer_interactions.json"
    frame = pd.concat([RawBatch()["customer_interactions"]] * 3)
    write_json(frame, path, lines=True)
    with path.open("a") as stream:
        stream.write('{"customer_id": "C00001", "da\n')
    result = land(raw, settings).tables["customer_interactions"]
    assert result.set_aside == {"malformed line": 1}
    assert result.rows_landed == 9


def test_long_export_names(raw: Path, settings: Settings) -> None:
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
    land(batch.write(raw), settings)
    labels = landed(settings.layout.lake, "churn_label")
    assert list(labels.columns) == ["customer_id", "churn", "label_date", "horizon_days"]
    assert labels["churn"].tolist() == [0, 1, 0, 0, 1, 0]
    attributes = landed(settings.layout.lake, "customer_attributes")
    assert attributes["is_industrial"].tolist() == [False, False, False, True, False, False]
    assert attributes["province_code"].tolist() == ["28", "08", "NA", "28", "08", "NA"]


# ---------------------------------------------------------------- values


def test_text_in_a_number_is_set_aside(raw: Path, settings: Settings) -> None:
    batch = RawBatch()
    prices = batch["price_history"].astype({"elec_fixed_fee_eur_month": object})
    prices.loc[4, "elec_fixed_fee_eur_month"] = "5.5 EUR"
    batch["price_history"] = prices
    result = land(batch.write(raw), settings).tables["price_history"]
    assert result.set_aside == {"elec_fixed_fee_eur_month: not a number": 1}
    row = rejected(settings.layout.lake, "price_history").iloc[0]
    assert (row["customer_id"], row["elec_fixed_fee_eur_month"]) == ("C00002", "5.5 EUR")
    assert any("1 of 18 rows were set aside" in text for text in land(raw, settings).warnings)


def test_nan_is_missing_and_infinite_is_wrong(raw: Path, settings: Settings) -> None:
    batch = RawBatch()
    prices = batch["price_history"]
    prices.loc[2, "gas_variable_price_eur_m3"] = np.nan
    prices.loc[3, "gas_variable_price_eur_m3"] = np.inf
    for name in ("csv", "parquet"):
        folder = batch.write(raw / name)
        if name == "parquet":
            (folder / "price_history.csv").unlink()
            write_parquet(prices, folder / "price_history.parquet")
        result = land(folder, settings).tables["price_history"]
        assert result.set_aside == {"gas_variable_price_eur_m3: infinite": 1}
        assert (
            landed(settings.layout.lake, "price_history")["gas_variable_price_eur_m3"].isna().sum()
            == 1
        )


def test_nan_and_infinite_readings(raw: Path, settings: Settings) -> None:
    batch = RawBatch()
    batch[READINGS].loc[5, "consumption_elec_kwh"] = np.nan
    batch[READINGS].loc[6, "consumption_elec_kwh"] = -np.inf
    batch[READINGS].loc[7, "consumption_gas_m3"] = np.inf
    write_months(batch[READINGS], raw / READINGS)
    # Arrow writes pandas' NaN as null; a NaN that is one must come out as null, too.
    _write_real_nan(raw / READINGS / "month=2024-10" / "part-0.parquet", batch[READINGS])
    result = land(raw, settings).tables["consumption_hourly"]
    assert result.set_aside == {
        "consumption_elec_kwh: infinite": 1,
        "consumption_gas_m3: infinite": 1,
    }
    assert result.taken == "partly as is"
    found = landed(settings.layout.lake, "consumption_hourly")
    assert len(found) == result.rows_landed == 13_248 - 2
    assert np.isfinite(found["consumption_elec_kwh"].dropna()).all()


@pytest.mark.parametrize(
    "spelling",
    [
        lambda dates: dates,
        lambda dates: [text.replace("-", "/") for text in dates],
        lambda dates: [text.replace("-", "") for text in dates],
        lambda dates: [f"{text}T00:00:00" for text in dates],
        day_first,
        lambda dates: [f"{d[5:7]}/{d[8:]}/{d[:4]}" for d in dates],
        lambda dates: [*dates[:3], *day_first(dates[3:5]), dates[5].replace("-", "")],
    ],
    ids=["iso", "slashes", "compact", "with time", "day first", "month first", "three formats"],
)
def test_spellings_of_dates(raw: Path, settings: Settings, spelling: Any) -> None:
    dates = RawBatch()["customer_contracts"]["next_renewal_date"].tolist()
    batch = spoil(
        "customer_contracts", lambda frame: frame.assign(next_renewal_date=spelling(dates))
    )
    land(batch.write(raw), settings)
    found = landed(settings.layout.lake, "customer_contracts")["next_renewal_date"]
    assert [str(value) for value in found] == dates


def test_duplicate_customer_rows_are_kept_and_counted(raw: Path, settings: Settings) -> None:
    batch = spoil("customer_contracts", lambda frame: pd.concat([frame, frame.head(2)]))
    result = land(batch.write(raw), settings)
    assert result.tables["customer_contracts"].duplicate_key_rows == 2
    assert len(landed(settings.layout.lake, "customer_contracts")) == 8
    assert any("2 rows repeat a key" in warning for warning in result.warnings)


def test_orphan_customers_are_told(raw: Path, settings: Settings) -> None:
    batch = spoil(
        "churn_label",
        lambda frame: pd.concat(
            [frame.iloc[1:], pd.DataFrame({"customer_id": ["C77777"], "churn": [0]})]
        ),
    )
    warnings = land(batch.write(raw), settings).warnings
    assert any("churn_label.csv: 1 customers are not in customer_attributes" in w for w in warnings)
    assert any(
        "churn_label.csv: 1 customers of customer_attributes.csv are not" in w for w in warnings
    )


@pytest.mark.parametrize(
    ("yes", "no"), [("true", "FALSE"), ("Yes", "no"), ("Sí", "no"), ("1", "0")]
)
def test_words_for_flags(raw: Path, settings: Settings, yes: str, no: str) -> None:
    batch = spoil("customer_attributes", lambda f: f.assign(is_urban=[yes, no, yes, no, yes, no]))
    land(batch.write(raw), settings)
    found = landed(settings.layout.lake, "customer_attributes")["is_urban"]
    assert found.tolist() == [True, False] * 3


def test_flag_that_is_none_is_set_aside(raw: Path, settings: Settings) -> None:
    batch = spoil("customer_attributes", lambda f: f.assign(is_urban=["maybe"] + ["1"] * 5))
    result = land(batch.write(raw), settings).tables["customer_attributes"]
    assert result.set_aside == {"is_urban: not a yes or no": 1}


def _write_real_nan(path: Path, frame: pd.DataFrame) -> None:
    part = frame[frame["timestamp"] < "2024-11-01"]
    columns = {
        "customer_id": pa.array(part["customer_id"], pa.string()),
        "timestamp": pa.array(part["timestamp"], pa.timestamp("us")),
    }
    for name in ("consumption_elec_kwh", "consumption_gas_m3"):
        columns[name] = pa.array(part[name].to_numpy(), pa.float64(), from_pandas=False)
    pq.write_table(pa.table(columns), path)
