"""The deployment on the emulators: what one apply makes, and what AWS then runs in it.

The deployed definition is executed by moto's interpreter. Each of its tasks is a fresh container of
its real image, under the image's own user: the steps of a run share nothing but the bucket, the
catalog and the table of runs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from moto.core.config import default_user_config

from python_ml.settings import Settings
from tests.athena.local.iam import Guard
from tests.athena.local.server import REGION, LocalAthena
from tests.athena.project import SMALL, athena_settings
from tests.images.images import NAMES, Image
from tests.infra.policies import Rendered
from tests.open_gate import as_variables
from tests.unit import aws_fixture as aws

NAME = "sg-dev"
DATA, RESULTS = f"{NAME}-data-{aws.ACCOUNT}", f"{NAME}-results-{aws.ACCOUNT}"
PREFIX = "raw/train/2024/"  # of the upload
DEAD = "20240101T000000-dead00"  # a run whose execution could not record its end
SCORE_MACHINES = 2
# It says what holds without it: the run must equal one on DuckDB that has none.
MAPPING = "customer_id: {pattern: 'C[0-9]{5}'}\n"
GROUP, TOPIC = f"{NAME}-churn", f"{NAME}-runs"
STATE_MACHINE = f"arn:aws:states:{REGION}:{aws.ACCOUNT}:stateMachine:{NAME}"
# As infra/terraform/main.tf names them.
PLACES = {
    "work_group": NAME,
    "schema": "sg_dev",
    "lake": f"s3://{DATA}",
    "data": f"s3://{DATA}/warehouse",
    "staging": f"s3://{RESULTS}/athena",
    "runs_table": f"{NAME}-runs",
    "model_package_group": GROUP,
    "log_groups": f"/{NAME}/",
}


@dataclass
class Deployment:
    """What Terraform would have made, and the jobs that have run in it."""

    athena: LocalAthena
    settings: Settings
    images: Mapping[str, Image]
    variables: Mapping[str, str]  # of every job, task and function
    work: Path
    guard: Guard
    seconds: dict[str, float] = field(default_factory=dict)  # of each job
    _count: int = 0

    def job(self, step: str, run_id: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Run a job of the state machine as ECS or SageMaker would.

        Raises:
            RuntimeError: it ended with another exit code than 0.
        """
        began = time.monotonic()
        place = self._place(step)
        done = (
            self._task(parameters)
            if "Overrides" in parameters
            else self._sagemaker_job(parameters, place / "opt-ml")
        )
        (place / "log").write_text(done.stderr, encoding="utf-8")
        self.seconds[step] = time.monotonic() - began
        if done.returncode != 0:
            raise RuntimeError(f"exit code {done.returncode}: {done.stderr[-3000:]}")
        return {"Status": "Completed"}

    def function(self, handler: str, event: Any) -> dict[str, Any]:
        """Invoke a handler as Lambda does, with the variables that modules/lambda gives it."""
        own = {
            "STATE_MACHINE_ARN": STATE_MACHINE,
            "RUNS_TABLE": PLACES["runs_table"],
            "WAREHOUSE": PLACES["schema"],
            "DEFAULT_MODE": "score",  # so that the mode of the path shows
            "EXECUTION_SECONDS": "43200",
        }
        role = "control" if "state_machine" in handler else "trigger"
        environment = self._environment(role) | own
        answer: dict[str, Any] = self.images["trigger"].invoke(handler, event, environment)
        return answer

    def control(self, payload: Any) -> dict[str, Any]:
        return self.function("python_ml.aws.state_machine.handler", payload)

    def trigger(self, event: Any) -> list[str]:
        """What the trigger did with each batch of an event."""
        answer = self.function("python_ml.aws.trigger.handler", event)
        return [batch["outcome"] for batch in answer["batches"]]

    def upload(self, raw: Path, prefix: str) -> list[dict[str, Any]]:
        """Put a batch and its marker into the bucket; returns the events that S3 sends."""
        s3 = self.athena.client("s3")
        files = sorted(path for path in raw.rglob("*") if path.is_file())
        for path in files:
            s3.upload_file(str(path), DATA, f"{prefix}{path.relative_to(raw).as_posix()}")
        s3.put_object(Bucket=DATA, Key=f"{prefix}_SUCCESS")
        names = [*(path.relative_to(raw).as_posix() for path in files), "_SUCCESS"]
        return self.events_of([f"{prefix}{name}" for name in names])

    def events_of(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        """What S3 sends when objects have been written."""
        records = [{"bucket": {"name": DATA}, "object": {"key": key}} for key in keys]
        return [{"Records": [{"eventSource": "aws:s3", "s3": record}]} for record in records]

    def _task(self, parameters: Mapping[str, Any]) -> CompletedProcess[str]:
        (container,) = parameters["Overrides"]["ContainerOverrides"]
        own = {entry["Name"]: entry["Value"] for entry in container["Environment"]}
        return self.images["dbt"].run(container["Command"], self._environment("dbt") | own)

    def _sagemaker_job(self, parameters: Mapping[str, Any], root: Path) -> CompletedProcess[str]:
        """Its machines beside each other; that of the first that failed, or of the first."""
        environment = self._environment("ml") | parameters["Environment"]
        if "HyperParameters" in parameters:
            # One that a training does not read: the other jobs go on with their own.
            given = parameters["HyperParameters"] | {"evaluate.bootstrap_count": "999"}
            return self._machine(["train"], environment, root, {"hyperparameters": given})
        arguments = parameters["AppSpecification"]["ContainerArguments"]
        cluster = parameters["ProcessingResources"]["ClusterConfig"]
        hosts = [f"algo-{number + 1}" for number in range(cluster["InstanceCount"])]
        job = {"ProcessingJobName": parameters["ProcessingJobName"]}

        def run(host: str) -> CompletedProcess[str]:
            resources = {"current_host": host, "hosts": hosts}
            documents = {"resourceconfig": resources, "processingjobconfig": job}
            return self._machine(arguments, environment, root / host, documents)

        with ThreadPoolExecutor(len(hosts)) as pool:
            ended = list(pool.map(run, hosts))
        return next((done for done in ended if done.returncode != 0), ended[0])

    def _machine(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        root: Path,
        documents: Mapping[str, Any],
    ) -> CompletedProcess[str]:
        """A job's container on one machine, with /opt/ml as SageMaker fills and reads it."""
        # A training finds its documents in `input/config`, a processing job in `config`.
        config = root / ("input/config" if arguments == ["train"] else "config")
        config.mkdir(parents=True)
        for name, document in documents.items():
            (config / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
        done = self.images["ml"].run(arguments, environment, {root: "/opt/ml"})
        said = root / "output" / ("failure" if arguments == ["train"] else "message")
        assert said.exists() == (done.returncode != 0), done.stderr
        return done

    def _place(self, name: str) -> Path:
        """Where this machine keeps what a job had mounted, and what it said."""
        self._count += 1
        place = self.work / f"{self._count:02}-{name}"
        place.mkdir()
        return place

    def _environment(self, role: str) -> dict[str, str]:
        """Of one container: settings, and the credentials of its role."""
        return {**self.athena.environment, **self.variables, "AWS_ACCESS_KEY_ID": role}


@contextmanager
def deployed(athena: LocalAthena, work: Path) -> Iterator[Deployment]:
    """Make what one apply makes, as far as the emulators have it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in athena.environment.items():
            patch.setenv(name, value)
        patch.setenv("MOTO_PORT", athena.endpoint.rpartition(":")[2])
        patch.setitem(default_user_config, "stepfunctions", {"execute_state_machine": True})
        for bucket in (DATA, RESULTS):
            athena.client("s3").create_bucket(Bucket=bucket)
            athena.client("s3").put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        mapping = work / "mapping.yml"
        mapping.write_text(MAPPING, encoding="utf-8")
        rendered = Rendered.apply(
            work / "terraform",
            aws.ACCOUNT,
            REGION,
            score_machines=SCORE_MACHINES,
            mapping_file=str(mapping),
            settings=_own_settings(),
        )
        settings = athena_settings(work / "home", athena, PLACES)
        for suffix in ("", "_raw", "_ml"):
            database = {"Name": f"{PLACES['schema']}{suffix}"}
            athena.client("glue").create_database(DatabaseInput=database)
        athena.client("sagemaker").create_model_package_group(ModelPackageGroupName=GROUP)
        variables = _variables(rendered, settings)
        placed = rendered.state["aws_s3_object.mapping[0]"]
        athena.client("s3").put_object(
            Bucket=placed["bucket"], Key=placed["key"], Body=placed["content"].encode()
        )
        images = {name: Image.build(name) for name in NAMES}
        state = rendered.state
        athena.guard = guard = Guard(
            policies=rendered.policies,
            name=NAME,
            account=aws.ACCOUNT,
            region=REGION,
            key_arn=rendered.key,
            work_group=PLACES["work_group"],
        )
        made = Deployment(athena, settings, images, variables, work, guard)
        aws.install_jobs(patch, made.job, made.control)
        machine = state["module.step_functions.aws_sfn_state_machine.this"]
        # As deployed, but for the time between two attempts.
        definition = machine["definition"].replace('"IntervalSeconds": 30', '"IntervalSeconds": 1')
        athena.client("stepfunctions").create_state_machine(
            name=NAME, definition=definition, roleArn=machine["role_arn"]
        )
        aws.create_topic(TOPIC)
        try:
            yield made
        finally:
            athena.guard = None


def _own_settings() -> dict[str, str]:
    """What a run of few customers needs, as an environment's .tfvars would say it."""
    return {name: str(value) for name, value in SMALL.items()}


def _variables(rendered: Rendered, settings: Settings) -> dict[str, str]:
    """The variables that Terraform gives every part; the emulator is asked more often."""
    function = rendered.state['module.lambda.aws_lambda_function.this["control"]']
    (environment,) = function["environment"]
    given = environment["variables"].items()
    found = {name: value for name, value in given if name.startswith("SPANISHGAS_")}
    places = {f"SPANISHGAS_ATHENA__{name.upper()}": value for name, value in PLACES.items()}
    assert found.items() >= {**places, **as_variables(SMALL)}.items()
    return {**found, "SPANISHGAS_ATHENA__POLL_SECONDS": str(settings.athena.poll_seconds)}
