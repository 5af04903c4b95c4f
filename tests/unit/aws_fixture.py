"""The cloud in miniature: moto's AWS with the product's buckets, table, topic and state machine.

The state machine's definition is the one that Terraform deploys, executed by moto's interpreter.
ECS and SageMaker jobs are stood in for by calls of the same `run_step` that their containers run;
the Lambda function that it calls is the real handler. DynamoDB, S3, SNS and CloudWatch are moto's.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_factory
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service,
    state_task_service_factory,
)
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

from python_ml.settings import PROJECT_DIR, Settings, load_settings

REGION, ACCOUNT = "eu-south-2", "123456789012"
LAKE, TABLE, TOPIC, QUEUE = "lake", "runs", "runs-topic", "inbox"
TEMPLATE = PROJECT_DIR / "infra/terraform/modules/step_functions/state_machine.asl.json.tftpl"
VARIABLES = {
    "prefix": "sg-test",
    "partition": "aws",
    "cluster_arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/sg-test",
    "control_function_arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:sg-test-control",
    "dbt_task_arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/sg-test-dbt:1",
    "execution_seconds": "43200",
    "job_environment": '"SPANISHGAS_TARGET": "athena"',
    "job_network": '{ "VpcConfig": { "SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"] } }',
    "job_vpc": '{ "SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"] }',
    "task_network": '{ "Subnets": ["subnet-1"], "SecurityGroups": ["sg-1"] }',
    "job_tags": '[{ "Key": "project", "Value": "spanishgas" }]',
    "kms_key_arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1",
    "land_instance": "ml.m5.xlarge",
    "land_volume_gb": "50",
    "score_machines": "2",
    "ml_instance": "ml.m5.xlarge",
    "train_instance": "ml.m5.xlarge",
    "ml_image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/sg-test-ml@sha256:1",
    "ml_role_arn": f"arn:aws:iam::{ACCOUNT}:role/sg-test-ml",
    "training_output": "s3://lake/training/",
    "topic_arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:{TOPIC}",
    "retry_seconds": "1",
    "lease_poll_seconds": "1",
    "lease_attempts": "3",
}


STATE_MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:sg-test"


class TransientError(Exception):
    """A service that has a bad moment."""


def render(**changes: str) -> str:
    """The definition as Terraform's templatefile renders it."""
    values = VARIABLES | changes
    text = TEMPLATE.read_text(encoding="utf-8")
    return re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], text)


def settings_in(home: Path) -> Settings:
    return load_settings(
        {
            "home": str(home),
            "target": "athena",
            "athena.lake": f"s3://{LAKE}",
            "athena.runs_table": TABLE,
            "athena.region": REGION,
            "threads": 1,
        },
        environ={},
    )


def create_runs_table(name: str = TABLE) -> None:
    """The manifest's table, as Terraform makes it."""
    boto3.client("dynamodb", region_name=REGION).create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": "warehouse", "KeyType": "HASH"},
            {"AttributeName": "item", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "warehouse", "AttributeType": "S"},
            {"AttributeName": "item", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )


@contextmanager
def cloud() -> Iterator[None]:
    """Buckets, the table of runs, and a topic whose messages go to a queue."""
    with (
        mock_aws(config={"stepfunctions": {"execute_state_machine": True}}),
        pytest.MonkeyPatch.context() as patch,
    ):
        # A client takes longer to make than all that a step asks of it.
        patch.setattr(boto3, "client", cache(boto3.client))
        patch.setattr(boto3, "resource", cache(boto3.resource))
        # The interpreter waits between attempts, a second at least.
        patch.setattr(retrier_decl, "time", SimpleNamespace(sleep=_wait_a_little))
        place = {"LocationConstraint": REGION}
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=LAKE, CreateBucketConfiguration=place)
        create_runs_table()
        glue = boto3.client("glue")
        for database in ("spanishgas", "spanishgas_ml"):
            glue.create_database(DatabaseInput={"Name": database})
        for table in ("pipeline_run", "pipeline_step"):
            create_table("spanishgas_ml", table, f"s3://{LAKE}/ml/{table}/", ["run_id"])
        create_topic()
        yield


def _wait_a_little(seconds: float) -> None:
    time.sleep(seconds / 20)


