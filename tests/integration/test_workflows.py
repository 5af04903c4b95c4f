"""The commands of the GitHub workflows, run as they stand in the files.

Replaced are what only GitHub and AWS have: expressions in `${{ }}` by values, actions (`uses`) by
nothing, set-up by a link to the environment that runs the tests, and the programs that talk to a
cloud, build images or fetch tools (terraform, aws, docker, skopeo, pipx) by one that writes down
how it was called.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.project_copy import BIN, ROOT, copy_project, dbt, plain_environment, ran

WORKFLOWS = ROOT / ".github" / "workflows"
MAKE = """#!/bin/sh
folder=.; [ "$1" = -C ] && folder="$2"
[ -d "$folder/.venv" ] || {{ mkdir "$folder/.venv"; ln -s {bin} "$folder/.venv/bin"; }}
(cd "$folder" && pwd -P | tr -d '\\n' > .venv/.installed)
exec /usr/bin/make "$@"
"""
WRITES_DOWN = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$*" in
  "output -json settings")
    echo '{"SPANISHGAS_TARGET": "duckdb", "SPANISHGAS_ATHENA__SCHEMA": "sg"}' ;;
  "output -json image_uris") echo '{}' ;;
  *-out=plan*) echo "a plan" > plan ;;
  "s3 cp "*" plan") echo "a plan" > plan ;;
  *"{{.Digest}}"*) echo sha256:0 ;;
  "inspect docker:"*) exit 1 ;;
  *"lambda invoke"*) echo '{"StatusCode": 200}'; echo '{"is_well": true}' > answer.json ;;
  *start-execution*) echo arn:execution ;;
  *describe-execution*) echo '{"status": "SUCCEEDED", "output": "{}"}' ;;
esac
"""

pytestmark = pytest.mark.slow


