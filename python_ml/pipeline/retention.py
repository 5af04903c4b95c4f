"""What earlier runs have left: mended where one died, cleared where it is no use any more."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from python_ml.engines import RunLedger, open_engine, open_warehouse
from python_ml.engines.ledger import CLAIMED, RUNNING, BatchClaim
from python_ml.engines.published import is_champion, published_run
from python_ml.errors import on_disk
from python_ml.land import write
from python_ml.pipeline.record import RUN_TABLE, STEP_TABLE, bury, write_run_tables
from python_ml.registry import open_registry
from python_ml.registry.base import lineage
from python_ml.registry.promotion import reconcile
from python_ml.settings import Settings

if TYPE_CHECKING:
    from python_ml.pipeline.workspace import Run

# Labels are made once for all runs; offers are a history; draws and contacts are what effects are
# measured from; scores are compared with what happens months later.
KEPT = (
    *("interaction_sentiment", "offer_assignment"),
    *("campaign_assignment", "campaign_stop", "campaign_contact", "campaign_effect"),
    *("customer_score", "score_estimate", "score_outcome"),
)
EVALUATIONS = ("model_gate", "model_metric", "leakage_alarm", "policy_value")


def mend(settings: Settings, ledger: RunLedger, run_id: str) -> None:
    """Finish what a run that died could not: its record, and pointers that follow the warehouse.

    Whoever calls holds the lease, so a run that still counts as running is dead.
    """
    published = published_run(settings)
    if published is not None and not is_champion(settings, published[1]):
        reconcile(settings)
    for record in ledger.runs():
        has_published = published is not None and published[0] == record.run_id
        if record.status == RUNNING and record.run_id != run_id:
            ledger.save(bury(record, has_published=has_published))
            write_run_tables(settings, record)
            if record.batch_sha256 is not None:
                claim = BatchClaim(
                    *(record.batch_sha256, record.mode, CLAIMED, record.run_id, record.work_sha256)
                )
                ledger.finish(claim, succeeded=has_published)
        if (
            has_published
            and record.batch_id
            and (settings.layout.batches / record.batch_id).is_dir()
        ):
            write.make_current(settings.layout.lake, record.batch_id)


def clear_leftovers(settings: Settings, run_id: str) -> None:
    """Remove the folders of runs that will not be resumed: all but this one's."""
    folder = settings.layout.work
    with on_disk(folder):
        for left in folder.iterdir() if folder.is_dir() else ():
            if left.name != run_id:
                shutil.rmtree(left)
    open_engine(settings).clear(keep=[run_id])


def apply_retention(run: Run) -> None:
    """Remove what is older than the settings `runs` say and what nothing rests on any more.

    Never removed are the parts, snapshots and splits of the published run and of those that trained
    or evaluated the champion or the one before it, the newest part of each table, and the tables
    KEPT, which later runs build on. What cannot be removed now is left to the next run.
    """
    layout, limits = run.settings.layout, run.settings.runs
    with run.surviving("what earlier runs left could not all be removed"):
        write.remove_others(layout.lake)
        records = run.ledger.runs()
        needed = {record.run_id for record in records[: limits.keep_runs]}
        needed |= {run.run_id} | _runs_of_champions(run.settings)
        on_record = {record.run_id for record in records[: limits.keep_records]} | needed
        run.engine.remove_parts(partial(_may_go, needed, on_record))
        if run.batch_id is not None:
            run.engine.remove_other_batches(run.batch_id)
        for report in (*layout.reports.glob("runs/*.json"), *layout.reports.glob("data_docs/*")):
            if report.name.removesuffix(".json") not in needed:
                _remove(report)
        batches = {f"batch={record.batch_id}" for record in records if record.run_id in needed}
        for rejected in layout.rejected.glob("*/batch=*"):
            if rejected.name not in batches:
                _remove(rejected)
        run.ledger.forget_runs([r.run_id for r in records if r.run_id not in on_record])


def _may_go(needed: Collection[str], on_record: Collection[str], table: str, run_id: str) -> bool:
    """Parts of tables that record runs stay as long as the records."""
    keep = on_record if table in (RUN_TABLE, STEP_TABLE) else needed
    return table not in KEPT and run_id not in keep


def _runs_of_champions(settings: Settings) -> set[str]:
    """Runs that trained or evaluated the champion or the one to roll back to, those that trained
    what they were recalibrated from, and the published."""
    registry = open_registry(settings)
    found = set((published_run(settings) or ())[:1])
    known = set(registry.versions())
    champions = {registry.champion(), registry.previous_champion()} & known
    origins = [registry.load(version).origin for version in champions if version]
    parents = {version for origin in origins for version in lineage(origin)} & known
    origins += [registry.load(version).origin for version in parents]
    found |= {origin["run_id"] for origin in origins}
    with open_warehouse(settings) as warehouse:
        for table in EVALUATIONS:
            rows = warehouse.read_external(table)
            found |= set(rows.loc[rows["model_version"].isin(champions), "run_id"])
    return found


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
