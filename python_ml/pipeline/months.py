"""Months of bronze_customer_month that need not be read again.

A month is known by the content of its landed readings and by the SQL and seeds that turn them into
rows. A run begins with those of the published table whose version is the one that it would build;
the others, new, late or corrected, are read. Months that the batch does not hold are left behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import duckdb

from python_ml.engines.sql import literal
from python_ml.settings import PROJECT_DIR

if TYPE_CHECKING:
    from python_ml.pipeline.workspace import Run

TABLE = "bronze_customer_month"
_MADE_BY = (
    "models/bronze/bronze_customer_month.sql",
    "models/bronze/bronze_hour.sql",
    "macros/**/*.sql",
    "seeds/tariff_periods.csv",
    "seeds/national_holidays.csv",
)


def month_versions(months: Mapping[str, str]) -> dict[str, str]:
    """Version of each month.

    Args:
        months: SHA-256 of the landed readings by month (YYYY-MM).
    """
    code = hashlib.sha256()
    for pattern in _MADE_BY:
        for path in sorted(PROJECT_DIR.glob(pattern)):
            code.update(path.read_bytes())
    return {
        month: hashlib.sha256(f"{content} {code.hexdigest()}".encode()).hexdigest()[:16]
        for month, content in months.items()
    }


def begin_with_published(run: Run, versions: Mapping[str, str]) -> list[str]:
    """Fill the run's database with the unchanged months of the published one.

    Returns:
        The months that are left to read, in order.
    """
    if not run.has_database:
        from python_ml.engines import athena_months as months

        return months.begin_with_published(
            run.settings.athena, run.run_id, TABLE, versions, force=run.force
        )
    published = run.settings.layout.warehouse
    with duckdb.connect(str(run.database)) as connection:
        connection.execute(f"drop table if exists {TABLE}")
        if run.force or not published.exists():
            return sorted(versions)
        connection.execute(f"attach {literal(published)} as published (read_only)")
        columns = {
            row[0]
            for row in connection.execute(
                "select column_name from duckdb_columns() where database_name = 'published' "
                f"and table_name = {literal(TABLE)}"
            ).fetchall()
        }
        if "month_version" not in columns:
            return sorted(versions)
        wanted = list(versions.items())
        connection.execute(
            f"create table {TABLE} as select months.* from published.{TABLE} as months "
            "where list_contains(?, strftime(month_start, '%Y-%m') || ' ' || month_version)",
            [[f"{month} {version}" for month, version in wanted]],
        )
        kept = connection.execute(
            f"select distinct strftime(month_start, '%Y-%m') from {TABLE}"
        ).fetchall()
        if not kept:  # whoever built it may have known other columns
            connection.execute(f"drop table {TABLE}")
    return sorted(set(versions) - {month for (month,) in kept})
