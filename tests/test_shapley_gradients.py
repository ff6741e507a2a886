"""Expected gradients: where they are exact, what they lack elsewhere, and how it is said."""

import numpy as np
import pytest
import torch

from shapley_oracle import add_up, brute_force
from smalldata.errors import ExplanationError
from smalldata.models import load_learner
from smalldata.shapley import expected_gradients, linear_values
from smalldata.task import TaskInfo, TaskKind

GROUPED = np.array([0, 1, 1, 2, 0, 3])


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(4, 6)), rng.normal(size=(20, 6))


def wave(coef):
    """A smooth function of three outputs with its gradient."""

    def function(X):
        return np.sin(X @ coef)

    def gradient(X):
        return np.cos(X @ coef)[:, :, None] * coef.T

    return function, gradient


@pytest.mark.parametrize("players", [None, GROUPED])
def test_a_linear_function_is_explained_exactly(rows, players):
    X, background = rows
    coef, intercept = np.random.default_rng(1).normal(size=(2, 6)), np.array([0.5, -1.0])
    values, base, errors, lacking = expected_gradients(
        lambda Z: Z @ coef.T + intercept,
        lambda Z: np.broadcast_to(coef, (len(Z), 2, 6)),
        X,
        background,
        players=players,
        n_players=None if players is None else 5,
    )
    want, want_base = linear_values(
        X,
        background,
        coef=coef,
        intercept=intercept,
        players=players,
        n_players=None if players is None else 5,
    )
    np.testing.assert_allclose(values, want, atol=1e-12)
    np.testing.assert_allclose(base, want_base, atol=1e-12)
    assert errors.max() < 1e-7
    assert np.abs(lacking).max() < 1e-12


@pytest.mark.parametrize("players", [None, GROUPED])
def test_quadratic_function_gets_its_shapley_values(rows, players):
    X, background = rows
    matrix = np.random.default_rng(2).normal(size=(6, 6))

    def function(Z):
        return np.einsum("ni,ij,nj->n", Z, matrix, Z)[:, None]

    def gradient(Z):
        return (Z @ (matrix + matrix.T))[:, None, :]

    values, base, _, _ = expected_gradients(function, gradient, X, background, players=players)
    want, want_base = brute_force(function, X, background, players)
    np.testing.assert_allclose(values, want, atol=1e-10)
    np.testing.assert_allclose(base, want_base, atol=1e-12)


def test_values_are_within_standard_errors_of_the_path_mean(rows):
    X, background = rows
    function, gradient = wave(np.random.default_rng(3).normal(size=(6, 3)))
    nodes, weights = np.polynomial.legendre.leggauss(60)
    want = np.zeros((4, 6, 3))
    for row, x in enumerate(X):
        for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
            slopes = gradient(background + node * (x - background))
            want[row] += weight * (slopes * (x - background)[:, None, :]).mean(axis=0).T
    misses = []
    for seed in range(30):
        values, base, errors, lacking = expected_gradients(
            function, gradient, X, background, n_draws=8, seed=seed
        )
        assert add_up(values, base, function(X)) < 1e-12
        assert np.abs(lacking).max() > 1e-6
        misses.append((values - want) / errors)
    misses = np.array(misses)
    assert np.abs(np.mean(misses)) < 0.05
    assert 0.7 < np.sqrt(np.mean(np.square(misses))) < 1.2
    assert np.mean(np.abs(misses) < 2) > 0.9


def test_expected_gradients_differ_from_shapley_values(rows):
    X, background = rows
    function, gradient = wave(np.random.default_rng(3).normal(size=(6, 3)))
    values, _, errors, _ = expected_gradients(function, gradient, X, background, n_draws=400)
    want, _ = brute_force(function, X, background)
    assert (np.abs(values - want) > 10 * errors).mean() > 0.3


