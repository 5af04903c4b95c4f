"""What people who know dbt type, on a clean clone and after a run, without flags or variables."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from tests.integration.command import spanishgas
from tests.integration.project_copy import copy_project, dbt, ran
from tests.open_gate import FEW_TREES, OPEN_GATE, as_variables

CUSTOMERS = 300
NO_GATE = as_variables(OPEN_GATE | FEW_TREES)
PUBLISHED = "20250201T060000-bbbbbb"  # of the micro-data's runs
PRICES = "tests/micro/raw/price_history/part-0.csv"

pytestmark = pytest.mark.slow


def rows(database: Path, sql: str) -> pd.DataFrame:
    with duckdb.connect(str(database), read_only=True) as connection:
        return connection.execute(sql).df()


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean clone after its first `dbt build`."""
    project = copy_project(tmp_path_factory.mktemp("clone"))
    assert dbt(project, "debug").returncode == 0
    done = dbt(project, "build")
    assert done.returncode == 0, done.stdout[-5000:]
    return project


def test_a_clean_clone_is_built_and_tested_whole(clone: Path) -> None:
    built, nodes = ran(clone / "target"), json.loads((clone / "target/manifest.json").read_text())
    models = {
        node["name"]
        for node in nodes["nodes"].values()
        if node["resource_type"] in ("model", "seed", "snapshot")
    }
    assert models <= set(built)
    assert len(nodes["unit_tests"]) >= 35
    assert sum(name.startswith("micro_") for name in built) >= 14
    assert set(built.values()) <= {"success", "pass", "warn", "no-op"}
    assert not (clone / "data").exists()
    shown = rows(clone / "dev.duckdb", "select distinct run_id from mart_customer_risk")
    assert shown["run_id"].tolist() == [PUBLISHED]


@pytest.mark.parametrize(
    "command",
    [
        "ls",
        "compile",
        "run --empty",
        "test --select tag:micro --exclude tag:micro",
        "source freshness",
        "show --select bronze_customer_month --limit 3",
        'show --inline \'select * from {{ source("raw", "customer_contracts") }}\'',
        "run-operation register_external_tables",
    ],
)
def test_commands_end_well(clone: Path, command: str) -> None:
    # In one place for all commands: when the profile changes, dbt reads the whole project again.
    copy = clone.with_name(f"{clone.name}-copy") / "dev.duckdb"
    copy.parent.mkdir(exist_ok=True)
    shutil.copyfile(clone / "dev.duckdb", copy)
    done = dbt(clone, *shlex.split(command), DBT_SPANISHGAS_WAREHOUSE=str(copy))
    assert done.returncode == 0, done.stdout[-3000:]


def test_docs_know_the_columns_of_sources(clone: Path) -> None:
    assert dbt(clone, "docs", "generate", "--quiet").returncode == 0
    catalog = json.loads((clone / "target" / "catalog.json").read_text())
    assert "source.spanishgas.raw.customer_contracts" in catalog["sources"]
    assert "model.spanishgas.mart_customer_risk" in catalog["nodes"]


def test_the_lineage_does_not_depend_on_variables(clone: Path) -> None:
    lineages = []
    for variables in (
        "{}",
        "{run_id: r1, sentiment_backend: none, as_of_date: '2024-06-30', touched_months: []}",
    ):
        assert dbt(clone, "parse", "--no-partial-parse", "--vars", variables).returncode == 0
        nodes = json.loads((clone / "target" / "manifest.json").read_text())["parent_map"]
        lineages.append({name: sorted(parents) for name, parents in nodes.items()})
    assert lineages[0] == lineages[1]
    read = lineages[0]["model.spanishgas.silver_interaction"]
    assert "source.spanishgas.ml.interaction_sentiment" in read


def test_a_wrong_value_is_red_and_retry_goes_on_where_a_build_ended(clone: Path) -> None:
    right = (clone / PRICES).read_text(encoding="utf-8")
    try:
        for value, status, nodes in (
            ("0.26", "fail", {"micro_margin", "micro_money"}),
            ("dear", "error", {"bronze_price_month"}),
        ):
            wrong = right.replace("C00001,2024-07-01,0.25,", f"C00001,2024-07-01,{value},")
            assert wrong != right
            (clone / PRICES).write_text(wrong, encoding="utf-8")
            assert dbt(clone, "build", "--select", "bronze_price_month+").returncode == 1
            found = {name for name, what in ran(clone / "target").items() if what == status}
            assert found and found <= nodes
    finally:
        (clone / PRICES).write_text(right, encoding="utf-8")
    done = dbt(clone, "retry")
    assert done.returncode == 0, done.stdout[-3000:]
    assert {"bronze_price_month", "gold_master", "micro_margin"} <= set(ran(clone / "target"))


def test_after_a_run_dbt_builds_what_is_published_beside_it(clone: Path, tmp_path: Path) -> None:
    """Its lake, run and labels; the published file stays as it is, and every table is the same."""
    home = clone / "data"
    simulated = ("simulate", "--customers", str(CUSTOMERS), "--readings", "typical-days")
    for command in (simulated, ("run",)):
        done = spanishgas(*command, home=home, **NO_GATE)
        assert done.returncode == 0, done.stderr
    published = home / "warehouse.duckdb"
    before = hashlib.sha256(published.read_bytes()).hexdigest()
    done = dbt(clone, "build")
    assert done.returncode == 0, done.stdout[-5000:]
    assert hashlib.sha256(published.read_bytes()).hexdigest() == before
    names = rows(published, "select table_name as t from duckdb_tables() order by 1")["t"].tolist()
    assert len(names) > 50
    for name in names:
        # What a month was made of only a run knows.
        columns = "* exclude (month_version)" if name == "bronze_customer_month" else "*"
        sql = f"select {columns} from {name} order by all"
        pd.testing.assert_frame_equal(
            rows(clone / "dev.duckdb", sql), rows(published, sql), check_exact=True, obj=name
        )
