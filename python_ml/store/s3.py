"""The lake's store in a bucket: what a folder holds on a laptop, under the same keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from python_ml.config import Section
from python_ml.errors import SpanishGasError
from python_ml.store import Store
from python_ml.store.location import bucket_and_prefix

_T = TypeVar("_T")
_ABSENT = ("NoSuchKey", "404", "NotFound")


class S3Store(Store):
    """Objects under `athena.lake`. S3 shows an object whole or not at all, and reads its writes."""

    def __init__(self, athena: Section) -> None:
        self._bucket, self._prefix = bucket_and_prefix(athena.lake)
        self._s3: Any = boto3.client("s3", region_name=athena.region)

    def read(self, key: str) -> bytes:
        answer = self._call(key, lambda at: self._s3.get_object(**at))
        if answer is None:
            raise SpanishGasError(f"{self.place(key)} is not there")
        return answer["Body"].read()

    def write(self, key: str, content: bytes) -> None:
        self._call(key, lambda at: self._s3.put_object(**at, Body=content))

    def exists(self, key: str) -> bool:
        return self._call(key, lambda at: self._s3.head_object(**at)) is not None

    def keys(self, prefix: str) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2")
        folder = f"{self._prefix}{prefix.rstrip('/')}/"
        found = self._call(
            prefix, lambda at: list(pages.paginate(Bucket=at["Bucket"], Prefix=folder))
        )
        objects = [entry["Key"] for page in found or [] for entry in page.get("Contents", [])]
        return sorted(name.removeprefix(self._prefix) for name in objects)

    def place(self, key: str) -> str:
        return f"s3://{self._bucket}/{self._prefix}{key}"

    def _call(self, key: str, call: Callable[[dict[str, str]], _T]) -> _T | None:
        """What the call gives, or None where there is no such object.

        Raises:
            SpanishGasError: the bucket refuses; the message is the bucket's.
        """
        try:
            return call({"Bucket": self._bucket, "Key": f"{self._prefix}{key}"})
        except ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                return None
            raise SpanishGasError(f"{self.place(key)}: {error}") from error
        except BotoCoreError as error:
            raise SpanishGasError(f"{self.place(key)}: {error}") from error
