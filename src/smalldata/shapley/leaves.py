"""The leaves of a tree ensemble, one after the other, each shared among the players it depends on.

Second step of explaining trees: ``Trees`` and cells -> values. The players tested on the path to a
leaf are its slots; bit s of a row's answers says whether the row answers all questions to the
player of slot s as the path does. For a row x and a background row z, A players are those where x
alone does and B those where z alone does. If there is no player where neither does, the leaf
belongs to the coalitions with all of A and none of B (the interventional game of Lundberg et
al. 2020, Nature Machine Intelligence 2:56-67, leaf by leaf). Its multilinear extension is
prod_A t_i prod_B (1 - t_j), and integrals of its derivatives along the diagonal (Owen 1972,
Management Science 18:64-79) are the Shapley values and, for pairs, the interaction index of
Grabisch & Roubens (1999, International Journal of Game Theory 28:547-565):

    a player of A:  (A-1)! B! / (A+B)!       a player of B:  -A! (B-1)! / (A+B)!
    two of A:  (A-2)! B! / (A+B-1)!          two of B:  A! (B-2)! / (A+B-1)!
    one of each:  -(A-1)! (B-1)! / (A+B-1)!

times the leaf's value. Rows with equal answers share the work. All that is compiled stays in this
file, because numba's cache only notices edits of a function's own file.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from smalldata.runtime.compiling import compiled
from smalldata.shapley.ensembles import Trees
from smalldata.shapley.game import Array, Integers

# Players tested on one path are bits of an int64.
MOST_PLAYERS = 62


class Walk(NamedTuple):
    """The state of a walk over the leaves; overwritten at every leaf.

    Attributes
    ----------
    path : ndarray of int64 of shape (n_nodes,)
        Nodes tested, from the root.
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
    """Allocate a walk over the leaves of an ensemble."""
    n_nodes = len(trees.column)
    return Walk(
        path=np.empty(n_nodes, dtype=np.int64),
        went_right=np.zeros(n_nodes, dtype=np.bool_),
        asked=np.empty(MOST_PLAYERS, dtype=np.int64),
        answers=np.empty(n_rows + n_background, dtype=np.int64),
        seen=np.empty(n_background, dtype=np.int64),
        times=np.empty(n_background, dtype=np.int64),
    )


def diagonal_integrals() -> Array:
    """Tabulate the integral of t^p (1 - t)^q over 0 … 1, which is p! q! / (p + q + 1)!, at [p, q].

    The share of a leaf that has p more players of A and q more of B than those it goes to.
    """
    integrals = np.zeros((MOST_PLAYERS + 1, MOST_PLAYERS + 1))
    for p in range(MOST_PLAYERS + 1):
        for q in range(MOST_PLAYERS + 1 - p):
            integrals[p, q] = 1 / ((p + q + 1) * math.comb(p + q, q))
    return integrals


@compiled
def add_values(
    trees: Trees,
    walk: Walk,
    cells: Array,
    n_rows: int,
    players: Integers,
    integrals: Array,
    values: Array,
) -> bool:
    """Add every leaf of every tree to ``values`` (n_rows, n_players, n_outputs), in place.

    Returns False if some path asks too many players; then ``values`` are of no use.
    """
    n_background = cells.shape[1] - n_rows
    worth = np.empty(MOST_PLAYERS)
    for tree in range(len(trees.roots)):
        leaf, depth = _first_leaf(trees, walk, trees.roots[tree], 0)
        while leaf >= 0:
            n_asked = _answer(trees, walk, depth, cells, players)
            if n_asked < 0:
                return False
            n_seen = _count_background(walk, n_rows)
            order = np.argsort(walk.answers[:n_rows])
            last = np.int64(-1)
            for rank in range(n_rows):
                row = order[rank]
                mine = walk.answers[row]
                if mine != last:
                    last = mine
                    _share(mine, n_asked, walk.seen[:n_seen], walk.times, integrals, worth)
                for slot in range(n_asked):
                    if worth[slot] != 0.0:
                        for k in range(trees.leaf.shape[1]):
                            gain = worth[slot] * trees.leaf[leaf, k] / n_background
                            values[row, walk.asked[slot], trees.first_output[tree] + k] += gain
            leaf, depth = _next_leaf(trees, walk, depth)
    return True


