"""Two small pages, compiled, with everything that a definition can have."""

from __future__ import annotations

from typing import Any

from python_ml.pages.model import (
    Card,
    Click,
    ClickParameter,
    Dashboard,
    Parameter,
    ParameterMapping,
    Position,
    Tab,
    TemplateTag,
    TextCard,
    ValueCard,
    parameter_id,
    tag_id,
)
from python_ml.pages.template import DIALECTS, card_sql

TIERS = "select risk_tier, count(*) as customer_count from mart_customer_risk"


def card(page: str, key: str, sql: str, position: Position | None, **more: Any) -> Card:
    values: dict[str, Any] = {
        "name": key.replace("_", " ").capitalize(),
        "description": f"What {key} shows.",
        "display": "table",
        "tags": (),
        "mappings": (),
        "visualization_settings": {},
        "columns": (),
        "statements": {target: card_sql(sql, target) for target in DIALECTS},
        "reads": {"mart_customer_risk": ()},
        "tab": None,
        "click": None,
        "empty": "Nobody.",
    }
    return Card(dashboard=page, key=key, position=position, **(values | more))


def filtered(page: str, key: str, parameter: str) -> dict[str, Any]:
    """Tag and mapping of a card that a filter reaches."""
    tag = TemplateTag(tag_id(page, key, parameter), parameter, parameter, "text", False, None)
    mapping = ParameterMapping(parameter, parameter_id(page, parameter), parameter)
    return {"tags": (tag,), "mappings": (mapping,)}


def sample() -> tuple[Dashboard, ...]:
    """Page `risk` with two tabs, and page `lookup` that a click on it opens."""
    return _risk_page(), _lookup_page()


def _risk_page() -> Dashboard:
    return Dashboard(
        key="risk",
        name="Customer Risk",
        description="Who is at risk.",
        number=1,
        width="full",
        tabs=(Tab("tiers", "Tiers"), Tab("list", "List")),
        parameters=(
            Parameter(
                "segment",
                parameter_id("risk", "segment"),
                "Segment",
                "string/=",
                None,
                ValueCard("segments", "segment"),
                "segment",
            ),
        ),
        cards=_risk_cards(),
        texts=(
            TextCard("title", "heading", "Who is at risk", Position(0, 0, 24, 1), "tiers"),
            TextCard(
                "hint",
                "text",
                "See [a customer](dashboard:lookup).",
                Position(8, 0, 24, 2),
                "tiers",
            ),
        ),
    )


def _risk_cards() -> tuple[Card, ...]:
    lookup = Click(
        "lookup",
        "customer_id",
        (ClickParameter("customer", parameter_id("lookup", "customer"), "customer_id"),),
    )
    where = "where customer_id is not null [[and segment = {{segment}}]]"
    return (
        card(
            "risk",
            "by_tier",
            f"{TIERS} {where} group by risk_tier order by risk_tier",
            Position(2, 0, 12, 6),
            tab="tiers",
            display="bar",
            visualization_settings={
                "graph.dimensions": ["risk_tier"],
                "graph.metrics": ["customer_count"],
            },
            **filtered("risk", "by_tier", "segment"),
        ),
        card(
            "risk",
            "customer_count",
            f"select count(*) as customer_count from mart_customer_risk {where}",
            Position(2, 12, 6, 4),
            tab="tiers",
            display="scalar",
            visualization_settings={"scalar.field": "customer_count"},
            **filtered("risk", "customer_count", "segment"),
        ),
        card(
            "risk",
            "customers",
            f"select customer_id, churn_probability from mart_customer_risk {where} "
            "order by churn_probability desc limit 100",
            Position(0, 0, 24, 10),
            tab="list",
            click=lookup,
            **filtered("risk", "customers", "segment"),
        ),
        card(
            "risk",
            "segments",
            "select distinct segment from mart_customer_risk order by segment",
            None,
        ),
    )


def _lookup_page() -> Dashboard:
    customer = Parameter(
        "customer",
        parameter_id("lookup", "customer"),
        "Customer",
        "string/=",
        "C00001",
        None,
        "customer_id",
    )
    return Dashboard(
        key="lookup",
        name="Customer Lookup",
        description="One customer.",
        number=2,
        width="fixed",
        tabs=(),
        parameters=(customer,),
        cards=(
            card(
                "lookup",
                "risk",
                "select churn_probability from mart_customer_risk "
                "where customer_id is not null [[and customer_id = {{customer}}]] limit 1",
                Position(1, 0, 6, 4),
                display="scalar",
                visualization_settings={"scalar.field": "churn_probability"},
                **filtered("lookup", "risk", "customer"),
            ),
        ),
        texts=(TextCard("title", "heading", "One customer", Position(0, 0, 24, 1), None),),
    )
