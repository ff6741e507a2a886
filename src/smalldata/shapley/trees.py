"""Exact Shapley values of tree ensembles: each leaf is a product of yes/no questions to players.

For a row x, a background row z and a leaf, the players asked on the path to the leaf fall into
those whose questions x answers as the path does and z does not (A in number), those where z does
and x does not (B), and those where both do. If there is no player where neither does, the leaf
belongs to the coalitions that hold all A and none of B: a player of A gets (A-1)! B! / (A+B)! of
the leaf's value, a player of B loses A! (B-1)! / (A+B)! (the interventional game of Lundberg et
al. 2020, Nature Machine Intelligence 2:56-67, leaf by leaf). The answers of a row are the bits of
one integer, and rows with equal bits share the work: 300 trees cost about a millisecond a row.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smalldata.compiling import compiled
from smalldata.errors import ExplanationError
from smalldata.shapley.game import Array, Integers, make_game

# Players asked on one path are bits of an int64.
MOST_PLAYERS = 62
# Sums of a model's own trees are float32: what may be missing, relative to the spread of its
# output.
TOLERANCE = 1e-4
# Both kinds of ensemble compare float32; what lies beyond counts as the largest of them.
LARGEST = float(np.finfo(np.float32).max)


def tree_values(
    model: Any,
    X: ArrayLike,
    background: ArrayLike,
    *,
    players: ArrayLike | None = None,
    n_players: int | None = None,
) -> tuple[Array, Array]:
    """Explain the raw output of a tree ensemble exactly, missing values (NaN) included.

    Parameters
    ----------
    model : xgboost.Booster, or a fitted scikit-learn random forest or extra-trees ensemble
        All its trees are explained: cut a booster to its best round first (``booster[:n]``).
    X : array of shape (n_rows, n_columns)
        Rows to explain.
    background : array of shape (n_background, n_columns)
        Rows the absent players are taken from; all of them are used.
    players : array of int of shape (n_columns,), optional
        Player of each column; by default each column is one.
    n_players : int, optional
        How many players there are, if some own no column.

    Returns
    -------
    values : ndarray of shape (n_rows, n_players, n_outputs)
        In the units of the raw output: log-odds (one output for two classes) or the value for a
        booster; probability (of the second class for two classes) or the value for a forest.
        They sum over players to f(x) - base_values.
    base_values : ndarray of shape (n_outputs,)
        Mean of the model's own raw output over the background.

    Raises
    ------
    ExplanationError
        If the model is of another kind (dart, categorical splits and vector leaves included),
        shapes do not fit, a value is infinite, or the values do not add up to the model's own
        output within 1e-4 of its spread.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> forest = RandomForestRegressor(1, bootstrap=False).fit([[0.0, 5.0], [1.0, 5.0]], [2.0, 8.0])
    >>> values, base = tree_values(forest, [[1.0, 5.0]], [[0.0, 5.0]])
    >>> values[0, :, 0].tolist(), base.tolist()
    ([6.0, 0.0], [2.0])
    """
    game = make_game(X, background, players=players, n_players=n_players, missing=True)
    read = _read_booster if type(model).__module__.startswith("xgboost") else _read_forest
    every = np.clip(np.vstack([game.rows, game.background]), -LARGEST, LARGEST)
    trees, output = read(model, every)
    if trees.column.max(initial=-1) >= game.rows.shape[1]:
        raise ExplanationError(
            f"the model asks for column {trees.column.max()}; the rows have {game.rows.shape[1]}."
        )
    n_rows = len(game.rows)
    n_outputs = output.shape[1]
    single = every.astype(np.float32).astype(np.float64)
    values = np.zeros((n_rows, game.n_active, n_outputs))
    deep = _add_trees(
        np.ascontiguousarray(single.T),
        n_rows,
        game.position_of_columns(),
        trees.column,
        trees.threshold,
        trees.missing_left,
        trees.left,
        trees.right,
        trees.roots,
        trees.leaf,
        trees.first_output,
        _shares(),
        values,
    )
    if deep:
        raise ExplanationError(
            f"a path through a tree may ask about at most {MOST_PLAYERS} features to be explained; "
            "limit max_depth."
        )
    base_values = output[n_rows:].mean(axis=0)
    _assert_additive(values, output, base_values)
    return game.spread(values), base_values


@dataclass(frozen=True, kw_only=True, eq=False)
class Trees:
    """All trees of an ensemble, their nodes one after the other.

    A row goes left where its value is missing and ``missing_left``, or is at most ``threshold``.

    Attributes
    ----------
    column, left, right : ndarray of int64 of shape (n_nodes,)
        Column asked and children; column -1 is a leaf.
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


def _shares() -> Array:
    """Tabulate one player's share among A against B others, (A-1)! B! / (A+B)!, at [A, B]."""
    shares = np.zeros((MOST_PLAYERS + 1, MOST_PLAYERS + 1))
    for a in range(1, MOST_PLAYERS + 1):
        for b in range(MOST_PLAYERS + 1 - a):
            shares[a, b] = 1 / (a * math.comb(a + b, b))
    return shares


