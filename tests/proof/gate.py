"""How often does a worse, an equal and a better challenger pass the comparison with the champion?

Scores are simulated on real rows: of six batches every customer's true log-odds are known, given
what was said. A model's score is that, less exact by what all models get wrong and by an error of
its own, so that the champion has the PR-AUC that the protocol reaches and two models of one kind
differ as much as two fits do. Each pair is judged on a test part of its own, drawn from all rows,
by the gate's own checks (PR-AUC overall, PR-AUC and recall of every segment).

    python -m tests.proof.gate --home data/proof/headroom

Exit code 1 if of 200 pairs fewer than 90 % of the equal challengers pass, or more than 10 % of
those that are worse by 0.03.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score

from python_ml.judge.challenger import Paired, difference_check, segment_checks
from python_ml.judge.metrics import resample_weights
from python_ml.settings import Settings, load_settings
from tests.proof.golds import build
from tests.proof.headroom import bayes

CHAMPION_PR_AUC = 0.745
OWN_ERROR = 0.40  # log-odds; two models then differ as two fits of the protocol do
RECALL = 0.70
DIFFERENCES = {"worse by 0.03": -0.03, "equal": 0.0, "better by 0.02": 0.02}
LEAST_EQUAL, MOST_WORSE = 0.90, 0.10


def population(flags: argparse.Namespace, settings: Settings) -> pd.DataFrame:
    """Rows of all batches: segments, label and true log-odds."""
    parts = []
    for seed in flags.seeds:
        frame = build(flags.home, flags.customers, seed).gold()
        truth = bayes(flags.customers, seed)[["customer_id", "with text"]]
        kept = ["customer_id", "churn", *settings.evaluate.segments]
        parts.append(frame[kept].merge(truth, on="customer_id", validate="one_to_one"))
    return pd.concat(parts, ignore_index=True)


def shared_error(rows: pd.DataFrame, random: np.random.Generator) -> np.ndarray:
    """What all models get wrong, so large that the champion reaches its PR-AUC."""
    noise, own = random.normal(size=(2, len(rows)))
    truth, churn = rows["with text"].to_numpy(), rows["churn"].to_numpy(dtype=np.int64)

    def reached(size: float) -> float:
        return float(average_precision_score(churn, truth + size * noise + OWN_ERROR * own))

    shared: np.ndarray = solve(reached, CHAMPION_PR_AUC, 0.0, 3.0) * noise
    return shared


def solve(measure: Any, wanted: float, low: float, high: float) -> float:
    """Where a falling measure is `wanted`, by halving."""
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if measure(middle) > wanted else (low, middle)
    return (low + high) / 2


def challenger_error(
    rows: pd.DataFrame, shared: np.ndarray, difference: float, random: np.random.Generator
) -> tuple[float, float]:
    """A challenger's part of the shared error, and the size of its own error."""
    own = random.normal(size=len(rows))
    truth, churn = rows["with text"].to_numpy(), rows["churn"].to_numpy(dtype=np.int64)
    if difference <= 0:

        def by_error(size: float) -> float:
            return float(average_precision_score(churn, truth + shared + size * own))

        size = OWN_ERROR
        if difference:
            size = solve(by_error, by_error(OWN_ERROR) + difference, OWN_ERROR, 3.0)
        return 1.0, size

    def by_part(part: float) -> float:
        return float(average_precision_score(churn, truth + part * shared + OWN_ERROR * own))

    return solve(by_part, by_part(1.0) + difference, 0.0, 1.0), OWN_ERROR


def passes(
    rows: pd.DataFrame,
    shared: np.ndarray,
    error: tuple[float, float],
    size: int,
    settings: Settings,
    random: np.random.Generator,
) -> tuple[bool, bool, float]:
    """Whether one challenger passes overall, and in every segment too; and its measured margin."""
    drawn = random.choice(len(rows), size, replace=False)
    part, truth = rows.iloc[drawn], rows["with text"].to_numpy()[drawn]
    own = random.normal(size=(2, size))
    champion = truth + shared[drawn] + OWN_ERROR * own[0]
    challenger = truth + error[0] * shared[drawn] + error[1] * own[1]
    churn = part["churn"].to_numpy(dtype=np.int64)
    scores = (challenger, champion)
    flagged = tuple(score >= np.quantile(score[churn == 1], 1 - RECALL) for score in scores)
    weights = resample_weights(size, 200, int(random.integers(1 << 30)))
    paired = Paired(part, churn, scores, flagged, weights)
    overall = difference_check(settings, "champion", paired)
    others = segment_checks(settings, "champion", paired)
    return overall.is_passed, all(c.is_passed for c in others), -overall.limit_value


def main(flags: argparse.Namespace) -> int:
    start = time.perf_counter()
    settings = load_settings({}, environ={})
    rows = population(flags, settings)
    shared = shared_error(rows, np.random.default_rng(1))
    failed, table = [], []
    for name, difference in DIFFERENCES.items():
        error = challenger_error(rows, shared, difference, np.random.default_rng(2))
        random = np.random.default_rng(3)
        found = [
            passes(rows, shared, error, flags.size, settings, random) for _ in range(flags.pairs)
        ]
        both = sum(overall and segments for overall, segments, _ in found)
        interval = binomtest(both, len(found)).proportion_ci(method="exact")
        table.append(
            {
                "challenger": name,
                "pairs": len(found),
                "passes_overall": np.mean([one[0] for one in found]),
                "passes_segments": np.mean([one[1] for one in found]),
                "passes": both / len(found),
                "low": interval.low,
                "high": interval.high,
                "mean_margin": np.mean([one[2] for one in found]),
            }
        )
        if name == "equal" and both < LEAST_EQUAL * len(found):
            failed.append(name)
        if difference < 0 and both > MOST_WORSE * len(found):
            failed.append(name)
    print(pd.DataFrame(table).round(3).to_string(index=False))
    print(
        f"{time.perf_counter() - start:.0f} s; {'FAILED: ' + ', '.join(failed) if failed else 'ok'}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, default=Path("data/proof/headroom"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 101, 102, 103, 104, 105])
    parser.add_argument("--customers", type=int, default=20099)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--size", type=int, default=4020, help="customers of a test part")
    sys.exit(main(parser.parse_args()))
