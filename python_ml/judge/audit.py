"""The leakage audit: does anything that the model reads know the outcome?

It looks at the training part alone, so that the test part stays unseen until evaluation. What
cannot be explained by a customer's own behaviour before the as-of date raises an alarm with a name;
an alarm that nobody has accepted, by that name and with a reason, fails the gate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from python_ml.contracts.gold import CLOCK_UP, GOLD, Column, GoldContract
from python_ml.engines import Warehouse
from python_ml.engines.sql import literal
from python_ml.errors import SpanishGasError
from python_ml.judge.audit_groups import (
    Group,
    group_names,
    groups,
    identifier_parts,
    out_of_fold_rate,
    roc_auc,
    share_interval,
    strata_of,
    stratified_roc_auc,
    tails,
)
from python_ml.judge.metrics import Estimate, estimate, ranking_metrics, resample_weights
from python_ml.model.churn_model import fit_classifier
from python_ml.model.preprocess import filled
from python_ml.settings import Settings

SOURCE_DATES, TRACES = "silver_source_date", "silver_customer_trace"
JUMP_CONFIDENCE, RESAMPLES = 0.99, 200


@dataclass(frozen=True)
class Finding:
    """One row of `ml.leakage_audit`. With an `alarm`, the limit is broken."""

    check_kind: str
    subject: str
    group_name: str
    tier: str | None
    observed_value: float
    ci_low: float
    ci_high: float
    limit_value: float
    customer_count: int
    churner_count: int
    alarm: str | None
    detail: str


def audit_training(
    warehouse: Warehouse,
    settings: Settings,
    training: pd.DataFrame,
    columns: Sequence[Column],
    contract: GoldContract,
    as_of_date: date,
    out_of_fold: np.ndarray,
    previous: tuple[str, float] | None = None,
) -> list[Finding]:
    """Every finding of the audit.

    Args:
        warehouse: holds gold, `silver_customer_trace` and `silver_source_date` of the as-of date.
        settings: of audit, evaluation and model.
        training: the training part, n rows with cv_fold.
        columns: features of the model.
        contract: of gold_master.
        as_of_date: of the training part.
        out_of_fold: n probabilities of the model itself.
        previous: version in place, and its out-of-fold PR-AUC; None where there is none.
    """
    churn = training[contract.target].to_numpy(dtype=np.int64)
    fold = training["cv_fold"].to_numpy(dtype=np.int64)
    traces = read_traces(warehouse, training["customer_id"], as_of_date)
    clock = next((c.name for c in contract.features if c.calendar == CLOCK_UP), None)
    cohort = strata_of(training[clock], churn) if clock else np.zeros_like(churn)
    return [
        *_model_alone(settings, churn, out_of_fold),
        *_jump(settings, churn, out_of_fold, previous),
        *_features(settings, training, columns, churn, fold),
        *_traces(settings, traces, churn, fold),
        *_identifiers(settings, training["customer_id"], cohort, churn, fold),
        *source_date_findings(read_source_dates(warehouse, contract, as_of_date), as_of_date),
        *_ablation(settings, training, columns, churn, fold),
    ]


def findings_table(findings: Sequence[Finding], model_version: str) -> pd.DataFrame:
    """Findings as rows of `ml.leakage_audit`."""
    frame = pd.DataFrame([asdict(finding) for finding in findings])
    return frame.assign(model_version=model_version)


def _model_alone(settings: Settings, churn: np.ndarray, score: np.ndarray) -> Iterator[Finding]:
    """No model of people is nearly always right."""
    found = roc_auc(score, churn, settings.evaluate.confidence)
    limit = settings.audit.maximum_model_auc
    yield _of_auc("model_auc", "all features", None, found, limit, churn, "too_good:all features")


def _jump(
    settings: Settings, churn: np.ndarray, score: np.ndarray, previous: tuple[str, float] | None
) -> Iterator[Finding]:
    """A model that is suddenly much better than the one in place has learned something new, and
    that is more often a leak than progress."""
    if previous is None:
        return
    version, theirs = previous
    weights = resample_weights(len(churn), RESAMPLES, settings.model.seed)
    found = estimate(partial(ranking_metrics, churn, score), weights, JUMP_CONFIDENCE)["pr_auc"]
    rise = found.value - theirs
    # The other figure is as uncertain as this one.
    reach = (found.high - found.low) / 2 * np.sqrt(2)
    limit = settings.audit.maximum_pr_auc_jump
    yield Finding(
        check_kind="pr_auc_jump",
        subject="all features",
        group_name="",
        tier=None,
        observed_value=rise,
        ci_low=rise - reach,
        ci_high=rise + reach,
        limit_value=limit,
        customer_count=len(churn),
        churner_count=int(churn.sum()),
        alarm="jump:pr_auc" if rise - reach > limit else None,
        detail=(
            f"PR-AUC out of fold is {found.value:.3f}, that of {version} was {theirs:.3f}: "
            f"{rise:+.3f}"
        ),
    )


def _features(
    settings: Settings,
    training: pd.DataFrame,
    columns: Sequence[Column],
    churn: np.ndarray,
    fold: np.ndarray,
) -> Iterator[Finding]:
    audit = settings.audit
    limits = _Limits(
        "feature",
        audit.maximum_feature_auc,
        audit.maximum_feature_pr_auc,
        audit.maximum_common_churn_share,
    )
    for column in columns:
        values = filled(training, column.name, column.fill)
        yield from _alone(settings, column.name, column.tier, values, churn, fold, limits)


@dataclass(frozen=True)
class _Limits:
    """What one column alone may tell of the outcome."""

    kind: str
    auc: float
    pr_auc: float
    common_churn_share: float


def _alone(
    settings: Settings,
    name: str,
    tier: str | None,
    values: pd.Series,
    churn: np.ndarray,
    fold: np.ndarray,
    limits: _Limits,
) -> Iterator[Finding]:
    """How well one column ranks customers, and its purest groups."""
    audit, confidence = settings.audit, settings.evaluate.confidence
    names = group_names(values, audit.minimum_group_size)
    rate = out_of_fold_rate(names, churn, fold)
    found = roc_auc(rate, churn, confidence)
    alarm = f"too_good:{name}"
    finding = _of_auc(f"{limits.kind}_auc", name, tier, found, limits.auc, churn, alarm)
    once = np.ones((1, len(churn)), dtype=np.uint8)
    pr_auc = float(ranking_metrics(churn, rate, once)["pr_auc"][0])
    if pr_auc >= limits.pr_auc:
        detail = f"{finding.detail} and a PR-AUC of {pr_auc:.3f} (limit {limits.pr_auc:.2f})"
        finding = replace(finding, alarm=alarm, detail=detail)
    yield finding
    found_groups = [*groups(names, churn), *tails(values, churn, audit.minimum_group_size)]
    yield from _purity(settings, name, tier, found_groups, churn, limits.common_churn_share)


def _purity(
    settings: Settings,
    name: str,
    tier: str | None,
    found: Sequence[Group],
    churn: np.ndarray,
    common_churn_share: float,
) -> Iterator[Finding]:
    """The purest group at either end, and every other one that breaks a limit.

    A group that holds many of the leavers need not be as pure as a small one to raise an alarm.
    """
    audit, confidence = settings.audit, settings.evaluate.confidence
    base_rate, churners = float(churn.mean()), int(churn.sum())
    highest, lowest = audit.maximum_churn_share, audit.minimum_relative_churn * base_rate
    large = [group for group in found if group.customer_count > audit.minimum_group_size]
    expected = [g for g in found if g.customer_count * base_rate >= audit.minimum_expected_churn]

    def is_pure(group: Group) -> bool:
        is_common = group.churner_count >= audit.common_share_of_churners * churners
        share = share_interval(group, confidence).low
        return group.churn_share > highest or (is_common and share >= common_churn_share)

    ends = (
        ("pure_churn", highest, sorted(large, key=lambda g: -g.churn_share), is_pure),
        (
            "pure_stay",
            lowest,
            sorted(expected, key=lambda g: g.churn_share),
            lambda group: group.churn_share < lowest,
        ),
    )
    for kind, limit, ordered, breaks in ends:
        for number, group in enumerate(ordered):
            is_alarm = breaks(group)
            if number and not is_alarm:
                continue
            share = share_interval(group, confidence)
            yield Finding(
                check_kind=kind,
                subject=name,
                group_name=group.name,
                tier=tier,
                observed_value=share.value,
                ci_low=share.low,
                ci_high=share.high,
                limit_value=limit,
                customer_count=group.customer_count,
                churner_count=group.churner_count,
                alarm=f"{kind}:{name}{group.name}" if is_alarm else None,
                detail=(
                    f"{group.churner_count:,} of {group.customer_count:,} customers with "
                    f"{name} {group.name.lstrip('=')} left ({share.value:.1%}); "
                    f"{base_rate:.1%} of all did"
                ),
            )


def read_traces(warehouse: Warehouse, customers: pd.Series, as_of_date: date) -> pd.DataFrame:
    """What the sources' rows look like just before the as-of date, one row a customer, in order."""
    where = f"as_of_date = date {literal(as_of_date)}"
    frame = warehouse.read_table(TRACES, where=where).drop(columns="as_of_date")
    return frame.set_index("customer_id").reindex(customers).reset_index(drop=True)


