"""Random bytes in the place of a raw file or of the mapping: what landing makes of them.

Whatever the bytes, a batch lands (exit code 0) or is refused (3) with one message, and a refused
one leaves the lake as it was, byte by byte.
"""

from __future__ import annotations

import gzip
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from python_ml.contracts.schema import load_source
from python_ml.errors import BadInputError
from python_ml.land import land
from python_ml.land.check import forget_malformed, judge, materialise
from python_ml.land.consumption import land_consumption
from python_ml.land.discover import RawFile, assign, list_source
from python_ml.land.expansion import (
    gzip_problem,
    is_gzip,
    parquet_problem,
    starts_with,
    workbook_problem,
)
from python_ml.land.mapping import read_mapping
from python_ml.land.read import DAMAGED, open_raw, unreadable
from python_ml.land.result import EngineLost, Refusal
from python_ml.progress import silent
from python_ml.settings import Settings, load_settings
from tests.integration.raw_batch import READINGS, RawBatch, tree_hash
from tests.workbook import write_workbook

MAPPING = b"""\
version: 1
customer_id: {pattern: "C[0-9]{5,9}"}
defaults: {decimal: ".", nulls: ["#N/D"]}
sources:
  churn_label:
    files: churn_label.csv
    columns: {customer_id: customer_id, churn: {column: churn, words: {Baja: "1"}}}
    yes: [Baja]
  consumption_hourly:
    files: "consumption_hourly_2024.csv"
    zone: Europe/Madrid
    readings: {layout: quarter_hourly, hour_label: starting, supply_point: cups}
"""
SCHEMAS = load_source("raw")
TABLES = (
    *("churn_label", "customer_attributes", "customer_contracts", "price_history"),
    *("costs_by_province_month", "customer_interactions", READINGS),
)
ENDINGS = ("csv", "json", "parquet", "xlsx", "csv.gz", "")
# What readers stumble over, next to what files really hold.
PIECES = (
    *(b",", b";", b"\n", b"\r\n", b"\r", b"\0", b'"', b"'", b"\t", b"\xff\xfe", b"\xef\xbb\xbf"),
    *(b"{", b"}", b"[", b"]", b":", b"null", b"NaN", b"1e999", b"-0", b"1,314", b"0,5", b"24:00"),
    *(b"PAR1", b"PK\x03\x04", b"\x1f\x8b", b"sep=;\n", b"C00001", b"2024-10-01", b"31/12/2024"),
    *(
        b"customer_id",
        b"timestamp",
        b"\xc3\xad",
        b"i\xcc\x81",
        b"\x80",
        b"9" * 400,
        b"&a *a",
        b"!!",
    ),
    *(b"%", b"\\", b"\\u0000", b"infinity", b"#N/D", b"00/00/0000", b"- " * 50, b"[" * 3000),
)


@dataclass(frozen=True)
class Fuzzed:
    """One file of a batch with other content."""

    name: str  # of the table, or "mapping"
    ending: str
    content: bytes


def small_batch() -> RawBatch:
    """One customer, three readings: landing takes a fraction of a second."""
    batch = RawBatch()
    for name, frame in batch.frames.items():
        if name == READINGS:
            batch[name] = frame.head(3)
        elif "customer_id" in frame:
            mine = frame[frame["customer_id"] == "C00002"]
            batch[name] = mine.assign(customer_id="C00001")
    return batch


def formats(frame: pd.DataFrame, folder: Path) -> dict[str, bytes]:
    """A table in each format, by ending."""
    text = frame.to_csv(index=False).encode()
    plain = json.loads(frame.to_json(orient="records", date_format="iso"))
    buffer = io.BytesIO()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table.replace_schema_metadata(None), buffer)
    write_workbook(frame.astype(object).where(frame.notna(), None), folder / "fuzz.xlsx")
    return {
        "csv": text,
        "csv.gz": gzip.compress(text, mtime=0),
        "": text,
        "json": json.dumps(plain).encode(),
        "parquet": buffer.getvalue(),
        "xlsx": (folder / "fuzz.xlsx").read_bytes(),
    }


def connect() -> duckdb.DuckDBPyConnection:
    """An engine as a landing opens it."""
    connection = duckdb.connect(config={"threads": 1, "preserve_insertion_order": False})
    connection.execute("set timezone = 'UTC'")
    return connection


def _early(file: RawFile, path: Path, settings: Settings) -> str:
    """Why a file is not even opened."""
    problem = None
    if is_gzip(path):
        problem = gzip_problem(path, file.label, settings.land)
    elif starts_with(path, b"PAR1"):
        problem = parquet_problem(path, file.label, settings.land)
    elif starts_with(path, b"PK"):
        problem = workbook_problem(path, file.label, settings.land)
    return "" if problem is None else str(problem)


