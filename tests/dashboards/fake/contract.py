"""The official description of the API, made strict where it is loose and loose where it is wrong.

The document says "exactly one of" where alternatives overlap, requires what has a default, and
declares only a part of a dashcard. Servers pass over keys that they do not know; here they are
refused, since a mistyped key is a setting that silently does nothing.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

DOCUMENT = "mcp_for_metabase/openapi.json"  # in the wheel mcp-for-metabase

# What the server reads of a dashcard, but the document does not declare.
_DASHCARD = {
    "card_id": {"type": ["integer", "null"], "minimum": 1},
    "dashboard_tab_id": {"type": ["integer", "null"]},
    "visualization_settings": {"type": "object", "properties": {}},
    "action_id": {"type": ["integer", "null"]},
}
# What the server compares when a notification is updated, but the document does not declare.
_NOTIFICATION_INPUT = "metabase.notification.api.notification.NotificationApiInput"
_NOTIFICATION = {"active": {"type": "boolean"}}
# A query parameter of the standard clients that the document does not know.
_PARAMETERS_BESIDE = {"/api/collection": {"exclude-other-user-collections", "archived"}}


class Contract:
    """Checks requests against the document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._components = _relaxed(document["components"])
        self._answers = _relaxed(document["components"], is_closed=False)
        for row in _objects_of(
            self._components["schemas"].get(_NOTIFICATION_INPUT), "payload_type"
        ):
            row["properties"] |= _NOTIFICATION
        self._operations: list[tuple[str, re.Pattern[str], Mapping[str, Any]]] = []
        for path, operations in document["paths"].items():
            pattern = re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path) + r"\Z")
            for method, operation in operations.items():
                self._operations.append((method.upper(), pattern, operation))
        # The fixed paths first: /api/collection/graph is not the collection named graph.
        self._operations.sort(key=lambda entry: entry[1].pattern.count("[^/]+"))
        self._validators: dict[int, Draft202012Validator] = {}

    @classmethod
    def from_wheel(cls, wheel: Path) -> Contract:
        """The contract as the wheel ships it; nothing of the wheel is run."""
        with zipfile.ZipFile(wheel) as archive:
            return cls(json.loads(archive.read(DOCUMENT)))

    def problems(self, method: str, path: str, query: Mapping[str, str], body: Any) -> list[str]:
        """What the document has against a request; nothing, if it is all right."""
        if path == "/api/health":  # of the server, not of the API
            return []
        operation = self._operation(method, path)
        if operation is None:
            return [f"{method} {path}: there is no such operation"]
        where = f"{method} {path}"
        declared = {entry["name"] for entry in operation["parameters"] if entry["in"] == "query"}
        unknown = set(query) - declared - _PARAMETERS_BESIDE.get(path, set())
        found = [f"{where}: query parameter {name} is not declared" for name in sorted(unknown)]
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            schema = content["application/json"]["schema"]
            errors = self._validator(schema).iter_errors(body)
            found += [f"{where}: {error.json_path}: {error.message}" for error in errors]
        elif body is not None:
            found.append(f"{where}: takes no body")
        return found

    def answer_problems(self, method: str, path: str, answer: Any) -> list[str]:
        """What the document has against an answer; servers may say more than it declares."""
        operation = self._operation(method, path)
        assert operation is not None
        content = operation["responses"]["2XX"]["content"]["application/json"]["schema"]
        schema = {**_relaxed(content, is_closed=False), "components": self._answers}
        return [
            f"{it.json_path}: {it.message}"
            for it in Draft202012Validator(schema).iter_errors(answer)
        ]

    def _operation(self, method: str, path: str) -> Mapping[str, Any] | None:
        return next(
            (
                op
                for verb, pattern, op in self._operations
                if verb == method and pattern.match(path)
            ),
            None,
        )

    def _validator(self, schema: Mapping[str, Any]) -> Draft202012Validator:
        if id(schema) not in self._validators:
            whole = _relaxed(schema)
            if "dashcards" in whole.get("properties", {}):
                for row in _objects_of(whole["properties"]["dashcards"], "size_x"):
                    row["properties"] |= _DASHCARD
                    row["required"] = [*row["required"], "card_id", "visualization_settings"]
            whole["components"] = self._components
            self._validators[id(schema)] = Draft202012Validator(whole)
        return self._validators[id(schema)]


def _relaxed(node: Any, *, is_closed: bool = True) -> Any:
    """`oneOf` as `anyOf`, nothing required that has a default, no key beside the declared ones if
    that is asked for."""
    if isinstance(node, list):
        return [_relaxed(entry, is_closed=is_closed) for entry in node]
    if not isinstance(node, Mapping):
        return node
    out = {
        ("anyOf" if key == "oneOf" else key): _relaxed(value, is_closed=is_closed)
        for key, value in node.items()
    }
    properties = out.get("properties")
    if isinstance(properties, dict) and "required" in out and isinstance(out["required"], list):
        out["required"] = [
            name for name in out["required"] if "default" not in properties.get(name, {})
        ]
    if not is_closed:
        return out
    if out.get("type") == "object" and properties and "additionalProperties" not in out:
        out["additionalProperties"] = False
    return out


def _objects_of(node: Any, property_name: str) -> Iterator[dict[str, Any]]:
    """Every object schema below a node that has this property."""
    if isinstance(node, list):
        for entry in node:
            yield from _objects_of(entry, property_name)
    elif isinstance(node, dict):
        if property_name in node.get("properties", {}):
            yield node
        for value in node.values():
            yield from _objects_of(value, property_name)
