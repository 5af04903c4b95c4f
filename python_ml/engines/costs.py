"""What queries scan and cost, by dbt node and by card of a dashboard, as an engine counts it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

MINIMUM_BYTES = 10_000_000  # billed for every query that reads at all
PYTHON, DASHBOARD, OTHER = "python_ml", "dashboard", "other"


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
        import pandas as pd  # 0.4 s that the control functions need not wait

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
