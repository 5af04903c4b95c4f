"""What a run has finished, kept in its folder, so that another process can go on from there.

The document is data: results are read back through their declared types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from python_ml.documents import read_json, write_json
from python_ml.engines.ledger import SUCCEEDED
from python_ml.errors import BadInputError, UsageError
from python_ml.land.discover import Entry
from python_ml.land.result import LandResult
from python_ml.land.s3 import is_s3
from python_ml.land.write import is_intact
from python_ml.pipeline.flow import Results
from python_ml.pipeline.identity import BatchIdentity, work_hash
from python_ml.progress import Step
from python_ml.quality import QualityResult

if TYPE_CHECKING:
    from python_ml.pipeline.workspace import Run

FILE = "state.json"
_PACKAGE = "python_ml."


def save_state(run: Run) -> None:
    """Keep the finished steps of a run and what they handed on."""
    assert run.identity is not None
    write_json(
        run.work_dir / FILE,
        {
            "mode": run.mode,
            "force": run.force,
            "source": run.source,
            "started_at": run.started_at,
            "identity": asdict(run.identity),
            "work_sha256": work_hash(run.settings, with_judges=False),
            "steps": [asdict(step) for step in run.steps if step.status == "done"],
            "results": [_as_document(value) for value in run.results],
        },
    )


def find_failed(run: Run) -> str:
    """Id of the run that `--resume` goes on with: the last one, if it failed.

    Raises:
        UsageError: it did not fail, or nothing of it is left.
    """
    last = next((r for r in run.ledger.runs() if r.mode in ("train", "score")), None)
    if last is None:
        raise UsageError("there is no run to resume; start one without --resume")
    if last.status == SUCCEEDED:
        raise UsageError(f"the last run, {last.run_id}, succeeded; there is nothing to resume")
    folder = run.work_dir.with_name(last.run_id)
    if not (folder / FILE).exists():
        raise UsageError(
            f"nothing is left of run {last.run_id} to resume: it ended in its first step, or a "
            "later command cleared it; start a new run"
        )
    return last.run_id


def require_same(run: Run, *, source: str | None, mode: str | None, force: bool) -> None:
    """Make sure that what was named together with `--resume` is what the failed run is about.

    Raises:
        UsageError: it would be ignored.
    """
    state = _read_state(run)
    differing = []
    if source is not None and not _is_same(source, state["source"]):
        differing.append(f"--raw {source} (it reads {state['source']})")
    if mode not in (None, state["mode"]):
        differing.append(f"--mode {mode} (its mode is {state['mode']})")
    if force and not state["force"]:
        differing.append("--force (it was started without)")
    if differing:
        raise UsageError(
            f"--resume goes on with run {run.run_id}, and {', '.join(differing)} would be ignored. "
            "Leave that out, or start a new run without --resume."
        )


def _is_same(source: str, other: str) -> bool:
    return source.rstrip("/") == other.rstrip("/") or (
        not (is_s3(source) or is_s3(other)) and Path(source).resolve() == Path(other).resolve()
    )


def _read_state(run: Run) -> dict[str, Any]:
    """What `save_state` has kept.

    Raises:
        UsageError: it cannot be read.
    """
    path = run.work_dir / FILE
    if (state := read_json(path)) is None:
        raise UsageError(f"{path} cannot be read; start a new run")
    return {"force": False, **state}


def restore(run: Run) -> None:
    """Fill a run with what it had finished before it failed.

    Raises:
        UsageError: code or settings that the finished steps rest on have changed since.
        BadInputError: the landed batch is not what it was.
    """
    load_state(run)
    landed = run.results.get(LandResult)
    batch = None if landed is None else run.context.batch_folder(landed)
    if batch is None or not is_intact(batch):
        raise BadInputError(
            f"run {run.run_id} cannot be resumed: its landed batch {batch} is gone or was changed "
            "since; start a new run"
        )
    quality = run.results.get(QualityResult)
    docs = None if quality is None else quality.data_docs
    if docs is not None and not docs.exists():  # they were still being written beside the run
        run.steps = [step for step in run.steps if step.name != "quality"]


def load_state(run: Run) -> None:
    """Fill a run with what `save_state` has kept of it, wherever its batch lies.

    Raises:
        UsageError: code or settings that the finished steps rest on have changed since.
    """
    state = _read_state(run)
    if state["work_sha256"] != work_hash(run.settings, with_judges=False):
        raise UsageError(
            f"run {run.run_id} cannot be resumed: the code, or a setting that its finished steps "
            "rest on, has changed since; start a new run"
        )
    run.mode, run.source, run.force = state["mode"], state["source"], state["force"]
    run.started_at = state["started_at"]
    identity = state["identity"]
    entries = tuple(Entry(**entry) for entry in identity["entries"])
    run.identity = BatchIdentity(identity["sha256"], identity["files"], entries)
    run.steps = [Step(**step) for step in state["steps"]]
    run.results = Results(_from_document(value) for value in state["results"])


def _as_document(result: Any) -> dict[str, Any]:
    kind = type(result)
    value = TypeAdapter(kind).dump_python(result, mode="json")
    return {"type": f"{kind.__module__}:{kind.__qualname__}", "value": value}


def _from_document(document: Mapping[str, Any]) -> Any:
    module, _, name = document["type"].partition(":")
    if not module.startswith(_PACKAGE):
        raise UsageError(f"a result of type {document['type']} is none of ours; start a new run")
    return TypeAdapter(getattr(import_module(module), name)).validate_python(document["value"])
