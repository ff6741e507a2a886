"""Sampled values of nearest neighbours against brute force, exact addition, ties and errors."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from shapley_oracle import add_up, brute_force
from smalldata.errors import ExplanationError
from smalldata.shapley import knn_values


def predict(rows, train, targets, *, n_neighbors, weights, metric="euclidean"):
    """Plain nearest neighbours; earlier training rows win ties.

    Exact on whole numbers, whose squared and absolute differences are sums of whole numbers.
    """
    moved = rows[:, None, :] - train[None, :, :]
    if metric == "euclidean":
        key = np.square(moved).sum(axis=2)
        distance = np.sqrt(key)
    elif metric == "manhattan":
        distance = key = np.abs(moved).sum(axis=2)
    else:
        lengths = np.outer(np.linalg.norm(rows, axis=1), np.linalg.norm(train, axis=1))
        products = np.divide(rows @ train.T, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        distance = 1 - products
        key = distance.round(12)
    nearest = np.argsort(key, axis=1, kind="stable")[:, :n_neighbors]
    near = np.take_along_axis(distance, nearest, axis=1)
    weight = np.ones_like(near)
    if weights == "distance":
        met = near <= 1e-12
        weight = np.where(met.any(axis=1)[:, None], met, 1 / np.where(met, 1.0, near))
    return (weight[:, :, None] * targets[nearest]).sum(axis=1) / weight.sum(axis=1)[:, None]


@pytest.fixture
def table():
    """Small whole numbers: many ties and training rows at distance 0."""
    rng = np.random.default_rng(0)
    train = rng.integers(-2, 3, size=(40, 5)).astype(float)
    targets = np.eye(3)[rng.integers(0, 3, 40)]
    X = np.vstack([rng.integers(-2, 3, size=(3, 5)), train[7:8]])
    return X, train[:6], {"train": train, "targets": targets}


@pytest.mark.parametrize("players", [None, np.array([0, 1, 1, 2, 0])])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "cosine"])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_neighbours_equal_brute_force_within_their_errors(table, players, metric, weights):
    X, background, known = table
    if metric == "cosine":
        # Whole numbers meet the same angle at several lengths; these have no ties.
        rng = np.random.default_rng(1)
        known["train"] = rng.normal(size=(40, 5))
        X, background = rng.normal(size=(4, 5)), known["train"][:6]
    settings = {"n_neighbors": 5, "weights": weights, "metric": metric}

    def function(rows):
        return predict(rows, **known, **settings)

    want, base = brute_force(function, X, background, players)
    values, base_values, errors = knn_values(
        X, background, **known, **settings, players=players, n_permutations=60, seed=3
    )
    np.testing.assert_allclose(base_values, base, atol=1e-12)
    assert add_up(values, base_values, function(X)) < 1e-12
    assert (np.abs(values - want) <= 4 * errors + 1e-12).all()
    assert errors.max() < 0.02


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_standard_errors_are_the_size_of_the_errors(table, weights):
    X, background, known = table
    settings = known | {"n_neighbors": 5, "weights": weights}
    want, _ = brute_force(lambda rows: predict(rows, **settings), X, background)
    ratios = []
    for seed in range(12):
        values, _, errors = knn_values(X, background, **settings, n_permutations=40, seed=seed)
        ratios.append((values - want) / errors)
    assert 0.8 < np.sqrt(np.mean(np.square(ratios))) < 1.25


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_base_values_and_sums_are_those_of_scikit_learn(weights):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(90, 12)) + 1e4  # far from the origin: distances must not cancel
    y = rng.normal(size=90)
    X[80] = X[3]
    settings = {"n_neighbors": 7, "weights": weights}
    model = KNeighborsRegressor(**settings, algorithm="kd_tree").fit(X[:80], y[:80])
    values, base_values, _ = knn_values(
        X[80:], X[:10], train=X[:80], targets=y[:80, None], **settings, n_permutations=4
    )
    np.testing.assert_allclose(base_values, model.predict(X[:10]).mean(), atol=1e-9)
    np.testing.assert_allclose(
        values.sum(axis=(1, 2)), model.predict(X[80:]) - base_values, atol=1e-9
    )


def test_one_hot_votes_are_probabilities():
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(60, 4)), rng.integers(0, 3, 60)
    model = KNeighborsClassifier(9, metric="manhattan").fit(X[:50], y[:50])
    values, base_values, _ = knn_values(
        X[50:],
        X[:20],
        train=X[:50],
        targets=np.eye(3)[y[:50]],
        n_neighbors=9,
        weights="uniform",
        metric="manhattan",
    )
    assert add_up(values, base_values, model.predict_proba(X[50:])) < 1e-12


def test_ties_take_the_earlier_training_row():
    # The terms of the second training row are those of the first in another order, at x and at z:
    # a drift of one unit in the last place would let it win at the end of a walk now and then.
    steps = np.random.default_rng(4).normal(size=200)
    train = np.vstack([steps, steps[::-1]])
    values, base_values, _ = knn_values(
        [np.zeros(200)],
        [np.full(200, 3.0)],
        train=train,
        targets=[[0.0], [1.0]],
        n_neighbors=1,
        weights="uniform",
        n_permutations=40,
    )
    assert base_values.tolist() == [0.0]
    assert np.abs(values).max() > 0.01
    assert abs(values.sum()) < 1e-12


def test_standard_errors_shrink_and_stop_at_the_tolerance(table):
    X, background, known = table
    settings = known | {"n_neighbors": 4, "weights": "uniform"}
    _, _, few = knn_values(X, background, **settings, n_permutations=4)
    _, _, many = knn_values(X, background, **settings, n_permutations=400)
    assert many.max() < few.max() / 5
    values, _, stopped = knn_values(
        X, background, **settings, n_permutations=400, tolerance=few.max() / 3
    )
    assert many.max() < stopped.max() <= few.max() / 3
    again, _, _ = knn_values(X, background, **settings, n_permutations=400, tolerance=few.max() / 3)
    np.testing.assert_array_equal(values, again)


def test_rows_are_explained_alike_alone_and_together(table):
    X, background, known = table
    settings = known | {"n_neighbors": 4, "weights": "distance", "seed": 9}
    together, _, _ = knn_values(X, background, **settings)
    for row in range(len(X)):
        alone, _, _ = knn_values(X[row : row + 1], background, **settings)
        np.testing.assert_array_equal(alone[0], together[row])
    other, _, _ = knn_values(X, background, **(settings | {"seed": 10}))
    assert np.abs(other - together).max() > 1e-4


def test_values_do_not_depend_on_the_cache_size(table, monkeypatch):
    X, background, known = table
    settings = known | {"n_neighbors": 4, "weights": "uniform"}
    kept, _, _ = knn_values(X, background, **settings)
    monkeypatch.setattr("smalldata.shapley.neighbours.KEPT_BYTES", 0)
    again, _, _ = knn_values(X, background, **settings)
    np.testing.assert_array_equal(kept, again)


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_few_walks_estimate_the_game_of_the_whole_background(table, weights):
    X, _, known = table
    background = np.vstack([known["train"][:20], X[:2]])
    settings = known | {"n_neighbors": 5, "weights": weights}

    def function(rows):
        return predict(rows, **settings)

    want, base = brute_force(function, X, background)
    found = []
    for seed in range(60):
        values, base_values, errors = knn_values(X, background, **settings, max_pairs=8, seed=seed)
        np.testing.assert_allclose(base_values, base, atol=1e-12)
        assert add_up(values, base_values, function(X)) < 1e-12
        found.append(((values - want), errors))
    misses = np.array([miss for miss, _ in found])
    said = np.sqrt(np.square([errors for _, errors in found]).mean())
    assert np.abs(misses.mean(axis=0)).max() < 4 * said / np.sqrt(60)
    assert 0.5 < np.sqrt(np.square(misses).mean()) / said < 1.1
    whole, _, _ = knn_values(X, background, **settings, n_permutations=4)
    enough, _, _ = knn_values(X, background, **settings, n_permutations=4, max_pairs=44)
    np.testing.assert_array_equal(enough, whole)
    with pytest.raises(ExplanationError, match="max_pairs must be at least 4"):
        knn_values(X, background, **settings, max_pairs=3)


def test_votes_of_all_rows_or_one_background_row_have_exact_values(table):
    _, _, known = table
    train, targets = known["train"], known["targets"]
    everyone = {"n_neighbors": 40, "weights": "uniform"}
    values, base_values, errors = knn_values(train[:3], train[:2], **known, **everyone)
    assert not values.any()
    assert not errors.any()
    np.testing.assert_allclose(base_values, targets.mean(axis=0))
    values, base_values, errors = knn_values(
        train[:3, :1],
        train[5:6, :1],
        train=train[:, :1],
        targets=targets,
        n_neighbors=3,
        weights="distance",
    )
    column = predict(train[:3, :1], train[:, :1], targets, n_neighbors=3, weights="distance")
    assert add_up(values, base_values, column) < 1e-12
    assert not errors.any()
    same = np.ones((4, 2))
    values, base_values, _ = knn_values(
        same, same, train=same, targets=np.arange(4.0)[:, None], n_neighbors=2, weights="distance"
    )
    assert not values.any()
    assert base_values.tolist() == [0.5]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"n_neighbors": 0}, "n_neighbors must be in 1 … 40; got 0"),
        ({"n_neighbors": 41}, "n_neighbors must be in 1 … 40; got 41"),
        ({"weights": "rank"}, "weights must be uniform or distance"),
        ({"metric": "chebyshev"}, "euclidean, manhattan, cosine; got metric 'chebyshev'"),
        ({"n_permutations": 5}, "n_permutations must be even and at least 4; got 5"),
        ({"n_permutations": 2}, "n_permutations must be even and at least 4; got 2"),
        ({"tolerance": 0.0}, "tolerance must be above 0, or None"),
        ({"targets": np.zeros((3, 1))}, "targets must be of shape 40 x n"),
        ({"train": np.zeros((40, 2))}, "train must be of shape n x 5"),
    ],
)
def test_settings_out_of_range_are_refused(table, changes, sentence):
    X, background, known = table
    settings = known | {"n_neighbors": 4, "weights": "uniform"} | changes
    with pytest.raises(ExplanationError, match=sentence):
        knn_values(X, background, **settings)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_walks_that_stop_early_state_honest_errors(metric):
    """Against brute force over many seeds: unbiased, additive, and errors of the stated size."""
    rng = np.random.default_rng(5)
    train, targets = rng.normal(size=(40, 7)), rng.normal(size=(40, 1))
    X, background = rng.normal(size=(3, 7)), rng.normal(size=(60, 7))
    settings = {"n_neighbors": 9, "weights": "distance", "metric": metric}
    known = settings | {"train": train, "targets": targets}
    want, base = brute_force(lambda rows: predict(rows, **known), X, background)
    gaps, errors, sizes = [], [], []
    for seed in range(60):
        values, base_values, stated = knn_values(
            X, background, **known, n_permutations=4, leading_error=0.25, seed=seed
        )
        np.testing.assert_allclose(base_values, base)
        assert add_up(values, base_values, predict(X, **known)) < 1e-12
        gaps.append(values - want)
        errors.append(stated)
        sizes.append(np.sqrt(np.square(stated).mean(axis=1)) / np.abs(values).mean(axis=1))
    _, _, full = knn_values(X, background, **known, n_permutations=4)
    assert np.mean(errors) > 1.3 * full.mean()  # they did stop
    assert np.max(sizes) < 0.35  # what is lacking is shared after the stop
    ratio = np.sqrt(np.mean(np.square(gaps)) / np.mean(np.square(errors)))
    assert 0.5 < ratio < 1.1  # never understated; sharing what is lacking helps
    bias = np.abs(np.mean(gaps, axis=0)) / (np.std(gaps, axis=0, ddof=1) / np.sqrt(60))
    assert bias.max() < 4