def _assert_additive(values: Array, output: Array, base_values: Array) -> None:
    """Refuse values that do not sum to the model's own f(x) - mean f(z)."""
    moved = output[: len(values)] - base_values
    error = float(np.abs(values.sum(axis=1) - moved).max(initial=0.0))
    spread = float(np.abs(output - base_values).max(initial=0.0))
    rounding = 8 * float(np.finfo(np.float32).eps) * float(np.abs(output).max(initial=0.0))
    if not error <= TOLERANCE * spread + rounding:
        raise ExplanationError(
            f"Shapley values must add up to the model's own output; they are off by {error:.2g} "
            f"where the output spreads over {spread:.2g}."
        )


@compiled
def _add_trees(
    cells: Array,
    n_rows: int,
    players: Integers,
    column: Integers,
    threshold: Array,
    missing_left: NDArray[np.bool_],
    left: Integers,
    right: Integers,
    roots: Integers,
    leaf: Array,
    first_output: Integers,
    shares: Array,
    values: Array,
) -> bool:
    """Add every leaf of every tree to ``values`` (n_rows, n_players, n_outputs), in place.

    ``cells`` (n_columns, n_rows + n_background) holds the explained rows first, ``shares`` is
    ``_shares()``. Says whether some path asks too many players; then ``values`` are of no use.
    """
    n_all = cells.shape[1]
    n_background = n_all - n_rows
    path = np.empty(len(column), dtype=np.int64)
    went_right = np.zeros(len(column), dtype=np.bool_)
    asked = np.empty(MOST_PLAYERS, dtype=np.int64)
    answers = np.empty(n_all, dtype=np.int64)
    seen = np.empty(n_background, dtype=np.int64)
    times = np.empty(n_background, dtype=np.int64)
    worth = np.empty(MOST_PLAYERS)
    for tree in range(len(roots)):
        node = roots[tree]
        depth = 0
        while True:
            if column[node] >= 0:
                path[depth] = node
                went_right[depth] = False
                depth += 1
                node = left[node]
                continue
            n_asked = 0
            for step in range(depth):
                player = players[column[path[step]]]
                slot = 0
                while slot < n_asked and asked[slot] != player:
                    slot += 1
                if slot == n_asked:
                    if n_asked == MOST_PLAYERS:
                        return True
                    asked[n_asked] = player
                    n_asked += 1
            everyone = (np.int64(1) << n_asked) - 1
            answers[:] = everyone
            for step in range(depth):
                asking = path[step]
                player = players[column[asking]]
                slot = 0
                while asked[slot] != player:
                    slot += 1
                without = everyone ^ (np.int64(1) << slot)
                for r in range(n_all):
                    cell = cells[column[asking], r]
                    goes_left = cell <= threshold[asking]
                    if np.isnan(cell):
                        goes_left = missing_left[asking]
                    if goes_left == went_right[step]:
                        answers[r] &= without
            background = np.sort(answers[n_rows:])
            n_seen = 0
            for z in range(n_background):
                if n_seen > 0 and seen[n_seen - 1] == background[z]:
                    times[n_seen - 1] += 1
                else:
                    seen[n_seen] = background[z]
                    times[n_seen] = 1
                    n_seen += 1
            order = np.argsort(answers[:n_rows])
            last = np.int64(-1)
            for rank in range(n_rows):
                row = order[rank]
                mine = answers[row]
                if mine != last:
                    last = mine
                    _share_leaf(mine, everyone, n_asked, seen, times, n_seen, shares, worth)
                for slot in range(n_asked):
                    if worth[slot] != 0.0:
                        for k in range(leaf.shape[1]):
                            gain = worth[slot] * leaf[node, k] / n_background
                            values[row, asked[slot], first_output[tree] + k] += gain
            while depth > 0 and went_right[depth - 1]:
                depth -= 1
            if depth == 0:
                break
            went_right[depth - 1] = True
            node = right[path[depth - 1]]
    return False


@compiled
def _share_leaf(
    mine: np.int64,
    everyone: np.int64,
    n_asked: int,
    seen: Integers,
    times: Integers,
    n_seen: int,
    shares: Array,
    worth: Array,
) -> None:
    """Share a leaf of value 1 among its players, summed over background rows: ``worth``."""
    for slot in range(n_asked):
        worth[slot] = 0.0
    for s in range(n_seen):
        theirs = seen[s]
        if (mine | theirs) != everyone or mine == theirs:
            continue
        n_mine = 0
        n_theirs = 0
        for slot in range(n_asked):
            n_mine += ((mine & ~theirs) >> slot) & 1
            n_theirs += ((theirs & ~mine) >> slot) & 1
        gain = times[s] * shares[n_mine, n_theirs]
        loss = times[s] * shares[n_theirs, n_mine]
        for slot in range(n_asked):
            if ((mine & ~theirs) >> slot) & 1:
                worth[slot] += gain
            elif ((theirs & ~mine) >> slot) & 1:
                worth[slot] -= loss
