"""Kill commands of campaigns by SIGKILL, call them again, and see that nothing went twice or amiss.

Three homes: one with scores, to start a campaign in; one with a started campaign, to record its
contacts in; one whose campaign has been played by the simulator, to measure its effect in. A
command is killed at the beginning or end of a step, or somewhere inside or after one, each time in
a fresh copy. Then the published tables must be those of before or of an undisturbed command; the
same command again must end well; and after it the draw and the tables must be the undisturbed ones.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import pandas as pd

from python_ml.errors import SpanishGasError
from python_ml.pipeline.campaigns import measure_campaigns, record_contacts, start_campaign
from python_ml.pipeline.workspace import Run
from python_ml.simulate.batch import read_campaigns
from python_ml.simulate.offers import Conduct
from python_ml.simulate.run import append_month, simulate
from tests.proof.faults_world import OWN, Tables, finish, settings_of
from tests.proof.faults_world import start as start_run

CUSTOMERS = 500
COMPARED = (
    *("bronze_campaign_assignment", "bronze_campaign_contact", "mart_campaign"),
    *("mart_campaign_customer", "mart_campaign_effect", "mart_offer_rate", "mart_recommendation"),
)
NAMES_OF_RUNS = (*OWN, "scored_run_id")
Action = Callable[[Path], Any]


def _start(home: Path) -> Any:
    terms: dict[str, Any] = {"policy": "expected_value", "control_share": 0.3, "budget_eur": None}
    return start_campaign(Run(settings_of(home)), "proof", **terms)


def _record(home: Path) -> Any:
    return record_contacts(Run(settings_of(home)), home / "crm.csv")


def _effect(home: Path) -> Any:
    return measure_campaigns(Run(settings_of(home)), None)


ACTIONS: dict[str, Action] = {"start": _start, "record": _record, "effect": _effect}


@dataclass
class Stage:
    """A home that one command is killed in; what it shows before and after the command."""

    name: str
    home: Path
    before: Tables = field(default_factory=dict)
    after: Tables = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)  # of each step, undisturbed

    @contextlib.contextmanager
    def copy(self) -> Iterator[Path]:
        """A fresh copy of the home, gone at the end."""
        with tempfile.TemporaryDirectory(dir=self.home.parent, prefix="copy-") as folder:
            home = Path(folder) / "home"
            shutil.copytree(self.home, home, symlinks=True)
            yield home

    def learn(self) -> None:
        """What the command does when nobody disturbs it."""
        self.before = shown(self.home)
        with self.copy() as home:
            process, listener = begin(home, self.name)
            began: dict[str, float] = {}
            with contextlib.suppress(EOFError):
                while True:
                    event, step = listener.recv()
                    if event == "begin":
                        began[step] = time.monotonic()
                    else:
                        self.seconds[step] = time.monotonic() - began[step]
            process.join()
            assert process.exitcode == 0, (home / "log.txt").read_text()
            self.after = shown(home)


def begin(home: Path, action: str) -> tuple[Any, Any]:
    """A command in a process of its own, which tells of each step."""
    context = multiprocessing.get_context("fork")
    listener, speaker = context.Pipe(duplex=False)
    process = context.Process(target=_act, args=(home, action, speaker), daemon=True)
    process.start()
    speaker.close()
    return process, listener


def _act(home: Path, action: str, speaker: Any) -> None:
    with (home / "log.txt").open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    step = Run.step

    @contextlib.contextmanager
    def telling(run: Run, name: str) -> Iterator[Any]:
        speaker.send(("begin", name))
        with step(run, name) as entered:
            yield entered
        speaker.send(("end", name))

    mock.patch.object(Run, "step", telling).start()  # as long as the process lives
    code = 0
    try:
        ACTIONS[action](home)
    except SpanishGasError as error:
        print(f"error: {error}", flush=True)
        code = error.exit_code
    except BaseException as error:
        print(f"unexpected: {type(error).__name__}: {error}", flush=True)
        code = 1
    os._exit(code)


def shown(home: Path) -> Tables:
    """The published tables of campaigns, without what differs from run to run."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        found: Tables = {}
        for table in COMPARED:
            names = [row[0] for row in connection.execute(f"describe {table}").fetchall()]
            listing = ", ".join(f'"{name}"' for name in names if name not in NAMES_OF_RUNS)
            query = f"select {listing} from {table} order by all"
            found[table] = connection.execute(query).fetchall()
        return found


