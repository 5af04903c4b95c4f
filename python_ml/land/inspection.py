"""A folder of any files, looked into: what they are taken for, and the mapping that says so."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from python_ml.contracts.schema import load_source
from python_ml.duckdb_connection import open_duckdb
from python_ml.errors import BadInputError, UsageError
from python_ml.land.discover import list_source
from python_ml.land.explore import explore
from python_ml.land.propose import Proposal, mapping_text, propose
from python_ml.land.s3 import is_s3
from python_ml.settings import Settings, expanded

# Files that lie beside data and are none.
_NO_DATA = (".md", ".yml", ".yaml", ".pdf", ".html", ".sql", ".py", ".png", ".jpg", ".docx")


def inspect_folder(folder: str, settings: Settings) -> Proposal:
    """Look into every file of a folder and propose what each is.

    Raises:
        BadInputError: there is no such folder, or it holds no file.
        UsageError: it is a bucket.
    """
    if is_s3(folder):
        raise UsageError("inspect looks into a folder; copy some files of the bucket into one")
    entries = [it for it in list_source(folder) if not it.path.lower().endswith(_NO_DATA)]
    if not entries:
        raise BadInputError(f"{folder}: holds no data. Name the folder with the raw files.")
    config: dict[str, Any] = {"threads": settings.threads, "memory_limit": settings.memory_limit}
    with tempfile.TemporaryDirectory() as scratch, open_duckdb(**config) as connection:
        connection.execute("set timezone = 'UTC'")
        files = explore(connection, entries, Path(folder), settings.land, Path(scratch))
    return propose(files, load_source("raw"))


def write_mapping(found: Proposal, target: str) -> None:
    """Write the proposed mapping; a file that is there is kept.

    Raises:
        UsageError: the file is there already, or cannot be written.
    """
    path = expanded(target)
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(mapping_text(found))
    except FileExistsError as error:
        raise UsageError(f"{target}: the file is there already; name another one") from error
    except OSError as error:
        raise UsageError(f"{target}: {error.strerror}") from error
