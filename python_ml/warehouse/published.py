"""What is published, told without the libraries that made it: quick to import and to ask."""

from __future__ import annotations

import json

from python_ml.config import Settings
from python_ml.store import open_store
from python_ml.warehouse import open_warehouse

CHAMPION = "models/champion.json"  # the pointer, replaced in one step


def published_run(settings: Settings) -> tuple[str, str] | None:
    """Run and model version that the published warehouse shows, or None before the first."""
    if settings.target == "duckdb" and not settings.layout.warehouse.exists():
        return None
    with open_warehouse(settings) as warehouse:
        if "mart_overview" not in warehouse.table_names():
            return None
        published = warehouse.query("select run_id, model_version from mart_overview")
    return published["run_id"].iloc[0], published["model_version"].iloc[0]


def is_champion(settings: Settings, version: str) -> bool:
    """Whether the pointer names this version."""
    store = open_store(settings)
    return store.exists(CHAMPION) and json.loads(store.read(CHAMPION)).get("version") == version
