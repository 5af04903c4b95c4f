"""Every card runs on every engine that is here, with the same rows."""

from __future__ import annotations

import math
import sqlite3
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from python_ml.engines import Warehouse
from python_ml.pages.compile import load_dashboards
from python_ml.pages.embed import page_database
from python_ml.pages.model import Card, Dashboard, ValueCard
from python_ml.pages.results import Rows, plain, run_card, statement

PAGES = {page.key: page for page in load_dashboards()}
CARDS = {card.symbol: card for page in PAGES.values() for card in page.cards}
FILTERED = {key: page for key, page in PAGES.items() if any(card.tags for card in page.cards)}
TOLERANCE = (
    2e-4  # relative; long tables of the preview are rounded to cents and tenths of a watt-hour
)


def same(one: Any, other: Any, tolerance: float) -> bool:
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=tolerance, abs_tol=0.006)
    return bool(one == other)


def assert_same(found: Rows, expected: Rows, tolerance: float = 1e-9) -> None:
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        pairs = zip(ours, theirs, strict=True)
        assert all(same(one, other, tolerance) for one, other in pairs), (ours, theirs)


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS.keys())
def test_a_card_returns_the_columns_that_its_definition_rests_on(
    card: Card, warehouse: Warehouse
) -> None:
    frame = warehouse.query(statement(card, "duckdb"))
    assert tuple(frame.columns) == card.columns


DRAWN = {key: card for key, card in CARDS.items() if card.position is not None}


@pytest.mark.parametrize("card", DRAWN.values(), ids=DRAWN.keys())
def test_no_two_rows_of_a_series_share_a_point(card: Card, warehouse: Warehouse) -> None:
    """Metabase would add them up."""
    settings = card.visualization_settings
    names = settings.get("graph.dimensions") or [settings.get("pie.dimension")]
    if names == [None] or card.display == "scatter":
        return
    rows = run_card(warehouse, card, "duckdb")
    points = [tuple(row[card.columns.index(name)] for name in names) for row in rows]
    assert len(set(points)) == len(points)


@pytest.mark.parametrize("card", DRAWN.values(), ids=DRAWN.keys())
def test_a_table_has_the_rows_that_it_promises_to_show(card: Card, warehouse: Warehouse) -> None:
    if card.display == "table":
        count = len(run_card(warehouse, card, "duckdb"))
        assert card.is_scrolled or count <= (card.rows or 0), f"{count} rows, {card.rows} promised"


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS.keys())
def test_postgres_returns_the_same_rows(
    card: Card, warehouse: Warehouse, marts_in_postgres: psycopg.Connection
) -> None:
    cursor = marts_in_postgres.execute(statement(card, "postgres"))
    assert cursor.description is not None
    assert tuple(column.name for column in cursor.description) == card.columns
    rows = [
        [float(it) if isinstance(it, Decimal) else plain(it) for it in row]
        for row in cursor.fetchall()
    ]
    expected = run_card(warehouse, card, "duckdb")
    # Engines sort accents differently; what is asked for is the same rows.
    order = repr if card.key in ("provinces", "by_province") else None
    if order is not None:
        rows, expected = sorted(rows, key=order), sorted(expected, key=order)
    assert_same(rows, expected)


@pytest.mark.parametrize("page", FILTERED.values(), ids=FILTERED.keys())
def test_the_preview_filters_as_the_warehouse_does(page: Dashboard, warehouse: Warehouse) -> None:
    """Its SQLite holds what the statements need, and answers them alike, for any value."""
    connection = sqlite3.connect(":memory:")
    connection.deserialize(page_database(warehouse, page))
    for values in (*choices(page, warehouse), {}):
        for card in (card for card in page.cards if card.tags):
            rows = connection.execute(statement(card, "sqlite", values)).fetchall()
            found = [list(row) for row in rows]
            expected = run_card(warehouse, card, "duckdb", values)
            booleans = [[int(it) if isinstance(it, bool) else it for it in row] for row in expected]
            assert_same(found, booleans, TOLERANCE)


def choices(page: Dashboard, warehouse: Warehouse) -> list[dict[str, str]]:
    """Each filter alone with two of its values, and all with their first."""
    offered: dict[str, list[str]] = {}
    for parameter in page.parameters:
        source = parameter.values
        if isinstance(source, ValueCard):
            card = next(card for card in page.cards if card.key == source.card)
            column = card.columns.index(source.column)
            offered[parameter.key] = [
                str(row[column]) for row in run_card(warehouse, card, "duckdb")
            ]
        elif source is not None:
            offered[parameter.key] = list(source)
        else:
            offered[parameter.key] = list(
                warehouse.query("select customer_id from mart_customer_profile limit 5")[
                    "customer_id"
                ]
            )
    alone = [{key: value} for key, values in offered.items() for value in (values[0], values[-1])]
    return [*alone, {key: values[0] for key, values in offered.items()}]
