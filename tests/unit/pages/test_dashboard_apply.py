from __future__ import annotations

from dataclasses import replace
from typing import Any

import duckdb
import httpx
import pytest
import sqlglot

from python_ml.errors import QualityGateError
from python_ml.pages.metabase.apply import Applied, apply
from python_ml.pages.metabase.client import Credentials, MetabaseClient
from python_ml.pages.metabase.plan import Plan, make_plan
from python_ml.pages.metabase.wanted import Wanted, entity_id
from python_ml.pages.model import Click, Dashboard, Position, Tab, TextCard
from python_ml.settings import Settings, load_settings
from tests.dashboards.fake import FakeMetabase, create_app
from tests.dashboards.sample import sample

ADMIN = Credentials(None, "admin@spanishgas.example", "correct horse battery")
MARTS = {
    "marts": {"mart_customer_risk": [("customer_id", "type/Text"), ("risk_tier", "type/Text")]}
}
Pages = tuple[Dashboard, ...]
MANIFEST: dict[str, dict[str, Any]] = {
    "metadata": {},
    "sources": {},
    "child_map": {},
    "nodes": {},
}


def run_on_duckdb(sql: str) -> tuple[list[str], list[list[Any]]]:
    with duckdb.connect() as connection:
        connection.execute(
            "create table mart_customer_risk as select 'C00001' as customer_id, 'SME' as segment, "
            "'High' as risk_tier, 0.7 as churn_probability"
        )
        result = connection.execute(sqlglot.transpile(sql, read="postgres", write="duckdb")[0])
        return [column[0] for column in result.description], [
            list(row) for row in result.fetchall()
        ]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SPANISHGAS_MARTS_READER_PASSWORD", "reader's")
    return load_settings({"metabase.url": "http://metabase", "metabase.attempts": 3}, {})


@pytest.fixture
def fake() -> FakeMetabase:
    return FakeMetabase(runner=run_on_duckdb, warehouse=MARTS)


class Console:
    """Calls plan and apply on one fake server, as the command would."""

    def __init__(self, fake: FakeMetabase, settings: Settings) -> None:
        self.fake, self.settings = fake, settings

    def client(self) -> MetabaseClient:
        transport = httpx.WSGITransport(create_app(self.fake))
        return MetabaseClient(self.settings.metabase, transport, sleep=lambda _: None)

    def plan(self, pages: Any) -> Plan:
        with self.client() as client:
            if self.fake.users:
                client.log_in(ADMIN)
            return make_plan(client, Wanted(pages, "postgres", "main"), self.settings, None)

    def apply(self, pages: Any) -> Applied:
        with self.client() as client:
            return apply(client, Wanted(pages, "postgres", "main"), self.settings, ADMIN, None)

    def writes_of(self, pages: Pages) -> list[str]:
        before = len(self.fake.writes)
        self.apply(pages)
        return [f"{method} {path}" for method, path, _ in self.fake.writes[before:]]


@pytest.fixture
def console(fake: FakeMetabase, settings: Settings) -> Console:
    return Console(fake, settings)


def test_plan_of_a_blank_server_lists_everything_and_changes_nothing(
    console: Console, fake: FakeMetabase
) -> None:
    plan = console.plan(sample())
    listed = [(change.action, change.kind, change.key) for change in plan.changes]
    assert listed == [
        ("set up", "server", "server"),
        ("create", "database", "database"),
        ("create", "group", "viewers"),
        ("create", "group", "analysts"),
        ("create", "collection", "root"),
        ("create", "collection", "cards"),
        *(("create", "card", card.symbol) for page in sample() for card in page.cards),
        ("create", "dashboard", "risk"),
        ("create", "dashboard", "lookup"),
        ("grant", "permissions", "collections"),
        ("grant", "permissions", "data"),
    ]
    assert fake.writes == []


def test_a_second_apply_makes_no_write(console: Console, fake: FakeMetabase) -> None:
    first = console.apply(sample())
    assert first.requests and first.card_count == 5
    assert console.writes_of(sample()) == []
    assert console.plan(sample()).changes == []
    assert fake.refused == []


