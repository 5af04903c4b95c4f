"""What was asked of the local Athena: AWS operations by client, and forms of SQL."""

from __future__ import annotations

import re
import threading
from collections import Counter
from typing import Any
from urllib.parse import parse_qs

INTERNAL = "local-athena-internal"  # in the user agent of what the API itself asks
# Sub-resources of S3 that make an operation of their own.
_S3_SUBRESOURCES = {
    ("GET", "location"): "GetBucketLocation",
    ("GET", "uploads"): "ListMultipartUploads",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("PUT", "uploadId"): "UploadPart",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("POST", "delete"): "DeleteObjects",
}


class Recorder:
    """Counts, safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.operations: Counter[tuple[str, str, str]] = Counter()
        self.forms: Counter[str] = Counter()

    def operation(self, client: str, service: str, name: str) -> None:
        with self._lock:
            self.operations[client, service, name] += 1

    def statement(self, form: str) -> None:
        with self._lock:
            self.forms[form] += 1

    def report(self) -> str:
        """One line an operation and one a form, each with its count."""
        with self._lock:
            operations = sorted(self.operations.items())
            forms = sorted(self.forms.items())
        lines = ["AWS operations used by the project:"]
        lines += [f"  {s}:{n}  {c}" for (who, s, n), c in operations if who == "project"]
        lines += ["AWS operations used by the query engine:"]
        lines += [f"  {s}:{n}  {c}" for (who, s, n), c in operations if who == "engine"]
        lines += ["Forms of SQL:"]
        lines += [f"  {form}  {count}" for form, count in forms]
        return "\n".join(lines)


def client_of(environ: dict[str, Any]) -> str:
    """The query engine uses the AWS SDK for Java; everything of ours is Python."""
    return "engine" if "aws-sdk-java" in environ.get("HTTP_USER_AGENT", "").lower() else "project"


def service_of(environ: dict[str, Any]) -> str:
    """The service that the request was signed for; S3 when it was not signed."""
    match = re.search(r"/([a-z0-9-]+)/aws4_request", environ.get("HTTP_AUTHORIZATION", ""))
    return match.group(1) if match else "s3"


def s3_operation(environ: dict[str, Any]) -> str:
    """The S3 operation that method, path and query stand for."""
    method = environ["REQUEST_METHOD"]
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    for (verb, parameter), name in _S3_SUBRESOURCES.items():
        if method == verb and parameter in query:
            return name
    _, _, key = environ.get("PATH_INFO", "/").lstrip("/").partition("/")
    if key:
        if method == "PUT" and "HTTP_X_AMZ_COPY_SOURCE" in environ:
            return "CopyObject"
        return f"{method.capitalize()}Object"
    if method == "GET":
        return "ListObjectsV2" if "list-type" in query else "ListObjects"
    return {"PUT": "CreateBucket", "DELETE": "DeleteBucket"}.get(method, f"{method}Bucket")
