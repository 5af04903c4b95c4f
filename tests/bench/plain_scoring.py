"""The champion's trees applied by XGBoost alone: what scoring costs without anything around it.

Reads the newest rows of gold by DuckDB, predicts and explains them (TreeSHAP of the library), and
writes nothing: no snapshot, no tiers, no reasons in words, no smooth terms.

    python -m tests.bench.plain_scoring --home data
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import duckdb
import numpy as np
import xgboost as xgb

from python_ml.progress import peak_memory_mb
from python_ml.registry import open_registry
from python_ml.settings import load_settings


def score(home: Path) -> tuple[float, int]:
    """Seconds of wall time, and customers scored.

    Raises:
        AssertionError: what the trees add to a score does not sum to it.
    """
    settings = load_settings({"home": str(home)}, environ={})
    registry = open_registry(settings)
    classifier = registry.load(registry.require_champion()).model.classifier
    start = time.perf_counter()
    with duckdb.connect(str(settings.layout.warehouse), read_only=True) as connection:
        gold = connection.execute(
            "select * from gold_master where as_of_date = (select max(as_of_date) from gold_master)"
        ).df()
    names = classifier.preprocessor.encoded_names
    rows = xgb.DMatrix(
        classifier.preprocessor.transform(gold),
        feature_names=names,
        feature_types=classifier.preprocessor.feature_types,
    )
    margin = classifier.booster.predict(rows, output_margin=True)
    added = classifier.booster.predict(rows, pred_contribs=True)
    seconds = time.perf_counter() - start
    np.testing.assert_allclose(added.sum(axis=1), margin, atol=1e-3)
    return seconds, len(gold)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, default=Path("data"))
    seconds, customers = score(parser.parse_args().home)
    print(f"{customers:,} customers: {seconds:.2f} s, {peak_memory_mb() / 1000:.2f} GB")


if __name__ == "__main__":
    main()
