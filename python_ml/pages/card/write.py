"""Assemble the card and write it where it is read."""

from __future__ import annotations

from python_ml.engines import Warehouse
from python_ml.judge.verdict import EvaluateResult
from python_ml.pages.card import quality, trust
from python_ml.pages.card import text as words
from python_ml.pages.card.document import Bullets, Document, Section, Text
from python_ml.pages.card.evidence import Evidence
from python_ml.registry import RegisteredModel, Registry
from python_ml.settings import Settings


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
        Evidence(
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


def card_document(evidence: Evidence) -> Document:
    """The card, not written yet."""
    origin = evidence.candidate.origin
    return Document(
        title=f"Model card {evidence.candidate.version}",
        subtitle=(
            f"SpanishGas churn model, {evidence.candidate.model.experiment}, as of "
            f"{origin['as_of_date']}. Status: {evidence.status}."
        ),
        sections=[
            Section("In short", quality.in_short(evidence)),
            Section("Purpose", [Text(words.PURPOSE)]),
            Section("Data", trust.data(evidence)),
            Section("Performance on customers it never saw", quality.performance(evidence)),
            Section("Whom to contact", quality.policies(evidence.policies)),
            Section("By group of customers", quality.slices(evidence.metrics)),
            Section("Which way the score moves", trust.directions(evidence)),
            Section("Gate", trust.gate(evidence)),
            Section("Leakage audit", trust.audit(evidence)),
            Section("What each group of features adds", trust.ladder(evidence.ladder)),
            Section(
                "Drift", [Text(words.DRIFT_MEASURED if evidence.has_drift else words.DRIFT_MISSING)]
            ),
            Section("Limits", [Bullets(words.LIMITS)]),
            Section("How it was made", trust.making(evidence)),
        ],
    )
