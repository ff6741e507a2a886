"""preprocess.transform=auto: what it does to which tables, and that nothing else changes for it."""

import re
from itertools import combinations
from math import factorial
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kurtosis, skew

from smalldata import ReportInputs, write_report
from smalldata.datasets.frames import dataset_from_frame
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate, evaluate_fold, fit_fold, predict_fold
from smalldata.learner import TRANSFORM, SearchSpace
from smalldata.measures.registry import find_measure
from smalldata.models import load_learner, load_space
from smalldata.pipeline.auto import moments
from smalldata.pipeline.preprocess import Preprocessing, Preprocessor, TransformName, make_pipeline
from smalldata.pipeline.ranking import rank_features
from smalldata.pipeline.training import TrainingRows
from smalldata.resampling.strategies import make_splits
from smalldata.seeding import seed_for
from smalldata.shapley.dispatch import form_values
from smalldata.task import TaskInfo, TaskKind, make_task
from smalldata.tuning import inner_folds
from smalldata.tuning.inner_folds import InnerFolds
from smalldata.tuning.tuner import TuningOptions, make_tuner
from toys import binary_toy

RNG = np.random.default_rng(7)
NORMAL = RNG.standard_normal((60, 8))
CONCENTRATIONS = np.exp(1.2 * NORMAL + np.arange(8))
COUNTS = RNG.poisson(np.exp(1.5 * NORMAL)).astype(float)
HEAVY = RNG.standard_t(1.5, (60, 8))
TABLES = {"normal": NORMAL, "concentrations": CONCENTRATIONS, "counts": COUNTS, "heavy": HEAVY}


def frame_of(X):
    return pd.DataFrame(X, columns=[f"g{i}" for i in range(X.shape[1])])


def scaled(X, train):
    return (X - X[:train].mean(axis=0)) / X[:train].std(axis=0)


def limited(z, limit):
    return z / np.sqrt(1 + (z / limit) ** 2)


def by_hand(name, X, train):
    """Return what the rule says, written down a second time."""
    if name in ("concentrations", "counts"):
        smallest = np.array([column[column > 0].min() for column in X[:train].T])
        return limited(scaled(np.log(X + smallest / 2), train), 3.0)
    return limited(scaled(X, train), 1.5) if name == "heavy" else scaled(X, train)


@pytest.mark.parametrize("name", TABLES)
def test_each_kind_of_table_gets_what_the_rule_says(name):
    X = TABLES[name]
    step = Preprocessor(numeric_transform="auto").fit(frame_of(X[:40]))
    np.testing.assert_allclose(step.transform(frame_of(X)), by_hand(name, X, 40), atol=1e-9)
    wanted = {"normal": (0, 0), "heavy": (0, 8)}.get(name, (8, 8))
    assert step.transformed_ == {"columns": 8, "log": wanted[0], "limit": wanted[1]}


def test_a_table_that_needs_nothing_is_scaled_as_without_transform_bit_for_bit():
    frame = frame_of(NORMAL)
    plain, auto = (Preprocessor(numeric_transform=name).fit(frame) for name in ("none", "auto"))
    np.testing.assert_array_equal(auto.transform(frame), plain.transform(frame))


@pytest.mark.parametrize("name", ["concentrations", "counts"])
def test_the_unit_of_a_skewed_column_changes_nothing(name):
    X, units = TABLES[name], 10.0 ** np.arange(-6, 10, 2)
    there, elsewhere = (
        Preprocessor(numeric_transform="auto").fit_transform(frame_of(values))
        for values in (X, X * units)
    )
    np.testing.assert_allclose(there, elsewhere, atol=1e-8)


def test_learners_that_do_not_scale_get_the_numbers_as_they_are():
    step = Preprocessor(scale=False, numeric_transform="auto").fit(frame_of(COUNTS))
    np.testing.assert_array_equal(step.transform(frame_of(COUNTS)), COUNTS)
    assert step.transformed_ == {}


def test_a_selection_by_transformed_values_leaves_the_numbers_of_a_tree_as_they_are():
    y = (NORMAL[:, 3] > 0).astype(np.int64)
    step = Preprocessor(scale=False, select="univariate", k=2, numeric_transform="auto")
    out = step.fit_transform(frame_of(CONCENTRATIONS), y)
    np.testing.assert_array_equal(out, CONCENTRATIONS[:, step.players_])
    assert 3 in step.players_
    assert step.transformed_ == {}


