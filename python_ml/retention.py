"""What earlier runs have left: mended where one died, cleared where it is no use any more."""

from __future__ import annotations

import shutil

from python_ml.config import Settings
from python_ml.record import bury, write_run_tables
from python_ml.runs import RunManifest
from python_ml.runs.manifest import CLAIMED, RUNNING, BatchClaim


def mend(settings: Settings, manifest: RunManifest, run_id: str) -> None:
    """Finish what a run that died could not: its record, and pointers that follow the warehouse.

    Whoever calls holds the lease, so a run that still counts as running is dead.
    """
    from python_ml.land import write
    from python_ml.promotion import published_run, reconcile

    reconcile(settings)
    published = published_run(settings)
    for record in manifest.runs():
        has_published = published is not None and published[0] == record.run_id
        if record.status == RUNNING and record.run_id != run_id:
            manifest.save(bury(record, has_published=has_published))
            write_run_tables(settings, record)
            if record.batch_sha256 is not None:
                claim = BatchClaim(
                    *(record.batch_sha256, record.mode, CLAIMED, record.run_id, record.work_sha256)
                )
                manifest.finish(claim, succeeded=has_published)
        if (
            has_published
            and record.batch_id
            and (settings.layout.batches / record.batch_id).is_dir()
        ):
            write.make_current(settings.layout.lake, record.batch_id)


def clear_leftovers(settings: Settings, run_id: str) -> None:
    """Remove the folders of runs that will not be resumed: all but this one's."""
    folder = settings.layout.work
    for left in folder.iterdir() if folder.is_dir() else ():
        if left.name != run_id:
            shutil.rmtree(left)
    if settings.target == "athena":
        from python_ml.aws.publish import Publication

        Publication(settings.athena).clear(keep=[run_id])


def apply_retention(settings: Settings) -> None:
    """Remove what no later run can need: landed batches beside the one that is published."""
    from python_ml.land import write

    write.remove_others(settings.layout.lake)
