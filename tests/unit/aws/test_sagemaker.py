"""The conventions of /opt/ml in a temporary one, and the Model Registry on moto."""

from __future__ import annotations

import io
import json
import os
import pwd
import subprocess
import sys
import tarfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest

from python_ml import progress
from python_ml.aws import step
from python_ml.aws.run_folder import RunFolder, RunRequest
from python_ml.aws.sagemaker_entry import become, job_settings, job_share, main
from python_ml.aws.sagemaker_launch import launch
from python_ml.aws.step import Outcome
from python_ml.engines import open_store, open_warehouse
from python_ml.errors import BadInputError, SpanishGasError, UsageError
from python_ml.model.churn_model import ChurnModel
from python_ml.pipeline.context import ALONE, RunContext
from python_ml.pipeline.flow import Step
from python_ml.pipeline.results import ScoreResult, ShareResult
from python_ml.pipeline.train import train
from python_ml.pipeline.workspace import Run
from python_ml.registry import APPROVED, PENDING, REJECTED, open_registry
from python_ml.registry.base import Registry
from python_ml.registry.sagemaker import ARCHIVE, ARTIFACTS
from tests.unit import aws_fixture as aws
from tests.unit import gold_fixture as gold

pytestmark = pytest.mark.slow

GROUP = "sg-test-churn"