def test_analysts_may_use_the_query_builder_and_viewers_may_not(
    console: Console, fake: FakeMetabase
) -> None:
    console.apply(sample())
    groups = {row["name"]: str(number) for number, row in fake.groups.items()}
    (database,) = map(str, fake.databases)
    rights = {
        name: fake.data_graph["groups"][groups[name]][database]["create-queries"]
        for name in ("SpanishGas viewers", "SpanishGas analysts", "All Users")
    }
    assert rights == {
        "SpanishGas viewers": "no",
        "SpanishGas analysts": "query-builder",
        "All Users": "no",
    }


def test_a_model_is_one_on_the_server_and_a_question_can_become_one(
    console: Console, fake: FakeMetabase
) -> None:
    console.apply(sample())
    assert {card["type"] for card in fake.cards.values()} == {"question"}
    modelled = with_card(sample(), "risk.segments", is_model=True)
    (written,) = console.writes_of(modelled)
    (model,) = (card for card in fake.cards.values() if card["type"] == "model")
    assert written == f"PUT /api/card/{model['id']}"
    assert model["description"] == "What segments shows.", "a model is never empty for a filter"
    assert console.writes_of(modelled) == []


def changed(pages: Pages, key: str, **fields: Any) -> Pages:
    """The pages, one of them with other fields."""
    return tuple(replace(page, **fields) if page.key == key else page for page in pages)


def with_card(pages: Pages, symbol: str, **fields: Any) -> Pages:
    """The pages, one card of them with other fields."""
    return tuple(
        replace(
            page,
            cards=tuple(
                replace(card, **fields) if card.symbol == symbol else card for card in page.cards
            ),
        )
        for page in pages
    )


def without_card(pages: Pages, symbol: str) -> Pages:
    return tuple(
        replace(page, cards=tuple(card for card in page.cards if card.symbol != symbol))
        for page in pages
    )


def ids_of(fake: FakeMetabase) -> dict[str, Any]:
    """What links, bookmarks and subscriptions rest on."""
    pages = list(fake.dashboards.values())
    return {
        "collections": set(fake.collections),
        "cards": {card["entity_id"]: card["id"] for card in fake.cards.values()},
        "dashboards": {page["caveats"]: page["id"] for page in pages},
        "dashcards": {
            (page["id"], row["card_id"], str(row["visualization_settings"].get("text"))): row["id"]
            for page in pages
            for row in page["dashcards"]
        },
        "tabs": {tab["id"] for page in pages for tab in page["tabs"]},
        "parameters": {row["id"] for page in pages for row in page["parameters"]},
    }


def page_id(fake: FakeMetabase, name: str) -> int:
    return next(int(page["id"]) for page in fake.dashboards.values() if page["name"] == name)


def card_id(fake: FakeMetabase, symbol: str) -> int:
    entity = entity_id(symbol, "main")
    return next(int(card["id"]) for card in fake.cards.values() if card["entity_id"] == entity)


def test_links_open_the_tab_that_they_name(console: Console, fake: FakeMetabase) -> None:
    """Also those of the page itself, and of a page that is written first."""
    click = Click("risk", None, (), "list")
    pages = with_card(sample(), "risk.by_tier", click=click)
    pages = with_card(pages, "lookup.risk", click=click)
    text = TextCard("next", "text", "[List](dashboard:risk/list)", Position(9, 0, 24, 1), None)
    pages = changed(pages, "lookup", texts=(*pages[1].texts, text))
    console.apply((pages[1], pages[0]))
    risk = next(it for it in fake.dashboards.values() if it["name"] == "Customer Risk")
    tab = next(it["id"] for it in risk["tabs"] if it["name"] == "List")
    settings = [
        row["visualization_settings"] for it in fake.dashboards.values() for row in it["dashcards"]
    ]
    clicks = [it["click_behavior"] for it in settings if "click_behavior" in it]
    assert [it["tabId"] for it in clicks] == [tab, tab]
    assert f"[List](/dashboard/{risk['id']}?tab={tab})" in [it.get("text") for it in settings]
    assert console.writes_of((pages[1], pages[0])) == []


