"""The dashboard pages that a run leaves behind."""

from __future__ import annotations

from python_ml.engines import open_warehouse
from python_ml.pipeline.record import keep_warnings
from python_ml.pipeline.workspace import Run


def refresh_preview(run: Run) -> None:
    """Write the pages anew after a run, also after one that failed: Pipeline Status tells why.

    What people see of a run must not turn a good run into a failed one: trouble here is a warning.
    """
    settings = run.settings
    if run.engine.bills_queries or not (run.steps and run.engine.holds_published()):
        return
    # sqlglot: 0.2 s that landing into a home without pages need not wait.
    from python_ml.pages.preview import preview_folder, write_preview

    before = len(run.warnings)
    with (
        run.surviving("the pages of the dashboards are not written"),
        open_warehouse(settings) as warehouse,
    ):
        run.results.put(write_preview(warehouse, settings, preview_folder(settings)))
    if run.warnings[before:]:
        with run.surviving("the warning is not on record"):
            keep_warnings(run)
