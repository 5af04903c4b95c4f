"""What `apply` would do to a server, found by reading it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from python_ml.pages.metabase import mail, server
from python_ml.pages.metabase.client import Json, MetabaseClient
from python_ml.pages.metabase.descriptions import Manifest, undescribed
from python_ml.pages.metabase.difference import Difference, differences
from python_ml.pages.metabase.layout import lay_out
from python_ml.pages.metabase.state import COLLECTIONS, State, read_state
from python_ml.pages.metabase.wanted import Ids, Wanted, marker
from python_ml.pages.model import Dashboard
from python_ml.settings import Settings


@dataclass(frozen=True)
class Change:
    """One thing that is to become different."""

    action: str  # set up, create, update, restore, archive, grant or describe
    kind: str  # server, database, group, collection, card, dashboard, subscription, alert, …
    key: str
    name: str
    id: int | None = None
    differences: tuple[Difference, ...] = ()

    def as_dict(self) -> Json:
        return {
            "action": self.action,
            "kind": self.kind,
            "key": self.key,
            "name": self.name,
            "id": self.id,
            "differences": [difference.as_dict() for difference in self.differences],
        }


@dataclass
class Plan:
    """All changes, in the order in which they are made, and what was read to find them."""

    url: str
    state: State
    changes: list[Change] = field(default_factory=list)
    unchanged_count: int = 0
    not_created: list[str] = field(default_factory=list)  # mail that nobody gets, and why

    def of(self, kind: str, *actions: str) -> list[Change]:
        return [it for it in self.changes if it.kind == kind and it.action in actions]

    def as_dict(self) -> Json:
        return {
            "url": self.url,
            "changes": [change.as_dict() for change in self.changes],
            "unchanged_count": self.unchanged_count,
            "left_alone": self.state.foreign,
            "not_created": self.not_created,
        }


def make_plan(
    client: MetabaseClient, wanted: Wanted, settings: Settings, manifest: Manifest | None
) -> Plan:
    """Compare the definitions with the server, without changing it.

    Args:
        client: logged in, but for a blank server.
        wanted: the compiled definitions.
        settings: the connection, names and rights.
        manifest: dbt's, for the descriptions of the marts; None leaves these out.
    """
    if server.is_blank(client):
        plan = Plan(client.url, State())
        plan.changes.append(Change("set up", "server", "server", client.url))
    else:
        plan = Plan(client.url, read_state(client, wanted, server.names_of(settings)))
    _compare_server(plan, settings)
    _compare_collections(plan, wanted, settings)
    ids = plan.state.ids()
    for symbol in wanted.symbols:
        _note(plan, "card", symbol, wanted.body_of(symbol, ids), plan.state.cards.get(symbol))
    for page in wanted.dashboards:
        _compare_dashboard(plan, wanted, page, ids)
    for kind, left in (("dashboard", plan.state.left_dashboards), ("card", plan.state.left_cards)):
        for row in left:
            plan.changes.append(
                Change("archive", kind, str(row["entity_id"]), row["name"], row["id"])
            )
    _compare_mail(client, plan, wanted, settings)
    _compare_rights(client, plan, settings)
    if manifest is not None:
        _compare_descriptions(client, plan, manifest)
    return plan


def collection_body(key: str, wanted: Wanted, settings: Settings, ids: Ids) -> Json:
    """The managed collection, or the one inside it for the questions."""
    texts = {
        "root": "Churn: who is about to leave, why, and what to offer.",
        "cards": "The questions behind the dashboards.",
    }
    return {
        "name": server.names_of(settings).collections[key],
        "description": f"{texts[key]} Kept as code; changes made here by hand are undone. "
        + marker(key, wanted.instance),
        "parent_id": None if key == "root" else ids.collections.get("root", 0),
    }


def full_dashboard_body(
    wanted: Wanted, page: Dashboard, ids: Ids, there: Mapping[str, Any]
) -> tuple[Json, list[Difference]]:
    """The body of a dashboard's PUT, and what it changes."""
    tabs = [(tab.key, tab.name) for tab in page.tabs]
    layout = lay_out(dict(there), tabs, wanted.dashcards(page, ids))
    body = wanted.dashboard_body(page, ids)
    found = [*differences(there, body), *layout.differences]
    return body | {"tabs": layout.tabs, "dashcards": layout.dashcards}, found


def _compare_server(plan: Plan, settings: Settings) -> None:
    names, state = server.names_of(settings), plan.state
    if state.database is None:
        plan.changes.append(Change("create", "database", "database", names.database))
    else:
        body = server.connection(settings, for_comparison=True)
        _note(plan, "database", "database", body, state.database)
    for key, name in names.groups.items():
        if key not in state.groups:
            plan.changes.append(Change("create", "group", key, name))
        else:
            plan.unchanged_count += 1


