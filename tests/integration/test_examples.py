"""Every folder of examples/ lands by its own mapping, and its README names what it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from python_ml.land import land
from python_ml.settings import PROJECT_DIR, load_settings
from tests.integration.raw_batch import landed

EXAMPLES = PROJECT_DIR / "examples"
FOLDERS = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())
# Energy in kWh, hours and rejected rows, added up by hand from the files.
EXPECTED = {
    "powerco": (392_654, 12 * 12 * 48, 0),
    "datadis": (43.2, 96, 0),
    "quarter_hours": (15.808, 50, 0),
    "sips": (676.0, 2928, 0),
    "excel_es": (52.56, 144, 1),
    "athena_unload": (29.28, 96, 0),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_an_example_lands_by_its_mapping(tmp_path: Path, name: str) -> None:
    folder = EXAMPLES / name
    settings = load_settings(
        {"home": str(tmp_path), "land.mapping": str(folder / "mapping.yml")}, environ={}
    )
    found = land(folder, settings)
    energy, rows, rejected = EXPECTED[name]
    hours = landed(settings.layout.lake, "consumption_hourly")
    assert hours["consumption_elec_kwh"].sum() == pytest.approx(energy)
    assert len(hours) == rows
    assert sum(table.rows_set_aside for table in found.tables.values()) == rejected
    assert set(landed(settings.layout.lake, "customer_attributes")["customer_id"]) == set(
        hours["customer_id"]
    )


def test_a_fee_of_a_year_with_a_point_between_thousands_is_one_of_a_month(tmp_path: Path) -> None:
    folder = EXAMPLES / "excel_es"
    settings = load_settings(
        {"home": str(tmp_path), "land.mapping": str(folder / "mapping.yml")}, environ={}
    )
    land(folder, settings)
    fees = landed(settings.layout.lake, "price_history")["elec_fixed_fee_eur_month"]
    assert sorted(fees) == [5.5, 5.5, 5.5, 84.375]


def test_every_example_is_explained(tmp_path: Path) -> None:
    listing = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for name in FOLDERS:
        assert f"({name}/README.md)" in listing
        assert (EXAMPLES / name / "README.md").read_text(encoding="utf-8").startswith("# ")
    assert set(FOLDERS) == set(EXPECTED)
