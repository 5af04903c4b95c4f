"""Every container is opened, at any depth, and what was found in it can be removed from it."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from python_ml.privacy import containers
from python_ml.privacy.containers import sqlite_bytes
from python_ml.privacy.person import traces_in
from python_ml.privacy.remove import remove_from
from python_ml.privacy.scrub import ids_in, scrub_parquet
from python_ml.privacy.search import (
    BY_HAND,
    FREE_BLOCKS,
    FREE_PAGES,
    UNREADABLE,
    Find,
    Searched,
    search,
)
from python_ml.privacy.traces import Traces
from python_ml.settings import ASSETS

GONE, KEPT = "C00002", "C00003"
TRACES = Traces(frozenset([GONE]))
ROWS = f"customer_id,churn\n{GONE},1\n{KEPT},0\n".encode()


def test_every_file_is_searched_whatever_comes_before_it(tmp_path: Path) -> None:
    """Folders, links, files to skip and the product's own assets are passed over, no more."""
    own = next(path for path in ASSETS.rglob("*") if path.is_file())
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / own.name).write_bytes(own.read_bytes())
    (tmp_path / "b").symlink_to(tmp_path / "z.csv")
    (tmp_path / "c.csv").write_bytes(ROWS)
    (tmp_path / "z.csv").write_bytes(ROWS)
    os.link(tmp_path / "z.csv", tmp_path / "zz.csv")
    found = search(tmp_path, TRACES, skip={tmp_path / "c.csv"})
    assert {find.path for find in found.places} == {"z.csv", "zz.csv"}, "by each of its names"
    assert found.file_count == 3


def in_parquet(_: bytes) -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.table({"customer_id": [GONE, KEPT]}), target)
    return target.getvalue()


def in_sqlite(_: bytes) -> bytes:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table t (customer_id text)")
        connection.executemany("insert into t values (?)", [(GONE,), (KEPT,)])
        connection.commit()
        return connection.serialize()


