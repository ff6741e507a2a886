"""Oracles: a printed reference case, baycomp, scipy, closed Bonferroni tests, simulation."""

import itertools
import math

import baycomp
import numpy as np
import pytest
import scipy.stats

from smalldata.statistics.significance import (
    corrected_interval,
    corrected_test,
    draw_weights,
    holm,
    percentile_interval,
)

A = """.8905 .9849 .8978 .8615 .9179 .8827 .8654 .9351 .9149 .8829 .8417 .8831 .8825 .9246 .8969
.9355 .9039 .9073 .9063 .8734 .8329 .8885 .8694 .8288 .8596"""
B = """.8624 .9319 .8942 .8514 .8947 .8855 .8450 .9253 .8883 .8928 .8428 .8862 .8896 .8770 .8945
.9213 .9015 .8611 .9055 .8558 .8248 .8786 .8569 .8413 .8506"""
FIRST, SECOND = (np.array([float(word) for word in text.split()]) for text in (A, B))


def test_corrected_test_equals_reference_case():
    found = corrected_test(FIRST, SECOND, ratio=0.25, rope=0.01)
    assert f"{found.difference:.6f}" == "0.012360"
    assert f"{np.var(FIRST - SECOND, ddof=1):.6e}" == "3.041792e-04"
    assert f"{found.t:.6f}" == "1.315997"
    assert f"{found.p:.6f}" == "0.200607"
    assert f"{found.low:.6f}" == "-0.007024"
    assert f"{found.high:.6f}" == "0.031744"
    assert f"{found.p_above:.6f}" == "0.598130"
    assert f"{found.p_equal:.6f}" == "0.389088"
    assert f"{found.p_below:.6f}" == "0.012782"


@pytest.mark.parametrize("seed", range(10))
def test_corrected_test_equals_baycomp_and_scipy(seed):
    rng = np.random.default_rng(seed)
    a = rng.uniform(0.6, 0.9, 25)
    b = a + rng.normal(rng.normal(scale=0.02), 0.03, 25)
    rope = float(rng.uniform(0, 0.03))
    found = corrected_test(a, b, ratio=0.25, rope=rope)
    # baycomp speaks of second minus first, so its left is "the first is higher"
    left, equal, right = baycomp.CorrelatedTTest.probs(a, b, rope=rope, runs=5)
    assert found.p_above == pytest.approx(left, abs=1e-10)
    assert found.p_equal == pytest.approx(equal, abs=1e-10)
    assert found.p_below == pytest.approx(right, abs=1e-10)
    plain = scipy.stats.ttest_rel(a, b)
    uncorrected = corrected_test(a, b, ratio=0.0)
    assert uncorrected.p == pytest.approx(plain.pvalue, rel=1e-9)
    bounds = plain.confidence_interval(0.95)
    assert uncorrected.low == pytest.approx(bounds.low, abs=1e-12)
    assert uncorrected.high == pytest.approx(bounds.high, abs=1e-12)


def test_swapping_models_mirrors_the_test():
    one, other = (
        corrected_test(FIRST, SECOND, ratio=0.25, rope=0.01),
        corrected_test(SECOND, FIRST, ratio=0.25, rope=0.01),
    )
    assert other.t == pytest.approx(-one.t)
    assert other.p == pytest.approx(one.p)
    assert (other.low, other.high) == pytest.approx((-one.high, -one.low))
    assert other.p_above == pytest.approx(one.p_below)


def test_corrected_interval_equals_test_against_zero():
    test = corrected_test(FIRST, np.zeros(25), ratio=0.25, level=0.9)
    interval = corrected_interval(FIRST, ratio=0.25, level=0.9)
    assert (interval.low, interval.high) == pytest.approx((test.low, test.high))
    assert interval.mean == pytest.approx(FIRST.mean())


def test_identical_scores_are_equivalent_with_probability_one():
    found = corrected_test(FIRST, FIRST + 1e-16, ratio=0.25, rope=0.01)
    assert (found.difference, found.t, found.p) == (0, 0, 1)
    assert (found.low, found.high) == (0, 0)
    assert (found.p_above, found.p_equal, found.p_below) == (0, 1, 0)


