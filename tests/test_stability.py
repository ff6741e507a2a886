"""Stability of rankings against published numbers, simulation and plain formulas."""

import itertools

import numpy as np
import pytest
from scipy.stats import t as student_t

from smalldata.statistics.rank_stability import (
    OVERLAP,
    nogueira,
    rank_biased_overlap,
    top_k_frequency,
    top_k_sets,
)

# ---------------------------------------------------------------- how often among the first


def test_ties_go_to_the_earlier_feature_and_unused_features_are_never_among_the_first():
    importances = [[1.0, 3.0, 3.0, 0.0], [2.0, 2.0, 2.0, 5.0], [0.0, 0.0, 0.1, 0.0]]
    assert top_k_sets(importances, 2).tolist() == [
        [False, True, True, False],
        [True, False, False, True],
        [False, False, True, False],
    ]
    np.testing.assert_allclose(top_k_frequency(importances, 2), [1 / 3, 1 / 3, 2 / 3, 1 / 3])
    assert top_k_frequency(importances, 9).tolist() == [2 / 3, 2 / 3, 1.0, 1 / 3]


# ---------------------------------------------------------------- stability of sets


def test_stability_equals_the_authors_program():
    """Number of the Python program that Nogueira, Sechidis & Brown published with their paper."""
    sets = ["111110011", "011100000", "111101000", "111010000", "111000000", "111101000"]
    selections = np.array([[int(held) for held in one] for one in [*sets, "101100000"]])
    stability, low, high = nogueira(selections)
    assert stability == pytest.approx(0.42727272727272725)
    without = [nogueira(np.delete(selections, one, axis=0))[0] for one in range(7)]
    reach = student_t(6).ppf(0.975) * np.std(without) * np.sqrt(6)
    assert (low, high) == pytest.approx((stability - reach, stability + reach))


def test_stability_of_equal_sizes_is_the_mean_kuncheva_index():
    """For sets of one size k the index is the mean over pairs of (r - k²/d) / (k - k²/d)."""
    rng = np.random.default_rng(0)
    sets = np.stack([rng.permutation(np.arange(12) < 4) for _ in range(6)])
    kuncheva = [
        (np.sum(a & b) - 16 / 12) / (4 - 16 / 12) for a, b in itertools.combinations(sets, 2)
    ]
    assert nogueira(sets)[0] == pytest.approx(np.mean(kuncheva))


def test_stability_is_one_for_equal_and_zero_for_random_sets():
    assert nogueira([[True, False, True]] * 3) == pytest.approx((1, 1, 1))
    assert nogueira([[True, False], [False, True]]) == pytest.approx((-1, -1, 1))
    nearly_empty = [[True, False, False], [False] * 3, [False] * 3]
    assert nogueira(nearly_empty)[1:] == pytest.approx((-0.5, 1))
    rng = np.random.default_rng(1)
    values = [nogueira(rng.random((8, 30)) < 0.3)[0] for _ in range(400)]
    assert abs(np.mean(values)) < 4 * np.std(values) / 20


@pytest.mark.parametrize("n_sets", [5, 25])
@pytest.mark.parametrize("unsteady", [0.05, 0.3])
def test_the_interval_covers_the_stability_of_the_population(n_sets, unsteady):
    """Features chosen independently with known shares: sizes differ, the limit is known."""
    rng = np.random.default_rng(2)
    shares = np.where(np.arange(60) < 12, 1 - unsteady, unsteady / 4)
    size = shares.mean()
    truth = 1 - np.mean(shares * (1 - shares)) / (size * (1 - size))
    found = np.array([nogueira(rng.random((n_sets, 60)) < shares) for _ in range(1500)])
    covered = (found[:, 1] <= truth) & (truth <= found[:, 2])
    assert 0.92 < covered.mean() < 0.98
    assert found[:, 0].mean() == pytest.approx(truth, abs=0.01)
    reach = (found[:, 2] - found[:, 1]) / 2
    assert reach.mean() < 3.6 * found[:, 0].std()
    sets = rng.random((n_sets, 60)) < shares
    half, whole = nogueira(sets, level=0.5), nogueira(sets)
    assert whole[1] < half[1] < half[0] < half[2] < whole[2]


