"""An upload starts one run: S3 events under `raw/` to executions of the state machine.

An event is only a hint that something has changed. What counts is what lies under the batch's
prefix now, listed anew at each event, so that events may come twice, late or in any order:

    raw/<batch>/<file>                 a batch; its mode is the default
    raw/train/<batch>/<file>           the same with its mode in the path; score likewise, so that
                                       no batch is called train or score
    raw/<batch>/_SUCCESS               empty, or `train` or `score`: nothing more will come

A batch is complete when each of the seven tables has its file, or when the marker is there. A table
that is a folder of parts cannot be seen to be complete, so that such a batch needs the marker. A
batch is known by its content: paths, sizes and ETags of the seven tables' objects.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import unquote_plus

from python_ml.aws.uploads import Claim, UploadTable
from python_ml.contracts.schema import load_source
from python_ml.engines import cloud
from python_ml.engines.ledger import listing_hash
from python_ml.errors import AlreadyThereError
from python_ml.land.discover import Entry, assign

MARKER = "_SUCCESS"
MODES = ("train", "score")
_BATCH = re.compile(
    r"^(?P<prefix>raw/(?:(?P<mode>train|score)/)?(?P<name>(?!(?:train|score)/)[^/]+)/).+\Z", re.S
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Upload:
    """What lies under a batch's prefix."""

    bucket: str
    prefix: str
    mode: str
    content: tuple[Entry, ...]  # objects of the seven tables, or whatever else lies there
    is_complete: bool
    newest: datetime  # when the last of them was written

    @property
    def sha256(self) -> str:
        """Known by content: the folder's name and the mode do not count, nor do other files."""
        return listing_hash((entry.path, entry.size, entry.version) for entry in self.content)

    @property
    def run_id(self) -> str:
        """The same for the same upload, and in order of time like every run id."""
        return f"{self.newest.astimezone(UTC):%Y%m%dT%H%M%S}-{self.sha256[:6]}"


def handler(event: Mapping[str, Any], _context: object = None) -> dict[str, Any]:
    """Entry point of the Lambda function; settings come from its environment.

    STATE_MACHINE_ARN names what to start, RUNS_TABLE and WAREHOUSE where to claim, DEFAULT_MODE
    the mode of a batch that says none. What S3 could not be asked about raises, so that Lambda asks
    again.
    """
    table = _uploads(os.environ["RUNS_TABLE"], os.environ["WAREHOUSE"])
    state_machine = os.environ["STATE_MACHINE_ARN"]
    default_mode = os.environ.get("DEFAULT_MODE", "train")
    outcomes = []
    for bucket, prefix, mode in sorted(set(_batches(event, default_mode))):
        outcome = consider(bucket, prefix, mode, table, state_machine)
        log.info("s3://%s/%s: %s", bucket, prefix, outcome)
        outcomes.append({"batch": f"s3://{bucket}/{prefix}", "outcome": outcome})
    return {"batches": outcomes}


def consider(bucket: str, prefix: str, mode: str, table: UploadTable, state_machine: str) -> str:
    """Start the run of a batch if it is complete and nobody has; says what was done."""
    upload = read_upload(bucket, prefix, mode)
    if not upload.is_complete:
        return "incomplete"
    if table.is_held(prefix):  # `forget` edits it, and says itself what has become of it
        return "held"
    claim = Claim(
        sha256=upload.sha256,
        run_id=upload.run_id,
        source=f"s3://{bucket}/{prefix}",
        mode=upload.mode,
        uploaded_at=upload.newest,
    )
    claimed = table.claim(claim)
    if claimed is None:
        return "known"
    execution = start(state_machine, claimed)
    table.mark_started(claimed, execution)
    return "started"


def start(state_machine: str, claim: Claim) -> str:
    """Start the execution named after the run; a second start finds the first. Its ARN."""
    client = _states()
    document = {
        "run_id": claim.run_id,
        "mode": claim.mode,
        "source": claim.source,
        "batch_sha256": claim.sha256,
        "force": False,
        "started_by": "upload",
    }
    try:
        answer = client.start_execution(
            stateMachineArn=state_machine,
            name=claim.run_id,
            input=json.dumps(document, sort_keys=True),
        )
    except AlreadyThereError:
        return state_machine.replace(":stateMachine:", ":execution:") + f":{claim.run_id}"
    execution: str = answer["executionArn"]
    return execution


def read_upload(bucket: str, prefix: str, mode: str) -> Upload:
    """List a batch's prefix and judge it."""
    pages = _s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    objects = [item for page in pages for item in page.get("Contents", [])]
    entries = [
        Entry(item["Key"].removeprefix(prefix), item["Size"], item["ETag"])
        for item in objects
        if not item["Key"].endswith("/")
    ]
    has_marker = any(entry.path == MARKER for entry in entries)
    files, _, problems = assign(entries, _tables())
    content = tuple(entry for raw in files for entry in raw.entries) or tuple(entries)
    has_parts = any(raw.entries[0].path != raw.label for raw in files)
    names = {f"{prefix}{entry.path}" for entry in content}
    written = [item["LastModified"] for item in objects if item["Key"] in names]
    return Upload(
        bucket=bucket,
        prefix=prefix,
        mode=_marked_mode(bucket, f"{prefix}{MARKER}", mode) if has_marker else mode,
        content=content,
        is_complete=has_marker or (bool(files) and not problems and not has_parts),
        newest=max(written, default=datetime.now(UTC)),
    )


def _marked_mode(bucket: str, key: str, mode: str) -> str:
    """The mode that the marker names, if it names one."""
    text = _s3().get_object(Bucket=bucket, Key=key)["Body"].read(100)
    word = text.decode("utf-8", errors="replace").strip().lower()
    return word if word in MODES else mode


def batch_of(key: str) -> tuple[str, str | None] | None:
    """Prefix, and mode if the path says one, of the batch that an object belongs to."""
    match = _BATCH.match(key)
    return (match["prefix"], match["mode"]) if match else None


def _batches(event: Mapping[str, Any], default_mode: str) -> Iterator[tuple[str, str, str]]:
    """Bucket, prefix and mode of each batch that an event speaks of."""
    for record in event.get("Records", []):
        if "s3" not in record:
            continue
        key = unquote_plus(record["s3"]["object"]["key"])
        if batch := batch_of(key):
            prefix, mode = batch
            yield record["s3"]["bucket"]["name"], prefix, mode or default_mode


@cache
def _tables() -> Mapping[str, Any]:
    return load_source("raw")


# Clients are made once: a warm function answers the next event with them.
@cache
def _s3() -> Any:
    return cloud.client("s3")


@cache
def _states() -> Any:
    return cloud.client("stepfunctions")


@cache
def _uploads(table: str, warehouse: str) -> UploadTable:
    return UploadTable(table, warehouse)
