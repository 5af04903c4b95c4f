"""Apply a model to every customer of an as-of date."""

from __future__ import annotations

import time
from datetime import date

from python_ml.contracts.gold import GoldContract
from python_ml.engines import Warehouse
from python_ml.errors import UsageError
from python_ml.judge.between_dates import between_dates
from python_ml.judge.shipped import ESTIMATE, OUTCOME, estimate_scores
from python_ml.judge.snapshot import take_snapshot
from python_ml.judge.tiers import assign_tier, read_tiers
from python_ml.model.explain import top_reasons
from python_ml.pipeline.results import ScoreResult
from python_ml.registry import APPROVED, Registry, open_registry
from python_ml.settings import Settings
from python_ml.transform.sentiment import sentiment_backend


def require_approved(registry: Registry, version: str) -> None:
    """Make sure that a version may score.

    Raises:
        UsageError: there is no such version, or it is not approved.
    """
    if (status := registry.status(version)) != APPROVED:
        raise UsageError(
            f"model {version} is {status}; only Approved ones score. Train another (`spanishgas "
            f"run`), go back (`spanishgas promote --rollback`), or approve this one all the same "
            f"(`spanishgas promote {version} --force --reason ...`)."
        )


def score(
    warehouse: Warehouse,
    settings: Settings,
    contract: GoldContract,
    run_id: str,
    as_of_date: date,
    model_version: str | None = None,
) -> ScoreResult:
    """Probability, decision, tier and reasons of every customer of the as-of date.

    Writes `customer_score`, `score_reason` and `score_estimate`, what the scores promise; the rows
    used are the run's feature snapshot, from which the same version gives the same scores, bit for
    bit.

    Args:
        model_version: an approved version; the champion by default.

    Raises:
        SpanishGasError: there is no such version, it is not approved, or gold does not offer the
            features that it was trained on.
    """
    start = time.perf_counter()
    registry = open_registry(settings)
    version = model_version or registry.require_champion()
    require_approved(registry, version)
    registered = registry.load(version)
    model = registered.model
    # A version may have learned from what later ones leave out.
    offered = contract.experiment(settings, model.experiment)
    learned = {*model.features, *(c.name for c in contract.learned(settings, model.experiment))}
    model.check_features([column for column in offered if column.name in learned])
    _check_sentiment(settings, version, registered.origin["sentiment_backend"])
    frame = take_snapshot(warehouse, settings, contract, run_id, as_of_date).frame
    tiers = read_tiers(warehouse)
    scores = model.predict(frame)
    scores.insert(0, "customer_id", frame["customer_id"].to_numpy())
    scores["risk_tier"] = assign_tier(scores["churn_probability"].to_numpy(), tiers)
    scores["avg_monthly_margin_eur"] = frame["avg_monthly_margin_eur"].to_numpy()
    scores["segment"] = frame["segment"].to_numpy()
    named = {"as_of_date": as_of_date}
    warehouse.write_external(
        "customer_score", scores.assign(model_version=version, **named), run_id
    )
    trained_on = date.fromisoformat(registered.origin["as_of_date"])
    between = between_dates(warehouse.read_external(OUTCOME), as_of_date, settings)
    promised = estimate_scores(
        scores, registered.origin.get("calibration_covariance"), between, settings
    )
    promised = promised.assign(model_version=version, training_as_of_date=trained_on, **named)
    warehouse.write_external(ESTIMATE, promised, run_id)
    reasons = top_reasons(model, frame, threads=settings.threads)
    warehouse.write_external("score_reason", reasons.assign(**named), run_id)
    counts = scores["risk_tier"].value_counts()
    return ScoreResult(
        model_version=version,
        as_of_date=as_of_date,
        training_as_of_date=trained_on,
        customer_count=len(scores),
        flagged_count=int(scores["is_flagged"].sum()),
        tier_counts={tier: int(counts.get(tier, 0)) for tier in tiers["risk_tier"]},
        seconds=time.perf_counter() - start,
    )


def _check_sentiment(settings: Settings, version: str, trained_with: str | None) -> None:
    ours = sentiment_backend(settings)
    if trained_with not in (None, ours):
        raise UsageError(
            f"model {version} was trained on sentiment read by {trained_with}, and this run reads "
            f"it by {ours}; set sentiment.backend alike or train a new model"
        )
