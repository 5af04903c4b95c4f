"""A compiled dashboard: checked, with every default filled in, not yet of any server.

Keys are symbolic and unique within a dashboard; ids of parameters and tags follow from the keys, so
that they are the same on every server and after every rename. What only a server knows (ids of
cards, dashboards, tabs) is filled in when a dashboard is applied.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GRID_WIDTH = 24


def parameter_id(dashboard: str, key: str) -> str:
    """Eight hexadecimal digits, as Metabase makes them, from the symbolic keys."""
    return hashlib.sha256(f"parameter:{dashboard}.{key}".encode()).hexdigest()[:8]


def tag_id(dashboard: str, card: str, tag: str) -> str:
    """The UUID of a template tag, from the symbolic keys."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"spanishgas:tag:{dashboard}.{card}.{tag}"))


@dataclass(frozen=True)
class Position:
    """A place on the grid, in cells; row and column count from 0."""

    row: int
    column: int
    width: int
    height: int

    def overlaps(self, other: Position) -> bool:
        return (
            self.row < other.row + other.height
            and other.row < self.row + self.height
            and self.column < other.column + other.width
            and other.column < self.column + self.width
        )


@dataclass(frozen=True)
class ValueCard:
    """The values that a filter offers are those of a column of a card of the same dashboard."""

    card: str
    column: str


@dataclass(frozen=True)
class Parameter:
    """A filter of a dashboard; it feeds the template tag of its own key in the mapped cards."""

    key: str
    id: str
    name: str
    type: str  # string/= or number/=, of Metabase
    default: str | None
    values: tuple[str, ...] | ValueCard | None  # offered; None: whatever is typed
    column: str  # of the marts; a card that reads it must have the tag, or say why not

    @property
    def section_id(self) -> str:
        return self.type.split("/")[0]


@dataclass(frozen=True)
class TemplateTag:
    """A `{{name}}` in the SQL of a card."""

    id: str
    name: str
    display_name: str
    type: str  # text or number
    is_required: bool  # it stands outside of every [[optional clause]]
    default: str | None


@dataclass(frozen=True)
class ParameterMapping:
    """A filter that reaches a card: target ["variable", ["template-tag", tag]]."""

    parameter_key: str
    parameter_id: str
    tag: str


@dataclass(frozen=True)
class ClickParameter:
    """A filter of the page that a click opens, and the column that it is set to."""

    parameter_key: str
    parameter_id: str
    column: str


@dataclass(frozen=True)
class Click:
    """What a click does: open a dashboard, with filters set to values of the row clicked."""

    dashboard: str  # key of the page to open
    column: str | None  # only a click on this column of a table; None: anywhere on the card
    parameters: tuple[ClickParameter, ...]
    tab: str | None = None  # of the page to open, by its key


@dataclass(frozen=True)
class Card:
    """A question in SQL."""

    dashboard: str
    key: str
    name: str
    description: str
    display: str
    statements: Mapping[str, str]  # by target, with {{tags}} and [[optional clauses]]
    tags: tuple[TemplateTag, ...]
    mappings: tuple[ParameterMapping, ...]
    visualization_settings: Mapping[str, Any]  # of the card, without click_behavior
    columns: tuple[str, ...]  # of the result, in order
    reads: Mapping[str, tuple[str, ...]]  # marts, and the columns of each that it names
    position: Position | None  # None: kept in the collection, not shown on the dashboard
    tab: str | None
    click: Click | None
    empty: str  # what it means when there is no row
    rows: int | None = None  # that a table promises to show without scrolling
    is_scrolled: bool = False  # a table that may have more rows than it promises
    is_model: bool = False  # a model of Metabase, which people explore without SQL; on no page

    @property
    def tables(self) -> tuple[str, ...]:
        """Marts that it reads."""
        return tuple(self.reads)

    @property
    def symbol(self) -> str:
        """Unique among all cards of all dashboards."""
        return f"{self.dashboard}.{self.key}"


@dataclass(frozen=True)
class TextCard:
    """Markdown, or a heading.

    `(dashboard:<key>)` as a link target names another page, `(dashboard:<key>/<tab>)` a tab of it.
    """

    key: str
    display: str  # text or heading
    markdown: str
    position: Position
    tab: str | None


@dataclass(frozen=True)
class Tab:
    key: str
    name: str


@dataclass(frozen=True)
class Dashboard:
    key: str
    name: str
    description: str
    number: int  # place in the menu, from 1
    width: str  # fixed or full
    tabs: tuple[Tab, ...]
    parameters: tuple[Parameter, ...]
    cards: tuple[Card, ...]
    texts: tuple[TextCard, ...]

    @property
    def tables(self) -> tuple[str, ...]:
        """Marts that the dashboard reads; a model is on none."""
        cards = [card for card in self.cards if not card.is_model]
        return tuple(sorted({table for card in cards for table in card.tables}))

    def parameter(self, key: str) -> Parameter:
        return next(parameter for parameter in self.parameters if parameter.key == key)