def _traces(
    settings: Settings, traces: pd.DataFrame, churn: np.ndarray, fold: np.ndarray
) -> Iterator[Finding]:
    """Do the last contacts, prices and readings before the as-of date know who leaves?

    A source that was exported later, or kept up for those who stayed, shows it in what is missing
    or recent. The limits are stricter than a feature's: that a row is there should tell little.
    """
    audit = settings.audit
    limits = _Limits(
        "trace", audit.maximum_trace_auc, audit.maximum_trace_pr_auc, audit.maximum_trace_share
    )
    for name in traces.columns:
        yield from _alone(settings, name, None, traces[name], churn, fold, limits)


def _identifiers(
    settings: Settings,
    identifiers: pd.Series,
    cohort: np.ndarray,
    churn: np.ndarray,
    fold: np.ndarray,
) -> Iterator[Finding]:
    """Does a part of the id tell who leaves, among customers who joined at about the same time?

    Most companies number their customers as they join, so that an id tells the tenure.
    """
    limit = settings.audit.maximum_identifier_auc
    for part, values in identifier_parts(identifiers).items():
        names = group_names(values, settings.audit.minimum_group_size)
        # Many parts are looked at, so each has to be sure of itself.
        rate = out_of_fold_rate(names, churn, fold)
        found = stratified_roc_auc(rate, churn, cohort, 0.999)
        yield _of_auc(
            *("identifier_auc", f"customer_id {part}", None, found, limit, churn),
            f"identifier:{part}",
            decided_by=found.low,
        )


