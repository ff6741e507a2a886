"""What removing features does to scores: chance without them, no better than random at random."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate, fit_fold
from smalldata.explanation import faithfulness
from smalldata.explanation.explanation import explain
from smalldata.explanation.faithfulness import (
    join_removals,
    removal_area,
    removal_curves,
    removal_sizes,
    score_removals,
)
from smalldata.learner import Outputs
from smalldata.measures.registry import MEASURES, find_measure, measures_for
from smalldata.models import load_learner
from smalldata.pipeline.fitting import make_prediction
from smalldata.pipeline.preprocess import PLAIN, Preprocessing
from smalldata.resampling.strategies import make_splits
from smalldata.results.evidence import Faithfulness
from smalldata.statistics.intervals import fold_interval
from smalldata.task import Dataset, TaskKind, make_task

KINDS = ["binary", "multiclass", "regression"]


def _task(kind, *, n=90, n_features=8, n_strong=1, measure=None):
    """Features of noise; the first ones carry the target, more or less strongly."""
    rng = np.random.default_rng(4)
    X = pd.DataFrame(rng.normal(size=(n, n_features)), columns=[f"x{i}" for i in range(n_features)])
    signal = X.iloc[:, :n_strong].sum(axis=1).to_numpy() + rng.normal(size=n) / 5
    y = signal
    if kind == "binary":
        y = np.where(signal > np.median(signal), "case", "control").astype(object)
    if kind == "multiclass":
        y = np.array(["low", "mid", "high"], dtype=object)[
            np.digitize(signal, np.quantile(signal, [1 / 3, 2 / 3]))
        ]
    dataset = Dataset(
        name="toy",
        X=X,
        y=y,
        sample_ids=np.array([f"s{i}" for i in range(n)], dtype=object),
        kind=TaskKind(kind),
        target="y",
        positive="case",
    )
    return make_task(dataset, measure=measure)


def _cell(task, model, preprocessing=PLAIN, **values):
    splits = make_splits(task, "kfold", n_splits=3)
    learner = load_learner(model, **values)
    record = evaluate(task, learner, splits, preprocessing=preprocessing, n_jobs=1)
    found = explain(task, record, learner, splits, preprocessing=preprocessing, n_jobs=1)
    return record, splits, learner, found


@pytest.mark.parametrize(("n", "expected"), [(1, [0, 1]), (2, [0, 1, 2]), (10, [0, 1, 2, 5, 10])])
def test_removal_sizes_end_with_all_features(n, expected):
    assert removal_sizes(n).tolist() == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", ["linear", "knn", "svm", "xgboost"])
def test_removal_curve_starts_at_the_stored_score_and_ends_at_a_constant(kind, model):
    task = _task(kind)
    values = {"n_rounds": 20} if model == "xgboost" else {}
    record, splits, _, found = _cell(task, model, **values)
    got = found.faithfulness
    assert got.measure == task.measure
    assert got.n_removed.tolist() == [0, 1, 2, 5, 8]
    assert list(zip(got.repeat, got.fold, strict=True)) == [(0, 0), (0, 1), (0, 2)]
    stored = [fold.scores[task.measure].value for fold in record.folds]
    np.testing.assert_allclose(got.leading[:, 0], stored, atol=1e-6)
    np.testing.assert_allclose(got.random[:, :, 0], np.array(stored)[:, None].repeat(5, 1))
    if task.kind.is_classification:
        np.testing.assert_array_equal(got.leading[:, -1], 0.5)
        np.testing.assert_array_equal(got.random[:, :, -1], 0.5)
    else:
        for fold, scores in zip(splits.folds, got.leading, strict=True):
            spread = np.sqrt(np.mean((task.y[fold.test] - task.y[fold.train].mean()) ** 2))
            assert scores[-1] == pytest.approx(spread, rel=0.2)


def test_removing_the_only_strong_feature_scores_at_chance():
    task = _task("binary")
    record, _, _, found = _cell(task, "linear", strength=0.3, l1_ratio=1.0)
    got = found.faithfulness
    used = (found.values != 0).any(axis=(0, 2))
    assert used[0]
    assert got.leading[:, 0].min() > 0.9
    if used.sum() == 1:  # what is left differs by rounding alone, which orders nothing
        np.testing.assert_array_equal(got.leading[:, 1:], 0.5)
    assert abs(got.leading[:, 1].mean() - 0.5) < 0.15
    assert got.random[:, :, 1].mean() > 0.85
    mean, low, _ = removal_area(got, ratio=record.test_train_ratio, higher_is_better=True)
    assert mean > low > 0


def test_area_has_the_same_sign_for_errors_and_scores():
    task = _task("regression")
    record, _, _, found = _cell(task, "linear")
    got = found.faithfulness
    assert got.leading[:, 1].min() > got.random[:, :, 1].mean()  # RMSE
    mean, _, _ = removal_area(got, ratio=record.test_train_ratio, higher_is_better=False)
    assert mean > 0.1


class _Sum:
    """Adds its columns up."""

    def predict(self, rows):
        return rows.sum(axis=1)


def test_random_ranking_has_no_gap_to_random_removals():
    rng = np.random.default_rng(0)
    X, Z = rng.normal(size=(30, 12)), rng.normal(size=(10, 12))
    leading, random = [], []
    for seed in range(60):
        found = score_removals(
            _Sum(),
            X,
            Z,
            X.sum(axis=1),
            players=np.arange(12),
            importance=np.random.default_rng(seed).permutation(12.0 + np.arange(12)),
            measure=find_measure("rmse", TaskKind.REGRESSION),
            classes=(),
            seed=seed,
        )
        leading.append(found.leading)
        random.append(found.random.mean(axis=0))
    leading, random = np.array(leading), np.array(random)
    gap = (leading - random)[:, 1:-1]
    error = gap.std(axis=0, ddof=1) / np.sqrt(len(gap))
    assert np.abs(gap.mean(axis=0) / error).max() < 3
    true = score_removals(
        _Sum(),
        X * 10.0 ** -np.arange(12),
        Z * 10.0 ** -np.arange(12),
        (X * 10.0 ** -np.arange(12)).sum(axis=1),
        players=np.arange(12),
        importance=10.0 ** -np.arange(12),
        measure=find_measure("rmse", TaskKind.REGRESSION),
        classes=(),
        seed=0,
    )
    assert true.leading[1] > 2 * true.random[:, 1].mean()


def test_removal_equals_a_loop_over_background_rows(monkeypatch):
    """Against a loop over rows; columns of one player go together; blocks change nothing."""
    task = _task("multiclass", n_features=5)
    splits = make_splits(task, "kfold", n_splits=3)
    pipeline = fit_fold(
        Cell(task=task, learner=load_learner("svm"), splits=splits), splits.folds[0], seed=0
    )
    estimator = pipeline["estimator"]
    X = pipeline["preprocess"].transform(task.X.iloc[splits.folds[0].test])
    Z = pipeline["preprocess"].transform(task.X.iloc[splits.folds[0].train])[:7]
    y = task.y[splits.folds[0].test]
    players = np.array([0, 1, 1, 2, 3])  # the fifth feature has no column
    importance = np.array([1.0, 4.0, 3.0, 2.0, 0.0])
    measure = find_measure("log_loss", task.kind)

    def score():
        return score_removals(
            estimator,
            X,
            Z,
            y,
            players=players,
            importance=importance,
            measure=measure,
            classes=task.classes,
            seed=0,
        )

    expected = []
    for removed in ([], [1], [1, 2]):
        columns = np.isin(players, removed)
        said = []
        for x in X:
            rows = Z.copy()
            rows[:, ~columns] = x[~columns]
            said.append(estimator.predict_proba(rows).mean(axis=0))
        prediction = make_prediction(
            Outputs(probabilities=np.array(said)), y, rows=np.arange(len(y)), n_classes=3
        )
        expected.append(measure.score(prediction, classes=task.classes).value)
    found = score()
    assert found.n_active == 4
    np.testing.assert_allclose(found.leading[:3], expected, rtol=1e-6)
    assert found.leading[3] == found.random[0, 3]  # all that have columns
    monkeypatch.setattr(faithfulness, "MOST_NUMBERS", 3 * 7 * 5)
    blocked = score()
    np.testing.assert_allclose(blocked.leading, found.leading, rtol=1e-9)
    np.testing.assert_allclose(blocked.random, found.random, rtol=1e-9)


def test_random_removals_are_the_same_for_every_model():
    """The draws are seeded by the fold: two models that are one score the same."""
    task = _task("binary", n_strong=4)
    one = _cell(task, "linear")[3].faithfulness
    other = _cell(task, "pls")[3].faithfulness
    correlation = np.corrcoef(one.random[:, :, 2].ravel(), other.random[:, :, 2].ravel())[0, 1]
    assert correlation > 0.9


@pytest.mark.parametrize("measure", [measure.name for measure in MEASURES if measure.ranked])
def test_removal_curves_accept_every_primary_measure(measure):
    kind = next(kind for kind in TaskKind if measure in [m.name for m in measures_for(kind)])
    task = _task(kind, n_strong=2, measure=measure)
    got = _cell(task, "linear")[3].faithfulness
    assert got.measure == measure
    assert np.isfinite(got.leading[:, :-1]).all()
    # Of a constant prediction Spearman's correlation is undefined, and the curve ends before it.
    assert np.isfinite(got.leading[:, -1]).all() == (measure != "spearman")
    leading, random = removal_curves(got, ratio=0.5)
    assert np.isnan(leading.mean[-1]) == np.isnan(random.mean[-1]) == (measure == "spearman")
    higher = find_measure(measure, kind).higher_is_better
    mean, low, high = removal_area(got, ratio=0.5, higher_is_better=higher)
    assert low < mean < high
    assert mean > 0


def test_features_that_were_not_selected_are_not_removed():
    task = _task("binary", n_features=30)
    preprocessing = Preprocessing(select="univariate", k=3)
    got = _cell(task, "linear", preprocessing)[3].faithfulness
    assert got.n_removed.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(got.leading[:, -1], 0.5)
    assert (got.random[:, :, 1] < got.leading[:, [0]]).any()  # a draw takes what the model uses


def test_single_row_test_folds_have_no_removal_curve():
    task = _task("binary", n=16, measure="balanced_accuracy")
    splits = make_splits(task, "loo")
    learner = load_learner("linear")
    record = evaluate(task, learner, splits, n_jobs=1)
    assert explain(task, record, learner, splits, n_jobs=1).faithfulness is None


def test_removal_curves_use_the_interval_over_folds():
    rng = np.random.default_rng(0)
    found = Faithfulness(
        measure="roc_auc",
        n_removed=np.array([0, 1, 4]),
        leading=rng.uniform(size=(4, 3)),
        random=rng.uniform(size=(4, 5, 3)),
        repeat=np.zeros(4, dtype=int),
        fold=np.arange(4),
    )
    leading, random = removal_curves(found, ratio=0.25)
    for place in range(3):
        expected = fold_interval(found.leading[:, place], ratio=0.25)
        assert (leading.mean[place], leading.low[place], leading.high[place]) == (
            expected.mean,
            expected.low,
            expected.high,
        )
        expected = fold_interval(found.random[:, :, place].mean(axis=1), ratio=0.25)
        assert (random.low[place], random.high[place]) == (expected.low, expected.high)
    gaps = found.random.mean(axis=1) - found.leading
    low, high = np.log(2), np.log(5)
    areas = ((gaps[:, 0] + gaps[:, 1]) * low + (gaps[:, 1] + gaps[:, 2]) * (high - low)) / 2 / high
    expected = fold_interval(areas, ratio=0.25)
    got = removal_area(found, ratio=0.25, higher_is_better=True)
    np.testing.assert_allclose(got, (expected.mean, expected.low, expected.high))
    one = dataclasses.replace(
        found, leading=found.leading[:1], random=found.random[:1], repeat=[0], fold=[0]
    )
    assert removal_area(one, ratio=0.25, higher_is_better=False) == (-areas[0], None, None)
    alone, _ = removal_curves(one, ratio=0.25)
    np.testing.assert_array_equal(alone.mean, found.leading[0])
    assert np.isnan(alone.low).all()
    found.leading[:, 2] = 0.5  # of all features removed, in every fold
    still, _ = removal_curves(found, ratio=0.25)
    assert still.mean[2] == 0.5
    assert np.isnan([still.low, still.high]).tolist() == [[False, False, True]] * 2


def test_removals_without_a_scored_fold_are_none():
    assert join_removals([], measure="rmse", repeat=np.array([]), fold=np.array([])) is None


class _Dust:
    """Reads its first column; the second one shows in the rounding alone."""

    def decision_function(self, rows):
        return rows[:, 0] + 1e-13 * rows[:, 1]


def test_rounding_differences_do_not_order_samples():
    rng = np.random.default_rng(0)
    X = np.column_stack([np.linspace(-1, 1, 20), np.linspace(-1, 1, 20), rng.normal(size=20)])
    found = score_removals(
        _Dust(),
        X,
        rng.normal(size=(5, 3)),
        np.repeat([0, 1], 10),
        players=np.arange(3),
        importance=np.array([1.0, 0.0, 0.0]),
        measure=find_measure("roc_auc", TaskKind.BINARY),
        classes=("no", "yes"),
        seed=0,
    )
    assert found.leading.tolist() == [1.0, 0.5, 0.5, 0.5]
