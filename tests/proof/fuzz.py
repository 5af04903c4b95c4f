"""Does landing survive any bytes?

Random bytes, and good files cut, spliced and changed, in the place of a raw file (CSV, gzip, JSON,
Parquet, Excel, no ending) or of the mapping (tests/fuzzing.py). Each batch lands or is refused with
one message, and a refused one leaves the lake as it was. Most inputs are tried in the reader of
their file alone, which is ten times as fast. What breaks this is written to a folder.

    python -m tests.proof.fuzz --minutes 60 --failures data/fuzz
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzzing import Fuzzed, Fuzzer

INPUTS = 1_000_000
_ROUND = 200  # inputs drawn from one seed
_WHOLE = 20  # one in so many is tried in a whole batch, the others in the reader of their file


def main() -> int:
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--minutes", type=float, default=60)
    flags.add_argument("--inputs", type=int, default=INPUTS)
    flags.add_argument("--seed", type=int, default=1)
    flags.add_argument("--failures", type=Path, default=Path("data/fuzz"))
    options = flags.parse_args()
    end = time.monotonic() + options.minutes * 60
    outcomes: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        fuzzer = Fuzzer(Path(folder))

        def one(fuzzed: Fuzzed) -> None:
            if time.monotonic() > end:
                return
            try:
                whole = sum(outcomes.values()) % _WHOLE == 0
                attempt = fuzzer.try_one if whole else fuzzer.try_reader
                outcome = "refused" if attempt(fuzzed) else "landed" if whole else "read"
            except Exception:
                outcome = "FAILED"
                options.failures.mkdir(parents=True, exist_ok=True)
                name = f"{outcomes['FAILED']:04}-{fuzzed.name}.{fuzzed.ending or 'none'}"
                (options.failures / name).write_bytes(fuzzed.content)
                (options.failures / f"{name}.log").write_text(traceback.format_exc())
                print(f"{name}: {traceback.format_exc().splitlines()[-1][:200]}", flush=True)
            outcomes[outcome] += 1
            kinds[fuzzed.ending or "no ending"] += 1

        draw = settings(
            max_examples=_ROUND,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        number = options.seed * 1_000_000
        while time.monotonic() < end and sum(outcomes.values()) < options.inputs:
            number += 1
            seed(number)(draw(given(fuzzer.inputs())(one)))()
    print(f"{sum(outcomes.values()):,} inputs: {dict(outcomes)}; by format {dict(kinds)}")
    return int(outcomes["FAILED"] > 0)


if __name__ == "__main__":
    sys.exit(main())
