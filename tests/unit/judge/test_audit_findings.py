"""What the audit reports, field by field, and where exactly its limits lie."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import duckdb
import numpy as np
import pandas as pd
import pytest

from python_ml.contracts.gold import Column
from python_ml.engines import Warehouse, open_warehouse
from python_ml.errors import UsageError
from python_ml.judge.alarms import (
    GATE_CHECK,
    alarm_check,
    alarm_table,
    decide_alarms,
    judge_alarms,
    require_accepted,
)
from python_ml.judge.audit import (
    Finding,
    _ablation,
    _alone,
    _features,
    _identifiers,
    _jump,
    _Limits,
    _model_alone,
    _of_auc,
    _purity,
    findings_table,
    read_traces,
    source_date_findings,
)
from python_ml.judge.audit_groups import Group, strata_of
from python_ml.judge.fingerprint import DataFingerprint
from python_ml.judge.metrics import Estimate, estimate, ranking_metrics, resample_weights
from python_ml.model.churn_model import ChurnModel, fit_classifier
from python_ml.registry.base import RegisteredModel
from python_ml.settings import Settings, load_settings
from tests.unit import gold_fixture as gold

SETTINGS = load_settings(
    {
        "audit.minimum_group_size": 20,
        "audit.maximum_churn_share": 0.9,
        "audit.minimum_relative_churn": 0.1,
        "audit.minimum_expected_churn": 10,
    },
    environ={},
)
FEATURE = ("flag", "2A")  # name and tier


def labels(base_rate: float, customers: int = 1000) -> np.ndarray:
    return (np.arange(customers) < base_rate * customers).astype(int)


def purity(
    *found: Group, base_rate: float = 0.1
) -> tuple[list[tuple[str, str, str | None]], list[Finding]]:
    listed = list(_purity(SETTINGS, *FEATURE, found, labels(base_rate), 1.0))
    return [(f.check_kind, f.group_name, f.alarm) for f in listed], listed


def test_a_group_is_large_when_it_is_larger_than_the_minimum() -> None:
    told, _ = purity(Group("=1", 20, 20), Group("=2", 21, 21))
    assert told == [("pure_churn", "=2", "pure_churn:flag=2")]


def test_a_share_at_the_limit_raises_no_alarm() -> None:
    exact = SETTINGS.with_overrides({"audit.minimum_relative_churn": 0.125})
    found = [Group("=1", 40, 36), Group("=2", 1024, 32)]
    listed = list(_purity(exact, *FEATURE, found, labels(0.25), 1.0))
    told = [(f.check_kind, f.group_name, f.alarm) for f in listed]
    assert told == [("pure_churn", "=1", None), ("pure_stay", "=2", None)]
    assert listed[0].limit_value == 0.9
    assert listed[1].limit_value == 0.03125


def test_a_group_with_many_of_the_leavers_is_judged_by_the_limit_of_common_ones() -> None:
    """Of 100 leavers the group has a quarter, the limit, or one fewer; 60 % of it left, and the
    lower end of that is above the limit of a half."""
    common = SETTINGS.with_overrides({"audit.common_share_of_churners": 0.25})
    for churners, customers, alarm in [(25, 30, "pure_churn:flag=1"), (24, 29, None)]:
        group = Group("=1", customers, churners)
        found = next(_purity(common, *FEATURE, [group], labels(0.1), 0.5))
        assert (found.alarm, found.check_kind) == (alarm, "pure_churn")


def test_a_common_group_is_found_behind_purer_ones_that_are_none() -> None:
    """The two purest groups are too small to be common, and below the limit of small ones."""
    common = SETTINGS.with_overrides({"audit.common_share_of_churners": 0.25})
    small, smaller, large = Group("=1", 25, 22), Group("=2", 25, 21), Group("=3", 100, 80)
    listed = list(_purity(common, *FEATURE, [small, smaller, large], labels(0.1), 0.5))
    told = [(f.group_name, f.alarm) for f in listed if f.check_kind == "pure_churn"]
    assert told == [("=1", None), ("=3", "pure_churn:flag=3")]


def test_every_group_beyond_the_limit_is_named_and_no_other() -> None:
    told, _ = purity(
        *(Group("=1", 100, 95), Group("=2", 100, 99), Group("=3", 100, 50), Group("=4", 100, 0)),
        *(Group("=5", 200, 1), Group("=6", 50, 0)),
    )
    assert told == [
        ("pure_churn", "=2", "pure_churn:flag=2"),
        ("pure_churn", "=1", "pure_churn:flag=1"),
        ("pure_stay", "=4", "pure_stay:flag=4"),
        ("pure_stay", "=5", "pure_stay:flag=5"),
    ]


def test_that_nobody_left_counts_where_enough_would_be_expected_to() -> None:
    assert purity(Group("=1", 100, 0))[0] == [
        ("pure_churn", "=1", None),
        ("pure_stay", "=1", "pure_stay:flag=1"),
    ]
    assert purity(Group("=1", 99, 0))[0] == [("pure_churn", "=1", None)]


def test_a_finding_of_purity_holds_its_counts_and_interval() -> None:
    finding = purity(Group("=1", 200, 190))[1][0]
    assert (finding.subject, finding.tier) == ("flag", "2A")
    assert (finding.customer_count, finding.churner_count) == (200, 190)
    assert finding.observed_value == 0.95
    assert 0.90 < finding.ci_low < 0.95 < finding.ci_high < 0.98
    assert "190 of 200 customers with flag 1 left (95.0%); 10.0% of all did" in finding.detail


def test_an_auc_at_the_limit_is_an_alarm() -> None:
    churn = np.array([1, 0, 0])
    for value, alarm in [(0.85, "name"), (0.8499, None)]:
        found = _of_auc("kind", "it", "1A", Estimate(value, 0.8, 0.9), 0.85, churn, "name")
        assert found.alarm == alarm
        assert (found.customer_count, found.churner_count) == (3, 1)
        assert (found.observed_value, found.ci_low, found.ci_high) == (value, 0.8, 0.9)
        assert (found.group_name, found.limit_value, found.tier) == ("", 0.85, "1A")
    found = _of_auc("k", "it", None, Estimate(0.9, 0.7, 1), 0.85, churn, "name", decided_by=0.7)
    assert found.alarm is None and found.observed_value == 0.9


def test_a_pr_auc_at_the_limit_is_an_alarm_too() -> None:
    churn = np.repeat([0, 1], [90, 30])
    fold = np.arange(len(churn)) % 3 + 1
    for pr_auc, alarm in [(1.0, "too_good:flag"), (1.001, None)]:
        limits = _Limits("feature", 1.1, pr_auc, 1.1)  # it tells everything: exactly 1
        found = next(_alone(SETTINGS, *FEATURE, pd.Series(churn), churn, fold, limits))
        assert found.alarm == alarm


def test_a_model_that_is_nearly_always_right_is_named() -> None:
    churn = np.repeat([0, 1], [90, 10])
    (found,) = _model_alone(SETTINGS, churn, churn + 0.0)
    assert (found.check_kind, found.subject) == ("model_auc", "all features")
    assert found.alarm == "too_good:all features"
    assert found.limit_value == SETTINGS.audit.maximum_model_auc
    (found,) = _model_alone(SETTINGS, churn, np.arange(100) % 7.0)
    assert found.alarm is None


def small_frame(rows: int = 600) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """A feature that tells, one that does not, and one that is null for those who leave."""
    rng = np.random.default_rng(0)
    churn = (rng.random(rows) < 0.3).astype(int)
    frame = pd.DataFrame(
        {
            "tells": churn + rng.normal(0, 0.8, rows),
            "noise": rng.normal(size=rows),
            "blank": np.where(churn == 1, np.nan, 1.0),
            "filled": np.where(churn == 1, np.nan, 1.0),
        }
    )
    return frame, churn, np.arange(rows) % 3 + 1


COLUMNS = (
    Column("tells", "double", "feature", "1A"),
    Column("noise", "double", "feature", "2A"),
    Column("blank", "double", "feature", "3"),
    Column("filled", "double", "feature", "3", fill=1.0),
)


def test_each_feature_is_judged_as_it_is_filled() -> None:
    frame, churn, fold = small_frame()
    found = list(_features(SETTINGS, frame, COLUMNS, churn, fold))
    auc = {f.subject: f for f in found if f.check_kind == "feature_auc"}
    assert list(auc) == ["tells", "noise", "blank", "filled"]
    assert auc["tells"].observed_value > 0.7 > auc["noise"].observed_value
    assert auc["blank"].alarm == "too_good:blank"
    assert auc["filled"].observed_value == pytest.approx(0.5, abs=0.1), "the fill hides the null"
    assert (auc["tells"].tier, auc["blank"].tier) == ("1A", "3")
    assert auc["tells"].limit_value == SETTINGS.audit.maximum_feature_auc
    assert any(f.check_kind == "pure_churn" and f.subject == "tells" for f in found)
    assert any(f.group_name.startswith(">=") for f in found), "tails are looked at"


def test_a_part_of_the_id_is_judged_by_the_lower_end_of_a_wide_interval() -> None:
    _, churn, fold = small_frame()
    telling = pd.Series([f"C{10 * n + 7 * c:05}" for n, c in enumerate(churn)])
    found = {
        f.subject: f for f in _identifiers(SETTINGS, telling, np.zeros_like(churn), churn, fold)
    }
    last = found["customer_id remainder_by_10"]
    assert last.alarm == "identifier:remainder_by_10"
    assert last.check_kind == "identifier_auc" and last.tier is None
    assert last.limit_value == SETTINGS.audit.maximum_identifier_auc
    narrow = replace(Estimate(0, 0, 0), value=last.observed_value)
    assert narrow.value == pytest.approx(1.0, abs=0.01)
    plain = pd.Series([f"C{n:05}" for n in range(len(churn))])
    quiet = list(_identifiers(SETTINGS, plain, np.zeros_like(churn), churn, fold))
    assert [f.alarm for f in quiet if f.alarm] == []
    # 99.9 %, not 95 %: 3.29 standard errors either side, not 1.96.
    wide = next(f for f in quiet if f.subject == "customer_id order")
    assert wide.ci_high - wide.ci_low > 2.5 * 1.96 * 0.025


@pytest.mark.thorough
def test_an_id_may_tell_when_a_customer_joined() -> None:
    """Customers are numbered as they join, and the newest leave most: no alarm. An id that tells
    who leaves among those who joined together is one."""
    rng = np.random.default_rng(7)
    tenure = np.sort(rng.integers(0, 120, 4000))[::-1]
    churn = (rng.random(4000) < np.where(tenure < 12, 0.5, 0.05)).astype(np.int64)
    fold, cohort = rng.integers(1, 6, 4000), strata_of(pd.Series(tenure), churn)

    def raised(ids: pd.Series, cohort: np.ndarray) -> set[str | None]:
        found = _identifiers(SETTINGS, ids, cohort, churn, fold)
        return {finding.alarm for finding in found} - {None}

    in_turn = pd.Series([f"C{number:05}" for number in range(4000)])
    assert "identifier:order" in raised(in_turn, np.zeros_like(churn))
    assert raised(in_turn, cohort) == set()
    coded = pd.Series([f"C{10 * n + 7 * c:06}" for n, c in enumerate(churn)])
    assert "identifier:remainder_by_10" in raised(coded, cohort)


def test_each_tier_is_left_out_once_and_what_it_costs_is_told() -> None:
    frame, churn, fold = small_frame()
    quick = gold.settings_for(Path("/nowhere"))
    found = list(_ablation(quick, frame, COLUMNS[:3], churn, fold))
    lost = {f.subject: f for f in found}
    assert list(lost) == ["tier 1A", "tier 2A", "tier 3"]
    assert lost["tier 3"].observed_value > 0.02, "the null tells nearly everything"
    assert abs(lost["tier 2A"].observed_value) < 0.02
    assert {f.check_kind for f in found} == {"tier_ablation"}
    held_out = fold == 1
    for f in found:
        assert f.customer_count == held_out.sum()
        assert f.churner_count == churn[held_out].sum()
        assert f.alarm is None and np.isnan(f.limit_value) and f.group_name == ""
        assert f.ci_low <= f.observed_value <= f.ci_high
        assert f.tier == f.subject.removeprefix("tier ")


def test_tiers_are_left_out_of_trees_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The spline model beside them would take most of the time."""
    frame, churn, fold = small_frame()
    asked: list[Settings] = []

    def fit(*given: Any) -> Any:
        asked.append(given[-1])
        return fit_classifier(*given)

    monkeypatch.setattr("python_ml.judge.audit.fit_classifier", fit)
    settings = gold.settings_for(Path("/nowhere"))
    list(_ablation(settings, frame, COLUMNS[:3], churn, fold))
    assert {one.model.additive.knots for one in asked} == {0}
    trees = settings.audit.ablation.n_estimators
    assert {one.model.xgboost.n_estimators for one in asked} == {trees}


