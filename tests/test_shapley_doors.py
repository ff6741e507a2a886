"""The public functions of smalldata.shapley as a stranger calls them: any table, one sentence."""

import inspect
import re

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from smalldata import shapley
from smalldata.errors import ExplanationError

RNG = np.random.default_rng(7)
X, Z, T = (RNG.normal(size=(n, 4)) for n in (3, 5, 12))
Y = (T[:, 0] > 0).astype(int)
W = RNG.normal(size=(2, 4))
KERNEL = {"support": T, "coef": RNG.normal(size=(2, 12)), "gamma": 0.2, "intercept": [0.0, 1.0]}
CUBIC = KERNEL | {"coef0": 1.0, "degree": 3}
KNN = {"train": T, "targets": np.eye(2)[Y], "n_neighbors": 3, "weights": "distance"}


def _forest():
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(5, random_state=0).fit(T, Y)


def _tanh(rows):
    return np.tanh(rows @ W.T)


def _slope(rows):
    return (1 - _tanh(rows) ** 2)[:, :, None] * W


def _call(door, rows, background, **more):
    """Call one function with its usual arguments, some of them replaced."""
    function = getattr(shapley, door)
    match door:
        case "rbf_values":
            return function(rows, background, **KERNEL | more)
        case "rbf_interactions":
            return function(rows, background, **KERNEL | {"chosen": [0, 2]} | more)
        case "polynomial_values":
            return function(rows, background, **CUBIC | more)
        case "polynomial_interactions":
            return function(rows, background, **CUBIC | {"chosen": [0, 2]} | more)
        case "linear_values":
            return function(rows, background, **{"coef": W, "intercept": [0.0, 1.0]} | more)
        case "knn_values":
            return function(rows, background, **KNN | more)
        case "tree_values":
            return function(_forest(), rows, background, **more)
        case "tree_interactions":
            return function(_forest(), rows, background, **{"chosen": [0, 2]} | more)
        case "permutation_values":
            return function(_tanh, rows, background, **more)
        case "expected_gradients":
            return function(_tanh, _slope, rows, background, **more)
    raise AssertionError(f"no call of {door} is known here")


def _arrays(found):
    return found if isinstance(found, tuple) else (found,)


def _read_only(table):
    copy = table.copy()
    copy.flags.writeable = False
    return copy


TABLES = {
    "lists": lambda table: table.tolist(),
    "float32": lambda table: table.astype(np.float32),
    "data frame": lambda table: pd.DataFrame(table, columns=[f"c{i}" for i in range(4)]),
    "data frame of objects": lambda table: pd.DataFrame(table).astype(object),
    "Fortran order": np.asfortranarray,
    "read-only": _read_only,
    "strided": lambda table: np.repeat(table, 2, axis=1)[:, ::2],
}


@pytest.mark.parametrize("door", shapley.__all__)
def test_any_numeric_table_is_accepted_and_not_modified(door):
    want = _arrays(_call(door, X, Z))
    before = X.copy(), Z.copy(), T.copy()
    for name, make in TABLES.items():
        found = _arrays(_call(door, make(X), make(Z)))
        for here, there in zip(found, want, strict=True):
            np.testing.assert_allclose(here, there, atol=1e-5 if name == "float32" else 1e-12)
    assert all(np.array_equal(now, then) for now, then in zip((X, Z, T), before, strict=True))


@pytest.mark.parametrize("door", shapley.__all__)
def test_shapes_of_single_and_empty_rows_and_background(door):
    n_outputs = 1 if door.startswith("tree") else 2
    pair = "interactions" in door
    for rows, background in ((X[:1], Z), (X, Z[:1]), (X[:0], Z), (Z[:1], Z[:1])):
        values, *others = _arrays(_call(door, rows, background))
        assert values.shape == (len(rows), *((2, 2) if pair else (4,)), n_outputs)
        if not pair:
            assert others[0].shape == (n_outputs,)
        assert all(np.isfinite(array).all() for array in (values, *others))
    for players in ([0, 0, 1, 2], np.array([0, 0, 1, 2], dtype=np.int8)):
        values = _arrays(_call(door, X, Z, players=players))[0]
        assert values.shape == (3, *((2, 2) if pair else (3,)), n_outputs)
    assert pair or _arrays(_call(door, X, Z, players=[0, 0, 3, 3], n_players=6))[0].shape[1] == 6


