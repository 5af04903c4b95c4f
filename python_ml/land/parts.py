"""One part of a raw file made ready for DuckDB: what it is, how its text is written, where it lies.

A file without an ending is known by its first bytes. Text in another encoding and workbooks are
copied into a folder of the landing, as UTF-8 and as Parquet; everything else is read where it is.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from python_ml.contracts.schema import DELIMITERS
from python_ml.documents import allow_fields
from python_ml.land.discover import RawFile, kind_of
from python_ml.land.expansion import is_gzip
from python_ml.land.result import Problem, Refusal
from python_ml.settings import LandSettings

MEGABYTE = 1_000_000
PARQUET = b"PAR1"
_ZIP, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
ENCODING = (
    "Save it as UTF-8, for example with `iconv -f latin1 -t utf-8`, or state the encoding in the "
    "mapping."
)
_CHUNK = 1 << 20  # characters
_SEPARATOR = re.compile(r"sep=(.)\Z", re.I)
_IN_PATH = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=([^/]*)\Z")


@dataclass(frozen=True)
class Part:
    """A part as DuckDB can scan it; parts that differ in their path alone are scanned at once.

    Attributes:
        path: where it lies.
        kind: parquet, csv or json.
        is_packed: gzip.
        delimiter: of a CSV file.
        header: of a CSV file, column by column.
        skipped: lines of a CSV file before the header.
        records: of a JSON file: array, lines, objects, nothing, or the key that wraps them.
        in_path: columns that folders name (`customer_id=C00001`).
    """

    path: Path
    kind: str
    is_packed: bool = False
    delimiter: str = ","
    header: tuple[str, ...] = ()
    skipped: int = 0
    records: str = "array"
    in_path: tuple[str, ...] = ()

    @property
    def form(self) -> Part:
        """What it has in common with the parts that can be scanned with it."""
        return replace(self, path=Path())


def prepare(raw: RawFile, path: Path, land: LandSettings, scratch: Path) -> Part:
    """Find out what a part is, and copy it where DuckDB cannot read it as it is.

    Args:
        raw: the file that it is a part of; its label names the part in messages.
        path: where it lies.
        land: the section of the settings.
        scratch: folder for copies.

    Raises:
        Refusal: it cannot be read.
    """
    kind = _kind(raw, path)
    in_path = tuple(
        found[1].lower() for part in path.parent.parts[-8:] if (found := _IN_PATH.match(part))
    )
    if kind == "parquet":
        return Part(path, "parquet", in_path=in_path)
    if kind == "excel":
        return Part(_workbook(raw, path, land, scratch), "parquet", in_path=in_path)
    path = _as_utf_8(raw, path, scratch)
    try:
        part = _csv(raw, path, land) if kind == "csv" else _json(raw, path, land)
    except (OSError, EOFError, zlib.error) as error:
        what = f"the file is truncated: {error}"
        raise Refusal(Problem(raw.label, what, "Copy it again.")) from error
    return replace(part, is_packed=is_gzip(path), in_path=in_path)


def _kind(raw: RawFile, path: Path) -> str:
    """By its ending; by its first bytes where it has none.

    Raises:
        Refusal: they contradict each other.
    """
    told = kind_of(path.name)
    with path.open("rb") as stream:
        start = stream.read(4)
    holds = {PARQUET: "parquet", _ZIP: "excel", _OLD_EXCEL: "excel"}.get(start)
    if told is not None and holds is not None and told != holds:
        shown = "Parquet" if holds == "parquet" else "a ZIP or Excel file"
        what = f"holds {shown}, not {told.upper() if told != 'excel' else 'Excel'}"
        remedy = "Give it the extension of its format, or export it anew."
        raise Refusal(Problem(raw.label, what, remedy))
    if told in ("parquet", "excel") and holds is None:
        shown = "Parquet" if told == "parquet" else "Excel"
        what = (
            f"{path.name} is not {'a' if told == 'parquet' else 'an'} {shown} file or is truncated"
        )
        raise Refusal(Problem(raw.label, what, "Export or copy it again."))
    if told is not None or holds is not None:
        return told or str(holds)
    try:
        with text_stream(path) as stream:
            first = stream.read(256)
    except (OSError, EOFError, zlib.error) as error:
        what = f"the file is truncated: {error}"
        raise Refusal(Problem(raw.label, what, "Copy it again.")) from error
    text = first.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return "json" if text[:1] in (b"[", b"{") else "csv"


def text_stream(path: Path) -> IO[bytes]:
    """The bytes of a text file, unpacked."""
    return cast(IO[bytes], gzip.open(path)) if is_gzip(path) else path.open("rb")


# ---------------------------------------------------------------- text


def _as_utf_8(raw: RawFile, path: Path, scratch: Path) -> Path:
    """The file, or a copy in UTF-8 where its first bytes or a mapping say that it is not."""
    encoding: str | None = raw.mapping.encoding
    try:
        with text_stream(path) as stream:
            start = stream.read(64)
    except (OSError, EOFError, zlib.error) as error:
        what = f"the file is truncated: {error}"
        raise Refusal(Problem(raw.label, what, "Copy it again.")) from error
    if start.startswith(_UTF_16):
        encoding = "utf-16"
    elif encoding == "utf-16":
        encoding = "utf-16-be" if start[:1] == b"\0" else "utf-16-le"
    if encoding in (None, "utf-8"):
        return path
    copy = scratch / f"{sum(1 for _ in scratch.iterdir()) if scratch.exists() else 0}.txt"
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        with (
            text_stream(path) as stream,
            io.TextIOWrapper(cast(Any, stream), encoding=encoding, newline="") as given,
            copy.open("w", encoding="utf-8", newline="") as target,
        ):
            while chunk := given.read(_CHUNK):
                target.write(chunk)
    except (UnicodeError, OSError, EOFError, zlib.error) as error:
        shown = "UTF-16" if str(encoding).startswith("utf-16") else encoding
        what = f"the text is not {shown}: {error}"
        raise Refusal(Problem(raw.label, what, "Export it again as UTF-8.")) from error
    return copy


def _csv(raw: RawFile, path: Path, land: LandSettings) -> Part:
    skipped = (raw.mapping.header_row or 1) - 1
    delimiter: str | None = raw.mapping.delimiter
    with text_stream(path) as stream:
        for _ in range(skipped):
            _line(raw, stream, land)
        head = _head(raw, _line(raw, stream, land))
        if (separator := _SEPARATOR.match(head)) and raw.mapping.header_row is None:
            skipped, delimiter = 1, delimiter or separator[1]
            head = _head(raw, _line(raw, stream, land))
        following = _line(raw, stream, land)
    delimiter = delimiter or _delimiter(raw, head)
    header = _cells(head, delimiter)
    cells = _cells(following.decode("utf-8", "replace").rstrip("\r\n"), delimiter)
    if len(cells) == len(header) + 1 and cells[-1] == "":  # lines end with a delimiter, not names
        header.append("")
    return Part(path, "csv", delimiter=delimiter, header=tuple(header), skipped=skipped)


def _line(raw: RawFile, stream: IO[bytes], land: LandSettings) -> bytes:
    longest = int(land.maximum_header_mb * MEGABYTE)
    line = stream.readline(longest + 1)
    if len(line) > longest:
        what = f"the first line is longer than {longest:,} bytes (land.maximum_header_mb)"
        raise Refusal(Problem(raw.label, what, "Export it again, one record a line."))
    return line


def _head(raw: RawFile, line: bytes) -> str:
    """The first line of a CSV file as text.

    Raises:
        Refusal: it is no header.
    """
    try:
        head = line.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise Refusal(Problem(raw.label, "the header is not UTF-8", ENCODING)) from error
    if "\0" in head:
        what = "the header has NUL bytes, as binary files and UTF-16 have"
        raise Refusal(Problem(raw.label, what, ENCODING))
    if "\r" in head:
        what = "lines end with a carriage return alone, as on old Macs, or the header has one"
        raise Refusal(Problem(raw.label, what, "Save it with line feeds."))
    return head


def _cells(head: str, delimiter: str) -> list[str]:
    allow_fields(len(head))
    try:
        return next(csv.reader([head], delimiter=delimiter), [])
    except csv.Error:  # a line break within quotes, or NUL
        return head.split(delimiter)


def _delimiter(raw: RawFile, head: str) -> str:
    """The delimiter under which the header holds most names that are known; a comma if none is."""
    known = {name.lower() for column in raw.table.columns for name in column.names}
    known |= {name.lower() for it in raw.mapping.columns.values() for name in it.names}
    known |= {name.lower() for name in (raw.mapping.readings.names if raw.mapping.readings else ())}

    def hits(delimiter: str) -> int:
        return sum(name.strip().lower() in known for name in _cells(head, delimiter))

    return max(DELIMITERS, key=hits)


def _json(raw: RawFile, path: Path, land: LandSettings) -> Part:
    """Whether records are an array, one a line, or wrapped in an object."""
    longest = int(land.maximum_record_mb * MEGABYTE)
    with text_stream(path) as stream:
        first = stream.readline(longest).lstrip(b"\xef\xbb\xbf \t\r\n")
        while not first and (line := stream.readline(longest)):
            first = line.strip()
        rest = stream.read(2)
    if first[:1] == b"[":
        is_empty = not first.strip()[1:].strip(b" \t\r\n]") and not rest.strip(b" \t\r\n]")
        return Part(path, "json", records="nothing" if is_empty else "array")
    if first[:1] != b"{":
        what = "is neither a JSON array of records nor JSON lines"
        raise Refusal(Problem(raw.label, what, "Write one JSON object a record."))
    try:
        record = json.loads(first)
    except RecursionError:
        return Part(path, "json", records="lines")
    except ValueError:  # a line that is damaged, or one object on several lines
        if (b":" in first and first.rstrip().endswith((b"[", b"{", b","))) or len(first) < 3:
            return Part(path, "json", records="objects")
        return Part(path, "json", records="lines")
    lists = [key for key, value in record.items() if isinstance(value, list)]
    is_wrapped = len(lists) == 1 and all(isinstance(it, dict) for it in record[lists[0]])
    if is_wrapped and not rest.strip():
        return Part(path, "json", records=f"in {lists[0]}" if record[lists[0]] else "nothing")
    return Part(path, "json", records="lines")


# ---------------------------------------------------------------- workbooks


def _workbook(raw: RawFile, path: Path, land: LandSettings, scratch: Path) -> Path:
    """One sheet of a workbook as a Parquet file of texts."""
    import python_calamine  # not before a workbook is there

    try:
        with path.open("rb") as stream, python_calamine.load_workbook(stream) as book:
            names = list(book.sheet_names)
            wanted = raw.mapping.sheet or (names[0] if names else "")
            if wanted not in names:
                what = f"there is no sheet {wanted!r}; the workbook has {', '.join(names)}"
                raise Refusal(Problem(raw.label, what, "Correct sheet in the mapping."))
            rows = book.get_sheet_by_name(wanted).to_python(skip_empty_area=False)
    except Refusal:
        raise
    except BaseException as error:
        # The library is compiled: what it cannot read may also end in its own kind of panic.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        what = f"the workbook cannot be read: {str(error)[:200]}"
        raise Refusal(Problem(raw.label, what, "Save it again as .xlsx.")) from error
    first = (raw.mapping.header_row or 0) - 1
    if first < 0:
        first = next((at for at, row in enumerate(rows) if any(cell != "" for cell in row)), 0)
    header = [_cell(cell) or "" for cell in rows[first]] if first < len(rows) else []
    if len(header) > land.maximum_columns:
        what = f"the sheet has {len(header):,} columns, more than land.maximum_columns"
        raise Refusal(Problem(raw.label, what, "Export it again."))
    columns = [list(map(_cell, column)) for column in zip(*rows[first + 1 :], strict=False)]
    kept = [
        (name.strip(), values)
        for name, values in zip(header, columns or [[] for _ in header], strict=False)
        if name.strip() or any(value is not None for value in values)
    ]
    if any(not name for name, _ in kept):
        what = "a column without a name has values"
        raise Refusal(Problem(raw.label, what, "Name it, or remove it."))
    if len({name for name, _ in kept}) < len(kept):
        raise Refusal(Problem(raw.label, "two columns have one name", "Rename one of them."))
    scratch.mkdir(parents=True, exist_ok=True)
    copy = scratch / f"{sum(1 for _ in scratch.iterdir())}.parquet"
    pq.write_table(
        pa.table(
            [pa.array(values, pa.string()) for _, values in kept], names=[name for name, _ in kept]
        ),
        copy,
    )
    return copy


def _cell(value: object) -> str | None:
    """A cell as text that is read like that of a CSV file."""
    text: str | None = str(value)
    match value:
        case bool():
            text = "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e15:
            text = str(int(value))
        case dt.datetime():
            rounded = value + dt.timedelta(microseconds=500_000)
            midnight = (rounded.hour, rounded.minute, rounded.second) == (0, 0, 0)
            text = f"{rounded:%Y-%m-%d}" if midnight else f"{rounded:%Y-%m-%d %H:%M:%S}"
        case dt.timedelta():
            minutes = round(value.total_seconds() / 60)
            text = f"{minutes // 60:02}:{minutes % 60:02}"
        case "" | None:
            text = None
    return text


def forms(parts: list[Part]) -> Iterator[tuple[Part, list[Path]]]:
    """Parts that can be scanned at once, by their form."""
    groups: dict[Part, list[Path]] = {}
    for part in parts:
        groups.setdefault(part.form, []).append(part.path)
    yield from groups.items()
