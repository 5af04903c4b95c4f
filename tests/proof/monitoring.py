"""Do published scores come true for a year, does the estimate without labels hold, and is a change
in what makes customers leave found once it can be?

For each seed a company of twenty-one as-of dates is simulated. Twelve dates are scored, by the
models that a company ships which trains every quarter: they learn by the champion's protocol from
the dates whose labels have matured by then. The first three dates are left out, because there what
makes customers leave changes: their labels were drawn at once, as the published ones, and later
ones month by month. Scores and estimates are written as a run writes them: an estimate knows the
outcomes of the months whose labels had matured by then. What happened is measured by the product's
own step and by `mart_score_outcome`. The mean width of the estimates' intervals is shown beside
that which they have if calibrations are taken to be equally right on every date. The ratios are
shown for the first model alone too, kept for the whole year. Afterwards a rival is planted that no
feature knows of: from December on, some of those who would have stayed leave as well. The estimate
cannot see it; the comparison with labels has to.

    python -m tests.proof.monitoring --home data/proof/monitoring --customers 6000

Exit code 1 if a limit is missed: churn by the simulator's own probabilities over that expected by
the scores between 0.9 and 1.1 in every month, calibration error beyond what chance explains in no
more months than chance explains, the estimates (churn, PR-AUC) within their intervals in 90 % of
quiet months, no alarm on all customers in a quiet month, and an alarm in every month with the
rival, of which the estimate fails in 90 %.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from scipy.stats import binom

from python_ml.alerts import CRITICAL
from python_ml.contracts.gold import GoldContract
from python_ml.engines import open_warehouse
from python_ml.judge.between_dates import ALL_CUSTOMERS, BetweenDates, between_dates
from python_ml.judge.labels import LabelledDate, apart
from python_ml.judge.shipped import (
    ESTIMATE,
    OUTCOME,
    calibration_covariance,
    estimate_scores,
    write_outcomes,
)
from python_ml.judge.split import TRAIN
from python_ml.judge.tiers import assign_tier, read_tiers
from python_ml.model.churn_model import ChurnModel
from python_ml.pipeline.step_alerts import outcome_alert
from python_ml.pipeline.train import fit_by_protocol, labelled_rows
from python_ml.settings import Settings
from python_ml.simulate.lifecycle import draw_course, label_probability
from python_ml.simulate.panel import province_costs
from python_ml.simulate.world import World
from tests.proof.golds import AS_OF_DATE, DataSet, build

MONTHS, HORIZON_MONTHS, QUARTER = 12, 3, 3
FIRST_LEARNED = 3  # as-of date 0 is AS_OF_DATE
FIRST_SCORED = FIRST_LEARNED + HORIZON_MONTHS
LAST_MONTH = FIRST_SCORED + MONTHS - 1 + HORIZON_MONTHS
RATIO = (0.9, 1.1)
LEAST_HELD = 0.9
RIVAL_FROM, RIVAL_SHARE = date(2025, 12, 31), 0.3  # of the churners of a month, besides
RUN, VERSION = "proof", "m"  # sorts behind the runs that score, as a later run does
ESTIMATES = {
    "churn": ("is_share_held", "estimated_share_low", "estimated_share_high"),
    "PR-AUC": ("is_pr_auc_held", "estimated_pr_auc_low", "estimated_pr_auc_high"),
}
SHOWN: tuple[str, ...] = ("as_of_date", "expected_count", "observed_count", "ratio", "true_ratio")
SHOWN += ("calibration_slope", "ece", "ece_by_chance")
SHOWN += ("estimated_share_low", "estimated_share_high", "observed_share")
SHOWN += ("is_share_held", "estimated_pr_auc_low", "estimated_pr_auc_high", "pr_auc")
SHOWN += ("is_pr_auc_held", "is_off")


@dataclass(frozen=True)
class Shipped:
    """A model, how uncertain its calibration is, and the date that it learned from."""

    model: ChurnModel
    covariance: np.ndarray
    learned_from: date


def fit(gold: pd.DataFrame, day: date, contract: GoldContract, settings: Settings) -> Shipped:
    """The model whose newest date to learn from is `day`, as training fits it."""
    dates = sorted(one for one in set(gold["as_of_date"]) if one <= day)[FIRST_LEARNED:]
    matured = [LabelledDate(one, matured_on(one), 0, 0) for one in dates]
    days = apart(day, matured, settings.model.training_dates)
    rows = labelled_rows(gold[gold["as_of_date"].isin(days)], contract, settings, day)
    training = rows[rows["split_part"] == TRAIN].reset_index(drop=True)
    experiment = settings.model.experiment
    columns = contract.learned(settings, experiment)
    fitted = fit_by_protocol(training, columns, contract.target, experiment, settings)
    return Shipped(fitted.model, calibration_covariance(fitted.out_of_fold), day)


def matured_on(day: date) -> date:
    """The day on which the labels of a date are known."""
    return (pd.Timestamp(day) + pd.offsets.MonthEnd(HORIZON_MONTHS)).date()


def publish_scores(
    data: DataSet,
    gold: pd.DataFrame,
    days: list[date],
    shipped: list[Shipped],
    known: pd.DataFrame | None = None,
) -> None:
    """Score each date by its model, as a run of its own.

    Args:
        known: rows of `score_outcome`, of which an estimate sees those that had matured; without
            them it takes calibrations to be right on every date.
    """
    with open_warehouse(data.settings) as warehouse:
        tiers = read_tiers(warehouse)
        for day, one in zip(days, shipped, strict=True):
            rows = gold[gold["as_of_date"] == day].reset_index(drop=True)
            scores = one.model.predict(rows)
            scores.insert(0, "customer_id", rows["customer_id"])
            scores["risk_tier"] = assign_tier(scores["churn_probability"].to_numpy(), tiers)
            for name in ("segment", "avg_monthly_margin_eur"):
                scores[name] = rows[name]
            named: dict[str, Any] = {"as_of_date": day, "model_version": VERSION}
            run_id = f"{day:%Y%m%d}T060000-aaaaaa"
            warehouse.write_external("customer_score", scores.assign(**named), run_id)
            between = None if known is None else variation_known_on(day, known, data.settings)
            promised = estimate_scores(scores, one.covariance.tolist(), between, data.settings)
            promised = promised.assign(training_as_of_date=one.learned_from, **named)
            warehouse.write_external(ESTIMATE, promised, run_id)


def variation_known_on(day: date, outcomes: pd.DataFrame, settings: Settings) -> BetweenDates:
    """The variation between dates, as a run of that day sees it."""
    matured = [matured_on(pd.Timestamp(one).date()) <= day for one in outcomes["as_of_date"]]
    return between_dates(outcomes[matured], day, settings)


def measured(data: DataSet) -> pd.DataFrame:
    """Rows of `score_outcome`."""
    with open_warehouse(data.settings) as warehouse:
        return warehouse.read_external(OUTCOME)


def outcomes(data: DataSet, *, is_measured: bool = True) -> pd.DataFrame:
    """The mart, built from the labels as they are now; with or without what Python measures."""
    shutil.rmtree(data.settings.layout.lake / "ml" / OUTCOME, ignore_errors=True)
    with open_warehouse(data.settings) as warehouse:
        if is_measured:
            write_outcomes(warehouse, data.settings, RUN)
        warehouse.declare_external_tables()
    data.runner().build("score_limits")
    data.runner().run("mart_score_outcome")
    with open_warehouse(data.settings) as warehouse:
        rows = warehouse.read_table("mart_score_outcome", "is_measured")
    rows["as_of_date"] = pd.to_datetime(rows["as_of_date"]).dt.date
    return rows.sort_values(["as_of_date", "dimension", "group_name"], ignore_index=True)


def labels_without_rival(data: DataSet) -> None:
    """The labels as they were simulated."""
    with duckdb.connect(str(data.settings.layout.warehouse)) as connection:
        connection.execute(
            "create table if not exists simulated_label as select * from bronze_churn_label"
        )
        connection.execute(
            "create or replace table bronze_churn_label as select * from simulated_label"
        )


def plant_rival(data: DataSet, seed: int) -> None:
    """From a date on, customers leave who would have stayed, whoever they are."""
    with duckdb.connect(str(data.settings.layout.warehouse)) as connection:
        labels = connection.execute(
            "select * from simulated_label order by label_date, customer_id"
        ).df()
        later = (pd.to_datetime(labels["label_date"]).dt.date >= RIVAL_FROM).to_numpy()
        stays = later & (labels["churn"] == 0).to_numpy()
        chance = RIVAL_SHARE * labels.loc[later, "churn"].sum() / stays.sum()
        lured = stays & (np.random.default_rng(seed).random(len(labels)) < chance)
        labels.loc[lured, "churn"] = 1
        connection.register("planted", labels)
        connection.execute("create or replace table bronze_churn_label as select * from planted")


def expected_by_truth(customers: int, seed: int) -> pd.Series:
    """Churners to be expected of each scored date by the simulator's own probabilities."""
    world = World(customers=customers, year=AS_OF_DATE.year, seed=seed, readings="typical-days")
    costs, last = province_costs(seed), FIRST_SCORED + MONTHS - 1
    expected = {}
    index = np.arange(world.customer_count(last), dtype=np.int64)
    course = draw_course(world, index, costs, last)
    for month in range(FIRST_SCORED, last + 1):
        here = course.is_customer(month)
        day = pd.Timestamp(world.as_of(month)).date()
        expected[day] = float(label_probability(course, month, costs)[here].sum())
    return pd.Series(expected)


