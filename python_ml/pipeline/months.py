"""Months of bronze_customer_month that need not be read again.

A month is known by the content of its landed readings and by the SQL and seeds that turn them into
rows. A run begins with those of the published table whose version is the one that it would build;
the others, new, late or corrected, are read. Months that the batch does not hold are left behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from python_ml.settings import PROJECT_DIR

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
