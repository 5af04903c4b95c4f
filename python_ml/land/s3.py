"""Raw files and mappings that lie in S3."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from python_ml.errors import BadInputError, NotFoundError, ServiceError, TransientError

CHECK = "Check the bucket's name, the credentials and the region."


def is_s3(source: str | Path) -> bool:
    return str(source).startswith("s3://")


def open_place(source: str) -> tuple[Any, str, str]:
    """A client of S3, and the bucket and the key or prefix of an `s3://` address."""
    import boto3  # slow to import

    from python_ml.engines import cloud

    parts = urlparse(source)
    # The region matters to signatures only; an endpoint of one's own has none.
    session = boto3.session.Session()
    client = cloud.client("s3", session.region_name or "eu-south-2")
    return client, parts.netloc, parts.path.strip("/")


def read_object(source: str) -> bytes:
    """Content of one object.

    Raises:
        BadInputError: it is not there, or may not be read.
    """
    client, bucket, key = open_place(source)
    try:
        content: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    except TransientError:
        raise
    except NotFoundError as error:
        raise BadInputError(
            f"{source}: there is no such object. Upload it, or name another."
        ) from error
    except ServiceError as error:
        raise BadInputError(f"{source}: {error}. {CHECK}") from error
    return content
