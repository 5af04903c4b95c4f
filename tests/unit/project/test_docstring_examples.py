"""Examples in docstrings do what they show."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

from python_ml.settings import PACKAGE_DIR

MODULES = [
    ".".join(path.relative_to(PACKAGE_DIR.parent).with_suffix("").parts)
    for path in sorted(PACKAGE_DIR.rglob("*.py"))
    if "    >>> " in path.read_text(encoding="utf-8")
]


def test_there_are_examples() -> None:
    assert len(MODULES) >= 6


@pytest.mark.parametrize("module", MODULES)
def test_examples_do_what_they_show(module: str) -> None:
    found = doctest.testmod(import_module(module))
    assert found.attempted and not found.failed
