"""Keys that repeat, and rows set aside, of one table."""

from __future__ import annotations

import duckdb

from python_ml.contracts.needs import consequence
from python_ml.engines.sql import identifier, identifiers, one_row
from python_ml.land.discover import RawFile
from python_ml.land.result import Problem, TableResult

NOTABLE_SHARE = 0.01  # of a table's rows set aside; worth a warning


def repeated_keys(connection: duckdb.DuckDBPyConnection, raw: RawFile, stays: str) -> int:
    """Rows beyond the first of their key."""
    if not raw.table.key:
        return 0
    key = identifiers(raw.table.key)
    repeats = f"select count(*) as n from {stays} group by {key}"
    return int(one_row(connection, f"select coalesce(sum(n - 1), 0) from ({repeats})")[0])


def duplicate_problem(
    connection: duckdb.DuckDBPyConnection, raw: RawFile, stays: str, repeats: int
) -> Problem:
    """Keys that are there twice in a table that must not have any."""
    present = one_row(
        connection,
        f"select {', '.join(f'count({identifier(name)})' for name in raw.table.key)} from {stays}",
    )
    names = [name for name, count in zip(raw.table.key, present, strict=True) if count]
    key = identifiers(names)
    examples = connection.execute(
        f"select concat_ws(' ', {key}) from {stays} group by {key} having count(*) > 1 "
        "order by 1 limit 3"
    ).fetchall()
    what = "duplicate label" if raw.table.name == "churn_label" else "duplicate key"
    return Problem(
        raw.label,
        f"{what}, for example {', '.join(row[0] for row in examples)}",
        f"Keep one row for each {' and '.join(names)}.",
        column=", ".join(names),
        rows=repeats,
    )


def absent_warnings(absent: list[str]) -> list[str]:
    """A warning where a mapping declares inputs absent, with what that switches off."""
    if not absent:
        return []
    off = consequence(absent) or "nothing"
    return [f"mapping: declared absent: {', '.join(sorted(absent))}; switched off: {off}"]


def table_warnings(table: TableResult) -> list[str]:
    """What is worth a word although the table lands."""
    label, warnings = " and ".join(table.files), []
    if table.rows_set_aside > NOTABLE_SHARE * table.rows_in:
        warnings.append(
            f"{label}: {table.rows_set_aside:,} of {table.rows_in:,} rows were set aside: "
            + ", ".join(f"{reason} ({n:,})" for reason, n in sorted(table.set_aside.items()))
        )
    if table.duplicate_key_rows:
        warnings.append(
            f"{label}: {table.duplicate_key_rows:,} rows repeat a key; bronze keeps one of each"
        )
    return warnings
