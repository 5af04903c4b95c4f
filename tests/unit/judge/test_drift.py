"""Drift: distances against their definitions, error rates against chance, and the calendar."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from python_ml.contracts.gold import GOLD, MODEL_FILE, Column
from python_ml.judge.drift.distributions import distribution_table
from python_ml.judge.drift.monitor import months_between, watch_drift
from python_ml.judge.drift.samples import (
    JOINT,
    MISSING_VALUES,
    Finding,
    Sample,
    compare_samples,
    label_finding,
)
from python_ml.judge.drift.statistics import (
    Matching,
    as_numbers,
    compare_categories,
    compare_numbers,
    compare_shares,
    effective_size,
    match,
    psi,
)
from python_ml.pipeline.train import train
from python_ml.settings import load_settings
from tests.unit import gold_fixture as gold

LIMITS = load_settings({}, environ={}).drift
COLUMNS = (
    Column("renewal", "double", "feature", "1A", calendar="counts_down"),
    Column("is_near", "integer", "feature", "1A", fill=0, calendar="renewal"),
    Column("tenure", "double", "feature", "1A", calendar="counts_up"),
    Column("use", "double", "feature", "MP core"),
    Column("months_of_use", "double", "feature", "MP risk", calendar="history"),
    Column("trend", "double", "feature", "MP risk", calendar="season"),
    Column("channel", "varchar", "feature", "1A", fill="Unknown"),
)


CHANNELS = np.array(["a", "b", "c", None], dtype=object)


def customers(count: int, seed: int, *, months: float = 0.0, arrived: int = 0) -> pd.DataFrame:
    """Draws of one process, as it stands after some months; contracts are bunched in the year."""
    random = np.random.default_rng(seed)
    renewal = 12 * random.beta(2, 4, count) - months
    renewal = np.where(renewal < 0, renewal + 365 / 30.44, renewal)
    tenure = random.gamma(2.0, 20.0, count) + months
    tenure[:arrived] = random.uniform(0, max(months, 0.1), arrived) * 0.9
    history = np.full(count, 12.0)
    history[:arrived] = 1.0
    return pd.DataFrame(
        {
            "customer_id": [f"C{seed}-{number}" for number in range(count)],
            "renewal": renewal,
            "is_near": (renewal <= 3).astype(int),
            "tenure": tenure,
            "use": np.where(random.random(count) < 0.1, np.nan, random.lognormal(5, 1, count)),
            "months_of_use": history,
            "trend": random.normal(months, 1.0, count),
            "channel": random.choice(CHANNELS, count, p=[0.5, 0.3, 0.15, 0.05]),
        }
    )


def compared(
    reference: pd.DataFrame, current: pd.DataFrame, months: float = 0.0, **more: Any
) -> dict[str, Finding]:
    found = compare_samples(COLUMNS, Sample(reference), Sample(current), months, LIMITS, **more)
    return {
        f"{finding.subject} {MISSING_VALUES}"
        if finding.subject_kind == MISSING_VALUES
        else finding.subject: finding
        for finding in found
    }


def verdicts(found: dict[str, Finding]) -> dict[str, str]:
    return {name: finding.verdict for name, finding in found.items()}


def test_unit_weights_give_scipys_distance() -> None:
    random = np.random.default_rng(1)
    first, second = random.normal(size=400), random.normal(0.3, 1, size=300)
    plain = compare_numbers(first, second)
    assert plain.distance == pytest.approx(stats.ks_2samp(first, second).statistic)
    weighted = compare_numbers(first, second, np.ones(400))
    assert weighted.distance == pytest.approx(plain.distance, abs=1e-12)
    assert weighted.p_value == pytest.approx(plain.p_value, rel=0.05)


def test_weights_stand_for_repeated_rows() -> None:
    first, second = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.5, 3.0])
    weighted = compare_numbers(first, second, np.array([1.0, 2.0, 1.0]))
    repeated = compare_numbers(np.array([1.0, 2.0, 2.0, 3.0]), second)
    assert weighted.distance == pytest.approx(repeated.distance)
    assert effective_size(np.array([1.0, 1.0, 1.0])) == 3.0


def test_psi_is_that_of_the_textbook() -> None:
    assert psi(np.array([0.5, 0.5]), np.array([0.6, 0.4])) == pytest.approx(
        0.1 * np.log(1.2) - 0.1 * np.log(0.8)
    )
    assert psi(np.array([1.0, 0.0]), np.array([1.0, 0.0])) == 0


def test_another_order_of_adding_up_is_no_drift() -> None:
    """A mean over the same twelve prices differs in the last digit when they are rotated."""
    prices = np.random.default_rng(2).random((52, 12))
    first = prices.sum(axis=1) / 12
    second = np.roll(prices, 5, axis=1).cumsum(axis=1)[:, -1] / 12
    assert (first != second).any()
    found = compare_numbers(as_numbers(np.tile(first, 40)), as_numbers(np.tile(second, 40)))
    assert found.distance == 0


def test_a_rising_share_of_nulls_is_drift() -> None:
    reference, current = customers(2000, 1), customers(2000, 2)
    current.loc[:600, "use"] = np.nan
    assert verdicts(compared(reference, current))["use"] == "alarm"


def test_a_few_more_nulls_are_an_alarm_of_their_own() -> None:
    """Four in a hundred more are too few to move the distribution by the limit of a distance."""
    reference, current = customers(4000, 1), customers(4000, 2)
    current.loc[:160, "use"] = np.nan
    found = compared(reference, current)
    assert found["use"].verdict == "stable"
    missing = found[f"use {MISSING_VALUES}"]
    assert missing.verdict == "alarm"
    assert (missing.reference_mean, missing.current_mean) == pytest.approx((0.1, 0.14), abs=0.02)
    assert f"months_of_use {MISSING_VALUES}" not in found, "nobody lacks it"


def test_a_rare_flag_that_doubles_is_an_alarm() -> None:
    """From 2% to 4% is a distance of 0.02."""
    columns = (Column("complains", "integer", "feature", "2A", fill=0), *COLUMNS)
    random = np.random.default_rng(4)
    reference, current = (
        Sample(customers(4000, seed).assign(complains=(random.random(4000) < share).astype(int)))
        for seed, share in ((1, 0.02), (2, 0.04))
    )
    found = {it.subject: it for it in compare_samples(columns, reference, current, 0.0, LIMITS)}
    assert found["complains"].verdict == "alarm"
    assert found["complains"].plain.distance < 0.05
    assert found["complains"].plain.statistic == "chi2"


def test_a_rare_level_that_doubles_is_an_alarm() -> None:
    reference, current = customers(4000, 1), customers(4000, 2)
    for frame, share in ((reference, 0.02), (current, 0.04)):
        rare = np.random.default_rng(len(frame)).random(len(frame)) < share
        frame["channel"] = frame["channel"].mask(rare, "rare")
    found = compared(reference, current)["channel"]
    assert found.plain.psi < LIMITS.watch_psi
    assert found.verdict == "alarm"


def test_shares_are_compared_by_the_odds() -> None:
    found = compare_shares(np.arange(1000) < 20, np.arange(1000) < 40)
    assert found.distance == pytest.approx(0.02)
    assert found.odds_ratio == pytest.approx((40.5 / 960.5) / (20.5 / 980.5))
    assert found.p_value == pytest.approx(
        stats.chi2_contingency([[20, 980], [40, 960]], correction=False)[1]
    )
    nobody = compare_shares(np.zeros(50), np.zeros(60))
    assert (nobody.p_value, nobody.odds_ratio) == (1.0, 1.0)


def test_shares_are_compared_among_those_who_are_alike() -> None:
    """Ten times as frequent in one stratum as in the other, of which few are left: as expected."""
    random = np.random.default_rng(6)

    def drawn(near: int, far: int, factor: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        stratum = np.repeat([0, 1], [near, far])
        return stratum, random.random(near + far) < np.where(stratum == 0, 0.1, 0.01) * factor

    before, complained = drawn(1000, 2000)
    now, complains = drawn(200, 2800)
    assert compare_shares(complained, complains).odds_ratio > 1.8
    quiet = compare_shares(complained, complains, Matching(before, now))
    assert quiet.distance < 0.005
    assert quiet.p_value > 0.05
    now, complains = drawn(200, 2800, 2.0)
    doubled = compare_shares(complained, complains, Matching(before, now))
    assert doubled.odds_ratio > 1.5
    assert doubled.p_value < 1e-4
    assert compare_shares(complained, complains).p_value > 0.01, "the calendar hides it"


def test_the_stratified_test_is_that_of_cochran_mantel_and_haenszel() -> None:
    """Of one stratum it is the chi-square test but for n − 1; of two, by hand: the excess is
    (20 − 15) + (12 − 10), the variance 100·100·30·170/(200²·199) + 50·50·20·80/(100²·99)."""
    one = compare_shares(
        np.arange(100) < 10,
        np.arange(100) < 20,
        Matching(np.zeros(100, dtype=np.int64), np.zeros(100, dtype=np.int64)),
    )
    chi_square = stats.chi2_contingency([[10, 90], [20, 80]], correction=False)[0]
    assert one.p_value == pytest.approx(stats.chi2.sf(chi_square * 199 / 200, 1))
    strata = np.repeat([0, 1], [100, 50])
    before, now = (
        np.concatenate([np.arange(100) < a, np.arange(50) < b]) for a, b in ((10, 8), (20, 12))
    )
    variance = 100 * 100 * 30 * 170 / (200**2 * 199) + 50 * 50 * 20 * 80 / (100**2 * 99)
    two = compare_shares(before, now, Matching(strata, strata))
    assert two.p_value == pytest.approx(stats.chi2.sf(7**2 / variance, 1))


def test_rows_are_matched_on_all_drivers() -> None:
    random = np.random.default_rng(8)
    reference = random.random((3000, 2))
    current = np.column_stack([random.beta(2, 1, 2000), random.beta(1, 3, 2000)])
    current[0], reference[0] = np.nan, np.nan
    matching = match(reference, current)
    known = ~np.isnan(reference).any(axis=1)
    weights = matching.weights[known]
    means = np.average(reference[known], axis=0, weights=weights)
    assert means == pytest.approx(np.nanmean(current, axis=0), abs=0.01)
    assert weights.sum() == pytest.approx(2000, rel=0.01)
    assert set(matching.current) <= set(matching.reference)
    assert min(np.bincount(matching.reference)) >= 20
    ties = match(np.zeros((60, 1)), np.ones((60, 1)))
    assert ties.weights.tolist() == [1.0] * 60


def test_features_that_no_longer_go_together_are_an_alarm() -> None:
    """Each alone is as it was: only who has which value has changed."""
    columns = (
        Column("use", "double", "feature", "MP core"),
        Column("size", "double", "feature", "MP core"),
    )

    def drawn(seed: int) -> pd.DataFrame:
        random = np.random.default_rng(seed)
        use = random.lognormal(5, 1, 2000)
        return customers(2000, seed).assign(use=use, size=np.log(use) + random.normal(0, 1, 2000))

    reference, current = drawn(1), drawn(2)
    quiet = compare_samples(columns, Sample(reference), Sample(current), 0.0, LIMITS)
    assert {it.subject: it.verdict for it in quiet}[JOINT] == "stable"
    current["use"] = current["use"].sample(frac=1, random_state=1).to_numpy()
    found = compare_samples(columns, Sample(reference), Sample(current), 0.0, LIMITS)
    alarms = {it.subject: it for it in found if it.is_alarm}
    assert set(alarms) == {JOINT}
    assert "use" in alarms[JOINT].note


def test_customers_who_stayed_as_they_were_are_no_change_of_dependence() -> None:
    """A customer who is in both samples is never learned from and told apart."""
    rows = customers(1500, 1)
    found = compared(rows, rows.copy())[JOINT]
    assert found.plain.distance < LIMITS.minimum_dependence
    assert found.plain.p_value > 0.01


def test_rare_levels_are_put_together() -> None:
    common = np.array(["x"] * 490, dtype=object)
    rare = np.array([f"r{number}" for number in range(20)], dtype=object)
    found = compare_categories(
        np.concatenate([common, rare[:10]]), np.concatenate([common, rare[10:]])
    )
    assert found.p_value == 1.0
    assert found.psi == 0.0


@pytest.mark.thorough
def test_p_values_are_those_of_chance() -> None:
    """Under no difference, one in a hundred lies below 0.01, of chi-square and of weighted KS."""
    random = np.random.default_rng(3)
    levels = np.array(["a", "b", "c"], dtype=object)
    below = {"chi2": 0, "ks": 0}
    for _ in range(500):
        one, two = (levels[random.choice(3, 300, p=[0.6, 0.3, 0.1])] for _ in range(2))
        below["chi2"] += compare_categories(one, two).p_value < 0.01
        weights = random.uniform(0.5, 1.5, 300)
        numbers = random.normal(size=300), random.normal(size=300)
        below["ks"] += compare_numbers(*numbers, weights).p_value < 0.01
    # Binomial: more than 16 of 500 at 1 % has a probability below one in ten thousand.
    assert max(below.values()) <= 16
    assert below["chi2"] > 0


@pytest.mark.thorough
def test_two_draws_of_one_month_rarely_alarm_and_the_plain_rule_often_does() -> None:
    ours = plain = 0
    for seed in range(0, 80, 2):
        found = compared(customers(500, seed), customers(500, seed + 1)).values()
        ours += any(finding.is_alarm for finding in found)
        plain += any(finding.is_alarm_plain for finding in found)
    assert ours <= 2
    assert plain >= ours


@pytest.mark.thorough
def test_significance_without_effect_is_no_alarm() -> None:
    reference, current = customers(60_000, 1), customers(60_000, 2)
    current["use"] *= 1.04
    found = compared(reference, current)["use"]
    assert found.p_value_adjusted < 0.01
    assert found.verdict == "stable"
    assert found.is_alarm_plain


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("use", lambda frame: frame["use"] * 1.3),
        ("channel", lambda frame: frame["channel"].mask(frame.index < 600, "c")),
        ("is_near", lambda frame: frame["is_near"].mask(frame.index < 700, 1)),
        ("renewal", lambda frame: frame["renewal"].mask(frame.index < 300, 0.5)),
        ("tenure", lambda frame: frame["tenure"].mask(frame.index < 300, 50.0)),
        ("months_of_use", lambda frame: frame["months_of_use"].mask(frame.index > 1700, 11.0)),
    ],
)
@pytest.mark.parametrize("months", [0.0, 31 / 30.44])
def test_a_change_is_found_also_when_time_has_passed(
    column: str, change: Any, months: float
) -> None:
    reference = customers(2000, 1)
    current = customers(2000, 2, months=months, arrived=60 if months else 0)
    changed = current.assign(**{column: change(current)})
    if column == "renewal":
        changed["is_near"] = (changed["renewal"] <= 3).astype(int)
    found = verdicts(compared(reference, changed, months))
    assert found[column] == "alarm"
    alarms = {name for name, verdict in found.items() if verdict == "alarm"}
    follows = {"renewal": {"is_near"}}.get(column, set()) if not months else set()
    others = alarms - {column, "trend", f"{column} {MISSING_VALUES}", JOINT} - follows
    assert not others


@pytest.mark.parametrize("months", [31 / 30.44, 90 / 30.44, 184 / 30.44])
def test_what_the_calendar_moves_is_told_apart(months: float) -> None:
    reference = customers(4000, 1)
    current = customers(4000, 2, months=months, arrived=int(4000 * 0.033 * months))
    found = compared(reference, current, months)
    assert "alarm" not in verdicts(found).values()
    assert found["renewal"].verdict == "calendar"
    near = found["is_near"]
    assert near.judged is not None
    assert near.judged.distance < near.plain.distance
    assert "less than a year" in found["months_of_use"].note


def _said(calendar: str | None) -> Column:
    return Column("complains", "integer", "feature", "2A", from_text=True, calendar=calendar)


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "calendar"), (2.0, "alarm")])
def test_a_rare_flag_that_follows_the_renewals(factor: float, verdict: str) -> None:
    """Complaints are frequent near the renewal, and the bunch of renewals is over: that they are
    rarer is the calendar's doing; that they double is not."""
    columns = (*COLUMNS, _said("renewal"))
    random = np.random.default_rng(9)
    samples = []
    for seed, months, times in ((1, 0.0, 1.0), (2, 7.0, factor)):
        frame = customers(6000, seed, months=months, arrived=300 if months else 0)
        risk = np.where(frame["renewal"] <= 3, 0.08, 0.008) * times
        complains = (random.random(len(frame)) < risk).astype(int)
        samples.append(Sample(frame.assign(complains=complains)))
    found = {it.subject: it for it in compare_samples(columns, samples[0], samples[1], 7.0, LIMITS)}
    assert found["complains"].verdict == verdict
    assert found["complains"].plain.distance < LIMITS.minimum_distance


