"""dbt inside this process: its parsed project is kept from step to step.

dbt also keeps it from one process to the next, and reads again only what has changed, as long as
variables and profile are the same. Those of a run never are, so that the project is read under
fixed ones; a run's own count when it builds.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from python_ml.embedding import visible
from python_ml.engines import open_engine
from python_ml.errors import QualityGateError, SpanishGasError, of_disk
from python_ml.progress import Reporter, silent
from python_ml.settings import PROJECT_DIR, Settings

log = logging.getLogger(__name__)

# By this variable models differ in more than their statements: in what they keep.
_SHAPING = ("touched_months",)
# Unit tests, those of the micro-data and other proofs of the SQL, which a run takes as proven.
_NO_PROOFS = ("--exclude-resource-type", "unit_test", "--exclude", "tag:micro", "tag:proof")
# The proof of a table's rules, where those of many are proved by one query (prove_jointly).
_PROOF = "test_name:keeps_contract"
_KEPT = PROJECT_DIR / "target" / "parsed"
_STATE = "partial_parse.msgpack"  # dbt's name
# The database that the project is parsed for, where each run has one of its own.
_ANY_SCHEMA = "spanishgas_of_any_run"


@dataclass(frozen=True)
class DbtNode:
    """Outcome of one model, seed or test."""

    name: str
    kind: str
    status: str
    seconds: float
    message: str


class DbtRunner:
    """Builds selections of the project into one database, with one set of variables."""

    def __init__(
        self,
        settings: Settings,
        database: Path,
        target_dir: Path,
        variables: Mapping[str, Any],
        batch: Path | None = None,
        schema: str | None = None,
    ) -> None:
        self.settings = settings
        self.target_dir = target_dir
        self.batch = batch
        self.variables = dict(variables)
        engine = open_engine(settings)
        self._schema = engine.dbt_schema(schema)
        self._environment = {
            "DBT_SPANISHGAS_LAKE": str(settings.layout.lake),
            # Raw tables are those of the run's batch, which is the current one only once published.
            "DBT_SPANISHGAS_RAW": str(batch or settings.layout.lake / "raw"),
            "DBT_SPANISHGAS_WAREHOUSE": str(database),
            "DBT_SPANISHGAS_THREADS": str(settings.threads),
            "DBT_SPANISHGAS_MEMORY_LIMIT": settings.memory_limit,
            "DBT_SPANISHGAS_TARGET": settings.target,
            **engine.dbt_environment(schema),
        }
        self._manifest: Any = None
        self._document: dict[str, Any] = {}
        self._kept = _KEPT

    def build(
        self, select: str, progress: Reporter = silent, *, jointly: bool = False
    ) -> list[DbtNode]:
        """Build and test a selection.

        Args:
            select: of dbt.
            progress: hears of each node as it starts.
            jointly: one query proves the rules of many tables, after all of them; otherwise dbt
                sends one for each table (the test keeps_contract).

        Raises:
            QualityGateError: a data test failed.
            SpanishGasError: a model did not build; the engine's message is in it.
        """
        arguments = ["build", "--select", *select.split(), *_NO_PROOFS]
        arguments += [_PROOF] if jointly else []
        nodes = self._build(arguments, progress, {"proves_jointly": jointly})
        broken = [node for node in nodes if node.status in ("error", "fail", "runtime error")]
        if broken:
            _raise(broken)
        return nodes

    def run(self, select: str, exclude: str | None = None) -> list[str]:
        """Build the models of a selection without their tests; returns their names.

        Raises:
            SpanishGasError: a model did not build; the engine's message is in it.
        """
        arguments = ["run", "--select", *select.split()]
        arguments += ["--exclude", exclude] if exclude else []
        nodes = self._build(arguments)
        if broken := [node for node in nodes if node.status != "success"]:
            _raise(broken)
        return [node.name for node in nodes]

    def on_copy(self, database: Path, target_dir: Path) -> DbtRunner:
        """The same project and variables on a local DuckDB file, named as the warehouse is."""
        local = self.settings.with_overrides({"target": "duckdb"})
        runner = DbtRunner(local, database, target_dir, self.variables, self.batch)
        runner._kept = self._kept
        if local == self.settings:
            runner._manifest, runner._document = self._parsed(), self._document
        return runner

    def register_external_tables(
        self, folders: Mapping[str, str], sources: Sequence[str] | None = None
    ) -> None:
        """Show the engine the landed tables, in these folders by source, and python_ml's.

        Args:
            folders: of sources whose tables are elsewhere than in the lake's own.
            sources: the only ones to register; without it, all.

        Raises:
            SpanishGasError: a table could not be registered.
        """
        self._parsed()
        arguments = ["run-operation", "register_external_tables"]
        values = {"folders": dict(folders), "sources": sources}
        self._invoke([*arguments, "--args", json.dumps(values)])

    def compile(self, model: str) -> str:
        """The SQL of one model for this target; what it reads by name must have been built."""
        self._build(["compile", "--select", model])
        compiled = (self.target_dir / "compiled").rglob(f"{model}.sql")
        return next(compiled).read_text(encoding="utf-8")

    def manifest(self) -> dict[str, Any]:
        """The project's manifest, as dbt's JSON document."""
        self._parsed()
        return self._document

    def _parsed(self) -> Any:
        """dbt's own manifest.

        Configs of models hold the shaping variables of that moment; they must be set before the
        first build.
        """
        if self._manifest is None:
            self._manifest = self._parse()
            written = self.target_dir / "manifest.json"
            self._manifest.write(str(written))
            self._document = json.loads(written.read_text(encoding="utf-8"))
        return self._manifest

    def _parse(self) -> Any:
        """The manifest under fixed variables, of which dbt need not read what it has kept."""
        shaping = {name: self.variables[name] for name in _SHAPING if name in self.variables}
        if shaping.get("touched_months") is not None:
            shaping["touched_months"] = []  # which months, only statements say
        variables = json.dumps(shaping, sort_keys=True)
        # The warehouse is not opened, but dbt asks for its name.
        fixed = {
            "DBT_SPANISHGAS_WAREHOUSE": self.settings.layout.warehouse.name,
            **open_engine(self.settings).dbt_environment(_ANY_SCHEMA),
        }
        key = json.dumps([self.settings.target, variables, fixed], sort_keys=True)
        kept = self._kept / hashlib.sha256(key.encode()).hexdigest()[:16] / _STATE
        state = self.target_dir / _STATE
        self.target_dir.mkdir(parents=True, exist_ok=True)
        if kept.exists():
            shutil.copyfile(kept, state)
        manifest, _ = self._invoke(["parse", "--vars", variables], environment=fixed)
        _keep(state, kept)
        if self._schema is not None:
            _move(manifest, _ANY_SCHEMA, self._schema)
        return manifest

    def _build(
        self,
        arguments: list[str],
        progress: Reporter = silent,
        more: Mapping[str, Any] | None = None,
    ) -> list[DbtNode]:
        """Nodes of a command that builds, with the variables of now and `more`; also the tests that
        a macro has found to fail (macros/contract_rules.sql)."""
        self._parsed()
        variables = self.variables | dict(more or {})
        outcome, told = self._invoke([*arguments, "--vars", json.dumps(variables)], progress)
        nodes = [
            DbtNode(
                name=result.node.name,
                kind=str(result.node.resource_type),
                status=str(result.status),
                seconds=result.execution_time,
                message="; ".join(told.pop(result.node.name, [])) or str(result.message or ""),
            )
            for result in getattr(outcome, "results", [])
            if result.node.resource_type != "operation" or result.status != "success"
        ]
        return nodes + [
            DbtNode(name, "test", "fail", 0.0, "; ".join(rules)) for name, rules in told.items()
        ]

    def _invoke(
        self,
        arguments: list[str],
        progress: Reporter = silent,
        environment: Mapping[str, str] | None = None,
    ) -> tuple[Any, dict[str, list[str]]]:
        """dbt's own result of a command, and what its macros said of each test.

        Args:
            arguments: the command and its options.
            progress: hears of each node.
            environment: in the place of the runner's.

        Raises:
            SpanishGasError: the command itself could not be run.
        """
        dbtRunner = import_dbt()
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # imports dbt as well

        command = [
            *arguments,
            *("--project-dir", str(PROJECT_DIR), "--profiles-dir", str(PROJECT_DIR)),
            *("--target-path", str(self.target_dir), "--log-path", str(self.target_dir / "logs")),
            *("--quiet", "--no-use-colors", "--log-level", "none"),
            # Documents after every command, and that of metrics, which takes half a second.
            "--no-write-json",
        ]

        told: dict[str, list[str]] = {}

        def hear(event: Any) -> None:
            if event.info.name == "LogStartLine":
                share = event.data.index / max(event.data.total, 1)
                progress(event.data.description, share)
            elif event.info.name == "JinjaLogInfo":  # macros/contract_rules.sql
                test, separator, rule = event.data.msg.partition(": ")
                if separator:
                    told.setdefault(test, []).append(rule)
            elif event.info.name == "JinjaLogWarning":
                log.warning("%s", event.data.msg)

        with _environment(self._environment | dict(environment or {})), _called_as(command):
            try:
                outcome = dbtRunner(manifest=self._manifest, callbacks=[hear]).invoke(command)
            finally:
                # The file is locked for every other reader as long as dbt keeps it open.
                DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
        if isinstance(outcome.exception, KeyboardInterrupt):
            raise outcome.exception
        if isinstance(outcome.exception, OSError):
            raise of_disk(outcome.exception, self.target_dir) from outcome.exception
        if outcome.exception is not None:
            raise SpanishGasError(f"dbt {arguments[0]}: {outcome.exception}") from outcome.exception
        if arguments[0] == "run-operation" and not outcome.success:
            results = getattr(outcome.result, "results", [])
            messages = "; ".join(str(result.message) for result in results)
            raise SpanishGasError(f"dbt {arguments[1]}: {messages}")
        return outcome.result, told


def import_dbt() -> Any:
    """dbt's runner. The first call takes seconds; a thread may make it beside other work."""
    import dbt.mp_context

    # dbt's locks are between threads. Those of its own choice of context start a process that is to
    # tidy up after them, and which outlives this one; those of a fork need none.
    dbt.mp_context._MP_CONTEXT = get_context("fork")  # type: ignore[assignment]
    from dbt.cli.main import dbtRunner

    return dbtRunner


