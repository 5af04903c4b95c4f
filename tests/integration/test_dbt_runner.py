"""What dbt keeps of the project from one process to the next."""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import pytest

from python_ml.contracts.schema import load_source
from python_ml.engines import open_warehouse
from python_ml.settings import PROJECT_DIR
from python_ml.transform.dbt import _ANY_SCHEMA, DbtRunner
from tests.integration.dbt_home import settings_of


def test_what_dbt_has_read_serves_the_next_home_which_reads_its_own_lake(tmp_path: Path) -> None:
    manifests = []
    for name in ("one", "other"):
        settings = settings_of(tmp_path / name)
        database = tmp_path / name / "warehouse.duckdb"
        runner = DbtRunner(settings, database, tmp_path / name / "dbt", {})
        manifests.append(runner.manifest()["nodes"])
        with open_warehouse(settings) as warehouse:
            warehouse.declare_external_tables()
        runner.build("risk_tiers")
        with duckdb.connect(str(database), read_only=True) as connection:
            views = connection.execute(
                "select sql from duckdb_views() where schema_name = 'main_ml'"
            ).fetchall()
        assert len(views) == len(load_source("ml"))
        assert all(str(settings.layout.lake) in sql for (sql,) in views)
    first, second = manifests
    assert {key: node["created_at"] for key, node in first.items()} == {
        key: node["created_at"] for key, node in second.items()
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of dbt-athena's macros
def test_what_dbt_has_read_serves_the_next_run_in_a_database_of_its_own(tmp_path: Path) -> None:
    """On Athena each run builds in another one, which is part of dbt's profile."""
    given = {"target": "athena", "athena.schema": "of_company", "athena.lake": "s3://a/lake"}
    settings = settings_of(tmp_path / "home").with_overrides(given)
    documents = []
    for schema in ("of_run_1", "of_run_2"):
        runner = DbtRunner(settings, tmp_path / "none", tmp_path / schema, {}, schema=schema)
        runner._kept = tmp_path / "kept"
        manifest = runner.manifest()
        models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
        assert {node["schema"] for node in models} == {schema}
        assert {node["schema"] for node in manifest["sources"].values()} == {
            "of_company_raw",
            "of_company_ml",
        }
        kinds = ("nodes", "sources", "unit_tests", "semantic_models")
        documents.append(json.dumps({kind: manifest[kind] for kind in kinds}, sort_keys=True))
        assert _ANY_SCHEMA not in documents[-1]
    # Even what dbt notes of when it has read a file is the same.
    assert documents[0].replace("of_run_1", "of_run_2") == documents[1]


def test_dbt_is_imported_in_one_place() -> None:
    """A newer dbt is then a change of pins and, at most, of one module."""
    found = {
        path.relative_to(PROJECT_DIR).as_posix()
        for path in (PROJECT_DIR / "python_ml").rglob("*.py")
        if re.search(r"^\s*(?:from|import) dbt\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert found == {"python_ml/transform/dbt.py"}


def test_what_dbt_does_not_promise_is_still_there(tmp_path: Path) -> None:
    """All that dbt_runner uses beside the documented dbtRunner; each line says what breaks."""
    from dbt import mp_context
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    assert hasattr(mp_context, "_MP_CONTEXT"), "dbt's locks start a process that outlives a run"
    assert callable(DuckDBConnectionManager.close_all_connections), (
        "the database would stay open, and locked for every other process, after a command"
    )
    settings = settings_of(tmp_path)
    runner = DbtRunner(settings, tmp_path / "warehouse.duckdb", tmp_path / "dbt", {})
    runner._kept = tmp_path / "kept"
    heard: list[tuple[str, float]] = []
    nodes = runner.build("risk_tiers", lambda what, share: heard.append((what, share or 0.0)))
    assert list((tmp_path / "kept").rglob("partial_parse.msgpack")), (
        "what dbt has read is kept under another name: every run reads the project anew"
    )
    assert any("risk_tiers" in what for what, _ in heard) and heard[-1][1] == 1.0, (
        "the event LogStartLine (description, index, total) is another: runs show no progress"
    )
    assert {(node.name, node.kind, node.status) for node in nodes} >= {
        ("risk_tiers", "seed", "success")
    }, "results name nodes in another way: runs could not tell a failed test from an error"
    other = DbtRunner(settings, tmp_path / "warehouse.duckdb", tmp_path / "other", {"run_id": "r9"})
    other._manifest = runner._parsed()
    with open_warehouse(settings) as warehouse:
        warehouse.declare_external_tables()
    sql = other.compile("mart_drift")
    assert "'r9'" in sql, "a manifest that is handed over no longer takes the variables of now"
