"""The score moves one way with what the contract says it does, whatever the labels say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from python_ml.contracts.gold import GoldContract, read_contract
from python_ml.errors import SpanishGasError
from python_ml.judge.direction import CHANGES, ChangedCustomers, direction_checks
from python_ml.model.preprocess import NATIVE, ONE_HOT, Preprocessor
from python_ml.pipeline.train import FittedModel, fit_by_protocol, labelled_rows
from tests.unit import gold_fixture as gold

DECLARED = {
    "months_to_renewal": "decreasing",
    "is_dual_fuel": "increasing",
    "sales_channel": ["Unknown", "Telemarketing", "Office"],
    "customer_intent": {"Complaint / Escalation": "increasing"},
}


def contract(declared: Any) -> GoldContract:
    columns = {
        name: (kind, {**meta, **({"monotone": declared[name]} if name in declared else {})})
        for name, (kind, meta) in gold.COLUMNS.items()
    }
    return read_contract(gold.manifest(columns))


def model(tmp_path: Path, declared: Any, frame: pd.DataFrame) -> FittedModel:
    settings = gold.settings_for(tmp_path)
    rows = labelled_rows(frame, contract(declared), settings, gold.AS_OF_DATE)
    columns = contract(declared).experiment(settings, "E5_full")
    return fit_by_protocol(
        rows[rows["split_part"] == "train"], columns, "churn", "E5_full", settings
    )


def lower(fitted: FittedModel, frame: pd.DataFrame, **changes: Any) -> float:
    """Share of the customers whose probability falls when they are changed."""
    before = fitted.model.predict(frame)["churn_probability"]
    after = fitted.model.predict(frame.assign(**changes))["churn_probability"]
    return float((after < before - 1e-6).mean())


@pytest.mark.thorough
def test_declared_directions_hold_and_others_are_free(tmp_path: Path) -> None:
    """In these rows a near renewal, a complaint and gas keep people: against the contract."""
    frame = gold.gold_frame()
    rng = np.random.default_rng(1)
    complained = (frame["customer_intent"] == "Complaint / Escalation").fillna(False)
    logit = 0.3 * (frame["months_to_renewal"] - 5) - complained - frame["is_dual_fuel"]
    frame["churn"] = (rng.random(len(frame)) < 1 / (1 + np.exp(1 - logit))).astype(int)
    changes = {
        "months_to_renewal": frame["months_to_renewal"] - 1,
        "customer_intent": "Complaint / Escalation",
        "is_dual_fuel": 1,
        "sales_channel": "Office",
    }
    bound, free = (model(tmp_path, declared, frame) for declared in (DECLARED, {}))
    # Of the levels of an intent only the complaint has a direction, so it is held against none.
    frame = frame.assign(customer_intent="never seen")
    for name, value in changes.items():
        assert lower(bound, frame, **{name: value}) == 0, name
        if name != "sales_channel":
            assert lower(free, frame, **{name: value}) > 0.2, name


@pytest.mark.parametrize("encoding", [ONE_HOT, NATIVE])
def test_an_ordered_category_is_its_rank(encoding: str) -> None:
    features = contract(DECLARED).features
    fitted = Preprocessor.fit(gold.gold_frame(50), features, encoding)
    frame = gold.gold_frame(3).assign(sales_channel=["Office", "Unknown", "Carrier pigeon"])
    place = fitted.encoded_names.index("sales_channel")
    np.testing.assert_array_equal(fitted.transform(frame)[:, place], [2, 0, np.nan])
    assert (fitted.directions[place], fitted.feature_types[place]) == (1, "q")
    assert Preprocessor.from_document(fitted.as_document()) == fitted


@pytest.mark.parametrize(
    ("column", "declared"),
    [
        ("months_to_renewal", "down"),
        ("months_to_renewal", ["a", "b"]),
        ("sales_channel", "increasing"),
        ("sales_channel", {"Office": "up"}),
        ("sales_channel", [1, 2]),
    ],
)
def test_a_direction_that_makes_no_sense_is_refused(column: str, declared: object) -> None:
    with pytest.raises(SpanishGasError, match=rf"{column}: meta.monotone"):
        contract({column: declared})


def test_the_check_counts_only_who_is_touched(tmp_path: Path) -> None:
    """A third has no renewal date and stays as it is; of the others a tenth gets an odd answer."""
    frame = gold.gold_frame()
    fitted = model(tmp_path, DECLARED, frame)
    frame.loc[:499, "months_to_renewal"] = np.nan
    nearer = frame.assign(months_to_renewal=frame["months_to_renewal"] - 3)
    nearer.loc[500:599, "months_to_renewal"] += 100
    customers = ChangedCustomers(frame, {change.name: nearer for change in CHANGES})
    settings = gold.settings_for(tmp_path)
    check = direction_checks(settings, fitted.model, customers)[0]
    assert check.check_name == "direction_nearer_renewal"
    assert 0.9 <= check.observed_value < 0.95 and not check.is_passed
    assert "of 1,000 customers" in check.detail
    nobody = ChangedCustomers(frame, {change.name: frame for change in CHANGES})
    nearer_renewal, *others = direction_checks(settings, fitted.model, nobody)
    assert not nearer_renewal.is_passed
    # The miniature declares no direction of the others' features: they are measured, no more.
    assert all(c.is_passed and "no direction is required" in c.detail for c in others)
