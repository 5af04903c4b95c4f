"""Is the simulated ladder the published one, cell by cell?

Of every batch the cells that were published are fitted on the training part of the stored split and
measured on its test part; the means over the batches are held against the published figures.

    python -m tests.proof.ladder --homes data/proof --seeds 42 7 8
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from python_ml.contracts.gold import read_contract
from python_ml.engines import open_warehouse
from python_ml.judge.metrics import ranking_metrics
from python_ml.judge.split import TEST, TRAIN
from python_ml.pipeline.evaluate import stored_rows
from python_ml.pipeline.ladder import fit_and_score
from python_ml.registry import open_registry
from python_ml.settings import PROJECT_DIR, load_settings
from python_ml.transform.dbt import DbtRunner
from tests.proof.homes import home_of, parser

PR_AUC_BAND, ROC_AUC_BAND, WANTED = 0.04, 0.02, 18
CELL = ["experiment", "model_kind"]


def cells_of(home: Path, published: pd.DataFrame) -> pd.DataFrame:
    """PR-AUC and ROC-AUC of the published cells on one batch."""
    settings = load_settings({"home": str(home)}, environ={})
    with tempfile.TemporaryDirectory() as folder:
        runner = DbtRunner(settings, Path(folder) / "unused.duckdb", Path(folder), {})
        contract = read_contract(runner.manifest())
    registry = open_registry(settings)
    with open_warehouse(settings) as warehouse:
        rows = stored_rows(warehouse, settings, registry.load(registry.require_champion()))
    parts = [rows[rows["split_part"] == part].reset_index(drop=True) for part in (TRAIN, TEST)]
    learned, seen = (part[contract.target].to_numpy(dtype=np.int64) for part in parts)

    def measure(cell: tuple[str, str]) -> dict[str, float]:
        columns = [replace(c, monotone=None) for c in contract.experiment(settings, cell[0])]
        score = fit_and_score(cell[1], columns, parts[0], learned, parts[1], settings)
        found = ranking_metrics(seen, score, np.ones((1, len(seen)), dtype=np.uint8))
        return {name: float(value[0]) for name, value in found.items()}

    wanted = list(published[CELL].itertuples(index=False, name=None))
    with ThreadPoolExecutor(settings.threads) as pool:
        return published[CELL].join(pd.DataFrame(list(pool.map(measure, wanted))))


def main(flags: argparse.Namespace) -> int:
    published = pd.read_csv(PROJECT_DIR / "seeds" / "published_ladder.csv").drop(columns="source")
    batches = [cells_of(home_of(flags, seed), published) for seed in flags.seeds]
    means = pd.concat(batches).groupby(CELL, sort=False)[["pr_auc", "roc_auc"]].mean().reset_index()
    table = published.merge(means, on=CELL, validate="one_to_one")
    pr_auc, roc_auc = (table[name] - table[f"published_{name}"] for name in ("pr_auc", "roc_auc"))
    # A hair of tolerance: 0.04 is within 0.04.
    is_within = (pr_auc.abs() <= PR_AUC_BAND + 1e-9) & (roc_auc.abs() <= ROC_AUC_BAND + 1e-9)
    table = table.assign(pr_auc_off=pr_auc, roc_auc_off=roc_auc, within=is_within)
    print(table.round(3).to_string(index=False))
    print(
        f"{is_within.sum()} of {len(table)} cells within {PR_AUC_BAND} PR-AUC and {ROC_AUC_BAND} "
        f"ROC-AUC, means of {len(batches)} batches; {WANTED} are wanted"
    )
    return 0 if is_within.sum() >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main(parser(__doc__, [42, 7, 8]).parse_args()))
