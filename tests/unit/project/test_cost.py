"""Bytes and prices by node, from what Athena says of its executions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from python_ml import cost
from python_ml.cli import main as cli
from python_ml.contracts.schema import load_source
from python_ml.engines import athena_costs
from python_ml.engines.costs import CostReport
from python_ml.errors import UsageError
from python_ml.pages.compile import load_dashboards
from python_ml.settings import load_settings

NOW = datetime(2025, 1, 1, tzinfo=UTC)
MODEL = '-- {"app": "dbt", "node_id": "model.spanishgas.gold_master"}\n'


def execution(
    query: str, scanned: int, *, state: str = "SUCCEEDED", hours_ago: float = 0.0
) -> dict[str, Any]:
    return {
        "Query": query,
        "Status": {"State": state, "SubmissionDateTime": NOW - timedelta(hours=hours_ago)},
        "Statistics": {"DataScannedInBytes": scanned},
    }


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Callable[..., CostReport]:
    """The report of some executions of the last hour."""

    def of(*executions: Any) -> CostReport:
        listed = {str(number): entry for number, entry in enumerate(executions)}
        client = SimpleNamespace(
            get_paginator=lambda _: SimpleNamespace(
                paginate=lambda **_: [{"QueryExecutionIds": list(listed)}]
            ),
            batch_get_query_execution=lambda QueryExecutionIds: {
                "QueryExecutions": [listed[name] for name in QueryExecutionIds]
            },
        )
        monkeypatch.setattr(athena_costs, "_client", lambda _: client)
        return athena_costs.costs_since(load_settings(environ={}).athena, NOW - timedelta(hours=1))

    return of


def test_queries_are_added_up_by_node_and_small_ones_are_billed_ten_megabytes(
    report: Callable[..., CostReport],
) -> None:
    found = report(
        execution(f"{MODEL}create table …", 25_000_000),
        execution(f"{MODEL}select 1", 100),
        execution(f"{MODEL}alter table …", 0),
        execution("unload (select 1) to 's3://…'", 5),
        execution("/* python_ml */ select 1 order by 1", 5),
        execution("select 1", 7),
    )
    costs = {entry.node: entry for entry in found.costs}
    gold = costs["model.spanishgas.gold_master"]
    assert (gold.kind, gold.query_count, gold.scanned_bytes) == ("model", 3, 25_000_100)
    assert gold.billed_bytes == 35_000_000
    assert gold.usd == pytest.approx(35e6 / 1e12 * 5)
    assert (costs["python_ml"].query_count, costs["other"].query_count) == (2, 1)
    assert found.usd == pytest.approx(65e6 / 1e12 * 5)


def test_failed_queries_are_free_cancelled_ones_are_not_and_older_ones_are_left_out(
    report: Callable[..., CostReport],
) -> None:
    found = report(
        execution("select 1", 20_000_000, state="FAILED"),
        execution("select 2", 20_000_000, state="CANCELLED"),
        execution("select 3", 20_000_000, hours_ago=2),
    )
    assert [(entry.query_count, entry.billed_bytes) for entry in found.costs] == [(1, 20_000_000)]


def test_the_table_has_the_columns_of_its_source(report: Callable[..., CostReport]) -> None:
    declared = set(load_source("ml")["query_cost"].column_names) - {"run_id"}
    assert set(report(execution("select 1", 7)).table().columns) == declared
    assert set(report().table().columns) == declared


def test_every_card_has_a_statement_for_athena_without_tags_left() -> None:
    statements = {
        card.symbol: cost.first_view(page, card)
        for page in load_dashboards()
        for card in page.cards
    }
    assert statements
    for symbol, sql in statements.items():
        comment, _, statement = sql.partition("\n")
        assert f'"dashboard.{symbol}"' in comment
        assert "{{" not in statement and "[[" not in statement, symbol


def test_only_athena_has_costs() -> None:
    result = CliRunner().invoke(cli.cli, ["cost", "--target", "duckdb"])
    assert isinstance(result.exception, UsageError)
