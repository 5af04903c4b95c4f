"""What the checks of direction copy: tables that gold reads, in the types of the originals."""

from __future__ import annotations

from datetime import date
from typing import Any

import duckdb
import pandas as pd

from python_ml.judge.direction import load_table, read_by


def node(kind: str, name: str, folder: str, *parents: str) -> tuple[str, dict[str, Any]]:
    key = f"{kind}.spanishgas.{name}"
    body = {"resource_type": kind, "name": name, "fqn": ["spanishgas", folder, name]}
    return key, {**body, "depends_on": {"nodes": list(parents)}}


def test_gold_is_built_on_a_copy_of_what_it_reads() -> None:
    nodes = [
        node("model", "silver_as_of_date", "silver"),
        node("model", "silver_customer", "silver", "model.spanishgas.silver_as_of_date"),
        node("test", "not_null_silver", "silver", "model.spanishgas.mart_risk"),
        node("model", "gold_features", "gold", "model.spanishgas.silver_customer"),
        node(
            *("model", "gold_master", "gold", "model.spanishgas.gold_features"),
            "model.spanishgas.silver_as_of_date",
        ),
        node("model", "mart_risk", "marts", "model.spanishgas.gold_master"),
    ]
    manifest = {"nodes": dict(nodes)}
    assert read_by(manifest, "gold", without="gold_master") == ["silver_customer"]


def test_rows_get_the_types_back_that_an_engine_has_blurred() -> None:
    rows = pd.DataFrame(
        {
            "day": pd.to_datetime(pd.Series(["2025-01-31", None])),
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
