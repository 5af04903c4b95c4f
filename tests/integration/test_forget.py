"""A person goes from every file of a home, is searched for, and is kept out of the next batch."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import json
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from python_ml.cli.main import cli
from python_ml.contracts.schema import customer_id_pattern
from python_ml.doctor.diagnosis import diagnose
from python_ml.engines import Warehouse, open_warehouse
from python_ml.engines.ledger import RunRecord
from python_ml.engines.sqlite_ledger import SqliteLedger
from python_ml.engines.store import FolderStore
from python_ml.errors import BadInputError, SpanishGasError, UsageError
from python_ml.judge.snapshot import content_hash
from python_ml.land import land
from python_ml.land.write import MANIFEST, stamp
from python_ml.pipeline.forget import forget_customer, survey_customer
from python_ml.pipeline.forget_result import ForgetResult
from python_ml.pipeline.workspace import Run
from python_ml.privacy import containers
from python_ml.privacy.person import traces_in
from python_ml.privacy.scrub import ids_in, scrub_parquet
from python_ml.privacy.search import search
from python_ml.privacy.tombstones import read_tombstones
from python_ml.privacy.traces import Traces
from python_ml.settings import Settings, load_settings
from python_ml.simulate.run import append_month, simulate
from tests.integration.command import spanishgas
from tests.integration.raw_batch import RawBatch, landed, tree_hash

SNAPSHOTS = ("feature_snapshot", "training_snapshot")
GONE, WORDS = "C00002", "The customer asked about a bill\nthat nobody else has."
TRACES = traces_in(GONE, {WORDS}, {"Nothing."})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A batch of the company's, outside the home."""
    batch = RawBatch()
    texts = batch["customer_interactions"]
    texts.loc[0, ["customer_id", "interaction_summary"]] = [GONE, WORDS]
    batch["customer_interactions"] = texts
    return batch.write(tmp_path / "company")


@pytest.fixture
def home(tmp_path: Path, source: Path) -> Path:
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
    errors = pa.table({"run_id": ["1"], "error_message": [f"customer {GONE} has two contracts"]})
    part = lake / "ml" / "pipeline_run" / "run_id=1" / "part-0.parquet"
    part.parent.mkdir(parents=True)
    pq.write_table(errors, part)
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
    quoted = f'customer_id;note\n{GONE};"{WORDS}"\nC00003;"year\n2024"\n'
    (home / "raw" / "notes.csv").write_text(quoted)
    packed = base64.b64encode(gzip.compress(a_page_database())).decode()
    (home / "reports" / "old").mkdir()
    (home / "reports" / "old" / "data.js").write_text(f'window.previewData = "{packed}";\n')
    (home / "reports" / "old" / f"explain_{GONE}.json").write_text("{}")
    with zipfile.ZipFile(home / "reports" / "sent.zip", "w") as archive:
        archive.writestr("list.csv", f"customer_id,offer\n{GONE},large\nC00003,small\n")
    failed = RunRecord("0", "train", "duckdb", "failed", error_message=f"{GONE} has two contracts")
    SqliteLedger(home).save(failed)
    return home


def a_page_database() -> bytes:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table mart (customer_id text, said text)")
        rows = [(GONE, WORDS), ("C00003", "Nothing.")]
        connection.executemany("insert into mart values (?, ?)", rows)
        connection.commit()
        return connection.serialize()


def settings_of(home: Path) -> Settings:
    return load_settings({"home": str(home)}, environ={})


def forget(home: Path) -> ForgetResult:
    run = Run(settings_of(home))
    return forget_customer(run, survey_customer(run, GONE))


