"""A home built by dbt, and scores without a model in it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
import yaml
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.artifacts.resources.types import NodeType
from dbt.artifacts.schemas.results import ExecutionResult
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from python_ml.engines import open_warehouse
from python_ml.settings import Settings, load_settings
from python_ml.transform.dbt import DbtRunner

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    """Names of the nodes that a dbt command ran, by status."""

    success: bool
    names: dict[str, list[str]]


def dbt(home: Path, *arguments: str, threads: int = 2) -> Outcome:
    """Run a dbt command on the lake and warehouse of a home, in this process: it starts slowly.

    The project is read once, as in a run: by all commands with the variables that shape it.
    """
    manifest = parsed_project(_shaping(arguments))
    command = [*arguments, "--project-dir", str(ROOT), "--profiles-dir", str(ROOT)]
    command += ["--target-path", str(home / "target"), "--log-path", str(home / "logs"), "--quiet"]
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("SPANISHGAS", "DBT"))]:
            patch.delenv(name)
        patch.setenv("DBT_SPANISHGAS_LAKE", str(home / "lake"))
        patch.setenv("DBT_SPANISHGAS_WAREHOUSE", str(home / "warehouse.duckdb"))
        patch.setenv("DBT_SPANISHGAS_THREADS", str(threads))
        try:
            done = dbtRunner(manifest=manifest).invoke(command)
        finally:
            # dbt gives it no types
            DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    assert done.exception is None, done.exception
    assert isinstance(done.result, ExecutionResult), done.result
    names: dict[str, list[str]] = {}
    for result in done.result.results:
        if result.node.resource_type == NodeType.Operation:  # the hook that shows the lake
            continue
        names.setdefault(str(result.status), []).append(result.node.name)
    return Outcome(done.success, names)


def _shaping(arguments: Sequence[str]) -> bool:
    """Whether the variables of a command say that months are read again."""
    given = arguments[arguments.index("--vars") + 1] if "--vars" in arguments else "{}"
    return yaml.safe_load(given).get("touched_months") is not None


@cache
def parsed_project(goes_on: bool = False) -> Manifest:
    """The project as a run reads it.

    Args:
        goes_on: with tables that are there, of which some months are read again.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        variables: dict[str, list[str]] = {"touched_months": []} if goes_on else {}
        runner = DbtRunner(settings_of(home), home / "warehouse.duckdb", home, variables)
        manifest: Manifest = runner._parsed()
    return manifest


def build(home: Path, select: str, *arguments: str, threads: int = 2) -> None:
    command = ["build", "--select", *select.split(), *arguments]
    done = dbt(home, *command, "--exclude-resource-type", "unit_test", threads=threads)
    assert done.success, done.names


def query(home: Path, sql: str) -> pd.DataFrame:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).df()


def settings_of(home: Path) -> Settings:
    return load_settings({"home": str(home)}, environ={})


# Columns of everything of a model that marts read beside the scores.
OF_THE_MODEL: dict[str, dict[str, Any]] = {
    "model_metric": {
        "as_of_date": date(2024, 12, 31),
        "feature_set": ["champion", "without_text"],
        "slice_dimension": "overall",
        "slice_value": "overall",
        "metric": "pr_auc",
        "metric_value": [0.7, 0.5],
        "ci_low": [0.6, 0.4],
        "ci_high": [0.8, 0.6],
        "customer_count": 10,
        "churner_count": 1,
    },
    "model_curve": {
        "feature_set": "champion",
        "curve": ["roc"],
        "point": 0,
        "threshold": 0.5,
        "x": 0.1,
        "y": 0.9,
        "y_low": 0.8,
        "y_high": 1.0,
        "customer_count": 10,
    },
    "model_decision": {
        "decision_number": [1],
        "action": "gate",
        "status": "Approved",
        "reason": "every check passed",
        "decided_by": "gate",
        "decided_at": pd.Timestamp("2025-01-01 06:00:00"),
        "evidence": "{}",
    },
    "model_gate": {
        "check_name": ["pr_auc"],
        "observed_value": 0.7,
        "limit_value": 0.7,
        "is_passed": True,
        "detail": "",
    },
}


def write_scores(home: Path, run_id: str) -> None:
    """Scores spread evenly over the customers, a reason each, and a made-up model of theirs."""
    gold = query(home, "select * from gold_master order by customer_id")
    share = (np.arange(len(gold)) + 0.5) / len(gold)
    tier = np.select([share < 0.4, share < 0.6, share < 0.8], ["Low", "Medium", "High"], "Critical")
    customers = gold[["customer_id", "as_of_date"]]
    frames = {
        "customer_score": customers.assign(
            model_version="m1",
            raw_score=share,
            churn_probability=share,
            is_flagged=share >= 0.5,
            risk_tier=tier,
            avg_monthly_margin_eur=gold["avg_monthly_margin_eur"],
            segment=gold["segment"],
        ),
        "score_reason": customers.assign(
            reason_rank=1,
            feature="months_to_renewal",
            feature_value=gold["months_to_renewal"].map("{:.6g}".format),
            contribution_log_odds=0.5,
        ),
    }
    for table, row in OF_THE_MODEL.items():
        frames[table] = pd.DataFrame({"model_version": "m1", **row})
    with open_warehouse(settings_of(home)) as warehouse:
        for table, frame in frames.items():
            warehouse.write_external(table, frame, run_id)
        warehouse.declare_external_tables()
