"""`spanishgas forget C01234`."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from python_ml.config import Settings
from python_ml.dataset import SCORED_ROWS, TRAINING_ROWS, content_hash
from python_ml.documents import hash_file, read_json, write_json
from python_ml.errors import SpanishGasError, UsageError
from python_ml.forget.search import search
from python_ml.land.scrub import (
    CUSTOMER_ID,
    pattern_of,
    scrub_arrow,
    scrub_database,
    scrub_parquet,
    scrub_sqlite,
    scrub_text,
)
from python_ml.land.write import MANIFEST, stamp
from python_ml.modelling.split import split_hash
from python_ml.runs.local import FILE as RUNS
from python_ml.runs.manifest import user_name
from python_ml.runs.workspace import Run, swap, workspace
from python_ml.sql import literal
from python_ml.tombstones import Tombstones, read_tombstones
from python_ml.warehouse import open_warehouse

_BINARY = (".parquet", ".duckdb", ".sqlite", ".png", ".ubj")


@dataclass(frozen=True)
class ForgetResult:
    """What was removed; it does not say of whom."""

    row_count: int
    file_count: int
    searched_files: int
    found: list[str]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def forget_customer(run: Run, customer_id: str) -> ForgetResult:
    """Remove a person from everything under the home, and search it all.

    The tombstone is laid first: a command that was killed is called again, and a run in between
    keeps the person out already.

    Raises:
        UsageError: no customer id, or a target other than duckdb.
        SpanishGasError: something of the person is still found; the message says where.
    """
    if not re.fullmatch("C[0-9]{5,9}", customer_id):
        raise UsageError(f"{customer_id!r} is no customer id, such as C01234")
    if run.settings.target != "duckdb":
        raise UsageError("forget works on a home; for the target athena docs/runs.md tells the way")
    run.mode = "forget"
    layout = run.settings.layout
    has_published = layout.warehouse.exists()
    with workspace(run, of_published=has_published), run.step("forget") as (step, report):
        stones = read_tombstones(layout.lake)
        stones.add(customer_id, datetime.now(UTC).isoformat(timespec="seconds"), user_name())
        texts, hashes = _words(run.settings, customer_id) if has_published else ([], [])
        pattern, counts = pattern_of([customer_id]), [0]
        report("the lake", None)
        counts += _scrub_lake(layout.lake, customer_id, hashes, stones)
        report("texts and reports", None)
        counts += [_scrub_files(layout.home, run.work_dir, customer_id, pattern)]
        if has_published:
            report("the warehouse", None)
            counts.append(scrub_database(run.database, pattern))
            swap(run)
        if (layout.home / RUNS).exists():
            scrub_sqlite(layout.home / RUNS, pattern)
        step.rows = sum(counts)
    report_files = [path for path in layout.home.rglob("*") if path.is_file()]
    found = search(layout.home, customer_id, texts)
    result = ForgetResult(sum(counts), sum(map(bool, counts)), len(report_files), found)
    if found:
        raise SpanishGasError(
            f"the customer is still found in {len(found)} places:\n  " + "\n  ".join(found)
        )
    return result


def _words(settings: Settings, customer_id: str) -> tuple[list[str], list[str]]:
    """Texts that only this customer has, and the hashes by which their sentiment is kept."""
    with open_warehouse(settings) as warehouse:
        rows = warehouse.query(
            "select text_hash, any_value(interaction_summary) as words from bronze_interaction "
            "where text_hash is not null group by text_hash "
            f"having count(distinct customer_id) = 1 and min(customer_id) = {literal(customer_id)}"
        )
    return rows["words"].tolist(), rows["text_hash"].tolist()


def _scrub_lake(lake: Path, customer_id: str, hashes: list[str], stones: Tombstones) -> list[int]:
    """Landed batches, rejected rows, and the parts and snapshots that python_ml has written."""
    counts = [
        scrub_parquet(path, [customer_id]) for path in sorted(lake.glob("rejected/**/*.parquet"))
    ]
    for batch in sorted((lake / "batches").glob("*")):
        counts += scrub_batch(batch, [customer_id])
    gone = pa.array([customer_id]), pa.array(hashes, pa.string())

    def matches(table: pa.Table) -> pa.Array:
        if CUSTOMER_ID in table.column_names:
            return pc.is_in(table[CUSTOMER_ID], value_set=gone[0])
        if "text_hash" in table.column_names:
            return pc.is_in(table["text_hash"], value_set=gone[1])
        return pa.array([False] * len(table), pa.bool_())

    for path in sorted((lake / "ml").glob("*/run_id=*/*.parquet")):
        counts.append(scrub_arrow(path, matches, _note(path, stones)))
    return counts


def _note(path: Path, stones: Tombstones) -> Any:
    """Keep track of content that model versions name by its hash."""
    kind = path.parent.parent.name
    if kind in (SCORED_ROWS, TRAINING_ROWS):
        hash_of = content_hash
    elif kind == "model_split":
        hash_of = _split_hash
    else:
        return None
    before = hash_of(pa.parquet.ParquetFile(path).read())
    return lambda rest: stones.note_change(before, hash_of(rest))


def _split_hash(table: pa.Table) -> str:
    frame: pd.DataFrame = table.to_pandas()
    return split_hash(frame[["customer_id", "split_part", "cv_fold"]])


def scrub_batch(batch: Path, customer_ids: list[str]) -> list[int]:
    """A landed batch, and its manifest: months that lost rows have another content."""
    paths = sorted(batch.rglob("*.parquet"))
    counts = [scrub_parquet(path, customer_ids) for path in paths]
    document = read_json(batch / MANIFEST)
    if document is not None and any(counts):
        for path, count in zip(paths, counts, strict=True):
            month = path.parent.name.removeprefix("month=")
            if count and month in document["result"].get("months", {}):
                document["result"]["months"][month] = hash_file(path)
                document.get("known", {}).pop(month, None)
        document["files"] = [[p.relative_to(batch).as_posix(), stamp(p)] for p in paths]
        write_json(batch / MANIFEST, document)
    return counts


def _scrub_files(home: Path, work_dir: Path, customer_id: str, pattern: str) -> int:
    """Raw files inside the home, reports, cards and whatever else is text."""
    count = 0
    for path in sorted(home.rglob("*")):
        if path.is_symlink() or not path.is_file() or work_dir in path.parents:
            continue
        if path.suffix == ".parquet" and (home / "lake") not in path.parents:
            count += bool(scrub_parquet(path, [customer_id]))
        elif path.suffix not in _BINARY:
            count += scrub_text(path, pattern)
    return count
