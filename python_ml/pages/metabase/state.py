"""What is on a server of ours: everything in the managed collection, and the connection to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from python_ml.pages.metabase.client import Json, MetabaseClient
from python_ml.pages.metabase.layout import tab_ids
from python_ml.pages.metabase.mail import alerts_of, subscriptions_of
from python_ml.pages.metabase.wanted import Ids, Wanted, is_ours, marker

CARDS = ("card", "dataset", "metric")  # questions, models and metrics, as a collection lists them
COLLECTIONS = ("root", "cards")  # the managed collection, and the one inside it for the questions


@dataclass
class State:
    """What was read; keys are those of the definitions."""

    database: Json | None = None
    groups: dict[str, Json] = field(default_factory=dict)  # viewers and analysts
    collections: dict[str, Json] = field(default_factory=dict)
    cards: dict[str, Json] = field(default_factory=dict)
    dashboards: dict[str, Json] = field(default_factory=dict)
    left_cards: list[Json] = field(default_factory=list)  # ours, but no longer defined
    left_dashboards: list[Json] = field(default_factory=list)
    subscriptions: dict[str, Json] = field(default_factory=dict)
    alerts: dict[str, Json] = field(default_factory=dict)
    left_subscriptions: list[Json] = field(default_factory=list)
    tables: list[Json] = field(default_factory=list)  # that the metrics may read
    foreign: list[str] = field(default_factory=list)  # made by people, in the managed collection
    tabs: dict[tuple[str, str], int] = field(default_factory=dict)  # by keys of page and tab

    def group_ids(self) -> dict[str, int]:
        return {key: row["id"] for key, row in self.groups.items()}

    def ids(self) -> Ids:
        def numbers(rows: Mapping[str, Json]) -> dict[str, int]:
            return {key: row["id"] for key, row in rows.items()}

        return Ids(
            database=self.database["id"] if self.database else 0,
            collections=numbers(self.collections),
            cards=numbers(self.cards),
            dashboards=numbers(self.dashboards),
            tabs=dict(self.tabs),
            tables={row["name"]: row["id"] for row in self.tables},
            fields={
                (row["name"], column["name"]): column["id"]
                for row in self.tables
                for column in row["fields"]
            },
        )


def read_state(client: MetabaseClient, wanted: Wanted, names: Names) -> State:
    """Read the server. Nothing is changed."""
    state = State(
        database=_named(client.get("/api/database")["data"], names.database),
    )
    there = client.get("/api/permissions/group")
    state.groups = {
        key: row for key, name in names.groups.items() if (row := _named(there, name)) is not None
    }
    _read_collections(client, wanted, names, state)
    _read_cards(client, wanted, state)
    _read_dashboards(client, wanted, state)
    for page in wanted.dashboards:
        there = state.dashboards.get(page.key, {})
        found = tab_ids(there, [(tab.key, tab.name) for tab in page.tabs])
        state.tabs |= {(page.key, tab): number for tab, number in found.items()}
    if state.database is not None and wanted.metrics:
        state.tables = read_tables(client, state.database["id"], names.schema)
    state.subscriptions, state.left_subscriptions = subscriptions_of(client, wanted, state.ids())
    state.alerts = alerts_of(client, wanted, state.ids())
    return state


def read_tables(client: MetabaseClient, database: int, schema: str) -> list[Json]:
    """The tables of the marts as the server knows them, with their columns."""
    rows = client.get(f"/api/database/{database}/metadata")["tables"]
    return [row for row in rows if row["schema"] == schema]


@dataclass(frozen=True)
class Names:
    """What our things are called on the server, by the settings."""

    database: str
    groups: Mapping[str, str]
    collections: Mapping[str, str]
    schema: str  # of the marts


def _named(rows: list[Json], name: str) -> Json | None:
    return next((row for row in rows if row["name"] == name), None)


def _read_collections(client: MetabaseClient, wanted: Wanted, names: Names, state: State) -> None:
    """By the marker in the description, so that a rename keeps them; else by name and place."""
    rows = client.get("/api/collection", archived="false") + client.get(
        "/api/collection", archived="true"
    )
    rows = [row for row in rows if isinstance(row["id"], int)]
    for key in COLLECTIONS:
        root = state.collections.get("root")
        place = f"/{root['id']}/" if root and key != "root" else "/"
        mark = marker(key, wanted.instance)
        found = [row for row in rows if mark in (row.get("description") or "")] or [
            row
            for row in rows
            if row["name"] == names.collections[key]
            and row.get("location") == place
            and not row["archived"]
        ]
        if found and (key == "root" or root):
            row = client.get(f"/api/collection/{found[0]['id']}")
            above = str(row["location"]).strip("/").rpartition("/")[2]
            state.collections[key] = row | {"parent_id": int(above) if above else None}


def _read_cards(client: MetabaseClient, wanted: Wanted, state: State) -> None:
    """By entity id, wherever they are: in the collection, moved elsewhere, or in the trash."""
    defined = {wanted.entity_id(symbol): symbol for symbol in wanted.symbols}
    for entity, symbol in defined.items():
        if card := client.find(f"/api/card/{entity}"):
            state.cards[symbol] = card
    for item in _items(client, state, *CARDS):
        if item["entity_id"] not in defined:
            if is_ours(item["entity_id"]):
                state.left_cards.append(item)
            else:
                state.foreign.append(f"question {item['name']!r}")


def _read_dashboards(client: MetabaseClient, wanted: Wanted, state: State) -> None:
    """By the marker in the caveats. One without it that has our name is ours, half made."""
    marks = {marker(page.key, wanted.instance): page.key for page in wanted.dashboards}
    names = {page.name: page.key for page in wanted.dashboards}
    unmarked = []
    for item in _items(client, state, "dashboard"):
        page = client.get(f"/api/dashboard/{item['id']}")
        caveats = page.get("caveats") or ""
        if caveats in marks and marks[caveats] not in state.dashboards:
            state.dashboards[marks[caveats]] = page
        elif caveats.startswith(wanted.mark_of_all):
            state.left_dashboards.append(page)
        else:
            unmarked.append(page)
    for page in unmarked:
        key = names.get(page["name"])
        if key and key not in state.dashboards and not page.get("caveats"):
            state.dashboards[key] = page
        else:
            state.foreign.append(f"dashboard {page['name']!r}")
    _look_into_the_trash(client, wanted, state)


def _look_into_the_trash(client: MetabaseClient, wanted: Wanted, state: State) -> None:
    """A page that left the code and came back keeps its id and address."""
    missing = {
        page.name: page.key for page in wanted.dashboards if page.key not in state.dashboards
    }
    if not missing:
        return
    trash = client.get("/api/collection/trash")
    query = {"models": "dashboard", "archived": "true"}
    for item in client.get(f"/api/collection/{trash['id']}/items", **query)["data"]:
        key = missing.get(item["name"])
        if key is None:
            continue
        page = client.get(f"/api/dashboard/{item['id']}")
        if page.get("caveats") == marker(key, wanted.instance):
            state.dashboards[key] = page


def _items(client: MetabaseClient, state: State, *models: str) -> list[Json]:
    """What the managed collections list, but for what is archived."""
    rows: list[Any] = []
    for collection in state.collections.values():
        if not collection["archived"]:
            path = f"/api/collection/{collection['id']}/items"
            rows += client.get(path, models=list(models))["data"]
    return rows
