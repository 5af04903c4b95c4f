"""The simulation report: every published aggregate against the simulated one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import yaml

from python_ml.errors import UsageError
from python_ml.simulate import tolerance
from python_ml.simulate.hourly import ALL_HOURS
from python_ml.simulate.noise import Floats
from python_ml.simulate.place import read_marker
from python_ml.simulate.reference import REFERENCE_DIR
from python_ml.simulate.report_views import open_batch


@dataclass(frozen=True)
class ReportRow:
    """One aggregate; `tolerance` is the distance that chance explains on the side observed."""

    aggregate: str
    published: float
    simulated: float
    tolerance: float
    is_within: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def simulation_report(
    raw: Path,
    *,
    text_signal: str | None = None,
    threads: int = 2,
    memory_limit: str = "1GB",
) -> list[ReportRow]:
    """Compare a simulated batch with the published aggregates.

    Counts are scaled to the number of customers. Aggregates that hold only where the texts were
    written with the outcome known are left out for other text signals; so are rates and quantiles
    of groups too small to hold anybody (fewer than 2 customers) in a small batch.

    Args:
        raw: folder with the seven files, as `simulate` wrote them.
        text_signal: of the batch; read from the marker beside the files, or taken to be
            as-published, where it is not given.

    Raises:
        BadInputError: a file is missing.
        UsageError: the batch is not that of one whole year with all its hours.
    """
    marker = read_marker(raw)
    if marker and (marker["months"] or marker["world"]["readings"] != ALL_HOURS):
        raise UsageError(
            f"{raw}: the published aggregates are those of one year with all its hours; simulate"
            " without --months, --append and --readings to compare"
        )
    spec = yaml.safe_load((REFERENCE_DIR / "published.yml").read_text(encoding="utf-8"))
    signal = text_signal or _marked_signal(raw)
    entries = [
        entry
        for entry in spec["aggregates"]
        if signal == "as-published" or not entry.get("needs_text_signal")
    ]
    alpha = tolerance.FAMILY_ERROR / len(entries)
    connection, names = open_batch(raw, threads=threads, memory_limit=memory_limit)
    with connection:
        judge = _Judge(connection, names, alpha, spec["customers"])
        rows = [judge.row(entry) for entry in entries]
    return [row for row in rows if row is not None]


def _marked_signal(raw: Path) -> str:
    marker = read_marker(raw)
    return str(marker["world"]["text_signal"]) if marker else "as-published"


class _Judge:
    """Measures an aggregate and sets its tolerance."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        names: Mapping[str, str],
        alpha: float,
        published_customers: int,
    ) -> None:
        self._connection = connection
        self._names = names
        self._alpha = alpha
        self._published_customers = published_customers
        self._customers = len(self._values("churn", None))

    def _values(self, column: str, where: str | None, source: str = "customer") -> Floats:
        """A numeric column, without nulls; sorted by customer where the table has one."""
        condition = f"({where}) and " if where else ""
        column = column.format(**self._names)
        found = self._connection.execute(
            f"select ({column})::double as x from {source} where {condition}({column}) is not null"
        ).fetchnumpy()["x"]
        return np.asarray(found, dtype=np.float64)

    def row(self, entry: Mapping[str, Any]) -> ReportRow | None:
        kinds: dict[str, Callable[[Mapping[str, Any]], tuple[float, float, float] | None]] = {
            "count": self._count,
            "rate": self._rate,
            "share": self._share,
            "ratio": self._ratio,
            "extreme": self._extreme,
        }
        measured = kinds.get(entry["kind"], self._sample)(entry)
        if measured is None:
            return None
        published, simulated, margin = measured
        default = 1.0 if entry["kind"] == "count" else 0.001 if entry["kind"] == "rate" else 0.0
        margin += entry.get("rounding", default) / 2.0
        # A difference in the last bit of a double is none.
        within = abs(simulated - published) <= margin + 1e-9 * max(1.0, abs(published))
        return ReportRow(entry["name"], float(published), float(simulated), margin, within)

    def _count(self, entry: Mapping[str, Any]) -> tuple[float, float, float]:
        share = entry["value"] / self._published_customers
        counted = len(self._values("1", entry.get("where"), entry.get("source", "customer")))
        margin = tolerance.of_share(share, counted / self._customers, self._customers, self._alpha)
        return share * self._customers, float(counted), margin * self._customers

    def _rate(self, entry: Mapping[str, Any]) -> tuple[float, float, float] | None:
        churn = self._values("churn", entry.get("where"))
        if len(churn) < 2:
            return None
        simulated = float(churn.mean())
        margin = tolerance.of_share(entry["value"], simulated, len(churn), self._alpha)
        return entry["value"], simulated, margin

    def _share(self, entry: Mapping[str, Any]) -> tuple[float, float, float]:
        flags = self._values(f"case when {entry['where']} then 1 else 0 end", entry.get("among"))
        simulated = float(flags.mean())
        margin = tolerance.of_share(entry["value"], simulated, len(flags), self._alpha)
        return entry["value"], simulated, margin

    def _ratio(self, entry: Mapping[str, Any]) -> tuple[float, float, float] | None:
        above = self._values(entry["column"], entry.get("where"))
        below = self._values(entry["per"], entry.get("where"))
        if not below.sum():
            return None
        margin = tolerance.of_ratio(above, below, self._alpha)
        return entry["value"], float(above.sum() / below.sum()), margin

    def _extreme(self, entry: Mapping[str, Any]) -> tuple[float, float, float]:
        side = 1.0 if entry["value"] >= 0 else -1.0
        sizes = side * self._values(entry["column"], entry.get("where"))
        expected, margin = tolerance.of_extreme(
            sizes, abs(entry["value"]), self._customers, self._published_customers, self._alpha
        )
        return side * expected, side * float(sizes.max()), margin

    def _sample(self, entry: Mapping[str, Any]) -> tuple[float, float, float] | None:
        """Mean, sd, quantile, correlation and bound: of the values of one column."""
        source = entry.get("source", "customer")
        values = self._values(entry["column"], entry.get("where"), source)
        if len(values) < 2:
            return None
        published, alpha = entry["value"], self._alpha
        match entry["kind"]:
            case "mean":
                return published, float(values.mean()), tolerance.of_mean(values, alpha)
            case "sd":
                return published, float(values.std(ddof=1)), tolerance.of_sd(values, alpha)
            case "quantile":
                margin = tolerance.of_quantile(values, entry["q"], published, alpha)
                return published, float(np.quantile(values, entry["q"])), margin
            case "correlation":
                churn = self._values("churn", f"{entry['column']} is not null")
                simulated = float(np.corrcoef(churn, values)[0, 1])
                return published, simulated, tolerance.of_correlation(churn, values, alpha)
            case "bound":
                end = entry["end"]
                simulated = float(values.max() if end == "high" else values.min())
                return published, simulated, tolerance.of_bound(values, end, alpha)
            case kind:
                raise ValueError(f"published.yml: unknown kind {kind} of {entry['name']}")
