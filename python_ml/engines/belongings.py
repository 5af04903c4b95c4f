"""What an engine keeps outside the home, as forgetting a person needs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LogStream:
    """What one job, task or function instance has said."""

    group: str
    name: str

    def __str__(self) -> str:
        return f"log {self.group}, stream {self.name}"


class Belongings(ABC):
    """Tables that cannot be edited file by file, items of the table of runs, and logs."""

    @abstractmethod
    def rebuild_tables(self, run_id: str, salt: str, hashes: Collection[str]) -> list[str]:
        """Build tables that keep more than rows again, in a run's database, without some customers.

        Args:
            run_id: of the run, whose database is there.
            salt: of the tombstones.
            hashes: of the customers, as the tombstones have them.

        Returns:
            Where the published ones lie, which nobody reads once the run is published.

        Raises:
            SpanishGasError: the engine refuses; the message is its own.
        """

    @abstractmethod
    def rebuilt_places(self) -> list[str]:
        """Where such tables lie as they are published now."""

    @abstractmethod
    def items(self) -> list[dict[str, Any]]:
        """Every item of the warehouse in the table of runs."""

    @abstractmethod
    def put_item(self, item: dict[str, Any]) -> None:
        """Replace an item."""

    @abstractmethod
    def delete_item(self, item: dict[str, Any]) -> None:
        """Remove an item."""

    @abstractmethod
    def log_streams(self) -> Iterator[LogStream]:
        """Streams of our log groups; none where no groups are configured."""

    @abstractmethod
    def log_text(self, stream: LogStream) -> str:
        """Everything that a stream holds, a line an event."""

    @abstractmethod
    def delete_log(self, stream: LogStream) -> None:
        """Remove a stream."""