def _of_auc(
    kind: str,
    subject: str,
    tier: str | None,
    found: Estimate,
    limit: float,
    churn: np.ndarray,
    alarm: str,
    *,
    decided_by: float | None = None,
) -> Finding:
    observed = found.value if decided_by is None else decided_by
    return Finding(
        check_kind=kind,
        subject=subject,
        group_name="",
        tier=tier,
        observed_value=found.value,
        ci_low=found.low,
        ci_high=found.high,
        limit_value=limit,
        customer_count=len(churn),
        churner_count=int(churn.sum()),
        alarm=alarm if observed >= limit else None,
        detail=f"{subject} alone tells leavers from others with a ROC-AUC of {found.value:.3f}",
    )


def read_source_dates(
    warehouse: Warehouse, contract: GoldContract, as_of_date: date
) -> pd.DataFrame:
    """Kinds of source date that gold carries: what was left out, and what went into its rows.

    Returns:
        A row a lineage column of the contract: those of `silver_source_date`, with gold_row_count,
        gold_later_count (rows of gold that rest on a date after the as-of date) and
        gold_latest_date.

    Raises:
        SpanishGasError: `silver_source_date` has no row of one of them.
    """
    where = f"as_of_date = date {literal(as_of_date)}"
    names = [column.name for column in contract.source_dates]
    sources = warehouse.read_table(SOURCE_DATES)
    sources = sources[sources["as_of_date"] == pd.Timestamp(as_of_date)].set_index("date_column")
    if missing := sorted(set(names) - set(sources.index)):
        raise SpanishGasError(f"{SOURCE_DATES} has no row of {missing} as of {as_of_date}")
    measures = ", ".join(
        f"count(case when {name} > as_of_date then 1 end) as later_{name}, "
        f"max({name}) as latest_{name}"
        for name in names
    )
    gold = warehouse.query(f"select count(*) as row_count, {measures} from {GOLD} where {where}")
    row = gold.iloc[0]
    return (
        sources.loc[names]
        .assign(
            gold_row_count=int(row["row_count"]),
            gold_later_count=[int(row[f"later_{name}"]) for name in names],
            gold_latest_date=[row[f"latest_{name}"] for name in names],
        )
        .reset_index()
    )


