"""A raw batch small enough to spoil by hand: six customers, the last quarter of 2024."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

CUSTOMERS = [f"C{number:05d}" for number in range(1, 7)]
PROVINCES = ["28", "08", "NA"]
READINGS = "consumption_hourly_2024"


@dataclass
class RawBatch:
    """Frames by file name; `write` puts them into a folder in the formats of the company."""

    frames: dict[str, pd.DataFrame] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.frames = self.frames or good_frames()

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in self.frames.items():
            if name.startswith("consumption_hourly"):
                write_months(frame, folder / name)
            elif name == "customer_interactions":
                write_json(frame, folder / f"{name}.json")
            else:
                frame.to_csv(folder / f"{name}.csv", index=False)
        return folder

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.frames[name]

    def __setitem__(self, name: str, frame: pd.DataFrame) -> None:
        self.frames[name] = frame


def good_frames() -> dict[str, pd.DataFrame]:
    """Frames without a blemish, in the units of the schema."""
    count = len(CUSTOMERS)
    months = ["2024-10", "2024-11", "2024-12"]
    prices = pd.DataFrame(
        [(customer, f"{month}-01") for customer in CUSTOMERS for month in months],
        columns=["customer_id", "pricing_date"],
    ).assign(
        variable_price_tier1_eur_kwh=[0.15 + 0.001 * row for row in range(3 * count)],
        variable_price_tier2_eur_kwh=0.12,
        variable_price_tier3_eur_kwh=0.09,
        elec_fixed_fee_eur_month=5.5,
        elec_fixed_cost_eur_month=4.25,
        gas_variable_price_eur_m3=0.8,
        gas_fixed_revenue_eur_year=60.0,
        gas_fixed_cost_eur_year=48.0,
    )
    costs = pd.DataFrame(
        [(month, province) for month in months for province in PROVINCES],
        columns=["month", "province"],
    ).assign(elec_var_cost_eur_kwh=0.08, gas_var_cost_eur_m3=0.7, peaje_elec_eur_kwh=0.01)
    return {
        "churn_label": pd.DataFrame({"customer_id": CUSTOMERS, "churn": [0, 1, 0, 0, 1, 0]}),
        "customer_attributes": pd.DataFrame(
            {
                "customer_id": CUSTOMERS,
                "contracted_power_kw": [4.6, 3.45, 5.75, 10.0, 4.6, 2.3],
                "is_industrial": [0, 0, 0, 1, 0, 0],
                "is_second_residence": [0, 1, 0, 0, 0, 0],
                "province_code": ["28", "08", "NA", "28", "08", "NA"],
                "region": "España",
                "is_high_competition_province": [1, 0, 1, 0, 1, 0],
                "is_urban": [1, 1, 1, 0, 0, 0],
            }
        ),
        "customer_contracts": pd.DataFrame(
            {
                "customer_id": CUSTOMERS,
                "sales_channel": ["Comparador", " web propia", "OFICINA", None, "x", "y"],
                "customer_first_activation_date": [f"2019-03-{day}" for day in range(10, 16)],
                "contract_start_date": [f"2024-02-{day}" for day in range(11, 17)],
                "last_product_change_date": [None, "2024-05-30", None, "2024-06-01", None, None],
                "next_renewal_date": [f"2025-02-{day}" for day in range(11, 17)],
            }
        ),
        "price_history": prices,
        "costs_by_province_month": costs,
        READINGS: readings("2024-10-01", "2024-12-31 23:00"),
        "customer_interactions": pd.DataFrame(
            {
                "customer_id": ["C00002", "C00005", "C00002"],
                "date": ["2024-10-15", "2024-11-30", "2024-11-02"],
                "channel": ["Teléfono", "Web", None],
                "interaction_summary": ['Asks, "politely", about\nrenewal', "No issues", "Unhappy"],
            }
        ),
    }


def readings(first: str, last: str, customers: list[str] = CUSTOMERS) -> pd.DataFrame:
    """Hours from first to last for each customer, sorted; some electricity readings negative."""
    hours = pd.date_range(first, last, freq="h")
    size = len(hours) * len(customers)
    noise = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "customer_id": np.repeat(customers, len(hours)),
            "timestamp": np.tile(hours, len(customers)),
            "consumption_elec_kwh": np.round(noise.gamma(2.0, 0.2, size) - 0.05, 3),
            "consumption_gas_m3": np.round(noise.gamma(1.0, 0.05, size), 3),
        }
    )


def write_months(frame: pd.DataFrame, folder: Path) -> None:
    """A dataset of one Parquet file a month."""
    months = pd.to_datetime(frame["timestamp"]).dt.strftime("%Y-%m")
    for month, part in frame.groupby(months, sort=True):
        write_parquet(part, folder / f"month={month}" / "part-0.parquet")


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = pa.Schema.from_pandas(frame, preserve_index=False)
    for index, entry in enumerate(schema):
        if pa.types.is_timestamp(entry.type) and entry.type.tz is None:
            schema = schema.set(index, entry.with_type(pa.timestamp("us")))
        if pa.types.is_large_string(entry.type):
            schema = schema.set(index, entry.with_type(pa.string()))
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd")


def write_json(frame: pd.DataFrame, path: Path, lines: bool = False) -> None:
    records = json.loads(frame.to_json(orient="records", date_format="iso"))
    texts = [json.dumps(record, ensure_ascii=False) for record in records]
    text = "\n".join(texts) + "\n" if lines else "[" + ",\n".join(texts) + "]"
    path.write_text(text, encoding="utf-8")


def tree_hash(folder: Path) -> str:
    """Names, links and bytes of everything below a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(path.relative_to(folder).as_posix().encode())
        if path.is_symlink():
            digest.update(str(path.readlink()).encode())
        elif path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def landed(lake: Path, table: str) -> pd.DataFrame:
    """All rows of a landed table, files in order."""
    parts = sorted((lake / "raw" / table).rglob("*.parquet"))
    frames: list[pd.DataFrame] = [pq.ParquetFile(part).read().to_pandas() for part in parts]
    return pd.concat(frames, ignore_index=True)


def rejected(lake: Path, table: str) -> pd.DataFrame:
    """Rows of the current batch that were set aside."""
    batch = (lake / "raw").readlink().name
    return pd.read_parquet(lake / "rejected" / table / f"batch={batch}")


def spoil(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> RawBatch:
    """A good batch but for one table."""
    batch = RawBatch()
    batch[name] = change(batch[name].copy())
    return batch


def day_first(dates: Iterable[str]) -> list[str]:
    """ISO dates as people write them in Spain."""
    return [f"{text[8:]}/{text[5:7]}/{text[:4]}" for text in dates]
