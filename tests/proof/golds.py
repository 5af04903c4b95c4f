"""Data sets for proofs: simulated batches with typical days, built up to gold by the project."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from python_ml.contracts.gold import GoldContract, read_contract
from python_ml.engines import open_warehouse
from python_ml.land import land
from python_ml.settings import Settings, load_settings
from python_ml.simulate.run import append_month, simulate
from python_ml.transform.dbt import DbtRunner
from python_ml.transform.sentiment import label_sentiment, sentiment_backend

AS_OF_DATE = date(2024, 12, 31)


@dataclass(frozen=True)
class DataSet:
    """A simulated batch, built up to gold."""

    home: Path
    name: str

    @property
    def settings(self) -> Settings:
        return load_settings({"home": str(self.home)}, environ={})

    def contract(self) -> GoldContract:
        document = json.loads((self.home / "manifest.json").read_text(encoding="utf-8"))
        return read_contract(document)

    def gold(self) -> pd.DataFrame:
        with open_warehouse(self.settings) as warehouse:
            return warehouse.read_table("gold_master")

    def runner(self, as_of_date: date = AS_OF_DATE, *, all_dates: bool = False) -> DbtRunner:
        variables: dict[str, Any] = {
            "as_of_dates": "all" if all_dates else [],
            "as_of_date": as_of_date.isoformat(),
            "run_id": "proof",
            "sentiment_backend": sentiment_backend(self.settings),
        }
        place = self.settings.layout.warehouse
        return DbtRunner(self.settings, place, self.home / "dbt", variables)


def build(
    home: Path, customers: int, seed: int, text_signal: str = "as-published", months: int = 0
) -> DataSet:
    """Simulate, land and build a batch; what is there from an earlier call is used.

    Args:
        home: folder of the data sets.
        customers: of the first as-of date.
        seed: of the simulation.
        text_signal: how much the texts know.
        months: delivered after the first year; gold is then of every month end.
    """
    name = f"{customers}-{seed}-{text_signal}" + (f"-{months}" if months else "")
    made = DataSet(home / name, name)
    if (made.home / "manifest.json").exists():
        return made
    shutil.rmtree(made.home, ignore_errors=True)
    raw = made.home / "raw"
    simulate(raw, customers=customers, seed=seed, readings="typical-days", text_signal=text_signal)
    day = pd.Timestamp(AS_OF_DATE)
    for _ in range(months):
        day += pd.offsets.MonthEnd(1)
        append_month(raw, f"{day:%Y-%m}", shift="none")
    land(raw, made.settings)
    runner = made.runner(day.date(), all_dates=months > 0)
    with open_warehouse(made.settings) as warehouse:
        warehouse.declare_external_tables()
        runner.build("resource_type:seed bronze")
        label_sentiment(warehouse, made.settings, "proof")
        runner.run("silver gold")
    shutil.rmtree(raw)
    document = json.dumps(runner.manifest())
    (made.home / "manifest.json").write_text(document, encoding="utf-8")
    return made
