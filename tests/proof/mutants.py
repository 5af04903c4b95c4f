"""Plant small faults in the core modules, at random, and see whether a test notices each.

    python -m tests.proof.mutants --seeds 1 2 3 --count 100 --jobs 2
    python -m tests.proof.mutants --module python_ml/modelling/gate.py      # all of one module

A mutant that no test can kill, since it behaves like the original, is reviewed by a person and
listed with the reason in tests/mutation/equivalent.csv; it is counted apart.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path

from tests.mutation.python_mutants import Mutant, mutants
from tests.mutation.runner import KILLED, SURVIVED, copy_project, preload, run_tests
from tests.mutation.suites import SUITES

ROOT = Path(__file__).resolve().parents[2]
EQUIVALENT = ROOT / "tests" / "mutation" / "equivalent.csv"
_TARGET_SHARE = 0.95

Answer = tuple[Mutant, str, float]


def reviewed() -> set[tuple[str, str, str]]:
    """Mutants that a person has found to behave like the original."""
    with EQUIVALENT.open(newline="", encoding="utf-8") as lines:
        return {(row["path"], row["code"], row["change"]) for row in csv.DictReader(lines)}


def work(connection: Connection, folder: Path) -> None:
    """A worker: takes mutants, answers what became of them, until it is told None."""
    copy_project(ROOT, folder)
    baseline: dict[str, float] = {}
    while (mutant := connection.recv()) is not None:
        tests, place = SUITES[mutant.path], folder / mutant.path
        if mutant.path not in baseline:
            outcome = run_tests(folder, tests, timeout_seconds=900)
            if outcome.result != SURVIVED:
                raise SystemExit(f"{mutant.path}: its tests fail as it is\n{outcome.log[-4000:]}")
            baseline[mutant.path] = outcome.seconds
        original = place.read_text(encoding="utf-8")
        place.write_text(mutant.source(ROOT), encoding="utf-8")
        outcome = run_tests(folder, tests, timeout_seconds=60 + 4 * baseline[mutant.path])
        place.write_text(original, encoding="utf-8")
        connection.send((mutant, outcome.result, outcome.seconds))


def try_all(chosen: Sequence[Mutant], jobs: int) -> list[Answer]:
    """What became of each mutant, tried by several workers at once."""
    answers: list[Answer] = []
    waiting = list(reversed(chosen))
    with tempfile.TemporaryDirectory(prefix="mutants-") as place:
        workers: dict[Connection, multiprocessing.Process] = {}
        for number in range(jobs):
            ours, theirs = multiprocessing.Pipe()
            folder = Path(place) / f"copy{number}"
            workers[ours] = multiprocessing.Process(target=work, args=(theirs, folder), daemon=True)
            workers[ours].start()
            theirs.close()
            ours.send(waiting.pop() if waiting else None)
        while len(answers) < len(chosen):
            for connection in wait(list(workers)):
                assert isinstance(connection, Connection)
                answer: Answer = connection.recv()
                answers.append(answer)
                _tell(answer, len(answers), len(chosen))
                connection.send(waiting.pop() if waiting else None)
        for process in workers.values():
            process.join()
    return answers


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
        elif mutant.key in known:
            counts["equivalent"] += 1
        else:
            counts[SURVIVED] += 1
            survivors.append(mutant)
    differing = counts[KILLED] + counts[SURVIVED]
    share = counts[KILLED] / differing if differing else 1.0
    print(
        f"{title}: {len(answers)} mutants, {counts['equivalent']} equivalent, "
        f"{counts[KILLED]} of {differing} others killed ({share:.1%})"
    )
    for mutant in sorted(survivors, key=lambda each: each.key):
        print(f"  survived {mutant.path}:{mutant.line} [{mutant.change}] {mutant.code}")
    return share >= _TARGET_SHARE


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--count", type=int, default=100, help="mutants of each seed")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--module", action="append", help="only this one; all of its mutants")
    options = parser.parse_args()
    preload()
    everything = [m for path in options.module or SUITES for m in mutants(ROOT, path)]
    if options.module:
        good = report(try_all(everything, options.jobs), ", ".join(options.module))
        raise SystemExit(0 if good else 1)
    draws = {
        seed: random.Random(seed).sample(everything, min(options.count, len(everything)))
        for seed in options.seeds
    }
    chosen = list(dict.fromkeys(m for draw in draws.values() for m in draw))
    chosen.sort(key=lambda each: each.path)  # a worker measures a suite once
    answers = {answer[0]: answer for answer in try_all(chosen, options.jobs)}
    verdicts = [
        report([answers[mutant] for mutant in draw], f"seed {seed}") for seed, draw in draws.items()
    ]
    raise SystemExit(0 if all(verdicts) else 1)


if __name__ == "__main__":
    main()
