"""Dashboards of the fake server: the row diff of dashcards and tabs, parameters, subscriptions."""

from __future__ import annotations

from typing import Any

from tests.dashboards.fake.errors import ApiError
from tests.dashboards.fake.store import CREATED_AT, FakeMetabase, Row, nano_id

# What the server reads of each row; anything else in a request would be passed over in silence.
DASHCARD_KEYS = {
    "id",
    "card_id",
    "dashboard_tab_id",
    "row",
    "col",
    "size_x",
    "size_y",
    "series",
    "parameter_mappings",
    "inline_parameters",
    "visualization_settings",
    "action_id",
}
TAB_KEYS = {"id", "name"}
NO_CARD = {"query_average_duration": None}  # what stands for the card of a text


def add_dashboard(fake: FakeMetabase, body: Row) -> Row:
    number = fake.next_id()
    fake.dashboards[number] = {
        "id": number,
        "description": None,
        "caveats": None,
        "points_of_interest": None,
        "archived": False,
        "archived_directly": False,
        "collection_id": None,
        "collection_position": None,
        "position": None,
        "creator_id": 1,
        "entity_id": nano_id(),
        "width": "fixed",
        "auto_apply_filters": True,
        "enable_embedding": False,
        "embedding_params": None,
        "public_uuid": None,
        "cache_ttl": None,
        "show_in_getting_started": False,
        "created_at": CREATED_AT,
        "parameters": [],
        "dashcards": [],
        "tabs": [],
        "can_write": True,
        **body,
    }
    return hydrated(fake, number)


def update_dashboard(fake: FakeMetabase, number: int, body: Row) -> Row:
    """One PUT: everything in it or, after an error, nothing."""
    dashboard = fake.find(fake.dashboards, number)
    if body.get("collection_id") is not None:
        fake.find(fake.collections, body["collection_id"])
    if "dashcards" in body or "tabs" in body:
        tabs, tab_ids = _diff_tabs(fake, dashboard, body.get("tabs") or [])
        dashcards = _diff_dashcards(fake, dashboard, body.get("dashcards") or [], tabs, tab_ids)
        dashboard.update(tabs=tabs, dashcards=dashcards)
    if "parameters" in body:
        _drop_subscriptions(fake, number, {entry["id"] for entry in body["parameters"]})
    if "archived" in body:
        dashboard["archived_directly"] = body["archived"]
    dashboard.update({key: body[key] for key in body.keys() - {"dashcards", "tabs"}})
    for subscription in fake.subscriptions.values():  # whatever it was called
        if subscription["dashboard_id"] == number:
            subscription["name"] = dashboard["name"]
            subscription["collection_id"] = dashboard["collection_id"]
    return hydrated(fake, number)


def hydrated(fake: FakeMetabase, number: int | str) -> Row:
    """A dashboard as GET answers it: with the cards, without those that were archived."""
    dashboard = fake.find(fake.dashboards, number)
    dashcards = [
        entry | {"card": fake.cards[entry["card_id"]] if entry["card_id"] else dict(NO_CARD)}
        for entry in dashboard["dashcards"]
        if _is_shown(fake, entry)
    ]
    return dashboard | {"dashcards": dashcards}


def _is_shown(fake: FakeMetabase, dashcard: Row) -> bool:
    return dashcard["card_id"] is None or not fake.cards[dashcard["card_id"]]["archived"]


def _diff_tabs(
    fake: FakeMetabase, dashboard: Row, sent: list[Row]
) -> tuple[list[Row], dict[int, int]]:
    """The tabs after the request, and the id that each id in the request stands for."""
    known = {tab["id"]: tab for tab in dashboard["tabs"]}
    tabs, ids = [], {}
    for position, row in enumerate(sent):
        _refuse_unknown_keys(row, TAB_KEYS, "tab")
        if row["id"] in known:
            tab = known[row["id"]]
        elif row["id"] < 0:
            tab = {"id": fake.next_id(), "dashboard_id": dashboard["id"], "entity_id": nano_id()}
        else:
            raise ApiError(400, f"dashboard {dashboard['id']} has no tab {row['id']}")
        ids[row["id"]] = tab["id"]
        tabs.append(tab | {"name": row["name"], "position": position})
    if len(ids) != len(sent):
        raise ApiError(
            400, {"errors": {"tabs": "value must be seq of maps in which ids are unique"}}
        )
    return tabs, ids


def _diff_dashcards(
    fake: FakeMetabase, dashboard: Row, sent: list[Row], tabs: list[Row], tab_ids: Any
) -> list[Row]:
    """Known ids are updated, negative ones created, and what is left out is gone.

    Those of archived cards are neither shown nor touched.
    """
    known = {row["id"]: row for row in dashboard["dashcards"] if _is_shown(fake, row)}
    if len({row["id"] for row in sent}) != len(sent):
        raise ApiError(400, {"errors": {"dashcards": "ids must be unique"}})
    dashcards = [row for row in dashboard["dashcards"] if row["id"] not in known]
    for row in sent:
        _refuse_unknown_keys(row, DASHCARD_KEYS, "dashcard")
        if row["id"] not in known and row["id"] >= 0:
            raise ApiError(400, f"dashboard {dashboard['id']} has no dashcard {row['id']}")
        if tabs and row.get("dashboard_tab_id") not in tab_ids:
            raise ApiError(400, "This dashboard has tab, makes sure every card has a tab")
        if row.get("card_id") is not None:
            fake.find(fake.cards, row["card_id"])
        elif "virtual_card" not in row.get("visualization_settings", {}):
            raise ApiError(400, "a dashcard without card_id needs a virtual_card")
        defaults: Row = {"parameter_mappings": [], "series": [], "visualization_settings": {}}
        created: Row = {
            "entity_id": nano_id(),
            "dashboard_id": dashboard["id"],
            "inline_parameters": [],
        }
        before = known.get(row["id"]) or {**defaults, **created, "card_id": None, "action_id": None}
        number = row["id"] if row["id"] in known else fake.next_id()
        tab = tab_ids.get(row.get("dashboard_tab_id"))
        dashcards.append({**before, **row, "id": number, "dashboard_tab_id": tab})
    return dashcards


def _refuse_unknown_keys(row: Row, known: set[str], kind: str) -> None:
    if unknown := row.keys() - known:
        raise ApiError(400, f"undeclared keys of a {kind}: {', '.join(sorted(unknown))}")


def _drop_subscriptions(fake: FakeMetabase, dashboard: int, parameters: set[str]) -> None:
    """A subscription that filters by a parameter which is gone would send something else."""
    for subscription in fake.subscriptions.values():
        used = {entry["id"] for entry in subscription["parameters"]}
        if subscription["dashboard_id"] == dashboard and not used <= parameters:
            subscription["archived"] = True
