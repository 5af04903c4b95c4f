"""The data dictionary: every table and column, out of dbt's manifest, as a Markdown page.

python -m python_ml.contracts.dictionary target/manifest.json > docs/data-dictionary.md
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

LAYERS = {
    "raw": "Landed files (`source raw`)",
    "bronze": "Bronze: typed, deduplicated",
    "silver": "Silver: prices, margins, intent, sentiment",
    "gold": "Gold: features",
    "ml": "Written by python_ml (`source ml`)",
    "marts": "Marts: what dashboards read",
    "seeds": "Seeds: policies and calendars",
}


def data_dictionary(manifest: Mapping[str, Any]) -> str:
    """The page: layers in the order of the data, tables by name, columns as declared."""
    lines = [
        "# Data dictionary",
        "",
        "Written by `make docs` from the models' YAML; do not edit.",
        "",
    ]
    tables = [*manifest["sources"].values(), *manifest["nodes"].values()]
    for layer, title in LAYERS.items():
        lines += [f"## {title}", ""]
        for table in sorted(_of_layer(tables, layer), key=lambda entry: entry["name"]):
            lines += [f"### {table['name']}", "", _one_line(table["description"]), ""]
            lines += _column_table(table["columns"].values())
    return "\n".join(lines)


def _of_layer(tables: Iterable[Mapping[str, Any]], layer: str) -> list[Mapping[str, Any]]:
    return [
        table
        for table in tables
        if table["resource_type"] in ("model", "source", "seed")
        and layer in (table.get("source_name"), *table["fqn"][1:2], f"{table['resource_type']}s")
    ]


def _column_table(columns: Iterable[Mapping[str, Any]]) -> list[str]:
    rows = [
        f"| {column['name']} | {column.get('data_type') or ''} | {_unit(column)} "
        f"| {_one_line(column['description'])} |"
        for column in columns
    ]
    if not rows:
        return []
    return ["| Column | Type | Unit | Meaning |", "| --- | --- | --- | --- |", *rows, ""]


def _unit(column: Mapping[str, Any]) -> str:
    return str(column.get("config", {}).get("meta", {}).get("unit", ""))


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    print(data_dictionary(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), end="")