def test_windows_that_fill_up_are_no_drift() -> None:
    """Who joined before the training date had two months of history then, and has five now."""
    reference, current = customers(3000, 1), customers(3000, 2, months=3.0)
    for frame, newest, months_of_use in ((reference, 300, 2.0), (current, 700, 5.0)):
        frame.loc[:newest, "tenure"] = months_of_use
        frame.loc[:newest, "months_of_use"] = months_of_use
    found = compared(reference, current, 3.0)["months_of_use"]
    assert found.plain.distance > 0.1
    assert found.verdict == "calendar"


@pytest.mark.thorough
def test_who_leaves_and_who_joins_does_not_stop_the_clock() -> None:
    """Customers leave when their contract ends, and those who join have a year before them."""
    reference = customers(4000, 1)
    reference["renewal"] = np.random.default_rng(1).uniform(0, 12, 4000)
    stay = reference[(reference["renewal"] > 3) | (reference.index % 2 == 0)]
    aged = stay["renewal"] - 3.0
    later = stay.assign(
        renewal=np.where(aged < 0, aged + 365 / 30.44, aged), tenure=stay["tenure"] + 3
    )
    joined = customers(500, 2).assign(renewal=11.0, tenure=1.0)
    current = pd.concat([later, joined], ignore_index=True)
    current["is_near"] = (current["renewal"] <= 3).astype(int)
    reference["is_near"] = (reference["renewal"] <= 3).astype(int)
    found = compared(reference, current, 3.0)
    assert found["renewal"].verdict == "calendar"
    assert found["is_near"].verdict in ("calendar", "stable")
    stopped = current.assign(renewal=pd.concat([stay["renewal"], joined["renewal"]]).to_numpy())
    assert compared(reference, stopped, 3.0)["renewal"].verdict == "alarm"