def in_zip(content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.csv", content)
    return target.getvalue()


def in_script(content: bytes) -> bytes:
    return b'window.data = "' + base64.b64encode(content) + b'";\n'


def in_json(content: bytes) -> bytes:
    return json.dumps({"attachment": base64.b64encode(content).decode()}).encode()


CONTAINERS: dict[str, list[Callable[[bytes], bytes]]] = {
    "rows.csv.gz": [gzip.compress],
    "rows.zip": [in_zip],
    "page.js": [gzip.compress, in_script],
    "database.js": [in_sqlite, gzip.compress, in_script],
    "all.json": [in_parquet, in_zip, gzip.compress, in_json],
    "rows.parquet": [in_parquet],
    "rows.sqlite": [in_sqlite],
    "rows.csv": [lambda rows: rows.decode().encode("utf-16")],
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_is_opened_and_cleaned(tmp_path: Path, name: str) -> None:
    content = ROWS
    for pack in CONTAINERS[name]:
        content = pack(content)
    path = tmp_path / name
    path.write_bytes(content)
    assert [find.path for find in search(tmp_path, TRACES).found] == [name]
    others = Traces(frozenset([KEPT]))
    assert search(tmp_path, others).found
    remove_from(path, TRACES)
    assert search(tmp_path, TRACES).places == []
    assert search(tmp_path, others).found, "the others are still there"


def test_a_workbook_is_searched_and_left_to_a_person(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "list.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/sharedStrings.xml", f"<sst><si><t>{GONE}</t></si></sst>")
    before = (tmp_path / "list.xlsx").read_bytes()
    remove_from(tmp_path / "list.xlsx", TRACES)
    assert (tmp_path / "list.xlsx").read_bytes() == before
    (found,) = search(tmp_path, TRACES).found
    assert str(found) == f"list.xlsx: xl/sharedStrings.xml: mentions{BY_HAND}"
    assert found.is_by_hand and found.as_dict()["is_by_hand"]


def test_what_only_a_person_can_edit_is_told_apart_at_any_depth(tmp_path: Path) -> None:
    unknown = b"\0\1" + GONE.encode()
    (tmp_path / "scan.bin").write_bytes(unknown)
    (tmp_path / "scan.gz").write_bytes(gzip.compress(unknown))
    (tmp_path / "sent.zip").write_bytes(in_zip(unknown))
    (tmp_path / "sent.csv").write_bytes(ROWS)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(f"{GONE}.bin", unknown)
    (tmp_path / "list.xlsx").write_bytes(target.getvalue())
    found = {str(find): find.is_by_hand for find in search(tmp_path, TRACES).found}
    assert found == {
        f"list.xlsx: name of {GONE}.bin{BY_HAND}": True,
        f"list.xlsx: {GONE}.bin: bytes{BY_HAND}": True,
        f"scan.bin: bytes{BY_HAND}": True,
        f"scan.gz: bytes{BY_HAND}": True,
        f"sent.zip: rows.csv: bytes{BY_HAND}": True,
        "sent.csv: mentions": False,
    }
    for path in tmp_path.iterdir():
        remove_from(path, TRACES)
    assert {find.is_by_hand for find in search(tmp_path, TRACES).found} == {True}


def test_parquet_of_any_type_keeps_its_schema_order_and_compression(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    table = pa.table(
        {
            "n": pa.array([1, 2, 3, 4, 5, 6], pa.int16()),
            "ids": pa.array([[GONE, KEPT], [KEPT], [], None, [KEPT], [KEPT]]),
            "of": pa.array([{"id": KEPT}, {"id": GONE}, None, {"id": None}, {"id": ""}, None]),
            "kind": pa.array(["a", "b", GONE, "a", None, "b"]).dictionary_encode(),
            "raw": pa.array([b"", b"x", None, GONE.encode(), b"\xff", b"y"]),
            "note": pa.array(["", None, "", "", f"see {GONE}, twice", "x"]),
            "at": pa.array([None, 1, 2, 3, 4, 5], pa.timestamp("us")),
        }
    )
    pq.write_table(table, path, compression="gzip", row_group_size=2)
    schema = pq.ParquetFile(path).schema_arrow
    assert [find.count for find in search(tmp_path, TRACES).found] == [5]
    scrubbed = scrub_parquet(path, TRACES)
    assert (scrubbed.removed, scrubbed.changed) == (4, 1)
    file = pq.ParquetFile(path)
    assert file.schema_arrow == schema
    assert file.metadata.row_group(file.num_row_groups - 1).column(0).compression == "GZIP"
    assert file.read().to_pylist() == [
        {**table.to_pylist()[4], "note": "see (forgotten), twice"},
        table.to_pylist()[5],
    ]
    assert search(tmp_path, TRACES).places == []


def test_duckdb_of_any_type_in_any_schema(tmp_path: Path) -> None:
    path = tmp_path / "it's [a] home.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema other; create type word as enum ('C00002', 'C00003')")
        connection.execute(
            "create table other.t as select * from (values "
            "(1, ['C00002'], {'id': 'x'}, 'C00003'::word, 'C00003'), "
            "(2, ['C00003'], {'id': 'C00002'}, 'C00003'::word, 'C00003'), "
            "(3, ['C00003'], {'id': 'x'}, 'C00003'::word, 'of C00002.'), "
            "(4, ['C00003'], {'id': 'x'}, 'C00003'::word, 'C00003')) as t (n, a, b, c, d)"
        )
        connection.execute("create view shown as select n, d from other.t")
    assert {find.count for find in search(tmp_path, TRACES).found} == {1}
    remove_from(path, TRACES)
    left = [place.what for place in search(tmp_path, TRACES).places]
    assert left == ["bytes"], "the type still has the word, and the search tells"
    with duckdb.connect(str(path)) as connection:
        rows = connection.execute("select * from shown order by n").fetchall()
    assert rows == [(3, "of (forgotten)."), (4, "C00003")]


def test_blocks_that_nobody_can_read_are_no_proof_until_the_file_is_written_anew(
    tmp_path: Path,
) -> None:
    path = tmp_path / "old.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "create table t as select hash(i) as v, 'C00002' as id from range(99999) r(i)"
        )
        connection.execute("create table kept as select hash(i) as v from range(99999) r(i)")
        connection.execute("checkpoint")
        connection.execute("drop table t")
        connection.execute("checkpoint")
    assert FREE_BLOCKS in {find.what for find in search(tmp_path, TRACES).doubtful}
    remove_from(path, TRACES)
    assert search(tmp_path, TRACES).places == []


def test_what_is_damaged_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(ROWS)[:-5])
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    (tmp_path / "c.sqlite").write_bytes(in_sqlite(b"")[:200])
    (tmp_path / "d.duckdb").write_bytes(b"12345678DUCK")
    (tmp_path / "e.zip").write_bytes(in_zip(ROWS)[:50])
    searched = search(tmp_path, TRACES)
    assert [find.path[0] for find in searched.doubtful] == ["a", "b", "c", "d", "e"]
    assert {find.what for find in searched.doubtful} == {UNREADABLE} and not searched.is_clean


def test_a_long_file_is_searched_block_by_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("python_ml.privacy.traces._BLOCK", 64)
    monkeypatch.setattr("python_ml.privacy.traces._OVERLAP", 32)
    for start in range(40, 80):
        assert TRACES.count_long(b"x" * start + b" " + GONE.encode() + b" " + b"y" * 99)
        assert not TRACES.count_long(b"x" * start + GONE.encode() + b"0 " + b"y" * 99)


def test_names_and_links(tmp_path: Path) -> None:
    home, outside = tmp_path / "home", tmp_path / "company"
    (home / f"customer_id={GONE}").mkdir(parents=True)
    outside.mkdir()
    (outside / "rows.csv").write_bytes(ROWS)
    (home / "raw").symlink_to(outside)
    (home / f"customer_id={GONE}" / "empty").touch()
    (found,) = search(home, TRACES).found
    remove_from(home / found.path, TRACES)
    assert [path.name for path in home.iterdir()] == ["raw"]
    assert (outside / "rows.csv").read_bytes() == ROWS


def test_colours_of_the_products_own_assets_are_nobody(tmp_path: Path) -> None:
    from python_ml.settings import ASSETS

    script = (ASSETS / "vendor" / "echarts.common.min.js").read_bytes()
    (tmp_path / "echarts.common.min.js").write_bytes(script + b"//C23531")
    assert search(tmp_path, Traces(frozenset(["C23531"]))).found
    (tmp_path / "echarts.common.min.js").write_bytes(script)
    for path in ASSETS.glob("*.js"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert not search(tmp_path, Traces(frozenset(["C01234"]))).found


def test_large_data_is_unpacked_into_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "_IN_MEMORY", 10)
    with containers.unpacked(gzip.compress(ROWS)) as content:
        assert content[:] == ROWS
    with pytest.raises(EOFError), containers.unpacked(gzip.compress(ROWS)[:-3]):
        pass


def test_utf_16_that_is_damaged_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(f"of {GONE}.".encode("utf-16") + b"x")
    assert [find.what for find in search(tmp_path, TRACES).found] == ["mentions"]


