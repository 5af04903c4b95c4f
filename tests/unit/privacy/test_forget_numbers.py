"""An id of digits alone is told from the numbers that happen to be the same."""

from __future__ import annotations

import gzip
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from python_ml.privacy.person import traces_of
from python_ml.privacy.remove import remove_from
from python_ml.privacy.search import search
from python_ml.privacy.traces import Traces

GONE = "28013"
TRACES = Traces(frozenset([GONE]), own_names=frozenset(["cuenta"]))
SAID = "the boiler makes a noise at night that nobody can explain"
# Name -> what is in it, and what is left.
TEXTS = {
    "plain.csv": ("customer_id,kwh\n28013,5\n300,28013\n", "customer_id,kwh\n300,28013\n"),
    "quoted.csv": ('"cuenta";"cp"\n"28013";"1"\n"300";"28013"\n', '"cuenta";"cp"\n"300";"28013"\n'),
    "marked.csv": ("\ufeffcuenta,kwh\n28013,5\n300,28013\n", "\ufeffcuenta,kwh\n300,28013\n"),
    "notes.csv": (
        "customer_id,note\n300,see customer 28013\n301,used 28013 kWh\n",
        "customer_id,note\n300,see customer (forgotten)\n301,used 28013 kWh\n",
    ),
    "list.json": (
        '[{"customer_id": 28013, "kwh": 1}, {"customer_id": 300, "kwh": 28013}]',
        '[{"customer_id": 300, "kwh": 28013}]',
    ),
    "lines.jsonl": (
        '{"cuenta": "28013"}\n{"cuenta": "300", "rows": "28013"}\n',
        '{"cuenta": "300", "rows": "28013"}\n',
    ),
    "run.log": (
        "28013 rows; client 28013 has two contracts; customer_id=28013; customer 28013.5\n",
        "28013 rows; client (forgotten) has two contracts; customer_id=(forgotten);"
        " customer 28013.5\n",
    ),
    "page.html": (
        "<p>28013 customers</p><ul><li>customer_id: 28013</li><li>cp: 28013</li></ul>",
        "<p>28013 customers</p><ul><li>cp: 28013</li></ul>",
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_in_texts(name: str, tmp_path: Path) -> None:
    before, after = TEXTS[name]
    (tmp_path / name).write_text(before, encoding="utf-8")
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(before.encode()))
    assert len(search(tmp_path, TRACES).found) == 2
    for path in list(tmp_path.iterdir()):
        remove_from(path, TRACES)
    assert (tmp_path / name).read_text(encoding="utf-8") == after
    assert gzip.decompress((tmp_path / f"{name}.gz").read_bytes()).decode() == after
    assert search(tmp_path, TRACES).is_clean


@pytest.mark.parametrize("kind", [pa.string(), pa.int64()])
def test_in_parquet(kind: pa.DataType, tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    rows = {"customer_id": [GONE, "300"], "cp": ["1", GONE], "note": ["", f"customer {GONE}!"]}
    table = pa.table(rows)
    cast = table.set_column(0, "customer_id", table["customer_id"].cast(kind))
    pq.write_table(cast, path)
    assert search(tmp_path, TRACES).found
    remove_from(path, TRACES)
    left = pq.read_table(path).to_pydict()
    assert left == {
        "customer_id": [300 if kind == pa.int64() else "300"],
        "cp": [GONE],
        "note": ["customer (forgotten)!"],
    }
    assert search(tmp_path, TRACES).is_clean


def test_in_databases(tmp_path: Path) -> None:
    create = (
        "create table t as select '28013' as customer_id, '1' as cp union all select '300', '28013'"
    )
    with duckdb.connect(str(tmp_path / "w.duckdb")) as warehouse:
        warehouse.execute(create)
    with closing(sqlite3.connect(tmp_path / "l.sqlite")) as ledger:
        ledger.execute(create)
        ledger.commit()
    assert {find.path for find in search(tmp_path, TRACES).found} == {"w.duckdb", "l.sqlite"}
    for path in list(tmp_path.iterdir()):
        remove_from(path, TRACES)
    assert search(tmp_path, TRACES).is_clean
    with duckdb.connect(str(tmp_path / "w.duckdb")) as warehouse:
        assert warehouse.execute("select * from t").fetchall() == [("300", "28013")]
    with closing(sqlite3.connect(tmp_path / "l.sqlite")) as ledger:
        assert ledger.execute("select * from t").fetchall() == [("300", "28013")]


def test_in_other_bytes_and_in_names_of_files(tmp_path: Path) -> None:
    (tmp_path / "picture.bin").write_bytes(b"\0\1" + b"28013" + b"\0")
    (tmp_path / "batch_28013").mkdir()
    (tmp_path / "explain_28013.json").write_text("{}")
    (found,) = search(tmp_path, TRACES).found
    assert (found.path, found.count) == ("explain_28013.json", 1)


def test_what_the_person_said_is_found_by_a_number(tmp_path: Path) -> None:
    said = [{"customer_id": 28013, "interaction_summary": SAID}]
    (tmp_path / "customer_interactions.json").write_text(json.dumps(said))
    traces = traces_of(tmp_path, GONE, frozenset(["cuenta"]))
    assert traces.is_in(SAID) and traces.own_names == {"cuenta"}
    assert traces.joined(TRACES).own_names == {"cuenta"}