def with_truth(rows: pd.DataFrame, expected: pd.Series) -> pd.DataFrame:
    """Rows with the true churn over that which the scores expect; of all customers only."""
    ratio = rows["as_of_date"].map(expected) / rows["expected_count"]
    return rows.assign(true_ratio=ratio.where(rows["dimension"] == ALL_CUSTOMERS))


def tell_kept(rows: pd.DataFrame) -> None:
    """What becomes of the first model if nobody trains another."""
    overall = rows[rows["dimension"] == ALL_CUSTOMERS]
    alarms = int(overall["is_off"].sum())
    print(f"first model kept all year: {ratios(overall)}; {alarms} alarms on all customers")


def ratios(overall: pd.DataFrame) -> str:
    """Ranges of the ratios, by the simulator's probabilities and as observed."""
    outside = int((~overall["true_ratio"].between(*RATIO)).sum())
    return (
        f"true over expected churn {overall['true_ratio'].min():.3f} to "
        f"{overall['true_ratio'].max():.3f}, {outside} months outside of {RATIO[0]} to {RATIO[1]}; "
        f"observed over expected {overall['ratio'].min():.3f} to {overall['ratio'].max():.3f}"
    )


def quiet_failures(rows: pd.DataFrame, plain: pd.DataFrame, confidence: float) -> list[str]:
    """Limits that quiet months miss, of all seeds together.

    Args:
        rows: of `mart_score_outcome`.
        plain: the same with estimates that know no variation between dates.
        confidence: of the intervals.
    """
    overall, before = (one[one["dimension"] == ALL_CUSTOMERS] for one in (rows, plain))
    count, failed = len(overall), []
    print(f"quiet months, a model a quarter: {count}; {ratios(overall)}")
    if not overall["true_ratio"].between(*RATIO).all():
        failed.append("ratio")
    beyond = int((overall["ece"] > overall["ece_by_chance"]).sum())
    allowed = int(binom.ppf(0.99, count, (1 - confidence) / 2))
    print(
        f"calibration error {overall['ece'].min():.4f} to {overall['ece'].max():.4f}; beyond "
        f"chance's {0.5 + confidence / 2:.1%} limit in {beyond} months, {allowed} allowed"
    )
    if beyond > allowed:
        failed.append("calibration error")
    for name, (held_column, low, high) in ESTIMATES.items():
        held, held_before = (
            float(rows[held_column].astype(bool).mean()) for rows in (overall, before)
        )
        width, width_before = (float((rows[high] - rows[low]).mean()) for rows in (overall, before))
        print(
            f"estimate of {name} within its interval in {held:.1%} of months, wanted "
            f"{LEAST_HELD:.0%}, mean width {width:.4f}; without the variation between dates in "
            f"{held_before:.1%}, {width_before:.4f}"
        )
        if held < LEAST_HELD:
            failed.append(f"estimate of {name}")
    groups = rows[rows["dimension"] != ALL_CUSTOMERS]
    alarms, false = int(overall["is_off"].sum()), int(groups["is_off"].sum())
    print(f"alarms: {alarms} on all customers; {false} on {len(groups)} groups")
    slope = overall["calibration_slope"]
    print(f"calibration slope {slope.min():.3f} to {slope.max():.3f}")
    if alarms:
        failed.append("false alarm")
    return failed


