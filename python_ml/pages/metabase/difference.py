"""Where what is on a server differs from what is wanted, whatever form the server gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from python_ml.pages.metabase.client import Json

_EMPTY: tuple[Any, ...] = (None, "", [], {})
_CLAUSE_OPTIONS = ("name", "display-name")
_TAG_KEYS = ("id", "name", "display-name", "type", "default")


@dataclass(frozen=True)
class Difference:
    """One field, as it is on the server and as it is wanted."""

    field: str
    before: Any
    after: Any

    def as_dict(self) -> Json:
        return {"field": self.field, "before": self.before, "after": self.after}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """Of the fields that we set; a server has many more."""
    found = []
    for field, value in after.items():
        is_now, is_wanted = _comparable(field, before.get(field), value)
        if is_now != is_wanted and not (is_now in _EMPTY and is_wanted in _EMPTY):
            found.append(Difference(field, is_now, is_wanted))
    return found


def _comparable(field: str, before: Any, after: Any) -> tuple[Any, Any]:
    """Both in one form: what servers add, mask or write another way is no difference."""
    if field == "dataset_query":
        return _plain_query(before), _plain_query(after)
    if field in ("details", "parameters", "parameter_mappings"):
        before = _like(before, after)
    return clean(before), clean(after)


def _like(before: Any, after: Any) -> Any:
    """`before` with only those keys that `after` has, row by row."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return {key: before.get(key) for key in after}
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [_like(now, then) for now, then in zip(before, after, strict=True)]
    return before


def _plain_query(query: Mapping[str, Any] | None) -> Json:
    """Database, SQL and tags out of either envelope, without what servers add to a tag."""
    if not query:
        return {}
    if "stages" in query:
        stage = query["stages"][0]
        if "aggregation" in stage:
            return {
                "database": query.get("database"),
                "table": stage.get("source-table"),
                "aggregation": _plain_clause(stage["aggregation"]),
            }
        sql, tags = stage.get("native"), stage.get("template-tags") or {}
    else:
        native = query.get("native") or {}
        sql, tags = native.get("query"), native.get("template-tags") or {}
    rows = tags.values() if isinstance(tags, Mapping) else tags
    return {
        "database": query.get("database"),
        "sql": sql,
        "tags": [
            clean({key: row.get(key) for key in _TAG_KEYS})
            | {"required": bool(row.get("required"))}
            for row in sorted(rows, key=lambda row: row["name"])
        ],
    }


def _plain_clause(clause: Any) -> Any:
    """A clause with only the options that we set: servers add types and identifiers."""
    if isinstance(clause, Mapping):
        return {key: clause[key] for key in _CLAUSE_OPTIONS if key in clause}
    return [_plain_clause(part) for part in clause] if isinstance(clause, list) else clause


def clean(value: Any) -> Any:
    """Without keys that have no value, and with lists for tuples."""
    if isinstance(value, Mapping):
        rows = {key: clean(entry) for key, entry in value.items()}
        return {key: entry for key, entry in rows.items() if entry not in _EMPTY}
    if isinstance(value, list | tuple):
        return [clean(entry) for entry in value]
    return value
