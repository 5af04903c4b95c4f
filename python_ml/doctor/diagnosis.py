"""Whether a run can succeed here: the machine, the data home and, for Athena, the account.

Nothing is repaired, and what is tried out is removed again; each finding says what to do about it.
A check imports what it needs itself, so that a package which is missing is a finding.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from python_ml.doctor.check import FAIL, OK, WARN, Check, attempt, champion
from python_ml.engines import open_engine, open_warehouse
from python_ml.engines.sql import file_pattern, places_of
from python_ml.errors import SpanishGasError
from python_ml.settings import Settings, pyproject

_UNITS = {"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KIB": 2**10, "MIB": 2**20}
_UNITS |= {"GIB": 2**30, "TIB": 2**40}


@dataclass(frozen=True)
class Diagnosis:
    """All findings, in the order in which one would fix them."""

    target: str
    checks: list[Check]

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if check.status == FAIL]

    def as_dict(self) -> dict[str, Any]:
        return {
            "target": self.target,
            "is_healthy": not self.failed,
            "checks": [asdict(check) for check in self.checks],
        }

    def raise_if_unhealthy(self) -> None:
        """End the command where something required is missing.

        Raises:
            SpanishGasError: names what is missing.
        """
        if self.failed:
            names = ", ".join(check.name for check in self.failed)
            raise SpanishGasError(
                f"{len(self.failed)} of {len(self.checks)} checks failed: {names}"
            )


def diagnose(settings: Settings) -> Diagnosis:
    """Check what the target needs."""
    checks = [_python(), _packages(), _home(settings), _disk(settings), _memory(settings)]
    if open_engine(settings).lies_in_home:
        checks += [_lake(settings), _warehouse(settings), _place(settings), champion(settings)]
    else:
        from python_ml.doctor.athena import check_account

        checks += check_account(settings)
    return Diagnosis(settings.target, checks + _forgetting(settings))


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] < (3, 13):
        return Check("python", OK, found)
    return Check("python", FAIL, f"{found}; 3.11 or 3.12 is needed", "make setup PYTHON=<path>")


def _packages() -> Check:
    """Installed versions against the project's own requirements, or those of its functions."""
    from packaging.requirements import Requirement

    asked = pyproject()
    wanted = [Requirement(line) for line in asked["project"]["dependencies"]]
    if _version("awslambdaric"):  # in the image of the functions, which has a part of them
        part = {Requirement(line).name for line in asked["dependency-groups"]["functions"]}
        wanted = [entry for entry in wanted if entry.name in part]
    found = {entry.name: _version(entry.name) for entry in wanted}
    wrong = []
    for entry in wanted:
        version = found[entry.name]
        if version is None:
            wrong.append(f"{entry.name} is missing")
        elif not entry.specifier.contains(version, prereleases=True):
            wrong.append(f"{entry.name} {version}, wanted {entry.specifier}")
    if wrong:
        return Check("packages", FAIL, "; ".join(wrong), "make setup")
    shown = ("dbt-core", "duckdb", "dbt-athena", "xgboost-cpu")
    versions = ", ".join(f"{name} {found[name]}" for name in shown if name in found)
    return Check("packages", OK, f"{len(wanted)} as required ({versions})")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _home(settings: Settings) -> Check:
    home = settings.layout.home
    remedy = "give the folder to this user, or name another one with --home"
    there = _existing(home)
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return Check("home", FAIL, f"{there} cannot be written: {error.strerror}", remedy)
    return Check("home", OK, f"{home} " + ("is writable" if there == home else "can be made"))


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return next(place for place in (path, *path.parents) if place.exists())


def _disk(settings: Settings) -> Check:
    free = shutil.disk_usage(_existing(settings.layout.home)).free / 1e9
    wanted = settings.doctor.minimum_free_disk_gb
    detail = f"{free:,.1f} GB free"
    if free >= wanted:
        return Check("disk", OK, detail)
    remedy = "free some, or set doctor.minimum_free_disk_gb to what your batches need"
    return Check("disk", FAIL, f"{detail}, {wanted:g} GB are wanted for a full-size run", remedy)


