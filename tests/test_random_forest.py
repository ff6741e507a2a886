"""The random forest against scikit-learn's own, and what only it does."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from smalldata.models import load_learner
from smalldata.shapley.trees import tree_values
from smalldata.task import TaskInfo, TaskKind


def build(kind, n_classes, *, seed=0, **values):
    info = TaskInfo(kind=kind, n_samples=80, n_features=30, n_classes=n_classes)
    learner = load_learner("random_forest", n_trees=25, **values)
    return learner, learner.build(info, seed=seed, device="cpu")


def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 30))
    X[rng.random(X.shape) < 0.05] = np.nan
    X[:, 1] = rng.normal(size=80)
    return X, np.nan_to_num(X[:, 0]) + X[:, 1] + 0.3 * rng.normal(size=80)


@pytest.mark.parametrize(
    ("max_features", "n_tried"), [(0.01, 1), (1.0, 5), (2.0, 11), (5.0, 27), (9.0, 30)]
)
def test_forest_equals_scikit_learn_with_columns_scaled_by_their_root(max_features, n_tried):
    X, signal = table()
    shape = {"n_estimators": 25, "max_features": n_tried, "min_samples_leaf": 2, "random_state": 3}
    values = {"max_features": max_features, "min_samples_leaf": 2}
    _, ours = build(TaskKind.REGRESSION, 0, seed=3, **values)
    theirs = RandomForestRegressor(**shape).fit(X, signal)
    np.testing.assert_array_equal(ours.fit(X, signal).predict(X), theirs.predict(X))
    y = np.digitize(signal, [-1.0, 0.5])
    _, ours = build(TaskKind.MULTICLASS, 3, seed=3, class_weight="balanced", **values)
    theirs = RandomForestClassifier(**shape, class_weight="balanced").fit(X, y)
    np.testing.assert_array_equal(ours.fit(X, y).predict_proba(X), theirs.predict_proba(X))


def test_seed_draws_the_rows_of_each_tree():
    X, signal = table()
    first, other = (
        build(TaskKind.REGRESSION, 0, seed=seed)[1].fit(X, signal).predict(X) for seed in (1, 2)
    )
    assert np.abs(first - other).max() > 1e-3


def test_values_missing_only_in_new_rows_and_huge_values_are_explained():
    X, signal = table()
    learner, forest = build(TaskKind.BINARY, 2)
    X[5, 3] = 1e300
    forest.fit(X, (signal > 0).astype(int))
    rows = X[:6].copy()
    rows[:, 1] = np.nan
    assert not np.isnan(X[:, 1]).any()
    values, base_values = tree_values(learner.margin_form(forest).model, rows, X[20:50])
    expected = forest.predict_proba(rows)[:, 1:]
    np.testing.assert_allclose(values.sum(axis=1) + base_values, expected, atol=1e-9)
    assert np.abs(values[:, 1]).max() > 0.01


def test_tree_depth_is_limited_to_what_can_be_explained():
    # Values that double: each split of least squares cuts off the largest alone. Every split has a
    # column of its own, so an unlimited tree asks about more features than the kernel can hold.
    n = 200
    X = np.triu(np.ones((n, n)), 1)
    learner, forest = build(TaskKind.REGRESSION, 0, max_features=20.0)
    forest.fit(X, 2.0 ** np.arange(n))
    rows = X[::20]
    depths = [tree.get_depth() for tree in forest.forest_.estimators_]
    assert max(depths) == 62
    values, base_values = tree_values(learner.margin_form(forest).model, rows, X[1::9])
    expected = forest.predict(rows)
    np.testing.assert_allclose(
        values[..., 0].sum(axis=1) + base_values, expected, atol=1e-9 * expected.max()
    )
