"""How much a compressed file holds: a few kilobytes can expand until the disk is full."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from python_ml.land.result import Problem
from python_ml.settings import LandSettings

_CHUNK = 1 << 20  # bytes
_NUMBER = 8  # bytes of a value in memory, at least
_GZIP = b"\x1f\x8b"


def is_gzip(path: Path) -> bool:
    """Whether a file is gzip, whatever its name."""
    return starts_with(path, _GZIP)


def starts_with(path: Path, magic: bytes) -> bool:
    """Whether the first bytes of a file are these."""
    with path.open("rb") as stream:
        return stream.read(len(magic)) == magic


def gzip_problem(path: Path, label: str, land: LandSettings) -> Problem | None:
    """What is wrong with a gzip file, read to its end or to its limit.

    The engine reads a truncated one as a shorter one without a word.

    Args:
        path: the file.
        label: its name in messages.
        land: the section of the settings.
    """
    limit, count = _limit(path, land), 0
    try:
        with gzip.open(path, "rb") as stream:
            while chunk := stream.read(_CHUNK):
                count += len(chunk)
                if count > limit:
                    return _too_much(path, label, land)
    except (OSError, EOFError, zlib.error) as error:
        what = f"the gzip file is truncated or corrupt: {error}"
        return Problem(label, what, "Copy it again.")
    return None


def parquet_problem(path: Path, label: str, land: LandSettings) -> Problem | None:
    """Whether a Parquet file says of itself that it holds too much; an unreadable one does not."""
    try:
        footer = pq.read_metadata(path)
    except (OSError, ValueError, pa.ArrowException):
        return None
    if footer.num_columns > land.maximum_columns:  # the engine takes minutes over them
        return Problem(
            label,
            f"{path.name} has {footer.num_columns:,} columns, more than land.maximum_columns",
            "Export it again.",
        )
    encoded = sum(footer.row_group(i).total_byte_size for i in range(footer.num_row_groups))
    in_memory = footer.num_rows * footer.num_columns * _NUMBER  # runs of equal values are short
    return _too_much(path, label, land) if max(encoded, in_memory) > _limit(path, land) else None


def workbook_problem(path: Path, label: str, land: LandSettings) -> Problem | None:
    """Whether the parts of a workbook hold too much; an unreadable one does not say."""
    try:
        with zipfile.ZipFile(path) as book:
            count = sum(part.file_size for part in book.infolist())
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return None
    return _too_much(path, label, land) if count > _limit(path, land) else None


def _limit(path: Path, land: LandSettings) -> float:
    return max(land.expansion_allowed_gb * 1e9, land.maximum_expansion * path.stat().st_size)


def _too_much(path: Path, label: str, land: LandSettings) -> Problem:
    size = path.stat().st_size
    return Problem(
        label,
        f"{path.name} expands to more than {_limit(path, land) / 1e9:,.1f} GB from {size:,} bytes",
        "If it is what you mean to land, raise land.maximum_expansion (times its size) or "
        "land.expansion_allowed_gb in the settings.",
    )
