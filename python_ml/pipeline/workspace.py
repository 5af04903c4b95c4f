"""A run's own place: its folder, its lease, its record, and the swap that publishes it.

Nothing that a run does is seen before `publish`. A run that ends early leaves its folder, so that
it can be resumed; the next run that is not a resumption clears it.
"""

from __future__ import annotations

import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from python_ml.alerts import run_alert, send_alert
from python_ml.engines import Engine, RunLedger, Warehouse
from python_ml.engines.ledger import BatchClaim, Lease, iso, new_lease, new_run_id
from python_ml.errors import (
    InterruptedRunError,
    LeaseHeldError,
    OldTablesError,
    SpanishGasError,
    UsageError,
    foreseen,
    on_disk,
)
from python_ml.judge.verdict import EvaluateResult
from python_ml.land.result import LandResult
from python_ml.pipeline.context import ALONE, Batch, Published, RunContext, Share, Tools
from python_ml.pipeline.flow import Results
from python_ml.pipeline.identity import BatchIdentity, work_hash
from python_ml.pipeline.record import begin_record, finish_record, save_record
from python_ml.pipeline.results import ScoreResult, TrainResult
from python_ml.pipeline.resume import FILE, save_state
from python_ml.pipeline.retention import clear_leftovers, mend
from python_ml.progress import Reporter, Step, console, peak_memory_mb, timed_step
from python_ml.settings import Settings
from python_ml.transform.dbt import DbtRunner


@dataclass
class Run:
    """A run in progress: its lease, its record, and what its steps have handed on so far.

    Steps do not see it; they see its `context`.
    """

    settings: Settings
    mode: str = "train"
    run_id: str = field(default_factory=new_run_id)
    source: str = ""
    started_at: str = field(default_factory=lambda: iso(datetime.now(UTC)))
    identity: BatchIdentity | None = None
    steps: list[Step] = field(default_factory=list)
    results: Results = field(default_factory=Results)
    skipped: str | None = None  # why there was nothing to do
    can_resume: bool = False
    force: bool = False  # trust nothing that earlier runs have made
    lease: Lease | None = None
    claim: BatchClaim | None = None  # on the batch
    has_published: bool = False
    warnings: list[str] = field(default_factory=list)  # what failed and did not end the run
    is_failing: bool = False
    is_tidy: bool = False  # what runs that will not be resumed have left is removed
    share: Share = ALONE  # of a step that several machines take together

    @cached_property
    def work_sha256(self) -> str:
        """Code and settings that the results of this run rest on."""
        return work_hash(self.settings)

    @cached_property
    def tools(self) -> Tools:
        return Tools(self.settings)

    @property
    def context(self) -> RunContext:
        """The run as its steps see it; its id is settled once it holds the lease."""
        return RunContext(
            settings=self.settings,
            run_id=self.run_id,
            mode=self.mode,
            source=self.source,
            force=self.force,
            started_at=self.started_at,
            identity=self.identity,
            tools=self.tools,
            publish=self.publish,
            surviving=self.surviving,
            share=self.share,
        )

    @property
    def engine(self) -> Engine:
        return self.tools.engine

    @property
    def ledger(self) -> RunLedger:
        return self.tools.ledger

    @property
    def work_dir(self) -> Path:
        return self.settings.layout.work / self.run_id

    @property
    def database(self) -> Path:
        return self.engine.database(self.run_id)

    def warehouse(self) -> Warehouse:
        """The run's own tables; the published ones once they are the same."""
        return self.engine.warehouse(self.run_id)

    @property
    def batch(self) -> Batch | None:
        """What the run's rows are made of, once it is known."""
        return self.results.get(LandResult) or self.results.get(Published)

    @property
    def as_of_date(self) -> date | None:
        return None if self.batch is None else self.batch.as_of_date

    @property
    def batch_id(self) -> str | None:
        """Of the landed batch in the lake."""
        return None if self.batch is None else self.batch.batch_id

    @contextmanager
    def step(self, name: str) -> Iterator[tuple[Step, Reporter]]:
        """Run a step: timed, shown and recorded; once it is over, `resume` does not repeat it."""
        is_first = not self.steps
        with timed_step(name, self.steps) as (step, report):
            (begin_record if is_first else save_record)(self)
            self._tidy()
            yield step, report
        if self.can_resume:
            save_state(self)
        save_record(self)

    def _tidy(self) -> None:
        """Remove what can be resumed no longer, now that this run really works in its place."""
        if self.lease is not None and not self.is_tidy:
            clear_leftovers(self.settings, self.run_id)
            self.is_tidy = True

    def publish(self) -> None:
        """The run's tables become the published ones, all at once.

        Raises:
            LeaseHeldError: the lease has gone to another run.
        """
        if self.lease is None:
            raise SpanishGasError(f"run {self.run_id} publishes outside its workspace")
        self.ledger.beat(self.lease, self.settings.runs.lease_seconds)
        self.engine.publish(self.run_id)
        self.has_published = True
        self.engine.settle()

    @contextmanager
    def surviving(self, what: str) -> Iterator[None]:
        """For what comes after the work: its failure is a warning, and the run's end stays.

        Args:
            what: is lost, as the warning says before the reason.
        """
        try:
            yield
        except Exception as error:
            self.warn(f"{what}: {foreseen(error) or repr(error)}")

    def warn(self, told: str) -> None:
        """Keep a warning, and show it, unless the run's own error is soon to be shown alone."""
        self.warnings.append(told)
        if not self.is_failing:
            console.print(f"warning: {told}", style="yellow", soft_wrap=True)

    def has_done(self, name: str) -> bool:
        return any(step.name == name and step.status == "done" for step in self.steps)

    @property
    def training_as_of_date(self) -> str | None:
        """Of the labels that the model learned from which scores, or which was trained."""
        if scores := self.results.get(ScoreResult):
            return scores.training_as_of_date.isoformat()
        trained = self.results.get(TrainResult) or self.results.get(EvaluateResult)
        return trained.as_of_date.isoformat() if trained else None

    def as_dict(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "mode": self.mode,
            "skipped": self.skipped,
            "as_of_date": None if self.as_of_date is None else self.as_of_date.isoformat(),
            "training_as_of_date": self.training_as_of_date,
            "target": self.settings.target,
            "batch_sha256": self.identity.sha256 if self.identity else None,
            "seconds": round(sum(step.seconds for step in self.steps), 3),
            "peak_memory_mb": round(peak_memory_mb(), 1),
            "steps": [step.as_dict() for step in self.steps],
            "warnings": self.warnings,
            **self.results.as_dict(),
        }


