"""The models one by one, against second implementations; names and values of hyperparameters."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import SVC, SVR

from smalldata.errors import ConfigError
from smalldata.learner import KernelForm, LinearForm
from smalldata.models import build_learner, load_learner, load_space
from smalldata.models.calibration import calibration_folds, fit_calibration
from smalldata.models.elastic_net import Design, Problem, fit_elastic_net
from smalldata.models.weighting import row_weights
from smalldata.task import TaskInfo, TaskKind


def build(name, kind, n_classes, *, seed=0, **values):
    info = TaskInfo(kind=kind, n_samples=80, n_features=20, n_classes=n_classes)
    return load_learner(name, **values).build(info, seed=seed, device="cpu")


def table(n_classes, *, n_samples=80, n_columns=20, seed=0):
    """Scaled columns of which two tell; class codes, or values where n_classes is 0."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_columns))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    signal = X[:, 0] + X[:, 1] + rng.normal(size=n_samples)
    if n_classes == 0:
        return X, 50 + 7 * signal
    return X, np.argsort(np.argsort(signal)) * n_classes // n_samples


# ---------------------------------------------------------------- linear


@pytest.mark.parametrize("n_columns", [20, 300])
@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_logistic_ridge_equals_scikit_learn(n_columns, class_weight):
    X, _ = table(2, n_columns=n_columns)
    y = (X[:, 0] > 0.7).astype(int)
    ours = build("linear", TaskKind.BINARY, 2, strength=0.4, class_weight=class_weight).fit(X, y)
    weight = None if class_weight == "none" else "balanced"
    theirs = LogisticRegression(
        C=1 / (0.4 * n_columns), class_weight=weight, tol=1e-10, max_iter=5000
    ).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)
    assert ours.notes_ == ()


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_multinomial_equals_scikit_learn(l1_ratio):
    X, y = table(3, n_columns=40)
    ours = build("linear", TaskKind.MULTICLASS, 3, strength=0.1, l1_ratio=l1_ratio).fit(X, y)
    problem = Problem(
        design=Design.of(X),
        targets=np.eye(3)[y],
        weights=np.ones(len(y)),
        loss_name="multinomial",
        l1_share=0.1 * l1_ratio,
        l2=0.1 * (1 - l1_ratio) * 40,
    )
    l1, l2 = problem.l1, problem.l2

    def objective(values):
        coef, intercept = values[:120].reshape(40, 3), values[120:]
        output = X @ coef + intercept
        high = output.max(axis=1, keepdims=True)
        logs = output - high - np.log(np.exp(output - high).sum(axis=1, keepdims=True))
        penalty = l1 * np.abs(coef).sum() + l2 / 2 * (coef**2).sum()
        return -logs[np.arange(len(y)), y].sum() + penalty

    fit = fit_elastic_net(problem)
    best = objective(np.concatenate([fit.coef.ravel(), fit.intercept]))
    rng = np.random.default_rng(0)
    for scale in (1e-1, 1e-2, 1e-3):  # no neighbour is better, in any of many directions
        for _ in range(200):
            step = rng.normal(size=123) * scale
            step[:120] *= rng.random(120) < 0.3
            moved = np.concatenate([fit.coef.ravel(), fit.intercept]) + step
            assert objective(moved) > best - 1e-9
    if l1_ratio == 0.0:
        theirs = LogisticRegression(C=1 / l2, tol=1e-10, max_iter=5000).fit(X, y)
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(ours.coef_.sum(axis=0), 0, atol=1e-12)
    assert fit.converged


@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("n_columns", [20, 200])
def test_linear_regression_equals_scikit_learn(l1_ratio, n_columns):
    X, y = table(0, n_columns=n_columns)
    ours = build("linear", TaskKind.REGRESSION, 0, strength=0.2, l1_ratio=l1_ratio).fit(X, y)
    z = (y - y.mean()) / y.std()
    n, largest = len(y), np.abs(X.T @ z).max()
    l1, l2 = 0.2 * l1_ratio * largest, 0.2 * (1 - l1_ratio) * n_columns
    if l1_ratio == 0:
        theirs = Ridge(alpha=l2).fit(X, z)
    else:
        total = (l1 + l2) / n
        theirs = ElasticNet(
            alpha=total, l1_ratio=l1 / n / total, tol=1e-12, max_iter=1_000_000
        ).fit(X, z)
    np.testing.assert_allclose(ours.coef_[0], theirs.coef_ * y.std(), atol=1e-5)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X) * y.std() + y.mean(), atol=1e-4)