def create_topic(name: str = TOPIC) -> str:
    """The topic, whose messages go to a queue; its ARN."""
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    topic = sns.create_topic(Name=name)["TopicArn"]
    queue = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    endpoint = attributes["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=endpoint)
    return str(topic)


def create_table(database: str, name: str, location: str, partitions: Sequence[str] = ()) -> None:
    boto3.client("glue").create_table(
        DatabaseName=database,
        TableInput={
            "Name": name,
            "StorageDescriptor": {"Location": location, "Columns": []},
            "PartitionKeys": [{"Name": key, "Type": "string"} for key in partitions],
        },
    )


def parts(database: str, table: str) -> list[str]:
    """Runs that have a part of an external table."""
    found = boto3.client("glue").get_partitions(DatabaseName=database, TableName=table)
    return sorted(part["Values"][0] for part in found["Partitions"])


def notifications() -> list[dict[str, Any]]:
    """Messages sent to the topic so far, with subject and text."""
    sqs = boto3.client("sqs")
    queue = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    found = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return found


def create_state_machine(**changes: str) -> str:
    client = boto3.client("stepfunctions")
    role = f"arn:aws:iam::{ACCOUNT}:role/sg-test-states"
    created = client.create_state_machine(
        name="sg-test", definition=render(**changes), roleArn=role
    )
    return str(created["stateMachineArn"])


def wait_for(execution: str, seconds: float = 60) -> dict[str, Any]:
    """The execution once it is over; `states` lists those it entered, in order."""
    client = boto3.client("stepfunctions")
    give_up = time.monotonic() + seconds
    while True:
        described = client.describe_execution(executionArn=execution)
        if described["status"] != "RUNNING":
            break
        assert time.monotonic() < give_up, f"{execution} still runs"
        time.sleep(0.05)
    history = client.get_execution_history(executionArn=execution)["events"]
    entered = [e["stateEnteredEventDetails"]["name"] for e in history if "stateEntered" in str(e)]
    return {**described, "states": entered}


def install_jobs(
    patch: Any,
    job: Callable[[str, str, dict[str, Any]], dict[str, Any]],
    control: Callable[..., Any],
) -> None:
    """Let the interpreter's ECS and SageMaker tasks call `job(step, run_id, parameters)`, and its
    Lambda tasks `control(payload)`."""

    class Service(state_task_service.StateTaskService):
        def _validate_service_integration_is_supported(self) -> None:
            return None

        def _normalise_parameters(self, *_: Any, **__: Any) -> None:
            return None  # the parameters as the definition has them

        def _eval_service_task(
            self,
            env: Any,
            resource_runtime_part: Any,
            normalised_parameters: Any,
            state_credentials: Any,
        ) -> None:
            if self.resource.service_name == "lambda":
                payload = normalised_parameters["Payload"]
                payload = json.loads(payload) if isinstance(payload, (str, bytes)) else payload
                answer = {"Payload": json.loads(json.dumps(control(payload), default=str))}
            else:
                step, run_id = named_step(normalised_parameters)
                answer = job(step, run_id, normalised_parameters)
            env.stack.append(answer)

        def _from_error(self, env: Any, ex: Exception) -> FailureEvent:
            service = self.resource.service_name
            cause = json.dumps({"FailureReason": str(ex), "errorMessage": str(ex)})
            if service == "lambda":
                name: Any = CustomErrorName(type(ex).__name__)
            elif isinstance(ex, TransientError):
                kind = {"ecs": "ECS.AmazonECSException"}
                name = CustomErrorName(kind.get(service, "SageMaker.AmazonSageMakerException"))
            else:
                name = StatesErrorName(StatesErrorNameType.StatesTaskFailed)
            details = TaskFailedEventDetails(
                error=name.error_name,
                cause=cause,
                resource=self._get_sfn_resource(),
                resourceType=self._get_sfn_resource_type(),
            )
            return FailureEvent(
                env=env,
                error_name=name,
                event_type=HistoryEventType.TaskFailed,
                event_details=EventDetails(  # type: ignore[typeddict-item]  # as moto does itself
                    taskFailedEventDetails=details
                ),
            )

    real = state_task_service_factory.state_task_service_for

    def service_for(service_name: str) -> Any:
        stood_in = ("ecs", "sagemaker", "lambda")
        make: Callable[[], Any] = Service
        return make() if service_name in stood_in else real(service_name)

    patch.setattr(state_task_factory, "state_task_service_for", service_for)


def named_step(parameters: dict[str, Any]) -> tuple[str, str]:
    """Step and run id in the parameters of a job, whichever kind."""
    if "HyperParameters" in parameters:
        return "train", parameters["HyperParameters"]["run_id"]
    if "AppSpecification" in parameters:
        step = parameters["AppSpecification"]["ContainerArguments"][0]
        return step, parameters["Environment"]["SPANISHGAS_RUN_ID"]
    container = parameters["Overrides"]["ContainerOverrides"][0]
    return container["Command"][0], container["Environment"][0]["Value"]
