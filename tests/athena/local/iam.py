"""Who may do what: each request is allowed by the policy of the role that signed it, or refused.

moto can refuse by action alone. This looks at resources and conditions too, for the services that
a run calls. A role signs with its name as access key. What Athena's engine reads and writes counts
for the role that started the query, as in AWS; so does the key that objects are encrypted with.
What AWS itself does in the name of a role, without a request that could be seen here, is in
tests/infra/policies.py.
"""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.etree import ElementTree

from tests.athena.local.recorder import INTERNAL, client_of, s3_operation, service_of
from tests.athena.local.router import UNLOAD_SCHEMA
from tests.infra.policies import Need, is_allowed

# Operations of S3 whose action has another name.
_S3_ACTIONS = {
    "HeadObject": "GetObject",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "DeleteObjects": "DeleteObject",
}
_OF_CATALOG = ("ListDatabases", "GetDataCatalog")
# The interpreter of the state machine signs with this key, whatever the machine's role is.
_KEYS = {"ak": "states"}
# What the local engine asks of Glue, and Athena's does not.
_ENGINE_ALONE = re.compile(r"ColumnStatistics|UserDefinedFunction")


@dataclass
class Guard:
    """The policies in force, and everything that was asked of them."""

    policies: dict[str, dict[str, Any]]  # of each role
    name: str  # which the names of roles begin with
    account: str
    region: str
    key_arn: str
    work_group: str
    needs: set[Need] = field(default_factory=set)
    refused: list[Need] = field(default_factory=list)
    _querying: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def refuses(self, environ: dict[str, Any]) -> Need | None:
        """What a request lacks, if anything. The tests' own requests may do everything."""
        key = _access_key(environ)
        role = self._querying if _is_engine(environ) else _KEYS.get(key, key)
        if service_of(environ) == "athena" and _operation(environ) == "StartQueryExecution":
            self._querying = role  # roles take turns in a run
        if role not in self.policies:
            return None
        return next((need for need in self._needs(role, environ) if not self.allows(need)), None)

    def allows(self, need: Need) -> bool:
        """Whether the role's policy allows it; it is noted either way."""
        allowed = is_allowed(self.policies[need.role], need)
        with self._lock:
            self.needs.add(need)
            if not allowed:
                self.refused.append(need)
        return allowed

    def told(self, need: Need) -> str:
        """The message of AWS for a call that no policy of the role allows."""
        return (
            f"User: arn:aws:sts::{self.account}:assumed-role/{self.name}-{need.role}/session is "
            f"not authorized to perform: {need.action} on resource: {need.resource} because no "
            f"identity-based policy allows the {need.action} action"
        )

    def _needs(self, role: str, environ: dict[str, Any]) -> Iterator[Need]:
        service = service_of(environ)
        if service == "s3":
            yield from self._of_s3(role, environ)
        elif service != "sts":
            operation, body = _operation(environ), _body(environ)
            if service == "glue" and _is_of_local_engine(operation, body):
                return
            prefix = {"monitoring": "cloudwatch"}.get(service, service)
            if not operation:
                form = parse_qs(body) if isinstance(body, str) else {}
                operation = form.get("Action", ["?"])[0]
                body = {name: values[0] for name, values in form.items()}
            if not isinstance(body, dict):
                body = {}
            context: tuple[tuple[str, str], ...] = ()
            if namespace := body.get("Namespace"):
                context = (("cloudwatch:namespace", namespace),)
            if service == "dynamodb":
                context = (("dynamodb:LeadingKeys", _leading_key(body)),)
            for resource in self._resources(service, operation, body):
                yield Need(role, f"{prefix}:{operation}", resource, context)
            if service == "sns" and operation == "Publish":  # an encrypted topic takes the key
                # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
                yield Need(role, "kms:Decrypt", self.key_arn)
                yield Need(role, "kms:GenerateDataKey", self.key_arn)
            if operation == "StartQueryExecution":
                place = body.get("ResultConfiguration", {}).get("OutputLocation")
                if place:
                    yield from self._object(role, "PutObject", f"{place[5:].rstrip('/')}/x")

    def _resources(self, service: str, operation: str, body: Mapping[str, Any]) -> Sequence[str]:
        arn = f"arn:aws:{service}:{self.region}:{self.account}"
        if service == "glue":
            return list(_glue(arn, operation, body))
        of_catalog = "TableMetadata" in operation or operation in _OF_CATALOG
        group = f"{arn}:workgroup/{body.get('WorkGroup') or self.work_group}"
        named = {
            "athena": f"{arn}:datacatalog/AwsDataCatalog" if of_catalog else group,
            "dynamodb": f"{arn}:table/{body.get('TableName')}",
            "sagemaker": _sagemaker(arn, body),
            "states": body.get("executionArn") or body.get("stateMachineArn"),
            "sns": body.get("TopicArn"),
        }
        return [named.get(service) or "*"]

    def _of_s3(self, role: str, environ: dict[str, Any]) -> Iterator[Need]:
        operation = s3_operation(environ)
        query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        if "lifecycle" in query:
            operation = "GetLifecycleConfiguration"
        path = unquote(environ.get("PATH_INFO", "/")).lstrip("/")
        bucket, _, key = path.partition("/")
        if operation == "DeleteObjects":
            root = ElementTree.fromstring(_raw(environ))
            keys = [node.text or "" for node in root.iter() if node.tag.endswith("Key")]
            for one in keys:
                yield Need(role, "s3:DeleteObject", f"arn:aws:s3:::{bucket}/{one}")
            return
        action = _S3_ACTIONS.get(operation, operation)
        if action == "CopyObject":
            source = unquote(environ["HTTP_X_AMZ_COPY_SOURCE"]).lstrip("/").partition("?")[0]
            yield from self._object(role, "GetObject", source)
            yield from self._object(role, "PutObject", path)
        elif key:
            yield from self._object(role, action, path)
        else:
            context = (("s3:prefix", query.get("prefix", [""])[0]),)
            shown = context if action == "ListBucket" else ()
            yield Need(role, f"s3:{action}", f"arn:aws:s3:::{bucket}", shown)

    def _object(self, role: str, action: str, path: str) -> Iterator[Need]:
        yield Need(role, f"s3:{action}", f"arn:aws:s3:::{path}")
        # Each object is encrypted with the key of the platform.
        uses = {"GetObject": "kms:Decrypt", "PutObject": "kms:GenerateDataKey"}
        if action in uses:
            yield Need(role, uses[action], self.key_arn)


