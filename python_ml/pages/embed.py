"""The marts that the filters of a page need, as one SQLite database inside a script.

The preview answers a filter by running the statement of the card once more, in SQLite as
WebAssembly. Only the columns that the page's statements name are in it. In long tables, numbers
are whole multiples of a fixed step, behind a view with the table's name: a third of the size.
"""

from __future__ import annotations

import base64
import gzip
import re
import sqlite3
from typing import Any

import numpy as np
import pandas as pd

from python_ml.engines import Warehouse
from python_ml.pages.marts import mart_columns
from python_ml.pages.model import Dashboard
from python_ml.pages.results import plain_column

LONG = 50_000  # rows
STEPS = ((r"_eur_(kwh|m3)$", 100_000), (r"_eur$", 100), (r"(_kwh|_m3)$", 100))
ANY_STEP = 10_000
TYPES = {"double": "real", "integer": "integer", "bigint": "integer", "boolean": "integer"}


def columns_needed(page: Dashboard) -> dict[str, list[str]]:
    """Mart -> columns that the filtered cards of a page name, in the mart's order."""
    needed: dict[str, set[str]] = {}
    for card in page.cards:
        for table, names in card.reads.items() if card.tags else ():
            needed.setdefault(table, set()).update(names)
    return {
        table: [name for name in mart_columns()[table] if name in names]
        for table, names in needed.items()
    }


def page_database(warehouse: Warehouse, page: Dashboard) -> bytes:
    """A SQLite database with what the filtered cards of the page read."""
    connection = sqlite3.connect(":memory:")
    connection.execute("pragma user_version = 1")  # without tables there would be nothing at all
    for table, names in columns_needed(page).items():
        frame = warehouse.query(f"select {', '.join(names)} from {table}")
        _write(connection, table, frame)
    connection.commit()
    content = connection.serialize()
    connection.close()
    return content


def as_script(content: bytes) -> str:
    """A script that hands the database over, gzipped and in base64."""
    packed = base64.b64encode(gzip.compress(content, 5, mtime=0)).decode()
    return f'window.previewData = "{packed}";\n'


def _write(connection: sqlite3.Connection, table: str, frame: pd.DataFrame) -> None:
    types = mart_columns()[table]
    steps = {name: _step(name, types[name]) for name in frame.columns}
    is_long = len(frame) > LONG
    stored = f"long_{table}" if is_long else table
    columns = ", ".join(f"{name} {TYPES.get(types[name], 'text')}" for name in frame.columns)
    connection.execute(f"create table {stored} ({columns if not is_long else _untyped(frame)})")
    marks = ", ".join("?" for _ in frame.columns)
    values: list[list[Any]] = [
        _stored(frame[name], steps[name] if is_long else None) for name in frame.columns
    ]
    connection.executemany(f"insert into {stored} values ({marks})", zip(*values, strict=True))
    if is_long:
        shown = ", ".join(
            f"{name} / {step}.0 as {name}" if (step := steps[name]) else name
            for name in frame.columns
        )
        connection.execute(f"create view {table} as select {shown} from {stored}")


def _untyped(frame: pd.DataFrame) -> str:
    return ", ".join(frame.columns)


def _step(name: str, data_type: str) -> int | None:
    if data_type != "double":
        return None
    return next((step for pattern, step in STEPS if re.search(pattern, name)), ANY_STEP)


def _stored(series: pd.Series, step: int | None) -> list[Any]:
    if step is None:
        return plain_column(series)
    scaled = (series * step).round().to_numpy()
    finite = np.isfinite(scaled)
    whole = np.full(len(scaled), None, dtype=object)
    whole[finite] = scaled[finite].astype(np.int64)
    return whole.tolist()
