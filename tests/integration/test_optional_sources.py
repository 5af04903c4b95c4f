"""Batches that lack data: gold is as it was but for what is declared to rest on them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from python_ml.contracts.needs import switched_off
from python_ml.contracts.schema import load_source
from python_ml.land import land
from python_ml.settings import load_settings
from python_ml.simulate.run import simulate
from tests.integration.dbt_home import build, query

LAYERS = "resource_type:seed bronze silver gold mart_missing_input"
KEYS = ["customer_id", "as_of_date"]
# What is missing at once; what rests on one of them may not rest on another by mistake.
LACKING = (
    ["customer_interactions", "customer_attributes.is_second_residence"],
    ["costs_by_province_month", "customer_contracts.sales_channel"],
    ["consumption_hourly.consumption_gas_m3", "customer_attributes.is_high_competition_province"],
    ["price_history", "customer_contracts.last_product_change_date"],
    ["customer_contracts"],
    ["churn_label", "customer_attributes.is_industrial", "customer_attributes.region"],
)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    simulate(folder / "raw", customers=150, seed=11, readings="typical-days")
    return folder / "raw"


def gold_of(raw: Path, home: Path, mapping: str | None) -> pd.DataFrame:
    """Gold of a batch; rows by key."""
    overrides = {"home": str(home)}
    if mapping is not None:
        home.mkdir()
        (home / "mapping.yml").write_text(mapping, encoding="utf-8")
        overrides["land.mapping"] = str(home / "mapping.yml")
    landed = land(raw, load_settings(overrides, environ={}))
    build(home, LAYERS, "--vars", json.dumps({"absent": landed.absent}))
    return query(home, f"select * from gold_master order by {', '.join(KEYS)}")


@pytest.fixture(scope="module")
def whole(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return gold_of(raw, tmp_path_factory.mktemp("whole") / "home", None)


def without(raw: Path, folder: Path, absent: list[str]) -> str:
    """Copy a batch without some data; the mapping that declares them absent."""
    shutil.copytree(raw, folder)
    sources: dict[str, dict[str, Any]] = {}
    for name in absent:
        table, _, column = name.partition(".")
        if not column:
            sources[table] = {"absent": True}
            (folder / f"{table}.csv").unlink(missing_ok=True)
            (folder / f"{table}.json").unlink(missing_ok=True)
            continue
        source = sources.setdefault(table, {"columns": {}})
        source["columns"][column] = {"absent": True}
        for path in folder.glob(f"{table}*.csv"):
            pd.read_csv(path, dtype=str).drop(columns=column).to_csv(path, index=False)
        for path in folder.glob(f"{table}*/**/*.parquet"):
            scan = f"select * exclude ({column}) from read_parquet('{path}', hive_partitioning = 0)"
            rows = duckdb.sql(scan).df()
            rows.to_parquet(path, index=False)
    return json.dumps({"sources": sources})


@pytest.mark.parametrize("absent", LACKING, ids=" and ".join)
def test_gold_without_some_data_differs_in_what_rests_on_them_alone(
    raw: Path, whole: pd.DataFrame, tmp_path: Path, absent: list[str]
) -> None:
    mapping = without(raw, tmp_path / "raw", absent)
    found = gold_of(tmp_path / "raw", tmp_path / "home", mapping)
    off = {it.name for it in switched_off(absent) if it.kind != "mart"}
    lineage = [name for name in whole if str(name).startswith("max_")]
    target = ["churn"] if "churn_label" in absent else []
    # Margins and active months count gas as well: who has none keeps them.
    same = (whole["total_gas_m3_12m"] == 0) | (
        "consumption_hourly.consumption_gas_m3" not in absent
    )
    assert same.sum() > 100
    there, here = (frame.drop(columns=[*off, *lineage, *target])[same] for frame in (whole, found))
    pd.testing.assert_frame_equal(here, there)
    told = query(tmp_path / "home", "select * from mart_missing_input")
    assert set(told["input_name"]) == set(absent)
    assert set(told.loc[told["affected_kind"] != "mart", "affected_name"]) - {""} == off


def test_every_optional_table_can_be_absent(raw: Path) -> None:
    optional = {name for name, table in load_source("raw").items() if table.meta.get("optional")}
    assert optional == {name for absent in LACKING for name in absent if "." not in name}
