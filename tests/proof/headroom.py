"""How near does the champion come to what anybody could know of the simulated customers?

For each of six batches the champion's protocol is fitted on the training part of the stored kind of
split and measured on its test part, with text and without. Beside it stands Bayes: the PR-AUC of
somebody who knows each customer's true probability, given who got in touch and, with text, what was
said. The same table has the spline logistic alone and the trees alone.

    python -m tests.proof.headroom --home data/proof/headroom

Exit code 1 if a mean is below 0.745 with text or 0.53 without.
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from python_ml.contracts.gold import GoldContract, without_text
from python_ml.judge.metrics import estimate, ranking_metrics, resample_weights
from python_ml.judge.split import TEST, TRAIN
from python_ml.pipeline.train import fit_by_protocol, labelled_rows
from python_ml.settings import Settings
from python_ml.simulate.churn import churn_logit, draw_churn
from python_ml.simulate.interactions import contact_log_odds
from python_ml.simulate.panel import draw_panel, province_costs
from python_ml.simulate.traits import draw_traits
from tests.proof.golds import AS_OF_DATE, build

WANTED = {"with text": 0.745, "without text": 0.53}
MODELS = ("champion", "trees", "smooth terms", "bayes")
RESAMPLES = 400


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


def main(flags: argparse.Namespace) -> int:
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
    sys.exit(main(parser.parse_args()))
