"""What commands share that begin with the published tables and publish them again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from python_ml.engines.published import published_run, require_current, require_home
from python_ml.errors import UsageError
from python_ml.pipeline.context import Published
from python_ml.pipeline.steps.layers import build_marts
from python_ml.pipeline.workspace import Run, workspace
from python_ml.settings import Settings


def require_published(settings: Settings) -> None:
    """Before anything is begun, since nothing of a command that cannot work is to stay.

    Raises:
        UsageError: this is no home, or no run has published in it.
    """
    require_home(settings)
    if published_run(settings) is None:
        raise UsageError("nothing has been published yet; `spanishgas run` does it")


@contextmanager
def on_published(run: Run) -> Iterator[Published]:
    """The run's workspace, with the published tables.

    Raises:
        OldTablesError: another version built them; nothing has been begun.
    """
    with workspace(run, of_published=True):
        published = run.results.require(Published)
        with run.warehouse() as warehouse:
            require_current(warehouse, run.context.dbt(published).manifest())
        yield published


@contextmanager
def on_shown_scores(run: Run) -> Iterator[Published]:
    """The run's workspace with the published tables, whose scores its marts go on showing.

    Raises:
        OldTablesError: another version built them; nothing has been begun.
    """
    with on_published(run) as published:
        scored = published_run(run.settings)
        assert scored is not None
        run.context.dbt(published).variables["run_id"] = scored[0]
        yield published


def marts_step(run: Run, select: str) -> None:
    """Build and test some of the marts as a step of its own.

    Raises:
        QualityGateError: a data test or a guardrail failed.
    """
    with run.step("marts") as (step, report):
        context = replace(run.context, report=report)
        step.rows = build_marts(context, run.results.require(Published), select).row_count
