"""What a first deployment would hit, read from what Terraform renders and applies.

Each test names something that AWS documents and that no emulator refuses.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.infra.terraform import ACCOUNT, IMAGES, REGION, Workspace

NAME = "sg-prod"
ARN = f"{REGION}:{ACCOUNT}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, dict[str, Any]]:
    """The state of an applied environment: address -> values."""
    work = Workspace(tmp_path_factory.mktemp("first") / "w", "prod")
    work.init()
    work.write_variables("pushed", {"image_uris": IMAGES})
    work.change("apply", "-auto-approve")
    return work.state()


def statements(document: str) -> Iterator[dict[str, Any]]:
    yield from json.loads(document)["Statement"]


def role(made: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return list(statements(made[f'module.iam.aws_iam_role_policy.this["{name}"]']["policy"]))


def allowing(found: list[dict[str, Any]], action: str, resource: str) -> list[dict[str, Any]]:
    """Statements that allow an action on a resource, conditions aside."""
    return [
        one
        for one in found
        if one["Effect"] == "Allow"
        and any(fnmatchcase(action, pattern) for pattern in one.get("Action", []))
        and any(fnmatchcase(resource, pattern) for pattern in one.get("Resource", []))
    ]


def test_jobs_with_encrypted_volumes_may_use_the_key(made: Mapping[str, Any]) -> None:
    key = made["module.s3.aws_kms_key.data"]["arn"]
    for action in ("kms:CreateGrant", "kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt"):
        assert allowing(role(made, "ml"), action, key), action


def test_functions_that_are_traced_may_send_traces(made: Mapping[str, Any]) -> None:
    traced = {
        address: values
        for address, values in made.items()
        if values.get("tracing_config") and values["tracing_config"][0]["mode"] == "Active"
    }
    assert len(traced) == 2
    for values in traced.values():
        name = values["role"].rpartition(f"{NAME}-")[2]
        for action in ("xray:PutTraceSegments", "xray:PutTelemetryRecords"):
            assert allowing(role(made, name), action, "*"), (name, action)


def test_the_state_machine_may_tag_the_tasks_that_it_starts(made: Mapping[str, Any]) -> None:
    assert (
        '"PropagateTags"' in made["module.step_functions.aws_sfn_state_machine.this"]["definition"]
    )
    task = f"arn:aws:ecs:{ARN}:task/{NAME}/1"
    (tag,) = allowing(role(made, "states"), "ecs:TagResource", task)
    assert tag["Condition"] == {"StringEquals": {"ecs:CreateAction": ["RunTask"]}}


def test_every_image_has_a_repository_from_which_it_may_be_pulled(made: Mapping[str, Any]) -> None:
    for image in IMAGES:
        repository = made[f'module.ecr.aws_ecr_repository.this["{image}"]']["arn"]
        pulled_by = ("ml",) if image == "ml" else ("execution",)
        for name in pulled_by if image != "trigger" else ():  # Lambda pulls as itself
            for action in ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"):
                assert allowing(role(made, name), action, repository), (name, image)


def test_whoever_sends_to_an_encrypted_topic_or_queue_may_use_its_key(
    made: Mapping[str, Any],
) -> None:
    """Services that publish need the topic's or queue's policy and the key's."""
    key_policy = list(statements(made["module.s3.aws_kms_key.data"]["policy"]))
    topic = made["module.monitoring.aws_sns_topic_policy.runs"]["policy"]
    queue = made["module.lambda.aws_sqs_queue_policy.failed"]["policy"]
    senders = {
        service
        for document in (topic, queue)
        for one in statements(document)
        for service in one["Principal"]["Service"]
    }
    assert senders == {"budgets.amazonaws.com", "cloudwatch.amazonaws.com", "events.amazonaws.com"}
    for service in senders:
        mine = [it for it in key_policy if service in it["Principal"].get("Service", [])]
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            assert allowing(mine, action, "*"), (service, action)


def test_log_groups_may_be_encrypted(made: Mapping[str, Any]) -> None:
    """CloudWatch Logs tells a key which log group it asks for, and no source account."""
    key_policy = list(statements(made["module.s3.aws_kms_key.data"]["policy"]))
    (logs,) = (s for s in key_policy if f"logs.{REGION}.amazonaws.com" in str(s["Principal"]))
    ((test, variables),) = logs["Condition"].items()
    assert (test, list(variables)) == ("ArnLike", ["kms:EncryptionContext:aws:logs:arn"])
    groups = [v["arn"] for a, v in made.items() if "aws_cloudwatch_log_group" in a]
    assert len(groups) == 6
    (pattern,) = variables["kms:EncryptionContext:aws:logs:arn"]
    assert all(fnmatchcase(group, pattern) for group in groups)


def test_lost_events_reach_the_queue(made: Mapping[str, Any]) -> None:
    rule = made["module.lambda.aws_cloudwatch_event_rule.ended"]
    queue = made["module.lambda.aws_sqs_queue.failed"]["arn"]
    found = list(statements(made["module.lambda.aws_sqs_queue_policy.failed"]["policy"]))
    (one,) = allowing(found, "sqs:SendMessage", queue)
    assert one["Condition"] == {"ArnEquals": {"aws:SourceArn": [rule["arn"]]}}
    pattern = json.loads(rule["event_pattern"])
    assert set(pattern["detail"]["status"]) == {"FAILED", "TIMED_OUT", "ABORTED"}


def test_budgets_filter_by_a_tag_that_everything_has(made: Mapping[str, Any]) -> None:
    (budget,) = made["module.monitoring.aws_budgets_budget.month"]["cost_filter"]
    assert budget["values"] == [f"user:project${NAME}"]
    tagged = [v["tags_all"] for v in made.values() if v.get("tags_all") is not None]
    assert len(tagged) > 60
    assert all(tags["project"] == NAME for tags in tagged)


