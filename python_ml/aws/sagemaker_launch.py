"""One step of a run as a SageMaker job, by hand, exactly as the state machine starts it.

    python -m python_ml.aws.sagemaker_launch <state machine ARN> <run id> <state> [--wait]

Image, instance, network, role and limits are read from the deployed definition, so that there is
no second place that could say otherwise. The run must have begun (its request is in the lake).
"""

from __future__ import annotations

import argparse
import json
import secrets
import time
from typing import Any

from python_ml.engines import cloud
from python_ml.errors import SpanishGasError, UsageError

_POLL_SECONDS = 30.0
_KINDS = {"createTrainingJob.sync": "TrainingJob", "createProcessingJob.sync": "ProcessingJob"}
_OVER = ("Completed", "Failed", "Stopped")


def launch(state_machine: str, run_id: str, state: str) -> tuple[str, str]:
    """Start the job of a state; returns its kind and its name.

    Raises:
        UsageError: the state is no SageMaker job of the definition.
    """
    states = _definition(state_machine)
    task = states.get(state, {})
    kind = _KINDS.get(task.get("Resource", "").rpartition(":")[2])
    if kind is None:
        jobs = [name for name, s in states.items() if "sagemaker:create" in s.get("Resource", "")]
        raise UsageError(f"state {state!r} is no SageMaker job; these are: {', '.join(jobs)}")
    parameters = _filled(task["Parameters"], run_id)
    prefix = parameters.pop(f"{kind}Name").partition("'")[2].partition("-{}")[0]
    name = f"{prefix}-{run_id}-{state.lower()}-{secrets.token_hex(3)}"
    client = cloud.client("sagemaker")
    start = {
        "TrainingJob": client.create_training_job,
        "ProcessingJob": client.create_processing_job,
    }
    start[kind](**{f"{kind}Name": name, **parameters})
    return kind, name


def wait(kind: str, name: str) -> dict[str, Any]:
    """Wait for the end of a job; returns its description.

    Raises:
        SpanishGasError: it failed or was stopped; the message is the job's own.
    """
    client = cloud.client("sagemaker")
    describe = {
        "TrainingJob": client.describe_training_job,
        "ProcessingJob": client.describe_processing_job,
    }[kind]
    job: dict[str, Any]
    while (job := describe(**{f"{kind}Name": name}))[f"{kind}Status"] not in _OVER:
        time.sleep(_POLL_SECONDS)
    if job[f"{kind}Status"] != "Completed":
        said = job.get("ExitMessage") or job.get("FailureReason") or "no reason given"
        raise SpanishGasError(f"{kind} {name}: {job[f'{kind}Status']}: {said}")
    return job


def _definition(state_machine: str) -> dict[str, Any]:
    client = cloud.client("stepfunctions")
    described = client.describe_state_machine(stateMachineArn=state_machine)
    document: dict[str, Any] = json.loads(described["definition"])["States"]
    return document


def _filled(value: Any, run_id: str) -> Any:
    """Parameters without their paths: the one that our jobs read is the run id."""
    if isinstance(value, list):
        return [_filled(entry, run_id) for entry in value]
    if not isinstance(value, dict):
        return value
    filled = {}
    for name, entry in value.items():
        if name.endswith(".$"):
            filled[name[:-2]] = run_id if entry == "$.run_id" else entry
        else:
            filled[name] = _filled(entry, run_id)
    return filled


def main() -> None:
    """Parse, launch, and wait if asked to."""
    parser = argparse.ArgumentParser(description="One step of a run as a SageMaker job.")
    parser.add_argument("state_machine")
    parser.add_argument("run_id")
    parser.add_argument("state", help="name in the definition, for example Train")
    parser.add_argument("--wait", action="store_true")
    given = parser.parse_args()
    kind, name = launch(given.state_machine, given.run_id, given.state)
    print(name)
    if given.wait:
        wait(kind, name)


if __name__ == "__main__":
    main()
