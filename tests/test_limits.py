"""Values below and above limits inside a fold: learned on its training rows, everywhere."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from smalldata import dataset_from_frame, make_estimator
from smalldata.errors import DataError
from smalldata.evaluation.outer_loop import evaluate
from smalldata.models import load_learner
from smalldata.pipeline.fitting import fit_rows, predict_rows
from smalldata.pipeline.limits import learn_limits, shown_column, without_limits
from smalldata.pipeline.preprocess import Preprocessing, Preprocessor
from smalldata.pipeline.ranking import rank_features
from smalldata.pipeline.training import TrainingRows
from smalldata.report.plain import format_percent
from smalldata.report.sections.scores_words import say_task
from smalldata.report.sections.task import summarize_task
from smalldata.resampling.strategies import make_splits
from smalldata.task import BelowLimit, make_task
from smalldata.tuning.inner_folds import open_workspace

TEST = np.arange(0, 40, 4)
TRAIN = np.setdiff1d(np.arange(40), TEST)


def make_frame(seed=0, n=40):
    """Six features of which three lie below limits, stated or not, and one above; one category."""
    rng = np.random.default_rng(seed)
    y = np.array(["case", "control"] * (n // 2))
    values = np.exp(rng.normal(1, 1, size=(n, 6)) + (y == "case")[:, None] * [1, 1, 0, 1, 0, 0])
    frame = pd.DataFrame(values.round(3).astype(str), columns=list("abcdef"))
    for name, marker in (("a", "<LOD"), ("b", "ND"), ("c", "n.d.")):
        frame.loc[values[:, "abcdef".index(name)] < 2.0, name] = marker
    low = values[:, 1] < 1.2
    frame.loc[low, "b"] = "< 1.2"
    frame.loc[values[:, 3] > 15, "d"] = ">ULOQ"
    frame["kind"] = np.array(["red", "green"])[rng.integers(0, 2, n)]
    frame["y"] = y
    return frame


def task_of(frame, below="half"):
    return make_task(dataset_from_frame(frame, target="y", below_detection=below))


def by_hand(task, train, below):
    """The table with limits put in row by row, by the words of the user."""
    X = task.X.copy()
    frame = make_frame()
    factor = {"half": 0.5, "value": 1.0}[below]
    for name in "abcdef":
        column, cells = X[name].to_numpy(copy=True), frame[name].tolist()
        seen = [float(cells[row]) for row in train if cells[row].replace(".", "").isdigit()]
        known = seen + [1.2 for row in train if cells[row] == "< 1.2"]
        column[np.isneginf(column)] = factor * min(known)
        column[np.isposinf(column)] = max(seen)
        X[name] = column
    return X


@pytest.mark.parametrize("below", ["half", "value"])
def test_the_training_rows_say_what_a_limit_is(below):
    task = task_of(make_frame(), below)
    assert np.isneginf(task.X[list("abc")].to_numpy()).any(axis=0).all()
    assert np.isposinf(task.X["d"]).any()
    limits = learn_limits(task.X.iloc[TRAIN], task.dataset.below)
    expected = by_hand(task, TRAIN, below)
    pd.testing.assert_frame_equal(limits.fill(task.X), expected)
    # A cell that states its limit is not halved twice.
    stated = expected["b"][make_frame()["b"] == "< 1.2"]
    assert set(stated) == {0.6 if below == "half" else 1.2}
    assert expected["b"].min() == stated.min()


def other_test_rows(frame):
    """The same training rows beside test rows of quite other values and limits."""
    changed = frame.copy()
    changed.loc[TEST, list("abcdef")] = "0.000001"
    changed.loc[TEST[:3], list("abcdef")] = "< 0.0001"
    changed.loc[TEST[3:6], list("abcdef")] = "99999"
    return changed


@pytest.mark.parametrize("below", ["half", "value"])
@pytest.mark.parametrize("select", ["none", "univariate"])
def test_canary_no_held_out_row_has_a_part_in_a_limit(below, select):
    found = []
    for frame in (make_frame(), other_test_rows(make_frame())):
        task = task_of(frame, below)
        step = Preprocessor(select=select, k=3, below=task.dataset.below)
        found.append(step.fit_transform(task.X.iloc[TRAIN], task.y[TRAIN]))
        # The same over all rows is another table, so the test can see a leak.
        every = learn_limits(task.X, task.dataset.below)
        learned = learn_limits(task.X.iloc[TRAIN], task.dataset.below)
        if frame["a"][TEST[9]] == "0.000001":
            assert not np.array_equal(every.low, learned.low)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("select", ["none", "variance", "univariate", "linear", "shap"])
@pytest.mark.parametrize("model", ["linear", "xgboost"])
def test_a_fold_is_that_of_the_table_filled_by_hand(model, select):
    task = task_of(make_frame())
    filled = by_hand(task, TRAIN, "half")
    learner = load_learner(model, **({"n_rounds": 5} if model == "xgboost" else {}))
    preprocessing = Preprocessing(select=select, k=None if select == "none" else 3)
    rows = TrainingRows.of(task, preprocessing=preprocessing, seed=0).take(TRAIN)
    plain = dataclasses.replace(rows, X=filled.iloc[TRAIN], below=None)
    found = [
        predict_rows(fit_rows(learner, part), X, task.y, rows=TEST, n_classes=2).probabilities
        for part, X in ((rows, task.X), (plain, filled))
    ]
    np.testing.assert_array_equal(*found)
    if select != "none":
        ranked = [rank_features(learner, part) for part in (rows, plain)]
        np.testing.assert_array_equal(*ranked)


def test_inner_folds_learn_limits_of_their_own():
    task = task_of(make_frame())
    inner = TRAIN[::2]
    rows = TrainingRows.of(task, seed=0).take(inner)
    held_out = np.setdiff1d(TRAIN, inner)
    opened = open_workspace(load_learner("random_forest"), rows, task.X.iloc[held_out])
    filled = by_hand(task, inner, "half")
    step = Preprocessor(scale=False, categories="onehot").fit(filled.iloc[inner])
    np.testing.assert_array_equal(opened.X_valid, step.transform(filled.iloc[held_out]))


@pytest.mark.parametrize("model", ["linear", "knn", "svm", "pls", "random_forest", "xgboost"])
def test_all_models_take_such_a_table(model):
    task = task_of(make_frame())
    splits = make_splits(task, "kfold", n_splits=4)
    values = {"xgboost": {"n_rounds": 5}, "random_forest": {"n_trees": 5}}.get(model, {})
    record = evaluate(task, load_learner(model, **values), splits, n_jobs=1)
    assert record.status == "ok"


def test_a_column_without_a_value_in_training_is_missing_there():
    X = pd.DataFrame({"a": [-np.inf, -np.inf, np.nan, 2.0], "b": [1.0, 2.0, 3.0, -np.inf]})
    below = BelowLimit(factor=0.5)
    step = Preprocessor(impute=False, scale=False, below=below).fit(X[:3])
    np.testing.assert_array_equal(step.transform(X)[:, 0], [np.nan, np.nan, np.nan, 2.0])
    step = Preprocessor(scale=False, below=below).fit(X[:3])
    np.testing.assert_array_equal(step.transform(X)[:, 0], [0.0, 0.0, 0.0, 0.0])
    assert step.transform(X)[3, 1] == 0.5


def test_a_step_without_the_limits_refuses_the_table():
    with pytest.raises(DataError, match="values must be finite where no limit is known"):
        Preprocessor().fit(task_of(make_frame()).X)


def test_an_estimator_knows_the_limits_of_its_task():
    task = task_of(make_frame())
    filled = by_hand(task, np.arange(40), "half")
    y = task.dataset.y
    found = make_estimator("linear", task=task).fit(task.X, y)
    plain = make_estimator("linear", task=task).fit(filled, y)
    np.testing.assert_array_equal(found.predict_proba(task.X), plain.predict_proba(filled))
    with pytest.raises(ValueError, match="infinity"):
        make_estimator("linear", kind="binary").fit(task.X, y)


def test_a_table_to_be_shown_has_the_limits_of_all_rows():
    task = task_of(make_frame())
    shown = without_limits(task.X, task.dataset.below)
    pd.testing.assert_frame_equal(shown, by_hand(task, np.arange(40), "half"))
    assert without_limits(task.X, None) is task.X


@pytest.mark.parametrize("name", ["a", "d", "f"])
def test_pictures_show_numbers(name):
    task = task_of(make_frame())
    place = list(task.X.columns).index(name)
    expected = by_hand(task, np.arange(40), "half")[name]
    pd.testing.assert_series_equal(shown_column(task, place), expected)


def test_a_report_says_what_lies_below_limits():
    task = task_of(make_frame())
    said = " ".join(say_task(summarize_task(task)))
    shares = task.dataset.reading.censored
    assert sorted(shares) == ["a", "b", "c"]
    leading = max(shares, key=shares.get)
    expected = f"Some values are below a limit of detection: {leading} ("
    assert expected + format_percent(shares[leading]) in said
    assert re.search(r"the share is \d+\W% in case and \d+\W% in control\.", said)
    plain = make_task(dataset_from_frame(make_frame()[["e", "f", "y"]], target="y"))
    assert "below a limit" not in " ".join(say_task(summarize_task(plain)))
