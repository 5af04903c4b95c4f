"""dbt by hand on the local Athena: the micro-data, with every test, the same as on DuckDB."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from python_ml.contracts.schema import TableSchema, load_source
from python_ml.engines import open_warehouse
from python_ml.engines.duckdb import DuckDBWarehouse
from python_ml.engines.sql import files
from python_ml.settings import PROJECT_DIR, Settings
from tests.athena.compare import differences
from tests.athena.local.server import LocalAthena
from tests.athena.project import BUCKET, athena_settings, variables_of
from tests.forked import run_forked

MICRO = PROJECT_DIR / "tests" / "micro"
# The place of every file is another one, and what a run was made of is not known by hand.
PLACES = {
    "schema": "micro",
    "work_group": "micro",
    "lake": f"s3://{BUCKET}/micro/lake",
    "data": f"s3://{BUCKET}/micro/warehouse",
    "staging": f"s3://{BUCKET}/micro/staging",
    "runs_table": "micro-runs",
}


@dataclass(frozen=True)
class ByHand:
    """What a person at a terminal has: settings in the environment, and the project."""

    settings: Settings
    environment: dict[str, str]
    work: Path

    def dbt(self, *arguments: str, target: str) -> None:
        environment = self.environment | {"SPANISHGAS_TARGET": target}
        environment["DBT_SPANISHGAS_WAREHOUSE"] = str(self.work / "dev.duckdb")
        places = ["--target-path", str(self.work / target), "--log-path", str(self.work / "logs")]
        done = run_forked(
            [*arguments, *places, "--no-use-colors"], environment, program="dbt", folder=PROJECT_DIR
        )
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]

    def passed(self, target: str) -> set[str]:
        """Nodes of the last command that ended well, tests among them."""
        path = self.work / target / "run_results.json"
        results = json.loads(path.read_text(encoding="utf-8"))["results"]
        return {each["unique_id"] for each in results if each["status"] in ("success", "pass")}


def rows_of(table: TableSchema, part: Path) -> str:
    """A part of a table of the micro-data as a query, in its declared types."""
    typed = [c for c in table.columns if c.name != "run_id"]
    columns = ", ".join(f'cast("{c.name}" as {c.duckdb_type}) as "{c.name}"' for c in typed)
    options = "header = true, all_varchar = true, allow_quoted_nulls = false"
    return f"select {columns} from read_csv({files(part)}, {options}, hive_partitioning = false)"


@pytest.fixture(scope="module")
def by_hand(athena: LocalAthena, tmp_path_factory: pytest.TempPathFactory) -> ByHand:
    """The micro-data in a bucket, registered as a person would."""
    work = tmp_path_factory.mktemp("micro")
    settings = athena_settings(work / "home", athena, PLACES)
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("SPANISHGAS", "DBT"))}
    environment = plain | athena.environment | variables_of(settings)
    # Without a home of its own dbt would read what a run has left in this checkout.
    environment |= {"SPANISHGAS_THREADS": "4", "SPANISHGAS_HOME": str(work / "home")}
    hand = ByHand(settings, environment, work)
    for name, table in load_source("raw").items():
        for part in sorted((MICRO / "raw" / name).rglob("*.csv")):
            place = part.relative_to(MICRO).with_suffix(".parquet")
            query, local = rows_of(table, part), work / "part.parquet"
            duckdb.execute(f"copy ({query}) to {files(local)} (format parquet)")
            key = f"micro/lake/{place.as_posix()}"
            athena.client("s3").put_object(Bucket=BUCKET, Key=key, Body=local.read_bytes())
    hand.dbt("run-operation", "register_external_tables", target="athena")
    before = dict(os.environ)
    os.environ.update(athena.environment)
    try:
        with open_warehouse(settings) as warehouse:
            for name, table in load_source("ml").items():
                for part in sorted((MICRO / "ml" / name).rglob("*.csv")):
                    run_id = part.parent.name.removeprefix("run_id=")
                    warehouse.write_external(name, duckdb.sql(rows_of(table, part)).df(), run_id)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return hand


def test_everything_is_built_and_tested_beside_what_is_published(
    by_hand: ByHand, athena: LocalAthena, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both engines: models, data tests, unit tests, and what was worked out by hand."""
    by_hand.dbt("build", target="athena")
    by_hand.dbt("build", target="duckdb")
    there, here = by_hand.passed("athena"), by_hand.passed("duckdb")
    assert {node for node in here - there if not node.startswith("operation.")} == set()
    assert sum(".micro_" in node for node in there) >= 14
    databases = athena.client("glue").get_databases()["DatabaseList"]
    names = {entry["Name"] for entry in databases if entry["Name"].startswith("micro")}
    assert names == {"micro_dev", "micro_raw", "micro_ml"}, "the published schema is not touched"
    for name, value in athena.environment.items():
        monkeypatch.setenv(name, value)
    beside = by_hand.settings.with_overrides({"athena.schema": "micro_dev"})
    lake = by_hand.settings.layout.lake
    local = DuckDBWarehouse(by_hand.work / "dev.duckdb", lake, threads=2, memory_limit="1GB")
    tables = sorted(node.split(".")[2] for node in here if node.split(".")[0] in ("model", "seed"))
    assert len(tables) > 50
    with open_warehouse(beside) as left, local as right:
        found = {
            name: different
            for name in tables
            if (different := differences(right.read_table(name), left.read_table(name)))
        }
    athena.notes.append(f"micro-data: {len(there)} nodes, {len(tables)} tables the same on both")
    assert not found, "\n".join(f"{name}: {what}" for name, what in found.items())
