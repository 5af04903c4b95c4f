"""How a model trained on the past would have done on the next as-of date, date after date.

Gold is built for all as-of dates at once by the same dbt models, each from what was known on it. A
model is tested on a date only if the labels that it learned from had matured by then.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from python_ml.contracts.gold import Column, GoldContract, read_contract, without_text
from python_ml.documents import json_rows
from python_ml.engines import Warehouse, open_warehouse
from python_ml.errors import BadInputError
from python_ml.judge.labels import LabelledDate, apart, labelled_dates, require_snapshots
from python_ml.judge.metrics import (
    Estimate,
    calibration_metrics,
    estimate,
    ranking_metrics,
    resample_weights,
)
from python_ml.judge.snapshot import read_gold
from python_ml.judge.split import split_by_customer
from python_ml.judge.tiers import assign_tier, read_tiers
from python_ml.land import land
from python_ml.pipeline.train import choose_experiment, fit_by_protocol, labelled
from python_ml.progress import Reporter, silent
from python_ml.settings import Settings
from python_ml.transform.dbt import DbtRunner
from python_ml.transform.sentiment import label_sentiment, sentiment_backend

OVERALL = "overall"


@dataclass(frozen=True)
class Backtest:
    """Rows of `ml.backtest_result`; `skipped` says why other dates with labels were not tested."""

    rows: pd.DataFrame
    skipped: dict[str, str]
    seconds: float


@dataclass(frozen=True)
class BacktestResult:
    """A backtest, and where it is drawn."""

    document_name: ClassVar[str] = "backtest"

    tested: Backtest
    plot: Path

    def as_dict(self) -> dict[str, Any]:
        """The newest test date first: it is the figure to report."""
        rows = self.tested.rows
        newest = rows[rows["test_as_of_date"] == rows["test_as_of_date"].max()]
        return {
            "seconds": round(self.tested.seconds, 3),
            "plot": str(self.plot),
            "newest": json_rows(newest),
            "results": json_rows(rows),
            "skipped": self.tested.skipped,
        }


def run_backtest(
    source: str, settings: Settings, folder: Path, *, progress: Reporter = silent
) -> Backtest:
    """Train on the as-of dates whose labels had matured, test on a later one, for each date.

    Everything is landed and built in `folder`, on DuckDB, whatever the target: tables of other
    as-of dates have no place among the published ones.

    Args:
        source: raw batch with labels of several as-of dates.
        settings: of the protocol.
        folder: to work in; the caller removes it.
        progress: hears of each date.

    Raises:
        BadInputError: the batch was refused.
        BadInputError: no pair of dates is far enough apart.
    """
    start = time.perf_counter()
    own = settings.with_overrides({"home": str(folder), "target": "duckdb"})
    landed = land(source, own, progress=progress)
    runner = _runner(own, folder, landed.as_of_date)
    contract = read_contract(runner.manifest(), landed.absent)
    with open_warehouse(own) as warehouse:
        progress("bronze", None)
        warehouse.declare_external_tables()
        runner.build("resource_type:seed bronze")
        label_sentiment(warehouse, own, "backtest")
        dates = labelled_dates(warehouse)
        rounds, skipped = choose_rounds(dates, settings)
        wanted = sorted({day for past, test in rounds for day in (*past, test)})
        known, unknown = _with_snapshots(warehouse, wanted, landed.as_of_date)
        golds = _labelled_golds(warehouse, runner, contract, known, progress)
        rounds = [
            (tuple(day for day in past if day in golds), test)
            for past, test in rounds
            if {past[-1], test} <= golds.keys()
        ]
        skipped |= unknown
        if not rounds:
            raise BadInputError(
                "no backtest: it needs labels of two as-of dates, the later one not before those of"
                f" the earlier one had matured; {source} has {_listing(dates, skipped)}"
            )
        tiers = read_tiers(warehouse)
    parts = []
    for number, (past, test) in enumerate(rounds):
        progress(f"test on {test}", number / len(rounds))
        learned = pd.concat([golds[day] for day in past], ignore_index=True)
        rows = measure_later(learned, golds[test], contract, settings, tiers)
        parts.append(rows.assign(train_as_of_date=past[-1], test_as_of_date=test))
    rows = pd.concat(parts, ignore_index=True)
    return Backtest(rows, skipped, time.perf_counter() - start)


def _runner(settings: Settings, folder: Path, as_of_date: date) -> DbtRunner:
    variables = {
        "run_id": "backtest",
        "as_of_date": as_of_date.isoformat(),
        "sentiment_backend": sentiment_backend(settings),
    }
    return DbtRunner(settings, settings.layout.warehouse, folder / "dbt", variables)


def choose_rounds(
    dates: Sequence[LabelledDate], settings: Settings
) -> tuple[list[tuple[tuple[date, ...], date]], dict[str, str]]:
    """For each date, those that a model would have learned from by then, oldest first; and why
    others have none.

    The newest is the last whose labels had matured by then; what comes before it, the settings say.
    """
    minimum_churners = settings.backtest.minimum_churner_count
    rounds: list[tuple[tuple[date, ...], date]] = []
    skipped: dict[str, str] = {}
    usable: list[LabelledDate] = []
    for day in dates:
        if day.churner_count < minimum_churners:
            skipped[day.as_of_date.isoformat()] = (
                f"{day.churner_count} leavers among {day.customer_count} labels; "
                f"backtest.minimum_churner_count is {minimum_churners}"
            )
            continue
        known = [past for past in usable if past.matured <= day.as_of_date]
        if known:
            past = apart(known[-1].as_of_date, known, settings.model.training_dates)
            rounds.append((past, day.as_of_date))
        else:
            skipped[day.as_of_date.isoformat()] = "no labels had matured by then"
        usable.append(day)
    return rounds, skipped


def _listing(dates: Sequence[LabelledDate], skipped: Mapping[str, str]) -> str:
    if not dates:
        return "no labels"
    return "; ".join(f"{day}: {reason}" for day, reason in skipped.items())


def _with_snapshots(
    warehouse: Warehouse, wanted: Sequence[date], newest: date
) -> tuple[list[date], dict[str, str]]:
    """The dates of which the batch tells what was known on them; and why others are none."""
    known, skipped = [], {}
    for as_of_date in wanted:
        try:
            if as_of_date < newest:
                require_snapshots(warehouse, as_of_date)
            known.append(as_of_date)
        except BadInputError as error:
            skipped[as_of_date.isoformat()] = str(error)
    return known, skipped


def _labelled_golds(
    warehouse: Warehouse,
    runner: DbtRunner,
    contract: GoldContract,
    wanted: Sequence[date],
    progress: Reporter,
) -> dict[date, pd.DataFrame]:
    """Gold of the as-of dates, built at once: of each the customers with a label, sorted."""
    progress(f"gold as of {len(wanted)} dates", None)
    runner.variables["as_of_dates"] = [as_of_date.isoformat() for as_of_date in wanted]
    runner.run("silver gold")
    frames = {day: read_gold(warehouse, contract, day).to_pandas() for day in wanted}
    return {
        day: frame[frame[contract.target].notna()].reset_index(drop=True)
        for day, frame in frames.items()
    }


def measure_later(
    past: pd.DataFrame,
    later: pd.DataFrame,
    contract: GoldContract,
    settings: Settings,
    tiers: pd.DataFrame,
) -> pd.DataFrame:
    """Fit by the champion's protocol on all labelled rows of the past, measure on a later date.

    Args:
        past: labelled gold rows of the training dates.
        later: labelled gold rows of the test date.
        contract: of gold_master.
        settings: model, evaluation.
        tiers: risk_tier with lower limit, by rising limit.

    Returns:
        Rows of `backtest_result` without the dates.
    """
    rows = labelled(past, contract.target)
    training = rows.merge(_folds(rows, contract.target, settings), on="customer_id")
    experiment, _ = choose_experiment(settings)
    columns = contract.learned(settings, experiment)
    churn = later[contract.target].to_numpy(dtype=np.int64)
    weights = resample_weights(len(later), settings.evaluate.bootstrap_count, settings.model.seed)

    def score(features: Sequence[Column]) -> np.ndarray:
        fitted = fit_by_protocol(training, features, contract.target, experiment, settings)
        return fitted.model.predict(later)["churn_probability"].to_numpy()

    probability = score(columns)
    plain = _quality(churn, score(without_text(columns)), weights, settings)
    every = np.ones(len(churn), dtype=bool)
    tier = assign_tier(probability, tiers)
    slices = {OVERALL: every, **{name: tier == name for name in tiers["risk_tier"]}}
    figures = {
        name: churn_levels(churn, probability, mask, weights, settings.evaluate.confidence)
        for name, mask in slices.items()
        if mask.any()
    }
    figures[OVERALL] |= _quality(churn, probability, weights, settings)
    figures[OVERALL] |= {f"{name}_without_text": figure for name, figure in plain.items()}
    return _result_rows(figures, slices, churn)


def _quality(
    churn: np.ndarray, probability: np.ndarray, weights: np.ndarray, settings: Settings
) -> dict[str, Estimate]:
    """Ranking and calibration with intervals."""
    bins = settings.evaluate.calibration_bins

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        return {
            **ranking_metrics(churn, probability, weights),
            **calibration_metrics(churn, probability, weights, bins),
        }

    return estimate(measure, weights, settings.evaluate.confidence)


def _result_rows(
    figures: Mapping[str, Mapping[str, Estimate]],
    slices: Mapping[str, np.ndarray],
    churn: np.ndarray,
) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "slice": name,
                "metric": metric,
                "metric_value": figure.value,
                "ci_low": figure.low,
                "ci_high": figure.high,
                "customer_count": int(slices[name].sum()),
                "churner_count": int(churn[slices[name]].sum()),
            }
            for name, metrics in figures.items()
            for metric, figure in metrics.items()
        ]
    )


def churn_levels(
    churn: np.ndarray,
    probability: np.ndarray,
    mask: np.ndarray,
    weights: np.ndarray,
    confidence: float,
) -> dict[str, Estimate]:
    """Share of a slice that left, with Wilson's interval, which holds for few and for none too; and
    the share to be expected by the probabilities, with that of the bootstrap."""
    left, size = int(churn[mask].sum()), int(mask.sum())
    realised = binomtest(left, size).proportion_ci(confidence, method="wilson")

    def expected(resamples: np.ndarray) -> dict[str, np.ndarray]:
        drawn = resamples[:, mask].astype(np.float64)
        return {"expected_churn": drawn @ probability[mask] / drawn.sum(axis=1)}

    return {
        "realised_churn": Estimate(left / size, float(realised.low), float(realised.high)),
        **estimate(expected, weights, confidence),
    }


def _folds(past: pd.DataFrame, target: str, settings: Settings) -> pd.DataFrame:
    """A fold for every customer: nobody is held back, as the test is another date."""
    split = split_by_customer(
        past,
        target,
        pd.to_datetime(past["as_of_date"]).max().date(),
        seed=settings.model.seed,
        test_share=0.0,
        folds=settings.model.folds,
    )
    return split[["customer_id", "cv_fold"]]
