"""What mutation testing rests on: files that are there, and reviewed mutants that still exist."""

from __future__ import annotations

import csv

import pytest

from tests.mutation import python_mutants, sql_mutants
from tests.mutation.campaign import EQUIVALENT, ROOT, key
from tests.mutation.suites import SUITES


@pytest.mark.parametrize("path", SUITES)
def test_a_core_module_and_its_tests_are_there(path: str) -> None:
    assert python_mutants.mutants(ROOT, path)
    for test in SUITES[path]:
        file, _, name = test.partition("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert not name or f"\ndef {name}(" in text, test


def test_every_mutant_that_is_listed_as_equivalent_exists_and_has_a_reason() -> None:
    with EQUIVALENT.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    known = {}
    for path in {row["path"] for row in rows}:
        of_kind = python_mutants if path.endswith(".py") else sql_mutants
        known[path] = {key(mutant) for mutant in of_kind.mutants(ROOT, path)}
    for row in rows:
        assert (row["path"], row["code"], row["change"]) in known[row["path"]], row
        assert len(row["reason"].split()) >= 4, row
    assert len({tuple(row.values())[:3] for row in rows}) == len(rows)
