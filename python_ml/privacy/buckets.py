"""A person in buckets: every version of every object is searched, and what holds the person goes.

Objects are looked at one at a time, as files in a temporary folder, by the search and the removal
that files of a home get. A cleaned object replaces the one before it, and versions that hold the
person are deleted for good.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from python_ml.engines import cloud
from python_ml.engines.location import bucket_and_prefix
from python_ml.privacy.person import said_by_whom
from python_ml.privacy.remove import remove_from
from python_ml.privacy.search import NAME, Find, Searched, search
from python_ml.privacy.traces import Traces

Before = Callable[[Path], Callable[[Path], None] | None]  # of a file: what to call once it is new
_BLOCK = 1 << 24
_AT_ONCE = 8  # objects that are read at a time
_MUTABLE = "null"  # the version of an object in a bucket that keeps none


@dataclass(frozen=True, order=True)
class Version:
    """One version of an object."""

    bucket: str
    key: str
    version_id: str
    is_latest: bool

    @property
    def place(self) -> str:
        older = "" if self.is_latest else f", version {self.version_id}"
        return f"s3://{self.bucket}/{self.key}{older}"


class Buckets:
    """Everything below some places, `s3://bucket/prefix`, whichever version.

    A version never changes, so that one which has been searched is not read again.
    """

    def __init__(self, places: Sequence[str], region: str) -> None:
        self._places = sorted({bucket_and_prefix(place) for place in places})
        self._s3 = cloud.client("s3", region)
        self._searched: dict[tuple[Traces, Version], Searched] = {}
        self.written: dict[tuple[str, str], str] = {}  # bucket and key -> ETag of what was edited

    def versions(self) -> list[Version]:
        """Every version of every object, sorted; a place within another counts once."""
        return self._listed("Versions")

    def _listed(self, kind: str) -> list[Version]:
        found: set[Version] = set()
        for bucket, prefix in self._places:
            pages = self._s3.get_paginator("list_object_versions")
            for page in pages.paginate(Bucket=bucket, Prefix=prefix):
                for entry in page.get(kind, []):
                    found.add(Version(bucket, entry["Key"], entry["VersionId"], entry["IsLatest"]))
        return sorted(found)

    def _markers(self, traces: Traces) -> list[Version]:
        """Marks of deleted objects, which keep the name of a key."""
        marks = self._listed("DeleteMarkers")
        return [mark for mark in marks if traces.count(mark.key.encode())]

    def said(self) -> Iterator[tuple[str, str]]:
        """Customer and text of every interaction that some version holds."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for texts in pool.map(self._said_in, self.versions()):
                yield from texts

    def search(self, traces: Traces) -> Searched:
        """Every version that holds something of the person; keys included."""
        versions, total = self.versions(), Searched()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for searched in pool.map(lambda version: self._search_in(version, traces), versions):
                total.found += searched.found
                total.doubtful += searched.doubtful
                total.file_count += searched.file_count
        total.found += [Find(mark.place, f"{NAME}, deleted") for mark in self._markers(traces)]
        return total

    def places_of(self, traces: Traces) -> list[Version]:
        """Newest versions that hold something of the person."""
        return [
            version
            for version in self.versions()
            if version.is_latest and self._search_in(version, traces).found
        ]

    def remove(self, traces: Traces, before: Before) -> None:
        """Take the person out of each object, and delete the versions that held the person.

        What cannot be opened, and the newest version of what only a person can edit, stay, for the
        search to tell.
        """
        for version in self.versions():
            searched = self._search_in(version, traces)
            by_hand = version.is_latest and all(place.is_by_hand for place in searched.found)
            if not searched.found or by_hand:
                continue
            is_kept = version.is_latest and self._edit(version, traces, before)
            if not (is_kept and version.version_id == _MUTABLE):  # there it was replaced
                self.delete(version)
        for mark in self._markers(traces):
            self.delete(mark)

    def delete_all(self, location: str) -> None:
        """Delete every version below a place."""
        bucket, prefix = bucket_and_prefix(location)
        for version in self.versions():
            if version.bucket == bucket and version.key.startswith(prefix):
                self.delete(version)

    def _said_in(self, version: Version) -> list[tuple[str, str]]:
        with self._file(version) as (_, path):
            return list(said_by_whom(path))

    def _search_in(self, version: Version, traces: Traces) -> Searched:
        known = self._searched.get((traces, version))
        if known is not None:
            return known
        with self._file(version) as (folder, _):
            found = search(folder, traces)
        searched = Searched(
            [Find(version.place, one.what, one.count) for one in found.found],
            [Find(version.place, one.what, one.count) for one in found.doubtful],
            found.file_count,
        )
        if version.version_id != _MUTABLE:
            self._searched[traces, version] = searched
        return searched

    def _edit(self, version: Version, traces: Traces, before: Before) -> bool:
        """Put what is left of an object in its place; whether anything is."""
        with self._file(version) as (_, path):
            remove_from(path, traces, before(path))
            if not path.exists() or traces.count(version.key.encode()):
                return False
            self._s3.upload_file(Filename=str(path), Bucket=version.bucket, Key=version.key)
        answer = self._s3.head_object(Bucket=version.bucket, Key=version.key)
        self.written[version.bucket, version.key] = answer["ETag"]
        return True

    def delete(self, version: Version) -> None:
        """Delete a version for good."""
        self._s3.delete_object(Bucket=version.bucket, Key=version.key, VersionId=version.version_id)

    @contextmanager
    def _file(self, version: Version) -> Iterator[tuple[Path, Path]]:
        """A folder that holds one version under its key, and the file in it."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            path = folder.joinpath(*[part for part in version.key.split("/") if part])
            if version.key.endswith("/"):  # what the console makes of a folder
                path = path / "folder"
            path.parent.mkdir(parents=True, exist_ok=True)
            answer = self._s3.get_object(
                Bucket=version.bucket, Key=version.key, VersionId=version.version_id
            )
            with path.open("wb") as target:
                while block := answer["Body"].read(_BLOCK):
                    target.write(block)
            yield folder, path
