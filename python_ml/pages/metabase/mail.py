"""Subscriptions and alerts on a server: which are ours, what they should be, the requests.

A subscription carries its key in the details of its channel. Its name is no place for one: the
server gives it the name of the page whenever the page changes. An alert has no text at all; it is
known by the question that it watches, which is made for it, and by going to plain addresses only:
what people set up by hand goes to users.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from python_ml.pages.metabase.client import Json, MetabaseClient
from python_ml.pages.metabase.difference import Difference, differences

if TYPE_CHECKING:
    from python_ml.pages.metabase.wanted import Ids, Wanted
    from python_ml.pages.subscriptions import Alert, Subscription

_KEY = "managed_by"
_RAW = "notification-recipient/raw-value"


def subscriptions_of(
    client: MetabaseClient, wanted: Wanted, ids: Ids
) -> tuple[dict[str, Json], list[Json]]:
    """Ours by key, and those of ours that are no longer defined and still send."""
    rows = [
        row
        for archived in ("false", "true")
        for row in client.get("/api/pulse", archived=archived)
        if _key(row).startswith(wanted.mark_of_all)
    ]
    keys = {wanted.mark_of(it.key): it for it in wanted.mail.subscriptions}
    found: dict[str, Json] = {}
    left = []
    for row in rows:
        defined = keys.get(_key(row))
        is_there = defined and row["dashboard_id"] == ids.dashboards.get(defined.dashboard)
        if defined and is_there and defined.key not in found:
            found[defined.key] = row
        elif not row["archived"]:
            left.append(row)
    return found, left


def alerts_of(client: MetabaseClient, wanted: Wanted, ids: Ids) -> dict[str, Json]:
    """Ours by key, switched off or not; of several the first one."""
    found = {}
    for alert in wanted.mail.alerts:
        card = ids.cards.get(alert.card)
        if card is None:
            continue
        rows = client.get("/api/notification", card_id=card, include_inactive="true")
        ours = [row for row in rows if _goes_to_addresses_only(row)]
        if ours:
            found[alert.key] = min(ours, key=lambda row: (not row["active"], row["id"]))
    return found


def is_active(row: Mapping[str, Any]) -> bool:
    """Whether a subscription or an alert sends anything."""
    return bool(row["active"] if "active" in row else not row["archived"])


def differing(
    wanted: Wanted, key: str, recipients: Sequence[str], there: Mapping[str, Any] | None
) -> tuple[Difference, ...]:
    """Where a subscription or an alert on the server is not as defined."""
    if there is None:
        return ()
    for subscription in wanted.mail.subscriptions:
        if subscription.key == key:
            after = subscription_facts(subscription, recipients)
            return tuple(differences(facts_of_subscription(there), after))
    alert = next(it for it in wanted.mail.alerts if it.key == key)
    return tuple(differences(facts_of_alert(there), alert_facts(alert, recipients)))


def subscription_facts(subscription: Subscription, recipients: Sequence[str]) -> Json:
    """What a reader notices of a subscription."""
    schedule = f"weekly, {subscription.day} at {subscription.hour}"
    return {"recipients": list(recipients), "schedule": schedule, "is_enabled": True}


def facts_of_subscription(row: Mapping[str, Any]) -> Json:
    """The same of one that is on the server."""
    channel = _channel(row)
    day, hour = channel.get("schedule_day"), channel.get("schedule_hour")
    return {
        "recipients": sorted(it.get("email", "") for it in channel.get("recipients", ())),
        "schedule": f"{channel.get('schedule_type')}, {day} at {hour}",
        "is_enabled": bool(channel.get("enabled")) and len(row.get("channels") or ()) == 1,
    }


def alert_facts(alert: Alert, recipients: Sequence[str]) -> Json:
    """What a reader notices of an alert."""
    return {
        "recipients": list(recipients),
        "schedule": _cron(alert),
        "condition": "has_result",
        "is_sent_once": False,
    }


def facts_of_alert(row: Mapping[str, Any]) -> Json:
    """The same of one that is on the server."""
    addresses = [it["details"]["value"] for it in _recipients(row)]
    schedules = [it.get("cron_schedule") for it in row.get("subscriptions", ())]
    payload = row["payload"]
    return {
        "recipients": sorted(addresses),
        "schedule": ", ".join(map(str, schedules)),
        "condition": payload.get("send_condition"),
        "is_sent_once": bool(payload.get("send_once")),
    }


def subscription_body(
    subscription: Subscription, recipients: Sequence[str], mark: str, *, is_archived: bool = False
) -> Json:
    """What is sent to bring a subscription to its state; its page and cards are set once."""
    channel = {
        "channel_type": "email",
        "enabled": True,
        "schedule_type": "weekly",
        "schedule_day": subscription.day,
        "schedule_hour": subscription.hour,
        "schedule_frame": None,
        "recipients": [{"email": address} for address in recipients],
        "details": {_KEY: mark},
    }
    return {"channels": [channel], "skip_if_empty": False, "archived": is_archived}


def new_subscription_body(body: Json, page: Mapping[str, Any]) -> Json:
    """The same for one that is not there yet.

    Args:
        body: of `subscription_body`.
        page: the dashboard as the server has it; later the server keeps the list of its cards.
    """
    cards = [
        {
            "id": row["card_id"],
            "dashboard_card_id": row["id"],
            "include_csv": False,
            "include_xls": False,
        }
        for row in page["dashcards"]
        if row["card_id"] is not None
    ]
    sent = {key: value for key, value in body.items() if key != "archived"}
    return sent | {
        "name": page["name"],
        "dashboard_id": page["id"],
        "cards": cards,
        "parameters": [],
    }


def alert_body(
    alert: Alert,
    recipients: Sequence[str],
    card: int,
    there: Mapping[str, Any] | None,
) -> Json:
    """What is sent to create an alert, or to bring the one that is there to its state.

    Rows without an id take the place of all that are there.
    """
    body: Json = {
        "payload_type": "notification/card",
        "payload": {"card_id": card, "send_condition": "has_result", "send_once": False},
        "handlers": [
            {
                "channel_type": "channel/email",
                "recipients": [
                    {"type": _RAW, "details": {"value": address}} for address in recipients
                ],
            }
        ],
        "subscriptions": [
            {"type": "notification-subscription/cron", "cron_schedule": _cron(alert)}
        ],
    }
    if there is None:
        return body
    return body | {"payload_id": there["payload_id"], "active": True}


def switched_off(there: Mapping[str, Any]) -> Json:
    """An alert that is there, sending no more."""
    payload = {key: there["payload"][key] for key in ("card_id", "send_condition", "send_once")}
    return {
        "payload_type": there["payload_type"],
        "payload_id": there["payload_id"],
        "payload": payload,
        "handlers": [],
        "subscriptions": [],
        "active": False,
    }


def _cron(alert: Alert) -> str:
    """Seconds, minutes, hours, day of the month, month, day of the week, year."""
    return f"0 0 {alert.hour} * * ? *"


def _channel(row: Mapping[str, Any]) -> Json:
    found: Json = next(iter(row.get("channels") or ()), {})
    return found


def _key(row: Mapping[str, Any]) -> str:
    return str((_channel(row).get("details") or {}).get(_KEY, ""))


def _recipients(row: Mapping[str, Any]) -> list[Json]:
    return [it for handler in row.get("handlers", ()) for it in handler.get("recipients", ())]


def _goes_to_addresses_only(row: Mapping[str, Any]) -> bool:
    return all(it["type"] == _RAW for it in _recipients(row))
