"""AWS, as every module calls it: what a service refuses becomes an error of ours, where it happens.

`client` and `table` are boto3's own, with the same calls, pages and answers. A call that fails
raises a TransientError or a TerminalError, which names the place and keeps the service's message;
what callers await has a class of its own (NotFoundError, AlreadyThereError, ConditionFailedError).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.loaders import JSONFileLoader, Loader

from python_ml.errors import (
    AlreadyThereError,
    ConditionFailedError,
    NotFoundError,
    ServiceError,
    TerminalError,
    TransientError,
)

_AWAITED: dict[str, type[TerminalError]] = {
    **dict.fromkeys(("NoSuchKey", "404", "NotFound", "EntityNotFoundException"), NotFoundError),
    "ExecutionDoesNotExist": NotFoundError,
    **dict.fromkeys(("AlreadyExistsException", "ExecutionAlreadyExists"), AlreadyThereError),
    "ConditionalCheckFailedException": ConditionFailedError,
}
_TRANSIENT = frozenset(
    {
        *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled"),
        *("RequestThrottledException", "TooManyRequestsException", "RequestLimitExceeded"),
        *("ProvisionedThroughputExceededException", "BandwidthLimitExceeded", "SlowDown"),
        *("InternalError", "InternalFailure", "InternalServerError", "InternalServerException"),
        *("InternalServiceException", "ServiceUnavailable", "ServiceUnavailableException"),
        *("RequestTimeout", "RequestTimeoutException", "OperationTimeoutException"),
        *("ConcurrentModificationException", "TransactionInProgressException"),
        *("PriorRequestNotComplete", "OperationAborted"),
    }
)
_TOO_MANY, _SERVER_ERROR = 429, 500  # HTTP


class _ReadOnce(JSONFileLoader):
    """What botocore brings to describe services, read once in a process and not once a session.

    dbt-athena makes a session for every node and several clients for each: on the local Athena
    reading these files was 60% of the processor time of dbt.
    """

    _read = staticmethod(cache(JSONFileLoader().load_file))

    def load_file(self, file_path: str) -> Any:
        return self._read(file_path)


Loader.FILE_LOADER_CLASS = _ReadOnce


def client(service: str, region: str | None = None, config: Config | None = None) -> Any:
    """boto3's client of a service, whose errors are ours."""
    make: Any = boto3.client  # its stubs know a type per service, and none for a variable
    return _Caller(make(service, region_name=region, config=config), service)


def table(name: str, region: str | None = None) -> Any:
    """boto3's table of DynamoDB, whose errors are ours."""
    make: Any = boto3.resource
    return _Caller(make("dynamodb", region_name=region).Table(name), f"DynamoDB table {name}")


@contextmanager
def refusals(place: str) -> Iterator[None]:
    """What AWS refuses becomes an error of ours.

    Args:
        place: what was asked, for the message.

    Raises:
        ServiceError: whether a retry helps, the class says.
    """
    try:
        yield
    except (ClientError, BotoCoreError, Boto3Error) as error:
        raise refusal(error, place) from error


def refusal(error: BaseException, place: str) -> ServiceError:
    """Our error of one of AWS's libraries; whether a retry helps, the class says."""
    # An upload that failed says why in the error that it was made of.
    known = error.__context__ if isinstance(error, Boto3Error) and error.__context__ else error
    if not isinstance(known, ClientError):
        passing = (ConnectionError, HTTPClientError, IncompleteReadError)
        kind = TransientError if isinstance(known, passing) else TerminalError
        return kind(f"{place}: {error}")
    code = known.response["Error"]["Code"]
    status = known.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if awaited := _AWAITED.get(code):
        return awaited(f"{place}: {error}", code)
    passes = code in _TRANSIENT or status == _TOO_MANY or status >= _SERVER_ERROR
    return (TransientError if passes else TerminalError)(f"{place}: {error}", code)


class _Caller:
    """Calls of a client or resource; a paginator and a body read on within the same guard."""

    def __init__(self, target: Any, name: str) -> None:
        self._target, self._name = target, name

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if not callable(value):
            return value
        if name == "get_paginator":
            return lambda operation: _Paginator(value(operation), self._name)
        return self._guarded(value)

    def _guarded(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*arguments: Any, **given: Any) -> Any:
            place = _place(self._name, given)
            with refusals(place):
                answer = call(*arguments, **given)
            if isinstance(answer, dict) and hasattr(answer.get("Body"), "read"):
                answer["Body"] = _Body(answer["Body"], place)
            return answer

        return guarded


class _Paginator:
    def __init__(self, paginator: Any, name: str) -> None:
        self._paginator, self._name = paginator, name

    def paginate(self, **given: Any) -> Iterator[dict[str, Any]]:
        with refusals(_place(self._name, given)):
            yield from self._paginator.paginate(**given)


class _Body:
    def __init__(self, body: Any, place: str) -> None:
        self._body, self._place = body, place

    def read(self, amount: int | None = None) -> bytes:
        with refusals(self._place):
            content: bytes = self._body.read(amount)
            return content


def _place(name: str, given: Mapping[str, Any]) -> str:
    """What a call is about, in a word."""
    if "Bucket" in given:
        return f"s3://{given['Bucket']}/{given.get('Key') or given.get('Prefix') or ''}"
    about = ("DatabaseName", "WorkGroup", "ModelPackageGroupName", "ModelPackageName", "TopicArn")
    named = next((given[key] for key in about if key in given), None)
    return name if named is None else f"{name} {named}"
