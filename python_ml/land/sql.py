"""Small helpers around DuckDB."""

from __future__ import annotations

from typing import Any

import duckdb


def literal(text: object) -> str:
    """An SQL string."""
    return "'" + str(text).replace("'", "''") + "'"


def one_row(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    """The only row of an aggregate query."""
    row = connection.execute(sql).fetchone()
    assert row is not None
    return row