@pytest.fixture
def opt_ml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An /opt/ml with a home in a channel, and a run that has begun in it."""
    root, home = tmp_path / "opt/ml", tmp_path / "home"
    settings = gold.settings_for(home)
    gold.warehouse_with(settings, gold.gold_frame(600))
    channel = root / "input/data/settings"
    channel.mkdir(parents=True)
    values = settings.as_dict()
    shown = {
        name: values[name]
        for name in ("home", "threads", "model", "experiments", "gate", "evaluate")
    }
    (channel / "settings.yml").write_text(json.dumps(shown))
    request = RunRequest("r1", "train", "raw", "", "test", "2025-01-06T06:00:00+00:00", "a1")
    RunFolder(open_store(settings), "r1").write_request(request)

    def fit(context: Any) -> Outcome:
        with context.run.warehouse() as warehouse:
            trained = train(
                warehouse, context.own_settings, gold.contract(), context.run_id, gold.AS_OF_DATE
            )
        return Outcome({"model_version": trained.model_version}, trained.train_count)

    def refuse(context: Any) -> None:
        page = context.settings.layout.reports / "data_docs/index.html"
        page.parent.mkdir(parents=True)
        page.write_text("province_code")
        raise BadInputError(f"price_history.csv: missing column province_code; see {page}")

    def open_run(context: Any) -> Any:
        return type("R", (), {"warehouse": lambda _: open_warehouse(context.settings)})()

    monkeypatch.setattr(step.StepContext, "run", property(open_run))
    monkeypatch.setattr(step, "WORK", {**step.WORK, "train": fit, "land": refuse})
    for name in ("SM_MODEL_DIR", "SM_OUTPUT_DATA_DIR", "SPANISHGAS_RUN_ID", "SM_NUM_CPUS"):
        monkeypatch.delenv(name, raising=False)
    return root


def hyperparameters(root: Path, **values: Any) -> None:
    path = root / "input/config/hyperparameters.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(values))


def test_a_training_job_leaves_the_model_as_json_documents(opt_ml: Path, tmp_path: Path) -> None:
    hyperparameters(opt_ml, **{"run_id": "r1", "model.xgboost.max_depth": "2"})
    assert main(["train"], opt_ml) == 0
    files = sorted(path.name for path in (opt_ml / "model").iterdir())
    assert files == sorted(ARTIFACTS)
    document = json.loads((opt_ml / "model/model.json").read_text())
    assert document["version"] == "churn-r1"
    assert document["origin"]["model_settings"]["xgboost"]["max_depth"] == 2
    assert json.loads((opt_ml / "output/data/train.json").read_text()) == {
        "model_version": "churn-r1"
    }
    assert not (opt_ml / "output/failure").exists()
    registry = open_registry(job_settings(opt_ml))
    assert registry.status("churn-r1") == PENDING


def test_the_directories_that_sagemaker_names_are_used(
    opt_ml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SM_MODEL_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("SM_OUTPUT_DATA_DIR", str(tmp_path / "reports"))
    hyperparameters(opt_ml, run_id="r1")
    assert main(["train"], opt_ml) == 0
    assert (tmp_path / "elsewhere/booster.json").exists()
    assert (tmp_path / "reports/train.json").exists()


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ({}, 2, "run_id"),
        ({"run_id": "r1", "model.xgboost.depth": "2"}, 2, "no such setting"),
        ({"run_id": "r2"}, 1, "run r2 has not begun"),
    ],
)
def test_what_a_training_job_cannot_do_is_told_in_the_failure_file(
    opt_ml: Path, given: dict[str, str], code: int, words: str
) -> None:
    hyperparameters(opt_ml, **given)
    assert main(["train"], opt_ml) == code
    assert words in (opt_ml / "output/failure").read_text()
    assert not (opt_ml / "model").exists()


def test_a_processing_job_that_fails_ends_with_the_exit_code_and_a_message(
    opt_ml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPANISHGAS_RUN_ID", "r1")
    assert main(["land"], opt_ml) == 3
    assert "missing column province_code" in (opt_ml / "output/message").read_text()
    document = RunFolder(open_store(job_settings(opt_ml)), "r1").read("land")
    assert document is not None
    assert (document["status"], document["exit_code"]) == ("failed", 3)
    # The container's pages go with it; the message names those that stay.
    place = document["error"].partition("; see ")[2]
    store = open_store(job_settings(opt_ml))
    assert place == store.place("runs/r1/reports/data_docs/index.html")
    assert store.read("runs/r1/reports/data_docs/index.html") == b"province_code"


def a_machine(root: Path, number: int, machines: int) -> None:
    """What SageMaker tells one machine of a processing job."""
    hosts = [f"algo-{one}" for one in range(1, machines + 1)]
    config = root / "config"
    config.mkdir(exist_ok=True)
    (config / "resourceconfig.json").write_text(
        json.dumps({"current_host": hosts[number], "hosts": hosts})
    )
    (config / "processingjobconfig.json").write_text(json.dumps({"ProcessingJobName": "job-1"}))


@pytest.fixture
def scoring(opt_ml: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the machines of a scoring job do, in words, as they do it."""
    done: list[str] = []

    def score_share(context: RunContext) -> ShareResult:
        share = context.share
        done.append(f"{share.attempt}: share {share.machine} of {share.machines}")
        if share.machine == 2:
            raise BadInputError("gold_master.segment holds infinite values")
        return ShareResult(100)

    def take(run: Run, taken: Step) -> None:
        done.append(f"{taken.name} for {run.context.share.machines}")
        result = ScoreResult("v1", gold.AS_OF_DATE, gold.AS_OF_DATE, 200, 9, {"Low": 200}, 1.0)
        run.results.put(result)
        run.steps.append(progress.Step(taken.name, rows=200))

    def open_run(context: step.StepContext) -> Run:
        run = Run(context.settings, "score", context.run_id, share=context.share)
        run.work_dir.mkdir(parents=True, exist_ok=True)
        opened: Run = vars(context).setdefault("opened", run)
        return opened

    share = types.SimpleNamespace(function=score_share, inputs=lambda _: {})
    monkeypatch.setattr(step.StepContext, "run", property(open_run))
    monkeypatch.setattr(step, "SCORE_SHARE", share)
    monkeypatch.setattr(step, "take", take)
    monkeypatch.setenv("SPANISHGAS_RUN_ID", "r1")
    return done


def test_the_machines_of_a_job_score_their_shares_and_the_first_one_leads(
    opt_ml: Path, scoring: list[str]
) -> None:
    folder = RunFolder(open_store(job_settings(opt_ml)), "r1")
    assert job_share(opt_ml) == ALONE
    assert main(["score"], opt_ml) == 0
    assert scoring == ["score for 1"], "without others there is nothing to hand on"
    scoring.clear()

    a_machine(opt_ml, 1, 2)
    folder.write("score", {"status": "running"})
    assert main(["score"], opt_ml) == 0
    assert folder.read("score") == {"status": "running", "attempt": "a1"}, "the first one tells"
    a_machine(opt_ml, 0, 2)
    assert main(["score"], opt_ml) == 0
    assert scoring == ["job-1: share 1 of 2", "job-1: share 0 of 2", "score for 2"]
    document = folder.read("score")
    assert document is not None
    assert (document["status"], document["row_count"]) == ("done", 200)