def _glue(arn: str, operation: str, body: Mapping[str, Any]) -> Iterator[str]:
    """Catalog, database and table: Glue wants each of them allowed."""
    yield f"{arn}:catalog"
    own = body.get("DatabaseInput", {}).get("Name") if "Database" in operation else None
    database = body.get("DatabaseName") or own or body.get("Name")
    if operation == "GetDatabases":
        return
    if "Database" in operation:
        database = own or body.get("Name")
        yield f"{arn}:database/{database}"
        return
    yield f"{arn}:database/{database}"
    table = body.get("TableName") or body.get("TableInput", {}).get("Name")
    if table is None and operation in ("GetTable", "DeleteTable"):
        table = body.get("Name")
    if operation != "GetTables":
        yield f"{arn}:table/{database}/{table}"


def _is_engine(environ: dict[str, Any]) -> bool:
    """Whether it is Athena that asks: by Trino, or for the statements that Trino does not take."""
    takes_ddl = INTERNAL in environ.get("HTTP_USER_AGENT", "") and service_of(environ) == "glue"
    return takes_ddl or client_of(environ) == "engine"


def _is_of_local_engine(operation: str, body: Any) -> bool:
    """Whether Athena's own engine would not ask for it: the local one unloads through a table."""
    names = (body.get("DatabaseName"), body.get("Name")) if isinstance(body, dict) else ()
    return bool(_ENGINE_ALONE.search(operation)) or UNLOAD_SCHEMA in names


def _leading_key(body: Mapping[str, Any]) -> str:
    """Value of the hash key that a request is about."""
    if key := body.get("Key") or body.get("Item"):
        return str(key["warehouse"]["S"])
    values = body.get("ExpressionAttributeValues", {})  # of a query; a scan has none
    return str(values.get(":v0", {}).get("S", ""))


def _sagemaker(arn: str, body: Mapping[str, Any]) -> str:
    named = body.get("ModelPackageArn") or body.get("ModelPackageName")
    group = body.get("ModelPackageGroupName")
    if named:
        return str(named) if str(named).startswith("arn:") else f"{arn}:model-package/{named}"
    return f"{arn}:model-package-group/{group}"


def _access_key(environ: Mapping[str, Any]) -> str:
    found = re.search(r"Credential=([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    return found[1] if found else ""


def _operation(environ: Mapping[str, Any]) -> str:
    return str(environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]


def _raw(environ: dict[str, Any]) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    content = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(content)
    return bytes(content)


def _body(environ: dict[str, Any]) -> Any:
    text = _raw(environ).decode("utf-8", errors="replace")
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text
