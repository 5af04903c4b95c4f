"""Plant small faults in models, macros and the tariff calendar, and see whether a dbt test fails.

    python -m tests.proof.sql_mutants --kind "as-of filter" "tariff hour" order macro --jobs 2
    python -m tests.proof.sql_mutants --sample 60 --seed 1          # of every kind
    python -m tests.proof.sql_mutants --path models/bronze/bronze_customer.sql

Each mutant is built on the micro-data by dbt, on DuckDB, with what comes after it and all of its
tests (`state:modified+`); a mutant of a macro that passes so is tried with the whole project, and
then as a run builds: on tables of which one month is out of date and another no longer landed. One
that behaves like the original is reviewed by a person and listed with the reason in
tests/mutation/equivalent.csv; it is counted apart.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb

from tests.mutation.campaign import ROOT, Mutant, report, try_all
from tests.mutation.runner import KILLED, SURVIVED, Outcome, copy_project, preload, run_child
from tests.mutation.sql_mutants import SqlMutant, mutants

FOLDERS = ("models/bronze", "models/silver", "models/gold", "models/marts", "macros")
# Those that can be tried on DuckDB: not the branches of macros that Athena alone takes.
KINDS = ("as-of filter", "tariff hour", "order", "macro", "other")
# Comments in them must survive.
UNCHANGED = ("models/silver/silver_customer_month.sql", "macros/flag.sql")
DATABASE = "dev.duckdb"  # where dbt by hand builds, in the top folder
OUTDATED = "2024-02"  # the month that a build as a run's reads again
_LANDED = [
    path.name.removeprefix("month=")
    for path in sorted((ROOT / "tests/micro/raw/consumption_hourly").glob("month=*"))
]
_OF_A_RUN = {"touched_months": [OUTDATED], "month_versions": dict.fromkeys(_LANDED, "landed")}
GOING_ON = (
    *("--vars", json.dumps(_OF_A_RUN), "--select", "bronze_customer_month+"),
    *("--exclude-resource-type", "unit_test"),  # they know no such variables
)
# What a run of dbt leaves behind, which nobody reads here.
QUIET = ("--no-use-colors", "--no-write-json", "--log-level-file", "none")


def all_mutants() -> list[SqlMutant]:
    """Of every model, macro and the seed of tariff periods."""
    paths = [p for folder in FOLDERS for p in sorted((ROOT / folder).rglob("*.sql"))]
    paths.append(ROOT / "seeds" / "tariff_periods.csv")
    return [m for path in paths for m in mutants(ROOT, str(path.relative_to(ROOT)))]


def build(folder: Path, options: Sequence[str], timeout_seconds: float) -> Outcome:
    """`dbt build` in a copy of the project, stopping at the first failure."""

    def dbt() -> int:
        from dbt.cli.main import dbtRunner

        for name in [n for n in os.environ if n.startswith(("DBT_", "SPANISHGAS_"))]:
            del os.environ[name]
        result = dbtRunner().invoke(["build", "--fail-fast", *options])
        return 0 if result.success else 1

    return run_child(folder, dbt, timeout_seconds)


def settle() -> int:
    """Bring what dbt has built into the database's file; 0 if tables are there."""
    with duckdb.connect(DATABASE) as connection:
        connection.execute("force checkpoint")
        found = connection.execute("select count(*) from duckdb_tables()").fetchone()
    return 0 if found and found[0] else 1


def age() -> int:
    """Make the built tables those of another day, for a build that goes on with them."""
    with duckdb.connect(DATABASE) as connection:
        connection.execute(
            "update bronze_customer_month set elec_kwh = elec_kwh + 1 "
            f"where month_start = date '{OUTDATED}-01'"
        )
        connection.execute(
            "insert into bronze_customer_month select * replace (date '2019-01-01' as month_start) "
            "from bronze_customer_month where month_start = date '2024-01-01'"
        )
    return 0


def prepare(folder: Path) -> Callable[[Mutant], Outcome]:
    """A worker's copy of the project, built once, and what builds it with a mutant in it."""
    copy_project(ROOT, folder)
    outcome = build(folder, QUIET[:1], timeout_seconds=900)
    if outcome.result != SURVIVED:
        raise SystemExit(f"dbt build fails as it is\n{outcome.log[-4000:]}")
    # dbt ended without closing its file: until the file is opened again, all tables are in the log.
    settled = run_child(folder, settle, timeout_seconds=60)
    if settled.result != SURVIVED or (folder / f"{DATABASE}.wal").exists():
        raise SystemExit(f"{DATABASE} holds not all that dbt has built\n{settled.log}")
    good, aged = (folder.parent / f"{folder.name}-{name}.duckdb" for name in ("good", "aged"))
    shutil.copyfile(folder / DATABASE, good)
    if (outcome := run_child(folder, age, timeout_seconds=60)).result != SURVIVED:
        raise SystemExit(f"{DATABASE} cannot be changed\n{outcome.log}")
    (folder / DATABASE).rename(aged)
    state = folder.parent / f"{folder.name}.state"
    shutil.copytree(folder / "target", state)
    touched = ("--select", "state:modified+", "--state", str(state))

    def trial(mutant: Mutant) -> Outcome:
        assert isinstance(mutant, SqlMutant)
        place = folder / mutant.path
        original = place.read_text(encoding="utf-8")
        place.write_text(mutant.text, encoding="utf-8")
        began = time.monotonic()
        # dbt need not see what a macro changes: hooks, and what is called by a computed name.
        tries: list[tuple[Path, tuple[str, ...]]] = [(good, touched)]
        if mutant.kind == "macro":
            tries += [(good, ()), (aged, GOING_ON)]
        for tables, options in tries:
            shutil.copyfile(tables, folder / DATABASE)
            # Left by a dbt that a signal ended, it would be replayed into another file: a crash.
            (folder / f"{DATABASE}.wal").unlink(missing_ok=True)
            outcome = build(folder, (*QUIET, *options), timeout_seconds=300)
            if outcome.result != SURVIVED:
                break
        place.write_text(original, encoding="utf-8")
        if outcome.result == KILLED and not re.search("FAIL|ERROR|[Ee]rror", outcome.log):
            raise SystemExit(
                f"dbt ended without a word on {mutant.path}:{mutant.line}\n{outcome.log}"
            )
        return Outcome(outcome.result, time.monotonic() - began, outcome.log)

    for path in UNCHANGED:
        text = (folder / path).read_text(encoding="utf-8")
        control = SqlMutant(path, 1, "comment", "", f"{{# the same #}}\n{text}")
        if (outcome := trial(control)).result != SURVIVED:
            raise SystemExit(f"a comment in {path} is taken for a fault\n{outcome.log[-4000:]}")
    return trial


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--path", action="append", help="only mutants of this file")
    parser.add_argument("--sample", type=int, help="so many mutants, at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    preload("dbt.cli.main", "dbt.adapters.duckdb", "duckdb")
    chosen = [
        m
        for m in all_mutants()
        if m.kind in options.kind and (options.path is None or m.path in options.path)
    ]
    if options.sample:
        chosen = random.Random(options.seed).sample(chosen, min(options.sample, len(chosen)))
    answers = try_all(chosen, options.jobs, prepare)
    for kind in options.kind:
        of_kind = [a for a in answers if isinstance(a[0], SqlMutant) and a[0].kind == kind]
        if of_kind:
            report(of_kind, kind)
    raise SystemExit(0 if report(answers, "all") else 1)


if __name__ == "__main__":
    main()
