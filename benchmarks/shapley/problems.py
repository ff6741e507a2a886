"""The fitted models to explain.

Step in the line: bundled table -> **Problem** (rows, background, function, margin form) ->
explainers, references. All models are fitted on the training rows of the first fold of omics.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from smalldata.datasets import load_dataset
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import fit_fold
from smalldata.learner import (
    CallableForm,
    KernelForm,
    LinearForm,
    MarginForm,
    NeighboursForm,
    TreesForm,
)
from smalldata.models import load_learner
from smalldata.resampling.strategies import make_splits
from smalldata.task import TaskInfo, make_task

Array = NDArray[np.float64]
SEED = 0
DATASET = "omics"
N_ROWS = 4
N_BACKGROUND = 50
N_FEW = 10  # columns of the problem that brute force and shap.ExactExplainer can solve
GAMMA = 1.25  # of conf/model/svm.yaml, in units of 1 / (columns x variance)
MODELS = (
    "svm, rbf",
    "svm, polynomial",
    "linear",
    "xgboost",
    "random forest",
    "knn",
    "mlp",
)
SAMPLED = ("knn", "mlp")


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """One fitted model, the rows to explain and the background.

    Attributes
    ----------
    function : callable
        Takes (n, n_columns), returns (n,): what every explainer explains.
    form : MarginForm
        The same function as arrays.
    estimator : object
        What a user of another library would hand to it (SVC, Booster …).
    """

    model: str
    rows: Array
    background: Array
    function: Callable[[Array], Array]
    form: MarginForm
    estimator: object

    @property
    def n_columns(self) -> int:
        """Count the columns, each of which is a player."""
        return self.rows.shape[1]


@cache
def _encoded(learner: str) -> tuple[TaskInfo, Array, NDArray[np.int64], Array]:
    """Encode the first fold as the line does: shape, training rows, their y, held-out rows."""
    task = make_task(load_dataset(DATASET))
    splits = make_splits(task, "rep5x5", seed=SEED)
    fold = splits.folds[0]
    preprocess = fit_fold(
        Cell(task=task, learner=load_learner(learner), splits=splits), fold, seed=SEED
    )["preprocess"]
    train = splits.train_rows(fold)
    return (
        task.info,
        preprocess.transform(task.X.iloc[train]),
        task.y[train],
        preprocess.transform(task.X.iloc[fold.test]),
    )


def make_problem(
    model: str, *, few: bool = False, n_rows: int = N_ROWS, n_background: int = N_BACKGROUND
) -> Problem:
    """Fit one model of omics.

    Parameters
    ----------
    model : str
        One of `MODELS`.
    few : bool
        Only the `N_FEW` columns that correlate most with the classes in the training rows.
    n_rows, n_background : int
        Held-out rows, the first ones; training rows, drawn by a seed that is the same for all.
    """
    # The preprocessing asks for the learner's traits alone; knn's are those of svm and mlp.
    name = _name(model)
    info, X, y, held_out = _encoded(name if name in ("xgboost", "random_forest") else "knn")
    if few:
        columns = _most_correlated(X, y)
        X, held_out = X[:, columns], held_out[:, columns]
        info = replace(info, n_features=len(columns))
    drawn = np.random.default_rng(SEED).choice(len(X), size=n_background, replace=False)
    function, form, estimator = _fit(model, info, X, y)
    return Problem(
        model=model,
        rows=np.ascontiguousarray(held_out[:n_rows]),
        background=np.ascontiguousarray(X[np.sort(drawn)]),
        function=function,
        form=form,
        estimator=estimator,
    )


def _most_correlated(X: Array, y: NDArray[np.int64]) -> NDArray[np.int64]:
    filled = np.where(np.isnan(X), np.nanmedian(X, axis=0), X)
    moved = filled - filled.mean(axis=0)
    length = np.sqrt(np.square(moved).sum(axis=0))
    score = np.abs((y - y.mean()) @ moved) / np.where(length > 0, length, np.inf)
    return np.sort(np.argsort(-score, kind="stable")[:N_FEW])


def _fit(
    model: str, info: TaskInfo, X: Array, y: NDArray[np.int64]
) -> tuple[Callable[[Array], Array], MarginForm, object]:
    """Return the fitted function, its arrays and the estimator."""
    if model.startswith("svm"):
        return _fit_svm(model, X, y)
    name = _name(model)
    learner = load_learner(name)
    fitted = learner.build(info, seed=SEED, device="cpu").fit(X, y)
    form = learner.margin_form(fitted)
    match form:
        case LinearForm():
            weights, offset = form.coef[0], form.intercept[0]
            return (lambda rows: rows @ weights + offset), form, (weights, offset)
        case TreesForm() if name == "xgboost":
            return _booster_margin(form.model), form, form.model
        case TreesForm():
            return (lambda rows: form.model.predict_proba(rows)[:, 1]), form, form.model
        case NeighboursForm():
            return (lambda rows: fitted.predict_proba(rows)[:, 1]), form, fitted
        case CallableForm():
            return (lambda rows: form.function(np.asarray(rows))[:, 0]), form, fitted
    raise ValueError(f"no benchmark of {model}")


def _name(model: str) -> str:
    return model.replace(" ", "_")


def _booster_margin(booster: object) -> Callable[[Array], Array]:
    import xgboost

    def margin(rows: Array) -> Array:
        data = xgboost.DMatrix(np.asarray(rows), nthread=1)
        output: Array = booster.predict(data, output_margin=True, validate_features=False)
        return output.astype(np.float64)

    return margin


def _fit_svm(
    model: str, X: Array, y: NDArray[np.int64]
) -> tuple[Callable[[Array], Array], KernelForm, object]:
    """Fit scikit-learn's own SVC, as a user of shap would."""
    from sklearn.svm import SVC

    kernel = "rbf" if model == "svm, rbf" else "poly"
    gamma = GAMMA / (X.shape[1] * X.var())
    fitted = SVC(C=1.0, kernel=kernel, gamma=gamma, degree=3, coef0=1.0).fit(X, y)
    form = KernelForm(
        kernel=kernel,
        support=fitted.support_vectors_,
        coef=fitted.dual_coef_,
        intercept=fitted.intercept_,
        gamma=gamma,
        degree=3,
        coef0=1.0,
    )
    return fitted.decision_function, form, fitted
