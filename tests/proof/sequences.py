"""Any sequence of commands ends well: random ones on a small home, and what must hold after each.

    python -m tests.proof.sequences --sequences 200 --commands 8
    python -m tests.proof.sequences --sequences 50 --seed 2     # another choice

Each command is a process, forked from this one so that nothing is imported twice; some are killed
on the way. After each of them

- `status` tells what there is, nobody holds the lease, and no process is left behind;
- what is published is whole: every mart of one run, every customer of gold scored, the champion
  the version that scored, and of each version one evaluation, the newest that there was;
- a command that does not publish, or fails, has changed nothing of it;
- the exit code is one that the README documents, and one that this command may end with now.

Settings make the gate lenient and models small: nothing is said about models here.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import pyarrow.parquet as pq
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from python_ml.documents import read_json
from python_ml.registry import APPROVED, open_registry
from python_ml.settings import load_settings
from tests.forked import CONTEXT, end_with_command, print_to
from tests.proof.faults_world import LENIENT

CUSTOMERS = 150
SMALL: dict[str, Any] = LENIENT | {
    "model.folds": 2,
    "model.xgboost.n_estimators": 10,
    "evaluate.bootstrap_count": 30,
    "gate.direction_customers": 20,
    "gate.minimum_direction_share": 0.0,
    "gate.minimum_segment_churners": 1000,
    "ladder.xgboost.n_estimators": 5,
    "ladder.random_forest.n_estimators": 5,
    "backtest.minimum_churner_count": 2,
    "simulate.customers": CUSTOMERS,
    "simulate.readings": "typical-days",
}
STRICT = {"gate.minimum_pr_auc": 0.999, "gate.minimum_churner_count": 0}
STEPS = (
    *("land", "bronze", "sentiment", "silver", "gold", "quality", "train", "evaluate"),
    *("score", "drift", "marts", "publish", "ladder"),
)
DONE, USAGE, BAD_INPUT, MODEL_GATE, QUALITY_GATE = 0, 2, 3, 4, 5
PUBLISHING = ("run", "score", "promote", "ladder", "backtest", "forget")
MARTS_OF_A_RUN = ("mart_overview", "mart_customer_risk", "mart_recommendation")
WATCHED = (*MARTS_OF_A_RUN, "mart_model_performance", "mart_leakage_audit", "mart_policy_value")
tally: Counter[str] = Counter()


@dataclass(frozen=True)
class Outcome:
    """How a command ended; the code of one that was killed is negative."""

    line: str
    code: int
    stdout: str
    stderr: str
    left: tuple[int, ...]  # processes that it has started and not ended


@dataclass
class Kill:
    """Where a command is killed: at "begin" or "end" of a step, if it gets there."""

    where: str
    step: str


def run_command(
    home: Path, line: str, extra: dict[str, Any] | None = None, kill: Kill | None = None
) -> Outcome:
    """A command in a process of its own, with the small settings."""
    listener, speaker = CONTEXT.Pipe(duplex=False)
    out, err = home.parent / "stdout.txt", home.parent / "stderr.txt"
    arguments = [*line.split(), "--home", str(home)]
    process = CONTEXT.Process(
        target=_call, args=(arguments, SMALL | (extra or {}), out, err, kill, speaker)
    )
    process.start()
    speaker.close()
    with contextlib.suppress(EOFError):
        listener.recv()
        process.kill()
    process.join()
    assert process.exitcode is not None
    left = session_of(process.pid) if process.pid and process.exitcode >= 0 else ()
    return Outcome(line, process.exitcode, out.read_text(), err.read_text(), tuple(left))


def _call(
    arguments: list[str],
    values: dict[str, Any],
    out: Path,
    err: Path,
    kill: Kill | None,
    speaker: Any,
) -> None:
    from python_ml.pipeline.workspace import Run

    os.setsid()  # whatever it starts can be told by its session
    print_to(out, err)
    for name in [name for name in os.environ if "SPANISHGAS" in name]:
        del os.environ[name]
    for name, value in values.items():
        os.environ["SPANISHGAS_" + name.upper().replace(".", "__")] = str(value)
    step = Run.step

    def die(where: str, name: str) -> None:
        if kill == Kill(where, name):
            speaker.send("here")
            time.sleep(600)

    @contextlib.contextmanager
    def telling(run: Run, name: str) -> Iterator[Any]:
        with step(run, name) as entered:
            die("begin", name)
            yield entered
        die("end", name)

    mock.patch.object(Run, "step", telling).start()  # as long as the process lives
    end_with_command("spanishgas", *arguments)


def session_of(pid: int) -> list[int]:
    """Living processes of a session that one command has led."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
            if int(session) == pid and state != "Z":
                found.append(int(stat.parent.name))
    return found


