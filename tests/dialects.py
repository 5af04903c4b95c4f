"""One truth, hourly readings of some customers, in the layouts that retailers have it in."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tests.workbook import write_workbook

READINGS = "consumption_hourly_2024"
ENERGY = "consumption_elec_kwh"
_MAPPING = """\
sources:
  consumption_hourly:
    files: "{files}"
{rest}"""


def truth(frame: pd.DataFrame) -> pd.DataFrame:
    """Electricity alone, in whole watt-hours, with the hour that clocks show twice and without the
    one that they leave out."""
    frame = frame[["customer_id", "timestamp", ENERGY]].copy()
    frame[ENERGY] = frame[ENERGY].clip(lower=0).round(3)
    again = frame[frame["timestamp"] == "2024-10-27 02:00"].assign(
        **{ENERGY: lambda f: (f[ENERGY] * 2 + 0.001).round(3)}
    )
    frame = frame[frame["timestamp"] != "2024-03-31 02:00"]
    frame = pd.concat([frame, again])
    return frame.sort_values(["customer_id", "timestamp"], kind="stable", ignore_index=True)


def _numbered(frame: pd.DataFrame) -> pd.DataFrame:
    """With the day, and the number of the hour within it, from 1."""
    day = frame["timestamp"].dt.normalize()
    number = frame.groupby(["customer_id", day]).cumcount() + 1
    return frame.assign(day=day, number=number)


def _mapped(files: str, rest: str, home: Path) -> Path:
    path = home / "mapping.yml"
    lines = "".join(f"    {line}\n" for line in rest.strip("\n").split("\n"))
    path.write_text(_MAPPING.format(files=files, rest=lines), encoding="utf-8")
    return path


def _comma(values: pd.Series) -> pd.Series:
    return values.map("{:.3f}".format).str.replace(".", ",")


def datadis(frame: pd.DataFrame, raw: Path) -> Path:
    """cups;fecha;hora;consumo_kWh;metodoObtencion, decimal comma, hours 01:00 to 24:00."""
    labels = (frame["timestamp"].dt.hour + 1).map("{:02d}:00".format)
    pd.DataFrame(
        {
            "cups": frame["customer_id"],
            "fecha": frame["timestamp"].dt.strftime("%Y/%m/%d"),
            "hora": labels,
            "consumo_kWh": _comma(frame[ENERGY]),
            "metodoObtencion": "Real",
        }
    ).to_csv(raw / "consumos.csv", sep=";", index=False)
    rest = f"""
columns: {{customer_id: cups, {ENERGY}: consumo_kWh, consumption_gas_m3: {{absent: true}}}}
readings: {{date: fecha, hour: hora, method: metodoObtencion}}
"""
    return _mapped("consumos.csv", rest, raw.parent)


def quarter_hours(frame: pd.DataFrame, raw: Path) -> Path:
    """CUPS;FECHA-HORA;CONSUMO Wh;GENERACION Wh of quarters, named by their ends."""
    watt_hours = (frame[ENERGY] * 1000).round().astype(int)
    parts = []
    for quarter in range(4):
        share = watt_hours // 4 + (quarter < watt_hours % 4).astype(int)
        ends = frame["timestamp"] + pd.Timedelta(minutes=15 * (quarter + 1))
        midnight = (ends.dt.hour == 0) & (ends.dt.minute == 0)
        shown = ends.dt.strftime("%d-%m-%Y %H:%M").mask(
            midnight, frame["timestamp"].dt.strftime("%d-%m-%Y 24:00")
        )
        parts.append(
            pd.DataFrame(
                {
                    "CUPS": frame["customer_id"],
                    "FECHA-HORA": shown,
                    "CONSUMO Wh": share,
                    "GENERACION Wh": 7 * quarter,
                }
            )
        )
    table = pd.concat(parts).sort_index(kind="stable")
    table.to_csv(raw / "cuartos.csv", sep=";", index=False)
    rest = f"""
columns:
  customer_id: CUPS
  timestamp: FECHA-HORA
  {ENERGY}: {{column: CONSUMO Wh, unit: Wh}}
  consumption_gas_m3: {{absent: true}}
readings: {{layout: quarter_hourly, hour_label: ending, exported: GENERACION Wh}}
"""
    return _mapped("cuartos.csv", rest, raw.parent)


def registers(frame: pd.DataFrame, raw: Path) -> Path:
    """The state of a meter at the beginning of each hour, and of a second one after a change; they
    start again from 0 after 99.999 kWh. Instants are in UTC."""
    rows = []
    for customer, part in frame.groupby("customer_id"):
        instants = pd.date_range(
            part["timestamp"].iloc[0].tz_localize("Europe/Madrid").tz_convert("UTC"),
            periods=len(part) + 1,
            freq="h",
        )
        watt_hours = (part[ENERGY] * 1000).round().astype(int).to_numpy()
        change = len(part) // 2
        for meter, start, size in (("A", 0, change), ("B", change, len(part) - change)):
            state = 61_000 + np.concatenate([[0], np.cumsum(watt_hours[start : start + size])])
            rows.append(
                pd.DataFrame(
                    {
                        "punto": customer,
                        "contador": meter,
                        "instante": instants[start : start + size + 1].tz_localize(None),
                        "lectura": (state % 100_000) / 1000,
                    }
                )
            )
    pd.concat(rows).to_csv(raw / "lecturas.csv", index=False)
    rest = f"""