def test_columns_of_two_values_are_left_alone_and_do_not_vote():
    rare = np.zeros((60, 20))
    rare[:3] = 5.0
    X = np.hstack([CONCENTRATIONS, rare])
    out = Preprocessor(numeric_transform="auto").fit_transform(frame_of(X))
    np.testing.assert_allclose(out[:, 8:], scaled(rare, 60), atol=1e-12)
    np.testing.assert_allclose(out[:, :8], by_hand("concentrations", CONCENTRATIONS, 60), atol=1e-9)


def test_a_value_below_zero_that_training_did_not_have_counts_as_zero():
    step = Preprocessor(numeric_transform="auto").fit(frame_of(COUNTS))
    new = COUNTS[:2].copy()
    new[0, 0], new[1, 0] = -4.0, 0.0
    out = step.transform(frame_of(new))
    assert out[0, 0] == out[1, 0]


def test_moments_equal_scipy():
    X = np.vstack([HEAVY, np.full((1, 8), np.nan)])
    skewness, tails = moments(X)
    np.testing.assert_allclose(skewness, skew(HEAVY), atol=1e-10)
    np.testing.assert_allclose(tails, kurtosis(HEAVY), atol=1e-9)


@pytest.mark.parametrize("select", ["univariate", "variance", "linear"])
def test_all_learners_get_the_same_selected_features(select):
    y = (NORMAL[:, 3] + 0.3 * RNG.standard_normal(60) > 0).astype(np.int64)
    info = TaskInfo(kind=TaskKind.BINARY, n_samples=60, n_features=8, n_classes=2)
    rows = TrainingRows(
        X=frame_of(CONCENTRATIONS),
        y=y,
        groups=None,
        info=info,
        preprocessing=Preprocessing(select=select, k=3),
        seed=0,
        device="cpu",
    )
    first, second = (rank_features(load_learner(name), rows) for name in ("svm", "random_forest"))
    np.testing.assert_array_equal(first, second)


# ---------------------------------------------------------------- explanations


@pytest.mark.parametrize("model", ["linear", "svm", "pls"])
def test_explanations_are_the_values_of_the_features_before_the_transform(model):
    X, n = COUNTS[:, :4], 4
    y = (NORMAL[:, 0] - NORMAL[:, 1] > 0).astype(np.int64)
    info = TaskInfo(kind=TaskKind.BINARY, n_samples=60, n_features=n, n_classes=2)
    learner = load_learner(model)
    pipeline = make_pipeline(learner, info, preprocessing=Preprocessing(), seed=0, device="cpu")
    pipeline.fit(frame_of(X), y)
    assert pipeline[0].transformed_["log"] == n
    explained, background = X[:3], X[30:40]
    values, _, _ = form_values(
        learner.margin_form(pipeline[-1]),
        pipeline[0].transform(frame_of(explained)),
        pipeline[0].transform(frame_of(background)),
        players=pipeline[0].players_,
        evaluations=1000,
        seed=0,
    )

    def margin(rows):
        given = pipeline[0].transform(frame_of(rows))
        if model == "linear":
            return pipeline[-1].log_odds(given)[:, 0]
        return pipeline[-1].decision_function(given)

    def worth(row, coalition):
        mixed = background.copy()
        mixed[:, coalition] = row[list(coalition)]
        return margin(mixed).mean()

    for i, row in enumerate(explained):
        for feature in range(n):
            others = [other for other in range(n) if other != feature]
            expected = sum(
                factorial(size)
                * factorial(n - size - 1)
                / factorial(n)
                * (worth(row, (*part, feature)) - worth(row, part))
                for size in range(n)
                for part in combinations(others, size)
            )
            assert values[i, feature, 0] == pytest.approx(expected, abs=1e-8)


# ---------------------------------------------------------------- as a dimension of tuning


def skewed_task(seed=3, n=72):
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((n, 12))
    y = np.where(latent[:, :3].sum(axis=1) + rng.standard_normal(n) > 0, "case", "control")
    table = frame_of(np.exp(1.6 * latent)).assign(y=y)
    return make_task(dataset_from_frame(table, target="y"))


