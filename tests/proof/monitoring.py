"""Do published scores come true for a year, does the estimate without labels hold, and is a change
in what makes customers leave found once it can be?

For each seed a company of twenty-one as-of dates is simulated. Twelve dates are scored, by the
models that a company ships which trains every quarter: they learn by the champion's protocol from
the dates whose labels have matured by then, the first of them from two. Scores and estimates are
written as a run writes them: an estimate knows the outcomes of the months whose labels had matured
by then. What happened is measured by the product's own step and by `mart_score_outcome`. The mean
width of the estimates' intervals is shown beside that which they have if calibrations are taken to
be equally right on every date. The ratios are shown for the first model alone too, kept for the
whole year. Afterwards a rival is planted that no feature knows of: from December on, some of those
who would have stayed leave as well. The estimate cannot see it; the comparison with labels has to.

    python -m tests.proof.monitoring --home data/proof/monitoring --customers 6000

Exit code 1 if a limit is missed:

- Churn by the simulator's own probabilities over that expected by the scores lies between 0.9 and
  1.1 in every month. Of a small company the labels that a model is calibrated on leave more than
  that open: where the 95 % interval of that sampling is wider, it takes the place of the limit, and
  as many models may be beyond as chance explains. Both counts are printed.
- Calibration error beyond what chance explains, for no more models than chance explains. The months
  of a model are counted once: its calibration is one, and horizons overlap.
- The estimates (churn, PR-AUC) lie within their intervals in 90 % of quiet months.
- No more alarms on all customers in quiet months than the true ratio, and the chance of who leaves,
  let expect: at full size none.
- With the rival, as many alarms and failed estimates as the size of the rival, against the chance
  of who leaves, lets expect: at full size in every month, and in 90 %.
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
from scipy.special import logit
from scipy.stats import binom, norm

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
FIRST_LEARNED = 3  # newest date of the first model; as-of date 0 is AS_OF_DATE
FIRST_SCORED = FIRST_LEARNED + HORIZON_MONTHS
LAST_MONTH = FIRST_SCORED + MONTHS - 1 + HORIZON_MONTHS
RATIO = (0.9, 1.1)
LEAST_HELD = 0.9
RIVAL_FROM, RIVAL_SHARE = date(2025, 12, 31), 0.3  # of the churners of a month, besides
RETRAIN = "spanishgas run"
RUN, VERSION = "proof", "m"  # sorts behind the runs that score, as a later run does
ESTIMATES = {
    "churn": ("is_share_held", "estimated_share_low", "estimated_share_high"),
    "PR-AUC": ("is_pr_auc_held", "estimated_pr_auc_low", "estimated_pr_auc_high"),
}
CONFIDENCE = 0.99  # with which chance does not explain more models or months than are allowed
SHOWN: tuple[str, ...] = ("as_of_date", "expected_count", "observed_count", "ratio", "true_ratio")
SHOWN += ("ratio_sd",)
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
    dates = sorted(one for one in set(gold["as_of_date"]) if one <= day)
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
) -> pd.DataFrame:
    """Score each date by its model, as a run of its own.

    Args:
        known: rows of `score_outcome`, of which an estimate sees those that had matured; without
            them it takes calibrations to be right on every date.

    Returns:
        What chance makes of the ratio on each date: `ratio_sd` by the labels that the model was
        calibrated on, `outcome_sd` by who leaves; and `model`, the date that it learned from.
    """
    chance = []
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
            chance.append({"as_of_date": day, "model": one.learned_from, **chances(one, scores)})
    return pd.DataFrame(chance)


def chances(shipped: Shipped, scores: pd.DataFrame) -> dict[str, float]:
    """Standard deviations of the ratio: of the calibration's sample, and of who leaves."""
    risk = scores["churn_probability"].to_numpy(dtype=np.float64)
    variance = risk * (1 - risk)
    gradient = np.array([(variance * logit(risk)).sum(), variance.sum()])
    calibration = float(gradient @ shipped.covariance @ gradient)
    return {
        "ratio_sd": np.sqrt(calibration) / risk.sum(),
        "outcome_sd": np.sqrt(variance.sum()) / risk.sum(),
    }


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


