"""What is kept of a run as it closes, selected from its marts."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import pandas as pd

from python_ml.documents import json_rows
from python_ml.engines import Warehouse
from python_ml.engines.costs import CostReport

_TIERS = """
    select
        risk_tiers.risk_tier,
        risk_tiers.is_at_risk,
        count(mart_customer_risk.customer_id) as customer_count,
        avg(mart_customer_risk.churn_probability) as mean_churn_probability,
        case
            when count(mart_customer_risk.customer_id) = 0 then 0
            else sum(mart_customer_risk.expected_monthly_loss_eur)
        end as expected_monthly_loss_eur,
        count(case when mart_recommendation.decision = 'offered' then 1 end) as offer_count,
        coalesce(sum(mart_recommendation.offer_budget_eur), 0) as offer_budget_eur,
        coalesce(sum(mart_recommendation.contact_cost_eur), 0) as contact_cost_eur,
        case
            when count(mart_customer_risk.customer_id) = 0
                or count(mart_customer_risk.expected_monthly_loss_eur) > 0
                then coalesce(
                    sum(
                        case
                            when mart_recommendation.decision = 'offered'
                                then mart_recommendation.expected_net_value_eur
                        end
                    ), 0
                )
        end as expected_net_value_eur
    from risk_tiers
    left join mart_customer_risk on risk_tiers.risk_tier = mart_customer_risk.risk_tier
    left join mart_recommendation
        on mart_customer_risk.customer_id = mart_recommendation.customer_id
    group by risk_tiers.risk_tier, risk_tiers.is_at_risk, risk_tiers.tier_rank
    order by risk_tiers.tier_rank desc
"""

_FIRST_TO_CALL = """
    select
        mart_customer_risk.customer_id,
        mart_customer_risk.risk_tier,
        mart_customer_risk.churn_probability,
        mart_customer_risk.expected_monthly_loss_eur,
        mart_recommendation.offer,
        mart_recommendation.timing,
        mart_customer_risk.reason_1
    from mart_customer_risk
    inner join mart_recommendation
        on mart_customer_risk.customer_id = mart_recommendation.customer_id
    where mart_recommendation.decision = 'offered'
    order by mart_recommendation.expected_net_value_eur desc, mart_customer_risk.customer_id
    limit 5
"""

_ASSIGNMENT = [
    *("customer_id", "as_of_date", "policy", "offer"),
    *("discount_eur_month", "churn_probability", "expected_net_value_eur"),
]

_BUDGET_SHARES = (0.1, 0.2, 0.4, 0.6, 1.0)  # of the steps: enough to see what a budget brings
_POLICIES = ("fixed_tiers", "expected_value")
_SHOWN = {"offer_count": "offer_count", "value_eur": "expected_net_value_eur"}  # of each policy


@dataclass(frozen=True)
class Closing:
    """`overview` is the row of mart_overview, the others a few rows each, all by column name."""

    document_name: ClassVar[str] = "closing"

    overview: dict[str, Any]
    tiers: list[dict[str, Any]]
    first_to_call: list[dict[str, Any]]
    budgets: list[dict[str, Any]]
    definitions: list[dict[str, Any]]  # rows of mart_definition, in order

    @property
    def row_count(self) -> int | None:
        """Publishing handles no rows."""
        return None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_closing(warehouse: Warehouse) -> Closing:
    """What the summary of a run shows."""
    return Closing(
        overview=json_rows(warehouse.read_table("mart_overview"))[0],
        tiers=json_rows(warehouse.query(_TIERS)),
        first_to_call=json_rows(warehouse.query(_FIRST_TO_CALL)),
        budgets=json_rows(
            _budgets(warehouse.read_table("mart_offer_budget", "save_rate = 'as planned'"))
        ),
        definitions=json_rows(
            warehouse.query("select * from mart_definition order by definition_number")
        ),
    )


def _budgets(steps: pd.DataFrame) -> pd.DataFrame:
    """A row per chosen budget, with count and value of each policy, of `mart_offer_budget`."""
    budgets = sorted(steps["budget_eur"].unique())
    chosen = sorted(
        {budgets[math.ceil(share * len(budgets)) - 1] for share in _BUDGET_SHARES if budgets}
    )
    table = pd.DataFrame({"budget_eur": chosen})
    for policy in _POLICIES:
        of_policy = steps[steps["policy"] == policy].set_index("budget_eur")
        for ending, column in _SHOWN.items():
            table[f"{policy}_{ending}"] = of_policy[column].reindex(chosen).to_numpy()
    return table


def keep_assignments(warehouse: Warehouse, run_id: str) -> None:
    """Who is offered what, kept as `ml.offer_assignment`: the marts have the newest run alone."""
    offers = warehouse.read_table("mart_recommendation").sort_values("customer_id")
    is_assigned = offers["decision"] == "offered"
    warehouse.write_external("offer_assignment", offers.loc[is_assigned, _ASSIGNMENT], run_id)


def keep_costs(warehouse: Warehouse, costs: CostReport, run_id: str) -> None:
    """What queries have scanned since a run began, as `ml.query_cost`."""
    warehouse.write_external("query_cost", costs.table(), run_id)
