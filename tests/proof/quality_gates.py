"""Every gate stops a run on a planted fault, and clean data passes all of them, on ten seeds.

    python -m tests.proof.quality_gates --home /tmp/gates

Raw files are simulated and run layer by layer, as `spanishgas run` does up to the gate of gold.
Then faults are planted in the raw files, one for each gate, each small enough to pass the gates
before: a share of missing values that one layer may have and the next one may not. Exit code 1 if a
clean batch does not pass or a fault is not stopped where it should be.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd

from python_ml.engines import open_warehouse
from python_ml.errors import QualityGateError
from python_ml.land import land
from python_ml.quality import QualityProcess, check_layer
from python_ml.quality.rules import LAYERS
from python_ml.settings import load_settings
from python_ml.simulate.run import simulate
from python_ml.transform.dbt import DbtRunner
from python_ml.transform.sentiment import label_sentiment, sentiment_backend

Plant = Callable[[pd.DataFrame], pd.DataFrame]


def gates(raw: Path, home: Path, examiner: QualityProcess) -> tuple[str | None, list[str]]:
    """Where a batch is stopped (None: nowhere) and why; or the warnings of one that passes."""
    shutil.rmtree(home, ignore_errors=True)
    settings = load_settings({"home": str(home), "quality.data_docs": False}, environ={})
    landed = land(raw, settings)
    variables = {
        "as_of_date": landed.as_of_date.isoformat(),
        "run_id": "proof",
        "sentiment_backend": sentiment_backend(settings),
    }
    dbt = DbtRunner(settings, settings.layout.warehouse, home / "dbt", variables)
    warehouse = open_warehouse(settings)
    warehouse.declare_external_tables()
    warnings: list[str] = []
    for layer in LAYERS:
        try:
            if layer != "raw":
                dbt.build("resource_type:seed bronze" if layer == "bronze" else layer)
            if layer == "bronze":
                label_sentiment(warehouse, settings, "proof")
            result = check_layer(
                warehouse,
                settings,
                layer,
                "proof",
                landed.as_of_date,
                batch=settings.layout.lake / "raw" if layer == "raw" else None,
                landed=landed,
                manifest=None if layer == "raw" else dbt.manifest(),
                examiner=examiner,
            )
        except QualityGateError as stopped:
            return layer, str(stopped).splitlines()
        warnings = result.warnings
    return None, warnings


def blank(column: str, share: float) -> Plant:
    """Empty a share of a column, spread over the rows."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        hit = np.random.default_rng(1).permutation(len(frame)) < share * len(frame)
        return frame.assign(**{column: frame[column].mask(hit)})

    return change


def without(share: float) -> Plant:
    """Leave out a share of the rows."""
    return lambda frame: frame.sample(frac=1 - share, random_state=1).sort_index()


def foreign_province(share: float) -> Plant:
    """Put a share of the customers into a province without costs."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        hit = np.random.default_rng(1).permutation(len(frame)) < share * len(frame)
        return frame.assign(province_code=frame["province_code"].mask(hit, "99"))

    return change


def old(frame: pd.DataFrame) -> pd.DataFrame:
    """Prices that end in June."""
    return frame[frame["pricing_date"].str.slice(5, 7).astype(int) < 7]


# Gate that must stop it, file, fault, and what the message must name.
FAULTS: tuple[tuple[str, str, Plant, str], ...] = (
    ("raw", "price_history", old, "pricing_date.age_days"),
    (
        "bronze",
        "price_history",
        blank("variable_price_tier2_eur_kwh", 0.30),
        "variable_price_tier2_eur_kwh.null_share",
    ),
    ("silver", "customer_attributes", foreign_province(0.10), "elec_var_cost_eur_kwh.null_share"),
    ("gold", "customer_contracts", without(0.035), "null_share"),
)


def clean_seeds(asked: argparse.Namespace, examiner: QualityProcess) -> int:
    """How many clean batches were stopped."""
    failed = 0
    for seed in range(1, asked.seeds + 1):
        raw = asked.home / f"raw-{seed}"
        simulate(raw, customers=asked.customers, seed=seed, readings="typical-days")
        layer, said = gates(raw, asked.home / "home", examiner)
        failed += layer is not None
        print(f"clean, seed {seed}: {'passed' if layer is None else f'STOPPED at {layer}'}", *said)
        if seed > 1:
            shutil.rmtree(raw)
    return failed


def planted_faults(asked: argparse.Namespace, examiner: QualityProcess) -> int:
    """How many faults were not stopped by their gate, by name."""
    failed = 0
    for expected, file, plant, name in FAULTS:
        raw = asked.home / "raw-spoilt"
        shutil.rmtree(raw, ignore_errors=True)
        shutil.copytree(asked.home / "raw-1", raw, copy_function=os.link)
        path = raw / f"{file}.csv"
        frame = pd.read_csv(path, dtype=str)
        path.unlink()
        plant(frame).to_csv(path, index=False)
        layer, said = gates(raw, asked.home / "home", examiner)
        found = next((line.strip() for line in said if name in line), "")
        is_right = layer == expected and bool(found)
        failed += not is_right
        print(f"fault for {expected}: stopped at {layer}: {found or said}")
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, default=Path("data/proof/quality"))
    parser.add_argument("--customers", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=10)
    asked = parser.parse_args()
    with closing(QualityProcess()) as examiner:
        failed = clean_seeds(asked, examiner) + planted_faults(asked, examiner)
    print("all claims hold" if not failed else f"{failed} claims FAILED")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