def with_truth(
    rows: pd.DataFrame, expected: pd.Series, chance: pd.DataFrame, seed: int
) -> pd.DataFrame:
    """Rows with the true churn over that which the scores expect, of all customers only, and what
    chance makes of it; `model` tells the models of all seeds apart."""
    ratio = rows["as_of_date"].map(expected) / rows["expected_count"]
    known = rows.merge(chance, on="as_of_date", how="left", validate="many_to_one")
    return known.assign(
        true_ratio=ratio.where(rows["dimension"] == ALL_CUSTOMERS),
        model=str(seed) + " " + known["model"].astype(str),
    )


def beyond_limits(overall: pd.DataFrame) -> pd.DataFrame:
    """Which months miss the limit of the ratio, and whether chance sets that limit."""
    reach = norm.ppf(0.975) * overall["ratio_sd"]
    limit = np.maximum(reach, RATIO[1] - 1)
    return overall.assign(
        is_beyond=(overall["true_ratio"] - 1).abs() > limit, is_by_chance=reach > RATIO[1] - 1
    )


def explained(models: int, chance: float) -> int:
    """How many of so many models may miss a limit that each misses with a chance."""
    return int(binom.ppf(CONFIDENCE, models, chance))


def alarm_chance(overall: pd.DataFrame, ratio: pd.Series, limits: dict[str, float]) -> pd.Series:
    """How likely a month raises an alarm, given its true ratio and the chance of who leaves."""
    sd = overall["outcome_sd"]
    reach = np.maximum(limits["chance_standard_errors"] * sd, limits["relative_tolerance"])
    above, below = norm.sf((1 + reach - ratio) / sd), norm.cdf((1 - reach - ratio) / sd)
    return pd.Series(above + below, index=overall.index)


def told_by_chance(chance: pd.Series) -> tuple[float, float]:
    """The fewest and the most events to be expected of months with these chances. Horizons of
    neighbouring months overlap, so that the months of a horizon count as one."""
    spread = norm.ppf(CONFIDENCE) * np.sqrt(HORIZON_MONTHS * (chance * (1 - chance)).sum())
    low, high = float(np.floor(chance.sum() - spread)), float(np.ceil(chance.sum() + spread))
    return max(low, 0.0), min(high, float(len(chance))) if chance.sum() > 0.01 else 0.0


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


def quiet_failures(
    rows: pd.DataFrame, plain: pd.DataFrame, confidence: float, limits: dict[str, float]
) -> list[str]:
    """Limits that quiet months miss, of all seeds together.

    Args:
        rows: of `mart_score_outcome`.
        plain: the same with estimates that know no variation between dates.
        confidence: of the intervals.
        limits: the seed `score_limits`.
    """
    overall, before = (one[one["dimension"] == ALL_CUSTOMERS] for one in (rows, plain))
    count, failed = len(overall), []
    print(f"quiet months, a model a quarter: {count}; {ratios(overall)}")
    judged = beyond_limits(overall)
    small = set(judged.loc[judged["is_by_chance"], "model"])
    beyond = judged[judged["is_beyond"]]
    allowed = explained(len(small), 0.05)
    off_small = set(beyond["model"]) & small
    print(
        f"sampling alone moves the ratio by {overall['ratio_sd'].min():.3f} to "
        f"{overall['ratio_sd'].max():.3f} (standard deviation), for {len(small)} of "
        f"{overall['model'].nunique()} models by more than the limit; {len(beyond)} months of "
        f"{beyond['model'].nunique()} models beyond both ({', '.join(sorted(set(beyond['model'])))}"
        f"); allowed {allowed} of these and none of the others"
    )
    if len(off_small) > allowed or set(beyond["model"]) - small:
        failed.append("ratio")
    is_off = overall["ece"] > overall["ece_by_chance"]
    off_models, models = overall.loc[is_off, "model"].nunique(), overall["model"].nunique()
    allowed = explained(models, 1 - (0.5 + confidence / 2) ** QUARTER)
    print(
        f"calibration error {overall['ece'].min():.4f} to {overall['ece'].max():.4f}; beyond "
        f"chance's {0.5 + confidence / 2:.1%} limit in {is_off.sum()} months of {off_models} "
        f"models, {allowed} models allowed"
    )
    if off_models > allowed:
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
    alarms = int(overall["is_off"].sum())
    chance = alarm_chance(overall, overall["true_ratio"], limits)
    most = told_by_chance(chance)[1]
    print(
        f"alarms: {alarms} on all customers (expected of the true ratios: {chance.sum():.1f}, at "
        f"most {most:.0f}); {groups['is_off'].sum()} on {len(groups)} groups"
    )
    slope = overall["calibration_slope"]
    print(f"calibration slope {slope.min():.3f} to {slope.max():.3f}")
    if alarms > most:
        failed.append("false alarm")
    return failed