def source_date_findings(source_dates: pd.DataFrame, as_of_date: date) -> list[Finding]:
    """One finding a row of `read_source_dates`; rows of gold that rest on a later date raise an
    alarm."""
    findings = []
    for row in source_dates.to_dict("records"):
        kind = str(row["date_column"]).removeprefix("max_").removesuffix("_date")
        used, count = int(row["gold_later_count"]), int(row["row_count"])
        detail = (
            f"{int(row['later_count']):,} of {count:,} rows of {row['bronze_model']} hold a date "
            f"after {as_of_date}{_newest(row['latest_date'])} and are left out; "
        )
        detail += (
            f"{used:,} of {int(row['gold_row_count']):,} rows of gold rest on a later date"
            if used
            else f"no row of gold rests on a later date{_newest(row['gold_latest_date'])}"
        )
        findings.append(
            Finding(
                check_kind="source_date",
                subject=kind,
                group_name="",
                tier=None,
                observed_value=float(used),
                ci_low=np.nan,
                ci_high=np.nan,
                limit_value=0.0,
                customer_count=count,
                churner_count=0,
                alarm=f"future_date:{kind}" if used else None,
                detail=detail,
            )
        )
    return findings


def _newest(day: Any) -> str:
    return "" if pd.isna(day) else f" (the newest is of {day:%Y-%m-%d})"


def _ablation(
    settings: Settings,
    training: pd.DataFrame,
    columns: Sequence[Column],
    churn: np.ndarray,
    fold: np.ndarray,
) -> Iterator[Finding]:
    """What PR-AUC loses without each tier, on one fold, with fewer and faster trees."""
    held_out = fold == fold.min()
    trees = settings.audit.ablation.as_dict()
    quick = settings.with_overrides(
        {
            "model.additive.knots": 0,
            **{f"model.xgboost.{name}": value for name, value in trees.items()},
        }
    )
    tiers = list(dict.fromkeys(column.tier or "" for column in columns))
    sets = {tier: [c for c in columns if (c.tier or "") != tier] for tier in tiers}
    sets = {"": list(columns), **{tier: kept for tier, kept in sets.items() if kept}}

    def margin(kept: list[Column]) -> np.ndarray:
        classifier = fit_classifier(training[~held_out], churn[~held_out], kept, quick)
        return classifier.margin(training[held_out])

    with ThreadPoolExecutor(settings.threads) as pool:
        margins = dict(zip(sets, pool.map(margin, sets.values()), strict=True))
    labels = churn[held_out]
    weights = resample_weights(len(labels), RESAMPLES, settings.model.seed)

    def losses(resamples: np.ndarray) -> dict[str, np.ndarray]:
        reached = {
            tier: ranking_metrics(labels, score, resamples)["pr_auc"]
            for tier, score in margins.items()
        }
        return {tier: reached[""] - reached[tier] for tier in reached if tier}

    for tier, lost in estimate(losses, weights, settings.evaluate.confidence).items():
        yield Finding(
            check_kind="tier_ablation",
            subject=f"tier {tier}",
            group_name="",
            tier=tier,
            observed_value=lost.value,
            ci_low=lost.low,
            ci_high=lost.high,
            limit_value=np.nan,
            customer_count=len(labels),
            churner_count=int(labels.sum()),
            alarm=None,
            detail=f"PR-AUC loses {lost.value:.3f} without the features of tier {tier}",
        )
