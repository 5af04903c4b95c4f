"""The whole dbt project on Athena, table by table the same as on DuckDB."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from python_ml.aws.cost import costs_since
from python_ml.errors import SpanishGasError
from python_ml.warehouse import open_warehouse
from tests.athena.conftest import BUCKET
from tests.athena.local.server import LocalAthena
from tests.athena.project import Project, carry_over, run_on_athena

RELATIVE = 1e-9  # of doubles; everything else is equal or it is a defect
LAYERS = ("bronze", "silver", "gold", "marts", "seeds")


@pytest.fixture(scope="module")
def project(athena: LocalAthena, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project after its first build on Athena."""
    before = dict(os.environ)
    os.environ.update(athena.environment)
    try:
        work = tmp_path_factory.mktemp("project")
        carried = carry_over(work / "home", athena, work)
        began = datetime.now(UTC)
        carried.build("*")
        carried.costs.extend(costs_since(carried.athena.athena, began))
        yield carried
    finally:
        os.environ.clear()
        os.environ.update(before)


def tables(project: Project) -> dict[str, list[str]]:
    """Names of all models and seeds by layer."""
    found: dict[str, list[str]] = {}
    for node in project.dbt.manifest()["nodes"].values():
        layer = node["fqn"][1] if node["resource_type"] == "model" else "seeds"
        if node["resource_type"] in ("model", "seed"):
            found.setdefault(layer, []).append(node["name"])
    return found


