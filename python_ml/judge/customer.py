"""One customer, explained: score with interval, what it rests on, and what has changed since.

Contributions are those of TreeSHAP: with the bias they add up to the log-odds of the model, which
calibration turns into the probability. A change between two runs is told in the same currency. What
another model would have said of the earlier row is the model's part of the change; the rest belongs
to the features whose contributions differ between the rows, and nothing is left over.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from python_ml.contracts.schema import customer_id_pattern
from python_ml.engines import Warehouse
from python_ml.engines.sql import literal
from python_ml.errors import SpanishGasError, UsageError
from python_ml.judge.snapshot import read_rows_of
from python_ml.land.mapping import id_pattern, id_shape
from python_ml.model.churn_model import ChurnModel
from python_ml.model.explain import shown_value
from python_ml.registry import open_registry
from python_ml.settings import Settings

PROFILE = (
    *("segment", "portfolio_type", "sales_channel", "province_code", "tenure_months"),
    *("months_to_renewal", "avg_monthly_elec_kwh", "avg_monthly_gas_m3"),
    *("avg_monthly_margin_eur", "customer_intent", "sentiment_label", "last_interaction_days_ago"),
)


@dataclass(frozen=True)
class Contribution:
    """What one feature adds to the log-odds; the value as text, None for no value."""

    feature: str
    value: str | None
    log_odds: float


@dataclass(frozen=True)
class FeatureChange:
    """A feature whose value or contribution is another than in the run before."""

    feature: str
    value_before: str | None
    value_now: str | None
    log_odds_change: float


@dataclass(frozen=True)
class Change:
    """Since an earlier run; both parts add up to the change of the log-odds.

    `features` is None when the model cannot read the earlier row: its features are others.
    """

    run_id: str
    model_version: str
    as_of_date: str
    churn_probability: float
    log_odds: float
    from_model: float | None
    from_data: float | None
    features: list[FeatureChange] | None
    reason: str


@dataclass(frozen=True)
class CustomerExplanation:
    """All that `spanishgas explain` shows."""

    customer_id: str
    run_id: str
    model_version: str
    as_of_date: str
    profile: dict[str, Any]
    churn_probability: float
    risk_tier: str
    is_flagged: bool
    threshold: float
    reasons: list[str]
    offer: str
    decision: str
    bias: float
    contributions: list[Contribution]
    log_odds: float
    calibration_slope: float
    calibration_intercept: float
    change: Change | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def explain_customer(
    warehouse: Warehouse, settings: Settings, customer_id: str
) -> CustomerExplanation:
    """Explain the published score of one customer.

    Raises:
        UsageError: there is no such customer among those scored.
        SpanishGasError: nothing has been published, or the snapshot or model is gone.
    """
    risk, offer = _published(warehouse, customer_id, id_pattern(settings))
    customer_id = str(risk["customer_id"])
    registered = open_registry(settings).load(risk["model_version"])
    model = registered.model
    row = _snapshot_row(settings, risk["run_id"], customer_id)
    values, bias = model.classifier.contributions(row)
    contributions = [
        Contribution(name, shown_value(row[name].iloc[0]), float(value))
        for name, value in zip(model.features, values[0], strict=True)
    ]
    contributions.sort(key=lambda entry: -abs(entry.log_odds))
    return CustomerExplanation(
        customer_id=customer_id,
        run_id=risk["run_id"],
        model_version=risk["model_version"],
        as_of_date=f"{risk['as_of_date']:%Y-%m-%d}",
        profile={name: _plain(risk[name]) for name in PROFILE},
        churn_probability=float(risk["churn_probability"]),
        risk_tier=risk["risk_tier"],
        is_flagged=bool(risk["is_flagged"]),
        threshold=model.threshold,
        reasons=[risk[f"reason_{rank}"] for rank in (1, 2, 3) if _plain(risk[f"reason_{rank}"])],
        offer=offer["offer"],
        decision=offer["decision"],
        bias=float(bias[0]),
        contributions=contributions,
        log_odds=float(values[0].sum() + bias[0]),
        calibration_slope=model.calibration.slope,
        calibration_intercept=model.calibration.intercept,
        change=_change(warehouse, settings, risk["run_id"], model, row, values[0], float(bias[0])),
    )


def spellings(typed: str, pattern: str | None = None) -> list[str]:
    """The ids that a person may have meant, the one as it was typed first.

    Only those that look like an id: nothing else goes into a statement.

    Args:
        typed: by the person.
        pattern: that a whole id matches (default: that of models/sources.yml).

    >>> spellings("c1234", pattern=r"C\\d{5}")
    ['C01234']
    """
    plain = typed.strip()
    digits = plain.upper().replace("C", "")
    found = dict.fromkeys((plain, plain.upper(), f"C{digits:0>5}"))
    return [it for it in found if re.fullmatch(pattern or customer_id_pattern(), it)]


def _published(
    warehouse: Warehouse, customer_id: str, pattern: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    risk = pd.DataFrame()
    for spelling in spellings(customer_id, pattern):
        where = f"customer_id = {literal(spelling)}"
        risk = warehouse.read_table("mart_customer_risk", where)
        if not risk.empty:
            break
    if risk.empty:
        raise UsageError(
            f"no customer {customer_id!r} among those scored; ids look {id_shape(pattern)} and are "
            "in mart_customer_risk"
        )
    offer = warehouse.read_table("mart_recommendation", where)
    records = (frame.iloc[0].to_dict() for frame in (risk, offer))
    first, second = ({str(key): value for key, value in record.items()} for record in records)
    return first, second


def _snapshot_row(settings: Settings, run_id: str, customer_id: str) -> pd.DataFrame:
    return read_rows_of(settings, run_id, [customer_id])


def _change(
    warehouse: Warehouse,
    settings: Settings,
    run_id: str,
    model: ChurnModel,
    row: pd.DataFrame,
    values: np.ndarray,
    bias: float,
) -> Change | None:
    """Since the newest earlier run that scored the customer, if there is one."""
    customer_id = row["customer_id"].iloc[0]
    earlier = [run for run in warehouse.external_runs("customer_score") if run < run_id]
    for run in reversed(earlier):
        scores = warehouse.read_external("customer_score", run)
        score = scores[scores["customer_id"] == customer_id]
        if score.empty:
            continue
        before = score.iloc[0]
        old_model = open_registry(settings).load(before["model_version"]).model
        old_row = _snapshot_row(settings, run, customer_id)
        old_log_odds = float(old_model.classifier.margin(old_row).astype(np.float64)[0])
        try:
            theirs, their_bias = model.classifier.contributions(old_row)
        except SpanishGasError:
            from_model = from_data = features = None
        else:
            from_model = float(theirs[0].sum() + their_bias[0]) - old_log_odds
            from_data = float((values - theirs[0]).sum() + bias - their_bias[0])
            features = _feature_changes(model.features, old_row, row, values - theirs[0])
        return Change(
            run_id=run,
            model_version=before["model_version"],
            as_of_date=f"{before['as_of_date']:%Y-%m-%d}",
            churn_probability=float(before["churn_probability"]),
            log_odds=old_log_odds,
            from_model=from_model,
            from_data=from_data,
            features=features,
            reason=_why(from_model, features),
        )
    return None


def _feature_changes(
    names: list[str], before: pd.DataFrame, now: pd.DataFrame, change: np.ndarray
) -> list[FeatureChange]:
    """Largest effect first. A contribution can change without its value, when a feature that it
    goes together with does."""
    changes = []
    for name, effect in zip(names, change, strict=True):
        old, new = shown_value(before[name].iloc[0]), shown_value(now[name].iloc[0])
        if old != new or abs(effect) >= 1e-6:
            changes.append(FeatureChange(name, old, new, float(effect)))
    return sorted(changes, key=lambda entry: -abs(entry.log_odds_change))


def _why(from_model: float | None, features: list[FeatureChange] | None) -> str:
    if from_model is None or features is None:
        return "the model and its features are others, so the two scores cannot be compared"
    told = [
        f"{entry.feature} {entry.value_before or 'nothing'} → {entry.value_now or 'nothing'} "
        f"({entry.log_odds_change:+.2f})"
        for entry in features
        if entry.value_before != entry.value_now
    ]
    if abs(from_model) >= 1e-6:
        told.append(f"another model ({from_model:+.2f})")
    return "; ".join(told[:4]) or "nothing has changed"


def _plain(value: Any) -> Any:
    """A value as JSON knows it; None for what is missing."""
    if value is None or pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value