def fold_sets(rng, n, n_features, n_splits, n_repeats):
    """Ten features of largest |t| in each training fold of a fresh table, eight of them real."""
    y = rng.permutation(np.arange(n) % 2)
    X = rng.normal(size=(n, n_features))
    X[:, :8] += np.outer(y - 0.5, np.linspace(0.5, 1.2, 8))
    scores = []
    for _ in range(n_repeats):
        order = rng.permutation(n)
        for fold in range(n_splits):
            kept = np.delete(order, np.s_[fold::n_splits])
            a, b = X[kept[y[kept] == 1]], X[kept[y[kept] == 0]]
            spread = np.sqrt(a.var(axis=0) / len(a) + b.var(axis=0) / len(b))
            scores.append(np.abs(a.mean(axis=0) - b.mean(axis=0)) / spread)
    return top_k_sets(np.array(scores), 10)


@pytest.mark.parametrize(("n_splits", "n_repeats"), [(5, 3), (10, 1)])
def test_the_interval_of_overlapping_folds_covers_what_other_samples_give(n_splits, n_repeats):
    """As if the folds were independent, it would cover half the time."""
    rng = np.random.default_rng(4)
    drawn = [fold_sets(rng, 60, 60, n_splits, n_repeats) for _ in range(250)]
    found = np.array([nogueira(sets, overlap=OVERLAP) for sets in drawn])
    truth = found[:, 0].mean()
    assert np.mean((found[:, 1] <= truth) & (truth <= found[:, 2])) > 0.92
    naive = np.array([nogueira(sets) for sets in drawn])
    assert np.mean((naive[:, 1] <= truth) & (truth <= naive[:, 2])) < 0.8
    assert np.array_equal(naive[:, 0], found[:, 0])


def test_undefined_stability_is_refused():
    with pytest.raises(ValueError, match="at least two sets; got 1"):
        nogueira([[True, False]])
    with pytest.raises(ValueError, match="3 sets have none of 2"):
        nogueira([[False, False]] * 3)
    with pytest.raises(ValueError, match="3 sets have all of 2"):
        nogueira([[True, True]] * 3)


# ---------------------------------------------------------------- overlap of rankings

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    ("other", "p", "overlap"),
    [
        ("karfvodcjmwgzlypebunq", 0.9, 0.468431),
        ("zhatsimjpnkvcfxwqgoeryubd", 0.9, 0.364444),
        ("f", 0.9, 0.053090),
        ("zclx", 0.9, 0.233312),
        ("av", 0.2, 0.9),
        ("nxqyk", 0.9, 0.049050),
    ],
)
def test_overlap_equals_the_authors_program(other, p, overlap):
    """Numbers of Webber's program, kept as test data of the Rust crate rbo (MIT)."""
    assert rank_biased_overlap(ALPHABET, other, p) == pytest.approx(overlap, abs=6e-7)
    assert rank_biased_overlap(other, ALPHABET, p) == pytest.approx(overlap, abs=6e-7)


def direct_overlap(first, second, p):
    """Equation 32 of the paper, term by term."""
    short, long = sorted((first, second), key=len)
    s, n = len(short), len(long)

    def shared(depth):
        return len(set(short[:depth]) & set(long[:depth]))

    total = sum(shared(d) / d * p**d for d in range(1, n + 1))
    total += sum(shared(s) * (d - s) / (s * d) * p**d for d in range(s + 1, n + 1))
    return (1 - p) / p * total + ((shared(n) - shared(s)) / n + shared(s) / s) * p**n


def test_overlap_equals_the_direct_formula():
    rng = np.random.default_rng(3)
    for _ in range(60):
        first = rng.permutation(14)[: rng.integers(1, 12)].tolist()
        second = rng.permutation(14)[: rng.integers(1, 12)].tolist()
        p = rng.uniform(0.05, 0.98)
        found = rank_biased_overlap(first, second, p)
        assert found == pytest.approx(direct_overlap(first, second, p), abs=1e-12)
        assert 0 <= found <= 1


def test_overlap_of_identical_disjoint_and_empty_rankings():
    assert rank_biased_overlap([3, 1, 2], [3, 1, 2], 0.99) == 1
    assert rank_biased_overlap([3, 1, 2], [3, 1]) == pytest.approx(1)
    assert rank_biased_overlap([1, 2], [3, 4]) == 0
    assert rank_biased_overlap([], []) == 1
    assert rank_biased_overlap([], [1]) == 0
    # Infinite rankings: the first place alone weighs 1 - p + p (1 - p) / 2 …, here by its limit.
    assert rank_biased_overlap([1, 2, 3], [1, 3, 2], 1e-9) == pytest.approx(1)
    with pytest.raises(ValueError, match="have every item once"):
        rank_biased_overlap([1, 1], [1, 2])
    with pytest.raises(ValueError, match="p must be between 0 and 1; got 1"):
        rank_biased_overlap([1], [1], 1)