def test_a_machine_that_fails_says_why_for_the_whole_job(opt_ml: Path, scoring: list[str]) -> None:
    a_machine(opt_ml, 2, 3)
    assert main(["score"], opt_ml) == 3
    document = RunFolder(open_store(job_settings(opt_ml)), "r1").read("score")
    assert document is not None
    assert (document["status"], document["exit_code"]) == ("failed", 3)
    assert "infinite values" in document["error"]


def test_an_unknown_step_is_usage(opt_ml: Path) -> None:
    assert main(["guess"], opt_ml) == 2
    assert "it is one of land" in (opt_ml / "output/message").read_text()


def test_threads_are_the_cpus_of_the_instance(
    opt_ml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SM_NUM_CPUS", "3")
    assert job_settings(opt_ml).threads == 3
    monkeypatch.setenv("SPANISHGAS_THREADS", "2")
    assert job_settings(opt_ml).threads == 2


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Registry]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", aws.REGION)
    with aws.cloud():
        boto3.client("sagemaker").create_model_package_group(ModelPackageGroupName=GROUP)
        settings = aws.settings_in(tmp_path).with_overrides({"athena.model_package_group": GROUP})
        yield open_registry(settings)


def packages() -> list[dict[str, Any]]:
    client = boto3.client("sagemaker")
    found = client.list_model_packages(ModelPackageGroupName=GROUP)["ModelPackageSummaryList"]
    return [client.describe_model_package(ModelPackageName=p["ModelPackageArn"]) for p in found]


def test_a_version_is_a_model_package_with_its_artifacts(
    registry: Registry, model: ChurnModel
) -> None:
    digest = registry.register("v1", model, {"run_id": "r1"})
    registry.register("v1", model, {"run_id": "r1"})  # a resumed run
    (package,) = packages()
    assert package["ModelApprovalStatus"] == PENDING
    assert package["CustomerMetadataProperties"] == {"model_version": "v1", "sha256": digest}
    content = boto3.client("s3").get_object(Bucket=aws.LAKE, Key=f"models/v1/{ARCHIVE}")["Body"]
    with tarfile.open(fileobj=io.BytesIO(content.read())) as tar:
        assert tar.getnames() == list(ARTIFACTS)
        member = tar.extractfile("model.json")
        assert member is not None
        assert json.load(member)["sha256"] == digest
    frame = gold.gold_frame(100)
    loaded = registry.load("v1").model
    np.testing.assert_array_equal(loaded.predict(frame).to_numpy(), model.predict(frame).to_numpy())


def test_the_package_of_a_recalibrated_version_names_its_parent(
    registry: Registry, model: ChurnModel
) -> None:
    registry.register("v1", model, {"run_id": "r1"})
    registry.register("v2", model, {"run_id": "r2", "recalibration": {"lineage": ["v0", "v1"]}})
    shown = [package["CustomerMetadataProperties"] for package in packages()]
    assert {one["model_version"]: one.get("recalibrated_from") for one in shown} == {
        "v1": None,
        "v2": "v1",
    }


def test_evaluation_and_decisions_reach_the_package(registry: Registry, model: ChurnModel) -> None:
    registry.register("v1", model, {})
    figure = {"value": 0.758, "low": 0.72, "high": 0.79}
    registry.attach_evaluation("v1", {"metrics": {"pr_auc": figure}})
    registry.decide("v1", REJECTED, "recall is 0.60", "gate")
    (package,) = packages()
    assert package["ModelApprovalStatus"] == REJECTED
    assert package["ApprovalDescription"] == "gate: recall is 0.60"
    shown = package["CustomerMetadataProperties"]
    assert shown["pr_auc"] == "0.7580 (0.7200 to 0.7900)"
    assert shown["card"] == "s3://lake/models/v1/card.html"
    assert shown["model_version"] == "v1"
    with pytest.raises(SpanishGasError, match="Rejected"):
        registry.promote("v1", "r1")