@pytest.mark.parametrize("door", shapley.__all__)
@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (X[0], "the rows to explain must be of shape n x m; got (4,)."),
        ([["a", "b", "c", "d"]], "the rows to explain must hold numbers in rows of one length;"),
        ([["1", "2", "3", "4"]], "the rows to explain must hold numbers in rows of one length;"),
        ([[1.0, 2.0, 3.0, 4.0], [1.0]], "the rows to explain must hold numbers in rows of one"),
        (X.astype(complex), "numbers in rows of one length; values of type complex128."),
        (csr_array(X), "the rows to explain must be a dense table; got a sparse one"),
        (X[:, :3], "rows and background must have the same columns; got 3 and 4"),
        (np.full((1, 4), np.inf), "the rows to explain must hold finite numbers"),
    ],
)
def test_non_numeric_tables_are_refused_with_one_sentence(door, rows, sentence):
    with pytest.raises(ExplanationError, match=re.escape(sentence)):
        _call(door, rows, Z)


@pytest.mark.parametrize("door", shapley.__all__)
@pytest.mark.parametrize(
    ("players", "n_players", "sentence"),
    [
        ([[0, 1], [2]], None, "players must give one whole number per column (4); got nested"),
        (list("aabc"), None, "players must give one whole number per column (4)"),
        ([0, 1, 2], None, "players must give one whole number per column (4)"),
        (None, 4.0, "n_players must be a whole number above 0; got 4.0."),
        (None, -1, "n_players must be a whole number above 0; got -1."),
        ([0, 0, 1, 2], 2, "players must be below n_players = 2; got 2."),
    ],
)
def test_invalid_players_are_refused(door, players, n_players, sentence):
    with pytest.raises(ExplanationError, match=re.escape(sentence)):
        _call(door, X, Z, players=players, n_players=n_players)


@pytest.mark.parametrize("door", shapley.__all__)
def test_data_frames_in_another_order_are_refused(door):
    rows, background = pd.DataFrame(X, columns=list("abcd")), pd.DataFrame(Z, columns=list("abdc"))
    with pytest.raises(ExplanationError, match="got 'c' where the background has 'd'"):
        _call(door, rows, background)


@pytest.mark.parametrize(
    ("door", "changes", "sentence"),
    [
        ("rbf_values", {"gamma": None}, "gamma must be finite and above 0; got None."),
        ("rbf_values", {"gamma": "scale"}, "gamma must be finite and above 0; got 'scale'."),
        ("rbf_values", {"coef": np.ones(12)}, "coef must be of shape n x 12; got (12,)."),
        ("rbf_values", {"support": "x"}, "support must hold numbers"),
        ("rbf_values", {"intercept": [1.0]}, "intercept must be of shape 2; got (1,)."),
        ("rbf_interactions", {"gamma": None}, "gamma must be finite and above 0; got None."),
        ("polynomial_values", {"coef0": None}, "coef0 must be finite; got None."),
        ("polynomial_values", {"degree": 2.5}, "degree 1, 2 and 3; got 2.5"),
        ("linear_values", {"coef": [[1.0]]}, "coef must be of shape n x 4; got (1, 1)."),
        ("linear_values", {"intercept": ["a", "b"]}, "intercept must hold numbers"),
        ("knn_values", {"targets": Y}, "targets must be of shape 12 x n; got (12,)."),
        ("knn_values", {"n_neighbors": 13}, "n_neighbors must be in 1 … 12; got 13."),
        ("knn_values", {"n_neighbors": 1.5}, "n_neighbors must be in 1 … 12; got 1.5."),
    ],
)
def test_invalid_arguments_are_refused_with_one_sentence(door, changes, sentence):
    with pytest.raises(ExplanationError, match=re.escape(sentence)):
        _call(door, X, Z, **changes)


@pytest.mark.parametrize("door", ["linear_values", "polynomial_values", "polynomial_interactions"])
def test_numbers_beyond_float64_are_refused_not_returned(door):
    coef = {"coef": 1e10 * W} if door == "linear_values" else {}
    with pytest.raises(ExplanationError, match="the values must stay within float64"):
        _call(door, X * 1e300, Z, **coef)


@pytest.mark.parametrize("door", shapley.__all__)
def test_every_docstring_documents_parameters_and_returns(door):
    function = getattr(shapley, door)
    text = inspect.getdoc(function)
    for part in ("Parameters", "Returns", "Raises", "Examples", "of shape (n_rows, ", "units"):
        assert part in text, part
    for name in inspect.signature(function).parameters:
        assert re.search(rf"\b{name}\b.*", text), name
