"""The lake's side of landing: staging, identity of a batch, and the one swap that shows it.

lake/batches/<id>/<table>/…     a landed batch, with `landing.json`
lake/raw -> batches/<id>        the current one, a relative symbolic link, replaced by rename; a run
                                moves it when it publishes, and reads its own batch before
lake/rejected/<table>/batch=<id>/part-0.parquet
lake/.staging-<id>/             what an unfinished landing leaves; the next one removes it
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from python_ml.documents import read_json, write_json
from python_ml.errors import LeaseHeldError, SpanishGasError, UsageError
from python_ml.land.result import LandResult

MANIFEST = "landing.json"


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
            leftover.unlink() if leftover.is_symlink() else shutil.rmtree(leftover)
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


def landed_batches(lake: Path) -> list[dict[str, Any]]:
    """Manifests of the batches whose files are all as they were written, the current one first."""
    folders = sorted((lake / "batches").iterdir()) if (lake / "batches").is_dir() else []
    now = current_id(lake)
    folders.sort(key=lambda folder: folder.name != now)
    found = [(folder, read_json(folder / MANIFEST)) for folder in folders]
    return [document for folder, document in found if document and is_intact(folder)]


def current(lake: Path) -> dict[str, Any] | None:
    """The manifest of the current batch, if every file that it lists is as it was written."""
    return read_json(lake / "raw" / MANIFEST) if is_intact(lake / "raw") else None


def is_intact(batch: Path) -> bool:
    """Whether every file of a landed batch is as it was written.

    A raw file that was taken by a hard link and changed in place afterwards shows here.
    """
    try:
        files = json.loads((batch / MANIFEST).read_text(encoding="utf-8"))["files"]
        return all(stamp(batch / name) == noted for name, noted in files)
    except (OSError, ValueError, KeyError):
        return False


def is_complete(batch: Path) -> bool:
    """Whether every file of a landed batch is there in its size; a copy may not keep the times."""
    try:
        files = json.loads((batch / MANIFEST).read_text(encoding="utf-8"))["files"]
        return all(stamp(batch / name)[0] == size for name, (size, _) in files)
    except (OSError, ValueError, KeyError):
        return False


def write_manifest(
    batch: Path, result: LandResult, identity: list[Any], content: str, known: dict[str, Any]
) -> None:
    """Record what the batch holds, and where it came from, inside its folder."""
    files = sorted(path for path in batch.rglob("*.parquet"))
    document = {
        "result": result.as_dict(),
        "identity": identity,
        "content_hash": content,
        "known": known,
        "files": [[path.relative_to(batch).as_posix(), stamp(path)] for path in files],
    }
    write_json(batch / MANIFEST, document)


def remember_identity(lake: Path, document: dict[str, Any], identity: list[Any]) -> None:
    """Note the place and the times under which a batch was seen last."""
    if document["identity"] != identity:
        batch = lake / "batches" / document["result"]["batch_id"]
        write_json(batch / MANIFEST, document | {"identity": identity})


def add(lake: Path, staged: Path, batch_id: str) -> None:
    """Give a staged batch its name in the lake; nothing reads it yet."""
    rejected = staged / "rejected"
    for folder in sorted(rejected.iterdir()) if rejected.is_dir() else []:
        target = lake / "rejected" / folder.name / f"batch={batch_id}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        folder.replace(target)
    batches = lake / "batches"
    batches.mkdir(exist_ok=True)
    (staged / "batch").replace(batches / batch_id)


def current_id(lake: Path) -> str | None:
    """Name of the current batch.

    Raises:
        UsageError: a folder stands in place of the link, so that no batch can be told from others.
    """
    link = lake / "raw"
    if not link.is_symlink() and link.exists():
        raise UsageError(
            f"{link} is a folder where a link to the newest batch in {lake / 'batches'} was: the "
            "data folder was copied without its links. Copy it again with them (cp -a, rsync -a)"
        )
    return link.readlink().name if link.is_symlink() else None


def make_current(lake: Path, batch_id: str) -> None:
    """Let the link `raw` show a batch, all tables at once, by one rename.

    A kill before it leaves the old batch current, a kill after it the new one.
    """
    if current_id(lake) == batch_id:
        return
    link = lake / ".staging-raw"
    link.unlink(missing_ok=True)
    link.symlink_to(Path("batches") / batch_id, target_is_directory=True)
    link.replace(lake / "raw")


def remove_others(lake: Path, keep: Collection[str] = ()) -> None:
    """Remove batches that are neither the current one nor to be kept; rejected rows stay."""
    batches = lake / "batches"
    for folder in batches.iterdir() if batches.is_dir() else []:
        if folder.name not in (current_id(lake), *keep):
            shutil.rmtree(folder)


def stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]
