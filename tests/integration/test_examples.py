"""Every folder of examples/ lands by its own mapping, and its README names what it has."""

from __future__ import annotations

import pytest
from raw_batch import landed

from python_ml.land import land
from python_ml.settings import PROJECT_DIR, load_settings

EXAMPLES = PROJECT_DIR / "examples"
FOLDERS = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())
# Energy in kWh of the newest landed month, added up by hand from the files.
ENERGY = {"powerco": None}


@pytest.mark.parametrize("name", FOLDERS)
def test_an_example_lands_by_its_mapping(tmp_path, name):
    folder = EXAMPLES / name
    settings = load_settings(
        {"home": str(tmp_path), "land.mapping": str(folder / "mapping.yml")}, environ={}
    )
    found = land(folder, settings)
    assert found.tables["consumption_hourly"].rows_landed > 0
    assert not any(table.rows_set_aside for table in found.tables.values())
    hours = landed(settings.layout.lake, "consumption_hourly")
    month = hours["timestamp"].dt.strftime("%Y-%m")
    energy = hours.loc[month == found.newest_month, "consumption_elec_kwh"].sum()
    assert energy > 0
    if (expected := ENERGY[name]) is not None:
        assert energy == pytest.approx(expected)


def test_every_example_is_explained(tmp_path):
    listing = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for name in FOLDERS:
        assert f"({name}/README.md)" in listing
        assert (EXAMPLES / name / "README.md").read_text(encoding="utf-8").startswith("# ")
    assert set(FOLDERS) == set(ENERGY)
