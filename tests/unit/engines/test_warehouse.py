from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from python_ml.engines import open_warehouse
from python_ml.errors import SpanishGasError
from python_ml.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"home": str(tmp_path)}, environ={})


def gate_rows(*values: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model_version": "v1",
            "check_name": [f"check_{i}" for i in range(len(values))],
            "observed_value": values,
            "limit_value": 0.5,
            "is_passed": True,
            "detail": None,
        }
    )


def metric_rows() -> pd.DataFrame:
    row = {"model_version": "v1", "as_of_date": date(2024, 12, 31), "feature_set": "champion"}
    row |= {"slice_dimension": "overall", "slice_value": "overall", "metric": "pr_auc"}
    row |= {"metric_value": 0.7, "ci_low": 0.6, "ci_high": 0.8}
    return pd.DataFrame([{**row, "customer_count": 10, "churner_count": 1}])


def test_an_external_table_is_typed_by_the_source_yaml_and_kept_by_run(settings: Settings) -> None:
    with open_warehouse(settings) as warehouse:
        assert warehouse.read_external("model_gate").empty
        warehouse.write_external("model_gate", gate_rows(1, 2), run_id="a")
        warehouse.write_external("model_gate", gate_rows(3), run_id="b")
        warehouse.write_external("model_gate", gate_rows(4), run_id="a")

        assert warehouse.read_external("model_gate", "a")["observed_value"].tolist() == [4.0]
        both = warehouse.read_external("model_gate")
    assert sorted(zip(both["run_id"], both["observed_value"], strict=True)) == [
        ("a", 4.0),
        ("b", 3.0),
    ]
    assert both["is_passed"].dtype == bool


def test_a_frame_that_does_not_fit_leaves_the_old_part(settings: Settings) -> None:
    with open_warehouse(settings) as warehouse:
        warehouse.write_external("model_gate", gate_rows(1), run_id="a")
        bad = {
            "missing columns \\['detail'\\]": gate_rows(2).drop(columns="detail"),
            "unknown columns \\['extra'\\]": gate_rows(2).assign(extra=1),
            "model_gate": gate_rows(2).assign(observed_value="two"),
        }
        for message, frame in bad.items():
            with pytest.raises(SpanishGasError, match=message):
                warehouse.write_external("model_gate", frame, run_id="a")
        assert warehouse.read_external("model_gate", "a")["observed_value"].tolist() == [1.0]
        with pytest.raises(SpanishGasError, match="not declared"):
            warehouse.write_external("no_such_table", gate_rows(1), run_id="a")


def test_the_database_is_free_between_queries(settings: Settings) -> None:
    settings.layout.home.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(settings.layout.warehouse)) as connection:
        connection.execute("create table t as select 7 as x")
    with open_warehouse(settings) as warehouse:
        assert warehouse.read_table("t", where="x = 7")["x"].tolist() == [7]
        with duckdb.connect(str(settings.layout.warehouse)) as writer:
            writer.execute("insert into t values (8)")
        assert len(warehouse.read_table("t")) == 2


def test_a_missing_warehouse_says_what_builds_it(settings: Settings) -> None:
    with open_warehouse(settings) as warehouse, pytest.raises(SpanishGasError, match="run"):
        warehouse.query("select 1")


def test_a_warehouse_of_another_version_says_what_builds_it(settings: Settings) -> None:
    with duckdb.connect(str(settings.layout.warehouse)) as connection:
        connection.execute("create table risk_tiers as select 'Low' as risk_tier")
    for sql in ("select * from economics", "select minimum_probability from risk_tiers"):
        with (
            open_warehouse(settings) as warehouse,
            pytest.raises(SpanishGasError, match=r"another version has built .*`spanishgas run`"),
        ):
            warehouse.query(sql)


def test_a_table_that_no_run_has_written_can_be_read_by_sql_once_it_is_declared(
    settings: Settings,
) -> None:
    scan = f"read_parquet('{settings.layout.lake}/ml/model_gate/run_id=*/*.parquet')"
    duckdb.connect(str(settings.layout.warehouse)).close()
    with open_warehouse(settings) as warehouse:
        with pytest.raises(SpanishGasError, match="reads files that are not there"):
            warehouse.query(f"select * from {scan}")
        warehouse.write_external("model_metric", metric_rows(), run_id="a")
        declared = warehouse.declare_external_tables()
        assert "model_gate" in declared and "model_metric" not in declared
        assert warehouse.query(f"select is_passed from {scan}").empty
        assert warehouse.declare_external_tables() == []
        assert warehouse.read_external("model_gate").empty