def test_lasso_uses_no_column_from_strength_one_on():
    X, y = table(2, n_columns=500)
    some = build("linear", TaskKind.BINARY, 2, strength=0.7, l1_ratio=1.0).fit(X, y)
    assert 0 < (some.coef_ != 0).sum() < 30
    none = build("linear", TaskKind.BINARY, 2, strength=1.0, l1_ratio=1.0).fit(X, y)
    assert (none.coef_ == 0).all()
    np.testing.assert_allclose(none.predict_proba(X)[:, 1], y.mean())


def test_fit_that_does_not_converge_is_noted(monkeypatch):
    monkeypatch.setattr("smalldata.models.elastic_net.columns.MOST_STEPS", 1)
    monkeypatch.setattr("smalldata.models.elastic_net.descent.MOST_STEPS", 3)
    X, y = table(2)
    assert "stopped before it converged" in build("linear", TaskKind.BINARY, 2).fit(X, y).notes_[0]


# ---------------------------------------------------------------- nearest neighbours


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "cosine"])
def test_knn_probabilities_equal_scikit_learn(weights, metric):
    X, y = table(3)
    X[7] = X[3]  # a held-out row that is also a training row
    values = {"n_neighbors": 9, "weights": weights, "metric": metric}
    train, test = X[5:], X[:5]
    ours = build("knn", TaskKind.MULTICLASS, 3, **values).fit(train, y[5:])
    theirs = KNeighborsClassifier(**values, algorithm="brute").fit(train, y[5:])
    found = ours.predict_proba(test)
    np.testing.assert_allclose(
        np.delete(found, 3, axis=0), np.delete(theirs.predict_proba(test), 3, axis=0), atol=1e-8
    )
    if weights == "distance":  # scikit-learn's own cosine of equal rows is off by rounding
        assert found[3, y[7]] == 1.0
    values_of = np.linspace(0, 9, 75)
    ours = build("knn", TaskKind.REGRESSION, 0, **values).fit(train, values_of)
    theirs = KNeighborsRegressor(**values, algorithm="brute").fit(train, values_of)
    np.testing.assert_allclose(ours.predict(test[:3]), theirs.predict(test[:3]), atol=1e-7)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "cosine"])
def test_knn_ties_follow_training_order(metric):
    # The same terms in another order: equal distances, whatever the order they are summed in.
    rng = np.random.default_rng(0)
    terms = rng.normal(size=40)
    train = np.array([rng.permutation(terms) for _ in range(300)])
    y = np.arange(300.0)
    knn = build("knn", TaskKind.REGRESSION, 0, n_neighbors=4, weights="uniform", metric=metric)
    origin = np.ones((1, 40)) if metric == "cosine" else np.zeros((1, 40))
    assert knn.fit(train, y).predict(origin) == pytest.approx([1.5])
    train[:150] *= -2 if metric == "cosine" else 2  # farther: the first of the others are nearest
    if terms.sum() < 0 and metric == "cosine":
        train = -train
    assert knn.fit(train, y).predict(origin) == pytest.approx([151.5])


def test_parallel_rows_have_zero_cosine_distance():
    X, y = table(2)
    X[4] = 3.1 * X[0]
    knn = build("knn", TaskKind.BINARY, 2, metric="cosine", weights="distance").fit(X[1:], y[1:])
    assert knn.predict_proba(X[:1])[0, y[4]] == 1.0


def test_zero_row_has_a_defined_cosine_distance():
    knn = build("knn", TaskKind.REGRESSION, 0, n_neighbors=1, metric="cosine")
    knn.fit(np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([3.0, 5.0]))
    np.testing.assert_array_equal(knn.predict(np.array([[2.0, 0.0], [0.0, 0.0]])), [5.0, 3.0])


def test_more_neighbours_than_rows_are_noted():
    X, y = table(2, n_samples=12)
    knn = build("knn", TaskKind.BINARY, 2, n_neighbors=50, weights="uniform").fit(X, y)
    assert knn.notes_ == ("n_neighbors=50 exceeds the 12 training rows; all of them vote",)
    np.testing.assert_allclose(knn.predict_proba(X)[:, 1], 0.5)