def test_traces_are_those_of_the_as_of_date_in_the_order_of_the_customers(tmp_path: Path) -> None:
    settings = SETTINGS.with_overrides({"home": str(tmp_path)})
    with duckdb.connect(str(settings.layout.warehouse)) as connection:
        connection.execute(
            "create table silver_customer_trace as select * from (values "
            "(date '2024-09-30', 'C1', 7), (date '2024-12-31', 'C1', 1), "
            "(date '2024-12-31', 'C2', 2)) as t(as_of_date, customer_id, contact_count)"
        )
    customers = pd.Series(["C2", "C3", "C1"])
    found = read_traces(open_warehouse(settings), customers, date(2024, 12, 31))
    assert found["contact_count"].fillna(-1).tolist() == [2, -1, 1]
    assert found.columns.tolist() == ["contact_count"]


def test_a_single_tier_is_not_left_out() -> None:
    frame, churn, fold = small_frame()
    quick = gold.settings_for(Path("/nowhere"))
    assert list(_ablation(quick, frame, COLUMNS[:1], churn, fold)) == []


def test_findings_are_rows_of_the_version() -> None:
    table = findings_table(purity(Group("=1", 100, 95))[1], "v7")
    assert table["model_version"].tolist() == ["v7"] * len(table)
    assert table["alarm"].iloc[0] == "pure_churn:flag=1"


