"""Interactions of a cell: equal to brute force, of the leading features, or why there are none."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from shapley_oracle import brute_force_interactions
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate
from smalldata.explanation.explanation import (
    explain,
    interaction_features,
    join_pairs,
    lacks_pairs,
    pair_folds,
)
from smalldata.explanation.fold import explained_output, pair_fold
from smalldata.explanation.options import ExplanationOptions
from smalldata.explanation.refit import rebuild_fold
from smalldata.models import load_learner
from smalldata.pipeline.preprocess import PLAIN, Preprocessing
from smalldata.resampling.strategies import make_splits
from smalldata.shapley.dispatch import ADDITIVE, SAMPLED
from smalldata.task import Dataset, TaskKind, make_task

KINDS = ["binary", "multiclass", "regression"]


def _task(kind, *, n=60):
    """Three numeric features, of which the first two work together, and one of three levels."""
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=["x0", "x1", "x2"])
    levels = rng.choice(["a", "b", "c"], size=n)
    X["group"] = pd.Categorical(levels, categories=["a", "b", "c"])
    signal = X["x0"] * X["x1"] + (levels == "c") + rng.normal(size=n) / 5
    y = np.asarray(signal, dtype=float)
    if kind == "binary":
        y = np.where(y > np.median(y), "case", "control").astype(object)
    if kind == "multiclass":
        y = np.array(["low", "mid", "high"], dtype=object)[
            np.digitize(y, np.quantile(y, [0.3, 0.7]))
        ]
    ids = np.array([f"s{i}" for i in range(n)], dtype=object)
    dataset = Dataset(
        name="toy", X=X, y=y, sample_ids=ids, kind=TaskKind(kind), target="y", positive="case"
    )
    return make_task(dataset)


def _cell(kind, model, preprocessing=PLAIN, *, n=60, **values):
    task = _task(kind, n=n)
    splits = make_splits(task, "kfold", n_splits=3, n_repeats=2)
    learner = load_learner(model, **values)
    record = evaluate(task, learner, splits, preprocessing=preprocessing, n_jobs=1)
    return task, record, learner, splits


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("model", "values"),
    [
        ("svm", {}),
        ("svm", {"kernel": "poly", "degree": 2, "coef0": 1.0}),
        ("svm", {"kernel": "linear"}),
        ("xgboost", {"n_rounds": 20, "colsample": 1.0}),
        ("random_forest", {"n_trees": 5}),
    ],
)
def test_interactions_equal_brute_force_with_a_categorical_as_one_player(kind, model, values):
    task, record, learner, splits = _cell(kind, model, n=150, **values)
    fold = splits.folds[1]
    cell = Cell(task=task, learner=learner, splits=splits)
    stored, options = record.folds[1], ExplanationOptions(background=6)
    rows = fold.test[::8]
    chosen = np.array([3, 0, 1])
    found = pair_fold(cell, fold, stored=stored, options=options, rows=rows, chosen=chosen)
    assert (found.repeat, found.fold) == (0, 1)
    opened = rebuild_fold(cell, fold, stored=stored, background=6)

    def function(columns):
        return explained_output(
            opened.estimator, columns, kind=task.kind, scale=learner.scale(task.kind)
        )

    X = opened.X[np.isin(fold.test, rows)]
    whole = brute_force_interactions(function, X, opened.Z, opened.players)
    expected = np.abs(whole).mean(axis=0)[np.ix_(chosen, chosen)]
    assert found.magnitude.shape == (3, 3, 3 if kind == "multiclass" else 1)
    scale = np.abs(function(X)).max()
    np.testing.assert_allclose(found.magnitude, expected, atol=1e-5 * scale)
    assert (values.get("kernel") == "linear") == (expected.max() < 1e-3 * scale)


def test_interactions_cover_the_leading_features_of_all_folds():
    task, record, learner, splits = _cell("binary", "svm")
    options = ExplanationOptions(interactions=2, repeats=2)
    found = explain(task, record, learner, splits, options=options, n_jobs=1)
    order = np.argsort(-np.abs(found.values).mean(axis=(0, 2)))
    got = found.interactions
    assert got.feature.tolist() == order[:2].tolist()
    assert got.magnitude.shape == (3, 2, 2, 1)  # the folds of the first repeat
    assert list(zip(got.repeat, got.fold, strict=True)) == [(0, 0), (0, 1), (0, 2)]
    np.testing.assert_array_equal(got.magnitude, got.magnitude.swapaxes(1, 2))
    assert (got.magnitude[:, 0, 0] == 0).all()
    more = dataclasses.replace(options, interactions=3)
    whole = explain(task, record, learner, splits, options=more, n_jobs=1).interactions
    np.testing.assert_allclose(whole.magnitude[:, :2, :2], got.magnitude, rtol=1e-9)
    two = explain(task, record, learner, splits, options=options, n_jobs=2)
    np.testing.assert_array_equal(two.interactions.magnitude, got.magnitude)


def test_named_features_are_ordered_by_importance():
    task, record, learner, splits = _cell("binary", "svm")
    options = ExplanationOptions(interactions=("x2", "group", "x0"))
    found = explain(task, record, learner, splits, options=options, n_jobs=1)
    importance = np.abs(found.values).mean(axis=(0, 2))
    expected = sorted([0, 2, 3], key=lambda feature: -importance[feature])
    assert found.interactions.feature.tolist() == expected


def test_interacting_pair_has_the_largest_interaction():
    task, record, learner, splits = _cell("regression", "svm", n=200)
    options = ExplanationOptions(interactions=4)
    found = explain(task, record, learner, splits, options=options, n_jobs=1).interactions
    mean = found.magnitude.mean(axis=(0, 3))
    pair = {int(found.feature[at]) for at in np.unravel_index(mean.argmax(), mean.shape)}
    assert pair == {0, 1}
    assert mean.max() > 3 * np.sort(mean[np.triu_indices(4, k=1)])[-2]


@pytest.mark.parametrize(
    ("model", "reason"), [("linear", ADDITIVE), ("dummy", None), ("knn", SAMPLED)]
)
def test_additive_model_has_a_note_instead_of_interactions(model, reason):
    """Nothing leads the constant's features, so nothing is missing."""
    task, record, learner, splits = _cell("binary", model)
    options = ExplanationOptions(interactions=3)
    found = explain(task, record, learner, splits, options=options, n_jobs=1)
    assert found.interactions is None
    assert not lacks_pairs(found)
    assert reason is None or reason in found.notes
    without = ExplanationOptions(interactions=0)
    found = explain(task, record, learner, splits, options=without, n_jobs=1)
    assert found.interactions is None
    assert not {ADDITIVE, SAMPLED} & set(found.notes)