def test_each_environment_of_its_own_account_has_the_provider_for_github(
    made: Mapping[str, Any],
) -> None:
    assert "module.github_oidc.aws_iam_openid_connect_provider.github[0]" in made


def test_jobs_of_github_take_a_role_by_the_environment_that_they_name(
    made: Mapping[str, Any],
) -> None:
    subjects = {}
    for name in ("plan", "deploy", "retrain"):
        document = made[f'module.github_oidc.aws_iam_role.this["{name}"]']["assume_role_policy"]
        (one,) = statements(document)
        (subjects[name],) = one["Condition"]["StringEquals"][
            "token.actions.githubusercontent.com:sub"
        ]
    assert subjects == {
        "plan": "repo:owner/name:environment:prod-plan",
        "deploy": "repo:owner/name:environment:prod",
        "retrain": "repo:owner/name:environment:prod-retrain",
    }


def test_retraining_starts_and_awaits_runs_and_may_do_nothing_else(made: Mapping[str, Any]) -> None:
    found = list(
        statements(made['module.github_oidc.aws_iam_role_policy.this["retrain"]']["policy"])
    )
    actions = {action for one in found for action in one["Action"]}
    assert actions == {"states:StartExecution", "states:DescribeExecution"}


def test_a_run_goes_on_with_what_it_began_with_whatever_is_deployed(
    made: Mapping[str, Any],
) -> None:
    task = made["module.ecs.aws_ecs_task_definition.dbt"]
    assert task["skip_destroy"], "the next deployment deregisters the revision of a run"
    for name in ("trigger", "control"):
        assert made[f'module.lambda.aws_lambda_function.this["{name}"]']["publish"]
    control = made['module.lambda.aws_lambda_function.this["control"]']["qualified_arn"]
    definition = made["module.step_functions.aws_sfn_state_machine.this"]["definition"]
    assert f'"FunctionName": "{control}"' in definition
    assert allowing(role(made, "states"), "lambda:InvokeFunction", f"{_function('control')}:7")


def _function(name: str) -> str:
    return f"arn:aws:lambda:{ARN}:function:{NAME}-{name}"


def test_metabase_has_a_key_and_a_user_of_its_own(made: Mapping[str, Any]) -> None:
    document = made["module.ecs.aws_ecs_task_definition.metabase"]["container_definitions"]
    first, metabase = json.loads(document)
    assert {entry["name"] for entry in metabase["secrets"]} == {
        "MB_DB_PASS",
        "MB_ENCRYPTION_SECRET_KEY",
    }
    user = {entry["name"]: entry["value"] for entry in metabase["environment"]}["MB_DB_USER"]
    assert user != made["module.ecs.aws_db_instance.metabase"]["username"]
    administrator = made["module.ecs.aws_db_instance.metabase"]["master_user_secret"][0]
    assert administrator["secret_arn"] not in str(metabase)
    assert administrator["secret_arn"] in str(first["secrets"])
    (wait,) = metabase["dependsOn"]
    assert wait == {"containerName": first["name"], "condition": "SUCCESS"}
    for secret in metabase["secrets"]:
        assert allowing(
            role(made, "execution"), "secretsmanager:GetSecretValue", secret["valueFrom"]
        )


def test_secrets_are_not_in_the_state(made: Mapping[str, Any]) -> None:
    for key in ("database", "key"):
        version = made[f'module.ecs.aws_secretsmanager_secret_version.this["{key}"]']
        assert version["secret_string"] is None
        assert version["secret_string_wo"] is None
        assert version["secret_string_wo_version"] == 1


def test_metabase_reads_marts_and_nothing_below_them(made: Mapping[str, Any]) -> None:
    bucket = made['module.s3.aws_s3_bucket.this["data"]']["arn"]
    may = {
        key: bool(allowing(role(made, "metabase"), "s3:GetObject", f"{bucket}/{key}"))
        for key in (
            "warehouse/sg_prod_run_20250101T000000_ab/mart_customer_risk/1/part-0",
            "ml/pipeline_run/run_id=1/part-0.parquet",
            "warehouse/sg_prod_run_20250101T000000_ab/silver_customer/1/part-0",
            "ml/customer_score/run_id=1/part-0.parquet",
            "batches/1/churn_label/part-0.parquet",
            "raw/2025/churn_label.csv",
            "models/churn-1/model.json",
            "runs/1/request.json",
        )
    }
    assert list(may.values()) == [True, True] + [False] * 6, may
    for action in ("s3:PutObject", "s3:DeleteObject", "glue:UpdateTable", "dynamodb:GetItem"):
        assert not allowing(role(made, "metabase"), action, f"{bucket}/warehouse/x"), action


def test_something_is_told_when_our_own_code_cannot(made: Mapping[str, Any]) -> None:
    watched = {
        (values["namespace"], values["metric_name"])
        for address, values in made.items()
        if "aws_cloudwatch_metric_alarm" in address
    }
    assert watched >= {
        ("AWS/States", "ExecutionsFailed"),
        ("AWS/States", "ExecutionsAborted"),
        ("AWS/States", "ExecutionsTimedOut"),
        ("AWS/Lambda", "Errors"),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        ("AWS/RDS", "FreeStorageSpace"),
        ("AWS/ApplicationELB", "HealthyHostCount"),
        ("SpanishGas", "RunFailed"),
    }
    topic = made["module.monitoring.aws_sns_topic.runs"]["arn"]
    for address, values in made.items():
        if "aws_cloudwatch_metric_alarm" in address:
            assert values["alarm_actions"] == [topic], address
