"""The questions of docs/dashboards.md, and the cards that answer them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from python_ml.pages.model import Card, Dashboard
from python_ml.settings import PROJECT_DIR

_ROW = re.compile(r"\| ([^|]*) \| ([^|]+\?) \| ([^|]+) \| ([^|]+) \|")


@dataclass(frozen=True)
class Question:
    reader: str
    text: str
    page: str  # as in the menu
    tab: str | None
    card: str  # its name

    def find(self, pages: tuple[Dashboard, ...]) -> tuple[Dashboard, Card]:
        """The page and the one card of this name on it.

        Raises:
            LookupError: the page, the tab or the card is not there.
        """
        page = next((it for it in pages if it.name == self.page), None)
        if page is None:
            raise LookupError(f"{self.text} No page {self.page!r}")
        first = page.tabs[0].name if page.tabs else None
        tab = next((it.key for it in page.tabs if it.name == (self.tab or first)), None)
        if page.tabs and tab is None:
            raise LookupError(f"{self.text} {self.page} has no tab {self.tab!r}")
        found = [it for it in page.cards if it.name == self.card and it.tab == tab and it.position]
        if len(found) != 1:
            raise LookupError(f"{self.text} {self.page} has {len(found)} cards {self.card!r}")
        return page, found[0]


def questions() -> list[Question]:
    """Read the table; a reader is named in the first of its rows."""
    text = (PROJECT_DIR / "docs" / "dashboards.md").read_text(encoding="utf-8")
    found: list[Question] = []
    for reader, question, place, card in _ROW.findall(text):
        page, _, tab = place.partition(", tab ")
        name = reader.strip() or found[-1].reader
        found.append(Question(name, question.strip(), page.strip(), tab.strip() or None, card))
    return found
