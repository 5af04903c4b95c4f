"""Is the champion's protocol as good on the PowerCo shape as a model that was tuned for it?

Files of the shape of the public PowerCo data (tests/powerco.py) are run through the product by
their mapping. The peer is XGBoost as one would tune it by hand: a random search over its parameters
by five-fold cross-validation on the training customers, refitted on all of them. It reads the same
features of `gold_master`; a second peer reads the columns of `client_data.csv` themselves, some of
which the mapping has no place for. All are measured on the test customers of the run.

    python -m tests.proof.powerco_peer --firms 14606 --seeds 5 6 7

Exit code 1 if the champion is worse than the peer on the same features: the 95 % interval of the
mean difference in PR-AUC lies below 0.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import loguniform, randint, uniform
from sklearn.model_selection import RandomizedSearchCV, StratifiedKFold
from xgboost import XGBClassifier

from python_ml.contracts.gold import GoldContract, read_contract
from python_ml.engines import open_warehouse
from python_ml.judge.metrics import estimate, ranking_metrics, resample_weights
from python_ml.judge.split import TEST, TRAIN
from python_ml.model.preprocess import ONE_HOT, Preprocessor
from python_ml.pipeline.run import Run, run_pipeline
from python_ml.registry import open_registry
from python_ml.settings import PROJECT_DIR, Settings, load_settings
from python_ml.transform.dbt import DbtRunner
from tests.open_gate import OPEN_GATE
from tests.powerco import FIRMS, write

CANDIDATES, RESAMPLES = 30, 1000
SAME, OWN = "tuned on the same features", "tuned on the file's own columns"
LENIENT = {**OPEN_GATE, "quality.data_docs": False}
SEARCHED = {
    "n_estimators": randint(50, 800),
    "learning_rate": loguniform(0.005, 0.3),
    "max_depth": randint(1, 7),
    "min_child_weight": loguniform(1, 30),
    "subsample": uniform(0.5, 0.5),
    "colsample_bytree": uniform(0.4, 0.6),
    "reg_lambda": loguniform(0.1, 30),
}


def tuned(training: np.ndarray, churn: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """Scores of the test rows by the best of the candidates."""
    search = RandomizedSearchCV(
        XGBClassifier(n_jobs=1, random_state=seed, eval_metric="logloss"),
        SEARCHED,
        n_iter=CANDIDATES,
        scoring="average_precision",
        cv=StratifiedKFold(5, shuffle=True, random_state=seed),
        random_state=seed,
        n_jobs=2,
    )
    search.fit(training, churn)
    score: np.ndarray = search.predict_proba(test)[:, 1]
    return score


def own_columns(raw: Path) -> pd.DataFrame:
    """client_data.csv as numbers: dates as days, categories as codes, nothing of the outcome."""
    frame = pd.read_csv(raw / "client_data.csv").set_index("id").drop(columns="churn")
    for name in frame.columns:
        if name.startswith("date_"):
            frame[name] = (pd.to_datetime(frame[name]) - pd.Timestamp("2016-01-01")).dt.days
        elif frame[name].dtype == object or frame[name].dtype == "str":
            frame[name] = frame[name].astype("category").cat.codes
    return frame.astype(np.float64)


def contract_of(settings: Settings, absent: Iterable[str]) -> GoldContract:
    with tempfile.TemporaryDirectory() as folder:
        place = settings.layout.warehouse
        runner = DbtRunner(settings, place, Path(folder), {"run_id": "proof"})
        return read_contract(runner.manifest(), absent)


def measure(folder: Path, firms: int, seed: int) -> list[dict[str, object]]:
    """PR-AUC of the champion and of both peers, and its differences to them, with intervals."""
    raw = write(folder / "raw", firms, seed)
    values = {"home": str(folder / "home"), **LENIENT}
    values |= {"land.mapping": str(PROJECT_DIR / "examples/powerco/mapping.yml")}
    settings = load_settings(values, environ={})
    run = Run(settings)
    run_pipeline(run, str(raw))
    registry = open_registry(settings)
    model = registry.load(registry.require_champion()).model
    contract = contract_of(settings, run.batch.absent if run.batch else ())
    with open_warehouse(settings) as warehouse:
        gold = warehouse.read_table("gold_master")
        split = warehouse.read_external("model_split", run.run_id)
    rows = gold.merge(split[["customer_id", "split_part"]], on="customer_id")
    training, test = (rows[rows["split_part"] == part] for part in (TRAIN, TEST))
    learned, churn = (part[contract.target].to_numpy(dtype=np.int64) for part in (training, test))
    columns = [column for column in contract.features if column.name in set(model.features)]
    encoder = Preprocessor.fit(training, columns, ONE_HOT)
    files = own_columns(raw)
    scores = {
        "champion": model.predict(test)["churn_probability"].to_numpy(),
        SAME: tuned(encoder.transform(training), learned, encoder.transform(test), seed),
        OWN: tuned(
            files.loc[training["customer_id"]].to_numpy(),
            learned,
            files.loc[test["customer_id"]].to_numpy(),
            seed,
        ),
    }

    def measured(resamples: np.ndarray) -> dict[str, np.ndarray]:
        reached = {
            name: ranking_metrics(churn, score, resamples)["pr_auc"]
            for name, score in scores.items()
        }
        gains = {f"to {name}": reached["champion"] - reached[name] for name in (SAME, OWN)}
        return reached | gains

    found = estimate(measured, resample_weights(len(test), RESAMPLES, seed), 0.95)
    return [
        {"seed": seed, "what": name, "pr_auc": one.value, "low": one.low, "high": one.high}
        for name, one in found.items()
    ]


def main(flags: argparse.Namespace) -> int:
    start, rows = time.perf_counter(), list[dict[str, object]]()
    for seed in flags.seeds:
        with tempfile.TemporaryDirectory(prefix="powerco-") as folder:
            rows += measure(Path(folder), flags.firms, seed)
        print(f"seed {seed} measured after {time.perf_counter() - start:.0f} s", flush=True)
    table = pd.DataFrame(rows)
    print(table.round(4).to_string(index=False))
    worse = False
    for what, part in table.groupby("what", sort=False):
        mean = part["pr_auc"].mean()
        # The interval of a mean of independent batches, each with its own.
        reach = np.sqrt((((part["high"] - part["low"]) / 2) ** 2).sum()) / len(part)
        worse |= what == f"to {SAME}" and mean + reach < 0
        print(f"{what}: {mean:.4f} ({mean - reach:.4f} to {mean + reach:.4f})")
    print("FAILED: worse than the peer" if worse else "no worse than the peer")
    return int(worse)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--firms", type=int, default=FIRMS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[5, 6, 7])
    sys.exit(main(parser.parse_args()))
