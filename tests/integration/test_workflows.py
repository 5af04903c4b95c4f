"""The commands of the GitHub workflows, run as they stand in the files.

Replaced are what only GitHub and AWS have: expressions in `${{ }}` by values, actions (`uses`) by
nothing, set-up by a link to the environment that runs the tests, and the programs that talk to a
cloud or build images (terraform, aws, docker) by one that writes down how it was called.
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
from project_copy import BIN, ROOT, copy_project, plain_environment, ran

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
  *describe-images*imageDigest*) echo sha256:0 ;;
  *describe-images*) exit 1 ;;
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
            **dict.fromkeys(("terraform", "aws", "docker"), WRITES_DOWN),
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
        "'no_offer' end as offer", "'no_offer' end as offer /* same */"
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


def test_the_deployment_applies_what_it_planned_and_publishes_the_documents(runner: Runner) -> None:
    values: dict[str, str] = {
        "inputs.environment || 'dev'": "dev",
        **{
            f"vars.{name}": f"some-{name.lower()}"
            for name in (
                "AWS_REGION",
                "REGISTRY",
                "NAME",
                "METABASE_IMAGE",
                "STATE_BUCKET",
                "ARTIFACTS",
                "IMAGES",
            )
        },
        "vars.TF_VARS": "{}",
    }
    runner.run("deploy", "plan", values)
    runner.run("deploy", "deploy", values)
    calls = runner.calls.read_text()
    for call in (
        "terraform plan -input=false -lock=false",
        "terraform apply -input=false plan",
        "docker buildx build",
        "aws s3 cp target/static_index.html some-artifacts/docs/index.html",
        "aws s3 cp target/manifest.json some-artifacts/dbt/manifest.json",
    ):
        assert call in calls, calls
    pages = (runner.workspace / "target" / "static_index.html").read_text(encoding="utf-8")
    assert "mart_customer_risk" in pages
    images = json.loads((runner.workspace / "images.tfvars.json").read_text())["image_uris"]
    assert set(images) == {"dbt", "ml", "trigger", "metabase"}


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
    for image in jobs["images"]["strategy"]["matrix"]["image"]:
        runner.run("ci", "images", {"matrix.image": image})
        assert f"--file infra/docker/{image}.Dockerfile" in runner.calls.read_text()
        assert (runner.workspace / "infra" / "docker" / f"{image}.Dockerfile").is_file()


def test_every_job_with_commands_is_run_by_a_test() -> None:
    """`dashboards` needs a Metabase: its command is tested in tests/dashboards."""
    jobs = {
        (path.stem, name)
        for path in WORKFLOWS.glob("*.yml")
        for name in yaml.safe_load(path.read_text())["jobs"]
    }
    assert jobs == {
        *(("ci", "test"), ("ci", "images"), ("dbt", "slim"), ("retrain", "retrain")),
        *(("deploy", "plan"), ("deploy", "deploy"), ("deploy", "dashboards")),
    }


def test_the_job_of_dbt_cloud_is_what_its_page_says(runner: Runner) -> None:
    """On the micro-data; on Athena the same commands run in tests/athena."""
    page = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    commands = re.findall(r"\| Commands \| `(dbt .*?)` \|", page)
    assert len(commands) == 1
    for command in commands:
        done = subprocess.run(
            [BIN / "dbt", *command.split()[1:]],
            cwd=runner.workspace,
            env=plain_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:]
    assert "gold_master" in ran(runner.workspace / "target")
