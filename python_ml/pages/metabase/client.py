"""The REST API of a Metabase server: log-in, retries, errors that say what to do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from python_ml.errors import SpanishGasError, UsageError
from python_ml.settings import MetabaseSettings

Json = dict[str, Any]

# Answers after which the server has done nothing yet; the request can be sent again.
_NOT_YET = (429, 503)
# Answers of a proxy that does not know what became of the request.
_UNKNOWN = (502, 504)
_LONGEST_WAIT = 30.0


class MetabaseError(SpanishGasError):
    """The server refused a request, or did not answer."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Credentials:
    """Who we are to the server: an API key, or an administrator's e-mail and password."""

    api_key: str | None
    email: str | None
    password: str | None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Credentials:
        """`SPANISHGAS_METABASE_API_KEY`, or `SPANISHGAS_METABASE_EMAIL` and `_PASSWORD`.

        Raises:
            UsageError: neither is set.
        """
        environ = os.environ if environ is None else environ
        api_key, email, password = (
            environ.get(f"SPANISHGAS_METABASE_{name}") or None
            for name in ("API_KEY", "EMAIL", "PASSWORD")
        )
        if not api_key and not (email and password):
            raise UsageError(
                "no credentials for Metabase: set SPANISHGAS_METABASE_API_KEY, or "
                "SPANISHGAS_METABASE_EMAIL and SPANISHGAS_METABASE_PASSWORD of an administrator"
            )
        return cls(api_key, email, password)


class MetabaseClient:
    """One server. `writes` lists the requests that changed something, as `PUT /api/card/7`."""

    def __init__(
        self,
        settings: MetabaseSettings,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Args:
            settings: the section `metabase` of the settings.
            transport: instead of the network, in tests.
            sleep: instead of waiting, in tests.
        """
        self.url = str(settings.url).rstrip("/")
        self.writes: list[str] = []
        self._attempts = int(settings.attempts)
        self._sleep = sleep
        self._http = httpx.Client(
            base_url=self.url, timeout=float(settings.timeout_seconds), transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def properties(self) -> Json:
        """What the server says of itself to everyone; a blank one has `setup-token`."""
        value: Json = self.get("/api/session/properties")
        return value

    def log_in(self, credentials: Credentials) -> None:
        """Send the API key, or a session's token, from now on.

        Raises:
            MetabaseError: e-mail or password are wrong.
        """
        if credentials.api_key:
            self._http.headers["x-api-key"] = credentials.api_key
            return
        body = {"username": credentials.email, "password": credentials.password}
        session = self._request("POST", "/api/session", body, repeatable=True)
        self.use_session(session["id"])

    def use_session(self, token: str) -> None:
        self._http.headers["X-Metabase-Session"] = token

    @property
    def headers(self) -> dict[str, str]:
        """The headers that say who we are."""
        names = ("x-api-key", "X-Metabase-Session")
        return {name: self._http.headers[name] for name in names if name in self._http.headers}

    def get(self, path: str, **query: Any) -> Any:
        return self._request("GET", path, query=query)

    def find(self, path: str) -> Json | None:
        """What is there, or None."""
        try:
            value: Json | None = self.get(path)
            return value
        except MetabaseError as error:
            if error.status == 404:
                return None
            raise

    def post(self, path: str, body: Json) -> Any:
        """Create something. Sent once more only while the server surely has not seen it."""
        answer = self._request("POST", path, body, repeatable=False)
        self.writes.append(f"POST {path}")
        return answer

    def put(self, path: str, body: Json | None) -> Any:
        """Bring something to a state; twice is the same as once."""
        answer = self._request("PUT", path, body)
        self.writes.append(f"PUT {path}")
        return answer

    def ask(self, path: str, body: Json | None = None) -> Any:
        """A POST that changes nothing: a query, or the order to look at the tables again."""
        return self._request("POST", path, body)

    def wait(self, seconds: float) -> None:
        """Give the server time for what it does by itself."""
        self._sleep(seconds)

    def _request(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        repeatable: bool = True,
    ) -> Any:
        for attempt in range(1, self._attempts + 1):
            is_last = attempt == self._attempts
            wait = min(0.5 * 2 ** (attempt - 1), _LONGEST_WAIT)
            try:
                response = self._http.request(method, path, json=body, params=query or None)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if is_last:
                    raise self._unreachable(method, path, error) from error
            except httpx.TransportError as error:
                if is_last or not repeatable:
                    raise self._unreachable(method, path, error) from error
            else:
                status = response.status_code
                if is_last or status not in (_NOT_YET + (_UNKNOWN if repeatable else ())):
                    return self._answer(method, path, response)
                wait = _asked_to_wait(response) or wait
            self._sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _answer(self, method: str, path: str, response: httpx.Response) -> Any:
        status = response.status_code
        if response.is_success:
            return response.json() if response.content else None
        remedy = {
            401: "; SPANISHGAS_METABASE_API_KEY (or e-mail and password) is not valid there",
            403: "; an API key of the group Administrators is needed",
        }.get(status, "")
        said = " ".join(response.text.split())[:500] or response.reason_phrase
        raise MetabaseError(f"{method} {self.url}{path}: {status}: {said}{remedy}", status)

    def _unreachable(self, method: str, path: str, error: httpx.TransportError) -> MetabaseError:
        reason = str(error) or type(error).__name__
        return MetabaseError(
            f"{method} {self.url}{path}: no answer ({reason}); is Metabase up, and metabase.url "
            "right? The same command again goes on where it stopped"
        )


def _asked_to_wait(response: httpx.Response) -> float | None:
    """Seconds by the header Retry-After, if it has some."""
    value = response.headers.get("Retry-After", "")
    return min(float(value), _LONGEST_WAIT) if value.isdigit() else None
