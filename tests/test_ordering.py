"""The order of the columns: neighbours alike, found on the training rows alone."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from smalldata.models.networks import ordering
from smalldata.models.networks.ordering import (
    correlation_order,
    neighbour_likeness,
    order_columns,
)


def spectra(n=60, p=80, seed=0):
    """Rows of a few broad peaks: neighbours are alike."""
    rng = np.random.default_rng(seed)
    places = np.arange(p)
    peaks = [np.exp(-((places - centre) ** 2) / 50) for centre in rng.uniform(0, p, 8)]
    return rng.normal(size=(n, 8)) @ peaks + 0.01 * rng.normal(size=(n, p))


def test_spectra_keep_their_order_and_shuffled_ones_are_reordered():
    X = spectra()
    assert order_columns(X, "auto") is None
    assert order_columns(X, "given") is None
    alike = spectra() + 20 * np.random.default_rng(5).normal(size=(60, 1))
    assert neighbour_likeness(alike[:, ::-7]) > 0.9  # any two wavelengths are alike
    assert order_columns(alike, "auto") is None
    assert order_columns(alike[:, np.random.default_rng(6).permutation(80)], "auto") is not None
    unrelated = np.random.default_rng(7).normal(size=(60, 20))
    assert order_columns(unrelated, "auto") is not None
    shuffled = np.random.default_rng(1).permutation(X.shape[1])
    found = order_columns(X[:, shuffled], "auto")
    assert sorted(found) == list(range(X.shape[1]))
    assert neighbour_likeness(X[:, shuffled]) < 0.5
    assert neighbour_likeness(X[:, shuffled][:, found]) > 0.9


def test_likeness_equals_mean_correlation_of_neighbours():
    X = spectra(p=12)
    own = np.mean([abs(np.corrcoef(X[:, j], X[:, j + 1])[0, 1]) for j in range(11)])
    assert neighbour_likeness(X) == pytest.approx(own)


def test_order_equals_leaves_of_a_clustering():
    X = np.random.default_rng(2).normal(size=(30, 15))
    distances = 1 - np.abs(np.corrcoef(X.T))
    np.fill_diagonal(distances, 0)
    own = leaves_list(linkage(squareform(distances, checks=False), "average"))
    np.testing.assert_array_equal(correlation_order(X), own)


def test_many_columns_are_clustered_in_parts(monkeypatch):
    X = spectra(p=90)[:, np.random.default_rng(3).permutation(90)]
    whole = neighbour_likeness(X[:, correlation_order(X)])
    monkeypatch.setattr(ordering, "MOST_CLUSTERED", 40)
    sizes = []
    leaves = ordering._leaves
    monkeypatch.setattr(ordering, "_leaves", lambda u: (sizes.append(u.shape[1]), leaves(u))[1])
    found = correlation_order(X)
    assert sizes == [30, 30, 30]
    assert sorted(found) == list(range(90))
    assert neighbour_likeness(X[:, found]) > 0.8 * whole


@pytest.mark.parametrize("order", ["auto", "given", "correlation"])
def test_constant_and_few_columns_have_a_valid_order(order):
    rng = np.random.default_rng(4)
    X = np.column_stack([np.full(20, 3.0), rng.normal(size=20), np.zeros(20), rng.normal(size=20)])
    found = order_columns(X, order)
    assert found is None or sorted(found) == [0, 1, 2, 3]
    assert order_columns(X[:, :2], order) is None
