"""The card of a model version: what it is for, how good it is, and how far it may be trusted.

Written for two readers: a manager stops after the first section, an auditor finds every figure of
the evaluation, with intervals, and where it came from. Figures are read from the tables that
evaluation wrote; nothing is computed again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from python_ml.config import Settings
from python_ml.modelling import card_text as words
from python_ml.modelling.card_document import (
    Block,
    Bullets,
    Document,
    Picture,
    Pictures,
    Section,
    Table,
    Text,
)
from python_ml.modelling.plots import (
    gain_plot,
    precision_recall_plot,
    profit_plot,
    reliability_plot,
)
from python_ml.registry import RegisteredModel, Registry
from python_ml.warehouse import Warehouse

if TYPE_CHECKING:
    from python_ml.modelling.evaluate import EvaluateResult


@dataclass(frozen=True)
class _Evidence:
    """What the card is written from."""

    candidate: RegisteredModel
    result: EvaluateResult
    status: str
    reason: str
    metrics: pd.DataFrame
    curves: pd.DataFrame
    policies: pd.DataFrame
    audit: pd.DataFrame
    ladder: pd.DataFrame
    has_drift: bool


def write_card(
    warehouse: Warehouse,
    settings: Settings,
    registry: Registry,
    candidate: RegisteredModel,
    result: EvaluateResult,
    run_id: str,
) -> Document:
    """Write the card into the version's folder of the registry, and for readers to reports/.

    Args:
        warehouse: holds what evaluation wrote under `run_id`.
        settings: where reports lie.
        registry: the last decision on the version is on the card.
        candidate: the version.
        result: of its evaluation.
        run_id: of the evaluation.
    """
    decision = registry.decisions(candidate.version)[-1]
    ladder = warehouse.read_external("model_ladder")
    audit = warehouse.read_external("leakage_audit", candidate.origin["run_id"])
    document = card_document(
        _Evidence(
            candidate=candidate,
            result=result,
            status=decision["status"],
            reason=decision["reason"],
            metrics=warehouse.read_external("model_metric", run_id),
            curves=warehouse.read_external("model_curve", run_id),
            policies=warehouse.read_external("policy_value", run_id),
            audit=audit[audit["model_version"] == candidate.version],
            ladder=ladder[ladder["run_id"] == ladder["run_id"].max()],
            has_drift=words.DRIFT_MART in warehouse.table_names(),
        )
    )
    files = {
        "card.html": document.html().encode(),
        "card.md": document.markdown().encode(),
        **{picture.name: picture.png for picture in document.pictures()},
    }
    reports = settings.layout.reports / "cards" / candidate.version
    reports.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        registry.attach_file(candidate.version, name, content)
        (reports / name).write_bytes(content)
    return document


def card_document(evidence: _Evidence) -> Document:
    """The card, not written yet."""
    origin = evidence.candidate.origin
    return Document(
        title=f"Model card {evidence.candidate.version}",
        subtitle=(
            f"SpanishGas churn model, {evidence.candidate.model.experiment}, as of "
            f"{origin['as_of_date']}. Status: {evidence.status}."
        ),
        sections=[
            Section("In short", _in_short(evidence)),
            Section("Purpose", [Text(words.PURPOSE)]),
            Section("Data", _data(evidence)),
            Section("Performance on customers it never saw", _performance(evidence)),
            Section("Whom to contact", _policies(evidence.policies)),
            Section("By group of customers", _slices(evidence.metrics)),
            Section("Which way the score moves", _directions(evidence)),
            Section("Gate", _gate(evidence)),
            Section("Leakage audit", _audit(evidence)),
            Section("What each group of features adds", _ladder(evidence.ladder)),
            Section(
                "Drift", [Text(words.DRIFT_MEASURED if evidence.has_drift else words.DRIFT_MISSING)]
            ),
            Section("Limits", [Bullets(words.LIMITS)]),
            Section("How it was made", _making(evidence)),
        ],
    )


def _in_short(evidence: _Evidence) -> list[Block]:
    result, metrics = evidence.result, evidence.result.metrics
    flagged = metrics["true_positive_count"].value + metrics["false_positive_count"].value
    lead = (
        f"Of {result.test_count:,} customers that the model never saw, "
        f"{result.test_churner_count:,} left. It flagged {flagged:,.0f} and found "
        f"{metrics['recall'].value:.0%} of those who left; {metrics['precision'].value:.0%} of the "
        "flagged did leave."
    )
    plain = result.metrics_without_text
    text = (
        "Much of this rests on what customers said in their last contact. Without a word of it, "
        f"PR-AUC is {plain['pr_auc'].value:.2f} instead of {metrics['pr_auc'].value:.2f} (a "
        f"ranking by chance has {metrics['base_rate'].value:.2f}). Trust the lower figure where "
        "notes may have been written after the customer gave notice."
    )
    verdict = f"Decision: {evidence.status}. {evidence.reason[:1].upper()}{evidence.reason[1:]}."
    return [Text(lead, is_lead=True), Text(text), Text(verdict)]


def _data(evidence: _Evidence) -> list[Block]:
    origin = evidence.candidate.origin
    result = evidence.result
    test_share = result.test_churner_count / result.test_count
    train_share = origin["train_churner_count"] / origin["train_count"]
    rows = [
        ("As-of date", origin["as_of_date"]),
        ("Features look back", "twelve whole months that end with the as-of date"),
        (
            "Training part",
            f"{origin['train_count']:,} customers, {origin['train_churner_count']:,} left "
            f"({train_share:.1%})",
        ),
        (
            "Test part",
            f"{result.test_count:,} customers, {result.test_churner_count:,} left "
            f"({test_share:.1%}); seen once, by the evaluation",
        ),
        ("Sentiment read by", origin["sentiment_backend"] or "not used"),
        ("Rows (sha256)", origin["snapshot_sha256"]),
        ("Split (sha256)", origin["split_sha256"]),
    ]
    return [Table(("", "Value"), [(name, str(value)) for name, value in rows])]


def _performance(evidence: _Evidence) -> list[Block]:
    result, curves = evidence.result, evidence.curves
    rows = []
    for name, title in words.TITLES.items():
        found, plain = result.metrics[name], result.metrics_without_text[name]
        rows.append(
            (
                *(title, f"{found.value:.3f}", f"{found.low:.3f} to {found.high:.3f}"),
                *(f"{plain.value:.3f}", f"{plain.low:.3f} to {plain.high:.3f}"),
            )
        )
    columns = ("Metric", "Value", "95 % interval", "Without text", "95 % interval ")
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
        Table(columns, rows, figures=columns[1:]),
        Text(
            f"Customers with a probability of {threshold:.3f} or more are flagged. Intervals come "
            "from resampling the customers of the test part."
        ),
        Pictures(pictures),
    ]


def _policies(policies: pd.DataFrame) -> list[Block]:
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
    return f"{row[value]:,.0f} ({row[low]:,.0f} to {row[high]:,.0f})"


def _slices(metrics: pd.DataFrame) -> list[Block]:
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


def _directions(evidence: _Evidence) -> list[Block]:
    """What one change does to the score, other things equal."""
    checks = [c for c in evidence.result.checks if c.check_name.startswith("direction_")]
    if not checks:
        return [Text("Not tried.")]
    rows = [(words.DIRECTIONS[c.check_name], f"{c.observed_value:.1%}", c.detail) for c in checks]
    columns = ("Change, other things equal", "Does not fall for", "In words")
    return [Text(words.DIRECTION_NOTE), Table(columns, rows, figures=columns[1:2])]


def _gate(evidence: _Evidence) -> list[Block]:
    rows = [
        (check.check_name, "passed" if check.is_passed else "failed", check.detail)
        for check in evidence.result.checks
    ]
    return [Table(("Check", "Verdict", "In words"), rows)]


def _audit(evidence: _Evidence) -> list[Block]:
    audit, alarms = evidence.audit, evidence.result.alarms
    if audit.empty:
        return [Text("The version was trained without an audit.")]
    blocks: list[Block] = [
        Text(
            "Looks, on the training part, for anything that knows the outcome. Each alarm has to "
            "be accepted by its name, with a reason, or the gate fails."
        )
    ]
    if alarms:
        rows = [
            (
                alarm.alarm,
                alarm.detail,
                f"{alarm.author}, {alarm.accepted_on}: {alarm.reason}"
                if alarm.is_accepted
                else "not accepted",
            )
            for alarm in alarms
        ]
        blocks.append(Table(("Alarm", "What was seen", "Accepted by, when and why"), rows))
    else:
        blocks.append(Text("No alarm was raised."))
    alone = audit[audit["check_kind"] == "feature_auc"].nlargest(5, "observed_value")
    tiers = audit[audit["check_kind"] == "tier_ablation"]
    dates = audit[audit["check_kind"] == "source_date"]
    columns = ("", "Value", "95 % interval")
    for title, part in (("ROC-AUC of one feature alone", alone), ("PR-AUC lost without", tiers)):
        rows3 = [
            (
                row["subject"],
                f"{row['observed_value']:.3f}",
                f"{row['ci_low']:.3f} to {row['ci_high']:.3f}",
            )
            for row in part.to_dict("records")
        ]
        blocks.append(Table((title, *columns[1:]), rows3, figures=columns[1:]))
    blocks.append(
        Table(
            ("Date in the sources", "After the as-of date"),
            [(row["subject"], row["detail"]) for row in dates.to_dict("records")],
        )
    )
    return blocks


def _ladder(ladder: pd.DataFrame) -> list[Block]:
    if ladder.empty:
        return [Text("The ladder has not been run yet (spanishgas ladder).")]
    kinds = ("xgboost", "random_forest", "logistic_regression")
    cells = ladder.set_index(["experiment", "model_kind"])["test_pr_auc"]
    rows = [
        (name, *(f"{cells[name, kind]:.3f}" for kind in kinds))
        for name in sorted(set(ladder["experiment"]))
    ]
    columns = ("PR-AUC", "XGBoost", "Random forest", "Logistic regression")
    version = ladder["model_version"].iloc[0]
    return [Table(columns, rows, figures=columns[1:]), Text(f"On the split of {version}.")]


def _making(evidence: _Evidence) -> list[Block]:
    candidate = evidence.candidate
    origin, model = candidate.origin, candidate.model
    facts: Mapping[str, object] = {
        "Method": "gradient boosted trees (XGBoost), Platt scaling on out-of-fold scores",
        "Parameters": ", ".join(f"{name} {value}" for name, value in model.parameters.items()),
        "Features": ", ".join(model.features),
        "Artifact (sha256)": candidate.sha256,
        "Trained by run": origin["run_id"],
        "Libraries": ", ".join(f"{name} {value}" for name, value in origin["libraries"].items()),
    }
    return [Table(("", "Value"), [(name, str(value)) for name, value in facts.items()])]
