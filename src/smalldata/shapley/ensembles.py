"""Tree ensembles as plain arrays: what a booster or a forest asks and what its leaves add.

First step of explaining trees: model and game -> ``Trees``, the rows as the trees compare them, and
the model's own output, with which everything read here is compared.
"""

import json
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import ExplanationError
from smalldata.shapley.game import Array, Game, Integers

# Sums of a model's own trees are float32: what may be missing, relative to the spread of its
# output.
TOLERANCE = 1e-4
# Both kinds of ensemble compare float32; larger values count as the largest float32.
LARGEST = float(np.finfo(np.float32).max)


# A named tuple, not a dataclass, because compiled functions accept it.
class Trees(NamedTuple):
    """All trees of an ensemble, their nodes one after the other.

    A row goes left if its value is missing and ``missing_left``, or if it is at most ``threshold``.

    Attributes
    ----------
    column, left, right : ndarray of int64 of shape (n_nodes,)
        Column tested and children; column -1 is a leaf.
    threshold : ndarray of shape (n_nodes,)
    missing_left : ndarray of bool of shape (n_nodes,)
    leaf : ndarray of shape (n_nodes, n_values)
        What a leaf adds to the outputs from ``first_output`` of its tree on.
    roots, first_output : ndarray of int64 of shape (n_trees,)
    """

    column: Integers
    left: Integers
    right: Integers
    threshold: Array
    missing_left: NDArray[np.bool_]
    leaf: Array
    roots: Integers
    first_output: Integers


def read_ensemble(model: Any, game: Game) -> tuple[Trees, Array, Array]:
    """Read an ensemble and its outputs for the rows of a game.

    Parameters
    ----------
    model : xgboost.Booster, or a fitted scikit-learn random forest or extra-trees ensemble
    game : Game

    Returns
    -------
    trees : Trees
    cells : ndarray of shape (n_columns, n_rows + n_background)
        The explained rows, then the background, rounded as the trees compare them.
    output : ndarray of shape (n_rows + n_background, n_outputs)
        The model's own raw output.

    Raises
    ------
    ExplanationError
        If the model is of another kind (dart, categorical splits and vector leaves included) or
        asks for columns that the rows do not have.
    """
    read = _read_booster if type(model).__module__.startswith("xgboost") else _read_forest
    every = np.clip(np.vstack([game.rows, game.background]), -LARGEST, LARGEST)
    trees, output = read(model, every)
    if trees.column.max(initial=-1) >= game.rows.shape[1]:
        raise ExplanationError(
            f"the model asks for column {trees.column.max()}; the rows have {game.rows.shape[1]}."
        )
    cells = np.ascontiguousarray(every.astype(np.float32).astype(np.float64).T)
    return trees, cells, output


def assert_reproduced(moved: Array, output: Array) -> None:
    """Refuse trees that do not give the model's own f(x) - mean f(z).

    Parameters
    ----------
    moved : ndarray of shape (n_rows, n_outputs)
        f(x) - mean f(z) by the trees that were read.
    output : ndarray of shape (n_rows + n_background, n_outputs)
        As `read_ensemble` returns it.

    Raises
    ------
    ExplanationError
        If they differ by more than 1e-4 of the spread of the output.
    """
    base_values = output[len(moved) :].mean(axis=0)
    error = float(np.abs(moved - (output[: len(moved)] - base_values)).max(initial=0.0))
    spread = float(np.abs(output - base_values).max(initial=0.0))
    rounding = 8 * float(np.finfo(np.float32).eps) * float(np.abs(output).max(initial=0.0))
    if not error <= TOLERANCE * spread + rounding:
        raise ExplanationError(
            f"Shapley values must add up to the model's own output; they are off by {error:.2g} "
            f"where the output spreads over {spread:.2g}."
        )


