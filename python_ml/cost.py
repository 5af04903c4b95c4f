"""What one view of each dashboard page scans and costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_ml.engines import open_engine
from python_ml.engines.costs import DASHBOARD, CostReport
from python_ml.engines.sql import literal
from python_ml.settings import Settings

if TYPE_CHECKING:
    from python_ml.pages.model import Card, Dashboard


def dashboard_costs(settings: Settings) -> CostReport:
    """Open every page once, with the filters as they are set at first, and count what it scans.

    Raises:
        SpanishGasError: a card's query fails; the message is the engine's.
    """
    from python_ml.pages.compile import load_dashboards

    cards = [(page, card) for page in load_dashboards() for card in page.cards]
    return open_engine(settings).costs_of([first_view(*shown) for shown in cards])


def first_view(page: Dashboard, card: Card) -> str:
    """The statement of a card as it is sent when the page is opened, marked with its name."""
    from python_ml.pages.template import card_sql, with_values

    defaults = {it.key: it.default for it in page.parameters if it.default is not None}
    values = {
        tag.name: value if tag.type == "number" else literal(value)
        for tag in card.tags
        if (value := defaults.get(tag.name)) is not None
    }
    sql = with_values(card_sql(card.sql, "athena"), values, quote=str)
    return f'-- {{"node_id": "{DASHBOARD}.{card.symbol}"}}\n{sql}'
