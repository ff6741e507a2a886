"""Partial least squares against scikit-learn and against kernel PLS written out."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.cross_decomposition import PLSRegression

from smalldata.models import load_learner
from smalldata.models.calibration import fit_calibration
from smalldata.models.pls import decompose
from smalldata.resampling.splitting import make_folds
from smalldata.task import TaskInfo, TaskKind


def build(kind, n_classes, *, seed=0, **values):
    info = TaskInfo(kind=kind, n_samples=60, n_features=20, n_classes=n_classes)
    learner = load_learner("pls", **values)
    return learner, learner.build(info, seed=seed, device="cpu")


def table(n_columns, *, n_classes=3):
    rng = np.random.default_rng(4)
    X = rng.normal(size=(60, n_columns)) + 0.7
    signal = X[:, 0] - X[:, 1] + 0.5 * rng.normal(size=60)
    return X, signal, np.argsort(np.argsort(signal)) * n_classes // 60


def kernel_pls(X, Y, new, n_components):
    """Rosipal & Trejo (2001, JMLR 2:97), with the Gram matrix of the centred rows alone."""
    centred = X - X.mean(axis=0)
    gram, left = centred @ centred.T, Y - Y.mean(axis=0)
    cross = (new - X.mean(axis=0)) @ centred.T
    deflated, scores, duals = gram.copy(), [], []
    for _ in range(n_components):
        u = left @ np.linalg.eigh(left.T @ deflated @ left)[1][:, -1]
        t = deflated @ u
        t /= np.linalg.norm(t)
        away = np.eye(len(X)) - np.outer(t, t)
        deflated, left = away @ deflated @ away, left - np.outer(t, t @ left)
        scores.append(t)
        duals.append(u)
    T, U = np.array(scores).T, np.array(duals).T
    dual = U @ np.linalg.solve(T.T @ gram @ U, T.T @ (Y - Y.mean(axis=0)))
    return cross @ dual + Y.mean(axis=0)


def theirs(X, Y, new, n_components):
    model = PLSRegression(n_components, scale=False, tol=1e-28, max_iter=100_000)
    return model.fit(X, Y).predict(new)


@pytest.mark.parametrize("reference", [kernel_pls, theirs])
@pytest.mark.parametrize("n_components", [1, 2, 7])
@pytest.mark.parametrize("n_columns", [20, 60, 400])
def test_predictions_equal_reference_implementations(reference, n_columns, n_components):
    X, signal, y = table(n_columns)
    train, new = X[:45], X[45:]
    values = {"n_components": n_components}
    _, model = build(TaskKind.REGRESSION, 0, **values)
    expected = reference(train, signal[:45, None], new, n_components).ravel()
    np.testing.assert_allclose(model.fit(train, signal[:45]).predict(new), expected, atol=1e-8)
    _, model = build(TaskKind.MULTICLASS, 3, **values)
    expected = reference(train, np.eye(3)[y[:45]], new, n_components)
    model.fit(train, y[:45])
    np.testing.assert_allclose(model.decision_function(new), expected, atol=1e-8)
    np.testing.assert_allclose(model.decision_function(new).sum(axis=1), 1)
    assert model.notes_ == ()


def test_probabilities_are_calibrated_on_held_out_rows():
    X, _, y = table(400, n_classes=2)
    _, model = build(TaskKind.BINARY, 2, seed=5, n_components=3)
    model.fit(X, y)
    margins = np.empty(60)
    for train, held_out in make_folds(y, 5, stratify=True, groups=None, seed=5):
        _, inner = build(TaskKind.BINARY, 2, n_components=3)
        margins[held_out] = inner.fit(X[train], y[train]).decision_function(X[held_out])
    expected = fit_calibration(np.stack([1 - margins, margins], axis=1), y)
    assert model.calibration_.slope == pytest.approx(expected.slope, rel=1e-6)
    fitted = model.decision_function(X)
    np.testing.assert_allclose(
        model.predict_proba(X), expected.probabilities(np.stack([1 - fitted, fitted], axis=1))
    )
    # The rows themselves are fitted all but perfectly; a map fitted on them would be far steeper.
    seen = fit_calibration(np.stack([1 - fitted, fitted], axis=1), y)
    assert model.calibration_.slope < 0.5 * seen.slope


def test_a_class_too_small_to_calibrate_is_noted():
    X, _, _ = table(30)
    y = np.zeros(60, dtype=int)
    y[3] = 1
    _, model = build(TaskKind.BINARY, 2)
    model.fit(X, y)
    assert "not calibrated" in model.notes_[0]
    margin = model.decision_function(X)
    np.testing.assert_allclose(
        model.predict_proba(X), softmax(np.stack([2 - 2 * margin, 2 * margin], axis=1), axis=1)
    )


@pytest.mark.parametrize("n_columns", [8, 500])
def test_components_stop_at_the_rank_with_a_note(n_columns):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(30, 4)) @ rng.normal(size=(4, n_columns))
    y = rng.normal(size=30)
    most, few = (build(TaskKind.REGRESSION, 0, n_components=n)[1].fit(X, y) for n in (20, 4))
    note = "n_components=20 is more than the training rows allow; 4 components are used"
    assert most.notes_ == (note,)
    assert few.notes_ == ()
    centred = np.column_stack([np.ones(30), X])
    least_squares = centred @ np.linalg.lstsq(centred, y, rcond=1e-10)[0]
    for model in (most, few):
        np.testing.assert_allclose(model.predict(X), least_squares, atol=1e-8)


def test_components_end_where_the_targets_are_used_up():
    # Orthogonal columns of equal size: the first component is all of least squares.
    X = np.random.default_rng(2).normal(size=(40, 7))
    X = np.linalg.qr(X - X.mean(axis=0))[0]
    y = X @ np.arange(7.0)
    fit = decompose(X, y[:, None], 5).first(5)
    assert fit.n_used == 1
    np.testing.assert_allclose(fit.coef[0], np.arange(7.0), atol=1e-10)


@pytest.mark.parametrize("n_columns", [5, 200])
def test_constant_columns_or_target_predict_the_mean_without_a_warning(n_columns):
    rng = np.random.default_rng(3)
    _, model = build(TaskKind.REGRESSION, 0, n_components=4)  # a warning fails the test
    model.fit(np.full((30, n_columns), 2.5), rng.normal(size=30))
    assert "0 components" in model.notes_[0]
    assert np.ptp(model.predict(rng.normal(size=(9, n_columns)))) == 0
    model.fit(rng.normal(size=(30, n_columns)), np.full(30, 6.1))
    np.testing.assert_allclose(model.predict(rng.normal(size=(9, n_columns))), 6.1)


def test_two_classes_have_one_margin_that_flips_with_the_labels():
    X, _, y = table(100, n_classes=2)
    learner, model = build(TaskKind.BINARY, 2, n_components=2)
    model.fit(X, y)
    form = learner.margin_form(model)
    assert form.coef.shape == (1, 100)
    np.testing.assert_allclose(X @ form.coef[0] + form.intercept[0], model.decision_function(X))
    _, swapped = build(TaskKind.BINARY, 2, n_components=2)
    swapped.fit(X, 1 - y)
    np.testing.assert_allclose(swapped.decision_function(X), 1 - model.decision_function(X))
