"""The proof: every byte of every file below a folder, also of what compression hides."""

from __future__ import annotations

import gzip
import re
from collections.abc import Collection, Iterator
from pathlib import Path

import duckdb

from python_ml.land.scrub import pattern_of, text_columns
from python_ml.sql import identifier, literal, read_parquet


def search(folder: Path, customer_id: str, texts: Collection[str] = ()) -> list[str]:
    """Places where a customer's id or one of some texts is found.

    Files are searched as they are; Parquet, gzip and DuckDB files value by value as well.
    """
    forms = {form for text in texts for form in (text, text.strip(), text.strip().lower())}
    wanted = [rf"(?<![A-Za-z0-9]){re.escape(customer_id)}(?![A-Za-z0-9])"]
    wanted += [re.escape(form) for form in sorted(forms) if form]
    pattern = re.compile("|".join(wanted).encode())
    found = []
    for path in sorted(folder.rglob("*")):
        if pattern.search(str(path.relative_to(folder)).encode()):
            found.append(f"{path}: its name")
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        if pattern.search(content):
            found.append(f"{path}: its bytes")
        if path.suffix == ".gz" and pattern.search(gzip.decompress(content)):
            found.append(f"{path}: its content")
        if path.suffix == ".parquet":
            found += _in_tables(path, None, customer_id, forms)
        if path.suffix == ".duckdb":
            found += _in_tables(path, path, customer_id, forms)
    return found


def _in_tables(
    path: Path, database: Path | None, customer_id: str, texts: Collection[str]
) -> Iterator[str]:
    pattern = literal(pattern_of([customer_id]))
    place, is_file = str(database or ":memory:"), database is not None
    with duckdb.connect(place, read_only=is_file) as connection:
        relations = [read_parquet(path)]
        if is_file:
            tables = connection.execute("select table_name from duckdb_tables()").fetchall()
            relations = [identifier(table) for (table,) in tables]
        for relation in relations:
            for name in text_columns(connection, relation):
                column = identifier(name)
                counted = connection.execute(
                    f"select count(*) from {relation} where regexp_matches({column}, {pattern}) "
                    f"or list_contains(?, {column})",
                    [list(texts)],
                ).fetchone()
                if counted and counted[0]:
                    yield f"{path}: {counted[0]} values of {relation}.{name}"
