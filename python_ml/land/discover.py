"""Which file of a folder or bucket prefix is which of the seven."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from python_ml.contracts.schema import TableSchema
from python_ml.errors import BadInputError, ServiceError, TransientError
from python_ml.land.mapping import BatchMapping, SourceMapping
from python_ml.land.result import Problem, shown
from python_ml.land.s3 import CHECK, is_s3, open_place

_KINDS = {
    ".csv": "csv",
    ".csv.gz": "csv",
    ".parquet": "parquet",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xls": "excel",
    ".json": "json",
    ".json.gz": "json",
    ".jsonl": "json",
    ".jsonl.gz": "json",
    ".ndjson": "json",
    ".ndjson.gz": "json",
}
_NAME = re.compile(
    r"(?P<stem>.+?)(?P<extension>\.(csv|json|jsonl|ndjson|txt)(\.gz)?|\.parquet|\.xls[xm]?)?\Z",
    re.I | re.S,
)
_FORMATS = "CSV, CSV.gz, Parquet, Excel, JSON array or JSON lines"
_BROKEN = "a link that leads nowhere"


HOURS_PER_READING = 365 * 24 / 12 / 48  # where two typical days stand for a month


@dataclass(frozen=True)
class Entry:
    """One object of the source. `version` changes when its bytes do."""

    path: str
    size: int
    version: str


@dataclass(frozen=True)
class RawFile:
    """One file, or one folder of parts, and the table that it stands for.

    `kind` is what the name of a file says (csv, json, parquet, excel; unknown where it has no
    ending), or `parts`. `mapping` is what the mapping says of the table's files; empty where there
    is none.
    """

    table: TableSchema
    label: str
    kind: str
    year: int | None
    entries: tuple[Entry, ...]
    mapping: SourceMapping = field(default_factory=SourceMapping)

    @property
    def is_spread(self) -> bool:
        """Whether two days stand for each month: periods.py has written it, and not the source."""
        return Path(self.entries[0].path).is_absolute()

    def paths(self, root: Path) -> list[Path]:
        return [root / entry.path for entry in self.entries]


def list_source(source: str | Path) -> list[Entry]:
    """Every object below the source, by path.

    Raises:
        BadInputError: there is no such folder or prefix, or it is empty.
    """
    if is_s3(source):
        entries = _list_s3(str(source))
    else:
        require_source(source)
        root = Path(source)
        entries = [_entry(root, path) for path in sorted(_files(root, root, frozenset()))]
    if not entries:
        raise BadInputError(f"{source}: holds no file. Name the folder with the raw files.")
    return entries


def _files(root: Path, folder: Path, above: frozenset[str]) -> Iterator[Path]:
    """Every file below a folder, links followed; a link to a folder above it is not."""
    real = os.path.realpath(folder)
    if real in above:
        return
    for entry in os.scandir(folder):
        if entry.is_dir():
            yield from _files(root, Path(entry.path), above | {real})
        elif entry.is_file() or entry.is_symlink():
            yield Path(entry.path)


def _entry(root: Path, path: Path) -> Entry:
    name = path.relative_to(root).as_posix()
    try:
        stat = path.stat()
    except OSError:
        return Entry(name, 0, _BROKEN)
    return Entry(name, stat.st_size, f"{stat.st_mtime_ns}")


def kind_of(name: str) -> str | None:
    """The format that a file's name says; None where it says none."""
    found = _NAME.match(name)
    return _KINDS.get((found["extension"] or "").lower()) if found else None