def shift_failures(rows: pd.DataFrame, limits: dict[str, float]) -> list[str]:
    """Limits that months with the rival miss.

    Args:
        rows: of `mart_score_outcome`, with the truth without the rival.
        limits: the seed `score_limits`.
    """
    overall = rows[(rows["dimension"] == ALL_CUSTOMERS) & (rows["as_of_date"] >= RIVAL_FROM)]
    failed = []
    count = len(overall)
    alarms, missed = overall["is_off"].astype(bool), ~overall["is_share_held"].astype(bool)
    lured = overall["true_ratio"] * (1 + RIVAL_SHARE)
    to_alarm = alarm_chance(overall, lured, limits)
    high = overall["estimated_share_high"] * overall["customer_count"] / overall["expected_count"]
    to_fail = pd.Series(norm.sf((high - lured) / overall["outcome_sd"]), index=overall.index)
    least_alarms, least_failures = (told_by_chance(one)[0] for one in (to_alarm, to_fail))
    print(
        f"months with the rival: {count}; ratio {overall['ratio'].min():.3f} to "
        f"{overall['ratio'].max():.3f}; the comparison with labels alarms in {alarms.mean():.1%} "
        f"(expected of a rival of this size: {to_alarm.mean():.1%}, at least "
        f"{least_alarms / count:.1%}); the estimate fails in {missed.mean():.1%} "
        f"(expected {to_fail.mean():.1%}, at least {least_failures / count:.1%})"
    )
    if missed.sum() < min(least_failures, LEAST_HELD * count):
        failed.append("the estimate should have failed")
    if alarms.sum() < least_alarms:
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
        truth = expected_by_truth(flags.customers, seed)
        chance = publish_scores(data, gold, days, [models[learned[0]]] * MONTHS)
        kept.append(with_truth(outcomes(data, is_measured=False), truth, chance, seed))
        shipped = [models[day] for day in learned]
        chance = publish_scores(data, gold, days, shipped)
        plain.append(with_truth(outcomes(data), truth, chance, seed))
        publish_scores(data, gold, days, shipped, measured(data))
        quiet.append(with_truth(outcomes(data), truth, chance, seed))
        plant_rival(data, seed)
        shifted.append(with_truth(outcomes(data), truth, chance, seed))
        alert = outcome_alert(shifted[-1], RUN)
        newest = shifted[-1][shifted[-1]["dimension"] == ALL_CUSTOMERS].iloc[-1]
        is_told = alert is not None and alert.severity == CRITICAL and RETRAIN in alert.text
        if newest["is_off"] and not is_told:
            silent.append(f"alert of seed {seed}")
        labels_without_rival(data)
        overall = quiet[-1][quiet[-1]["dimension"] == ALL_CUSTOMERS]
        print(f"seed {seed}, {time.perf_counter() - start:.0f} s")
        print(overall[[*SHOWN]].round(3).to_string(index=False), flush=True)
    confidence = data.settings.evaluate.confidence
    tell_kept(pd.concat(kept))
    with open_warehouse(data.settings) as warehouse:
        limits = warehouse.query("select name, value from score_limits")
    named = dict(zip(limits["name"], limits["value"].astype(float), strict=True))
    failed = quiet_failures(pd.concat(quiet), pd.concat(plain), confidence, named)
    failed += shift_failures(pd.concat(shifted), named) + silent
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
