"""Queries of cards: how the server stores them, and what a native query runs as."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

_TAG = re.compile(r"\{\{\s*([A-Za-z0-9_.-]+)\s*\}\}")
_OPTIONAL = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)


def read_back(query: Mapping[str, Any]) -> dict[str, Any]:
    """A native query in either envelope, as MBQL 5: what the server answers from 0.57 on."""
    if query.get("lib/type") == "mbql/query":
        return dict(query)
    tags = {
        name: _tag_as_mbql_5(tag) for name, tag in query["native"].get("template-tags", {}).items()
    }
    stage = {"lib/type": "mbql.stage/native", "native": query["native"]["query"]}
    if tags:
        stage["template-tags"] = tags
    return {"lib/type": "mbql/query", "database": query["database"], "stages": [stage]}


def as_legacy(query: Mapping[str, Any]) -> dict[str, Any]:
    """The same in the legacy envelope, for `legacy-mbql=true`."""
    stage = query["stages"][0]
    native = {"query": stage["native"], "template-tags": stage.get("template-tags", {})}
    return {"type": "native", "database": query["database"], "native": native}


def _tag_as_mbql_5(tag: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(tag.get("dimension"), list) and isinstance(tag["dimension"][1], int):
        _, number, options = tag["dimension"]
        clause = ["field", {**(options or {}), "lib/uuid": str(uuid.uuid4())}, number]
        return {**tag, "dimension": clause}
    return dict(tag)


def native_sql(query: Mapping[str, Any], values: Mapping[str, Any] | None = None) -> str:
    """The SQL with its template tags filled in, as text literals.

    Args:
        query: a native query in MBQL 5.
        values: by name of the tag; without one, a tag's default counts.

    Raises:
        ValueError: a required tag has no value.
    """
    stage = query["stages"][0]
    tags = stage.get("template-tags", {})
    given = {name: tag["default"] for name, tag in tags.items() if tag.get("default") is not None}
    given |= values or {}

    def optional(match: re.Match[str]) -> str:
        names = _TAG.findall(match[1])
        return match[1] if all(given.get(name) is not None for name in names) else ""

    def literal(match: re.Match[str]) -> str:
        name = match[1]
        if name not in tags:
            raise ValueError(f"You'll need to pick a value for '{name}': the card has no such tag")
        value = given.get(name)
        if tags[name]["type"] == "dimension":
            return "1 = 1"  # a field filter without a value; with one the server writes a condition
        if value is None:
            raise ValueError(f"You'll need to pick a value for '{name}' before this query can run.")
        if tags[name]["type"] == "number":
            return str(value)
        return ", ".join(_quoted(entry) for entry in _several(value))

    return _TAG.sub(literal, _OPTIONAL.sub(optional, stage["native"]))


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _quoted(value: Any) -> str:
    return "'" + str(value).replace("'", "''") + "'"
