"""Terraform read as text: wiring, sizes, and what its policies allow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import hcl2
import pytest

from python_ml.settings import PROJECT_DIR
from tests.unit import aws_fixture as aws

ROOT = PROJECT_DIR / "infra/terraform"
MODULES = sorted(path for path in (ROOT / "modules").iterdir() if path.is_dir())
# Actions that AWS gives no resource to name: the service authorization reference lists them with an
# empty column of resource types.
WITHOUT_RESOURCE = {
    "cloudwatch:PutMetricData": "held to our namespace by a condition",
    "ecr:GetAuthorizationToken": "a token for the registry as a whole",
    "ec2:CreateNetworkInterface": "a job in a VPC makes its interfaces, which have no name before",
    "ec2:CreateNetworkInterfacePermission": "the same",
    "ec2:DeleteNetworkInterface": "the same",
    "ec2:DeleteNetworkInterfacePermission": "the same",
    "ec2:DescribeNetworkInterfaces": "describes, without resources",
    "ec2:DescribeVpcs": "describes, without resources",
    "ec2:DescribeDhcpOptions": "describes, without resources",
    "ec2:DescribeSubnets": "describes, without resources",
    "ec2:DescribeSecurityGroups": "describes, without resources",
    "logs:CreateLogDelivery": "log delivery of Step Functions, without resources",
    "logs:GetLogDelivery": "the same",
    "logs:UpdateLogDelivery": "the same",
    "logs:DeleteLogDelivery": "the same",
    "logs:ListLogDeliveries": "the same",
    "logs:PutResourcePolicy": "the same",
    "logs:DescribeResourcePolicies": "the same",
    "logs:DescribeLogGroups": "the same",
    "xray:PutTraceSegments": "traces have no resources",
    "xray:PutTelemetryRecords": "the same",
    "xray:GetSamplingRules": "the same",
    "xray:GetSamplingTargets": "the same",
}
# A key's own policy: "*" is the key itself.
KEY_POLICY = ("s3", "key")


def unquoted(value: Any) -> Any:
    """python-hcl2 keeps the quotes of strings and names."""
    if isinstance(value, dict):
        return {unquoted(k): unquoted(v) for k, v in value.items() if k != "__is_block__"}
    if isinstance(value, list):
        return [unquoted(entry) for entry in value]
    return value.strip('"') if isinstance(value, str) else value


@cache
def parsed(folder: Path) -> dict[str, list[dict[str, Any]]]:
    merged: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*.tf")):
        for kind, blocks in unquoted(hcl2.loads(path.read_text(encoding="utf-8"))).items():
            merged.setdefault(kind, []).extend(blocks)
    return merged


def names(folder: Path, kind: str) -> dict[str, Any]:
    return {name: body for block in parsed(folder).get(kind, []) for name, body in block.items()}


def text_of(folder: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.tf*")))


def statements() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for module in MODULES:
        for block in parsed(module).get("data", []):
            for name, body in block.get("aws_iam_policy_document", {}).items():
                for statement in body.get("statement", []):
                    yield module.name, name, statement
                for dynamic in body.get("dynamic", []):
                    for inner in dynamic["statement"]["content"]:
                        yield module.name, name, inner


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else re.findall(r"[\w:*\-]+", str(value))


@pytest.mark.parametrize("folder", [*MODULES, ROOT], ids=lambda folder: folder.name)
def test_variables_are_typed_described_and_used(folder: Path) -> None:
    text = text_of(folder)
    for name, body in names(folder, "variable").items():
        assert body.get("type"), f"{folder.name}: {name} has no type"
        assert body.get("description"), f"{folder.name}: {name} is not described"
        assert f"var.{name}" in text, f"{folder.name}: {name} is not used"
    for used in set(re.findall(r"\bvar\.(\w+)", text)):
        assert used in names(folder, "variable"), f"{folder.name}: var.{used} is not declared"
    local = {name for block in parsed(folder).get("locals", []) for name in block}
    local -= {"__comments__", "__inline_comments__"}
    used_locals = set(re.findall(r"\blocal\.(\w+)", text))
    assert used_locals == local, f"{folder.name}: locals {used_locals ^ local}"
    for name, body in names(folder, "output").items():
        assert body.get("description"), f"{folder.name}: output {name} is not described"


def test_environments_are_values_alone_and_keep_their_state_apart() -> None:
    """One configuration for all; what differs is a file of values and a key of the state."""
    folder = ROOT / "environments"
    environments = {path.stem for path in folder.glob("*.tfvars")}
    assert environments == {"dev", "staging", "prod"}
    keys = set()
    for name in environments:
        values = hcl2.loads((folder / f"{name}.tfvars").read_text(encoding="utf-8"))
        assert set(values) <= set(names(ROOT, "variable"))
        backend = hcl2.loads((folder / f"{name}.s3.tfbackend").read_text(encoding="utf-8"))
        keys.add(backend["key"].strip('"'))
    assert keys == {f"spanishgas/{name}.tfstate" for name in environments}
    assert "use_lockfile = true" in text_of(ROOT)


def test_every_module_is_used() -> None:
    wired = {call["source"].split("/")[-1] for call in names(ROOT, "module").values()}
    assert wired == {module.name for module in MODULES}


def test_files_hold_no_account_and_no_secret() -> None:
    for path in ROOT.rglob("*.tf"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\b\d{12}\b", text), f"{path}: an account id"
        assert not re.search(r"(AKIA|ASIA)[A-Z0-9]{16}", text), f"{path}: a key"
        assert not re.search(r'(?i)(password|secret|token)\w*\s*=\s*"[^"$]', text), path


def test_no_policy_has_a_wildcard_that_aws_does_not_require() -> None:
    seen = set()
    for module, name, statement in statements():
        if statement.get("effect") == "Deny" or (module, name) == KEY_POLICY:
            continue
        actions, resources = listed(statement["actions"]), statement.get("resources", [])
        for action in actions:
            assert action != "*" and not action.endswith(":*"), (module, name, action)
        if "*" in (resources if isinstance(resources, list) else [resources]):
            for action in actions:
                assert action in WITHOUT_RESOURCE, f"{module}.{name}: {action} on every resource"
                seen.add(action)
    assert seen == set(WITHOUT_RESOURCE), "explained, and used nowhere"


def test_trust_is_bound_to_the_account_or_the_repository() -> None:
    conditions = [
        condition["variable"]
        for _, name, statement in statements()
        if name == "assume"
        for condition in statement["condition"]
    ]
    assert "aws:SourceAccount" in conditions
    assert any(variable.endswith(":sub") for variable in conditions)


def test_nothing_is_public() -> None:
    text = "\n".join(text_of(module) for module in MODULES)
    assert "0.0.0.0/0" not in text
    assert "::/0" not in text
    for kind in ("aws_internet_gateway", "aws_nat_gateway", "aws_lambda_function_url", "aws_eip"):
        assert kind not in text
    assert re.findall(r"publicly_accessible\s*=\s*(\w+)", text) == ["false"]
    assert re.findall(r"assign_public_ip\s*=\s*(\w+)", text) == ["false"]
    assert re.findall(r"internal\s*=\s*(\w+)", text) == ["true"]
    for flag in (
        *("block_public_acls", "block_public_policy"),
        *("ignore_public_acls", "restrict_public_buckets"),
    ):
        assert re.findall(rf"{flag}\s*=\s*(\w+)", text) == ["true"], flag


def test_the_template_of_the_state_machine_gets_every_variable() -> None:
    used = set(re.findall(r"\$\{(\w+)\}", aws.TEMPLATE.read_text(encoding="utf-8")))
    module = text_of(ROOT / "modules/step_functions")
    given = set(
        re.findall(r"^ {4}(\w+) +=", module.split("templatefile(")[1].split("})")[0] + module, re.M)
    )
    assert used <= given
    assert used == set(aws.VARIABLES)
    assert json.loads(aws.render())


def test_the_settings_that_parts_get_are_settings() -> None:
    text = text_of(ROOT)
    from python_ml.settings import load_settings

    variables = dict.fromkeys(re.findall(r"\bSPANISHGAS_\w+", text), "x")
    variables.pop("SPANISHGAS_TARGET")
    assert len(variables) >= 7
    # A variable of a section that does not exist would be passed over.
    sections = {name.removeprefix("SPANISHGAS_").split("__")[0].lower() for name in variables}
    assert sections <= set(load_settings(environ={}).as_dict())
    load_settings(environ=variables)


def test_the_figures_in_the_documentation_are_what_the_script_prints() -> None:
    from infra.costs import bill, size_lines, tables

    for page, mark, lines in (
        ("costs", "infra.costs", tables()),
        ("scaling", "infra.costs sizes", size_lines()),
    ):
        text = (PROJECT_DIR / f"docs/{page}.md").read_text(encoding="utf-8")
        shown = text.split(f"<!-- {mark} -->\n")[1].split(f"<!-- /{mark} -->")[0]
        assert shown == "\n".join(lines) + "\n"
    small, large = sum(bill(20_000).values()), sum(bill(20_000_000).values())
    assert 100 < small < large
