"""Exact values of rbf, linear and polynomial functions against brute force and plain numpy."""

import numpy as np
import pytest

from shapley_oracle import add_up, brute_force
from smalldata.errors import ExplanationError
from smalldata.shapley import linear_values, polynomial_values, product, rbf_values
from smalldata.shapley.product import _assert_additive

PLAYERS = [None, np.array([0, 1, 1, 2, 0, 3, 3])]


@pytest.fixture
def machine():
    """A kernel machine of 3 outputs; some support rows are the explained and background rows."""
    rng = np.random.default_rng(1)
    X, background = rng.normal(size=(4, 7)), rng.normal(size=(5, 7))
    far = rng.normal(size=(1, 7)) * 1e6
    support = np.vstack([rng.normal(size=(6, 7)), X[:2], background[:1], far])
    coef, intercept = rng.normal(size=(3, len(support))), rng.normal(size=3)
    return X, background, {"support": support, "coef": coef, "intercept": intercept}


def rbf(rows, *, support, coef, intercept, gamma):
    squares = np.square(rows[:, None, :] - support[None, :, :]).sum(axis=2)
    return intercept + np.exp(-gamma * squares) @ coef.T


def reference(X, background, *, support, coef, intercept, gamma, n_nodes):
    """The quadrature of the module in plain numpy with a fixed number of nodes."""
    nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
    values = np.zeros((len(X), X.shape[1], len(coef)))
    for row, x in enumerate(X):
        a = np.exp(-gamma * np.square(x - support))
        for z in background:
            c = np.exp(-gamma * np.square(z - support))
            for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
                between = node * a + (1 - node) * c
                product = np.exp(np.log(between).sum(axis=1, keepdims=True))
                values[row] += weight * ((a - c) / between * product).T @ coef.T
    return values / len(background)


@pytest.mark.parametrize("gamma", [1e-6, 1e-3, 0.1, 1.0, 10.0, 1e3, 1e8])
@pytest.mark.parametrize("players", PLAYERS)
def test_rbf_equals_brute_force(machine, gamma, players):
    X, background, form = machine
    want, base = brute_force(lambda rows: rbf(rows, **form, gamma=gamma), X, background, players)
    values, base_values = rbf_values(X, background, **form, gamma=gamma, players=players)
    np.testing.assert_allclose(values, want, atol=1e-9)
    np.testing.assert_allclose(base_values, base, atol=1e-12)


@pytest.mark.parametrize("relative_gamma", [0.1, 1.0, 8.0])
def test_rbf_with_many_columns_equals_plain_quadrature(relative_gamma):
    rng = np.random.default_rng(2)
    X = rng.standard_t(5, size=(40, 130))
    form = {
        "support": X[:20],
        "coef": rng.normal(size=(2, 20)),
        "intercept": np.zeros(2),
        "gamma": relative_gamma / 130,
    }
    want = reference(X[38:], X[10:14], **form, n_nodes=32)
    twice = reference(X[38:], X[10:14], **form, n_nodes=64)
    size = np.abs(twice).max()
    assert np.abs(want - twice).max() < 1e-12 * size
    values, base_values = rbf_values(X[38:], X[10:14], **form)
    assert np.abs(values - twice).max() < 1e-8 * size
    assert add_up(values, base_values, rbf(X[38:], **form)) < 1e-8 * size


@pytest.mark.parametrize("gap", [0.01, 0.05, 0.2, 0.35, 0.5, 0.69, 0.71])
def test_every_power_series_length_is_accurate(gap):
    # Row = support row, so that the logs of the factors differ by up to the gap, in every column.
    rng = np.random.default_rng(6)
    gaps = gap * rng.uniform(0.2, 1.0, size=(5, 12))
    gaps[:, 0] = gap
    form = {"support": np.zeros((1, 12)), "coef": np.ones((1, 1)), "intercept": [0.0], "gamma": 1.0}
    want = reference(np.zeros((1, 12)), np.sqrt(gaps), **form, n_nodes=16)
    values, _ = rbf_values(np.zeros((1, 12)), np.sqrt(gaps), **form, tolerance=1e-18)
    np.testing.assert_allclose(values, want, rtol=0, atol=2e-15)


def test_error_stays_within_the_tolerance():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(30, 60))
    form = {"support": X[:15], "coef": rng.normal(size=(1, 15)), "intercept": [0.0], "gamma": 0.05}
    exact, _ = rbf_values(X[25:], X[:5], **form, tolerance=1e-18)
    coarse, _ = rbf_values(X[25:], X[:5], **form, tolerance=1e-3)
    error = np.abs(exact - coarse).max()
    assert 1e-12 < error < 1e-3 * np.abs(form["coef"]).sum()


def test_thousands_of_columns_with_extreme_factors_stay_accurate():
    # x is the support row and z is infinitely far in every column: f is the product of n present
    # flags, and every player gets 1 / n. The integrand is t^(n - 1).
    n = 3000
    values, base_values = rbf_values(
        np.zeros((1, n)),
        np.full((1, n), 1e3),
        support=np.zeros((1, n)),
        coef=[[1.0]],
        gamma=1.0,
        intercept=[0.0],
    )
    np.testing.assert_allclose(values[0, :, 0], 1 / n, rtol=1e-9)
    assert base_values.tolist() == [0.0]


def test_distant_support_rows_give_zero_values():
    values, base_values = rbf_values(
        [[0.0, 1.0]], [[1.0, 0.0]], support=[[1e200, 0.0]], coef=[[1.0]], gamma=1.0, intercept=[2.0]
    )
    assert values.tolist() == [[[0.0], [0.0]]]
    assert base_values.tolist() == [2.0]