# ---------------------------------------------------------------- support vectors


@pytest.mark.parametrize(
    ("kernel", "values"), [("rbf", {}), ("linear", {}), ("poly", {"degree": 2, "coef0": 0.5})]
)
@pytest.mark.parametrize("class_weight", ["none", "balanced"])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_margins_are_signed_sums_of_one_vs_one_decisions(kernel, values, class_weight, n_classes):
    X, y = table(n_classes)
    kind = TaskKind.BINARY if n_classes == 2 else TaskKind.MULTICLASS
    settings = {"kernel": kernel, "class_weight": class_weight, "C": 2.0, "gamma": 0.7, **values}
    ours = build("svm", kind, n_classes, **settings).fit(X[:60], y[:60])
    width = 1 / (20 * X[:60].var())
    theirs = SVC(
        kernel=kernel,
        C=2.0 * (width if kernel == "linear" else 1.0),  # a kernel times g is a C times g
        gamma=0.7 * width,
        class_weight=None if class_weight == "none" else "balanced",
        decision_function_shape="ovo",
        tol=1e-6,
        **values,
    ).fit(X[:60], y[:60])
    pairs = theirs.decision_function(X[60:])
    if n_classes == 2:
        expected = pairs
    else:
        expected, pair = np.zeros((20, n_classes)), 0
        for first in range(n_classes):
            for second in range(first + 1, n_classes):
                expected[:, first] += pairs[:, pair]
                expected[:, second] -= pairs[:, pair]
                pair += 1
    np.testing.assert_allclose(ours.decision_function(X[60:]), expected, atol=2e-3)


@pytest.mark.parametrize("kind", [TaskKind.MULTICLASS, TaskKind.REGRESSION])
def test_linear_and_polynomial_margin_forms(kind):
    X, y = table(3 if kind.is_classification else 0)
    for kernel in ("linear", "poly"):
        machine = build("svm", kind, 3, kernel=kernel, gamma=0.6, degree=2).fit(X, y)
        form = load_learner("svm", kernel=kernel).margin_form(machine)
        if kernel == "linear":
            assert isinstance(form, LinearForm)
            found = X @ form.coef.T + form.intercept
        else:
            assert isinstance(form, KernelForm)
            kernels = (form.gamma * X @ form.support.T + form.coef0) ** form.degree
            found = kernels @ form.coef.T + form.intercept
        if kind.is_classification:
            np.testing.assert_allclose(found, machine.decision_function(X), atol=1e-9)
        else:
            np.testing.assert_allclose(found[:, 0], machine.predict(X), atol=1e-9)


def test_svr_predicts_in_units_of_the_target():
    X, y = table(0)
    ours = build("svm", TaskKind.REGRESSION, 0, C=3.0, gamma=0.5).fit(X[:60], y[:60])
    z = (y[:60] - y[:60].mean()) / y[:60].std()
    theirs = SVR(C=3.0, gamma=0.5 / (20 * X[:60].var()), epsilon=0.1, tol=1e-6).fit(X[:60], z)
    expected = theirs.predict(X[60:]) * y[:60].std() + y[:60].mean()
    np.testing.assert_allclose(ours.predict(X[60:]), expected, atol=1e-2)
    flat = build("svm", TaskKind.REGRESSION, 0, epsilon=100.0).fit(X, y)
    form = load_learner("svm").margin_form(flat)
    assert isinstance(form, KernelForm)
    assert form.coef.shape == (1, 0)
    assert np.ptp(flat.predict(X)) == 0


