"""The contract of gold_master as Python sees it.

Which columns are features, their tiers and their fills are declared once, in the YAML of
gold_master; this module reads them from the dbt manifest and holds no list of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from python_ml.contracts.needs import lacking
from python_ml.contracts.schema import ColumnSchema
from python_ml.errors import BadInputError, SpanishGasError, UsageError
from python_ml.settings import PROJECT_DIR, Settings

GOLD = "gold_master"
MODEL_FILE = PROJECT_DIR / "models" / "gold" / "_gold__models.yml"
LINEAGE = "lineage"
ROLES = ("key", "target", "feature", "business", LINEAGE)
KEEP = "keep"
CLOCK_DOWN, CLOCK_UP, SEASON, HISTORY = "counts_down", "counts_up", "season", "history"
INCREASING, DECREASING = "increasing", "decreasing"
Monotone = str | Mapping[str, str] | Sequence[str]


@dataclass(frozen=True)
class Column:
    """One column of gold_master.

    `fill` replaces nulls; None keeps them. `from_text` marks what is read out of the words of an
    interaction, as against its mere existence or date. `monotone` says which way the score may go
    when the value rises, other things equal: a direction; of a category one by level, or levels in
    the order in which the score may rise. `calendar` says what moves the value as time goes by
    (docs/drift.md): it counts months down or up, hangs on the season or on the length of a
    customer's history, or names the column that counts. `needs` names the columns of raw tables
    that it rests on (`table.column`), `missing` those of them that the batch is declared to lack.
    """

    name: str
    data_type: str
    role: str
    tier: str | None = None
    fill: str | float | None = None
    from_text: bool = False
    monotone: Monotone | None = None
    calendar: str | None = None
    needs: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def is_off(self) -> bool:
        """Whether it is switched off, because the batch lacks what it rests on."""
        return bool(self.missing)

    @property
    def is_category(self) -> bool:
        return self.data_type == "varchar"


@dataclass(frozen=True)
class GoldContract:
    """The columns of gold_master, in the order of its YAML."""

    columns: tuple[Column, ...]
    absent: frozenset[str] = frozenset()  # raw tables and columns that the batch lacks

    @property
    def target(self) -> str:
        return next(column.name for column in self.columns if column.role == "target")

    @property
    def features(self) -> tuple[Column, ...]:
        """Features to train and score with; those that are switched off are not among them."""
        return tuple(c for c in self.columns if c.role == "feature" and not c.is_off)

    @property
    def switched_off(self) -> tuple[Column, ...]:
        """Features and business columns that rest on what the batch lacks."""
        return tuple(column for column in self.columns if column.is_off)

    @property
    def source_dates(self) -> tuple[Column, ...]:
        """Newest dates of what went into a row, one column for each kind of source there is."""
        return tuple(c for c in self.columns if c.role == LINEAGE and not c.is_off)

    def experiment(self, settings: Settings, name: str) -> tuple[Column, ...]:
        """Features of the experiment's tiers.

        Raises:
            SpanishGasError: no such experiment, or a tier that no feature carries.
        """
        if name not in settings.experiments:
            raise SpanishGasError(
                f"no experiment {name!r}; settings know {', '.join(settings.experiments)}"
            )
        tiers = [str(tier) for tier in settings.experiments[name]]
        if empty := sorted(set(tiers) - {column.tier or "" for column in self.columns}):
            raise SpanishGasError(f"experiment {name}: no feature of {GOLD} has the tier {empty}")
        found = tuple(column for column in self.features if column.tier in tiers)
        if not found:
            raise BadInputError(
                f"experiment {name}: every feature of its tiers rests on data that the batch is "
                "declared to lack (docs/own-files.md). Deliver more, or name another experiment."
            )
        return found

    def learned(self, settings: Settings, name: str) -> tuple[Column, ...]:
        """Features of the experiment that a champion learns from.

        Raises:
            SpanishGasError: as for `experiment`.
        """
        without = set(settings.model.excluded_features)
        return tuple(c for c in self.experiment(settings, name) if c.name not in without)

    def arrow_schema(self) -> pa.Schema:
        return pa.schema(
            [(c.name, ColumnSchema(c.name, c.data_type).arrow_type) for c in self.columns]
        )


def require_experiments(settings: Settings, model_file: Path = MODEL_FILE) -> None:
    """Make sure, before anything is begun, that every experiment has features.

    Args:
        settings: with the experiments.
        model_file: the YAML of gold_master, which dbt need not have read.

    Raises:
        UsageError: an experiment names a tier that no feature carries, or no tier.
    """
    text = model_file.read_text(encoding="utf-8")
    models = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["models"]
    columns = [column for model in models if model["name"] == GOLD for column in model["columns"]]
    tiers = sorted({str(tier) for c in columns if (tier := c["config"]["meta"].get("tier"))})
    for name, wanted in settings.experiments.items():
        if unknown := sorted(set(map(str, wanted)) - set(tiers)):
            raise UsageError(
                f"experiments.{name}: no feature of {GOLD} has the tier {', '.join(unknown)}; "
                f"tiers are {', '.join(tiers)}"
            )
        if not wanted:
            raise UsageError(f"experiments.{name}: names no tier; tiers are {', '.join(tiers)}")


def read_contract(manifest: Mapping[str, Any], absent: Iterable[str] = ()) -> GoldContract:
    """The contract out of a dbt manifest (its JSON document).

    Args:
        manifest: names the columns.
        absent: raw tables, and columns as `table.column`, that the batch is declared to lack; what
            rests on them is switched off.

    Raises:
        SpanishGasError: gold_master is not in the project, or a column lacks role, type, tier or
            fill.
    """
    nodes = [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["name"] == GOLD
    ]
    if not nodes:
        raise SpanishGasError(f"the dbt project has no model {GOLD}")
    columns = tuple(_column(entry) for entry in nodes[0]["columns"].values())
    targets = [column.name for column in columns if column.role == "target"]
    if len(targets) != 1:
        raise SpanishGasError(f"{GOLD}: exactly one column has the role target, not {targets}")
    for column in columns:
        counters = [c.name for c in columns if c.calendar in (CLOCK_DOWN, CLOCK_UP)]
        if column.calendar not in (None, CLOCK_DOWN, CLOCK_UP, SEASON, HISTORY, *counters):
            raise SpanishGasError(
                f"{GOLD}.{column.name}: meta.calendar is {CLOCK_DOWN}, {CLOCK_UP}, {SEASON}, "
                f"{HISTORY} or a column that counts ({', '.join(counters)}), not {column.calendar}"
            )
    lacked = frozenset(absent)
    return GoldContract(
        tuple(replace(c, missing=tuple(lacking(c.needs, lacked))) for c in columns), lacked
    )


def _column(entry: Mapping[str, Any]) -> Column:
    meta = {**entry.get("meta", {}), **entry.get("config", {}).get("meta", {})}
    name, role = entry["name"], meta.get("role")
    wanted = [] if role != "feature" else [key for key in ("tier", "fill") if key not in meta]
    if role not in ROLES or not entry.get("data_type") or wanted:
        raise SpanishGasError(
            f"{GOLD}.{name}: its YAML needs a data_type, a meta role out of {', '.join(ROLES)}"
            " and, for a feature, tier and fill"
        )
    fill = meta.get("fill", KEEP)
    return Column(
        name=name,
        data_type=entry["data_type"].lower(),
        role=role,
        tier=None if meta.get("tier") is None else str(meta["tier"]),
        fill=None if fill == KEEP else fill,
        from_text=bool(meta.get("from_text", False)),
        monotone=_monotone(name, entry["data_type"].lower(), meta.get("monotone")),
        calendar=meta.get("calendar"),
        needs=tuple(meta.get("needs", ())),
    )


def _monotone(name: str, data_type: str, given: Any) -> Monotone | None:
    """A direction of the score, or for a category one by level, or its levels in order."""
    declared: Monotone | None = given
    if declared is None:
        return None
    directions = {INCREASING, DECREASING}
    if data_type != "varchar":
        is_known = isinstance(declared, str) and declared in directions
    elif isinstance(declared, Mapping):
        is_known = set(declared.values()) <= directions
    else:
        is_known = isinstance(declared, list) and all(isinstance(level, str) for level in declared)
    if not is_known:
        raise SpanishGasError(
            f"{GOLD}.{name}: meta.monotone is {INCREASING} or {DECREASING}; of a category a "
            "mapping of levels to one of them, or a list of levels by rising score"
        )
    return declared


def without_text(features: Sequence[Column]) -> tuple[Column, ...]:
    """The features that no word of an interaction went into."""
    return tuple(column for column in features if not column.from_text)
