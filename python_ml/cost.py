"""What queries scanned and cost, by dbt node and by card of a dashboard, as Athena counted it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from python_ml.engines import cloud
from python_ml.engines.sql import literal
from python_ml.settings import AthenaSettings, Settings

if TYPE_CHECKING:
    import pandas as pd

    from python_ml.pages.model import Card, Dashboard

MINIMUM_BYTES = 10_000_000  # billed for every query that reads at all
PYTHON, DASHBOARD, OTHER = "python_ml", "dashboard", "other"
_BATCH = 50  # the most executions that one call describes
_CARDS_AT_ONCE = 4
_NODE = re.compile(r'"node_id": "([^"]+)"')  # in the comment that dbt puts before a statement


@dataclass
class NodeCost:
    """Queries of one dbt node or card, of python_ml, or of everybody else (`other`).

    Nodes are named as dbt does (`model.spanishgas.gold_master`), cards `dashboard.<page>.<card>`.
    """

    node: str
    usd_per_terabyte: float
    query_count: int = 0
    scanned_bytes: int = 0
    billed_bytes: int = 0

    @property
    def kind(self) -> str:
        """model, seed, test, dashboard, python_ml or other."""
        return self.node.partition(".")[0]

    @property
    def usd(self) -> float:
        return self.billed_bytes / 1e12 * self.usd_per_terabyte

    def add(self, execution: dict[str, Any]) -> None:
        """DDL is free; failed queries are not billed, cancelled ones are for what they scanned."""
        if execution["Status"]["State"] in ("SUCCEEDED", "CANCELLED"):
            scanned = execution.get("Statistics", {}).get("DataScannedInBytes", 0)
            self.query_count += 1
            self.scanned_bytes += scanned
            self.billed_bytes += max(scanned, MINIMUM_BYTES) if scanned else 0

    def as_dict(self) -> dict[str, Any]:
        counted = asdict(self)
        counted.pop("usd_per_terabyte")
        return {"kind": self.kind, **counted, "price_usd": self.usd}


@dataclass(frozen=True)
class CostReport:
    """Costs of a time, or of one view of every dashboard, the dearest first."""

    costs: list[NodeCost] = field(default_factory=list)

    @property
    def usd(self) -> float:
        return sum(cost.usd for cost in self.costs)

    def pages(self) -> dict[str, int]:
        """Bytes scanned by one view of each dashboard page."""
        found: dict[str, int] = {}
        for cost in self.costs:
            if cost.kind == DASHBOARD:
                page = cost.node.split(".")[1]
                found[page] = found.get(page, 0) + cost.scanned_bytes
        return found

    def as_dict(self) -> dict[str, Any]:
        return {
            "price_usd": self.usd,
            "scanned_bytes": sum(cost.scanned_bytes for cost in self.costs),
            "pages": self.pages(),
            "nodes": [cost.as_dict() for cost in self.costs],
        }

    def table(self) -> pd.DataFrame:
        """The same in the columns of `ml.query_cost`."""
        import pandas as pd

        columns = ["node", "node_kind", "query_count", "scanned_bytes", "billed_bytes", "price_usd"]
        rows = [{"node_kind": cost.kind, **cost.as_dict()} for cost in self.costs]
        return pd.DataFrame(rows, columns=columns)

    def lines(self) -> Iterator[str]:
        """For a person."""
        yield f"{'Scanned':>14} {'Billed':>14} {'Queries':>8} {'USD':>9}  Node"
        for cost in self.costs:
            sizes = f"{cost.scanned_bytes:>14,} {cost.billed_bytes:>14,} {cost.query_count:>8,}"
            yield f"{sizes} {cost.usd:>9.5f}  {cost.node}"
        for page, size in self.pages().items():
            yield f"{size:>14,} bytes for one view of dashboard {page}"
        yield f"{self.usd:.4f} USD in all"


def costs_since(athena: AthenaSettings, since: datetime) -> CostReport:
    """Costs of the queries that were sent to the work group since then."""
    return _summed(athena, _executions(athena, since))


def dashboard_costs(settings: Settings) -> CostReport:
    """Open every page once, with the filters as they are set at first, and count what it scans.

    Raises:
        SpanishGasError: a card's query fails; the message is Athena's.
    """
    from python_ml.engines.athena import AthenaWarehouse
    from python_ml.pages.compile import load_dashboards

    cards = [(page, card) for page in load_dashboards() for card in page.cards]
    warehouse = AthenaWarehouse(settings.athena)
    with ThreadPoolExecutor(_CARDS_AT_ONCE) as pool:
        ids = list(pool.map(lambda shown: warehouse.execute(first_view(*shown)), cards))
    return _summed(settings.athena, _described(_client(settings.athena), ids))


def first_view(page: Dashboard, card: Card) -> str:
    """The statement of a card as it is sent when the page is opened, marked with its name."""
    from python_ml.pages.template import card_sql, with_values

    defaults = {it.key: it.default for it in page.parameters if it.default is not None}
    values = {
        tag.name: value if tag.type == "number" else literal(value)
        for tag in card.tags
        if (value := defaults.get(tag.name)) is not None
    }
    sql = with_values(card_sql(card.sql, "athena"), values, quote=str)
    return f'-- {{"node_id": "{DASHBOARD}.{card.symbol}"}}\n{sql}'


def _summed(athena: AthenaSettings, executions: Iterable[dict[str, Any]]) -> CostReport:
    costs: dict[str, NodeCost] = {}
    for execution in executions:
        node = _node(execution["Query"])
        costs.setdefault(node, NodeCost(node, athena.usd_per_terabyte)).add(execution)
    return CostReport(sorted(costs.values(), key=lambda cost: (-cost.scanned_bytes, cost.node)))


def _node(query: str) -> str:
    if found := _NODE.search(query):
        return found.group(1)
    return PYTHON if query.startswith("unload (") else OTHER


def _executions(athena: AthenaSettings, since: datetime) -> Iterator[dict[str, Any]]:
    """Executions of the work group from the newest back to `since`."""
    client = _client(athena)
    pages = client.get_paginator("list_query_executions").paginate(WorkGroup=athena.work_group)
    for page in pages:
        described = _described(client, page["QueryExecutionIds"])
        described.sort(key=lambda e: e["Status"]["SubmissionDateTime"], reverse=True)
        for execution in described:
            if execution["Status"]["SubmissionDateTime"] < since:
                return
            yield execution


def _described(client: Any, ids: list[str]) -> list[dict[str, Any]]:
    chunks = [ids[first : first + _BATCH] for first in range(0, len(ids), _BATCH)]
    answers = [client.batch_get_query_execution(QueryExecutionIds=chunk) for chunk in chunks]
    return [execution for answer in answers for execution in answer["QueryExecutions"]]


def _client(athena: AthenaSettings) -> Any:
    return cloud.client("athena", athena.region)
