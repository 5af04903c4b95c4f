"""Every simple rule that the project declares is proved by a query, and can fail."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.adapters.sql.connections import SQLConnectionManager

from python_ml.errors import QualityGateError
from python_ml.land import land
from python_ml.simulate.run import simulate
from python_ml.transform.dbt import DbtRunner
from tests.integration.dbt_home import build, dbt, settings_of, write_scores

RUN = "test-run"
# What breaks a rule of a table that `spoil` does not.
PLANTED = {
    "gold_master": "update {} set avg_monthly_margin_eur = null",
    "offer_policy": "update {} set monthly_margin_share = 0.5",
    "mart_campaign_effect": "insert into {} by name select 1.0 as churn_reduction, "
    "2.0 as churn_reduction_low, 3.0 as churn_reduction_high",
    "silver_price_month": "update {} set variable_price_tier1_eur_kwh_source = 'missing'",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with every layer built, and its tests compiled."""
    home = tmp_path_factory.mktemp("home")
    simulate(home / "raw", customers=120, seed=11)
    land(home / "raw", settings_of(home))
    build(home, "resource_type:seed bronze silver gold")
    write_scores(home, RUN)
    build(home, "marts", "--vars", f"{{run_id: {RUN}}}")
    tests = ["--select", "test_name:keeps_contract", "test_name:keeps_bands"]
    assert dbt(home, "compile", *tests, "--vars", f"{{run_id: {RUN}}}").success
    return home


