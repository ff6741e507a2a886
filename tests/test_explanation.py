"""Explanations of whole cells: out of fold, reproduced, additive, on the scale that is named."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from smalldata.attribution import explain_fold, explained_output
from smalldata.errors import ExplanationError
from smalldata.evaluation import evaluate, fit_fold
from smalldata.explanation import explain
from smalldata.explanationoptions import ExplanationOptions
from smalldata.learner import CallableForm
from smalldata.models import load_learner
from smalldata.preprocess import Preprocessing
from smalldata.resampling import make_splits
from smalldata.task import Dataset, TaskKind, make_task

MODELS = ["dummy", "linear", "knn", "svm", "xgboost"]
KINDS = ["binary", "multiclass", "regression"]


def _task(kind, *, n=60):
    """Six numeric features and a categorical of three levels; the first two and it matter."""
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.normal(size=(n, 6)), columns=[f"x{i}" for i in range(6)])
    levels = rng.choice(["a", "b", "c"], size=n)
    X["group"] = pd.Categorical(levels, categories=["a", "b", "c"])
    X.loc[3, "x4"] = np.nan
    signal = X["x0"] + X["x1"] * (levels == "a") + 2 * (levels == "c") + rng.normal(size=n) / 3
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


def _cell(kind, model, **values):
    task = _task(kind)
    splits = make_splits(task, "kfold", n_splits=3, n_repeats=2)
    learner = load_learner(model, **values)
    return task, splits, learner, evaluate(task, learner, splits, n_jobs=1)


def _brute_force(function, X, Z, players):
    """Shapley values over all subsets of the players, from the definition."""
    from itertools import combinations
    from math import factorial

    labels = np.unique(players)
    n = len(labels)

    def worth(x, chosen):
        rows = Z.copy()
        columns = np.isin(players, chosen)
        rows[:, columns] = x[columns]
        return function(rows).mean(axis=0)

    values = []
    for x in X:
        of_row = []
        for player in labels:
            rest = [label for label in labels if label != player]
            total = 0.0
            for size in range(n):
                weight = factorial(size) * factorial(n - size - 1) / factorial(n)
                for subset in combinations(rest, size):
                    total = total + weight * (worth(x, [*subset, player]) - worth(x, [*subset]))
            of_row.append(total)
        values.append(of_row)
    return np.array(values)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", MODELS)
def test_a_cell_is_explained_out_of_fold_and_adds_up(kind, model):
    task, splits, learner, record = _cell(kind, model)
    found = explain(task, record, learner, splits, n_jobs=1)
    n_outputs = 3 if kind == "multiclass" else 1
    assert found.values.shape == (60, 7, n_outputs)
    assert found.values.dtype == np.float32
    assert sorted(found.row) == list(range(60))
    for fold in (f for f in splits.folds if f.repeat == 0):
        rows = np.flatnonzero((found.fold == fold.fold) & (found.repeat == 0))
        assert sorted(found.row[rows]) == sorted(fold.test)
        pipeline = fit_fold(task, learner, splits, fold, seed=record.folds[fold.fold].seed)
        X = pipeline["preprocess"].transform(task.X.iloc[found.row[rows]])
        output = explained_output(
            pipeline["estimator"], X, kind=task.kind, scale=learner.scale(task.kind)
        )
        total = found.values[rows].sum(axis=1) + found.base_values[rows]
        np.testing.assert_allclose(total, output, atol=2e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_linear_model_is_explained_where_its_probabilities_are_0_and_1(kind):
    task = _task(kind)
    X = task.dataset.X.copy()
    X.loc[7, "x0"] = 1e12
    task = make_task(dataclasses.replace(task.dataset, X=X))
    splits = make_splits(task, "kfold", n_splits=3)
    learner = load_learner("linear")
    record = evaluate(task, learner, splits, n_jobs=1)
    found = explain(task, record, learner, splits, n_jobs=1)
    row = int(np.flatnonzero(found.row == 7)[0])
    assert np.abs(found.values[row, 0]).max() > 1e6
    assert found.additivity_error < 1e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", ["linear", "svm", "xgboost"])
def test_values_equal_brute_force_with_a_categorical_as_one_player(kind, model):
    values = {"n_rounds": 20} if model == "xgboost" else {}
    task, splits, learner, record = _cell(kind, model, **values)
    fold, stored = splits.folds[0], record.folds[0]
    part = explain_fold(
        task,
        learner,
        splits,
        fold,
        stored=stored,
        preprocessing=Preprocessing(),
        background=10,
        evaluations=30_000,
        train_size=None,
        seed=0,
    )
    pipeline = fit_fold(task, learner, splits, fold, seed=stored.seed)
    transform = pipeline["preprocess"].transform
    from smalldata.attribution import _background_rows
    from smalldata.seeding import seed_for

    rows = _background_rows(splits.train_rows(fold), 10, seed=seed_for(0, "background", 0, 0))
    assert set(rows) <= set(fold.train)
    Z, X = transform(task.X.iloc[rows]), transform(task.X.iloc[fold.test[:3]])
    players = np.asarray(pipeline["preprocess"].players_)
    assert len(np.unique(players)) == 7

    def function(columns):
        return explained_output(
            pipeline["estimator"], columns, kind=task.kind, scale=learner.scale(task.kind)
        )

    expected = _brute_force(function, X, Z, players)
    np.testing.assert_allclose(part.values[:3], expected, atol=1e-4 * np.abs(expected).max())


def test_features_left_out_by_selection_have_no_value():
    task = _task("binary")
    splits = make_splits(task, "kfold", n_splits=3)
    learner = load_learner("linear")
    preprocessing = Preprocessing(select="univariate", k=2)
    record = evaluate(task, learner, splits, preprocessing=preprocessing, n_jobs=1)
    found = explain(task, record, learner, splits, preprocessing=preprocessing, n_jobs=1)
    used = (found.values[found.fold == 0] != 0).any(axis=(0, 2))
    assert used.sum() <= 2


def test_a_model_that_does_not_reproduce_its_record_is_refused():
    task, splits, learner, record = _cell("binary", "linear")
    other = dataclasses.replace(learner, strength=learner.strength * 2)
    changed = dataclasses.replace(
        record,
        folds=tuple(dataclasses.replace(f, values=dataclasses.asdict(other)) for f in record.folds),
    )
    with pytest.raises(ExplanationError, match="must give the stored predictions"):
        explain(task, changed, learner, splits, n_jobs=1)


def test_values_that_do_not_add_up_are_refused(monkeypatch):
    task, splits, learner, record = _cell("binary", "linear")
    true = type(learner).margin_form

    def halved(self, fitted):
        form = true(self, fitted)
        return dataclasses.replace(form, coef=form.coef / 2)

    monkeypatch.setattr(type(learner), "margin_form", halved)
    with pytest.raises(ExplanationError, match="must add up"):
        explain(task, record, learner, splits, n_jobs=1)


@pytest.mark.parametrize(("evaluations", "n_starts"), [(60, 5), (30_000, None)])
def test_an_explanation_says_what_its_budget_did_not_pay_for(monkeypatch, evaluations, n_starts):
    task, splits, learner, record = _cell("binary", "linear")

    def sampled(self, fitted):
        return CallableForm(function=fitted.log_odds)

    monkeypatch.setattr(type(learner), "margin_form", sampled)
    options = ExplanationOptions(evaluations=evaluations, interactions=0)
    found = explain(task, record, learner, splits, options=options, n_jobs=1)
    assert found.standard_errors is not None
    if n_starts is None:
        assert found.notes == ()
    else:
        (note,) = found.notes
        assert f"from {n_starts} of the 40 background rows" in note


def test_a_background_larger_than_the_fold_is_refused():
    task, splits, learner, record = _cell("binary", "linear")
    options = ExplanationOptions(background=41)
    with pytest.raises(ExplanationError, match=r"training rows of a fold \(40\); got 41"):
        explain(task, record, learner, splits, options=options, n_jobs=1)


def test_a_cell_without_a_finished_fold_is_refused():
    task, splits, learner, record = _cell("binary", "linear")
    with pytest.raises(ExplanationError, match="no finished fold"):
        explain(task, dataclasses.replace(record, folds=()), learner, splits, n_jobs=1)


def test_values_do_not_depend_on_the_number_of_processes():
    task, splits, learner, record = _cell("binary", "knn")
    one = explain(task, record, learner, splits, n_jobs=1)
    two = explain(task, record, learner, splits, n_jobs=2)
    np.testing.assert_array_equal(one.values, two.values)
    np.testing.assert_array_equal(one.standard_errors, two.standard_errors)
