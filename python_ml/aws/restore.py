"""What was lost or spoilt comes back: a bucket as it was at a moment, and the table of runs.

    python -m python_ml.aws.restore bucket s3://<bucket>/<prefix> 2025-01-06T05:00:00+00:00
    python -m python_ml.aws.restore table <restored table> <table>

The first needs a bucket that keeps versions. It makes the version of that moment the newest again,
and removes objects that did not exist then; it deletes no version, so that it can be undone by
asking for a later moment. The second copies the items of a table that DynamoDB has restored to a
point in time (it always makes a new table) back into the one that everything names. `--dry-run`
counts and changes nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from python_ml.engines import cloud
from python_ml.engines.location import bucket_and_prefix
from python_ml.errors import SpanishGasError, UsageError


@dataclass(frozen=True)
class Restored:
    """How many objects or items came back, were removed, and were already as they should be."""

    brought_back: int = 0
    removed: int = 0
    unchanged: int = 0

    def __str__(self) -> str:
        return (
            f"{self.brought_back:,} brought back, {self.removed:,} removed, "
            f"{self.unchanged:,} unchanged"
        )


def restore_bucket(location: str, moment: datetime, *, dry_run: bool = False) -> Restored:
    """Make every object below a place what it was at a moment.

    Args:
        location: `s3://bucket/prefix`.
        moment: with its time zone; what was written in that very second counts as there.
        dry_run: count, and change nothing.

    Raises:
        UsageError: the bucket keeps no versions, or the moment has no time zone or is to come.
    """
    if moment.tzinfo is None or moment > datetime.now(UTC):
        raise UsageError(f"{moment.isoformat()}: a moment of the past, with its time zone")
    bucket, prefix = bucket_and_prefix(location)
    s3 = cloud.client("s3")
    if s3.get_bucket_versioning(Bucket=bucket).get("Status") is None:
        raise UsageError(f"s3://{bucket} keeps no versions, so nothing can be brought back")
    brought_back = removed = unchanged = 0
    for key, history in _histories(s3, bucket, prefix):
        now, then = history[0], _at(history, moment)
        if then is now or (then is None and "ETag" not in now):
            unchanged += 1
        elif then is None or "ETag" not in then:  # it was not there, or deleted by then
            removed += 1
            if not dry_run and "ETag" in now:
                s3.delete_object(Bucket=bucket, Key=key)
        else:
            brought_back += 1
            if not dry_run:
                source = {"Bucket": bucket, "Key": key, "VersionId": then["VersionId"]}
                s3.copy(CopySource=source, Bucket=bucket, Key=key)
    return Restored(brought_back, removed, unchanged)


def restore_table(source: str, target: str, *, dry_run: bool = False) -> Restored:
    """Let a table of runs hold what a restored copy of it holds.

    Raises:
        SpanishGasError: the copy is empty, which is what a wrong name looks like.
    """
    wanted = {_key(item): item for item in _items(source)}
    if not wanted:
        raise SpanishGasError(f"table {source} is empty; restore it to a point in time first")
    table = cloud.table(target)
    present = {_key(item): item for item in _items(target)}
    changed = [item for key, item in wanted.items() if present.get(key) != item]
    surplus = [key for key in present if key not in wanted]
    if not dry_run:
        for item in changed:
            table.put_item(Item=item)
        for warehouse, name in surplus:
            table.delete_item(Key={"warehouse": warehouse, "item": name})
    return Restored(len(changed), len(surplus), len(wanted) - len(changed))


def _histories(s3: Any, bucket: str, prefix: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each key with its versions and delete markers, newest first."""
    histories: dict[str, list[dict[str, Any]]] = {}
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            histories.setdefault(entry["Key"], []).append(entry)
    for key, history in sorted(histories.items()):
        # Times are told by the second. Of one second the latest counts, then a version before a
        # deletion: rather an object too many than one too few.
        history.sort(key=lambda entry: (entry["LastModified"], entry["IsLatest"]), reverse=True)
        yield key, history


def _at(history: Iterable[dict[str, Any]], moment: datetime) -> dict[str, Any] | None:
    return next((entry for entry in history if entry["LastModified"] <= moment), None)


def _items(name: str) -> Iterator[dict[str, Any]]:
    table = cloud.table(name)
    more: dict[str, Any] = {}
    while True:
        page = table.scan(ConsistentRead=True, **more)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _key(item: dict[str, Any]) -> tuple[str, str]:
    return item["warehouse"], item["item"]


def main(arguments: list[str]) -> int:
    """Parse, restore, print; the exit code is the command's."""
    parser = argparse.ArgumentParser(prog="python -m python_ml.aws.restore")
    kinds = parser.add_subparsers(dest="kind", required=True)
    bucket = kinds.add_parser("bucket", help="objects as they were at a moment")
    bucket.add_argument("location", help="s3://bucket/prefix")
    bucket.add_argument("moment", type=datetime.fromisoformat, help="2025-01-06T05:00:00+00:00")
    table = kinds.add_parser("table", help="items of a restored copy")
    table.add_argument("source", help="the table that DynamoDB has restored")
    table.add_argument("target", help="the table of runs")
    for kind in (bucket, table):
        kind.add_argument("--dry-run", action="store_true", help="count and change nothing")
    given = parser.parse_args(arguments)
    try:
        if given.kind == "bucket":
            done = restore_bucket(given.location, given.moment, dry_run=given.dry_run)
        else:
            done = restore_table(given.source, given.target, dry_run=given.dry_run)
    except SpanishGasError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{done}{'; nothing was changed' if given.dry_run else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