def _require_utf_8(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise BadInputError(f"{path!r}: the name is not UTF-8. Rename the folder.") from error


def require_source(source: str | Path) -> None:
    """Make sure, before anything is begun, that a folder is there. What lies in it, or at an
    `s3://` prefix, is looked at when it is read.

    Raises:
        BadInputError: there is no such folder.
    """
    if is_s3(source):
        return
    _require_utf_8(str(source))
    try:
        is_there = Path(source).is_dir() and os.access(source, os.R_OK | os.X_OK)
    except (OSError, ValueError) as error:  # too long, or a NUL within
        raise BadInputError(f"{str(source)[:200]}: {error.args[-1]}") from error
    if not is_there:
        raise BadInputError(
            f"{source}: no such folder, or it cannot be read. Name the folder with the raw files."
        )


def assign(
    entries: Iterable[Entry],
    schemas: Mapping[str, TableSchema],
    mapping: BatchMapping | None = None,
) -> tuple[list[RawFile], list[str], list[Problem]]:
    """Files by table in the order of the schema, names that stand for nothing, and problems.

    Args:
        entries: everything below the source.
        schemas: as the mapping declares them.
        mapping: says which files stand for which table; other tables go by the names of files.
    """
    mapping = mapping or BatchMapping()
    entries = list(entries)
    declared = _declared(entries, schemas, mapping)
    taken = {entry for it in declared if isinstance(it, RawFile) for entry in it.entries}
    groups: dict[str, list[Entry]] = {}
    found = [it for it in declared if isinstance(it, RawFile)]
    problems = [it for it in declared if isinstance(it, Problem)]
    ignored: list[str] = []
    by_name = {
        name: schema
        for name, schema in schemas.items()
        if not (mapping.source(name).files or mapping.source(name).absent)
    }
    for entry in entries:
        if entry in taken:
            continue
        parts = entry.path.split("/")
        if any(part.startswith((".", "_")) for part in parts):
            continue
        if "" in parts:  # a key of a bucket: no folder can hold it, and no path name it
            what = Problem(
                entry.path, "the key has two slashes in a row", "Copy the object to another key."
            )
            names = [part for part in parts if part]
            stands = any(stands_for(name, it) for name in names[:1] for it in by_name.values())
            problems += [what] if stands else []
            ignored += [] if stands else [entry.path]
            continue
        groups.setdefault(parts[0], []).append(entry)
    for label, members in groups.items():
        match _recognise(label, members, by_name):
            case RawFile() as raw:
                found.append(replace(raw, mapping=mapping.source(raw.table.name)))
            case Problem() as problem:
                problems.append(problem)
            case None:
                ignored.append(label)
    named_in_problems = {problem.file for problem in problems}
    for schema in by_name.values():
        of_table = [raw for raw in found if raw.table is schema]
        problems += _twice(of_table)
        is_wanted = not schema.meta.get("supplementary")
        if (
            is_wanted
            and not of_table
            and not any(stands_for(name, schema) for name in named_in_problems)
        ):
            problems.append(_missing(schema, ignored))
    problems += [
        Problem(
            name,
            f"it is named like a part of {schema.file} and would not be read",
            f"Put it into the folder of its year, name it {schema.file}, or move it away.",
        )
        for schema in by_name.values()
        if "{year}" in str(schema.file)
        for name in ignored
        if name.lower().startswith(str(schema.file).partition("{")[0])
    ]
    order = list(schemas)
    found = list({(raw.table.name, raw.year): raw for raw in found}.values())
    found.sort(key=lambda raw: (order.index(raw.table.name), raw.label))
    return found, ignored, problems


def _declared(
    entries: Sequence[Entry], schemas: Mapping[str, TableSchema], mapping: BatchMapping
) -> list[RawFile | Problem]:
    """The files that a mapping names, of one format a table."""
    found: list[RawFile | Problem] = []
    for name, schema in schemas.items():
        source = mapping.source(name)
        if not source.files:
            continue
        members = tuple(entry for entry in entries if source.holds(entry.path))
        if not members:
            what = f"no file is named {' or '.join(source.files)}"
            found.append(Problem(name, what, f"Correct sources.{name}.files in the mapping."))
            continue
        label = " and ".join(entry.path for entry in members[:3])
        label += f" and {len(members) - 3:,} more" if len(members) > 3 else ""
        if problem := _unusable(members):
            found.append(problem)
        else:
            year = re.search(r"(?:19|20)\d{2}", label) if "{year}" in str(schema.file) else None
            kind = kind_of(members[0].path) or "unknown" if len(members) == 1 else "parts"
            found.append(
                RawFile(schema, label, kind, int(year[0]) if year else None, members, source)
            )
    return found


def _unusable(members: Sequence[Entry]) -> Problem | None:
    """A problem with the first file that leads nowhere or is empty."""
    for entry in members:
        if entry.version == _BROKEN:
            what = "the link leads nowhere"
            return Problem(entry.path, what, "Copy the file to its place, or remove the link.")
        if entry.size == 0:
            return Problem(entry.path, "the file is empty", "Export it again.", rows=0)
    return None


def _recognise(
    label: str, members: list[Entry], schemas: Mapping[str, TableSchema]
) -> RawFile | Problem | None:
    for schema in schemas.values():
        if not (match := stands_for(label, schema)):
            continue
        year = int(match["year"]) if "year" in match.groupdict() else None
        kind = (kind_of(label) or "unknown") if members[0].path == label else "parts"
        return _unusable(members) or RawFile(schema, label, kind, year, tuple(members))
    return None


def raw_file(path: Path, schema: TableSchema) -> RawFile:
    """One local file, whatever its name, as the file of a table.

    Raises:
        BadInputError: it is not there, empty, or of an unknown format.
    """
    kind = kind_of(path.name)
    if not path.is_file():
        raise BadInputError(f"{path}: no such file. Name a file as {_FORMATS}.")
    if kind is None:
        raise BadInputError(f"{path}: its format is unknown. Accepted: {_FORMATS}.")
    if not (size := path.stat().st_size):
        raise BadInputError(f"{path}: the file is empty. Export it again.")
    entry = Entry(path.name, size, "")
    return RawFile(schema, path.name, kind, None, (entry,))


def stands_for(label: str, schema: TableSchema) -> re.Match[str] | None:
    """Whether a name is that of the table's file, whatever its extension."""
    name = _NAME.match(label)
    assert name is not None and schema.file is not None
    pattern = re.escape(schema.file).replace(r"\{year\}", r"(?P<year>[0-9]{4})")
    return re.fullmatch(pattern, name["stem"], re.I)


def _twice(files: list[RawFile]) -> list[Problem]:
    by_year: dict[int | None, list[RawFile]] = {}
    for raw in files:
        by_year.setdefault(raw.year, []).append(raw)
    return [
        Problem(
            " and ".join(raw.label for raw in same),
            f"{len(same)} files stand for {same[0].table.name}",
            "Keep one of them in the folder.",
        )
        for same in by_year.values()
        if len(same) > 1
    ]


def _missing(schema: TableSchema, ignored: list[str]) -> Problem:
    expected = str(schema.file).replace("{year}", "<year>")
    similar = difflib.get_close_matches(expected, ignored, n=1, cutoff=0.5)
    hint = f" {shown(similar[0])} looks like it: rename it or export it anew." if similar else ""
    return Problem(expected, "the file is missing", f"Add it as {_FORMATS}.{hint}")


def fetch(source: str, files: Iterable[RawFile], target: Path) -> None:
    """Copy the files of an S3 prefix into a local folder, under their own relative paths."""
    client, bucket, prefix = _folder(source)
    for raw in files:
        for entry in raw.entries:
            path = target / entry.path
            path.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(Bucket=bucket, Key=prefix + entry.path, Filename=str(path))


def _list_s3(source: str) -> list[Entry]:
    client, bucket, prefix = _folder(source)
    try:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        objects = [item for page in pages for item in page.get("Contents", [])]
    except TransientError:
        raise
    except ServiceError as error:
        raise BadInputError(f"{source}: {error}. {CHECK}") from error
    return [
        Entry(item["Key"].removeprefix(prefix), item["Size"], item["ETag"])
        for item in objects
        if not item["Key"].endswith("/")
    ]


def _folder(source: str) -> tuple[Any, str, str]:
    client, bucket, prefix = open_place(source)
    return client, bucket, f"{prefix}/" if prefix else ""
