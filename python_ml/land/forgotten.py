"""The next batch still names the forgotten: they are taken out before it lands."""

from __future__ import annotations

from pathlib import Path

from python_ml.land.scrub import ids_in, scrub_parquet
from python_ml.tombstones import read_tombstones


def keep_out(lake: Path, staged: Path) -> dict[Path, int]:
    """Remove the forgotten from everything that a landing has staged.

    A month that was taken by a hard link is written anew; the raw file stays as it is.

    Returns:
        Rows removed by file, of those that had any.
    """
    stones = read_tombstones(lake)
    if not stones.entries:
        return {}
    removed = {}
    for path in sorted(staged.rglob("*.parquet")):
        if path.is_relative_to(staged / "source") or path.is_relative_to(staged / "split"):
            continue
        if (ids := stones.among(ids_in(path))) and (count := scrub_parquet(path, ids)):
            removed[path] = count
    return removed