def test_who_approves_in_sagemaker_has_decided(registry: Registry, model: ChurnModel) -> None:
    registry.register("v1", model, {})
    (package,) = packages()
    boto3.client("sagemaker").update_model_package(
        ModelPackageArn=package["ModelPackageArn"],
        ModelApprovalStatus=APPROVED,
        ApprovalDescription="looked at the card",
        CustomerMetadataProperties=package["CustomerMetadataProperties"],
    )
    assert registry.status("v1") == APPROVED
    last = registry.decisions("v1")[-1]
    assert (last["decided_by"], last["reason"]) == ("SageMaker", "looked at the card")
    assert len(registry.decisions("v1")) == 2  # taken over once
    registry.promote("v1", "r1")
    assert registry.champion() == "v1"


def test_versions_do_not_mix(registry: Registry, model: ChurnModel) -> None:
    for version in ("v1", "v2"):
        registry.register(version, model, {})
    registry.decide("v2", APPROVED, "passed", "gate")
    statuses = {
        p["CustomerMetadataProperties"]["model_version"]: p["ModelApprovalStatus"]
        for p in packages()
    }
    assert statuses == {"v1": PENDING, "v2": APPROVED}
    assert registry.status("v1") == PENDING


@pytest.mark.parametrize(("state", "kind"), [("Train", "TrainingJob"), ("Score", "ProcessingJob")])
def test_a_job_launched_by_hand_is_that_of_the_state_machine(
    registry: Registry, state: str, kind: str
) -> None:
    machine = aws.create_state_machine()
    found, name = launch(machine, "20250106T060000-1a2b3c", state)
    assert found == kind
    assert name.startswith(f"sg-test-20250106T060000-1a2b3c-{state.lower()}-")
    assert len(name) <= 63
    client = boto3.client("sagemaker")
    if kind == "TrainingJob":
        job = client.describe_training_job(TrainingJobName=name)
        assert job["HyperParameters"] == {"run_id": "20250106T060000-1a2b3c"}
        image = job["AlgorithmSpecification"]["TrainingImage"]
    else:
        job = client.describe_processing_job(ProcessingJobName=name)
        image = job["AppSpecification"]["ImageUri"]
    assert image == aws.VARIABLES["ml_image"]


def test_scoring_alone_is_a_job_of_several_machines() -> None:
    counts = {
        name: state["Parameters"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"]
        for name, state in json.loads(aws.render())["States"].items()
        if state.get("Resource", "").endswith("createProcessingJob.sync")
    }
    assert counts.pop("Score") == int(aws.VARIABLES["score_machines"])
    assert set(counts.values()) == {1}


def test_a_state_that_is_no_job_cannot_be_launched(registry: Registry) -> None:
    with pytest.raises(UsageError, match="these are: Land, Sentiment"):
        launch(aws.create_state_machine(), "r1", "Gate")


def test_a_job_becomes_the_user_of_its_image_and_can_say_why_it_failed(tmp_path: Path) -> None:
    """SageMaker mounts its folders as root's; the failure file was lost with the job."""
    user = pwd.getpwnam("nobody")
    tmp_path.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    job = (
        "import os; from pathlib import Path; from python_ml.aws import sagemaker_entry as e;"
        f"root = Path({str(tmp_path)!r}); e.become('nobody', root);"
        "print(os.geteuid()); raise SystemExit(e.main(['guess'], root))"
    )
    done = subprocess.run(
        [sys.executable, "-c", job], capture_output=True, text=True, cwd="/", check=False
    )
    assert done.returncode == 2, done.stderr
    told = tmp_path / "output/message"
    assert "step 'guess'" in told.read_text(encoding="utf-8")
    expected = user.pw_uid if os.geteuid() == 0 else os.geteuid()
    assert int(done.stdout) == expected
    assert told.stat().st_uid == expected


def test_a_user_that_the_image_has_not_changes_nothing(tmp_path: Path) -> None:
    become("no-such-user", tmp_path)
    assert not list(tmp_path.iterdir())
