"""Measure a candidate on the test part, which nothing before has looked at, and gate it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date

import numpy as np
import pandas as pd

from python_ml.contracts.gold import Column, GoldContract, without_text
from python_ml.engines import Warehouse, open_store
from python_ml.errors import SpanishGasError
from python_ml.judge.alarms import judge_alarms
from python_ml.judge.challenger import champion_checks, recalibration_check
from python_ml.judge.direction import ChangedCustomers, direction_checks
from python_ml.judge.gate import Check, benchmark_check, metric_checks
from python_ml.judge.measure import Scored, measure_overall, measure_sets
from python_ml.judge.metrics import Estimate, resample_weights
from python_ml.judge.snapshot import read_training_rows
from python_ml.judge.split import TEST, TRAIN, placed, split_hash
from python_ml.judge.untreated import read_weights, repeated
from python_ml.judge.verdict import MANUAL, EvaluateResult, OutOfTime, register_decision
from python_ml.model.additive import fit_additive
from python_ml.model.churn_model import ChurnModel
from python_ml.model.preprocess import ONE_HOT, Preprocessor
from python_ml.pages.card import write_card
from python_ml.pipeline.recalibrate import rows_to_calibrate_on, without_unused_rows
from python_ml.pipeline.train import fit_by_protocol, labelled
from python_ml.privacy.tombstones import read_tombstones
from python_ml.registry import RegisteredModel, Registry, open_registry
from python_ml.registry.base import calibrated_on, learned_from, lineage
from python_ml.settings import Settings

CHAMPION_SET, WITHOUT_TEXT = "champion", "without_text"
OUT_OF_TIME, OUT_OF_TIME_WITHOUT_TEXT = "out_of_time", "out_of_time_without_text"
MINIMUM_KNOTS = 4  # of the benchmark, where the model itself has no smooth terms


def evaluate(
    warehouse: Warehouse,
    settings: Settings,
    contract: GoldContract,
    run_id: str,
    model_version: str,
    changed: ChangedCustomers | None = None,
) -> EvaluateResult:
    """Metrics with intervals, curves and gate of a registered version, on its stored test part.

    Writes `model_metric`, `model_curve`, `policy_value`, `leakage_alarm`, `model_gate`, registers
    the decision, Rejected with the reasons or Approved (PendingManualApproval where `gate.approval`
    is manual), and writes the model card. The champion stays as it is either way; call
    `raise_if_rejected` on the result to end a run.

    Args:
        warehouse: holds the seeds, the split and the audit.
        settings: of evaluation and gate.
        contract: of gold_master.
        run_id: to write under.
        model_version: what to evaluate.
        changed: customers with one thing changed; without them the gate has no checks of direction.

    Raises:
        SpanishGasError: the stored snapshot or split is not the one that the model names.
    """
    start = time.perf_counter()
    registry = open_registry(settings)
    candidate = registry.load(model_version)
    rows = without_unused_rows(stored_rows(warehouse, settings, candidate), candidate.origin)
    plain = _without_text(warehouse, settings, contract, registry, candidate, rows)
    test = rows[rows["split_part"] == TEST].reset_index(drop=True)
    sets = {
        CHAMPION_SET: Scored.by(candidate.model, test, contract.target),
        WITHOUT_TEXT: Scored.by(plain, test, contract.target),
    }
    scored = sets[CHAMPION_SET]
    test_count = len(scored.churn)
    weights = resample_weights(test_count, settings.evaluate.bootstrap_count, settings.model.seed)
    as_of_date = date.fromisoformat(candidate.origin["as_of_date"])
    overall, tables = measure_sets(warehouse, settings, sets, weights, as_of_date)
    alarms, alarm_check = judge_alarms(warehouse, settings, run_id, candidate)
    checks = [
        *_own_checks(settings, candidate.model, overall[CHAMPION_SET], scored, changed),
        benchmark_check(
            settings,
            scored.churn,
            (scored.probability, _benchmark(rows, contract, settings)),
            weights,
        ),
        alarm_check,
        *_against_parent(settings, registry, candidate, scored, weights),
        *_against_champion(warehouse, settings, registry, candidate, scored, weights),
    ]
    out_of_time, later = _out_of_time(warehouse, settings, contract, candidate, rows, sets, weights)
    tables["model_metric"] = pd.concat([tables["model_metric"], *later], ignore_index=True)
    tables["model_gate"] = pd.DataFrame([asdict(check) for check in checks])
    for table, frame in tables.items():
        warehouse.write_external(table, frame.assign(model_version=model_version), run_id)
    result = EvaluateResult(
        model_version=model_version,
        as_of_date=as_of_date,
        scoring_as_of_date=date.fromisoformat(candidate.scoring_as_of_date),
        test_count=test_count,
        test_churner_count=int(scored.churn.sum()),
        metrics=overall[CHAMPION_SET],
        metrics_without_text=overall[WITHOUT_TEXT],
        checks=checks,
        alarms=alarms,
        needs_approval=settings.gate.approval == MANUAL,
        seconds=time.perf_counter() - start,
        card=registry.place(model_version, "card.html"),
        champion=registry.champion(),
        out_of_time=out_of_time,
    )
    register_decision(registry, result)
    write_card(warehouse, settings, registry, candidate, result, run_id)
    return result


def stored_rows(
    warehouse: Warehouse, settings: Settings, candidate: RegisteredModel
) -> pd.DataFrame:
    """The labelled rows that the version was trained and is tested on, with split_part.

    A customer of a campaign's control group is there as often as its label counts (untreated.py).
    """
    origin = candidate.origin
    snapshot = read_training_rows(settings, origin)
    split = warehouse.read_external("model_split", origin["run_id"])
    split = split[["customer_id", "split_part", "cv_fold"]]
    stones = read_tombstones(open_store(settings))
    if split_hash(split) not in (origin["split_sha256"], stones.now(origin["split_sha256"])):
        raise SpanishGasError(
            f"ml.model_split of run {origin['run_id']} is not the split that {candidate.version}"
            " names"
        )
    rows = labelled(snapshot.frame, origin["target"])
    rows = placed(rows, split, date.fromisoformat(origin["as_of_date"]))
    return repeated(rows, read_weights(warehouse, origin["run_id"]))


def _without_text(
    warehouse: Warehouse,
    settings: Settings,
    contract: GoldContract,
    registry: Registry,
    candidate: RegisteredModel,
    rows: pd.DataFrame,
) -> ChurnModel:
    """The candidate's twin without text: made alike, so that one of a recalibrated version has
    learned from the rows of the version that was trained, and is recalibrated too."""
    columns = without_text(_columns_of(candidate.model, contract))
    name = f"{candidate.model.experiment}_without_text"
    if not (versions := lineage(candidate.origin)):
        return _fitted_anew(rows, columns, contract, name, settings)
    trained = stored_rows(warehouse, settings, registry.load(versions[0]))
    plain = _fitted_anew(trained, columns, contract, name, settings)
    learned = rows_to_calibrate_on(rows, calibrated_on(candidate.origin))
    churn = learned[contract.target].to_numpy(dtype=np.int64)
    return plain.recalibrated(learned, churn, settings.model.minimum_recall)


def _out_of_time(
    warehouse: Warehouse,
    settings: Settings,
    contract: GoldContract,
    candidate: RegisteredModel,
    rows: pd.DataFrame,
    shipped: Mapping[str, Scored],
    weights: np.ndarray,
) -> tuple[OutOfTime | None, list[pd.DataFrame]]:
    """The protocol on the earlier dates alone, on the same test part; nothing where there is one
    date. A recalibrated version is itself tested out of time.

    No customer of the test part is learned from, and labels of the earlier dates had matured by the
    newest.

    Returns:
        Figures, and their rows of `model_metric`.
    """
    *earlier, newest = (date.fromisoformat(day) for day in learned_from(candidate.origin))
    if not earlier:
        return None, []
    if lineage(candidate.origin):
        sets = {
            OUT_OF_TIME: shipped[CHAMPION_SET],
            OUT_OF_TIME_WITHOUT_TEXT: shipped[WITHOUT_TEXT],
        }
    else:
        sets = _on_earlier_dates(settings, contract, candidate, rows, newest)
    overall, table = measure_overall(warehouse, settings, sets, weights, newest)
    figures = overall[OUT_OF_TIME], overall[OUT_OF_TIME_WITHOUT_TEXT]
    return OutOfTime(tuple(earlier), *figures), [table]


def _on_earlier_dates(
    settings: Settings,
    contract: GoldContract,
    candidate: RegisteredModel,
    rows: pd.DataFrame,
    newest: date,
) -> dict[str, Scored]:
    """The test part as models of the protocol see it that do not know its date."""
    is_newest = (pd.to_datetime(rows["as_of_date"]) == pd.Timestamp(newest)).to_numpy()
    past = rows[~is_newest].reset_index(drop=True)
    test = rows[rows["split_part"] == TEST].reset_index(drop=True)
    columns = _columns_of(candidate.model, contract)
    return {
        name: Scored.by(_fitted_anew(past, used, contract, name, settings), test, contract.target)
        for name, used in (
            (OUT_OF_TIME, columns),
            (OUT_OF_TIME_WITHOUT_TEXT, without_text(columns)),
        )
    }


def _columns_of(model: ChurnModel, contract: GoldContract) -> list[Column]:
    used = set(model.features)
    return [column for column in contract.features if column.name in used]


def _benchmark(rows: pd.DataFrame, contract: GoldContract, settings: Settings) -> np.ndarray:
    """Scores of the test part by a logistic regression on smooth terms of a few features."""
    columns = contract.experiment(settings, settings.gate.benchmark_experiment)
    training, test = (
        rows[rows["split_part"] == part].reset_index(drop=True) for part in (TRAIN, TEST)
    )
    preprocessor = Preprocessor.fit(training, columns, ONE_HOT)
    model = fit_additive(
        preprocessor.transform(training),
        training[contract.target].to_numpy(dtype=np.int64),
        preprocessor.feature_types,
        preprocessor.directions,
        knots=max(settings.model.additive.knots, MINIMUM_KNOTS),
        penalty=settings.model.additive.penalty,
    )
    return model.margin(preprocessor.transform(test))


def _fitted_anew(
    rows: pd.DataFrame,
    columns: Sequence[Column],
    contract: GoldContract,
    name: str,
    settings: Settings,
) -> ChurnModel:
    """A model of the same protocol, fitted on the training part with other features or rows."""
    training = rows[rows["split_part"] == TRAIN].reset_index(drop=True)
    return fit_by_protocol(training, columns, contract.target, name, settings).model


def _own_checks(
    settings: Settings,
    model: ChurnModel,
    metrics: Mapping[str, Estimate],
    scored: Scored,
    changed: ChangedCustomers | None,
) -> list[Check]:
    """What the gate asks of a model by itself: its figures, and which way its score moves."""
    checks = metric_checks(
        settings, metrics, scored.probability, int(scored.churn.sum()), model.experiment
    )
    return checks if changed is None else checks + direction_checks(settings, model, changed)


def _against_parent(
    settings: Settings,
    registry: Registry,
    candidate: RegisteredModel,
    scored: Scored,
    weights: np.ndarray,
) -> Sequence[Check]:
    """A recalibrated version must be better calibrated than the one that it comes from."""
    if not (versions := lineage(candidate.origin)):
        return []
    parent = registry.load(versions[-1])
    theirs = parent.model.predict(scored.frame)["churn_probability"].to_numpy()
    probabilities = (scored.probability, theirs)
    return [recalibration_check(settings, parent.version, scored.churn, probabilities, weights)]


def _against_champion(
    warehouse: Warehouse,
    settings: Settings,
    registry: Registry,
    candidate: RegisteredModel,
    scored: Scored,
    weights: np.ndarray,
) -> Sequence[Check]:
    champion_version = registry.champion()
    if champion_version is None or champion_version == candidate.version:
        return []
    champion = registry.load(champion_version)
    split = warehouse.read_external("model_split", champion.origin["run_id"])
    return champion_checks(
        settings,
        champion,
        set(split.loc[split["split_part"] == TRAIN, "customer_id"]),
        date.fromisoformat(candidate.origin["as_of_date"]),
        (scored.probability, scored.flagged),
        scored.frame,
        scored.churn,
        weights,
    )
