"""What a person sees of a plan: a table in the terminal, on stdout."""

from __future__ import annotations

from typing import Any

from python_ml.console import new_table, open_console
from python_ml.pages.metabase.apply import Applied
from python_ml.pages.metabase.difference import Difference
from python_ml.pages.metabase.plan import Change, Plan

_LONGEST = 60  # characters of a value; `--json` has them whole
_MOST = 6  # differences of one thing


def show_plan(plan: Plan) -> None:
    """Every change with what differs, then what stays and what is left alone."""
    console = open_console()
    if plan.changes:
        table = new_table(f"Changes to {plan.url}", "Do", "What", "Key", "Name", "Differences")
        for column in table.columns:
            column.justify = "left"
        for change in plan.changes:
            key = "" if change.action == "archive" else change.key
            cells = (change.action, change.kind, key, change.name, _differences(change))
            table.add_row(*cells)
        console.print(table)
    counts = f"{len(plan.changes)} to change, {plan.unchanged_count} as defined"
    console.print(f"{counts}, on {plan.url}", soft_wrap=True)
    if plan.state.foreign:
        console.print(f"Not ours, left alone: {', '.join(plan.state.foreign)}", soft_wrap=True)
    for line in plan.not_created:
        console.print(f"Not created: {line}", soft_wrap=True)


def show_applied(applied: Applied) -> None:
    """The plan that was carried out, the requests it took, and where the pages are."""
    console = open_console()
    show_plan(applied.plan)
    console.print(
        f"{len(applied.requests)} writes; read again: no difference; "
        f"{applied.card_count} cards run without an error"
    )
    for url in applied.urls.values():
        console.print(url, soft_wrap=True)


def _differences(change: Change) -> str:
    if change.action == "create":
        return f"{len(change.differences)} parts" if change.differences else ""
    lines = [_in_words(difference) for difference in change.differences[:_MOST]]
    if len(change.differences) > _MOST:
        lines.append(f"and {len(change.differences) - _MOST} more")
    return "\n".join(lines)


def _in_words(difference: Difference) -> str:
    before, after = _short(difference.before), _short(difference.after)
    if difference.before is None:
        return f"{difference.field}: {after}"
    if difference.after is None:
        return f"{difference.field}: gone"
    return f"{difference.field}: {before} → {after}"


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
