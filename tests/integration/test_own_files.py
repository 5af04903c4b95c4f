"""Files of other names and columns land by a mapping as the standard ones do."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from python_ml.contracts.schema import load_source
from python_ml.errors import BadInputError
from python_ml.land import land
from python_ml.settings import Settings, load_settings
from tests.integration.raw_batch import READINGS, RawBatch, landed, write_json, write_months

MAPPING = """
customer_id: {pattern: "ES[0-9]{6}"}
defaults: {delimiter: ";"}
sources:
  churn_label:
    files: clientes.csv
    columns: {customer_id: cliente, churn: estado}
    yes: [baja]
    no: [activo]
    ignore: "*"
  customer_attributes:
    files: clientes.csv
    columns:
      customer_id: cliente
      contracted_power_kw: {column: potencia_w, unit: W}
      is_industrial: {value: false}
      province_code: {column: provincia, words: {Madrid: "28", Barcelona: "08", Navarra: NA}}
      is_high_competition_province: {absent: true}
      region: {absent: true}
      is_second_residence: segunda
      is_urban: urbano
    yes: [verdadero]
    no: [falso]
    ignore: "*"
  price_history:
    files: tarifas/*.csv
    thousands: "."
    dates: "%d/%m/%Y"
    nulls: ["#N/D"]
    columns:
      customer_id: cliente
      pricing_date: desde
      variable_price_tier1_eur_kwh: {column: p1, unit: EUR/MWh}
      variable_price_tier2_eur_kwh: {column: p2, unit: cent/kWh}
      variable_price_tier3_eur_kwh: p3
      elec_fixed_fee_eur_month: {sum: [fijo, impuestos], unit: EUR/year}
      elec_fixed_cost_eur_month: coste
      gas_variable_price_eur_m3: {absent: true}
      gas_fixed_revenue_eur_year: {absent: true}
      gas_fixed_cost_eur_year: {absent: true}
  customer_interactions: {absent: true}
  costs_by_province_month: {absent: true}
"""


def spanish(decimal: str) -> str:
    """1234.5 as 1.234,5."""
    whole, _, part = decimal.partition(".")
    return f"{int(whole):,}".replace(",", ".") + (f",{part}" if part else "")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The good batch in files of a company's own."""
    folder = tmp_path / "export"
    (folder / "tarifas").mkdir(parents=True)
    batch = RawBatch()
    for name in batch.frames:
        if name not in ("customer_interactions", "costs_by_province_month"):
            batch[name] = batch[name].assign(
                customer_id=batch[name]["customer_id"].str.replace("C", "ES0")
            )
    clients = batch["customer_attributes"].merge(batch["churn_label"])
    pd.DataFrame(
        {
            "cliente": clients["customer_id"],
            "estado": clients["churn"].map({1: "Baja", 0: "Activo"}),
            "potencia_w": clients["contracted_power_kw"] * 1000,
            "provincia": clients["province_code"].map(
                {"28": "Madrid", "08": "Barcelona", "NA": "Navarra"}
            ),
            "segunda": clients["is_second_residence"].map({1: "Verdadero", 0: "Falso"}),
            "urbano": clients["is_urban"],
            "notas": "x",
        }
    ).to_csv(folder / "clientes.csv", index=False, sep=";")
    prices = batch["price_history"]
    dates = pd.to_datetime(prices["pricing_date"]).dt.strftime("%d/%m/%Y")
    year = prices["elec_fixed_fee_eur_month"] * 12
    pd.DataFrame(
        {
            "cliente": prices["customer_id"],
            "desde": dates,
            "p1": [spanish(f"{p * 1000:.1f}") for p in prices["variable_price_tier1_eur_kwh"]],
            "p2": "12,0",
            "p3": "0,09",
            "fijo": [spanish(f"{fee * 100:.1f}") for fee in year],
            "impuestos": [spanish(f"{fee * 10:.1f}") for fee in year[:9]] + ["#N/D"] * 9,
            "coste": "4,25",
        }
    ).to_csv(folder / "tarifas" / "2024.csv", index=False, sep=";")
    batch["customer_contracts"].to_csv(folder / "customer_contracts.csv", index=False, sep=";")
    write_months(batch[READINGS], folder / READINGS)
    write_json(batch["customer_interactions"].head(0), folder / "unused.json")
    return folder


def home(tmp_path: Path, mapping: str = MAPPING) -> Settings:
    path = tmp_path / "mapping.yml"
    path.write_text(mapping, encoding="utf-8")
    return load_settings({"home": str(tmp_path / "home"), "land.mapping": str(path)}, environ={})


def test_own_files_land_as_the_standard_ones_do(tmp_path: Path, own: Path) -> None:
    settings = home(tmp_path)
    found = land(own, settings)
    standard = load_settings({"home": str(tmp_path / "standard")}, environ={})
    land(RawBatch().write(tmp_path / "raw"), standard)
    blanked = {
        "customer_attributes": ["is_high_competition_province", "region"],
        "price_history": [
            *("gas_variable_price_eur_m3", "gas_fixed_revenue_eur_year", "gas_fixed_cost_eur_year"),
        ],
    }
    for table in ("churn_label", "customer_attributes", "customer_contracts", "price_history"):
        here, there = (landed(it.layout.lake, table) for it in (settings, standard))
        there["customer_id"] = there["customer_id"].str.replace("C", "ES0")
        there = there.drop(columns=blanked.get(table, []))
        if table == "customer_attributes":
            there["is_industrial"] = False  # the value of all rows, as the mapping says
        if table == "price_history":  # two columns added up; a null of one is no null of both
            there["elec_fixed_fee_eur_month"] *= [110] * 9 + [100] * 9
        assert not here[blanked.get(table, [])].notna().any().any()
        pd.testing.assert_frame_equal(here.drop(columns=blanked.get(table, [])), there, rtol=1e-12)
    assert len(landed(settings.layout.lake, "consumption_hourly")) == 6 * 92 * 24
    assert found.tables["customer_interactions"].taken == "absent"
    assert found.absent == [
        "customer_interactions",
        "costs_by_province_month",
        "customer_attributes.is_high_competition_province",
        "customer_attributes.region",
        *(f"price_history.{name}" for name in blanked["price_history"]),
    ]


def test_what_is_absent_is_an_empty_table_of_the_types_of_the_schema(
    tmp_path: Path, own: Path
) -> None:
    settings = home(tmp_path)
    land(own, settings)
    for name in ("customer_interactions", "costs_by_province_month"):
        frame = landed(settings.layout.lake, name)
        assert len(frame) == 0
        assert tuple(frame.columns) == load_source("raw")[name].column_names


def test_a_changed_mapping_lands_the_same_files_anew(tmp_path: Path, own: Path) -> None:
    first = land(own, home(tmp_path))
    again = land(own, home(tmp_path, f"# other words\n{MAPPING}"))
    assert again.reused
    assert again.batch_id == first.batch_id
    changed = land(own, home(tmp_path, MAPPING.replace("unit: EUR/MWh", "unit: EUR/GWh")))
    assert not changed.reused
    assert changed.content_hash != first.content_hash


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("cliente, churn", "clientee, churn", "customer_id: the required column is missing"),
        ("files: clientes.csv", "files: clients.csv", "no file is named clients.csv"),
        (
            '    ignore: "*"\n  customer_attributes',
            "  customer_attributes",
            "column notas: the column",
        ),
        ("[fijo, impuestos]", "[fijo, tasas]", "column tasas: the mapping reads it"),
        ("ES[0-9]{6}", "ES[0-9]{7}", "customer_id: not like ES[0-9]{7}"),
        ("    yes: [baja]\n    no: [activo]\n", "", "churn: not a whole number"),
        ('    thousands: "."\n', "    decimal: .\n", "not a number"),
    ],
)
def test_what_a_mapping_gets_wrong_is_refused(
    tmp_path: Path, own: Path, old: str, new: str, said: str
) -> None:
    assert old in MAPPING
    settings = home(tmp_path, MAPPING.replace(old, new, 1))
    with pytest.raises(BadInputError) as caught:
        land(own, settings)
    assert said in str(caught.value)


def test_the_order_of_dates_is_what_the_mapping_says(tmp_path: Path, own: Path) -> None:
    assert '    dates: "%d/%m/%Y"\n' in MAPPING
    settings = home(tmp_path, MAPPING.replace('"%d/%m/%Y"', "month_first"))
    land(own, settings)  # 01/10/2024 is a date of January then, and nothing contradicts it
    dates = landed(settings.layout.lake, "price_history")["pricing_date"]
    assert {date.month for date in dates} == {1}