zone: UTC
columns:
  customer_id: punto
  timestamp: instante
  {ENERGY}: lectura
  consumption_gas_m3: {{absent: true}}
readings: {{layout: register, meter: contador, register_maximum: 100}}
"""
    return _mapped("lecturas.csv", rest, raw.parent)


def hour_matrix(frame: pd.DataFrame, raw: Path) -> Path:
    """A row a day with H01 to H25."""
    wide = (
        _numbered(frame)
        .pivot(index=["customer_id", "day"], columns="number", values=ENERGY)
        .reset_index()
    )
    wide.columns = ["cliente", "dia", *(f"H{number:02}" for number in wide.columns[2:])]
    wide["dia"] = wide["dia"].dt.strftime("%d/%m/%Y")
    wide.to_csv(raw / "matriz.csv", sep=";", decimal=",", index=False)
    rest = """
columns: {customer_id: cliente}
readings: {layout: hour_matrix, date: dia, hour_columns: "H{hour:02}"}
"""
    return _mapped("matriz.csv", rest, raw.parent)


def spanish_workbook(frame: pd.DataFrame, raw: Path) -> Path:
    """A workbook of texts: dd/mm/yyyy, hours 1 to 25, decimal commas."""
    numbered = _numbered(frame)
    write_workbook(
        pd.DataFrame(
            {
                "Cliente": numbered["customer_id"],
                "Fecha": numbered["day"].dt.strftime("%d/%m/%Y"),
                "Hora": numbered["number"].astype(float),
                "Energía (kWh)": _comma(numbered[ENERGY]),
            }
        ),
        raw / "lecturas.xlsx",
    )
    rest = f"""
columns: {{customer_id: Cliente, {ENERGY}: Energía (kWh), consumption_gas_m3: {{absent: true}}}}
readings: {{date: Fecha, hour: Hora, hours: 1-25}}
"""
    return _mapped("lecturas.xlsx", rest, raw.parent)


def utf_16(frame: pd.DataFrame, raw: Path) -> Path:
    """Tabs, instants with a zone, the energy in MWh."""
    megawatt_hours = (frame[ENERGY] / 1000).map("{:.6f}".format).str.replace(".", ",")
    local = frame["timestamp"].dt.tz_localize("Europe/Madrid", ambiguous=_is_summer(frame))
    text = pd.DataFrame(
        {
            "cliente": frame["customer_id"],
            "instante": local.dt.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "energía": megawatt_hours,
        }
    ).to_csv(sep="\t", index=False)
    (raw / "lecturas.txt").write_bytes(text.encode("utf-16"))
    rest = f"""
columns:
  customer_id: cliente
  timestamp: instante
  {ENERGY}: {{column: energía, unit: MWh}}
  consumption_gas_m3: {{absent: true}}
"""
    return _mapped("lecturas.txt", rest, raw.parent)


def _is_summer(frame: pd.DataFrame) -> np.ndarray:
    """Of the hours that come twice, the first."""
    return (frame.groupby(["customer_id", "timestamp"]).cumcount() == 0).to_numpy()


def parquet_without_endings(frame: pd.DataFrame, raw: Path) -> Path:
    """Parts of an UNLOAD, in no order."""
    shuffled = frame.sample(frac=1, random_state=3)
    for number, part in enumerate(np.array_split(np.arange(len(shuffled)), 3)):
        table = pa.Table.from_pandas(shuffled.iloc[part], preserve_index=False)
        path = raw / "unload" / f"2024_{number:05}_a1b2"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(table.replace_schema_metadata(None), path)
    rest = "columns: {consumption_gas_m3: {absent: true}}"
    return _mapped("unload/*", rest, raw.parent)


def two_supply_points(frame: pd.DataFrame, raw: Path) -> Path:
    """The energy of each customer at two supply points; equal readings of both count twice."""
    watt_hours = (frame[ENERGY] * 1000).round().astype(int)
    halves = [watt_hours // 2, watt_hours - watt_hours // 2]
    table = pd.concat(
        pd.DataFrame(
            {
                "cliente": frame["customer_id"],
                "cups": frame["customer_id"] + f"-{number}",
                "hora": frame["timestamp"],
                "wh": half,
            }
        )
        for number, half in enumerate(halves)
    )
    table.to_csv(raw / "puntos.csv", index=False)
    rest = f"""
columns:
  customer_id: cliente
  timestamp: hora
  {ENERGY}: {{column: wh, unit: Wh}}
  consumption_gas_m3: {{absent: true}}
readings: {{supply_point: cups}}
"""
    return _mapped("puntos.csv", rest, raw.parent)


DIALECTS: dict[str, Callable[[pd.DataFrame, Path], Path]] = {
    "Datadis": datadis,
    "quarter-hours": quarter_hours,
    "cumulative registers": registers,
    "hour matrix": hour_matrix,
    "Excel, Spanish": spanish_workbook,
    "UTF-16": utf_16,
    "Parquet parts without endings": parquet_without_endings,
    "two supply points": two_supply_points,
}


def write_dialect(name: str, frame: pd.DataFrame, good: Path, folder: Path) -> tuple[Path, Path]:
    """A batch whose readings are in a dialect: its folder, and its mapping.

    Args:
        name: of DIALECTS.
        frame: the truth.
        good: a batch in our own form, for the other tables.
        folder: empty.
    """
    raw = folder / "raw"
    shutil.copytree(good, raw, ignore=shutil.ignore_patterns(f"{READINGS}*"))
    return raw, DIALECTS[name](frame, raw)
