"""Readings in any layout: the same truth lands as the same hours."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from python_ml.errors import BadInputError
from python_ml.land import land
from python_ml.land.result import LandResult, TableResult
from python_ml.settings import Settings
from tests.dialects import DIALECTS, ENERGY, truth, write_dialect
from tests.integration.raw_batch import READINGS, RawBatch, landed, readings, rejected, write_months

TRUTH = truth(readings("2024-03-01", "2024-10-31 23:00", ["C00001", "C00002"]))


def write_batch(folder: Path) -> Path:
    raw = RawBatch().write(folder)
    nothing = pd.Series(pd.NA, index=TRUTH.index, dtype=object)
    write_months(TRUTH.assign(consumption_gas_m3=nothing), raw / READINGS)
    return raw


@pytest.mark.parametrize("name", DIALECTS)
def test_dialects_of_one_truth(tmp_path: Path, settings: Settings, name: str) -> None:
    good = RawBatch().write(tmp_path / "good")
    raw, mapping = write_dialect(name, TRUTH, good, tmp_path / "dialect")
    result = land(raw, settings.with_overrides({"land.mapping": str(mapping)}))
    assert result.tables["consumption_hourly"].set_aside == {}
    assert result.tables["consumption_hourly"].rows_landed == len(TRUTH)
    found = landed(settings.layout.lake, "consumption_hourly")
    order = ["customer_id", "timestamp", ENERGY]
    found, expected = (
        frame[order].sort_values(order, ignore_index=True) for frame in (found, TRUTH)
    )
    assert found["timestamp"].tolist() == expected["timestamp"].tolist()
    assert found["customer_id"].tolist() == expected["customer_id"].tolist()
    assert found[ENERGY].tolist() == pytest.approx(expected[ENERGY].tolist(), abs=1e-9)


def land_readings(
    tmp_path: Path, settings: Settings, frame: pd.DataFrame, readings_keys: str, columns: str = ""
) -> LandResult:
    raw = RawBatch().write(tmp_path / "raw")
    for path in sorted((raw / READINGS).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (raw / READINGS).rmdir()
    frame.to_csv(raw / "lecturas.csv", index=False)
    mapping = tmp_path / "mapping.yml"
    mapping.write_text(
        "sources:\n  consumption_hourly:\n    files: lecturas.csv\n"
        f"    columns: {{{columns}consumption_gas_m3: {{absent: true}}}}\n"
        f"    readings: {{{readings_keys}}}\n"
    )
    return land(raw, settings.with_overrides({"land.mapping": str(mapping)}))


def table(result: LandResult) -> TableResult:
    return result.tables["consumption_hourly"]


def test_daily_readings_are_spread_and_marked(tmp_path: Path, settings: Settings) -> None:
    days = pd.date_range("2024-03-01", "2024-03-31")
    frame = pd.DataFrame(
        {"customer_id": "C00001", "timestamp": days.strftime("%d/%m/%Y"), ENERGY: range(31)}
    )
    result = land_readings(tmp_path, settings, frame, "layout: daily")
    assert table(result).rows_landed == table(result).rows_estimated == 31 * 24 - 1
    assert any("743 hourly values are estimates" in text for text in result.warnings)
    found = landed(settings.layout.lake, "consumption_hourly")
    sums = found.groupby(found["timestamp"].dt.day)[ENERGY].sum()
    assert sums.tolist() == pytest.approx(list(range(31)))


@pytest.mark.parametrize("form", ["%Y-%m", "%Y-%m-%d", "%Y%m", "%m/%Y"])
def test_monthly_readings(tmp_path: Path, settings: Settings, form: str) -> None:
    months = pd.to_datetime(["2024-01-01", "2024-02-01", "2024-03-01"])
    frame = pd.DataFrame(
        {"customer_id": "C00001", "timestamp": months.strftime(form), ENERGY: [100, 200, 300]}
    )
    result = land_readings(tmp_path, settings, frame, "layout: monthly")
    assert (result.newest_month, table(result).set_aside) == ("2024-03", {})
    found = landed(settings.layout.lake, "consumption_hourly")
    sums = found.groupby(found["timestamp"].dt.month)[ENERGY].sum()
    assert sums.tolist() == pytest.approx([100, 200, 300])


def test_billing_periods_by_tariff_period(tmp_path: Path, settings: Settings) -> None:
    """SIPS-like: energy of a period, peak, standard and off-peak."""
    frame = pd.DataFrame(
        {
            "customer_id": ["C00001", "C00001"],
            "desde": ["15/01/2024", "15/02/2024"],
            "hasta": ["14/02/2024", "14/03/2024"],
            "P1": [62.0, 58.0],
            "P2": [31.0, 29.0],
            "P3": [93.0, 87.0],
        }
    )
    keys = (
        "layout: billing_period, period_start: desde, period_end: hasta, "
        "energy_by_period: [P1, P2, P3]"
    )
    land_readings(tmp_path, settings, frame, keys)
    found = landed(settings.layout.lake, "consumption_hourly")
    assert (found["timestamp"].min(), found["timestamp"].max()) == (
        pd.Timestamp("2024-01-15 00:00"),
        pd.Timestamp("2024-03-14 23:00"),
    )
    first = found[found["timestamp"] < "2024-02-15"]
    assert first[ENERGY].sum() == pytest.approx(186)
    working = first["timestamp"].dt.dayofweek < 5
    peak = working & first["timestamp"].dt.hour.isin([10, 11, 12, 13, 18, 19, 20, 21])
    assert first.loc[peak, ENERGY].sum() == pytest.approx(62)


@pytest.mark.parametrize(
    ("start", "days"),
    [('{value: "2024-01-01"}', 31), ("{column: desde, dates: month_first}", 31 - 2)],
)
def test_a_billing_period_may_begin_on_one_day_for_all(
    tmp_path: Path, settings: Settings, start: str, days: int
) -> None:
    """The mapping of a period says more than the name of a column."""
    frame = pd.DataFrame({"customer_id": ["C00001"], ENERGY: [62.0]})
    if "desde" in start:
        frame["desde"] = "01/03/2024"
    keys = f'layout: billing_period, period_start: {start}, period_end: {{value: "2024-01-31"}}'
    land_readings(tmp_path, settings, frame, keys)
    found = landed(settings.layout.lake, "consumption_hourly")
    assert len(found) == days * 24
    assert found["timestamp"].max() == pd.Timestamp("2024-01-31 23:00")
    assert found[ENERGY].sum() == pytest.approx(62)


def test_registers_that_go_backwards_are_told(tmp_path: Path, settings: Settings) -> None:
    times = pd.date_range("2024-10-01", periods=6, freq="h")
    frame = pd.DataFrame(
        {"customer_id": "C00001", "timestamp": times, ENERGY: [10.0, 11.0, 12.5, 1.0, 2.0, 2.5]}
    )
    result = land_readings(tmp_path, settings, frame, "layout: register")
    assert "1 times a register was lower than before" in " ".join(result.warnings)
    found = landed(settings.layout.lake, "consumption_hourly")
    assert found[ENERGY].tolist() == pytest.approx([1.0, 1.5, 1.0, 0.5])


def test_registers_read_seldom_are_spread(tmp_path: Path, settings: Settings) -> None:
    times = ["2024-10-01", "2024-10-02", "2024-11-01"]
    frame = pd.DataFrame({"customer_id": "C00001", "timestamp": times, ENERGY: [0, 24, 750]})
    result = land_readings(tmp_path, settings, frame, "layout: register")
    assert table(result).rows_estimated == 31 * 24
    found = landed(settings.layout.lake, "consumption_hourly")
    assert found[ENERGY].sum() == pytest.approx(750)
    assert found.loc[found["timestamp"] < "2024-10-02", ENERGY].tolist() == pytest.approx([1] * 24)


def test_hours_that_do_not_tell_what_they_name(tmp_path: Path, settings: Settings) -> None:
    frame = pd.DataFrame(
        {"customer_id": "C00001", "dia": "2024-10-01", "hora": [1, 2, 23], ENERGY: 1.0}
    )
    with pytest.raises(BadInputError, match=r"the hours go from 1 to 23: they may name"):
        land_readings(tmp_path, settings, frame, "date: dia, hour: hora")


def test_rows_that_cannot_be_used_are_kept_aside(tmp_path: Path, settings: Settings) -> None:
    frame = pd.DataFrame(
        {
            "customer_id": ["C00001", "C00001", "X", *["C00002"] * 30],
            "dia": ["2024-10-01", "2024-10-01", "2024-10-01", *["2024-10-02"] * 30],
            "hora": [1, 1, 2, *range(25), 1, 2, 3, 4, 5],
            ENERGY: [1.0, 1.0, 1.0, *[*range(25), *range(5)]],
        }
    )
    result = land_readings(tmp_path, settings, frame, "date: dia, hour: hora")
    assert table(result).set_aside == {
        "customer_id: not like C[0-9]{5,9}": 1,
        "timestamp: equal to another row in everything": 1,
    }
    aside = rejected(settings.layout.lake, "consumption_hourly")
    assert sorted(aside["customer_id"]) == ["C00001", "X"]
    assert set(aside["timestamp"]) == {"2024-10-01 1", "2024-10-01 2"}
    assert table(result).rows_added_up == 5
