"""The same row becomes the same numbers, in training and in scoring."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from python_ml.contracts.gold import Column
from python_ml.errors import SpanishGasError
from python_ml.model.preprocess import NATIVE, ONE_HOT, Preprocessor, filled
from tests.unit import gold_fixture as gold


def fitted(encoding: str = ONE_HOT) -> Preprocessor:
    return Preprocessor.fit(gold.gold_frame(300), gold.contract().features, encoding)


def row(**changes: Any) -> pd.DataFrame:
    values = gold.gold_frame(1).iloc[[0]].copy()
    for name, value in changes.items():
        values[name] = [value]
    return values


def column(preprocessor: Preprocessor, frame: pd.DataFrame, name: str) -> float:
    return float(preprocessor.transform(frame)[0, preprocessor.encoded_names.index(name)])


def test_fills_of_the_contract_are_applied() -> None:
    model = fitted()
    quiet = row(last_interaction_days_ago=np.nan, customer_intent=None)
    assert column(model, quiet, "last_interaction_days_ago") == 9999
    assert column(model, quiet, "customer_intent=no_interaction") == 1
    assert np.isnan(column(model, row(gas_price_trend_12m=np.nan), "gas_price_trend_12m"))


def test_a_fill_is_a_value_of_the_column_or_a_new_level_of_it() -> None:
    numbers = pd.DataFrame({"days": [1.5, np.nan]})
    assert filled(numbers, "days", 9999.0).dtype == np.float64
    assert filled(numbers, "days", 9999.0).tolist() == [1.5, 9999.0]
    assert filled(numbers, "days", None).equals(numbers["days"])
    levels = pd.DataFrame({"intent": pd.Categorical(["moves", None])})
    assert filled(levels, "intent", "no_interaction").tolist() == ["moves", "no_interaction"]


def test_a_level_that_training_has_not_seen_belongs_to_none() -> None:
    strange = row(sales_channel="Carrier pigeon")
    model = fitted()
    channel = [name.startswith("sales_channel=") for name in model.encoded_names]
    assert model.transform(strange)[0, channel].sum() == 0
    assert model.transform(row(sales_channel="Office"))[0, channel].sum() == 1
    assert np.isnan(column(fitted(NATIVE), strange, "sales_channel"))


@pytest.mark.parametrize("encoding", [ONE_HOT, NATIVE])
def test_a_document_restores_the_encoding(encoding: str) -> None:
    model = fitted(encoding)
    restored = Preprocessor.from_document(json.loads(json.dumps(model.as_document())))
    assert restored == model
    frame = gold.gold_frame(100, seed=3)
    np.testing.assert_array_equal(restored.transform(frame), model.transform(frame))


def test_rows_do_not_influence_each_other() -> None:
    model, frame = fitted(), gold.gold_frame(50, seed=4)
    one_by_one = np.concatenate([model.transform(frame.iloc[[i]]) for i in range(50)])
    np.testing.assert_array_equal(one_by_one, model.transform(frame))


def test_sources_lead_from_columns_back_to_features() -> None:
    model = fitted()
    assert len(model.sources) == len(model.encoded_names)
    for name, source in zip(model.encoded_names, model.sources, strict=True):
        assert name.split("=")[0] == model.features[source].name


def test_missing_and_infinite_features_stop() -> None:
    with pytest.raises(SpanishGasError, match="segment"):
        fitted().transform(gold.gold_frame(5).drop(columns="segment"))
    with pytest.raises(SpanishGasError, match="months_to_renewal"):
        fitted().transform(row(months_to_renewal=np.inf))
    with pytest.raises(SpanishGasError, match="hashing"):
        fitted("hashing")


def test_missing_values_of_any_kind_are_one() -> None:
    model = fitted()
    for nothing in (None, np.nan, pd.NA):
        assert column(model, row(customer_intent=nothing), "customer_intent=no_interaction") == 1
        assert np.isnan(column(model, row(gas_price_trend_12m=nothing), "gas_price_trend_12m"))


COLUMNS = (
    Column("age", "integer", "feature", "1A", fill=0, monotone="increasing"),
    Column("price", "double", "feature", "1A", monotone="decreasing"),
    Column("bucket", "varchar", "feature", "1A", fill="unknown", monotone=["b", "a", "c"]),
    Column("intent", "varchar", "feature", "1A", monotone={"x": "increasing", "y": "decreasing"}),
    Column("flag", "integer", "feature", "1A", fill=1),
)
FRAME = pd.DataFrame(
    {
        "age": [1, None, 3],
        "price": [1.5, None, 0.0],
        "bucket": ["a", None, "c"],
        "intent": ["y", "z", "x"],
        "flag": [None, 0, 1],
    }
)


def test_columns_types_and_directions_of_every_kind_of_feature() -> None:
    model = Preprocessor.fit(FRAME, COLUMNS, ONE_HOT)
    names = ["age", "price", "bucket", "intent=x", "intent=y", "intent=z", "flag"]
    assert model.encoded_names == names
    assert model.directions == [1, -1, 1, 1, -1, 0, 0]
    assert model.sources.tolist() == [0, 1, 2, 3, 3, 3, 4]
    assert model.feature_types == ["q"] * 7
    np.testing.assert_array_equal(
        model.transform(FRAME),
        np.array(
            [
                [1, 1.5, 1, 0, 1, 0, 1],
                [0, np.nan, np.nan, 0, 0, 1, 0],
                [3, 0, 2, 1, 0, 0, 1],
            ],
            dtype=np.float32,
        ),
    )


def test_a_native_category_has_one_column_and_no_direction() -> None:
    model = Preprocessor.fit(FRAME, COLUMNS, NATIVE)
    assert model.encoded_names == ["age", "price", "bucket", "intent", "flag"]
    assert model.directions == [1, -1, 1, 0, 0]
    assert model.feature_types == ["q", "q", "q", "c", "q"], "what is ordered is a quantity"
    assert model.transform(FRAME)[:, 3].tolist() == [1.0, 2.0, 0.0]
    assert np.isnan(model.transform(FRAME.assign(intent="new"))[:, 3]).all()


@pytest.mark.parametrize("encoding", ["one_hot", "native"])
def test_a_document_says_everything_that_was_learned(encoding: str) -> None:
    model = Preprocessor.fit(FRAME, COLUMNS, encoding)
    document = json.loads(json.dumps(model.as_document()))
    restored = Preprocessor.from_document(document)
    assert document["encoding"] == encoding
    assert [entry["kind"] for entry in document["features"]] == [
        *("number", "number", "category", "category", "number")
    ]
    assert "monotone" not in document["features"][4] and "levels" not in document["features"][0]
    assert restored.directions == model.directions
    assert restored.as_document() == model.as_document()
    np.testing.assert_array_equal(restored.transform(FRAME), model.transform(FRAME))


def test_training_rows_that_lack_features_are_refused_by_name() -> None:
    with pytest.raises(SpanishGasError, match=r"lack the features \['bucket', 'price'\]"):
        Preprocessor.fit(FRAME.drop(columns=["price", "bucket"]), COLUMNS, ONE_HOT)