def test_what_customers_say_moves_with_the_calendar() -> None:
    """Those about to leave say it, and who is about to leave follows from the renewals."""
    models = yaml.safe_load(MODEL_FILE.read_text(encoding="utf-8"))["models"]
    columns = next(model["columns"] for model in models if model["name"] == GOLD)
    text = [c for c in columns if c["config"]["meta"].get("from_text")]
    assert len(text) > 10
    assert [c["name"] for c in text if "calendar" not in c["config"]["meta"]] == []


@pytest.mark.thorough
def test_a_season_is_compared_with_that_of_a_year_before() -> None:
    reference, current = customers(2000, 1), customers(2000, 2, months=1.0)
    untold = compared(reference, current, 1.0)["trend"]
    assert (untold.verdict, untold.judged) == ("calendar", None)
    same = customers(2000, 3, months=1.0)
    assert compared(reference, current, 1.0, year_before=same)["trend"].verdict == "calendar"
    other = same.assign(trend=same["trend"] - 2)
    assert compared(reference, current, 1.0, year_before=other)["trend"].verdict == "alarm"


def test_on_the_same_date_nothing_is_put_down_to_the_calendar() -> None:
    found = compared(customers(2000, 1), customers(2000, 2, months=3.0))
    assert {found[name].verdict for name in ("renewal", "trend")} == {"alarm"}