def test_batch_size_does_not_change_values_and_the_seed_does(rows):
    X, background = rows
    function, gradient = wave(np.ones((6, 1)) / 3)
    sizes = []

    def watching(Z):
        sizes.append(len(Z))
        return gradient(Z)

    one = expected_gradients(function, watching, X, background, batch_rows=7)
    assert max(sizes) == 7
    for found, want in zip(expected_gradients(function, gradient, X, background), one, strict=True):
        np.testing.assert_allclose(found, want, atol=1e-12)
    other = expected_gradients(function, gradient, X, background, seed=1)
    assert np.abs(other[0] - one[0]).max() > 1e-6
    alone = expected_gradients(function, gradient, X[1:2], background)
    np.testing.assert_allclose(alone[0][0], one[0][1], atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"n_draws": 3}, "n_draws must be even and at least 4; got 3"),
        ({"batch_rows": 0}, "batch_rows must be at least 1"),
        ({"gradient": lambda Z: Z}, r"\(n_rows, n_outputs, n_columns\) = \(20, 1, 6\)"),
        ({"gradient": lambda Z: Z[:, None] * np.nan}, "gradient must be finite numbers"),
        ({"gradient": lambda Z: 0 * Z[:, None]}, "the gradient is not that of the function"),
    ],
)
def test_settings_out_of_range_and_wrong_gradients_are_refused(rows, changes, sentence):
    X, background = rows
    function, gradient = wave(np.ones((6, 1)) / 3)
    gradient = changes.pop("gradient", gradient)
    with pytest.raises(ExplanationError, match=sentence):
        expected_gradients(function, gradient, X, background, **changes)


# ---------------------------------------------------------------- the gradient of the networks


def network(kind, *, device="cpu"):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 5))
    signal = X[:, 0] + X[:, 1] * X[:, 2]
    n_classes = {"binary": 2, "multiclass": 3, "regression": 0}[kind]
    y = 100 * signal if n_classes == 0 else np.digitize(signal, [0, 1.0][: n_classes - 1])
    info = TaskInfo(kind=TaskKind(kind), n_samples=80, n_features=5, n_classes=n_classes)
    learner = load_learner("mlp", n_members=3, width=16, n_epochs=10)
    return learner, learner.build(info, seed=1, device=device).fit(X, y), X


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_network_gradient_equals_numerical_derivative(kind):
    learner, fitted, X = network(kind)
    form = learner.margin_form(fitted)
    points = 3 * X[:20]  # where the columns are clipped
    slopes = form.gradient(points)
    n_outputs = 3 if kind == "multiclass" else 1
    assert slopes.shape == (20, n_outputs, 5)
    assert slopes.dtype == np.float64
    scale = np.abs(slopes).max()
    step = 1e-2
    differences = np.stack(
        [
            (form.function(points + step * unit) - form.function(points - step * unit)) / (2 * step)
            for unit in np.eye(5)
        ],
        axis=2,
    )
    # Single precision, and a kink within a step, make single differences wrong.
    assert np.median(np.abs(slopes - differences)) < 2e-3 * scale
    assert np.mean(np.abs(slopes - differences) < 0.03 * scale) > 0.9


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_expected_gradients_of_a_network_add_up_before_anything_is_shared(kind):
    learner, fitted, X = network(kind)
    form = learner.margin_form(fitted)
    values, base, _, lacking = expected_gradients(
        form.function, form.gradient, X[:10], X[10:60], n_draws=64
    )
    moved = form.function(X[:10]) - base
    assert add_up(values, base, form.function(X[:10])) < 1e-9
    assert np.sqrt(np.mean(lacking**2)) < 0.02 * np.sqrt(np.mean(moved**2))


def test_chunked_gradients_equal_whole_gradients(monkeypatch):
    from smalldata.models.networks import predict

    _, fitted, X = network("multiclass")
    whole = fitted.gradients(X)
    monkeypatch.setattr(predict, "CHUNK_VALUES", 7 * fitted.values_per_row_)  # seven rows a product
    np.testing.assert_allclose(fitted.gradients(X), whole, atol=1e-5 * np.abs(whole).max())


def test_gradient_does_not_change_the_network():
    _, fitted, X = network("binary")
    parameters = list(fitted.network_.parameters())
    before, slopes = fitted.margins(X), [parameter.grad.clone() for parameter in parameters]
    fitted.gradients(X)
    for parameter, slope in zip(parameters, slopes, strict=True):
        assert torch.equal(parameter.grad, slope)
    np.testing.assert_array_equal(fitted.margins(X), before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no card")
def test_gradient_is_computed_on_cuda():
    _, fitted, X = network("multiclass", device="cuda")
    _, other, _ = network("multiclass")
    assert np.abs(fitted.gradients(X) - other.gradients(X)).mean() < 0.05
