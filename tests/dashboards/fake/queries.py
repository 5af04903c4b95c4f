"""Queries of cards: how the server stores them, and what a native query runs as."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from tests.dashboards.fake.errors import ApiError

_TAG = re.compile(r"\{\{\s*([A-Za-z0-9_.-]+)\s*\}\}")
_CLAUSES = {
    "count": "count({})",
    "sum": "sum({})",
    "count-where": "sum(case when {} then 1 else 0 end)",
    "sum-where": "sum(case when {1} then {0} else 0.0 end)",
    "/": "({}) / nullif(cast({} as double precision), 0)",  # a fraction, and nothing of nothing
    **{operator: f"({{}} {operator} {{}})" for operator in "+-*="},
}
_OPTIONAL = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)


def read_back(query: Mapping[str, Any]) -> dict[str, Any]:
    """A query in either envelope, as MBQL 5: what the server answers from 0.57 on."""
    if query.get("lib/type") == "mbql/query":
        return {**query, "stages": [_with_identifiers(stage) for stage in query["stages"]]}
    tags = {
        name: _tag_as_mbql_5(tag) for name, tag in query["native"].get("template-tags", {}).items()
    }
    stage = {"lib/type": "mbql.stage/native", "native": query["native"]["query"]}
    if tags:
        stage["template-tags"] = tags
    return {"lib/type": "mbql/query", "database": query["database"], "stages": [stage]}


def _with_identifiers(part: Any) -> Any:
    """A stage whose clauses have the identifiers that the server gives them."""
    if isinstance(part, list) and len(part) > 1 and isinstance(part[1], Mapping):
        operator, options, *arguments = part
        named = {**options, "lib/uuid": str(uuid.uuid4())}
        return [operator, named, *map(_with_identifiers, arguments)]
    if isinstance(part, list):
        return [_with_identifiers(entry) for entry in part]
    if isinstance(part, Mapping):
        return {key: _with_identifiers(value) for key, value in part.items()}
    return part


def check_metric(query: Mapping[str, Any], tables: Mapping[int, Mapping[str, Any]]) -> None:
    """A metric is one aggregation of columns that the server knows.

    Raises:
        ApiError: it is not.
    """
    stages = query["stages"]
    if len(stages) != 1 or len(stages[0].get("aggregation", ())) != 1:
        raise ApiError(400, "A metric must have exactly one aggregation.")
    try:
        sql_of(query, tables)
    except KeyError as error:
        raise ApiError(400, f"the query names what is not there: {error}") from error


def sql_of(query: Mapping[str, Any], tables: Mapping[int, Mapping[str, Any]]) -> str:
    """What a query without values for its tags runs as."""
    stage = query["stages"][0]
    if "native" in stage:
        return native_sql(query)
    table = tables[stage["source-table"]]
    fields = {field["id"]: field["name"] for field in table["fields"]}

    def sql(part: Any) -> str:
        if not isinstance(part, list):
            return _quoted(part) if isinstance(part, str) else str(part).lower()
        operator, _, *arguments = part
        if operator == "field":
            return str(fields[arguments[0]])
        return _CLAUSES[operator].format(*map(sql, arguments))

    (clause,) = stage["aggregation"]
    column = clause[1].get("name", clause[0])
    return f'select {sql(clause)} as "{column}" from {table["schema"]}.{table["name"]}'


def as_legacy(query: Mapping[str, Any]) -> dict[str, Any]:
    """The same in the legacy envelope, for `legacy-mbql=true`."""
    stage = query["stages"][0]
    if "native" not in stage:
        aggregation = [_as_legacy_clause(clause) for clause in stage["aggregation"]]
        inner = {"source-table": stage["source-table"], "aggregation": aggregation}
        return {"type": "query", "database": query["database"], "query": inner}
    native = {"query": stage["native"], "template-tags": stage.get("template-tags", {})}
    return {"type": "native", "database": query["database"], "native": native}


def _as_legacy_clause(part: Any) -> Any:
    """Without options; those of a field are its last argument."""
    if not isinstance(part, list):
        return part
    operator, _, *arguments = part
    if operator == "field":
        return [operator, *arguments, None]
    return [operator, *map(_as_legacy_clause, arguments)]


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
