from __future__ import annotations

from typing import Any

import httpx
import pytest

from python_ml.errors import UsageError
from python_ml.pages.metabase import server
from python_ml.pages.metabase.client import Credentials, MetabaseClient, MetabaseError
from python_ml.pages.metabase.difference import differences
from python_ml.pages.metabase.wanted import entity_id, is_ours
from python_ml.settings import load_settings
from tests.dashboards.fake import FakeMetabase, create_app
from tests.dashboards.fake.queries import read_back

SETTINGS = load_settings({"metabase.url": "http://metabase", "metabase.attempts": 4}, {})


class Answers:
    """Answers in turn: a status, or an error of the network; counts the requests."""

    def __init__(self, *answers: Any, headers: Any = None) -> None:
        self.answers, self.headers = list(answers), headers
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer, json={"id": 1}, headers=self.headers)

    @property
    def client(self) -> MetabaseClient:
        return MetabaseClient(SETTINGS.metabase, httpx.MockTransport(self), self.waits.append)


@pytest.mark.parametrize("trouble", [503, 429, 502, 504, httpx.ReadTimeout("late")])
def test_what_may_be_sent_twice_is_sent_again(trouble: Any) -> None:
    answers = Answers(trouble, trouble, 200)
    assert answers.client.get("/api/database") == {"id": 1}
    assert answers.waits == [0.5, 1.0]


@pytest.mark.parametrize("trouble", [503, 429, httpx.ConnectError("refused")])
def test_a_post_is_sent_again_only_while_nothing_can_have_happened(trouble: Any) -> None:
    answers = Answers(trouble, 200)
    assert answers.client.post("/api/card", {}) == {"id": 1}


@pytest.mark.parametrize("trouble", [502, 504, 500, httpx.ReadTimeout("late")])
def test_a_post_whose_fate_is_unknown_is_not_repeated(trouble: Any) -> None:
    answers = Answers(trouble, 200)
    client = answers.client
    with pytest.raises(MetabaseError, match="POST http://metabase/api/card"):
        client.post("/api/card", {})
    assert len(answers.requests) == 1 and client.writes == []


def test_it_waits_as_long_as_the_server_asks() -> None:
    answers = Answers(429, 200, headers={"Retry-After": "7"})
    answers.client.get("/api/database")
    assert answers.waits == [7.0]


def test_it_gives_up_in_the_end_and_says_how_to_go_on() -> None:
    answers = Answers(*[httpx.ConnectError("refused")] * 4)
    with pytest.raises(MetabaseError, match=r"no answer \(refused\); is Metabase up") as error:
        answers.client.get("/api/database")
    assert len(answers.requests) == 4 and "goes on where it stopped" in str(error.value)


@pytest.mark.parametrize(
    ("status", "says"), [(401, "METABASE_API_KEY"), (403, "group Administrators"), (400, "400")]
)
def test_refusals_name_the_remedy(status: int, says: str) -> None:
    with pytest.raises(MetabaseError, match=says) as error:
        Answers(status).client.get("/api/database")
    assert error.value.status == status


def test_credentials_come_from_the_environment_alone() -> None:
    key = {"SPANISHGAS_METABASE_API_KEY": "mb_1"}
    assert Credentials.from_environment(key) == Credentials("mb_1", None, None)
    with pytest.raises(UsageError, match="SPANISHGAS_METABASE_EMAIL and"):
        Credentials.from_environment({"SPANISHGAS_METABASE_EMAIL": "a@b.example"})


def test_a_blank_server_needs_an_administrator() -> None:
    transport = httpx.WSGITransport(create_app(FakeMetabase()))
    client = MetabaseClient(SETTINGS.metabase, transport)
    assert server.is_blank(client)
    with pytest.raises(UsageError, match="is blank"):
        server.set_up(client, Credentials("mb_1", None, None), "SpanishGas")


def test_athena_is_connected_without_what_defeats_result_reuse() -> None:
    settings = SETTINGS.with_overrides({"metabase.engine": "athena"})
    body = server.connection(settings, {})
    details = body["details"]
    assert details["include-user-id-and-hash"] is False
    assert (details["access_key"], details["secret_key"]) == ("", "")  # the server's own role
    assert details["workgroup"] == settings.athena.work_group
    assert details["s3_staging_dir"] == settings.athena.staging
    assert body["is_full_sync"] is False


def test_an_engine_that_the_stock_image_cannot_read_is_refused() -> None:
    with pytest.raises(UsageError, match="one of postgres, athena, got 'duckdb'"):
        SETTINGS.with_overrides({"metabase.engine": "duckdb"})
    with pytest.raises(UsageError, match="SPANISHGAS_MARTS_READER_PASSWORD"):
        server.connection(SETTINGS, {})


def test_rights_that_others_change_meanwhile_are_set_on_what_is_there_then() -> None:
    fake = FakeMetabase(setup_token="t", users=[{"id": 1, "email": "a", "password": "b"}])
    fake.sessions["s"] = 1
    refused: list[httpx.Request] = []

    def race(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT" and not refused:
            refused.append(request)
            fake.collection_graph["revision"] += 1  # somebody else was faster
            fake.collection_graph["groups"]["9"] = {"root": "read"}
        return inner.handle_request(request)

    inner = httpx.WSGITransport(create_app(fake))
    client = MetabaseClient(SETTINGS.metabase, httpx.MockTransport(race))
    client.use_session("s")
    server.grant(client, "collections", {"1": {"5": "none"}})
    assert refused and fake.collection_graph["groups"]["1"] == {"root": "write", "5": "none"}
    assert fake.collection_graph["groups"]["9"] == {"root": "read"}


def test_entity_ids_are_nano_ids_and_tell_instances_apart() -> None:
    ids = {entity_id("risk.by_tier", "main"), entity_id("risk.by_tier", "test")}
    assert len(ids) == 2
    assert all(len(it) == 21 and it.replace("-", "_").isidentifier() and is_ours(it) for it in ids)


def test_what_a_server_adds_is_no_difference() -> None:
    tag = {"id": "1", "name": "tier", "display-name": "Tier", "type": "text", "required": False}
    native = {"query": "select {{tier}}", "template-tags": {"tier": tag}}
    wanted: dict[str, Any] = {
        "dataset_query": {"type": "native", "database": 3, "native": native},
        "description": None,
        "details": {"host": "db"},
        "parameters": [{"id": "a", "type": "string/="}],
    }
    there: dict[str, Any] = {
        "dataset_query": read_back(wanted["dataset_query"]),
        "description": "",
        "details": {"host": "db", "password": "**MetabasePass**", "let-user-control": False},
        "parameters": [{"id": "a", "type": "string/=", "isMultiSelect": True}],
        "created_at": "2026-01-01",
    }
    there["dataset_query"]["stages"][0]["template-tags"]["tier"]["widget-type"] = "category"
    assert differences(there, wanted) == []
    there["dataset_query"]["stages"][0]["template-tags"]["tier"]["required"] = True
    there["parameters"][0]["type"] = "string/contains"
    assert [it.field for it in differences(there, wanted)] == ["dataset_query", "parameters"]
