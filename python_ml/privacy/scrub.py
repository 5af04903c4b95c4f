"""Removal of people from Parquet files. Each file is replaced whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from python_ml.privacy.traces import Traces

Source: TypeAlias = Path | Any  # Any: a file of Arrow


@dataclass(frozen=True)
class Scrubbed:
    """Rows of a file that were removed, and rows that lost a mention."""

    removed: int = 0
    changed: int = 0

    @property
    def total(self) -> int:
        return self.removed + self.changed


def is_text(kind: pa.DataType) -> bool:
    """Whether values of an Arrow type are texts."""
    answer: bool = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return answer


def holds_text(kind: pa.DataType) -> bool:
    """Whether values of an Arrow type may hold texts: strings, bytes, and what is nested."""
    return (
        is_text(kind)
        or pa.types.is_nested(kind)
        or pa.types.is_dictionary(kind)
        or (pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
    )


def distinct_texts(
    source: Source, id_columns: Collection[str] = ()
) -> Iterator[tuple[str, pa.Array]]:
    """Column, and different texts of it in one group of rows, of a Parquet file.

    Only the dictionaries of the file are looked at where it has some, which is quick.

    Args:
        source: the file.
        id_columns: names, in lower case, of columns that are looked at whatever they hold.
    """
    fields = [
        field
        for field in pq.ParquetFile(source).schema_arrow
        if holds_text(field.type) or field.name.lower() in id_columns
    ]
    names = [field.name for field in fields]
    plain = [field.name for field in fields if is_text(field.type)]
    file = pq.ParquetFile(_again(source), read_dictionary=plain)
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, columns=names)
        for name in table.column_names:
            for chunk in table[name].chunks:
                yield name, _texts(chunk)


def ids_in(path: Path, id_pattern: str) -> set[str]:
    """Customers that a Parquet file names in any of its texts, spelt as there and in capitals."""
    pattern = rf"(?<![A-Za-z0-9])(?:{id_pattern})(?![A-Za-z0-9])"
    known = re.compile(pattern, re.IGNORECASE)
    found: set[str] = set()
    for _, texts in distinct_texts(path):
        hits = pc.match_substring_regex(texts, id_pattern, ignore_case=True)
        for text in texts.filter(hits).to_pylist():
            found.update(match[0] for match in known.finditer(text or ""))
    return found | {each.upper() for each in found}


def matching_values(source: Source, traces: Traces) -> dict[str, set[str]]:
    """Column -> its different texts that hold a trace."""
    found: dict[str, set[str]] = {}
    for name, texts in distinct_texts(source, traces.id_columns if traces.numbers else ()):
        hits = _suspects(texts, traces)
        if values := {value for value in hits if traces.is_in_field(name.lower(), value)}:
            found.setdefault(name, set()).update(values)
    return found


def count_rows(source: Source, values: dict[str, set[str]]) -> int:
    """Rows of a Parquet file that hold one of some values, as `matching_values` gives them."""
    file = pq.ParquetFile(source)
    tables = (file.read_row_group(n, columns=list(values)) for n in range(file.num_row_groups))
    return sum(_true(_mask(table, values)) for table in tables)


def scrub_parquet(
    path: Path, traces: Traces, before: Callable[[Path], None] | None = None
) -> Scrubbed:
    """Write a Parquet file again without a person's rows, and without mentions in those of others.

    Order, schema and compression stay. A hard link to the same bytes elsewhere stays as it was.

    Args:
        path: the file.
        traces: of the person.
        before: called with the finished file before it takes the place of the other.
    """
    values = matching_values(path, traces)
    if not values:
        return Scrubbed()
    file = pq.ParquetFile(path)
    schema, removed, touched = file.schema_arrow, 0, 0
    gone, changed = _decide(schema, values, traces)
    unfinished = path.with_name(f".{path.name}.tmp")
    with pq.ParquetWriter(unfinished, schema, compression=_compression(file)) as writer:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            touched += _true(_mask(table, values))
            removed += _true(is_gone := _mask(table, gone))
            table = _without_unused(table.filter(pc.invert(is_gone)))
            for name, texts in changed.items():
                table = table.set_column(
                    table.column_names.index(name), schema.field(name), _replace(table[name], texts)
                )
            writer.write_table(table)
    if before is not None:
        before(unfinished)
    unfinished.replace(path)
    return Scrubbed(removed, touched - removed)


def _again(source: Source) -> Source:
    if not isinstance(source, Path):
        source.seek(0)
    return source


def _texts(chunk: pa.Array) -> pa.Array:
    """A dictionary of texts, or the texts themselves; what is nested as its JSON-like form."""
    if pa.types.is_dictionary(chunk.type):
        return _texts(chunk.dictionary)
    if is_text(chunk.type):
        return chunk
    return pa.array([_shown(value) for value in chunk.to_pylist()], pa.string())


def _shown(value: Any) -> str | None:
    if value is None:
        return None
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _suspects(texts: pa.Array, traces: Traces) -> list[str]:
    """Texts that hold a seed of the traces: few, so that each can be looked at for itself."""
    if not len(texts):
        return []
    pattern = "|".join(re.escape(seed) for seed in traces.seeds)
    hits = pc.match_substring_regex(texts, pattern, ignore_case=True)
    return [value for value in texts.filter(hits).to_pylist() if value is not None]


def _decide(
    schema: pa.Schema, values: dict[str, set[str]], traces: Traces
) -> tuple[dict[str, set[str]], dict[str, dict[str, str]]]:
    """Values whose rows go, and values that are replaced, by column."""
    gone: dict[str, set[str]] = {}
    changed: dict[str, dict[str, str]] = {}
    for name, texts in values.items():
        for text in texts:
            if traces.is_record(name.lower(), text) or not is_text(schema.field(name).type):
                gone.setdefault(name, set()).add(text)
            else:
                changed.setdefault(name, {})[text] = traces.redact(text)
    return gone, changed


def _mask(table: pa.Table, values: dict[str, set[str]]) -> pa.Array:
    """Which rows hold one of the values of some column."""
    mask = pa.array([False] * len(table), pa.bool_())
    for name, wanted in values.items():
        column = table[name].combine_chunks()
        if not is_text(column.type):
            column = pa.array([_shown(value) for value in column.to_pylist()], pa.string())
        hits = pc.is_in(column, value_set=pa.array(sorted(wanted), column.type))
        mask = pc.or_(mask, hits)
    return mask


def _without_unused(table: pa.Table) -> pa.Table:
    """The table, with dictionaries of the values that are still there alone."""
    for index, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            plain = table[field.name].cast(field.type.value_type)
            table = table.set_column(index, field, plain.dictionary_encode().cast(field.type))
    return table


def _true(mask: pa.Array) -> int:
    return int(pc.sum(mask).as_py() or 0)


def _replace(column: pa.ChunkedArray, texts: dict[str, str]) -> pa.ChunkedArray:
    old, new = (pa.array(each, column.type) for each in (list(texts), list(texts.values())))
    return pc.coalesce(pc.take(new, pc.index_in(column, value_set=old)), column)


def _compression(file: pq.ParquetFile) -> str:
    """That of a file with at least one value."""
    text: str = (
        file.metadata.row_group(0).column(0).compression.lower().replace("uncompressed", "none")
    )
    return text
