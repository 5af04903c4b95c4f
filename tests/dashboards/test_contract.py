"""Our requests and the fake's answers, held against what Metabase's makers publish."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from dbtmetabase import DbtMetabase

from python_ml.pages.compile import load_dashboards
from python_ml.pages.metabase.apply import Applied, apply, verify
from python_ml.pages.metabase.client import Credentials, MetabaseClient
from python_ml.pages.metabase.descriptions import mart_manifest, undescribed
from python_ml.pages.metabase.server import make_api_key
from python_ml.pages.metabase.wanted import Wanted
from python_ml.pages.metrics import load_metrics
from python_ml.pages.subscriptions import AUDIENCES, load_mail
from python_ml.settings import Settings
from tests.dashboards import representation
from tests.dashboards.conftest import HERE
from tests.dashboards.fake import FakeMetabase, running
from tests.dashboards.fake.contract import Contract
from tests.dashboards.fake.queries import sql_of
from tests.dashboards.postgres import READER, Postgres

BIN = HERE / "node_modules" / ".bin"


@pytest.fixture(scope="module")
def address(fake: FakeMetabase, contract: Contract) -> Iterator[str]:
    """The fake over HTTP; it refuses what the official document does not allow."""
    with running(fake, contract) as url:
        yield url


@pytest.fixture(scope="module")
def wanted() -> Wanted:
    pages = load_dashboards()
    return Wanted(pages, "postgres", "main", load_metrics(), load_mail(pages))


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    from python_ml.settings import load_settings

    return mart_manifest(load_settings({"home": str(tmp_path_factory.mktemp("manifest"))}, {}))


@pytest.fixture(scope="module")
def server_settings(settings: Settings, address: str) -> Settings:
    mailed = {f"metabase.recipients.{it}": [f"{it}@spanishgas.example"] for it in AUDIENCES}
    return settings.with_overrides({"metabase.url": address, **mailed})


@pytest.fixture(scope="module")
def applied(
    fake: FakeMetabase, server_settings: Settings, wanted: Wanted, manifest: Mapping[str, Any]
) -> Applied:
    """All that the project defines, applied to a blank server that can send mail."""
    fake.can_send_mail = True
    credentials = Credentials.from_environment()
    with MetabaseClient(server_settings.metabase) as client:
        return apply(client, wanted, server_settings, credentials, manifest)


@pytest.fixture(scope="module")
def api_key(applied: Applied, server_settings: Settings) -> str:
    with MetabaseClient(server_settings.metabase) as client:
        client.log_in(Credentials.from_environment())
        return make_api_key(client)


def tool(*command: Any, **environment: Any) -> str:
    """Run a program of node_modules; returns its stdout.

    Raises:
        AssertionError: it fails; the message is its own.
    """
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        env=os.environ | environment,
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.parametrize(
    ("method", "path", "body", "says"),
    [
        ("POST", "/api/card", {"name": "x"}, "required property"),
        ("PUT", "/api/dashboard/1", {"widht": "full"}, "widht"),
        ("PUT", "/api/dashboard/1", {"width": "wide"}, "wide"),
        ("POST", "/api/dashboard", {"name": ""}, "valid under any|too short|non-empty"),
        ("PUT", "/api/collection/1?force=1", {}, "force is not declared"),
        ("POST", "/api/cards", {}, "no such operation"),
        ("POST", "/api/pulse", {"name": "x", "cards": []}, "required property"),
        ("PUT", "/api/pulse/1", {"archived": False, "recipients": []}, "recipients"),
        ("POST", "/api/notification", {"payload_type": "notification/mail"}, "notification/mail"),
        (
            "PUT",
            "/api/dashboard/1",
            {"dashcards": [{"id": -1, "row": 0, "col": 0, "size_x": 4, "size_y": 4}]},
            "dashcards",
        ),
    ],
)
def test_the_contract_refuses_what_is_not_in_it(
    contract: Contract, method: str, path: str, body: Any, says: str
) -> None:
    path, _, query = path.partition("?")
    parameters = dict(pair.split("=") for pair in query.split("&") if pair)
    found = contract.problems(method, path, parameters, body)
    assert found, f"{method} {path} passed"
    assert any(word in " ".join(found) for word in says.split("|")), found


def test_cards_and_dashboards_pass_the_official_validator(
    fake: FakeMetabase, applied: Applied, tmp_path: Path
) -> None:
    count = representation.write(fake, tmp_path)
    said = tool("representations", "validate-schema", "--folder", str(tmp_path))
    assert f"{count} passed, 0 failed" in said


def test_the_official_validator_would_notice(
    fake: FakeMetabase, applied: Applied, tmp_path: Path
) -> None:
    representation.write(fake, tmp_path)
    path = next(path for path in tmp_path.rglob("*.yaml") if "dashcards" in path.read_text())
    document = json.loads(path.read_text())
    document["dashcards"][0]["size_x"] = 25
    path.write_text(json.dumps(document))
    with pytest.raises(AssertionError, match="1 failed"):
        tool("representations", "validate-schema", "--folder", str(tmp_path))


def test_the_official_command_reads_every_dashboard(
    fake: FakeMetabase, applied: Applied, api_key: str, address: str
) -> None:
    for page in fake.dashboards.values():
        said = tool(
            *("mb", "dashboard", "get", str(page["id"]), "--json", "--full", "--max-bytes", "0"),
            MB_URL=address,
            MB_API_KEY=api_key,
        )
        read = json.loads(said)
        assert read["name"] == page["name"]
        assert len(read["dashcards"]) == len(page["dashcards"])


def test_the_official_command_accepts_every_kind_of_query(
    fake: FakeMetabase, applied: Applied, wanted: Wanted, tmp_path: Path
) -> None:
    """Every metric, and one card for each combination of tags: its SQL is all the same to it."""

    def kind(card: Mapping[str, Any]) -> Any:
        if card["type"] == "metric":
            return card["name"]
        tags = card["dataset_query"]["stages"][0].get("template-tags", {}).values()
        return sorted((tag["type"], tag["required"], "default" in tag) for tag in tags)

    kinds = {repr(kind(card)): card for card in fake.cards.values()}
    assert "[]" in kinds and len(kinds) > len(wanted.metrics) + 1
    for card in kinds.values():
        path = tmp_path / f"{card['id']}.json"
        path.write_text(json.dumps(card["dataset_query"]))
        said = tool("mb", "query", "--dry-run", "--json", "--file", str(path))
        assert json.loads(said)["ok"], card["name"]


def test_metrics_are_what_the_marts_sum_up_to(
    fake: FakeMetabase, applied: Applied, wanted: Wanted, server: Postgres
) -> None:
    """The query builder's figures, run by the fake in Postgres, are those that SQL finds there."""
    cards = {card["entity_id"]: card for card in fake.cards.values()}

    def value(key: str) -> float:
        card = cards[wanted.entity_id(f"metric.{key}")]
        assert card["type"] == "metric" and fake.runner is not None
        (names, rows) = fake.runner(sql_of(card["dataset_query"], fake.tables))
        assert f'["name","{names[0]}"]' in card["visualization_settings"]["column_settings"]
        return float(rows[0][0])

    by_hand = {
        "customers": "count(*) from mart_customer_risk",
        "customers_at_risk": "count(*) from mart_customer_risk where is_at_risk",
        "customers_flagged": "count(*) from mart_customer_risk where is_flagged",
        "expected_churn_rate": "sum(churn_probability) / count(*) from mart_customer_risk",
        "expected_loss": "sum(expected_monthly_loss_eur) from mart_customer_risk",
        "offers": "count(*) from mart_recommendation where decision = 'offered'",
        "offer_cost": "sum(offer_budget_eur + contact_cost_eur) from mart_recommendation",
        "margin_rate": "sum(margin_eur) / sum(revenue_eur) from mart_customer_month",
    }
    options = "-c search_path=marts"
    with psycopg.connect(server.connect_as(READER), options=options) as connection:
        for key, query in by_hand.items():
            row = connection.execute(f"select {query}".encode()).fetchone()
            assert row and value(key) == pytest.approx(float(row[0])), key


