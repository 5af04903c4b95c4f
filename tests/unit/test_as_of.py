"""What gold of another as-of date is built from: copies in the types of the originals."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from python_ml.config import Settings, load_settings
from python_ml.dbt_runner import DbtRunner
from python_ml.modelling import as_of
from python_ml.modelling.as_of import AS_OF_MODELS, load_table, read_by
from python_ml.store.base import FolderStore
from python_ml.warehouse import open_warehouse


def node(kind: str, name: str, folder: str, *parents: str) -> tuple[str, dict]:
    key = f"{kind}.spanishgas.{name}"
    body = {"resource_type": kind, "name": name, "fqn": ["spanishgas", folder, name]}
    return key, {**body, "depends_on": {"nodes": list(parents)}}


def test_what_models_read_from_outside_is_tables_seeds_and_sources() -> None:
    raw, ml = "source.spanishgas.raw.customer_contracts", "source.spanishgas.ml.some_labels"
    nodes = [
        node("seed", "channel_names", "seeds"),
        node("model", "bronze_label", "bronze"),
        node("model", "bronze_customer_contract", "bronze", raw),
        node("model", "bronze_as_of_date", "bronze", "model.spanishgas.bronze_label"),
        node(
            *("model", "silver_customer", "silver"),
            *("model.spanishgas.bronze_customer_contract", "model.spanishgas.bronze_label"),
            *("seed.spanishgas.channel_names", ml),
        ),
        node("test", "not_null_silver", "silver", "model.spanishgas.mart_risk"),
        node("model", "gold_master", "gold", "model.spanishgas.silver_customer"),
        node("model", "mart_risk", "marts", "model.spanishgas.gold_master"),
    ]
    manifest = {"nodes": dict(nodes)}
    tables, sources = read_by(manifest, AS_OF_MODELS)
    assert tables == ["bronze_customer_contract", "bronze_label", "channel_names"]
    assert sources == [("ml", "some_labels")]
    assert read_by(manifest, "gold") == (["silver_customer"], [])


def test_rows_get_the_types_back_that_an_engine_has_blurred() -> None:
    rows = pd.DataFrame(
        {
            "day": pd.to_datetime(["2025-01-31", None]),
            "count": [3.0, None],
            "flag": [True, None],
            "name": ["a", None],
            "share": [0.1, float("nan")],
        }
    )
    types = {"day": "date", "count": "bigint", "flag": "boolean", "name": "varchar"}
    with duckdb.connect() as connection:
        load_table(connection, "copied", rows, {**types, "share": "double"})
        found = connection.execute("select * from copied").fetchall()
        kept = connection.execute("describe copied").fetchall()
    assert found == [(date(2025, 1, 31), 3, True, "a", 0.1), (None,) * 5]
    assert [row[1].lower() for row in kept] == [*types.values(), "double"]


@pytest.fixture
def lake(tmp_path: Path) -> Settings:
    """A bucket, as a folder: two batches, and labels of sentiment by two runs."""
    settings = load_settings({"home": str(tmp_path / "bucket")}, environ={})
    for batch in ("b1", "b2"):
        folder = settings.layout.batches / batch / "customer_contracts"
        folder.mkdir(parents=True)
        pd.DataFrame({"batch": [batch]}).to_parquet(folder / "part-0.parquet")
    with open_warehouse(settings) as warehouse:
        for run_id in ("r1", "r2"):
            labels = {"text_hash": [run_id], "backend": "vader-1", "sentiment_label": "neutral"}
            frame = pd.DataFrame({**labels, "sentiment_score": 0.0})
            warehouse.write_external("interaction_sentiment", frame, run_id)
    return settings


def test_sources_in_a_bucket_come_as_files_of_a_lake(
    lake: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(as_of, "open_store", lambda settings: FolderStore(lake.layout.lake))
    sources = [("ml", "interaction_sentiment"), ("raw", "customer_contracts")]
    remote = lake.with_overrides({"target": "athena", "home": str(tmp_path / "container")})
    home = tmp_path / "beside"
    with open_warehouse(lake) as warehouse:
        as_of._copy_sources(warehouse, remote, sources, home, "b2")
    local = remote.with_overrides({"target": "duckdb", "home": str(home)})
    landed = local.layout.lake / "raw" / "customer_contracts" / "part-0.parquet"
    assert pd.read_parquet(landed)["batch"].tolist() == ["b2"]
    with open_warehouse(local) as copy:
        labels = copy.read_external("interaction_sentiment")
    assert sorted(labels["run_id"]) == ["r1", "r2"] == sorted(labels["text_hash"])
    assert not remote.layout.home.exists(), "nothing is left in the container's home"
    # dbt on the copy reads there, and knows nothing of the run's own batch.
    runner = DbtRunner(remote, tmp_path / "w.duckdb", tmp_path / "dbt", {}, batch=tmp_path / "own")
    moved = runner.on_copy(tmp_path / "beside.duckdb", tmp_path / "dbt2", home)
    assert (moved.settings.target, moved.settings.layout.lake) == ("duckdb", local.layout.lake)
    assert moved.batch is None
