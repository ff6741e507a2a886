"""The shared game: checked rows, players, lazy imports, compiling, and a second library's word."""

import doctest
import subprocess
import sys
import warnings
from importlib import import_module

import numpy as np
import pytest

import smalldata.shapley
from shapley_oracle import brute_force
from smalldata.errors import ExplanationError
from smalldata.runtime.compiling import compiled
from smalldata.shapley.game import finite_matrix, make_game

MODULES = ["game", "linear", "neighbours", "networks", "polynomial", "product"]
MODULES += ["product_interactions", "trees"]


def test_oracle_equals_hand_computed_values():
    # v = x0 * x1 + x2 with all columns 1 against all 0: the product is shared, the sum is x2's own.
    values, base = brute_force(
        lambda rows: (rows[:, 0] * rows[:, 1] + rows[:, 2])[:, None],
        np.ones((1, 3)),
        np.zeros((1, 3)),
    )
    assert values[0, :, 0].tolist() == [0.5, 0.5, 1.0]
    assert base.tolist() == [0.0]


def test_game_sums_columns_of_a_player_and_skips_empty_players():
    game = make_game(
        np.zeros((1, 5)), np.zeros((2, 5)), players=np.array([3, 0, 3, 1, 0]), n_players=6
    )
    assert game.active.tolist() == [0, 1, 3]
    assert game.sum_columns(np.array([1.0, 10, 100, 1000, 10000])).tolist() == [10010, 1000, 101]
    assert [game.columns_of(i).tolist() for i in range(3)] == [[1, 4], [3], [0, 2]]
    assert game.position_of_columns().tolist() == [2, 0, 2, 1, 0]
    spread = game.spread(np.array([[[1.0], [2.0], [3.0]]]))
    assert spread[0, :, 0].tolist() == [1, 2, 0, 3, 0, 0]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"background": np.zeros((2, 2))}, "rows and background must have the same columns"),
        ({"background": np.zeros((0, 3))}, "the background must hold at least one row"),
        ({"X": np.zeros((1, 0)), "background": np.zeros((1, 0))}, "at least one column"),
        ({"X": np.zeros(3)}, "the rows to explain must be of shape n x m"),
        ({"X": np.array([[0, np.nan, 0]])}, r"finite numbers only; got nan at \(0, 1\)"),
        ({"X": np.array([[0, np.inf, 0]]), "missing": True}, "finite numbers or missing values"),
        ({"players": np.array([0, 1])}, "players must give one whole number per column"),
        ({"players": np.array([0.0, 1.0, 2.0])}, "players must give one whole number per column"),
        ({"players": np.array([0, -1, 1])}, "column 1 has -1"),
        ({"players": np.array([0, 1, 5]), "n_players": 3}, "players must be below n_players = 3"),
    ],
)
def test_invalid_game_is_refused(changes, sentence):
    arguments = {"X": np.zeros((1, 3)), "background": np.zeros((2, 3)), "players": None} | changes
    with pytest.raises(ExplanationError, match=sentence):
        make_game(arguments.pop("X"), arguments.pop("background"), **arguments)


def test_missing_values_are_accepted_where_allowed():
    game = make_game([[np.nan, 1.0]], [[0.0, np.nan]], players=None, missing=True)
    assert np.isnan(game.rows[0, 0])


def test_arrays_of_another_shape_are_refused():
    with pytest.raises(ExplanationError, match=r"coef must be of shape n x 3; got \(2, 2\)"):
        finite_matrix(np.zeros((2, 2)), "coef", shape=(None, 3))


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, smalldata.shapley; "
        "print([m for m in ('numba', 'shap', 'torch', 'xgboost', 'sklearn') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_every_public_name_is_found():
    for name in smalldata.shapley.__all__:
        assert callable(getattr(smalldata.shapley, name))
    with pytest.raises(AttributeError, match="no attribute 'cube_values'"):
        smalldata.shapley.cube_values  # noqa: B018


def test_function_without_a_cache_folder_is_compiled():
    namespace = {}
    exec("def double(x):\n    return 2 * x", namespace)
    assert compiled(namespace["double"])(21) == 42


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name):
    module = import_module(f"smalldata.shapley.{name}")
    assert doctest.testmod(module).failed == 0


def test_values_equal_those_of_shap():
    with warnings.catch_warnings():
        # shap's import of matplotlib warns of matplotlib's own future changes.
        warnings.simplefilter("ignore")
        import shap
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.svm import SVC

    rng = np.random.default_rng(5)
    X = rng.normal(size=(60, 7))
    y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(int)
    rows, background = X[50:54], X[:12]
    masker = shap.maskers.Independent(background, max_samples=len(background))

    svm = SVC(gamma=0.2).fit(X[:50], y[:50])
    ours, base = smalldata.shapley.rbf_values(
        rows,
        background,
        support=svm.support_vectors_,
        coef=svm.dual_coef_,
        gamma=0.2,
        intercept=svm.intercept_,
    )
    exact = shap.ExactExplainer(svm.decision_function, masker)(rows)
    np.testing.assert_allclose(ours[:, :, 0], exact.values, atol=1e-7)
    np.testing.assert_allclose(base[0], exact.base_values, atol=1e-7)
    walked = shap.PermutationExplainer(svm.decision_function, masker, seed=0)
    theirs = walked(rows, max_evals=500, silent=True).values
    np.testing.assert_allclose(ours[:, :, 0], theirs, atol=0.05)

    forest = RandomForestClassifier(20, random_state=0).fit(X[:50], y[:50])
    ours, _ = smalldata.shapley.tree_values(forest, rows, background)
    explainer = shap.TreeExplainer(forest, masker, feature_perturbation="interventional")
    np.testing.assert_allclose(ours[:, :, 0], explainer.shap_values(rows)[:, :, 1], atol=1e-6)
