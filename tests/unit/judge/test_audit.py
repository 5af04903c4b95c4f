"""The audit finds leaks that were planted, names them, and keeps quiet where there are none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import average_precision_score, roc_auc_score

from python_ml.contracts.gold import Column
from python_ml.errors import ModelGateError, SpanishGasError, UsageError
from python_ml.judge import audit_groups
from python_ml.judge.alarms import GATE_CHECK, alarm_check, decide_alarms
from python_ml.judge.audit import (
    _jump,
    _purity,
    _traces,
    audit_training,
    findings_table,
    read_source_dates,
    source_date_findings,
)
from python_ml.judge.fingerprint import DataFingerprint, sketch
from python_ml.pipeline.evaluate import evaluate
from python_ml.pipeline.train import fit_by_protocol, labelled_rows, train
from python_ml.registry import REJECTED, open_registry
from python_ml.settings import PROJECT_DIR, load_settings
from tests.unit import gold_fixture as gold


def number(name: str) -> Column:
    return Column(name, data_type="double", role="feature", tier="1A")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def audited(home: Path, frame: pd.DataFrame, extra: Sequence[Column] = ()) -> pd.DataFrame:
    """Findings on a gold layer with `extra` features beside the miniature's."""
    quick = {"model.xgboost.n_estimators": 15, "audit.ablation.n_estimators": 5}
    settings = gold.settings_for(home, **quick)
    warehouse = gold.warehouse_with(settings, gold.gold_frame(50))
    contract = gold.contract()
    rows = labelled_rows(frame, contract, settings, gold.AS_OF_DATE)
    training = rows[rows["split_part"] == "train"].reset_index(drop=True)
    columns = [*contract.experiment(settings, "E5_full"), *extra]
    fitted = fit_by_protocol(training, columns, "churn", "E5_full", settings)
    findings = audit_training(
        warehouse, settings, training, columns, contract, gold.AS_OF_DATE, fitted.out_of_fold
    )
    return findings_table(findings, "v1")


def leavers(frame: pd.DataFrame, share: float, seed: int = 4) -> pd.Series:
    """A share of those who leave, drawn by chance."""
    return (frame["churn"] == 1) & (np.random.default_rng(seed).random(len(frame)) < share)


def alarms(table: pd.DataFrame) -> set[str]:
    return set(table["alarm"].dropna())


@pytest.mark.thorough
def test_no_alarm_where_no_text_knows_the_outcome(home: Path) -> None:
    table = audited(home, gold.gold_frame(3000, text_strength=0.0))
    assert alarms(table) == set()
    kinds = set(table["check_kind"])
    assert kinds == {
        *("model_auc", "feature_auc", "trace_auc", "pure_churn", "pure_stay"),
        *("identifier_auc", "source_date", "tier_ablation"),
    }
    features = gold.contract().experiment(gold.settings_for(home), "E5_full")
    looked_at = table.loc[table["check_kind"] == "feature_auc", "subject"]
    assert looked_at.tolist() == [column.name for column in features]


@pytest.mark.parametrize("noise", [0.0, 0.03, 0.10])
@pytest.mark.slow
def test_a_copy_of_the_label_is_found_through_noise(home: Path, noise: float) -> None:
    frame = gold.gold_frame(3000)
    flipped = np.random.default_rng(1).random(len(frame)) < noise
    frame["leak"] = np.where(flipped, 1 - frame["churn"], frame["churn"])
    found = alarms(audited(home, frame, [number("leak")]))
    assert "too_good:leak" in found
    assert not any("months_to_renewal" in name for name in found)
    if noise == 0:
        assert {"pure_churn:leak=1", "pure_stay:leak=0", "too_good:all features"} <= found


@pytest.mark.thorough
def test_a_label_hidden_in_a_quantity_is_found(home: Path) -> None:
    """Neither a flag nor monotone: those who leave have a value near zero, of either sign."""
    frame = gold.gold_frame(3000)
    rng = np.random.default_rng(2)
    sign = rng.choice([-1, 1], len(frame))
    frame["leak"] = sign * np.where(frame["churn"] == 1, 0.1, 1.0) * rng.uniform(0.5, 1, 3000)
    assert roc_auc_score(frame["churn"], frame["leak"]) == pytest.approx(0.5, abs=0.05)
    assert "too_good:leak" in alarms(audited(home, frame, [number("leak")]))


@pytest.mark.thorough
def test_a_value_that_few_but_only_leavers_have_is_found(home: Path) -> None:
    """30 of 3,000: no AUC would show it."""
    frame = gold.gold_frame(3000)
    marked = frame.index[frame["churn"] == 1][:30]
    frame["leak"] = frame.index.isin(marked).astype(int)
    table = audited(home, frame, [number("leak")])
    assert "pure_churn:leak=1" in alarms(table)
    assert "too_good:leak" not in alarms(table)


