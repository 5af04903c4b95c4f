"""Nobody but the package of engines knows which ones there are."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from python_ml.engines import open_engine
from python_ml.errors import UsageError
from python_ml.settings import PACKAGE_DIR, load_settings

ENGINES = PACKAGE_DIR / "engines"
# What every engine is made of, or what AWS is called by; the other modules are one engine's own.
FOR_ALL = {
    "base",
    "belongings",
    "cloud",
    "costs",
    "engine",
    "ledger",
    "location",
    "published",
    "sql",
    "store",
    "rewrite",
}
OWN = {path.stem for path in ENGINES.glob("*.py")} - FOR_ALL - {"__init__"}
OUTSIDE = [path for path in sorted(PACKAGE_DIR.rglob("*.py")) if ENGINES not in path.parents]


def knowing(source: str) -> list[str]:
    """Places of a module that ask which engine it is, or that take one by its own name."""
    found = []
    for node in ast.walk(ast.parse(source)):
        asked: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            asked = [node.left, *node.comparators]
        elif isinstance(node, ast.Match):
            asked = [node.subject]
        elif isinstance(node, ast.Subscript):
            asked = [node.slice]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            asked = [node.func.value, *node.args]
            asked = asked if node.func.attr in ("get", "startswith", "endswith") else []
        found += [
            f"line {expression.lineno}: asks for {ast.unparse(expression)}"
            for expression in asked
            if isinstance(expression, ast.Attribute)
            and expression.attr == "target"
            and ast.unparse(expression.value).rpartition(".")[2] != "contract"  # gold's column
        ]
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            named = [f"{node.module}.{alias.name}" for alias in node.names] + [str(node.module)]
        else:
            continue
        modules = {name.removeprefix("python_ml.engines.").split(".")[0] for name in named}
        if any(name.startswith("python_ml.engines") for name in named):
            found += [f"line {node.lineno}: imports {name}" for name in sorted(modules & OWN)]
    return found


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: str(path.relative_to(PACKAGE_DIR)))
def test_no_module_outside_asks_which_engine_it_is(path: Path) -> None:
    assert knowing(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        'settings.target == "athena"',
        'if "duckdb" != run.settings.target: pass',
        'settings.target in ("athena",)',
        "match settings.target:\n    case _: pass",
        "{}[settings.target]",
        "ENGINES.get(settings.target)",
        "from python_ml.engines.athena_publication import Publication",
        "from python_ml.engines import duckdb",
        "def f():\n    import python_ml.engines.sqlite_ledger as local",
    ],
)
def test_whoever_asks_is_found(source: str) -> None:
    assert len(knowing(source)) == 1


def test_every_target_has_an_engine_and_no_other_name_has() -> None:
    settings = load_settings({"target": "duckdb"}, environ={})
    assert open_engine(settings).lies_in_home
    assert not open_engine(settings.with_overrides({"target": "athena"})).lies_in_home
    with pytest.raises(UsageError, match="oracle"):
        open_engine(settings.with_overrides({"target": "oracle"}))
