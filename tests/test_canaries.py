"""Canaries of the whole line: where there is nothing to learn, every model must read chance."""

import dataclasses

import numpy as np
import pytest

from smalldata.datasets import load_dataset
from smalldata.evaluation.outer_loop import evaluate
from smalldata.models import load_learner
from smalldata.resampling.strategies import make_splits
from smalldata.task import make_task

N_PERMUTATIONS = 6


def _mean_auc(task, model, **values):
    splits = make_splits(task, "kfold", n_splits=5)
    record = evaluate(task, load_learner(model, **values), splits, n_jobs=1)
    assert record.status == "ok"
    return np.mean([fold.scores["roc_auc"].value for fold in record.folds])


def _permuted(seed, *, leak=False):
    """The bundled Alzheimer's table with its labels permuted; ``leak`` adds them as a feature."""
    dataset = load_dataset("omics")
    y = np.random.default_rng(seed).permutation(dataset.y)
    X = dataset.X
    blocks = dataset.feature_blocks
    if leak:
        X = X.assign(leak=(y == "Impaired").astype(float))
        blocks = (*blocks, "features")
    return make_task(dataclasses.replace(dataset, y=y, X=X, feature_blocks=blocks))


@pytest.mark.parametrize(
    "model", ["dummy", "linear", "knn", "svm", "pls", "random_forest", "xgboost"]
)
def test_permuted_labels_score_at_chance(model):
    values = {"xgboost": {"n_rounds": 50}, "random_forest": {"n_trees": 10}}.get(model, {})
    means = [_mean_auc(_permuted(seed), model, **values) for seed in range(N_PERMUTATIONS)]
    # One permutation of 333 labels has a standard deviation of about 0.035.
    assert abs(np.mean(means) - 0.5) < 0.06


def test_leaked_labels_score_near_one():
    assert _mean_auc(_permuted(0, leak=True), "xgboost", n_rounds=50) > 0.95
