"""What the documentation names is there: links, files, make targets, the README's commands."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from python_ml.cli.main import cli

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = ("models", "macros", "seeds", "python_ml", "infra", "tests", "docs")
WRITTEN = {  # by `make metabase`, by hand
    "infra/metabase/.env",
    "infra/terraform/own.auto.tfvars.json",
}


# Each pair: a word or phrase that the documentation once used, and what the glossary calls it.
REPLACED = {
    r"leavers?": "churner, customers who churned",
    r"set aside|sets aside": "rejected",
    r"held out by lot|drawn by lot|hold-out": "control group",
    r"(?:test|training) part": "test set, training set",
    r"mend(?:s|ed|ing)?": "fix",
    r"anew": "again",
    r"put on record|puts? it on record": "recorded",
    r"(?:holds?|held) [^.|]*? against": "compare, test, check",
    r"goes on (?:at|with|where)|go on with": "continue",
    r"nothing can be learnt": "no matured labels",
    r"the run before": "the previous run",
}
GENERATED = {"data-dictionary.md", "performance.md", "run-output.md"}


def code(text: str) -> list[str]:
    """What stands in backticks or in a block of shell."""
    blocks = re.findall(r"```(?:console|sh|bash)?\n(.*?)```", text, re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [*re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)), *lines]


def options(command: click.Command) -> set[str]:
    """Of a command and those below it."""
    below = command.commands.values() if isinstance(command, click.Group) else ()
    own = {option for parameter in command.params for option in parameter.opts}
    return own.union(*(options(child) for child in below))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            path, _, heading = target.partition("#")
            there = page.parent / path if path else page
            assert there.exists(), target
            if heading:
                titles = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
                slugs = {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}
                assert heading in slugs, target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_are_where_it_says(page: Path) -> None:
    named = {
        match.group(0)
        for part in code(page.read_text(encoding="utf-8"))
        for match in re.finditer(rf"(?<![\w/.<-])(?:{'|'.join(FOLDERS)})/[\w./-]*[\w/]", part)
        if not re.search(r"[<*{]", part)
    }
    assert {name for name in named - WRITTEN if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for part in code(page.read_text(encoding="utf-8")):
        for target in re.findall(r"^make ([a-z-]+)", part):
            assert target in targets, part


def test_the_readme_has_every_command_and_only_options_that_it_takes() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.split("## The command")[1].split("\n## ")[0]
    seen = set()
    for line in table.splitlines():
        if line.startswith("| `"):
            words = " ".join(re.findall(r"`([^`]+)`", line)).split()
            commands = {word for word in words if word in cli.commands}
            taken = set().union(*(options(cli.commands[name]) for name in commands))
            assert {word for word in words if word.startswith("--")} <= taken, line
            seen |= commands
    assert seen == set(cli.commands)


@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.name not in GENERATED], ids=lambda page: page.name
)
def test_pages_use_the_words_of_the_glossary(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = {
        match.group(0): f"say: {instead}"
        for pattern, instead in REPLACED.items()
        for match in re.finditer(rf"\b(?:{pattern})\b", text, re.IGNORECASE)
    }
    assert found == {}


def test_the_glossary_names_each_word_once() -> None:
    text = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    words = [
        word.strip()
        for row in re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)
        for word in row.split(",")
        if word.strip() not in {"Word", "---"}
    ]
    assert len(words) > 50
    assert len(words) == len(set(words))
