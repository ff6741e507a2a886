"""Exact pair interactions of kernels: brute force, games solved by hand, sums over partners."""

import numpy as np
import pytest

from shapley_oracle import brute_force_interactions
from smalldata.errors import ExplanationError
from smalldata.shapley import polynomial_interactions, rbf_interactions

PLAYERS = [None, np.array([0, 1, 1, 2, 0, 3, 3]), np.zeros(7, dtype=int)]


@pytest.fixture
def machine():
    """A kernel machine of 3 outputs; some support rows are the explained and background rows."""
    rng = np.random.default_rng(1)
    X, background = rng.normal(size=(3, 7)), rng.normal(size=(5, 7))
    support = np.vstack([rng.normal(size=(6, 7)), X[:2], background[:1], np.full((1, 7), 1e6)])
    coef, intercept = rng.normal(size=(3, len(support))), rng.normal(size=3)
    return X, background, {"support": support, "coef": coef, "intercept": intercept}


def rbf(rows, *, support, coef, intercept, gamma):
    squares = np.square(rows[:, None, :] - support[None, :, :]).sum(axis=2)
    return intercept + np.exp(-gamma * squares) @ coef.T


def row_sums(function, X, background):
    """Sum over r of the interactions of p and r: v(N) - v(N - p) - v(p) + v(nobody).

    The derivative of the multilinear extension along the diagonal, at its ends; it needs no pair.
    """
    sums = []
    for p in range(X.shape[1]):
        alone, without = np.repeat(background[None], len(X), axis=0), X[:, None] + 0 * background
        alone[:, :, p] = X[:, None, p]
        without[:, :, p] = background[None, :, p]
        worth = [
            function(rows.reshape(-1, X.shape[1])).reshape(len(X), len(background), -1).mean(axis=1)
            for rows in (alone, without)
        ]
        sums.append(function(X) + function(background).mean(axis=0) - worth[0] - worth[1])
    return np.stack(sums, axis=1)


def test_oracle_equals_hand_computed_interactions():
    # Unanimity of s players has interaction 1 / (s - 1) between any two of them.
    def function(rows):
        return np.column_stack([rows[:, :3].prod(axis=1), rows[:, 0] * rows[:, 3], rows[:, 1]])

    values = brute_force_interactions(function, np.ones((1, 4)), np.zeros((2, 4)))[0]
    trio, pair = np.zeros((4, 4)), np.zeros((4, 4))
    trio[:3, :3] = (1 - np.eye(3)) / 2
    pair[0, 3] = pair[3, 0] = 1
    np.testing.assert_array_equal(values[..., 0], trio)
    np.testing.assert_array_equal(values[..., 1], pair)
    assert not values[..., 2].any()


@pytest.mark.parametrize("gamma", [1e-6, 1e-3, 0.1, 1.0, 10.0, 1e3, 1e8])
@pytest.mark.parametrize("players", PLAYERS)
def test_rbf_interactions_equal_brute_force(machine, gamma, players):
    X, background, form = machine
    want = brute_force_interactions(
        lambda rows: rbf(rows, **form, gamma=gamma), X, background, players
    )
    values = rbf_interactions(
        X, background, **form, gamma=gamma, players=players, chosen=np.arange(want.shape[1])
    )
    np.testing.assert_allclose(values, want, atol=1e-9)
    np.testing.assert_array_equal(values, values.transpose(0, 2, 1, 3))
    assert not values[:, np.arange(want.shape[1]), np.arange(want.shape[1])].any()


def test_rbf_of_ten_columns_equals_brute_force_to_ten_decimals():
    rng = np.random.default_rng(5)
    X, background, support = (rng.normal(size=(n, 10)) for n in (2, 3, 8))
    form = {"support": support, "coef": rng.normal(size=(2, 8)), "intercept": np.zeros(2)}
    want = brute_force_interactions(lambda rows: rbf(rows, **form, gamma=0.1), X, background)
    values = rbf_interactions(X, background, **form, gamma=0.1, chosen=np.arange(10))
    assert np.abs(want).max() > 1e-3
    np.testing.assert_allclose(values, want, atol=1e-10)