def _read_booster(model: Any, rows: Array) -> tuple[Trees, Array]:
    import xgboost

    booster = model.get_booster() if hasattr(model, "get_booster") else model
    learner = json.loads(booster.save_raw("json"))["learner"]
    kind = learner["gradient_booster"]["name"]
    if kind != "gbtree":
        raise ExplanationError(f"a booster must be made of plain trees (gbtree); got {kind}.")
    ensemble = learner["gradient_booster"]["model"]
    if any(tree["categories"] for tree in ensemble["trees"]):
        raise ExplanationError(
            "categorical splits can't be explained; give categories as whole numbers instead."
        )
    if any(int(tree["tree_param"]["size_leaf_vector"]) > 1 for tree in ensemble["trees"]):
        raise ExplanationError("trees with vector leaves can't be explained; grow one per output.")
    sizes = [len(tree["left_children"]) for tree in ensemble["trees"]]
    roots = np.cumsum([0, *sizes[:-1]], dtype=np.int64)[: len(sizes)]
    shift = np.repeat(roots, sizes)

    def joined(key: str) -> NDArray[Any]:
        return np.concatenate([[], *(np.asarray(tree[key]) for tree in ensemble["trees"])])

    left = joined("left_children").astype(np.int64)
    is_leaf = left < 0
    # xgboost asks x < threshold in float32: x <= the float32 just below.
    conditions = joined("split_conditions").astype(np.float32)
    trees = Trees(
        column=np.where(is_leaf, -1, joined("split_indices").astype(np.int64)),
        left=left + shift,
        right=joined("right_children").astype(np.int64) + shift,
        threshold=np.nextafter(conditions, np.float32(-np.inf)).astype(np.float64),
        missing_left=joined("default_left").astype(bool),
        leaf=np.where(is_leaf, conditions, 0).astype(np.float64)[:, None],
        roots=roots,
        first_output=np.asarray(ensemble["tree_info"], dtype=np.int64),
    )
    data = xgboost.DMatrix(rows, nthread=1)
    output = booster.predict(data, output_margin=True, validate_features=False)
    return trees, output.astype(np.float64).reshape(len(rows), -1)


def _read_forest(model: Any, rows: Array) -> tuple[Trees, Array]:
    members = getattr(model, "estimators_", None)
    if not isinstance(members, list) or not all(hasattr(member, "tree_") for member in members):
        raise ExplanationError(
            f"tree values need an xgboost Booster or a fitted forest; got {type(model).__name__}."
        )
    if model.n_outputs_ != 1:
        raise ExplanationError(f"a forest must have one target; got {model.n_outputs_}.")
    classifies = hasattr(model, "predict_proba")
    parts = [member.tree_ for member in members]
    sizes = [part.node_count for part in parts]
    roots = np.cumsum([0, *sizes[:-1]], dtype=np.int64)
    shift = np.repeat(roots, sizes)
    left = np.concatenate([part.children_left for part in parts]).astype(np.int64)
    leaf = np.concatenate([part.value[:, 0, :] for part in parts])
    if classifies:
        leaf = leaf / leaf.sum(axis=1, keepdims=True)
        output = np.asarray(model.predict_proba(rows), dtype=np.float64)
        if output.shape[1] == 2:
            leaf, output = leaf[:, 1:], output[:, 1:]
    else:
        output = np.asarray(model.predict(rows), dtype=np.float64)[:, None]
    trees = Trees(
        column=np.where(
            left < 0, -1, np.concatenate([part.feature for part in parts]).astype(np.int64)
        ),
        left=left + shift,
        right=np.concatenate([part.children_right for part in parts]).astype(np.int64) + shift,
        threshold=np.concatenate([part.threshold for part in parts]),
        missing_left=np.concatenate([part.missing_go_to_left for part in parts]).astype(bool),
        leaf=np.ascontiguousarray(leaf / len(parts)),
        roots=roots,
        first_output=np.zeros(len(parts), dtype=np.int64),
    )
    return trees, output
