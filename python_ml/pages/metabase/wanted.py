"""What the definitions ask of a server, as the bodies of its API.

Ids that only the server knows are looked up in `Ids`. A page or card that is not there yet has the
id 0, which no server gives, so that a body with it differs from anything that is there.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from python_ml.pages.compile import load_dashboards
from python_ml.pages.metabase.client import Json
from python_ml.pages.metrics import Metric, load_metrics, with_fields
from python_ml.pages.model import Card, Click, Dashboard, Parameter, TextCard, ValueCard
from python_ml.pages.subscriptions import NO_MAIL, Mail, load_mail
from python_ml.pages.visualization import FORMATS, column_key, format_of
from python_ml.settings import Settings

_LINK = re.compile(r"\(dashboard:([a-z0-9_]+)(?:/([a-z0-9_]+))?\)")
_OURS = "sgas"


def entity_id(symbol: str, instance: str) -> str:
    """The 21 characters that identify a card on every server, from its symbolic key.

    The first four tell our cards from those that people made by hand.
    """
    digest = hashlib.sha256(f"{instance}:{symbol}".encode()).digest()
    return _OURS + base64.urlsafe_b64encode(digest).decode()[:17]


def is_ours(entity: str | None) -> bool:
    return str(entity).startswith(_OURS)


def marker(key: str, instance: str) -> str:
    """What a description or a caveat says of the thing that it belongs to, whatever its name."""
    return f"[managed by spanishgas {instance}: {key}]"


@dataclass
class Ids:
    """What the server calls our things."""

    database: int = 0
    collections: dict[str, int] = field(default_factory=dict)
    cards: dict[str, int] = field(default_factory=dict)  # by symbol
    dashboards: dict[str, int] = field(default_factory=dict)  # by key
    tabs: dict[tuple[str, str], int] = field(default_factory=dict)  # by keys of page and tab
    tables: dict[str, int] = field(default_factory=dict)  # by mart
    fields: dict[tuple[str, str], int] = field(default_factory=dict)  # by mart and column


@dataclass(frozen=True)
class Placed:
    """A dashcard without its id, and what people call it; the tab is given by its key."""

    label: str
    body: Json


@dataclass(frozen=True)
class Wanted:
    """All dashboards, for one engine and one managed collection of a server."""

    dashboards: Sequence[Dashboard]
    engine: str
    instance: str
    metrics: Sequence[Metric] = ()
    mail: Mail = NO_MAIL

    @property
    def cards(self) -> list[Card]:
        return [card for dashboard in self.dashboards for card in dashboard.cards]

    @property
    def symbols(self) -> list[str]:
        """Of everything that is a card for the server: questions, models and metrics."""
        return [*(card.symbol for card in self.cards), *(metric.symbol for metric in self.metrics)]

    def entity_id(self, symbol: str) -> str:
        return entity_id(symbol, self.instance)

    @property
    def mark_of_all(self) -> str:
        """How every mark of ours begins."""
        return marker("", self.instance).rstrip("]")

    def mark_of(self, key: str) -> str:
        return marker(key, self.instance)

    def body_of(self, symbol: str, ids: Ids) -> Json:
        """The card or metric of this symbol."""
        for metric in self.metrics:
            if metric.symbol == symbol:
                return self.metric_body(metric, ids)
        return self.card_body(next(it for it in self.cards if it.symbol == symbol), ids)

    def metric_body(self, metric: Metric, ids: Ids) -> Json:
        """A metric: one aggregation of a table, which has no legacy envelope of its own."""
        operator, options, *arguments = with_fields(
            metric.aggregation,
            lambda column: ["field", {}, ids.fields.get((metric.table, column), 0)],
        )
        named = {**options, "name": metric.column, "display-name": metric.name}
        stage = {
            "lib/type": "mbql.stage/mbql",
            "source-table": ids.tables.get(metric.table, 0),
            "aggregation": [[operator, named, *arguments]],
        }
        return {
            "name": metric.name,
            "description": metric.description,
            "display": "scalar",
            "type": "metric",
            "collection_id": ids.collections.get("cards", 0),
            "visualization_settings": {
                "column_settings": {column_key(metric.column): FORMATS[format_of(metric.column)]}
            },
            "dataset_query": {
                "lib/type": "mbql/query",
                "database": ids.database,
                "stages": [stage],
            },
        }

    def card_body(self, card: Card, ids: Ids) -> Json:
        """A card with its query in the legacy envelope, which all servers accept."""
        native: Json = {"query": card.statements[self.engine]}
        if card.tags:
            native["template-tags"] = {tag.name: _tag(tag) for tag in card.tags}
        return {
            "name": card.name,
            "description": card.description if card.is_model else _description(card),
            "display": card.display,
            "type": "model" if card.is_model else "question",
            "collection_id": ids.collections.get("cards", 0),
            "visualization_settings": dict(card.visualization_settings),
            "dataset_query": {"type": "native", "database": ids.database, "native": native},
        }

    def dashboard_body(self, dashboard: Dashboard, ids: Ids) -> Json:
        """A dashboard without its tabs and dashcards."""
        return {
            "name": dashboard.name,
            "description": dashboard.description or None,
            "caveats": marker(dashboard.key, self.instance),
            "collection_id": ids.collections.get("root", 0),
            "collection_position": dashboard.number,
            "width": dashboard.width,
            "parameters": [
                _parameter(parameter, dashboard, ids) for parameter in dashboard.parameters
            ],
        }

    def dashcards(self, dashboard: Dashboard, ids: Ids) -> list[Placed]:
        """What is on it, questions first."""
        shown = [
            _placed(
                f"card {card.name!r}",
                card,
                card_id=ids.cards.get(card.symbol, 0),
                parameter_mappings=_mappings(card, ids),
                visualization_settings=_click_settings(card.click, ids),
            )
            for card in dashboard.cards
            if card.position is not None
        ]
        texts = [
            _placed(
                f"text {text.key!r}",
                text,
                card_id=None,
                parameter_mappings=[],
                visualization_settings=_text_settings(text, ids),
            )
            for text in dashboard.texts
        ]
        return shown + texts


def load_wanted(settings: Settings) -> Wanted:
    """Everything that the project defines, for the server of the settings.

    Raises:
        DefinitionError: a definition is wrong, with file and line.
    """
    dashboards = load_dashboards()
    return Wanted(
        dashboards,
        settings.metabase.engine,
        settings.metabase.instance,
        load_metrics(),
        load_mail(dashboards),
    )


def _placed(label: str, item: Card | TextCard, **body: Any) -> Placed:
    position = item.position
    if position is None:
        raise ValueError(f"{label} is not on the grid")
    place = {"row": position.row, "col": position.column}
    size = {"size_x": position.width, "size_y": position.height}
    return Placed(label, {**body, **place, **size, "dashboard_tab_id": item.tab})


def _description(card: Card) -> str:
    """Metabase says "No results!" of every empty card; why it is empty is told here."""
    return " ".join(filter(None, (card.description, f"If there are no results: {card.empty}")))


def _tag(tag: Any) -> Json:
    body = {
        "id": tag.id,
        "name": tag.name,
        "display-name": tag.display_name,
        "type": tag.type,
        "required": tag.is_required,
    }
    return body if tag.default is None else body | {"default": tag.default}


def _parameter(parameter: Parameter, dashboard: Dashboard, ids: Ids) -> Json:
    body: Json = {
        "id": parameter.id,
        "name": parameter.name,
        "slug": parameter.key,
        "type": parameter.type,
        "sectionId": parameter.section_id,
    }
    if parameter.default is not None:
        body["default"] = [parameter.default]
    if isinstance(parameter.values, ValueCard):
        source = ids.cards.get(f"{dashboard.key}.{parameter.values.card}", 0)
        column = ["field", parameter.values.column, {"base-type": "type/Text"}]
        return body | {
            "values_query_type": "list",
            "values_source_type": "card",
            "values_source_config": {"card_id": source, "value_field": column},
        }
    if parameter.values is not None:
        return body | {
            "values_query_type": "list",
            "values_source_type": "static-list",
            "values_source_config": {"values": [[value] for value in parameter.values]},
        }
    return body | {"values_query_type": "none"}


def _mappings(card: Card, ids: Ids) -> list[Json]:
    return [
        {
            "parameter_id": mapping.parameter_id,
            "card_id": ids.cards.get(card.symbol, 0),
            "target": ["variable", ["template-tag", mapping.tag]],
        }
        for mapping in card.mappings
    ]


def _click_settings(click: Click | None, ids: Ids) -> Json:
    if click is None:
        return {}
    behavior: Json = {
        "type": "link",
        "linkType": "dashboard",
        "targetId": ids.dashboards.get(click.dashboard, 0),
        "parameterMapping": {
            parameter.parameter_id: {
                "id": parameter.parameter_id,
                "source": {"type": "column", "id": parameter.column, "name": parameter.column},
                "target": {"type": "parameter", "id": parameter.parameter_id},
            }
            for parameter in click.parameters
        },
    }
    if click.tab is not None:
        behavior["tabId"] = ids.tabs.get((click.dashboard, click.tab), 0)
    if click.column is None:
        return {"click_behavior": behavior}
    return {"column_settings": {f'["name","{click.column}"]': {"click_behavior": behavior}}}


def _text_settings(text: TextCard, ids: Ids) -> Json:
    """A card without a query; links to pages get the address that they have on this server."""

    def address(match: re.Match[str]) -> str:
        tab = f"?tab={ids.tabs.get((match[1], match[2]), 0)}" if match[2] else ""
        return f"(/dashboard/{ids.dashboards.get(match[1], 0)}{tab})"

    virtual: Mapping[str, Any] = {
        "name": None,
        "display": text.display,
        "visualization_settings": {},
        "dataset_query": {},
        "archived": False,
    }
    return {"virtual_card": virtual, "text": _LINK.sub(address, text.markdown)}
