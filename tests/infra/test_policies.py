"""Our roles may do what AWS's services do in their names, and no more of it."""

from __future__ import annotations

import pytest

from python_ml.engines.dynamodb_ledger import runs_key
from tests.infra.policies import NAME, WHERE, Need, Rendered, Services, is_allowed, survivors
from tests.infra.terraform import ACCOUNT

# Called by our own code, or by the query engine for a query of ours: not by a service of itself.
OURS = ("athena", "cloudwatch", "dynamodb", "glue", "s3")
LEADING = "dynamodb:LeadingKeys"
OWN_CALLS = {
    *("kms:Decrypt", "kms:GenerateDataKey", "states:StartExecution"),
    *("states:DescribeExecution", "sagemaker:CreateModelPackage", "sagemaker:UpdateModelPackage"),
    *("sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages"),
}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    return Rendered.apply(tmp_path_factory.mktemp("policies") / "work")


@pytest.fixture(scope="module")
def needs(rendered: Rendered) -> list[Need]:
    return Services(rendered).everything()


def test_services_may_do_what_they_are_documented_to(rendered: Rendered, needs: list[Need]) -> None:
    refused = [need for need in needs if not is_allowed(rendered.policies[need.role], need)]
    assert not refused
    assert {need.role for need in needs} == {
        *("trigger", "control", "states", "execution", "ml", "flow"),
    }


def test_each_action_that_only_services_take_would_be_missed(
    rendered: Rendered, needs: list[Need]
) -> None:
    """Any one of them removed from any statement stops something; none is there for nothing."""
    left = [
        each
        for each in survivors(rendered.policies, needs)
        if each[2].partition(":")[0] not in OURS and each[2] not in OWN_CALLS
    ]
    assert not left


def test_the_uploads_are_the_sender_s(rendered: Rendered) -> None:
    """Forgetting a person edits them, and deletes versions: with a person's own rights."""
    upload = f"arn:aws:s3:::{NAME}-data-{ACCOUNT}/raw/train/2024/churn_label.csv"
    for role, policy in rendered.policies.items():
        for action in ("PutObject", "DeleteObject", "DeleteObjectVersion"):
            assert not is_allowed(policy, Need(role, f"s3:{action}", upload)), role
        versions = Need(role, "s3:ListBucketVersions", f"arn:aws:s3:::{NAME}-data-{ACCOUNT}")
        assert not is_allowed(policy, versions), role


@pytest.mark.parametrize("role", ["dbt", "ml"])
def test_jobs_write_records_of_runs_and_cannot_touch_a_lease(role: str, rendered: Rendered) -> None:
    policy, table = rendered.policies[role], f"arn:aws:dynamodb:{WHERE}:table/{NAME}-runs"
    allowed = {
        (action, key)
        for action in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan")
        for key in ("sg_dev", runs_key("sg_dev"), "another")
        if is_allowed(policy, Need(role, f"dynamodb:{action}", table, ((LEADING, key),)))
    }
    assert allowed == {("PutItem", runs_key("sg_dev"))}


def test_dbt_touches_neither_models_nor_uploads(rendered: Rendered) -> None:
    bucket = f"arn:aws:s3:::{NAME}-data-{ACCOUNT}"
    for key in ("models/churn-1/model.json", "models/champion.json", "raw/1/churn_label.csv"):
        for action in ("GetObject", "PutObject", "DeleteObject"):
            need = Need("dbt", f"s3:{action}", f"{bucket}/{key}")
            assert not is_allowed(rendered.policies["dbt"], need)
    model = f"arn:aws:sagemaker:{WHERE}:model-package/{NAME}-churn/1"
    update = Need("dbt", "sagemaker:UpdateModelPackage", model)
    assert not is_allowed(rendered.policies["dbt"], update)


@pytest.mark.parametrize(
    ("action", "resource", "context", "expected"),
    [
        ("s3:ListBucket", "arn:aws:s3:::d", (("s3:prefix", "raw/1/"),), True),
        ("s3:ListBucket", "arn:aws:s3:::d", (("s3:prefix", "ml/"),), False),
        ("s3:ListBucket", "arn:aws:s3:::d", (), False),
        ("s3:ListBucket", "arn:aws:s3:::other", (("s3:prefix", "raw/1/"),), False),
        ("s3:GetObject", "arn:aws:s3:::d", (("s3:prefix", "raw/1/"),), False),
    ],
)
def test_a_statement_allows_its_actions_on_its_resources_under_its_conditions(
    action: str, resource: str, context: tuple[tuple[str, str], ...], expected: bool
) -> None:
    statement = {
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": ["arn:aws:s3:::d"],
        "Condition": {"StringLike": {"s3:prefix": ["raw/*"]}},
    }
    need = Need("x", action, resource, context)
    assert is_allowed({"Statement": [statement]}, need) == expected
