"""What a run has finished, kept in its folder, so that another process can go on from there.

The document is data: results are read back through their declared types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from python_ml.documents import read_json, write_json
from python_ml.errors import BadInputError, UsageError
from python_ml.land.discover import Entry
from python_ml.progress import Step
from python_ml.runs.identity import BatchIdentity, work_hash
from python_ml.runs.manifest import SUCCEEDED

if TYPE_CHECKING:
    from python_ml.runs.workspace import Run

FILE = "state.json"
_PACKAGE = "python_ml."


def save_state(run: Run) -> None:
    """Keep the finished steps of a run and what they handed on."""
    assert run.identity is not None
    write_json(
        run.work_dir / FILE,
        {
            "mode": run.mode,
            "source": run.source,
            "started_at": run.started_at,
            "as_of_date": run.as_of_date.isoformat(),
            "batch_id": run.batch_id,
            "identity": asdict(run.identity),
            "work_sha256": work_hash(run.settings, with_judges=False),
            "steps": [asdict(step) for step in run.steps if step.status == "done"],
            "results": {name: _as_document(value) for name, value in run.results.items()},
        },
    )


def find_failed(run: Run) -> str:
    """Id of the run that `--resume` goes on with: the last one, if it failed.

    Raises:
        UsageError: it did not fail, or nothing of it is left.
    """
    last = next((r for r in run.manifest.runs() if r.mode in ("train", "score")), None)
    if last is None:
        raise UsageError("there is no run to resume; start one without --resume")
    if last.status == SUCCEEDED:
        raise UsageError(f"the last run, {last.run_id}, succeeded; there is nothing to resume")
    folder = run.work_dir.with_name(last.run_id)
    if not (folder / FILE).exists():
        raise UsageError(
            f"run {last.run_id} ended before its first step was over, so there is nothing to "
            "resume; start a new run"
        )
    return last.run_id


def restore(run: Run) -> None:
    """Fill a run with what it had finished before it failed.

    Raises:
        UsageError: code or settings that the finished steps rest on have changed since.
        BadInputError: the landed batch is not what it was.
    """
    from python_ml.land.write import is_intact

    load_state(run)
    if run.batch is None or not is_intact(run.batch):
        raise BadInputError(
            f"run {run.run_id} cannot be resumed: its landed batch {run.batch} is gone or was "
            "changed since; start a new run"
        )
    docs = run.results["quality"].data_docs if run.has_done("quality") else None
    if docs is not None and not docs.exists():  # they were still being written beside the run
        run.steps = [step for step in run.steps if step.name != "quality"]


def load_state(run: Run) -> None:
    """Fill a run with what `save_state` has kept of it, wherever its batch lies.

    Raises:
        UsageError: code or settings that the finished steps rest on have changed since.
    """
    state = read_json(run.work_dir / FILE)
    if state is None:
        raise UsageError(f"{run.work_dir / FILE} cannot be read; start a new run")
    if state["work_sha256"] != work_hash(run.settings, with_judges=False):
        raise UsageError(
            f"run {run.run_id} cannot be resumed: the code, or a setting that its finished steps "
            "rest on, has changed since; start a new run"
        )
    run.mode, run.source, run.started_at = state["mode"], state["source"], state["started_at"]
    run.as_of_date = TypeAdapter(type(run.as_of_date)).validate_python(state["as_of_date"])
    run.batch_id = state["batch_id"]
    identity = state["identity"]
    entries = tuple(Entry(**entry) for entry in identity["entries"])
    run.identity = BatchIdentity(identity["sha256"], identity["files"], entries)
    run.steps = [Step(**step) for step in state["steps"]]
    run.results = {name: _from_document(value) for name, value in state["results"].items()}


def _as_document(result: Any) -> dict[str, Any]:
    kind = type(result)
    value = TypeAdapter(kind).dump_python(result, mode="json")
    return {"type": f"{kind.__module__}:{kind.__qualname__}", "value": value}


def _from_document(document: Mapping[str, Any]) -> Any:
    module, _, name = document["type"].partition(":")
    if not module.startswith(_PACKAGE):
        raise UsageError(f"a result of type {document['type']} is none of ours; start a new run")
    return TypeAdapter(getattr(import_module(module), name)).validate_python(document["value"])
