"""What used to be read wrongly without a word: the smallest input of each kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from python_ml.errors import BadInputError
from python_ml.land import land
from python_ml.settings import Settings
from tests.integration.raw_batch import READINGS, RawBatch, landed, rejected, spoil

MANY = [f"C{number:05d}" for number in range(1, 401)]


def many_customers(interval: str = "D") -> RawBatch:
    """400 homes with a reading a day (or an hour) of October, the rest as in the small batch."""
    batch = RawBatch()
    for name in ("churn_label", "customer_attributes", "customer_contracts"):
        frame = pd.concat([batch[name]] * 67, ignore_index=True).head(len(MANY))
        batch[name] = frame.assign(customer_id=MANY)
    prices = batch["price_history"].head(1)
    batch["price_history"] = pd.concat([prices] * len(MANY), ignore_index=True).assign(
        customer_id=MANY
    )
    hours = pd.date_range("2024-10-01", "2024-10-31", freq=interval)
    batch[READINGS] = pd.DataFrame(
        {
            "customer_id": [customer for customer in MANY for _ in hours],
            "timestamp": list(hours) * len(MANY),
            "consumption_elec_kwh": 0.25,
            "consumption_gas_m3": 0.1,
        }
    )
    return batch


def refusal(batch: RawBatch, folder: Path, settings: Settings) -> str:
    with pytest.raises(BadInputError) as caught:
        land(batch.write(folder), settings)
    assert not settings.layout.lake.exists()
    return str(caught.value)


def test_days_in_the_place_of_hours(tmp_path: Path, settings: Settings) -> None:
    """The energy of a whole day counted as that of its first hour, off-peak, without a word."""
    told = land(many_customers("D").write(tmp_path / "days"), settings).warnings
    (note,) = (it for it in told if "every reading is of 00:00" in it)
    assert "state layout: daily" in note
    batch = many_customers("D")
    batch[READINGS].loc[17, "timestamp"] = pd.Timestamp("2024-10-18 13:00")
    other = settings.with_overrides({"home": f"{settings.home}-2"})
    assert not any("of 00:00" in it for it in land(batch.write(tmp_path / "one"), other).warnings)


# ---------------------------------------------------------------- one customer among many


@pytest.mark.parametrize("count", [1, 10])
def test_homes_in_watt_hours(tmp_path: Path, settings: Settings, count: int) -> None:
    """The mean of the file stays within its limits: the portfolio was five times too large."""
    batch = many_customers("h")
    frame = batch[READINGS]
    batch[READINGS] = frame.assign(
        consumption_elec_kwh=frame["consumption_elec_kwh"].where(
            ~frame["customer_id"].isin(MANY[:count]), 250.0
        )
    )
    message = refusal(batch, tmp_path / "raw", settings)
    assert f"{count} of 400 customers, for example C00001 (250.0 kWh an hour at 4.6 kW)" in message
    assert "land.maximum_load_home" in message
    accepted = settings.with_overrides({"land.maximum_implausible_share": 1.0})
    landing = land(tmp_path / "raw", accepted)
    assert "more energy than the contracted power can deliver" in landing.warnings[0]


@pytest.mark.parametrize("factor", [1000 / 5000, 0.001])
def test_prices_of_some_customers_in_another_unit(
    tmp_path: Path, settings: Settings, factor: float
) -> None:
    batch = many_customers()
    prices = batch["price_history"]
    column = "variable_price_tier1_eur_kwh"
    wrong = prices["customer_id"].isin(MANY[:8])
    batch["price_history"] = prices.assign(
        **{column: prices[column].mask(wrong, 4.9 if factor > 0.1 else 0.00015)}
    )
    message = refusal(batch, tmp_path / "raw", settings)
    assert "a price that is far from the cost of the same energy: 8 of 400 customers" in message


def test_customers_of_the_future_with_readings(tmp_path: Path, settings: Settings) -> None:
    batch = many_customers()
    column = "customer_first_activation_date"
    contracts = batch["customer_contracts"]
    batch["customer_contracts"] = contracts.assign(
        **{column: contracts[column].mask(contracts["customer_id"].isin(MANY[:8]), "2025-03-01")}
    )
    message = refusal(batch, tmp_path / "raw", settings)
    assert "first activated after their last reading: 8 of 400 customers" in message


def test_one_odd_customer_is_a_warning(tmp_path: Path, settings: Settings) -> None:
    batch = many_customers()
    contracts = batch["customer_contracts"]
    contracts.loc[7, "customer_first_activation_date"] = "2025-03-01"
    landing = land(batch.write(tmp_path / "raw"), settings)
    assert "1 of 400 customers, for example C00008 (2025-03-01, readings to" in landing.warnings[0]


def test_a_customer_in_a_province_without_costs_is_counted(raw: Path, settings: Settings) -> None:
    batch = spoil(
        "customer_attributes",
        lambda f: f.assign(province_code=f["province_code"].mask(f.index == 0, "52")),
    )
    landing = land(batch.write(raw), settings)
    assert any("1 customers in provinces without costs: 52" in it for it in landing.warnings)


# ---------------------------------------------------------------- labels


def labels(**changes: Any) -> RawBatch:
    """400 customers of whom 43 left; `changes` are of the 20 first of these."""
    batch = many_customers()
    churn = [int(number < 43) for number in range(len(MANY))]
    frame = batch["churn_label"].assign(churn=pd.Series(churn, dtype=object))
    for name, value in changes.items():
        frame.loc[:19, name] = value
    batch["churn_label"] = frame
    return batch


def test_leavers_in_words_that_nobody_declared(tmp_path: Path, settings: Settings) -> None:
    """20 of 43 leavers were lost, and the model learned from the rest."""
    message = refusal(labels(churn="Baja"), tmp_path / "raw", settings)
    assert "labels that are neither yes nor no: Baja (20 rows)" in message
    mapping = tmp_path / "mapping.yml"
    mapping.write_text("sources:\n  churn_label:\n    yes: [Baja]\n")
    land(tmp_path / "raw", settings.with_overrides({"land.mapping": str(mapping)}))
    assert landed(settings.layout.lake, "churn_label")["churn"].sum() == 43


def test_leavers_lost_for_another_reason(tmp_path: Path, settings: Settings) -> None:
    message = refusal(labels(customer_id="X-1"), tmp_path / "raw", settings)
    assert "20 of the 43 labels of customers who left would be set aside" in message


def test_an_accent_of_its_own(raw: Path, settings: Settings) -> None:
    batch = spoil(
        "customer_attributes",
        lambda f: f.assign(
            is_urban=["Si\u0301", "no", "S\u00ed", "no", "si", "s"],
            region=["A\u0301lava", "\u00c1lava", *f["region"][2:]],
        ),
    )
    land(batch.write(raw), settings)
    found = landed(settings.layout.lake, "customer_attributes")
    assert found["is_urban"].tolist() == [True, False, True, False, True, True]
    assert found["region"].tolist()[:2] == ["\u00c1lava", "\u00c1lava"]


# ---------------------------------------------------------------- dates and numbers


def test_columns_of_one_file_prove_the_order_for_each_other(raw: Path, settings: Settings) -> None:
    """Days 1 to 12 only, in one column; another one of the file tells."""
    batch = spoil(
        "customer_contracts",
        lambda f: f.assign(
            customer_first_activation_date=[f"{n:02d}/03/2019" for n in range(1, 7)],
            contract_start_date=[f"{n}/02/2024" for n in range(11, 17)],
            next_renewal_date=[f"{n:02d}/02/2025" for n in range(1, 7)],
            last_product_change_date=["2024-05-30", "", "", "2024-06-01", "", ""],
        ),
    )
    land(batch.write(raw), settings)
    found = landed(settings.layout.lake, "customer_contracts")
    assert str(found["customer_first_activation_date"].iloc[5]) == "2019-03-06"
    assert str(found["next_renewal_date"].iloc[5]) == "2025-02-06"


def test_one_date_against_all_others(tmp_path: Path, settings: Settings) -> None:
    """50 of 59 dates were another day, because one had 13 in second place."""
    batch = many_customers()
    days = [f"{1 + n % 12:02d}/0{1 + n % 9}/2025" for n in range(len(MANY))]
    days[9] = "05/13/2025"
    batch["customer_contracts"] = batch["customer_contracts"].assign(next_renewal_date=days)
    message = refusal(batch, tmp_path / "raw", settings)
    assert "column next_renewal_date: only 1 of 400 dates has a number above 12" in message
    mapping = tmp_path / "mapping.yml"
    mapping.write_text("sources: {customer_contracts: {dates: day_first}}\n")
    landing = land(tmp_path / "raw", settings.with_overrides({"land.mapping": str(mapping)}))
    aside = landing.tables["customer_contracts"].set_aside
    assert aside == {"next_renewal_date: not a date": 1}
    assert rejected(settings.layout.lake, "customer_contracts")["next_renewal_date"].tolist() == [
        "05/13/2025"
    ]


def test_a_number_that_is_thousands_or_decimals(
    raw: Path, settings: Settings, tmp_path: Path
) -> None:
    """`1,314` beside 733 was 1.314."""
    batch = spoil(
        "customer_attributes", lambda f: f.assign(contracted_power_kw=["1,314", *["7"] * 5])
    )
    message = refusal(batch, raw, settings)
    assert "column contracted_power_kw: a comma may separate thousands or decimals" in message
    mapping = tmp_path / "mapping.yml"
    for sign, value in ((".", 1314.0), (",", 1.314)):
        mapping.write_text(f"sources: {{customer_attributes: {{decimal: '{sign}'}}}}\n")
        stated = {"land.mapping": str(mapping), "land.maximum_implausible_share": 1.0}
        land(raw, settings.with_overrides(stated))
        found = landed(settings.layout.lake, "customer_attributes")["contracted_power_kw"]
        assert found.tolist()[0] == value