@pytest.fixture
def warehouse(home: Path, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of the home's tables, to be spoilt; views are tables in it."""
    shutil.copy(home / "warehouse.duckdb", tmp_path / "warehouse.duckdb")
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        views = connection.execute(
            "select view_name from duckdb_views() where not internal and schema_name = 'main'"
        )
        for (view,) in views.fetchall():
            connection.execute(f"create table spoilt as select * from {view}; drop view {view}")
            connection.execute(f"alter table spoilt rename to {view}")
        yield connection


def proofs(home: Path, kind: str) -> dict[str, str]:
    """The compiled SQL of each test of a kind, by the table that it looks at."""
    manifest = json.loads((home / "target" / "manifest.json").read_text(encoding="utf-8"))
    compiled = {}
    for node in manifest["nodes"].values():
        is_of = (node.get("test_metadata") or {}).get("name")
        if is_of == kind and node["attached_node"]:  # sources have none
            table = manifest["nodes"][node["attached_node"]]["name"]
            compiled[table] = node["compiled_code"]
    return compiled


def rules_of(sql: str) -> set[tuple[str, str]]:
    """Column and rule of everything that a proof counts."""
    listed = sql[sql.index("cross join (") : sql.index(") as rules (")]
    found = re.findall(r"^\s*\(\d+, '([^']*)', '((?:[^']|'')*)'\)", listed, flags=re.MULTILINE)
    return {(column, rule.replace("''", "'")) for column, rule in found}


def broken(connection: duckdb.DuckDBPyConnection, sql: str) -> set[tuple[str, str]]:
    return {(column, rule) for _, column, rule, _ in connection.execute(sql).fetchall()}


def spoil(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Add to a table: every row again, a row of nulls, and rows of values that nothing allows."""
    columns = connection.execute(
        "select column_name, data_type from duckdb_columns() where table_name = ?", [table]
    ).fetchall()
    absurd = {
        "VARCHAR": ("'no such value'", "'no such value'"),
        "BOOLEAN": ("true", "false"),
        "DATE": ("date '1900-01-01'", "date '2100-01-01'"),
        "TIMESTAMP": ("timestamp '1900-01-01'", "timestamp '1900-01-01'"),
    }
    for side in (0, 1):
        values = [
            absurd["DATE"][0] if name == "as_of_date" else absurd.get(kind, ("-999", "999"))[side]
            for name, kind in columns
        ]
        connection.execute(f"insert into {table} values ({', '.join(values)})")
    connection.execute(f"insert into {table} select * from {table}")
    connection.execute(f"insert into {table} values ({', '.join(['null'] * len(columns))})")


def test_a_fresh_build_breaks_no_rule(home: Path, warehouse: duckdb.DuckDBPyConnection) -> None:
    compiled = proofs(home, "keeps_contract")
    assert len(compiled) > 50
    assert {
        table: found for table, sql in compiled.items() if (found := broken(warehouse, sql))
    } == {}


def test_every_rule_can_fail(home: Path, warehouse: duckdb.DuckDBPyConnection) -> None:
    compiled = proofs(home, "keeps_contract")
    silent = {}
    for table, sql in compiled.items():
        declared = rules_of(sql)
        assert declared, table
        found: set[tuple[str, str]] = set()
        for plant in (None, PLANTED.get(table, "delete from {}")):
            warehouse.begin()
            if plant is None:
                spoil(warehouse, table)
            else:
                warehouse.execute(plant.format(table))
            found |= broken(warehouse, sql)
            warehouse.rollback()
        if missed := declared - found:
            silent[table] = missed
    assert silent == {}


def spoilt(home: Path, folder: Path, *statements: str) -> DbtRunner:
    """A runner on a copy of the home, whose warehouse these statements have changed."""
    shutil.copytree(home / "lake", folder / "lake")
    shutil.copy(home / "warehouse.duckdb", folder / "warehouse.duckdb")
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        for statement in statements:
            connection.execute(statement)
    settings = settings_of(folder)
    return DbtRunner(settings, settings.layout.warehouse, folder / "dbt", {"run_id": RUN})


def test_a_broken_rule_is_named_with_model_column_and_count(home: Path, tmp_path: Path) -> None:
    runner = spoilt(
        home,
        tmp_path,
        "update mart_customer_risk set as_of_date = null, risk_tier = 'none' where is_flagged",
        "update mart_recommendation set decision = 'maybe' where rowid < 3",
    )
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        flagged = connection.execute("select count(*) from mart_customer_risk where is_flagged")
        (count,) = flagged.fetchone() or (0,)
    expected = {
        "mart_customer_risk_keeps_contract": (
            f"mart_customer_risk.as_of_date breaks not_null in {count} rows; "
            f"mart_customer_risk.risk_tier breaks references risk_tiers.risk_tier in {count} rows"
        ),
        "mart_recommendation_keeps_contract": (
            "mart_recommendation.decision breaks check decision in ('offered', 'low_risk', "
            "'in_campaign', 'margin_unknown', 'margin_not_positive', 'value_unknown', "
            "'value_negative', 'no_reason', 'over_budget') in 3 rows"
        ),
    }
    for test, sentence in expected.items():
        with pytest.raises(QualityGateError) as told:
            runner.build(test)
        assert str(told.value) == f"1 data tests failed:\n  {test}: {sentence}"


def test_a_run_proves_the_rules_of_all_that_it_has_built(home: Path, tmp_path: Path) -> None:
    """Twelve tables: more than one query proves, of which two are broken by the same rows."""
    runner = spoilt(
        home, tmp_path, "insert into gold_master from (from gold_master order by 1 limit 3)"
    )
    with pytest.raises(QualityGateError) as told:
        runner.build("mart_customer_risk mart_customer_profile resource_type:seed", jointly=True)
    assert sorted(str(told.value).split("\n")) == [
        "  keeps_contract_mart_customer_profile_: mart_customer_profile.customer_id breaks "
        "primary_key in 3 rows",
        "  mart_customer_risk_keeps_contract: mart_customer_risk.customer_id breaks primary_key "
        "in 3 rows",
        "2 data tests failed:",
    ]


def test_together_the_proofs_are_those_of_the_tests(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    send = SQLConnectionManager.add_query

    def add_query(self: Any, sql: str, *arguments: Any, **options: Any) -> Any:
        sent.append(sql)
        return send(self, sql, *arguments, **options)

    monkeypatch.setattr(SQLConnectionManager, "add_query", add_query)
    spoilt(home, tmp_path).build("resource_type:seed silver gold marts", jointly=True)
    together = [sql for sql in sent if "as test_name" in sql]
    found = {}
    for part in "\nunion all\n".join(together).split("as test_name from (")[1:]:
        sql = part.rpartition(") as proof")[0].strip()
        found[sql.partition("'")[2].partition("'")[0]] = sql
    expected = proofs(home, "keeps_contract")
    built = {table: sql for table, sql in expected.items() if not table.startswith("bronze")}
    assert len(built) > 60
    assert len(together) == -(-len(built) // 10)
    assert found == {table: sql.strip() for table, sql in built.items()}


def test_what_only_the_joint_proof_finds_is_a_warning(
    home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A month that is there twice for the tests keeps_bands and prove_jointly, but not after."""
    runner = spoilt(
        home,
        tmp_path,
        "create sequence asked",
        "alter table silver_price_neighbour rename to kept",
        "create table twice as from kept where month_start = date '2024-06-01' limit 1",
        "create view silver_price_neighbour as from kept union all "
        "from twice where nextval('asked') <= 2",
    )
    with caplog.at_level(logging.WARNING):
        nodes = runner.build("silver_price_month", jointly=True)
    assert {node.status for node in nodes} <= {"success", "pass", "warn"}
    assert "keeps_contract" in caplog.text
