"""Do columns that move with the season earn their place in months to come?

A feature that always rises in one month can be learned as that month. For each seed and each month
with labels, the champion's protocol is fitted on what a training would have learned from by then,
with all features that it reads and with each of the seasonal ones (`calendar: season` in the YAML
of `gold_master`) left out, those that are excluded by default among them. Measured on the month's
customers: PR-AUC, and by how much expected and observed churn differ (the absolute value of the
logarithm of their ratio). The differences are means over months and batches, with intervals over
resampled customers; all months of a customer are drawn together.

    python -m tests.proof.seasonal --seeds 42 101 102 --customers 4000

A seasonal column has to prove itself: leaving it out must cost PR-AUC beyond chance, with text or
without. Exit code 1 if the model reads one that does not, or excludes one that does.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from python_ml.contracts.gold import SEASON, Column, GoldContract, without_text
from python_ml.engines import open_warehouse
from python_ml.judge.labels import labelled_dates
from python_ml.judge.metrics import ranking_metrics, resample_weights
from python_ml.judge.split import of_date
from python_ml.pipeline.backtest import choose_rounds
from python_ml.settings import Settings
from tests.proof.golds import DataSet, build
from tests.proof.headroom import score_later

RESAMPLES = 400
ALL, EXCLUDED, EVERY = "none", "those excluded", "all of them"


def choices(contract: GoldContract, settings: Settings) -> dict[str, list[Column]]:
    """What is left out -> the columns that remain of what would be read with nothing left out."""
    everything = contract.experiment(settings, settings.model.experiment)
    seasonal = sorted(one.name for one in everything if one.calendar == SEASON)
    left_out = {ALL: set[str](), **{name: {name} for name in seasonal}}
    left_out |= {EXCLUDED: set(settings.model.excluded_features), EVERY: set(seasonal)}
    return {
        name: [one for one in everything if one.name not in names]
        for name, names in left_out.items()
    }


def measured(
    score: np.ndarray, churn: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """PR-AUC, and |log(expected / observed)|, of every resample; the first is the sample itself."""
    weights = np.vstack([np.ones((1, len(churn)), dtype=np.uint8), weights])
    expected, observed = weights @ score, weights @ churn.astype(np.float64)
    return ranking_metrics(churn, score, weights)["pr_auc"], np.abs(np.log(expected / observed))


def differences(data: DataSet, seed: int) -> tuple[dict[tuple[str, str], np.ndarray], list[date]]:
    """(features, left out) -> mean over the months of the gain in PR-AUC and in the error of the
    ratio, each of the sample and every resample, shape (2, 1 + resamples); and the months."""
    settings, contract = data.settings, data.contract()
    with open_warehouse(settings) as warehouse:
        dates = labelled_dates(warehouse)
    gold = data.gold()
    gold = gold[gold[contract.target].notna()]
    rounds, _ = choose_rounds(
        [day for day in dates if not of_date(gold, day.as_of_date).empty], settings
    )
    customers = pd.Index(sorted(set(gold["customer_id"])))
    drawn = resample_weights(len(customers), RESAMPLES, settings.model.seed)
    gains: dict[tuple[str, str], list[np.ndarray]] = {}
    for past, test_date in rounds:
        test = of_date(gold, test_date)
        churn = test[contract.target].to_numpy(dtype=np.int64)
        weights = drawn[:, customers.get_indexer(test["customer_id"])]
        for features, kept in (("with text", list), ("without text", without_text)):
            base = None
            for left_out, columns in choices(contract, settings).items():
                used: Sequence[Column] = kept(columns)
                score = score_later(gold, past, test, used, contract, settings)
                reached = np.stack(measured(score, churn, weights))
                base = reached if base is None else base
                gains.setdefault((features, left_out), []).append(reached - base)
        print(f"seed {seed}, {test_date}: learned from {', '.join(map(str, past))}", flush=True)
    return {key: np.mean(values, axis=0) for key, values in gains.items()}, [
        day for _, day in rounds
    ]


def main(flags: argparse.Namespace) -> int:
    start, found = time.perf_counter(), list[dict[tuple[str, str], np.ndarray]]()
    for seed in flags.seeds:
        data = build(flags.home, flags.customers, seed, months=flags.months)
        one, months = differences(data, seed)
        found.append(one)
        print(f"seed {seed}: {len(months)} months, {time.perf_counter() - start:.0f} s", flush=True)
    table = summary(found)
    print(table.round(4).to_string(index=False))
    proven = set(table.loc[table["pr_auc_gain_high"] < 0, "left out"]) - {EXCLUDED, EVERY}
    excluded = set(data.settings.model.excluded_features)
    seasonal = set(table["left out"]) - {EXCLUDED, EVERY}
    wrong = {
        "are read and do not prove themselves": seasonal - excluded - proven,
        "are excluded and would prove themselves": excluded & proven,
    }
    for what, names in wrong.items():
        print(f"{'FAILED: ' if names else ''}{', '.join(sorted(names)) or 'none'} {what}")
    return int(any(wrong.values()))


def summary(found: Sequence[dict[tuple[str, str], np.ndarray]]) -> pd.DataFrame:
    """Means over the batches with their intervals, one row for features and what is left out."""
    rows = []
    for features, left_out in found[0]:
        if left_out == ALL:
            continue
        # Batches are independent, so their resamples may be averaged one by one.
        mean = np.mean([one[features, left_out] for one in found], axis=0)
        low, high = np.quantile(mean[:, 1:], [0.025, 0.975], axis=1)
        row: dict[str, object] = {"features": features, "left out": left_out}
        for place, name in enumerate(("pr_auc_gain", "ratio_error_gain")):
            row |= {name: mean[place, 0], f"{name}_low": low[place], f"{name}_high": high[place]}
        rows.append(row)
    return pd.DataFrame(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, default=Path("data/proof/headroom"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 101, 102])
    parser.add_argument("--customers", type=int, default=4000)
    parser.add_argument("--months", type=int, default=12, help="after the first year")
    sys.exit(main(parser.parse_args()))
