"""Groups of customers, their intervals and their ROC-AUC, against sums done by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

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


def test_a_category_and_its_nulls_are_groups() -> None:
    names = group_names(pd.Series(["a", None, "b", "a"], dtype=object), 1)
    assert names.tolist() == ["=a", "=missing", "=b", "=a"]


def test_up_to_twenty_distinct_numbers_are_groups_of_their_own() -> None:
    twenty = pd.Series([*range(20), np.nan], dtype=float)
    assert group_names(twenty, 5).tolist() == [*(f"={n}" for n in range(20)), "=missing"]


def test_more_distinct_numbers_go_into_twenty_ranges_of_equal_count() -> None:
    names = pd.Series(group_names(pd.Series(np.arange(1.0, 41.0)), 5))
    assert names.nunique() == 20
    assert set(names.value_counts()) == {2}
    assert names.iloc[[0, 1, 2, 39]].tolist() == ["1..2.95", "1..2.95", "2.95..4.9", "38.05..40"]


def test_the_upper_end_of_a_range_is_inside() -> None:
    values = pd.Series(np.arange(0.0, 21.0))  # quantiles are the numbers themselves
    names = group_names(values, 5)
    assert names[:4].tolist() == ["0..1", "0..1", "1..2", "2..3"]


def test_a_number_that_more_rows_than_the_minimum_share_stays_a_group() -> None:
    values = pd.Series([7.0] * 6 + [8.0] * 5 + list(np.arange(100.0, 140.0)))
    names = group_names(values, 5)
    assert set(names[:6]) == {"=7"}
    assert "=8" not in set(names), "as many as the minimum are not more"


def test_numbers_that_all_share_their_values_need_no_range() -> None:
    values = pd.Series(np.repeat(np.arange(25.0), 6))
    assert set(group_names(values, 5)) == {f"={n}" for n in range(25)}


def test_groups_count_customers_and_churners() -> None:
    names = np.array(["=b", "=a", "=b", "=b"], dtype=object)
    found = groups(names, np.array([1, 0, 0, 1]))
    assert found == [Group("=a", 1, 0), Group("=b", 3, 2)]
    assert found[1].churn_share == pytest.approx(2 / 3)


def test_tails_are_just_over_the_minimum_and_one_in_a_hundred() -> None:
    values = pd.Series(np.arange(1000.0)[::-1])
    churn = (values >= 990).to_numpy().astype(int)
    assert list(tails(values, churn, 4)) == [
        *(Group("<=4", 5, 0), Group(">=995", 5, 5)),
        *(Group("<=9", 10, 0), Group(">=990", 10, 10)),
    ]


def test_tails_need_more_rows_than_the_minimum_and_less_than_half() -> None:
    values = pd.Series(np.arange(1000.0))
    churn = np.zeros(1000, dtype=int)
    assert [group.customer_count for group in tails(values, churn, 10)] == [11, 11]
    assert [g.customer_count for g in tails(pd.Series(np.arange(24.0)), churn[:24], 10)] == [11, 11]
    assert list(tails(pd.Series(np.arange(22.0)), churn[:22], 10)) == []


def test_ties_with_the_last_of_a_tail_are_in_and_nulls_are_not() -> None:
    values = pd.Series([np.nan, np.nan, 1.0, 2.0, 2.0, 2.0, *np.arange(10.0, 40.0)])
    found = next(iter(tails(values, np.ones(36, dtype=int), 2)))
    assert found == Group("<=2", 4, 4)


def test_few_distinct_values_and_categories_have_no_tails() -> None:
    assert list(tails(pd.Series(np.arange(200.0) % 20), np.zeros(200), 3)) == []
    assert list(tails(pd.Series([f"v{n}" for n in range(200)]), np.zeros(200), 3)) == []
    assert list(tails(pd.Series(np.arange(210.0) % 21), np.zeros(210), 3)) != []


@pytest.mark.parametrize(("churners", "customers"), [(0, 30), (3, 30), (29, 30), (30, 30), (1, 2)])
@pytest.mark.parametrize("confidence", [0.95, 0.999])
def test_the_interval_of_a_share_is_wilsons(
    churners: int, customers: int, confidence: float
) -> None:
    found = share_interval(Group("=1", customers, churners), confidence)
    oracle = binomtest(churners, customers).proportion_ci(confidence, method="wilson")
    assert found.value == pytest.approx(churners / customers)
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=1e-12)


def delong(score: np.ndarray, churn: np.ndarray) -> tuple[float, float]:
    """ROC-AUC and its variance, pair by pair."""
    positive, negative = score[churn == 1], score[churn == 0]
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    variance = wins.mean(axis=1).var(ddof=1) / len(positive)
    return wins.mean(), variance + wins.mean(axis=0).var(ddof=1) / len(negative)


def test_roc_auc_and_its_interval_are_delongs_pair_by_pair() -> None:
    rng = np.random.default_rng(1)
    churn = (rng.random(120) < 0.3).astype(int)
    score = (churn + rng.normal(0, 1, 120)).round(1)
    value, variance = delong(score, churn)
    found = roc_auc(score, churn, 0.95)
    reach = 1.959963985 * np.sqrt(variance)
    assert (found.value, found.low, found.high) == pytest.approx(
        (value, value - reach, value + reach), abs=1e-9
    )


def test_the_interval_of_a_roc_auc_ends_at_zero_and_one() -> None:
    churn = np.array([1, 1, 1, 0, 0, 0])
    high = roc_auc(np.array([6.0, 5.0, 2.5, 3.0, 2.0, 1.0]), churn, 0.95)
    low = roc_auc(np.array([1.0, 2.0, 4.5, 4.0, 5.0, 6.0]), churn, 0.95)
    assert high.high == 1.0 and high.value < 1
    assert low.low == 0.0 and low.value > 0


def test_the_rate_of_a_group_comes_from_the_other_folds() -> None:
    names = np.array(["=1", "=1", "=1", "=2", "=2", "=3"])
    churn, fold = np.array([1, 1, 0, 0, 1, 1]), np.array([1, 2, 3, 2, 3, 1])
    rate = out_of_fold_rate(names, churn, fold)
    base = {1: 2 / 4, 2: 3 / 4, 3: 3 / 4}  # churn in the folds that are not held out
    assert rate == pytest.approx(
        [
            (1 + base[1]) / 3,
            (1 + base[2]) / 3,
            (2 + base[3]) / 3,
            (1 + base[2]) / 2,
            (0 + base[3]) / 2,
            (0 + base[1]) / 1,
        ]
    )


def test_what_an_id_might_encode_an_outcome_in() -> None:
    parts = identifier_parts(pd.Series(["C00042", "C1300113", "AB-7"]))
    assert parts["order"].tolist() == [2.0, 3.0, 1.0]
    assert parts["length"].tolist() == [6, 8, 4]
    assert parts["letters"].tolist() == ["C", "C", "AB-"]
    assert parts["first_digit"].tolist() == ["0", "1", "7"]
    assert parts["digit_sum"].tolist() == [6, 9, 7]
    for divisor in (2, 3, 5, 7, 10, 11, 13, 100):
        expected = [42 % divisor, 1300113 % divisor, 7 % divisor]
        assert parts[f"remainder_by_{divisor}"].tolist() == expected
    assert parts["digit_sum_remainder_by_10"].tolist() == [6, 9, 7]
    assert parts["weighted_digit_sum_by_11"].tolist() == [
        (2 * 1 + 4 * 2) % 11,
        (3 * 1 + 1 * 2 + 1 * 3 + 3 * 6 + 1 * 7) % 11,
        7,
    ]
    assert parts["character_1"].tolist() == ["C", "C", "A"]
    assert parts["character_8"].tolist() == ["", "3", ""]
    assert parts["character_2_from_the_end"].tolist() == ["4", "1", "-"]
    assert "character_9" not in parts


def test_a_place_where_all_ids_are_alike_is_left_out() -> None:
    parts = identifier_parts(pd.Series(["C1", "C2"]))
    assert "character_1" not in parts
    assert parts["character_2"].tolist() == ["1", "2"]


def test_of_a_long_id_the_last_fifteen_digits_count() -> None:
    """A double holds no more of them exactly."""
    parts = identifier_parts(pd.Series(["9" * 3 + f"{n:015}" for n in (3, 1, 2)]))
    assert parts["order"].tolist() == [3.0, 1.0, 2.0]
    assert parts["remainder_by_10"].tolist() == [3, 1, 2]


def test_ids_without_a_digit_have_no_number() -> None:
    parts = identifier_parts(pd.Series(["x", "C1"]))
    assert np.isnan(parts["order"].iloc[0]) and parts["order"].iloc[1] == 1


def test_ids_of_one_number_keep_their_order() -> None:
    assert identifier_parts(pd.Series(["a5", "b5"]))["order"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("customers", range(1, 40))
def test_the_interval_of_a_share_is_one_of_shares_to_the_last_digit(customers: int) -> None:
    """Of 16 customers who have all left the formula gives 1.0000000000000002."""
    assert share_interval(Group("=1", customers, customers), 0.95).high <= 1.0
    assert share_interval(Group("=1", customers, 0), 0.95).low >= 0.0


def test_of_a_long_id_so_many_characters_are_looked_at() -> None:
    parts = identifier_parts(pd.Series([str(n) * 30 for n in range(3)]))
    places = [name for name in parts if name.startswith("character_")]
    assert len(places) == 2 * 24
    assert "character_24" in parts and "character_24_from_the_end" in parts


def test_sixteen_digits_are_one_too_many_for_a_double() -> None:
    parts = identifier_parts(pd.Series([f"{9_999_999_999_999_990 + n}" for n in (3, 1, 2)]))
    assert parts["remainder_by_10"].tolist() == [3, 1, 2]


def test_digits_of_other_scripts_are_no_number_and_break_nothing() -> None:
    parts = identifier_parts(pd.Series(["C٣", "C4"]))
    assert np.isnan(parts["order"].iloc[0]) and parts["order"].iloc[1] == 1


def test_the_remainder_of_a_digit_sum_is_its_last_digit() -> None:
    parts = identifier_parts(pd.Series(["C99", "C19"]))
    assert parts["digit_sum"].tolist() == [18, 10]
    assert parts["digit_sum_remainder_by_10"].tolist() == [8, 0]


def test_pairs_count_within_their_stratum_alone() -> None:
    """By hand: in the first stratum 3 of 4 pairs are in order, in the second 4 of 6; a stratum in
    which one left does not count."""
    churn = np.array([1, 0, 1, 0, 1, 1, 0, 0, 0, 1, 0, 0])
    score = np.array([4.0, 3, 2, 1, 9, 7, 8, 6, 7.5, 1, 2, 3])
    stratum = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2])
    found = stratified_roc_auc(score, churn, stratum, 0.95)
    assert found.value == pytest.approx((3 + 4) / (4 + 6))
    assert found.low < found.value < found.high
    whole = stratified_roc_auc(score, churn, np.zeros(12), 0.95)
    assert whole == roc_auc(score, churn, 0.95)
    assert np.isnan(stratified_roc_auc(score, churn, np.arange(12), 0.95).value)


def test_strata_are_equal_parts_and_one_of_those_without_a_number() -> None:
    churn = np.tile([1, 0], 20)
    values = pd.Series([None, *range(39)], dtype="float")
    code = strata_of(values, churn)
    assert code[0] == 0
    assert np.bincount(code).tolist() == [1, 19, 20]
    assert set(strata_of(values, np.zeros(40, dtype=int))) == {0, 1}