@pytest.mark.parametrize("name", [b"\xff " + GONE.encode(), GONE.encode() + b".\xe9.csv"])
def test_a_name_that_is_no_text_is_searched_too(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    path.touch()
    assert [find.what for find in search(tmp_path, TRACES).found] == ["its name"]
    remove_from(path, TRACES)
    assert not path.exists()


def test_documents_in_databases_lose_a_record_and_texts_a_mention(tmp_path: Path) -> None:
    rows = [
        (1, '{"ids": ["C00002", "C00003"]}', '{"ids": ["C00003"]}'),
        (2, '[{"id": "C00002"}, {"id": "x"}]', '[{"id": "x"}]'),
        (3, "of C00002, twice", "of (forgotten), twice"),
    ]
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        connection.execute("create table t (n integer, note text)")
        connection.executemany("insert into t values (?, ?)", [row[:2] for row in rows])
    with duckdb.connect(str(tmp_path / "a.duckdb")) as database:
        database.execute("create table t (n integer, note varchar)")
        database.executemany("insert into t values (?, ?)", [row[:2] for row in rows])
    for path in sorted(tmp_path.iterdir()):
        remove_from(path, TRACES)
    assert search(tmp_path, TRACES).places == []
    expected = [(n, after.replace(" ", "")) for n, _, after in rows]
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        left = connection.execute("select n, note from t order by n").fetchall()
    assert [(n, note.replace(" ", "")) for n, note in left] == expected
    with duckdb.connect(str(tmp_path / "a.duckdb")) as database:
        left = database.execute("select n, note from t order by n").fetchall()
    assert [(n, note.replace(" ", "")) for n, note in left] == expected


def test_an_archive_loses_files_that_are_named_after_the_person_and_edits_the_others(
    tmp_path: Path,
) -> None:
    path = tmp_path / "sent.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("folder/", "")
        archive.writestr(f"letters/{GONE}.txt", "Dear customer")
        archive.writestr("letters/list.txt", f"{GONE} and {KEPT}")
    assert [str(find) for find in search(tmp_path, TRACES).found] == [
        f"sent.zip: name of letters/{GONE}.txt",
        "sent.zip: letters/list.txt: mentions",
    ]
    remove_from(path, TRACES)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["letters/list.txt"]
        assert archive.read("letters/list.txt") == f"(forgotten) and {KEPT}".encode()


def test_counts_and_words_of_a_find() -> None:
    assert str(Find("a", "mentions", 1)) == "a: mentions"
    assert str(Find("a", "mentions", 1200)) == "a: mentions (1,200)"
    assert Find("a", "b", 2).as_dict() == {
        **{"path": "a", "what": "b", "count": 2, "is_by_hand": False}
    }
    searched = Searched([Find("a", "x"), Find("b", "x")], [Find("a", "y")], 3)
    assert searched.places == [*searched.found, *searched.doubtful] and not searched.is_clean
    assert not Searched(doubtful=[Find("a", "y")]).is_clean and Searched().is_clean


def test_a_text_of_the_person_takes_its_row_out_of_a_database(tmp_path: Path) -> None:
    """By the name of its column, however that is spelt; in a column of another name a mention
    is replaced."""
    said = "Nobody has ever answered one of my seven letters."
    own = traces_in(GONE, {said}, {"Something else was said."})
    rows = [(1, said, "x"), (2, "x", f"He said: {said}"), (3, "x", "y")]
    create = 'create table t (n integer, "Interaction_Summary" varchar, note varchar)'
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        connection.execute(create)
        connection.executemany("insert into t values (?, ?, ?)", rows)
    with duckdb.connect(str(tmp_path / "a.duckdb")) as database:
        database.execute(create)
        database.executemany("insert into t values (?, ?, ?)", rows)
    for path in sorted(tmp_path.iterdir()):
        remove_from(path, own)
    expected = [(2, "x", "He said: (forgotten)."), (3, "x", "y")]
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        assert connection.execute("select * from t order by n").fetchall() == expected
    with duckdb.connect(str(tmp_path / "a.duckdb")) as database:
        assert database.execute("select * from t order by n").fetchall() == expected


def test_ids_of_a_parquet_file_are_found_in_any_case_and_within_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": [1, 2], "note": ["of c00002, twice", "xC00003 C000041"]}), path)
    assert ids_in(path, r"C\d{5}") == {"c00002", "C00002"}


def test_parquet_files_without_texts_or_rows_hold_nobody(tmp_path: Path) -> None:
    for name, table in {
        "numbers": pa.table({"n": [1, 2]}),
        "no_rows": pa.table({"note": pa.array([], pa.string())}),
        "nothing": pa.table({}),
    }.items():
        path = tmp_path / f"{name}.parquet"
        pq.write_table(table, path)
        before = path.read_bytes()
        assert ids_in(path, r"C\d{5}") == set()
        assert scrub_parquet(path, TRACES).total == 0 and path.read_bytes() == before
    path = tmp_path / "no_groups.parquet"
    with pq.ParquetWriter(path, pa.schema({"n": pa.int64()})):
        pass
    assert ids_in(path, r"C\d{5}") == set()


@pytest.mark.parametrize("kind", ["large_string", "large_binary", "binary", "string"])
@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_texts_and_bytes_of_any_size_and_compression(
    tmp_path: Path, kind: str, compression: str
) -> None:
    path = tmp_path / "a.parquet"
    column = pa.array([GONE, KEPT, None], pa.string()).cast(getattr(pa, kind)())
    pq.write_table(pa.table({"note": column, "n": [1, 2, 3]}), path, compression=compression)
    replaced: list[tuple[bytes, list[int]]] = []

    def before(finished: Path) -> None:
        replaced.append((path.read_bytes(), pq.read_table(finished)["n"].to_pylist()))

    old = path.read_bytes()
    scrubbed = scrub_parquet(path, TRACES, before)
    assert (scrubbed.removed, scrubbed.changed, scrubbed.total) == (1, 0, 1)
    assert replaced == [(old, [2, 3])], "it is told while the file is still the old one"
    used = pq.ParquetFile(path).metadata.row_group(0).column(0).compression
    assert used == ("UNCOMPRESSED" if compression == "none" else compression.upper())
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.parquet"]


def test_rows_that_go_and_rows_that_lose_a_mention_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    notes = [GONE, f"of {GONE}", f"to {GONE}", "x", GONE, GONE]
    pq.write_table(pa.table({"note": notes}), path, row_group_size=4)
    scrubbed = scrub_parquet(path, TRACES)
    assert (scrubbed.removed, scrubbed.changed, scrubbed.total) == (3, 2, 5)
    assert pq.read_table(path)["note"].to_pylist() == ["of (forgotten)", "to (forgotten)", "x"]


def test_a_packed_file_is_packed_alike_whenever_it_is_edited(tmp_path: Path) -> None:
    """Without a time in it, so that equal content has an equal hash."""
    for name in ("a.csv.gz", "B.CSV.GZ", "packed"):
        (tmp_path / name).write_bytes(gzip.compress(ROWS, mtime=7))
        remove_from(tmp_path / name, TRACES)
        content = (tmp_path / name).read_bytes()
        assert content[4:8] == bytes(4)
        assert GONE.encode() not in gzip.decompress(content)
    kept = f"customer_id,churn\n{KEPT},0\n".encode()
    assert gzip.decompress((tmp_path / "B.CSV.GZ").read_bytes()) == kept, "known by its name"


def test_a_link_that_is_named_after_the_person_goes_and_what_it_leads_to_stays(
    tmp_path: Path,
) -> None:
    (tmp_path / "company").mkdir()
    (tmp_path / "company" / "rows.csv").write_bytes(ROWS)
    (tmp_path / GONE).symlink_to(tmp_path / "company")
    remove_from(tmp_path / GONE, TRACES)
    assert [path.name for path in tmp_path.iterdir()] == ["company"]
    assert (tmp_path / "company" / "rows.csv").read_bytes() == ROWS


def test_a_document_that_is_the_persons_goes_with_its_file(tmp_path: Path) -> None:
    for name, document in [
        ("a.json", {"customer_id": GONE}),
        ("B.JSON", {"customer_id": GONE}),
        ("c.json", {"customer_id": KEPT, "note": GONE}),
    ]:
        (tmp_path / name).write_text(json.dumps(document))
        remove_from(tmp_path / name, TRACES)
    (left,) = tmp_path.iterdir()
    assert json.loads(left.read_text()) == {"customer_id": KEPT, "note": "(forgotten)"}


@pytest.mark.parametrize("name", ["a.csv", "A.CSV", "a.tsv"])
def test_delimited_files_are_copied_and_never_read_whole(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def whole(*_: object) -> bytes:
        raise AssertionError("it was read whole")

    monkeypatch.setattr("python_ml.privacy.remove._edit", whole)
    delimiter = b"\t" if name.endswith(".tsv") else b","
    (tmp_path / name).write_bytes(ROWS.replace(b",", delimiter))
    remove_from(tmp_path / name, TRACES)
    kept = f"customer_id,churn\n{KEPT},0\n".encode().replace(b",", delimiter)
    assert (tmp_path / name).read_bytes() == kept
    assert [path.name for path in tmp_path.iterdir()] == [name]


def in_duckdb(_: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute(
                f"create table t as select * from (values ('{GONE}'), ('{KEPT}')) as t(customer_id)"
            )
        return path.read_bytes()


@pytest.mark.parametrize(
    ("packs", "what"),
    [
        ([gzip.compress], "mentions"),
        ([in_zip], "rows.csv: mentions"),
        ([gzip.compress, in_script], "base64: mentions"),
        ([in_parquet], "rows, by customer_id"),
        ([in_parquet, in_script], "base64: rows, by customer_id"),
        ([in_sqlite], "rows of t.customer_id"),
        ([in_sqlite, in_zip], "rows.csv: rows of t.customer_id"),
        ([in_duckdb], "rows of main.t.customer_id"),
        ([in_duckdb, gzip.compress, in_script], "base64: rows of main.t.customer_id"),
        ([lambda rows: rows.decode().encode("utf-16")], "mentions"),
    ],
)
def test_a_find_says_what_holds_the_person_and_how_often(
    tmp_path: Path, packs: list[Callable[[bytes], bytes]], what: str
) -> None:
    content = ROWS
    for pack in packs:
        content = pack(content)
    (tmp_path / "file").write_bytes(content)
    (find,) = search(tmp_path, TRACES).found
    assert (find.what, find.count, find.is_by_hand) == (what, 1, False)
    remove_from(tmp_path / "file", TRACES)
    assert search(tmp_path, TRACES).places == []
    assert search(tmp_path, Traces(frozenset([KEPT]))).found


@pytest.mark.parametrize("rows", [1, 3])
def test_rows_that_were_deleted_are_counted_in_free_pages(tmp_path: Path, rows: int) -> None:
    path = tmp_path / "a.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("pragma secure_delete = off")
        connection.execute("create table t (customer_id text)")
        connection.executemany("insert into t values (?)", [(KEPT,), *[(GONE,)] * rows])
        connection.commit()
        connection.execute("delete from t where customer_id = ?", (GONE,))
        connection.commit()
    assert search(tmp_path, TRACES).found == [Find("a.sqlite", FREE_PAGES, rows)]
    remove_from(path, TRACES)
    assert search(tmp_path, TRACES).places == []


@pytest.mark.parametrize("size", [46, 47, 48])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_data_in_base64_are_read_with_and_without_padding(
    size: int, encode: Callable[[bytes], bytes]
) -> None:
    content = bytes(range(200, 200 + size))
    text = encode(content)
    for run in (text, text.rstrip(b"=")):
        (found,) = containers.encoded(b'x = "' + run + b'"')
        assert found == (slice(5, 5 + len(run)), content)
    assert list(containers.encoded(text[:59])) == [], "a word may be as long"


def test_a_character_too_many_does_not_hide_what_comes_before_it() -> None:
    content = bytes(range(200, 248))
    ((place, found),) = containers.encoded(base64.b64encode(content) + b"A")
    assert (place, found) == (slice(0, 65), content)


def test_the_log_of_a_database_is_no_reason_not_to_open_it(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table t (customer_id text)")
        connection.execute("insert into t values (?)", (GONE,))
    connection.close()
    (tmp_path / "a.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert [str(find) for find in search(tmp_path, TRACES).places] == [
        *("a.gz: rows of t.customer_id", "a.sqlite: rows of t.customer_id"),
    ]


def test_a_mention_in_a_delimited_file_is_replaced_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(ROWS + f"{KEPT},of {GONE}\n".encode())
    remove_from(tmp_path / "a.csv", TRACES)
    kept = f"customer_id,churn\n{KEPT},0\n{KEPT},of (forgotten)\n"
    assert (tmp_path / "a.csv").read_text() == kept


def test_bytes_in_a_database_that_are_no_text_go_with_their_row(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        connection.execute("create table t (n integer, raw blob)")
        rows = [(1, b"\xff " + GONE.encode()), (2, b"\xff"), (3, None)]
        connection.executemany("insert into t values (?, ?)", rows)
    remove_from(tmp_path / "a.sqlite", TRACES)
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        assert connection.execute("select * from t order by n").fetchall() == rows[1:]


def test_nobody_writes_to_an_sqlite_file_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table t as select 1 as a")
        connection.commit()
    read_bytes = Path.read_bytes

    def read_beside_a_writer(self: Path) -> bytes:
        with (
            closing(sqlite3.connect(path, timeout=0)) as writer,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            writer.execute("insert into t values (2)")
            writer.commit()
        return read_bytes(self)

    monkeypatch.setattr(Path, "read_bytes", read_beside_a_writer)
    assert sqlite_bytes(path) == read_bytes(path)
