"""Definitions of dashboards: what compiles, and what is refused, with file and line."""

from __future__ import annotations

import pytest
import trino_sql_validator

from python_ml.dashboards.compile import load_dashboards
from python_ml.dashboards.model import Card
from python_ml.dashboards.template import TAG, card_sql, parse, with_values

CARDS = {card.symbol: card for page in load_dashboards() for card in page.cards}


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS.keys())
def test_trino_accepts_every_card(card: Card) -> None:
    """With every filter set, and with none."""
    sql = card_sql(card.sql, "athena")
    for values in ({tag.name: "x" for tag in card.tags}, {}):
        plain = with_values(sql, values)
        if not TAG.search(plain):
            assert trino_sql_validator.validate(plain, jinja="reject").valid, plain


def test_clauses_survive_in_every_dialect() -> None:
    sql = (
        "select a / b as share from t where a > 0 [[and c = {{c}}]] "
        "and d = coalesce([[{{d}},]] null, 'x') order by a desc limit 3"
    )
    for target in ("duckdb", "postgres", "athena", "sqlite"):
        text = card_sql(sql, target)
        assert "[[AND c = {{c}}]]" in text
        assert "[[{{d}},]]" in text
        assert parse(with_values(text, {})).tags == ()
        assert "c = 'O''Neill'" in with_values(text, {"c": "O'Neill"})
    assert "CAST(a AS DOUBLE)" in card_sql(sql, "athena"), (
        "a share of whole numbers is no whole number"
    )
