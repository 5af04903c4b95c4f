"""Reasons are the model's own contributions, and add up to its score."""

from __future__ import annotations

import numpy as np
import pytest

from python_ml.model.churn_model import ChurnModel
from python_ml.model.explain import top_reasons
from python_ml.pipeline.train import fit_by_protocol, labelled_rows
from tests.unit import gold_fixture as gold


@pytest.fixture(scope="module", params=["one_hot", "native"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ChurnModel:
    settings = gold.settings_for(
        tmp_path_factory.mktemp("home"), **{"model.category_encoding": request.param}
    )
    rows = labelled_rows(gold.gold_frame(), gold.contract(), settings, gold.AS_OF_DATE)
    columns = gold.contract().experiment(settings, "E5_full")
    return fit_by_protocol(
        rows[rows["split_part"] == "train"], columns, "churn", "E5_full", settings
    ).model


def test_contributions_sum_to_the_uncalibrated_log_odds(model: ChurnModel) -> None:
    frame = gold.gold_frame(500, seed=8)
    values, bias = model.classifier.contributions(frame)
    assert values.shape == (500, len(model.features))
    raw = model.predict(frame)["raw_score"].to_numpy()
    np.testing.assert_allclose(values.sum(axis=1) + bias, np.log(raw / (1 - raw)), atol=1e-4)


def test_reasons_are_the_three_largest_positive_contributions(model: ChurnModel) -> None:
    frame = gold.gold_frame(300, seed=8)
    values, _ = model.classifier.contributions(frame)
    reasons = top_reasons(model, frame, count=3)
    for row in range(300):
        mine = reasons[reasons["customer_id"] == frame["customer_id"].iloc[row]]
        wanted = sorted((value for value in values[row] if value > 0), reverse=True)[:3]
        assert mine["contribution_log_odds"].tolist() == wanted
        assert mine["reason_rank"].tolist() == list(range(1, len(wanted) + 1))
        by_feature = dict(zip(model.features, values[row], strict=True))
        assert [by_feature[name] for name in mine["feature"]] == wanted


def test_the_complaint_is_the_first_reason_of_who_complained(model: ChurnModel) -> None:
    frame = gold.gold_frame(600, seed=8)
    upset = frame[frame["is_negative_sentiment"] == 1]
    first = top_reasons(model, upset).query("reason_rank == 1")["feature"]
    assert len(upset) > 10
    assert first.isin(["customer_intent", "is_negative_sentiment"]).mean() > 0.9


def test_values_are_shown_as_text_and_nothing_as_null(model: ChurnModel) -> None:
    frame = gold.gold_frame(600, seed=8)
    reasons = top_reasons(model, frame, count=len(model.features))
    shown = reasons.merge(frame, on="customer_id")
    gas = shown[(shown["feature"] == "gas_price_trend_12m") & shown["gas_price_trend_12m"].isna()]
    assert len(gas) and gas["feature_value"].isna().all()
    segment = shown[shown["feature"] == "segment"]
    assert (segment["feature_value"] == segment["segment"]).all()
    flag = shown[shown["feature"] == "is_high_competition_province"]
    assert set(flag["feature_value"]) <= {"0", "1"}
