"""Does `apply` make exactly the calls that a change needs, for the pages of this project?

On the strict fake server: plan and apply of a blank one, a second apply, a card renamed, moved and
deleted, a tab added, and an apply that is killed before one of its writes and then called again.

    python -m tests.proof.dashboard_apply --every 10
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from typing import Any

import httpx

from python_ml.pages.compile import load_dashboards
from python_ml.pages.metabase.apply import apply
from python_ml.pages.metabase.client import Credentials, MetabaseClient
from python_ml.pages.metabase.plan import make_plan
from python_ml.pages.metabase.wanted import Wanted
from python_ml.pages.model import Dashboard, Tab
from python_ml.settings import load_settings
from tests.dashboards.fake import FakeMetabase, create_app

ADMIN = Credentials(None, "admin@spanishgas.example", "correct horse battery")
Pages = tuple[Dashboard, ...]


class Server:
    """A fake server, and the calls of the command to it."""

    def __init__(self, dies_after_writes: int | None = None) -> None:
        self.fake = FakeMetabase(runner=lambda _: ([], []), dies_after_writes=dies_after_writes)
        self.settings = load_settings({"metabase.url": "http://metabase"}, {})
        self.app = create_app(self.fake)

    def client(self) -> MetabaseClient:
        return MetabaseClient(self.settings.metabase, httpx.WSGITransport(self.app))

    def planned(self, pages: Pages) -> int:
        with self.client() as client:
            wanted = Wanted(pages, "postgres", "main")
            return len(make_plan(client, wanted, self.settings, None).changes)

    def apply(self, pages: Pages) -> list[str]:
        """The writes it took."""
        before = len(self.fake.writes)
        with self.client() as client:
            apply(client, Wanted(pages, "postgres", "main"), self.settings, ADMIN, None)
        return [f"{method} {path}" for method, path, _ in self.fake.writes[before:]]

    def ids(self) -> dict[str, int]:
        """Of every card, page and dashcard, by what does not change."""
        pages = self.fake.dashboards.values()
        rows = {f"row {row['id']}": row["id"] for page in pages for row in page["dashcards"]}
        cards = {card["entity_id"]: card["id"] for card in self.fake.cards.values()}
        return cards | {page["caveats"]: page["id"] for page in pages} | rows


def changes(pages: Pages) -> dict[str, tuple[Pages, list[str]]]:
    """Name of a change -> the pages after it, and the kinds of writes that it needs."""
    page = next(page for page in pages if not page.tabs)
    card = max(page.cards, key=lambda it: it.position.row if it.position else -1)
    assert card.position is not None
    place = replace(card.position, row=card.position.row + 1)

    def with_card(**fields: Any) -> Pages:
        cards = tuple(replace(it, **fields) if it is card else it for it in page.cards)
        return tuple(replace(it, cards=cards) if it is page else it for it in pages)

    rest = tuple(it for it in page.cards if it is not card)
    tabbed = replace(
        page,
        tabs=(Tab("all", "All"), Tab("new", "New")),
        cards=tuple(replace(it, tab="all") for it in page.cards),
        texts=tuple(replace(it, tab="all") for it in page.texts),
    )
    return {
        "rename a card": (with_card(name="Another name"), ["PUT /api/card"]),
        "move a card": (with_card(position=place), ["PUT /api/dashboard"]),
        "add tabs": (
            tuple(tabbed if it is page else it for it in pages),
            ["PUT /api/dashboard"],
        ),
        "delete a card": (
            tuple(replace(it, cards=rest) if it is page else it for it in pages),
            ["PUT /api/dashboard", "PUT /api/card"],
        ),
    }


def main(flags: argparse.Namespace) -> int:
    os.environ["SPANISHGAS_MARTS_READER_PASSWORD"] = "of the reader"
    pages, failed = load_dashboards(), []

    def claim(text: str, holds: bool) -> None:
        print(f"{'ok  ' if holds else 'FAIL'} {text}")
        if not holds:
            failed.append(text)

    server = Server()
    listed, cards = server.planned(pages), sum(len(page.cards) for page in pages)
    claim(f"plan of a blank server lists {listed}: {len(pages)} pages, {cards} cards, 7 others",
          listed == len(pages) + cards + 7 and not server.fake.writes)  # fmt: skip
    total = len(server.apply(pages))
    claim(f"apply: {total} writes", total > 0)
    again = server.apply(pages)
    claim(f"apply again: {len(again)} writes", not again)
    for name, (after, needed) in changes(pages).items():
        before = server.ids()
        made = [write.rpartition("/")[0] for write in server.apply(after)]
        kept = {key: number for key, number in server.ids().items() if key in before}
        moved = [key for key, number in kept.items() if before[key] != number]
        lost = len(before) - len(kept)
        claim(f"{name}: {', '.join(made)}; {len(kept)} ids kept, {len(moved)} changed, {lost} gone",
              made == needed and not moved and lost == ("delete" in name))  # fmt: skip
        server.apply(pages)
    kills = range(0, total, flags.every)
    complete = 0
    for survived in kills:
        cut = Server(dies_after_writes=survived)
        try:
            cut.apply(pages)
        except ConnectionAbortedError:
            cut.fake.dies_after_writes = None
            rest = len(cut.apply(pages))
            complete += survived + rest == total and not cut.apply(pages)
    claim(f"killed before {len(kills)} of its writes and called again: complete {complete} times, "
          f"in {total} writes altogether", complete == len(kills))  # fmt: skip
    claim(f"{len(server.fake.refused)} requests that the server would misread",
          not server.fake.refused)  # fmt: skip
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--every", type=int, default=10, help="kill before each so many writes")
    sys.exit(main(parser.parse_args()))
