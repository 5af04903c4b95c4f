"""Distances, stability index and weights, against sums done by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from python_ml.judge.drift.statistics import (
    CHI2,
    MISSING,
    Comparison,
    Matching,
    adjust,
    as_numbers,
    compare_categories,
    compare_numbers,
    compare_shares,
    effective_size,
    match,
    psi,
    stratum_weights,
)


def levels(**counts: int) -> np.ndarray:
    return np.repeat(np.array(list(counts), dtype=object), list(counts.values()))


def test_a_null_lies_below_every_number() -> None:
    assert as_numbers([1.5, np.nan]).tolist() == [1.5, MISSING]
    assert as_numbers([0.1])[0] == np.float64(np.float32(0.1)), "in single precision"


def test_the_stability_index_of_numbers_is_over_the_deciles_of_the_reference() -> None:
    reference = np.arange(100.0)
    current = np.concatenate([np.arange(0.0, 100.0, 2.0), np.full(50, 99.0)])
    # Each decile holds a tenth of the reference and 5 of 100 current rows; the last one 55.
    expected = 9 * (0.05 - 0.1) * np.log(0.5) + (0.55 - 0.1) * np.log(5.5)
    assert compare_numbers(reference, current).psi == pytest.approx(expected)


def test_each_decile_counts_for_itself_in_the_stability_index() -> None:
    counts = np.arange(1, 11)
    current = np.repeat(np.arange(5.0, 100.0, 10.0), counts)
    expected = ((counts / 55 - 0.1) * np.log(counts / 5.5)).sum()
    assert compare_numbers(np.arange(100.0), current).psi == pytest.approx(expected)


def test_a_bin_that_nobody_is_in_any_more_counts_in_the_stability_index() -> None:
    """All are in the lowest decile now, which held a tenth; nine are empty."""
    expected = (1 - 0.1) * np.log(1 / 0.1) + 9 * (1e-4 - 0.1) * np.log(1e-4 / 0.1)
    assert compare_numbers(np.arange(100.0), np.zeros(20)).psi == pytest.approx(expected)


def test_numbers_are_compared_by_the_asymptotic_distribution_in_samples_of_any_size() -> None:
    """As with weights; exact p-values would make a jump where samples become large."""
    few, others = np.arange(10.0), np.arange(10.0) + 3.5
    oracle = stats.ks_2samp(few, others, method="asymp").pvalue
    assert oracle != pytest.approx(stats.ks_2samp(few, others, method="exact").pvalue)
    found = compare_numbers(few, others)
    assert found.p_value == pytest.approx(oracle)
    assert found.statistic == "ks"
    assert found.odds_ratio == 1.0, "of numbers there are no odds"


def test_weights_count_in_the_stability_index_and_in_the_size() -> None:
    rng = np.random.default_rng(0)
    reference, current = rng.normal(size=300), rng.normal(0.2, 1, 200)
    weights = np.where(reference > 0, 3.0, 1.0)
    found = compare_numbers(reference, current, weights)
    size = weights.sum() ** 2 / (weights**2).sum()
    p_value = stats.kstwo.sf(found.distance, round(size * 200 / (size + 200)))
    assert found.p_value == pytest.approx(p_value)
    above, below = weights[reference > 0].sum() / weights.sum(), (current > 0).mean()
    assert found.distance >= abs(above - below) - 1e-12
    assert found.psi != pytest.approx(compare_numbers(reference, current).psi)


def test_no_p_value_is_above_one_and_the_tiniest_sample_has_one() -> None:
    found = compare_numbers(np.array([1.0]), np.array([1.0]), np.array([1.0]))
    assert found.distance == 0 and found.p_value == 1.0
    found = compare_numbers(np.array([0.0, 1.0]), np.array([0.5]), np.ones(2))
    assert found.distance == 0.5 and found.p_value == 1.0, "of two rows against one, one counts"


def test_categories_are_compared_by_chi_square() -> None:
    reference, current = levels(a=60, b=40), levels(a=30, b=70)
    found = compare_categories(reference, current)
    assert found.statistic == CHI2 == "chi2", "as the table of drift names it"
    oracle = stats.chi2_contingency([[60, 40], [30, 70]], correction=False)
    assert found.p_value == pytest.approx(oracle[1])
    assert found.distance == pytest.approx(0.3)
    expected = (0.3 - 0.6) * np.log(0.5) + (0.7 - 0.4) * np.log(7 / 4)
    assert found.psi == pytest.approx(expected)


def test_a_level_is_rare_below_five_expected_rows() -> None:
    """Of 10 rows of 200 each half expects 5: not rare. Of 9 it expects 4.5: two of them go
    together."""
    kept = compare_categories(levels(a=95, b=5), levels(a=95, b=5))
    assert kept.p_value == pytest.approx(1.0)
    five = compare_categories(levels(a=90, b=10, c=0), levels(a=90, b=0, c=10))
    assert five.distance == pytest.approx(0.1), "ten rows of two hundred are not rare"
    four = compare_categories(levels(a=91, b=9, c=0), levels(a=91, b=0, c=9))
    assert four.distance == 0.0, "nine are, and both rare levels are one"


def test_the_smaller_sample_decides_what_is_rare() -> None:
    """40 of 1,000 in the reference expect 4 of 100."""
    small = compare_categories(levels(a=960, b=40), levels(a=100, c=4))
    oracle = stats.chi2_contingency([[960, 40], [100, 4]], correction=False)
    assert small.p_value == pytest.approx(oracle[1])


def test_a_single_row_of_a_rare_level_counts() -> None:
    found = compare_categories(levels(a=100, b=99, c=1), levels(a=100, b=100))
    tested = stats.chi2_contingency([[100, 99, 1], [100, 100, 0]], correction=False)
    assert found.p_value == pytest.approx(tested.pvalue)


def test_a_level_whose_rows_weigh_nothing_does_not_count() -> None:
    weights = np.repeat([1.0, 0.0], [120, 3])
    found = compare_categories(levels(a=60, b=60, c=3), levels(a=60, b=60), weights)
    assert found.distance == 0 and found.p_value == 1.0


def test_weighted_categories_have_the_effective_size() -> None:
    reference, current = levels(a=50, b=50), levels(a=50, b=50)
    weights = np.repeat([3.0, 1.0], 50)
    found = compare_categories(reference, current, weights)
    size = 200**2 / (50 * 9 + 50)
    table = [[size * 0.75, size * 0.25], [50, 50]]
    assert found.p_value == pytest.approx(stats.chi2_contingency(table, correction=False)[1])
    assert found.distance == pytest.approx(0.25)


def test_one_level_alone_does_not_differ() -> None:
    found = compare_categories(levels(a=20), levels(a=30))
    assert (found.distance, found.psi, found.p_value) == (0.0, 0.0, 1.0)


def test_an_empty_bin_counts_as_one_in_ten_thousand() -> None:
    expected = (1 - 1e-4) * np.log(1 / 1e-4)
    assert psi(np.array([1e-4, 1.0]), np.array([1.0, 1.0])) == pytest.approx(expected)
    assert psi(np.array([0.0, 1.0]), np.array([1.0, 1.0])) == pytest.approx(expected)


def test_p_values_are_adjusted_as_benjamini_and_hochberg_did() -> None:
    assert adjust(np.array([0.01, 0.04, 0.03])).tolist() == pytest.approx([0.03, 0.04, 0.04])


def test_the_effective_size_is_kishs() -> None:
    assert effective_size(np.array([1.0, 1.0, 2.0])) == pytest.approx(16 / 6)


def test_strata_give_a_sample_the_distribution_that_is_expected() -> None:
    driver = np.arange(100.0)
    weights = stratum_weights(driver, driver + 25)  # four strata; each moves on by one
    assert weights.tolist() == [0.0] * 25 + [1.0] * 50 + [2.0] * 25


def test_at_most_forty_strata_and_at_least_two() -> None:
    many = np.arange(4000.0)
    assert len(np.unique(stratum_weights(many, many % 100))) <= 41
    shifted = stratum_weights(many, many + 100)
    assert (shifted[:100] == 0).all() and (shifted[100:200] == 1).all()
    few = np.arange(20.0)
    assert stratum_weights(few, few + 10).tolist() == [0.0] * 10 + [2.0] * 10


def test_nulls_are_a_stratum_of_their_own() -> None:
    driver = np.array([*np.arange(50.0), *[np.nan] * 10])
    expected = np.array([*np.arange(50.0), *[np.nan] * 5, *[49.0] * 5])
    weights = stratum_weights(driver, expected)
    assert weights[-1] == 0.5
    assert weights[49] == pytest.approx(30 / 25) and weights[0] == 1.0


def test_without_a_known_driver_all_count_alike() -> None:
    assert stratum_weights(np.full(3, np.nan), np.full(3, np.nan)).tolist() == [1.0, 1.0, 1.0]


def yes(count: int, rows: int) -> np.ndarray:
    return np.arange(rows) < count


@pytest.mark.parametrize(
    ("before", "after"), [((40, 100), (84, 120)), ((84, 120), (40, 100)), ((3, 100), (9, 120))]
)
def test_shares_are_compared_by_chi_square_and_odds(
    before: tuple[int, int], after: tuple[int, int]
) -> None:
    """Where a cell has fewer than five, Yates corrects for continuity."""
    found = compare_shares(yes(*before), yes(*after))
    (first, rows), (second, others) = before, after
    table = [[first, second], [rows - first, others - second]]
    is_small = first < 5
    assert found.p_value == pytest.approx(stats.chi2_contingency(table, correction=is_small)[1])
    assert found.statistic == CHI2
    shares = first / rows, second / others
    assert found.distance == pytest.approx(abs(shares[0] - shares[1]))
    odds = [(n + 0.5) / (of - n + 0.5) for n, of in (before, after)]
    assert found.odds_ratio == pytest.approx(max(odds[0] / odds[1], odds[1] / odds[0]))
    assert found.odds_ratio > 1
    first_shares, second_shares = (np.array([share, 1 - share]) for share in shares)
    assert found.psi == pytest.approx(psi(first_shares, second_shares))


@pytest.mark.parametrize(("first", "is_corrected"), [(4, True), (5, False)])
def test_five_in_a_cell_are_enough(first: int, is_corrected: bool) -> None:
    table = [[first, 20], [100 - first, 80]]
    found = compare_shares(yes(first, 100), yes(20, 100))
    oracle = stats.chi2_contingency(table, correction=is_corrected)[1]
    assert found.p_value == pytest.approx(oracle, rel=1e-9)


@pytest.mark.parametrize("count", [0, 50])
def test_what_is_true_of_nobody_or_of_all_has_not_changed(count: int) -> None:
    found = compare_shares(yes(count, 50), yes(count, 50))
    assert found == Comparison(0.0, 0.0, 1.0, 1.0, CHI2)
    assert compare_shares(yes(0, 50), yes(50, 50)).distance == 1.0


def test_a_weighted_share_is_one_of_the_effective_size() -> None:
    strata = np.repeat([0, 1], 50), np.repeat([0, 1], [75, 25])
    found = compare_shares(yes(50, 100), yes(50, 100), Matching(*strata))
    assert np.unique(Matching(*strata).weights).tolist() == [0.5, 1.5]
    size = 100**2 / (50 * 1.5**2 + 50 * 0.5**2)
    assert found.distance == pytest.approx(0.25)
    assert found.odds_ratio == pytest.approx((size * 0.75 + 0.5) / (size * 0.25 + 0.5))


def test_the_odds_of_categories_are_those_of_the_level_that_has_changed_most_surely() -> None:
    """A rare level that doubles moves no index of the whole."""
    before, after = levels(a=9000, b=900, c=100), levels(a=8900, b=900, c=200)
    found = compare_categories(before, after)
    alone = compare_shares(before == "c", after == "c")
    assert found.odds_ratio == alone.odds_ratio == pytest.approx(2.02, abs=0.01)
    assert alone.p_value < compare_shares(before == "a", after == "a").p_value
    assert found.psi < 0.02


def test_rare_levels_are_put_together_and_the_others_stay() -> None:
    before, after = levels(a=80, b=14, c=3, d=3), levels(a=60, b=30, c=4, e=6)
    found = compare_categories(before, after)
    oracle = stats.chi2_contingency([[80, 14, 6], [60, 30, 10]], correction=False)
    assert found.p_value == pytest.approx(oracle[1])
    assert found.distance == pytest.approx((0.2 + 0.16 + 0.04) / 2)


def test_of_two_levels_there_is_no_correction() -> None:
    found = compare_categories(levels(a=10, b=5), levels(a=5, b=10))
    oracle = stats.chi2_contingency([[10, 5], [5, 10]], correction=False)
    assert found.p_value == pytest.approx(oracle[1])


def test_the_weighted_distance_is_the_largest_between_two_distributions() -> None:
    """Weights in the order of values, not of rows; ties are stepped over at once."""
    reference, weights = np.array([3.0, 1.0, 2.0, 2.0]), np.array([1.0, 4.0, 2.0, 1.0])
    found = compare_numbers(reference, np.array([2.0, 3.0, 3.0, 4.0]), weights)
    # Up to 1: 4 of 8 and none of 4; up to 2: 7 of 8 and 1 of 4; up to 3: all and 3 of 4.
    assert found.distance == pytest.approx(7 / 8 - 1 / 4)
    size = 64 / (1 + 16 + 4 + 1)
    rows = round(size * 4 / (size + 4))
    assert found.p_value == pytest.approx(stats.kstwo.sf(found.distance, rows))


def test_a_stratum_of_one_row_stands_for_all_that_are_expected_in_it() -> None:
    driver = np.array([*np.arange(50.0), np.nan])
    expected = np.array([*np.arange(49.0), np.nan, np.nan])
    assert stratum_weights(driver, expected)[-1] == 2.0


def test_a_level_that_nobody_has_any_more_counts() -> None:
    found = compare_categories(levels(a=50, z=50), levels(a=100))
    assert found.distance == pytest.approx(0.5)


def test_shares_in_strata_are_compared_as_cochran_mantel_and_haenszel_did() -> None:
    """True of how many of how many, before and now, stratum by stratum; nobody is in the last."""
    strata = [(10, 40, 25, 60), (3, 30, 6, 20), (0, 1, 0, 0)]
    before = np.concatenate([yes(true, rows) for true, rows, _, _ in strata])
    now = np.concatenate([yes(true, rows) for _, _, true, rows in strata])
    own = np.repeat(np.arange(3), [rows for _, rows, _, _ in strata])
    other = np.repeat(np.arange(3), [rows for _, _, _, rows in strata])
    found = compare_shares(before, now, Matching(own, other))
    excess = variance = 0.0
    for true_before, rows_before, true_now, rows_now in strata[:2]:
        rows, true = rows_before + rows_now, true_before + true_now
        excess += true_now - true * rows_now / rows
        variance += true * (rows - true) * rows_before * rows_now / (rows**2 * (rows - 1))
    assert found.p_value == pytest.approx(stats.chi2.sf(excess**2 / variance, 1), rel=1e-9)


def test_rows_are_matched_by_groups_of_equal_size_whose_lowest_value_is_inside() -> None:
    reference = np.arange(100.0)[:, None]
    current = np.array([-5.0, 24.9, 25.0, 74.9, 75.0, 200.0, np.nan])[:, None]
    found = match(reference, current)
    assert found.reference.tolist() == np.repeat([0, 1, 2, 3], 25).tolist()
    assert found.current.tolist() == [0, 0, 1, 2, 3, 3, 0]
    few = match(np.arange(49.0)[:, None], np.arange(3.0)[:, None])
    assert set(few.reference) == set(few.current) == {0}, "fifty rows are needed for two groups"


def test_of_the_first_driver_there_are_twenty_groups_and_six_in_each_of_the_next() -> None:
    rows = np.arange(6000)
    reference = np.column_stack([rows // 300, rows % 300]).astype(np.float64)
    found = match(reference, reference[::7])
    assert found.reference.tolist() == (rows // 50).tolist()
    assert found.current.tolist() == (rows[::7] // 50).tolist()
