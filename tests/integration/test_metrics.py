"""MetricFlow answers the metrics of the project; the dashboards' headline figures are the same."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
HEADLINES = {  # metric, and its column in mart_overview
    "customers": "customer_count",
    "customers_at_risk": "at_risk_count",
    "customers_flagged": "flagged_count",
    "expected_churn_rate": "mean_churn_probability",
    "expected_loss": "expected_monthly_loss_eur",
    "offers": "offer_count",
    "offer_cost": "offer_budget_eur + contact_cost_eur",
    "net_value": "expected_net_value_eur",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project in a place of its own, as mf reads what dbt writes into `target`; the micro-data
    are built by dbt by hand."""
    project = tmp_path_factory.mktemp("metrics")
    for name in ("models", "macros", "seeds", "analyses", "tests", "selectors.yml"):
        (project / name).symlink_to(ROOT / name)
    for name in ("dbt_project.yml", "profiles.yml"):
        (project / name).symlink_to(ROOT / name)
    call(project, "dbt", "build", "--exclude-resource-type", "test", "unit_test", "--quiet")
    return project


def call(project: Path, *command: str) -> None:
    kept = {name: value for name, value in os.environ.items() if "SPANISHGAS" not in name}
    done = subprocess.run(
        [BIN / command[0], *command[1:]],
        cwd=project,
        env=kept | {"DBT_SPANISHGAS_WAREHOUSE": str(project / "dev.duckdb")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def answer(project: Path, metrics: list[str], *options: str) -> list[dict[str, str]]:
    """What `mf query` writes."""
    file = project / "answer.csv"
    call(project, "mf", "query", "--metrics", ",".join(metrics), "--csv", str(file), *options)
    with file.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def query(project: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(project / "dev.duckdb"), read_only=True) as warehouse:
        return warehouse.execute(sql).fetchall()


def test_headline_figures_are_the_metrics(project: Path) -> None:
    (found,) = answer(project, list(HEADLINES))
    (shown,) = query(project, f"select {', '.join(HEADLINES.values())} from mart_overview")
    for metric, figure in zip(HEADLINES, shown, strict=True):
        assert float(found[metric]) == pytest.approx(float(figure), abs=0.01), metric
        assert figure > 0, metric


def test_metrics_are_told_by_dimensions_and_days(project: Path) -> None:
    by_tier = answer(project, ["customers", "saved_margin"], "--group-by", "customer__risk_tier")
    expected = query(
        project,
        "select risk_tier, count(*), sum(expected_saved_margin_eur) from mart_recommendation"
        " group by risk_tier",
    )
    assert {row["customer__risk_tier"]: int(row["customers"]) for row in by_tier} == {
        tier: count for tier, count, _ in expected
    }
    assert sum(float(row["saved_margin"]) for row in by_tier) == pytest.approx(
        sum(margin for *_, margin in expected), abs=0.01
    )
    by_day = answer(project, ["churn_rate", "margin"], "--group-by", "metric_time__month")
    assert any(float(row["churn_rate"] or 0) > 0 for row in by_day)
    assert len({row["metric_time__month"] for row in by_day if row["margin"]}) == 12
