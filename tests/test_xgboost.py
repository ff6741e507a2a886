"""Boosted trees: one fit read at many numbers of rounds, shared bins, early stopping."""

from dataclasses import replace

import numpy as np
import pytest
import xgboost
from scipy.special import expit, softmax

from smalldata.datasets import load_dataset
from smalldata.learner import SearchSpace
from smalldata.models import load_learner, load_space
from smalldata.models.boosting import usable_device
from smalldata.models.weighting import row_weights
from smalldata.pipeline.training import TrainingRows
from smalldata.resampling.splitting import split_off
from smalldata.runtime.devices import resolve_device
from smalldata.shapley import tree_values
from smalldata.task import TaskInfo, TaskKind, make_task
from smalldata.tuning.inner_folds import FitEach, InnerFolds
from smalldata.tuning.samplers import spread
from smalldata.tuning.trials import MOST_PATH_VALUES, STRETCH
from smalldata.tuning.tuner import TuningOptions, make_tuner

KINDS = {0: TaskKind.REGRESSION, 2: TaskKind.BINARY, 3: TaskKind.MULTICLASS}
HARD = {"learning_rate": 0.3, "max_depth": 4, "colsample": 0.4, "subsample": 0.7}


def make_rows(n_classes, *, n_samples=70, missing=0.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 12))
    signal = X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(size=n_samples)
    # Unequal classes, so that weights matter.
    y = signal if n_classes == 0 else np.minimum((signal > 0.6) * (1.0 + (signal > 1.5)), 2)
    y = y if n_classes != 2 else np.minimum(y, 1)
    X[rng.random(X.shape) < missing] = np.nan
    return X, y if n_classes == 0 else y.astype(np.int64)


def both_ways(n_classes, *, missing=0.0, groups=None):
    """The workspace, and the plain way, on the same rows."""
    X, y = make_rows(n_classes, missing=missing)
    valid = make_rows(n_classes, n_samples=25, missing=missing, seed=1)[0]
    info = TaskInfo(
        kind=KINDS[n_classes], n_samples=len(X), n_features=X.shape[1], n_classes=n_classes
    )
    rows = {"X_train": X, "y_train": y, "X_valid": valid, "groups": groups}
    learner = load_learner("xgboost", **HARD)
    shared = type(learner).workspace(info, **rows, seed=7, device="cpu")
    return learner, shared, FitEach(info, **rows, seed=7, device="cpu")


def read(outputs):
    return outputs.value if outputs.probabilities is None else outputs.probabilities


def test_booster_equals_plain_xgboost():
    """No bins shared, no growing in pieces, no early stopping of our own: a second way."""
    for n_classes in KINDS:
        learner, shared, _ = both_ways(n_classes, missing=0.1)
        learner = replace(learner, n_rounds=30, class_weight="balanced")
        X, y = make_rows(n_classes, missing=0.1)
        weights = row_weights(y, "balanced", classify=n_classes > 0)
        objective = {
            0: {"objective": "reg:squarederror", "base_score": y.mean()},
            2: {"objective": "binary:logistic", "base_score": np.average(y, weights=weights)},
            3: {"objective": "multi:softprob", "num_class": 3, "base_score": 0.5},
        }[n_classes]
        values = {
            "tree_method": "hist",
            "max_bin": learner.max_bin,
            "learning_rate": 0.3,
            "max_depth": 4,
            "colsample_bytree": 0.4,
            "subsample": 0.7,
            "seed": 7,
            "seed_per_iteration": True,
            "nthread": 1,
        }
        data = xgboost.DMatrix(X, label=y, weight=weights, nthread=1)
        booster = xgboost.train(objective | values, data, num_boost_round=30)
        valid = make_rows(n_classes, n_samples=25, missing=0.1, seed=1)[0]
        raw = booster.predict(xgboost.DMatrix(valid), output_margin=True).astype(np.float64)
        expected = raw
        if n_classes == 2:
            expected = np.stack([expit(-raw), expit(raw)], axis=1)
        elif n_classes == 3:
            expected = softmax(raw, axis=1)
        need = "value" if n_classes == 0 else "probability"
        np.testing.assert_array_equal(read(shared.outputs(learner, needs=need)), expected)


@pytest.mark.parametrize("n_classes", KINDS)
@pytest.mark.parametrize("early_stopping", [0, 4])
def test_workspace_equals_single_fits_exactly(n_classes, early_stopping):
    learner, shared, plain = both_ways(
        n_classes, missing=0.1, groups=np.repeat(np.arange(35), 2) if early_stopping else None
    )
    learner = replace(learner, early_stopping=early_stopping, n_rounds=20)
    need = "value" if n_classes == 0 else "probability"
    tried = [
        learner,
        replace(learner, n_rounds=9),  # after more rounds of the same trees
        replace(learner, subsample=1.0, max_depth=1),
        replace(learner, class_weight="balanced"),
        replace(learner, max_bin=5),
        replace(learner, n_rounds=31),
        learner,
    ]
    for one in tried:
        np.testing.assert_array_equal(
            read(shared.outputs(one, needs=need)), read(plain.outputs(one, needs=need))
        )


