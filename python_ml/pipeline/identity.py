"""What a batch, the code and the settings are, as hashes of their content."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from python_ml.contracts.schema import load_source
from python_ml.documents import hash_file, json_text
from python_ml.engines.ledger import listing_hash
from python_ml.errors import BadInputError, UsageError
from python_ml.land.discover import Entry, assign, list_source
from python_ml.land.mapping import read_mapping
from python_ml.land.s3 import is_s3
from python_ml.settings import PACKAGE_DIR, PROJECT_DIR, Settings, expanded

# Where things lie, how fast they go and how long they are kept does not change a result.
_WITHOUT_EFFECT = (
    *(
        "home",
        "threads",
        "memory_limit",
        "customers_per_part",
        "simulate",
        "runs",
        "doctor",
        "metabase",
        "marts",
        "alerts",
    ),
)
# What judges a result does not change the steps before: a run may resume under other limits.
_JUDGES = ("gate", "audit", "quality")
_CODE = ("dbt_project.yml", "models/**/*", "macros/**/*", "seeds/**/*", "tests/dbt/**/*")


@dataclass(frozen=True)
class BatchIdentity:
    """Content of a source: one hash over names and bytes, and that of each local file."""

    sha256: str
    files: Mapping[str, str]  # path -> SHA-256; none of an s3:// prefix
    entries: tuple[Entry, ...]


def identify_batch(
    source: str | Path, threads: int = 2, mapping: str | None = None
) -> BatchIdentity:
    """Read every file that counts of a folder, or list an s3:// prefix.

    Sizes and times alone would be quicker and wrong: a file can be written over within the
    granularity of its time, or keep its time when it is copied.

    Raises:
        BadInputError: there is no such source, it is empty, or a file changed or went while it was
            read.
    """
    declared = read_mapping(mapping)
    schemas = declared.apply(load_source("raw"))
    found, _, _ = assign(listed := list_source(source), schemas, declared)
    used = {entry for raw in found for entry in raw.entries}
    entries = [entry for entry in listed if entry in used] or listed
    if is_s3(source):
        objects = [(entry.path, entry.size, entry.version) for entry in entries]
        return BatchIdentity(listing_hash(objects), {}, tuple(entries))
    root = Path(source)
    try:
        with ThreadPoolExecutor(threads) as pool:
            hashes = list(pool.map(lambda entry: hash_file(root / entry.path), entries))
    except OSError as error:
        raise BadInputError(
            f"{error.filename}: {error.strerror}. Deliver the batch anew."
        ) from error
    require_unchanged(source, entries)
    files = {entry.path: digest for entry, digest in zip(entries, hashes, strict=True)}
    return BatchIdentity(_digest(sorted(files.items())), files, tuple(entries))


def require_unchanged(source: str | Path, entries: Iterable[Entry]) -> None:
    """Make sure that a source is as it was listed.

    Raises:
        BadInputError: a file was changed or removed.
    """
    changed = sorted({entry.path for entry in set(entries) - set(list_source(source))})
    if changed:
        raise BadInputError(
            f"{source}: {', '.join(changed[:3])}{' and more' if len(changed) > 3 else ''} changed "
            "while the batch was read. Start again once it has been delivered whole."
        )


@cache
def code_hash() -> str:
    """SHA-256 of everything that the results come from: SQL, seeds and Python, not documents."""
    paths = [path for pattern in _CODE for path in PROJECT_DIR.glob(pattern)]
    paths += [*PACKAGE_DIR.rglob("*.py"), *PACKAGE_DIR.glob("*.yml")]
    digest = hashlib.sha256()
    for path in sorted(path for path in paths if path.is_file()):
        digest.update(f"{path.relative_to(PROJECT_DIR)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def work_hash(settings: Settings, *, with_judges: bool = True) -> str:
    """SHA-256 of the code and of the settings that results depend on."""
    left_out = _WITHOUT_EFFECT if with_judges else (*_WITHOUT_EFFECT, *_JUDGES)
    values = {name: value for name, value in settings.as_dict().items() if name not in left_out}
    if "quality" in values and (rules := settings.quality.rules):
        # what the file says, not where it lies
        values["quality"] = {**settings.quality.as_dict(), "rules": _content(expanded(rules))}
    if named := settings.land.mapping:
        values["land"] = {**settings.land.as_dict(), "mapping": read_mapping(named).content}
    return _digest([code_hash(), values])


def _content(rules: Path) -> str:
    try:
        return hash_file(rules)
    except OSError as error:
        raise UsageError(f"quality.rules: {rules}: {error.strerror}") from error


@cache
def lock_hash() -> str | None:
    """SHA-256 of requirements.lock."""
    path = PROJECT_DIR / "requirements.lock"
    return hash_file(path) if path.exists() else None


def manifest_hash(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of a dbt manifest without its times: every resource and the checksum of its file."""
    nodes = {
        name: [node["checksum"]["checksum"], node.get("columns"), node.get("config")]
        for name, node in manifest["nodes"].items()
    }
    macros = {name: macro["macro_sql"] for name, macro in manifest["macros"].items()}
    return _digest([nodes, macros])


@cache
def git_sha() -> str | None:
    """The commit that the project is at, `+` behind it when files have changed since."""
    if sha := os.environ.get("SPANISHGAS_GIT_SHA"):  # an image holds no repository
        return sha
    try:
        sha = _git("rev-parse", "HEAD")
        return f"{sha}+" if _git("status", "--porcelain", "--untracked-files=no") else sha
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(PROJECT_DIR), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _digest(document: Any) -> str:
    text = json_text(document, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
