"""Containers of the deployment without Docker: what an image holds, run in a process of its own.

An image's files are those that its Dockerfile copies, and nothing else of this repository; its
environment is what the state machine, the task definition or the function gives it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from python_ml.settings import PROJECT_DIR

# What Lambda's runtime client does with a handler, an event and what the handler raises.
_INVOKE = """
import importlib, json, sys
module, _, name = sys.argv[1].rpartition(".")
try:
    answer = getattr(importlib.import_module(module), name)(json.load(sys.stdin), None)
except Exception as error:
    answer = {"errorType": type(error).__name__, "errorMessage": str(error)}
    print(repr(error), file=sys.stderr)
print(json.dumps(answer))
"""


@dataclass(frozen=True)
class Image:
    """An image of infra/docker, unpacked."""

    name: str
    app: Path
    entrypoint: Sequence[str]

    @classmethod
    def build(cls, name: str, folder: Path) -> Image:
        """Copy what the last stage of the Dockerfile copies from the repository."""
        text = (PROJECT_DIR / f"infra/docker/{name}.Dockerfile").read_text(encoding="utf-8")
        last = text[text.rindex("\nFROM ") :]
        app = folder / name
        for line in re.findall(r"^COPY (?!--from)(.+)$", last, re.MULTILINE):
            *sources, target = line.split()
            for source in sources:
                origin = PROJECT_DIR / source
                place = app / target
                if origin.is_dir():
                    shutil.copytree(origin, place, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    place.mkdir(parents=True, exist_ok=True)
                    shutil.copy(origin, place)
        found = re.search(r"^ENTRYPOINT (\[.+\])$", last, re.MULTILINE)
        assert found, f"{name}.Dockerfile has no entry point"
        return cls(name, app, json.loads(found[1]))

    def files(self) -> set[Path]:
        """Everything in the image, but for what Python compiled."""
        return {path for path in self.app.rglob("*") if "__pycache__" not in path.parts}

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], seconds: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run the container's command; its output goes to the caller."""
        return self._start([*self.entrypoint, *arguments], environment, "", seconds)

    def invoke(self, handler: str, event: Any, environment: Mapping[str, str]) -> dict[str, Any]:
        """Invoke a function of the image as Lambda does.

        Raises:
            Exception: of the class and with the message that the handler raised.
        """
        done = self._start(
            ["python", "-c", _INVOKE, handler], environment, json.dumps(event), seconds=110
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        if "errorType" in answer:
            print(done.stderr)
            raise type(answer["errorType"], (Exception,), {})(answer["errorMessage"])
        return answer

    def _start(
        self, command: Sequence[str], environment: Mapping[str, str], given: str, seconds: float
    ) -> subprocess.CompletedProcess[str]:
        # The interpreter has this repository on its path too; the image's folder comes first.
        own = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.app), "PYTHONUNBUFFERED": "1"}
        return subprocess.run(
            [sys.executable, *command[1:]],
            cwd=self.app,
            env={**own, **environment},
            input=given,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
