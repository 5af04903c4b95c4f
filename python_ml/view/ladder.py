"""What a person sees of models and their measurements: tables in the terminal, on stdout."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from python_ml.console import new_table, open_console

if TYPE_CHECKING:
    from python_ml.pipeline.ladder import LadderReport

KIND_TITLES = {
    "xgboost": "XGBoost",
    "random_forest": "Random forest",
    "logistic_regression": "Logistic regression",
}


def show_ladder(ladder: LadderReport) -> None:
    """ROC-AUC and PR-AUC of each cell, with the interval, and the published ones beside them."""
    console = open_console()
    first = ladder.cells.iloc[0]
    for kind, title in KIND_TITLES.items():
        table = new_table(
            title,
            *("Experiment", "Features", "PR-AUC, 95% interval", "by folds", "published"),
            *("ROC-AUC, 95% interval", "published", "s"),
        )
        table.columns[0].no_wrap = True
        of_kind = ladder.cells[ladder.cells["model_kind"] == kind]
        for row in of_kind.sort_values("experiment").to_dict("records"):
            table.add_row(
                row["experiment"],
                str(row["feature_count"]),
                _with_interval(row, "test_pr_auc"),
                f"{row['cv_pr_auc_mean']:.3f}",
                _published(row["published_pr_auc"]),
                _with_interval(row, "test_roc_auc"),
                _published(row["published_roc_auc"]),
                f"{row['seconds']:.0f}",
            )
        console.print(table)
    console.print(
        f"Split of {ladder.model_version}: {first['test_count']:,} customers in the test part, "
        f"{first['test_churner_count']:,} of whom left; {ladder.seconds:.0f} s in all"
    )
    console.print(f"Plot   {ladder.plot}\nTable  mart_model_ladder", soft_wrap=True)


def _with_interval(row: Mapping[Hashable, Any], name: str) -> str:
    return f"{row[name]:.3f} ({row[f'{name}_ci_low']:.2f}–{row[f'{name}_ci_high']:.2f})"


def _published(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.3f}"