def test_calibration_maximises_its_likelihood():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    margin = 0.8 * (2 * y - 1) + rng.normal(size=200) - 0.4
    halves = np.column_stack([-margin / 2, margin / 2])
    found = fit_calibration(halves, y)
    n_pos, n_neg = (y == 1).sum(), (y == 0).sum()
    target = np.where(y == 1, (n_pos + 1) / (n_pos + 2), 1 / (n_neg + 2))

    def loss(values):
        p = expit(values[0] * margin + values[1])
        return -(target * np.log(p) + (1 - target) * np.log(1 - p)).sum()

    best = minimize(loss, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    assert found.slope == pytest.approx(best.x[0], abs=1e-4)
    assert found.offsets[1] - found.offsets[0] == pytest.approx(best.x[1], abs=1e-4)
    np.testing.assert_allclose(
        found.probabilities(halves)[:, 1], expit(best.x[0] * margin + best.x[1]), atol=1e-4
    )


def test_calibrated_probabilities_follow_the_shares():
    # Margins that are three times too steep: the calibration takes the factor back.
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(4000, 3))
    shares = np.exp(truth) / np.exp(truth).sum(axis=1, keepdims=True)
    y = (shares.cumsum(axis=1) > rng.random((4000, 1))).argmax(axis=1)
    found = fit_calibration(3 * truth, y)
    assert found.slope == pytest.approx(1 / 3, rel=0.1)
    np.testing.assert_allclose(found.offsets, 0, atol=0.15)


def test_calibration_never_reverses_two_classes():
    y = np.repeat([0, 1], 20)
    margin = -(2.0 * y - 1)  # the margins speak for the wrong class
    found = fit_calibration(np.column_stack([-margin / 2, margin / 2]), y)
    assert found.slope == 0
    np.testing.assert_allclose(found.probabilities(np.zeros((1, 2))), 0.5, atol=1e-6)


def test_calibration_folds_keep_groups_whole_and_shrink_with_the_smallest_class():
    y = np.repeat([0, 1], [30, 10])
    groups = np.concatenate([np.arange(10).repeat(3), 100 + np.arange(5).repeat(2)])
    folds = calibration_folds(y, n_splits=5, groups=groups, seed=0)
    assert len(folds) == 5
    for train, held_out in folds:
        assert not set(groups[train]) & set(groups[held_out])
    assert len(calibration_folds(y[:33], n_splits=5, groups=None, seed=0)) == 3
    assert calibration_folds(y[:31], n_splits=5, groups=None, seed=0) == []
    assert calibration_folds(y, n_splits=5, groups=np.repeat([0, 1], [30, 10]), seed=0) == []


def test_a_class_too_small_to_calibrate_is_noted():
    X, _ = table(2)
    y = np.zeros(80, dtype=int)
    y[0] = 1
    svm = build("svm", TaskKind.BINARY, 2, C=50.0).fit(X, y)
    assert "not calibrated" in svm.notes_[0]
    margin = svm.decision_function(X)
    np.testing.assert_allclose(svm.predict_proba(X)[:, 1], expit(margin))
    np.testing.assert_array_equal(svm.predict(X), margin > 0)


# ---------------------------------------------------------------- boosted trees


def test_boosted_trees_start_from_the_share_of_the_positive_class():
    X, _ = table(2)
    y = (np.arange(80) < 20).astype(int)
    trees = build("xgboost", TaskKind.BINARY, 2, n_rounds=1, learning_rate=1e-6).fit(X, y)
    np.testing.assert_allclose(trees.predict_proba(X)[:, 1], 0.25, atol=1e-4)
    balanced = build(
        "xgboost", TaskKind.BINARY, 2, n_rounds=1, learning_rate=1e-6, class_weight="balanced"
    ).fit(X, y)
    np.testing.assert_allclose(balanced.predict_proba(X)[:, 1], 0.5, atol=1e-4)


def test_early_stopping_cuts_the_rounds_and_says_so():
    X, y = table(2)
    full = build("xgboost", TaskKind.BINARY, 2, n_rounds=200).fit(X, y)
    assert full.booster_.num_boosted_rounds() == 200
    assert full.notes_ == ()
    short = build("xgboost", TaskKind.BINARY, 2, n_rounds=200, early_stopping=5).fit(X, y)
    n_rounds = short.booster_.num_boosted_rounds()
    assert n_rounds < 200
    assert short.notes_ == (f"early stopping kept {n_rounds} rounds",)
    y[:] = 0
    y[3] = 1
    rare = build("xgboost", TaskKind.BINARY, 2, n_rounds=10, early_stopping=5).fit(X, y)
    assert "no early stopping" in rare.notes_[0]


