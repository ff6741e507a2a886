"""Groups and twins against scipy's clustering of Spearman correlations taken pair by pair."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.cluster.hierarchy import average, cophenet, dendrogram, fcluster
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr

from smalldata.statistics.correlation_groups import correlation_groups


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


def test_groups_equal_scipy_clustering_of_spearman(table):
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


def test_brackets_equal_a_scipy_dendrogram(table):
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
    monkeypatch.setattr("smalldata.statistics.correlation_groups.CHUNK_BYTES", 1)
    again = correlation_groups(table, names[:6])
    assert again == whole


def test_constant_and_categorical_columns_stay_alone(table):
    found = correlation_groups(table, ["f00", "kind", "flat", "rare", "whole"], threshold=0.1)
    assert found.group[0] == found.group[4]
    assert len(set(found.group)) == 4
    assert [twin is None for twin in found.twins] == [False, True, True, True, False]
    alone = correlation_groups(table, ["kind"])
    assert (alone.group, alone.order, alone.merges, alone.twins) == ((0,), (0,), (), (None,))


def test_columns_with_few_rows_are_compared():
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0, 5.0], "b": [2.0, 3.0, 4.0, 1.0], "c": [4.0, 3, 2, 1]})
    found = correlation_groups(X, ["a", "b", "c"], threshold=1.0)
    assert found.group == (0, 1, 0)
    assert found.twins[0].correlation == pytest.approx(-1)


def test_invalid_group_settings_are_refused(table):
    for names in (["f00", "f00"], [], ["absent"]):
        with pytest.raises(ValueError, match="different columns of the table"):
            correlation_groups(table, names)
    for threshold in (0.0, 1.1):
        with pytest.raises(ValueError, match="above 0 and at most 1"):
            correlation_groups(table, ["f00"], threshold=threshold)
