"""The guard of the rehearsal asks for what AWS would ask for, and decides as IAM does."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from tests.athena.local.iam import Guard
from tests.infra.policies import Need

KEY = "arn:aws:kms:us-east-1:123456789012:key/1"
DATA = "arn:aws:s3:::data"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/runs"


def guard(*statements: dict[str, Any]) -> Guard:
    return Guard(
        policies={"dbt": {"Statement": list(statements)}, "states": {"Statement": []}},
        name="sg-dev",
        account="123456789012",
        region="us-east-1",
        key_arn=KEY,
        work_group="sg-dev",
    )


def allow(actions: list[str], resources: list[str], **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return statement | ({"Condition": condition} if condition else {})


def request(
    service: str, path: str = "/", method: str = "GET", body: Any = None, **more: str
) -> dict[str, Any]:
    """A request as the server sees it, signed by dbt's role."""
    content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    path, _, query = path.partition("?")
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.input": io.BytesIO(content),
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential=dbt/20250101/x/{service}/aws4_request",
        **more,
    }


DELETION = b"<Delete><Object><Key>a/1</Key></Object><Object><Key>b/2</Key></Object></Delete>"
CASES: dict[str, tuple[dict[str, Any], set[tuple[str, str]]]] = {
    "an object is read with its key": (
        request("s3", "/data/ml/x"),
        {("s3:GetObject", f"{DATA}/ml/x"), ("kms:Decrypt", KEY)},
    ),
    "an object's head needs what its body needs": (
        request("s3", "/data/ml/x", "HEAD"),
        {("s3:GetObject", f"{DATA}/ml/x"), ("kms:Decrypt", KEY)},
    ),
    "an object is written with its key": (
        request("s3", "/data/ml/x", "PUT"),
        {("s3:PutObject", f"{DATA}/ml/x"), ("kms:GenerateDataKey", KEY)},
    ),
    "a copy reads and writes": (
        request("s3", "/data/b", "PUT", HTTP_X_AMZ_COPY_SOURCE="/data/a"),
        {
            *{("s3:GetObject", f"{DATA}/a"), ("kms:Decrypt", KEY)},
            *{("s3:PutObject", f"{DATA}/b"), ("kms:GenerateDataKey", KEY)},
        },
    ),
    "each of many objects is deleted": (
        request("s3", "/data?delete", "POST", DELETION),
        {("s3:DeleteObject", f"{DATA}/a/1"), ("s3:DeleteObject", f"{DATA}/b/2")},
    ),
    "a table is catalog, database and table": (
        request(
            *("glue", "/", "POST", {"DatabaseName": "d", "Name": "t"}),
            HTTP_X_AMZ_TARGET="AWSGlue.GetTable",
        ),
        {
            ("glue:GetTable", f"arn:aws:glue:us-east-1:123456789012:{part}")
            for part in ("catalog", "database/d", "table/d/t")
        },
    ),
    "an item is its table": (
        request(
            *("dynamodb", "/", "POST"),
            {"TableName": "runs", "Key": {"warehouse": {"S": "w"}, "item": {"S": "lease"}}},
            HTTP_X_AMZ_TARGET="DynamoDB_20120810.GetItem",
        ),
        {("dynamodb:GetItem", TABLE)},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_request_needs_what_aws_asks_for(case: str) -> None:
    environ, expected = CASES[case]
    every = guard(allow(["*"], ["*"]))
    assert every.refuses(environ) is None
    assert {(need.action, need.resource) for need in every.needs} == expected
    for missing in expected:
        rest = expected - {missing}
        strict = guard(*(allow([action], [resource]) for action, resource in rest))
        environ["wsgi.input"].seek(0)
        refused = strict.refuses(environ)
        assert refused is not None
        assert (refused.action, refused.resource) == missing


def test_a_job_may_write_records_of_runs_and_not_the_lease() -> None:
    records = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["w/runs"]}}
    strict = guard(allow(["dynamodb:PutItem"], [TABLE], **records))
    for key, is_refused in {"w/runs": False, "w": True}.items():
        item = {"warehouse": {"S": key}, "item": {"S": "x"}}
        environ = request(
            *("dynamodb", "/", "POST", {"TableName": "runs", "Item": item}),
            HTTP_X_AMZ_TARGET="DynamoDB_20120810.PutItem",
        )
        assert (strict.refuses(environ) is not None) == is_refused, key


def test_the_engine_acts_for_whoever_has_sent_the_query() -> None:
    strict = guard(allow(["athena:StartQueryExecution"], ["*"]))
    started = request(
        *("athena", "/", "POST", {"QueryString": "select 1"}),
        HTTP_X_AMZ_TARGET="AmazonAthena.StartQueryExecution",
    )
    assert strict.refuses(started) is None
    environ = request("s3", "/data/ml/x", HTTP_USER_AGENT="aws-sdk-java/1")
    environ["HTTP_AUTHORIZATION"] = environ["HTTP_AUTHORIZATION"].replace("=dbt/", "=engine/")
    refused = strict.refuses(environ)
    assert refused is not None
    assert (refused.role, refused.action) == ("dbt", "s3:GetObject")


def test_a_refusal_reads_as_that_of_aws() -> None:
    strict = guard()
    topic = "arn:aws:sns:us-east-1:123456789012:sg-dev-runs"
    assert strict.told(Need("states", "sns:Publish", topic)) == (
        "User: arn:aws:sts::123456789012:assumed-role/sg-dev-states/session is not authorized to "
        "perform: sns:Publish on resource: arn:aws:sns:us-east-1:123456789012:sg-dev-runs because "
        "no identity-based policy allows the sns:Publish action"
    )
