"""The lake's side of landing: staging, identity of a batch, and the one swap that shows it.

lake/batches/<id>/<table>/…     a landed batch, with `landing.json`
lake/raw -> batches/<id>        the current one, a relative symbolic link, replaced by rename
lake/rejected/<table>/batch=<id>/part-0.parquet
lake/.staging-<id>/             what an unfinished landing leaves; the next one removes it
"""

from __future__ import annotations

import errno
import fcntl
import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from python_ml.errors import LeaseHeldError, SpanishGasError
from python_ml.land.result import LandResult, Problem

MANIFEST = "landing.json"
_CHUNK = 1 << 20


@contextmanager
def locked(lake: Path) -> Iterator[None]:
    """One landing at a time. A lake that was not there is gone again if nothing was put in it.

    Raises:
        LeaseHeldError: another process is landing into this lake.
    """
    created = not lake.exists()
    lake.mkdir(parents=True, exist_ok=True)
    handle = os.open(lake, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LeaseHeldError(f"{lake}: another process is landing. Wait for it.") from error
        if (lake / "raw").exists() and not (lake / "raw").is_symlink():
            raise SpanishGasError(
                f"{lake / 'raw'} is a folder that `spanishgas land` did not write. Move it away."
            )
        for leftover in lake.glob(".staging-*"):
            shutil.rmtree(leftover)
        remove_others(lake)
        yield
    finally:
        if created and not any(lake.iterdir()):
            lake.rmdir()
        os.close(handle)


@contextmanager
def staging(lake: Path, batch_id: str) -> Iterator[Path]:
    """A folder inside the lake, so that renames do not cross file systems; gone at the end."""
    folder = lake / f".staging-{batch_id}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_batch_id(lake: Path, wanted: str) -> str:
    """The wanted id, or with a number behind it if the lake holds a batch of that name."""
    number, name = 1, wanted
    while (lake / "batches" / name).exists():
        number += 1
        name = f"{wanted}-{number}"
    return name


def take(source: Path, target: Path, link: bool) -> None:
    """The same bytes at another place: a hard link where that is wanted and possible, or a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if link:
        try:
            os.link(source.resolve(), target)
        except OSError as error:
            if error.errno not in (
                errno.EXDEV,
                errno.EPERM,
                errno.EACCES,
                errno.EMLINK,
                errno.ENOTSUP,
            ):
                raise
        else:
            return
    shutil.copyfile(source, target)


def hash_file(path: Path, label: str) -> tuple[str, Problem | None]:
    """SHA-256 of the bytes, and whether a gzip file ends before its end.

    The engine reads a truncated gzip file as a shorter one without a word.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    if not path.name.lower().endswith(".gz"):
        return digest.hexdigest(), None
    try:
        with gzip.open(path, "rb") as stream:
            while stream.read(_CHUNK):
                pass
    except (OSError, EOFError) as error:
        problem = Problem(
            label, f"the gzip file is truncated or corrupt: {error}", "Copy it again."
        )
        return digest.hexdigest(), problem
    return digest.hexdigest(), None


def current(lake: Path) -> dict[str, Any] | None:
    """The manifest of the current batch, if every file that it lists is as it was written."""
    try:
        document = json.loads((lake / "raw" / MANIFEST).read_text(encoding="utf-8"))
        intact = all(_stamp(lake / "raw" / name) == stamp for name, stamp in document["files"])
    except (OSError, ValueError, KeyError):
        return None
    return document if intact else None


def write_manifest(batch: Path, result: LandResult, identity: list[Any], content: str) -> None:
    """Record what the batch holds, and where it came from, inside its folder."""
    files = sorted(path for path in batch.rglob("*.parquet"))
    document = {
        "result": result.as_dict(),
        "identity": identity,
        "content_hash": content,
        "files": [[path.relative_to(batch).as_posix(), _stamp(path)] for path in files],
    }
    _write_document(batch, document)


def remember_identity(lake: Path, document: dict[str, Any], identity: list[Any]) -> None:
    """Note the place and the times under which the current batch was seen last."""
    if document["identity"] != identity:
        _write_document(lake / "raw", document | {"identity": identity})


def _write_document(batch: Path, document: dict[str, Any]) -> None:
    part = batch / f"{MANIFEST}.tmp"
    part.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
    part.replace(batch / MANIFEST)


def publish(lake: Path, staged: Path, batch_id: str) -> None:
    """Make a staged batch the current one.

    Rejected rows and the batch go to names that nothing reads yet; then one rename of the link
    `raw` shows all tables at once. A kill before it leaves the old batch current, a kill after it
    the new one; what is left over is removed by the next landing.
    """
    rejected = staged / "rejected"
    for folder in sorted(rejected.iterdir()) if rejected.is_dir() else []:
        target = lake / "rejected" / folder.name / f"batch={batch_id}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        folder.replace(target)
    batches = lake / "batches"
    batches.mkdir(exist_ok=True)
    (staged / "batch").replace(batches / batch_id)
    link = staged / "raw"
    link.symlink_to(Path("batches") / batch_id, target_is_directory=True)
    link.replace(lake / "raw")
    remove_others(lake)


def remove_others(lake: Path) -> None:
    """Remove batches that are not the current one; their rejected rows stay."""
    link, batches = lake / "raw", lake / "batches"
    keep = link.readlink().name if link.is_symlink() else None
    for folder in batches.iterdir() if batches.is_dir() else []:
        if folder.name != keep:
            shutil.rmtree(folder)


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]
