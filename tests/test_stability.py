"""Stability of rankings against published numbers, simulation and plain formulas."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.cluster.hierarchy import average, cophenet, dendrogram, fcluster
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr
from scipy.stats import t as student_t

from smalldata.stability import (
    correlation_groups,
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


def test_stability_is_that_of_the_authors_program():
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


def test_stability_of_equal_and_of_random_sets():
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


def test_stability_that_is_not_defined_is_refused():
    with pytest.raises(ValueError, match="at least two sets; got 1"):
        nogueira([[True, False]])
    with pytest.raises(ValueError, match="3 sets hold none of 2"):
        nogueira([[False, False]] * 3)
    with pytest.raises(ValueError, match="3 sets hold all of 2"):
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
def test_overlap_is_that_of_the_authors_program(other, p, overlap):
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


def test_overlap_is_the_direct_formula():
    rng = np.random.default_rng(3)
    for _ in range(60):
        first = rng.permutation(14)[: rng.integers(1, 12)].tolist()
        second = rng.permutation(14)[: rng.integers(1, 12)].tolist()
        p = rng.uniform(0.05, 0.98)
        found = rank_biased_overlap(first, second, p)
        assert found == pytest.approx(direct_overlap(first, second, p), abs=1e-12)
        assert 0 <= found <= 1


def test_overlap_at_its_ends():
    assert rank_biased_overlap([3, 1, 2], [3, 1, 2], 0.99) == 1
    assert rank_biased_overlap([3, 1, 2], [3, 1]) == pytest.approx(1)
    assert rank_biased_overlap([1, 2], [3, 4]) == 0
    assert rank_biased_overlap([], []) == 1
    assert rank_biased_overlap([], [1]) == 0
    # Infinite rankings: the first place alone weighs 1 - p + p (1 - p) / 2 …, here by its limit.
    assert rank_biased_overlap([1, 2, 3], [1, 3, 2], 1e-9) == pytest.approx(1)
    with pytest.raises(ValueError, match="hold everything once"):
        rank_biased_overlap([1, 1], [1, 2])
    with pytest.raises(ValueError, match="p must be between 0 and 1; got 1"):
        rank_biased_overlap([1], [1], 1)


# ---------------------------------------------------------------- groups and twins


@pytest.fixture(scope="module")
def table():
    """Three families, one loner, one category, missing cells in some columns, ties in one."""
    rng = np.random.default_rng(4)
    hidden = rng.normal(size=(60, 4))
    columns = {}
    for family in range(3):
        for member in range(3):
            noise = 0.3 * (member + 1) * rng.normal(size=60)
            sign = -1 if member == 1 else 1
            columns[f"f{family}{member}"] = sign * np.exp(hidden[:, family] + noise)
    columns["loner"] = hidden[:, 3]
    columns["whole"] = np.round(hidden[:, 0])
    columns["flat"] = np.ones(60)
    X = pd.DataFrame(columns)
    X["kind"] = pd.Categorical(np.where(hidden[:, 0] > 0, "a", "b"))
    for name, share in (("f01", 0.2), ("f12", 0.4), ("loner", 0.1)):
        X.loc[rng.random(60) < share, name] = np.nan
    X["rare"] = np.where(np.arange(60) < 9, X["f00"], np.nan)
    return X


def pairwise(X, first, second):
    both = X[[first, second]].dropna()
    if len(both) < 10 or both.nunique().min() < 2:
        return 0.0
    return spearmanr(both[first], both[second]).statistic


def test_groups_are_those_of_scipy_on_spearman_of_pairs(table):
    names = [name for name in table.columns if name != "kind"]
    names = [names[place] for place in np.random.default_rng(5).permutation(len(names))]
    distance = np.zeros((len(names), len(names)))
    for i, j in itertools.combinations(range(len(names)), 2):
        distance[i, j] = distance[j, i] = 1 - abs(pairwise(table, names[i], names[j]))
    tree = average(squareform(distance))
    for threshold in (0.3, 0.6, 0.9):
        found = correlation_groups(table, names, threshold=threshold)
        same = np.equal.outer(np.array(found.group), np.array(found.group))
        labels = fcluster(tree, 1 - threshold, criterion="distance")
        np.testing.assert_array_equal(same, np.equal.outer(labels, labels))
        firsts = [found.group.index(g) for g in range(max(found.group) + 1)]
        assert firsts == sorted(firsts)
    heights = [merge.height for merge in found.merges]
    np.testing.assert_allclose(heights, tree[:, 2], atol=1e-12)
    assert cophenet(tree).max() == pytest.approx(max(heights))


def test_brackets_are_those_of_a_dendrogram(table):
    names = ["f00", "f10", "f02", "f20", "f11", "loner"]
    found = correlation_groups(table, names)
    distance = [
        1 - abs(pairwise(table, first, second))
        for first, second in itertools.combinations(names, 2)
    ]
    drawn = dendrogram(average(distance), no_plot=True)
    assert list(found.order) == drawn["leaves"]
    ours = sorted((m.left, m.right, m.left_height, m.right_height, m.height) for m in found.merges)
    theirs = sorted(
        ((x[0] - 5) / 10, (x[2] - 5) / 10, y[0], y[3], y[1])
        for x, y in zip(drawn["icoord"], drawn["dcoord"], strict=True)
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_twins_are_found_among_all_columns_in_chunks(table, monkeypatch):
    names = list(table.columns)
    whole = correlation_groups(table, names[:6])
    for name, twin in zip(names[:6], whole.twins, strict=True):
        others = [other for other in names if other not in (name, "kind")]
        sizes = [abs(pairwise(table, name, other)) for other in others]
        assert twin.name == others[int(np.argmax(sizes))]
        assert twin.correlation == pytest.approx(pairwise(table, name, twin.name))
    assert any(twin.correlation < 0 for twin in whole.twins)
    assert {twin.name for twin in whole.twins} - set(names[:6]), "none beyond the features given"
    monkeypatch.setattr("smalldata.stability.CHUNK_BYTES", 1)
    again = correlation_groups(table, names[:6])
    assert again == whole


def test_what_cannot_be_compared_stays_alone(table):
    found = correlation_groups(table, ["f00", "kind", "flat", "rare", "whole"], threshold=0.1)
    assert found.group[0] == found.group[4]
    assert len(set(found.group)) == 4
    assert [twin is None for twin in found.twins] == [False, True, True, True, False]
    alone = correlation_groups(table, ["kind"])
    assert (alone.group, alone.order, alone.merges, alone.twins) == ((0,), (0,), (), (None,))


def test_few_rows_are_compared_all_the_same():
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0, 5.0], "b": [2.0, 3.0, 4.0, 1.0], "c": [4.0, 3, 2, 1]})
    found = correlation_groups(X, ["a", "b", "c"], threshold=1.0)
    assert found.group == (0, 1, 0)
    assert found.twins[0].correlation == pytest.approx(-1)


def test_groups_that_cannot_be_made_are_refused(table):
    for names in (["f00", "f00"], [], ["absent"]):
        with pytest.raises(ValueError, match="different columns of the table"):
            correlation_groups(table, names)
    for threshold in (0.0, 1.1):
        with pytest.raises(ValueError, match="above 0 and at most 1"):
            correlation_groups(table, ["f00"], threshold=threshold)
