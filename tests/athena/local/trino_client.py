"""Run one statement on Trino's HTTP interface."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any

import requests


class TrinoQueryError(Exception):
    """A statement failed. `name` and `kind` are Trino's own (SYNTAX_ERROR, USER_ERROR)."""

    def __init__(self, name: str, kind: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.kind = kind


class QueryCancelledError(Exception):
    """The statement was stopped; the message says why."""


@dataclass
class TrinoResult:
    """Columns as `{name, type, typeSignature}`; numbers in rows keep the text that Trino wrote."""

    columns: list[dict[str, Any]] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    update_count: int | None = None
    scanned_bytes: int = 0
    engine_milliseconds: int = 0


class TrinoClient:
    """A client of one server; statements run in the caller's thread."""

    def __init__(self, url: str) -> None:
        self._url = url

    def run(
        self,
        sql: str,
        catalog: str,
        schema: str | None = None,
        cancel: threading.Event | None = None,
        scan_limit: int | None = None,
    ) -> TrinoResult:
        """Run to the end and return all rows.

        Raises:
            TrinoQueryError: the statement failed.
            QueryCancelledError: `cancel` was set, or more than `scan_limit` bytes were read.
        """
        headers = {"X-Trino-User": "athena", "X-Trino-Catalog": catalog, "X-Trino-Time-Zone": "UTC"}
        headers["X-Trino-Client-Capabilities"] = "PARAMETRIC_DATETIME"
        if schema:
            headers["X-Trino-Schema"] = schema
        result = TrinoResult()
        with requests.Session() as session:
            session.trust_env = False
            answer = _read(
                session.post(f"{self._url}/v1/statement", data=sql.encode(), headers=headers)
            )
            while True:
                _collect(answer, result)
                following = answer.get("nextUri")
                if reason := _stop_reason(cancel, scan_limit, result):
                    if following is not None:
                        session.delete(following)
                    raise QueryCancelledError(reason)
                if following is None:
                    return result
                answer = _read(session.get(following))


def _read(response: requests.Response) -> dict[str, Any]:
    if response.status_code != requests.codes.ok:
        raise TrinoQueryError("GENERIC_INTERNAL_ERROR", "INTERNAL_ERROR", response.text[:500])
    document: dict[str, Any] = json.loads(response.text, parse_float=str, parse_int=str)
    return document


def _collect(answer: dict[str, Any], result: TrinoResult) -> None:
    if error := answer.get("error"):
        raise TrinoQueryError(error["errorName"], error["errorType"], error["message"])
    result.columns = answer.get("columns") or result.columns
    result.rows += answer.get("data") or []
    if (count := answer.get("updateCount")) is not None:
        result.update_count = int(count)
    stats = answer.get("stats", {})
    result.scanned_bytes = int(stats.get("physicalInputBytes", 0))
    result.engine_milliseconds = int(stats.get("elapsedTimeMillis", 0))


def _stop_reason(
    cancel: threading.Event | None, scan_limit: int | None, result: TrinoResult
) -> str | None:
    if cancel is not None and cancel.is_set():
        return "Query cancelled by user"
    if scan_limit is not None and result.scanned_bytes > scan_limit:
        return "Query cancelled! : Bytes scanned limit was exceeded"
    return None