@pytest.mark.parametrize("model", ["linear", "xgboost"])
def test_interactions_use_the_first_repeat_that_holds_out_a_sample(model):
    task = _task("binary")
    splits = make_splits(task, "holdout", n_repeats=4)
    first, later = splits.folds[0], splits.folds[3]
    (row, *_) = np.setdiff1d(later.test, np.concatenate([f.test for f in splits.folds[:3]]))
    assert row not in first.test
    learner = load_learner(model, **({"n_rounds": 5} if model == "xgboost" else {}))
    record = evaluate(task, learner, splits, n_jobs=1)
    options = ExplanationOptions(rows=(f"s{row}",), interactions=3)
    found = explain(task, record, learner, splits, options=options, n_jobs=1)
    assert set(found.row) == {row}
    assert (ADDITIVE in found.notes) == (model == "linear")
    assert (found.interactions is None) == (model == "linear")
    if found.interactions is not None:
        assert found.interactions.repeat.tolist() == [3]


def test_folds_with_and_without_interactions_are_combined():
    """A tuned svm may be linear in one fold and not in another."""
    task, record, learner, splits = _cell("binary", "svm")
    linear = _cell("binary", "svm", kernel="linear")[1]
    options = ExplanationOptions(interactions=2)
    found = explain(task, record, learner, splits, options=options, n_jobs=1)
    mixed = dataclasses.replace(record, folds=(record.folds[0], *linear.folds[1:]))
    without = dataclasses.replace(found, interactions=None)
    cell = Cell(task=task, learner=learner, splits=splits)
    parts = pair_folds(cell, mixed, without, options, n_jobs=1)
    got = join_pairs(parts, without).interactions
    np.testing.assert_array_equal(got.magnitude[0], found.interactions.magnitude[0])
    np.testing.assert_array_equal(got.magnitude[1:], 0.0)
    explained = explain(task, mixed, learner, splits, options=options, n_jobs=1)
    assert explained.interactions is not None
    assert explained.notes == ()


def test_features_left_out_by_a_fold_have_no_interaction():
    preprocessing = Preprocessing(select="univariate", k=2)
    task, record, learner, splits = _cell("binary", "svm", preprocessing)
    options = ExplanationOptions(interactions=("x0", "x1", "x2", "group"))
    found = explain(
        task, record, learner, splits, preprocessing=preprocessing, options=options, n_jobs=1
    )
    magnitude = found.interactions.magnitude
    assert ((magnitude > 0).sum(axis=(1, 2, 3)) <= 2).all()  # one pair, twice
    assert magnitude.max() > 0


def test_feature_without_importance_is_not_a_leading_feature():
    task, record, learner, splits = _cell("binary", "svm")
    found = explain(task, record, learner, splits, n_jobs=1)
    values = found.values.copy()
    values[:, 1] = 0
    asked = {**found.options, "interactions": 20}
    features = interaction_features(dataclasses.replace(found, values=values, options=asked))
    assert sorted(features) == [0, 2, 3]
