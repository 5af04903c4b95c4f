"""`make setup` killed at any moment: the next one ends with a whole environment."""

from __future__ import annotations

import ast
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from python_ml.engines.sqlite_ledger import FILE as LEDGER_FILE

ROOT = Path(__file__).resolve().parents[3]
FILES = 12  # of each package that the stand-in installs

# The recipe calls `python -m venv`, then pip and uv of that environment. The stand-in does what
# they do, file after file, and like them takes for installed what has its first file.
STAND_IN = f"""#!{sys.executable}
import pathlib, shutil, sys, time
arguments = sys.argv[1:]
if arguments[0] == "-c":
    sys.exit(0)
here = pathlib.Path(sys.argv[0])

def install(folder):
    if (folder / "0").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for number in range({FILES}):
        (folder / str(number)).touch()
        time.sleep(0.002)

if arguments[:2] == ["-m", "venv"]:
    venv = pathlib.Path(arguments[2])
    (venv / "bin").mkdir(parents=True, exist_ok=True)
    shutil.copy(here, venv / "bin" / "python")
    time.sleep(0.01)
    install(venv / "lib" / "pip")
elif arguments[:3] == ["-m", "pip", "--version"]:
    sys.exit(0 if (here.parent.parent / "lib" / "pip" / "0").exists() else 1)
elif arguments[:3] == ["-m", "pip", "install"]:
    install(here.parent.parent / "lib" / "uv")
    shutil.copy(here, here.parent / "uv")
elif arguments[:2] == ["pip", "install"]:
    install(here.parent.parent / "lib" / ("project" if "-e" in arguments else "libraries"))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "it's a (clone) [1]"
    folder.mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    python = tmp_path / "python"
    python.write_text(STAND_IN)
    python.chmod(0o755)
    return folder


def make(project: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["make", "--no-print-directory", "setup", f"PYTHON={project.parent / 'python'}"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
    )


def assert_whole(project: Path) -> None:
    done = make(project)
    output, _ = done.communicate(timeout=120)
    assert done.returncode == 0, output
    for package in ("pip", "uv", "libraries", "project"):
        found = sorted(path.name for path in (project / ".venv" / "lib" / package).iterdir())
        assert len(found) == FILES, f"{package}: {found}"
    assert os.access(project / ".venv" / "bin" / "python", os.X_OK)
    assert not (project / ".venv" / ".unfinished").exists()
    assert "Nothing to be done" in make(project).communicate(timeout=120)[0]


def kill(run: subprocess.Popen[str], after_seconds: float) -> None:
    time.sleep(after_seconds)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


@pytest.mark.slow
def test_killed_at_any_moment_it_begins_anew(project: Path) -> None:
    started = time.monotonic()
    assert_whole(project)
    whole = time.monotonic() - started
    draw = random.Random(7)
    for _ in range(12):
        for _ in range(draw.randint(1, 3)):  # killed again while it recovers
            if draw.random() < 0.5:
                shutil.rmtree(project / ".venv", ignore_errors=True)
            else:
                (project / "requirements.lock").touch()
            kill(make(project), draw.uniform(0, whole))
        assert_whole(project)


def test_an_environment_without_its_interpreter_is_made_anew(project: Path) -> None:
    assert_whole(project)
    python = project / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python")
    assert_whole(project)


def test_an_environment_of_another_folder_is_made_anew(project: Path, tmp_path: Path) -> None:
    assert_whole(project)
    moved = project.rename(tmp_path / "moved")
    (moved / ".venv" / "bin" / "of-the-old-folder").touch()
    assert_whole(moved)
    assert not (moved / ".venv" / "bin" / "of-the-old-folder").exists()


@pytest.mark.parametrize("name", ["a b", "it's", 'a "b"', "(a), [b] *", "a;b & c `id`", "-- x"])
def test_make_run_takes_folders_of_any_name(project: Path, name: str) -> None:
    """The command gets each folder as one argument, whatever a shell would make of it."""
    assert_whole(project)
    command = project / ".venv" / "bin" / "spanishgas"
    command.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1:])\n")
    command.chmod(0o755)

    def called(**variables: str) -> list[list[str]]:
        arguments = [f"{key}={value}" for key, value in variables.items()]
        done = subprocess.run(
            ["make", "--no-print-directory", "run", *arguments],
            cwd=project,
            capture_output=True,
            text=True,
            check=True,
        )
        return [ast.literal_eval(line) for line in done.stdout.splitlines() if line[0] == "["]

    simulated, run = called(HOME_DIR=name)
    assert simulated[:3] == ["simulate", "--home", name]
    assert run == ["run", "--home", name, "--target", "duckdb", "--raw", f"{name}/raw"]
    (run,) = called(RAW=name)
    assert run == ["run", "--home", "data", "--target", "duckdb", "--raw", name]


def test_the_hooks_are_read_and_set_up_what_they_run() -> None:
    config = ROOT / ".pre-commit-config.yaml"
    subprocess.run(
        [Path(sys.executable).parent / "pre-commit", "validate-config", config], check=True
    )
    (repository,) = yaml.safe_load(config.read_text(encoding="utf-8"))["repos"]
    first, *others = [hook["entry"] for hook in repository["hooks"]]
    assert first == "make --no-print-directory setup"
    for entry in others:
        (tool,) = [word for word in shlex.split(entry) if word.startswith(".venv/bin/")]
        assert (Path(sys.executable).parent / Path(tool).name).is_file(), entry


def test_clean_forgets_the_runs_whose_tables_it_removes() -> None:
    """With their record left, the next `make run` said "nothing to do" and built nothing."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = makefile.partition("\nclean:")[2].partition("\n\n")[0]
    assert f'"$$HOME_DIR/{LEDGER_FILE}"' in recipe
