"""Checks that need more than one file, or a whole year: customers, provinces, months, units."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from datetime import date, datetime, timedelta

import duckdb

from python_ml.contracts.schema import TableSchema
from python_ml.engines.sql import one_row
from python_ml.land.check import judge_mean
from python_ml.land.inspect import Inspection
from python_ml.land.result import Problem

WINDOW_MONTHS = 12  # the features look back over them


def judge_readings(
    label: str, table: TableSchema, inspections: Mapping[str, Inspection]
) -> list[Problem]:
    """Units by the mean reading, and months that are missing between the first and the last."""
    problems: list[Problem] = []
    for column in table.columns:
        count = sum(found.counts.get(column.name, 0) for found in inspections.values())
        if count and column.name in next(iter(inspections.values())).sums:
            total = sum(found.sums[column.name] for found in inspections.values())
            problems += judge_mean(label, column, total / count, count)
    months = sorted(inspections)
    if months and (holes := sorted(set(_months(months[0], months[-1])) - set(months))):
        problems.append(
            Problem(
                label,
                f"no readings for {', '.join(holes)}, though there are some before and after",
                "Add the months.",
                column="timestamp",
                rows=0,
            )
        )
    return problems


def reading_warnings(label: str, inspections: Mapping[str, Inspection]) -> list[str]:
    """A window that is short, or a newest month that is not over."""
    months = sorted(inspections)
    newest = months[-1]
    warnings = []
    if len(months) < WINDOW_MONTHS:
        warnings.append(
            f"{label}: readings from {months[0]} to {newest} ({len(months)} months); the as-of "
            f"date is {last_day(newest)} and features look back over {WINDOW_MONTHS} months"
        )
    last = inspections[newest].last
    end = datetime.combine(last_day(newest), datetime.min.time()) + timedelta(hours=23)
    if last is not None and last < end:
        warnings.append(f"{label}: the newest month {newest} ends at {last}, before it is over")
    return warnings


def judge_customers(
    connection: duckdb.DuckDBPyConnection, customers: Mapping[str, str], labels: Mapping[str, str]
) -> tuple[list[Problem], list[str]]:
    """Problems where a file shares no customer with the attributes; warnings about orphans.

    Args:
        customers: table -> relation with a column customer_id.
        labels: table -> name of its file.
    """
    problems: list[Problem] = []
    warnings: list[str] = []
    base = "customer_attributes"
    if base not in customers:
        return problems, warnings
    for name, relation in customers.items():
        if name == base:
            continue
        both, only, lacking = one_row(
            connection,
            "select count(*) filter (t.id is not null and a.id is not null), "
            "count(*) filter (a.id is null), count(*) filter (t.id is null) "
            f"from (select distinct customer_id as id from {relation}) as t "
            f"full join (select distinct customer_id as id from {customers[base]}) as a "
            "on t.id = a.id",
        )
        if both == 0:
            problems.append(
                Problem(
                    f"{labels[name]} and {labels[base]}",
                    f"no customer is in both ({only:,} and {lacking:,} customers)",
                    "Take both files from one export, with the same form of ids.",
                    column="customer_id",
                    rows=only,
                )
            )
            continue
        if only:
            warnings.append(
                f"{labels[name]}: {only:,} customers are not in {labels[base]}; their rows are "
                "landed and no feature uses them"
            )
        if lacking and name != "customer_interactions":
            warnings.append(
                f"{labels[name]}: {lacking:,} customers of {labels[base]} are not in it"
            )
    return problems, warnings


def judge_snapshots(
    connection: duckdb.DuckDBPyConnection, label: str, relation: str, as_of_date: date
) -> list[Problem]:
    """A problem where every snapshot of a dated file is of later than the as-of date: nobody would
    be a customer."""
    first, dated = one_row(
        connection, f"select min(snapshot_date), count(snapshot_date) from {relation}"
    )
    if first is None or first <= as_of_date:
        return []
    return [
        Problem(
            label,
            f"the first snapshot is of {first}, after the as-of date {as_of_date}, the last day of "
            "the newest month with readings",
            "Deliver the snapshot of that date or of an earlier one, or the readings since.",
            column="snapshot_date",
            rows=dated,
        )
    ]


def judge_provinces(
    connection: duckdb.DuckDBPyConnection,
    attributes: str,
    costs: str,
    labels: Mapping[str, str],
) -> tuple[list[Problem], list[str]]:
    """Customers whose province has no costs: all of them is a problem, some a warning."""
    customers, without, examples = one_row(
        connection,
        "select count(*), count(*) filter (c.province is null), "
        "string_agg(distinct a.province_code, ', ' order by a.province_code) "
        "filter (c.province is null) "
        f"from {attributes} as a left join (select distinct province from {costs}) as c "
        "on a.province_code = c.province",
    )
    files = f"{labels['customer_attributes']} and {labels['costs_by_province_month']}"
    if not without:
        return [], []
    shown = examples if len(examples) <= 60 else examples[:60] + "…"
    if without == customers:
        problem = Problem(
            files,
            f"no province is in both; customers have {shown}",
            "Write provinces in the same way in both files.",
            column="province_code",
            rows=without,
        )
        return [problem], []
    return [], [f"{files}: {without:,} customers in provinces without costs: {shown}"]


def last_day(month: str) -> date:
    """Of YYYY-MM."""
    year, number = map(int, month.split("-"))
    return date(year, number, calendar.monthrange(year, number)[1])


def _months(first: str, last: str) -> list[str]:
    months, month = [], first
    while month <= last:
        months.append(month)
        month = f"{last_day(month) + timedelta(days=1):%Y-%m}"
    return months
