"""Which way does the score move when one thing about a customer changes?

Nearer to renewal, shorter with us, a complaint: each is measured, and where the contract declares a
direction (`meta.monotone`) the score may not fall, other things equal. Features hang together (a
renewal date decides a number, a bucket and six flags), so nothing is changed in a feature: the
tables that gold reads are copied for a sample of customers, the change is made there, and the
project's own gold models are run on the copy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from python_ml.contracts.gold import GOLD, GoldContract
from python_ml.contracts.needs import lacking
from python_ml.duckdb_connection import open_duckdb
from python_ml.engines import Warehouse
from python_ml.engines.sql import identifier, literal, literals
from python_ml.judge.gate import Check
from python_ml.model.churn_model import ChurnModel
from python_ml.settings import Settings
from python_ml.transform.dbt import DbtRunner

AS_IS = "as_is"
TOLERANCE = 1e-6  # of a probability: a sum of trees in float32 is no more exact


@dataclass(frozen=True)
class Change:
    """One change of a customer, as statements on a copy of silver; `{here}` picks its rows.

    The gate requires a direction where the contract declares one for `feature`.
    """

    name: str
    feature: str
    words: str
    statements: tuple[str, ...]
    needs: tuple[str, ...]  # raw columns without which there is nothing to change


CHANGES = (
    # Past its date a contract is another matter (nothing is left to renew, and fewer leave), so
    # whoever would expire by the change is left as is, and so is not counted.
    Change(
        "nearer_renewal",
        "months_to_renewal",
        "renewal one month nearer, but still ahead",
        (
            "update silver_customer set next_renewal_date = next_renewal_date - 30"
            " where {here} and next_renewal_date - 30 > as_of_date",
        ),
        ("customer_contracts.next_renewal_date",),
    ),
    Change(
        "shorter_tenure",
        "tenure_months",
        "half as long a customer",
        (
            "update silver_customer set customer_first_activation_date = as_of_date - cast("
            "date_diff('day', customer_first_activation_date, as_of_date) // 2 as integer)"
            " where {here} and customer_first_activation_date < as_of_date",
        ),
        ("customer_contracts.customer_first_activation_date",),
    ),
    Change(
        "complaint",
        "is_complaint_intent",
        "a complaint: the last contact was one, or there was none and a calm one came a month ago",
        (
            "update silver_interaction set customer_intent = 'Complaint / Escalation'"
            " where {here} and recency_rank = 1 and customer_intent not in"
            " ('Complaint / Escalation', 'Cancellation / Switch')",
            "insert into silver_interaction by name select customer_id, as_of_date,"
            " as_of_date - 30 as interaction_date, 'Complaint / Escalation' as customer_intent,"
            " 'neutral' as sentiment_label, 1 as recency_rank from silver_customer where {here}"
            " and customer_id not in (select customer_id from silver_interaction)",
        ),
        ("customer_interactions.date", "customer_interactions.interaction_summary"),
    ),
)


def skipped_changes(absent: Collection[str]) -> dict[str, list[str]]:
    """Checks that cannot be made, by name, and what the batch lacks for them."""
    lacked = {f"direction_{change.name}": lacking(change.needs, absent) for change in CHANGES}
    return {name: needs for name, needs in lacked.items() if needs}


@dataclass(frozen=True)
class ChangedCustomers:
    """The same n customers, in the same order, as they are and after each change by name."""

    as_is: pd.DataFrame
    changed: Mapping[str, pd.DataFrame]


def changed_customers(
    warehouse: Warehouse,
    settings: Settings,
    contract: GoldContract,
    dbt: DbtRunner,
    folder: Path,
    as_of_date: date,
) -> ChangedCustomers:
    """Features of a sample of customers as they are and after each of CHANGES.

    The copy is a local DuckDB whatever the target, and the sample follows from hashes of the ids.

    Args:
        warehouse: holds silver.
        settings: `gate.direction_customers` is the size of the sample.
        contract: names the features.
        dbt: of the run; knows the project and what gold reads.
        folder: for the copy; it is made.
        as_of_date: of the customers.
    """
    folder.mkdir(parents=True)
    database = folder / settings.layout.warehouse.name
    sample = _sample(warehouse, settings.gate.direction_customers, as_of_date)
    with open_duckdb(database) as copy:
        types = warehouse.column_types()
        for table in read_by(dbt.manifest(), "gold", without=GOLD):
            _copy(copy, warehouse, table, sample, types[table], as_of_date)
        for change in CHANGES:
            here = f"customer_id like {literal(f'%|{change.name}')}"
            for statement in change.statements:
                copy.execute(statement.format(here=here))
    # gold_master only sets the columns side by side, and its contract is for whole tables.
    built = dbt.on_copy(database, folder / "dbt").run("gold", exclude=GOLD)
    with open_duckdb(database, read_only=True) as copy:
        frame = copy.execute(f"select * from {built[0]}").df()
        for model in built[1:]:
            other = copy.execute(f"select * from {model}").df()
            new = [name for name in other if name not in frame or name == "customer_id"]
            frame = frame.merge(other[new], on="customer_id", validate="one_to_one")
    parts = frame["customer_id"].str.rsplit("|", n=1, expand=True)
    frame = frame.assign(customer_id=parts[0])[
        ["customer_id", *(column.name for column in contract.features)]
    ]
    by_change = {
        name: frame[parts[1] == name].sort_values("customer_id", ignore_index=True)
        for name in (AS_IS, *(change.name for change in CHANGES))
        if f"direction_{name}" not in skipped_changes(contract.absent)
    }
    return ChangedCustomers(by_change.pop(AS_IS), by_change)


def _sample(warehouse: Warehouse, size: int, as_of_date: date) -> list[str]:
    ids = warehouse.query(
        f"select customer_id from silver_customer where as_of_date = date {literal(as_of_date)}"
    )["customer_id"]
    return sorted(ids, key=lambda name: hashlib.sha256(name.encode()).digest())[:size]


def _copy(
    copy: duckdb.DuckDBPyConnection,
    warehouse: Warehouse,
    table: str,
    sample: list[str],
    types: Mapping[str, str],
    as_of_date: date,
) -> None:
    """Rows of the as-of date into the copy; the sample's once as they are and once a change."""
    where = [
        *([f"as_of_date = date {literal(as_of_date)}"] if "as_of_date" in types else []),
        *([f"customer_id in ({literals(sample)})"] if "customer_id" in types else []),
    ]
    rows = warehouse.read_table(table, where=" and ".join(where) or None)
    load_table(copy, table, rows, types)
    if "customer_id" in types:
        as_is = literal(f"|{AS_IS}")
        copy.execute(f"update {table} set customer_id = customer_id || {as_is}")
        for change in CHANGES:
            copy.execute(
                f"insert into {table} select * replace (replace(customer_id, {as_is},"
                f" {literal(f'|{change.name}')}) as customer_id) from {table}"
                f" where customer_id like '%' || {as_is}"
            )


