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
from python_ml.settings import LandSettings

WINDOW_MONTHS = 12  # the features look back over them
_LONGEST_WORDS = 200  # characters


def judge_readings(
    label: str,
    table: TableSchema,
    inspections: Mapping[str, Inspection],
    year_ends: int | None = 0,
    hours_per_reading: float = 1.0,
) -> list[Problem]:
    """Units by the mean reading, months missing between the first and the last, late labels.

    Args:
        label: name in messages.
        table: schema of the readings.
        inspections: of each month.
        year_ends: rows set aside that are of the first instant after the year of their file; None
            where a mapping says what labels name.
        hours_per_reading: that a reading stands for.
    """
    problems = [] if year_ends is None else _late_labels(label, inspections, year_ends)
    for column in table.columns:
        count = sum(found.counts.get(column.name, 0) for found in inspections.values())
        if count and column.name in next(iter(inspections.values())).sums:
            total = sum(found.sums[column.name] for found in inspections.values())
            problems += judge_mean(label, column, total / count / hours_per_reading, count)
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


def _late_labels(
    label: str, inspections: Mapping[str, Inspection], year_ends: int
) -> list[Problem]:
    """Readings from 01:00 of a first of the month to 00:00 of another name the ends of hours."""
    firsts = [found.first for found in inspections.values() if found.first is not None]
    lasts = [found.last for found in inspections.values() if found.last is not None]
    if not firsts or not lasts:
        return []
    first, last = min(firsts), max(lasts)
    begins = first.day == 1 and timedelta() < first - _midnight(first) <= timedelta(hours=1)
    ends = year_ends > 0 or (last.day == 1 and last == _midnight(last))
    if not begins or not ends:
        return []
    return [
        Problem(
            label,
            f"the first reading is of {first} and the last of midnight after the last day: the "
            "labels seem to name the ends of the hours, 01:00 for 0 to 1 h",
            "State in the mapping what they name (readings.hour_label: starting or ending).",
            column="timestamp",
        )
    ]


def _midnight(time: datetime) -> datetime:
    return datetime.combine(time.date(), datetime.min.time())


def judge_plausibility(
    connection: duckdb.DuckDBPyConnection,
    checked: Mapping[str, str],
    labels: Mapping[str, str],
    land: LandSettings,
) -> tuple[list[Problem], list[str]]:
    """Customers whose values contradict each other, which the mean of a file does not show.

    More of them than `land.maximum_implausible_share`, of the customers or of the energy, are a
    problem, fewer a warning.

    Args:
        connection: that holds the relations, with `consumption_customers`.
        checked: relation of each table whose rows could be read.
        labels: file of each table.
        land: the section of the settings.
    """
    problems: list[Problem] = []
    warnings: list[str] = []
    for tables, query, what, remedy in _CONTRADICTIONS:
        if not set(tables) <= checked.keys():
            continue
        relations = {name: checked[name] for name in tables}
        customers, found, share, examples = one_row(
            connection,
            "select count(*), count(*) filter (is_odd), "
            "greatest(count(*) filter (is_odd) / greatest(count(*), 1), "
            "coalesce(sum(weight) filter (is_odd) / nullif(sum(weight), 0), 0)), "
            "string_agg(shown, ', ' order by customer_id) filter (is_odd and nth <= 3) "
            "from (select *, row_number() over (partition by is_odd order by customer_id) as nth "
            f"from ({query.format(**relations, **land.as_dict())}))",
        )
        if not found:
            continue
        file = " and ".join(labels[name] for name in tables)
        text = f"{what}: {found:,} of {customers:,} customers, for example {examples}"
        if share > land.maximum_implausible_share:
            problems.append(Problem(file, text, remedy, rows=found))
        else:
            warnings.append(f"{file}: {text}")
    return problems, warnings


