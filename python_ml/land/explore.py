"""What the files of a folder hold, column by column, whatever their names: facts, no guesses."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from python_ml.contracts.schema import DELIMITERS, ColumnSchema, TableSchema
from python_ml.engines.sql import files, literal, literals, one_row
from python_ml.land.convert import BOOLEAN_WORDS, MISSING_WORDS, YEAR_LAST
from python_ml.land.discover import Entry, RawFile, kind_of
from python_ml.land.mapping import ColumnMapping, SourceMapping
from python_ml.land.parts import prepare, text_stream
from python_ml.land.read import DAMAGED, open_raw, unreadable
from python_ml.land.result import Refusal
from python_ml.settings import LandSettings

_START = 4_000_000  # bytes that tell an encoding
_SHAPES = {
    "hash of 32 digits": r"[0-9a-f]{32}",
    "CUPS": r"ES[0-9]{16}[A-Z]{2}([0-9][A-Z])?",
    "C and digits": r"C[0-9]{5,9}",
    "digits": r"[0-9]+",
}
# A decimal comma, with or without points between thousands.
_COMMA = r"^[-+]?(\d*|\d{1,3}(\.\d{3})+),\d+$"
_YES_NO = (*BOOLEAN_WORDS["true"], *BOOLEAN_WORDS["false"])


@dataclass(frozen=True)
class ColumnFacts:
    """One column of a file; counts are of rows."""

    name: str
    filled: int
    distinct: int
    numbers: int  # with a decimal point, or whole
    comma_numbers: int  # that only a decimal comma explains
    year_first: int
    year_last: int
    day_first: int  # of those with the year last, the first number is above 12
    month_first: int
    yes_no: int
    shape: str | None  # that all values have
    minimum: float | None
    maximum: float | None
    mean: float | None
    first_date: str | None
    last_date: str | None
    length: float  # mean, in characters
    examples: list[str]

    def share(self, count: int) -> float:
        return count / self.filled if self.filled else 0.0

    @property
    def kind(self) -> str:
        """What the values are: nothing, date, yes or no, number, text."""
        if not self.filled:
            return "nothing"
        if self.share(self.year_first + self.year_last) > 0.95:
            return "date"
        if self.yes_no == self.filled and self.distinct <= 2:
            return "yes or no"
        if self.share(self.numbers + self.comma_numbers) > 0.95:
            return "number"
        return "text"


@dataclass(frozen=True)
class FileFacts:
    """One file, or one folder of parts."""

    label: str
    pattern: str  # that the mapping can name it by
    rows: int
    kind: str
    encoding: str | None = None
    delimiter: str | None = None
    columns: list[ColumnFacts] = field(default_factory=list)
    problem: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "columns": [asdict(it) | {"kind": it.kind} for it in self.columns]}


def explore(
    connection: duckdb.DuckDBPyConnection,
    entries: Iterable[Entry],
    root: Path,
    land: LandSettings,
    scratch: Path,
) -> list[FileFacts]:
    """Look into every file, or folder of parts, below a folder; one that cannot be read says why.

    Args:
        connection: for the work.
        entries: of the folder.
        root: the folder.
        land: the section of the settings, with the limits.
        scratch: for copies.
    """
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        parts = entry.path.split("/")
        if not any(part.startswith((".", "_")) or not part for part in parts):
            groups.setdefault(parts[0], []).append(entry)
    return [
        _file(connection, label, members, root, land, scratch / f"{number}")
        for number, (label, members) in enumerate(sorted(groups.items()))
    ]


def _file(
    connection: duckdb.DuckDBPyConnection,
    label: str,
    members: list[Entry],
    root: Path,
    land: LandSettings,
    scratch: Path,
) -> FileFacts:
    is_folder = members[0].path != label
    pattern = f"{label}/*" if is_folder else label
    paths = [root / entry.path for entry in members]
    kind = kind_of(paths[0].name) or "unknown"
    encoding = delimiter = None
    try:
        if kind in ("csv", "unknown"):
            encoding, delimiter = _dialect(paths[0])
        said = SourceMapping(encoding=encoding, delimiter=delimiter)
        empty = TableSchema("inspected", (), meta={"optional": True})
        raw = RawFile(empty, label, "parts" if is_folder else kind, None, tuple(members), said)
        part = prepare(raw, paths[0], land, scratch)
        names = _names(connection, part.kind, part.path, part.header)
        mapped = {f"c{n}": ColumnMapping(column=name) for n, name in enumerate(names)}
        columns = tuple(ColumnSchema(name, "varchar", {"required": False}) for name in mapped)
        raw = RawFile(
            TableSchema("inspected", columns, meta={"optional": True}),
            label,
            raw.kind,
            None,
            tuple(members),
            said.model_copy(update={"columns": mapped, "ignore": ["*"]}),
        )
        source = open_raw(connection, raw, paths, land, scratch)
        rows = one_row(connection, f"select count(*) from {source.relation}")[0]
        facts = [
            _column(connection, source.relation, names[int(name[1:])], raw_sql)
            for name, (raw_sql, _) in source.columns.items()
        ]
    except Refusal as refusal:
        return FileFacts(label, pattern, 0, kind, problem=str(refusal))
    except DAMAGED as error:
        return FileFacts(label, pattern, 0, kind, problem=unreadable(raw, error).what)
    except (OSError, ValueError) as error:
        return FileFacts(label, pattern, 0, kind, problem=str(error))
    return FileFacts(label, pattern, rows, part.kind, encoding, delimiter, facts)


def _dialect(path: Path) -> tuple[str | None, str | None]:
    """Encoding, where it is not UTF-8 or proven, and delimiter of a text file."""
    with text_stream(path) as stream:
        start = stream.read(_START)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") or start[:4] == b"PAR1":
        return None, None
    encoding = None
    try:
        text = start.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start > len(start) - 4:  # a character that the sample cuts
            text = start[: error.start].decode("utf-8-sig")
        else:
            encoding, text = "cp1252", start.decode("cp1252", errors="replace")
    head = next((line for line in text.splitlines() if line.strip()), "")
    cells = {sign: len(next(csv.reader([head], delimiter=sign), [])) for sign in DELIMITERS}
    best = max(cells, key=lambda sign: cells[sign])
    return encoding, best if cells[best] > 1 and not head.lower().startswith("sep=") else None


def _names(
    connection: duckdb.DuckDBPyConnection, kind: str, path: Path, header: tuple[str, ...]
) -> list[str]:
    if kind == "csv":
        return [name.strip().lstrip("\ufeff") for name in header if name.strip()]
    if kind == "parquet":
        rows = connection.execute(
            f"describe select * from read_parquet({files(path)}, hive_partitioning = false)"
        ).fetchall()
        return [row[0] for row in rows]
    rows = connection.execute(
        f"select distinct unnest(json_keys(json)) from read_json_objects({files(path)}) order by 1"
    ).fetchall()
    return [row[0] for row in rows]


def _column(
    connection: duckdb.DuckDBPyConnection, relation: str, name: str, raw: str
) -> ColumnFacts:
    """The whole column, in one scan."""
    year_last = literal(YEAR_LAST)
    shapes = ", ".join(
        f"count_if(regexp_full_match(v, {literal(pattern)}))" for pattern in _SHAPES.values()
    )
    comma = "try_cast(replace(replace(v, '.', ''), ',', '.') as double)"
    number = f"if(is_comma, {comma}, try_cast(v as double))"
    row = one_row(
        connection,
        f"""
        select count(v), approx_count_distinct(v),
            count_if(not is_comma and try_cast(v as double) is not null),
            count_if(is_comma and {comma} is not null),
            count_if(regexp_matches(v, '^\\d{{4}}[-/]\\d{{2}}[-/]\\d{{2}}')),
            count_if(regexp_matches(v, {year_last})),
            count_if(try_cast(regexp_extract(v, {year_last}, 1) as integer) > 12),
            count_if(try_cast(regexp_extract(v, {year_last}, 2) as integer) > 12),
            count_if(lower(v) in ({literals(_YES_NO)})),
            min({number}), max({number}), avg({number}),
            min(try_cast(v as date))::varchar, max(try_cast(v as date))::varchar,
            coalesce(avg(length(v)), 0), min(v), max(v), any_value(v), {shapes}
        from (select *, regexp_matches(v, {literal(_COMMA)}) as is_comma from (
            select case when lower(trimmed) not in ({literals(MISSING_WORDS)}) then trimmed end as v
            from (select nullif(trim(cast({raw} as varchar)), '') as trimmed from {relation})))
        """,
    )
    filled, distinct, *counts = row[:9]
    low, high, mean, first, last, length, *examples = row[9:18]
    shape = next(
        (kind for kind, n in zip(_SHAPES, row[18:], strict=True) if filled and n == filled), None
    )
    shown = sorted({value[:40] for value in examples if value is not None})
    points, commas, year_first, years_last, day_first, month_first, yes_no = counts
    return ColumnFacts(
        *(name, filled, distinct, points, commas, year_first, years_last, day_first, month_first),
        *(yes_no, shape, low, high, mean, first, last, length, shown),
    )


def pattern_of(shape: str | None) -> str | None:
    """The regular expression of a shape that all values of a column have."""
    return _SHAPES.get(shape) if shape else None