def drawn(home: Path) -> pd.DataFrame:
    """The frozen draw as it lies in the lake."""
    parts = sorted((home / "lake" / "ml" / "campaign_assignment").glob("run_id=2*/*.parquet"))
    frames = [pd.read_parquet(part) for part in parts]
    names = ["campaign", "customer_id", "arm", "propensity"]
    if not frames:
        return pd.DataFrame(columns=names)
    return pd.concat(frames)[names].sort_values(names[:2], ignore_index=True)


@dataclass(frozen=True)
class Outcome:
    """What became of one kill."""

    place: str
    published: str  # after the kill: before, after or lost
    exit_code: int  # of the same command again
    is_same_draw: bool
    is_identical: bool

    @property
    def is_good(self) -> bool:
        return (
            self.published != "lost"
            and self.exit_code == 0
            and self.is_same_draw
            and self.is_identical
        )


def kill_once(stage: Stage, seed: int) -> Outcome:
    """Kill a command at a place that the seed chooses, call it again, and compare."""
    draw = random.Random(seed)
    step = draw.choice(list(stage.seconds))
    where = draw.choice(["begin", "inside", "inside", "end", "after"])
    wait = draw.random() * {"inside": stage.seconds[step], "after": 0.5}.get(where, 0.0)
    with stage.copy() as home:
        process, listener = begin(home, stage.name)
        wanted = ("end" if where in ("end", "after") else "begin", step)
        with contextlib.suppress(EOFError):
            while listener.recv() != wanted:
                pass
        time.sleep(wait)
        process.kill()
        process.join()
        seen, frozen = shown(home), drawn(home)
        code = finish(*begin(home, stage.name))
        after = drawn(home)
        is_kept = frozen.empty or frozen.equals(after)
        return Outcome(
            place=f"{stage.name}: {where} {step}",
            published={True: "before"}.get(
                seen == stage.before, "after" if seen == stage.after else "lost"
            ),
            exit_code=code,
            is_same_draw=is_kept and not after.duplicated(["campaign", "customer_id"]).any(),
            is_identical=shown(home) == stage.after,
        )


def make_stages(folder: Path) -> list[Stage]:
    """The three homes."""
    scored = folder / "scored"
    scored.mkdir()
    simulate(scored / "raw", customers=CUSTOMERS, seed=7, readings="typical-days")
    code = finish(*start_run(scored, scored / "raw", "train"))
    assert code == 0, (scored / "log.txt").read_text()
    begun = folder / "begun"
    shutil.copytree(scored, begun, symlinks=True)
    code = finish(*begin(begun, "start"))
    assert code == 0, (begun / "log.txt").read_text()
    played = folder / "played"
    shutil.copytree(begun, played, symlinks=True)
    rows = drawn(begun)
    rows[rows["arm"] != "control"].assign(
        contact_date="2025-01-03", channel="phone", outcome="accepted"
    )[["campaign", "customer_id", "contact_date", "channel", "outcome"]].to_csv(
        begun / "crm.csv", index=False
    )
    for month in ("2025-01", "2025-02", "2025-03"):
        campaigns = read_campaigns(settings_of(played), Conduct())
        append_month(played / "raw", month, campaigns=campaigns)
    code = finish(*start_run(played, played / "raw", "score"))
    assert code == 0, (played / "log.txt").read_text()
    stages = [Stage("start", scored), Stage("record", begun), Stage("effect", played)]
    for stage in stages:
        stage.learn()
    return stages


def kills(count: int) -> bool:
    """Kill that many commands; prints what became of them, and returns whether all was well."""
    for slow in ("dbt.cli.main", "dbt.adapters.duckdb", "python_ml.pipeline.score"):
        import_module(slow)  # every fork finds it there
    with tempfile.TemporaryDirectory(prefix="campaign-kills-") as folder:
        stages = make_stages(Path(folder))
        outcomes = []
        for seed in range(count):
            outcomes.append(kill_once(stages[seed % len(stages)], seed))
            if not outcomes[-1].is_good or len(outcomes) % 10 == 0:
                print(f"{len(outcomes)}: {outcomes[-1]}", flush=True)
    good = sum(outcome.is_good for outcome in outcomes)
    print(f"kills by place: {dict(Counter(outcome.place for outcome in outcomes))}")
    print(f"published after the kill: {dict(Counter(o.published for o in outcomes))}")
    print(f"kills {len(outcomes)}: same draw, nothing counted twice, tables as undisturbed: {good}")
    return good == len(outcomes)
