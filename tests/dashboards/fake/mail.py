"""Subscriptions and alerts of the fake server, by the rules of the real one."""

from __future__ import annotations

from typing import Any

from flask import Flask, jsonify, request

from tests.dashboards.fake.errors import ApiError
from tests.dashboards.fake.store import CREATED_AT, FakeMetabase, Row, nano_id

CHANNEL_DEFAULTS: Row = {"enabled": True, "schedule_frame": None, "recipients": [], "details": {}}
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def register_mail(app: Flask, fake: FakeMetabase) -> None:
    @app.route("/api/pulse", methods=["GET", "POST"])
    def subscriptions() -> Any:
        if request.method == "POST":
            return _add_subscription(fake, request.get_json())
        is_archived = request.args.get("archived") == "true"
        page = request.args.get("dashboard_id", type=int)
        rows = [row for row in fake.subscriptions.values() if row["archived"] == is_archived]
        return jsonify([row for row in rows if page is None or row["dashboard_id"] == page])

    @app.route("/api/pulse/<int:number>", methods=["GET", "PUT"])
    def subscription(number: int) -> Row:
        row = fake.find(fake.subscriptions, number)
        if request.method == "PUT":
            body = {"archived": False, "skip_if_empty": False, **request.get_json()}
            channels = body.pop("channels", None)
            row.update(body)
            if channels is not None:
                row["channels"] = _channels(fake, channels)
        return row

    @app.route("/api/notification", methods=["GET", "POST"])
    def notifications() -> Any:
        if request.method == "POST":
            return _save_notification(fake, fake.next_id(), request.get_json())
        card = request.args.get("card_id", type=int)
        with_inactive = request.args.get("include_inactive") == "true"
        rows = [
            row
            for row in fake.notifications.values()
            if (card is None or row["payload"]["card_id"] == card)
            and (with_inactive or row["active"])
        ]
        return jsonify(rows)

    @app.route("/api/notification/<int:number>", methods=["GET", "PUT"])
    def notification(number: int) -> Row:
        row = fake.find(fake.notifications, number)
        if request.method == "PUT":
            return _save_notification(fake, number, request.get_json())
        return row


def _add_subscription(fake: FakeMetabase, body: Row) -> Row:
    if not body["cards"] or not body["channels"]:
        raise ApiError(400, {"errors": {"cards": "value must be a non-empty list"}})
    for card in body["cards"]:
        fake.find(fake.cards, card["id"])
    fake.find(fake.dashboards, body["dashboard_id"])
    number = fake.next_id()
    fake.subscriptions[number] = {
        "id": number,
        "archived": False,
        "collection_id": None,
        "collection_position": None,
        "creator_id": 1,
        "entity_id": nano_id(),
        "created_at": CREATED_AT,
        "can_write": True,
        "parameters": [],
        **body,
        "channels": _channels(fake, body["channels"]),
    }
    return fake.subscriptions[number]


def _channels(fake: FakeMetabase, sent: list[Row]) -> list[Row]:
    """Of one kind each; addresses are kept apart and told as recipients, details come back."""
    channels = []
    for row in sent:
        channel = {**CHANNEL_DEFAULTS, **row}
        if channel["channel_type"] != "email" or channel["schedule_type"] != "weekly":
            raise ApiError(400, f"not played by the fake: {channel}")
        if channel["schedule_day"] not in DAYS or not 0 <= channel["schedule_hour"] <= 23:
            raise ApiError(500, {"message": "Assert failed: valid-schedule?"})
        channels.append({"id": fake.next_id(), "created_at": CREATED_AT, **channel})
    return channels


def _save_notification(fake: FakeMetabase, number: int, body: Row) -> Row:
    """A notification, whole: rows without an id replace those that are there."""
    card = fake.find(fake.cards, body["payload"]["card_id"])
    before = fake.notifications.get(number, {})
    payload = {"send_condition": "has_result", "send_once": False, **body["payload"]}
    payload_id = before.get("payload_id") or fake.next_id()
    fake.notifications[number] = {
        "id": number,
        "active": body.get("active", before.get("active", True)),
        "creator_id": before.get("creator_id", 1),
        "creator": {"id": 1, "email": fake.users[0]["email"]},
        "payload_type": body["payload_type"],
        "payload_id": payload_id,
        "payload": {**payload, "card": {"id": card["id"], "name": card["name"]}},
        "handlers": [_with_id(fake, row) | {"recipients": _recipients(fake, row)}
                     for row in body.get("handlers", ())],
        "subscriptions": [_with_id(fake, row) for row in body.get("subscriptions", ())],
        "created_at": CREATED_AT,
    }  # fmt: skip
    return fake.notifications[number]


def _with_id(fake: FakeMetabase, row: Row) -> Row:
    return {"id": fake.next_id(), "active": True, **row}


def _recipients(fake: FakeMetabase, handler: Row) -> list[Row]:
    return [{"id": fake.next_id(), **row} for row in handler.get("recipients", ())]
