"""The deployed definition, executed through every branch; manifest, notifications and pointer
asserted after each."""

from __future__ import annotations

import json
from collections import Counter

import aws_fixture as aws
import boto3
import gold_fixture as gold
import pytest

from python_ml.aws import control, report, step, trigger
from python_ml.aws.run_folder import STEPS
from python_ml.aws.step import Outcome
from python_ml.aws.uploads import UploadTable
from python_ml.errors import BadInputError, QualityGateError
from python_ml.registry import APPROVED, PENDING, REJECTED, StoredRegistry, open_registry
from python_ml.runs import open_manifest
from python_ml.runs.identity import identify_batch
from python_ml.runs.manifest import CLAIMED, DONE, BatchClaim, new_lease
from python_ml.runs.workspace import Run
from python_ml.warehouse.athena_publication import Publication, run_database_name

SOURCE = f"s3://{aws.LAKE}/raw/a/"
JOBS = [name for name in STEPS if name not in ("register", "publish")]
SCORE_JOBS = [name for name in JOBS if name not in ("train", "evaluate")]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return gold.small_model(tmp_path_factory.mktemp("model"))


class Jobs:
    """What the containers do: the real protocol around stubbed work."""

    def __init__(self, settings, model):
        self.settings, self.model = settings, model
        self.verdict = APPROVED
        self.calls = Counter()
        self.errors = {}  # step -> errors to raise, one a call
        self.kept = []  # what publishing has kept, and what was published by then

    def keep(self, name, run_id):
        self.kept.append((name, run_id, Publication(self.settings.athena).published_run()))

    def __call__(self, name, run_id, parameters):
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
    def _raise(error):
        def work(_):
            raise error

        return work

    @staticmethod
    def _layer(_):
        return Outcome({}, 10)

    def _land(self, context):
        Publication(self.settings.athena).begin(context.run_id)
        return Outcome({"batch_id": context.run_id, "as_of_date": "2024-12-31"}, 7)

    def _train(self, context):
        version = f"churn-{context.run_id}"
        open_registry(self.settings).register(version, self.model, {"run_id": context.run_id})
        return Outcome({"model_version": version}, 80)

    def _evaluate(self, context):
        version = context.folder.result("train")["model_version"]
        registry = open_registry(self.settings)
        registry.attach_evaluation(version, {"metrics": {}})
        registry.decide(version, self.verdict, "pr_auc is 0.61; it must be at least 0.70", "gate")
        return Outcome({"model_version": version}, 20)

    def _score(self, context):
        assert context.folder.result("land")["as_of_date"] == "2024-12-31"
        registered = context.folder.read("register")
        champion = open_registry(self.settings).champion()
        version = registered["result"]["model_version"] if registered else champion
        return Outcome({"model_version": version}, 100)

    def _marts(self, context):
        database = run_database_name(self.settings.athena, context.run_id)
        aws.create_table(database, "mart_overview", f"s3://lake/{context.run_id}/")
        return Outcome({}, 10)

    @staticmethod
    def _drift(_):
        return Outcome({"alarm_count": 2}, 60)


@pytest.fixture
def jobs(monkeypatch, tmp_path, model):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", aws.REGION)
    monkeypatch.setenv("EXECUTION_SECONDS", "43200")
    settings = aws.settings_in(tmp_path)
    monkeypatch.setattr(control, "_settings", lambda: settings)
    with aws.cloud():
        jobs = Jobs(settings, model)
        # Queries, which tests/athena has an engine for.
        monkeypatch.setattr(
            control, "keep_assignments", lambda _, run_id: jobs.keep("offers", run_id)
        )
        monkeypatch.setattr(
            control, "keep_costs", lambda _, __, run_id, ___: jobs.keep("costs", run_id)
        )
        aws.install_jobs(monkeypatch, jobs, control.handler)
        jobs.machine = aws.create_state_machine()
        put_batch("churn")
        yield jobs


def put_batch(content):
    boto3.client("s3").put_object(
        Bucket=aws.LAKE, Key="raw/a/churn_label.csv", Body=content.encode()
    )


def run(jobs, run_id, mode="train", **more):
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


def record(jobs, run_id):
    return next(r for r in open_manifest(jobs.settings).runs() if r.run_id == run_id)


def put_champion(jobs):
    """What an earlier run has left."""
    registry = open_registry(jobs.settings)
    registry.register("churn-r1", jobs.model, {"run_id": "r1"})
    registry.decide("churn-r1", APPROVED, "passed", "gate")
    registry.promote("churn-r1", "r1")


