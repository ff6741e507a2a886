"""Intervals of proportions and ratios. Oracles: scipy, a published example, the score test itself,
simulation."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest, chi2

from smalldata.statistics.proportions import (
    N_DRAWS,
    UNSEEN,
    draw_rows,
    effective_size,
    ratio_interval,
    size_by_draws,
    weighted_difference,
    wilson_interval,
)


def one(*values):
    return [np.array([float(value)]) for value in values]


@pytest.mark.parametrize(("k", "n"), [(0, 15), (1, 15), (7, 20), (15, 15), (299, 300)])
def test_wilson_equals_scipy(k, n):
    low, high = wilson_interval(*one(k / n, n))
    expected = binomtest(k, n).proportion_ci(method="wilson")
    assert low[0] == pytest.approx(expected.low, abs=1e-12)
    assert high[0] == pytest.approx(expected.high, abs=1e-12)
    assert high[0] - low[0] > 0.01


def test_wilson_of_no_rows_says_nothing():
    low, high = wilson_interval(*one(1.0, 0.0))
    assert low[0] == pytest.approx(0.0, abs=1e-6)
    assert high[0] == 1.0


def test_ratio_interval_equals_the_published_example():
    """Koopman (1984): 36 of 40 against 16 of 80."""
    low, high = ratio_interval(*one(36 / 40, 40, 16 / 80, 80))
    assert (round(low[0], 2), round(high[0], 2)) == (2.94, 7.15)


def likelihood_score(ratio, k_1, n_1, k_2, n_2):
    """Chi square of the score test, its restricted estimate found by a search."""

    def loss(p):
        q = min(ratio * p, 1 - 1e-12)
        return -(
            k_1 * np.log(q)
            + (n_1 - k_1) * np.log1p(-q)
            + k_2 * np.log(p)
            + (n_2 - k_2) * np.log1p(-p)
        )

    top = min(1.0, 1 / ratio) - 1e-12
    p = minimize_scalar(loss, bounds=(1e-12, top), method="bounded", options={"xatol": 1e-12}).x
    q = ratio * p
    variance = q * (1 - q) / n_1 + ratio**2 * p * (1 - p) / n_2
    return (k_1 / n_1 - ratio * k_2 / n_2) ** 2 / variance


@pytest.mark.parametrize("counts", [(9, 12, 3, 30), (1, 8, 5, 9), (20, 20, 1, 40), (7, 9, 7, 9)])
def test_ratio_bounds_are_those_the_score_test_just_accepts(counts):
    k_1, n_1, k_2, n_2 = counts
    for bound in ratio_interval(*one(k_1 / n_1, n_1, k_2 / n_2, n_2)):
        found = likelihood_score(float(bound[0]), *counts)
        assert found == pytest.approx(chi2.ppf(0.95, 1), rel=1e-3)


def test_ratio_interval_of_the_inverse_is_the_inverse():
    low, high = ratio_interval(*one(0.8, 25, 0.3, 40))
    other_low, other_high = ratio_interval(*one(0.3, 40, 0.8, 25))
    assert low[0] == pytest.approx(1 / other_high[0])
    assert high[0] == pytest.approx(1 / other_low[0])


def test_ratio_without_a_divisor_is_bounded_below_alone():
    low, high = ratio_interval(*one(1.0, 15, 0.0, 15))
    assert 4 < low[0] < 6
    assert np.isinf(high[0])
    low, high = ratio_interval(*one(0.0, 15, 0.5, 15))
    assert low[0] == 0
    assert 0 < high[0] < 1
    low, high = ratio_interval(*one(0.0, 15, 0.0, 15))
    assert (low[0], np.isinf(high[0])) == (0, True)
    low, high = ratio_interval(*one(1.0, 15, 1.0, 15))
    assert low[0] < 0.85 < 1.2 < high[0]


def test_ratio_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    n_1, n_2, p_1, p_2 = 25, 60, 0.85, 0.1
    first, second = rng.binomial(n_1, p_1, 4000) / n_1, rng.binomial(n_2, p_2, 4000) / n_2
    low, high = ratio_interval(first, np.full(4000, n_1), second, np.full(4000, n_2))
    covered = np.mean((low <= p_1 / p_2) & (p_1 / p_2 <= high))
    assert 0.93 < covered < 0.97


def test_rows_of_a_group_count_for_as_much_as_they_tell():
    rng = np.random.default_rng(0)
    calls = rng.integers(0, 2, (40, 1)).astype(float)
    assert effective_size(calls).tolist() == [40.0]
    groups = np.repeat(np.arange(40), 5)
    worth = effective_size(np.repeat(calls, 5, axis=0), groups)[0]
    assert 35 < worth <= 40, "five copies of a row are one row"
    same = effective_size(np.ones((200, 1)), groups)[0]
    assert 35 < same <= 40, "without variation a group is one row"
    assert effective_size(calls, np.zeros(40, dtype=int)).tolist() == [0.0]
    assert 190 < effective_size(rng.integers(0, 2, (200, 1)).astype(float), groups)[0] <= 200


def test_intervals_of_grouped_rows_hold_the_truth_and_those_of_rows_do_not():
    rng = np.random.default_rng(1)
    n_groups, per_group, n_tables = 20, 6, 800
    groups = np.repeat(np.arange(n_groups), per_group)
    p = rng.beta(1.4, 0.6, (n_groups, n_tables))  # mean 0.7
    calls = (rng.random((len(groups), n_tables)) < p[groups]).astype(float)
    share = calls.mean(axis=0)

    def covered(sizes):
        low, high = wilson_interval(share, sizes)
        return np.mean((low <= 0.7) & (high >= 0.7))

    assert 0.93 < covered(effective_size(calls, groups)) < 0.985
    assert covered(effective_size(calls)) < 0.85


def test_a_weighted_difference_has_a_width_and_holds_the_truth():
    low, high = weighted_difference(*one(0.3, 1.0, 20, 0.7, 0.0, 50))
    assert low[0] < 0.3 - 0.03
    assert high[0] == pytest.approx(0.3)
    rng = np.random.default_rng(2)
    first, second = rng.binomial(20, 0.9, 4000) / 20, rng.binomial(50, 0.1, 4000) / 50
    low, high = weighted_difference(
        *one(0.3), first, np.full(4000, 20), *one(0.7), second, np.full(4000, 50)
    )
    truth = 0.3 * 0.9 - 0.7 * 0.1
    assert 0.93 < np.mean((low <= truth) & (truth <= high)) < 0.975


def test_draws_take_whole_groups_and_depend_on_the_seed_alone():
    groups = np.repeat(np.arange(10), 3)
    drawn = draw_rows(30, groups, seed=0)
    assert drawn.shape == (N_DRAWS, 30)
    assert np.all(drawn.sum(axis=1) == 30)
    assert np.all(drawn[:, ::3] == drawn[:, 1::3])
    assert np.array_equal(drawn, draw_rows(30, groups, seed=0))
    assert not np.array_equal(drawn, draw_rows(30, groups, seed=1))


def test_draws_that_vary_more_than_rows_do_make_the_rows_worth_less():
    rng = np.random.default_rng(0)
    share, n = 0.8, 50.0
    spread = np.sqrt(share * (1 - share) / n / UNSEEN)
    alike = size_by_draws(share, share + spread * rng.normal(size=20_000), n)
    assert alike == pytest.approx(n, rel=0.02)
    wider = size_by_draws(share, share + 2 * spread * rng.normal(size=20_000), n)
    assert wider == pytest.approx(n / 4, rel=0.05)
    assert size_by_draws(share, np.full(200, share), n) == n
    assert size_by_draws(1.0, np.full(200, np.nan), n) == n
    assert 2 < size_by_draws(1.0, rng.uniform(0.7, 1.0, 200), n) < n
