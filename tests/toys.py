"""Small tasks and a comparison of records to the last bit, for the tests of the line."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from smalldata.results.folds import FoldResult, Score
from smalldata.task import Dataset, Task, TaskKind, make_task


def make_toy(
    labels: Any,
    *,
    kind: TaskKind = TaskKind.BINARY,
    groups: Any = None,
    folds: Any = None,
    n_features: int = 3,
    name: str = "toy",
) -> Task:
    """Make a task with random features, the first of them shifted by class."""
    n_samples = len(labels)
    rng = np.random.default_rng(0)
    numeric = kind is TaskKind.REGRESSION
    y = np.array(labels, dtype=float if numeric else object)
    X = rng.normal(size=(n_samples, n_features))
    X[:, 0] += y if numeric else np.unique(y.astype(str), return_inverse=True)[1]
    dataset = Dataset(
        name=name,
        X=pd.DataFrame(X, columns=[f"x{i}" for i in range(n_features)]),
        y=y,
        sample_ids=np.array([f"s{i}" for i in range(n_samples)], dtype=object),
        kind=kind,
        target="t",
        positive=str(labels[0]) if kind is TaskKind.BINARY else None,
        groups=None if groups is None else np.array(groups, dtype=object),
        folds=None if folds is None else np.array(folds, dtype=object),
    )
    return make_task(dataset)


def binary_toy(**options: Any) -> Task:
    """Thirty rows, ten of them positive."""
    return make_toy(["yes", "no", "no"] * 10, **options)


def values_toy(**options: Any) -> Task:
    """Thirty rows with a numeric target."""
    return make_toy(np.linspace(0, 3, 30), kind=TaskKind.REGRESSION, **options)


def classes_toy(**options: Any) -> Task:
    """Thirty rows of three classes with awkward names."""
    return make_toy(["a/b: ü", "p_x", "c d"] * 10, kind=TaskKind.MULTICLASS, **options)


def differences(first: Any, second: Any, *, at: str = "") -> list[str]:
    """Where two results differ; seconds and environments aside."""
    if isinstance(first, FoldResult | Score) or dataclasses.is_dataclass(first):
        if type(first) is not type(second):
            return [f"{at}: {type(first)} and {type(second)}"]
        first, second = vars(first), vars(second)
    if isinstance(first, Mapping):
        if list(first) != list(second):
            return [f"{at}: keys {list(first)} and {list(second)}"]
        skipped = {"seconds", "environment", "explain_seconds"}
        return [
            difference
            for key in first
            if key not in skipped
            for difference in differences(first[key], second[key], at=f"{at}.{key}")
        ]
    if isinstance(first, tuple | list):
        if type(first) is not type(second) or len(first) != len(second):
            return [f"{at}: {first} and {second}"]
        return [
            difference
            for i, (a, b) in enumerate(zip(first, second, strict=True))
            for difference in differences(a, b, at=f"{at}[{i}]")
        ]
    if isinstance(first, np.ndarray):
        same = (
            isinstance(second, np.ndarray)
            and first.dtype == second.dtype
            and first.shape == second.shape
            and first.tobytes() == second.tobytes()
        )
        return [] if same else [f"{at}: {first} and {second}"]
    return (
        [] if type(first) is type(second) and first == second else [f"{at}: {first} and {second}"]
    )