@pytest.mark.thorough
def test_a_flag_that_is_nearly_pure_and_holds_many_leavers_is_found(home: Path) -> None:
    """Neither as pure as a small group has to be, nor good enough for the limit of the AUC."""
    frame = gold.gold_frame(3000)
    marked = leavers(frame, 0.5)
    others = frame.index[frame["churn"] == 0][: round(marked.sum() * 0.12 / 0.88)]
    frame["leak"] = (marked | frame.index.isin(others)).astype(int)
    assert frame.loc[frame["leak"] == 1, "churn"].mean() == pytest.approx(0.88, abs=0.01)
    assert alarms(audited(home, frame, [number("leak")])) >= {"pure_churn:leak=1"}


def test_traces_in_the_sources_that_know_the_outcome_are_found(home: Path) -> None:
    """Prices that were kept up for those who stayed: no feature shows it."""
    frame = gold.gold_frame(3000, text_strength=0.0)
    stopped = leavers(frame, 0.6) | (np.random.default_rng(5).random(3000) < 0.02)
    traces = pd.DataFrame(
        {
            "months_since_price": np.where(stopped, 2, 1),
            "days_since_contact": frame["last_interaction_days_ago"],
        }
    )
    fold, churn = np.arange(3000) % 5, frame["churn"].to_numpy()
    found = findings_table(list(_traces(gold.settings_for(home), traces, churn, fold)), "v1")
    assert alarms(found) == {"too_good:months_since_price", "pure_churn:months_since_price=2"}


def test_a_jump_over_the_model_in_place_is_an_alarm_and_chance_is_none() -> None:
    rng = np.random.default_rng(6)
    churn = (rng.random(4000) < 0.1).astype(int)
    score = churn * 1.5 + rng.normal(size=4000)
    settings = load_settings({}, environ={})
    pr_auc = average_precision_score(churn, score)
    for before, is_alarm in ((pr_auc - 0.04, False), (pr_auc - 0.20, True), (pr_auc + 0.2, False)):
        [finding] = _jump(settings, churn, score, ("churn-before", before))
        assert (finding.alarm == "jump:pr_auc") is is_alarm
        assert finding.check_kind == "pr_auc_jump", "as the mart names it"
        assert "churn-before" in finding.detail
    assert list(_jump(settings, churn, score, None)) == []


def test_a_fingerprint_is_shared_by_later_batches_and_by_no_other_company() -> None:
    ours = [f"C{number:05}|2020-01-01" for number in range(4000)]
    later = ours[400:] + [f"C{number:05}|2024-12-01" for number in range(4000, 4400)]
    theirs = [f"C{number:05}|2021-06-01" for number in range(4000)]
    now = DataFingerprint(sketch(later), is_simulated=False)
    assert now.matches(sketch(ours))
    assert not now.matches(sketch(theirs))
    assert not now.matches("simulated")
    assert DataFingerprint(sketch(theirs), is_simulated=True).matches("simulated")
    assert not DataFingerprint("", is_simulated=False).matches(sketch(ours))


@pytest.mark.thorough
def test_a_blank_that_tells_is_found(home: Path) -> None:
    """Whoever left has lost the value: the null itself is the leak."""
    frame = gold.gold_frame(3000)
    frame["leak"] = np.where(frame["churn"] == 1, np.nan, np.arange(3000.0))
    found = alarms(audited(home, frame, [number("leak")]))
    assert {"pure_churn:leak=missing", "too_good:leak"} <= found


@pytest.mark.parametrize(
    ("encode", "alarm"),
    [
        (lambda churn, n: (1 - churn) * 50_000 + n, "identifier:order"),
        (lambda churn, n: 10 * n + np.where(churn == 1, 7, n % 7), "identifier:remainder_by_10"),
        (
            lambda churn, n: np.where(churn == 1, 13 * n, 13 * n + 1 + n % 12),
            "identifier:remainder_by_13",
        ),
        (lambda churn, n: np.where(churn == 1, 1_000_000 + n, n + 10_000), "identifier:length"),
        # The second digit of five is 7 for those who leave.
        (
            lambda churn, n: n // 100 * 10_000 + np.where(churn == 1, 7, n % 7) * 1000 + n % 100,
            "identifier:character_3",
        ),
    ],
)
@pytest.mark.slow
def test_an_id_that_encodes_the_outcome_is_found(home: Path, encode: Any, alarm: str) -> None:
    frame = gold.gold_frame(3000)
    shuffled = np.random.default_rng(3).permutation(3000)
    numbers = encode(frame["churn"].to_numpy(), shuffled)
    frame["customer_id"] = [f"C{number:05}" for number in numbers]
    frame = frame.drop_duplicates("customer_id")
    assert alarm in alarms(audited(home, frame))


