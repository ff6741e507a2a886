"""The leaves of a tree ensemble, one after the other, each with what every row says to its path.

Second step of explaining trees: ``Trees`` and cells -> for every leaf, bits. The players asked on
the path to a leaf are its slots; bit s of a row's answers says whether the row answers all
questions to the player of slot s as the path does. A row whose bits are all set reaches the leaf.
Everything that is true of a leaf for a pair of rows follows from their two integers, and rows with
equal bits share the work.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from smalldata.compiling import compiled
from smalldata.errors import ExplanationError
from smalldata.shapley.ensembles import Trees
from smalldata.shapley.game import Array, Integers

# Players asked on one path are bits of an int64.
MOST_PLAYERS = 62


class Walk(NamedTuple):
    """Where a walk over the leaves stands; overwritten at every leaf.

    Attributes
    ----------
    path : ndarray of int64 of shape (n_nodes,)
        Nodes asked, from the root on.
    went_right : ndarray of bool of shape (n_nodes,)
    asked : ndarray of int64 of shape (MOST_PLAYERS,)
        Player of each slot.
    answers : ndarray of int64 of shape (n_rows + n_background,)
        Bits of each row.
    seen, times : ndarray of int64 of shape (n_background,)
        The distinct answers of the background, ascending, and how many rows give each.
    """

    path: Integers
    went_right: NDArray[np.bool_]
    asked: Integers
    answers: Integers
    seen: Integers
    times: Integers


def begin_walk(trees: Trees, *, n_rows: int, n_background: int) -> Walk:
    """Make room for a walk over the leaves of an ensemble."""
    n_nodes = len(trees.column)
    return Walk(
        path=np.empty(n_nodes, dtype=np.int64),
        went_right=np.zeros(n_nodes, dtype=np.bool_),
        asked=np.empty(MOST_PLAYERS, dtype=np.int64),
        answers=np.empty(n_rows + n_background, dtype=np.int64),
        seen=np.empty(n_background, dtype=np.int64),
        times=np.empty(n_background, dtype=np.int64),
    )


def refuse_deep_path() -> ExplanationError:
    """Say that a path asks more players than there are bits."""
    return ExplanationError(
        f"a path through a tree may ask about at most {MOST_PLAYERS} features to be explained; "
        "limit max_depth."
    )


def diagonal_integrals() -> Array:
    """Tabulate the integral of t^p (1 - t)^q over 0 … 1, which is p! q! / (p + q + 1)!, at [p, q].

    A leaf that belongs to the coalitions holding all of a players and none of b others has the
    multilinear extension prod t_i prod (1 - t_j); Shapley values and interactions are integrals of
    its derivatives along the diagonal (Owen 1972, Management Science 18:64-79).
    """
    integrals = np.zeros((MOST_PLAYERS + 1, MOST_PLAYERS + 1))
    for p in range(MOST_PLAYERS + 1):
        for q in range(MOST_PLAYERS + 1 - p):
            integrals[p, q] = 1 / ((p + q + 1) * math.comb(p + q, q))
    return integrals


@compiled
def first_leaf(trees: Trees, walk: Walk, node: int, depth: int) -> tuple[int, int]:
    """Go left from a node at a depth down to a leaf; return the leaf and its depth."""
    while trees.column[node] >= 0:
        walk.path[depth] = node
        walk.went_right[depth] = False
        depth += 1
        node = trees.left[node]
    return node, depth


@compiled
def next_leaf(trees: Trees, walk: Walk, depth: int) -> tuple[int, int]:
    """Go on from a leaf at a depth to the next one of its tree; -1 where it was the last."""
    while depth > 0 and walk.went_right[depth - 1]:
        depth -= 1
    if depth == 0:
        return -1, 0
    walk.went_right[depth - 1] = True
    return first_leaf(trees, walk, trees.right[walk.path[depth - 1]], depth)


@compiled
def answer_leaf(trees: Trees, walk: Walk, depth: int, cells: Array, players: Integers) -> int:
    """Put the players asked on the way to a leaf and the answers of all rows into ``walk``.

    ``cells`` (n_columns, n_rows + n_background), ``players`` (n_columns,). Returns the number of
    players asked, or -1 if there are too many.
    """
    n_all = cells.shape[1]
    n_asked = 0
    for step in range(depth):
        player = players[trees.column[walk.path[step]]]
        slot = 0
        while slot < n_asked and walk.asked[slot] != player:
            slot += 1
        if slot == n_asked:
            if n_asked == MOST_PLAYERS:
                return -1
            walk.asked[n_asked] = player
            n_asked += 1
    everyone = (np.int64(1) << n_asked) - 1
    walk.answers[:] = everyone
    for step in range(depth):
        asking = walk.path[step]
        column = trees.column[asking]
        threshold = trees.threshold[asking]
        went_right = walk.went_right[step]
        slot = 0
        while walk.asked[slot] != players[column]:
            slot += 1
        without = everyone ^ (np.int64(1) << slot)
        for r in range(n_all):
            cell = cells[column, r]
            goes_left = cell <= threshold
            if np.isnan(cell):
                goes_left = trees.missing_left[asking]
            if goes_left == went_right:
                walk.answers[r] &= without
    return n_asked


@compiled
def count_background(walk: Walk, n_rows: int) -> int:
    """Put the distinct answers of the background into ``walk``; return how many there are."""
    background = np.sort(walk.answers[n_rows:])
    n_seen = 0
    for z in range(len(background)):
        if n_seen > 0 and walk.seen[n_seen - 1] == background[z]:
            walk.times[n_seen - 1] += 1
        else:
            walk.seen[n_seen] = background[z]
            walk.times[n_seen] = 1
            n_seen += 1
    return n_seen


@compiled
def count_bits(bits: np.int64, n_bits: int) -> int:
    """Count the bits set among the lowest ``n_bits``."""
    count = 0
    for slot in range(n_bits):
        count += int((bits >> slot) & 1)
    return count
