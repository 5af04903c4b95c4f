"""The images of infra/docker, built by buildah, and their containers without a Docker engine.

A container is a change of root into a fresh copy of its image: with the image's own user, entry
point, environment and files, on this machine's network, and gone when its command ends.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from python_ml.settings import PROJECT_DIR
from tests.images.runtime_api import Answer, RuntimeApi

NAMES = ("dbt", "ml", "trigger")
BASE = "localhost/spanishgas-test/base:bookworm"
GIT_SHA = "c0ffee"
# Before it changes the root, buildah seals a copy of itself in memory. The kernel refuses that as
# long as a page of it is held elsewhere, as on a busy machine; nothing has begun then.
_NOT_BEGUN = "sealing memfd copy"
_ATTEMPTS = 10
_ISOLATION = ("--isolation", "chroot")


@dataclass(frozen=True)
class Image:
    """A built image."""

    name: str
    tag: str
    entrypoint: Sequence[str]
    command: Sequence[str]
    byte_count: int  # on disk, all layers

    @classmethod
    @cache
    def build(cls, name: str) -> Image:
        """One target of the Dockerfile, with the layers of earlier builds where they are the same.

        Raises:
            AssertionError: with the end of what the build said.
        """
        tag = f"localhost/spanishgas-test/{name}:latest"
        here = Path(__file__).parent
        _call([str(here / "base.sh"), BASE], seconds=900)
        arguments = ("--build-arg", f"BASE={BASE}", "--build-arg", f"GIT_SHA={GIT_SHA}")
        _call(
            [
                *("buildah", "build", *_ISOLATION, "--layers", "--format", "docker", *arguments),
                *("--file", str(PROJECT_DIR / "infra/docker/Dockerfile"), "--target", name),
                *("--tag", tag, str(PROJECT_DIR)),
            ],
            seconds=1800,
        )
        said = json.loads(_call(["buildah", "inspect", "--type", "image", tag]))
        config = said["Docker"]["config"]
        (listed,) = json.loads(_call(["buildah", "images", "--json", tag]))
        size, unit = listed["size"].split()
        scale = {"KB": 1e3, "MB": 1e6, "GB": 1e9}[unit]
        entrypoint, command = config["Entrypoint"], config.get("Cmd") or []
        return cls(name, tag, entrypoint, command, round(float(size) * scale))

    def run(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        volumes: Mapping[Path, str] | None = None,
        seconds: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        """Run the entry point in a container of its own.

        Args:
            arguments: in the place of the image's command.
            environment: beside the image's own.
            volumes: folders of this machine by where the container has them.
            seconds: it may take.
        """
        return self.call([*self.entrypoint, *arguments], environment, volumes, seconds)

    def call(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        volumes: Mapping[Path, str] | None = None,
        seconds: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        """Run another command than the entry point."""
        with self.container() as container:
            line = self._line(container, command, environment or {}, volumes or {})
            return _completed(line, seconds)

    def invoke(
        self, handler: str, event: Any, environment: Mapping[str, str], seconds: float = 110
    ) -> Any:
        """Invoke a function as Lambda does: the entry point asks the runtime API for its event.

        Raises:
            Exception: of the class and with the message that the handler raised.
            AssertionError: the container ended before it answered.
        """
        with self.container() as container, RuntimeApi(event) as api:
            given = {**environment, **api.environment}
            line = self._line(container, [*self.entrypoint, handler], given, {})
            for _ in range(_ATTEMPTS):
                answer, log = _answer(line, api, seconds)
                if _NOT_BEGUN not in log:
                    break
        assert answer is not None, log
        if answer.is_error:
            print(log)
            raise type(answer.body["errorType"], (Exception,), {})(answer.body["errorMessage"])
        return answer.body

    @contextmanager
    def container(self) -> Iterator[str]:
        """A fresh one, by its name."""
        name = _call(["buildah", "from", self.tag]).strip()
        try:
            yield name
        finally:
            _call(["buildah", "rm", name])

    def _line(
        self,
        container: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        volumes: Mapping[Path, str],
    ) -> list[str]:
        given = [part for name, value in environment.items() for part in ("-e", f"{name}={value}")]
        mounts = [part for here, there in volumes.items() for part in ("-v", f"{here}:{there}")]
        return ["buildah", "run", *_ISOLATION, *given, *mounts, container, "--", *command]


def _answer(line: Sequence[str], api: RuntimeApi, seconds: float) -> tuple[Answer | None, str]:
    """What a function's container says to the runtime API, and what it printed."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(line, stdout=said, stderr=said, text=True)
        try:
            answer = api.answer(seconds, lambda: process.poll() is None)
        finally:
            process.terminate()
            process.wait(timeout=30)
        said.seek(0)
        return answer, said.read()


def _completed(command: Sequence[str], seconds: float) -> subprocess.CompletedProcess[str]:
    """What became of a command that has begun."""
    for _ in range(_ATTEMPTS):
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
        if _NOT_BEGUN not in done.stderr:
            break
    return done


def _call(command: Sequence[str], seconds: float = 60) -> str:
    done = _completed(command, seconds)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout
