"""What dbt keeps of the project from one process to the next."""

from __future__ import annotations

from pathlib import Path

import duckdb
from dbt_home import settings_of

from python_ml.dbt_runner import DbtRunner
from python_ml.schema import load_source
from python_ml.warehouse import open_warehouse


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