@contextmanager
def workspace(run: Run, *, of_published: bool = False) -> Iterator[None]:
    """The lease and the run's folder; records what became of the run, whatever it was.

    Args:
        of_published: begin with a copy of what is published, not with nothing.

    Raises:
        LeaseHeldError: another run holds the warehouse.
        InterruptedRunError: a person ended the run; the message says how it goes on.
    """
    with _lease(run):
        _protect(run)
        prepare(run)
        mend(run.settings, run.ledger, run.run_id)
        with on_disk(run.work_dir):
            run.work_dir.mkdir(parents=True, exist_ok=True)
        try:
            _begin(run, of_published=of_published)
            yield
        except KeyboardInterrupt as error:
            interrupted = _interrupted(run)
            _end(run, interrupted)
            raise interrupted from error
        except Exception as error:
            ended = foreseen(error) or error
            if run.has_published:  # whatever it is, everybody reads this run's tables now
                with run.surviving("after it had published"):
                    raise ended from error
                _end(run, None)
                return
            _end(run, ended)
            if ended is error:
                raise
            raise ended from error
        finally:
            run.tools.close()
        _end(run, None)


def _end(run: Run, error: Exception | None) -> None:
    """Record and tell how a run ended, and give back what it holds, whichever of that fails.

    What was asked for wrongly has begun nothing, so that nothing is recorded or told of it.
    """
    seconds = run.settings.runs.lease_seconds
    reason = None if run.has_published else error
    run.is_failing = reason is not None
    has_begun = run.steps or not isinstance(error, UsageError | OldTablesError)
    if has_begun:
        with run.surviving(f"the end of run {run.run_id} could not be recorded"):
            finish_record(run, reason)
        with run.surviving("nobody could be alerted"):
            _tell(run, reason)
    with run.surviving(f"the batch is not marked as run or free; its claim ends in {seconds} s"):
        _settle(run, succeeded=reason is None)
    if reason is None or not run.can_resume:
        with run.surviving("what the run left could not be removed; the next run does it"):
            _discard(run)