def _compare_collections(plan: Plan, wanted: Wanted, settings: Settings) -> None:
    for key in COLLECTIONS:
        body = collection_body(key, wanted, settings, plan.state.ids())
        _note(plan, "collection", key, body, plan.state.collections.get(key))


def _compare_dashboard(plan: Plan, wanted: Wanted, page: Dashboard, ids: Ids) -> None:
    there = plan.state.dashboards.get(page.key)
    body, found = full_dashboard_body(wanted, page, ids, there or {})
    _note(plan, "dashboard", page.key, body, there, found)


def _note(
    plan: Plan,
    kind: str,
    key: str,
    body: Json,
    there: Mapping[str, Any] | None,
    found: Iterable[Difference] | None = None,
) -> None:
    """Add what is to be done about one thing."""
    if there is None:
        plan.changes.append(Change("create", kind, key, body["name"], None, tuple(found or ())))
        return
    found = tuple(differences(there, body) if found is None else found)
    if there.get("archived"):
        plan.changes.append(Change("restore", kind, key, body["name"], there["id"], found))
    elif found:
        plan.changes.append(Change("update", kind, key, body["name"], there["id"], found))
    else:
        plan.unchanged_count += 1


def _compare_mail(client: MetabaseClient, plan: Plan, wanted: Wanted, settings: Settings) -> None:
    """Subscriptions and alerts of audiences that have an address."""
    recipients = settings.metabase.recipients
    can_send = bool(client.properties().get("email-configured?"))
    names = {page.key: page.name for page in wanted.dashboards}
    names |= {card.symbol: card.name for card in wanted.cards}
    items = [
        ("subscription", it.key, it.audience, it.dashboard, plan.state.subscriptions.get(it.key))
        for it in wanted.mail.subscriptions
    ] + [
        ("alert", it.key, it.audience, it.card, plan.state.alerts.get(it.key))
        for it in wanted.mail.alerts
    ]
    silent = set()
    for kind, key, audience, about, there in items:
        name = f"{names[about]}, for {audience.replace('_', ' ')}"
        is_off = there is not None and not mail.is_active(there)
        if not recipients.of(audience):
            silent.add(f"metabase.recipients.{audience}")
            if there is not None and not is_off:
                plan.changes.append(Change("archive", kind, key, name, there["id"]))
        elif there is None and not can_send:
            silent.add("an e-mail server (Admin settings > Email)")
        else:
            found = mail.differing(wanted, key, recipients.of(audience), there)
            _note_mail(plan, Change("create", kind, key, name, None, found), there, is_off=is_off)
    for row in plan.state.left_subscriptions:
        plan.changes.append(
            Change("archive", "subscription", f"left {row['id']}", row["name"], row["id"])
        )
    if silent:
        plan.not_created.append(
            f"no subscription or alert where these are not set: {', '.join(sorted(silent))}"
        )


def _note_mail(
    plan: Plan, change: Change, there: Mapping[str, Any] | None, *, is_off: bool
) -> None:
    if there is None:
        plan.changes.append(replace(change, differences=()))
    elif is_off or change.differences:
        action = "restore" if is_off else "update"
        plan.changes.append(replace(change, action=action, id=there["id"]))
    else:
        plan.unchanged_count += 1


def _compare_rights(client: MetabaseClient, plan: Plan, settings: Settings) -> None:
    state = plan.state
    is_ground_laid = set(state.groups) == set(server.names_of(settings).groups)
    if not is_ground_laid or state.database is None or set(state.collections) != set(COLLECTIONS):
        told = "viewers see results, analysts may use the query builder"
        plan.changes += [
            Change("grant", "permissions", "collections", "both groups read the collection"),
            Change("grant", "permissions", "data", told),
        ]
        return
    ids = state.ids()
    rights = server.wanted_rights(ids.collections, ids.database, state.group_ids())
    for graph, groups in server.differing_rights(client, rights).items():
        found = tuple(Difference(f"group {group}", None, own) for group, own in groups.items())
        plan.changes.append(
            Change("grant", "permissions", graph, f"rights on {graph}", None, found)
        )


def _compare_descriptions(client: MetabaseClient, plan: Plan, manifest: Manifest) -> None:
    if plan.state.database is None:
        tables = sorted(node["alias"] for node in manifest["nodes"].values())
    else:
        tables = undescribed(client, plan.state.database["id"], manifest)
    if tables:
        found = tuple(Difference(table, None, "described by dbt") for table in tables)
        name = f"descriptions of {len(tables)} marts"
        plan.changes.append(Change("describe", "tables", "descriptions", name, None, found))
