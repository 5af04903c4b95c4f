"""`spanishgas forget C01234`: survey, removal and proof."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from python_ml.contracts.schema import customer_id_pattern
from python_ml.documents import hash_file, read_json, write_json
from python_ml.engines import open_warehouse
from python_ml.engines.ledger import user_name
from python_ml.errors import SpanishGasError, UsageError
from python_ml.judge.snapshot import SCORED_ROWS, TRAINING_ROWS, content_hash
from python_ml.judge.split import split_hash
from python_ml.land.mapping import id_pattern
from python_ml.land.write import MANIFEST, stamp
from python_ml.pages.preview import preview_folder, write_preview
from python_ml.pipeline.workspace import Run, workspace
from python_ml.privacy.containers import DAMAGED
from python_ml.privacy.person import Pending, traces_of
from python_ml.privacy.remove import remove_from, scrub_duckdb
from python_ml.privacy.search import Find, Searched, search
from python_ml.privacy.tombstones import Tombstones, read_tombstones
from python_ml.privacy.traces import REMOVED, Traces
from python_ml.progress import Reporter

_PASSES = 3  # what the first one wrote, such as a file in a file, the next one sees


@dataclass(frozen=True)
class Survey:
    """Where something of a person is, before anything is removed."""

    customer_id: str
    traces: Traces
    places: list[Find]
    file_count: int  # searched

    def as_dict(self) -> dict[str, Any]:
        return {
            "is_dry_run": True,
            "places": [place.as_dict() for place in self.places],
            "searched_files": self.file_count,
            "short_texts": self.traces.short_text_count,
        }


@dataclass(frozen=True)
class ForgetResult:
    """What was removed; it does not say of whom."""

    places: list[Find] = field(default_factory=list)
    searched_files: int = 0
    short_texts: int = 0  # which only the person has said, of too few words to be searched for
    pages_written: bool = False

    def as_dict(self) -> dict[str, Any]:
        places = [place.as_dict() for place in self.places]
        return asdict(self) | {"is_dry_run": False, "places": places}


def survey_customer(run: Run, customer_id: str) -> Survey:
    """Search everything under the home for a person; writes nothing.

    Raises:
        UsageError: no customer id, one that no file under the home knows, or a target other than
            duckdb.
        SpanishGasError: the list of the forgotten cannot be read.
    """
    if not run.engine.lies_in_home:
        raise UsageError(
            "forget works on a home, with the target duckdb; how a person is removed on AWS is in "
            "docs/runbook.md, Forget a person"
        )
    if not re.fullmatch(pattern := id_pattern(run.settings), customer_id):
        looks = "C01234" if pattern == customer_id_pattern() else pattern
        raise UsageError(f"{customer_id!r} is not a customer id, which looks like {looks}")
    layout = run.settings.layout
    if not layout.home.is_dir():
        raise UsageError(f"{layout.home}: no such folder; --home names the one to search")
    stones = read_tombstones(run.engine.store())
    traces = traces_of(layout.home, customer_id)
    if left := Pending(layout.home, stones, customer_id).read():
        traces = traces.joined(left)
    searched = _search(run, traces)
    if not searched.found and left is None and not stones.among([customer_id]):
        raise UsageError(
            f"no file under {layout.home} mentions customer {customer_id}; nothing was changed"
        )
    return Survey(customer_id, traces, searched.places, searched.file_count)


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
        stones.add(survey.customer_id, datetime.now(UTC).isoformat(timespec="seconds"), user_name())
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
            raise SpanishGasError(_told(left, survey.traces))
        pending.clear()
    short = survey.traces.short_text_count
    return ForgetResult(survey.places, left.file_count, short, pages_written)


def _search(run: Run, traces: Traces) -> Searched:
    layout = run.settings.layout
    return search(layout.home, traces, skip=set(layout.forgetting.glob("*")))


def _told(left: Searched, traces: Traces) -> str:
    """What is left, in words that a record of the run may keep."""
    listing = "\n".join(f"  {traces.redact(str(place))}" for place in left.places)
    return (
        f"something of the customer is left under the home ({REMOVED} stands for the id):\n"
        f"{listing}"
        "\nDelete these files, or put right what cannot be opened, and call forget again"
    )


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
                    remove_from(path, self.traces, _note(path, self.stones))
                except DAMAGED as error:
                    logging.getLogger(__name__).warning("%s could not be edited: %s", name, error)
            if path.is_relative_to(self.layout.batches) and path.suffix == ".parquet":
                batches.add(self.layout.batches / path.relative_to(self.layout.batches).parts[0])
        for batch in sorted(batches):
            _renew_manifest(batch)


def _note(path: Path, stones: Tombstones) -> Callable[[Path], None] | None:
    """Keep track of content that model versions name by its hash."""
    kind = path.parent.parent.name if path.suffix == ".parquet" else ""
    if kind in (SCORED_ROWS, TRAINING_ROWS):
        hash_of = _content_hash
    elif kind == "model_split":
        hash_of = _split_hash
    else:
        return None
    before = hash_of(path)
    return lambda rest: stones.note_change(before, hash_of(rest))


def _content_hash(path: Path) -> str:
    return content_hash(pq.ParquetFile(path).read())


def _split_hash(path: Path) -> str:
    frame: pd.DataFrame = pq.ParquetFile(path).read().to_pandas()
    return split_hash(frame[["customer_id", "split_part", "cv_fold"]])


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
