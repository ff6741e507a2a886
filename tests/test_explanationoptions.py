"""What can be asked of an explanation, and what is refused before anything is fitted."""

from dataclasses import replace

import numpy as np
import pytest

from smalldata.errors import ExplanationError
from smalldata.evaluation.cell import Cell
from smalldata.explanation.options import (
    ExplanationOptions,
    check_options,
    folds_to_explain,
    rows_to_explain,
)
from smalldata.models import load_learner
from smalldata.pipeline.preprocess import PLAIN, Preprocessing
from smalldata.resampling.strategies import make_splits
from toys import make_toy

LABELS = ["case", "control", "control"] * 10


@pytest.fixture(scope="module")
def task():
    return make_toy(LABELS)


@pytest.fixture(scope="module")
def splits(task):
    return make_splits(task, "kfold", n_splits=3, n_repeats=2)


@pytest.fixture
def cell(task, splits):
    return Cell(task=task, learner=load_learner("linear"), splits=splits)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"rows": 0}, r"explain.rows must be a whole number of at least 1 or all or a list of"),
        ({"rows": "s1"}, r"a list of sample ids such as \[a,b\]; got 's1'"),
        ({"rows": []}, "must name at least one sample"),
        ({"interactions": -1}, r"of at least 0 or a list of feature names such as \[a,b\]; got -1"),
        ({"background": 2.5}, "explain.background must be a whole number of at least 1 or all"),
        ({"repeats": True}, "explain.repeats must be"),
        ({"evaluations": None}, "explain.evaluations must be a whole number of at least 1; got"),
        ({"null": -1}, "explain.null must be a whole number of at least 0"),
        ({"quick": "yes"}, "explain.quick must be true, false or null; got 'yes'"),
    ],
)
def test_options_out_of_range_are_refused(asked, sentence):
    with pytest.raises(ExplanationError, match=sentence):
        ExplanationOptions(**asked)


def test_all_means_none_and_order_of_rows_does_not_matter():
    options = ExplanationOptions(rows="all", repeats="all", background="all")
    assert (options.rows, options.repeats, options.background) == (None, None, None)
    one, other = (ExplanationOptions(rows=rows) for rows in (["b", "a", 7], ["7", "a", "b", "a"]))
    assert one == other


def test_number_of_rows_draws_samples_by_the_seed(cell):
    options = ExplanationOptions(rows=7)
    rows = rows_to_explain(cell, options)
    assert len(set(rows.tolist())) == 7
    assert sorted(rows.tolist()) == rows.tolist()
    np.testing.assert_array_equal(rows, rows_to_explain(cell, options))
    assert rows.tolist() != rows_to_explain(replace(cell, seed=1), options).tolist()
    everything = rows_to_explain(cell, ExplanationOptions())
    assert everything.tolist() == list(range(30))


def test_only_samples_that_are_held_out_are_drawn(task, cell):
    cell = replace(cell, splits=make_splits(task, "holdout"))
    (fold,) = cell.splits.folds
    for seed in range(5):
        rows = rows_to_explain(replace(cell, seed=seed), ExplanationOptions(rows=3))
        assert set(rows) <= set(fold.test)
        assert len(rows) == 3
    np.testing.assert_array_equal(rows_to_explain(cell, ExplanationOptions()), fold.test)
    n_held = len(fold.test)
    with pytest.raises(
        ExplanationError, match=rf"number of held-out samples \({n_held}\); got {n_held + 1}"
    ):
        rows_to_explain(cell, ExplanationOptions(rows=n_held + 1))
    ids = [str(task.dataset.sample_ids[row]) for row in (fold.train[0], fold.test[0])]
    with pytest.raises(ExplanationError, match=r"a fold of holdout.* holds out, such as s"):
        rows_to_explain(cell, ExplanationOptions(rows=ids[:1]))
    assert len(rows_to_explain(cell, ExplanationOptions(rows=ids))) == 2


def test_folds_without_requested_samples_are_not_rebuilt(task, splits, cell):
    first = str(task.dataset.sample_ids[4])
    options = ExplanationOptions(rows=[first], repeats=None)
    rows = rows_to_explain(cell, options)
    assert rows.tolist() == [4]
    folds = folds_to_explain(splits, options, rows=rows)
    assert [fold.repeat for fold in folds] == [0, 1]
    assert all(4 in fold.test for fold in folds)
    options = ExplanationOptions(repeats=1)
    rows = rows_to_explain(cell, options)
    assert folds_to_explain(splits, options, rows=rows) == list(splits.folds[:3])


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            {"rows": 31},
            r"explain.rows must not exceed the number of held-out samples \(30\); got 31",
        ),
        ({"rows": ["s1", "s99"]}, r"there is no sample 's99'; did you mean s9 or "),
        ({"rows": ["Zoe"]}, r"no sample 'Zoe'; the samples are s0, s1, s2 …"),
        (
            {"interactions": ["x0", "x00"]},
            r"must name features of the data; .* 'x00'; did you mean",
        ),
        ({"background": 21}, r"training rows of a fold \(20\); got 21"),
    ],
)
def test_unknown_samples_and_features_are_refused(cell, asked, sentence):
    options = ExplanationOptions(**asked)
    with pytest.raises(ExplanationError, match=sentence):
        check_options(cell, options)


def test_the_background_is_checked_in_the_folds_that_the_seed_draws(task):
    uneven = make_splits(task, "kfold", n_splits=4, n_repeats=1)
    sizes = {len(uneven.train_rows(fold, None)) for fold in uneven.folds}
    assert sizes == {22, 23}
    options = ExplanationOptions(rows=1, background=23)
    refused = []
    for seed in range(20):
        cell = Cell(task=task, learner=load_learner("linear"), splits=uneven, seed=seed)
        drawn = rows_to_explain(cell, options)
        (fold,) = folds_to_explain(uneven, options, rows=drawn)
        try:
            check_options(cell, options)
        except ExplanationError:
            refused.append(seed)
        assert (seed in refused) == (len(uneven.train_rows(fold, None)) < 23)
    assert 0 < len(refused) < 20


def test_too_expensive_walks_are_refused_with_their_cost(splits):
    wide = make_toy(LABELS, n_features=60_000)
    cell = Cell(task=wide, learner=load_learner("mlp"), splits=splits)
    wanted = ExplanationOptions(quick=False, repeats=None)
    sentence = (
        r"60,000 features take at least 480,000 calls of the model for each of 60 rows, some 10 "
        r"hours of one core; leave explain.quick=null .* explain.rows=N or explain.repeats=1"
    )
    with pytest.raises(ExplanationError, match=sentence):
        check_options(cell, wanted)
    for learner, options, preprocessing in (
        ("svm", wanted, PLAIN),
        ("mlp", ExplanationOptions(repeats=None), PLAIN),
        ("mlp", wanted, Preprocessing(select="univariate", k=50)),
        ("mlp", ExplanationOptions(quick=False, repeats=None, rows=2), PLAIN),
    ):
        other = replace(cell, learner=load_learner(learner), preprocessing=preprocessing)
        check_options(other, options)