def test_xgboost_seed_draws_columns_and_huge_values_are_clipped():
    X, y = table(2)
    first = build("xgboost", TaskKind.BINARY, 2, seed=1).fit(X, y).predict_proba(X)
    other = build("xgboost", TaskKind.BINARY, 2, seed=2).fit(X, y).predict_proba(X)
    assert np.abs(first - other).max() > 1e-3
    X[0, 0] = 1e300
    assert np.isfinite(build("xgboost", TaskKind.BINARY, 2).fit(X, y).predict_proba(X)).all()


# ---------------------------------------------------------------- class weights


def test_balanced_rows_weigh_each_class_alike():
    y = np.array([0, 0, 0, 2, 2, 1])
    weights = row_weights(y, "balanced", classify=True)
    np.testing.assert_allclose([weights[y == code].sum() for code in range(3)], 2.0)
    np.testing.assert_array_equal(row_weights(y * 1.5, "balanced", classify=False), np.ones(6))


@pytest.mark.parametrize("name", ["linear", "svm", "xgboost", "random_forest"])
def test_class_weights_raise_the_rare_class(name):
    X, _ = table(2, n_samples=120)
    y = (X[:, 0] + 0.8 * np.random.default_rng(1).normal(size=120) > 1.4).astype(int)
    plain = build(name, TaskKind.BINARY, 2).fit(X[:80], y[:80])
    balanced = build(name, TaskKind.BINARY, 2, class_weight="balanced").fit(X[:80], y[:80])
    if name == "svm":  # its calibration takes back what moves all probabilities alike
        assert balanced.decision_function(X).mean() > plain.decision_function(X).mean()
    else:
        assert balanced.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean() + 0.02


# ---------------------------------------------------------------- names and values


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("knnn", {}, "there is no 'knnn'; did you mean knn"),
        ("knn", {"n_neigbors": 3}, "knn has no hyperparameter 'n_neigbors'; did you mean n_neigh"),
        ("dummy", {"zzz": 3}, "dummy has no hyperparameter 'zzz'; it has none"),
        ("knn", {"n_neighbors": 0}, "knn.n_neighbors must be an integer, at least 1; got 0"),
        ("knn", {"n_neighbors": 2.5}, "must be an integer, at least 1; got 2.5"),
        ("knn", {"n_neighbors": "3"}, "must be an integer, at least 1; got '3'"),
        ("knn", {"n_neighbors": True}, "must be an integer, at least 1; got True"),
        ("knn", {"metric": "hamming"}, "knn.metric must be one of euclidean, manhattan, cosine"),
        ("svm", {"C": 0}, "svm.C must be a number, above 0; got 0"),
        ("svm", {"C": float("inf")}, "svm.C must be a number, above 0; got inf"),
        ("svm", {"C": float("nan")}, "svm.C must be a number, above 0; got nan"),
        ("svm", {"class_weight": None}, "svm.class_weight must be one of none, balanced; got None"),
        ("linear", {"l1_ratio": 1.5}, "must be a number, at least 0 and at most 1; got 1.5"),
    ],
)
def test_wrong_model_names_and_values_are_refused_with_one_sentence(name, values, sentence):
    with pytest.raises(ConfigError, match=sentence):
        load_learner(name, **values)


def test_tuned_values_are_checked_and_canonical():
    svm = load_learner("svm")
    assert replace(svm, C=2) == replace(svm, C=2.0)
    assert type(replace(svm, C=2).C) is float
    assert type(load_learner("knn", n_neighbors=7.0).n_neighbors) is int
    with pytest.raises(ConfigError, match="above 0"):
        replace(svm, C=-1.0)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"_target_": "os.system"}, "must name a class of smalldata"),
        ({"_target_": "smalldata.models.knn.distances"}, "must name a learner"),
        ({"_target_": "smalldata.models.values.Range", "low": 1}, "must name a learner"),
        ({"_target_": "smalldata.models.knn.KNN"}, "'n_neighbors' is missing"),
        ({"_target_": "smalldata.models.knn.KNN", "k": 1}, "knn has no hyperparameter 'k'"),
        ({}, "must name a class"),
    ],
)
def test_build_learner_refuses_classes_that_are_not_learners(config, sentence):
    with pytest.raises(ConfigError, match=sentence):
        build_learner("knn", config)


def test_load_space_returns_the_space_of_a_model():
    assert load_space("dummy").parameters == {}
    with pytest.raises(ConfigError, match="did you mean linear"):
        load_space("liner")