# Tables, a query (customer_id, is_odd, weight, shown), what is wrong, what to do.
_CONTRADICTIONS = (
    (
        ("consumption_hourly", "customer_attributes"),
        """
        select c.customer_id,
            c.elec_kwh / c.hours > a.power_kw
                * case when a.is_firm then {maximum_load_firm} else {maximum_load_home} end
                as is_odd,
            abs(c.elec_kwh) as weight,
            c.customer_id || ' (' || round(c.elec_kwh / c.n, 2) || ' kWh an hour at '
                || a.power_kw || ' kW)' as shown
        from (
            -- A row a month, of 672 hours at least: few readings may stand for all of them.
            select customer_id, sum(n) as n, sum(greatest(n, 672)) as hours,
                sum(elec_kwh) as elec_kwh
            from {consumption_hourly} group by customer_id
        ) as c
        join (
            select customer_id, max(contracted_power_kw) as power_kw,
                bool_or(coalesce(is_industrial, true)) as is_firm
            from {customer_attributes} group by customer_id
        ) as a on a.customer_id = c.customer_id
        where a.power_kw > 0 and c.elec_kwh is not null
        """,
        "more energy than the contracted power can deliver",
        "They look like Wh among kWh, or W among kW: convert them, or raise land.maximum_load_home "
        "or land.maximum_load_firm if the figures are right.",
    ),
    (
        ("customer_contracts", "consumption_hourly"),
        """
        select c.customer_id,
            t.activated > last_day(strptime(c.newest, '%Y-%m')::date) as is_odd,
            0 as weight,
            c.customer_id || ' (' || t.activated || ', readings to ' || c.newest || ')' as shown
        from (
            select customer_id, max(month) as newest from {consumption_hourly} group by customer_id
        ) as c
        join (
            select customer_id, min(customer_first_activation_date) as activated
            from {customer_contracts} group by customer_id
        ) as t on t.customer_id = c.customer_id
        where t.activated is not null
        """,
        "first activated after their last reading",
        "Check the order of day and month and the dates' column, or raise "
        "land.maximum_implausible_share if the figures are right.",
    ),
    (
        ("price_history", "customer_attributes", "costs_by_province_month"),
        """
        select p.customer_id,
            not p.price / c.cost between 1 / {maximum_price_to_cost} and {maximum_price_to_cost}
                as is_odd,
            0 as weight,
            p.customer_id || ' (' || round(p.price, 6) || ' at a cost of ' || round(c.cost, 6)
                || ' EUR/kWh)' as shown
        from (
            select customer_id, median(variable_price_tier1_eur_kwh) as price
            from {price_history} where variable_price_tier1_eur_kwh > 0 group by customer_id
        ) as p
        join (
            select customer_id, max(province_code) as province
            from {customer_attributes} group by customer_id
        ) as a on a.customer_id = p.customer_id
        join (
            select province, avg(elec_var_cost_eur_kwh) as cost
            from {costs_by_province_month} group by province
        ) as c on c.province = a.province
        where c.cost > 0
        """,
        "a price that is far from the cost of the same energy",
        "It looks like another unit (cents, or EUR/MWh): convert it, or raise "
        "land.maximum_price_to_cost if the figures are right.",
    ),
)


def judge_labels(
    connection: duckdb.DuckDBPyConnection, label: str, checked: str, land: LandSettings
) -> list[Problem]:
    """A problem where labels are lost on one side: a model would learn from the rest.

    Args:
        connection: that holds the relation.
        label: name of the file.
        checked: all its rows as read, with `reason` where they are set aside.
        land: the section of the settings.
    """
    unread, words, left, stayed, left_lost, stayed_lost = one_row(
        connection,
        "select count(*) filter (churn is null and raw__churn is not null), "
        "string_agg(distinct case when churn is null then raw__churn::varchar end, ', '), "
        "count(*) filter (churn = 1), count(*) filter (churn = 0), "
        "count(*) filter (churn = 1 and reason is not null), "
        f"count(*) filter (churn = 0 and reason is not null) from {checked}",
    )
    fewest, most = min(left, stayed), land.maximum_label_loss
    if unread > most * fewest:
        shown_words = words if len(words) <= _LONGEST_WORDS else f"{words[:_LONGEST_WORDS]}…"
        return [
            Problem(
                label,
                f"labels that are neither yes nor no: {shown_words}",
                "Declare the words in the mapping (words: true and false), or correct the export.",
                column="churn",
                rows=unread,
            )
        ]
    for name, lost, all_of_them in (("left", left_lost, left), ("stayed", stayed_lost, stayed)):
        other = (stayed_lost + left_lost - lost) / max(left + stayed - all_of_them, 1)
        if all_of_them and lost / all_of_them > other + most:
            return [
                Problem(
                    label,
                    f"{lost:,} of the {all_of_them:,} labels of customers who {name} would be set "
                    f"aside, against {other:.1%} of the others",
                    "Correct the export, or raise land.maximum_label_loss if the rows may go.",
                    rows=lost,
                )
            ]
    return []


def reading_warnings(
    label: str, inspections: Mapping[str, Inspection], *, is_spread: bool = False
) -> list[str]:
    """A window that is short, or a newest month that is not over, unless two days stand for it."""
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
    if last is not None and last < end and not is_spread:
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
        if lacking and name not in ("customer_interactions", "campaign_contacts"):
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