def champion(jobs):
    return open_registry(jobs.settings).champion()


def published(jobs):
    """The run whose tables everyone sees, by the pointer and by the catalog."""
    tables = boto3.client("glue").get_tables(DatabaseName=jobs.settings.athena.schema)["TableList"]
    places = [table["StorageDescriptor"]["Location"].split("/")[-2] for table in tables]
    run = Publication(jobs.settings.athena).published_run()
    assert places == ([] if run is None else [run])
    return run


def is_free(jobs):
    return open_manifest(jobs.settings).holder() is None


def test_trained_and_promoted(jobs):
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


def test_a_rejected_model_scores_and_moves_nothing(jobs):
    put_champion(jobs)
    jobs.verdict = REJECTED
    ended = run(jobs, "r2")
    assert (ended["status"], ended["error"]) == ("FAILED", "ModelGateError")
    assert list(jobs.calls) == JOBS[: JOBS.index("evaluate") + 1]
    assert champion(jobs) == "churn-r1"
    found = record(jobs, "r2")
    assert (found.status, found.failed_step, found.exit_code) == ("failed", "evaluate", 4)
    assert "churn-r2 is Rejected: pr_auc is 0.61" in found.error_message
    assert published(jobs) is None
    assert is_free(jobs)
    assert [m["Subject"] for m in aws.notifications()] == ["sg-test: run r2 failed"]


def test_a_candidate_that_waits_for_a_person_leaves_the_champion_to_score(jobs):
    put_champion(jobs)
    jobs.verdict = PENDING
    ended = run(jobs, "r2")
    assert ended["status"] == "SUCCEEDED"
    assert "Register" not in ended["states"]
    assert champion(jobs) == "churn-r1"
    assert record(jobs, "r2").model_version == "churn-r1"


def test_a_candidate_that_waits_with_no_champion_in_place_ends_the_run(jobs):
    jobs.verdict = PENDING
    ended = run(jobs, "r1")
    assert (ended["status"], ended["error"]) == ("FAILED", "ModelGateError")
    assert "spanishgas promote churn-r1" in record(jobs, "r1").error_message
    assert champion(jobs) is None


def test_mode_score_uses_the_champion(jobs):
    put_champion(jobs)
    ended = run(jobs, "r2", mode="score")
    assert ended["status"] == "SUCCEEDED"
    assert list(jobs.calls) == SCORE_JOBS
    assert champion(jobs) == "churn-r1"
    assert record(jobs, "r2").model_version == "churn-r1"


def test_mode_score_without_a_champion_runs_no_job(jobs):
    ended = run(jobs, "r1", mode="score")
    assert ended["status"] == "FAILED"
    assert not jobs.calls
    found = record(jobs, "r1")
    assert found.failed_step == "land"  # the first that did not come
    assert "no champion yet" in found.error_message
    assert is_free(jobs)
    assert [m["Subject"] for m in aws.notifications()] == ["sg-test: run r1 failed"]


@pytest.mark.parametrize("name", ["bronze", "score"])
def test_a_transient_error_is_retried(jobs, name):
    jobs.errors[name] = [aws.TransientError("rate exceeded"), aws.TransientError("rate exceeded")]
    ended = run(jobs, "r1")
    assert ended["status"] == "SUCCEEDED"
    assert jobs.calls[name] == 3
    assert champion(jobs) == "churn-r1"
    assert record(jobs, "r1").status == "succeeded"
    assert len(aws.notifications()) == 1


def test_a_job_that_dies_once_runs_again_under_another_name(jobs):
    jobs.errors["train"] = [RuntimeError("InternalServerError: the host went away")]
    names = []
    call = Jobs.__call__

    def remember(self, name, run_id, parameters):
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
def test_a_failed_step_is_recorded_and_notified(jobs, name, error, exit_code, tries):
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


def test_a_failure_that_cannot_be_recorded_is_notified_all_the_same(jobs, monkeypatch):
    def broken(*_):
        raise RuntimeError("no table")

    monkeypatch.setattr(control, "end", broken)
    jobs.errors["gold"] = [QualityGateError("1 data test failed")]
    ended = run(jobs, "r1", mode="train")
    assert ended["status"] == "FAILED"
    (sent,) = aws.notifications()
    assert "1 data test failed" in sent["Message"]
    assert "could not be recorded" in sent["Message"]


def test_a_run_that_has_published_is_recorded_as_such_even_at_the_second_try(jobs, monkeypatch):
    count, calls = control.count, []

    def throttled_once(*given):
        calls.append(given)
        if len(calls) == 1:
            raise RuntimeError("PutMetricData: rate exceeded")
        count(*given)

    monkeypatch.setattr(control, "count", throttled_once)
    run(jobs, "r1")
    assert (published(jobs), record(jobs, "r1").status) == ("r1", "succeeded")
    (sent,) = aws.notifications()
    assert "has published 100 customers" in sent["Message"]


def test_a_run_id_that_has_succeeded_does_nothing_again(jobs):
    run(jobs, "r1")
    aws.notifications()
    jobs.calls.clear()
    again = boto3.client("stepfunctions").start_execution(
        stateMachineArn=jobs.machine,
        name="r1-by-hand",
        input=json.dumps(
            {
                **{"run_id": "r1", "mode": "train", "source": SOURCE, "batch_sha256": ""},
                **{"force": True, "started_by": "t"},
            }
        ),
    )
    ended = aws.wait_for(again["executionArn"])
    assert ended["status"] == "SUCCEEDED"
    assert ended["states"] == ["Begin", "IsDone", "AlreadyDone"]
    assert not jobs.calls
    assert not aws.notifications()
    assert is_free(jobs)


def test_a_publication_that_died_half_way_is_finished_by_the_retry(jobs, monkeypatch):
    promote, seen = StoredRegistry.promote, []

    def die_once(registry, *given):
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


def test_an_unknown_mode_ends_before_anything_is_done(jobs):
    ended = run(jobs, "r1", mode="guess")
    assert (ended["status"], ended["error"]) == ("FAILED", "UsageError")
    assert not jobs.calls
    assert record(jobs, "r1").exit_code == 2


def claim_by_hand(jobs, mode="train"):
    """What `spanishgas run --target athena` of the same prefix does before its first step."""
    by_hand = Run(jobs.settings, mode, source=SOURCE)
    by_hand.identity = identify_batch(SOURCE)
    claim = BatchClaim(by_hand.identity.sha256, mode, CLAIMED, "by-hand", by_hand.work_sha256)
    return claim, open_manifest(jobs.settings).claim(claim, 300)


def test_a_batch_that_was_run_by_hand_is_not_run_again_unless_forced(jobs):
    claim, standing = claim_by_hand(jobs)
    assert standing is None
    open_manifest(jobs.settings).finish(claim, succeeded=True)
    ended = run(jobs, "r1")
    assert (ended["status"], ended["states"]) == ("SUCCEEDED", ["Begin", "IsDone", "AlreadyDone"])
    assert is_free(jobs)
    assert not jobs.calls
    put_champion(jobs)
    assert run(jobs, "r2", mode="score")["states"][-1] == "Succeeded"  # another mode, another claim
    assert run(jobs, "r3", force=True)["states"][-1] == "Succeeded"
    put_batch("corrected")
    assert run(jobs, "r4")["states"][-1] == "Succeeded"
    assert [r.run_id for r in open_manifest(jobs.settings).runs()] == ["r4", "r3", "r2"]


def test_a_batch_that_the_state_machine_has_run_is_not_run_again_by_hand(jobs):
    jobs.errors["gold"] = [QualityGateError("1 data test failed")]
    run(jobs, "r1")
    claim, standing = claim_by_hand(jobs)
    assert standing is None  # the failed run has given it back
    open_manifest(jobs.settings).finish(claim, succeeded=False)
    run(jobs, "r2")
    _, standing = claim_by_hand(jobs)
    assert (standing.state, standing.run_id) == (DONE, "r2")
    assert run(jobs, "r3")["states"][-1] == "AlreadyDone"


def test_a_batch_that_is_being_run_is_waited_for(jobs):
    claim, _ = claim_by_hand(jobs)
    ended = run(jobs, "r1")
    assert (ended["status"], ended["error"]) == ("FAILED", "LeaseHeldError")
    assert "is being run already, by by-hand" in record(jobs, "r1").error_message
    assert is_free(jobs)
    open_manifest(jobs.settings).finish(claim, succeeded=False)
    assert run(jobs, "r2")["states"][-1] == "Succeeded"