def test_answers_about_alerts_have_the_official_form(
    fake: FakeMetabase, applied: Applied, contract: Contract, wanted: Wanted
) -> None:
    assert len(fake.notifications) == len(wanted.mail.alerts) > 0
    for alert in fake.notifications.values():
        assert contract.answer_problems("POST", "/api/notification", alert) == []
    assert contract.answer_problems("POST", "/api/notification", {"handlers": "none"})


def test_dbt_metabase_describes_the_marts_once(
    fake: FakeMetabase, applied: Applied, server_settings: Settings, manifest: Mapping[str, Any]
) -> None:
    described = {
        table["name"]: {field["name"]: field["description"] for field in table["fields"]}
        for table in fake.tables.values()
    }
    for node in manifest["nodes"].values():
        assert described[node["alias"]] == {
            name: column["description"] for name, column in node["columns"].items()
        }
    with MetabaseClient(server_settings.metabase) as client:
        client.log_in(Credentials.from_environment())
        assert undescribed(client, min(fake.databases), manifest) == []


def test_dbt_metabase_finds_every_dashboard_as_an_exposure(
    fake: FakeMetabase,
    applied: Applied,
    api_key: str,
    address: str,
    manifest: Mapping[str, Any],
    wanted: Wanted,
    tmp_path: Path,
) -> None:
    # It takes a table without a schema for one of public, of the database of the connection.
    nodes = {
        name: node | {"database": "marts", "schema": "public"}
        for name, node in manifest["nodes"].items()
    }
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({**manifest, "nodes": nodes}))
    reader = DbtMetabase(path, address, metabase_api_key=api_key)
    reader.extract_exposures(output_path=str(tmp_path))
    found = yaml.safe_load((tmp_path / "exposures.yml").read_text())["exposures"]
    marts = {
        row["label"]: {ref.split("'")[1] for ref in row["depends_on"]}
        for row in found
        if row["type"] == "dashboard"
    }
    # The question of an alert is on no page.
    assert marts == {
        page.name: {mart for card in page.cards if card.position for mart in card.tables}
        for page in wanted.dashboards
    }