def acceptance(alarm: str = "a", **changed: str) -> dict[str, str]:
    told = {"reason": " seen ", "author": " me ", "date": "2024-12-31", "data": "simulated"}
    return {"alarm": alarm, **told, **changed}


def test_an_acceptance_is_kept_without_its_blanks() -> None:
    [accepted] = SETTINGS.with_overrides({"audit.accepted": [acceptance()]}).audit.accepted
    assert (accepted.alarm, accepted.reason, accepted.author) == ("a", "seen", "me")


def test_two_acceptances_of_one_alarm_are_refused() -> None:
    with pytest.raises(UsageError, match="one entry"):
        SETTINGS.with_overrides({"audit.accepted": [acceptance(), acceptance()]})


@pytest.mark.parametrize("when", ["2024-12-311", "x2024-12-31", "2024-1-31"])
def test_the_date_of_an_acceptance_is_iso(when: str) -> None:
    with pytest.raises(UsageError, match="date"):
        SETTINGS.with_overrides({"audit.accepted": [acceptance(date=when)]})


def test_each_alarm_is_decided_once_by_its_full_name() -> None:
    settings = SETTINGS.with_overrides({"audit.accepted": [acceptance("pure_churn:flag=1")]})
    audit = pd.DataFrame(
        {
            "alarm": ["pure_churn:flag=1", None, "pure_churn:flag=11", "pure_churn:flag=1"],
            "detail": ["first", "quiet", "other", "again"],
        }
    )
    simulated = DataFingerprint("0a1b2", is_simulated=True)
    decisions = decide_alarms(audit, settings, simulated)
    assert [(d.alarm, d.detail, d.is_accepted) for d in decisions] == [
        ("pure_churn:flag=1", "first", True),
        ("pure_churn:flag=11", "other", False),
    ]
    check = alarm_check(decisions, simulated.customers)
    assert "0a1b2" in check.detail, "what an acceptance has to name"
    assert (check.check_name, check.observed_value, check.limit_value) == (GATE_CHECK, 1.0, 0.0)
    assert GATE_CHECK == "unaccepted_leakage_alarms", "as docs, cards and tables call it"
    assert not check.is_passed
    assert "pure_churn:flag=11" in check.detail and "flag=1," not in check.detail
    assert alarm_check(decisions[:1], "").is_passed
    assert alarm_check(decisions[:1], "").observed_value == 0
    table = alarm_table(decisions, "v1")
    assert table["accepted_on"].astype(str).tolist()[0] == "2024-12-31"
    assert pd.isna(table["accepted_on"].iloc[1])
    assert table["model_version"].tolist() == ["v1", "v1"]
    assert alarm_table([], "v1").columns.tolist() == table.columns.tolist()


