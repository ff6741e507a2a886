"""Cost of ours against columns, training or support rows and background rows; a very wide table.

Synthetic tables, except for nci60. Each kernel has the settings of its model's yaml and the
sampling of the line: 4 walks from each background row (knn), 8 evaluations a column (mlp), 4
gradients for each background row (the quick look at an mlp).
"""

import resource
import time
from functools import partial
from typing import Any

import numpy as np
from explainers import our_values, quick_values
from problems import SEED, Array

from smalldata import shapley
from smalldata.datasets import load_dataset
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import fit_fold
from smalldata.learner import MarginForm
from smalldata.models import load_learner
from smalldata.resampling.strategies import make_splits
from smalldata.task import TaskInfo, TaskKind, make_task

QUICK = "mlp, gradients"
KERNELS = ("rbf", "polynomial", "linear", "trees", "knn", "mlp", QUICK)
N_COLUMNS, N_TRAIN, N_BACKGROUND = 130, 250, 50
SIZES = {
    "columns": (10, 100, 1_000, 5_000, 20_000),
    "rows": (50, 100, 200, 400, 800),
    "background": (10, 50, 100, 250, 500),
}
# A network's call costs what its columns do, and it is called for each of them: at 20,000 columns
# a row takes minutes.
MOST_COLUMNS = {"mlp": 5_000}
# What does not meet the training rows when it explains.
WITHOUT_ROWS = ("linear", "mlp", QUICK)
N_ROWS = 2
SHORT_SECONDS = 0.5
N_REPEATS = 5
WIDE_MODELS = {
    "rbf": "svm",
    "linear": "linear",
    "trees": "xgboost",
    "knn": "knn",
    "mlp": "mlp",
    QUICK: "mlp",
}


def axes(kernel: str) -> list[str]:
    """Name what a kernel's cost is measured against."""
    found = [axis for axis in SIZES if axis != "rows" or kernel not in WITHOUT_ROWS]
    return [*found, "nci60"] if kernel in WIDE_MODELS else found


def sizes_of(kernel: str, axis: str) -> tuple[int, ...]:
    most = MOST_COLUMNS.get(kernel) if axis == "columns" else None
    return tuple(size for size in SIZES[axis] if most is None or size <= most)


def measure_axis(kernel: str, axis: str, sizes: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    """Time one kernel at every size of one axis, the others at their usual size."""
    _time_kernel(kernel, n_columns=12, n_train=30, n_background=4)  # compiles
    rows = []
    for size in sizes or sizes_of(kernel, axis):
        shape = {"n_columns": N_COLUMNS, "n_train": N_TRAIN, "n_background": N_BACKGROUND}
        shape["n_train" if axis == "rows" else f"n_{axis}"] = size
        seconds = _time_kernel(kernel, **shape)
        rows.append(
            {
                "kernel": kernel,
                "axis": axis,
                **shape,
                "n_outputs": 1,
                "seconds_per_row": seconds / N_ROWS,
                "before_mb": float("nan"),
                "peak_mb": float("nan"),
            }
        )
    return rows


def _time_kernel(kernel: str, *, n_columns: int, n_train: int, n_background: int) -> float:
    """Take the seconds of one call for `N_ROWS` rows; the median of a few where it is short."""
    rng = np.random.default_rng(SEED)
    X = rng.normal(size=(n_train, n_columns))
    y = (X[:, :10].sum(axis=1) + rng.normal(size=n_train) > 0).astype(np.int64)
    rows = rng.normal(size=(N_ROWS, n_columns))
    background = rng.normal(size=(n_background, n_columns))
    explain = _kernel(kernel, X, y, rng)
    taken: list[float] = []
    while len(taken) < N_REPEATS:
        start = time.perf_counter()
        explain(rows, background)
        taken.append(time.perf_counter() - start)
        if taken[0] > SHORT_SECONDS:
            break
    return float(np.median(taken))


def _kernel(kernel: str, X: Array, y: np.ndarray[Any, Any], rng: np.random.Generator) -> Any:
    n_train, n_columns = X.shape
    signs = 2.0 * y - 1.0
    expansion = {"support": X, "coef": [signs * rng.random(n_train)], "intercept": [0.0]}
    match kernel:
        case "rbf":
            return partial(shapley.rbf_values, **expansion, gamma=1.25 / n_columns)
        case "polynomial":
            return partial(
                shapley.polynomial_values,
                **expansion,
                gamma=1.25 / n_columns,
                coef0=1.0,
                degree=3,
            )
        case "linear":
            return partial(
                shapley.linear_values, coef=[rng.normal(size=n_columns)], intercept=[0.0]
            )
        case "trees":
            return partial(_explain, kernel, _fit("xgboost", X, y))
        case "knn":
            return partial(_explain, kernel, _fit("knn", X, y))
        case "mlp" | "mlp, gradients":
            # How well it is trained does not matter to its cost.
            return partial(_explain, kernel, _fit("mlp", X, y, n_epochs=2))
    raise ValueError(f"no such kernel: {kernel}")


def _fit(name: str, X: Array, y: np.ndarray[Any, Any], **values: Any) -> MarginForm:
    learner = load_learner(name, **values)
    info = TaskInfo(kind=TaskKind.BINARY, n_samples=len(X), n_features=X.shape[1], n_classes=2)
    return learner.margin_form(learner.build(info, seed=SEED, device="cpu").fit(X, y))


def _explain(kernel: str, form: MarginForm, rows: Array, background: Array) -> Array:
    """Explain with the sampling of the line, each column a player."""
    if kernel == QUICK:
        return quick_values(form, rows, background, n_draws=4, seed=SEED)[0]
    budget = 8 * rows.shape[1] if kernel == "mlp" else None
    return our_values(form, rows, background, budget=budget, seed=SEED)[0]


def measure_wide(kernel: str) -> list[dict[str, Any]]:
    """Explain held-out rows of nci60 (57 x 6,830, 8 classes) by all training rows of a fold."""
    task = make_task(load_dataset("nci60"))
    splits = make_splits(task, "kfold", n_splits=4, seed=SEED)
    fold = splits.folds[0]
    learner = load_learner(WIDE_MODELS[kernel])
    pipeline = fit_fold(Cell(task=task, learner=learner, splits=splits), fold, seed=SEED)
    encode = pipeline["preprocess"].transform
    background = encode(task.X.iloc[splits.train_rows(fold)])
    rows = encode(task.X.iloc[fold.test[:N_ROWS]])
    form = learner.margin_form(pipeline["estimator"])
    _time_kernel(kernel, n_columns=12, n_train=30, n_background=4)  # compiles
    before = _peak_mb()
    start = time.perf_counter()
    values = _explain(kernel, form, rows, background)
    return [
        {
            "kernel": kernel,
            "axis": "nci60",
            "n_columns": rows.shape[1],
            "n_train": len(background),
            "n_background": len(background),
            "n_outputs": values.shape[2],
            "seconds_per_row": (time.perf_counter() - start) / len(rows),
            "before_mb": before,
            "peak_mb": _peak_mb(),
        }
    ]


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
