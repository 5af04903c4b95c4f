"""What is published, told without the libraries that made it: quick to import and to ask."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from python_ml.engines import Warehouse, open_engine, open_store
from python_ml.errors import OldTablesError, UsageError, on_disk
from python_ml.settings import Settings

CHAMPION = "models/champion.json"  # the pointer, replaced in one step
_PUBLISHED = {"gold_master", "mart_overview", "mart_customer_risk"}
_PARTS = ("customer_score", "feature_snapshot")  # what every run that scores has written


def require_home(settings: Settings) -> None:
    """Make sure that there is something to look at.

    Raises:
        UsageError: the folder is no home: no command has written there. (On Athena the home holds
            nothing that counts.)
    """
    layout = settings.layout
    marks = (layout.runs, layout.warehouse, layout.lake, layout.raw)
    with on_disk(layout.home):
        is_home = any(path.exists() for path in marks)
    if open_engine(settings).lies_in_home and not is_home:
        raise UsageError(
            f"{layout.home} is no home of SpanishGas: it holds no raw files, lake, warehouse or "
            "record of runs. `spanishgas run` makes one; --home names another."
        )


def published_run(settings: Settings) -> tuple[str, str] | None:
    """Run and model version that the published warehouse shows, or None before the first."""
    engine = open_engine(settings)
    if not engine.holds_published():
        return None
    with engine.warehouse() as warehouse:
        if "mart_overview" not in warehouse.table_names():
            return None
        published = warehouse.read_table("mart_overview")
    if published.empty:  # of a bucket, the catalog knows the table when its files are gone
        return None
    return published["run_id"].iloc[0], published["model_version"].iloc[0]


def lost_of_published(settings: Settings) -> list[str]:
    """What is published, or what it rests on, and is not there any more though the record of runs
    says that it was made; each with its place. Nothing where all is there.

    It is found by looking: on an engine that bills queries, none is sent.
    """
    engine = open_engine(settings)
    if (published := published_run(settings)) is None:
        return [f"the published tables ({engine.tables_place()})"]
    run_id, version = published
    with engine.warehouse() as warehouse:
        tables = sorted(_PUBLISHED - set(warehouse.table_names()))
        lost = [f"{table} ({engine.tables_place()})" for table in tables]
        lost += warehouse.lost_tables()
    store = engine.store()
    keys = {f"{table} of the run": f"ml/{table}/run_id={run_id}/part-0.parquet" for table in _PARTS}
    keys[f"model {version}"] = f"models/{version}/model.json"
    lost += [f"{what} ({store.place(key)})" for what, key in keys.items() if not store.exists(key)]
    return lost


def lost_text(lost: Sequence[str]) -> str:
    """For a message: the first of them, and how many more."""
    more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    return f"{lost[0]}{more}"


def require_current(warehouse: Warehouse, manifest: Mapping[str, Any]) -> None:
    """Make sure that the tables below the marts, which no command but `run` builds, are those of
    this version.

    Args:
        warehouse: with the tables.
        manifest: of the dbt project, its JSON document.

    Raises:
        OldTablesError: one of them, or a column of one, is missing.
    """
    found = warehouse.column_types()
    lacking = []
    for node in manifest["nodes"].values():
        if node["resource_type"] not in ("model", "seed") or "marts" in node["fqn"]:
            continue
        table = node["name"]
        if table not in found:
            lacking.append(table)
        elif columns := sorted(set(node["columns"]) - set(found[table])):
            lacking.append(f"{table}.{columns[0]}")
    if lacking:
        more = f" (and {len(lacking) - 1} others)" if len(lacking) > 1 else ""
        raise OldTablesError(
            f"the published tables were built by another version: {sorted(lacking)[0]} is missing"
            f"{more}. `spanishgas run` builds them anew"
        )


def is_champion(settings: Settings, version: str) -> bool:
    """Whether the pointer names this version."""
    store = open_store(settings)
    return store.exists(CHAMPION) and json.loads(store.read(CHAMPION)).get("version") == version
