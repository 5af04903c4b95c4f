"""Gold of another as-of date, built by the same dbt models where nobody reads.

What depends on the as-of date is built again from the same bronze tables, in a DuckDB file of its
own whatever the target; the tables of the run stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from python_ml.config import Settings
from python_ml.dbt_runner import DbtRunner
from python_ml.errors import BadInputError
from python_ml.sql import identifier
from python_ml.store import open_store
from python_ml.warehouse import Warehouse, open_warehouse

AS_OF_MODELS = "bronze_as_of_date silver gold"  # what depends on the as-of date


@dataclass(frozen=True)
class GoldAsOf:
    """A warehouse whose silver and gold are those of one as-of date, and the dbt that builds it."""

    as_of_date: date
    warehouse: Warehouse
    dbt: DbtRunner


def gold_beside(
    warehouse: Warehouse, dbt: DbtRunner, as_of_date: date, folder: Path, batch_id: str | None
) -> GoldAsOf:
    """Build gold of an as-of date in a folder, from what is bronze in a warehouse.

    Args:
        warehouse: holds bronze and seeds; it is only read.
        dbt: of the run that the warehouse belongs to.
        as_of_date: to build.
        folder: to work in; it is made.
        batch_id: the landed batch of bronze, for targets that have it in a bucket.
    """
    folder.mkdir(parents=True)
    database = folder / dbt.settings.layout.warehouse.name  # views name it
    tables, sources = read_by(dbt.manifest(), AS_OF_MODELS)
    types = warehouse.column_types()
    with duckdb.connect(str(database)) as copy:
        for table in tables:
            load_table(copy, table, warehouse.read_table(table), types[table])
    home = None
    if dbt.settings.target != "duckdb":
        home = folder / "home"
        _copy_sources(warehouse, dbt.settings, sources, home, batch_id)
    gold = dbt.on_copy(database, folder / "dbt", home)
    build_as_of(gold, as_of_date)
    return GoldAsOf(as_of_date, open_warehouse(gold.settings, database), gold)


def build_as_of(dbt: DbtRunner, as_of_date: date) -> None:
    """Build what depends on the as-of date anew, in the database of `dbt`."""
    dbt.variables["as_of_date"] = as_of_date.isoformat()
    dbt.run(AS_OF_MODELS, exclude="resource_type:seed")


def require_snapshots(warehouse: Warehouse, as_of_date: date) -> None:
    """Make sure that customers and contracts are those of the as-of date, not of a later one.

    A file without dates holds the state at the end of its batch: who has left since is missing, and
    a contract that was renewed shows its new date. Attributes may lack them, since contracts then
    say who is a customer.

    Raises:
        BadInputError: they are of later.
    """
    found = warehouse.query(
        "select (select min(snapshot_date) from bronze_customer_attribute) as customer_attributes, "
        "(select min(snapshot_date) from bronze_customer_contract) as customer_contracts"
    ).iloc[0]
    for table, first in found.items():
        if pd.isna(first):
            said = None if table == "customer_attributes" else "there is none"
        else:
            said = f"the first is of {first:%Y-%m-%d}" if first.date() > as_of_date else None
        if said:
            raise BadInputError(
                f"{table}, column snapshot_date: {said}, so that nothing tells what was known on "
                f"{as_of_date}, of which there are labels. Deliver the snapshots of that date too; "
                "without them the champion can still score: spanishgas run --mode score."
            )


def read_by(manifest: Mapping[str, Any], selection: str) -> tuple[list[str], list[tuple[str, str]]]:
    """What models read that are not among them: tables and seeds, and sources with their tables.

    Args:
        manifest: of the project, dbt's JSON document.
        selection: models and folders of models, by name.
    """
    wanted, nodes = set(selection.split()), manifest["nodes"]
    chosen = {
        name
        for name, node in nodes.items()
        if node["resource_type"] == "model" and wanted & {node["name"], *node["fqn"][1:-1]}
    }
    parents = {parent for name in chosen for parent in nodes[name]["depends_on"]["nodes"]} - chosen
    tables = sorted(nodes[name]["name"] for name in parents if name in nodes)
    sources = sorted(name.split(".")[-2:] for name in parents if name not in nodes)
    return tables, [(source, table) for source, table in sources]


def load_table(
    connection: duckdb.DuckDBPyConnection, table: str, rows: pd.DataFrame, types: Mapping[str, str]
) -> None:
    """Create a table of rows whose engine has blurred their types (a date is a timestamp, an
    integer with nulls a float) in the types that it has there."""
    columns = ", ".join(
        f"cast({identifier(name)} as {types[name]}) as {identifier(name)}"
        for name in map(str, rows)
    )
    connection.register("rows", rows)
    connection.execute(f"create table {table} as select {columns} from rows")
    connection.unregister("rows")


def _copy_sources(
    warehouse: Warehouse,
    settings: Settings,
    sources: Sequence[tuple[str, str]],
    home: Path,
    batch_id: str | None,
) -> None:
    """Landed tables and those of python_ml that models read, as files of a lake below `home`."""
    local = settings.with_overrides({"target": "duckdb", "home": str(home)})
    store, landed = open_store(settings), f"batches/{batch_id}/"
    for key in [key for _, t in sources for key in store.keys(f"{landed}{t}")]:
        path = local.layout.lake / "raw" / key.removeprefix(landed)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(store.read(key))
    with open_warehouse(local) as copy:
        for table in [table for source, table in sources if source == "ml"]:
            for run_id, rows in warehouse.read_external(table).groupby("run_id"):
                copy.write_external(table, rows.drop(columns="run_id"), str(run_id))
        copy.declare_external_tables()
