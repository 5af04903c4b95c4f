"""The deployed definition, executed through every branch; manifest, notifications and pointer
asserted after each."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from python_ml.aws import report, step
from python_ml.aws import state_machine as control
from python_ml.aws.run_folder import STEPS
from python_ml.engines.athena_engine import AthenaEngine
from python_ml.engines.dynamodb_ledger import DynamoLedger
from python_ml.errors import (
    BadInputError,
    QualityGateError,
    SpanishGasError,
    TerminalError,
    TransientError,
)
from python_ml.registry import PENDING, REJECTED, StoredRegistry
from tests.unit import aws_fixture as aws
from tests.unit.machine_fixture import (
    JOBS,
    SCORE_JOBS,
    SOURCE,
    Jobs,
    champion,
    error_of,
    is_free,
    published,
    put_champion,
    record,
    run,
)

pytestmark = pytest.mark.slow


def test_trained_and_promoted(jobs: Jobs) -> None:
    ended = run(jobs, "r1")
    assert ended["status"] == "SUCCEEDED", ended
    assert list(jobs.calls) == JOBS
    assert set(jobs.calls.values()) == {1}
    assert champion(jobs) == "churn-r1"
    found = record(jobs, "r1")
    assert (found.status, found.exit_code, found.failed_step) == ("succeeded", 0, None)
    assert published(jobs) == "r1"
    assert jobs.kept == [("offers", "r1", None), ("costs", "r1", "r1")]
    assert aws.parts("spanishgas_ml", "pipeline_run") == ["r1"]
    assert aws.parts("spanishgas_ml", "pipeline_step") == ["r1"]
    assert [entry.step for entry in found.steps] == list(STEPS)
    assert {entry.status for entry in found.steps} == {"succeeded"}
    assert (found.as_of_date, found.row_count, found.model_version) == (
        "2024-12-31",
        7,
        "churn-r1",
    )
    assert is_free(jobs)
    metrics = boto3.client("cloudwatch").list_metrics(Namespace=report.NAMESPACE)["Metrics"]
    counted = {metric["MetricName"] for metric in metrics}
    assert counted == {"RunSucceeded", "RunFailed", "RunSeconds", "DriftAlarms"}
    (sent,) = aws.notifications()
    assert sent["Subject"] == "sg-test: run r1 succeeded"
    assert "100 customers as of 2024-12-31, scored with churn-r1" in sent["Message"]


def test_what_cannot_be_tidied_up_does_not_fail_a_published_run(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise SpanishGasError("cannot remove landed batches: access denied")

    monkeypatch.setattr(AthenaEngine, "remove_other_batches", refuse)
    assert run(jobs, "r1")["status"] == "SUCCEEDED"
    assert record(jobs, "r1").status == "succeeded"


def test_a_published_run_removes_landed_batches_beside_its_own_and_a_failed_one_does_not(
    jobs: Jobs,
) -> None:
    s3 = boto3.client("s3")
    names = {"batches/old/churn_label/part-0.parquet", "batches/r1/churn_label/part-0.parquet"}
    names |= {"batches/r12/churn_label/part-0.parquet"}
    for name in names:
        s3.put_object(Bucket=aws.LAKE, Key=name, Body=b"x")

    def landed() -> set[str]:
        found = s3.list_objects_v2(Bucket=aws.LAKE, Prefix="batches/")["Contents"]
        return {entry["Key"] for entry in found}

    jobs.errors["marts"] = [QualityGateError("a guardrail fired")]
    run(jobs, "r0")
    assert landed() == names
    run(jobs, "r1")
    assert landed() == {"batches/r1/churn_label/part-0.parquet"}


def test_a_rejected_model_scores_and_moves_nothing(jobs: Jobs) -> None:
    put_champion(jobs)
    jobs.verdict = REJECTED
    ended = run(jobs, "r2")
    assert (ended["status"], ended["error"]) == ("FAILED", "ModelGateError")
    assert list(jobs.calls) == JOBS[: JOBS.index("evaluate") + 1]
    assert champion(jobs) == "churn-r1"
    found = record(jobs, "r2")
    assert (found.status, found.failed_step, found.exit_code) == ("failed", "evaluate", 4)
    assert "churn-r2 is Rejected: pr_auc is 0.61" in error_of(jobs, "r2")
    assert published(jobs) is None
    assert is_free(jobs)
    assert [m["Subject"] for m in aws.notifications()] == ["sg-test: run r2 failed"]


def test_a_candidate_that_waits_for_a_person_leaves_the_champion_to_score(jobs: Jobs) -> None:
    put_champion(jobs)
    jobs.verdict = PENDING
    ended = run(jobs, "r2")
    assert ended["status"] == "SUCCEEDED"
    assert "Register" not in ended["states"]
    assert champion(jobs) == "churn-r1"
    assert record(jobs, "r2").model_version == "churn-r1"


def test_a_candidate_that_waits_with_no_champion_in_place_ends_the_run(jobs: Jobs) -> None:
    jobs.verdict = PENDING
    ended = run(jobs, "r1")
    assert (ended["status"], ended["error"]) == ("FAILED", "ModelGateError")
    assert "spanishgas promote churn-r1" in error_of(jobs, "r1")
    assert champion(jobs) is None


def test_mode_score_uses_the_champion(jobs: Jobs) -> None:
    put_champion(jobs)
    ended = run(jobs, "r2", mode="score")
    assert ended["status"] == "SUCCEEDED"
    assert list(jobs.calls) == SCORE_JOBS
    assert champion(jobs) == "churn-r1"
    assert record(jobs, "r2").model_version == "churn-r1"


def test_mode_score_without_a_champion_runs_no_job(jobs: Jobs) -> None:
    ended = run(jobs, "r1", mode="score")
    assert ended["status"] == "FAILED"
    assert not jobs.calls
    found = record(jobs, "r1")
    assert found.failed_step == "land"  # the first that did not come
    assert "there is no champion" in error_of(jobs, "r1")
    assert is_free(jobs)
    assert [m["Subject"] for m in aws.notifications()] == ["sg-test: run r1 failed"]


@pytest.mark.parametrize("name", ["bronze", "score"])
def test_a_transient_error_is_retried(jobs: Jobs, name: str) -> None:
    jobs.errors[name] = [aws.TransientError("rate exceeded"), aws.TransientError("rate exceeded")]
    ended = run(jobs, "r1")
    assert ended["status"] == "SUCCEEDED"
    assert jobs.calls[name] == 3
    assert champion(jobs) == "churn-r1"
    assert record(jobs, "r1").status == "succeeded"
    assert len(aws.notifications()) == 1


def test_a_job_that_dies_once_runs_again_under_another_name(jobs: Jobs) -> None:
    jobs.errors["train"] = [RuntimeError("InternalServerError: the host went away")]
    names = []
    call = Jobs.__call__

    def remember(self: Jobs, name: str, run_id: str, parameters: Any) -> dict[str, Any]:
        if name == "train":
            names.append(parameters["TrainingJobName"])
        return call(self, name, run_id, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Jobs, "__call__", remember)
        ended = run(jobs, "r1")
    assert ended["status"] == "SUCCEEDED"
    assert names == ["sg-test-r1-train-0", "sg-test-r1-train-1"]


@pytest.mark.parametrize(
    ("name", "error", "exit_code", "tries"),
    [
        ("land", BadInputError("price_history.csv: missing column province_code"), 3, 1),
        ("gold", QualityGateError("1 data test failed: unique_key"), 5, 1),
        ("score", RuntimeError("out of memory"), 1, 2),
    ],
)
def test_a_failed_step_is_recorded_and_notified(
    jobs: Jobs, name: str, error: Exception, exit_code: int, tries: int
) -> None:
    put_champion(jobs)
    jobs.errors[name] = [error] * tries
    ended = run(jobs, "r2")
    assert ended["status"] == "FAILED"
    assert jobs.calls[name] == tries
    found = record(jobs, "r2")
    assert (found.status, found.failed_step, found.exit_code) == ("failed", name, exit_code)
    assert published(jobs) is None
    assert aws.parts("spanishgas_ml", "pipeline_run") == ["r2"]
    assert found.error_message == str(error)
    assert found.steps[-1].step == name
    assert champion(jobs) == "churn-r1"
    assert is_free(jobs)
    (sent,) = aws.notifications()
    assert sent["Subject"] == "sg-test: run r2 failed"
    assert str(error) in sent["Message"]


def test_a_failure_that_cannot_be_recorded_is_notified_all_the_same(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no table")

    monkeypatch.setattr(control, "end", broken)
    jobs.errors["gold"] = [QualityGateError("1 data test failed")]
    ended = run(jobs, "r1", mode="train")
    assert ended["status"] == "FAILED"
    (sent,) = aws.notifications()
    assert "1 data test failed" in sent["Message"]
    assert "could not be recorded" in sent["Message"]


def test_a_run_that_has_published_is_recorded_as_such_even_at_the_second_try(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, calls = report.count, []

    def throttled_once(*given: Any) -> None:
        calls.append(given)
        if len(calls) == 1:
            raise RuntimeError("PutMetricData: rate exceeded")
        count(*given)

    monkeypatch.setattr(control, "count", throttled_once)
    run(jobs, "r1")
    assert (published(jobs), record(jobs, "r1").status) == ("r1", "succeeded")
    (sent,) = aws.notifications()
    assert "has published 100 customers" in sent["Message"]


@pytest.mark.parametrize("name", ["save", "finish"])
def test_batch_and_lease_come_back_though_the_end_cannot_be_recorded(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    call = getattr(DynamoLedger, name)

    def refused_at_the_end(manifest: Any, given: Any, *more: Any, **named: Any) -> None:
        if name == "finish" or given.ended_at is not None:
            raise TerminalError("DynamoDB table runs: AccessDenied")
        call(manifest, given, *more, **named)

    monkeypatch.setattr(DynamoLedger, name, refused_at_the_end)
    jobs.errors["gold"] = [QualityGateError("1 data test failed")]
    assert run(jobs, "r1")["status"] == "FAILED"
    assert is_free(jobs)


def test_a_function_that_aws_has_throttled_is_asked_again(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote, calls = StoredRegistry.promote, []

    def throttled_once(registry: StoredRegistry, *given: Any) -> None:
        calls.append(given)
        if len(calls) == 1:
            raise TransientError("s3://lake/models: SlowDown")
        promote(registry, *given)

    monkeypatch.setattr(StoredRegistry, "promote", throttled_once)
    assert run(jobs, "r1")["status"] == "SUCCEEDED"
    assert champion(jobs) == "churn-r1"


def test_a_publication_that_died_half_way_is_finished_by_the_retry(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote, seen = StoredRegistry.promote, []

    def die_once(registry: StoredRegistry, *given: Any) -> None:
        seen.append((published(jobs), champion(jobs)))
        if len(seen) == 1:
            raise type("Lambda.ServiceException", (Exception,), {})("the function went away")
        promote(registry, *given)

    monkeypatch.setattr(StoredRegistry, "promote", die_once)
    ended = run(jobs, "r1")
    assert ended["status"] == "SUCCEEDED"
    assert seen == [("r1", None), ("r1", None)]
    assert (published(jobs), champion(jobs)) == ("r1", "churn-r1")
    assert jobs.kept == [("offers", "r1", None), ("costs", "r1", "r1")]


def test_an_unknown_mode_ends_before_anything_is_done(jobs: Jobs) -> None:
    ended = run(jobs, "r1", mode="guess")
    assert (ended["status"], ended["error"]) == ("FAILED", "UsageError")
    assert not jobs.calls
    assert record(jobs, "r1").exit_code == 2


def test_an_execution_that_was_stopped_is_recorded_and_frees_the_warehouse(jobs: Jobs) -> None:
    document = {
        "run_id": "r1",
        "mode": "train",
        "source": SOURCE,
        "batch_sha256": "",
        "started_by": "test",
    }
    control.handler({**document, "action": "begin"})
    assert not is_free(jobs)
    control.handler({"detail": {"status": "TIMED_OUT", "input": json.dumps(document)}})
    assert is_free(jobs)
    found = record(jobs, "r1")
    assert found.status == "failed"
    assert "the execution timed out" in error_of(jobs, "r1")


def test_every_job_of_the_definition_is_a_step_that_a_container_can_take() -> None:
    tasks = json.loads(aws.render())["States"].values()
    asked = {
        aws.named_step(task["Parameters"] | {"Environment": {"SPANISHGAS_RUN_ID": ""}})[0]
        for task in tasks
        if "AppSpecification" in task.get("Parameters", {})
    }
    asked |= {
        task["Parameters"]["Overrides"]["ContainerOverrides"][0]["Command"][0]
        for task in tasks
        if "Overrides" in task.get("Parameters", {})
    }
    assert asked | {"train"} == set(step.WORK)


def test_a_run_clears_what_a_failed_one_has_built(jobs: Jobs) -> None:
    jobs.errors["gold"] = [QualityGateError("1 data test failed")]
    run(jobs, "r1")
    run(jobs, "r2")
    databases = boto3.client("glue").get_databases()["DatabaseList"]
    assert sorted(entry["Name"] for entry in databases) == ["spanishgas", "spanishgas_ml"]


def test_every_task_has_a_timeout_a_retry_and_a_way_to_fail() -> None:
    definition = json.loads(aws.render())
    tasks = {k: s for k, s in definition["States"].items() if s["Type"] == "Task"}
    assert definition["TimeoutSeconds"]
    assert len(tasks) == 19
    for name, task in tasks.items():
        assert task["TimeoutSeconds"] and task["Retry"] and task["Catch"], name