def test_an_empty_card_says_why_where_metabase_shows_it(
    console: Console, fake: FakeMetabase
) -> None:
    console.apply(sample())
    card = next(it for it in fake.cards.values() if it["name"] == "By tier")
    assert card["description"] == "What by_tier shows. If there are no results: Nobody."


def test_renaming_a_card_is_one_put_of_that_card(console: Console, fake: FakeMetabase) -> None:
    console.apply(sample())
    before = ids_of(fake)
    renamed = with_card(sample(), "risk.by_tier", name="Tiers")
    number = card_id(fake, "risk.by_tier")
    assert console.writes_of(renamed) == [f"PUT /api/card/{number}"]
    assert fake.cards[number]["name"] == "Tiers"
    assert ids_of(fake) == before


def test_moving_a_card_is_one_put_of_its_page(console: Console, fake: FakeMetabase) -> None:
    console.apply(sample())
    before = ids_of(fake)
    moved = with_card(sample(), "risk.customer_count", position=Position(2, 18, 6, 4))
    assert console.writes_of(moved) == [f"PUT /api/dashboard/{page_id(fake, 'Customer Risk')}"]
    assert ids_of(fake) == before


def test_deleting_a_card_takes_it_off_the_page_then_archives_it(
    console: Console, fake: FakeMetabase
) -> None:
    console.apply(sample())
    before = ids_of(fake)
    number = card_id(fake, "risk.customer_count")
    assert console.writes_of(without_card(sample(), "risk.customer_count")) == [
        f"PUT /api/dashboard/{page_id(fake, 'Customer Risk')}",
        f"PUT /api/card/{number}",
    ]
    assert fake.cards[number]["archived"]
    left = {place: row for place, row in before["dashcards"].items() if place[1] != number}
    assert ids_of(fake) == before | {"dashcards": left}


def test_adding_a_tab_keeps_the_ids_of_the_others(console: Console, fake: FakeMetabase) -> None:
    console.apply(sample())
    before = ids_of(fake)
    tabs = (Tab("new", "New"), *sample()[0].tabs)
    number = page_id(fake, "Customer Risk")
    assert console.writes_of(changed(sample(), "risk", tabs=tabs)) == [
        f"PUT /api/dashboard/{number}"
    ]
    after = ids_of(fake)
    assert before["tabs"] < after["tabs"] and len(after["tabs"]) == 3
    assert after | {"tabs": before["tabs"]} == before
    assert [tab["name"] for tab in fake.dashboards[number]["tabs"]] == ["New", "Tiers", "List"]


def test_renaming_page_tab_and_text_keeps_every_id(console: Console, fake: FakeMetabase) -> None:
    console.apply(sample())
    before = ids_of(fake)
    risk = sample()[0]
    texts = (replace(risk.texts[0], markdown="At risk"), risk.texts[1])
    tabs = (Tab("tiers", "By tier"), risk.tabs[1])
    renamed = changed(sample(), "risk", name="Risk", texts=texts, tabs=tabs)
    number = page_id(fake, "Customer Risk")
    assert console.writes_of(renamed) == [f"PUT /api/dashboard/{number}"]
    after = ids_of(fake)
    assert set(after["dashcards"].values()) == set(before["dashcards"].values())
    assert after | {"dashcards": 0} == before | {"dashcards": 0}
    assert page_id(fake, "Risk") == number


def test_what_left_the_code_comes_back_with_its_old_ids(
    console: Console, fake: FakeMetabase
) -> None:
    console.apply(sample())
    before = ids_of(fake)
    console.apply(sample()[1:])
    assert [page["name"] for page in fake.dashboards.values() if page["archived"]] == [
        "Customer Risk"
    ]
    assert sum(card["archived"] for card in fake.cards.values()) == 4
    console.apply(sample())
    assert ids_of(fake) == before
    assert not any(row["archived"] for row in (*fake.cards.values(), *fake.dashboards.values()))


