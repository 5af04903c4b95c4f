"""How near does the champion come to what anybody could know of the simulated customers?

For each of six batches the champion's protocol is fitted on the training part of the stored kind of
split and measured on its test part, with text and without. Beside it stands Bayes: the PR-AUC of
somebody who knows each customer's true probability, given who got in touch and, with text, what was
said. The same table has the spline logistic alone and the trees alone.

    python -m tests.proof.headroom --home data/proof/headroom

Exit code 1 if a mean is below 0.745 with text or 0.53 without.

With `--months`, so many months are delivered after the first year, and the champion's protocol is
fitted on the past and measured on the newest date with labels, on all its customers: on the newest
date whose labels had matured by then, on all dates that a training then uses, and on every month,
whose horizons overlap.

    python -m tests.proof.headroom --months 12 --seeds 42 101 102 --customers 4000

Exit code 1 if all dates are not better than the newest alone: the interval of the mean difference
is not above 0.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from python_ml.contracts.gold import Column, GoldContract, without_text
from python_ml.engines import open_warehouse
from python_ml.judge.labels import labelled_dates
from python_ml.judge.metrics import estimate, ranking_metrics, resample_weights
from python_ml.judge.split import TEST, TRAIN, of_date, placed, split_by_customer
from python_ml.pipeline.backtest import choose_rounds
from python_ml.pipeline.train import fit_by_protocol, labelled_rows
from python_ml.settings import Settings
from python_ml.simulate.churn import churn_logit, draw_churn
from python_ml.simulate.interactions import contact_log_odds
from python_ml.simulate.panel import draw_panel, province_costs
from python_ml.simulate.traits import draw_traits
from tests.proof.golds import AS_OF_DATE, DataSet, build

WANTED = {"with text": 0.745, "without text": 0.53}
MODELS = ("champion", "trees", "smooth terms", "bayes")
RESAMPLES = 400
NEWEST, ALL, MONTHLY = "newest date", "all dates", "every month"


def bayes(customers: int, seed: int) -> pd.DataFrame:
    """Log-odds of leaving by what the simulator draws from, one row a customer."""
    index, costs = np.arange(customers, dtype=np.int64), province_costs(seed)
    traits = draw_traits(seed, index)
    panel = draw_panel(seed, traits, costs)
    churned = draw_churn(seed, traits, panel, costs)
    known = churn_logit(traits, panel, costs)
    contact, told = contact_log_odds(seed, index, churned, "as-published")
    return pd.DataFrame(
        {
            "customer_id": traits.customer_id,
            "with text": known + contact + told,
            "without text": known + contact,
        }
    )


def measure(
    frame: pd.DataFrame, truth: pd.DataFrame, contract: GoldContract, settings: Settings
) -> list[dict[str, object]]:
    """PR-AUC of each model on the test part of one batch, with its interval."""
    rows = labelled_rows(frame, contract, settings, AS_OF_DATE)
    training, test = (
        rows[rows["split_part"] == part].reset_index(drop=True) for part in (TRAIN, TEST)
    )
    churn = test[contract.target].to_numpy(dtype=np.int64)
    weights = resample_weights(len(test), RESAMPLES, settings.model.seed)
    columns = contract.learned(settings, settings.model.experiment)
    exact = test[["customer_id"]].merge(truth, on="customer_id", validate="one_to_one")
    found = []
    for kind, used in (("with text", columns), ("without text", without_text(columns))):
        fitted = fit_by_protocol(training, used, contract.target, kind, settings)
        margins = fitted.model.classifier.margins(test)
        scores = {
            "champion": fitted.model.classifier.blended(margins),
            "trees": margins[:, 0],
            "smooth terms": margins[:, 1],
            "bayes": exact[kind].to_numpy(),
        }
        for model, score in scores.items():
            one = estimate(
                partial(ranking_metrics, churn, score), weights, settings.evaluate.confidence
            )["pr_auc"]
            found.append(
                {"features": kind, "model": model, "pr_auc": one.value, "low": one.low}
                | {"high": one.high, "tree_weight": fitted.model.classifier.tree_weight}
            )
    return found


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means over the batches with the interval of the mean, ranges, and shares of Bayes."""
    rows = []
    for (features, model), part in table.groupby(["features", "model"], sort=False):
        # The interval of a mean of independent batches, each with its own.
        spread = np.sqrt((((part["high"] - part["low"]) / 2) ** 2).sum()) / len(part)
        mean = part["pr_auc"].mean()
        rows.append(
            {
                "features": features,
                "model": model,
                "mean_pr_auc": mean,
                "low": mean - spread,
                "high": mean + spread,
                "least": part["pr_auc"].min(),
                "most": part["pr_auc"].max(),
            }
        )
    means = pd.DataFrame(rows)
    limit = means[means["model"] == "bayes"].set_index("features")["mean_pr_auc"]
    return means.assign(share_of_bayes=means["mean_pr_auc"] / means["features"].map(limit))


