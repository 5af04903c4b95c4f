"""Tabs and dashcards of one dashboard: which ids they keep, and what differs.

A dashboard's PUT is a diff by id: known ids are updated, negative ones created, and what is left
out is deleted. So every tab and dashcard that stays must be recognised, or links to tabs and what
people subscribed to would break.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from python_ml.pages.metabase.client import Json
from python_ml.pages.metabase.difference import Difference, clean, differences
from python_ml.pages.metabase.wanted import Placed

_PLACE = ("row", "col", "size_x", "size_y")


@dataclass(frozen=True)
class Layout:
    """The rows to send, and what they change."""

    tabs: list[Json]
    dashcards: list[Json]
    differences: list[Difference]


def lay_out(page: Json, tabs: list[tuple[str, str]], placed: list[Placed]) -> Layout:
    """Give wanted tabs and dashcards the ids of those that are there.

    Args:
        page: the dashboard as the server has it; empty for one that is not there.
        tabs: key and name of each.
        placed: wanted dashcards; their `dashboard_tab_id` is the key of a tab.
    """
    there = list(page.get("tabs") or [])
    kept = _kept_tabs(there, [name for _, name in tabs])
    ids = {key: kept.get(number, -1 - number) for number, (key, _) in enumerate(tabs)}
    rows = [{"id": ids[key], "name": name} for key, name in tabs]
    found = _tab_differences(there, rows)

    def on_tab(body: Json) -> Json:
        return body | {"dashboard_tab_id": ids.get(str(body["dashboard_tab_id"]))}

    wanted = [Placed(entry.label, on_tab(entry.body)) for entry in placed]
    existing = list(page.get("dashcards") or [])
    matched = _matched(existing, [entry.body for entry in wanted])
    dashcards = []
    for number, entry in enumerate(wanted):
        before = matched.get(number)
        dashcards.append({"id": before["id"] if before else -1 - number, **entry.body})
        found += _row_differences(entry, before)
    used = {row["id"] for row in matched.values()}
    found += [
        Difference(_label_of(row), "on the dashboard", None)
        for row in existing
        if row["id"] not in used
    ]
    return Layout(rows, dashcards, found)


def tab_ids(page: Json, tabs: list[tuple[str, str]]) -> dict[str, int]:
    """Key of a wanted tab -> id, of those that the dashboard has already."""
    kept = _kept_tabs(list(page.get("tabs") or []), [name for _, name in tabs])
    return {tabs[place][0]: number for place, number in kept.items()}


def _kept_tabs(there: list[Json], names: list[str]) -> dict[int, int]:
    """Place of a wanted tab -> id: by name, and a renamed one by its place."""
    by_name = {tab["name"]: tab["id"] for tab in there}
    kept = {place: by_name[name] for place, name in enumerate(names) if name in by_name}
    for place, tab in enumerate(there):
        is_free = place < len(names) and place not in kept
        if is_free and tab["id"] not in kept.values():
            kept[place] = tab["id"]
    return kept


def _tab_differences(there: list[Json], rows: list[Json]) -> list[Difference]:
    before = [{"id": tab["id"], "name": tab["name"]} for tab in there]
    if before == rows:
        return []
    return [Difference("tabs", [tab["name"] for tab in there], [row["name"] for row in rows])]


def _matched(existing: list[Json], wanted: list[Json]) -> dict[int, Json]:
    """Place in `wanted` -> the row that is there, by ever weaker likeness."""

    def place(row: Json) -> Hashable:
        return (row.get("dashboard_tab_id"), row["row"], row["col"])

    likenesses: list[Callable[[Json], Hashable]] = [
        lambda row: (_content(row), place(row)),
        lambda row: (_content(row), row.get("dashboard_tab_id")),
        _content,
        lambda row: (row.get("card_id"), place(row)),  # a text with other words, in its old place
        lambda row: row.get("card_id"),
    ]
    matched: dict[int, Json] = {}
    left = list(existing)
    for likeness in likenesses:
        for number, row in enumerate(wanted):
            if number in matched:
                continue
            alike = [entry for entry in left if likeness(entry) == likeness(row)]
            if alike:
                matched[number] = alike[0]
                left.remove(alike[0])
    return matched


def _content(row: Json) -> Hashable:
    settings = row.get("visualization_settings") or {}
    return (row.get("card_id"), settings.get("text") if row.get("card_id") is None else None)


def _row_differences(entry: Placed, before: Json | None) -> Iterable[Difference]:
    if before is None:
        return [Difference(entry.label, None, "on the dashboard")]
    found = differences(before, entry.body)
    moved = [difference for difference in found if difference.field in _PLACE]
    others = [difference for difference in found if difference.field not in _PLACE]
    named = [Difference(f"{entry.label}: {it.field}", it.before, it.after) for it in others]
    if moved:
        now, then = (_place_in_words(row) for row in (before, entry.body))
        named.insert(0, Difference(f"{entry.label}: place", now, then))
    return named


def _place_in_words(row: Json) -> str:
    return "row {row}, column {col}, {size_x} × {size_y}".format_map(row)


def _label_of(row: Json) -> str:
    if row.get("card_id") is None:
        text = str((row.get("visualization_settings") or {}).get("text", ""))
        return f"text {clean(text)[:40]!r}"
    return f"card {(row.get('card') or {}).get('name', row['card_id'])!r}"
