"""Partition projection by month, which Athena has and Trino's Hive connector has not.

Athena projects a `date` key of any precision; this version of Trino only of days and finer. The
engine is therefore shown the same key as an `enum` of all months in the range.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

_MONTH_FORMAT = "yyyy-MM"
_NOW = re.compile(r"NOW(?:\s*([+-])\s*(\d+)\s*(MONTHS|YEARS))?$", re.IGNORECASE)


def for_engine(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer of GetTable with projected months spelled out.

    Raises:
        ValueError: a range that Athena would not read.
    """
    parameters = answer.get("Table", {}).get("Parameters", {})
    for name, value in list(parameters.items()):
        key = name.removeprefix("projection.").removesuffix(".format")
        if name == f"projection.{key}.format" and value == _MONTH_FORMAT:
            first, last = parameters.pop(f"projection.{key}.range").split(",")
            for part in ("format", "interval", "interval.unit"):
                parameters.pop(f"projection.{key}.{part}", None)
            parameters[f"projection.{key}.type"] = "enum"
            parameters[f"projection.{key}.values"] = ",".join(months(first, last))
    return answer


def months(first: str, last: str) -> list[str]:
    """All months of a range, both ends included; an end is `2024-01` or `NOW±nMONTHS|YEARS`."""
    begin, end = _number(first.strip()), _number(last.strip())
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in range(begin, end + 1)]


def _number(text: str) -> int:
    """Months since year 0."""
    if found := _NOW.match(text):
        now = datetime.now(tz=UTC).date()
        sign, count, unit = found.groups(default="")
        shift = int(count or 0) * (12 if unit.upper() == "YEARS" else 1)
        return now.year * 12 + now.month - 1 + (-shift if sign == "-" else shift)
    day = date.fromisoformat(f"{text}-01")
    return day.year * 12 + day.month - 1
