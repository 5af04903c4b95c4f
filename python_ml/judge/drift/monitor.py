"""The step `drift`: the newest as-of date against what the champion was trained on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from python_ml.contracts.gold import CLOCK_DOWN, Column, GoldContract
from python_ml.engines import Warehouse, open_store
from python_ml.engines.sql import literal
from python_ml.judge.drift.distributions import distribution_table
from python_ml.judge.drift.samples import (
    ALARM,
    CALENDAR,
    WATCH,
    Finding,
    Sample,
    compare_samples,
    count_down,
    label_finding,
    shown_subject,
)
from python_ml.judge.drift.statistics import stratum_weights
from python_ml.judge.labels import LabelledDate, labelled_dates
from python_ml.judge.snapshot import read_scored_rows, read_training_rows, snapshot_key
from python_ml.judge.split import TRAIN
from python_ml.judge.untreated import read_weights, repeated, untreated_weights
from python_ml.model.churn_model import ChurnModel
from python_ml.registry import RegisteredModel, open_registry
from python_ml.settings import Settings

TABLE, DISTRIBUTIONS = "drift_result", "drift_distribution"
DAYS_A_MONTH = 30.44  # as in gold's months
IMPORTANCE_ROWS = 2000  # enough for a mean of contributions; more only takes longer


@dataclass(frozen=True)
class DriftResult:
    """What has drifted; names are those of features, also `… (missing values)`, of all features
    together, `churn_probability` and `churn`."""

    document_name: ClassVar[str] = "drift"

    model_version: str
    reference_as_of_date: date
    as_of_date: date
    subject_count: int
    alarms: list[str]
    watched: list[str]
    calendar: list[str]
    plain_alarm_count: int
    seconds: float

    @property
    def row_count(self) -> int | None:
        """Features and scores that were compared."""
        return self.subject_count

    def as_dict(self) -> dict[str, Any]:
        dates = {n: getattr(self, n).isoformat() for n in ("reference_as_of_date", "as_of_date")}
        return {**asdict(self), **dates}


def watch_drift(
    warehouse: Warehouse,
    settings: Settings,
    contract: GoldContract,
    run_id: str,
    as_of_date: date,
    model_version: str,
) -> DriftResult:
    """Compare the rows and scores of a run with those that its model was trained on.

    Writes `drift_result` and `drift_distribution`.

    Args:
        run_id: a run that has scored, with its feature snapshot and `customer_score`.
        as_of_date: of that run.
        model_version: what it scored with.

    Raises:
        SpanishGasError: the training run's snapshot is gone or is not what the model names.
    """
    start = time.perf_counter()
    registered = open_registry(settings).load(model_version)
    trained_on = date.fromisoformat(registered.origin["as_of_date"])
    origin = registered.origin
    reference = read_training_rows(settings, origin).of(trained_on)
    most = settings.model.maximum_customer_count
    current = read_scored_rows(settings, run_id, most)
    read = set(registered.model.features)
    offered = contract.experiment(settings, registered.model.experiment)
    columns = [column for column in offered if column.name in read]
    learned = _learned_from(warehouse, origin["run_id"])
    alone = repeated(reference, read_weights(warehouse, origin["run_id"]))
    label = _label_drift(
        warehouse, settings, alone, columns, contract.target, (trained_on, as_of_date)
    )
    samples = (
        _reference_sample(registered.model, reference, learned),
        _current_sample(warehouse.read_external("customer_score", run_id), current, learned),
    )
    findings = compare_samples(
        columns,
        *samples,
        months_between(trained_on, as_of_date),
        settings.drift,
        year_before=_year_before(warehouse, settings, run_id, as_of_date),
        label=label,
    )
    shares = importance_shares(registered.model, reference)
    table = drift_table(findings, shares, registered, trained_on, as_of_date)
    warehouse.write_external(TABLE, table, run_id)
    distributions = distribution_table(columns, *samples)
    warehouse.write_external(DISTRIBUTIONS, distributions, run_id)

    def named(verdict: str) -> list[str]:
        rows = table[table["verdict"] == verdict].sort_values("importance_rank")
        return [
            shown_subject(kind, subject)
            for kind, subject in zip(rows["subject_kind"], rows["subject"], strict=True)
        ]

    return DriftResult(
        model_version=model_version,
        reference_as_of_date=trained_on,
        as_of_date=as_of_date,
        subject_count=len(findings),
        alarms=named(ALARM),
        watched=named(WATCH),
        calendar=named(CALENDAR),
        plain_alarm_count=sum(finding.is_alarm_plain for finding in findings),
        seconds=time.perf_counter() - start,
    )


def months_between(first: date, second: date) -> float:
    """Time from one date to another in months of 30.44 days; never less than none."""
    return max((second - first).days, 0) / DAYS_A_MONTH


def importance_shares(model: ChurnModel, frame: pd.DataFrame) -> dict[str, float]:
    """Each feature's share of the mean absolute contributions to the log-odds."""
    rows = frame.sort_values("customer_id").head(IMPORTANCE_ROWS)
    values, _ = model.classifier.contributions(rows)
    mean = np.abs(values).mean(axis=0)
    return dict(zip(model.features, (mean / max(mean.sum(), 1e-300)).tolist(), strict=True))