def test_the_alarms_of_a_version_are_those_of_its_own_training(tmp_path: Path) -> None:
    """Two versions were trained by one run; a third was never audited."""
    settings = SETTINGS.with_overrides({"home": str(tmp_path)})
    warehouse = open_warehouse(settings)
    found = [purity(Group("=1", 100, 95))[1], purity(Group("=2", 100, 96))[1]]
    audits = [findings_table(each, version) for each, version in zip(found, "ab", strict=True)]
    warehouse.write_external("leakage_audit", pd.concat(audits), "run-1")
    versions = {
        name: RegisteredModel(name, create_autospec(ChurnModel), "", {"run_id": "run-1"})
        for name in "abc"
    }
    with pytest.raises(UsageError, match=r"(?s)model b .*not even with --force.*flag=2; accept"):
        require_accepted(warehouse, versions["b"], None)
    require_accepted(warehouse, versions["c"], None)
    decisions, check = judge_alarms(warehouse, settings, "run-2", versions["b"])
    assert [decision.alarm for decision in decisions] == ["pure_churn:flag=2"]
    assert not check.is_passed and "pure_churn:flag=2" in check.detail
    written = warehouse.read_external("leakage_alarm", "run-2")
    assert written[["model_version", "alarm"]].to_numpy().tolist() == [["b", "pure_churn:flag=2"]]
    decisions, check = judge_alarms(warehouse, settings, "run-2", versions["c"])
    assert decisions == [] and not check.is_passed
    assert "c was trained without a leakage audit" in check.detail
    assert np.isnan(check.observed_value) and check.limit_value == 0


def test_rows_of_gold_that_rest_on_a_later_date_raise_an_alarm() -> None:
    row = {
        "date_column": "max_contract_date",
        "bronze_model": "bronze_customer_contract",
        "row_count": 10,
        "later_count": 4,
        "latest_date": pd.Timestamp("2025-02-01"),
        "gold_row_count": 9,
        "gold_later_count": 0,
        "gold_latest_date": pd.Timestamp("2024-12-01"),
    }
    day = date(2024, 12, 31)
    left_out, leaking = source_date_findings(
        pd.DataFrame([row, {**row, "gold_later_count": 2}]), day
    )
    assert left_out.alarm is None and left_out.observed_value == 0.0
    assert leaking.alarm == "future_date:contract"
    assert (leaking.observed_value, leaking.limit_value) == (2.0, 0.0)
    assert leaking.tier is None and leaking.group_name == "" and leaking.subject == "contract"
    assert (leaking.check_kind, leaking.customer_count, leaking.churner_count) == (
        *("source_date", 10, 0),
    )
    assert np.isnan([leaking.ci_low, leaking.ci_high]).all()
    assert "4 of 10 rows of bronze_customer_contract" in left_out.detail
    assert "2 of 9 rows of gold rest on a later date" in leaking.detail


@pytest.mark.parametrize(
    ("open_alarms", "is_held_back"), [(1.0, True), (0.0, False), (None, False)]
)
def test_what_counts_before_a_promotion_is_the_newest_evaluation(
    open_alarms: float | None, is_held_back: bool
) -> None:
    """A version that was never audited (no figure) takes force and a reason."""
    check = {"check_name": GATE_CHECK, "observed_value": open_alarms, "detail": "flag=1 is open"}
    other = {"check_name": "pr_auc", "observed_value": 0.1, "detail": "low"}
    version = RegisteredModel("v1", create_autospec(ChurnModel), "", {"run_id": "run-1"})
    nothing_is_read = create_autospec(Warehouse)
    evaluation = {"checks": [other, check]}
    told = pytest.raises(UsageError, match=r"flag=1 is open.*spanishgas evaluate v1")
    with told if is_held_back else nullcontext():
        require_accepted(nothing_is_read, version, evaluation)


def test_a_jump_is_told_with_an_interval_as_uncertain_as_both_figures() -> None:
    """The other figure is as uncertain, so that the interval is the root of two as wide."""
    churn = np.tile([0, 0, 1, 0], 100)
    score = churn + np.random.default_rng(2).normal(0, 1, 400)
    weights = resample_weights(400, 200, SETTINGS.model.seed)
    found = estimate(partial(ranking_metrics, churn, score), weights, 0.99)["pr_auc"]
    reach = (found.high - found.low) / np.sqrt(2)
    limit = SETTINGS.audit.maximum_pr_auc_jump
    assert list(_jump(SETTINGS, churn, score, None)) == []
    edge = found.value - reach - limit  # where the lower end lies at the limit
    for theirs, alarm in [(edge + 0.001, None), (edge - 0.001, "jump:pr_auc")]:
        (finding,) = _jump(SETTINGS, churn, score, ("v1", theirs))
        rise = found.value - theirs
        assert (finding.observed_value, finding.ci_low, finding.ci_high) == pytest.approx(
            (rise, rise - reach, rise + reach)
        )
        assert (finding.alarm, finding.limit_value, finding.tier) == (alarm, limit, None)
        assert (finding.check_kind, finding.subject) == ("pr_auc_jump", "all features")
        assert (finding.group_name, finding.customer_count, finding.churner_count) == ("", 400, 100)
        assert finding.detail == (
            f"PR-AUC out of fold is {found.value:.3f}, that of v1 was {theirs:.3f}: {rise:+.3f}"
        )
    (finding,) = _jump(SETTINGS, churn, score, ("v1", found.value - 2 * reach))
    at_limit = SETTINGS.with_overrides({"audit.maximum_pr_auc_jump": finding.ci_low})
    (finding,) = _jump(at_limit, churn, score, ("v1", found.value - 2 * reach))
    assert finding.limit_value == finding.ci_low > 0 and finding.alarm is None


@pytest.mark.parametrize(
    ("origin", "is_accepted"),
    [
        ({"data_fingerprint": {"customers": "0a1b2", "is_simulated": True}}, True),
        ({"data_fingerprint": {"customers": "0a1b2", "is_simulated": False}}, False),
        ({}, False),  # of an older version: nobody knows which data
    ],
)
def test_an_acceptance_counts_in_the_data_that_a_version_was_trained_on(
    tmp_path: Path, origin: dict[str, Any], is_accepted: bool
) -> None:
    accepted = {"audit.accepted": [acceptance("pure_churn:flag=1")], "home": str(tmp_path)}
    settings = SETTINGS.with_overrides(accepted)
    warehouse = open_warehouse(settings)
    found = findings_table(purity(Group("=1", 100, 95))[1], "a")
    warehouse.write_external("leakage_audit", found, "run-1")
    model = RegisteredModel("a", create_autospec(ChurnModel), "", {"run_id": "run-1", **origin})
    decisions, check = judge_alarms(warehouse, settings, "run-2", model)
    assert [decision.is_accepted for decision in decisions] == [is_accepted]
    assert check.is_passed is is_accepted


def test_what_was_never_evaluated_is_held_back_by_the_alarms_of_its_training(
    tmp_path: Path,
) -> None:
    settings = SETTINGS.with_overrides({"home": str(tmp_path)})
    warehouse = open_warehouse(settings)
    found = purity(Group("=2", 100, 96), Group("=1", 100, 95), Group("=3", 100, 50))[1]
    quiet = purity(Group("=1", 100, 50))[1]
    audits = [findings_table(found, "a"), findings_table(quiet, "b")]
    warehouse.write_external("leakage_audit", pd.concat(audits), "run-1")
    model = RegisteredModel("a", create_autospec(ChurnModel), "", {"run_id": "run-1"})
    names = "pure_churn:flag=1, pure_churn:flag=2; accept them"
    with pytest.raises(UsageError, match=f"model a cannot be the champion.*raised {names}"):
        require_accepted(warehouse, model, None)
    require_accepted(warehouse, replace(model, version="b"), None)
    require_accepted(warehouse, replace(model, version="c"), None)
