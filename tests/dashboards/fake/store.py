"""What the fake server knows, and the rules by which that changes."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.dashboards.fake.errors import ApiError
from tests.dashboards.fake.queries import check_metric, read_back

Row = dict[str, Any]
# SQL with its template tags filled in -> names of the columns and rows of values.
Runner = Callable[[str], tuple[list[str], list[list[Any]]]]

CREATED_AT = "2026-09-01T06:00:00Z"
ADMINISTRATORS = 2
ALL_USERS = 1
TRASH = 1
CARD_MODELS = {"question": "card", "model": "dataset", "metric": "metric"}  # in a collection
ENGINES = ("athena", "postgres", "sqlite", "starburst")  # drivers that the stock image ships


def nano_id() -> str:
    alphabet = string.ascii_letters + string.digits + "_-"
    return "".join(secrets.choice(alphabet) for _ in range(21))


@dataclass
class FakeMetabase:
    """State of one server; `log` has every request, `requests` what each wrote."""

    runner: Runner | None = None
    tag: str = "v0.61.2"
    setup_token: str | None = field(default_factory=lambda: secrets.token_hex(16))
    log: list[tuple[str, str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # requests that a real server would misread
    dies_after_writes: int | None = None  # then it refuses every further write
    stumbles: list[int] = field(default_factory=list)  # statuses of the next answers, then works
    users: list[Row] = field(default_factory=list)
    sessions: dict[str, int] = field(default_factory=dict)
    api_keys: list[Row] = field(default_factory=list)
    databases: dict[int, Row] = field(default_factory=dict)
    tables: dict[int, Row] = field(default_factory=dict)
    collections: dict[int, Row] = field(default_factory=dict)
    cards: dict[int, Row] = field(default_factory=dict)
    dashboards: dict[int, Row] = field(default_factory=dict)
    subscriptions: dict[int, Row] = field(default_factory=dict)
    notifications: dict[int, Row] = field(default_factory=dict)
    can_send_mail: bool = False  # an administrator has set up an e-mail server
    groups: dict[int, Row] = field(default_factory=dict)
    data_graph: Row = field(default_factory=lambda: {"revision": 1, "groups": {}})
    collection_graph: Row = field(default_factory=lambda: {"revision": 1, "groups": {}})
    warehouse: Mapping[str, Mapping[str, list[tuple[str, str]]]] = field(default_factory=dict)
    _ids: int = 0

    def __post_init__(self) -> None:
        for number, name, magic in (
            (ALL_USERS, "All Users", "all-internal-users"),
            (ADMINISTRATORS, "Administrators", "admin"),
        ):
            self.groups[number] = {"id": number, "name": name, "magic_group_type": magic}
            self.collection_graph["groups"][str(number)] = {"root": "write"}
            self.data_graph["groups"][str(number)] = {}
        self.collections[TRASH] = _collection(TRASH, "Trash", None) | {"type": "trash"}
        self._ids = 10

    def next_id(self) -> int:
        self._ids += 1
        return self._ids

    @property
    def writes(self) -> list[tuple[str, str, Any]]:
        """Requests that change something: no reads, no log-in, no query and no sync."""
        return [entry for entry in self.log if is_write(entry[0], entry[1])]

    # Databases and what a sync finds in them

    def add_database(self, body: Row) -> Row:
        if body["engine"] not in ENGINES:
            raise ApiError(400, {"errors": {"engine": "value must be a valid database engine."}})
        number = self.next_id()
        self.databases[number] = {
            "id": number,
            "auto_run_queries": True,
            "is_on_demand": False,
            "is_full_sync": True,
            "cache_ttl": None,
            "is_sample": False,
            "features": [],
            **body,
        }
        for group in (ALL_USERS, ADMINISTRATORS):
            self.data_graph["groups"][str(group)][str(number)] = {
                "view-data": "unrestricted",
                "create-queries": "query-builder-and-native",
            }
        self.sync(number)
        return self.databases[number]

    def sync(self, database: int) -> None:
        """Learn the tables and columns of the warehouse; what is known keeps its id and texts."""
        known = {
            (table["schema"], table["name"]): table
            for table in self.tables.values()
            if table["db_id"] == database
        }
        for schema, tables in self.warehouse.items():
            for name, columns in tables.items():
                table = known.get((schema, name)) or self._add_table(database, schema, name)
                fields = {entry["name"] for entry in table["fields"]}
                table["fields"] += [
                    self._field(table["id"], position, column, base_type)
                    for position, (column, base_type) in enumerate(columns)
                    if column not in fields
                ]

    def _add_table(self, database: int, schema: str, name: str) -> Row:
        number = self.next_id()
        self.tables[number] = {
            "id": number,
            "db_id": database,
            "schema": schema,
            "name": name,
            "display_name": name.replace("_", " ").title(),
            "description": None,
            "points_of_interest": None,
            "caveats": None,
            "visibility_type": None,
            "field_order": "database",
            "active": True,
            "fields": [],
        }
        return self.tables[number]

    def _field(self, table: int, position: int, name: str, base_type: str) -> Row:
        return {
            "id": self.next_id(),
            "table_id": table,
            "name": name,
            "display_name": name.replace("_", " ").title(),
            "description": None,
            "base_type": base_type,
            "semantic_type": None,
            "visibility_type": "normal",
            "fk_target_field_id": None,
            "has_field_values": None,
            "coercion_strategy": None,
            "settings": None,
            "position": position,
        }

    # Collections and the trash

    def add_collection(self, body: Row) -> Row:
        number = self.next_id()
        self.collections[number] = _collection(number, body["name"], body.get("parent_id")) | {
            "description": body.get("description"),
            "location": self._location(body.get("parent_id")),
        }
        for rights in self.collection_graph["groups"].values():  # a child starts as its parent
            rights[str(number)] = rights.get(str(body.get("parent_id") or "root"), "none")
        return self.collections[number]

    def _location(self, parent: int | None) -> str:
        return "/" if parent is None else f"{self.collections[parent]['location']}{parent}/"

    def update_collection(self, number: int, body: Row) -> Row:
        collection = self.find(self.collections, number)
        is_archived = bool(body.get("archived"))
        if is_archived != collection["archived"]:
            inside = [
                entry
                for entry in self.collections.values()
                if f"/{number}/" in str(entry.get("location"))
            ]
            for entry in (collection, *inside):
                entry["archived"] = is_archived
            numbers = {entry["id"] for entry in (collection, *inside)}
            for item in (*self.cards.values(), *self.dashboards.values()):
                if item["collection_id"] in numbers:
                    item["archived"] = is_archived
        collection.update({key: value for key, value in body.items() if key != "archived"})
        return collection

    def items(self, number: int | None, *, is_archived: bool) -> list[Row]:
        """What a collection's page lists; None is the root. The trash lists what was archived."""

        def belongs(item: Row) -> bool:
            if number == TRASH:
                return bool(item["archived"])
            return bool(item["collection_id"] == number and item["archived"] == is_archived)

        rows = [
            {key: item.get(key) for key in ("id", "name", "description", "entity_id", "archived")}
            | {"model": CARD_MODELS.get(str(item.get("type")), kind)}
            | {"collection_id": item["collection_id"]}
            for kind, table in (("card", self.cards), ("dashboard", self.dashboards))
            for item in table.values()
            if belongs(item)
        ]
        children = [
            {"id": entry["id"], "name": entry["name"], "model": "collection"}
            | {"description": entry["description"], "archived": entry["archived"]}
            for entry in self.collections.values()
            if entry["parent_id"] == number
            and entry["archived"] == is_archived
            and entry["type"] != "trash"
        ]
        return rows + children

    # Cards

    def find(self, table: Mapping[int, Row], number: int | str) -> Row:
        """A row by its id, or by its entity id.

        Raises:
            ApiError: 404, as the server says it.
        """
        if isinstance(number, str):
            for row in table.values():
                if row.get("entity_id") == number:
                    return row
        elif number in table:
            return table[number]
        raise ApiError(404, "Not found.")

    def add_card(self, body: Row) -> Row:
        entity_id = body.get("entity_id") or nano_id()
        if any(card["entity_id"] == entity_id for card in self.cards.values()):
            raise ApiError(500, {"message": "duplicate key value violates unique constraint"})
        number = self.next_id()
        self.cards[number] = {
            "id": number,
            "description": None,
            "type": "question",
            "archived": False,
            "archived_directly": False,
            "collection_id": None,
            "collection_position": None,
            "table_id": None,
            "dashboard_id": None,
            "creator_id": 1,
            "cache_ttl": None,
            "enable_embedding": False,
            "public_uuid": None,
            "result_metadata": [],
            "parameters": [],
            "parameter_mappings": [],
            "can_write": True,
            "created_at": CREATED_AT,
            "entity_id": entity_id,
        }
        return self.update_card(number, {key: body[key] for key in body if key != "entity_id"})

    def update_card(self, number: int, body: Row) -> Row:
        card = self.find(self.cards, number)
        self._require_open_collection(body)
        card.update(body)
        if "dataset_query" in body:
            query = read_back(body["dataset_query"])
            if query["database"] not in self.databases:
                raise ApiError(400, {"errors": {"database": "no such database"}})
            kind = "native" if "native" in query["stages"][0] else "query"
            card.update(dataset_query=query, database_id=query["database"], query_type=kind)
        if card["type"] == "metric":
            check_metric(card["dataset_query"], self.tables)
        if "archived" in body:
            card["archived_directly"] = body["archived"]
            if body["archived"]:  # an alert of it goes with it
                for alert in list(self.notifications.values()):
                    if alert["payload"]["card_id"] == number:
                        del self.notifications[alert["id"]]
        return card

    def _require_open_collection(self, body: Row) -> None:
        if body.get("collection_id") is not None:
            collection = self.find(self.collections, body["collection_id"])
            if collection["archived"]:
                raise ApiError(400, "You cannot move items into an archived collection.")


def is_write(method: str, path: str) -> bool:
    """Whether a request changes what people see; queries, log-ins and syncs do not."""
    reads = ("/query", "/sync_schema", "/api/session", "/api/dataset")
    return method != "GET" and not path.endswith(reads)


def _collection(number: int, name: str, parent: int | None) -> Row:
    return {
        "id": number,
        "name": name,
        "description": None,
        "slug": name.lower().replace(" ", "_"),
        "parent_id": parent,
        "location": "/",
        "entity_id": nano_id(),
        "archived": False,
        "type": None,
        "namespace": None,
        "authority_level": None,
        "personal_owner_id": None,
        "can_write": True,
    }
