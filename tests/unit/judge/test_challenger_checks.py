"""Candidate against champion and parent on figures made by hand; no model is fitted."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from python_ml.errors import SpanishGasError
from python_ml.judge.challenger import (
    Paired,
    champion_checks,
    difference_check,
    recalibration_check,
    segment_checks,
)
from python_ml.judge.gate import Check
from python_ml.model.churn_model import ChurnModel
from python_ml.registry.base import RegisteredModel
from tests.unit import gold_fixture as gold

SETTINGS = gold.settings_for(Path("unused"))
CUSTOMERS = 400


def champion_of(probability: np.ndarray | Exception, **origin: str) -> RegisteredModel:
    """A champion that gives these probabilities, and flags what is above a half."""
    model = create_autospec(ChurnModel)
    told = {"sentiment_backend": "", "as_of_date": "2024-09-30", **origin}
    if isinstance(probability, Exception):
        model.predict.side_effect = probability
        return RegisteredModel("v1", model, "", told)
    model.predict.return_value = pd.DataFrame(
        {"churn_probability": probability, "is_flagged": probability > 0.5}
    )
    return RegisteredModel("v1", model, "", told)


def compared(
    champion: RegisteredModel,
    score: np.ndarray,
    churn: np.ndarray,
    trained_on: Any = (),
    as_of_date: date = gold.AS_OF_DATE,
) -> list[Check]:
    """The checks of a candidate that has these scores."""
    frame = gold.gold_frame(len(churn))
    weights = np.random.default_rng(1).poisson(1, size=(50, len(churn))).astype(np.uint8)
    known = set(frame["customer_id"].to_numpy()[list(trained_on)])
    decided = (score, score > 0.5)
    return champion_checks(SETTINGS, champion, known, as_of_date, decided, frame, churn, weights)


def test_rows_that_the_champion_has_learned_from_are_left_out() -> None:
    """On those the champion is right and the candidate wrong; on the others both are right."""
    churn = np.arange(CUSTOMERS) % 2
    wrong = np.where(np.arange(CUSTOMERS) < 100, 1 - churn, churn) + 0.0
    fresh, difference, *segments = compared(champion_of(churn + 0.0), wrong, churn, range(100))
    assert fresh.check_name == "days_newer_than_champion"
    assert difference.check_name == "pr_auc_difference_to_champion"
    assert difference.is_passed and difference.observed_value == 0
    assert "PR-AUC less that of v1 on 300 rows that neither saw: +0.0000" in difference.detail
    assert [(check.check_name, check.observed_value) for check in segments] == [
        ("segment_pr_auc_difference_to_champion", 0.0),
        ("segment_recall_difference_to_champion", 0.0),
    ]
    assert not compared(champion_of(churn + 0.0), wrong, churn)[1].is_passed


@pytest.mark.parametrize("is_left", ["nobody", "only who stays"])
def test_a_champion_that_knows_every_row_cannot_be_compared_with(is_left: str) -> None:
    churn = np.arange(CUSTOMERS) % 2
    known = range(CUSTOMERS) if is_left == "nobody" else np.flatnonzero(churn)
    _, check = compared(champion_of(churn + 0.0), churn + 0.0, churn, known)
    assert not check.is_passed and np.isnan(check.observed_value)
    assert check.limit_value == -SETTINGS.gate.minimum_margin
    assert check.detail == "v1 was trained on every row"


@pytest.mark.parametrize(
    ("as_of_date", "days"),
    [(date(2024, 10, 2), 2.0), (date(2024, 9, 30), 0.0), (date(2024, 9, 29), -1.0)],
)
def test_a_candidate_is_not_older_than_the_champion(as_of_date: date, days: float) -> None:
    churn = np.arange(CUSTOMERS) % 2
    check, *_ = compared(champion_of(churn + 0.0), churn + 0.0, churn, as_of_date=as_of_date)
    assert (check.observed_value, check.limit_value) == (days, 0.0)
    assert check.is_passed is (days >= 0)
    assert check.detail == (
        f"trained on data as of {as_of_date}, v1 as of 2024-09-30; a candidate must not be older"
    )


def pair_of(rows: int = CUSTOMERS, resamples: int = 100, *, is_drawn: bool = True) -> Paired:
    """A candidate a little worse than its champion; without draws every interval is a point."""
    rng = np.random.default_rng(11)
    churn = (rng.random(rows) < 0.3).astype(int)
    scores = churn + rng.normal(0, 1.0, rows), churn + rng.normal(0, 0.9, rows)
    weights = rng.poisson(1, size=(resamples, rows)) if is_drawn else np.ones((resamples, rows))
    flagged = scores[0] > 0.5, scores[1] > 0.5
    return Paired(gold.gold_frame(rows), churn, scores, flagged, weights.astype(np.uint8))


def told(found: Any) -> str:
    return f"{found.value:+.4f}, interval {found.low:+.4f} to {found.high:+.4f}"


def test_the_difference_and_its_margin_are_as_documented() -> None:
    """The lower end of a one-sided interval, and twice its reach, from the two-sided one."""
    settings = SETTINGS.with_overrides(
        {"evaluate.confidence": 0.9, "gate.noninferiority_confidence": 0.8}
    )
    pair = pair_of()
    found = pair.differences(0.9)["pr_auc"]
    reach = norm.ppf(0.8) * (found.high - found.low) / (2 * norm.ppf(0.95))
    assert 2 * reach > settings.gate.minimum_margin
    check = difference_check(settings, "v1", pair)
    assert check.observed_value == pytest.approx(found.value - reach)
    assert check.limit_value == pytest.approx(-2 * reach)
    assert check.detail.startswith(
        f"PR-AUC less that of v1 on the same rows: {told(found)}; the lower end at 80%, one-sided, "
        f"is {found.value - reach:+.4f} and must be at least {-2 * reach:+.4f}, "
    )


def test_a_difference_at_the_limit_passes_and_a_margin_as_large_as_the_noticed_loss_is_silent() -> (
    None
):
    pair = pair_of(is_drawn=False)
    loss = -pair.differences(0.95)["pr_auc"].value
    assert loss > 0
    for margin, is_passed in [(loss, True), (loss * 0.999, False)]:
        limits = {"gate.minimum_margin": margin, "gate.noticed_loss": loss}
        check = difference_check(SETTINGS.with_overrides(limits), "v1", pair)
        assert check.is_passed is is_passed and check.limit_value == -margin
        assert "unnoticed" not in check.detail
    limits = {"gate.minimum_margin": loss, "gate.noticed_loss": loss * 0.999}
    check = difference_check(SETTINGS.with_overrides(limits), "v1", pair)
    assert check.detail.endswith("may go unnoticed: there are too few churners")


def of_segments(*names: str) -> Paired:
    """Rows whose segments are called like this, each in turn."""
    pair = pair_of(is_drawn=False)
    return replace(pair, frame=pair.frame.assign(segment=np.resize(names, CUSTOMERS)))


def test_a_segment_is_broken_beyond_its_limit_and_not_at_it() -> None:
    pair = of_segments("A")
    found = pair.differences(0.95)
    measured = {"pr_auc": found["pr_auc"], "recall": found["recall"]}
    assert all(each.value < 0 for each in measured.values())
    for share, is_passed in [(1.0, True), (0.999, False)]:
        limits = {
            "evaluate.segments": ["segment"],
            **{f"gate.maximum_segment_{m}_fall": -each.high * share for m, each in found.items()},
        }
        for check in segment_checks(SETTINGS.with_overrides(limits), "v1", pair):
            measure = check.check_name.removeprefix("segment_").partition("_difference")[0]
            each, limit = measured[measure], measured[measure].high * share
            assert (check.observed_value, check.limit_value) == (each.high, limit)
            assert check.is_passed is is_passed
            shown = f"segment=A {told(each)}"
            assert check.detail == (
                f"{measure} less that of v1 in 1 segments: "
                f"{'the worst is ' if is_passed else ''}{shown}; the upper end must not be below "
                f"{limit:+.4f}"
            )


def test_a_segment_with_too_few_churners_is_passed_over_and_those_after_it_are_not() -> None:
    pair = of_segments("A", "B")
    is_small = (pair.frame["segment"] == "A") & (np.cumsum(pair.churn) > 20)
    pair = replace(pair, frame=pair.frame.assign(segment=np.where(is_small, "A", "B")))
    counts = {name: int(pair.churn[pair.frame["segment"] == name].sum()) for name in "AB"}
    assert counts["A"] < counts["B"]
    for minimum, count in [(counts["A"], 2), (counts["A"] + 1, 1)]:
        limits = {"evaluate.segments": ["segment"], "gate.minimum_segment_churners": minimum}
        for check in segment_checks(SETTINGS.with_overrides(limits), "v1", pair):
            assert f" in {count} segments: " in check.detail


def test_the_worst_segment_is_the_one_whose_upper_end_is_lowest() -> None:
    pair = of_segments("A", "B", "C")
    settings = SETTINGS.with_overrides(
        {"evaluate.segments": ["segment"], "gate.minimum_segment_churners": 1}
    )
    for check in segment_checks(settings, "v1", pair):
        measure = check.check_name.removeprefix("segment_").partition("_difference")[0]
        ends = {
            name: pair.part((pair.frame["segment"] == name).to_numpy()).differences(0.95)[measure]
            for name in "ABC"
        }
        worst = min(ends, key=lambda name: ends[name].high)
        assert check.observed_value == ends[worst].high
        assert len({each.high for each in ends.values()}) == 3


def test_without_a_segment_to_compare_the_checks_pass() -> None:
    settings = SETTINGS.with_overrides({"gate.minimum_segment_churners": 10_000})
    limits = [
        -settings.gate.maximum_segment_pr_auc_fall,
        -settings.gate.maximum_segment_recall_fall,
    ]
    checks = segment_checks(settings, "v1", pair_of())
    assert [check.limit_value for check in checks] == limits
    for check in checks:
        assert check.is_passed and np.isnan(check.observed_value)
        assert check.detail == "no segment has churners enough to be compared"


def test_the_log_loss_of_a_recalibration_by_hand() -> None:
    """Of four customers two leave. A chance of nought for what happened counts as 1e-12."""
    churn = np.array([1, 1, 0, 0])
    weights = np.array([[4, 0, 0, 0], [0, 0, 0, 2]], dtype=np.uint8)
    ours, theirs = np.array([0.0, 0.8, 0.2, 0.5]), np.array([0.5, 0.5, 0.5, 1.0])
    least = -np.log(1e-12)
    by_row = np.array([least - np.log(2), np.log(0.5 / 0.8), np.log(0.5 / 0.8), np.log(2) - least])
    check = recalibration_check(SETTINGS, "v1", churn, (ours, theirs), weights)
    assert (check.check_name, check.limit_value) == ("log_loss_difference_to_parent", 0.0)
    assert check.observed_value == pytest.approx(by_row.mean(), rel=1e-12)
    assert check.is_passed
    confidence = SETTINGS.evaluate.confidence
    ends = np.quantile(by_row[[0, 3]], [(1 - confidence) / 2, (1 + confidence) / 2])
    assert check.detail == (
        f"log loss less that of v1 on the same rows is {by_row.mean():+.4f}, interval "
        f"{ends[0]:+.4f} to {ends[1]:+.4f}; that of a recalibrated version must be lower"
    )


@pytest.mark.thorough
@pytest.mark.parametrize(("size", "is_told"), [(600, True), (20_000, False)])
def test_the_margin_is_what_the_rows_can_resolve(size: int, is_told: bool) -> None:
    """Few rows have a wide margin and say so; an equal model passes, one far below does not."""
    rng = np.random.default_rng(5)
    settings = SETTINGS
    churn = (rng.random(size) < 0.1).astype(int)
    truth, noise = churn * 1.5 + rng.normal(size=size), rng.normal(size=(3, size))
    weights = rng.poisson(1, size=(200, size)).astype(np.uint8)
    champion, equal, worse = truth + noise * [[0.3], [0.3], [2.5]]

    def compared(challenger: Any) -> Check:
        frame, flagged = gold.gold_frame(size), (truth > 1, truth > 1)
        paired = Paired(frame, churn, (challenger, champion), flagged, weights)
        return difference_check(settings, "v1", paired)

    check = compared(equal)
    assert check.is_passed
    assert ("may go unnoticed" in check.detail) is is_told
    assert check.limit_value <= -settings.gate.minimum_margin
    assert not compared(worse).is_passed


def test_a_fall_in_one_segment_is_found_where_the_whole_looks_well() -> None:
    """The candidate is a little better for most and blind for one segment."""
    rng = np.random.default_rng(3)
    frame = gold.gold_frame(4000)
    churn = (rng.random(4000) < 0.2).astype(int)
    sme = (frame["segment"] == "SME").to_numpy()
    noise = rng.normal(size=(2, 4000))
    candidate_score = churn * 1.6 + noise[0]
    candidate_score[sme] = noise[0][sme]
    champion_score = churn * 1.4 + noise[1]
    weights = rng.poisson(1, size=(200, 4000)).astype(np.uint8)
    paired = Paired(
        frame,
        churn,
        (candidate_score, champion_score),
        (candidate_score > 1, champion_score > 1),
        weights,
    )
    settings = SETTINGS

    by_name = {check.check_name: check for check in segment_checks(settings, "v1", paired)}
    pr_auc = by_name["segment_pr_auc_difference_to_champion"]
    assert not pr_auc.is_passed
    assert "segment=SME" in pr_auc.detail and "segment=Residential" not in pr_auc.detail
    assert pr_auc.observed_value < -0.05
    same = Paired(frame, churn, (champion_score,) * 2, (champion_score > 1,) * 2, weights)
    assert all(check.is_passed for check in segment_checks(settings, "v1", same))
    few = settings.with_overrides({"gate.minimum_segment_churners": 10_000})
    assert all("no segment" in check.detail for check in segment_checks(few, "v1", paired))


def test_recall_that_is_lost_is_told_as_less() -> None:
    """The candidate ranks and flags nobody right, the champion everybody."""
    churn = np.array([1, 1, 0, 0, 0, 0])
    weights = np.ones((3, 6), dtype=np.uint8)
    pair = Paired(
        pd.DataFrame(index=range(6)),
        churn,
        (1.0 - churn, churn + 0.0),
        (churn == 0, churn == 1),
        weights,
    )
    found = pair.differences(0.95)
    assert found["recall"].value == -1.0 and found["pr_auc"].value < -0.5


def test_a_champion_that_cannot_be_asked_is_no_reason_to_refuse() -> None:
    churn, frame = np.arange(40) % 2, gold.gold_frame(40)
    blind = champion_of(SpanishGasError("no column a"))
    in_need = champion_of(churn + 0.0, sentiment_backend="vader")
    without = SETTINGS.with_overrides({"sentiment.backend": "none"})
    with_it = SETTINGS.with_overrides({"sentiment.backend": "vader"})
    reads = "v1 cannot read today's rows (no column a)"
    needs = "v1 needs sentiment, and there is none"
    for settings, champion, why in [
        *((with_it, blind, reads), (without, blind, reads), (without, in_need, needs)),
    ]:
        decided, weights = (churn + 0.0, churn == 1), np.ones((5, 40), dtype=np.uint8)
        day = gold.AS_OF_DATE
        fresh, check = champion_checks(
            settings, champion, set(), day, decided, frame, churn, weights
        )
        assert fresh.is_passed and check.is_passed and np.isnan(check.observed_value)
        assert check.check_name == "pr_auc_difference_to_champion"
        assert check.limit_value == -settings.gate.minimum_margin
        assert check.detail == f"not compared: {why}"


def test_a_recalibration_must_have_the_smaller_log_loss() -> None:
    random = np.random.default_rng(8)
    true = random.uniform(0.02, 0.6, 4000)
    churn = (random.random(4000) < true).astype(int)
    weights = random.multinomial(4000, np.full(4000, 1 / 4000), size=200)
    settings = SETTINGS
    better = recalibration_check(settings, "v1", churn, (true, true * 0.6), weights)
    worse = recalibration_check(settings, "v1", churn, (true * 0.6, true), weights)
    assert better.is_passed and not worse.is_passed
    assert better.observed_value == pytest.approx(-worse.observed_value) and "v1" in worse.detail
    same = recalibration_check(settings, "v1", churn, (true, true), weights)
    assert not same.is_passed, "there is no reason to replace it"
    certain = recalibration_check(settings, "v1", churn, (np.zeros(4000), true), weights)
    assert np.isfinite(certain.observed_value) and not certain.is_passed
