"""Apply a model to every customer of an as-of date."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import pandas as pd
import pyarrow as pa

from python_ml.contracts.gold import GoldContract
from python_ml.engines import Warehouse
from python_ml.errors import UsageError
from python_ml.judge.between_dates import between_dates
from python_ml.judge.shipped import ESTIMATE, OUTCOME, estimate_scores
from python_ml.judge.snapshot import GoldPart, gold_parts, keeping_rows, read_gold
from python_ml.judge.tiers import assign_tier, read_tiers
from python_ml.model.explain import top_reasons
from python_ml.pipeline.results import ScoreResult
from python_ml.pipeline.scored_parts import HandedOn, ScoredPart
from python_ml.registry import APPROVED, RegisteredModel, Registry, open_registry
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


@dataclass(frozen=True)
class Scorer:
    """An approved version, ready to score rows of gold_master that it fits."""

    registered: RegisteredModel
    tiers: pd.DataFrame
    threads: int

    def part(self, rows: pa.Table, as_of_date: date) -> ScoredPart:
        """Score and explain n rows; each comes out the same whatever others are beside it."""
        frame, model = rows.to_pandas(), self.registered.model
        scores = model.predict(frame)
        scores.insert(0, "customer_id", frame["customer_id"].to_numpy())
        scores["risk_tier"] = assign_tier(scores["churn_probability"].to_numpy(), self.tiers)
        scores["avg_monthly_margin_eur"] = frame["avg_monthly_margin_eur"].to_numpy()
        scores["segment"] = frame["segment"].to_numpy()
        scores = scores.assign(model_version=self.registered.version, as_of_date=as_of_date)
        reasons = top_reasons(model, frame, threads=self.threads).assign(as_of_date=as_of_date)
        return ScoredPart(rows, scores, reasons)


def open_scorer(
    warehouse: Warehouse, settings: Settings, contract: GoldContract, model_version: str | None
) -> Scorer:
    """The version that is to score, by default the champion.

    Raises:
        SpanishGasError: there is no such version, it is not approved, or gold does not offer the
            features that it was trained on.
    """
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
    return Scorer(registered, read_tiers(warehouse), settings.threads)


def score(
    warehouse: Warehouse,
    settings: Settings,
    contract: GoldContract,
    run_id: str,
    as_of_date: date,
    model_version: str | None = None,
    handed_on: HandedOn | None = None,
) -> ScoreResult:
    """Probability, decision, tier and reasons of every customer of the as-of date.

    Writes `customer_score`, `score_reason` and `score_estimate`, what the scores promise; the rows
    used are the run's feature snapshot, from which the same version gives the same scores, bit for
    bit. Gold is read, scored and written in parts of `customers_per_part`, and readers see either
    all of a table or nothing.

    Args:
        model_version: an approved version; the champion by default.
        handed_on: parts that several machines score, in the place of being scored here.

    Raises:
        SpanishGasError: as for `open_scorer`, and for `HandedOn.wait_for`.
    """
    start = time.perf_counter()
    scorer = open_scorer(warehouse, settings, contract, model_version)
    parts = _parts(warehouse, settings, as_of_date, handed_on)
    scored: Iterable[ScoredPart]
    if handed_on is None:
        scored = (
            scorer.part(read_gold(warehouse, contract, as_of_date, part), as_of_date)
            for part in parts
        )
    else:
        version = scorer.registered.version
        scored = (handed_on.wait_for(number, version) for number in range(len(parts)))
    scores = _write_parts(warehouse, settings, contract, run_id, scored)
    registered, tiers = scorer.registered, scorer.tiers
    version, origin = registered.version, registered.origin
    trained_on = date.fromisoformat(origin["as_of_date"])
    between = between_dates(warehouse.read_external(OUTCOME), as_of_date, settings)
    promised = estimate_scores(scores, origin.get("calibration_covariance"), between, settings)
    promised = promised.assign(
        model_version=version, training_as_of_date=trained_on, as_of_date=as_of_date
    )
    warehouse.write_external(ESTIMATE, promised, run_id)
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


def score_share(
    warehouse: Warehouse,
    settings: Settings,
    contract: GoldContract,
    as_of_date: date,
    model_version: str | None,
    handed_on: HandedOn,
) -> int:
    """Score one machine's share of the parts and hand them on; nothing is to be seen of it.

    Returns:
        Number of customers.

    Raises:
        SpanishGasError: as for `open_scorer`.
    """
    scorer = open_scorer(warehouse, settings, contract, model_version)
    parts, share, count = _parts(warehouse, settings, as_of_date, handed_on), handed_on.share, 0
    for number in range(share.machine, len(parts), share.machines):
        rows = read_gold(warehouse, contract, as_of_date, parts[number])
        handed_on.write(number, scorer.part(rows, as_of_date))
        count += len(rows)
    return count


def _parts(
    warehouse: Warehouse, settings: Settings, as_of_date: date, handed_on: HandedOn | None
) -> list[GoldPart | None]:
    """The parts to score, the same on every machine."""
    machines = 1 if handed_on is None else handed_on.share.machines
    return gold_parts(warehouse, as_of_date, settings.customers_per_part, machines)


def _write_parts(
    warehouse: Warehouse,
    settings: Settings,
    contract: GoldContract,
    run_id: str,
    parts: Iterable[ScoredPart],
) -> pd.DataFrame:
    """Write parts one after the other as one run's rows, scores and reasons.

    Returns:
        What estimates and counts need of each customer.
    """
    kept = []
    with (
        keeping_rows(settings, contract, run_id) as keep_rows,
        warehouse.writing_external("customer_score", run_id) as write_scores,
        warehouse.writing_external("score_reason", run_id) as write_reasons,
    ):
        for part in parts:
            keep_rows(part.rows)
            write_scores(part.scores)
            write_reasons(part.reasons)
            kept.append(
                part.scores[["churn_probability", "is_flagged", "risk_tier", "segment"]].copy()
            )
            del part  # before the next one is made
    return pd.concat(kept, ignore_index=True)


def _check_sentiment(settings: Settings, version: str, trained_with: str | None) -> None:
    ours = sentiment_backend(settings)
    if trained_with not in (None, ours):
        raise UsageError(
            f"model {version} was trained on sentiment read by {trained_with}, and this run reads "
            f"it by {ours}; set sentiment.backend alike or train a new model"
        )
