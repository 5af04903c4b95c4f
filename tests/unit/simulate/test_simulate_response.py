"""The truth of offers: it agrees with the labels, and a larger discount keeps more."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from python_ml.contracts.schema import load_source
from python_ml.land.discover import assign, list_source
from python_ml.simulate.response import TRUTH
from python_ml.simulate.run import simulate

pytestmark = pytest.mark.slow

OFFERS = ("contact_only", "offer_small", "offer_medium", "offer_large")


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    raw = tmp_path_factory.mktemp("raw")
    simulate(raw, customers=1500, seed=5)
    return raw


@pytest.fixture(scope="module")
def truth(batch: Path) -> pd.DataFrame:
    return pd.read_parquet(batch / TRUTH)


def test_without_an_offer_the_label_comes_true(batch: Path, truth: pd.DataFrame) -> None:
    labels = pd.read_csv(batch / "churn_label.csv").set_index("customer_id")["churn"]
    for offer in OFFERS:
        of_offer = truth[truth["offer"] == offer].set_index("customer_id")
        assert of_offer["leaves_without"].astype(int).equals(labels.astype(int))
    assert len(truth) == len(labels) * len(OFFERS)


def test_a_larger_discount_keeps_whom_a_smaller_one_keeps(truth: pd.DataFrame) -> None:
    leaves = truth.pivot(index="customer_id", columns="offer", values="leaves_with")
    chance = truth.pivot(index="customer_id", columns="offer", values="save_probability")
    leaver = truth.groupby("customer_id")["leaves_without"].first()
    for less, more in pairwise(OFFERS):
        assert (leaves[more] <= leaves[less]).all()
        assert (chance[more] > chance[less]).all()
    kept = ~leaves[leaver]
    assert 0.1 < kept["contact_only"].mean() < kept["offer_large"].mean() < 0.7
    woken = leaves.loc[~leaver, "contact_only"].mean()
    assert 0 < woken < 0.02, "some leave because they were called"


def test_draws_follow_the_stated_chances(truth: pd.DataFrame) -> None:
    leavers = truth[truth["leaves_without"]]
    kept = (~leavers["leaves_with"]).mean()
    expected = leavers["save_probability"].mean()
    assert kept == pytest.approx(expected, abs=4 * np.sqrt(expected / (len(leavers) / 4)))
    stayers = truth[~truth["leaves_without"] & (truth["offer"] == OFFERS[0])]
    lost, expected = stayers["leaves_with"].mean(), stayers["drive_away_probability"].mean()
    assert lost == pytest.approx(expected, abs=4 * np.sqrt(expected / len(stayers)))
    assert (stayers["drive_away_probability"] == 0).any(), "near their renewal all remember"


def test_landing_passes_over_the_truth(batch: Path) -> None:
    entries = list_source(batch)
    assert str(TRUTH) in [entry.path for entry in entries]
    found, ignored, problems = assign(entries, load_source("raw"))
    assert len(found) == 7 and not problems
    assert not any("_truth" in str(thing) for thing in (*found, *ignored))