def test_labels_are_compared_with_what_the_renewals_lead_one_to_expect() -> None:
    before = {"customers": 5000, "churners": 500}
    after = {"customers": 5000, "churners": 800}
    plain, expected = (label_finding(before, after, it).judged for it in (None, 0.158))
    assert plain is not None and expected is not None
    assert plain.distance == pytest.approx(0.06)
    assert plain.p_value < 1e-6
    assert expected.distance == pytest.approx(0.002)


def test_months_are_those_of_the_features() -> None:
    assert months_between(date(2024, 12, 31), date(2025, 1, 31)) == pytest.approx(31 / 30.44)
    assert months_between(date(2025, 1, 31), date(2024, 12, 31)) == 0


@pytest.mark.thorough
def test_the_step_watches_features_scores_and_labels(tmp_path: Path) -> None:
    from python_ml.pipeline.score import score
    from python_ml.registry import APPROVED, open_registry

    settings = gold.settings_for(tmp_path)
    rows = gold.gold_frame(2500)
    labels = rows[["customer_id", "churn"]].assign(label_date=gold.AS_OF_DATE)
    warehouse = gold.warehouse_with(settings, rows)
    trained = train(warehouse, settings, gold.contract(), "run-1", gold.AS_OF_DATE)
    open_registry(settings).decide(trained.model_version, APPROVED, "test", "test")
    later = date(2025, 1, 31)
    changed = gold.gold_frame(2500, seed=8).assign(as_of_date=pd.Timestamp(later), churn=None)
    changed["sales_channel"] = changed["sales_channel"].mask(changed.index < 1500, "Office")
    matured = labels.assign(label_date=later, churn=(labels.index % 2 == 0).astype(int))
    open_yet = labels.assign(label_date=date(2025, 2, 28), churn=1)
    now = date(2025, 5, 1)
    warehouse = gold.warehouse_with(settings, changed.assign(as_of_date=pd.Timestamp(now)))
    gold.write_label_dates(settings, pd.concat([labels, matured, open_yet]))
    score(warehouse, settings, gold.contract(), "run-2", now, trained.model_version)

    result = watch_drift(warehouse, settings, gold.contract(), "run-2", now, trained.model_version)

    assert {"sales_channel", "churn"} <= set(result.alarms)
    table = warehouse.read_external("drift_result", "run-2").set_index("subject")
    assert set(table["subject_kind"]) == {
        *("numeric_feature", "category_feature", "missing_values", "dependence"),
        *("prediction", "label"),
    }
    assert table.loc["sales_channel", "statistic_name"] == "chi2"
    assert table.loc["churn", "current_mean"] == 0.5, "that of labels which have matured"
    assert table.loc["churn_probability", "reference_count"] == 500, "the test part only"
    features = table[table["subject_kind"].str.endswith("feature")]
    assert features["importance_share"].sum() == pytest.approx(1.0)
    assert sorted(table["importance_rank"]) == list(range(1, len(table) + 1))
    shares = warehouse.read_external("drift_distribution", "run-2")
    assert set(shares["subject"]) == set(table.index) - {"churn", JOINT}
    office = shares[(shares["subject"] == "sales_channel") & (shares["bin_label"] == "Office")]
    assert office["current_share"].item() >= 0.6 > office["reference_share"].item()