@compiled
def add_interactions(
    trees: Trees,
    walk: Walk,
    cells: Array,
    players: Integers,
    place: Integers,
    integrals: Array,
    values: Array,
    reached: Array,
) -> bool:
    """Add every leaf of every tree to the pairs of ``values`` and to ``reached``, in place.

    ``place`` (n_players,) is each player's place among the chosen, or -1; ``values`` (n_rows,
    n_chosen, n_chosen, n_outputs) gets each pair at one of its two places; ``reached`` (n_rows +
    n_background, n_outputs) gets the value of the leaf that a row reaches. Returns False if some
    path asks too many players; then they are of no use.
    """
    n_rows = len(values)
    n_background = len(reached) - n_rows
    slots = np.empty(MOST_PLAYERS, dtype=np.int64)
    worth = np.empty((MOST_PLAYERS, MOST_PLAYERS))
    for tree in range(len(trees.roots)):
        output = trees.first_output[tree]
        leaf, depth = _first_leaf(trees, walk, trees.roots[tree], 0)
        while leaf >= 0:
            n_asked = _answer(trees, walk, depth, cells, players)
            if n_asked < 0:
                return False
            everyone = (np.int64(1) << n_asked) - 1
            for r in range(len(reached)):
                if walk.answers[r] == everyone:
                    for k in range(trees.leaf.shape[1]):
                        reached[r, output + k] += trees.leaf[leaf, k]
            n_slots = 0
            for slot in range(n_asked):
                if place[walk.asked[slot]] >= 0:
                    slots[n_slots] = slot
                    n_slots += 1
            if n_slots > 1:
                n_seen = _count_background(walk, n_rows)
                order = np.argsort(walk.answers[:n_rows])
                last = np.int64(-1)
                for rank in range(n_rows):
                    row = order[rank]
                    mine = walk.answers[row]
                    if mine != last:
                        last = mine
                        _share_by_pairs(
                            mine,
                            n_asked,
                            slots[:n_slots],
                            walk.seen[:n_seen],
                            walk.times,
                            integrals,
                            worth,
                        )
                    for i in range(n_slots):
                        for j in range(i):
                            if worth[i, j] != 0.0:
                                first = place[walk.asked[slots[i]]]
                                second = place[walk.asked[slots[j]]]
                                for k in range(trees.leaf.shape[1]):
                                    gain = worth[i, j] * trees.leaf[leaf, k] / n_background
                                    values[row, first, second, output + k] += gain
            leaf, depth = _next_leaf(trees, walk, depth)
    return True


@compiled
def _share(
    mine: np.int64, n_asked: int, seen: Integers, times: Integers, integrals: Array, worth: Array
) -> None:
    """Share a leaf of value 1 among its players, summed over background rows: ``worth``."""
    everyone = (np.int64(1) << n_asked) - 1
    worth[:n_asked] = 0.0
    for s in range(len(seen)):
        theirs = seen[s]
        if (mine | theirs) != everyone or mine == theirs:
            continue
        only_mine = mine & ~theirs
        only_theirs = theirs & ~mine
        n_mine = _count_bits(only_mine, n_asked)
        n_theirs = _count_bits(only_theirs, n_asked)
        gain = times[s] * integrals[n_mine - 1, n_theirs] if n_mine > 0 else 0.0
        loss = times[s] * integrals[n_mine, n_theirs - 1] if n_theirs > 0 else 0.0
        for slot in range(n_asked):
            if (only_mine >> slot) & 1:
                worth[slot] += gain
            elif (only_theirs >> slot) & 1:
                worth[slot] -= loss


@compiled
def _share_by_pairs(
    mine: np.int64,
    n_asked: int,
    slots: Integers,
    seen: Integers,
    times: Integers,
    integrals: Array,
    worth: Array,
) -> None:
    """Share a leaf of value 1 among pairs of slots, summed over background rows: ``worth``."""
    everyone = (np.int64(1) << n_asked) - 1
    n_slots = len(slots)
    worth[:n_slots, :n_slots] = 0.0
    for s in range(len(seen)):
        theirs = seen[s]
        if (mine | theirs) != everyone or mine == theirs:
            continue
        only_mine = mine & ~theirs
        only_theirs = theirs & ~mine
        n_mine = _count_bits(only_mine, n_asked)
        n_theirs = _count_bits(only_theirs, n_asked)
        both_mine = times[s] * integrals[n_mine - 2, n_theirs] if n_mine > 1 else 0.0
        both_theirs = times[s] * integrals[n_mine, n_theirs - 2] if n_theirs > 1 else 0.0
        one_each = 0.0
        if n_mine > 0 and n_theirs > 0:
            one_each = times[s] * integrals[n_mine - 1, n_theirs - 1]
        for i in range(n_slots):
            i_mine = (only_mine >> slots[i]) & 1
            i_theirs = (only_theirs >> slots[i]) & 1
            if i_mine or i_theirs:
                for j in range(i):
                    j_mine = (only_mine >> slots[j]) & 1
                    j_theirs = (only_theirs >> slots[j]) & 1
                    if i_mine and j_mine:
                        worth[i, j] += both_mine
                    elif i_theirs and j_theirs:
                        worth[i, j] += both_theirs
                    elif j_mine or j_theirs:
                        worth[i, j] -= one_each


@compiled
def _first_leaf(trees: Trees, walk: Walk, node: int, depth: int) -> tuple[int, int]:
    """Go left from a node at a depth down to a leaf; return the leaf and its depth."""
    while trees.column[node] >= 0:
        walk.path[depth] = node
        walk.went_right[depth] = False
        depth += 1
        node = trees.left[node]
    return node, depth


@compiled
def _next_leaf(trees: Trees, walk: Walk, depth: int) -> tuple[int, int]:
    """Continue from a leaf at a depth to the next one of its tree; -1 if it was the last."""
    while depth > 0 and walk.went_right[depth - 1]:
        depth -= 1
    if depth == 0:
        return -1, 0
    walk.went_right[depth - 1] = True
    return _first_leaf(trees, walk, trees.right[walk.path[depth - 1]], depth)


@compiled
def _answer(trees: Trees, walk: Walk, depth: int, cells: Array, players: Integers) -> int:
    """Put the players tested on the way to a leaf and the answers of all rows into ``walk``.

    ``cells`` (n_columns, n_rows + n_background), ``players`` (n_columns,). Returns the number of
    players tested, or -1 if there are too many.
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
def _count_background(walk: Walk, n_rows: int) -> int:
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
def _count_bits(bits: np.int64, n_bits: int) -> int:
    """Count the bits set among the lowest ``n_bits``."""
    count = 0
    for slot in range(n_bits):
        count += int((bits >> slot) & 1)
    return count
