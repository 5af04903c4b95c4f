"""Totals that went on counting who has been forgotten are added up again."""

from __future__ import annotations

import logging
from dataclasses import replace

from python_ml.engines.published import published_run
from python_ml.pipeline.forget_result import ForgetResult
from python_ml.pipeline.on_published import marts_step, on_shown_scores
from python_ml.pipeline.preview import refresh_preview
from python_ml.pipeline.workspace import Run
from python_ml.settings import Settings


def renew_totals(settings: Settings, result: ForgetResult) -> ForgetResult:
    """Build the marts of the published scores again, and the pages that show them.

    What was removed stays removed, whatever happens here: trouble is a warning, and the next run
    adds up anew. A total that counts a person does not name the person, but the totals of before
    and after would tell what the person was worth.

    Args:
        settings: of the engine.
        result: of forgetting, which found nothing left.

    Returns:
        The result with `totals_renewed`.
    """
    if published_run(settings) is None:
        return result
    run = Run(settings, mode="forget")
    try:
        with on_shown_scores(run):
            marts_step(run, "marts")
            run.engine.compact(run.run_id)  # the next proof reads free blocks as doubtful
            run.publish()
    except Exception as error:
        logging.getLogger(__name__).warning(
            "the marts could not be built again, and totals count the person until the next "
            "`spanishgas run`: %s",
            error,
        )
        return result
    refresh_preview(run)
    return replace(result, totals_renewed=True)
