"""The landed batch of the local lake, copied to the bucket that Athena reads."""

from __future__ import annotations

from pathlib import Path

from python_ml.engines import cloud
from python_ml.engines.location import bucket_and_prefix
from python_ml.progress import Reporter, silent
from python_ml.settings import AthenaSettings


def publish_batch(athena: AthenaSettings, batch: Path, progress: Reporter = silent) -> str:
    """Copy a landed batch under `<lake>/batches/`, by the name of its folder; returns that place.

    A batch never changes, so what is there with the right size stays. No table reads the place
    until it is registered, so that half a copy is never seen.

    Raises:
        ServiceError: the bucket cannot be written; the message is the bucket's.
    """
    place = f"{athena.lake.rstrip('/')}/batches/{batch.name}"
    bucket, prefix = bucket_and_prefix(place)
    s3 = cloud.client("s3", athena.region)
    files = sorted(batch.rglob("*.parquet"))
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    present = {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}
    for number, file in enumerate(files):
        key = f"{prefix}{file.relative_to(batch).as_posix()}"
        if present.get(key) != file.stat().st_size:
            s3.upload_file(Filename=str(file), Bucket=bucket, Key=key)
        progress(file.parent.name, (number + 1) / len(files))
    return place


def remove_other_batches(athena: AthenaSettings, batch_id: str) -> None:
    """Remove the landed batches beside the one that is published; `raw/` keeps what was delivered.

    Raises:
        ServiceError: the bucket cannot be written; the message is the bucket's.
    """
    place = f"{athena.lake.rstrip('/')}/batches"
    bucket, prefix = bucket_and_prefix(place)
    s3 = cloud.client("s3", athena.region)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        keys = [entry["Key"] for entry in page.get("Contents", [])]
        others = [key for key in keys if not key.startswith(f"{prefix}{batch_id}/")]
        if others:
            objects = [{"Key": key} for key in others]
            s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})


def publish_rejected(athena: AthenaSettings, rejected: Path, batch_id: str) -> None:
    """Copy the rows of a batch that were set aside to `<lake>/rejected/`, under the same names.

    Raises:
        ServiceError: the bucket cannot be written; the message is the bucket's.
    """
    place = f"{athena.lake.rstrip('/')}/rejected"
    bucket, prefix = bucket_and_prefix(place)
    s3 = cloud.client("s3", athena.region)
    for file in sorted(rejected.glob(f"*/batch={batch_id}/*.parquet")):
        key = f"{prefix}{file.relative_to(rejected).as_posix()}"
        s3.upload_file(Filename=str(file), Bucket=bucket, Key=key)
