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


@pytest.mark.parametrize(
    ("path", "code", "is_of_athena"),
    [
        ("median.sql", "element_at(", True),  # DuckDB has a branch of its own
        ("customer_month_readings.sql", "max(max_reading_date)", False),  # which calls this one
        ("customer_month_readings.sql", "count_if(sign(", False),  # both call it
        ("register_external_tables.sql", "'projection.enabled'", True),  # Athena's branch calls it
    ],
)
def test_a_branch_that_duckdb_never_takes_is_told_apart(
    path: str, code: str, is_of_athena: bool
) -> None:
    found = [m for m in sql_mutants.mutants(ROOT, f"macros/cross_db/{path}") if code in m.code]
    assert found
    assert {m.kind == "macro of Athena" for m in found} == {is_of_athena}
