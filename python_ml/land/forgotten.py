"""The next batch still names the forgotten: they are taken out before it lands."""

from __future__ import annotations

import re
from pathlib import Path

from python_ml.engines.store import Store
from python_ml.privacy.scrub import ids_in, scrub_parquet
from python_ml.privacy.tombstones import read_tombstones
from python_ml.privacy.traces import REMOVED, Traces


def keep_out(store: Store, staged: Path, pattern: str) -> dict[Path, int]:
    """Remove the forgotten from everything that a landing has staged.

    A month that was taken by a hard link is written anew; the raw file stays as it is.

    Args:
        store: of the lake.
        staged: the staging folder.
        pattern: regular expression of the batch's customer ids.

    Returns:
        Rows removed by file, of those that were changed.
    """
    stones = read_tombstones(store)
    if not stones.entries:
        return {}
    removed = {}
    for path in sorted(staged.rglob("*.parquet")):
        if path.relative_to(staged).parts[0] in ("source", "split", "prepared", "spread"):
            continue
        if ids := stones.among(ids_in(path, pattern)):
            scrubbed = scrub_parquet(path, Traces(frozenset(ids)))
            if scrubbed.total:
                removed[path] = scrubbed.removed
    return removed


def without_names(store: Store, text: str, pattern: str) -> str:
    """A message about a batch, which may quote ids, without those of the forgotten."""
    stones = read_tombstones(store)
    if not stones.entries:
        return text
    return re.sub(
        pattern,
        lambda match: REMOVED if stones.among([match[0]]) else match[0],
        text,
    )
