"""The customers whose margin is not known, and why: one note of the gold layer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from python_ml.engines import Warehouse
from python_ml.engines.sql import literal
from python_ml.quality.checks import Check, Subject
from python_ml.quality.rules import WARN

TABLE, COLUMN, CHECK = "gold_master", "avg_monthly_margin_eur", "unknown_margin"

_REASONS = """
    with
    known as (
        select
            customer_id,
            count(revenue_eur) as revenue_count,
            count(elec_variable_cost_eur + gas_variable_cost_eur) as province_cost_count
        from silver_customer_month
        where as_of_date = date {as_of_date}
        group by customer_id
    ),
    reasons as (
        select
            case
                when known.customer_id is null then 'without readings'
                when known.revenue_count = 0 then 'without a price'
                when known.province_cost_count = 0 then 'in a province without costs'
                else 'with incomplete prices and costs'
            end as reason
        from gold_master
        left join known on gold_master.customer_id = known.customer_id
        where
            gold_master.as_of_date = date {as_of_date}
            and gold_master.avg_monthly_margin_eur is null
    )
    select reason, count(*) as customer_count
    from reasons
    group by reason
    order by reason
"""


def unknown_margins(
    warehouse: Warehouse, subjects: Sequence[Subject], as_of_date: date, absent: Collection[str]
) -> list[Check]:
    """A check that fails, where customers have no margin; none where all have one.

    Args:
        warehouse: asked for the reasons only where there are such customers.
        subjects: tables of a layer.
        as_of_date: of the customers.
        absent: raw tables and columns that the batch is declared to lack.
    """
    checks = []
    for subject in subjects:
        profile = subject.profile
        if subject.name != TABLE or profile is None or not profile.null_counts.get(COLUMN):
            continue
        count = profile.null_counts[COLUMN]
        if lacked := subject.declared.lacks(COLUMN, absent):
            names = {need if need in absent else need.partition(".")[0] for need in lacked}
            detail = f"the batch lacks {', '.join(sorted(names))}"
        else:
            found = warehouse.query(_REASONS.format(as_of_date=literal(as_of_date)))
            rows = zip(found["customer_count"], found["reason"], strict=True)
            detail = ", ".join(f"{number:,} {reason}" for number, reason in rows)
        place = ("gold", TABLE, COLUMN, CHECK, WARN)
        checks.append(Check(*place, count, 0, count, profile.row_count, detail))
    return checks
