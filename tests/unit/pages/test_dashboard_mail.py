"""Metrics, subscriptions and alerts: what is defined, and what a server gets of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from python_ml.errors import SpanishGasError
from python_ml.pages.compile import load_dashboards
from python_ml.pages.metabase.apply import Applied, apply
from python_ml.pages.metabase.client import Credentials, MetabaseClient
from python_ml.pages.metabase.wanted import Wanted, load_wanted
from python_ml.pages.metrics import METRICS_FILE, Column, Metric, load_metrics
from python_ml.pages.problems import DefinitionError
from python_ml.pages.subscriptions import (
    AUDIENCES,
    SUBSCRIPTIONS_FILE,
    Alert,
    Mail,
    Subscription,
    load_mail,
)
from python_ml.settings import Settings, load_settings
from tests.dashboards.fake import FakeMetabase, create_app
from tests.dashboards.sample import sample

ADMIN = Credentials(None, "admin@spanishgas.example", "correct horse battery")
METRIC = Metric(
    "customers",
    "Customers",
    "Customers scored.",
    "mart_customer_risk",
    ["count", {}, Column("customer_id")],
    "customer_count",
)
MAIL = Mail((Subscription("analyst", "risk", "mon", 7),), (Alert("on_call", "risk.segments", 6),))
WANTED = Wanted(sample(), "postgres", "main", (METRIC,), MAIL)
ADDRESSES = {
    "metabase.recipients.analyst": ["ana@spanishgas.example", "ben@spanishgas.example"],
    "metabase.recipients.on_call": ["call@spanishgas.example"],
}


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SPANISHGAS_MARTS_READER_PASSWORD", "reader's")
    return load_settings({"metabase.url": "http://metabase", **ADDRESSES}, {})


@pytest.fixture
def fake() -> FakeMetabase:
    columns = [("customer_id", "type/Text"), ("segment", "type/Text")]
    return FakeMetabase(
        runner=lambda _: (["one"], [[1]]),
        warehouse={"marts": {"mart_customer_risk": columns}},
        can_send_mail=True,
    )


def applied(fake: FakeMetabase, settings: Settings, wanted: Wanted = WANTED) -> Applied:
    transport = httpx.WSGITransport(create_app(fake))
    with MetabaseClient(settings.metabase, transport, sleep=lambda _: None) as client:
        return apply(client, wanted, settings, ADMIN, None)


def test_a_second_apply_makes_no_write(fake: FakeMetabase, settings: Settings) -> None:
    first = applied(fake, settings)
    made = [it.kind for it in first.plan.changes if it.kind in ("subscription", "alert")]
    assert made == ["subscription", "alert"] and first.plan.not_created == []
    assert first.as_dict()["not_created"] == []
    (metric,) = (card for card in fake.cards.values() if card["type"] == "metric")
    assert metric["name"] == "Customers" and first.card_count == len(WANTED.symbols)
    assert applied(fake, settings).requests == []
    assert fake.refused == []


def test_mail_goes_to_the_addresses_of_the_settings(fake: FakeMetabase, settings: Settings) -> None:
    applied(fake, settings)
    (subscription,) = fake.subscriptions.values()
    (channel,) = subscription["channels"]
    assert [it["email"] for it in channel["recipients"]] == ADDRESSES["metabase.recipients.analyst"]
    assert (channel["schedule_type"], channel["schedule_day"]) == ("weekly", "mon")
    assert len(subscription["cards"]) == 3, "the questions of the page"
    (alert,) = fake.notifications.values()
    (handler,) = alert["handlers"]
    assert [it["details"]["value"] for it in handler["recipients"]] == ["call@spanishgas.example"]
    assert alert["payload"]["send_condition"] == "has_result"
    assert [it["cron_schedule"] for it in alert["subscriptions"]] == ["0 0 6 * * ? *"]


def test_a_change_of_the_page_keeps_the_subscription(
    fake: FakeMetabase, settings: Settings
) -> None:
    """The server renames subscriptions with their page, so a name is no key."""
    applied(fake, settings)
    (before,) = fake.subscriptions
    risk, lookup = sample()
    renamed = replace(WANTED, dashboards=(replace(risk, name="Risk"), lookup))
    applied(fake, settings, renamed)
    assert [row["name"] for row in fake.subscriptions.values()] == ["Risk"]
    assert list(fake.subscriptions) == [before] and applied(fake, settings, renamed).requests == []


def test_other_recipients_and_hours_update_what_is_there(
    fake: FakeMetabase, settings: Settings
) -> None:
    applied(fake, settings)
    ids = [*fake.subscriptions, *fake.notifications]
    moved = Mail(
        tuple(replace(it, hour=9) for it in MAIL.subscriptions),
        tuple(replace(it, hour=9) for it in MAIL.alerts),
    )
    fewer = settings.with_overrides({"metabase.recipients.analyst": ["ana@spanishgas.example"]})
    changes = applied(fake, fewer, replace(WANTED, mail=moved)).plan.changes
    told = {it.kind: {difference.field for difference in it.differences} for it in changes}
    assert told == {"subscription": {"recipients", "schedule"}, "alert": {"schedule"}}
    assert [*fake.subscriptions, *fake.notifications] == ids


def test_without_an_address_or_a_mail_server_nothing_is_created(
    fake: FakeMetabase, settings: Settings
) -> None:
    nobody = settings.with_overrides({key: [] for key in ADDRESSES})
    (line,) = applied(fake, nobody).plan.not_created
    assert "metabase.recipients.analyst, metabase.recipients.on_call" in line
    fake.can_send_mail = False
    (line,) = applied(fake, settings).plan.not_created
    assert "e-mail server" in line
    assert not fake.subscriptions and not fake.notifications


def test_an_audience_that_loses_its_addresses_gets_no_more_mail(
    fake: FakeMetabase, settings: Settings
) -> None:
    applied(fake, settings)
    nobody = settings.with_overrides({key: [] for key in ADDRESSES})
    assert {it.action for it in applied(fake, nobody).plan.changes} == {"archive"}
    assert all(row["archived"] for row in fake.subscriptions.values())
    assert not any(row["active"] for row in fake.notifications.values())
    assert applied(fake, nobody).requests == []
    assert {it.action for it in applied(fake, settings).plan.changes} == {"restore"}
    assert len(fake.subscriptions) == len(fake.notifications) == 1


def test_what_people_subscribed_to_is_left_alone(fake: FakeMetabase, settings: Settings) -> None:
    applied(fake, settings)
    (ours,), (alert,) = fake.subscriptions.values(), fake.notifications.values()
    theirs = {**ours, "id": 7, "channels": [{**ours["channels"][0], "details": {}}]}
    user = {"recipients": [{"id": 9, "type": "notification-recipient/user", "user_id": 1}]}
    fake.subscriptions[7] = theirs
    fake.notifications[8] = {**alert, "id": 8, "handlers": [{**alert["handlers"][0], **user}]}
    assert applied(fake, settings).requests == []
    applied(fake, settings, Wanted((), "postgres", "main"))
    assert not fake.subscriptions[7]["archived"] and ours["archived"]


def test_a_metric_of_a_mart_that_is_not_loaded_says_how_to_load_it(
    fake: FakeMetabase, settings: Settings
) -> None:
    fake.warehouse = {"marts": {}}
    with pytest.raises(SpanishGasError, match=r"mart_customer_risk\.customer_id.*publish-marts"):
        applied(fake, settings)


def test_a_model_and_a_metric_that_left_the_code_are_archived(
    fake: FakeMetabase, settings: Settings
) -> None:
    """A collection lists questions, models and metrics as three kinds."""
    risk, lookup = sample()
    modelled = tuple(
        replace(card, is_model=True) if card.key == "segments" else card for card in risk.cards
    )
    whole = replace(WANTED, dashboards=(replace(risk, cards=modelled), lookup))
    applied(fake, settings, whole)
    without = replace(risk, cards=risk.cards[:-1], parameters=(), tabs=risk.tabs)
    applied(fake, settings, Wanted((without, lookup), "postgres", "main"))
    gone = {card["type"] for card in fake.cards.values() if card["archived"]}
    assert gone == {"model", "metric"}


def test_the_metrics_of_the_marts_are_those_of_dbt(settings: Settings) -> None:
    """All but those of gold, which Metabase does not see."""
    written = METRICS_FILE.read_text(encoding="utf-8").split("\nmetrics:")[1].count("- name:")
    metrics = {metric.key: metric for metric in load_metrics()}
    assert written - len(metrics) == len({"churned_customers", "labelled_customers", "churn_rate"})
    assert metrics["offers"].aggregation == [
        "count-where",
        {},
        ["=", {}, Column("decision"), "offered"],
    ]
    assert load_wanted(settings).metrics == tuple(metrics.values())


def test_every_audience_gets_a_page_and_somebody_is_on_call() -> None:
    mail = load_mail(load_dashboards())
    assert {it.audience for it in mail.subscriptions} == set(AUDIENCES)
    assert [it.audience for it in mail.alerts] == ["on_call"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("written", "instead", "line", "says"),
    [
        ("dashboard: overview", "dashboard: overwiev", 4, "overwiev"),
        ("audience: analyst", "audience: boss", 5, "boss"),
        ("day: mon", "day: monday", 4, "monday"),
        ("hour: 6", "hour: 24", 9, "from 0 to 23"),
        ("card: pipeline_status.alarms", "card: pipeline_status.runs", 9, "without at"),
        ("card: pipeline_status.alarms", "card: alarms", 9, "<page>.<card>"),
        ("dashboard: customer_risk,", "dashboard: customer_risk, colour: red,", 5, "colour"),
        ("audience: on_call, dashboard: pipeline_status", "audience: analyst, dashboard: "
         "customer_risk", 3, "is there twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_mail_is_told_with_file_and_line(
    tmp_path: Path, written: str, instead: str, line: int, says: str
) -> None:
    path = tmp_path / "subscriptions.yml"
    text = SUBSCRIPTIONS_FILE.read_text(encoding="utf-8")
    assert written in text
    path.write_text(text.replace(written, instead, 1), encoding="utf-8")
    with pytest.raises(DefinitionError, match=rf"subscriptions\.yml:{line}: .*{says}"):
        load_mail(load_dashboards(), path)


@pytest.mark.parametrize(
    ("written", "instead", "says"),
    [
        ("agg: count, expr: customer_id", "agg: median, expr: customer_id", "median"),
        ("expr: churn_probability", "expr: churn_chance", "no column churn_chance"),
        ("case when is_at_risk then 1 else 0 end", "case when is_at_risk then 1 end", "else 0"),
        ("expr: offer_budget_eur + contact_cost_eur", "expr: abs(offer_budget_eur)", "translated"),
    ],
)
def test_a_measure_that_metabase_cannot_compute_is_refused(
    tmp_path: Path, written: str, instead: str, says: str
) -> None:
    path = tmp_path / "_metrics.yml"
    text = METRICS_FILE.read_text(encoding="utf-8")
    assert written in text
    path.write_text(text.replace(written, instead), encoding="utf-8")
    with pytest.raises(DefinitionError, match=rf"_metrics\.yml:\d+: .*{says}"):
        load_metrics(path)
