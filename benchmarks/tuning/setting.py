"""What both ways share: the tables, the outer folds and the inner folds of each."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from smalldata.datasets import load_dataset
from smalldata.resampling.strategies import make_splits
from smalldata.results.folds import Fold, Splits
from smalldata.seeding import seed_for
from smalldata.task import Task, make_task
from smalldata.tuning.inner_folds import cut_inner_folds

SEED = 0
SYNTHETIC = {"n": 200, "p": 5000}


def load_task(dataset: str) -> Task:
    """Load a bundled table, ``synthetic`` (200 x 5,000) or ``synthetic:N:P``."""
    name, *shape = dataset.split(":")
    if name != "synthetic":
        return make_task(load_dataset(name))
    size = dict(zip(("n", "p"), map(int, shape), strict=True)) if shape else SYNTHETIC
    return make_task(load_dataset("synthetic", **size))


def make_outer(task: Task, n_outer: int) -> Splits:
    """Cut the first ``n_outer`` folds of five times five: 5 are one whole repeat, 25 all."""
    splits = make_splits(task, "rep5x5", seed=SEED)
    return replace(splits, folds=splits.folds[:n_outer], is_default=False)


def make_inner(
    task: Task, splits: Splits, fold: Fold, n_inner: int
) -> Sequence[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Cut the training rows of an outer fold as smalldata's own tuning does.

    Positions are within the ascending training rows; fewer folds where the smallest class is
    smaller than ``n_inner``.
    """
    return cut_inner_folds(
        task.y[splits.train_rows(fold)],
        None,
        n_folds=n_inner,
        n_repeats=1,
        stratify=True,
        seed=seed_for(SEED, "tune", fold.repeat, fold.fold),
    )
