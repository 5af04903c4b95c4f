"""Commands in the documentation, held against the tools: `spanishgas` as it parses, variables of
scripts, operations of AWS, modules and outputs of Terraform."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import click
import pytest
from botocore import xform_name

from python_ml.cli.main import cli
from python_ml.settings import PROJECT_DIR

DOCUMENTS = [*sorted((PROJECT_DIR / "docs").glob("*.md")), PROJECT_DIR / "README.md"]
DOCUMENTS += [PROJECT_DIR / "CONTRIBUTING.md"]
AWS_GLOBAL = {"region", "profile", "query", "output", "endpoint-url", "debug"}
# Of `aws s3`, which is no API but a tool of the command line.
AWS_S3 = {"cp": {"recursive", "exclude"}, "rm": {"recursive", "exclude"}}
AWS_WAIT = {("ecs", "services-stable"), ("dynamodb", "table-exists")}


def lines_of(path: Path) -> Iterator[str]:
    """Every line of a code block, continued ones joined, and every span of code."""
    text = path.read_text(encoding="utf-8")
    blocks = re.compile(r"^( *)```\w*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
    for _, block in blocks.findall(text):
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            yield line.strip().removeprefix("$ ")
    yield from re.findall(r"`([^`\n]+)`", blocks.sub("", text))


def commands(path: Path) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Commands of a document: variables set for each, and its words."""
    for line in lines_of(path):
        # A part in <…> or […] stands for a value, whatever it is called.
        spoken = re.sub(r"<[^<>|]+>|…", "X", line)
        for part in re.split(r"\s+(?:\|\||&&|\||;)\s+|\$\(|\)", spoken):
            try:
                words = shlex.split(part, comments=True)
            except ValueError:
                continue
            given = {}
            while words and re.fullmatch(r"[A-Z][A-Z0-9_]*=.*", words[0]):
                name, _, value = words.pop(0).partition("=")
                given[name] = value
            if words and words[0] == "eval":
                words.pop(0)
            if words:
                yield given, words


def found(program: str) -> list[tuple[str, dict[str, str], list[str]]]:
    return [
        (path.name, given, words)
        for path in DOCUMENTS
        for given, words in commands(path)
        if Path(words[0]).name == program and len(words) > 1
    ]


def called(where: str, words: list[str]) -> str:
    """Parse a `spanishgas` command as the command itself does; its name."""
    command: click.Command = cli
    context, name = click.Context(cli, info_name="spanishgas"), ""
    words = list(words[1:])
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        inner = command.get_command(context, name)
        assert inner is not None, f"{where}: there is no command {name}"
        command, context = inner, click.Context(inner, context, info_name=name)
    if isinstance(command, click.Group) or "--help" in words:
        return name
    if not words:  # the name of a command, in passing
        return name
    try:
        command.make_context(name, words, parent=context.parent)
    except click.MissingParameter:
        assert len(words) > 0
    except click.UsageError as error:
        pytest.fail(f"{where}: {' '.join(words)}: {error.message}")
    return name


def test_commands_of_spanishgas_take_the_options_that_are_named() -> None:
    names = {called(where, words) for where, _, words in found("spanishgas")}
    assert names > {"run", "doctor", "promote", "status", "cost", "forget", "explain"}


def test_what_is_no_command_or_no_option_is_found() -> None:
    for line in ("rollback", "promote --back", "doctor --target redshift", "run --mode guess"):
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            called("here", ["spanishgas", *line.split()])


def test_modules_that_are_run_exist() -> None:
    named = {words[2] for _, _, words in found("python") if words[1] == "-m"}
    assert named >= {"tests.athena.local", "python_ml.aws.sagemaker_launch"}
    for name in named:
        assert importlib.util.find_spec(name.removesuffix(".X")) is not None, name


def test_scripts_exist_and_get_every_variable_that_they_need() -> None:
    scripts = [
        (where, given, words[0])
        for where, given, words in (
            (path.name, given, words) for path in DOCUMENTS for given, words in commands(path)
        )
        if words[0].startswith("infra/") and words[0].endswith(".sh")
    ]
    assert {name for _, given, name in scripts if given} >= {
        "infra/docker/push.sh",
        "infra/docker/run_and_wait.sh",
    }
    for where, given, name in scripts:
        text = (PROJECT_DIR / name).read_text(encoding="utf-8")
        wanted = re.search(r"^# .*?Needs (.+?)\.$", text, re.MULTILINE)
        for variable in given:
            assert f"${variable}" in text or f"${{{variable}" in text, f"{where}: {variable}"
        if given and wanted:
            needed = set(re.findall(r"[A-Z][A-Z_]+", wanted[1])) - {"AWS_REGION"}
            assert needed <= set(given), f"{where}: {name} needs {needed - set(given)}"


def test_operations_of_aws_take_the_options_that_are_named() -> None:
    seen = 0
    for where, _, words in found("aws"):
        service, operation, options = words[1], words[2], set()
        for word in words[3:]:
            if word.startswith("--"):
                options.add(word[2:].partition("=")[0])
        seen += 1
        if service == "s3":
            assert options - AWS_GLOBAL <= AWS_S3[operation], f"{where}: aws s3 {operation}"
            continue
        if operation == "wait":
            assert (service, words[3]) in AWS_WAIT
            continue
        make: Callable[..., Any] = boto3.client  # its types know a service by its literal name only
        model = make(service.removesuffix("api"), region_name="eu-south-2").meta.service_model
        names = {xform_name(name, "-"): name for name in model.operation_names}
        assert operation in names, f"{where}: aws {service} {operation}"
        members = {
            xform_name(member, "-")
            for member in model.operation_model(names[operation]).input_shape.members
        }
        for option in options - AWS_GLOBAL:
            assert option.removeprefix("no-") in members or option in members, (
                f"{where}: aws {service} {operation} has no --{option}"
            )
    assert seen > 5


def test_targets_of_terraform_and_its_outputs_exist() -> None:
    root = PROJECT_DIR / "infra/terraform"
    outputs = (root / "outputs.tf").read_text(encoding="utf-8")
    for where, _, words in found("terraform"):
        for word in words:
            if module := re.fullmatch(r"-target=module\.(\w+)", word):
                assert (root / "modules" / module[1]).is_dir(), f"{where}: {word}"
        if words[1] == "output" and (name := words[-1]) != "output":
            assert f'output "{name}"' in outputs, f"{where}: terraform output {name}"
