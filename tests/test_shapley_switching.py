"""Rows with some columns from background rows: equal to those that are built, whatever the form."""

import numpy as np
import pytest

from smalldata.learner import KernelForm, LinearForm, NeighboursForm
from smalldata.models.knn import distances, nearest_first, weighted_means
from smalldata.shapley.switching import switched_outputs

rng = np.random.default_rng(0)
TRAIN = rng.normal(size=(25, 9))
COEF = rng.normal(size=(2, 25))
OFFSET = rng.normal(size=2)


def _kernel(kernel):
    form = KernelForm(
        kernel=kernel, support=TRAIN, coef=COEF, intercept=OFFSET, gamma=0.1, degree=3, coef0=1.0
    )

    def function(rows):
        products = rows @ TRAIN.T
        squares = np.square(rows[:, None] - TRAIN).sum(axis=2)
        found = np.exp(-0.1 * squares) if kernel == "rbf" else (0.1 * products + 1) ** 3
        return found @ COEF.T + OFFSET

    return form, function


def _neighbours(metric, weights):
    targets = np.eye(3)[rng.integers(0, 3, 25)]
    form = NeighboursForm(
        train=TRAIN, targets=targets, n_neighbors=4, weights=weights, metric=metric
    )

    def function(rows):
        order, near = nearest_first(distances(rows, TRAIN, metric))
        return weighted_means(order[:, :4], near[:, :4], targets, weights)

    return form, function


def _linear():
    coef = rng.normal(size=(2, 9))
    return LinearForm(coef=coef, intercept=OFFSET), lambda rows: rows @ coef.T + OFFSET


CASES = {
    "linear": _linear(),
    "rbf": _kernel("rbf"),
    "poly": _kernel("poly"),
    **{
        f"{metric}-{weights}": _neighbours(metric, weights)
        for metric in ("euclidean", "manhattan", "cosine")
        for weights in ("uniform", "distance")
    },
}


@pytest.mark.parametrize("case", CASES)
def test_switched_rows_give_what_rows_built_one_by_one_give(case):
    form, function = CASES[case]
    X, Z = np.vstack([rng.normal(size=(5, 9)), TRAIN[:2]]), rng.normal(size=(4, 9))
    groups = [np.array([3]), np.array([0, 8, 5]), np.array([], dtype=int), np.array([1, 2])]
    gone: list[int] = []
    for found, group in zip(switched_outputs(form, X, Z, groups), groups, strict=True):
        gone = [*gone, *group.tolist()]
        for x, outputs in zip(X, found, strict=True):
            rows = np.tile(x, (len(Z), 1))
            rows[:, gone] = Z[:, gone]
            np.testing.assert_allclose(outputs, function(rows), rtol=1e-8, atol=1e-10)
    assert sorted(gone) == [0, 1, 2, 3, 5, 8]