def shift_failures(rows: pd.DataFrame) -> list[str]:
    """Limits that months with the rival miss."""
    overall = rows[(rows["dimension"] == ALL_CUSTOMERS) & (rows["as_of_date"] >= RIVAL_FROM)]
    failed = []
    alarms, missed = overall["is_off"].astype(bool), ~overall["is_share_held"].astype(bool)
    print(
        f"months with the rival: {len(overall)}; ratio {overall['ratio'].min():.3f} to "
        f"{overall['ratio'].max():.3f}; the estimate fails in {missed.mean():.1%}; the comparison "
        f"with labels alarms in {alarms.mean():.1%}"
    )
    if missed.mean() < LEAST_HELD:
        failed.append("the estimate should have failed")
    if not alarms.all():
        failed.append("the rival was not found")
    return failed


def main(flags: argparse.Namespace) -> int:
    start, quiet, plain, kept, shifted, silent = time.perf_counter(), [], [], [], [], []
    for seed in flags.seeds:
        data = build(flags.home, flags.customers, seed, months=LAST_MONTH)
        gold = data.gold()
        gold["as_of_date"] = pd.to_datetime(gold["as_of_date"]).dt.date
        dates = sorted(set(gold["as_of_date"]))
        scored = range(FIRST_SCORED, FIRST_SCORED + MONTHS)
        days = [dates[number] for number in scored]
        trained = [number - (number - FIRST_SCORED) % QUARTER for number in scored]
        learned = [dates[number - HORIZON_MONTHS] for number in trained]
        contract, settings = data.contract(), data.settings
        models = {day: fit(gold, day, contract, settings) for day in sorted(set(learned))}
        labels_without_rival(data)
        publish_scores(data, gold, days, [models[learned[0]]] * MONTHS)
        truth = expected_by_truth(flags.customers, seed)
        kept.append(with_truth(outcomes(data, is_measured=False), truth))
        shipped = [models[day] for day in learned]
        publish_scores(data, gold, days, shipped)
        plain.append(with_truth(outcomes(data), truth))
        publish_scores(data, gold, days, shipped, measured(data))
        quiet.append(with_truth(outcomes(data), truth))
        plant_rival(data, seed)
        shifted.append(outcomes(data))
        alert = outcome_alert(shifted[-1], RUN)
        if alert is None or alert.severity != CRITICAL or "spanishgas run" not in alert.text:
            silent.append(f"alert of seed {seed}")
        labels_without_rival(data)
        overall = quiet[-1][quiet[-1]["dimension"] == ALL_CUSTOMERS]
        print(f"seed {seed}, {time.perf_counter() - start:.0f} s")
        print(overall[[*SHOWN]].round(3).to_string(index=False), flush=True)
    confidence = data.settings.evaluate.confidence
    tell_kept(pd.concat(kept))
    failed = quiet_failures(pd.concat(quiet), pd.concat(plain), confidence)
    failed += shift_failures(pd.concat(shifted)) + silent
    print(
        f"{flags.customers:,} customers, seeds {flags.seeds}, {time.perf_counter() - start:.0f} s; "
        f"{'FAILED: ' + ', '.join(failed) if failed else 'ok'}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, default=Path("data/proof/monitoring"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 101])
    parser.add_argument("--customers", type=int, default=6000)
    sys.exit(main(parser.parse_args()))
