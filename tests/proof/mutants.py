"""Plant small faults in the core modules, at random, and see whether a test notices each.

    python -m tests.proof.mutants --seeds 1 2 3 --count 100 --jobs 2 --answers /tmp/answers.jsonl
    python -m tests.proof.mutants --module python_ml/judge/gate.py      # all of one module

A mutant that no test can kill, since it behaves like the original, is reviewed by a person and
listed with the reason in tests/mutation/equivalent.csv; it is counted apart. The strict= of zip is
not mutated: it guards lengths that are equal by construction, so that nothing can be seen of it.

With --answers, what was killed before is not tried again, as long as its module is the same: an
interrupted campaign goes on, and after new tests only the survivors are tried.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from pathlib import Path

from tests.mutation.campaign import ROOT, Mutant, report, try_all
from tests.mutation.python_mutants import mutants, mutated_source
from tests.mutation.runner import SURVIVED, Outcome, copy_project, preload, run_tests
from tests.mutation.suites import SUITES


def prepare(folder: Path) -> Callable[[Mutant], Outcome]:
    """A worker's copy of the project, and what runs a module's tests with a mutant in it."""
    copy_project(ROOT, folder)
    baseline: dict[str, float] = {}

    def trial(mutant: Mutant) -> Outcome:
        tests, place = SUITES[mutant.path], folder / mutant.path
        if mutant.path not in baseline:
            outcome = run_tests(folder, tests, 900)
            if outcome.result != SURVIVED:
                raise SystemExit(f"{mutant.path}: its tests fail as it is\n{outcome.log[-4000:]}")
            baseline[mutant.path] = outcome.seconds
        original = place.read_text(encoding="utf-8")
        place.write_text(mutated_source(ROOT, mutant), encoding="utf-8")
        limit = 60 + 4 * baseline[mutant.path]
        outcome = run_tests(folder, tests, limit)
        place.write_text(original, encoding="utf-8")
        return outcome

    return trial


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--count", type=int, default=100, help="mutants of each seed")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--module", action="append", help="only this one; all of its mutants")
    parser.add_argument("--answers", type=Path, help="file that keeps what became of each mutant")
    options = parser.parse_args()
    preload()
    everything = [m for path in options.module or SUITES for m in mutants(ROOT, path)]
    if options.module:
        answers = try_all(everything, options.jobs, prepare, options.answers)
        raise SystemExit(0 if report(answers, ", ".join(options.module)) else 1)
    draws = {
        seed: random.Random(seed).sample(everything, min(options.count, len(everything)))
        for seed in options.seeds
    }
    chosen = list(dict.fromkeys(m for draw in draws.values() for m in draw))
    chosen.sort(key=lambda each: each.path)  # a worker measures a suite once
    tried = try_all(chosen, options.jobs, prepare, options.answers)
    by_mutant = {answer[0]: answer for answer in tried}
    verdicts = [report([by_mutant[m] for m in draw], f"seed {s}") for s, draw in draws.items()]
    raise SystemExit(0 if all(verdicts) else 1)


if __name__ == "__main__":
    main()
