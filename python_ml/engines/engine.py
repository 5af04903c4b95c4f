"""What the platform asks of an engine: where tables, files and the record of runs are kept, how a
run begins and is published, and what that costs.

Callers get theirs from `open_engine` and do not ask which one it is. Where the difference is theirs
to act on, it has a name of its own: `lies_in_home`, `bills_queries`, `reads_landed_files`.
"""

# ruff: noqa: ARG002  what an engine may leave undone has arguments all the same

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from pathlib import Path

from python_ml.engines.base import Warehouse
from python_ml.engines.belongings import Belongings
from python_ml.engines.costs import CostReport
from python_ml.engines.ledger import RunLedger
from python_ml.engines.store import FolderStore, Store
from python_ml.errors import UsageError
from python_ml.progress import Reporter, silent
from python_ml.settings import Settings


class Engine(ABC):
    """One engine, by the settings. To open it touches nothing, and starts no client."""

    lies_in_home: bool  # all that counts is under the home, and nothing is elsewhere
    bills_queries: bool  # each query costs money, so that none is sent without need
    reads_landed_files: bool  # where they lie, so that a change in place is one to the tables

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._layout = settings.layout

    # Where things are kept.

    @abstractmethod
    def warehouse(self, run_id: str | None = None) -> Warehouse:
        """The published tables, or those of a run in progress."""

    @abstractmethod
    def store(self) -> Store:
        """The lake's files by key: `models/…` and `ml/feature_snapshot/…`."""

    def handover(self, run_id: str) -> Store:
        """Files that the machines of a run hand to each other; they are gone soon after it."""
        return FolderStore(self._layout.work / run_id)

    @abstractmethod
    def ledger(self) -> RunLedger:
        """The record of runs, with the lease and the claims on batches."""

    @abstractmethod
    def tables_place(self) -> str:
        """Where the published tables are, for messages."""

    @abstractmethod
    def lake_place(self) -> str:
        """Where the lake is, for messages."""

    def own_files(self) -> Collection[Path]:
        """Files that the engine makes in the home beside the lake."""
        return ()

    @property
    def model_package_group(self) -> str:
        """Group of the catalog of models that is told of each version; empty without one."""
        return ""

    # A run, from its beginning to what everybody sees.

    def database(self, run_id: str) -> Path:
        """The file that a run builds in, where the engine keeps tables in one."""
        # Views name their catalog, and the catalog is the file's name: it must not change.
        return self._layout.work / run_id / self._layout.warehouse.name

    def schema(self, run_id: str) -> str | None:
        """The database of the catalog that a run builds in, where the engine has a catalog."""
        return None

    @abstractmethod
    def begin(self, run_id: str, *, of_published: bool) -> None:
        """Make the place that a run builds in; one that is there, of a run resumed, may stay.

        Args:
            run_id: whose folder under the home is there.
            of_published: begin with the published tables, not with none.
        """

    @abstractmethod
    def begin_with_months(
        self, run_id: str, table: str, versions: Mapping[str, str], *, force: bool
    ) -> list[str]:
        """Let a run begin with the unchanged months of a published table.

        Args:
            run_id: of the run, which has begun.
            table: with the columns `month_start` and `month_version`.
            versions: what each month (YYYY-MM) of the batch is to be made of.
            force: begin with none.

        Returns:
            The months that are left to read, in order.
        """

    @abstractmethod
    def holds_published(self) -> bool:
        """Whether there may be published tables, as far as no query is needed to tell."""

    @abstractmethod
    def published_run(self) -> str | None:
        """The run whose tables are published, or None before the first."""

    @abstractmethod
    def is_published(self, run_id: str) -> bool:
        """Whether the tables of this run, which may have been killed since, are published."""

    @abstractmethod
    def publish(self, run_id: str) -> None:
        """Make a run's tables the published ones, all at once; a second call changes nothing."""

    @abstractmethod
    def settle(self) -> None:
        """Carry out what a publication has decided and a kill may have cut short."""

    def compact(self, run_id: str) -> None:
        """Let nothing be left within the run's tables of what others were that it has replaced."""
        return

    def discard(self, run_id: str) -> None:
        """Remove what a run has built outside its folder, which the caller removes."""
        return

    def clear(self, keep: Collection[str]) -> None:
        """Remove what runs that ended early have built outside their folders.

        Args:
            keep: runs that may still be resumed.
        """
        return

    # What dbt and landing hand to it.

    def dbt_schema(self, schema: str | None = None) -> str | None:
        """The database that dbt builds in, where its name is not the same for all runs.

        Args:
            schema: database to build in, instead of the published one.
        """
        return None

    def dbt_environment(self, schema: str | None = None) -> dict[str, str]:
        """What profiles.yml and models/sources.yml read beyond what they do for every engine.

        Args:
            schema: database to build in, instead of the published one.
        """
        return {}

    def knows_external_tables(self) -> bool:
        """Whether the tables of python_ml need not be registered before a run can begin."""
        return True

    def deliver(self, batch: Path, progress: Reporter = silent) -> str | None:
        """Bring a landed batch, which never changes, to where the engine reads it.

        Returns:
            The place, whose tables are to be registered; None where `reads_landed_files`.

        Raises:
            ServiceError: the place cannot be written.
        """
        return None

    def deliver_rejected(self, batch_id: str) -> None:
        """Bring the rows of a batch that were set aside to the lake.

        Raises:
            ServiceError: the place cannot be written.
        """
        return

    def belongings(self) -> Belongings:
        """What is kept outside the home.

        Raises:
            UsageError: nothing is, as `lies_in_home` says.
        """
        raise UsageError("everything that this engine keeps lies in the home")

    def remove_other_batches(self, batch_id: str) -> None:
        """Remove delivered batches but the one that is published.

        Raises:
            ServiceError: the place cannot be written.
        """
        return

    def remove_parts(self, may_go: Callable[[str, str], bool]) -> None:
        """Remove parts of python_ml's tables, but never the newest of a table.

        Args:
            may_go: whether the part of a table that a run has written is needed no more.
        """
        return

    # What it costs.

    def costs_since(self, since: datetime) -> CostReport:
        """Costs of the queries sent since then."""
        return CostReport()

    def costs_of(self, statements: Collection[str]) -> CostReport:
        """Send the statements, a few at once, and tell what they cost.

        Raises:
            SpanishGasError: one fails; the message is the engine's.
        """
        return CostReport()
