"""Files by content, and JSON documents that are whole or not there."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from python_ml.errors import on_disk

if TYPE_CHECKING:  # whoever has a data frame has imported it
    import pandas as pd


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON document, or None where there is none that can be read."""
    try:
        document: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8"))
        return document
    except (OSError, ValueError):
        return None


def json_text(document: Any, **options: Any) -> str:
    """A document as JSON that UTF-8 can hold.

    Half a surrogate pair, from a file name that is not UTF-8, is written as JSON's `\\udcff`, and
    read back as what it was.

    Args:
        document: what `json.dumps` takes.
        options: of `json.dumps`.
    """
    text = json.dumps(document, ensure_ascii=False, **options)
    return text.encode(errors="backslashreplace").decode()


def json_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a data frame by column name; what is not there is null, as JSON has no NaN."""
    known = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in known.to_dict("records")]


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document, whole or not at all, and on disk when it is written.

    Raises:
        ServiceError: the disk refuses.
    """
    unfinished = path.with_name(f".{path.name}.tmp")
    with on_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("w", encoding="utf-8") as stream:
            stream.write(json_text(document, indent=2, default=str))
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)


def allow_fields(length: int) -> None:
    """Let the csv library read fields of so many characters.

    Its limit is one for the whole process, so it is only ever raised.
    """
    csv.field_size_limit(max(csv.field_size_limit(), length + 1))
