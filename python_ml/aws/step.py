"""One step of a run in a container of its own: what `spanishgas run` does in one process.

    python -m python_ml.aws.step <step>      with SPANISHGAS_RUN_ID in the environment

The dbt image runs the layers this way, as an ECS task; sagemaker_entry.py runs the others under the
conventions of SageMaker. Steps are those of the pipeline and call the same stages.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from python_ml.aws.run_folder import RunFolder, RunRequest
from python_ml.config import Settings, load_settings
from python_ml.errors import SpanishGasError, UsageError
from python_ml.progress import peak_memory_mb
from python_ml.runs.manifest import iso
from python_ml.store import open_store
from python_ml.warehouse import Warehouse, open_warehouse

if TYPE_CHECKING:
    from python_ml.dataset import GoldContract
    from python_ml.dbt_runner import DbtRunner


@dataclass(frozen=True)
class StepContext:
    """A step's view of its run."""

    settings: Settings
    folder: RunFolder
    request: RunRequest

    @property
    def run_id(self) -> str:
        return self.request.run_id

    @cached_property
    def as_of_date(self) -> date:
        return date.fromisoformat(self.folder.result("land")["as_of_date"])

    @property
    def has_landed(self) -> bool:
        return self.folder.read("land") is not None

    def warehouse(self) -> Warehouse:
        return open_warehouse(self.settings)

    @cached_property
    def dbt(self) -> DbtRunner:
        from python_ml.dbt_runner import DbtRunner
        from python_ml.sentiment import sentiment_backend

        layout = self.settings.layout
        variables = {
            "run_id": self.run_id,
            "sentiment_backend": sentiment_backend(self.settings),
            **({"as_of_date": self.as_of_date.isoformat()} if self.has_landed else {}),
        }
        target = layout.home / ".runs" / self.run_id / "dbt"
        return DbtRunner(self.settings, layout.warehouse, target, variables)

    @cached_property
    def contract(self) -> GoldContract:
        from python_ml.dataset import read_contract

        return read_contract(self.dbt.manifest())


@dataclass(frozen=True)
class Outcome:
    """What a step found, as a JSON document, and how many rows it handled."""

    result: Mapping[str, Any]
    row_count: int | None = None


def run_step(settings: Settings, run_id: str, step: str) -> Outcome:
    """Run one step and leave its document, done or failed, in the run's folder.

    Raises:
        UsageError: there is no such step.
        SpanishGasError: what the step raises.
    """
    if step not in WORK:
        raise UsageError(f"step {step!r}: it is one of {', '.join(WORK)}")
    folder = RunFolder(open_store(settings), run_id)
    context = StepContext(settings, folder, folder.request())
    start = time.perf_counter()
    document: dict[str, Any] = {"step": step, "started_at": iso(datetime.now(UTC))}
    try:
        outcome = WORK[step](context)
    except BaseException as error:
        code = error.exit_code if isinstance(error, SpanishGasError) else 1
        failed = {"status": "failed", "error": str(error) or repr(error), "exit_code": code}
        folder.write(step, {**document, **failed, **_measured(start)})
        raise
    document |= {"status": "done", "row_count": outcome.row_count, "result": dict(outcome.result)}
    folder.write(step, {**document, **_measured(start)})
    return outcome


def _measured(start: float) -> dict[str, float]:
    seconds = round(time.perf_counter() - start, 3)
    return {"seconds": seconds, "peak_memory_mb": round(peak_memory_mb(), 1)}


def _land(context: StepContext) -> Outcome:
    from python_ml.aws.lake import publish_batch
    from python_ml.land import land

    settings = context.settings
    landed = land(context.request.source, settings, batch_id=context.run_id)
    if settings.target == "athena":
        batch = settings.layout.lake / "batches" / landed.batch_id
        place = publish_batch(settings.athena, batch, landed.batch_id)
        context.dbt.register_external_tables({"raw": place})
    return Outcome(landed.as_dict(), landed.row_count)


def _layer(select: str) -> Callable[[StepContext], Outcome]:
    def build(context: StepContext) -> Outcome:
        with context.warehouse() as warehouse:
            warehouse.declare_external_tables()
            nodes = context.dbt.build(select)
            counts = warehouse.row_counts()
        models = [node.name for node in nodes if node.kind == "model"]
        tests = sum(node.kind == "test" for node in nodes)
        rows = sum(counts.get(name, 0) for name in models)
        return Outcome({"models": models, "test_count": tests}, rows)

    return build


def _sentiment(context: StepContext) -> Outcome:
    from python_ml.sentiment import label_sentiment

    with context.warehouse() as warehouse:
        labelled = label_sentiment(warehouse, context.settings, context.run_id)
    return Outcome(labelled.as_dict(), labelled.text_count)


def _train(context: StepContext) -> Outcome:
    from python_ml.train import train

    with context.warehouse() as warehouse:
        trained = train(
            warehouse, context.settings, context.contract, context.run_id, context.as_of_date
        )
    return Outcome(trained.as_dict(), trained.train_count)


def _evaluate(context: StepContext) -> Outcome:
    from python_ml.evaluate import evaluate

    version = context.folder.result("train")["model_version"]
    with context.warehouse() as warehouse:
        evaluated = evaluate(warehouse, context.settings, context.contract, context.run_id, version)
    return Outcome(evaluated.as_dict(), evaluated.test_count)


def _score(context: StepContext) -> Outcome:
    from python_ml.promotion import decision_table
    from python_ml.registry import open_registry
    from python_ml.score import score

    registered = context.folder.read("register")
    version = registered["result"]["model_version"] if registered else None
    with context.warehouse() as warehouse:
        scored = score(
            warehouse,
            context.settings,
            context.contract,
            context.run_id,
            context.as_of_date,
            version,
        )
        decisions = decision_table(open_registry(context.settings))
        warehouse.write_external("model_decision", decisions, context.run_id)
    return Outcome(scored.as_dict(), scored.customer_count)


WORK: dict[str, Callable[[StepContext], Outcome]] = {
    "land": _land,
    "bronze": _layer("resource_type:seed bronze"),
    "sentiment": _sentiment,
    "silver": _layer("silver"),
    "gold": _layer("gold"),
    "train": _train,
    "evaluate": _evaluate,
    "score": _score,
    "marts": _layer("marts"),
}


def main(arguments: list[str]) -> int:
    """Run the step that is named; the exit code is the command's."""
    if len(arguments) != 1 or "SPANISHGAS_RUN_ID" not in os.environ:
        print("usage: SPANISHGAS_RUN_ID=<run> python -m python_ml.aws.step <step>", file=sys.stderr)
        return UsageError.exit_code
    try:
        run_step(load_settings(), os.environ["SPANISHGAS_RUN_ID"], arguments[0])
    except SpanishGasError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
