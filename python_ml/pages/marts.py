"""The columns of every mart by its contract, the only tables that a card may read."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml
from sqlglot import MappingSchema

from python_ml.settings import PROJECT_DIR

MARTS_FILE = PROJECT_DIR / "models" / "marts" / "_marts__models.yml"


@cache
def _models() -> list[dict[str, Any]]:
    found = yaml.load(MARTS_FILE.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return list(found["models"])


@cache
def mart_columns() -> dict[str, dict[str, str]]:
    """Column -> engine-neutral type, of each mart."""
    return {
        model["name"]: {column["name"]: column["data_type"] for column in model["columns"]}
        for model in _models()
    }


@cache
def mart_schema() -> MappingSchema:
    """The same as SQLGlot reads it, who works it out anew for every query that is given a mapping;
    names are lower case as they stand."""
    return MappingSchema(dict(mart_columns()), dialect="duckdb", normalize=False)


@cache
def mart_keys() -> dict[str, tuple[str, ...]]:
    """The columns of the primary key of each mart that has one."""
    found: dict[str, tuple[str, ...]] = {}
    for model in _models():
        for constraint in model.get("constraints", ()):
            if constraint["type"] == "primary_key":
                found[model["name"]] = tuple(constraint["columns"])
        for column in model["columns"]:
            if any(it["type"] == "primary_key" for it in column.get("constraints", ())):
                found[model["name"]] = (column["name"],)
    return found
