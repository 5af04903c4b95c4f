"""Sections on how good the version is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from python_ml.judge.metrics import Estimate
from python_ml.pages.card import text as words
from python_ml.pages.card.document import Block, Picture, Pictures, Table, Text
from python_ml.pages.card.evidence import Evidence
from python_ml.pages.plots import (
    gain_plot,
    precision_recall_plot,
    profit_plot,
    reliability_plot,
)


def in_short(evidence: Evidence) -> list[Block]:
    result, metrics = evidence.result, evidence.result.metrics
    flagged = metrics["true_positive_count"].value + metrics["false_positive_count"].value
    lead = (
        f"Of {result.test_count:,} customers that the model never saw, "
        f"{result.test_churner_count:,} left. It flagged {flagged:,.0f} and found "
        f"{metrics['recall'].value:.0%} of those who left; {metrics['precision'].value:.0%} of the "
        "flagged did leave."
    )
    plain = result.metrics_without_text
    first: list[Block] = []
    if later := result.out_of_time:
        found, cautious = later.metrics["pr_auc"], later.metrics_without_text["pr_auc"]
        first = [
            Text(
                f"Out of time, PR-AUC is {found.value:.2f} ({found.low:.2f} to {found.high:.2f}), "
                f"without text {cautious.value:.2f}: learned from labels of {later.told}, tested "
                f"as of {result.as_of_date} on customers it never saw. Expect this of months to "
                "come.",
                is_lead=True,
            )
        ]
    text = (
        "Much of this rests on what customers said in their last contact. Without a word of it, "
        f"PR-AUC is {plain['pr_auc'].value:.2f} instead of {metrics['pr_auc'].value:.2f} (a "
        f"ranking by chance has {metrics['base_rate'].value:.2f}). Trust the lower figure where "
        "notes may have been written after the customer gave notice."
    )
    verdict = f"Decision: {evidence.status}. {evidence.reason[:1].upper()}{evidence.reason[1:]}."
    return [*first, Text(lead, is_lead=True), Text(text), Text(verdict)]


def performance(evidence: Evidence) -> list[Block]:
    result, curves = evidence.result, evidence.curves
    first: list[Block] = []
    if later := result.out_of_time:
        first = [
            _figures("Out of time", later.metrics, later.metrics_without_text),
            Text(
                f"A model of the same protocol that learned from labels of {later.told} alone, on "
                f"the test part, which is as of {result.as_of_date}. Below, the model itself."
            ),
        ]
    threshold = evidence.candidate.model.threshold
    pictures = [
        Picture("card_precision_recall.png", "Precision and recall", precision_recall_plot(curves)),
        Picture(
            "card_reliability.png",
            "Predicted probability and observed churn rate, ten bins of equal size",
            reliability_plot(curves),
        ),
        Picture(
            "card_gain.png",
            "Share of all leavers among the customers with the highest scores",
            gain_plot(curves),
        ),
        Picture(
            "card_profit.png",
            "Expected profit of contacting the customers with the highest scores",
            profit_plot(curves),
        ),
    ]
    return [
        *first,
        _figures("Metric", result.metrics, result.metrics_without_text),
        Text(
            f"Customers with a probability of {threshold:.3f} or more are flagged. Intervals come "
            "from resampling the customers of the test part."
        ),
        Pictures(pictures),
    ]


def _figures(
    title: str, metrics: Mapping[str, Estimate], without_text: Mapping[str, Estimate]
) -> Table:
    rows = []
    for name, shown in words.TITLES.items():
        found, plain = metrics[name], without_text[name]
        rows.append(
            (
                *(shown, f"{found.value:.3f}", f"{found.low:.3f} to {found.high:.3f}"),
                *(f"{plain.value:.3f}", f"{plain.low:.3f} to {plain.high:.3f}"),
            )
        )
    columns = (title, "Value", "95% interval", "Without text", "95% interval ")
    return Table(columns, rows, figures=columns[1:])


def policies(policies: pd.DataFrame) -> list[Block]:
    ours = policies[policies["feature_set"] == "champion"]
    rows = []
    for _, pair in ours.groupby("policy", sort=False):
        by_basis = {str(row["basis"]): row for row in pair.to_dict("records")}
        realised = by_basis["realised"]
        rows.append(
            (
                words.POLICY_TITLES[str(realised["policy"])],
                f"{realised['contacted_count']:,}",
                f"{realised['contacted_churner_count']:,}",
                *(_euros(by_basis[basis]) for basis in ("expected", "realised")),
                _euros(realised, "difference_eur", "difference_ci_low", "difference_ci_high"),
            )
        )
    columns = ("Policy", "Contacted", "Left", "Expected profit €", "Realised €", "Against tiers €")
    return [Table(columns, rows, figures=columns[1:]), Text(words.POLICY_NOTE)]


def _euros(
    row: Mapping[Any, Any], value: str = "profit_eur", low: str = "ci_low", high: str = "ci_high"
) -> str:
    if pd.isna(row[value]):
        return "not known"
    return f"{row[value]:,.0f} ({row[low]:,.0f} to {row[high]:,.0f})"


def slices(metrics: pd.DataFrame) -> list[Block]:
    ours = metrics[
        (metrics["feature_set"] == "champion") & (metrics["slice_dimension"] != "overall")
    ]
    found = {
        (row["slice_dimension"], row["slice_value"], row["metric"]): row
        for row in ours.to_dict("records")
    }
    groups = dict.fromkeys((dimension, value) for dimension, value, _ in found)
    rows = []
    for dimension, value in groups:
        of_group = [found[dimension, value, name] for name in ("pr_auc", "recall", "ece")]
        counts = (of_group[0]["customer_count"], of_group[0]["churner_count"])
        rows.append(
            (
                f"{dimension} {value}",
                *(f"{count:,}" for count in counts),
                *(_with_interval(row) for row in of_group),
            )
        )
    columns = ("Group", "Customers", "Left", "PR-AUC", "Recall", "ECE")
    note = "PR-AUC rises with the churn rate of a group, so it does not compare groups."
    return [Table(columns, rows, figures=columns[1:]), Text(note)]


def _with_interval(row: Mapping[Any, Any]) -> str:
    value, low, high = (float(row[name]) for name in ("metric_value", "ci_low", "ci_high"))
    return "–" if math.isnan(value) else f"{value:.3f} ({low:.2f}–{high:.2f})"
