"""Where a simulation writes: files are made beside the folder and put in its place whole.

Simulations into one folder do not touch each other. Each works in a folder of its own, named by its
process; the last one to end is what stands there. A folder that a killed process has left is
removed by the next simulation, or put back if it was killed between the two renames of the swap.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from python_ml.errors import UsageError
from python_ml.land.write import take

MARKER = "_simulation.json"
_TRUTHS = "_truth"  # folder of what only the simulator knows


def read_marker(out: Path) -> dict[str, Any] | None:
    """What the files of a folder were made from; None where no simulation wrote them."""
    path = out / MARKER
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def simulator_hash() -> str:
    """Hash of the simulator's code and reference tables: another simulator, other files."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


@contextmanager
def fresh_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out` to make files in; gone at the end, unless it was put in its place."""
    _clear_leftovers(out)
    fresh = out.parent / f"{_prefix(out, 'simulated')}{_own_name()}"
    fresh.mkdir(parents=True)
    try:
        yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def put_in_place(
    fresh: Path, out: Path, *, instead_of: dict[str, Any] | None, append: bool = False
) -> None:
    """Swap a finished folder in, with what else lay in the old one.

    Args:
        instead_of: marker of the folder that the files were made for.
        append: the old files stay where the new ones do not replace them, and nothing may have
            changed since; otherwise the files of an earlier simulation go.

    Raises:
        UsageError: another simulation has changed the folder meanwhile.
    """
    with _one_at_a_time(out.parent):
        found = read_marker(out)
        if append and found != instead_of:
            raise UsageError(f"{out} was changed by another simulation meanwhile; try again")
        earlier = set() if append or found is None else {MARKER, _TRUTHS, *found["files"]}
        _link_others(out, fresh, without=earlier)
        replaced = out.parent / f"{_prefix(out, 'replaced')}{_own_name()}"
        if out.exists():
            out.replace(replaced)
        fresh.replace(out)
    shutil.rmtree(replaced, ignore_errors=True)


def _link_others(out: Path, fresh: Path, without: set[str]) -> None:
    """Bring along what lies in `out` and is not made anew, but for these files and folders."""
    for path in sorted(out.rglob("*")) if out.exists() else ():
        target = fresh / path.relative_to(out)
        top = path.relative_to(out).parts[0]
        is_wanted = top not in without and Path(top).stem not in without
        if path.is_file() and is_wanted and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            take(path, target, link=True)


def _prefix(out: Path, what: str) -> str:
    """Of folders beside `out`; the process that made them follows."""
    return f".{out.name}-{what}-by-"


def _own_name() -> str:
    return f"{os.getpid()}-{secrets.token_hex(4)}"


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _clear_leftovers(out: Path) -> None:
    """Remove what killed simulations left, and nothing that another one is still at work on."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(out.parent):
        for replaced in _left_behind(out, "replaced"):
            if out.exists():
                shutil.rmtree(replaced, ignore_errors=True)
            else:
                replaced.replace(out)
        for fresh in _left_behind(out, "simulated"):
            shutil.rmtree(fresh, ignore_errors=True)


def _left_behind(out: Path, what: str) -> list[Path]:
    prefix = _prefix(out, what)
    return [
        folder
        for folder in sorted(out.parent.glob(f"{prefix}*"))
        if not _is_alive(folder.name.removeprefix(prefix).split("-")[0])
    ]


def _is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        pass
    return True