@pytest.mark.parametrize("relative_gamma", [0.1, 1.0, 8.0])
def test_rbf_with_many_columns_has_the_right_row_sums(relative_gamma):
    rng = np.random.default_rng(2)
    X = rng.standard_t(5, size=(30, 130))
    form = {"support": X[:20], "coef": rng.normal(size=(2, 20)), "intercept": np.zeros(2)}
    form["gamma"] = relative_gamma / 130
    want = row_sums(lambda rows: rbf(rows, **form), X[28:], X[20:24])
    values = rbf_interactions(X[28:], X[20:24], **form, chosen=np.arange(130))
    size = np.abs(want).max()
    np.testing.assert_allclose(values.sum(axis=2), want, rtol=0, atol=1e-8 * size)


def test_two_columns_interact_by_the_whole_difference():
    # With two players there is one coalition without them: v(both) - v(one) - v(other) + v(nobody).
    form = {"support": [[0.2, 0.1]], "coef": [[2.0]], "gamma": 1.0}
    values = rbf_interactions([[1.0, 2.0]], [[0.0, 0.0]], **form, intercept=[7.0], chosen=[1, 0])
    a, c = np.exp(-np.square([0.8, 1.9])), np.exp(-np.square([0.2, 0.1]))
    want = 2 * (a[0] * a[1] - a[0] * c[1] - c[0] * a[1] + c[0] * c[1])
    np.testing.assert_allclose(values[0, :, :, 0], [[0, want], [want, 0]], atol=1e-15)


def test_thousands_of_columns_with_extreme_factors_stay_accurate():
    # f is the product of n present flags: every two players interact by 1 / (n - 1).
    n = 3000
    values = rbf_interactions(
        np.zeros((1, n)),
        np.full((1, n), 1e3),
        support=np.zeros((1, n)),
        coef=[[1.0]],
        gamma=1.0,
        intercept=[0.0],
        chosen=[0, 17, n - 1],
    )
    np.testing.assert_allclose(values[0, :, :, 0], (1 - np.eye(3)) / (n - 1), rtol=1e-9)


@pytest.mark.parametrize(
    ("interactions", "extra"),
    [(rbf_interactions, {}), (polynomial_interactions, {"coef0": 0.7, "degree": 3})],
)
def test_chosen_pairs_equal_the_same_pairs_of_all(machine, interactions, extra):
    X, background, form = machine
    form = form | {"support": form["support"][:9], "coef": form["coef"][:, :9]}
    everyone = interactions(X, background, **form, gamma=0.2, **extra, chosen=range(7))
    chosen = [5, 0, 3]
    some = interactions(X, background, **form, gamma=0.2, **extra, chosen=chosen)
    np.testing.assert_allclose(some, everyone[:, chosen][:, :, chosen], atol=1e-13)
    labels = np.array([0, 1, 2, 4, 5, 6, 7])
    spread = interactions(
        X, background, **form, gamma=0.2, **extra, players=labels, n_players=9, chosen=range(9)
    )
    assert spread.shape == (3, 9, 9, 3)
    assert not spread[:, [3, 8]].any()
    assert not spread[:, :, [3, 8]].any()
    np.testing.assert_allclose(spread[:, labels][:, :, labels], everyone, atol=1e-13)
    assert interactions(X, background, **form, gamma=0.2, **extra, chosen=[]).shape == (3, 0, 0, 3)
    for wrong in ([0, 7], [1, 1], [-1], [0.5], [[0, 1]]):
        with pytest.raises(ExplanationError, match="different players from 0 to 6"):
            interactions(X, background, **form, gamma=0.2, **extra, chosen=wrong)


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("players", PLAYERS)
def test_polynomial_interactions_equal_brute_force(machine, degree, players):
    X, background, form = machine
    form["support"] = np.clip(form["support"], -3, 3)

    def function(rows):
        kernel = (0.3 * rows @ form["support"].T + 0.7) ** degree
        return form["intercept"] + kernel @ form["coef"].T

    want = brute_force_interactions(function, X, background, players)
    values = polynomial_interactions(
        X,
        background,
        **form,
        gamma=0.3,
        coef0=0.7,
        degree=degree,
        players=players,
        chosen=np.arange(want.shape[1]),
    )
    np.testing.assert_allclose(values, want, atol=1e-9)


def test_interaction_tolerance_of_zero_is_refused(machine):
    X, background, form = machine
    with pytest.raises(ExplanationError, match="tolerance must be finite and above 0; got 0"):
        rbf_interactions(X, background, **form, gamma=1.0, chosen=[0], tolerance=0.0)
