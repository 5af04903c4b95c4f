"""MetricFlow answers the metrics of the project; the dashboards' headline figures are the same."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

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
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The micro-data, built by dbt by hand, and where mf finds them."""
    work = tmp_path_factory.mktemp("metrics")
    kept = {name: value for name, value in os.environ.items() if "SPANISHGAS" not in name}
    kept |= {
        "DBT_SPANISHGAS_WAREHOUSE": str(work / "dev.duckdb"),
        "SPANISHGAS_HOME": str(work),
        "DBT_TARGET_PATH": str(work / "target"),
        "DBT_LOG_PATH": str(work / "logs"),
    }
    done = subprocess.run(
        [BIN / "dbt", "build", "--exclude-resource-type", "test", "unit_test", "--quiet"],
        cwd=ROOT,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return kept


def answer(environment: dict[str, str], metrics: list[str], *options: str) -> list[dict[str, str]]:
    """What `mf query` writes."""
    file = Path(environment["SPANISHGAS_HOME"]) / "answer.csv"
    command = [BIN / "mf", "query", "--metrics", ",".join(metrics), "--csv", str(file), *options]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    with file.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def query(environment: dict[str, str], sql: str) -> list[tuple]:
    with duckdb.connect(environment["DBT_SPANISHGAS_WAREHOUSE"], read_only=True) as warehouse:
        return warehouse.execute(sql).fetchall()


def test_headline_figures_are_the_metrics(environment: dict[str, str]) -> None:
    (found,) = answer(environment, list(HEADLINES))
    (shown,) = query(environment, f"select {', '.join(HEADLINES.values())} from mart_overview")
    for metric, figure in zip(HEADLINES, shown, strict=True):
        assert float(found[metric]) == pytest.approx(float(figure), abs=0.01), metric
        assert figure > 0, metric


def test_metrics_are_told_by_dimensions_and_days(environment: dict[str, str]) -> None:
    by_tier = answer(
        environment, ["customers", "saved_margin"], "--group-by", "customer__risk_tier"
    )
    expected = query(
        environment,
        "select risk_tier, count(*), sum(expected_saved_margin_eur) from mart_recommendation"
        " group by risk_tier",
    )
    assert {row["customer__risk_tier"]: int(row["customers"]) for row in by_tier} == {
        tier: count for tier, count, _ in expected
    }
    assert sum(float(row["saved_margin"]) for row in by_tier) == pytest.approx(
        sum(margin for *_, margin in expected), abs=0.01
    )
    by_day = answer(environment, ["churn_rate", "margin"], "--group-by", "metric_time__month")
    assert any(float(row["churn_rate"] or 0) > 0 for row in by_day)
    assert len({row["metric_time__month"] for row in by_day if row["margin"]}) == 12
