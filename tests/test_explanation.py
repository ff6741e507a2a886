"""Explanations of whole cells: out of fold, reproduced, additive, on the scale that is named."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from smalldata.errors import ExplanationError
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate, fit_fold
from smalldata.explanation.explanation import explain
from smalldata.explanation.fold import explain_fold, explained_output
from smalldata.explanation.options import ExplanationOptions
from smalldata.learner import CallableForm
from smalldata.models import load_learner
from smalldata.pipeline.preprocess import Preprocessing
from smalldata.resampling.strategies import make_splits
from smalldata.results.explanation import Explanation
from smalldata.shapley import dispatch
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
def test_cell_is_explained_on_held_out_rows_and_adds_up(kind, model):
    task, splits, learner, record = _cell(kind, model)
    found = explain(task, record, learner, splits, n_jobs=1)
    n_outputs = 3 if kind == "multiclass" else 1
    assert found.values.shape == (120, 7, n_outputs)  # every sample in each of two repeats
    assert found.values.dtype == np.float32
    for repeat in (0, 1):
        assert sorted(found.row[found.repeat == repeat]) == list(range(60))
    for fold, stored in zip(splits.folds, record.folds, strict=True):
        assert (stored.repeat, stored.fold) == (fold.repeat, fold.fold)
        rows = np.flatnonzero((found.fold == fold.fold) & (found.repeat == fold.repeat))
        assert sorted(found.row[rows]) == sorted(fold.test)
        pipeline = fit_fold(Cell(task=task, learner=learner, splits=splits), fold, seed=stored.seed)
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
    cell = Cell(task=task, learner=learner, splits=splits)
    options = ExplanationOptions(background=10, evaluations=30_000)
    part = explain_fold(cell, fold, stored=stored, options=options, rows=fold.test)
    pipeline = fit_fold(cell, fold, seed=stored.seed)
    transform = pipeline["preprocess"].transform
    from smalldata.explanation.refit import _background_rows
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
def test_budget_below_the_background_is_noted(monkeypatch, evaluations, n_starts):
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


@pytest.mark.parametrize("model", ["linear", "knn"])
def test_values_of_selected_samples_equal_those_of_a_full_explanation(model):
    task, splits, learner, record = _cell("binary", model)
    whole = explain(task, record, learner, splits, n_jobs=1)
    options = ExplanationOptions(rows=["s8", "s3", "s41"], background="all")
    some = explain(task, record, learner, splits, options=options, n_jobs=1)
    assert some.row.tolist().count(41) == 2  # in two repeats
    assert set(some.row.tolist()) == {3, 8, 41}
    assert some.faithfulness is None
    for place, key in enumerate(zip(some.row, some.repeat, strict=True)):
        here = np.flatnonzero((whole.row == key[0]) & (whole.repeat == key[1]))
        assert whole.fold[here] == some.fold[place]
        np.testing.assert_allclose(some.values[place], whole.values[here[0]], atol=1e-6)
    first = ExplanationOptions(repeats=1)
    assert set(explain(task, record, learner, splits, options=first, n_jobs=1).repeat) == {0}


# ---------------------------------------------------------------- the quick look

SMALL_MLP = {"n_members": 2, "width": 8, "n_epochs": 4}


@pytest.mark.parametrize("kind", KINDS)
def test_quick_explanation_reports_its_distance_from_sampled_walks(kind):
    task, splits, learner, record = _cell(kind, "mlp", **SMALL_MLP)
    options = ExplanationOptions(quick=True, repeats=1, interactions=0)
    found = explain(task, record, learner, splits, options=options, n_jobs=1)
    (note,) = found.notes
    assert note.startswith("expected gradients, a quick look: not the Shapley values")
    assert "On 6 rows the leading features" in note  # two of each fold
    assert "explain.quick=false walks instead" in note
    assert found.standard_errors is not None
    assert found.additivity_error < 1e-4
    walked = explain(
        task, record, learner, splits, options=dataclasses.replace(options, quick=False), n_jobs=1
    )
    assert walked.notes == ()
    assert np.abs(found.values - walked.values).max() > 1e-4
    gap = np.sqrt(np.mean(np.square(found.values - walked.values)))
    assert gap < 0.3 * np.sqrt(np.mean(np.square(walked.values)))


def test_network_gradient_makes_a_small_budget_sufficient():
    task, splits, learner, record = _cell("binary", "mlp", **SMALL_MLP)
    options = ExplanationOptions(evaluations=60, repeats=1, interactions=0)
    found = explain(task, record, learner, splits, options=options, n_jobs=1)
    assert found.notes == ()
    assert found.standard_errors.max() > 0
    assert found.additivity_error < 1e-4


def test_quick_has_no_effect_on_models_without_a_gradient():
    for model in ("linear", "xgboost", "knn"):
        task, splits, learner, record = _cell("binary", model)
        values = [
            explain(task, record, learner, splits, options=options, n_jobs=1).values
            for options in (ExplanationOptions(quick=True), ExplanationOptions())
        ]
        np.testing.assert_array_equal(*values)


def test_many_features_are_explained_by_expected_gradients(monkeypatch):
    task, splits, learner, record = _cell("binary", "mlp", **SMALL_MLP)
    looked = []
    for most in (7, 6):  # the toy has 7 features
        monkeypatch.setattr(dispatch, "MOST_WALKED", most)
        found = explain(
            task, record, learner, splits, options=ExplanationOptions(repeats=1), n_jobs=1
        )
        looked.append(any("quick look" in note for note in found.notes))
    assert looked == [False, True]


def test_quick_distance_is_noted_only_beyond_sampling_error():
    rng = np.random.default_rng(0)
    walked = rng.normal(size=4000)

    def told(off, noise):
        shown = walked * (1 + off) + noise * rng.normal(size=4000)
        look = dispatch.Look(
            n_rows=2,
            lacking=np.array([0.06, 0.08]),
            moved=np.array([3.0, 4.0]),
            shown=shown,
            walked=walked,
            variance=np.full(4000, noise**2),
        )
        return dispatch.describe_looks([look, look])

    assert "On 4 rows the leading features differ from sampled walks by 20% of" in told(0.2, 0.1)
    assert "cannot be told from sampled walks, whose error is 10% of their size" in told(0.0, 0.1)
    assert "; 2.0% of f(x) - mean f(z) was lacking" in told(0.0, 0.1)
    assert dispatch.describe_looks([]) == ""


def test_standard_errors_are_of_the_mean_over_repeats():
    values = np.zeros((6, 30, 1), dtype=np.float32)
    values[:, :20] = 2.0
    errors = np.full_like(values, 0.5)
    errors[:, 20:] = 9.0  # of features that do not lead
    base = {
        "values": values,
        "base_values": np.zeros((6, 1)),
        "fold": np.zeros(6, dtype=int),
        "feature_names": tuple(f"x{i}" for i in range(30)),
        "scale": "value",
        "outputs": ("y",),
        "additivity_error": 0.0,
    }
    alone = Explanation(**base, row=np.arange(6), repeat=np.zeros(6, int), standard_errors=errors)
    assert alone.sampling_error == (pytest.approx(0.5), pytest.approx(0.25))
    twice = dataclasses.replace(alone, row=np.arange(6) % 3, repeat=np.arange(6) // 3)
    assert twice.sampling_error == (pytest.approx(0.5 / 2**0.5), pytest.approx(0.25 / 2**0.5))
    assert dataclasses.replace(alone, standard_errors=None).sampling_error is None


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
