"""Modules and functions stay short enough to be read at once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULE_LINES, FUNCTION_LINES = 350, 60
FOLDERS = ("python_ml", "infra", "tests")
# Each begins with one thing that takes minutes to make, which a second module would make again.
LONGER_MODULES = {
    "tests/athena/test_local_athena.py": 450,  # a query engine
    "tests/athena/test_project.py": 400,  # a run on both engines
}


def modules() -> Iterator[tuple[str, str]]:
    """Path and text of every module."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "node_modules" not in path.parts:
                yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def test_modules_are_short() -> None:
    lines = {path: len(text.splitlines()) for path, text in modules()}
    assert len(lines) > 100
    limits = dict.fromkeys(lines, MODULE_LINES) | LONGER_MODULES
    assert {path: count for path, count in lines.items() if count > limits[path]} == {}
    assert LONGER_MODULES.keys() <= lines.keys()


def test_functions_are_short() -> None:
    """Counted from `def` to the last line, docstring included."""
    lines = {
        f"{path}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path, text in modules()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert len(lines) > 1000
    assert {name: count for name, count in lines.items() if count > FUNCTION_LINES} == {}