def drift_table(
    findings: Sequence[Finding],
    shares: dict[str, float],
    registered: RegisteredModel,
    trained_on: date,
    as_of_date: date,
) -> pd.DataFrame:
    """The findings as rows of `drift_result`; ranks are by distance times importance."""
    rows = []
    for finding in findings:
        judged = finding.judged
        rows.append(
            {
                "as_of_date": as_of_date,
                "reference_run_id": registered.origin["run_id"],
                "reference_as_of_date": trained_on,
                "model_version": registered.version,
                "subject_kind": finding.subject_kind,
                "subject": finding.subject,
                "tier": finding.tier,
                "statistic_name": finding.plain.statistic,
                "distance": finding.plain.distance,
                "psi": finding.plain.psi,
                "p_value": finding.plain.p_value,
                "expected_distance": None if judged is None else judged.distance,
                "expected_psi": None if judged is None else judged.psi,
                "p_value_adjusted": finding.p_value_adjusted,
                "is_alarm": finding.is_alarm,
                "is_alarm_plain": finding.is_alarm_plain,
                "verdict": finding.verdict,
                # Score and label are what it is all about.
                "importance_share": shares.get(finding.subject, 1.0),
                "reference_count": finding.reference_count,
                "current_count": finding.current_count,
                "reference_mean": finding.reference_mean,
                "current_mean": finding.current_mean,
                "note": finding.note,
            }
        )
    table = pd.DataFrame(rows)
    distance = table["expected_distance"].astype("float64").fillna(0.0)
    weighted = (distance * table["importance_share"]).rank(method="first", ascending=False)
    return table.assign(importance_rank=weighted.astype("int64"))


def _learned_from(warehouse: Warehouse, run_id: str) -> set[str]:
    """Customers whose label the model has seen: their scores are a little too sure."""
    split = warehouse.read_external("model_split", run_id)
    return set(split.loc[split["split_part"] == TRAIN, "customer_id"])


def _reference_sample(model: ChurnModel, frame: pd.DataFrame, learned: set[str]) -> Sample:
    unseen = ~frame["customer_id"].isin(learned).to_numpy()
    scores = model.predict(frame[unseen])["churn_probability"].to_numpy(dtype=np.float64)
    return Sample(frame, scores, unseen) if len(scores) else Sample(frame)


def _current_sample(scores: pd.DataFrame, frame: pd.DataFrame, learned: set[str]) -> Sample:
    compared = scores[scores["customer_id"].isin(frame["customer_id"])]
    unseen = compared[~compared["customer_id"].isin(learned)]
    probability = unseen["churn_probability"].to_numpy(dtype=np.float64)
    rows = frame["customer_id"].isin(unseen["customer_id"]).to_numpy()
    return Sample(frame, probability, rows) if len(probability) else Sample(frame)


def _label_drift(
    warehouse: Warehouse,
    settings: Settings,
    reference: pd.DataFrame,
    columns: Sequence[Column],
    target: str,
    dates: tuple[date, date],
) -> Finding | None:
    """Churn after the newest date whose labels have matured since training, between that date and
    the present one; None without one. Customers of campaigns count as in training."""
    trained_on, today = dates
    later = [
        day
        for day in labelled_dates(warehouse)
        if day.as_of_date > trained_on and day.matured <= today
    ]
    known = reference[reference[target].notna()]
    if not later or known.empty:
        return None
    newest = later[-1]
    churn = known[target].to_numpy(dtype=np.float64)
    months, expected_rate = months_between(trained_on, newest.as_of_date), None
    clock = next((c.name for c in columns if c.calendar == CLOCK_DOWN), None)
    if months and clock is not None:
        values = known[clock].to_numpy(dtype=np.float64)
        weights = stratum_weights(values, count_down(values, months))
        expected_rate = float((weights * churn).sum() / weights.sum())
    finding = label_finding(
        {"customers": len(known), "churners": churn.sum()},
        _untreated_counts(warehouse, settings, newest),
        expected_rate,
    )
    finding.note = f"labels of {newest.as_of_date}"
    return finding


def _untreated_counts(
    warehouse: Warehouse, settings: Settings, day: LabelledDate
) -> dict[str, float]:
    """Customers and churners of a date with labels, as if nobody had made an offer."""
    weights = untreated_weights(warehouse, settings, [day.as_of_date])
    if weights.empty:
        return {"customers": day.customer_count, "churners": day.churner_count}
    labels = warehouse.query(
        "select customer_id, churn from bronze_churn_label "
        f"where label_date = date {literal(day.as_of_date)}"
    )
    alone = repeated(labels.assign(as_of_date=day.as_of_date), weights)
    return {"customers": len(alone), "churners": float(alone["churn"].sum())}


def _year_before(
    warehouse: Warehouse, settings: Settings, run_id: str, as_of_date: date
) -> pd.DataFrame | None:
    """The snapshot of the newest run for the same calendar month a year, or years, before."""
    store = open_store(settings)
    for run in reversed(warehouse.external_runs(TABLE)):
        if run == run_id:
            continue
        dates = warehouse.read_external(TABLE, run)["as_of_date"]
        if dates.empty:
            continue
        then = pd.Timestamp(dates.iloc[0]).date()
        is_same_month = then.month == as_of_date.month and then.year < as_of_date.year
        if is_same_month and store.exists(snapshot_key(run)):
            return read_scored_rows(settings, run, settings.model.maximum_customer_count)
    return None
