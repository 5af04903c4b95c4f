"""The limits of the gates, read from python_ml/quality.yml or the file that the settings name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from python_ml.errors import UsageError
from python_ml.settings import PACKAGE_DIR, Settings, expanded

RULES_FILE = PACKAGE_DIR / "quality.yml"
LAYERS = ("raw", "bronze", "silver", "gold")
STOP, WARN = "stop", "warn"
SEVERITIES = (STOP, WARN)


@dataclass(frozen=True)
class NullRule:
    """A structural null: its own limit, and why the value is missing."""

    limit: float
    reason: str


@dataclass(frozen=True)
class RangeRule:
    """Inclusive limits of a column."""

    minimum: float | None = None
    maximum: float | None = None
    severity: str = STOP


@dataclass(frozen=True)
class TableRules:
    """What the file says of one table."""

    month_column: str | None = None
    fresh_column: str | None = None
    fresh_days: Mapping[str, float] = field(default_factory=dict)  # by severity
    nulls: Mapping[str, NullRule] = field(default_factory=dict)
    ranges: Mapping[str, RangeRule] = field(default_factory=dict)


@dataclass(frozen=True)
class LayerRules:
    """Limits of one layer; those by severity are shares, 0 to 1."""

    layer: str
    null_share: float
    volume: Mapping[str, float]
    duplicate_share: Mapping[str, float]
    set_aside_share: Mapping[str, float]
    maximum_clock_age_days: float
    tables: Mapping[str, TableRules]


def load_rules(settings: Settings, layer: str) -> LayerRules:
    """The rules of one layer.

    Raises:
        UsageError: the file cannot be read, or says something that is not a rule.
    """
    path = expanded(settings.quality.rules or RULES_FILE)
    try:
        document = _read(path)
        return LayerRules(
            layer=layer,
            null_share=float(document["null_share"][layer]),
            volume=_by_severity(document["volume"]),
            duplicate_share=_by_severity(document["duplicate_share"]),
            set_aside_share=_by_severity(document["set_aside_share"]),
            maximum_clock_age_days=float(document["clock"]["maximum_age_days"]),
            tables={name: _table(entry or {}) for name, entry in document["tables"][layer].items()},
        )
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"quality rules {path}: {error}") from error
    except KeyError as error:
        raise UsageError(f"quality rules {path}: {error} is missing") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise UsageError(f"quality rules {path}, layer {layer}: {error}") from error


@cache
def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def _table(entry: Mapping[str, Any]) -> TableRules:
    known = {"month_column", "freshness", "nulls", "ranges"}
    if unknown := set(entry) - known:
        raise ValueError(f"unknown rules {sorted(unknown)}; known are {sorted(known)}")
    freshness = dict(entry.get("freshness", {}))
    return TableRules(
        month_column=entry.get("month_column"),
        fresh_column=freshness.pop("column", None),
        fresh_days=_by_severity(freshness),
        nulls={name: NullRule(**rule) for name, rule in entry.get("nulls", {}).items()},
        ranges={name: RangeRule(**rule) for name, rule in entry.get("ranges", {}).items()},
    )


def _by_severity(limits: Mapping[str, float]) -> dict[str, float]:
    if unknown := set(limits) - set(SEVERITIES):
        raise ValueError(f"severity {sorted(unknown)}; known are stop and warn")
    return {severity: float(limit) for severity, limit in limits.items()}
