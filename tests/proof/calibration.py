"""Do probabilities and threshold mean what they say, on customers the model never saw?

Of every batch: the expected calibration error of the test part, and the recall at the threshold
that was chosen out of fold to reach 0.70.

    python -m tests.proof.calibration --homes data/proof --seeds 42 7 8 1 2
"""

from __future__ import annotations

import argparse
import sys

import pandas as pd

from python_ml.engines import open_warehouse
from python_ml.settings import load_settings
from tests.proof.homes import home_of, parser

METRICS = ("pr_auc", "roc_auc", "ece", "recall", "precision")
MAXIMUM_ECE, RECALL, RECALL_BAND = 0.02, 0.70, 0.05
QUERY = """
    select feature_set, measure, measure_value from mart_model_performance
    where measure_kind = 'metric' and slice_dimension = 'overall'
"""


def main(flags: argparse.Namespace) -> int:
    rows = {}
    for seed in flags.seeds:
        settings = load_settings({"home": str(home_of(flags, seed))}, environ={})
        with open_warehouse(settings) as warehouse:
            found = warehouse.query(QUERY).set_index(["feature_set", "measure"])["measure_value"]
        rows[f"seed {seed}"] = {name: found["champion", name] for name in METRICS} | {
            "pr_auc without text": found["without_text", "pr_auc"]
        }
    table = pd.DataFrame(rows).T
    table.loc["mean"] = table.mean()
    print(table.round(4).to_string())
    mean = table.loc["mean"]
    is_calibrated = bool(mean["ece"] <= MAXIMUM_ECE)
    off = abs(mean["recall"] - RECALL)
    worst = (table["recall"] - RECALL).abs().max()
    print(f"mean calibration error {mean['ece']:.4f}; it must be at most {MAXIMUM_ECE}")
    print(
        f"mean recall {mean['recall']:.3f} is {off:.3f} from {RECALL} (the farthest batch is "
        f"{worst:.3f} from it); it must be at most {RECALL_BAND}"
    )
    return 0 if is_calibrated and off <= RECALL_BAND else 1


if __name__ == "__main__":
    sys.exit(main(parser(__doc__, [42, 7, 8, 1, 2]).parse_args()))
