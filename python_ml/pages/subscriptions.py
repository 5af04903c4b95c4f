"""What Metabase mails by itself: a page a week to each audience, and alerts.

`infra/metabase/subscriptions.yml` says what is sent to which audience; the addresses of an audience
are settings, `metabase.recipients`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from python_ml.pages.compile import DEFINITIONS
from python_ml.pages.model import Card, Dashboard
from python_ml.pages.problems import Entry, Problems, read_yaml
from python_ml.settings import Recipients

SUBSCRIPTIONS_FILE = DEFINITIONS.parent / "subscriptions.yml"
AUDIENCES = tuple(Recipients.model_fields)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Subscription:
    """A page that an audience gets once a week."""

    audience: str
    dashboard: str
    day: str  # one of DAYS
    hour: int  # of the server's time zone

    @property
    def key(self) -> str:
        return f"{self.audience}.{self.dashboard}"


@dataclass(frozen=True)
class Alert:
    """A question that an audience gets every day on which it has rows."""

    audience: str
    card: str  # symbol
    hour: int  # of the server's time zone

    @property
    def key(self) -> str:
        return f"{self.audience}.{self.card}"


@dataclass(frozen=True)
class Mail:
    """All that is mailed."""

    subscriptions: tuple[Subscription, ...] = ()
    alerts: tuple[Alert, ...] = ()


NO_MAIL = Mail()


def load_mail(dashboards: Sequence[Dashboard], path: Path = SUBSCRIPTIONS_FILE) -> Mail:
    """Read what is mailed, and check it against the pages.

    Raises:
        DefinitionError: with every problem found, each with file and line.
    """
    problems = Problems()
    entry = read_yaml(path, problems)
    mail = NO_MAIL
    if entry is not None:
        cards = {card.symbol: card for page in dashboards for card in page.cards}
        mail = Mail(
            tuple(
                _subscription(it, {page.key for page in dashboards})
                for it in entry.entries("subscriptions")
            ),
            tuple(_alert(it, cards) for it in entry.entries("alerts")),
        )
        entry.finish()
        _refuse_twice(entry, mail)
    problems.raise_if_any()
    return mail


def _subscription(entry: Entry, pages: set[str]) -> Subscription:
    found = Subscription(
        entry.choice("audience", AUDIENCES),
        entry.choice("dashboard", tuple(sorted(pages))),
        entry.choice("day", DAYS),
        _hour(entry),
    )
    entry.finish()
    return found


def _alert(entry: Entry, cards: dict[str, Card]) -> Alert:
    found = Alert(entry.choice("audience", AUDIENCES), entry.text("card"), _hour(entry))
    card = cards.get(found.card)
    if card is None:
        entry.complain("card", f"card: there is no {found.card!r}; write <page>.<card>")
    elif card.display != "table" or card.position is not None or card.tags:
        # An alert has no name on the server: it is known by a question that nothing else shows.
        entry.complain("card", "card: an alert needs a table without at, and without a filter")
    entry.finish()
    return found


def _hour(entry: Entry) -> int:
    hour = entry.value("hour")
    if isinstance(hour, int) and 0 <= hour <= 23:
        return hour
    entry.complain("hour", "hour: a whole number from 0 to 23")
    return 0


def _refuse_twice(entry: Entry, mail: Mail) -> None:
    """Two with one key would take each other's place on the server, and so would two alerts of
    one question."""
    for name, keys in (
        ("subscriptions", [it.key for it in mail.subscriptions]),
        ("alerts", [it.card for it in mail.alerts]),
    ):
        for key in sorted({it for it in keys if keys.count(it) > 1}):
            entry.complain(name, f"{name}: {key} is there twice")
