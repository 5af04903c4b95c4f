"""Where snapshots and model versions are kept: files by key, in a folder or in a bucket.

Everything that reads or writes them does it here. Keys are paths with slashes, and no step relies
on renaming a folder, which a bucket cannot do.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO

from python_ml.errors import ServiceError, SpanishGasError, on_disk


class Store(ABC):
    """Files by key. A write is all or nothing: readers see the whole file or the one before."""

    @abstractmethod
    def read(self, key: str) -> bytes:
        """Content of a file.

        Raises:
            SpanishGasError: it is not there.
            ServiceError: disk or bucket refuses; whether a retry helps, the class says. So in all
                that follows.
        """

    @abstractmethod
    def writing(self, key: str) -> AbstractContextManager[IO[bytes]]:
        """To write or replace a file bit by bit: it is there when the block ends, and as it was
        before if the block raises."""

    def write(self, key: str, content: bytes) -> None:
        """Write or replace a file."""
        with self.writing(key) as file:
            file.write(content)

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Whether the file is there."""

    @abstractmethod
    def keys(self, prefix: str) -> list[str]:
        """Keys of all files under a folder, sorted."""

    @abstractmethod
    def place(self, key: str) -> str:
        """Where the file lies, for messages."""


class FolderStore(Store):
    """Files under a local folder. A name with a leading dot is an unfinished write."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, key: str) -> bytes:
        try:
            with on_disk(self.place(key)):
                return (self._root / key).read_bytes()
        except ServiceError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise SpanishGasError(f"{self.place(key)} is not there") from error
            raise

    @contextmanager
    def writing(self, key: str) -> Iterator[IO[bytes]]:
        path = self._root / key
        unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with on_disk(self.place(key)):
                path.parent.mkdir(parents=True, exist_ok=True)
                with unfinished.open("wb") as file:
                    yield file
                unfinished.replace(path)
        except BaseException:
            with suppress(OSError):  # what was refused is told, not that nothing is left of it
                unfinished.unlink()
            raise

    def exists(self, key: str) -> bool:
        return (self._root / key).is_file()

    def keys(self, prefix: str) -> list[str]:
        found = (self._root / prefix).rglob("[!.]*")
        return sorted(path.relative_to(self._root).as_posix() for path in found if path.is_file())

    def place(self, key: str) -> str:
        return str(self._root / key)
