"""What the queries of a work group scanned, as Athena says of its executions."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from python_ml.engines import cloud
from python_ml.engines.athena import OURS, AthenaWarehouse
from python_ml.engines.costs import OTHER, PYTHON, CostReport, NodeCost
from python_ml.settings import AthenaSettings

_BATCH = 50  # the most executions that one call describes
_AT_ONCE = 4
# In the comment that dbt puts before a statement, and in that of a statement of many tests.
_NODE = re.compile(r'"node_id": "([^"]+)"')


def costs_since(athena: AthenaSettings, since: datetime) -> CostReport:
    """Costs of the queries that were sent to the work group since then."""
    return _summed(athena, _executions(athena, since))


def costs_of(athena: AthenaSettings, statements: Collection[str]) -> CostReport:
    """Send the statements, a few at once; costs of them alone.

    Raises:
        SpanishGasError: one fails; the message is Athena's.
    """
    warehouse = AthenaWarehouse(athena)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        ids = list(pool.map(warehouse.execute, statements))
    return _summed(athena, _described(_client(athena), ids))


def _summed(athena: AthenaSettings, executions: Iterable[dict[str, Any]]) -> CostReport:
    costs: dict[str, NodeCost] = {}
    for execution in executions:
        node = _node(execution["Query"])
        costs.setdefault(node, NodeCost(node, athena.usd_per_terabyte)).add(execution)
    return CostReport(sorted(costs.values(), key=lambda cost: (-cost.scanned_bytes, cost.node)))


def _node(query: str) -> str:
    if found := _NODE.findall(query):
        return str(found[-1])
    return PYTHON if query.startswith(("unload (", OURS)) else OTHER


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
