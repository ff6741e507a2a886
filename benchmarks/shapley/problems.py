"""The fitted models to explain, and what their Shapley values are by other means than ours.

Step in the line: bundled table -> **Problem** (rows, background, function, margin form) ->
explainers. All models are fitted on the training rows of the first fold of omics.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.datasets import load_dataset
from smalldata.evaluation import fit_fold
from smalldata.learner import (
    CallableForm,
    KernelForm,
    LinearForm,
    MarginForm,
    NeighboursForm,
    TreesForm,
)
from smalldata.models import load_learner
from smalldata.resampling import make_splits
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
    preprocess = fit_fold(task, load_learner(learner), splits, fold, seed=SEED)["preprocess"]
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


# ---------------------------------------------------------------- values by other means


def brute_force(
    function: Callable[[Array], Array],
    rows: Array,
    background: Array,
    players: NDArray[np.int64] | None = None,
) -> Array:
    """Values (n_rows, n_players) from the worth of all 2^n_players coalitions."""
    players = np.arange(rows.shape[1]) if players is None else players
    n_players = int(players.max()) + 1
    members = (np.arange(2**n_players)[:, None] >> np.arange(n_players) & 1).astype(bool)
    worth = np.empty((len(members), len(rows)))
    for coalition, member in enumerate(members):
        mixed = np.where(member[players], rows[:, None, :], background)
        outputs = function(mixed.reshape(-1, rows.shape[1]))
        worth[coalition] = outputs.reshape(len(rows), -1).mean(axis=1)
    values = np.zeros((len(rows), n_players))
    for player in range(n_players):
        without = np.flatnonzero(~members[:, player])
        for coalition in without:
            size = int(members[coalition].sum())
            share = 1 / (n_players * math.comb(n_players - 1, size))
            gain = worth[coalition | 1 << player] - worth[coalition]
            values[:, player] += share * gain
    return values


def second_opinion(problem: Problem) -> tuple[Array, str]:
    """Compute the values by other code and, where there is one, another formula; say how.

    Raises
    ------
    ValueError
        If there is none: what has to be sampled.
    """
    match problem.form:
        case KernelForm(kernel="rbf"):
            return _all_nodes(problem), "plain quadrature with columns / 2 nodes (exact)"
        case KernelForm():
            return _moments(problem), "integral over moments of random coalitions"
        case LinearForm():
            return _by_library(problem), "shap.LinearExplainer"
        case TreesForm() if problem.model == "xgboost":
            return _tree_by_tree(problem), "brute force tree by tree"
        case TreesForm():
            return _by_library(problem), "shap.TreeExplainer"
    raise ValueError(f"{problem.model} has to be sampled")


def _all_nodes(problem: Problem) -> Array:
    """Integrate the diagonal of the multilinear extension with nodes enough for its degree."""
    form = problem.form
    assert isinstance(form, KernelForm)
    nodes, weights = np.polynomial.legendre.leggauss((problem.n_columns + 1) // 2)
    values = np.zeros(problem.rows.shape)
    for support, coef in zip(form.support, form.coef[0], strict=True):
        absent = np.exp(-form.gamma * np.square(problem.background - support))
        for row, x in enumerate(problem.rows):
            present = np.exp(-form.gamma * np.square(x - support))
            for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
                mixed = node * present + (1 - node) * absent
                product = np.prod(mixed, axis=1, keepdims=True)
                share = ((present - absent) * product / mixed).mean(axis=0)
                values[row] += coef * weight * share
    return values


def _moments(problem: Problem) -> Array:
    """Cube of a sum over a random coalition: its gain from one player, by mean and variance.

    Each other player is in the coalition with probability t; with D its step and S the sum of the
    members' steps, E[(B + S + D)^3 - (B + S)^3] = 3 D E[(B + S)^2] + 3 D^2 E[B + S] + D^3. It is a
    polynomial of degree 2 in t, which two Gauss-Legendre nodes integrate exactly.
    """
    form = problem.form
    assert isinstance(form, KernelForm)
    assert form.degree == 3
    values = np.zeros(problem.rows.shape)
    for support, coef in zip(form.support, form.coef[0], strict=True):
        base = (form.gamma * problem.background @ support + form.coef0)[:, None]
        for row, x in enumerate(problem.rows):
            steps = form.gamma * support * (x - problem.background)
            others = steps.sum(axis=1, keepdims=True) - steps
            squares = np.square(steps).sum(axis=1, keepdims=True) - np.square(steps)
            for t in (0.5 - math.sqrt(1 / 12), 0.5 + math.sqrt(1 / 12)):
                mean = base + t * others
                second = np.square(mean) + t * (1 - t) * squares
                gain = 3 * steps * second + 3 * np.square(steps) * mean + steps**3
                values[row] += coef * gain.mean(axis=0) / 2
    return values


def _tree_by_tree(problem: Problem) -> Array:
    """Sum the trees' values, each by brute force over the few columns that it asks."""
    form = problem.form
    assert isinstance(form, TreesForm)
    model = json.loads(form.model.save_raw("json"))["learner"]["gradient_booster"]["model"]
    values = np.zeros(problem.rows.shape)
    for tree in model["trees"]:
        inner = np.asarray(tree["left_children"]) >= 0
        asked = np.unique(np.asarray(tree["split_indices"])[inner])
        if len(asked):
            function = partial(_walk_tree, tree, asked.tolist())
            part = brute_force(function, problem.rows[:, asked], problem.background[:, asked])
            values[:, asked] += part
    return values


def _walk_tree(tree: dict[str, Any], asked: list[int], rows: Array) -> Array:
    """Follow rows of the asked columns to their leaves; xgboost compares in float32."""
    node = np.zeros(len(rows), dtype=np.int64)
    left, right = np.asarray(tree["left_children"]), np.asarray(tree["right_children"])
    limit = np.asarray(tree["split_conditions"], dtype=np.float32)
    place = np.array([asked.index(c) if c in asked else 0 for c in tree["split_indices"]])
    missing_left = np.asarray(tree["default_left"], dtype=bool)
    cells = rows.astype(np.float32)
    while (inside := left[node] >= 0).any():
        cell = cells[np.arange(len(rows)), place[node]]
        goes_left = np.where(np.isnan(cell), missing_left[node], cell < limit[node])
        node = np.where(inside, np.where(goes_left, left[node], right[node]), node)
    return limit[node].astype(np.float64)


def _by_library(problem: Problem) -> Array:
    from explainers import explain

    name = "shap.LinearExplainer" if isinstance(problem.form, LinearForm) else "shap.TreeExplainer"
    return explain(problem, name, None).values
