"""What a step may know of its run. It is fixed once the run has begun; steps hand on results."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path

from python_ml.contracts.gold import GoldContract, read_contract
from python_ml.engines import Engine, RunLedger, Warehouse, open_engine
from python_ml.land.result import LandResult
from python_ml.pipeline.identity import BatchIdentity
from python_ml.progress import Reporter, silent
from python_ml.quality import QualityProcess
from python_ml.settings import Settings
from python_ml.transform.dbt import DbtRunner
from python_ml.transform.sentiment import sentiment_backend


@dataclass(frozen=True)
class Published:
    """The published rows that a command begins with, in the place of a batch of its own."""

    as_of_date: date
    absent: tuple[str, ...] = ()  # raw tables and columns that their batch was declared to lack

    @property
    def batch_id(self) -> None:
        """No batch of the lake is read."""


# What the rows of a run are made of: the batch that it has landed, or those published.
Batch = LandResult | Published


@dataclass(frozen=True)
class ChosenModel:
    """The version that a person, or a step before, has decided for."""

    model_version: str


@dataclass(frozen=True)
class ParentModel:
    """The version whose calibration is to be refitted."""

    model_version: str


@dataclass(frozen=True)
class Share:
    """What one machine of several does for a step.

    Attributes:
        machine: from 0; the first one leads.
        machines: how many there are.
        attempt: the same for all machines, and another one when they are started again.
    """

    machine: int = 0
    machines: int = 1
    attempt: str = ""

    @property
    def leads(self) -> bool:
        return self.machine == 0


ALONE = Share()


class Tools:
    """What the steps of one run share; each is opened on first use."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._dbt: DbtRunner | None = None

    @cached_property
    def engine(self) -> Engine:
        return open_engine(self._settings)

    @cached_property
    def ledger(self) -> RunLedger:
        return self.engine.ledger()

    @cached_property
    def quality(self) -> QualityProcess:
        """Decides the quality gates, in a process of its own that starts on first use."""
        return QualityProcess()

    def dbt(self, make: Callable[[], DbtRunner]) -> DbtRunner:
        """The run's runner, which keeps the parsed project from step to step."""
        if self._dbt is None:
            self._dbt = make()
        return self._dbt

    def settle(self) -> None:
        """Wait for what is being written beside the run; raises what went wrong there."""
        if "quality" in vars(self):
            self.quality.settle()

    def close(self) -> None:
        """End what works beside the run."""
        if "quality" in vars(self):
            self.quality.close()


@dataclass(frozen=True)
class RunContext:
    """A run as its steps see it.

    Attributes:
        settings: of the run; a step may be given others.
        source: folder or `s3://` prefix of the raw batch; empty where there is none.
        force: trust nothing that earlier runs have made.
        identity: of the batch at the source, where it has been taken.
        tools: shared by the steps.
        publish: makes the run's tables the published ones, as long as the run holds the lease.
        surviving: around what comes after the work, whose failure is a warning.
        report: hears how far the step is.
        share: what this machine does of a step that several take together.
    """

    settings: Settings
    run_id: str
    mode: str
    source: str
    force: bool
    started_at: str
    identity: BatchIdentity | None
    tools: Tools = field(repr=False)
    publish: Callable[[], None] = field(repr=False)
    surviving: Callable[[str], AbstractContextManager[None]] = field(repr=False)
    report: Reporter = field(default=silent, repr=False)
    share: Share = ALONE

    @property
    def engine(self) -> Engine:
        return self.tools.engine

    @property
    def work_dir(self) -> Path:
        """Folder of the run's own files, gone when it has ended well."""
        return self.settings.layout.work / self.run_id

    def warehouse(self) -> Warehouse:
        """The run's own tables; the published ones once they are the same."""
        return self.engine.warehouse(self.run_id)

    def batch_folder(self, landed: LandResult) -> Path:
        """Folder of a landed batch in the lake."""
        return self.settings.layout.batches / landed.batch_id

    def landed_folder(self, batch: Batch) -> Path | None:
        """The same of what a run's rows are made of; None for published rows."""
        return self.batch_folder(batch) if isinstance(batch, LandResult) else None

    def dbt(self, batch: Batch) -> DbtRunner:
        """dbt with this run's variables."""

        def make() -> DbtRunner:
            variables = {
                "run_id": self.run_id,
                "as_of_date": batch.as_of_date.isoformat(),
                "sentiment_backend": sentiment_backend(self.settings),
                "touched_months": [],  # none, before bronze knows them
                "absent": list(batch.absent),
            }
            return DbtRunner(
                self.settings,
                self.engine.database(self.run_id),
                self.work_dir / "dbt",
                variables,
                self.landed_folder(batch),
                self.engine.schema(self.run_id),
            )

        return self.tools.dbt(make)

    def contract(self, batch: Batch) -> GoldContract:
        """What the columns of gold_master are, out of dbt's manifest."""
        return read_contract(self.dbt(batch).manifest(), batch.absent)
