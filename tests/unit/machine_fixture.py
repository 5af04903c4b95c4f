"""The state machine on an emulator, jobs that are stood in for, and what to ask after a run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from python_ml.aws import state_machine as control
from python_ml.aws import step
from python_ml.aws.run_folder import STEPS
from python_ml.aws.step import Outcome
from python_ml.engines import open_ledger
from python_ml.engines.athena_publication import Publication, run_database_name
from python_ml.engines.ledger import RunRecord
from python_ml.model.churn_model import ChurnModel
from python_ml.registry import APPROVED, open_registry
from python_ml.settings import Settings
from tests.unit import aws_fixture as aws

SOURCE = f"s3://{aws.LAKE}/raw/a/"
JOBS = [name for name in STEPS if name not in ("register", "publish")]
SCORE_JOBS = [name for name in JOBS if name not in ("train", "evaluate")]


class Jobs:
    """What the containers do: the real protocol around stubbed work."""

    def __init__(self, settings: Settings, model: ChurnModel) -> None:
        self.settings, self.model = settings, model
        self.verdict = APPROVED
        self.machine = ""  # its ARN
        self.calls: Counter[str] = Counter()
        self.errors: dict[str, list[Exception]] = {}  # step -> errors to raise, one a call
        # What publishing has kept, and what was published by then.
        self.kept: list[tuple[str, str, str | None]] = []

    def keep(self, name: str, run_id: str) -> None:
        self.kept.append((name, run_id, Publication(self.settings.athena).published_run()))

    def __call__(self, name: str, run_id: str, parameters: Any) -> dict[str, Any]:
        self.calls[name] += 1
        if errors := self.errors.get(name):
            error = errors.pop(0)
            if isinstance(error, aws.TransientError):
                raise error
            work = {name: self._raise(error)}
        else:
            work = {name: getattr(self, f"_{name}", self._layer)}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(step, "WORK", work)
            step.run_step(self.settings, run_id, name)
        return {"Status": "Completed"}

    @staticmethod
    def _raise(error: Exception) -> Callable[[object], Outcome]:
        def work(_: object) -> Outcome:
            raise error

        return work

    @staticmethod
    def _layer(_: object) -> Outcome:
        return Outcome({}, 10)

    def _land(self, context: Any) -> Outcome:
        Publication(self.settings.athena).begin(context.run_id)
        return Outcome({"batch_id": context.run_id, "as_of_date": "2024-12-31"}, 7)

    def _train(self, context: Any) -> Outcome:
        version = f"churn-{context.run_id}"
        open_registry(self.settings).register(version, self.model, {"run_id": context.run_id})
        return Outcome({"model_version": version}, 80)

    def _evaluate(self, context: Any) -> Outcome:
        version = context.folder.result("train")["model_version"]
        registry = open_registry(self.settings)
        registry.attach_evaluation(version, {"metrics": {}})
        registry.decide(version, self.verdict, "pr_auc is 0.61; it must be at least 0.70", "gate")
        return Outcome({"model_version": version}, 20)

    def _score(self, context: Any) -> Outcome:
        assert context.folder.result("land")["as_of_date"] == "2024-12-31"
        registered = context.folder.read("register")
        champion = open_registry(self.settings).champion()
        version = registered["result"]["model_version"] if registered else champion
        return Outcome({"model_version": version}, 100)

    def _marts(self, context: Any) -> Outcome:
        database = run_database_name(self.settings.athena, context.run_id)
        aws.create_table(database, "mart_overview", f"s3://lake/{context.run_id}/")
        return Outcome({}, 10)

    @staticmethod
    def _drift(_: object) -> Outcome:
        return Outcome({"alarm_count": 2}, 60)


@contextmanager
def state_machine(patch: Any, home: Path, model: ChurnModel) -> Iterator[Jobs]:
    """The state machine on moto, with jobs and functions behind it; gives the Jobs."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(name, "testing")
    patch.setenv("AWS_DEFAULT_REGION", aws.REGION)
    patch.setenv("EXECUTION_SECONDS", "43200")
    patch.setenv("STATE_MACHINE_ARN", aws.STATE_MACHINE)
    settings = aws.settings_in(home)
    patch.setattr(control, "_settings", lambda: settings)
    with aws.cloud():
        jobs = Jobs(settings, model)
        # Queries, which tests/athena has an engine for.
        patch.setattr(control, "keep_assignments", lambda _, run_id: jobs.keep("offers", run_id))
        patch.setattr(control, "keep_costs", lambda _, __, run_id: jobs.keep("costs", run_id))
        aws.install_jobs(patch, jobs, control.handler)
        jobs.machine = aws.create_state_machine()
        put_batch("churn")
        yield jobs


def put_batch(content: str) -> None:
    boto3.client("s3").put_object(
        Bucket=aws.LAKE, Key="raw/a/churn_label.csv", Body=content.encode()
    )


def run(jobs: Jobs, run_id: str, mode: str = "train", **more: Any) -> dict[str, Any]:
    document = {
        "run_id": run_id,
        "mode": mode,
        "source": SOURCE,
        "batch_sha256": "",
        "force": False,
        "started_by": "test",
        **more,
    }
    started = boto3.client("stepfunctions").start_execution(
        stateMachineArn=jobs.machine, name=run_id, input=json.dumps(document)
    )
    return aws.wait_for(started["executionArn"])


def record(jobs: Jobs, run_id: str) -> RunRecord:
    return next(r for r in open_ledger(jobs.settings).runs() if r.run_id == run_id)


def error_of(jobs: Jobs, run_id: str) -> str:
    """What the record of a run says went wrong."""
    message = record(jobs, run_id).error_message
    assert message is not None
    return message


def put_champion(jobs: Jobs) -> None:
    """What an earlier run has left."""
    registry = open_registry(jobs.settings)
    registry.register("churn-r1", jobs.model, {"run_id": "r1"})
    registry.decide("churn-r1", APPROVED, "passed", "gate")
    registry.promote("churn-r1", "r1")


def champion(jobs: Jobs) -> str | None:
    return open_registry(jobs.settings).champion()


def published(jobs: Jobs) -> str | None:
    """The run whose tables everyone sees, by the pointer and by the catalog."""
    tables = boto3.client("glue").get_tables(DatabaseName=jobs.settings.athena.schema)["TableList"]
    places = [table["StorageDescriptor"]["Location"].split("/")[-2] for table in tables]
    run = Publication(jobs.settings.athena).published_run()
    assert places == ([] if run is None else [run])
    return run


def is_free(jobs: Jobs) -> bool:
    return open_ledger(jobs.settings).holder() is None