def _memory(settings: Settings) -> Check:
    """What the machine or container has, against DuckDB's limit and what python takes beside it."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and (text := limit.read_text().strip()).isdigit():
        total = min(total, int(text))
    detail = f"{total / 1e9:,.1f} GB, memory_limit {settings.memory_limit}"
    if total >= parse_bytes(settings.memory_limit) + settings.doctor.python_memory_gb * 1e9:
        return Check("memory", OK, detail)
    remedy = "set memory_limit lower: DuckDB then spills to disk earlier"
    return Check("memory", WARN, detail, remedy)


def parse_bytes(text: str) -> float:
    """`2GB` in bytes, as DuckDB reads it.

    Raises:
        SpanishGasError: it is not a size.
    """
    found = re.fullmatch(r"\s*([0-9.]+)\s*([A-Za-z]+)\s*", text)
    if found is None or found.group(2).upper() not in _UNITS:
        raise SpanishGasError(f"memory_limit {text!r} is not a size such as 2GB")
    return float(found.group(1)) * _UNITS[found.group(2).upper()]


def _lake(settings: Settings) -> Check:
    from python_ml.land.write import current, is_complete

    lake = settings.layout.lake
    if not (lake / "raw").exists():
        return Check("lake", WARN, f"nothing has landed in {lake} yet", "spanishgas run")
    if (batch := current(lake)) is None:
        remedy = "land the batch again: spanishgas land <folder>"
        if is_complete(lake / "raw"):
            detail = f"files of the landed batch in {lake / 'raw'} have other times, as in a copy"
            return Check("lake", WARN, detail, "the next run lands them anew")
        return Check("lake", FAIL, f"files of the landed batch in {lake / 'raw'} differ", remedy)
    result = batch["result"]
    return Check("lake", OK, f"batch {result['batch_id']}, as of {result['as_of_date']}")


def _forgetting(settings: Settings) -> list[Check]:
    """A warning where people are not wholly forgotten, of whom there are none as a rule."""
    count = len(list(settings.layout.forgetting.glob("*.json")))
    if not count:
        return []
    told = f"of {count} {'person' if count == 1 else 'people'} something may be left"
    return [Check("forgotten", WARN, told, "spanishgas forget <customer id> again lists where")]


def _warehouse(settings: Settings) -> Check:
    remedy = "spanishgas run builds and publishes it"
    if not settings.layout.warehouse.exists():
        return Check("warehouse", WARN, "nothing has been published yet", remedy)
    return attempt("warehouse", remedy, lambda: _consistent(settings))


def _consistent(settings: Settings) -> Check:
    """The published tables against what they were made from in the lake."""
    from python_ml.land.write import current

    remedy = "restore the lake, or run again: spanishgas run"
    with open_warehouse(settings) as warehouse:
        missing = {"gold_master", "mart_overview", "mart_customer_risk"} - set(
            warehouse.row_counts()
        )
        if missing:
            return Check("warehouse", FAIL, f"it lacks {', '.join(sorted(missing))}", remedy)
        shown = warehouse.read_table("mart_overview").iloc[0]
        scores = len(warehouse.read_external("customer_score", shown["run_id"]))
        customers = int(
            warehouse.query("select count(*) as n from mart_customer_risk")["n"].iloc[0]
        )
    said = f"run {shown['run_id']}, as of {shown['as_of_date']:%Y-%m-%d}"
    if scores != customers:
        told = f"{said}: {customers:,} customers, {scores:,} scores of that run in the lake"
        return Check("warehouse", FAIL, told, remedy)
    batch = current(settings.layout.lake)
    if batch and batch["result"]["as_of_date"] > f"{shown['as_of_date']:%Y-%m-%d}":
        newer = f"{said}; a batch as of {batch['result']['as_of_date']} has landed since"
        return Check("warehouse", WARN, newer, "spanishgas run")
    return Check("warehouse", OK, f"{said}, {customers:,} customers")


def _place(settings: Settings) -> Check:
    """The warehouse reads its own home, also when that was copied or moved."""
    if not settings.layout.warehouse.exists():
        return Check("place", OK, "nothing has been published yet")
    return attempt("place", "spanishgas run builds it anew", lambda: _reads_itself(settings))


def _reads_itself(settings: Settings) -> Check:
    with open_warehouse(settings) as warehouse:
        views = warehouse.query("select sql from duckdb_views() where not internal")["sql"]
    lake = file_pattern(settings.layout.lake, "") + "/"
    other = [place for view in views for place in places_of(view) if not place.startswith(lake)]
    if other:
        detail = f"{len(other)} views of the warehouse read another home, such as {other[0]}"
        return Check("place", FAIL, detail, "spanishgas run makes them read this one")
    return Check("place", OK, "the warehouse reads its own home, wherever that is")


def lines(diagnosis: Diagnosis) -> Iterator[str]:
    """For a person: a line a finding, and below it what to do."""
    marks = {OK: "✓", WARN: "!", FAIL: "✗"}
    width = max(len(check.name) for check in diagnosis.checks)
    for check in diagnosis.checks:
        yield f"{marks[check.status]} {check.name:<{width}}  {check.detail}"
        if check.status != OK and check.remedy:
            yield f"  {'':<{width}}  → {check.remedy}"