@pytest.mark.parametrize("n_classes", KINDS)
@pytest.mark.parametrize("early_stopping", [0, 4])
def test_all_numbers_of_rounds_are_read_off_one_fit(n_classes, early_stopping):
    learner, shared, plain = both_ways(n_classes)
    learner = replace(learner, early_stopping=early_stopping)
    need = "value" if n_classes == 0 else "probability"
    values = [1, 2, 7, 8, 25, 60]
    expected = [plain.outputs(replace(learner, n_rounds=n), needs=need) for n in values]
    found = shared.path(learner, values[:3], needs=need)
    # Another learner in between neither stops nor changes the growth of this one.
    found_other = shared.path(replace(learner, learning_rate=0.05), [4], needs=need)
    found += shared.path(learner, values[3:], needs=need)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(read(ours), read(theirs))
    assert np.abs(read(found_other[0]) - read(found[0])).max() > 1e-3
    if early_stopping:
        np.testing.assert_array_equal(read(found[-1]), read(found[-2]))
    else:
        assert np.abs(read(found[-1]) - read(found[-2])).max() > 1e-3


def test_alternating_fits_on_two_folds_do_not_affect_each_other():
    """XGBoost draws rows and columns from one stream per process unless each round has a seed."""
    learner, first, plain = both_ways(2)
    second = both_ways(2)[1]
    for rounds in (5, 10, 15):
        found = first.path(learner, [rounds], needs="probability")
        second.path(replace(learner, subsample=0.6), [rounds], needs="probability")
    expected = plain.outputs(replace(learner, n_rounds=15), needs="probability")
    np.testing.assert_array_equal(read(found[0]), read(expected))


@pytest.mark.parametrize("n_classes", KINDS)
def test_early_stopping_ends_at_the_round_of_xgboost(n_classes):
    X, y = make_rows(n_classes)
    info = TaskInfo(kind=KINDS[n_classes], n_samples=70, n_features=12, n_classes=n_classes)
    learner = load_learner("xgboost", **HARD, early_stopping=4)
    ours = learner.build(info, seed=7, device="cpu").fit(X, y)
    train, held_out = split_off(y, 5, stratify=n_classes > 0, seed=7)
    data = xgboost.DMatrix(X[train], label=y[train], nthread=1)
    settings = {
        "tree_method": "hist",
        "max_bin": learner.max_bin,
        "learning_rate": 0.3,
        "max_depth": 4,
        "colsample_bytree": 0.4,
        "subsample": 0.7,
        "seed": 7,
        "seed_per_iteration": True,
        "nthread": 1,
        "objective": ["reg:squarederror", "", "binary:logistic", "multi:softprob"][n_classes],
        "base_score": 0.5 if n_classes == 3 else y.mean(),
    } | ({"num_class": 3} if n_classes == 3 else {})
    theirs = xgboost.train(
        settings,
        data,
        num_boost_round=learner.n_rounds,
        evals=[(xgboost.DMatrix(X[held_out], label=y[held_out], nthread=1), "held_out")],
        early_stopping_rounds=4,
        verbose_eval=False,
    )
    n_best = theirs.best_iteration + 1
    assert n_best + 4 == theirs.num_boosted_rounds() < learner.n_rounds
    assert ours.notes_ == (f"early stopping kept {n_best} rounds",)
    shared = both_ways(n_classes)[1]
    shared.outputs(learner, needs="value" if n_classes == 0 else "probability")
    assert shared.last[1].n_grown == theirs.num_boosted_rounds()
    raw = theirs.predict(
        xgboost.DMatrix(X, nthread=1), output_margin=True, iteration_range=(0, n_best)
    )
    np.testing.assert_array_equal(
        ours.booster_.predict(xgboost.DMatrix(X, nthread=1), output_margin=True), raw
    )


@pytest.mark.parametrize(("n_columns", "n_bins"), [(12, 32), (1500, 21), (5000, 16)])
def test_bins_are_outside_the_space_and_fewer_on_wide_tables(n_columns, n_bins):
    assert "max_bin" not in load_space("xgboost").parameters
    X = np.random.default_rng(0).normal(size=(80, n_columns))
    info = TaskInfo(kind=TaskKind.REGRESSION, n_samples=80, n_features=n_columns, n_classes=0)

    def predictions(max_bin):
        learner = load_learner("xgboost", max_bin=max_bin, n_rounds=5, max_depth=4)
        return learner.build(info, seed=0, device="cpu").fit(X, X[:, 0] ** 2).predict(X)

    np.testing.assert_array_equal(predictions(32), predictions(n_bins))
    assert np.abs(predictions(32) - predictions(n_bins - 1)).max() > 1e-3


