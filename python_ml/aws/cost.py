"""What the queries of a work group scanned and cost, by the dbt node that they belong to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import boto3

from python_ml.config import Section

USD_PER_TERABYTE = 5.0  # the list price of most regions, https://aws.amazon.com/athena/pricing/
MINIMUM_BYTES = 10_000_000  # billed for every query that reads at all
OTHER = "other"
_BATCH = 50  # the most executions that one call describes
_NODE = re.compile(r'"node_id": "([^"]+)"')  # in the comment that dbt puts before a statement


@dataclass
class NodeCost:
    """Queries of one dbt node, or of everything that dbt did not send (`other`)."""

    node: str
    query_count: int = 0
    scanned_bytes: int = 0
    billed_bytes: int = 0

    @property
    def usd(self) -> float:
        return self.billed_bytes / 1e12 * USD_PER_TERABYTE


def costs_since(athena: Section, since: datetime) -> list[NodeCost]:
    """Costs by node of the queries that were sent since then, the dearest first.

    DDL is free; failed queries are not billed, cancelled ones are for what they scanned.
    """
    costs: dict[str, NodeCost] = {}
    for execution in _executions(athena, since):
        if execution["Status"]["State"] not in ("SUCCEEDED", "CANCELLED"):
            continue
        found = _NODE.search(execution["Query"])
        node = found.group(1) if found else OTHER
        cost = costs.setdefault(node, NodeCost(node))
        scanned = execution.get("Statistics", {}).get("DataScannedInBytes", 0)
        cost.query_count += 1
        cost.scanned_bytes += scanned
        cost.billed_bytes += max(scanned, MINIMUM_BYTES) if scanned else 0
    return sorted(costs.values(), key=lambda cost: cost.scanned_bytes, reverse=True)


def _executions(athena: Section, since: datetime) -> Iterator[Any]:
    """Executions of the work group from the newest back to `since`."""
    client = boto3.client("athena", region_name=athena.region)
    pages = client.get_paginator("list_query_executions").paginate(WorkGroup=athena.work_group)
    for page in pages:
        ids = page["QueryExecutionIds"]
        for first in range(0, len(ids), _BATCH):
            chunk = ids[first : first + _BATCH]
            answer = client.batch_get_query_execution(QueryExecutionIds=chunk)
            described = answer["QueryExecutions"]
            described.sort(key=lambda e: e["Status"]["SubmissionDateTime"], reverse=True)
            for execution in described:
                if execution["Status"]["SubmissionDateTime"] < since:
                    return
                yield execution
