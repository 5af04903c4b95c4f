"""Months of readings that an earlier batch took as they were: the same bytes conform again.

landing.json, `known`: inspection of each such month with the SHA-256 of its file
customers_by_month.parquet: month, customer_id, n, elec_kwh of those months, for the checks
    between tables
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
from pydantic import TypeAdapter

from python_ml.documents import hash_file
from python_ml.engines.sql import literal, read_parquet
from python_ml.land.inspect import Inspection

CUSTOMERS = "customers_by_month.parquet"


@dataclass(frozen=True)
class KnownMonth:
    """A month whose file, found by its content, needs no other look."""

    month: str
    inspection: Inspection
    customers: Path

    def load_customers(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Leave the temporary table that the inspection would have left."""
        connection.execute(
            f"create or replace temp table {customers_table(self.month)} as "
            "select customer_id, n, elec_kwh "
            f"from {read_parquet(self.customers)} where month = {literal(self.month)}"
        )


def known_months(
    lake: Path, landed: Iterable[Mapping[str, Any]], rules: str, hashes: Mapping[str, str]
) -> dict[str, KnownMonth]:
    """Files of a source, by path, that an intact batch of the same rules knows by their content.

    Args:
        lake: where the batches are.
        landed: their manifests, all intact.
        rules: hash of the rules in force.
        hashes: SHA-256 of the source's files by path.
    """
    by_content: dict[str, KnownMonth] = {}
    for batch in landed:
        if batch["identity"][0] == rules:
            customers = lake / "batches" / batch["result"]["batch_id"] / CUSTOMERS
            for month, entry in batch.get("known", {}).items():
                inspection = TypeAdapter(Inspection).validate_python(entry["inspection"])
                by_content.setdefault(entry["sha256"], KnownMonth(month, inspection, customers))
    return {path: by_content[sha] for path, sha in hashes.items() if sha in by_content}


def describe_months(
    target: Path,
    as_is: Iterable[str],
    inspections: Mapping[str, Inspection],
    hashes: Mapping[str, str],
) -> tuple[dict[str, str], dict[str, Any]]:
    """SHA-256 of every staged month, and the manifest's `known`.

    Args:
        target: folder of the staged months.
        as_is: months that were taken as they are.
        inspections: of the staged files, by month.
        hashes: SHA-256 of months taken as they are, where it is known already.
    """
    months = {
        month: hashes.get(month) or hash_file(target / f"month={month}" / "part-0.parquet")
        for month in sorted(inspections)
    }
    known = {
        month: {"sha256": months[month], "inspection": asdict(inspections[month])}
        for month in sorted(as_is)
    }
    return months, known


def customers_table(month: str) -> str:
    return f"customers_{month.replace('-', '_')}"


def keep_customers(
    connection: duckdb.DuckDBPyConnection, months: Iterable[str], batch: Path
) -> None:
    """Write who has how many readings in each month that was taken as it is."""
    parts = [
        f"select {literal(month)} as month, customer_id, n, elec_kwh from {customers_table(month)}"
        for month in sorted(months)
    ]
    if parts:
        rows = f"select * from ({' union all '.join(parts)}) order by all"
        connection.execute(
            f"copy ({rows}) to {literal(batch / CUSTOMERS)} (format parquet, compression zstd)"
        )
