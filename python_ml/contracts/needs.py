"""What rests on which raw data: the `needs` in the YAML of gold_master and of the marts.

A need is a column of a raw table (`table.column`) or a whole one. A mapping may declare either
absent (docs/own-files.md); what rests on it is then switched off, by name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from python_ml.settings import PROJECT_DIR

_FILES = ("models/gold/_gold__models.yml", "models/marts/_marts__models.yml")


@dataclass(frozen=True)
class Dependent:
    """A feature, a business column of gold_master or a mart, and the raw columns it rests on."""

    kind: str
    name: str
    needs: tuple[str, ...]


def lacking(needs: Iterable[str], absent: Collection[str]) -> list[str]:
    """The needs that are absent themselves, or whose table is."""
    return [need for need in needs if need in absent or need.partition(".")[0] in absent]


@cache
def dependents(project: Path = PROJECT_DIR) -> tuple[Dependent, ...]:
    """Everything that says what it rests on, in the order of the YAML."""
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = []
    for file in _FILES:
        models = yaml.load((project / file).read_text(encoding="utf-8"), Loader=loader)["models"]
        for model in models:
            meta = model.get("config", {}).get("meta", {})
            if "needs" in meta:
                found.append(Dependent("mart", model["name"], tuple(meta["needs"])))
            for column in model.get("columns", []):
                meta = column.get("config", {}).get("meta", {})
                if "needs" in meta and meta.get("role") in ("feature", "business"):
                    found.append(Dependent(meta["role"], column["name"], tuple(meta["needs"])))
    return tuple(found)


def switched_off(absent: Collection[str]) -> list[Dependent]:
    """What cannot be had without the data that are absent."""
    return [it for it in dependents() if lacking(it.needs, absent)]


def consequence(absent: Collection[str]) -> str:
    """In words, by name: what is switched off without these data; empty where nothing is."""
    off = switched_off(absent)
    titles = {
        "feature": "feature{}",
        "business": "business column{}",
        "mart": "mart{} without figures",
    }
    parts = []
    for kind, title in titles.items():
        if names := [it.name for it in off if it.kind == kind]:
            titled = title.format("" if len(names) == 1 else "s")
            parts.append(f"{len(names)} {titled} ({', '.join(names)})")
    return "; ".join(parts)
