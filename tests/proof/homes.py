"""Data homes that the proofs measure: one a seed, simulated and run where it is not there yet."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.open_gate import OPEN_GATE, as_variables


def parser(description: str | None, seeds: list[int]) -> argparse.ArgumentParser:
    """The flags that the proofs share."""
    flags = argparse.ArgumentParser(description=description)
    flags.add_argument("--homes", type=Path, default=Path("data/proof"), help="folder of the homes")
    flags.add_argument("--seeds", type=int, nargs="+", default=seeds)
    flags.add_argument("--customers", type=int, default=20099)
    return flags


def home_of(flags: argparse.Namespace, seed: int) -> Path:
    """The home of a seed, with a published run; raw readings are removed once they are landed."""
    home: Path = flags.homes / f"s{seed}"
    if not (home / "warehouse.duckdb").exists():
        spanishgas(home, "simulate", "--customers", str(flags.customers), "--seed", str(seed))
        spanishgas(home, "run")
    return home


def spanishgas(home: Path, *arguments: str) -> dict[str, Any]:
    """What a command answers, as JSON."""
    command = [
        sys.executable,
        "-m",
        "python_ml.cli",
        *arguments,
        "--home",
        str(home),
        "--json",
    ]
    done = subprocess.run(
        command,
        env={**os.environ, **as_variables(OPEN_GATE)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