def _interrupted(run: Run) -> InterruptedRunError:
    if run.has_published:
        return InterruptedRunError(f"interrupted; run {run.run_id} had published")
    at = f" at step {run.steps[-1].name}" if run.steps else ""
    if run.can_resume and (run.work_dir / FILE).exists():
        return InterruptedRunError(f"interrupted{at}; `spanishgas run --resume` goes on from there")
    return InterruptedRunError(f"interrupted{at}; nothing was published")


def _protect(run: Run) -> None:
    """Take rights away that the setting `readable_by` does not give.

    Files are made without them; this is for those that an earlier version made. A landed month may
    be the same file as the company's, whose rights are not ours to change: its folder is.
    """
    settings, layout = run.settings, run.settings.layout
    for top in (layout.lake, layout.reports, layout.work, *run.engine.own_files()):
        for path in (top, *top.rglob("*")):
            if path.is_symlink() or not path.exists():
                continue
            found = path.stat()
            if found.st_mode & settings.umask and (path.is_dir() or found.st_nlink == 1):
                with suppress(OSError):  # another user's file, or a file system without permissions
                    path.chmod(stat.S_IMODE(found.st_mode) & ~settings.umask)


def _tell(run: Run, error: BaseException | None) -> None:
    """Alert of how the run ended; one that had nothing to do is no news.

    The log is left out: whoever reads it sees the command's own message.
    """
    if run.skipped is None:
        failed = next((step.name for step in run.steps if step.status == "failed"), None)
        seconds = sum(step.seconds for step in run.steps)
        alert = run_alert(run.run_id, run.mode, seconds, error, failed)
        send_alert(run.settings, alert, without=("log",), complain=run.warn)


def _settle(run: Run, *, succeeded: bool) -> None:
    """The batch is done, or free again."""
    if run.claim is not None:
        run.ledger.finish(run.claim, succeeded=succeeded)


def prepare(run: Run) -> None:
    """Finish a publication that was killed, and let a catalog know our tables."""
    run.engine.settle()
    if not run.engine.knows_external_tables():
        DbtRunner(
            run.settings, run.database, run.work_dir / "register", {}
        ).register_external_tables({}, sources=["ml"])  # the landed ones once they are


def _begin(run: Run, *, of_published: bool) -> None:
    """The run's tables: those that are published, or none."""
    if of_published:
        with run.engine.warehouse() as published:
            newest = published.query("select max(as_of_date) as as_of_date from gold_master")
            absent = ()
            if "bronze_missing_input" in published.table_names():  # older versions had none
                missing = published.query("select input_name from bronze_missing_input order by 1")
                absent = tuple(missing["input_name"])
        run.results.put(Published(newest["as_of_date"].iloc[0].date(), absent))
    run.engine.begin(run.run_id, of_published=of_published)


def _discard(run: Run) -> None:
    """Remove what the run has left."""
    shutil.rmtree(run.work_dir, ignore_errors=True)
    run.engine.discard(run.run_id)


@contextmanager
def _lease(run: Run) -> Iterator[None]:
    """Hold the warehouse, and renew the lease while the run works."""
    seconds = run.settings.runs.lease_seconds
    newest = run.ledger.runs(limit=1)
    if newest and newest[0].run_id > run.run_id:
        run.run_id = new_run_id(newest[0].run_id)
    lease = run.ledger.acquire(new_lease(run.run_id, run.mode), seconds)
    run.lease = lease
    over = threading.Event()
    thread = threading.Thread(target=_keep, args=(run, lease, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        run.lease = None
        with run.surviving(f"the lease could not be given back; it ends in {seconds} s"):
            run.ledger.release(lease)
        if run.is_failing and run.warnings:
            # One line: most often it is the full disk again that the run has failed for.
            told = "; ".join(dict.fromkeys(text.partition(": ")[0] for text in run.warnings))
            console.print(f"warning: {told}", style="yellow", soft_wrap=True)


def _keep(run: Run, lease: Lease, over: threading.Event) -> None:
    """Renew the lease three times in its life. Whether it is still ours, `publish` asks again."""
    seconds = run.settings.runs.lease_seconds
    while not over.wait(seconds / 3):
        try:
            run.ledger.beat(lease, seconds)
            if run.claim is not None:
                run.ledger.claim(run.claim, seconds)
        except LeaseHeldError as error:
            console.print(str(error), style="red")
            return
        except Exception as error:  # the store may be back for the next one
            console.print(f"the lease could not be renewed: {error}", style="yellow")
