"""The dashboard pages that a run leaves behind."""

from __future__ import annotations

import logging

from python_ml.dashboards.preview import preview_folder, write_preview
from python_ml.runs.workspace import Run
from python_ml.warehouse import open_warehouse


def refresh_preview(run: Run) -> None:
    """Write the pages anew after a run, also after one that failed: Pipeline Status tells why.

    What people see of a run must not turn a good run into a failed one, so that trouble here is
    only logged.
    """
    settings = run.settings
    if not (run.has_database and run.steps and settings.layout.warehouse.exists()):
        return
    try:
        with open_warehouse(settings) as warehouse:
            run.results["preview"] = write_preview(warehouse, settings, preview_folder(settings))
    except Exception as error:
        logging.getLogger(__name__).warning(
            "the preview of the dashboards is not written: %s", error
        )
