"""Times and memory of everything a user waits for, written to docs/performance.md.

Each figure is a command as a user would give it, in a process of its own; repeated: the median.
Homes are made fresh under a temporary folder and removed. Targets are ratios where they can be,
mostly to a bare scan of the readings in the same bench, so that they hold on any machine. The
command fails where one is missed by more than the noise of the bench.

    python -m tests.bench.performance                                # 500, 2,000, 20,099 customers
    python -m tests.bench.performance --sizes 500 2000 20099 200990  # 1.77 billion rows: the slope
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from python_ml.quality import QualityProcess
from python_ml.quality.checks import Check, checks_frame
from tests.bench import aggregation
from tests.open_gate import OPEN_GATE, as_variables

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "performance.md"
COMMAND = Path(sys.executable).parent / "spanishgas"
FULL_SIZE = 20099  # beyond it there is one run, and neither ladder nor peers
SMALL_SIZE = 500  # what a run costs before there are customers to speak of
NEXT_MONTH = "2025-01"
# A few hundred customers are too few for a model that passes the gate; judging takes as long.
NO_GATE = as_variables(OPEN_GATE)


@dataclass(frozen=True)
class Measured:
    """One command: wall seconds, the largest resident memory of its process, what it answered."""

    seconds: float
    peak_mb: float
    answer: dict[str, Any]


def spanishgas(*arguments: str, home: Path | None = None) -> Measured:
    """Run a command of ours to its end.

    Raises:
        RuntimeError: it failed; its messages are in the error.
    """
    where = [] if home is None else ["--home", str(home), "--json"]
    return measure([str(COMMAND), *arguments, *where], is_json=bool(where))


def measure(command: list[str], *, is_json: bool = False) -> Measured:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed; its messages are in the error.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as log:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=out, stderr=log, env=os.environ | NO_GATE, cwd=ROOT
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), log.seek(0)
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {log.read().decode()}")
        answer = json.loads(out.read()) if is_json else {}
    return Measured(seconds, usage.ru_maxrss * 1024 / 1e6, answer)


def median_of(results: list[Measured]) -> Measured:
    """The run whose time is the median."""
    return sorted(results, key=lambda result: result.seconds)[len(results) // 2]


def measure_size(customers: int, repeats: int, folder: Path) -> dict[str, Any]:
    """Every figure at one number of customers."""
    home = folder / str(customers)
    say(f"{customers:,} customers: simulate")
    found: dict[str, Any] = {
        "simulate": spanishgas("simulate", "--customers", str(customers), home=home)
    }
    is_beyond = customers > FULL_SIZE
    say(f"{customers:,} customers: first run")
    found["first run"] = spanishgas("run", home=home)
    runs = [found["first run"]] if is_beyond else []
    while not is_beyond and len(runs) < repeats:
        say(f"{customers:,} customers: run {len(runs) + 1} of {repeats}")
        runs.append(spanishgas("run", "--force", home=home))
    found["run"], found["runs"] = median_of(runs), runs
    found["same batch again"] = spanishgas("run", home=home)
    for name, command in {
        "train": ("train",),
        "ladder": ("ladder",),
        "score": ("score",),
        "preview": ("dashboards", "preview"),
    }.items():
        if not (is_beyond and name == "ladder"):
            say(f"{customers:,} customers: {name}")
            found[name] = spanishgas(*command, home=home)
    plain = [sys.executable, "-m", "tests.bench.plain_scoring", "--home", str(home)]
    found["scores by XGBoost alone"] = measure(plain)
    say(f"{customers:,} customers: aggregation")
    found["aggregation"] = aggregation.run(str(home), repeats, "1GB", with_peers=not is_beyond)
    say(f"{customers:,} customers: one month more")
    spanishgas("simulate", "--append", NEXT_MONTH, home=home)
    found["incremental month"] = spanishgas("run", "--mode", "score", home=home)
    return found


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def seconds_of(result: Measured) -> str:
    return f"{result.seconds:,.1f}"


def command_table(sizes: dict[int, dict[str, Any]]) -> list[str]:
    """Seconds and peak memory of each command at each size."""
    names = [name for name in next(iter(sizes.values())) if name not in ("aggregation", "runs")]
    head = " | ".join(f"{size:,} customers: s | GB" for size in sizes)
    lines = [f"| Command | {head} |", "| --- |" + " ---: | ---: |" * len(sizes)]
    for name in names:
        cells = (
            f"{seconds_of(found[name])} | {found[name].peak_mb / 1000:.2f}"
            if name in found
            else "|"
            for found in sizes.values()
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def step_table(sizes: dict[int, dict[str, Any]]) -> list[str]:
    """Seconds of each step of the median run."""
    lines = [
        "| Step | " + " | ".join(f"{size:,}" for size in sizes) + " |",
        "| --- |" + " ---: |" * len(sizes),
    ]
    by_step = {
        size: {step["step"]: step["seconds"] for step in found["run"].answer["steps"]}
        for size, found in sizes.items()
    }
    for name in next(iter(by_step.values())):
        cells = " | ".join(f"{steps.get(name, 0):.1f}" for steps in by_step.values())
        lines.append(f"| {name} | {cells} |")
    totals = " | ".join(f"{sum(steps.values()):.1f}" for steps in by_step.values())
    return [*lines, f"| all | {totals} |"]


def aggregation_table(sizes: dict[int, dict[str, Any]]) -> list[str]:
    """The scan is the floor; ratios are medians of pairs measured in turn."""
    lines = [
        "| Customers | Rows | By | Seconds | Times the bare scan | Peak GB |",
        "| ---: | ---: | --- | ---: | ---: | ---: |",
    ]
    for size, found in sizes.items():
        measured = found["aggregation"]
        scan = measured["scan_seconds_median"]
        start = f"| {size:,} | {measured['hourly_rows']:,} |"
        lines.append(f"{start} bare scan | {scan:.2f} | 1.0 | |")
        lines.append(
            f"{start} this project | {measured['aggregation_seconds_median']:.2f} "
            f"| {measured['ratio_median']:.2f} "
            f"| {measured['aggregation_peak_mb_maximum'] / 1000:.2f} |"
        )
        for name, peer in measured["peers"].items():
            ratio = peer["seconds"] / scan
            lines.append(
                f"{start} {name} | {peer['seconds']:.2f} | {ratio:.1f} "
                f"| {peer['peak_mb'] / 1000:.2f} |"
            )
    return lines


@dataclass(frozen=True)
class Target:
    """What was aimed at, and what was measured at 20,099 customers."""

    name: str
    measured: float
    limit: float

    def is_missed(self, noise: float = 0.0) -> bool:
        """Whether it is missed by more than a share of its limit."""
        return self.measured > self.limit * (1 + noise)


def targets(sizes: dict[int, dict[str, Any]], help_seconds: float) -> list[Target]:
    """All targets that the sizes tell of."""
    full = sizes[FULL_SIZE]
    first, steps = (
        {step["step"]: step["seconds"] for step in full[name].answer["steps"]}
        for name in ("first run", "run")
    )
    measured = full["aggregation"]
    scan = measured["scan_seconds_median"]
    rows = [
        Target("first run, land to publish, times the bare scan", sum(first.values()) / scan, 20),
        Target("first run, peak GB", full["first run"].peak_mb / 1000, 2),
        Target("aggregation, times the bare scan", measured["ratio_median"], 2.5),
        Target("aggregation, peak GB", measured["aggregation_peak_mb_maximum"] / 1000, 1),
        Target("score with reasons, times the bare scan", steps["score"] / scan, 3),
        Target("train with cross-validation, times the bare scan", steps["train"] / scan, 20),
        Target("same batch again, times the bare scan", full["same batch again"].seconds / scan, 5),
        Target(
            "one month more in mode score, times the bare scan",
            full["incremental month"].seconds / scan,
            10,
        ),
        Target("spanishgas --help, seconds", help_seconds, 0.3),
    ]
    if small := sizes.get(SMALL_SIZE):
        share = small["first run"].seconds / full["first run"].seconds
        rows.append(Target(f"first run of {SMALL_SIZE} customers, share of this one", share, 1 / 3))
    if ten := sizes.get(10 * FULL_SIZE):
        more, one = ten["first run"], full["first run"]
        rows += [
            Target(
                "ten times the customers, times the time of a first run",
                more.seconds / one.seconds,
                7,
            ),
            Target("ten times the customers, times its memory", more.peak_mb / one.peak_mb, 1.5),
        ]
    return rows


def noise_of(runs: list[Measured]) -> float:
    """How far the same command strays: the largest distance from the median, as a share of it."""
    middle = statistics.median(run.seconds for run in runs)
    return max(abs(run.seconds - middle) for run in runs) / middle


def target_table(found: list[Target]) -> list[str]:
    """What was aimed at, at 20,099 customers on two cores, and whether it was reached."""
    lines = ["| Target | Measured | At most | |", "| --- | ---: | ---: | --- |"]
    for target in found:
        verdict = "**missed**" if target.is_missed() else "met"
        lines.append(f"| {target.name} | {target.measured:.2f} | {target.limit:.3g} | {verdict} |")
    return lines


def machine() -> str:
    processor = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return f"{os.cpu_count()} cores ({processor}), Python {platform.python_version()}"


def examiner_gb() -> float:
    """Resident memory of the process that decides the gates, after a layer."""
    with closing(QualityProcess()) as examiner:
        check = Check("raw", "table", "", "row_count", "stop", 1, 1, 0, 1)
        examiner.decide(checks_frame([check]))
        status = Path(f"/proc/{examiner._process.pid}/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) * 1024 / 1e9


def document(sizes: dict[int, dict[str, Any]], help_seconds: float, repeats: int, load: str) -> str:
    """The page, whole."""
    lines = [
        "# Performance",
        "",
        "Written by `make bench`; do not edit.",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {machine()}; {load}. Each command ran in its own process. "
        f"`run` and the aggregation are medians of {repeats} up to {FULL_SIZE:,} customers; other "
        "commands ran once. The first run has no published months to reuse. `run` is `run --force` "
        "after it: it reads everything and trains again, but does not check known files again. "
        "Files were in the page cache. Memory is that of the process; the process that evaluates "
        f"the quality gates takes another {examiner_gb():.2f} GB.",
        "",
    ]
    if FULL_SIZE in sizes:
        lines += ["## Targets", "", *target_table(targets(sizes, help_seconds)), ""]
    lines += ["## Commands", "", *command_table(sizes), ""]
    lines += ["## Steps of a run, seconds", "", *step_table(sizes), ""]
    lines += ["## Customer-month aggregation", "", *aggregation_table(sizes), ""]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[SMALL_SIZE, 2000, FULL_SIZE])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the homes are made")
    parser.add_argument("--out", type=Path, default=DOCUMENT)
    arguments = parser.parse_args()
    before = os.getloadavg()[0]
    help_seconds = statistics.median(spanishgas("--help").seconds for _ in range(5))
    place = arguments.folder and arguments.folder.resolve()
    with tempfile.TemporaryDirectory(dir=place) as folder:
        sizes = {
            size: measure_size(size, arguments.repeats, Path(folder)) for size in arguments.sizes
        }
    load = f"load average {before:.1f} before"
    text = document(sizes, help_seconds, arguments.repeats, load)
    arguments.out.write_text(text, encoding="utf-8")
    print(text)
    if FULL_SIZE not in sizes:
        return 0
    noise = noise_of(sizes[FULL_SIZE]["runs"])
    missed = [it.name for it in targets(sizes, help_seconds) if it.is_missed(noise)]
    if missed:
        say(f"missed by more than the noise of this bench, {noise:.0%}: {'; '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