def _move(manifest: Any, parsed: str, schema: str) -> None:
    """Let a manifest build in another database than it was parsed for."""
    places = [(node, "schema") for node in manifest.nodes.values()]
    places += [(test, "schema") for test in manifest.unit_tests.values()]
    places += [(m.node_relation, "schema_name") for m in manifest.semantic_models.values()]
    for place, name in places:
        for attribute in (name, "relation_name"):
            if (known := getattr(place, attribute, None)) is not None:
                setattr(place, attribute, known.replace(parsed, schema))
    manifest.build_flat_graph()  # from which macros see the nodes


def _keep(state: Path, kept: Path) -> None:
    """Leave what dbt has read to the next process; where that cannot be written, it reads anew."""
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_name(f"{kept.name}.{os.getpid()}")
        shutil.copyfile(state, unfinished)
        unfinished.replace(kept)


def _raise(broken: list[DbtNode]) -> None:
    failed_tests = [node for node in broken if node.kind == "test" and node.status == "fail"]
    if failed_tests and len(failed_tests) == len(broken):
        listing = "\n".join(f"  {node.name}: {node.message}" for node in failed_tests)
        raise QualityGateError(f"{len(failed_tests)} data tests failed:\n{listing}")
    listing = "\n".join(f"  {node.name}: {node.message}" for node in broken)
    raise SpanishGasError(f"dbt could not build {len(broken)} nodes:\n{listing}")


@contextmanager
def _called_as(command: Sequence[str]) -> Iterator[None]:
    """dbt logs what the process was called with, and fails where that is not UTF-8 (a reason, a
    folder); it gets to see its own command, and no text of ours."""
    before, sys.argv = sys.argv, ["dbt", *map(visible, command)]
    try:
        yield
    finally:
        sys.argv = before


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """dbt reads profiles and sources through environment variables; put them back after."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
