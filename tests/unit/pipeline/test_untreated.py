"""Labels that tell what happens without an offer, and a training that keeps to them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from python_ml.judge.split import TEST
from python_ml.judge.untreated import (
    read_weights,
    repeated,
    untreated_weights,
    weights_of,
    without_treated,
)
from python_ml.pipeline.evaluate import stored_rows
from python_ml.pipeline.rebuild import rebuild_version
from python_ml.pipeline.train import train
from python_ml.registry import open_registry
from tests.unit import gold_fixture as gold

DAY = gold.AS_OF_DATE


def campaign(arms: dict[str, str], chance: float = 0.5, **changed: Any) -> pd.DataFrame:
    rows = pd.DataFrame({"customer_id": list(arms), "arm": list(arms.values())})
    columns: dict[str, Any] = {
        "control_propensity": chance,
        "is_contacted": rows["arm"] != "control",
        "as_of_date": pd.Timestamp(DAY),
        "outcome_date": pd.Timestamp("2025-03-31"),
        **changed,
    }
    return rows.assign(**columns)


def test_the_control_group_stands_for_the_treated() -> None:
    arms = {f"C{i}": "control" if i % 5 == 0 else "offer_large" for i in range(2000)}
    weights = weights_of(campaign(arms, 0.3), DAY)
    assert weights[[c for c, arm in arms.items() if arm != "control"]].eq(0).all()
    control = weights[[c for c, arm in arms.items() if arm == "control"]]
    assert set(control) == {3, 4}
    assert control.mean() == pytest.approx(1 / 0.3, abs=0.1)


def test_a_control_customer_who_was_called_does_not_count() -> None:
    rows = campaign({"C1": "control", "C2": "control"}, is_contacted=[True, False])
    assert weights_of(rows, DAY).to_dict() == {"C1": 0, "C2": 2}


def test_chances_of_two_campaigns_multiply() -> None:
    rows = pd.concat([campaign({"C1": "control"}), campaign({"C1": "control"}, 0.25)])
    assert weights_of(rows, DAY).to_dict() == {"C1": 8}


@pytest.mark.parametrize(
    ("start", "end", "counts"),
    [
        (date(2024, 10, 1), date(2024, 12, 30), False),  # over before the labels begin
        (date(2024, 10, 2), date(2025, 1, 1), True),
        (date(2025, 3, 30), date(2025, 6, 28), True),
        (date(2025, 3, 31), date(2025, 6, 29), False),  # begins when the labels end
    ],
)
def test_campaigns_count_that_overlap_the_labels(
    tmp_path: Path, start: date, end: date, counts: bool
) -> None:
    settings = gold.settings_for(tmp_path)
    with gold.warehouse_with(settings, gold.gold_frame(50)) as warehouse:
        with duckdb.connect(str(settings.layout.warehouse)) as connection:
            connection.execute(
                "insert into silver_campaign_customer values ('C1', 'offer', 0.5, true, ?, ?)",
                [start, end],
            )
        assert (not untreated_weights(warehouse, settings, [DAY]).empty) == counts


def test_rows_are_repeated_in_their_order() -> None:
    rows = pd.DataFrame({"customer_id": ["C1", "C2", "C3", "C4"], "as_of_date": DAY})
    weights = pd.DataFrame(
        {"customer_id": ["C2", "C3"], "as_of_date": DAY, "untreated_weight": [3, 0]}
    )
    assert list(repeated(rows, weights)["customer_id"]) == ["C1", "C2", "C2", "C2", "C4"]
    assert list(without_treated(rows, weights)["customer_id"]) == ["C1", "C2", "C4"]


def test_a_weight_counts_on_its_own_date_alone() -> None:
    earlier = date(2024, 9, 30)
    rows = pd.DataFrame(
        {"customer_id": ["C1", "C1", "C2"], "as_of_date": [earlier, DAY, DAY], "row": [1, 2, 3]}
    )
    treated = pd.DataFrame(
        {"customer_id": ["C1"], "as_of_date": [pd.Timestamp(earlier)], "untreated_weight": [0]}
    )
    assert list(without_treated(rows, treated)["row"]) == [2, 3]
    assert list(repeated(rows, treated)["row"]) == [2, 3]


@pytest.mark.thorough
def test_a_model_learns_from_the_untreated_and_can_be_rebuilt(tmp_path: Path) -> None:
    """Offers have saved nearly everybody at risk; the model still says what would happen."""
    settings = gold.settings_for(tmp_path)
    truth = gold.gold_frame(4000)
    rng = np.random.default_rng(1)
    risky = truth["months_to_renewal"].to_numpy() < 3
    drawn = np.where(risky & (rng.random(len(truth)) < 0.7), "offer_large", "control")
    saved = truth.assign(churn=np.where(drawn == "offer_large", 0, truth["churn"]))
    people = truth["customer_id"].to_numpy()[risky]
    arms = dict(zip(people, drawn[risky], strict=True))
    means = {}
    for name, frame, taught in (
        ("no campaign", truth, {}),
        ("campaign", saved, arms),
        ("campaign that training does not know of", saved, {}),
    ):
        home = tmp_path / name.replace(" ", "-")
        own = gold.settings_for(home)
        with gold.warehouse_with(own, frame) as warehouse:
            rows = campaign(taught, 0.3) if taught else campaign({})
            with duckdb.connect(str(own.layout.warehouse)) as connection:
                connection.register("rows", rows)
                connection.execute(
                    "insert into silver_campaign_customer select customer_id, arm, "
                    "control_propensity, is_contacted, as_of_date, outcome_date from rows"
                    if len(rows)
                    else "select 1"
                )
            trained = train(warehouse, own, gold.contract(), "r1", DAY)
            registered = open_registry(own).load(trained.model_version)
            scores = registered.model.predict(truth)["churn_probability"].to_numpy()
            means[name] = scores[risky].mean()
            if taught:
                kept = stored_rows(warehouse, own, registered)
                weights = read_weights(warehouse, "r1")
                treated = weights.loc[weights["untreated_weight"] == 0, "customer_id"]
                assert not kept["customer_id"].isin(treated).any()
                assert kept[kept["split_part"] == TEST]["customer_id"].duplicated().any()
                rebuilt = rebuild_version(warehouse, own, trained.model_version)
                assert rebuilt.rebuilt_sha256 == rebuilt.registered_sha256
    rate = truth["churn"].to_numpy()[risky].mean()
    assert means["no campaign"] == pytest.approx(rate, rel=0.15)
    assert means["campaign"] == pytest.approx(rate, rel=0.25)
    assert means["campaign that training does not know of"] < 0.5 * rate
    assert settings.layout.home.exists()