@pytest.mark.parametrize("when", ["waiting", "begun"])
def test_a_batch_that_was_written_over_before_it_is_read_ends_its_run(jobs, when):
    started_for = identify_batch(SOURCE).sha256
    document = {"run_id": "r1", "mode": "train", "source": SOURCE, "batch_sha256": started_for}
    if when == "begun":
        control.handler({**document, "force": False, "started_by": "upload", "action": "begin"})
        put_batch("corrected")
        with pytest.raises(BadInputError, match="no longer what this run was started for"):
            step.run_step(jobs.settings, "r1", "land")
        return
    put_batch("corrected")
    ended = run(jobs, "r1", batch_sha256=started_for)
    assert (ended["status"], ended["error"]) == ("FAILED", "BadInputError")
    assert record(jobs, "r1").exit_code == 3
    assert is_free(jobs)
    assert run(jobs, "r2", batch_sha256=identify_batch(SOURCE).sha256)["status"] == "SUCCEEDED"


def test_a_run_waits_for_the_lease_and_gives_up_with_words(jobs):
    manifest = open_manifest(jobs.settings)
    held = manifest.acquire(new_lease("someone", "train"), 3600)
    ended = run(jobs, "r1")
    assert (ended["status"], ended["error"]) == ("FAILED", "LeaseHeldError")
    assert ended["states"].count("Begin") == 1
    assert not jobs.calls
    assert "held by run someone" in record(jobs, "r1").error_message
    assert manifest.holder().run_id == "someone"  # what is another's stays
    manifest.release(held)
    assert run(jobs, "r2")["status"] == "SUCCEEDED"


def test_a_duplicate_upload_starts_nothing_and_a_failed_one_may_come_again(jobs, monkeypatch):
    monkeypatch.setenv("STATE_MACHINE_ARN", jobs.machine)
    monkeypatch.setenv("RUNS_TABLE", aws.TABLE)
    monkeypatch.setenv("WAREHOUSE", jobs.settings.athena.schema)
    for cached in (trigger._s3, trigger._states, trigger._uploads):
        cached.cache_clear()
    s3 = boto3.client("s3")
    names = ["churn_label", "customer_attributes", "customer_contracts", "price_history"]
    names += ["costs_by_province_month", "consumption_hourly_2024", "customer_interactions"]
    for name in names:
        s3.put_object(Bucket=aws.LAKE, Key=f"raw/train/a/{name}.csv", Body=name.encode())
    objects = [{"key": f"raw/train/a/{name}.csv"} for name in names]
    event = {"Records": [{"s3": {"bucket": {"name": aws.LAKE}, "object": o}} for o in objects]}
    jobs.errors["gold"] = [QualityGateError("1 data test failed")]
    assert [b["outcome"] for b in trigger.handler(event)["batches"]] == ["started"]
    listed = boto3.client("stepfunctions").list_executions(stateMachineArn=jobs.machine)
    (execution,) = listed["executions"]
    ended = aws.wait_for(execution["executionArn"])
    assert ended["status"] == "FAILED"
    sha256 = json.loads(ended["input"])["batch_sha256"]
    uploads = UploadTable(aws.TABLE, jobs.settings.athena.schema)
    assert uploads.read(sha256)["state"] == "failed"
    for _ in range(3):
        assert [b["outcome"] for b in trigger.handler(event)["batches"]] == ["known"]
    listed = boto3.client("stepfunctions").list_executions(stateMachineArn=jobs.machine)
    assert len(listed["executions"]) == 1
    assert jobs.calls["land"] == 1


def test_an_execution_that_was_stopped_is_recorded_and_frees_the_warehouse(jobs):
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
    assert "the execution timed out" in found.error_message


def test_every_job_of_the_definition_is_a_step_that_a_container_can_take():
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


def test_a_run_clears_what_a_failed_one_has_built(jobs):
    jobs.errors["gold"] = [QualityGateError("1 data test failed")]
    run(jobs, "r1")
    run(jobs, "r2")
    databases = boto3.client("glue").get_databases()["DatabaseList"]
    assert sorted(entry["Name"] for entry in databases) == ["spanishgas", "spanishgas_ml"]


def test_every_task_has_a_timeout_a_retry_and_a_way_to_fail():
    definition = json.loads(aws.render())
    tasks = {k: s for k, s in definition["States"].items() if s["Type"] == "Task"}
    assert definition["TimeoutSeconds"]
    assert len(tasks) == 19
    for name, task in tasks.items():
        assert task["TimeoutSeconds"] and task["Retry"] and task["Catch"], name
