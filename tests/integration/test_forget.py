"""A person goes from every file of a home, is searched for, and is kept out of the next batch."""

from __future__ import annotations

import gzip
import hashlib
import json
import sqlite3

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from python_ml.config import load_settings
from python_ml.dataset import content_hash
from python_ml.errors import SpanishGasError, UsageError
from python_ml.forget import command
from python_ml.forget.command import forget_customer
from python_ml.forget.search import search
from python_ml.land import land
from python_ml.runs.workspace import Run
from python_ml.tombstones import read_tombstones
from python_ml.warehouse import open_warehouse
from tests.integration.raw_batch import RawBatch, landed, tree_hash

SNAPSHOTS = ("feature_snapshot", "training_snapshot")
GONE, WORDS = "C00002", "The customer asked about a bill that nobody else has."


@pytest.fixture
def source(tmp_path):
    """A batch of the company's, outside the home."""
    batch = RawBatch()
    texts = batch["customer_interactions"]
    texts.loc[0, ["customer_id", "interaction_summary"]] = [GONE, WORDS]
    batch["customer_interactions"] = texts
    return batch.write(tmp_path / "company")


@pytest.fixture
def home(tmp_path, source):
    """What a few runs leave behind, in each kind of file."""
    home = tmp_path / "home"
    settings = load_settings({"home": str(home)}, environ={})
    land(source, settings)
    lake = settings.layout.lake
    for table in (*SNAPSHOTS, "customer_score"):
        part = lake / "ml" / table / "run_id=1" / "part-0.parquet"
        part.parent.mkdir(parents=True)
        pq.write_table(pa.table({"customer_id": [GONE, "C00003"], "value": [1.0, 2.0]}), part)
    hashes = [hashlib.md5(text.encode()).hexdigest() for text in (WORDS.lower(), "other")]
    part = lake / "ml" / "interaction_sentiment" / "run_id=1" / "part-0.parquet"
    part.parent.mkdir(parents=True)
    pq.write_table(pa.table({"text_hash": hashes}), part)
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        connection.execute("create table gold_master as select date '2024-12-31' as as_of_date")
        connection.execute(
            "create table bronze_interaction as select * from "
            "(values (?, ?, ?), ('C00003', ?, 'x')) "
            "as t (customer_id, interaction_summary, text_hash)",
            [GONE, WORDS, hashes[0], "Nothing."],
        )
        connection.execute(
            "create table scores as select 'C0000' || i as customer_id from range(9) t(i)"
        )
        connection.execute("create view shown as select * from scores")
    reports = home / "reports" / "runs"
    reports.mkdir(parents=True)
    calls = {"first": [{"customer_id": GONE}, {"customer_id": "C00003"}], "note": f"see {GONE}."}
    (reports / "1.json").write_text(json.dumps(calls))
    (home / "reports" / "log.txt.gz").write_bytes(gzip.compress(f"{GONE} and {GONE}3".encode()))
    (home / "raw").mkdir()
    (home / "raw" / "churn_label.csv").write_text(f"customer_id,churn\n{GONE},1\nC00003,0\n")
    return home


def settings_of(home):
    return load_settings({"home": str(home)}, environ={})


def test_nothing_is_left_and_nobody_else_is_touched(home, source):
    company = tree_hash(source)
    assert len(search(home, GONE, [WORDS])) > 10, "the search finds what is there"
    result = forget_customer(Run(settings_of(home)), GONE)
    assert result.found == search(home, GONE, [WORDS]) == []
    assert tree_hash(source) == company, "files outside the home are the company's"

    readings = landed(home / "lake", "consumption_hourly")
    assert sorted(readings["customer_id"].unique()) == [f"C0000{i}" for i in (1, 3, 4, 5, 6)]
    with open_warehouse(settings_of(home)) as warehouse:
        assert len(warehouse.read_table("shown")) == 8
    assert json.loads((home / "reports" / "runs" / "1.json").read_text()) == {
        "first": [{"customer_id": "C00003"}],
        "note": "see (forgotten).",
    }
    log = gzip.decompress((home / "reports" / "log.txt.gz").read_bytes())
    assert log == f"(forgotten) and {GONE}3".encode()
    part = home / "lake" / "ml" / "interaction_sentiment" / "run_id=1" / "part-0.parquet"
    assert pq.ParquetFile(part).read().num_rows == 1
    with sqlite3.connect(home / "runs.sqlite") as connection:
        (document,) = connection.execute("select document from run").fetchone()
    assert json.loads(document)["mode"] == "forget", "that it happened is on record"


def test_snapshots_that_models_name_by_their_hash_are_known_again(home):
    lake = home / "lake"
    parts = [lake / "ml" / kind / "run_id=1" / "part-0.parquet" for kind in SNAPSHOTS]
    before = [content_hash(pq.ParquetFile(part).read()) for part in parts]
    forget_customer(Run(settings_of(home)), GONE)
    after = [content_hash(pq.ParquetFile(part).read()) for part in parts]
    assert set(before).isdisjoint(after)
    assert [read_tombstones(lake).now(digest) for digest in before] == after


def test_the_next_batch_keeps_the_person_out(home, source):
    forget_customer(Run(settings_of(home)), GONE)
    settings = settings_of(home).with_overrides({"land.maximum_null_share": 0.7})  # lands anew
    result = land(source, settings)
    assert not result.reused
    for table in result.tables:
        rows = landed(home / "lake", table)
        assert "customer_id" not in rows or GONE not in set(rows["customer_id"]), table
    assert result.tables["customer_attributes"].rows_landed == 5
    assert search(home, GONE, [WORDS]) == []


def test_hashes_of_changed_content_lead_to_what_it_is_now(tmp_path):
    stones = read_tombstones(tmp_path)
    stones.note_change("a", "b")
    stones.note_change("b", "c")
    again = read_tombstones(tmp_path)
    assert (again.now("a"), again.now("b"), again.now("other")) == ("c", "c", "other")
    (tmp_path / "forgotten.json").write_text("{")
    with pytest.raises(SpanishGasError, match="cannot be read"):
        read_tombstones(tmp_path)


def test_a_find_ends_the_command_and_says_where(home, monkeypatch):
    monkeypatch.setattr(command, "scrub_text", lambda path, pattern: False)
    with pytest.raises(SpanishGasError, match=r"churn_label\.csv: its bytes"):
        forget_customer(Run(settings_of(home)), GONE)
    with pytest.raises(UsageError, match="no customer id"):
        forget_customer(Run(settings_of(home)), "Maria")
