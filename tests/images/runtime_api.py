"""What a container of a function asks in Lambda: the runtime API, with one event.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_VERSION = "/2018-06-01/runtime"
_REQUEST = "5a1e7b3c-0000-4000-8000-000000000001"


@dataclass(frozen=True)
class Answer:
    """What the handler returned, or what it raised."""

    body: Any
    is_error: bool


class RuntimeApi:
    """A server that hands out one event and keeps what is said of it."""

    def __init__(self, event: Any) -> None:
        self._event: bytes | None = json.dumps(event).encode()
        self._answered, self._ended = threading.Event(), threading.Event()
        self._answer: Answer | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def environment(self) -> dict[str, str]:
        """By which a runtime finds it."""
        return {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}"}

    def answer(self, seconds: float, is_alive: Callable[[], bool]) -> Answer | None:
        """Wait for the answer; None if the runtime ended without one, or the time is over."""
        limit = time.monotonic() + seconds
        while not self._answered.wait(0.1):
            if time.monotonic() > limit or not is_alive():
                break
        return self._answer

    def end(self) -> None:
        """Nobody waits for another event any more."""
        self._ended.set()

    def __enter__(self) -> RuntimeApi:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path != f"{_VERSION}/invocation/next":
                    return self.send_error(404)
                event, api._event = api._event, None
                if event is None:  # an idle container waits until it is stopped
                    api._ended.wait(60)
                    return self.send_error(410)
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Lambda-Runtime-Aws-Request-Id", _REQUEST)
                deadline = round((time.time() + 110) * 1000)
                self.send_header("Lambda-Runtime-Deadline-Ms", str(deadline))
                self.send_header(
                    "Lambda-Runtime-Invoked-Function-Arn",
                    "arn:aws:lambda:eu-west-1:123456789012:function:tried",
                )
                self.end_headers()
                self.wfile.write(event)
                return None

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"null")
                is_error = self.path.endswith("/error")
                api._answer = Answer(body, is_error)
                self.send_response(202)
                self.end_headers()
                api._answered.set()

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        return Handler
