"""Places in buckets."""

from __future__ import annotations

from urllib.parse import urlsplit


def bucket_and_key(location: str) -> tuple[str, str]:
    """`s3://bucket/a/b` as (`bucket`, `a/b`)."""
    parts = urlsplit(location)
    return parts.netloc, parts.path.lstrip("/")


def bucket_and_prefix(location: str) -> tuple[str, str]:
    """`s3://bucket/a/b` as (`bucket`, `a/b/`), and a whole bucket as (`bucket`, ``)."""
    bucket, key = bucket_and_key(location)
    return bucket, f"{key.rstrip('/')}/" if key else ""