def test_the_configuration_offers_the_transforms_that_there_are():
    text = (Path(__file__).parents[1] / "conf" / "preprocess" / "default.yaml").read_text()
    (offered,) = re.findall(r"^transform: auto +# (.+); auto: for", text, re.MULTILINE)
    assert set(offered.split(" | ")) == set(get_args(TransformName))


def test_the_dimension_is_that_of_every_model_that_scales_and_of_no_other():
    for name in ("linear", "knn", "svm", "pls", "mlp", "transformer"):
        assert load_space(name).parameters[TRANSFORM].choices == ("auto", "none", "rank")
    for name in ("xgboost", "random_forest", "dummy"):
        assert TRANSFORM not in load_space(name).parameters


def test_a_tuned_fold_is_refitted_under_the_transform_it_chose():
    task = skewed_task()
    splits = make_splits(task, "kfold", n_splits=3)
    space = SearchSpace.from_config(
        {TRANSFORM: {"kind": "categorical", "choices": ["none", "rank", "yeo-johnson"]}}
    )
    learner = load_learner("svm")
    options = TuningOptions(trials=9, inner_folds=3, choose="best")
    tuner = make_tuner(task, learner, space, options=options)
    cell = Cell(task=task, learner=learner, splits=splits, tuner=tuner)
    chosen = set()
    for fold in splits.folds:
        result = evaluate_fold(cell, fold)
        assert result.status == "ok", result.reason
        assert result.tuning["trials"] == 4  # the default and each choice, nothing twice
        chosen.add(result.values[TRANSFORM])
        assert result.transform == {} or result.values[TRANSFORM] == "auto"
        again = fit_fold(cell.fitted_as(result), fold, seed=result.seed)
        np.testing.assert_array_equal(
            predict_fold(again, task, fold).margin, result.prediction.margin
        )
    assert chosen - {"auto"}


@pytest.mark.parametrize("model", ["svm", "linear", "pls", "knn"])
def test_inner_folds_keep_what_each_transform_needs_and_score_as_if_alone(model):
    task, learner = skewed_task(), load_learner(model)
    measure = find_measure("roc_auc", task.kind)

    def cut(transform):
        rows = TrainingRows.of(
            task, preprocessing=Preprocessing(transform=transform), seed=seed_for(0, "x")
        )
        return InnerFolds.cut(rows, n_folds=3, classes=task.classes, measure=measure)

    shared = cut("auto")
    for transform in ("rank", "auto", "none", "rank"):
        alone = list(cut(transform).scores(learner))
        assert list(shared.under(transform).scores(learner)) == alone
    assert shared.under("auto") is shared
    kept = shared.under("rank").workspaces
    assert len(kept) == 3
    assert shared.under("rank").workspaces is kept


def test_large_tables_keep_what_the_latest_transform_needs_alone(monkeypatch):
    task, learner = skewed_task(), load_learner("linear")
    rows = TrainingRows.of(task, preprocessing=Preprocessing(), seed=1)
    measure = find_measure("roc_auc", task.kind)
    folds = InnerFolds.cut(rows, n_folds=3, classes=task.classes, measure=measure)
    monkeypatch.setattr(inner_folds, "KEPT_VALUES", task.X.size - 1)
    first = list(folds.under("auto").scores(learner))
    list(folds.under("rank").scores(learner))
    assert [len(folds.workspaces), len(folds.under("rank").workspaces)] == [0, 3]
    assert list(folds.under("auto").scores(learner)) == first
    assert [len(folds.workspaces), len(folds.variants["rank"].workspaces)] == [3, 0]


# ---------------------------------------------------------------- what is said of it


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("knn", "logarithm of 12, far values drawn in for 12 of 12 numeric features"),
        ("xgboost", ""),
    ],
)
def test_the_record_and_the_report_say_what_was_done(model, words, tmp_path):
    task = skewed_task()
    record = evaluate(task, load_learner(model), make_splits(task, "kfold", n_splits=3), n_jobs=1)
    assert record.transform.startswith(words)
    assert bool(words) == bool(record.transform)
    write_report(tmp_path / "report.html", ReportInputs(task=task, record=record))
    assert ("preprocess.transform=auto" in (tmp_path / "report.html").read_text()) == bool(words)


def test_a_table_that_needs_nothing_says_so():
    task = binary_toy()
    record = evaluate(task, load_learner("knn"), make_splits(task, "kfold", n_splits=3), n_jobs=1)
    assert record.transform.startswith("none of ")
