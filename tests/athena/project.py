"""The whole project on the local Athena, beside the same run on DuckDB."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from python_ml.aws.cost import NodeCost
from python_ml.aws.lake import publish_batch
from python_ml.config import PROJECT_DIR, Settings, load_settings
from python_ml.dbt_runner import DbtNode, DbtRunner
from python_ml.schema import load_source
from python_ml.warehouse import open_warehouse
from tests.athena.conftest import BUCKET
from tests.athena.local.server import REGION, LocalAthena

CUSTOMERS = 500
WORK_GROUP = "spanishgas"
# Five hundred customers are too few for a model that passes the gate.
_NO_GATE = {
    "SPANISHGAS_GATE__MINIMUM_PR_AUC": "0.0",
    "SPANISHGAS_GATE__MINIMUM_RECALL": "0.0",
    "SPANISHGAS_GATE__MAXIMUM_ECE": "1.0",
}


def command(home: Path, *arguments: str, **variables: str) -> None:
    """Run the `spanishgas` command.

    Raises:
        AssertionError: it failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "python_ml.cli", *arguments, "--home", str(home)],
        cwd=PROJECT_DIR,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@dataclass(frozen=True)
class Project:
    """One raw batch and one run's outputs, as both engines see them."""

    duckdb: Settings
    athena: Settings
    run: dict[str, Any]
    dbt: DbtRunner
    work: Path
    costs: list[NodeCost] = field(default_factory=list)  # of the first build on Athena

    def build(self, select: str, **variables: str) -> list[DbtNode]:
        """dbt build on Athena with the variables of the DuckDB run, or others."""
        runner = DbtRunner(
            self.athena,
            self.work / "unused.duckdb",
            self.work / "dbt",
            {**self.dbt.variables, **variables},
        )
        return runner.build(select)


def simulate_and_run(home: Path) -> dict[str, Any]:
    """A simulated batch and a full run of it on DuckDB; returns the run's report."""
    command(home, "simulate", "--customers", str(CUSTOMERS))
    command(home, "run", "--target", "duckdb", **_NO_GATE)
    newest = max((home / "reports" / "runs").glob("*.json"))
    return json.loads(newest.read_text(encoding="utf-8"))


def athena_settings(home: Path, running: LocalAthena) -> Settings:
    """Settings of the target athena; makes its work group."""
    running.client("athena").create_work_group(
        Name=WORK_GROUP,
        Configuration={
            "ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/staging/"},
            "EnforceWorkGroupConfiguration": False,
            "BytesScannedCutoffPerQuery": 1_000_000_000,
        },
    )
    values = {
        "home": str(home),
        "target": "athena",
        "athena.region": REGION,
        "athena.work_group": WORK_GROUP,
        "athena.lake": f"s3://{BUCKET}/lake",
        "athena.data": f"s3://{BUCKET}/warehouse",
        "athena.staging": f"s3://{BUCKET}/staging",
        "athena.poll_seconds": 0.05,
        "threads": 4,
    }
    return load_settings(values, environ={})


def run_on_athena(project: Project, home: Path) -> dict[str, Any]:
    """`spanishgas run --target athena` of the same raw files; returns the run's report."""
    variables = {
        f"SPANISHGAS_ATHENA__{name.upper()}": str(value)
        for name, value in project.athena.athena.as_dict().items()
    }
    raw = str(project.duckdb.layout.raw)
    command(home, "run", "--target", "athena", "--raw", raw, **_NO_GATE, **variables)
    newest = max((home / "reports" / "runs").glob("*.json"))
    return json.loads(newest.read_text(encoding="utf-8"))


def carry_over(home: Path, running: LocalAthena, work: Path) -> Project:
    """Put the DuckDB run's batch and the outputs of its python steps where Athena reads."""
    run = simulate_and_run(home)
    duckdb = load_settings({"home": str(home)}, environ={})
    athena = athena_settings(home, running)
    variables = {"run_id": run["run_id"], "as_of_date": run["as_of_date"]}
    variables["sentiment_backend"] = run["sentiment"]["backend"]
    dbt = DbtRunner(athena, work / "unused.duckdb", work / "dbt", variables)
    batch = (duckdb.layout.lake / "raw").resolve()
    dbt.register_external_tables({"raw": publish_batch(athena.athena, batch, batch.name)})
    with open_warehouse(duckdb) as source, open_warehouse(athena) as target:
        for table in load_source("ml"):
            rows = source.read_external(table)
            for run_id, part in rows.groupby("run_id"):
                target.write_external(table, part.drop(columns="run_id"), str(run_id))
    return Project(duckdb, athena, run, dbt, work)
