"""One batch from its source to the lake: every check first, then one swap."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from python_ml.contracts.schema import load_source
from python_ml.documents import hash_file
from python_ml.duckdb_connection import open_duckdb
from python_ml.engines import open_store
from python_ml.engines.sql import identifier, identifiers, literal, one_row
from python_ml.errors import UsageError
from python_ml.land import write
from python_ml.land.check import judge, judge_mean, materialise, rejected_sql, write_rejected
from python_ml.land.consumption import Landing, land_consumption
from python_ml.land.crosscheck import (
    judge_customers,
    judge_labels,
    judge_plausibility,
    judge_provinces,
    judge_snapshots,
    last_day,
    reading_warnings,
)
from python_ml.land.discover import Entry, RawFile, assign, fetch, list_source
from python_ml.land.expansion import (
    gzip_problem,
    is_gzip,
    parquet_problem,
    starts_with,
    workbook_problem,
)
from python_ml.land.forgotten import keep_out, without_names
from python_ml.land.keys import absent_warnings, duplicate_problem, repeated_keys, table_warnings
from python_ml.land.known import describe_months, known_months
from python_ml.land.mapping import read_mapping
from python_ml.land.periods import spread_periods
from python_ml.land.read import DAMAGED, open_raw, unreadable
from python_ml.land.result import EngineLost, LandResult, Problem, Refusal, TableResult, refuse
from python_ml.land.s3 import is_s3
from python_ml.progress import Reporter, silent
from python_ml.settings import Settings

RULES = 2  # raise it when the same bytes are to land differently, so that they do
CONSUMPTION = "consumption_hourly"
SNAPSHOTS = {"customer_attributes", "customer_contracts"}

Hashes = dict[str, Future[tuple[str, Problem | None]]]


def land(
    source: str | Path,
    settings: Settings,
    *,
    batch_id: str | None = None,
    hashes: Mapping[str, str] | None = None,
    make_current: bool = True,
    progress: Reporter | None = None,
) -> LandResult:
    """Check a raw batch and write it to the lake; docs/landing.md has the rules.

    A batch whose content the lake holds already is recognised and not landed again.

    Args:
        source: folder or s3://bucket/prefix that holds the seven files.
        settings: home of the lake, limits, threads and memory.
        batch_id: name for the batch (default: the start of its content hash).
        hashes: SHA-256 of files by path, where it is known already.
        make_current: let `raw` show the batch and remove the others; a run does that when it
            publishes.
        progress: called with a phrase and the share done.

    Raises:
        BadInputError: the batch breaks the contract; every problem found is in the message and the
            lake is untouched.
        LeaseHeldError: another process is landing into the same lake.
    """
    if batch_id is not None and not batch_id.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"batch id {batch_id!r}: letters, digits, - and _ only")
    landed = _Batch(source, settings, batch_id, hashes or {}, progress or silent).land()
    if make_current:
        write.make_current(settings.layout.lake, landed.batch_id)
        write.remove_others(settings.layout.lake)
    return landed


class _Batch:
    """State of one landing."""

    def __init__(
        self,
        source: str | Path,
        settings: Settings,
        batch_id: str | None,
        known: Mapping[str, str],
        report: Reporter,
    ) -> None:
        self.source, self.settings, self.batch_id = source, settings, batch_id
        self.known, self.report = known, report
        self.mapping = read_mapping(settings.land.mapping)
        self.schemas = self.mapping.apply(load_source("raw"))
        self.lake = settings.layout.lake
        self.store = open_store(settings)  # of the lake, wherever it lies
        self.started = time.perf_counter()
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self.tables: dict[str, TableResult] = {}
        self.checked: dict[str, str] = {}  # table -> relation of the rows that stay

    def land(self) -> LandResult:
        entries = list_source(self.source)
        self.files, self.ignored, self.problems = assign(entries, self.schemas, self.mapping)
        used = sorted({entry for raw in self.files for entry in raw.entries}, key=_path_of)
        self.identity = [
            self._rules(),
            str(self.source if is_s3(self.source) else Path(self.source).resolve()),
            [[entry.path, entry.size, entry.version] for entry in used],
        ]
        with write.locked(self.lake):
            landed = write.landed_batches(self.lake)
            for batch in landed:
                # Hashes that are known already say more than names, sizes and times.
                if batch["identity"] == self.identity and not self.known:
                    return self._same(batch)
            with write.staging(self.lake, self.batch_id or f"{time.time_ns():x}") as staged:
                return self._land_anew(staged, used, landed)

    def _land_anew(
        self, staged: Path, used: list[Entry], landed: list[dict[str, Any]]
    ) -> LandResult:
        self.root = root = Path(self.source)
        if is_s3(self.source):
            self.report(f"fetching {self.source}", None)
            self.root = root = staged / "source"
            fetch(str(self.source), self.files, root)
        with ThreadPoolExecutor(1) as pool:
            hashes: Hashes = {
                entry.path: pool.submit(self._hash, root / entry.path, entry.path) for entry in used
            }
            # Same names and sizes: probably the same batch, which the hashes alone can tell.
            alike = [
                batch for batch in landed if _shape(batch["identity"]) == _shape(self.identity)
            ]
            if alike:
                content = self._content(hashes)
                for batch in alike:
                    if batch["content_hash"] == content and not self.problems:
                        return self._same(batch)
            self.known_months = known_months(self.lake, landed, self._rules(), self.known)
            try:
                readings = self._check(staged, root, hashes)
            except EngineLost as lost:
                self.problems.append(lost.problem)
                readings = None
            content = self._content(hashes)
        if self.problems or readings is None:
            raise refuse(str(self.source), self._anonymous(self.problems))
        return self._publish(staged, content, readings)

    def _check(self, staged: Path, root: Path, hashes: Hashes) -> Landing | None:
        """All checks of all files; staged Parquet for what stays."""
        config: dict[str, Any] = {
            "threads": self.settings.threads,
            "memory_limit": self.settings.memory_limit,
            "temp_directory": str(staged / "spill"),
            "preserve_insertion_order": False,
        }
        readings: Landing | None = None
        with open_duckdb(**config) as connection:
            connection.execute("set timezone = 'UTC'")
            for raw in self.files:
                if raw.table.name != CONSUMPTION and self._is_readable(raw, root, hashes):
                    self.report(f"checking {raw.label}", None)
                    self._land_table(connection, raw, root, staged)
            hourly = [raw for raw in self.files if raw.table.name == CONSUMPTION]
            readable = [raw for raw in hourly if self._is_readable(raw, root, hashes)]
            whole = readable == hourly
            hourly = [
                it for raw in readable for it in self._as_hours(connection, raw, root, staged)
            ]
            if hourly and whole:
                readings = self._land_readings(connection, hourly, root, staged)
            self._compare(connection, readings)
            for name in self.mapping.absent:
                self._land_nothing(connection, name, staged)
        return readings

    def _land_nothing(self, connection: duckdb.DuckDBPyConnection, name: str, staged: Path) -> None:
        """An empty table with the types of the schema, where a mapping says that there is none."""
        table = self.schemas[name]
        columns = ", ".join(
            f"null::{column.duckdb_type} as {identifier(column.name)}" for column in table.columns
        )
        target = staged / "batch" / name / "part-0.parquet"
        target.parent.mkdir(parents=True)
        connection.execute(
            f"copy (select {columns} where false) to {literal(target)} (format parquet)"
        )
        self.tables[name] = TableResult(name, taken="absent")

    def _is_readable(self, raw: RawFile, root: Path, hashes: Hashes) -> bool:
        """Whether the compressed parts of a file are whole and within the limits; notes why not."""
        for entry in raw.entries:
            path, problem = root / entry.path, None
            if starts_with(path, b"PAR1"):  # its footer says what it holds
                problem = parquet_problem(path, raw.label, self.settings.land)
            elif starts_with(path, b"PK"):
                problem = workbook_problem(path, raw.label, self.settings.land)
            elif is_gzip(path):
                problem = hashes[entry.path].result()[1]
            if problem is not None:
                if problem not in self.problems:
                    self.problems.append(problem)
                return False
        return True

    def _land_table(
        self, connection: duckdb.DuckDBPyConnection, raw: RawFile, root: Path, staged: Path
    ) -> None:
        started = time.perf_counter()
        table = raw.table
        try:
            source = open_raw(
                connection, raw, raw.paths(root), self.settings.land, staged / "prepared"
            )
            if not source.columns:  # an empty list
                self._land_nothing(connection, table.name, staged)
                self.tables[table.name] = TableResult(table.name, [raw.label])
                self.warnings.append(f"{raw.label}: it holds no record: landed as an empty table")
                return
            checked, counts = materialise(connection, source)
        except Refusal as refusal:
            self.problems += refusal.problems
            return
        except DAMAGED as error:
            self.problems.append(unreadable(raw, error))
            return
        stays = f"(select * from {checked} where reason is null)"
        problems = judge(raw.label, table, counts, self.settings)
        for column in table.columns:
            quoted = identifier(column.name)
            if {"mean_minimum", "mean_maximum"} & column.meta.keys():
                mean, count = one_row(
                    connection,
                    f"select avg({quoted}), count({quoted}) from {stays}",
                )
                problems += judge_mean(raw.label, column, mean, count)
        if table.name == "churn_label":
            problems += judge_labels(connection, raw.label, checked, self.settings.land)
        repeats = repeated_keys(connection, raw, stays)
        if repeats and table.meta.get("duplicates") == "refuse":
            problems.append(duplicate_problem(connection, raw, stays, repeats))
        self.problems += problems
        if counts.landed == 0:
            return
        self.checked[table.name] = stays
        target = staged / "batch" / table.name / "part-0.parquet"
        target.parent.mkdir(parents=True)
        names = identifiers(table.column_names)
        order = identifiers((*table.key, *table.column_names))
        connection.execute(
            f"copy (select {names} from {stays} order by {order}) to {literal(target)} "
            "(format parquet, compression zstd)"
        )
        if counts.set_aside:
            write_rejected(connection, rejected_sql(source, checked), staged, table)
        self.tables[table.name] = TableResult(
            table.name,
            [raw.label],
            counts.rows,
            counts.landed,
            counts.set_aside,
            repeats,
            target.stat().st_size,
            time.perf_counter() - started,
        )

    def _as_hours(
        self, connection: duckdb.DuckDBPyConnection, raw: RawFile, root: Path, staged: Path
    ) -> list[RawFile]:
        """The file as it is, or the typical days that periods of many months are written as."""
        said = raw.mapping.readings
        if said is None or not said.longer_than_month:
            return [raw]
        self.report(f"spreading {raw.label} over hours", None)
        spread = spread_periods(connection, raw, root, staged, self.settings)
        self.problems += spread.problems
        self.warnings += spread.notes
        return spread.files

    def _land_readings(
        self,
        connection: duckdb.DuckDBPyConnection,
        hourly: list[RawFile],
        root: Path,
        staged: Path,
    ) -> Landing:
        started = time.perf_counter()
        known = {root / path: month for path, month in self.known_months.items()}
        work = land_consumption(connection, hourly, root, staged, self.settings, self.report, known)
        self.problems += work.problems
        self.warnings += work.notes
        if not work.problems:
            self.checked[CONSUMPTION] = "consumption_customers"
            label = " and ".join(raw.label for raw in hourly)
            # Two days stand for a month that was spread, which is over whatever their dates.
            is_spread = any(raw.is_spread for raw in hourly)
            self.warnings += reading_warnings(label, work.inspections, is_spread=is_spread)
        parts = work.target.rglob("*.parquet")
        work.result.byte_count = sum(path.stat().st_size for path in parts)
        work.result.seconds = time.perf_counter() - started
        self.tables[CONSUMPTION] = work.result
        return work

    def _compare(self, connection: duckdb.DuckDBPyConnection, readings: Landing | None) -> None:
        """Checks between tables, as far as the tables could be read."""
        labels = {raw.table.name: raw.label for raw in self.files}
        if readings is not None and readings.inspections:
            as_of_date = last_day(max(readings.inspections))
            for name in sorted(SNAPSHOTS & self.checked.keys()):
                self.problems += judge_snapshots(
                    connection, labels[name], self.checked[name], as_of_date
                )
        with_customers = {
            name: relation
            for name, relation in self.checked.items()
            if "customer_id" in self.schemas[name].column_names
        }
        problems, warnings = judge_customers(connection, with_customers, labels)
        if {"customer_attributes", "costs_by_province_month"} <= self.checked.keys():
            more_problems, more_warnings = judge_provinces(
                connection,
                self.checked["customer_attributes"],
                self.checked["costs_by_province_month"],
                labels,
            )
            problems += more_problems
            warnings += more_warnings
        more_problems, serious = judge_plausibility(
            connection, self.checked, labels, self.settings.land
        )
        self.problems += problems + more_problems
        self.warnings = [*serious, *self.warnings, *warnings]
        for table in self.tables.values():
            self.warnings += table_warnings(table)

    def _publish(self, staged: Path, content: str, readings: Landing) -> LandResult:
        self.report("publishing the batch", None)
        self.warnings += absent_warnings(self.mapping.missing(self.schemas))
        batch_id = write.free_batch_id(self.lake, self.batch_id or content[:12])
        for path, count in keep_out(self.store, staged, self._pattern).items():
            readings.as_is.pop(path.parent.name.removeprefix("month="), None)
            name = (
                path.relative_to(staged / "batch").parts[0] if "rejected" not in path.parts else ""
            )
            if name in self.tables:
                self.tables[name].rows_in -= count
                self.tables[name].rows_landed -= count
        newest = max(readings.inspections)
        hashes = {
            month: self.known[name]
            for month, path in readings.as_is.items()
            if path.is_relative_to(self.root)
            and (name := path.relative_to(self.root).as_posix()) in self.known
        }
        months, known = describe_months(
            readings.target, readings.as_is, readings.inspections, hashes
        )
        result = LandResult(
            batch_id=batch_id,
            content_hash=content,
            newest_month=newest,
            as_of_date=last_day(newest),
            tables={name: self.tables[name] for name in self.schemas if name in self.tables},
            warnings=[
                without_names(self.store, warning, self._pattern) for warning in self.warnings
            ],
            ignored_files=self.ignored,
            months=months,
            absent=self.mapping.missing(self.schemas),
            customer_id_pattern=self._pattern if self.mapping.customer_id else None,
            seconds=time.perf_counter() - self.started,
        )
        write.write_manifest(staged / "batch", result, self.identity, content, known)
        write.add(self.lake, staged, batch_id)
        return result

    @property
    def _pattern(self) -> str:
        """What a customer id of this batch looks like."""
        return str(self.schemas["customer_attributes"].column("customer_id").meta["pattern"])

    def _hash(self, path: Path, label: str) -> tuple[str, Problem | None]:
        """SHA-256 of a file's bytes, and why it must not be read."""
        problem = gzip_problem(path, label, self.settings.land) if is_gzip(path) else None
        return self.known.get(label) or hash_file(path), problem

    def _same(self, batch: dict[str, Any]) -> LandResult:
        """A landed batch is this one: remember where it was seen, and hand back its result."""
        write.remember_identity(self.lake, batch, self.identity)
        result = LandResult.from_dict(batch["result"])
        return replace(result, reused=True, seconds=time.perf_counter() - self.started)

    def _anonymous(self, problems: list[Problem]) -> list[Problem]:
        """Problems that quote nobody who has been forgotten."""
        return [
            replace(each, what=without_names(self.store, each.what, self._pattern))
            for each in problems
        ]

    def _content(self, hashes: Hashes) -> str:
        """One hash for names, bytes and rules; problems of single files are noted once."""
        digest = hashlib.sha256(str(self._rules()).encode())
        for path, future in sorted(hashes.items()):
            value, problem = future.result()
            digest.update(f"{path}\0{value}\0".encode())
            if problem is not None and problem not in self.problems:
                self.problems.append(problem)
        return digest.hexdigest()

    def _rules(self) -> str:
        """What decides, besides the bytes, how a batch lands."""
        limits = self.settings.land.as_dict()
        named = limits.pop("mapping")  # what the file says, not where it lies
        rules = [RULES, limits, [repr(schema) for schema in self.schemas.values()]]
        rules += [self.mapping.content] if named else []
        return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()


def _path_of(entry: Entry) -> str:
    return entry.path


def _shape(identity: list[Any]) -> list[Any]:
    """Rules, names and sizes: what two copies of one batch share."""
    rules, _, files = identity
    return [rules, [[path, size] for path, size, _ in files]]
