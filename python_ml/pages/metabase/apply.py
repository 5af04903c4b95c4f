"""Bring a server to what the definitions say, and look whether it got there.

Nothing is remembered between calls: each reads the server and does what is missing, so a call that
was cut off is finished by the next one. Every step leaves the pages usable: questions are there
before the pages that show them, and are archived after these no longer do.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from python_ml.errors import QualityGateError, SpanishGasError
from python_ml.pages.metabase import mail, server
from python_ml.pages.metabase.client import Credentials, Json, MetabaseClient
from python_ml.pages.metabase.descriptions import Manifest, describe
from python_ml.pages.metabase.layout import tab_ids
from python_ml.pages.metabase.plan import (
    Change,
    Plan,
    collection_body,
    full_dashboard_body,
    make_plan,
)
from python_ml.pages.metabase.state import COLLECTIONS, State, read_tables
from python_ml.pages.metabase.wanted import Ids, Wanted
from python_ml.progress import Reporter, silent
from python_ml.settings import Settings

_LOOKS = 60  # at the tables of a server that is still looking for them, a second apart
_GROUND = ("server", "database", "group", "collection")  # what everything else stands on


@dataclass
class Applied:
    """What was done, and what a second look found."""

    plan: Plan
    requests: list[str] = field(default_factory=list)  # those that changed something
    card_count: int = 0  # each was run once
    urls: dict[str, str] = field(default_factory=dict)  # of the dashboards, by key

    def as_dict(self) -> Json:
        return {
            **self.plan.as_dict(),
            "write_count": len(self.requests),
            "requests": self.requests,
            "cards_run": self.card_count,
            "dashboards": self.urls,
        }


def apply(
    client: MetabaseClient,
    wanted: Wanted,
    settings: Settings,
    credentials: Credentials,
    manifest: Manifest | None,
    progress: Reporter = silent,
    *,
    reconnect: bool = False,
) -> Applied:
    """Make all changes of a plan, then verify.

    Args:
        client: not logged in yet.
        wanted: the compiled definitions.
        settings: the connection, names and rights.
        credentials: of an administrator; a blank server gets them as its first one.
        manifest: dbt's, for the descriptions of the marts; None leaves these out.
        progress: hears of each change.
        reconnect: send the connection to the marts again, with a password that has changed.

    Raises:
        MetabaseError: the server refused something or went away; the same call again goes on.
        QualityGateError: everything was sent, but the server still differs or a card fails.
    """
    if server.is_blank(client):
        plan = make_plan(client, wanted, settings, manifest)
        server.set_up(client, credentials, settings.metabase.collection)
    else:
        client.log_in(credentials)
        plan = make_plan(client, wanted, settings, manifest)
    run = _Run(client, wanted, settings, manifest, progress)
    run.lay_ground(plan, reconnect=reconnect)
    # What a restored collection holds is seen only now; and ids are known.
    rest = make_plan(client, wanted, settings, manifest) if client.writes else plan
    run.build(rest)
    card_count = verify(client, wanted, settings, manifest, progress)
    urls = {key: f"{client.url}/dashboard/{number}" for key, number in run.ids.dashboards.items()}
    return Applied(plan, list(client.writes), card_count, urls)


def verify(
    client: MetabaseClient,
    wanted: Wanted,
    settings: Settings,
    manifest: Manifest | None,
    progress: Reporter = silent,
) -> int:
    """Read everything again and run each card once; returns how many were run.

    Raises:
        QualityGateError: the server differs from the definitions, or a card fails.
    """
    plan = make_plan(client, wanted, settings, manifest)
    if plan.changes:
        raise QualityGateError(
            f"{client.url} is not as defined: "
            + "; ".join(f"{it.action} {it.kind} {it.name!r}" for it in plan.changes[:10])
            + "; `spanishgas dashboards plan` shows the differences"
        )
    ids = plan.state.ids()
    progress(f"running {len(ids.cards)} cards", 0.95)
    with ThreadPoolExecutor(max_workers=4) as pool:
        outcomes = list(pool.map(lambda card: _run_card(client, ids.cards[card]), ids.cards))
    failed = [f"{card}: {why}" for card, why in zip(ids.cards, outcomes, strict=True) if why]
    if failed:
        raise QualityGateError(
            f"{len(failed)} of {len(outcomes)} cards fail on {client.url}: " + "; ".join(failed[:5])
        )
    return len(outcomes)


def _run_card(client: MetabaseClient, number: int) -> str | None:
    """Why a card fails; None if it runs. The server answers 202 either way."""
    answer = client.ask(f"/api/card/{number}/query", {"ignore_cache": False})
    if answer.get("status") == "completed":
        return None
    return " ".join(str(answer.get("error") or answer.get("status")).split())[:200]


@dataclass
class _Run:
    """Carries out the changes of a plan; `ids` grows as things are created."""

    client: MetabaseClient
    wanted: Wanted
    settings: Settings
    manifest: Manifest | None
    progress: Reporter
    ids: Ids = field(default_factory=Ids)
    _sent: list[Change] = field(default_factory=list)  # pages that were written

    def lay_ground(self, plan: Plan, *, reconnect: bool) -> None:
        self.ids = plan.state.ids()
        self._connect(plan, reconnect=reconnect)
        for change in plan.of("group", "create"):
            self.client.post("/api/permissions/group", {"name": change.name})
        changed = {
            change.key: change for change in plan.of("collection", "create", "update", "restore")
        }
        for key in COLLECTIONS:
            if key in changed:
                self._collection(changed[key])

    def _connect(self, plan: Plan, *, reconnect: bool) -> None:
        is_new = bool(plan.of("database", "create"))
        if not (is_new or plan.of("database", "update") or reconnect):
            return
        body = server.connection(self.settings)
        if is_new:
            self.ids.database = self.client.post("/api/database", body)["id"]
        else:
            once = ("is_full_sync", "is_on_demand")  # of the creation alone
            body = {key: value for key, value in body.items() if key not in once}
            self.client.put(f"/api/database/{self.ids.database}", body)

    def _collection(self, change: Change) -> None:
        body = collection_body(change.key, self.wanted, self.settings, self.ids)
        if change.id is None:
            created = self.client.post("/api/collection", body)
            self.ids.collections[change.key] = created["id"]
        else:
            self.client.put(f"/api/collection/{change.id}", body | {"archived": False})

    def build(self, plan: Plan) -> None:
        """Everything in the collection, then who gets mail of it and who may see it, then the
        descriptions."""
        self.ids = plan.state.ids()
        for change in plan.of("subscription", "archive") + plan.of("alert", "archive"):
            self._silence(change, plan)
        self._cards(plan)
        self._dashboards(plan)
        for change in plan.of("dashboard", "archive") + plan.of("card", "archive"):
            self.client.put(f"/api/{change.kind}/{change.id}", {"archived": True})
        for change in plan.of("subscription", "create", "update", "restore"):
            self._subscription(change)
        for change in plan.of("alert", "create", "update", "restore"):
            self._alert(change, plan.state.alerts.get(change.key))
        if plan.of("permissions", "grant"):
            self._grant()
        if self.manifest is not None and plan.of("tables", "describe"):
            self.progress("descriptions of the marts", 0.9)
            describe(self.client, self.settings.metabase.database, self.manifest)

    def _cards(self, plan: Plan) -> None:
        metrics = {metric.symbol for metric in self.wanted.metrics}
        changes = plan.of("card", "create", "update", "restore")
        for number, change in enumerate(changes):
            self._say(change, number / len(changes))
            if change.key in metrics:
                self._learn_fields()
            self._card(change)

    def _dashboards(self, plan: Plan) -> None:
        for change in plan.of("dashboard", "create"):
            self._create_dashboard(change)
        pages = plan.of("dashboard", "create", "update", "restore")
        again = []
        for number, change in enumerate(pages):
            self._say(change, number / len(pages))
            before = dict(self.ids.tabs)
            self._dashboard(change)
            if self.ids.tabs != before:  # what was sent until now may link to the new tabs
                again = pages[: number + 1]
        for change in again:
            self._dashboard(change)

    def _say(self, change: Change, share: float) -> None:
        self.progress(f"{change.action} {change.kind} {change.name}", share * 0.9)

    def _card(self, change: Change) -> None:
        body = self.wanted.body_of(change.key, self.ids)
        if change.id is None:
            body["entity_id"] = self.wanted.entity_id(change.key)
            self.ids.cards[change.key] = self.client.post("/api/card", body)["id"]
            return
        differing = {difference.field for difference in change.differences}
        body = {key: value for key, value in body.items() if key in differing}
        if change.action == "restore":
            body |= {"archived": False, "collection_id": self.ids.collections["cards"]}
        self.client.put(f"/api/card/{change.id}", body)

    def _learn_fields(self) -> None:
        """The server's ids of the columns that the metrics name; a new server looks for them first.

        Raises:
            SpanishGasError: the server does not find a mart, or a column of one.
        """
        named = {(it.table, column) for it in self.wanted.metrics for column in it.columns}
        schema = server.names_of(self.settings).schema
        for attempt in range(_LOOKS):
            if named <= set(self.ids.fields):
                return
            if attempt == 0:
                self.client.ask(f"/api/database/{self.ids.database}/sync_schema")
            else:
                self.client.wait(1.0)
            tables = read_tables(self.client, self.ids.database, schema)
            known = State(tables=tables).ids()
            self.ids.tables, self.ids.fields = known.tables, known.fields
        table, column = min(named - set(self.ids.fields))
        raise SpanishGasError(
            f"{self.client.url} has found no {table}.{column} in schema {schema}, which a metric "
            "reads; `spanishgas dashboards publish-marts` loads the marts of Postgres"
        )

    def _subscription(self, change: Change) -> None:
        defined = next(it for it in self.wanted.mail.subscriptions if it.key == change.key)
        recipients = self.settings.metabase.recipients.of(defined.audience)
        body = mail.subscription_body(defined, recipients, self.wanted.mark_of(defined.key))
        if change.id is None:
            page = self.client.get(f"/api/dashboard/{self.ids.dashboards[defined.dashboard]}")
            self.client.post("/api/pulse", mail.new_subscription_body(body, page))
        else:
            self.client.put(f"/api/pulse/{change.id}", body)

    def _alert(self, change: Change, there: Json | None) -> None:
        defined = next(it for it in self.wanted.mail.alerts if it.key == change.key)
        recipients = self.settings.metabase.recipients.of(defined.audience)
        body = mail.alert_body(defined, recipients, self.ids.cards[defined.card], there)
        if there is None:
            self.client.post("/api/notification", body)
        else:
            self.client.put(f"/api/notification/{there['id']}", body)

    def _silence(self, change: Change, plan: Plan) -> None:
        """Switch off; the server keeps it, and the same one comes back."""
        if change.kind == "subscription":
            body: Json = {"archived": True, "skip_if_empty": False}
            self.client.put(f"/api/pulse/{change.id}", body)
            return
        there = plan.state.alerts[change.key]
        self.client.put(f"/api/notification/{there['id']}", mail.switched_off(there))

    def _create_dashboard(self, change: Change) -> None:
        """Its place and address; until the PUT that follows it is known by its name."""
        page = next(page for page in self.wanted.dashboards if page.key == change.key)
        body = self.wanted.dashboard_body(page, self.ids)
        first = ("name", "description", "collection_id")
        created = self.client.post("/api/dashboard", {key: body[key] for key in first})
        self.ids.dashboards[change.key] = created["id"]

    def _dashboard(self, change: Change) -> None:
        """Read once more: the places of cards in the trash are hidden until these are back."""
        page = next(page for page in self.wanted.dashboards if page.key == change.key)
        path = f"/api/dashboard/{self.ids.dashboards[change.key]}"
        body, found = full_dashboard_body(self.wanted, page, self.ids, self.client.get(path))
        if change.action == "restore":
            body["archived"] = False
        if not found and change in self._sent:
            return
        sent = self.client.put(path, body)
        self._sent.append(change)
        tabs = tab_ids(sent, [(tab.key, tab.name) for tab in page.tabs])
        self.ids.tabs |= {(page.key, tab): number for tab, number in tabs.items()}

    def _grant(self) -> None:
        there = {row["name"]: row["id"] for row in self.client.get("/api/permissions/group")}
        groups = {key: there[name] for key, name in server.names_of(self.settings).groups.items()}
        rights = server.wanted_rights(self.ids.collections, self.ids.database, groups)
        for graph, differing in server.differing_rights(self.client, rights).items():
            server.grant(self.client, graph, differing)
