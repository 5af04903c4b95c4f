"""The whole project on the local Athena, beside the same run on DuckDB."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from python_ml.contracts.schema import load_source
from python_ml.engines import open_warehouse
from python_ml.engines.athena_costs import costs_since
from python_ml.engines.costs import CostReport
from python_ml.settings import PROJECT_DIR, Settings, load_settings
from python_ml.transform.dbt import DbtNode, DbtRunner
from tests.athena.local.server import REGION, LocalAthena
from tests.forked import run_forked
from tests.open_gate import FEW_TREES, OPEN_GATE, as_variables

CUSTOMERS = 500
BUCKET = "spanishgas-local"
PLACES = {
    "work_group": "spanishgas",
    "lake": f"s3://{BUCKET}/lake",
    "data": f"s3://{BUCKET}/warehouse",
    "staging": f"s3://{BUCKET}/staging",
}
SMALL = OPEN_GATE | FEW_TREES


def command(
    home: Path,
    *arguments: str,
    exit_code: int = 0,
    variables: Mapping[str, str] | None = None,
) -> str:
    """Run the `spanishgas` command; returns what it said on stderr.

    Raises:
        AssertionError: it ended with another exit code.
    """
    return called(home, *arguments, exit_code=exit_code, variables=variables).stderr


def document(home: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> Any:
    """The JSON document of a `spanishgas` command.

    Raises:
        AssertionError: it did not end with 0.
    """
    return json.loads(called(home, *arguments, "--json", variables=variables).stdout)


def called(
    home: Path,
    *arguments: str,
    exit_code: int = 0,
    variables: Mapping[str, str] | None = None,
) -> CompletedProcess[str]:
    """Run the `spanishgas` command.

    Raises:
        AssertionError: it ended with another exit code.
    """
    environment = {**os.environ, **as_variables(SMALL), **(variables or {})}
    done = run_forked([*arguments, "--home", str(home)], environment, folder=PROJECT_DIR)
    assert done.returncode == exit_code, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def newest_report(home: Path) -> dict[str, Any]:
    """What the last run of a home wrote of itself."""
    newest = max((home / "reports" / "runs").glob("*.json"))
    report: dict[str, Any] = json.loads(newest.read_text(encoding="utf-8"))
    return report


@dataclass(frozen=True)
class Project:
    """One raw batch, run on both engines."""

    duckdb: Settings
    athena: Settings
    run: dict[str, Any]
    athena_run: dict[str, Any]
    costs: CostReport  # of the run on Athena
    work: Path

    def on_athena(self, *arguments: str, exit_code: int = 0) -> str:
        """The `spanishgas` command with the target athena."""
        return command(
            self.athena.layout.home,
            *(*arguments, "--target", "athena"),
            exit_code=exit_code,
            variables=variables_of(self.athena),
        )

    def documents(self, duckdb_home: Path, *arguments: str) -> tuple[Any, Any]:
        """The JSON documents of a command on a home of DuckDB and on Athena."""
        there = (*arguments, "--target", "athena")
        return (
            document(duckdb_home, *arguments),
            document(self.athena.layout.home, *there, variables=variables_of(self.athena)),
        )

    def dbt(self, schema: str | None = None, **variables: Any) -> DbtRunner:
        """dbt by hand, into the published database or another, with DuckDB's run's variables."""
        values = {
            "run_id": self.run["run_id"],
            "as_of_date": self.run["as_of_date"],
            "sentiment_backend": self.run["sentiment"]["backend"],
        }
        unused, place = self.work / "unused.duckdb", self.work / "dbt"
        return DbtRunner(self.athena, unused, place, values | variables, None, schema)

    def build(self, select: str, **variables: Any) -> list[DbtNode]:
        return self.dbt(**variables).build(select)

    def carry_over(self) -> None:
        """Give Athena what the python steps of the run on DuckDB wrote."""
        with open_warehouse(self.duckdb) as source, open_warehouse(self.athena) as target:
            for table in load_source("ml"):
                rows = source.read_external(table, self.run["run_id"])
                if not rows.empty:
                    target.write_external(table, rows.drop(columns="run_id"), self.run["run_id"])


def run_on_duckdb(work: Path) -> Settings:
    """Simulate a batch and run it here."""
    home = work / "home"
    command(home, "simulate", "--customers", str(CUSTOMERS))
    command(home, "run", "--target", "duckdb")
    return load_settings({"home": str(home)}, environ={})


def run_on_athena(duckdb: Settings, work: Path, running: LocalAthena) -> Project:
    """Run the same batch on Athena."""
    athena = athena_settings(work / "athena-home", running, PLACES)
    began = datetime.now(UTC)
    project = Project(duckdb, athena, newest_report(duckdb.layout.home), {}, CostReport(), work)
    project.on_athena("run", "--raw", str(duckdb.layout.raw))
    costs = costs_since(athena.athena, began)
    report = newest_report(athena.layout.home)
    return Project(duckdb, athena, project.run, report, costs, work)


def athena_settings(
    home: Path, running: LocalAthena, places: Mapping[str, str], poll_seconds: float = 0.05
) -> Settings:
    """Settings of the target athena; makes its work group and its table of runs."""
    running.client("athena").create_work_group(
        Name=places["work_group"],
        Configuration={
            "ResultConfiguration": {"OutputLocation": f"{places['staging']}/"},
            "EnforceWorkGroupConfiguration": False,
            "BytesScannedCutoffPerQuery": 1_000_000_000,
        },
    )
    values = {
        "home": str(home),
        "target": "athena",
        "athena.region": REGION,
        **{f"athena.{name}": place for name, place in places.items()},
        "athena.poll_seconds": poll_seconds,
        "threads": 4,
    }
    settings = load_settings(values, environ={})
    keys = {"warehouse": "HASH", "item": "RANGE"}
    running.client("dynamodb").create_table(
        TableName=settings.athena.runs_table,
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    return settings


def variables_of(settings: Settings) -> dict[str, str]:
    """The section `athena` as variables of the environment."""
    return {
        f"SPANISHGAS_ATHENA__{name.upper()}": str(value)
        for name, value in settings.athena.as_dict().items()
        if value is not None
    }