def test_rows_that_rest_on_a_later_date_are_found_and_those_left_out_are_counted(
    home: Path,
) -> None:
    frame = gold.gold_frame(1500)
    frame.loc[:1, "max_contact_date"] = pd.Timestamp("2025-01-01")
    warehouse = gold.warehouse_with(gold.settings_for(home), frame)
    contract = gold.contract()
    found = read_source_dates(warehouse, contract, gold.AS_OF_DATE)
    assert list(found["date_column"]) == [column.name for column in contract.source_dates]
    findings = source_date_findings(found, gold.AS_OF_DATE)
    assert [finding.alarm for finding in findings if finding.alarm] == ["future_date:contact"]
    by_kind = {finding.subject: finding.detail for finding in findings}
    assert "2 of 1,500 rows of gold rest on a later date" in by_kind["contact"]
    assert (
        "20 of 500 rows of bronze_reading hold a date after 2024-12-31 (the newest is of "
        "2025-01-31) and are left out; no row of gold rests on a later date"
    ) in by_kind["reading"]


def test_a_kind_of_date_that_nobody_counted_is_an_error(home: Path) -> None:
    warehouse = gold.warehouse_with(gold.settings_for(home), gold.gold_frame(1500))
    with pytest.raises(SpanishGasError, match="silver_source_date has no row"):
        read_source_dates(warehouse, gold.contract(), date(2024, 6, 30))


def test_every_landed_table_with_a_date_is_looked_at() -> None:
    """The models of silver_source_date are all of bronze that read landed tables, but the label,
    which says what became of the customers, and the calendar of the readings."""
    models = Path(PROJECT_DIR, "models")
    sql = (models / "silver" / "silver_source_date.sql").read_text(encoding="utf-8")
    looked_at = dict(re.findall(r"'(bronze_\w+)': '(max_\w+_date)'", sql))
    landed = {
        path.stem
        for path in (models / "bronze").glob("*.sql")
        if "source('raw'" in path.read_text(encoding="utf-8")
    }
    assert landed - looked_at.keys() == {
        "bronze_churn_label",
        "bronze_hour",
        "bronze_campaign_contact",  # of who takes part, and known only after the as-of date
    }
    described = (models / "gold" / "_gold__models.yml").read_text(encoding="utf-8")
    master = next(m for m in yaml.safe_load(described)["models"] if m["name"] == "gold_master")
    roles = {c["name"]: c.get("config", {}).get("meta", {}).get("role") for c in master["columns"]}
    assert {name for name, role in roles.items() if role == "lineage"} == set(looked_at.values())


@pytest.mark.slow
def test_an_unaccepted_alarm_fails_the_gate_and_an_accepted_one_does_not(tmp_path: Path) -> None:
    frame = gold.gold_frame(1500)
    frame["is_negative_sentiment"] = frame["churn"]
    settings = gold.settings_for(tmp_path, **{"audit.accepted": []})
    warehouse = gold.warehouse_with(settings, frame)
    contract = gold.contract()
    trained = train(warehouse, settings, contract, "run-1", gold.AS_OF_DATE)
    assert "too_good:is_negative_sentiment" in trained.alarms
    result = evaluate(warehouse, settings, contract, "run-1", trained.model_version)
    with pytest.raises(ModelGateError, match="too_good:is_negative_sentiment"):
        result.raise_if_rejected()
    assert [check.check_name for check in result.checks if not check.is_passed] == [GATE_CHECK]
    assert open_registry(settings).status(trained.model_version) == REJECTED

    who = {"reason": "planted by a test", "author": "tester", "date": "2024-12-31"}
    told = open_registry(settings).load(trained.model_version).origin["data_fingerprint"]
    who["data"] = told["customers"]
    assert who["data"] in result.reasons[0]
    entries = [{"alarm": name, **who} for name in trained.alarms]
    for other in ("simulated", "-".join(["00000"] * 16)):
        elsewhere = [{**entry, "data": other} for entry in entries]
        given = settings.with_overrides({"audit.accepted": elsewhere})
        assert not evaluate(warehouse, given, contract, "run-1", trained.model_version).has_passed
    reviewed = settings.with_overrides({"audit.accepted": entries})
    result = evaluate(warehouse, reviewed, contract, "run-2", trained.model_version)
    assert result.is_approved
    written = warehouse.read_external("leakage_alarm", "run-2")
    assert set(written["alarm"]) == set(trained.alarms)
    assert written["is_accepted"].all() and set(written["author"]) == {"tester"}
    assert str(written["accepted_on"].iloc[0])[:10] == "2024-12-31"

    missing_one = settings.with_overrides({"audit.accepted": entries[1:]})
    result = evaluate(warehouse, missing_one, contract, "run-3", trained.model_version)
    assert entries[0]["alarm"] in result.reasons[0]
    assert entries[1]["alarm"] not in result.reasons[0]


