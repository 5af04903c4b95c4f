"""Who is to be forgotten: what the person said, and what is still to be searched for.

.forgetting/<hash>.json   written before the first removal, deleted once nothing is left. What was
removed can no longer be learnt from the data, so that a second call reads here what to search for.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from python_ml.contracts.schema import DELIMITERS
from python_ml.documents import allow_fields, read_json, write_json
from python_ml.engines.sql import identifier
from python_ml.errors import SpanishGasError
from python_ml.privacy import containers
from python_ml.privacy.containers import Kind
from python_ml.privacy.records import json_documents
from python_ml.privacy.tombstones import Tombstones
from python_ml.privacy.traces import (
    Traces,
    customer_columns,
    fragments_of,
    plain_words,
    text_columns,
)
from python_ml.settings import PROJECT_DIR, Layout

_OWN_WORDS = ("seeds", "infra/metabase", "python_ml/pages")  # nobody is known by them
_Said = tuple[str, str]


def traces_of(home: Path, customer_id: str, own_names: frozenset[str] = frozenset()) -> Traces:
    """What gives a customer away under a home, where everything that anybody said is looked up.

    Args:
        home: where to look.
        customer_id: of the person.
        own_names: of the columns with ids in the company's own files, in lower case.
    """
    own: set[str] = set()
    others: set[str] = set()
    for customer, text in _everything_said(home):
        (own if customer == customer_id else others).add(text)
    return traces_in(customer_id, own, others, own_names)


def traces_in(
    customer_id: str, own: set[str], others: set[str], own_names: frozenset[str] = frozenset()
) -> Traces:
    """The same from what the person and everybody else said."""
    known = {plain_words(text.encode()) for text in others}
    alone = sorted(text for text in own if plain_words(text.encode()) not in known)
    of_others = b"".join([*known, *_own_words()])
    hashes = {hashlib.md5(text.strip(" ").lower().encode()).hexdigest() for text in alone}
    words = tuple(plain_words(text.encode()) for text in alone)
    fragments = fragments_of(alone, of_others)
    return Traces(frozenset([customer_id]), fragments, words, frozenset(hashes), own_names)


class Pending:
    """The file of one person."""

    def __init__(self, home: Path, stones: Tombstones, customer_id: str) -> None:
        self.path = Layout(home).forgetting / f"{stones.hash_of(customer_id)}.json"
        self._customer_id = customer_id

    def read(self) -> Traces | None:
        """What an earlier call searched for, if it did not end well.

        Raises:
            SpanishGasError: the file is there and cannot be read.
        """
        if not self.path.exists():
            return None
        document = read_json(self.path)
        if document is None:
            raise SpanishGasError(f"{self.path} cannot be read; restore it from a backup")
        return Traces(
            frozenset([self._customer_id]),
            tuple(each.encode() for each in document["fragments"]),
            tuple(each.encode() for each in document["texts"]),
            frozenset(document["text_hashes"]),
        )

    def write(self, traces: Traces) -> None:
        """Keep what is searched for. Nobody else may read it, whatever the settings allow."""
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        document = {
            "fragments": [each.decode() for each in traces.fragments],
            "texts": [each.decode() for each in traces.texts],
            "text_hashes": sorted(traces.text_hashes),
        }
        write_json(self.path, document)
        self.path.chmod(0o600)

    def clear(self) -> None:
        """Nothing is left to be searched for."""
        self.path.unlink(missing_ok=True)
        if self.path.parent.is_dir() and not any(self.path.parent.iterdir()):
            self.path.parent.rmdir()


def _own_words() -> Iterator[bytes]:
    """Words of the product itself, which a text may happen to share."""
    for folder in _OWN_WORDS:
        for path in sorted((PROJECT_DIR / folder).rglob("*")):
            if path.suffix in (".csv", ".yml", ".js") and "vendor" not in path.parts:
                yield plain_words(path.read_bytes())


def _everything_said(home: Path) -> Iterator[_Said]:
    """Customer and text of every interaction that some file under a home holds."""
    for path in sorted(home.rglob("*")):
        if path.is_symlink() or not path.is_file() or path.parent == Layout(home).forgetting:
            continue
        yield from said_by_whom(path)


def said_by_whom(path: Path) -> Iterator[_Said]:
    """Customer and text of every interaction that a file holds."""
    try:
        with containers.opened(path) as data:
            yield from _said_in(path, data)
    except containers.DAMAGED:
        return  # the search tells of it


def _said_in(path: Path, data: containers.Bytes) -> Iterator[_Said]:
    name = path.name.lower()
    match containers.kind_of(data):
        case Kind.PARQUET:
            file = pq.ParquetFile(path)
            if pair := _pair(file.schema_arrow.names):
                rows = file.read(list(pair)).to_pylist()
                yield from _texts(rows, *pair)
        case Kind.DUCKDB:
            yield from _said_in_duckdb(path)
        case Kind.GZIP if name.endswith((".csv.gz", ".json.gz", ".jsonl.gz", ".ndjson.gz")):
            with gzip.open(path) as stream:
                head = stream.read(1 << 16)
            if _names_texts(head):
                with containers.unpacked(data) as content:
                    yield from _said_in_text(name, bytes(content))
        case Kind.TEXT if name.endswith((".csv", ".json", ".jsonl", ".ndjson")):
            if _names_texts(data[: 1 << 16]):
                yield from _said_in_text(name, bytes(data))


def _said_in_duckdb(path: Path) -> Iterator[_Said]:
    with containers.duckdb_file(path) as (connection, columns):
        by_table: dict[str, list[str]] = {}
        for table, column in columns:
            by_table.setdefault(table, []).append(column[1:-1])
        for table, names in by_table.items():
            if pair := _pair(names):
                selected = ", ".join(identifier(name) for name in pair)
                for customer, text in connection.execute(
                    f"select distinct {selected} from {table}"
                ).fetchall():
                    if customer and text:
                        yield customer, text


def _said_in_text(name: str, data: bytes) -> Iterator[_Said]:
    text = data.decode("utf-8-sig", "surrogateescape")
    if ".csv" in name:
        header = text[: text.find("\n")]
        delimiter = max(DELIMITERS, key=header.count)
        allow_fields(len(text))
        rows: Iterable[Any] = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    else:
        rows = (row for document in json_documents(text) for row in _records(document))
    for row in rows:
        if pair := _pair(row):
            yield from _texts([row], *pair)


def _records(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of a JSON document, at any depth."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value:
        if isinstance(each, dict | list):
            yield from _records(each)


def _pair(names: Iterable[str]) -> tuple[str, str] | None:
    """Columns of the customer and the text, where there are both."""
    found = {str(name).strip().lower(): str(name) for name in names if name is not None}
    customer = next((found[name] for name in sorted(customer_columns()) if name in found), None)
    text = next((found[name] for name in sorted(text_columns()) if name in found), None)
    return (customer, text) if customer and text else None


def _names_texts(head: bytes) -> bool:
    low = head.lower()
    return any(name.encode() in low for name in text_columns())


def _texts(rows: Iterable[dict[str, Any]], customer: str, text: str) -> Iterator[_Said]:
    for row in rows:
        if isinstance(row[customer], str | int) and isinstance(row[text], str):
            yield str(row[customer]).strip(), row[text]
