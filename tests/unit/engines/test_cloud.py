"""What AWS and disks refuse is an error of ours, which says whether trying again helps."""

from __future__ import annotations

import ast
import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.exceptions import S3UploadFailedError
from botocore import exceptions as aws
from botocore.exceptions import ClientError

from python_ml import errors
from python_ml.engines import cloud
from python_ml.engines.sqlite_ledger import SqliteLedger
from python_ml.engines.store import FolderStore
from python_ml.errors import (
    AlreadyThereError,
    BadInputError,
    ConditionFailedError,
    NotFoundError,
    SpanishGasError,
    TerminalError,
    TransientError,
)
from python_ml.settings import PACKAGE_DIR


def refused(code: Any, status: Any = 400) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": "says why"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return aws.ClientError(answer, "PutObject")


def upload_failed(cause: Any) -> S3UploadFailedError:
    try:
        try:
            raise cause
        except Exception as error:
            raise S3UploadFailedError(f"Failed to upload: {error}")  # noqa: B904  as boto3 does
    except S3UploadFailedError as error:
        return error


class Service:
    """A client that refuses everything with one error."""

    meta = "known"

    def __init__(self, error: Any) -> None:
        self.error = error

    def put_object(self, **_: Any) -> None:
        raise self.error

    def get_object(self, **_: Any) -> dict[str, Any]:
        return {"Body": self}

    def read(self, _amount: Any = None) -> None:
        raise self.error

    def get_paginator(self, _operation: Any) -> Service:
        return self

    def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
        yield {"page": 1}
        raise self.error


CASES = [
    (refused("SlowDown"), TransientError),
    (refused("ThrottlingException"), TransientError),
    (refused("ProvisionedThroughputExceededException"), TransientError),
    (refused("ConcurrentModificationException"), TransientError),
    (refused("Whatever", 503), TransientError),
    (refused("Whatever", 429), TransientError),
    (refused("AccessDenied", 403), TerminalError),
    (refused("NoSuchBucket", 404), TerminalError),
    (refused("ValidationException"), TerminalError),
    (refused("NoSuchKey", 404), NotFoundError),
    (refused("EntityNotFoundException"), NotFoundError),
    (refused("AlreadyExistsException"), AlreadyThereError),
    (refused("ConditionalCheckFailedException"), ConditionFailedError),
    (aws.EndpointConnectionError(endpoint_url="x"), TransientError),
    (aws.ReadTimeoutError(endpoint_url="x"), TransientError),
    (aws.ConnectionClosedError(endpoint_url="x"), TransientError),
    (aws.ResponseStreamingError(error="cut"), TransientError),
    (aws.NoCredentialsError(), TerminalError),
    (aws.ParamValidationError(report="x"), TerminalError),
    (upload_failed(refused("SlowDown")), TransientError),
    (upload_failed(refused("AccessDenied", 403)), TerminalError),
]


@pytest.mark.parametrize(("error", "kind"), CASES, ids=lambda it: getattr(it, "__name__", f"{it}"))
def test_what_aws_refuses_says_where_and_whether_a_retry_helps(error: Any, kind: Any) -> None:
    caller = cloud._Caller(Service(error), "s3")
    pages = caller.get_paginator("list").paginate(Bucket="b", Prefix="k")
    assert next(pages) == {"page": 1}
    for call in (
        lambda: caller.put_object(Bucket="b", Key="k"),
        caller.get_object(Bucket="b", Key="k")["Body"].read,
        lambda: next(pages),
    ):
        with pytest.raises(SpanishGasError) as told:
            call()
        assert type(told.value) is kind and told.value.__cause__ is error
        assert str(told.value).startswith("s3://b/k: ")
        assert str(told.value).endswith(kind.advice) and kind.advice
    assert caller.meta == "known"


def test_a_mistake_of_ours_stays_one() -> None:
    with pytest.raises(TypeError):
        cloud._Caller(Service(TypeError("a mistake")), "s3").put_object(Bucket="b", Key="k")


