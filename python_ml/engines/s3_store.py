"""The lake's store in a bucket: what a folder holds on a laptop, under the same keys."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from python_ml.engines import cloud
from python_ml.engines.location import bucket_and_prefix
from python_ml.engines.store import Store
from python_ml.errors import NotFoundError, SpanishGasError
from python_ml.settings import AthenaSettings


class S3Store(Store):
    """Objects under a place. S3 shows an object whole or not at all, and reads its writes."""

    def __init__(self, athena: AthenaSettings, place: str | None = None) -> None:
        """A store at `place`, by default `athena.lake`."""
        self._bucket, self._prefix = bucket_and_prefix(place or athena.lake)
        self._s3 = cloud.client("s3", athena.region)

    def read(self, key: str) -> bytes:
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=f"{self._prefix}{key}")
        except NotFoundError as error:
            raise SpanishGasError(f"{self.place(key)} is not there") from error
        content: bytes = answer["Body"].read()
        return content

    @contextmanager
    def writing(self, key: str) -> Iterator[IO[bytes]]:
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            self._s3.upload_fileobj(Fileobj=file, Bucket=self._bucket, Key=f"{self._prefix}{key}")

    def write(self, key: str, content: bytes) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=f"{self._prefix}{key}", Body=content)

    def exists(self, key: str) -> bool:
        try:
            self._s3.head_object(Bucket=self._bucket, Key=f"{self._prefix}{key}")
        except NotFoundError:
            return False
        return True

    def keys(self, prefix: str) -> list[str]:
        folder = f"{self._prefix}{prefix.rstrip('/')}/"
        pages = self._s3.get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self._bucket, Prefix=folder)
        objects = [entry["Key"] for page in found for entry in page.get("Contents", [])]
        return sorted(name.removeprefix(self._prefix) for name in objects)

    def place(self, key: str) -> str:
        return f"s3://{self._bucket}/{self._prefix}{key}"
