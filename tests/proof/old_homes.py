"""Homes that earlier commits made, under the commands of today: each runs, or says what to do.

    python -m tests.proof.old_homes --commits 60 80 120

For each number of commits back, the code of that day simulates customers and runs them, with the
packages of today; where that commit itself ends in an error, the one before it does. Then every
command of today is tried on a copy of that home. A command is all right that ends with exit code 0,
or with a foreseen one and a message that names the command to go on with; a traceback never is.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.proof.sequences import SMALL

PROJECT = Path(__file__).resolve().parents[2]
# `{version}` is the champion of the home, `{customer}` one of its customers.
COMMANDS = (
    *("status", "doctor", "drift", "explain {customer}", "dashboards preview", "score"),
    *("train", "evaluate {version}", "promote {version}", "rebuild", "ladder", "backtest"),
    *("land", "run", "run --mode score --force", "run --resume"),
    *("simulate --append 2025-01", "forget {customer} --yes"),
)
FORESEEN = range(2, 7)
_TELL_SETTINGS = (
    "import json; from python_ml.settings import load_settings; "
    "print(json.dumps(load_settings(environ={}).as_dict(), default=str))"
)


def environment(project: Path) -> dict[str, str]:
    """Settings that make the gate lenient, as far as the version of a project knows them."""
    of_then = project / "python_ml" / "settings.yml"  # of versions whose settings were no classes
    if of_then.exists():
        known = yaml.safe_load(of_then.read_text(encoding="utf-8"))
    else:
        told = subprocess.run(
            [sys.executable, "-c", _TELL_SETTINGS],
            cwd=project,
            capture_output=True,
            text=True,
            check=True,
        )
        known = json.loads(told.stdout)
    found = {name: value for name, value in os.environ.items() if "SPANISHGAS" not in name}
    for name, value in SMALL.items():
        section: object = known
        for part in name.split("."):
            section = section.get(part) if isinstance(section, dict) else None
        if section is not None:
            found["SPANISHGAS_" + name.upper().replace(".", "__")] = str(value)
    return found


def spanishgas(
    project: Path, home: Path, line: str, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A command by the code in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "python_ml.cli", *line.split(), "--home", str(home)],
        cwd=project,
        env=environ or environment(project),
        capture_output=True,
        text=True,
        check=False,
    )


def make_home(commit: str, folder: Path, customers: int) -> Path | None:
    """A home that the code of a commit has made and published; None if that code cannot."""
    project, home = folder / "project", folder / "home"
    project.mkdir(parents=True)
    archive = subprocess.run(
        ["git", "-C", str(PROJECT), "archive", commit], capture_output=True, check=True
    )
    subprocess.run(["tar", "-x", "-C", str(project)], input=archive.stdout, check=True)
    # An unpacked archive has no repository that would tell its commit.
    environ = {**environment(project), "SPANISHGAS_GIT_SHA": commit}
    for line in (f"simulate --customers {customers} --seed 7", "run"):
        done = spanishgas(project, home, line, environ)
        if done.returncode != 0:
            print(f"{commit} itself does not {line.split()[0]}: {verdict(done)[1]}", flush=True)
            shutil.rmtree(folder)
            return None
    return home


def newest_home(back: int, folder: Path, customers: int) -> tuple[int, Path]:
    """The home of so many commits back, or of the next before it whose code could make one."""
    for number in range(back, back + 10):
        home = make_home(f"HEAD~{number}", folder / str(number), customers)
        if home is not None:
            return number, home
    raise SystemExit(f"no commit from {back} to {back + 9} back makes a home")


def verdict(done: subprocess.CompletedProcess[str]) -> tuple[bool, str]:
    """Whether a command is all right, and what it said last."""
    said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    error = next((line for line in said if line.startswith("error:")), said[-1] if said else "")
    if "Traceback (most recent call last)" in done.stderr:
        return False, said[-1]
    if done.returncode == 0:
        return True, "runs"
    told = done.stdout + done.stderr
    names_a_way = any(way in told for way in ("spanishgas ", "start a new run", "make "))
    return names_a_way or done.returncode in FORESEEN, error


def try_commands(home: Path, folder: Path) -> list[tuple[str, int, bool, str]]:
    """Each command of today on a copy of its own: exit code, whether it is all right, its word."""
    version = _champion(home)
    outcomes = []
    for command in COMMANDS:
        line = command.format(version=version, customer="C00011")
        copy = folder / "copy"
        shutil.copytree(home, copy, symlinks=True)
        done = spanishgas(PROJECT, copy, line)
        is_right, said = verdict(done)
        outcomes.append((command, done.returncode, is_right, said))
        shutil.rmtree(copy)
    return outcomes


def _champion(home: Path) -> str:
    pointer = home / "lake" / "models" / "champion.json"
    return str(yaml.safe_load(pointer.read_text(encoding="utf-8"))["version"])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--commits", type=int, nargs="+", default=[60, 80, 120])
    parser.add_argument("--customers", type=int, default=300)
    given = parser.parse_args(arguments)
    all_right = True
    with tempfile.TemporaryDirectory(prefix="old-homes-") as place:
        for back in given.commits:
            number, home = newest_home(back, Path(place), given.customers)
            print(f"{number} commits ago", flush=True)
            for command, code, is_right, said in try_commands(home, Path(place)):
                mark = "ok " if is_right else "BAD"
                print(f"  {mark} {command:<26} {code}  {said}", flush=True)
                all_right &= is_right
    return 0 if all_right else 1


if __name__ == "__main__":
    sys.exit(main())
