"""Exact values and interactions of tree ensembles against brute force on their own output."""

import numpy as np
import pytest
import xgboost
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from shapley_oracle import add_up, brute_force, brute_force_interactions
from smalldata.errors import ExplanationError
from smalldata.shapley import tree_interactions, tree_values

N_BACKGROUND = 130  # shap's explainer would cut it to 100


@pytest.fixture(scope="module")
def table():
    """Six columns, the last one a category as whole numbers, one cell in ten missing."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(160, 6))
    X[:, 5] = rng.integers(0, 4, 160)
    signal = X[:, 0] * X[:, 1] + (X[:, 5] == 2) + 0.3 * rng.normal(size=160)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X, signal


def boosted(X, y, n_rounds=12, **parameters):
    settings = {"max_depth": 4, "eta": 0.3, "nthread": 1} | parameters
    return xgboost.train(settings, xgboost.DMatrix(X, label=y, nthread=1), n_rounds)


def margin(booster):
    def function(rows):
        output = booster.predict(xgboost.DMatrix(rows, nthread=1), output_margin=True)
        return output.astype(float).reshape(len(rows), -1)

    return function


def fitted(name, X, signal):
    classes = np.digitize(signal, np.quantile(signal, [0.3, 0.6]))
    binary = (signal > np.quantile(signal, 0.7)).astype(int)
    if name == "binary":
        model = boosted(X, binary, objective="binary:logistic")
    elif name == "multiclass":
        model = boosted(X, classes, objective="multi:softprob", num_class=3)
    elif name == "regression":
        model = boosted(X, signal + 50, objective="reg:squarederror")
    elif name == "parallel":
        model = boosted(X, signal, num_parallel_tree=3, subsample=0.7, base_score=-3.0)
    if name in ("binary", "multiclass", "regression", "parallel"):
        return model, margin(model)
    if name == "forest of values":
        model = RandomForestRegressor(15, random_state=0).fit(X, signal)
        return model, lambda rows: model.predict(rows)[:, None]
    if name == "forest of two classes":
        model = RandomForestClassifier(15, random_state=0).fit(X, binary)
        return model, lambda rows: model.predict_proba(rows)[:, 1:]
    model = ExtraTreesClassifier(15, random_state=0, class_weight="balanced").fit(X, classes)
    return model, model.predict_proba


ENSEMBLES = [
    "binary",
    "multiclass",
    "regression",
    "parallel",
    "forest of values",
    "forest of two classes",
    "forest of classes",
]


@pytest.mark.parametrize("players", [None, np.array([0, 1, 1, 2, 0, 3])])
@pytest.mark.parametrize("name", ENSEMBLES)
def test_trees_equal_brute_force(table, name, players):
    X, signal = table
    model, function = fitted(name, X, signal)
    rows, background = X[N_BACKGROUND : N_BACKGROUND + 5], X[:N_BACKGROUND]
    want, base = brute_force(function, rows, background, players)
    values, base_values = tree_values(model, rows, background, players=players)
    scale = np.abs(want).max()
    assert scale > 0.01
    # float32 sums of the model itself: 50 is where the regression target lies.
    np.testing.assert_allclose(values, want, atol=(1e-6 if name != "regression" else 1e-5) * scale)
    np.testing.assert_allclose(base_values, base, rtol=1e-6)
    assert add_up(values, base_values, function(rows)) < 2e-5 * scale


@pytest.mark.parametrize("players", [None, np.array([0, 1, 1, 2, 0, 3])])
@pytest.mark.parametrize("name", ENSEMBLES)
def test_interactions_equal_brute_force(table, name, players):
    X, signal = table
    model, function = fitted(name, X, signal)
    rows, background = X[N_BACKGROUND : N_BACKGROUND + 4], X[:N_BACKGROUND]
    want = brute_force_interactions(function, rows, background, players)
    everyone = np.arange(want.shape[1])
    values = tree_interactions(model, rows, background, chosen=everyone, players=players)
    scale = np.abs(want).max()
    assert scale > 0.01
    # A forest is summed in float64, a booster in float32.
    exact = 1e-12 if name.startswith("forest") else 1e-6 if name != "regression" else 1e-5
    np.testing.assert_allclose(values, want, atol=exact * scale)
    chosen = np.array([3, 0, 2])
    some = tree_interactions(model, rows, background, chosen=chosen, players=players)
    np.testing.assert_array_equal(some, values[:, chosen][:, :, chosen])


def test_chosen_interactions_equal_those_of_all_players(table):
    """Nine columns: a pair's coalitions hold players that are not among the chosen."""
    X, signal = table
    wide = np.hstack([X, X[:, :3] * X[:, [1, 2, 0]]])
    model = RandomForestRegressor(6, random_state=1, max_features=3).fit(wide, signal)
    want = brute_force_interactions(lambda rows: model.predict(rows)[:, None], wide[:3], wide[5:25])
    values = tree_interactions(model, wide[:3], wide[5:25], chosen=[8, 1])
    np.testing.assert_allclose(values, want[:, [8, 1]][:, :, [8, 1]], atol=1e-12)
    np.testing.assert_array_equal(values, values.transpose(0, 2, 1, 3))
    assert values[:, 0, 1].any()


