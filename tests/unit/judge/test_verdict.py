"""What a refusal of the gate says."""

from __future__ import annotations

from datetime import date

import pytest

from python_ml.errors import ModelGateError
from python_ml.judge.gate import Check
from python_ml.judge.verdict import EvaluateResult

CHECKS = [
    Check("pr_auc", 0.41, 0.7, False, "pr_auc on the test part is 0.41"),
    Check("recall", 0.9, 0.65, True, "recall on the test part is 0.9"),
    Check("ece", 0.2, 0.03, False, "ece on the test part is 0.2"),
]


def result(champion: str | None, checks: list[Check] = CHECKS) -> EvaluateResult:
    return EvaluateResult(
        *(
            "churn-2",
            date(2024, 12, 31),
            date(2024, 12, 31),
            100,
            10,
            {},
            {},
            checks,
            [],
            False,
            1.0,
        ),
        card="/home/lake/models/churn-2/card.html",
        champion=champion,
    )


@pytest.mark.parametrize("champion", ["churn-1", None])
def test_a_refusal_names_each_check_the_card_and_the_champion_if_there_is_one(
    champion: str | None,
) -> None:
    with pytest.raises(ModelGateError) as told:
        result(champion).raise_if_rejected()
    first, *checks, last = str(told.value).splitlines()
    assert first == "model churn-2 was rejected: 2 of 3 checks of the gate failed"
    assert checks == [f"  {check.check_name}: {check.detail}" for check in (CHECKS[0], CHECKS[2])]
    assert "/home/lake/models/churn-2/card.html" in last
    if champion:
        assert "Champion churn-1 and its scores are as before" in last
    else:
        assert "There is no champion" in last and "as before" not in last


def test_one_that_has_passed_is_not_refused() -> None:
    result(None, [CHECKS[1]]).raise_if_rejected()
