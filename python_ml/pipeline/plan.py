"""The steps of a run by name, and their order in each mode."""

from __future__ import annotations

from dataclasses import replace

from python_ml.pipeline.flow import Step

_STEPS = "python_ml.pipeline.steps"

STEPS = {
    step.name: step
    for step in (
        Step("land", f"{_STEPS}.land:land_step"),
        Step("bronze", f"{_STEPS}.layers:bronze_step"),
        Step("sentiment", f"{_STEPS}.layers:sentiment_step"),
        Step("silver", f"{_STEPS}.layers:silver_step"),
        Step("gold", f"{_STEPS}.layers:gold_step"),
        Step("quality", f"{_STEPS}.quality:quality_step"),
        Step("train", f"{_STEPS}.models:train_step"),
        Step("evaluate", f"{_STEPS}.models:evaluate_step"),
        Step("score", f"{_STEPS}.scores:score_step"),
        Step("drift", f"{_STEPS}.scores:drift_step"),
        Step("marts", f"{_STEPS}.layers:marts_step"),
        Step("publish", f"{_STEPS}.publish:publish_step"),
    )
}
_DATA = ("land", "bronze", "sentiment", "silver", "gold", "quality")
_MODEL = ("train", "evaluate")
_RESULT = ("score", "drift", "marts", "publish")


def plan_of(mode: str) -> list[Step]:
    """The steps of a run in mode `train` or `score`, in order.

    A candidate that the gate rejects ends the run. On AWS the state machine asks for the verdict
    instead, so that there the step on its own is no gate.
    """
    names = (*_DATA, *(_MODEL if mode == "train" else ()), *_RESULT)
    return [replace(STEPS[name], is_gate=name == "evaluate") for name in names]


# What each machine does before the step, where several score together.
SCORE_SHARE = Step("score_share", f"{_STEPS}.scores:score_share_step")

# Published gold scored again.
RESCORE = [STEPS[name] for name in _RESULT]
