"""Steps find their inputs by type, and plans lack none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import pytest

from python_ml.errors import ModelGateError, SpanishGasError
from python_ml.land.result import LandResult
from python_ml.pipeline.context import Published, RunContext
from python_ml.pipeline.flow import Results, Step, take, take_all, unmet_needs
from python_ml.pipeline.plan import RESCORE, STEPS, plan_of
from python_ml.pipeline.results import GoldResult, ScoreResult, SilverResult, TrainResult
from python_ml.pipeline.workspace import Run
from python_ml.settings import load_settings


@dataclass(frozen=True)
class Bread:
    document_name: ClassVar[str] = "bread"

    loaf_count: int

    @property
    def row_count(self) -> int:
        return self.loaf_count

    def as_dict(self) -> dict[str, Any]:
        return {"loaf_count": self.loaf_count}


@dataclass(frozen=True)
class Meal:
    words: str
    row_count: None = None

    def require_scoring_model(self) -> None:
        raise ModelGateError(self.words)


def bake(context: RunContext) -> Bread:
    return Bread(context.settings.threads)


def eat(context: RunContext, food: Bread | Published, guests: LandResult | None) -> Meal:
    return Meal(f"{food} for {guests} in {context.mode}")


BAKE, EAT = Step("bake", f"{__name__}:bake"), Step("eat", f"{__name__}:eat")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(load_settings({"home": str(tmp_path), "threads": 3}, environ={}), mode="score")


def test_a_signature_says_what_a_step_needs_and_makes() -> None:
    assert (BAKE.needs, BAKE.makes, EAT.makes) == ([], Bread, Meal)
    food, guests = EAT.needs
    assert (food.parameter, food.kinds, food.is_optional) == ("food", (Bread, Published), False)
    assert (guests.parameter, guests.kinds, guests.is_optional) == ("guests", (LandResult,), True)


def test_steps_hand_on_by_type_and_are_timed_and_shown(run: Run) -> None:
    take_all(run, [BAKE, EAT])
    assert run.results.require(Meal).words == f"{Bread(3)} for None in score"
    assert [(step.name, step.status, step.rows) for step in run.steps] == [
        ("bake", "done", 3),
        ("eat", "done", None),
    ]
    document = run.as_dict()
    assert document["bread"] == {"loaf_count": 3}
    assert not {"meal", "Meal"} & set(document), "what has no name is not shown"


def test_the_first_type_that_is_there_is_taken(run: Run) -> None:
    run.results.put(Published(date(2024, 12, 31)))
    take(run, EAT)
    assert run.results.require(Meal).words.startswith("Published(")
    run.results.put(Bread(1))
    take(run, EAT)
    assert run.results.require(Meal).words.startswith("Bread(")


def test_a_step_may_have_settings_of_its_own(run: Run) -> None:
    take(run, BAKE, run.settings.with_overrides({"threads": 1}))
    assert run.results.require(Bread).loaf_count == 1
    assert run.settings.threads == 3


def test_without_its_input_a_step_fails_and_says_what_is_missing(run: Run) -> None:
    with pytest.raises(SpanishGasError, match="step eat needs a Bread or Published"):
        take(run, EAT)
    assert run.steps[-1].status == "failed"
    with pytest.raises(SpanishGasError, match="made a Bread"):
        run.results.require(Bread)


def test_a_gate_ends_the_run_and_its_result_is_kept(run: Run) -> None:
    run.results.put(Bread(2))
    with pytest.raises(ModelGateError):
        take(run, Step("eat", EAT.place, is_gate=True))
    assert run.steps[-1].status == "failed"
    assert "loaf_count=2" in run.results.require(Meal).words


def test_one_value_of_a_type_is_kept_the_newest() -> None:
    results = Results([GoldResult(1), SilverResult(2), GoldResult(3)])
    assert results.get(GoldResult) == GoldResult(3)
    assert results.get(TrainResult) is None
    assert [type(value) for value in results] == [GoldResult, SilverResult]


@pytest.mark.parametrize("mode", ["train", "score"])
def test_each_mode_makes_what_its_steps_need(mode: str) -> None:
    plan = plan_of(mode)
    assert unmet_needs(plan) == {}
    assert [step.name for step in plan if step.is_gate] == (["evaluate"] if mode == "train" else [])
    without_gold = [step for step in plan if step.name != "gold"]
    assert "quality" in unmet_needs(without_gold), "the check notices what is missing"


def test_commands_on_published_tables_have_what_they_need() -> None:
    assert unmet_needs(RESCORE, [Published]) == {}
    assert unmet_needs([STEPS["train"], STEPS["evaluate"]], [Published]) == {}
    assert STEPS["score"].makes is ScoreResult
