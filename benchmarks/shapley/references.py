"""What the Shapley values of a problem are by other means than ours.

Step in the line: Problem -> **reference values** -> cells.
"""

import json
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from explainers import explain
from numpy.typing import NDArray
from problems import Array, Problem

from smalldata.learner import KernelForm, LinearForm, TreesForm


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
    name = "shap.LinearExplainer" if isinstance(problem.form, LinearForm) else "shap.TreeExplainer"
    return explain(problem, name, None).values
