"""Who is tested, and in which fold the others are."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from python_ml.errors import SpanishGasError
from python_ml.judge.split import (
    TEST,
    TRAIN,
    is_splittable,
    of_date,
    placed,
    rotation,
    split_by_customer,
    split_hash,
    stratified_split,
)

NEWEST = date(2024, 12, 31)


def population(customers: int = 2000, seed: int = 0) -> tuple[pd.Series, pd.Series]:
    rng = np.random.default_rng(seed)
    ids = pd.Series([f"C{number:05}" for number in range(customers)])
    return ids, pd.Series((rng.random(customers) < 0.1).astype(int))


def split(ids: pd.Series, churn: pd.Series, seed: int = 42) -> pd.DataFrame:
    return stratified_split(ids, churn, seed=seed, test_share=0.2, folds=5)


def test_shares_and_strata_hold_to_within_a_customer() -> None:
    ids, churn = population()
    found = split(ids, churn).merge(pd.DataFrame({"customer_id": ids, "churn": churn}))
    for label, count in churn.value_counts().items():
        mine = found[found["churn"] == label]
        assert abs((mine["split_part"] == "test").sum() - 0.2 * count) <= 0.5
        folds = mine["cv_fold"].value_counts()
        assert set(folds.index) == {1, 2, 3, 4, 5}
        assert folds.max() - folds.min() <= 1
    assert found.loc[found["split_part"] == "test", "cv_fold"].isna().all()
    assert found.loc[found["split_part"] == "train", "cv_fold"].notna().all()


def test_order_of_rows_does_not_matter_and_the_seed_does() -> None:
    ids, churn = population()
    shuffle = np.random.default_rng(1).permutation(len(ids))
    reference = split(ids, churn)
    pd.testing.assert_frame_equal(split(ids[shuffle], churn[shuffle]), reference)
    assert split_hash(reference.iloc[shuffle]) == split_hash(reference)
    other = split(ids, churn, seed=43)
    assert split_hash(other) != split_hash(reference)
    # Independent draws share 20 % x 20 % of the customers, 4 %.
    both = (other["split_part"] == "test") & (reference["split_part"] == "test")
    assert 0.025 < both.mean() < 0.055


def test_customers_keep_their_part_when_others_come_and_go() -> None:
    ids, churn = population()
    later = split(ids[100:], churn[100:]).set_index("customer_id")["split_part"]
    before = split(ids, churn).set_index("customer_id")["split_part"].loc[later.index]
    assert (later != before).mean() < 0.02


def test_the_test_part_moves_on_every_month_and_is_another_after_a_year() -> None:
    ids, churn = population(5000)
    parts = {}
    for months in (0, 1, 6, 12):
        moved = rotation(date(2024 + (11 + months) // 12, (11 + months) % 12 + 1, 28), 0.2)
        found = stratified_split(
            ids, churn, seed=42, test_share=0.2, folds=5, rotated_by=moved
        ).merge(pd.DataFrame({"customer_id": ids, "churn": churn}))
        test = found[found["split_part"] == "test"]
        assert test["churn"].mean() == pytest.approx(churn.mean(), abs=0.002)
        parts[months] = set(test["customer_id"])
    kept = {months: len(parts[0] & part) / len(parts[0]) for months, part in parts.items()}
    assert kept[1] == pytest.approx(11 / 12, abs=0.03)
    assert kept[6] == pytest.approx(0.5, abs=0.04)
    assert kept[12] < 0.02
    assert rotation(date(2024, 12, 31), 0.2) == 0.0


def test_the_part_tells_nothing_of_the_order_of_ids() -> None:
    ids, churn = population(5000)
    test = split(ids, churn)["split_part"] == "test"
    assert abs(np.flatnonzero(test).mean() / 5000 - 0.5) < 0.03


@pytest.mark.parametrize("churners", [0, 4, 60])
def test_too_few_of_a_class_are_refused(churners: int) -> None:
    ids, _ = population(60)
    with pytest.raises(SpanishGasError, match=f"{churners} churners"):
        split(ids, pd.Series([1] * churners + [0] * (60 - churners)))


def of_two_dates() -> pd.DataFrame:
    """2,000 customers on the newest date, and 600 more who had left by then."""
    ids, churn = population(2600)
    before = pd.DataFrame({"customer_id": ids, "as_of_date": date(2024, 9, 30), "has_churned": 0})
    before.loc[2000:, "has_churned"] = 1
    newest = pd.DataFrame({"customer_id": ids, "as_of_date": NEWEST, "has_churned": churn})[:2000]
    return pd.concat([before, newest]).sample(frac=1, random_state=0)


def test_nobody_is_on_both_sides_and_earlier_rows_of_the_test_part_are_left_out() -> None:
    rows = of_two_dates()
    parts = split_by_customer(rows, "has_churned", NEWEST, seed=1, test_share=0.2, folds=5)
    assert parts["customer_id"].tolist() == sorted(rows["customer_id"].unique())
    assert parts.index.equals(pd.RangeIndex(len(parts)))
    found = placed(rows, parts, NEWEST)
    assert found.equals(found.sort_values(["customer_id", "as_of_date"], ignore_index=True))
    assert len(of_date(found, NEWEST)) == 2000
    tested = found[found["split_part"] == TEST]
    assert (tested["as_of_date"] == NEWEST).all() and len(tested) == pytest.approx(400, abs=1)
    earlier = found[found["as_of_date"] != NEWEST]
    assert (earlier["split_part"] == TRAIN).all()
    assert len(earlier) == pytest.approx(0.8 * 2600, abs=2)
    assert found.groupby("customer_id")["cv_fold"].nunique().le(1).all()


def test_who_stayed_until_the_newest_date_is_where_it_is_without_the_others() -> None:
    rows = of_two_dates()
    alone = of_date(rows, NEWEST)
    limits: dict[str, Any] = {"seed": 1, "test_share": 0.2, "folds": 5}
    parts = split_by_customer(rows, "has_churned", NEWEST, **limits)
    kept = parts[parts["customer_id"].isin(alone["customer_id"])].reset_index(drop=True)
    assert kept.equals(split_by_customer(alone, "has_churned", NEWEST, **limits))


def test_those_who_left_before_are_split_like_the_others() -> None:
    """Were all of them learned from, too many would have left."""
    rows = of_two_dates()
    parts = split_by_customer(rows, "has_churned", NEWEST, seed=1, test_share=0.2, folds=5)
    gone = parts[parts["customer_id"] >= "C02000"]
    assert len(gone) == 600
    assert (gone["split_part"] == TEST).sum() == 120
    assert gone["cv_fold"].value_counts().tolist() == [96] * 5


def test_the_test_part_is_that_of_the_month_unless_another_is_named() -> None:
    rows, june = of_two_dates(), date(2024, 6, 30)
    limits: dict[str, Any] = {"seed": 1, "test_share": 0.2, "folds": 5}
    found = split_by_customer(rows, "has_churned", NEWEST, rotated_on=june, **limits)
    newest = of_date(rows, NEWEST)
    moved = stratified_split(
        newest["customer_id"],
        newest["has_churned"].astype(int),
        rotated_by=rotation(june, 0.2),
        **limits,
    )
    stayed = found[found["customer_id"].isin(newest["customer_id"])].reset_index(drop=True)
    assert stayed.equals(moved)
    assert not found.equals(split_by_customer(rows, "has_churned", NEWEST, **limits))


def test_a_share_is_taken_as_the_fraction_that_was_meant() -> None:
    """In a float 0.1 is a little more; of what is meant the denominator is at most 1,000."""
    assert rotation(date(2024, 11, 30), 1 / 1001) == rotation(date(2024, 11, 30), 1 / 1000)
    months = 2024 * 12 + 11
    assert rotation(date(2024, 11, 30), 0.1) == months % 120 / 120


def test_a_customer_in_two_parts_is_refused() -> None:
    rows = pd.DataFrame({"customer_id": ["C1"], "as_of_date": [NEWEST]})
    twice = pd.DataFrame({"customer_id": ["C1", "C1"], "split_part": [TRAIN, TEST], "cv_fold": 1})
    with pytest.raises(pd.errors.MergeError):
        placed(rows, twice, NEWEST)


def test_the_hash_of_a_split_is_that_of_its_lines_in_any_home() -> None:
    """Registered models carry it, and so do the snapshots of older homes."""
    assert (TRAIN, TEST) == ("train", "test")
    parts = pd.DataFrame(
        {
            "customer_id": ["C2", "C1"],
            "split_part": [TEST, TRAIN],
            "cv_fold": pd.array([None, 3], "Int64"),
        }
    )
    assert split_hash(parts) == hashlib.sha256(b"C1,train,3\nC2,test,0").hexdigest()


@pytest.mark.parametrize("rotated_by", [0.0, 0.35])
def test_everybody_is_where_the_hash_says(rotated_by: float) -> None:
    """By draw within a stratum, from where the test part has moved on to: first the test part, then
    one after the other into the folds."""
    ids, _ = population(60)
    churn = pd.Series(np.arange(60) % 3 == 0).astype(int)
    found = stratified_split(
        ids, churn, seed=7, test_share=0.25, folds=4, rotated_by=rotated_by
    ).set_index("customer_id")
    for label, count in [(0, 40), (1, 20)]:
        digests = {
            each: hashlib.blake2b(f"7:{each}".encode(), digest_size=7).digest()
            for each in ids[churn == label]
        }
        draws = {each: int.from_bytes(digest, "big") / 256**7 for each, digest in digests.items()}
        ordered = sorted(draws, key=lambda each: (draws[each] - rotated_by) % 1)
        places = found.loc[ordered, "cv_fold"].fillna(0).tolist()
        test = count // 4
        assert places == [0] * test + [n % 4 + 1 for n in range(count - test)]
        assert (found.loc[ordered[:test], "split_part"] == TEST).all()
        assert (found.loc[ordered[test:], "split_part"] == TRAIN).all()


@pytest.mark.parametrize(
    ("sizes", "test_share", "is_enough"),
    [
        ((5, 50), 0.2, False),  # one is tested, and four are left for five folds
        ((6, 50), 0.2, True),
        ((50, 6), 0.2, True),
        ((6, 5), 0.2, False),
        ((5, 5), 0.0, True),
        ((4, 5), 0.0, False),
        ((9, 50), 0.05, False),  # nobody is tested
        ((11, 50), 0.05, True),
    ],
)
def test_strata_fill_every_fold_and_the_test_part(
    sizes: tuple[int, int], test_share: float, is_enough: bool
) -> None:
    assert is_splittable(sizes, test_share=test_share, folds=5) is is_enough
