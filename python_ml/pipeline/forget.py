"""`spanishgas forget C01234`: survey, removal and proof."""

from __future__ import annotations

import logging
import shutil
from datetime import UTC, datetime
from pathlib import Path

from python_ml.documents import hash_file, read_json, write_json
from python_ml.engines import open_warehouse
from python_ml.engines.ledger import iso, user_name
from python_ml.errors import SpanishGasError, UsageError
from python_ml.land.mapping import id_columns
from python_ml.land.write import MANIFEST, stamp
from python_ml.pages.preview import preview_folder, write_preview
from python_ml.pipeline.forget_result import (
    ForgetResult,
    Survey,
    left_over,
    note_change,
    require_customer_id,
)
from python_ml.pipeline.workspace import Run, workspace
from python_ml.privacy.containers import DAMAGED
from python_ml.privacy.person import Pending, traces_of
from python_ml.privacy.remove import remove_from, scrub_duckdb
from python_ml.privacy.search import Find, Searched, search
from python_ml.privacy.tombstones import Tombstones, read_tombstones
from python_ml.privacy.traces import Traces
from python_ml.progress import Reporter

_PASSES = 3  # what the first one wrote, such as a file in a file, the next one sees


def survey_customer(run: Run, customer_id: str) -> Survey:
    """Search everything under the home for a person; writes nothing.

    Raises:
        UsageError: no customer id, or one that no file under the home knows.
        SpanishGasError: the list of the forgotten cannot be read.
    """
    require_customer_id(run.settings, customer_id)
    layout = run.settings.layout
    if not layout.home.is_dir():
        raise UsageError(f"{layout.home}: no such folder; --home names the one to search")
    stones = read_tombstones(run.engine.store())
    traces = traces_of(layout.home, customer_id, id_columns(run.settings))
    if left := Pending(layout.home, stones, customer_id).read():
        traces = traces.joined(left)
    searched = _search(run, traces)
    if not searched.found and left is None and not stones.among([customer_id]):
        raise UsageError(
            f"no file under {layout.home} mentions customer {customer_id}; nothing was changed"
        )
    where = f"under {layout.home}"
    return Survey(customer_id, traces, searched.places, searched.file_count, where)


def forget_customer(run: Run, survey: Survey) -> ForgetResult:
    """Remove a person from everything under the home, and search it all.

    The tombstone, and what is to be searched for, are written first: a command that was killed is
    called again, and a run in between keeps the person out already.

    Raises:
        SpanishGasError: something of the person is still found; the message says where.
    """
    run.mode = "forget"
    layout = run.settings.layout
    has_published = layout.warehouse.exists()
    with workspace(run, of_published=has_published), run.step("forget") as (step, report):
        stones = read_tombstones(run.engine.store())
        # With the tombstone the salt is kept, by which the next call knows the file that follows.
        stones.add(survey.customer_id, iso(datetime.now(UTC)), user_name())
        pending = Pending(layout.home, stones, survey.customer_id)
        pending.write(survey.traces)
        remover = _Remover(run, survey.traces, stones, report)
        remover.remove(survey.places)
        pages_written = has_published and _write_pages(run, report)
        shutil.rmtree(run.work_dir, ignore_errors=True)
        for _ in range(_PASSES):
            report("searching", None)
            left = _search(run, survey.traces)
            if left.is_clean:
                break
            remover.remove(left.places)
        else:
            left = _search(run, survey.traces)
        step.rows = sum(place.count for place in survey.places)
        if not left.is_clean:
            raise SpanishGasError(left_over(left, survey.traces, "under the home"))
        pending.clear()
    short = survey.traces.short_text_count
    return ForgetResult(survey.places, left.file_count, short, pages_written)


def _search(run: Run, traces: Traces) -> Searched:
    layout = run.settings.layout
    return search(layout.home, traces, skip=set(layout.forgetting.glob("*")))


def _write_pages(run: Run, report: Reporter) -> bool:
    """The dashboards, of the cleaned warehouse. Without them nothing is left of the old ones."""
    report("the dashboards", None)
    folder = preview_folder(run.settings)
    if not folder.exists():
        return False
    try:
        with open_warehouse(run.settings) as warehouse:
            write_preview(warehouse, run.settings, folder)
    except Exception as error:
        shutil.rmtree(folder)
        logging.getLogger(__name__).warning(
            "the dashboards could not be written anew and were removed; the next run writes them: "
            "%s",
            error,
        )
        return False
    return True


class _Remover:
    """Removes a person from the places of a search, and keeps what refers to them right."""

    def __init__(self, run: Run, traces: Traces, stones: Tombstones, report: Reporter) -> None:
        self.run, self.traces, self.stones, self.report = run, traces, stones, report
        self.layout = run.settings.layout

    def remove(self, places: list[Find]) -> None:
        """Take the person out of each file; what cannot be edited is left to the next search."""
        batches: set[Path] = set()
        for name in dict.fromkeys(place.path for place in places):
            path = self.layout.home / name
            self.report(name, None)
            if path == self.layout.warehouse and self.run.database.exists():
                scrub_duckdb(self.run.database, self.traces)
                self.run.publish()
                # What fails after it is no mere warning: the proof decides how this run ends.
                self.run.has_published = False
            elif path.exists() or path.is_symlink():
                try:
                    remove_from(path, self.traces, note_change(path, self.stones))
                except DAMAGED as error:
                    logging.getLogger(__name__).warning("%s could not be edited: %s", name, error)
            if path.is_relative_to(self.layout.batches) and path.suffix == ".parquet":
                batches.add(self.layout.batches / path.relative_to(self.layout.batches).parts[0])
        for batch in sorted(batches):
            _renew_manifest(batch)


def _renew_manifest(batch: Path) -> None:
    """Let the manifest of a landed batch say what its files are now.

    Months that have lost rows have another content, and are no longer the ones that a raw file
    holds.
    """
    document = read_json(batch / MANIFEST)
    if document is None:
        return
    noted = {name: tuple(known) for name, known in document["files"]}
    files = []
    for path in sorted(batch.rglob("*.parquet")):
        name, now = path.relative_to(batch).as_posix(), stamp(path)
        month = path.parent.name.removeprefix("month=")
        if noted.get(name) != tuple(now) and month in document["result"].get("months", {}):
            document["result"]["months"][month] = hash_file(path)
            document.get("known", {}).pop(month, None)
        files.append([name, now])
    write_json(batch / MANIFEST, document | {"files": files})