def test_tuning_adds_rounds_until_a_stretch_brings_no_improvement():
    task = make_task(load_dataset("synthetic", n=60, p=8, informative=4, seed=3))
    learner = load_learner("xgboost", max_depth=2)
    space = SearchSpace.from_config(
        {
            "n_rounds": {"kind": "int", "low": 1, "high": 40, "simpler": "low"},
            "learning_rate": {"kind": "float", "low": 0.05, "high": 1.0, "log": True},
        }
    )
    options = TuningOptions(trials=9, inner_folds=3, pruner="none", sampler="random")
    tuner = make_tuner(task, learner, space, options=options, log=(kept := Kept()))
    rows = TrainingRows.of(task, seed=2)
    tuner.tune(learner, rows, name="r00f00")
    folds = InnerFolds.cut(rows, n_folds=3, classes=task.classes, measure=tuner.measure)
    path = spread(space.parameters["n_rounds"], MOST_PATH_VALUES)
    assert len(path) == MOST_PATH_VALUES
    n_cut = 0
    for trial in kept.trials[1:]:
        tried = replace(learner, learning_rate=trial.values["learning_rate"])
        means = [
            np.mean([folds.score(replace(tried, n_rounds=n), i) for i in range(3)]) for n in path
        ]
        for first in range(0, len(path), STRETCH):
            best = int(np.argmax(means[: first + STRETCH]))
            if best < first or means[best] == 1:
                break
        assert trial.values["n_rounds"] == path[best]
        assert trial.score == pytest.approx(means[best], abs=1e-12)
        n_cut += max(means) > means[best]
    assert n_cut > 0  # where the rule has found less than all values hold


class Kept:
    """A log of trials in memory."""

    def __init__(self):
        self.trials = []

    def start(self, name):
        return ()

    def add(self, name, trial):
        self.trials.append(trial)

    def restart(self, name):
        self.trials.clear()


# ---------------------------------------------------------------- a card


def test_a_build_without_cuda_grows_on_the_cpu_and_says_so(monkeypatch):
    assert usable_device("cpu") == ("cpu", ())
    monkeypatch.setattr(xgboost, "build_info", lambda: {"USE_CUDA": False})
    learner, _, plain = both_ways(2)
    asked = replace(plain, device="cuda")
    for needs in ("probability", "margin"):
        found = read(asked.outputs(learner, needs=needs))
        np.testing.assert_array_equal(found, read(plain.outputs(learner, needs=needs)))
    estimator = learner.build(plain.info, seed=7, device="cuda").fit(plain.X_train, plain.y_train)
    assert any("is a build without CUDA" in note for note in estimator.notes_)
    monkeypatch.setattr(xgboost, "build_info", lambda: {"USE_CUDA": True})
    assert usable_device("cuda") == ("cuda", ())


def has_card():
    return resolve_device("auto")[0] == "cuda" and xgboost.build_info()["USE_CUDA"]


card = [
    pytest.mark.gpu,
    pytest.mark.skipif(not has_card(), reason="there is no card, or no xgboost for one"),
]


@pytest.mark.parametrize("n_classes", [pytest.param(n, marks=card) for n in KINDS])
def test_cuda_agrees_with_the_cpu_where_every_round_sees_all_rows_and_columns(n_classes):
    """Else the card draws other rows. Equal to 1e-3 of the spread: sums are of another order."""
    learner, _, plain = both_ways(n_classes, missing=0.1)
    for changes in ({}, {"early_stopping": 10}, {"class_weight": "balanced"}):
        whole = replace(learner, subsample=1.0, colsample=1.0, n_rounds=60, **changes)
        fitted = {
            device: whole.build(plain.info, seed=7, device=device).fit(plain.X_train, plain.y_train)
            for device in ("cpu", "cuda")
        }
        margins = {
            device: estimator.booster_.predict(xgboost.DMatrix(plain.X_valid), output_margin=True)
            for device, estimator in fitted.items()
        }
        scale = max(1.0, float(np.ptp(margins["cpu"])))
        np.testing.assert_allclose(margins["cuda"], margins["cpu"], atol=1e-3 * scale)
        # Grown on the card, it is explained on the CPU as it predicts there.
        values, base = tree_values(fitted["cuda"].booster_, plain.X_valid[:4], plain.X_train[:20])
        moved = margins["cuda"][:4].reshape(4, -1) - base
        np.testing.assert_allclose(values.sum(axis=1), moved, atol=1e-3 * scale)


@pytest.mark.parametrize("n_classes", [pytest.param(n, marks=card) for n in KINDS])
def test_cuda_is_repeatable_and_path_equals_single_fits(n_classes):
    learner, shared, plain = both_ways(n_classes)
    shared = type(learner).workspace(
        plain.info,
        **{key: getattr(plain, key) for key in ("X_train", "y_train", "X_valid", "groups")},
        seed=7,
        device="cuda",
    )
    single = replace(plain, device="cuda")
    values = [5, 20, 40]
    needs = "value" if n_classes == 0 else "probability"
    found = shared.path(learner, values, needs=needs)
    for outputs, wanted in zip(found, single.path(learner, values, needs=needs), strict=True):
        np.testing.assert_allclose(read(outputs), read(wanted), atol=1e-5)
    again = single.outputs(learner, needs=needs)
    np.testing.assert_array_equal(read(again), read(single.outputs(learner, needs=needs)))
