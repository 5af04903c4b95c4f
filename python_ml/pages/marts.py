"""The columns of every mart by its contract, the only tables that a card may read."""

from __future__ import annotations

from functools import cache

import yaml

from python_ml.settings import PROJECT_DIR

MARTS_FILE = PROJECT_DIR / "models" / "marts" / "_marts__models.yml"


@cache
def mart_columns() -> dict[str, dict[str, str]]:
    """Column -> engine-neutral type, of each mart."""
    models = yaml.load(MARTS_FILE.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["models"]
    return {
        model["name"]: {column["name"]: column["data_type"] for column in model["columns"]}
        for model in models
    }
