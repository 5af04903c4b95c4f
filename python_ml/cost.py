"""What one view of each dashboard page scans and costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_ml.engines import open_engine
from python_ml.engines.costs import DASHBOARD, CostReport
from python_ml.settings import Settings

if TYPE_CHECKING:
    from python_ml.pages.model import Card, Dashboard


def dashboard_costs(settings: Settings) -> CostReport:
    """Open every page once, with the filters as they are set at first, and count what it scans.

    Raises:
        SpanishGasError: a card's query fails; the message is the engine's.
    """
    from python_ml.pages.compiled import compiled_dashboards  # sqlglot: 0.2 s, as below

    cards = [(page, card) for page in compiled_dashboards() for card in page.cards]
    return open_engine(settings).costs_of([first_view(*shown) for shown in cards])


def first_view(page: Dashboard, card: Card) -> str:
    """The statement of a card as it is sent when the page is opened, marked with its name."""
    from python_ml.pages.results import filter_values, statement

    sql = statement(card, "athena", filter_values(page))
    return f'-- {{"node_id": "{DASHBOARD}.{card.symbol}"}}\n{sql}'