@pytest.mark.slow
def test_a_version_that_was_never_audited_does_not_pass(tmp_path: Path) -> None:
    settings = gold.settings_for(tmp_path)
    warehouse = gold.warehouse_with(settings, gold.gold_frame())
    version = train(warehouse, settings, gold.contract(), "run-1", gold.AS_OF_DATE).model_version
    audit = warehouse.read_external("leakage_audit", "run-1").drop(columns="run_id")
    warehouse.write_external("leakage_audit", audit.head(0), "run-1")
    result = evaluate(warehouse, settings, gold.contract(), "run-1", version)
    assert "without a leakage audit" in " ".join(result.reasons)


@pytest.mark.parametrize(
    "entry",
    [
        {"alarm": "a", "data": "simulated", "reason": "b", "author": "c"},
        {"alarm": "a", "data": "simulated", "reason": " ", "author": "c", "date": "2024-12-31"},
        {"alarm": "a", "data": "simulated", "reason": "b", "author": "c", "date": "yesterday"},
        {"alarm": "a", "data": "any", "reason": "b", "author": "c", "date": "2024-12-31"},
        {"alarm": "a", "reason": "b", "author": "c", "date": "2024-12-31"},
        {
            "alarm": "pure_churn:*",
            "data": "simulated",
            "reason": "b",
            "author": "c",
            "date": "2024-12-31",
        },
        "too_good:everything",
    ],
)
def test_an_acceptance_needs_name_reason_author_and_date(entry: dict[str, str] | str) -> None:
    with pytest.raises(UsageError, match=r"audit\.accepted"):
        load_settings({"audit.accepted": [entry]}, environ={})


def test_shipped_acceptances_are_complete_and_about_interactions_alone() -> None:
    """Nothing is waved through but what interactions tell, by their text or by being there."""
    settings = load_settings(environ={})
    accepted = [entry.alarm for entry in settings.audit.accepted]
    text = ("intent", "complaint", "sentiment", "contact_count")
    assert accepted
    assert all(any(word in name for word in text) for name in accepted)
    raised = pd.DataFrame({"alarm": [*accepted, "too_good:segment"], "detail": "seen"})
    simulated = DataFingerprint("", is_simulated=True)
    check = alarm_check(decide_alarms(raised, settings, simulated), "")
    assert not check.is_passed
    assert check.observed_value == 1
    own = DataFingerprint(sketch(["C00001|2020-01-01"]), is_simulated=False)
    check = alarm_check(decide_alarms(raised, settings, own), own.customers)
    assert check.observed_value == len(raised), "nothing is accepted in a user's own data"


@pytest.mark.thorough
def test_auc_and_its_interval_are_those_of_the_literature() -> None:
    rng = np.random.default_rng(5)
    churn = (rng.random(800) < 0.2).astype(int)
    score = np.round(churn * 0.8 + rng.normal(size=800), 1)  # with ties
    found = audit_groups.roc_auc(score, churn, 0.95)
    assert found.value == pytest.approx(roc_auc_score(churn, score))
    drawn = []
    for _ in range(400):
        rows = rng.integers(0, 800, 800)
        drawn.append(roc_auc_score(churn[rows], score[rows]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=0.01)
    assert found.high == pytest.approx(high, abs=0.01)


def test_the_rate_of_a_group_leaves_out_a_rows_own_fold() -> None:
    names = np.array(["=1", "=1", "=2", "=2"])
    churn, fold = np.array([1, 0, 0, 0]), np.array([1, 2, 1, 2])
    rate = audit_groups.out_of_fold_rate(names, churn, fold)
    # The first row is judged by fold 2, where nobody left; the second by fold 1.
    assert rate == pytest.approx([0.0, 0.75, 0.0, 0.25])


@pytest.mark.parametrize(("customers", "is_leak"), [(306, False), (990, False), (1010, True)])
def test_that_nobody_of_a_few_hundred_left_may_be_chance(customers: int, is_leak: bool) -> None:
    """At a tenth of a churn of 10 %, none of 1,000 leaves once in 20,000; of 306, once in 20."""
    group = audit_groups.Group("=7.6544", customers, 0)
    others = audit_groups.Group("=1", 100_000, 10_000)
    column = number("months_to_renewal")
    settings, churn = load_settings({}, environ={}), np.repeat([1, 0], [10_000, 90_000])
    found = list(_purity(settings, column.name, column.tier, [group, others], churn, 0.6))
    assert any(finding.alarm for finding in found) is is_leak