def test_additive_trees_and_players_without_a_column_have_no_interactions(table):
    X, signal = table
    stumps = boosted(X, signal, n_rounds=40, max_depth=1)
    assert not tree_interactions(stumps, X[:3], X[5:30], chosen=np.arange(6)).any()
    model, _ = fitted("binary", X, signal)
    labels = np.array([0, 1, 2, 3, 5, 6])
    values = tree_interactions(model, X[:3], X[5:30], chosen=[4, 1, 0], players=labels, n_players=8)
    assert values[:, 1, 2].any()
    assert not values[:, 0].any()
    assert tree_interactions(model, X[:3], X[5:30], chosen=[]).shape == (3, 0, 0, 1)
    with pytest.raises(ExplanationError, match="different players from 0 to 5"):
        tree_interactions(model, X[:3], X[5:30], chosen=[1, 1])


def test_split_on_missing_values_only_gives_a_value(table):
    X = np.array([[0.0], [np.nan], [1.0], [np.nan]] * 5)
    model = boosted(X, np.isnan(X[:, 0]) * 4.0, n_rounds=30)
    values, base_values = tree_values(model, [[np.nan]], [[0.0], [1.0]])
    assert values[0, 0, 0] > 3
    assert abs(base_values[0]) < 0.5


def test_thresholds_are_compared_in_single_precision():
    X = np.array([[0.1], [0.1 + 1e-9], [0.3], [0.3 + 1e-9]])
    model = boosted(X, np.array([0, 0, 1, 1.0]), n_rounds=1, min_child_weight=0, **{"lambda": 0})
    threshold = float(model.trees_to_dataframe()["Split"].dropna().iloc[0])
    for nudge in (-1e-10, 0.0, 1e-10):
        x = np.array([[threshold + nudge]])
        values, base_values = tree_values(model, x, X)
        assert add_up(values, base_values, margin(model)(x)) < 1e-6


@pytest.mark.parametrize("name", ["binary", "forest of two classes"])
def test_values_beyond_single_precision_count_as_its_largest(table, name):
    X, signal = table
    model, function = fitted(name, X, signal)
    rows = X[:4].copy()
    rows[0, 0], rows[1, 2] = 1e300, -1e39
    values, base_values = tree_values(model, rows, X[10:30])
    largest = float(np.finfo(np.float32).max)
    expected = function(np.clip(rows, -largest, largest))
    assert add_up(values, base_values, expected) < 1e-5


def test_row_as_its_own_background_and_unused_columns_get_zero(table):
    X, signal = table
    model, _ = fitted("binary", X, signal)
    values, _ = tree_values(model, X[:3], X[:1])
    assert not values[0].any()
    wide = np.hstack([X, np.ones((160, 1))])
    model, _ = fitted("forest of values", wide, signal)
    values, _ = tree_values(model, wide[:3], wide[5:20])
    assert not values[:, 6].any()


def test_ensemble_without_a_split_gives_zero_values(table):
    X, _ = table
    values, base_values = tree_values(boosted(X, np.full(160, 2.5), n_rounds=2), X[:2], X[:9])
    assert not values.any()
    np.testing.assert_allclose(base_values, 2.5)


def test_tree_values_refuse_other_models(table):
    X, signal = table
    complete = np.nan_to_num(X)
    with pytest.raises(ExplanationError, match="need an xgboost Booster or a fitted forest"):
        tree_values(GradientBoostingRegressor(n_estimators=2).fit(complete, signal), X, X)
    with pytest.raises(ExplanationError, match=r"plain trees \(gbtree\); got dart"):
        tree_values(boosted(X, signal, booster="dart"), X, X)
    linear = xgboost.train({"booster": "gblinear"}, xgboost.DMatrix(complete, label=signal), 2)
    with pytest.raises(ExplanationError, match=r"plain trees \(gbtree\); got gblinear"):
        tree_values(linear, complete, complete)
    categories = xgboost.DMatrix(
        X[:, 5:], label=signal, feature_types=["c"], enable_categorical=True, nthread=1
    )
    settings = {"max_cat_to_onehot": 1, "nthread": 1}
    with pytest.raises(ExplanationError, match="categorical splits can't be explained"):
        tree_values(xgboost.train(settings, categories, 3), X[:, 5:], X[:, 5:])
    pair = np.stack([signal, -signal], axis=1)
    with pytest.raises(ExplanationError, match="vector leaves"):
        tree_values(boosted(X, pair, multi_strategy="multi_output_tree"), X, X)
    with pytest.raises(ExplanationError, match="one target; got 2"):
        tree_values(RandomForestRegressor(2).fit(complete, pair), complete, complete)


def test_paths_that_ask_too_many_players_are_refused():
    # Every split takes off one row by its own column: a chain as deep as the table is long.
    X, y = np.eye(70), 4.0 ** np.arange(70)
    forest = RandomForestRegressor(1, bootstrap=False, random_state=0).fit(X, y)
    with pytest.raises(ExplanationError, match=r"at most 62 features .* limit max_depth"):
        tree_values(forest, X, X)
    with pytest.raises(ExplanationError, match=r"at most 62 features .* limit max_depth"):
        tree_interactions(forest, X, X, chosen=[0, 1])


def test_values_that_miss_the_models_own_output_are_refused(table):
    class Other(RandomForestRegressor):
        """A forest that predicts something else than its trees."""

        def predict(self, X):
            return 1.01 * super().predict(X)

    X, signal = table
    model = Other(5, random_state=0).fit(X, signal)
    with pytest.raises(ExplanationError, match="must add up to the model's own output"):
        tree_values(model, X[:3], X[:20])
    with pytest.raises(ExplanationError, match="must add up to the model's own output"):
        tree_interactions(model, X[:3], X[:20], chosen=[0, 1])
