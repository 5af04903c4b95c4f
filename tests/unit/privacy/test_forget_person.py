"""What a person said is learned from every format that a home holds."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from python_ml.engines.store import FolderStore
from python_ml.errors import SpanishGasError
from python_ml.privacy.person import Pending, traces_in, traces_of
from python_ml.privacy.tombstones import Tombstones
from python_ml.privacy.traces import Traces, plain_words, text_columns
from python_ml.settings import PROJECT_DIR

GONE, KEPT = "C00002", "C00003"
WORDS = "Asked why the bill of last winter was higher, and got no answer."
OTHERS = "Wants a cheaper tariff before the next renewal comes."
ROWS = [
    {"customer_id": GONE, "interaction_summary": WORDS},
    {"customer_id": KEPT, "interaction_summary": OTHERS},
]


def as_csv(delimiter: Any = ",", names: Any = ("customer_id", "interaction_summary")) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(names)
    writer.writerows(tuple(row.values()) for row in ROWS)
    return out.getvalue().encode()


def as_lines() -> bytes:
    return "\n".join(json.dumps(row) for row in ROWS).encode()


def as_parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), out)
    return out.getvalue()


FILES = {
    "comma.csv": as_csv(),
    "semicolon.csv": as_csv(";"),
    "tab.csv": as_csv("\t"),
    "bar.CSV": as_csv("|"),
    "bom.csv": b"\xef\xbb\xbf" + as_csv(),
    "spelt.csv": as_csv(names=(" Customer_ID ", "Interaction_Summary")),
    "packed.csv.gz": gzip.compress(as_csv()),
    "array.json": json.dumps(ROWS).encode(),
    "nested.json": json.dumps({"data": {"rows": ROWS}, "n": 2, "notes": ["x"]}).encode(),
    "lines.jsonl": as_lines(),
    "lines.ndjson": as_lines(),
    "broken.json": b'{"torn: 1\n' + as_lines(),
    "array.json.gz": gzip.compress(json.dumps(ROWS).encode()),
    "lines.jsonl.gz": gzip.compress(as_lines()),
    "lines.ndjson.gz": gzip.compress(as_lines()),
    "part.parquet": as_parquet(),
    "no-ending": as_parquet(),
}


@pytest.mark.parametrize("name", FILES)
def test_what_was_said_is_learned_from_every_format(tmp_path: Path, name: str) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / name).write_bytes(FILES[name])
    traces = traces_of(tmp_path, GONE)
    assert traces.customer_ids == {GONE}
    assert traces.texts == (plain_words(WORDS.encode()),)
    assert len(traces.text_hashes) == 1
    assert traces.is_in(f"He {WORDS}") and not traces.is_in(OTHERS)
    assert traces_of(tmp_path, KEPT).is_in(OTHERS)


def test_what_was_said_is_learned_from_any_table_of_a_database(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "old.duckdb")) as connection:
        connection.execute("create table other as select 'x' as interaction_summary")
        connection.execute("create schema s")
        connection.execute(
            'create table s."my texts" as select * from (values (?, ?), (?, ?), (null, ?)) '
            "as t (customer_id, interaction_summary)",
            [GONE, WORDS, KEPT, OTHERS, "Somebody."],
        )
    assert traces_of(tmp_path, GONE).texts == (plain_words(WORDS.encode()),)


@pytest.mark.parametrize(
    "content",
    [
        b"customer_id,note\nC00002,x\n",
        b"interaction_summary\n" + WORDS.encode(),
        b"",
        b"\0\1\2",
        b'["a", 1, null]',
        json.dumps([{"customer_id": 2.5, "interaction_summary": WORDS}]).encode(),
        json.dumps([{"customer_id": GONE, "interaction_summary": None}]).encode(),
        b"PAR1 torn",
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.parquet", "a.csv.gz"])
def test_a_file_that_tells_nothing_of_who_said_what(
    tmp_path: Path, name: str, content: bytes
) -> None:
    packed = gzip.compress(content) if name.endswith(".gz") else content
    (tmp_path / name).write_bytes(packed)
    (tmp_path / "b.csv").write_bytes(FILES["comma.csv"])
    assert traces_of(tmp_path, GONE).texts == (plain_words(WORDS.encode()),)


def test_a_long_field_of_somebody_does_not_end_the_reading(tmp_path: Path) -> None:
    """The csv library gives up on a field of more than 131,072 characters, unless it is told."""
    long = f'{KEPT},"{"word " * 40_000}"\n'
    header, rest = as_csv().decode().split("\n", 1)
    (tmp_path / "a.csv").write_text(f"{header}\n{long}{rest}")
    assert traces_of(tmp_path, GONE).texts == (plain_words(WORDS.encode()),)


def test_words_of_links_and_of_what_is_still_to_be_searched_are_not_read_twice(
    tmp_path: Path,
) -> None:
    outside, home = tmp_path / "outside", tmp_path / "home"
    outside.mkdir()
    (outside / "a.csv").write_bytes(FILES["comma.csv"])
    (home / ".forgetting").mkdir(parents=True)
    (home / ".forgetting" / "a.csv").write_bytes(FILES["comma.csv"])
    (home / "a.csv").symlink_to(outside / "a.csv")
    assert traces_of(home, GONE).texts == ()


def test_a_text_that_somebody_else_has_said_too_gives_nobody_away(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(FILES["comma.csv"])
    (tmp_path / "b.csv").write_text(f'customer_id,interaction_summary\n{KEPT},"{WORDS}"\n')
    traces = traces_of(tmp_path, GONE)
    assert (traces.texts, traces.fragments, traces.text_hashes) == ((), (), frozenset())
    assert traces.is_in(GONE)


@pytest.fixture
def pending(tmp_path: Path) -> Pending:
    return Pending(tmp_path, Tombstones(FolderStore(tmp_path), "salt"), GONE)


def test_what_is_still_to_be_searched_is_kept_and_deleted(tmp_path: Path, pending: Pending) -> None:
    (tmp_path / "a.csv").write_bytes(FILES["comma.csv"])
    traces = traces_of(tmp_path, GONE)
    assert pending.read() is None
    pending.write(traces)
    pending.write(traces)
    assert GONE not in pending.path.name + pending.path.read_text()
    assert (pending.path.stat().st_mode & 0o777, pending.path.parent.stat().st_mode & 0o777) == (
        *(0o600, 0o700),
    )
    assert pending.read() == traces
    another = pending.path.with_name("another.json")
    another.touch()
    pending.clear()
    assert pending.read() is None and another.exists()
    another.unlink()
    pending.clear()
    assert not pending.path.parent.exists()
    pending.clear()


def test_a_note_that_cannot_be_read_is_an_error(pending: Pending) -> None:
    pending.write(Traces(frozenset([GONE])))
    pending.path.write_text("{")
    with pytest.raises(SpanishGasError, match="cannot be read"):
        pending.read()


def test_files_that_name_no_texts_in_their_beginning_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of readings has millions of lines."""
    read: list[str] = []

    def reading(name: str, data: bytes) -> list[tuple[str, str]]:
        read.append(name)
        return []

    monkeypatch.setattr("python_ml.privacy.person._said_in_text", reading)
    without = b"customer_id,note\nC00002,x\n"
    with_all = ",".join(sorted(text_columns())).upper().encode()
    for name, content in [("a", without), ("b", with_all), ("c", as_csv())]:
        (tmp_path / f"{name}.csv").write_bytes(content)
        (tmp_path / f"{name}.csv.gz").write_bytes(gzip.compress(content))
    traces_of(tmp_path, GONE)
    assert read == ["b.csv", "b.csv.gz", "c.csv", "c.csv.gz"]


def some_words(path: Path) -> str:
    """A run of nine words of a file, all different, as somebody might say them."""
    words = plain_words(path.read_bytes()).decode().split()
    runs = (words[start : start + 9] for start in range(len(words) - 9))
    return " ".join(next(run for run in runs if len(set(run)) == len(run)))


@pytest.mark.parametrize(
    ("place", "is_own"),
    [
        ("seeds/*.csv", True),
        ("infra/metabase/*.yml", True),
        ("python_ml/pages/**/[!.]*.js", True),
        ("python_ml/pages/assets/vendor/*.js", False),
        ("python_ml/pages/*.py", False),
    ],
)
def test_words_of_the_product_itself_give_nobody_away(place: str, is_own: bool) -> None:
    found = [each for each in PROJECT_DIR.glob(place) if not is_own or "vendor" not in each.parts]
    path = max(found, key=lambda each: each.stat().st_size)
    traces = traces_in(GONE, {some_words(path)}, set())
    assert bool(traces.fragments) is not is_own
