"""Good rows come out as they went in, whatever they hold and whatever the format."""

from __future__ import annotations

import csv
import datetime as dt
import json
import tempfile
import unicodedata
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from python_ml.contracts.schema import load_source
from python_ml.land.check import materialise
from python_ml.land.discover import assign, list_source
from python_ml.land.read import open_raw
from python_ml.settings import load_settings

SCHEMAS = load_source("raw")
LAND = load_settings(environ={}).land
ids = st.integers(1, 99_999).map(lambda number: f"C{number:05d}")
dates = st.dates(dt.date(1990, 1, 1), dt.date(2100, 12, 31))
# Line ends inside a text are kept; the blanks around it are not part of it.
texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], include_characters="\n\t"),
    min_size=1,
    max_size=60,
).map(lambda text: f"x{text}y")
prices = st.none() | st.floats(0, 5, allow_subnormal=False)
interaction = st.tuples(ids, dates, st.none() | texts, texts, st.none() | dates)
price = st.tuples(ids, dates, *[prices] * 8)


def _write(folder: Path, name: str, kind: str, rows: list[tuple[Any, ...]]) -> None:
    columns = SCHEMAS[name].column_names
    path = folder / f"{name}.{kind}"
    if kind == "csv":
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(columns)
            writer.writerows(rows)
    elif kind == "parquet":
        table = pa.table([list(values) for values in zip(*rows, strict=True)], names=list(columns))
        pq.write_table(table, path)
    else:
        records = [json.dumps(dict(zip(columns, row, strict=True)), default=str) for row in rows]
        path.write_text("\n".join(records) if kind == "jsonl" else f"[{','.join(records)}]")


def _round_trip(name: str, kind: str, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        _write(Path(folder), name, kind, rows)
        raw = assign(list_source(folder), SCHEMAS)[0][0]
        source = open_raw(connection, raw, raw.paths(Path(folder)), LAND, Path(folder) / "prepared")
        checked, counts = materialise(connection, source)
        assert (counts.rows, counts.set_aside) == (len(rows), {})
        names = ", ".join(SCHEMAS[name].column_names)
        return connection.execute(f"select {names} from {checked}").fetchall()


def _sorted(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=repr)


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "parquet"])
@settings(max_examples=25, deadline=None)
@given(rows=st.lists(interaction, min_size=1, max_size=8))
@pytest.mark.slow
def test_interactions_round_trip(kind: str, rows: list[tuple[Any, ...]]) -> None:
    normal = [
        tuple(unicodedata.normalize("NFC", it) if isinstance(it, str) else it for it in row)
        for row in rows
    ]
    assert _sorted(_round_trip("customer_interactions", kind, rows)) == _sorted(normal)


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
@settings(max_examples=25, deadline=None)
@given(rows=st.lists(price, min_size=1, max_size=8))
@pytest.mark.slow
def test_prices_round_trip_to_the_last_bit(kind: str, rows: list[tuple[Any, ...]]) -> None:
    assert _sorted(_round_trip("price_history", kind, rows)) == _sorted(rows)
