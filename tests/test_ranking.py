"""Rankings of features by a model: oracles, in-fold honesty, ties."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, enet_path

from shapley_oracle import brute_force
from smalldata.datasets import load_dataset
from smalldata.errors import ConfigError, DataError
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate, fit_fold
from smalldata.models import load_learner, load_space
from smalldata.pipeline.preprocess import Preprocessing, Preprocessor
from smalldata.pipeline.ranking import (
    BACKGROUND_ROWS,
    L1_RATIO,
    PATH,
    FixedRanking,
    enter_path,
    make_ranker,
    order_features,
    rank_features,
)
from smalldata.pipeline.training import TrainingRows
from smalldata.pipeline.transforms import centre_and_scale, standardise
from smalldata.resampling.strategies import make_splits
from smalldata.task import Dataset, TaskKind, make_task
from smalldata.tuning.tuner import TuningOptions, make_tuner
from toys import binary_toy, classes_toy, values_toy


def rank(task, model, select, *, rows=None, seed=0, k=1, **values):
    rows = np.arange(task.n_samples) if rows is None else rows
    preprocessing = Preprocessing(select=select, k=k)
    everything = TrainingRows.of(task, preprocessing=preprocessing, seed=seed)
    return rank_features(load_learner(model, **values), everything.take(rows))


def scaled(X):
    return standardise(X, *centre_and_scale(X))


# ---------------------------------------------------------------- by Shapley values


def test_shapley_ranking_of_a_kernel_model_agrees_with_brute_force():
    task = binary_toy(n_features=5)  # 30 rows: all are explained
    learner = load_learner("svm", kernel="rbf")
    step = Preprocessor().fit(task.X)
    Z = step.transform(task.X)
    fitted = learner.build(task.info, seed=0, device="cpu").fit(Z, task.y)
    rows = TrainingRows.of(task, preprocessing=Preprocessing(select="shap", k=1), seed=0)
    ranker = make_ranker(learner, rows)
    background = Z[ranker._draw(len(Z), BACKGROUND_ROWS, "background")]
    values, _ = brute_force(lambda rows: fitted.decision_function(rows)[:, None], Z, background)
    importance = np.abs(values).mean(axis=(0, 2))
    assert ranker.rank(task.X, task.y).tolist() == np.argsort(-importance).tolist()


def test_shapley_ranking_of_a_linear_model_is_its_closed_form():
    task = values_toy(n_features=8)
    rows = TrainingRows.of(task, preprocessing=Preprocessing(select="shap", k=1), seed=3)
    ranker = make_ranker(load_learner("linear"), rows)
    Z = scaled(task.X.to_numpy())
    fitted = load_learner("linear").build(task.info, seed=3, device="cpu").fit(Z, task.y)
    background = Z[ranker._draw(len(Z), BACKGROUND_ROWS, "background")].mean(axis=0)
    importance = np.abs(fitted.coef_[0] * (Z - background)).mean(axis=0)
    assert ranker.rank(task.X, task.y).tolist() == np.argsort(-importance).tolist()


def test_features_a_model_does_not_use_follow_by_their_association():
    task = values_toy(n_features=12)
    values = {"l1_ratio": 1.0, "strength": 0.5}
    ranking = rank(task, "linear", "shap", **values)
    fitted = load_learner("linear", **values).build(task.info, seed=0, device="cpu")
    used = np.flatnonzero(fitted.fit(scaled(task.X.to_numpy()), task.y).coef_[0])
    assert 0 < len(used) < 11
    assert set(ranking[: len(used)]) == set(used)
    association = rank(task, "linear", "univariate")
    assert ranking[len(used) :].tolist() == [j for j in association if j not in used]


def test_equal_seeds_give_equal_rankings_of_a_sampled_model():
    task = classes_toy(n_features=4)
    values = {"n_members": 1, "n_epochs": 2}
    first = rank(task, "mlp", "shap", seed=1, **values)
    assert first.tolist() == rank(task, "mlp", "shap", seed=1, **values).tolist()
    assert sorted(first) == [0, 1, 2, 3]


# ---------------------------------------------------------------- by an elastic-net path


def test_entry_into_the_path_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    X = scaled(rng.normal(size=(40, 15)) @ rng.normal(size=(15, 15)))
    y = X[:, 3] - 0.7 * X[:, 8] + rng.normal(size=40)
    z = (y - y.mean()) / y.std()
    largest, variance = np.abs(X.T @ z).max(), X.var(axis=0).sum()
    shares = np.array(PATH)
    _, coef, _ = enet_path(
        X,
        z,
        l1_ratio=largest / (largest + variance * (1 - L1_RATIO) / L1_RATIO),
        alphas=shares * (largest + variance * (1 - L1_RATIO) / L1_RATIO) / len(y),
        tol=1e-10,
        max_iter=100_000,
    )
    used = np.abs(coef) > 1e-9
    expected = np.where(used.any(axis=1), shares[used.argmax(axis=1)], 0.0)
    entry, size = enter_path(X, y, n_classes=0)
    np.testing.assert_array_equal(entry, expected)
    found = np.abs(coef)[np.arange(15), used.argmax(axis=1)]
    np.testing.assert_allclose(size, np.where(expected > 0, found, 0.0), atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_entry_into_the_path_of_classes_agrees_with_scikit_learn(n_classes):
    rng = np.random.default_rng(1)
    X = scaled(rng.normal(size=(60, 6)))
    signal = X[:, 2] + 0.5 * X[:, 4] + 0.5 * rng.normal(size=60)
    y = np.digitize(signal, [-0.4, 0.4][: n_classes - 1])
    entry, _ = enter_path(X, y, n_classes=n_classes)
    onehot = (y[:, None] == np.arange(n_classes)).astype(float)
    targets = onehot[:, 1:] if n_classes == 2 else onehot
    largest = np.abs(X.T @ (targets - targets.mean(axis=0))).max()
    share = sorted(set(entry))[len(set(entry)) // 2]
    l1, l2 = share * largest, share * X.var(axis=0).sum() * (1 - L1_RATIO) / L1_RATIO
    model = LogisticRegression(
        C=1 / (l1 + l2),
        l1_ratio=l1 / (l1 + l2),
        solver="saga",
        tol=1e-10,
        max_iter=100_000,
    ).fit(X, y)
    used = (np.abs(model.coef_) > 1e-7).any(axis=0)
    assert 0 < used.sum() < 6
    np.testing.assert_array_equal(entry >= share, used)


def test_path_stops_when_enough_features_have_entered():
    rng = np.random.default_rng(0)
    X = scaled(rng.normal(size=(50, 30)))
    y = X @ rng.normal(size=30) + rng.normal(size=50)
    whole, _ = enter_path(X, y, n_classes=0)
    players = np.repeat(np.arange(15), 2)
    for most in (1, 4, 9):
        entry, _ = enter_path(X, y, n_classes=0, players=players, most=most)
        last = entry[entry > 0].min()
        np.testing.assert_array_equal(entry, np.where(whole >= last, whole, 0.0))
        assert len(set(players[entry > 0])) >= most
        assert len(set(players[entry > last])) < most
    task = values_toy(n_features=12)
    ranking = rank(task, "linear", "linear")
    assert ranking[0] == rank(task, "linear", "linear", k=12)[0]


def test_a_categorical_enters_as_one_feature_and_constants_come_last():
    task = binary_toy(n_features=4)
    levels = np.where(task.y == 1, "a", np.where(np.arange(30) % 2, "b", "c"))
    X = task.X.assign(flat=1.0, level=pd.Categorical(levels), blank=pd.Series(np.full(30, np.nan)))
    changed = make_task(
        dataclasses.replace(task.dataset, X=X, feature_blocks=("features",) * X.shape[1])
    )
    for select in ("linear", "shap"):
        ranking = rank(changed, "linear", select, k=7)
        assert sorted(ranking) == list(range(7))
        assert ranking[0] == 5
        assert set(ranking[-2:]) == {4, 6}


# ---------------------------------------------------------------- in the pipeline


def test_order_breaks_ties_by_the_next_score_and_then_by_the_other_ranking():
    first, second = np.array([1.0, 2.0, 1.0, 1.0]), np.array([0.0, 0.0, 5.0, 0.0])
    assert order_features([first, second], np.array([3, 0, 1, 2])).tolist() == [1, 2, 3, 0]


def test_given_ranking_decides_which_features_are_kept():
    task = binary_toy(n_features=5)
    step = Preprocessor(select="univariate", k=2, ranker=FixedRanking((4, 1)))
    copy = clone(step).fit(task.X, task.y)
    assert copy.players_.tolist() == [1, 4]
    assert copy.ranking_.tolist() == [4, 1, 0, 2, 3]


def test_model_selection_without_a_ranker_is_refused():
    task = binary_toy()
    with pytest.raises(DataError, match="selection by shap needs a ranker"):
        Preprocessor(select="shap", k=2).fit(task.X, task.y)


@pytest.mark.parametrize("select", ["shap", "linear"])
def test_held_out_rows_do_not_change_the_ranking(select):
    task = binary_toy(n_features=20)
    splits = make_splits(task, "kfold", n_splits=3)
    fold = splits.folds[0]
    X = task.X.copy()
    X.iloc[fold.test] = np.random.default_rng(9).normal(size=(len(fold.test), 20)) * 50
    foreign = make_task(dataclasses.replace(task.dataset, X=X))
    kept = [
        fit_fold(
            Cell(
                task=one,
                learner=load_learner("linear"),
                splits=splits,
                preprocessing=Preprocessing(select=select, k=5),
            ),
            fold,
            seed=0,
        )
        for one in (task, foreign)
    ]
    assert kept[0][0].players_.tolist() == kept[1][0].players_.tolist()
    np.testing.assert_array_equal(kept[0][1].coef_, kept[1][1].coef_)


def make_noise(seed, *, n_samples=60, n_features=2000):
    rng = np.random.default_rng(seed)
    return make_task(
        Dataset(
            name="noise",
            X=pd.DataFrame(rng.normal(size=(n_samples, n_features))).rename(columns=str),
            y=rng.permutation(["yes", "no"] * (n_samples // 2)).astype(object),
            sample_ids=np.arange(n_samples).astype(str).astype(object),
            kind=TaskKind.BINARY,
            target="t",
            positive="yes",
        )
    )


@pytest.mark.parametrize("select", ["shap", "linear"])
def test_model_selection_on_noise_scores_at_chance_inside_the_folds_only(select):
    inside, outside = [], []
    for seed in range(8):
        task = make_noise(seed)
        splits = make_splits(task, "kfold", n_splits=5)
        learner = load_learner("linear")
        record = evaluate(
            task, learner, splits, preprocessing=Preprocessing(select=select, k=10), n_jobs=1
        )
        inside.append(np.mean([fold.scores["roc_auc"].value for fold in record.folds]))
        if seed > 1:
            continue
        leading = np.sort(rank(task, "linear", select, k=10)[:10])
        chosen = dataclasses.replace(
            task.dataset, X=task.X.iloc[:, leading], feature_blocks=("features",) * 10
        )
        record = evaluate(make_task(chosen), learner, splits_of(chosen), n_jobs=1)
        outside.append(np.mean([fold.scores["roc_auc"].value for fold in record.folds]))
    # One seed has a standard deviation of about 0.12 inside.
    assert abs(np.mean(inside) - 0.5) < 0.13
    assert min(outside) > 0.8


def splits_of(dataset):
    return make_splits(make_task(dataset), "kfold", n_splits=5)


def test_selection_by_shap_is_not_tuned():
    task = make_task(load_dataset("omics"))
    learner = load_learner("knn")
    tuner = make_tuner(task, learner, load_space("knn"), options=TuningOptions(trials=2))
    with pytest.raises(ConfigError, match=r"preprocess\.select=shap ranks by the values"):
        evaluate(
            task,
            learner,
            make_splits(task, "kfold", n_splits=2),
            preprocessing=Preprocessing(select="shap", k=2),
            tuner=tuner,
        )


def test_a_model_that_reads_no_feature_is_skipped():
    task = binary_toy()
    splits = make_splits(task, "kfold", n_splits=2)
    for select, status in (("shap", "skipped"), ("univariate", "ok")):
        record = evaluate(
            task,
            load_learner("dummy"),
            splits,
            preprocessing=Preprocessing(select=select, k=2),
            n_jobs=1,
        )
        assert record.status == status
