"""The process: one port for S3, Glue, STS, DynamoDB (moto) and Athena (ours), Trino behind it."""

from __future__ import annotations

import io
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.athena.local import recorder as recording
from tests.athena.local.api import ApiError, AthenaApi
from tests.athena.local.glue_patches import FOR_ENGINE, STUBS, WRITES, complete
from tests.athena.local.iam import Guard
from tests.athena.local.router import UNLOAD_SCHEMA, Router
from tests.athena.local.trino import Trino, install
from tests.athena.local.trino_client import TrinoClient

REGION = "us-east-1"
CREDENTIALS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
_JSON = "application/x-amz-json-1.1"

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class LocalAthena:
    """Start with `start()`, use `endpoint`, end with `stop()`; also a context manager."""

    def __init__(self, work: Path) -> None:
        self._port = free_port()
        self.endpoint = f"http://127.0.0.1:{self._port}"
        self.recorder = recording.Recorder()
        self.start_seconds = 0.0
        self.guard: Guard | None = None  # refuses what the caller's role may not
        self.notes: list[str] = []  # what tests want to be printed at the end
        self._work = work
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._glue = self.client("glue", recording.INTERNAL)
        self._s3 = self.client("s3", recording.INTERNAL)
        self._trino = Trino(install(), work / "trino", free_port(), self.endpoint)
        router = Router(TrinoClient(self._trino.url), self._glue, self._s3)
        athena = self.client("athena", recording.INTERNAL)
        self._api = AthenaApi(router, athena, self._s3, self.recorder)
        self._server: Any = None

    def client(self, service: str, agent: str | None = None, role: str | None = None) -> Any:
        """A boto3 client of this endpoint, which signs as a role if one is given."""
        config = Config(user_agent_extra=agent, max_pool_connections=32)
        make: Callable[..., Any] = boto3.client  # its types know a service by its literal name only
        signed = CREDENTIALS | ({"aws_access_key_id": role} if role else {})
        return make(
            service, region_name=REGION, endpoint_url=self.endpoint, config=config, **signed
        )

    @property
    def environment(self) -> dict[str, str]:
        """What redirects every AWS client of a process to this endpoint."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": CREDENTIALS["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": CREDENTIALS["aws_secret_access_key"],
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def start(self) -> LocalAthena:
        """Start both processes and return when they take queries."""
        began = time.monotonic()
        self._trino.start()
        self._server = make_server(
            "127.0.0.1", self._port, self, threaded=True, request_handler=_QuietHandler
        )
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._glue.create_database(DatabaseInput={"Name": UNLOAD_SCHEMA})
        try:
            self._trino.wait()
        except BaseException:
            self.stop()
            raise
        self.start_seconds = time.monotonic() - began
        return self

    @contextmanager
    def failing(self, text: str) -> Iterator[None]:
        """Every statement that contains the text fails, as when the engine breaks down."""
        self._api.fault = text
        try:
            yield
        finally:
            self._api.fault = None

    @contextmanager
    def waiting(self, seconds: float) -> Iterator[None]:
        """Each query waits before it begins, as it does in AWS."""
        self._api.latency_seconds = seconds
        try:
            yield
        finally:
            self._api.latency_seconds = 0.0

    def engine_seconds(self, since: datetime) -> float:
        """How long the queries since a moment have computed, all together."""
        return self._api.engine_seconds(since.timestamp())

    def stop(self) -> None:
        """End both."""
        self._api.close()
        self._trino.stop()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> LocalAthena:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """The WSGI application."""
        service = recording.service_of(environ)
        operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        if recording.INTERNAL not in environ.get("HTTP_USER_AGENT", ""):
            name = operation or _unnamed_operation(service, environ)
            self.recorder.operation(recording.client_of(environ), service, name)
        if self.guard is not None and (need := self.guard.refuses(environ)) is not None:
            return _denied(service, self.guard.told(need), start_response)
        if service == "athena" and self._api.knows(operation):
            return self._athena(operation, environ, start_response)
        if service == "glue" and operation in STUBS:
            return _answer(start_response, 200, STUBS[operation])
        if service == "glue" and operation in WRITES:
            _rewrite(environ, lambda body: complete(body, self._s3))
        application = self._moto.get_application(environ)
        is_engine = recording.client_of(environ) == "engine"
        if service == "glue" and is_engine and operation in FOR_ENGINE:
            return _changed(application, environ, start_response, FOR_ENGINE[operation])
        return application(environ, start_response)

    def _athena(
        self, operation: str, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> list[bytes]:
        try:
            return _answer(start_response, 200, self._api.handle(operation, _body(environ)))
        except ApiError as error:
            body = {"__type": error.code, "Message": str(error)}
            return _answer(start_response, 400, body)


def _denied(service: str, said: str, start_response: Callable[..., Any]) -> list[bytes]:
    """As each service says that a role may not."""
    if service not in ("s3", "sns", "monitoring"):
        return _answer(start_response, 400, {"__type": "AccessDeniedException", "Message": said})
    code = {"s3": "AccessDenied", "sns": "AuthorizationError"}.get(service, "AccessDenied")
    error = f"<Error><Code>{code}</Code><Message>{escape(said)}</Message></Error>"
    text = error if service == "s3" else f"<ErrorResponse>{error}</ErrorResponse>"
    head = [("Content-Type", "application/xml"), ("Content-Length", str(len(text)))]
    start_response("403 Forbidden", head)
    return [text.encode()]


def _unnamed_operation(service: str, environ: dict[str, Any]) -> str:
    if service == "s3":
        return recording.s3_operation(environ)
    if service == "sts":  # the only one that anything here calls
        return "GetCallerIdentity"
    return str(environ["REQUEST_METHOD"])


def _body(environ: dict[str, Any]) -> dict[str, Any]:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    document: dict[str, Any] = json.loads(environ["wsgi.input"].read(length) or b"{}")
    return document


def _rewrite(environ: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    body = json.dumps(change(_body(environ))).encode()
    environ["CONTENT_LENGTH"] = str(len(body))
    environ["wsgi.input"] = io.BytesIO(body)


def _answer(start_response: Callable[..., Any], status: int, body: dict[str, Any]) -> list[bytes]:
    content = json.dumps(body).encode()
    reason = "OK" if status == 200 else "Bad Request"
    start_response(
        f"{status} {reason}", [("Content-Type", _JSON), ("Content-Length", str(len(content)))]
    )
    return [content]


def _changed(
    application: Wsgi,
    environ: dict[str, Any],
    start_response: Callable[..., Any],
    change: Callable[[dict[str, Any]], dict[str, Any]],
) -> list[bytes]:
    """The application's JSON answer, changed when it is no error."""
    head: list[Any] = []
    content = b"".join(application(environ, lambda *given: head.extend(given)))
    if not head[0].startswith("200"):
        start_response(*head)
        return [content]
    return _answer(start_response, 200, change(json.loads(content)))


class _QuietHandler(WSGIRequestHandler):
    """Keeps connections open and does not log each request."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:
        if type == "error":
            logging.getLogger(__name__).error(message, *args)