def test_nothing_is_left_and_nobody_else_is_touched(home: Path, source: Path) -> None:
    company = tree_hash(source)
    found = {find.path for find in search(home, TRACES).found}
    assert {
        *("reports/old/data.js", f"reports/old/explain_{GONE}.json", "reports/sent.zip"),
        *("runs.sqlite", "raw/notes.csv", "reports/log.txt.gz", "warehouse.duckdb"),
        "lake/ml/interaction_sentiment/run_id=1/part-0.parquet",
    } <= found, "the search finds what is there"
    result = forget(home)
    assert {place.path for place in result.places} == found
    assert SqliteLedger(home).runs(limit=1)[0].as_of_date == "2024-12-31", "of what is published"
    assert search(home, TRACES).places == []
    assert tree_hash(source) == company, "files outside the home are the company's"

    readings = landed(home / "lake", "consumption_hourly")
    assert sorted(readings["customer_id"].unique()) == [f"C0000{i}" for i in (1, 3, 4, 5, 6)]
    manifests = list((home / "lake" / "batches").glob(f"*/{MANIFEST}"))
    assert manifests
    for manifest in manifests:
        listed = json.loads(manifest.read_text())["files"]
        parts = sorted(manifest.parent.rglob("*.parquet"))
        names = [part.relative_to(manifest.parent).as_posix() for part in parts]
        assert names and listed == [[n, list(stamp(p))] for n, p in zip(names, parts, strict=True)]
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
    part = home / "lake" / "ml" / "pipeline_run" / "run_id=1" / "part-0.parquet"
    (error,) = pq.ParquetFile(part).read()["error_message"].to_pylist()
    assert error == "customer (forgotten) has two contracts", "the run's record stays"
    assert (home / "raw" / "notes.csv").read_text() == 'customer_id;note\nC00003;"year\n2024"\n'
    with zipfile.ZipFile(home / "reports" / "sent.zip") as archive:
        assert archive.read("list.csv") == b"customer_id,offer\nC00003,small\n"
    script = (home / "reports" / "old" / "data.js").read_bytes()
    ((_, packed),) = containers.encoded(script)
    with containers.sqlite(gzip.decompress(packed)) as connection:
        assert connection.execute("select * from mart").fetchall() == [("C00003", "Nothing.")]
    with sqlite3.connect(home / "runs.sqlite") as connection:
        old, new = connection.execute("select document from run order by run_id").fetchall()
    assert json.loads(old[0])["error_message"] == "(forgotten) has two contracts"
    record = json.loads(new[0])
    assert record["mode"] == "forget", "that it happened is on record"
    assert [step["step"] for step in record["steps"]] == ["forget"]
    assert record["steps"][0]["row_count"] == sum(place.count for place in result.places)
    assert not settings_of(home).layout.forgetting.exists()


def test_snapshots_that_models_name_by_their_hash_are_known_again(home: Path) -> None:
    lake = home / "lake"
    parts = [lake / "ml" / kind / "run_id=1" / "part-0.parquet" for kind in SNAPSHOTS]
    before = [content_hash(pq.ParquetFile(part).read()) for part in parts]
    forget(home)
    after = [content_hash(pq.ParquetFile(part).read()) for part in parts]
    assert set(before).isdisjoint(after)
    assert [read_tombstones(FolderStore(lake)).now(digest) for digest in before] == after


def test_the_next_batch_keeps_the_person_out(home: Path, source: Path) -> None:
    forget(home)
    settings = settings_of(home).with_overrides({"land.maximum_null_share": 0.7})  # lands anew
    result = land(source, settings)
    assert not result.reused
    for table in result.tables:
        rows = landed(home / "lake", table)
        assert "customer_id" not in rows or GONE not in set(rows["customer_id"]), table
    assert result.tables["customer_attributes"].rows_landed == 5
    assert search(home, TRACES).places == []


def test_a_refused_batch_does_not_name_the_forgotten(home: Path, tmp_path: Path) -> None:
    forget(home)
    batch = RawBatch()
    labels = batch["churn_label"]
    batch["churn_label"] = pd.concat([labels, labels[labels["customer_id"] == GONE]])
    with pytest.raises(BadInputError, match=r"duplicate label, for example \(forgotten\)"):
        land(batch.write(tmp_path / "again"), settings_of(home))


def test_rejected_rows_and_other_files_without_a_customer_id_name_people_too(
    tmp_path: Path,
) -> None:
    path = tmp_path / "part.parquet"
    lines = [f"{GONE};1", "C000021;1", "of C00003 and c00004", None]
    pq.write_table(pa.table({"source_line": lines, "n": [1, 2, 3, 4]}), path)
    assert ids_in(path, customer_id_pattern()) == {GONE, "C000021", "C00003", "C00004", "c00004"}
    assert scrub_parquet(path, Traces(frozenset([GONE, "C00004"]))).removed == 2
    assert pq.read_table(path)["n"].to_pylist() == [2, 4]


