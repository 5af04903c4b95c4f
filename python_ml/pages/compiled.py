"""The compiled dashboards, kept for the next process.

Reading and checking 159 statements in four dialects takes a second or two of processor time, and
every command that refreshes the pages needs the result, which changes only with the files.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from python_ml.documents import hash_file, read_json, write_json
from python_ml.errors import SpanishGasError
from python_ml.pages.compile import DEFINITIONS, load_dashboards
from python_ml.pages.marts import MARTS_FILE
from python_ml.pages.model import Dashboard
from python_ml.pages.visualization import THEME_FILE
from python_ml.settings import PROJECT_DIR

KEPT = PROJECT_DIR / "target" / "dashboards.json"
_TYPE = TypeAdapter(tuple[Dashboard, ...])


def compiled_dashboards(folder: Path = DEFINITIONS, kept: Path = KEPT) -> tuple[Dashboard, ...]:
    """As `load_dashboards`, from what an earlier process has kept where nothing has changed since.

    Raises:
        DefinitionError: with every problem found, each with file and line.
    """
    key = _key(folder)
    document = read_json(kept)
    if isinstance(document, dict) and document.get("key") == key:
        with suppress(ValidationError):
            return _TYPE.validate_python(document["dashboards"])
    dashboards = load_dashboards(folder)
    with suppress(OSError, SpanishGasError):  # a read-only project compiles each time
        unfinished = kept.with_name(f"{kept.name}.{os.getpid()}")
        compiled = _TYPE.dump_python(dashboards, mode="json")
        write_json(unfinished, {"key": key, "dashboards": compiled})
        unfinished.replace(kept)
    return dashboards


def _key(folder: Path) -> str:
    """SHA-256 of the definitions, the theme, the marts' contract and what compiles them."""
    digest = hashlib.sha256(version("sqlglot").encode())
    of_code = Path(__file__).parent.rglob("*.py")
    of_definitions = (path for path in folder.rglob("*") if path.suffix in (".sql", ".yml"))
    for path in sorted([*of_code, *of_definitions, MARTS_FILE, THEME_FILE]):
        digest.update(f"{path}\0{hash_file(path)}\0".encode())
    return digest.hexdigest()