class Fuzzer:
    """A home with a landed batch, and a batch to spoil."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        batch = small_batch()
        self.good = batch.write(folder / "good")
        shutil.rmtree(self.good / READINGS)
        batch[READINGS].to_csv(self.good / f"{READINGS}.csv", index=False)
        self.contents = {name: formats(batch[name], folder) for name in TABLES}
        self.settings = load_settings(
            {"home": str(folder / "home"), "threads": 1, "land.expansion_allowed_gb": 0.01},
            environ={},
        )
        self.connection = connect()
        land(self.good, self.settings)
        self.hash = tree_hash(self.settings.layout.lake)

    def inputs(self) -> st.SearchStrategy[Fuzzed]:
        """Files of random bytes, and good files cut, spliced and changed."""
        places = [(name, ending) for name in TABLES for ending in ENDINGS] + [
            ("mapping", "yml")
        ] * 6
        return st.sampled_from(places).flatmap(
            lambda place: spoilt(self._content(*place)).map(lambda it: Fuzzed(*place, it))
        )

    def _content(self, name: str, ending: str) -> bytes:
        return MAPPING if name == "mapping" else self.contents[name][ending]

    def try_reader(self, fuzzed: Fuzzed) -> str:
        """What the reader of one file says to it, as a landing calls it: nothing where it is read.

        Raises:
            Exception: anything else than a refusal.
        """
        raw = self.folder / "alone"
        shutil.rmtree(raw, ignore_errors=True)
        raw.mkdir()
        if fuzzed.name == "mapping":
            (raw / "mapping.yml").write_bytes(fuzzed.content)
            try:
                read_mapping(raw / "mapping.yml").apply(SCHEMAS)
            except BadInputError as error:
                return str(error)
            return ""
        path = raw / f"{fuzzed.name}{'.' if fuzzed.ending else ''}{fuzzed.ending}"
        path.write_bytes(fuzzed.content)
        files, _, problems = assign(list_source(raw), SCHEMAS)
        if not files:
            return str(problems[0])
        return _early(files[0], path, self.settings) or self._read_or_refuse(files[0], raw)

    def _read_or_refuse(self, file: RawFile, root: Path) -> str:
        try:
            try:
                return self._read(file, root, root / "staged")
            except DAMAGED as error:
                return str(unreadable(file, error))
        except Refusal as refusal:
            return str(refusal)
        except EngineLost as lost:
            self.connection = connect()
            return str(lost)

    def _read(self, file: RawFile, root: Path, staged: Path) -> str:
        """Refused with a problem, or read; as batch.py does it."""
        if file.table.name == "consumption_hourly":
            staged.mkdir()
            work = land_consumption(
                self.connection, [file], root, staged, self.settings, silent, {}
            )
            return "; ".join(map(str, work.problems))
        source = open_raw(
            self.connection, file, file.paths(root), self.settings.land, staged / "prepared"
        )
        if not source.columns:
            return ""
        forget_malformed(self.connection, source)  # of the input before
        _, counts = materialise(self.connection, source)
        return "; ".join(map(str, judge(file.label, file.table, counts, self.settings)))

    def try_one(self, fuzzed: Fuzzed) -> str:
        """What landing says to the batch with the file: nothing where it lands.

        Raises:
            AssertionError: the message is not one, or a refused batch changed the lake.
            Exception: anything else than a refusal.
        """
        raw = self.folder / "raw"
        shutil.rmtree(raw, ignore_errors=True)
        shutil.copytree(self.good, raw)
        settings: Settings = self.settings
        if fuzzed.name == "mapping":
            path = self.folder / "mapping.yml"
            path.write_bytes(fuzzed.content)
            settings = settings.with_overrides({"land.mapping": str(path)})
        else:
            for old in raw.glob(f"{fuzzed.name}*"):
                old.unlink()
            dot = "." if fuzzed.ending else ""
            (raw / f"{fuzzed.name}{dot}{fuzzed.ending}").write_bytes(fuzzed.content)
        try:
            land(raw, settings, make_current=False)
        except BadInputError as error:
            message = str(error)
            assert error.exit_code == 3
            assert message and "Traceback" not in message, message
            assert tree_hash(self.settings.layout.lake) == self.hash, "the lake has changed"
            return message
        batches = self.settings.layout.lake / "batches"
        current = (self.settings.layout.lake / "raw").resolve().name
        for folder in batches.iterdir():
            if folder.name != current:
                shutil.rmtree(folder)
        shutil.rmtree(self.settings.layout.lake / "rejected", ignore_errors=True)
        self.hash = tree_hash(self.settings.layout.lake)
        return ""


@st.composite
def spoilt(draw: st.DrawFn, content: bytes) -> bytes:
    """Some bytes of a good file changed, cut, repeated or replaced; or nothing of it kept."""
    if draw(st.integers(0, 9)) == 0:
        pieces = st.one_of(st.binary(max_size=40), st.sampled_from(PIECES))
        return b"".join(draw(st.lists(pieces, min_size=1, max_size=12)))
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(changed)))
        size = draw(st.sampled_from((0, 1, 1, 2, 8, 64)))
        kind = draw(st.integers(0, 4))
        if kind == 0:
            changed[at : at + size] = draw(st.binary(min_size=size, max_size=size))
        elif kind == 1:
            changed[at : at + size] = draw(st.sampled_from(PIECES))
        elif kind == 2:
            del changed[at : at + size]
        elif kind == 3:
            changed[at:at] = changed[at : at + size]
        else:
            del changed[at:]
            break
    return bytes(changed) or b"\n"