def test_distributions_say_how_values_were_and_are() -> None:
    """Shares add up, deciles of the reference are tenths of it, null and a new level have a bin."""
    reference, current = customers(2000, 1), customers(2000, 2)
    current["use"] = current["use"] * 2
    current.loc[:99, "channel"] = "new"
    table = distribution_table(COLUMNS, Sample(reference), Sample(current))
    totals = table.groupby("subject")[["reference_share", "current_share"]].sum()
    assert totals.to_numpy() == pytest.approx(1.0)
    assert set(table["subject"]) == {column.name for column in COLUMNS}
    use = table[table["subject"] == "use"].set_index("bin_label")
    assert use.loc["missing", "reference_share"] == pytest.approx(reference["use"].isna().mean())
    deciles = use["reference_share"].drop("missing")
    known = reference["use"].notna().mean()
    assert len(deciles) == 10 and deciles.to_numpy() == pytest.approx(known / 10, abs=1e-3)
    assert use["current_share"].drop("missing").iloc[-1] > 0.15
    flag = table[table["subject"] == "is_near"]
    assert list(flag["bin_label"]) == ["0", "1"]
    assert flag["reference_share"].iloc[1] == pytest.approx(reference["is_near"].mean())
    channel = table[table["subject"] == "channel"].set_index("bin_label")
    assert channel.loc["new", "reference_share"] == 0.0
    assert channel.loc["new", "current_share"] == pytest.approx(0.05)
    assert channel.loc["missing", "reference_share"] == pytest.approx(
        reference["channel"].isna().mean()
    )


def test_labels_of_bins_tell_small_numbers_apart() -> None:
    column = (Column("price", "double", "feature", "1A"),)
    values = pd.DataFrame({"price": np.linspace(0.1001, 0.1009, 900)})
    labels = list(distribution_table(column, Sample(values), Sample(values))["bin_label"])
    assert len(labels) == 10 == len(set(labels))
    assert labels[0].startswith("up to 0.1") and labels[-1].startswith("above 0.1")
