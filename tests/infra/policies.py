"""Policies of our roles as Terraform renders them, and what they allow.

What AWS itself does in the name of a role, without a call of ours that an emulator could see, is
asked for as its documentation says (`Services`): by `tests/infra/test_policies.py` here.

Lambda       https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
             https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
             https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
ECS          https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
SageMaker    https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
Step Functions
             https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
             https://docs.aws.amazon.com/step-functions/latest/dg/xray-iam.html
             https://docs.aws.amazon.com/step-functions/latest/dg/sagemaker-iam.html
             https://docs.aws.amazon.com/step-functions/latest/dg/connect-ecs.html
             https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html
             https://docs.aws.amazon.com/step-functions/latest/dg/connect-sns.html
SQS          https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
SNS          https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
Flow logs    https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.infra.terraform import ACCOUNT, DIGEST, OWN, REGION, Workspace

Policies = Mapping[str, Mapping[str, Any]]
NAME = "sg-dev"
WHERE = f"{REGION}:{ACCOUNT}"
_PULL = ("BatchGetImage", "GetDownloadUrlForLayer", "BatchCheckLayerAvailability")


@dataclass(frozen=True)
class Need:
    """One thing that a role must be allowed: an action, on a resource, in a context."""

    role: str
    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


def is_allowed(policy: Mapping[str, Any], need: Need) -> bool:
    """Whether one statement of a policy allows it. Our roles' policies deny nothing."""
    context = dict(need.context)
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        if (
            any(fnmatchcase(need.action, pattern) for pattern in statement["Action"])
            and any(fnmatchcase(need.resource, pattern) for pattern in statement["Resource"])
            and _holds(statement.get("Condition", {}), context)
        ):
            return True
    return False


def _holds(condition: Mapping[str, Mapping[str, Sequence[str]]], context: dict[str, str]) -> bool:
    """Every test holds; one of a key that the request does not have does not."""
    for test, variables in condition.items():
        for variable, values in variables.items():
            given = context.get(variable)
            if given is None:
                return False
            if test == "StringLike":
                found = any(fnmatchcase(given, value) for value in values)
            else:
                known = ("StringEquals", "ForAllValues:StringEquals")  # each key has one value here
                assert test in known, f"no meaning of {test} is known here"
                found = given in values
            if not found:
                return False
    return True


def survivors(policies: Policies, needs: Collection[Need]) -> Iterator[tuple[str, str, str]]:
    """Role, statement and action of each loss with which all needs would still be met."""
    for role, policy in sorted(policies.items()):
        own = [need for need in needs if need.role == role]
        for number, statement in enumerate(policy["Statement"]):
            for action in statement["Action"]:
                changed = deepcopy(dict(policy))
                changed["Statement"][number]["Action"].remove(action)
                if all(is_allowed(changed, need) for need in own):
                    yield role, statement["Sid"], action


@dataclass(frozen=True)
class Rendered:
    """What Terraform makes of the environment dev."""

    state: Mapping[str, Mapping[str, Any]]
    images: Mapping[str, str]
    account: str
    region: str

    @classmethod
    def apply(
        cls, folder: Path, account: str = ACCOUNT, region: str = REGION, **variables: Any
    ) -> Rendered:
        """Apply it with the tests' own provider, and more variables if need be."""
        work = Workspace(folder, "dev")
        registry = f"{account}.dkr.ecr.{region}.amazonaws.com/{NAME}"
        work.variables["TEST_PROVIDER_ACCOUNT"] = account
        work.write_variables("own", {**OWN, "region": region, **variables})
        images = {n: f"{registry}/{n}@{DIGEST}" for n in ("dbt", "ml", "trigger", "metabase")}
        work.write_variables("pushed", {"image_uris": images})
        work.init()
        work.change("apply", "-auto-approve")
        return cls(work.state(), images, account, region)

    @cached_property
    def policies(self) -> dict[str, dict[str, Any]]:
        """The policy of each role, by the role's name."""
        return {
            values["name"]: json.loads(values["policy"])
            for values in self.all_of("module.iam.aws_iam_role_policy.this")
        }

    def all_of(self, address: str) -> list[Mapping[str, Any]]:
        """The values of a resource, one for each of its keys."""
        return [
            values
            for name, values in self.state.items()
            if name == address or name.startswith(f"{address}[")
        ]

    def arn(self, address: str) -> str:
        return str(self.state[address]["arn"])

    @cached_property
    def key(self) -> str:
        return self.arn("module.s3.aws_kms_key.data")

    @cached_property
    def machine(self) -> dict[str, Any]:
        """The definition of the state machine."""
        text = self.state["module.step_functions.aws_sfn_state_machine.this"]["definition"]
        document: dict[str, Any] = json.loads(text)
        return document