def test_glue_athena_and_dynamodb_are_named() -> None:
    with pytest.raises(TerminalError, match=r"^glue sg_ml: "):
        cloud._Caller(Service(refused("AccessDenied")), "glue").put_object(DatabaseName="sg_ml")
    with pytest.raises(TerminalError, match=r"^athena primary: "):
        cloud._Caller(Service(refused("AccessDenied")), "athena").put_object(WorkGroup="primary")
    with pytest.raises(TransientError, match=r"^DynamoDB table runs: "):
        cloud._Caller(Service(refused("X", 500)), "DynamoDB table runs").put_object(Key={})


@pytest.mark.parametrize(
    "path", sorted(PACKAGE_DIR.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE_DIR))
)
def test_no_module_calls_aws_past_the_door(path: Path) -> None:
    if path.name == "cloud.py":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            assert ast.unparse(node) not in ("boto3.client", "boto3.resource"), node.lineno
        if isinstance(node, ast.ImportFrom):
            assert node.module != "botocore.exceptions", f"line {node.lineno}: python_ml.errors"


@pytest.mark.parametrize(
    ("number", "kind", "remedy"),
    [
        (errno.ENOSPC, TerminalError, "free some space"),
        (errno.EDQUOT, TerminalError, "free some space"),
        (errno.EFBIG, TerminalError, "ulimit"),
        (errno.EROFS, TerminalError, "written to"),
        (errno.EACCES, TerminalError, "right to write"),
        (errno.ENAMETOOLONG, TerminalError, "shorter path"),
        (errno.ENOTDIR, TerminalError, "A file stands"),
        (errno.EAGAIN, TransientError, ""),
        (errno.EIO, TransientError, ""),
    ],
)
def test_what_a_disk_refuses_says_where_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: Any, remedy: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(number, "the system says why")

    monkeypatch.setattr("pathlib.Path.open", fail)
    with pytest.raises(SpanishGasError) as told:
        FolderStore(tmp_path).write("models/a/b.json", b"")
    assert type(told.value) is kind
    assert str(told.value).startswith(f"{tmp_path}/models/a/b.json: the system says why")
    assert remedy in str(told.value) and str(told.value).endswith(kind.advice)


def test_a_long_path_does_not_fill_the_terminal() -> None:
    told = str(errors.of_disk(OSError(errno.ENAMETOOLONG, "File name too long", "/x" * 600)))
    assert len(told) < 400 and "\n" not in told


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_BUSY, TransientError),
        (sqlite3.SQLITE_FULL, TerminalError),
        (sqlite3.SQLITE_READONLY, TerminalError),
        (sqlite3.SQLITE_CANTOPEN, TerminalError),
        (sqlite3.SQLITE_CORRUPT, SpanishGasError),
    ],
)
def test_the_record_of_runs_says_whether_a_retry_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        error = sqlite3.OperationalError("no")
        error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr("sqlite3.connect", fail)
    with pytest.raises(SpanishGasError, match=r"runs\.sqlite: no") as told:
        SqliteLedger(tmp_path).runs()
    assert type(told.value) is kind
    assert ("move it away" in str(told.value)) is (kind is SpanishGasError)


@pytest.mark.parametrize("error", [BadInputError("x"), ValueError("x"), KeyError("x")])
def test_what_is_ours_or_a_mistake_is_left_as_it_is(error: Exception) -> None:
    assert errors.foreseen(error) is (error if isinstance(error, SpanishGasError) else None)


def test_what_describes_services_is_read_once_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def clients() -> None:
        session = boto3.session.Session("key", "secret", region_name="eu-south-2")
        for service in ("athena", "glue"):
            session.client(service)

    clients()
    monkeypatch.setattr("json.loads", lambda *_, **__: pytest.fail("read again"))
    clients()