def test_constant_difference_gives_an_infinite_statistic():
    found = corrected_test(FIRST + 0.05, FIRST, ratio=0.25, rope=0.01)
    assert found.difference == pytest.approx(0.05)
    assert found.t == math.inf
    assert found.p == 0
    assert (found.p_above, found.p_equal, found.p_below) == (1, 0, 0)
    within = corrected_test(FIRST, FIRST + 0.005, ratio=0.25, rope=0.01)
    assert (within.p_above, within.p_equal, within.p_below) == (0, 1, 0)
    flat = corrected_interval([0.5] * 25, ratio=0.25)
    assert (flat.low, flat.mean, flat.high) == (0.5, 0.5, 0.5)


def test_zero_scores_give_no_difference():
    found = corrected_test(np.zeros(5), np.zeros(5), ratio=0.25)
    assert (found.t, found.p) == (0, 1)


def test_single_fold_is_refused():
    with pytest.raises(ValueError, match="at least two scores; got 1"):
        corrected_interval([0.8], ratio=0.25)
    with pytest.raises(ValueError, match="same folds; got 2 and 3"):
        corrected_test([0.8, 0.7], [0.8, 0.7, 0.6], ratio=0.25)


def test_corrected_test_keeps_its_level_where_the_plain_test_does_not():
    """Two exchangeable models: least squares on one or the other of two equal columns."""
    rng = np.random.default_rng(7)
    n, n_simulations = 40, 300
    corrected = plain = 0
    for _ in range(n_simulations):
        x, y = rng.normal(size=(2, n)), rng.normal(size=n)
        y += 0.7 * x.sum(axis=0)
        errors = [[], []]
        for _ in range(5):
            for test in np.array_split(rng.permutation(n), 5):
                train = np.setdiff1d(np.arange(n), test)
                for model in range(2):
                    slope, level = np.polyfit(x[model, train], y[train], 1)
                    rest = y[test] - level - slope * x[model, test]
                    errors[model].append(float(np.mean(rest**2)))
        corrected += corrected_test(errors[0], errors[1], ratio=0.25).p < 0.05
        plain += corrected_test(errors[0], errors[1], ratio=0.0).p < 0.05
    assert plain / n_simulations > 0.25
    assert 0.0 < corrected / n_simulations < 0.10


# ---------------------------------------------------------------- Holm


def closed_bonferroni(p):
    """Holm is the closure of Bonferroni tests: the largest p over all subsets holding i."""
    n = len(p)
    subsets = [s for size in range(1, n + 1) for s in itertools.combinations(range(n), size)]
    return [max(min(1, len(s) * min(p[j] for j in s)) for s in subsets if i in s) for i in range(n)]


@pytest.mark.parametrize("seed", range(20))
def test_holm_equals_closed_bonferroni_tests(seed):
    rng = np.random.default_rng(seed)
    p = np.round(rng.beta(0.5, 2, int(rng.integers(1, 9))), 2)
    assert holm(p) == pytest.approx(closed_bonferroni(p), abs=1e-15)


def test_holm_of_no_p_values_is_empty():
    assert len(holm([])) == 0


# ---------------------------------------------------------------- the bootstrap


def test_bootstrap_weights_draw_whole_groups():
    units = np.array([0, 0, 1, 2, 2, 2])
    weights = draw_weights(units, 500, seed=3)
    assert weights.shape == (500, 6)
    assert np.all(weights[:, 0] == weights[:, 1])
    assert np.all(weights[:, 3:5] == weights[:, 5:6])
    assert np.all(weights[:, [0, 2, 3]].sum(axis=1) == 3)
    assert np.mean(weights) == pytest.approx(1, abs=0.1)
    assert np.mean(weights[:, 0] == 0) == pytest.approx((2 / 3) ** 3, abs=0.06)
    assert np.array_equal(weights, draw_weights(units * 10 + 4, 500, seed=3))


def test_bootstrap_percentiles_of_a_mean_match_the_normal():
    values = np.random.default_rng(0).normal(size=400)
    weights = draw_weights(np.arange(400), 4000, seed=1)
    found = percentile_interval(values.mean(), weights @ values / 400)
    error = values.std() / 20
    assert found.mean == values.mean()
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
