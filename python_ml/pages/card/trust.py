"""Sections on how far the version may be trusted, and what it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from python_ml.judge.direction import skipped_changes
from python_ml.model.churn_model import ChurnModel
from python_ml.pages.card import text as words
from python_ml.pages.card.document import Block, Table, Text
from python_ml.pages.card.evidence import Evidence
from python_ml.registry.base import customer_share, learned_from


def data(evidence: Evidence) -> list[Block]:
    origin = evidence.candidate.origin
    result = evidence.result
    test_share = result.test_churner_count / result.test_count
    train_share = origin["train_churner_count"] / origin["train_count"]
    *earlier, _ = learned_from(origin)
    learned = "rows" if earlier else "customers"
    more = [("Learned from earlier dates too", ", ".join(earlier))] if earlier else []
    made_from = [("Trained and tested as of", origin["as_of_date"]), *more]
    if "recalibration" in origin:
        made_from = _descent(origin)
    share = customer_share(origin)
    sample = [("Customers", f"a random {share:.1%}; the rest is only scored")] if share < 1 else []
    rows = [
        *made_from,
        *sample,
        ("Made to score customers as of", evidence.candidate.scoring_as_of_date),
        ("Features look back", "twelve whole months that end with the as-of date"),
        (
            "Training part",
            f"{origin['train_count']:,} {learned}, {origin['train_churner_count']:,} left "
            f"({train_share:.1%})",
        ),
        (
            "Test part",
            f"{result.test_count:,} customers, {result.test_churner_count:,} left "
            f"({test_share:.1%}); seen once, by the evaluation",
        ),
        ("Sentiment read by", origin["sentiment_backend"] or "not used"),
        ("Data declared absent", ", ".join(origin.get("absent", [])) or "none"),
        ("Switched off for it", ", ".join(origin.get("switched_off", [])) or "nothing"),
        ("Rows (sha256)", origin["snapshot_sha256"]),
        ("Split (sha256)", origin["split_sha256"]),
    ]
    return [Table(("", "Value"), [(name, str(value)) for name, value in rows])]


def _descent(origin: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Where a recalibrated version comes from."""
    found = origin["recalibration"]
    before = found["calibration_before"]
    return [
        ("Recalibrated from", found["lineage"][-1]),
        ("Lineage, first the version that was trained", " → ".join(found["lineage"])),
        ("Trees and smooth terms learned from labels up to", found["fitted_until"]),
        ("Calibration and threshold learned from labels of", ", ".join(found["as_of_dates"])),
        ("Tested as of", origin["as_of_date"]),
        (
            "Calibration of the parent",
            f"slope {before['slope']:.4f}, intercept {before['intercept']:.4f}, threshold "
            f"{found['threshold_before']:.4f}",
        ),
    ]


def directions(evidence: Evidence) -> list[Block]:
    """What one change does to the score, other things equal."""
    checks = [c for c in evidence.result.checks if c.check_name.startswith("direction_")]
    if not checks:
        return [Text("Not tried.")]
    rows = [(words.DIRECTIONS[c.check_name], f"{c.observed_value:.1%}", c.detail) for c in checks]
    skipped = skipped_changes(evidence.candidate.origin.get("absent", []))
    rows += [
        (words.DIRECTIONS[name], "skipped", f"not in the data: {', '.join(needs)}")
        for name, needs in skipped.items()
    ]
    columns = ("Change, other things equal", "Does not fall for", "In words")
    return [Text(words.DIRECTION_NOTE), Table(columns, rows, figures=columns[1:2])]


def gate(evidence: Evidence) -> list[Block]:
    rows = [
        (check.check_name, "passed" if check.is_passed else "failed", check.detail)
        for check in evidence.result.checks
    ]
    return [Table(("Check", "Verdict", "In words"), rows)]


def audit(evidence: Evidence) -> list[Block]:
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
    columns = ("", "Value", "95% interval")
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


def ladder(ladder: pd.DataFrame) -> list[Block]:
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


def _method(model: ChurnModel) -> str:
    trees = "gradient boosted trees (XGBoost)"
    if model.classifier.additive is None:
        return trees
    share = model.classifier.tree_weight
    return f"{share:.0%} {trees}, {1 - share:.0%} logistic regression on smooth terms"


def making(evidence: Evidence) -> list[Block]:
    candidate = evidence.candidate
    origin, model = candidate.origin, candidate.model
    facts: Mapping[str, object] = {
        "Method": f"{_method(model)}, Platt scaling on out-of-fold scores",
        "Parameters": ", ".join(f"{name} {value}" for name, value in model.parameters.items()),
        "Features": ", ".join(model.features),
        "Artifact (sha256)": candidate.sha256,
        "Trained by run": origin["run_id"],
        "Libraries": ", ".join(f"{name} {value}" for name, value in origin["libraries"].items()),
    }
    return [Table(("", "Value"), [(name, str(value)) for name, value in facts.items()])]
