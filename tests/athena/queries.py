"""Run statements on an Athena and wait for them, as a person with boto3 would."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

FINAL_STATES = ("SUCCEEDED", "FAILED", "CANCELLED")


@dataclass(frozen=True)
class Outcome:
    """How a statement ended; `rows` hold text, header and nulls as Athena sends them."""

    query_id: str
    execution: dict[str, Any]
    columns: list[tuple[str, str]]
    rows: list[list[str | None]]

    @property
    def state(self) -> str:
        return str(self.execution["Status"]["State"])

    @property
    def reason(self) -> str:
        return str(self.execution["Status"].get("StateChangeReason", ""))


class Queries:
    """Statements in one database, results under one location."""

    def __init__(self, client: Any, database: str, output: str) -> None:
        self.client = client
        self._database = database
        self._output = output

    def start(self, sql: str, **options: Any) -> str:
        """Start a statement and return its id."""
        answer = self.client.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Catalog": "awsdatacatalog", "Database": self._database},
            ResultConfiguration={"OutputLocation": self._output},
            **options,
        )
        return str(answer["QueryExecutionId"])

    def finish(self, query_id: str, seconds: float = 120.0) -> Outcome:
        """Wait for its end and read all pages of its result."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = self.client.get_query_execution(QueryExecutionId=query_id)
            execution = answer["QueryExecution"]
            if execution["Status"]["State"] in FINAL_STATES:
                return self._outcome(query_id, execution)
            time.sleep(0.05)
        raise TimeoutError(f"query {query_id} did not end in {seconds} s")

    def run(self, sql: str, **options: Any) -> Outcome:
        """Run to the end, whatever it is."""
        return self.finish(self.start(sql, **options))

    def rows(self, sql: str) -> list[list[str | None]]:
        """The rows of a SELECT without its header.

        Raises:
            AssertionError: the statement did not succeed.
        """
        outcome = self.run(sql)
        assert outcome.state == "SUCCEEDED", f"{outcome.reason}\n{sql}"
        return outcome.rows[1:]

    def _outcome(self, query_id: str, execution: dict[str, Any]) -> Outcome:
        columns: list[tuple[str, str]] = []
        rows: list[list[str | None]] = []
        if execution["Status"]["State"] == "SUCCEEDED":
            pages = self.client.get_paginator("get_query_results")
            for page in pages.paginate(QueryExecutionId=query_id):
                result = page["ResultSet"]
                columns = [
                    (c["Name"], c["Type"]) for c in result["ResultSetMetadata"]["ColumnInfo"]
                ]
                rows += [[d.get("VarCharValue") for d in row["Data"]] for row in result["Rows"]]
        return Outcome(query_id, execution, columns, rows)