class Runner:
    """A GitHub runner with one checkout."""

    def __init__(self, folder: Path) -> None:
        self.workspace = copy_project(folder / "work" / "repository")
        self.calls = folder / "calls"
        self.calls.touch()
        self._github_env, self._output = folder / "env", folder / "output"
        tools = folder / "tools"
        tools.mkdir()
        make = MAKE.format(bin=BIN)
        for name, text in {
            "make": make,
            **dict.fromkeys(("terraform", "aws", "docker", "skopeo", "pipx"), WRITES_DOWN),
        }.items():
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        self._base = plain_environment(
            PATH=f"{tools}:{os.environ['PATH']}",
            CALLS=str(self.calls),
            GITHUB_WORKSPACE=str(self.workspace),
            GITHUB_ENV=str(self._github_env),
            GITHUB_OUTPUT=str(self._output),
            GITHUB_STEP_SUMMARY=str(folder / "summary"),
        )
        self.git("init", "--quiet", "--initial-branch", "main")
        self.commit("base")

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=ci", "-c", "user.email=ci@example.com"]
        done = subprocess.run(
            ["git", *who, *arguments],
            cwd=self.workspace,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def run(self, workflow: str, job: str, values: dict[str, str]) -> None:
        """Every `run` step of a job, in order."""
        document = yaml.safe_load((WORKFLOWS / f"{workflow}.yml").read_text(encoding="utf-8"))
        found = document["jobs"][job]
        for step in found["steps"]:
            if "run" in step:
                environment = self._base | self._written()
                for level in (document, found, step):
                    filled = {k: fill(str(v), values) for k, v in level.get("env", {}).items()}
                    environment |= filled
                folder = self.workspace / fill(step.get("working-directory", "."), values)
                self._shell(fill(step["run"], values), folder, environment)

    def _written(self) -> dict[str, str]:
        """What earlier steps wrote to $GITHUB_ENV."""
        lines = self._github_env.read_text().splitlines() if self._github_env.exists() else []
        return dict(line.split("=", 1) for line in lines)

    def outputs(self) -> dict[str, str]:
        """What steps wrote to $GITHUB_OUTPUT."""
        return dict(line.split("=", 1) for line in self._output.read_text().splitlines())

    def _shell(self, script: str, folder: Path, environment: dict[str, str]) -> None:
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"


def fill(text: str, values: dict[str, str]) -> str:
    """The text with GitHub's expressions replaced.

    Raises:
        KeyError: an expression that the test has no value for.
    """
    return re.sub(r"\$\{\{\s*(.*?)\s*\}\}", lambda found: values[found[1]], text)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def test_slim_ci_builds_what_changed_and_what_comes_after(runner: Runner) -> None:
    base = runner.git("rev-parse", "HEAD")
    model = runner.workspace / "models" / "marts" / "mart_recommendation.sql"
    changed = model.read_text().replace(
        "'no_offer' end as offer_made", "'no_offer' end as offer_made /* same */"
    )
    assert changed != model.read_text()
    model.write_text(changed)
    runner.commit("a change")
    values = {"github.event.pull_request.base.sha": base, "github.workspace": str(runner.workspace)}
    runner.run("dbt", "slim", values)
    before = ran(runner.workspace.parent / "state")
    assert {"gold_master", "mart_recommendation", "micro_margin"} <= set(before)
    nodes = json.loads((runner.workspace / "target/manifest.json").read_text())["nodes"]
    kinds = {node["name"]: node["resource_type"] for node in nodes.values()}
    models = {name for name in ran(runner.workspace / "target") if kinds.get(name) == "model"}
    assert {"mart_recommendation", "mart_overview"} <= models
    assert not {"gold_master", "mart_customer_risk", "silver_customer"} & models


VARIABLES = {
    f"vars.{name}": f"some-{name.lower()}"
    for name in ("AWS_REGION", "REGISTRY", "NAME", "STATE_BUCKET", "ARTIFACTS")
} | {"vars.TF_VARS": "{}", "github.run_id": "7", "github.run_attempt": "1"}


def test_an_environment_applies_the_very_plan_that_was_saved(runner: Runner) -> None:
    values = {**VARIABLES, "inputs.environment": "dev"}
    runner.run("environment", "plan", values)
    images = json.loads((runner.workspace / "images.tfvars.json").read_text())["image_uris"]
    assert set(images) == {"dbt", "ml", "trigger", "metabase"}
    saved = runner.outputs()["sha256"]
    documents = runner.workspace / "documents"
    documents.mkdir()
    runner.run("environment", "apply", {**values, "needs.plan.outputs.sha256": saved})
    calls = runner.calls.read_text()
    for call in (
        "terraform plan -input=false -no-color -out=plan -var-file=environments/dev.tfvars",
        "aws s3 cp plan some-artifacts/plans/7-1/plan",
        "skopeo copy --preserve-digests oci-archive:images/ml.tar",
        "aws s3 cp some-artifacts/plans/7-1/plan plan",
        "terraform apply -input=false plan",
        "aws lambda invoke --function-name some-name-control",
        "aws s3 cp documents/static_index.html some-artifacts/docs/index.html",
        "aws s3 cp documents/manifest.json some-artifacts/dbt/manifest.json",
    ):
        assert call in calls, calls
    assert calls.index("terraform plan") < calls.index("terraform apply")


def test_another_plan_than_the_approved_one_is_not_applied(runner: Runner) -> None:
    values = {**VARIABLES, "inputs.environment": "dev", "needs.plan.outputs.sha256": "0" * 64}
    with pytest.raises(AssertionError, match="did NOT match"):
        runner.run("environment", "apply", values)
    assert "terraform apply" not in runner.calls.read_text()


def test_a_pull_request_shows_its_plan_and_every_morning_looks_for_drift(runner: Runner) -> None:
    values = {**VARIABLES, "matrix.environment": "staging"}
    runner.run("deploy", "show", values)
    runner.run("drift", "drift", values)
    calls = runner.calls.read_text()
    assert "terraform plan -input=false -lock=false -no-color -var-file" in calls
    assert "-detailed-exitcode" in calls and "environments/staging.tfvars" in calls


def test_a_deployment_publishes_the_documents_of_its_commit(runner: Runner) -> None:
    runner.run("deploy", "documents", {})
    pages = (runner.workspace / "target" / "static_index.html").read_text(encoding="utf-8")
    assert "mart_customer_risk" in pages
    assert (runner.workspace / "target" / "manifest.json").is_file()


def test_the_weekly_run_is_started_and_waited_for(runner: Runner) -> None:
    values = {
        "inputs.environment || 'prod'": "prod",
        "vars.STATE_MACHINE_ARN": "arn:machine",
        "inputs.mode || 'train'": "train",
        "inputs.source || vars.BATCH": "s3://bucket/raw/",
    }
    runner.run("retrain", "retrain", values)
    assert "start-execution --state-machine-arn arn:machine" in runner.calls.read_text()


def test_ci_calls_targets_and_images_that_exist(runner: Runner) -> None:
    """The suites themselves are what runs this test: their targets are resolved, not called."""
    jobs: dict[str, Any] = yaml.safe_load((WORKFLOWS / "ci.yml").read_text())["jobs"]
    for target in jobs["test"]["strategy"]["matrix"]["target"]:
        done = subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 and "pytest" in done.stdout, done.stderr
    runner.run("ci", "audit", {})
    runner.run("ci", "images", {})
    calls = runner.calls.read_text()
    for image in ("dbt", "ml", "trigger"):
        assert f"--file infra/docker/Dockerfile --target {image} " in calls
        stages = (runner.workspace / "infra" / "docker" / "Dockerfile").read_text()
        assert re.search(rf"^FROM \w+ AS {image}$", stages, re.MULTILINE)
    assert "pip-audit" in calls and "oci-archive:images/metabase.tar" in calls


def test_every_job_with_commands_is_run_by_a_test() -> None:
    """`dashboards` needs a Metabase: its command is tested in tests/dashboards."""
    jobs = {
        (path.stem, name)
        for path in WORKFLOWS.glob("*.yml")
        for name, job in yaml.safe_load(path.read_text())["jobs"].items()
        if "steps" in job  # the others call a workflow
    }
    assert jobs == {
        *(("ci", "test"), ("ci", "audit"), ("ci", "images"), ("dbt", "slim")),
        *(("deploy", "show"), ("deploy", "documents"), ("drift", "drift")),
        *(("environment", "plan"), ("environment", "apply"), ("environment", "dashboards")),
        ("retrain", "retrain"),
    }


def test_the_job_of_dbt_cloud_is_what_its_page_says(runner: Runner) -> None:
    """On the micro-data; on Athena the same commands run in tests/athena."""
    page = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    commands = re.findall(r"\| Commands \| `(dbt .*?)` \|", page)
    assert len(commands) == 1
    for command in commands:
        done = dbt(runner.workspace, *command.split()[1:])
        assert done.returncode == 0, done.stdout[-3000:]
    assert "gold_master" in ran(runner.workspace / "target")