def test_only_what_is_ours_is_archived(console: Console, fake: FakeMetabase) -> None:
    console.apply(sample())
    root = next(it["id"] for it in fake.collections.values() if it["name"] == "SpanishGas")
    query = {"type": "native", "database": min(fake.databases), "native": {"query": "select 1"}}
    body = {"name": "Mine", "display": "table", "visualization_settings": {}}
    by_hand = fake.add_card(body | {"dataset_query": query, "collection_id": root})
    plan = console.plan(())
    assert plan.state.foreign == ["question 'Mine'"]
    assert {(it.action, it.kind) for it in plan.changes} == {
        ("archive", "dashboard"),
        ("archive", "card"),
    }
    console.apply(())
    assert not fake.cards[by_hand["id"]]["archived"]


def test_what_people_changed_by_hand_is_undone(console: Console, fake: FakeMetabase) -> None:
    console.apply(sample())
    number = card_id(fake, "risk.by_tier")
    elsewhere = fake.add_collection({"name": "Elsewhere"})
    fake.update_card(number, {"collection_id": elsewhere["id"], "display": "pie"})
    assert console.writes_of(sample()) == [f"PUT /api/card/{number}"]
    assert fake.cards[number]["display"] == "bar"
    assert fake.cards[number]["collection_id"] != elsewhere["id"]


def test_subscriptions_that_filter_stay(console: Console, fake: FakeMetabase) -> None:
    console.apply(sample())
    number = page_id(fake, "Customer Risk")
    parameter = fake.dashboards[number]["parameters"][0]["id"]
    fake.subscriptions[1] = {
        "dashboard_id": number,
        "parameters": [{"id": parameter}],
        "archived": False,
    }
    risk = sample()[0]
    renamed = changed(sample(), "risk", parameters=(replace(risk.parameters[0], name="Kind"),))
    console.apply(with_card(renamed, "risk.by_tier", name="Tiers"))
    assert not fake.subscriptions[1]["archived"]


def test_a_card_that_fails_ends_with_the_exit_code_of_a_quality_gate(
    console: Console, fake: FakeMetabase
) -> None:
    statements = {"postgres": "select risk_tier from mart_of_nobody"}
    broken = with_card(sample(), "risk.by_tier", statements=statements)
    with pytest.raises(QualityGateError, match=r"1 of 5 cards fail.*risk\.by_tier.*mart_of_nobody"):
        console.apply(broken)


def test_cards_are_found_when_the_collection_is_not(console: Console, fake: FakeMetabase) -> None:
    """Somebody renamed it and rewrote its description: it is no longer ours, the cards are."""
    console.apply(sample())
    numbers = {card["id"] for card in fake.cards.values()}
    for collection in fake.collections.values():
        collection |= {"name": "Theirs", "description": "Ours now."}
    console.apply(sample())
    assert {card["id"] for card in fake.cards.values()} == numbers


def test_passwords_are_needed_only_to_connect(
    console: Console, fake: FakeMetabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    console.apply(sample())
    monkeypatch.delenv("SPANISHGAS_MARTS_READER_PASSWORD")
    assert console.plan(sample()).changes == []
    assert console.writes_of(sample()) == []


@pytest.mark.slow
def test_an_apply_that_was_killed_is_finished_by_the_next(settings: Settings) -> None:
    whole = FakeMetabase(runner=run_on_duckdb, warehouse=MARTS)
    Console(whole, settings).apply(sample())
    total = len(whole.writes)
    assert total > 15
    for survived in range(total):
        fake = FakeMetabase(runner=run_on_duckdb, warehouse=MARTS, dies_after_writes=survived)
        console = Console(fake, settings)
        with pytest.raises(ConnectionAbortedError):
            console.apply(sample())
        assert len(fake.writes) == survived
        fake.dies_after_writes = None
        assert len(console.writes_of(sample())) == total - survived
        assert len(fake.dashboards) == 2 and len(fake.cards) == 5
        assert console.writes_of(sample()) == []
        assert fake.refused == []
