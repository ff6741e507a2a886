"""A cell: what it refuses, what it knows before a fit, and what a fold makes of it."""

import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from smalldata.__main__ import main
from smalldata.errors import ConfigError, SplitError
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate_fold, evaluate_folds, fit_fold, predict_fold
from smalldata.models import load_learner, load_space
from smalldata.panel.selector import SignatureOptions, make_selector
from smalldata.pipeline.preprocess import PLAIN, Preprocessing
from smalldata.resampling.strategies import make_splits
from smalldata.tuning.options import TuningOptions
from smalldata.tuning.tuner import make_tuner
from toys import binary_toy, values_toy


@pytest.fixture
def task():
    return binary_toy(n_features=6)


@pytest.fixture
def cell(task):
    return Cell(
        task=task, learner=load_learner("knn"), splits=make_splits(task, "kfold", n_splits=3)
    )


@pytest.fixture
def tuner(task):
    options = TuningOptions(trials=12, inner_folds=2, sampler="random", choose="best")
    return make_tuner(task, load_learner("knn"), load_space("knn"), options=options)


@pytest.fixture
def selector(task):
    return make_selector(task, SignatureOptions(ranking="linear", sizes=(1, 2, 4)))


# ---------------------------------------------------------------- what is refused


def test_splits_of_another_task_are_refused(cell):
    with pytest.raises(SplitError, match="must be made of the same task"):
        replace(cell, task=values_toy())
    with pytest.raises(SplitError, match="must be made of the same task"):
        replace(cell, splits=make_splits(values_toy(), "kfold", n_splits=3))


def test_a_train_size_that_no_fold_has_is_refused(cell):
    with pytest.raises(ConfigError, match=r"cv\.train_size must be between"):
        replace(cell, train_size=21)


def test_settings_that_exclude_each_other_are_refused(cell, tuner, selector):
    for changes, sentence in (
        (
            {"selector": selector, "preprocessing": Preprocessing(select="variance", k=2)},
            "must have select=none, got variance",
        ),
        ({"selector": selector, "tuner": tuner}, "on inner folds of its own and is not tuned"),
        (
            {"tuner": tuner, "preprocessing": Preprocessing(select="shap", k=2)},
            "preprocess.select=shap ranks by the values of the model, which tuning changes",
        ),
    ):
        with pytest.raises(ConfigError, match=sentence):
            replace(cell, **changes)


# ---------------------------------------------------------------- what it knows


def test_a_cell_without_a_name_is_called_as_the_file_of_its_learner(cell):
    assert cell.model == cell.record().model == "knn"
    assert replace(cell, model="neighbours").record().label.startswith("neighbours")


def test_a_cell_counts_the_features_its_model_gets(cell, selector):
    assert (cell.n_values, cell.n_features, cell.ranking) == (30 * 6, 6, "none")
    for k, expected in ((2, 2), (50, 6)):
        some = replace(cell, preprocessing=Preprocessing(select="variance", k=k))
        assert (some.n_features, some.ranking) == (expected, "variance")
    chosen = replace(cell, selector=selector)
    assert (chosen.n_features, chosen.ranking) == (4, "linear")


def test_a_model_that_reads_no_feature_cannot_be_ranked_by_shap(cell):
    by_shap = Preprocessing(select="shap", k=2)
    dummy = replace(cell, learner=load_learner("dummy"), preprocessing=by_shap)
    assert dummy.skipped == dummy.record().skipped
    assert "nothing to rank by shap" in dummy.skipped
    assert replace(cell, preprocessing=by_shap).skipped == ""


def test_a_model_without_a_card_runs_on_the_cpu_whatever_is_asked(cell):
    assert [cell.device(asked) for asked in ("auto", "cpu", "cuda")] == ["cpu"] * 3
    deep = replace(cell, learner=load_learner("mlp"))
    assert deep.device("cpu") == "cpu"
    assert deep.device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="device=cuda"):
            deep.device("cuda")


# ---------------------------------------------------------------- as a fold was fitted


def test_a_tuned_cell_as_one_fold_was_fitted_has_its_values_and_is_not_tuned(cell, tuner):
    tuned = replace(cell, tuner=tuner)
    seen = set()
    for fold, result in zip(cell.splits.folds, evaluate_folds(tuned, n_jobs=1), strict=True):
        fitted = tuned.fitted_as(result)
        chosen = replace(PLAIN, transform=result.values["preprocess.transform"])
        assert (fitted.tuner, fitted.preprocessing) == (None, chosen)
        assert fitted.learner.n_neighbors == result.values["n_neighbors"]
        pipeline = fit_fold(fitted, fold, seed=result.seed)
        again = predict_fold(pipeline, cell.task, fold)
        np.testing.assert_array_equal(again.probabilities, result.prediction.probabilities)
        seen.add(fitted.learner.n_neighbors)
    assert seen != {cell.learner.n_neighbors}


def test_a_selecting_cell_as_one_fold_was_fitted_keeps_the_size_it_chose(cell, selector):
    chosen = replace(cell, learner=load_learner("linear"), selector=selector)
    fold = cell.splits.folds[1]
    result = evaluate_fold(chosen, fold)
    fitted = chosen.fitted_as(result)
    assert (fitted.selector, fitted.learner) == (None, chosen.learner)
    assert fitted.preprocessing == Preprocessing(select="linear", k=result.selection.k)
    pipeline = fit_fold(fitted, fold, seed=result.seed)
    again = predict_fold(pipeline, cell.task, fold)
    np.testing.assert_array_equal(again.probabilities, result.prediction.probabilities)
    plain = fit_fold(replace(fitted, preprocessing=PLAIN), fold, seed=result.seed)
    assert len(plain[0].players_) > len(pipeline[0].players_)


# ---------------------------------------------------------------- its config on disk


def test_a_run_writes_the_config_of_a_cell_once(tmp_path, monkeypatch):
    written, real = Counter(), os.replace

    def count(source, target):
        written[Path(target).name] += 1
        real(source, target)

    monkeypatch.setattr(os, "replace", count)
    asked = ["model=knn", "dataset=nutrimouse", "cv=kfold", "cv.n_splits=2", "explain=none"]
    command = [*asked, "n_jobs=1", f"outputs={tmp_path}"]
    assert main(command) == 0
    assert (written["config.yaml"], written["r00f00.json"]) == (1, 1)
    assert main(command) == 0  # finished: nothing of the cell is written
    assert (written["config.yaml"], written["r00f00.json"]) == (1, 1)
    (path,) = tmp_path.rglob("config.yaml")
    text = path.read_text()
    path.write_text(re.sub(r"n_neighbors: \d+", "n_neighbors: 1", text))
    assert path.read_text() != text
    assert main(command) == 0  # edited: mended, once
    assert (written["config.yaml"], written["r00f00.json"]) == (2, 1)
    assert path.read_text() == text
