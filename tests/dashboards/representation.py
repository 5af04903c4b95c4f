"""What the fake server holds, in the file format that Metabase serializes to.

Ids become names and entity ids there, so that the official validator can look at queries, tags,
parameters and targets.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.dashboards.fake import FakeMetabase
from tests.dashboards.fake.store import Row

_CARD = ("name", "description", "display", "type", "visualization_settings", "archived")
_PAGE = ("name", "description", "caveats", "width", "archived", "parameters")
_ROW = ("row", "col", "size_x", "size_y", "visualization_settings")


def write(fake: FakeMetabase, folder: Path) -> int:
    """One file for each card and dashboard; returns how many."""
    documents = [
        *(_card(fake, card) for card in fake.cards.values()),
        *(_dashboard(fake, page) for page in fake.dashboards.values()),
    ]
    for document in documents:
        path = folder / "collections" / f"{document['entity_id']}.yaml"
        path.parent.mkdir(exist_ok=True)
        # JSON is YAML, and unlike PyYAML quotes an id such as 12e45678, which is no number.
        path.write_text(json.dumps(document), encoding="utf-8")
    return len(documents)


def _card(fake: FakeMetabase, card: Row) -> Row:
    database = fake.databases[card["database_id"]]["name"]
    return {key: card[key] for key in _CARD} | {
        "entity_id": card["entity_id"],
        "creator_id": fake.users[0]["email"],
        "collection_id": fake.collections[card["collection_id"]]["entity_id"],
        "database_id": database,
        "dataset_query": _portable(fake, card["dataset_query"]) | {"database": database},
        "serdes/meta": _meta("Card", card["entity_id"]),
    }


def _portable(fake: FakeMetabase, query: Row) -> Row:
    """A query that names its table and columns instead of their ids."""
    stage = query["stages"][0]
    if "native" in stage:
        return query
    database = fake.databases[query["database"]]["name"]
    table = fake.tables[stage["source-table"]]
    place = [database, table["schema"], table["name"]]
    columns = {field["id"]: [*place, field["name"]] for field in table["fields"]}

    def named(part: Any) -> Any:
        if not isinstance(part, list):
            return part
        if part[0] == "field":
            return [*part[:2], columns[part[2]]]
        return [named(entry) for entry in part]

    portable = {**stage, "source-table": place, "aggregation": named(stage["aggregation"])}
    return query | {"stages": [portable]}


def _dashboard(fake: FakeMetabase, page: Row) -> Row:
    entity = page["entity_id"]
    tabs = {tab["id"]: tab for tab in page["tabs"]}
    return {key: page[key] for key in _PAGE} | {
        "entity_id": entity,
        "creator_id": fake.users[0]["email"],
        "collection_id": fake.collections[page["collection_id"]]["entity_id"],
        "parameters": [_parameter(fake, row) for row in page["parameters"]],
        "tabs": [
            {key: tab[key] for key in ("name", "position", "entity_id")} for tab in tabs.values()
        ],
        "dashcards": [_dashcard(fake, entity, tabs, row) for row in page["dashcards"]],
        "serdes/meta": _meta("Dashboard", entity),
    }


def _parameter(fake: FakeMetabase, parameter: Row) -> Row:
    config = parameter.get("values_source_config")
    if config and "card_id" in config:
        config = config | {"card_id": fake.cards[config["card_id"]]["entity_id"]}
        return parameter | {"values_source_config": config}
    return parameter


def _dashcard(fake: FakeMetabase, page: str, tabs: dict[int, Row], row: Row) -> Row:
    def card_entity(number: int | None) -> str | None:
        return None if number is None else fake.cards[number]["entity_id"]

    tab = row["dashboard_tab_id"]
    return {key: row[key] for key in _ROW} | {
        "entity_id": row["entity_id"],
        "card_id": card_entity(row["card_id"]),
        "dashboard_tab_id": None if tab is None else [page, tabs[tab]["entity_id"]],
        "parameter_mappings": [
            mapping | {"card_id": card_entity(mapping["card_id"])}
            for mapping in row["parameter_mappings"]
        ],
        "serdes/meta": [*_meta("Dashboard", page), *_meta("DashboardCard", row["entity_id"])],
    }


def _meta(model: str, entity: str) -> list[dict[str, Any]]:
    return [{"id": entity, "model": model}]