def test_every_request_is_one_that_the_official_document_allows(
    fake: FakeMetabase,
    server_settings: Settings,
    wanted: Wanted,
    manifest: Mapping[str, Any],
    applied: Applied,
    api_key: str,
) -> None:
    """Last: it takes everything away and brings it back, and renews the key."""
    assert applied.card_count == len(wanted.symbols) > len(wanted.cards)
    credentials = Credentials(api_key, None, None)

    def apply_again(asked: Wanted) -> Applied:
        with MetabaseClient(server_settings.metabase) as client:
            return apply(client, asked, server_settings, credentials, manifest)

    assert apply_again(wanted).requests == []
    silent = server_settings.with_overrides({f"metabase.recipients.{it}": [] for it in AUDIENCES})
    with MetabaseClient(server_settings.metabase) as client:
        silenced = apply(client, wanted, silent, credentials, manifest).plan.changes
    mailed = len(wanted.mail.subscriptions) + len(wanted.mail.alerts)
    assert [it.action for it in silenced] == ["archive"] * mailed
    assert {it.action for it in apply_again(wanted).plan.changes} == {"restore"}
    nothing = apply_again(Wanted((), "postgres", "main")).plan.changes
    left = len(wanted.symbols) + len(wanted.dashboards) + len(wanted.mail.subscriptions)
    assert len(nothing) == left
    assert len(apply_again(wanted).urls) == len(wanted.dashboards)
    with MetabaseClient(server_settings.metabase) as client:
        client.log_in(credentials)
        assert verify(client, wanted, server_settings, manifest) == len(wanted.symbols)
        make_api_key(client)
    assert fake.refused == []