def later(data: DataSet, seed: int) -> pd.DataFrame:
    """PR-AUC out of time of each choice of training dates, and its difference to the newest alone,
    with intervals over resampled customers of the test date."""
    settings, contract = data.settings, data.contract()
    with open_warehouse(settings) as warehouse:
        dates = labelled_dates(warehouse)
    gold = data.gold()
    gold = gold[gold[contract.target].notna()]
    matured = [day for day in dates if not of_date(gold, day.as_of_date).empty]
    past, test_date = choose_rounds(matured, settings)[0][-1]
    known = [day.as_of_date for day in matured if day.matured <= test_date]
    choices = {NEWEST: past[-1:], ALL: past, MONTHLY: tuple(known)}
    test = of_date(gold, test_date)
    churn = test[contract.target].to_numpy(dtype=np.int64)
    weights = resample_weights(len(test), RESAMPLES, settings.model.seed)
    columns = contract.learned(settings, settings.model.experiment)
    rows = []
    for kind, used in (("with text", columns), ("without text", without_text(columns))):
        scores = {
            name: score_later(gold, chosen, test, used, contract, settings)
            for name, chosen in choices.items()
        }

        def measured(
            resamples: np.ndarray, scores: dict[str, np.ndarray] = scores
        ) -> dict[str, np.ndarray]:
            reached = {
                name: ranking_metrics(churn, score, resamples)["pr_auc"]
                for name, score in scores.items()
            }
            gains = {f"gain {name}": reached[name] - reached[NEWEST] for name in reached}
            return reached | gains

        figures = estimate(measured, weights, settings.evaluate.confidence)
        rows += [
            {"seed": seed, "features": kind, "learned from": name, "dates": len(chosen)}
            | {"pr_auc": figures[name].value, "low": figures[name].low, "high": figures[name].high}
            | {"gain": (gain := figures[f"gain {name}"]).value}
            | {"gain_reach": (gain.high - gain.low) / 2}
            | {"expected_to_left": scores[name].mean() / churn.mean()}
            for name, chosen in choices.items()
        ]
    print(f"seed {seed}: tested on {test_date}; all dates: {', '.join(map(str, past))}", flush=True)
    return pd.DataFrame(rows)


def score_later(
    gold: pd.DataFrame,
    dates: Sequence[date],
    test: pd.DataFrame,
    columns: Sequence[Column],
    contract: GoldContract,
    settings: Settings,
) -> np.ndarray:
    """Probabilities for the rows of `test`, by the champion's protocol fitted on the `dates`."""
    rows = pd.concat([of_date(gold, day) for day in dates], ignore_index=True)
    model = settings.model
    split = split_by_customer(
        rows, contract.target, dates[-1], seed=model.seed, test_share=0.0, folds=model.folds
    )
    training = placed(rows, split, dates[-1])
    fitted = fit_by_protocol(training, columns, contract.target, "later", settings)
    score: np.ndarray = fitted.model.predict(test)["churn_probability"].to_numpy()
    return score


def compare_dates(flags: argparse.Namespace) -> int:
    """Print what more dates are worth; the exit code."""
    parts = [
        later(build(flags.home, flags.customers, seed, months=flags.months), seed)
        for seed in flags.seeds
    ]
    table = pd.concat(parts, ignore_index=True)
    print(table.round(3).to_string(index=False))
    failed = False
    for (features, name), part in table.groupby(["features", "learned from"], sort=False):
        gain = part["gain"].mean()
        # The interval of a mean of independent batches, each with its own.
        reach = np.sqrt((part["gain_reach"] ** 2).sum()) / len(part)
        failed |= name == ALL and gain - reach <= 0
        print(
            f"{features}, {name}: mean PR-AUC {part['pr_auc'].mean():.3f} "
            f"({part['pr_auc'].min():.3f} to {part['pr_auc'].max():.3f}), "
            f"{gain:+.3f} ({gain - reach:+.3f} to {gain + reach:+.3f}) to the newest alone; "
            f"expected to left {part['expected_to_left'].mean():.2f}"
        )
    print("FAILED: all dates are not shown to be better" if failed else "all dates are better")
    return int(failed)


def main(flags: argparse.Namespace) -> int:
    if flags.months:
        return compare_dates(flags)
    start = time.perf_counter()
    found = []
    for seed in flags.seeds:
        data = build(flags.home, flags.customers, seed)
        truth = bayes(flags.customers, seed)
        for row in measure(data.gold(), truth, data.contract(), data.settings):
            found.append({"seed": seed, **row})
        print(f"seed {seed} measured after {time.perf_counter() - start:.0f} s", flush=True)
    table = pd.DataFrame(found)
    wide = table.pivot(index=["features", "model"], columns="seed", values="pr_auc")
    print(wide.round(3).to_string())
    means = summary(table)
    print(means.round(3).to_string(index=False))
    reached = means[means["model"] == "champion"].set_index("features")["mean_pr_auc"]
    failed = [kind for kind, least in WANTED.items() if reached[kind] < least]
    wanted = ", ".join(f"{least} {kind}" for kind, least in WANTED.items())
    print(f"wanted: {wanted}; {'FAILED: ' + ', '.join(failed) if failed else 'both reached'}")
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, default=Path("data/proof/headroom"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 101, 102, 103, 104, 105])
    parser.add_argument("--customers", type=int, default=20099)
    parser.add_argument("--months", type=int, default=0, help="after the first year")
    sys.exit(main(parser.parse_args()))