@dataclass
class Services:
    """What AWS's services ask for in the name of our roles, as they are documented to."""

    rendered: Rendered
    needs: list[Need] = field(default_factory=list)

    @property
    def _where(self) -> str:
        return f"{self.rendered.region}:{self.rendered.account}"

    def everything(self) -> list[Need]:
        """An apply, the start of Metabase, and each state of the deployed definition."""
        self._deploy()
        self._start_metabase()
        for role in ("trigger", "control"):
            self._logs(role, f"/{NAME}/lambda/{role}")
            self._traces(role)
        self._traces("states")
        for action in ("GetSamplingRules", "GetSamplingTargets"):
            self._need("states", f"xray:{action}", "*")
        for state in self.rendered.machine["States"].values():
            if state["Type"] == "Task":
                self._state(state["Resource"].rpartition(":::")[2], state["Parameters"])
        return self.needs

    def _state(self, resource: str, parameters: Mapping[str, Any]) -> None:
        match resource:
            case "lambda:invoke":
                self._need("states", "lambda:InvokeFunction", parameters["FunctionName"])
            case "sns:publish":  # to an encrypted topic
                self._need("states", "sns:Publish", parameters["TopicArn"])
                for action in ("Decrypt", "GenerateDataKey"):
                    self._need("states", f"kms:{action}", self.rendered.key)
            case "ecs:runTask.sync":
                self._task(parameters)
            case "sagemaker:createProcessingJob.sync":
                self._job("Processing", parameters)
            case "sagemaker:createTrainingJob.sync":
                self._job("Training", parameters)
            case _:
                raise AssertionError(f"nothing is known of what {resource} asks for")

    def _deploy(self) -> None:
        """What services check or do when they are configured."""
        for role in ("trigger", "control"):
            self._need(role, "sqs:SendMessage", f"arn:aws:sqs:{self._where}:{NAME}-failed-events")
            for action in ("Decrypt", "GenerateDataKey"):  # an encrypted queue
                self._need(role, f"kms:{action}", self.rendered.key)
        for action in (
            *("CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery"),
            *("ListLogDeliveries", "PutResourcePolicy", "DescribeResourcePolicies"),
            "DescribeLogGroups",
        ):
            self._need("states", f"logs:{action}", "*")
        self._logs("flow", f"/{NAME}/flow", "DescribeLogStreams")

    def _start_metabase(self) -> None:
        """Two secrets of ours, and the administrator's that RDS keeps."""
        self._pull("execution", self.rendered.images["metabase"])
        self._logs("execution", f"/{NAME}/ecs/metabase")
        for secret in self.rendered.all_of("module.ecs.aws_secretsmanager_secret.this"):
            self._need("execution", "secretsmanager:GetSecretValue", secret["arn"])
        tag = "aws:ResourceTag/aws:rds:primaryDBInstanceArn"
        instance = f"arn:aws:rds:{self._where}:db:{NAME}-metabase"
        administrator = f"arn:aws:secretsmanager:{self._where}:secret:rds!db-1"
        action = "secretsmanager:GetSecretValue"
        self._need("execution", action, administrator, (tag, instance))
        self._need("execution", "kms:Decrypt", self.rendered.key)

    def _task(self, parameters: Mapping[str, Any]) -> None:
        """A task of ECS, which the state machine waits for, or stops with an execution."""
        task = f"arn:aws:ecs:{self._where}:task/{NAME}/1"
        self._need("states", "ecs:RunTask", parameters["TaskDefinition"])
        self._need("states", "ecs:TagResource", task, ("ecs:CreateAction", "RunTask"))
        for action in ("DescribeTasks", "StopTask"):
            self._need("states", f"ecs:{action}", task)
        for role in ("dbt", "execution"):
            self._pass_role(f"arn:aws:iam::{self.rendered.account}:role/{NAME}-{role}", "ecs-tasks")
        self._wait_for("ECSTask")
        self._pull("execution", self.rendered.images["dbt"])
        self._logs("execution", f"/{NAME}/ecs/dbt")

    def _job(self, kind: str, parameters: Mapping[str, Any]) -> None:
        """A job of SageMaker: volume, image, log and network."""
        job = (
            f"arn:aws:sagemaker:{self._where}:{kind.lower()}-job/{NAME}-20250101T000000-abcdef-x-0"
        )
        for action in (f"Create{kind}Job", "AddTags", f"Describe{kind}Job", f"Stop{kind}Job"):
            self._need("states", f"sagemaker:{action}", job)
        self._pass_role(parameters["RoleArn"], "sagemaker")
        self._wait_for(f"SageMaker{kind}Jobs")
        for action in ("CreateGrant", "Encrypt"):
            self._need("ml", f"kms:{action}", self.rendered.key)
        self._pull("ml", self.rendered.images["ml"])
        self._logs("ml", f"/aws/sagemaker/{kind}Jobs", "CreateLogGroup", "DescribeLogStreams")
        for action in (
            *("CreateNetworkInterface", "CreateNetworkInterfacePermission"),
            *("DeleteNetworkInterface", "DeleteNetworkInterfacePermission"),
            *("DescribeNetworkInterfaces", "DescribeVpcs", "DescribeDhcpOptions"),
            *("DescribeSubnets", "DescribeSecurityGroups"),
        ):
            self._need("ml", f"ec2:{action}", "*")
        if kind == "Training":
            place = parameters["OutputDataConfig"]["S3OutputPath"].removeprefix("s3://")
            self._need("ml", "s3:PutObject", f"arn:aws:s3:::{place}model.tar.gz")

    def _pass_role(self, role: str, service: str) -> None:
        passed = ("iam:PassedToService", f"{service}.amazonaws.com")
        self._need("states", "iam:PassRole", role, passed)

    def _wait_for(self, kind: str) -> None:
        rule = f"arn:aws:events:{self._where}:rule/StepFunctionsGetEventsFor{kind}Rule"
        for action in ("PutTargets", "PutRule", "DescribeRule"):
            self._need("states", f"events:{action}", rule)

    def _pull(self, role: str, image: str) -> None:
        self._need(role, "ecr:GetAuthorizationToken", "*")
        repository = image.partition("/")[2].partition("@")[0]
        for action in _PULL:
            self._need(role, f"ecr:{action}", f"arn:aws:ecr:{self._where}:repository/{repository}")

    def _logs(self, role: str, group: str, *more: str) -> None:
        arn = f"arn:aws:logs:{self._where}:log-group:{group}"
        for action in more:
            self._need(role, f"logs:{action}", arn)
        for action in ("CreateLogStream", "PutLogEvents"):
            self._need(role, f"logs:{action}", f"{arn}:log-stream:1")

    def _traces(self, role: str) -> None:
        for action in ("PutTraceSegments", "PutTelemetryRecords"):
            self._need(role, f"xray:{action}", "*")

    def _need(self, role: str, action: str, resource: str, *context: tuple[str, str]) -> None:
        self.needs.append(Need(role, action, resource, context))
