"""`spanishgas inspect` on any folder: a mapping with evidence and questions, which lands."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from python_ml.cli.main import cli
from python_ml.errors import BadInputError, UsageError
from python_ml.land import land
from python_ml.land.inspection import inspect_folder, write_mapping
from python_ml.land.mapping import read_mapping
from python_ml.land.propose import mapping_text, missing
from python_ml.settings import PROJECT_DIR, Settings, load_settings
from tests.integration.raw_batch import READINGS, RawBatch, day_first, landed, write_months

sys.path.insert(0, str(PROJECT_DIR))
from tests.powerco import write


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"home": str(tmp_path / "home")}, environ={})


def taken(found: Any, table: str) -> dict[str, str]:
    """Our column: theirs."""
    source = next(it for it in found.sources if it.name == table)
    return {column.ours: column.theirs for column in source.columns}


def spanish(folder: Path) -> Path:
    """The good batch as a Spanish company would export it, in two dialects."""
    batch = RawBatch()
    folder.mkdir()
    contracts = batch["customer_contracts"]
    clients = batch["customer_attributes"].merge(contracts).merge(batch["churn_label"])
    pd.DataFrame(
        {
            "Cliente": clients["customer_id"],
            "Potencia contratada": clients["contracted_power_kw"].astype(str).str.replace(".", ","),
            "Empresa": clients["is_industrial"].map({0: "No", 1: "Sí"}),
            "Segunda residencia": clients["is_second_residence"].map({0: "No", 1: "Sí"}),
            "Provincia": clients["province_code"],
            "Comunidad": "Canción",
            "Canal": clients["sales_channel"],
            "Fecha alta": day_first(clients["customer_first_activation_date"]),
            "Fecha inicio": day_first(clients["contract_start_date"]),
            "Fecha renovación": day_first(clients["next_renewal_date"]),
            "Baja": clients["churn"],
        }
    ).to_csv(folder / "maestro.csv", sep=";", index=False, encoding="cp1252")
    write_months(batch[READINGS], folder / READINGS)
    batch["costs_by_province_month"].to_csv(folder / "costs_by_province_month.csv", index=False)
    (folder / "notas.md").write_text("# no data")
    return folder


def test_standard_files_need_no_mapping(tmp_path: Path, settings: Settings) -> None:
    found = inspect_folder(str(RawBatch().write(tmp_path / "raw")), settings)
    assert not missing(found.sources)
    assert found.consequence == ""
    assert found.pattern is None
    assert all(source.is_standard for source in found.sources)
    assert all(c.confidence == 1 for source in found.sources for c in source.columns)
    write_mapping(found, str(tmp_path / "mapping.yml"))
    assert land(
        tmp_path / "raw", settings.with_overrides({"land.mapping": str(tmp_path / "mapping.yml")})
    )


def test_a_spanish_export_is_taken_for_what_it_is_and_lands(
    tmp_path: Path, settings: Settings
) -> None:
    raw = spanish(tmp_path / "raw")
    found = inspect_folder(str(raw), settings)
    assert taken(found, "customer_attributes") == {
        "customer_id": "Cliente",
        "contracted_power_kw": "Potencia contratada",
        "is_industrial": "Empresa",
        "is_second_residence": "Segunda residencia",
        "province_code": "Provincia",
        "region": "Comunidad",
    }
    assert taken(found, "churn_label") == {"customer_id": "Cliente", "churn": "Baja"}
    assert taken(found, "customer_contracts")["next_renewal_date"] == "Fecha renovación"
    master = next(it for it in found.files if it.label == "maestro.csv")
    assert (master.encoding, master.delimiter, master.rows) == ("cp1252", ";", 6)
    text = mapping_text(found)
    assert "dates: day_first" in text
    assert "# ? No file was recognized as price_history." in text
    assert "price_history" in missing(found.sources)
    assert "elec_price_trend_12m" in found.consequence
    assert "mart_recommendation" in found.consequence
    assert "C00001" not in text, "identifiers stay out of mappings"
    path = tmp_path / "mapping.yml"
    write_mapping(found, str(path))
    result = land(raw, settings.with_overrides({"land.mapping": str(path)}))
    assert result.tables["customer_attributes"].rows_landed == 6
    assert set(landed(settings.layout.lake, "customer_attributes")["region"]) == {"Canción"}
    dates = landed(settings.layout.lake, "customer_contracts")["customer_first_activation_date"]
    assert sorted(str(date) for date in dates)[0] == "2019-03-10"


def test_the_powerco_shape_is_recognized_and_lands_by_the_proposal(
    tmp_path: Path, settings: Settings
) -> None:
    raw = write(tmp_path / "raw", firms=150)
    found = inspect_folder(str(raw), settings)
    assert found.pattern == "[0-9a-f]{32}"
    assert taken(found, "consumption_hourly")["consumption_elec_kwh"] == "cons_12m"
    assert taken(found, "price_history")["pricing_date"] == "price_date"
    assert taken(found, "customer_contracts")["next_renewal_date"] == "date_end"
    assert {"customer_interactions", "consumption_hourly.months"} <= set(missing(found.sources))
    assert "# ? cons_12m looks like a yearly sum. Is it of 2015?" in mapping_text(found)
    path = tmp_path / "mapping.yml"
    write_mapping(found, str(path))
    result = land(raw, settings.with_overrides({"land.mapping": str(path)}))
    assert str(result.as_of_date) == "2015-12-31"
    own = read_mapping(PROJECT_DIR / "examples/powerco/mapping.yml").source("price_history")
    told = taken(found, "price_history")["variable_price_tier3_eur_kwh"]
    assert own.columns["variable_price_tier3_eur_kwh"].column == told


@pytest.mark.parametrize(
    ("named", "pattern"), [("H{:02}", "H{hour:02}"), ("hora_{}", "hora_{hour}")]
)
def test_a_column_an_hour_is_recognized_and_lands_by_the_proposal(
    tmp_path: Path, settings: Settings, named: str, pattern: str
) -> None:
    raw = RawBatch().write(tmp_path / "raw")
    hours = pd.concat(pd.read_parquet(path) for path in sorted(raw.rglob("*.parquet")))
    for path in sorted(raw.glob(f"{READINGS}*")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    hours["day"] = hours["timestamp"].dt.strftime("%d/%m/%Y")
    hours["hour"] = hours["timestamp"].dt.hour + 1
    matrix = hours.pivot_table(
        index=["customer_id", "day"], columns="hour", values="consumption_elec_kwh"
    ).reindex(columns=range(1, 25), fill_value=0.0)
    matrix.columns = [named.format(number) for number in matrix.columns]
    matrix.fillna(0.0).reset_index().to_csv(raw / "curvas.csv", index=False)

    found = inspect_folder(str(raw), settings)

    source = next(it for it in found.sources if it.name == "consumption_hourly")
    assert source.readings == {"layout": "hour_matrix", "date": "day", "hour_columns": pattern}
    assert "a column an hour" in mapping_text(found)
    path = tmp_path / "mapping.yml"
    write_mapping(found, str(path))
    land(raw, settings.with_overrides({"land.mapping": str(path)}))
    energy = landed(settings.layout.lake, "consumption_hourly")["consumption_elec_kwh"].sum()
    assert energy == pytest.approx(hours["consumption_elec_kwh"].sum())


@pytest.mark.parametrize("name", ["datadis", "quarter_hours", "sips", "excel_es", "athena_unload"])
def test_readings_land_by_a_proposed_mapping_as_by_one_that_a_person_wrote(
    tmp_path: Path, settings: Settings, name: str
) -> None:
    folder = PROJECT_DIR / "examples" / name
    write_mapping(inspect_folder(str(folder), settings), str(tmp_path / "mapping.yml"))
    found: list[pd.DataFrame] = []
    for mapping in (folder / "mapping.yml", tmp_path / "mapping.yml"):
        own = {"home": str(tmp_path / f"home-{len(found)}"), "land.mapping": str(mapping)}
        land(folder, settings.with_overrides(own))
        found.append(landed(Path(own["home"]) / "lake", "consumption_hourly"))
    assert len(found[0]) > 48
    pd.testing.assert_frame_equal(found[1], found[0])


def test_prices_that_a_spanish_excel_saved_are_recognized(settings: Settings) -> None:
    """Among words for nothing (#N/D, 00/00/0000), accents, and points between thousands."""
    found = inspect_folder(str(PROJECT_DIR / "examples" / "excel_es"), settings)
    assert "price_history" not in missing(found.sources)
    (prices,) = [it for it in found.sources if it.name == "price_history"]
    assert prices.file is not None and prices.file.label == "Precios.csv"
    assert {it.ours: it.theirs for it in prices.columns} == {
        "customer_id": "Cliente",
        "pricing_date": "Desde",
        "variable_price_tier1_eur_kwh": "Punta",
        "variable_price_tier2_eur_kwh": "Llano",
        "variable_price_tier3_eur_kwh": "Valle",
        "elec_fixed_fee_eur_month": "Término fijo",
    }
    facts = {it.name: it for it in prices.file.columns}
    assert facts["Valle"].filled == 3, "#N/D is no value"
    assert (facts["Desde"].kind, facts["Desde"].filled) == ("date", 4)
    assert facts["Término fijo"].maximum == 1012.5


def test_days_without_hours_are_asked_about(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "raw").mkdir()
    rows = "cups,fecha,consumo_kwh\n" + "".join(
        f"ES0021000000000001JN,2024-10-{day:02},24\n" for day in range(1, 31)
    )
    (tmp_path / "raw" / "consumos.csv").write_text(rows)
    found = inspect_folder(str(tmp_path / "raw"), settings)
    source = next(it for it in found.sources if it.name == "consumption_hourly")
    assert source.readings == {"layout": "daily", "date": "fecha"}
    assert "# ? fecha has no hours. Is each row the energy of a day?" in mapping_text(found)


def test_a_column_that_is_needed_is_not_proposed_to_be_absent(
    tmp_path: Path, settings: Settings
) -> None:
    (tmp_path / "raw").mkdir()
    rows = "cups,consumo_kwh\nES0021000000000001JN,24\nES0021000000000002JS,25\n"
    (tmp_path / "raw" / "consumos.csv").write_text(rows)
    text = mapping_text(inspect_folder(str(tmp_path / "raw"), settings))
    assert "timestamp: {absent" not in text
    assert "# ? timestamp: no column was recognized as it, and it is needed." in text


def test_what_cannot_be_read_is_told_and_the_rest_is_inspected(
    tmp_path: Path, settings: Settings
) -> None:
    raw = RawBatch().write(tmp_path / "raw")
    (raw / "broken.parquet").write_bytes(b"PAR1 and no more")
    (raw / "price_history.csv").write_bytes(b"\x00\x01" * 100)
    found = inspect_folder(str(raw), settings)
    broken = {it.label for it in found.files if it.problem}
    assert "broken.parquet" in broken
    assert "price_history" in missing(found.sources)
    assert taken(found, "churn_label")


def test_a_mapping_that_is_there_is_kept(tmp_path: Path, settings: Settings) -> None:
    found = inspect_folder(str(RawBatch().write(tmp_path / "raw")), settings)
    (tmp_path / "mapping.yml").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        write_mapping(found, str(tmp_path / "mapping.yml"))
    assert (tmp_path / "mapping.yml").read_text() == "mine"
    with pytest.raises(BadInputError, match="holds no data"):
        (tmp_path / "empty").mkdir()
        (tmp_path / "empty" / "README.md").write_text("words")
        inspect_folder(str(tmp_path / "empty"), settings)


def test_the_command_prints_tables_or_one_document(tmp_path: Path) -> None:
    raw = spanish(tmp_path / "raw")
    home = ["--home", str(tmp_path / "home")]
    shown = CliRunner().invoke(cli, ["inspect", str(raw), *home])
    assert shown.exit_code == 0, shown.output
    assert "Potencia contratada" in shown.output
    assert "Missing" in shown.output
    assert not (tmp_path / "home").exists(), "nothing is landed"
    told = CliRunner().invoke(cli, ["inspect", str(raw), "--json", *home])
    document = json.loads(told.stdout)
    assert {source["name"] for source in document["sources"]} >= {"churn_label", "price_history"}
    assert "price_history" in document["missing"]
    column = next(it for it in document["sources"] if it["name"] == "churn_label")["columns"][1]
    assert column["theirs"] == "Baja"
    assert column["confidence"] >= 0.8
    assert column["evidence"]
    shutil.rmtree(raw)