@cache
def template(folder: Path) -> Path:
    """A home with raw files and nothing else, and one with two versions published, made once."""
    empty, published = folder / "raw-only", folder / "published"
    _must(run_command(empty, "simulate --seed 7"))
    shutil.copytree(empty, published)
    _must(run_command(published, "run"))
    _must(run_command(published, "run --force", {"model.seed": 43}))
    return folder


def _must(outcome: Outcome) -> None:
    assert outcome.code == DONE, (outcome.line, outcome.stderr)


def query(home: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def published(home: Path) -> dict[str, Any]:
    """What is published, table by table, as hashes of its rows."""
    if not (home / "warehouse.duckdb").exists():
        return {}
    return {
        table: query(home, f"select count(*), sum(hash(t)) from {table} as t") for table in WATCHED
    }


def require_whole(home: Path, *, pointer_may_lag: bool) -> None:
    """What is published is of one run, covers gold, and shows one evaluation a version."""
    if not (home / "warehouse.duckdb").exists():
        return
    runs = {
        row for mart in MARTS_OF_A_RUN for row in query(home, f"select distinct run_id from {mart}")
    }
    ((run_id,),) = runs
    ((version,),) = query(home, "select distinct model_version from mart_overview")
    (counts,) = query(
        home,
        """select (select count(*) from gold_master), (select count(*) from mart_customer_risk),
        (select count(*) from mart_recommendation), (select customer_count from mart_overview)""",
    )
    assert len(set(counts)) == 1, f"customers of gold, risk, offers and overview: {counts}"
    champion = (read_json(home / "lake" / "models" / "champion.json") or {}).get("version")
    assert champion == version or pointer_may_lag, f"champion {champion}, scored by {version}"
    evaluations = sorted(
        part.name.removeprefix("run_id=")
        for part in (home / "lake" / "ml" / "model_gate").glob("run_id=[0-9]*")
        if version in pq.ParquetFile(part / "part-0.parquet").read()["model_version"].to_pylist()
    )
    # Marts show the newest that there was when they were built: by the published run, or since then
    # by `forget`, which adds up anew.
    newest = [[run for run in evaluations if run <= run_id][-1:], evaluations[-1:]]
    for mart in ("mart_model_performance", "mart_policy_value"):
        shown = [row[0] for row in query(home, f"select distinct evaluation_run_id from {mart}")]
        assert shown in newest, f"{mart} shows the evaluations {shown}, the newest is {newest}"


class Sequences(RuleBasedStateMachine):
    """A home, and the commands that change it."""

    folder: Path  # of the templates

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="sequence-", dir=self.folder))
        self.home = self.place / "home"
        self.history: list[str] = []
        self.pointer_may_lag = False  # a kill came between, and nothing was written since
        self.forgotten: set[str] = set()
        self.broken: str | None = None  # which invariant, and after what

    def teardown(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        tally["sequences"] += 1
        told = "" if self.broken is None else f"BROKE: {self.broken}"
        print(f"{tally['sequences']} sequences, {tally['commands']} commands {told}", flush=True)

    @initialize(has_published=st.sampled_from([True, True, True, False]))
    def begin(self, has_published: bool) -> None:
        source = template(self.folder) / ("published" if has_published else "raw-only")
        shutil.copytree(source, self.home, symlinks=True)
        self.history = [f"(begin {'published' if has_published else 'raw-only'})"]

    # ---------------------------------------------------------------- what there is
    def versions(self) -> list[str]:
        models = (self.home / "lake" / "models").glob("*/model.json")
        return sorted(path.parent.name for path in models)

    def pointer(self, name: str) -> str | None:
        value = (read_json(self.home / "lake" / "models" / "champion.json") or {}).get(name)
        return str(value) if value else None

    @property
    def is_published(self) -> bool:
        return (self.home / "warehouse.duckdb").exists()

    @property
    def may_score(self) -> bool:
        """The champion was not rejected by an evaluation since."""
        champion = self.pointer("version")
        registry = open_registry(load_settings({"home": str(self.home)}, environ={}))
        return champion is None or registry.status(champion) == APPROVED

    # ---------------------------------------------------------------- one command
    def do(
        self,
        line: str,
        allowed: Collection[int],
        extra: dict[str, Any] | None = None,
        kill: Kill | None = None,
    ) -> Outcome:
        before = published(self.home)
        said = f"{line}{' ' + str(extra) if extra else ''}{' ' + str(kill) if kill else ''}"
        outcome = run_command(self.home, line, extra, kill)
        self.history.append(f"{said} -> {outcome.code}")
        name = line.split(maxsplit=1)[0]
        tally["commands"] += 1
        tally[f"{name} {outcome.code}"] += 1
        was_killed = outcome.code < 0
        try:
            assert was_killed or outcome.code in allowed, f"may end with {set(allowed)}"
            assert "Traceback" not in outcome.stderr
            assert not outcome.left, "a process of it is left"
            has_written = name not in READING and outcome.code != USAGE and not was_killed
            if has_written:
                self.pointer_may_lag = False
            self.pointer_may_lag |= was_killed
            require_whole(self.home, pointer_may_lag=self.pointer_may_lag)
            if outcome.code not in (DONE, -9) or name not in PUBLISHING:
                assert published(self.home) == before, "what was published has changed"
            status = run_command(self.home, "status --json")
            assert status.code == DONE, status.stderr
            assert json.loads(status.stdout)["holder"] is None
        except Exception as error:
            done = "\n  ".join(self.history)
            self.broken = f"{error}\nafter\n  {done}\n{outcome.stderr[-3000:]}"
            raise AssertionError(self.broken) from error
        return outcome

    # ---------------------------------------------------------------- raw files
    @rule(seed=st.sampled_from([7, 8]))
    def simulate(self, seed: int) -> None:
        self.do(f"simulate --seed {seed}", {DONE})

    @rule()
    def simulate_reuse(self) -> None:
        self.do("simulate --seed 7 --reuse", {DONE})

    @rule(month=st.sampled_from(["2025-01", "2025-02"]))
    def append_month(self, month: str) -> None:
        self.do(f"simulate --append {month}", {DONE, USAGE})

    @rule()
    def land(self) -> None:
        self.do("land", {DONE})

    # ---------------------------------------------------------------- runs
    @rule(
        mode=st.sampled_from(["train", "score"]),
        force=st.booleans(),
        is_strict=st.sampled_from([False, False, True]),
    )
    def run(self, mode: str, force: bool, is_strict: bool) -> None:
        line = f"run --mode {mode}{' --force' if force else ''}"
        allowed = {DONE} if mode == "score" else {DONE, MODEL_GATE}
        if mode == "score" and self.pointer("version") is None:
            allowed = {USAGE}
        elif mode == "score" and not self.may_score:
            allowed = {DONE, USAGE}  # done: the batch was run before
        self.do(line, allowed, STRICT if is_strict and mode == "train" else None)

    @rule(
        mode=st.sampled_from(["train", "score"]),
        kill=st.builds(Kill, st.sampled_from(["begin", "end"]), st.sampled_from(STEPS[:12])),
    )
    def killed_run(self, mode: str, kill: Kill) -> None:
        self.do(f"run --force --mode {mode}", {DONE, USAGE, MODEL_GATE}, kill=kill)

    @rule()
    def resume(self) -> None:
        self.do("run --resume", {DONE, USAGE, MODEL_GATE})

    @rule(other=st.sampled_from(["--raw elsewhere", "--mode score", "--force"]))
    def resume_with_another(self, other: str) -> None:
        self.do(f"run --resume {other}", {DONE, USAGE, MODEL_GATE})

    @rule()
    def a_batch_that_is_none(self) -> None:
        (self.place / "nothing").mkdir(exist_ok=True)
        self.do(f"run --raw {self.place / 'nothing'}", {BAD_INPUT})

    # ---------------------------------------------------------------- models
    @rule()
    def train(self) -> None:
        self.do("train", {DONE} if self.is_published else {USAGE})

    @rule(data=st.data(), is_strict=st.booleans())
    def evaluate(self, data: st.DataObject, is_strict: bool) -> None:
        version = data.draw(st.sampled_from(["", *self.versions(), "no-such-model"]))
        allowed = {DONE, MODEL_GATE}
        if not self.is_published or version == "no-such-model":
            allowed = {USAGE}
        self.do(f"evaluate {version}", allowed, STRICT if is_strict else None)

    @rule()
    def evaluate_champion(self) -> None:
        version = self.pointer("version")
        self.do(f"evaluate {version or ''}", {DONE, MODEL_GATE} if version else {USAGE})

    @rule()
    def score(self) -> None:
        may_score = self.is_published and self.may_score
        self.do("score", {DONE, MODEL_GATE} if may_score else {USAGE})

    @rule(data=st.data())
    def score_with(self, data: st.DataObject) -> None:
        version = data.draw(st.sampled_from([*self.versions(), "no-such-model"]))
        self.do(f"score --version {version}", {DONE, USAGE})

    @rule(data=st.data(), force=st.booleans())
    def promote(self, data: st.DataObject, force: bool) -> None:
        version = data.draw(st.sampled_from([*self.versions(), "no-such-model"]))
        self.do(f"promote {version}{' --force --reason tried' if force else ''}", {DONE, USAGE})

    @rule(is_forced=st.booleans())
    def roll_back(self, is_forced: bool) -> None:
        forced = " --force --reason tried" if is_forced else ""
        allowed = {DONE, USAGE} if self.pointer("previous_version") else {USAGE}
        self.do(f"promote --rollback{forced}", allowed)

    @rule(
        line=st.sampled_from(["score", "promote --rollback", "train", "evaluate", "ladder"]),
        kill=st.builds(Kill, st.sampled_from(["begin", "end"]), st.sampled_from(STEPS[6:])),
    )
    @precondition(lambda self: self.is_published)
    def killed_command(self, line: str, kill: Kill) -> None:
        self.do(line, {DONE, USAGE, MODEL_GATE}, kill=kill)

    # ---------------------------------------------------------------- the others
    @rule(line=st.sampled_from(["drift", "dashboards preview", "rebuild"]))
    def read(self, line: str) -> None:
        self.do(line, {DONE} if self.is_published else {USAGE})

    @rule()
    def explain(self) -> None:
        is_known = self.is_published and "C00011" not in self.forgotten
        self.do("explain C00011", {DONE} if is_known else {USAGE})

    @rule()
    def ladder(self) -> None:
        self.do("ladder", {DONE} if self.is_published else {USAGE})

    @rule()
    def backtest(self) -> None:
        self.do("backtest", {DONE, BAD_INPUT})

    @rule(customer=st.sampled_from(["C00011", "C00012", "C99999"]))
    def forget(self, customer: str) -> None:
        if self.do(f"forget {customer} --yes", {DONE, USAGE}).code == DONE:
            self.forgotten.add(customer)


READING = ("status", "drift", "dashboards", "rebuild", "explain", "simulate")


def run_sequences(
    folder: Path, sequences: int, commands: int, seed: int | None = None
) -> Counter[str]:
    """Try random sequences.

    Args:
        folder: for the homes.
        sequences: how many.
        commands: of each.
        seed: of another choice; without it the same sequences every time.

    Returns:
        How many sequences and commands there were, and each command's exit codes.

    Raises:
        AssertionError: an invariant broke; the message tells the commands.
    """
    tally.clear()
    machine = type("Sequences", (Sequences,), {"folder": folder})
    if seed is not None:
        machine._hypothesis_internal_use_seed = seed  # type: ignore[attr-defined]
    template(folder)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=sequences,
            stateful_step_count=commands + 1,  # the first step begins with a home
            deadline=None,
            derandomize=seed is None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
        _min_steps=commands + 1,  # without it some sequences would be shorter
    )
    return tally


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sequences", type=int, default=200)
    parser.add_argument("--commands", type=int, default=8)
    parser.add_argument("--seed", type=int, help="of another choice of sequences")
    given = parser.parse_args(arguments)
    broken = 0
    with tempfile.TemporaryDirectory(prefix="sequences-") as folder:
        try:
            run_sequences(Path(folder), given.sequences, given.commands, given.seed)
        except (AssertionError, Flaky) as error:  # flaky: it broke, but not again
            broken = 1
            print(*traceback.format_exception(error) if isinstance(error, Flaky) else [str(error)])
    codes = {name: count for name, count in sorted(tally.items()) if " " in name}
    print("exit codes:", ", ".join(f"{name}: {count}" for name, count in codes.items()))
    print(
        f"{tally['sequences']} sequences, {tally['commands']} commands, "
        f"{'an invariant BROKE' if broken else 'no broken invariant'}"
    )
    return broken


if __name__ == "__main__":
    sys.exit(main())