def test_hashes_of_changed_content_lead_to_what_it_is_now(tmp_path: Path) -> None:
    stones = read_tombstones(FolderStore(tmp_path))
    stones.note_change("a", "b")
    stones.note_change("b", "c")
    again = read_tombstones(FolderStore(tmp_path))
    assert (again.now("a"), again.now("b"), again.now("other")) == ("c", "c", "other")
    again.add(GONE, "2025-01-06T12:00:00+00:00", "maria")
    again.add(GONE, "2025-01-07T12:00:00+00:00", "pablo")
    (entry,) = json.loads((tmp_path / "forgotten.json").read_text())["forgotten"]
    assert entry == {
        "sha256": again.hash_of(GONE),
        "forgotten_at": "2025-01-06T12:00:00+00:00",
        "by": "maria",
    }
    (tmp_path / "forgotten.json").write_text("{")
    with pytest.raises(SpanishGasError, match="cannot be read"):
        read_tombstones(FolderStore(tmp_path))


@pytest.mark.parametrize("kept", [f"{GONE},1", WORDS, WORDS[: len(WORDS) // 2]])
def test_a_second_call_is_as_strict_as_the_first(home: Path, kept: str) -> None:
    """What only a person can remove fails every call for as long as it is there."""
    picture = home / "reports" / "scan.bin"
    picture.write_bytes(b"\0\1" + kept.encode())
    for _ in range(2):
        with pytest.raises(SpanishGasError, match=r"is left under the home(.|\n)*scan\.bin"):
            forget(home)
        (pending,) = settings_of(home).layout.forgetting.iterdir()
        told = {check.name: check for check in diagnose(settings_of(home)).checks}
        assert told["forgotten"].status == "warn" and told["lake"].status == "ok"
        assert (pending.stat().st_mode & 0o777, pending.parent.stat().st_mode & 0o777) == (
            *(0o600, 0o700),
        )
    with sqlite3.connect(home / "runs.sqlite") as connection:
        (newest,) = connection.execute("select document from run order by run_id desc").fetchone()
    assert json.loads(newest)["status"] == "failed"
    picture.unlink()
    forget(home)
    assert not settings_of(home).layout.forgetting.exists()
    assert forget(home).places == [], "a person who is gone may be forgotten once more"


def test_what_cannot_be_opened_is_no_proof(home: Path) -> None:
    (home / "reports" / "torn.parquet").write_bytes(b"PAR1 torn")
    (home / "reports" / "torn.gz").write_bytes(gzip.compress(b"x" * 99)[:-9])
    with pytest.raises(
        SpanishGasError, match=r"torn\.gz: cannot be opened(.|\n)*torn\.parquet: cannot"
    ):
        forget(home)


def test_what_was_deleted_from_a_database_is_found_in_its_free_pages(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "old.sqlite") as connection:
        connection.execute("pragma secure_delete = off")
        connection.execute("create table t (id text, n text)")
        connection.executemany("insert into t values (?, ?)", [(GONE, "1" * 99)] * 999)
        connection.commit()
        connection.execute("delete from t")
        connection.commit()
    (found,) = search(tmp_path, TRACES).found
    assert "deleted" in found.what
    home = tmp_path
    (home / "runs.txt").write_text(GONE)
    forget(home)
    assert search(home, TRACES).places == []


@pytest.mark.parametrize("arguments", [["--yes"], ["--dry-run"], []])
def test_an_id_that_no_file_knows_is_refused_and_nothing_is_written(
    home: Path, arguments: list[str]
) -> None:
    before = tree_hash(home)
    done = spanishgas("forget", "C09999", *arguments, home=home)
    assert done.returncode == 2 and done.stdout == ""
    assert tree_hash(home) == before


def test_a_dry_run_lists_files_and_counts_and_without_yes_a_person_confirms(home: Path) -> None:
    before = tree_hash(home)
    done = spanishgas("forget", GONE, "--dry-run", home=home)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    places = told["places"]
    label = {"path": "raw/churn_label.csv", "what": "mentions", "count": 1, "is_by_hand": False}
    assert label in places and told["is_dry_run"] is True
    assert told["searched_files"] > len({place["path"] for place in places}) > 20
    assert "confirm" in spanishgas("forget", GONE, home=home).stderr, "no terminal, nobody to ask"
    assert tree_hash(home) == before
    done = spanishgas("forget", GONE, "--yes", home=home)
    assert done.returncode == 0, done.stderr
    short_texts, told = told["short_texts"], json.loads(done.stdout)
    assert (told["places"], told["is_dry_run"]) == (places, False)
    assert told["short_texts"] == short_texts


def test_short_texts_and_what_only_a_person_can_edit_are_told(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    short = survey_customer(Run(settings_of(home)), GONE).traces.short_text_count + 1
    (home / "raw" / "said.csv").write_text(f"customer_id,interaction_summary\n{GONE},Call me.\n")
    (home / "reports" / "scan.bin").write_bytes(b"\0\1" + GONE.encode())
    arguments = ["forget", GONE, "--home", str(home)]
    cli.main([*arguments, "--dry-run"], standalone_mode=False)
    told = capsys.readouterr().out
    assert "1 of them are workbooks or of unknown formats" in told
    assert f" {short} texts of fewer than three words" in told
    (home / "reports" / "scan.bin").unlink()
    cli.main([*arguments, "--yes"], standalone_mode=False)
    told = capsys.readouterr().out
    assert "unknown formats" not in told and f" {short} texts of fewer than three words" in told
    assert not list(csv.reader((home / "raw" / "said.csv").open()))[1:], "its record is gone"


def test_the_dashboards_are_written_anew_from_the_cleaned_warehouse(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "reports" / "dashboards").mkdir()
    seen = []

    def write_preview(warehouse: Warehouse, _settings: Any, folder: Path) -> None:
        seen.append(set(warehouse.read_table("scores")["customer_id"]))
        (folder / "index.html").write_text("new")

    monkeypatch.setattr("python_ml.pipeline.forget.write_preview", write_preview)
    assert forget(home).pages_written
    (customers,) = seen
    assert GONE not in customers and len(customers) == 8
    assert (home / "reports" / "dashboards" / "index.html").read_text() == "new"


def test_dashboards_that_cannot_be_written_anew_are_removed(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "reports" / "dashboards").mkdir()
    (home / "reports" / "dashboards" / "index.html").write_text("of before")
    assert not forget(home).pages_written
    assert not (home / "reports" / "dashboards").exists()
    assert "the next run writes them" in caplog.text


def test_on_a_terminal_no_is_no(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    before = tree_hash(home)
    with pytest.raises(UsageError, match="not confirmed"):
        answer(monkeypatch, "n", ["forget", GONE, "--home", str(home)])
    assert tree_hash(home) == before
    answer(monkeypatch, "y", ["forget", GONE, "--home", str(home)])
    assert search(home, TRACES).places == []


def answer(monkeypatch: pytest.MonkeyPatch, word: Any, arguments: Any) -> None:
    monkeypatch.setattr("click.confirm", lambda *_, **__: word == "y")
    cli.main(arguments, standalone_mode=False)


def test_who_and_where_must_make_sense(home: Path) -> None:
    with pytest.raises(UsageError, match="not a customer id"):
        survey_customer(Run(settings_of(home)), "Maria")


def test_a_month_can_be_added_to_what_forgetting_has_left(tmp_path: Path) -> None:
    """Whichever customer goes, also the one whose interaction is the last of the array."""
    for place, name in ((0, "first"), (-1, "last")):
        home = tmp_path / name
        simulate(home / "raw", customers=40, readings="typical-days", threads=1)
        interactions = home / "raw" / "customer_interactions.json"
        gone = json.loads(interactions.read_text())[place]["customer_id"]
        run = Run(settings_of(home))
        forget_customer(run, survey_customer(run, gone))
        before = json.loads(interactions.read_text())
        append_month(home / "raw", "2025-01")
        after = json.loads(interactions.read_text())
        assert after[: len(before)] == before and len(after) > len(before) > 0