def differences(left: pd.DataFrame, right: pd.DataFrame) -> list[str]:
    """What differs between two tables whose rows come in any order."""
    if sorted(left.columns) != sorted(right.columns):
        return [f"columns {sorted(set(left.columns) ^ set(right.columns))}"]
    if len(left) != len(right):
        return [f"{len(left)} rows against {len(right)}"]
    left, right = _ordered(left), _ordered(right[left.columns])
    found = []
    for column in left.columns:
        unequal = _unequal(left[column], right[column])
        if unequal.any():
            first = int(np.flatnonzero(unequal)[0])
            example = f"{left[column].iloc[first]!r} against {right[column].iloc[first]!r}"
            found.append(f"{column}: {int(unequal.sum())} cells, the first {example}")
    return found


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows in the order of everything exact, then of the doubles."""
    doubles = [c for c in frame.columns if frame[c].dtype == np.float64]
    keys = [c for c in frame.columns if c not in doubles] + doubles
    helper = frame.assign(**{c: frame[c].round(6) for c in doubles})
    helper = helper.assign(**{c: helper[c].astype(str) for c in keys if frame[c].dtype == object})
    return frame.loc[helper.sort_values(keys, kind="stable").index].reset_index(drop=True)


def _unequal(left: pd.Series, right: pd.Series) -> np.ndarray:
    both_null = (left.isna() & right.isna()).to_numpy()
    one_null = (left.isna() ^ right.isna()).to_numpy()
    if left.dtype == np.float64 and right.dtype == np.float64:
        close = np.isclose(left, right, rtol=RELATIVE, atol=0)
    else:
        close = (left == right).fillna(False).to_numpy(dtype=bool)
    return (~close & ~both_null) | one_null


class TestParity:
    def test_every_table_is_the_same_cell_by_cell(
        self, project: Project, athena: LocalAthena
    ) -> None:
        found, cells, count = {}, 0, 0
        with open_warehouse(project.duckdb) as left, open_warehouse(project.athena) as right:
            for layer in LAYERS:
                for name in tables(project)[layer]:
                    expected, actual = left.read_table(name), right.read_table(name)
                    cells, count = cells + expected.size, count + 1
                    if different := differences(expected, actual):
                        found[name] = different
        assert count > 25
        athena.notes.append(f"parity: {count} tables, {cells} cells, {len(found)} tables differ")
        assert not found, "\n".join(f"{name}: {what}" for name, what in found.items())

    def test_a_changed_cell_is_a_difference(self) -> None:
        base = pd.DataFrame({"a": ["x", "y"], "b": [1.0, 2.0], "c": [1, 2]})
        assert not differences(base, base.iloc[::-1])
        assert not differences(base, base.assign(b=base["b"] * (1 + 1e-12)))
        assert differences(base, base.assign(b=[1.0, 2.0000001]))
        assert differences(base, base.assign(b=[1.0, None]))
        assert differences(base, base.assign(c=[1, 3]))
        assert differences(base, base.assign(a=["x", None]))
        assert differences(base, base.head(1))
        assert differences(base, base.drop(columns="c"))

    def test_types_are_the_same(self, project: Project, athena: LocalAthena) -> None:
        names = {"STRING": "VARCHAR", "INT": "INTEGER"}
        glue_types, duckdb_types = {}, {}
        schema = project.athena.athena.schema
        pages = athena.client("glue").get_paginator("get_tables")
        for page in pages.paginate(DatabaseName=schema):
            for table in page["TableList"]:
                for column in table["StorageDescriptor"]["Columns"]:
                    kind = column["Type"].upper().split("(")[0]
                    glue_types[table["Name"], column["Name"]] = names.get(kind, kind)
        with open_warehouse(project.duckdb) as warehouse:
            columns = warehouse.query(
                "select table_name, column_name, data_type from duckdb_columns() where not internal"
            )
        for table, column, kind in columns.itertuples(index=False):
            duckdb_types[table, column] = kind.split("(")[0]
        assert glue_types == duckdb_types
        assert duckdb_types


class TestCost:
    def test_hourly_data_is_scanned_once(self, project: Project, athena: LocalAthena) -> None:
        costs = {cost.node.split(".")[-1]: cost for cost in project.costs}
        landed = (project.duckdb.layout.lake / "raw" / "consumption_hourly").rglob("*.parquet")
        hourly_bytes = sum(part.stat().st_size for part in landed)
        months = costs.pop("bronze_customer_month").scanned_bytes
        assert 0.5 * hourly_bytes < months <= 1.01 * hourly_bytes
        rest = sum(cost.scanned_bytes for cost in costs.values())
        assert max(cost.scanned_bytes for cost in costs.values()) < 0.2 * hourly_bytes
        usd = sum(cost.usd for cost in project.costs)
        queries = sum(cost.query_count for cost in project.costs)
        athena.notes.append(
            f"a build: {queries} queries, {months + rest:,} bytes scanned, of them {months:,} by "
            f"bronze_customer_month ({hourly_bytes:,} landed hourly), {usd:.4f} USD"
        )


class TestBuild:
    def test_a_second_build_replaces_the_tables(self, project: Project) -> None:
        with open_warehouse(project.athena) as warehouse:
            before = warehouse.read_table("mart_customer_risk")
            nodes = project.build("mart_customer_risk silver_customer")
            assert {node.status for node in nodes} <= {"success", "pass"}
            assert not differences(before, warehouse.read_table("mart_customer_risk"))

    def test_a_failed_statement_leaves_the_previous_tables_readable(self, project: Project) -> None:
        with open_warehouse(project.athena) as warehouse:
            before = warehouse.row_counts()
            with pytest.raises(SpanishGasError, match="INVALID_CAST_ARGUMENT"):
                project.build("silver gold", as_of_date="2024-13-45")
            assert warehouse.row_counts() == before
            assert before["gold_master"] > 0


class TestRun:
    def test_the_same_command_with_another_target_gives_the_same_scores(
        self, project: Project
    ) -> None:
        report = run_on_athena(project, project.work / "athena-home")
        assert [step["step"] for step in report["steps"]] == [
            step["step"] for step in project.run["steps"]
        ]
        columns = ["customer_id", "as_of_date", "raw_score", "churn_probability", "risk_tier"]
        with open_warehouse(project.duckdb) as left, open_warehouse(project.athena) as right:
            expected = left.read_external("customer_score", project.run["run_id"])
            actual = right.read_external("customer_score", report["run_id"])
            assert not differences(expected[columns], actual[columns])
            marts = [name for name in tables(project)["marts"] if name != "mart_model_performance"]
            for name in marts:
                assert len(left.read_table(name)) == len(right.read_table(name)), name


class TestWarehouse:
    def test_an_external_table_is_seen_once_it_is_registered(
        self, project: Project, athena: LocalAthena
    ) -> None:
        frame = pd.DataFrame(
            {"model_version": ["v"], "check_name": ["c"], "observed_value": [1.0]}
        ).assign(limit_value=0.5, is_passed=True, detail=None)
        with open_warehouse(project.athena) as warehouse:
            seen = f"select * from {project.athena.athena.schema}_ml.model_gate where run_id = 'r'"
            assert warehouse.query(seen).empty
            warehouse.write_external("model_gate", frame, run_id="r")
            warehouse.write_external("model_gate", frame.assign(observed_value=2.0), run_id="r")
            assert warehouse.query(seen)["observed_value"].tolist() == [2.0]
            assert warehouse.read_external("model_gate", "r")["observed_value"].tolist() == [2.0]
            with pytest.raises(SpanishGasError, match="missing columns"):
                warehouse.write_external("model_gate", frame.drop(columns="detail"), run_id="r")
            with pytest.raises(SpanishGasError, match="COLUMN_NOT_FOUND"):
                warehouse.query("select absent from gold_master")
        keys = athena.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="staging/unload/")
        assert keys["KeyCount"] == 0