def read_by(manifest: Mapping[str, Any], folder: str, *, without: str) -> list[str]:
    """Names of the models and seeds that the models of a folder read and that are not among them.

    Args:
        manifest: of the project, dbt's JSON document.
        folder: below models.
        without: a model of the folder to pass over.
    """
    nodes = manifest["nodes"]
    chosen = {
        name
        for name, node in nodes.items()
        if node["resource_type"] == "model" and folder in node["fqn"][1:-1]
    }
    parents = {
        parent
        for name in chosen
        if nodes[name]["name"] != without
        for parent in nodes[name]["depends_on"]["nodes"]
    }
    return sorted(nodes[name]["name"] for name in parents - chosen)


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


def direction_checks(
    settings: Settings, model: ChurnModel, customers: ChangedCustomers
) -> list[Check]:
    """One check a change: the share of the customers it touches whose probability does not fall."""
    limit = settings.gate.minimum_direction_share
    declared = {f.name for f in model.classifier.preprocessor.features if f.monotone}
    before = model.predict(customers.as_is)["churn_probability"].to_numpy()
    checks = []
    for change in CHANGES:
        if change.name not in customers.changed:  # skipped, as the card and the summary say
            continue
        rows = customers.changed[change.name]
        touched = _touched(customers.as_is, rows, model.features)
        after = model.predict(rows)["churn_probability"].to_numpy()
        held = (after >= before - TOLERANCE)[touched]
        share = float(held.mean()) if len(held) else float("nan")
        moved = f"{(after - before)[touched].mean():+.3f}" if len(held) else "no"
        is_required = change.feature in declared
        rule = f"required for at least {limit:.0%}" if is_required else "no direction is required"
        detail = (
            f"{change.words}: the score of {held.sum():,} of {len(held):,} customers does not fall "
            f"({moved} on average); {rule}"
        )
        least = limit if is_required else float("nan")
        passed = bool(share >= limit) if is_required else True
        checks.append(Check(f"direction_{change.name}", share, least, passed, detail))
    return checks


def _touched(before: pd.DataFrame, after: pd.DataFrame, features: list[str]) -> np.ndarray:
    """Customers of whom some feature of the model is another."""
    ours, theirs = before[features], after[features]
    different = (ours != theirs) & ~(ours.isna() & theirs.isna())
    return different.any(axis=1).to_numpy()
