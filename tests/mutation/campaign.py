"""Tries mutants with several workers, each on a copy of the project, and reports on them."""

from __future__ import annotations

import csv
import json
import multiprocessing
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Protocol

from python_ml.documents import hash_file
from tests.mutation.runner import KILLED, SURVIVED, Outcome

ROOT = Path(__file__).resolve().parents[2]
EQUIVALENT = ROOT / "tests" / "mutation" / "equivalent.csv"
TARGET_SHARE = 0.95


class Mutant(Protocol):
    """One fault."""

    @property
    def path(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def code(self) -> str: ...
    @property
    def change(self) -> str: ...


# Called in a worker with its folder; returns what tries one mutant there.
Prepare = Callable[[Path], Callable[[Mutant], Outcome]]
Answer = tuple[Mutant, str, float]


def key(mutant: Mutant) -> tuple[str, str, str]:
    """What a reviewed mutant is known by; line numbers move."""
    return mutant.path, mutant.code, mutant.change


def reviewed() -> set[tuple[str, str, str]]:
    """Mutants that a person has found to behave like the original."""
    with EQUIVALENT.open(newline="", encoding="utf-8") as lines:
        return {(row["path"], row["code"], row["change"]) for row in csv.DictReader(lines)}


def try_all(
    chosen: Sequence[Mutant], jobs: int, prepare: Prepare, kept: Path | None = None
) -> list[Answer]:
    """What became of each mutant.

    Args:
        chosen: the mutants.
        jobs: how many workers there are.
        prepare: makes a worker's copy of the project.
        kept: a file of answers; who was killed by its account is not tried again.
    """
    dead = _killed_before(kept)
    answers: list[Answer] = [(each, KILLED, 0.0) for each in chosen if _print(each) in dead]
    waiting = [each for each in reversed(chosen) if _print(each) not in dead]
    with tempfile.TemporaryDirectory(prefix="mutants-") as place:
        workers: dict[Connection, multiprocessing.Process] = {}
        for number in range(min(jobs, len(waiting))):
            ours, theirs = multiprocessing.Pipe()
            arguments = (theirs, Path(place) / f"copy{number}", prepare)
            # Not a daemon, which might have no children, as some tests have.
            workers[ours] = multiprocessing.Process(target=_work, args=arguments)
            workers[ours].start()
            theirs.close()
            ours.send(waiting.pop() if waiting else None)
        try:
            while len(answers) < len(chosen):
                for connection in wait(list(workers)):
                    assert isinstance(connection, Connection)
                    answer: Answer = connection.recv()
                    answers.append(answer)
                    if kept is not None and answer[1] != SURVIVED:
                        with kept.open("a", encoding="utf-8") as lines:
                            lines.write(f"{_print(answer[0])}\n")
                    _tell(answer, len(answers), len(chosen))
                    connection.send(waiting.pop() if waiting else None)
        except EOFError:
            raise SystemExit("a worker has ended; what it said last is above") from None
        finally:
            for process in workers.values():
                if len(answers) < len(chosen):
                    process.terminate()
                process.join()
    return answers


def _print(mutant: Mutant) -> str:
    """What tells a mutant from all others, of other states of its module, too."""
    return json.dumps([hash_file(ROOT / mutant.path), repr(mutant)])


def _killed_before(kept: Path | None) -> set[str]:
    if kept is None or not kept.exists():
        return set()
    return set(kept.read_text(encoding="utf-8").splitlines())


def _work(connection: Connection, folder: Path, prepare: Prepare) -> None:
    trial = prepare(folder)
    while (mutant := connection.recv()) is not None:
        outcome = trial(mutant)
        connection.send((mutant, outcome.result, outcome.seconds))


def _tell(answer: Answer, done: int, count: int) -> None:
    mutant, result, seconds = answer
    text = f"{mutant.path}:{mutant.line} [{mutant.change}] {mutant.code}"
    print(f"{done:>4}/{count} {result:<9} {seconds:5.1f} s  {text}", file=sys.stderr, flush=True)


def report(answers: Sequence[Answer], title: str) -> bool:
    """Print the figures; whether enough of the mutants that differ were killed."""
    known = reviewed()
    counts: Counter[str] = Counter()
    survivors = []
    for mutant, result, _ in answers:
        if result != SURVIVED:
            counts[KILLED] += 1
        elif key(mutant) in known:
            counts["equivalent"] += 1
        else:
            counts[SURVIVED] += 1
            survivors.append(mutant)
    differing = counts[KILLED] + counts[SURVIVED]
    share = counts[KILLED] / differing if differing else 1.0
    print(
        f"{title}: {len(answers)} mutants, {counts['equivalent']} equivalent, "
        f"{counts[KILLED]} of {differing} others killed ({share:.1%})",
        flush=True,
    )
    for mutant in sorted(survivors, key=lambda each: (each.path, each.line)):
        print(f"  survived {mutant.path}:{mutant.line} [{mutant.change}] {mutant.code}")
    return share >= TARGET_SHARE