def test_single_column_single_background_and_constant_columns_add_up(machine):
    X, background, form = machine
    form["support"] = form["support"][:, :1]
    values, _ = rbf_values(X[:, :1], background[:1, :1], **form, gamma=0.3)
    want = rbf(X[:, :1], **form, gamma=0.3) - rbf(background[:1, :1], **form, gamma=0.3)
    np.testing.assert_allclose(values[:, 0], want, atol=1e-12)

    rows = np.hstack([X[:, :1], np.full((4, 2), 3.0)])
    others = np.hstack([background[:, :1], np.full((5, 2), 3.0)])
    form["support"] = np.hstack([form["support"], np.full((10, 2), 2.0)])
    values, _ = rbf_values(rows, others, **form, gamma=0.3)
    assert (values[:, 1:] == 0).all()
    assert np.abs(values[:, 0]).max() > 0.01


def test_rows_are_explained_alike_alone_and_together(machine):
    X, background, form = machine
    together, _ = rbf_values(X, background, **form, gamma=0.2)
    for row in range(len(X)):
        alone, _ = rbf_values(X[row : row + 1], background, **form, gamma=0.2)
        np.testing.assert_allclose(alone[0], together[row], rtol=0, atol=1e-10)


def test_empty_rows_or_support_and_players_without_a_column_get_zero(machine):
    X, background, form = machine
    values, base_values = rbf_values(X[:0], background, **form, gamma=0.2)
    assert values.shape == (0, 7, 3)
    assert base_values.shape == (3,)
    empty = {"support": np.empty((0, 7)), "coef": np.empty((1, 0)), "intercept": [1.5]}
    values, base_values = rbf_values(X, background, **empty, gamma=0.2)
    assert not values.any()
    assert base_values.tolist() == [1.5]
    players = np.array([0, 1, 2, 4, 5, 6, 7])
    spread, _ = rbf_values(X, background, **form, gamma=0.2, players=players, n_players=9)
    plain, _ = rbf_values(X, background, **form, gamma=0.2)
    assert spread.shape == (4, 9, 3)
    assert not spread[:, [3, 8]].any()
    np.testing.assert_array_equal(spread[:, players], plain)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"gamma": 0.0}, "gamma must be finite and above 0"),
        ({"gamma": np.nan}, "gamma must be finite and above 0"),
        ({"gamma": 1.0, "tolerance": 0.0}, "tolerance must be finite and above 0"),
        ({"gamma": 1.0, "coef": np.ones((1, 3))}, "coef must be of shape n x 10"),
        ({"gamma": 1.0, "support": np.ones((10, 3))}, "support must be of shape n x 7"),
        ({"gamma": 1.0, "intercept": [0.0]}, "intercept must be of shape 3"),
    ],
)
def test_rbf_refuses_what_it_cannot_explain(machine, changes, sentence):
    X, background, form = machine
    with pytest.raises(ExplanationError, match=sentence):
        rbf_values(X, background, **(form | changes))


def test_values_that_do_not_add_up_are_refused():
    values = np.array([[[1.0], [2.0]]])
    _assert_additive(values, np.array([[3.0]]), np.array([1.0]), 1e-6)
    with pytest.raises(ExplanationError, match="must add up"):
        _assert_additive(values, np.array([[3.001]]), np.array([1.0]), 1e-6)


@pytest.mark.parametrize("players", PLAYERS)
def test_linear_equals_brute_force(machine, players):
    X, background, _ = machine
    rng = np.random.default_rng(4)
    coef, intercept = rng.normal(size=(3, 7)), rng.normal(size=3)
    want, base = brute_force(lambda rows: intercept + rows @ coef.T, X, background, players)
    values, base_values = linear_values(
        X, background, coef=coef, intercept=intercept, players=players
    )
    np.testing.assert_allclose(values, want, atol=1e-10)
    np.testing.assert_allclose(base_values, base, atol=1e-10)


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("players", [*PLAYERS, np.zeros(7, dtype=int)])
def test_polynomial_equals_brute_force(machine, degree, players):
    X, background, form = machine
    form["support"] = np.clip(form["support"], -3, 3)

    def function(rows):
        kernel = (0.3 * rows @ form["support"].T + 0.7) ** degree
        return form["intercept"] + kernel @ form["coef"].T

    want, base = brute_force(function, X, background, players)
    values, base_values = polynomial_values(
        X, background, **form, gamma=0.3, coef0=0.7, degree=degree, players=players
    )
    np.testing.assert_allclose(values, want, atol=1e-9)
    np.testing.assert_allclose(base_values, base, atol=1e-9)


def test_polynomial_refuses_other_degrees_and_infinite_settings(machine):
    X, background, form = machine
    with pytest.raises(ExplanationError, match="degree 1, 2 and 3; got 4"):
        polynomial_values(X, background, **form, gamma=1.0, coef0=0.0, degree=4)
    with pytest.raises(ExplanationError, match="gamma must be finite; got inf"):
        polynomial_values(X, background, **form, gamma=np.inf, coef0=0.0, degree=2)


def test_rows_in_parts_have_the_same_values(monkeypatch):
    rng = np.random.default_rng(3)
    X, Z, support = (rng.normal(size=(n, 6)) for n in (5, 4, 7))
    settings = {"support": support, "coef": rng.normal(size=(2, 7)), "gamma": 0.2}
    whole, _ = rbf_values(X, Z, **settings, intercept=np.zeros(2))
    monkeypatch.setattr(product, "STEPS_AT_ONCE", 2 * 4 * 7 * 6)
    parts, _ = rbf_values(X, Z, **settings, intercept=np.zeros(2))
    np.testing.assert_array_equal(parts, whole)
