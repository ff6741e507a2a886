"""The product of all factors along the diagonal of the multilinear extension, at quadrature nodes.

Step shared by values and interactions of product kernels: logs of the factors of one row and of one
background row -> which nodes, and the product of all factors at each.
"""

import math
from typing import NamedTuple

import numpy as np

from smalldata.runtime.compiling import compiled
from smalldata.shapley.game import Array, Integers
from smalldata.shapley.quadrature import MOST_POWERS, Rules, n_nodes

# A factor below exp(-1000) is raised to it: nothing is infinite, and a product with it is 0.
SMALLEST_LOG = -1000.0
# Factors whose logs differ by more are multiplied one by one, the others by power series.
MOST_EXPANDED = 0.7
# Gaps of several background rows that are kept together.
NUMBERS_IN_CACHE = 8192


class Diagonals(NamedTuple):
    """One row against some background rows, as left by `walk_diagonals`.

    Attributes
    ----------
    gaps : ndarray of shape (n_together, n_players)
        y = log a - log c; 0 for the players of ``far``.
    sums : ndarray of shape (n_together, MOST_POWERS + 1)
        Power sums of gaps, from the first.
    bases, peaks : ndarray of shape (n_together,)
        log of the product without g; max |gaps|, or a little more.
    far : ndarray of shape (n_together, n_players)
        The players whose factors are multiplied one by one: the first n_far places.
    low, slope : ndarray of shape (n_together, n_players)
        Of each player of ``far``: its factor over max(a, c) is low + t * slope.
    n_far : ndarray of shape (n_together,)
    first, n_used : ndarray of shape (n_together,)
        The nodes used are n_used from first; 0 if every integral is below what is allowed.
    products : ndarray of shape (n_together, largest rule)
        Product of all factors at each node, times the node's weight.
    scratch : ndarray of shape (n_players,)
    """

    gaps: Array
    sums: Array
    bases: Array
    peaks: Array
    far: Integers
    low: Array
    slope: Array
    n_far: Integers
    first: Integers
    n_used: Integers
    products: Array
    scratch: Array


@compiled
def make_diagonals(n_background: int, n_players: int, rules: Rules) -> Diagonals:
    """Allocate what `walk_diagonals` fills, for as many background rows as the cache holds."""
    n_together = max(1, min(n_background, NUMBERS_IN_CACHE // n_players))
    return Diagonals(
        np.empty((n_together, n_players)),
        np.zeros((n_together, MOST_POWERS + 1)),
        np.empty(n_together),
        np.empty(n_together),
        np.empty((n_together, n_players), np.int64),
        np.empty((n_together, n_players)),
        np.empty((n_together, n_players)),
        np.empty(n_together, np.int64),
        np.empty(n_together, np.int64),
        np.empty(n_together, np.int64),
        np.empty((n_together, rules.sizes[-1])),
        np.empty(n_players),
    )


@compiled
def log_factors(
    row: Array, centre: Array, gamma: float, position: Integers, single: bool, logs: Array
) -> float:
    """Fill ``logs`` with log k_p(row) = -gamma sum (row - centre)^2 of each player; give their sum.

    ``position`` (n_columns,) is the player of each column; ``single`` says that it counts up.
    """
    if not single:
        logs[:] = 0.0
    for j in range(len(row)):
        gap = row[j] - centre[j]
        loss = gamma * gap * gap
        loss = loss if loss < -SMALLEST_LOG else -SMALLEST_LOG
        if single:
            logs[j] = -loss
        else:
            logs[position[j]] -= loss
    total = 0.0
    for p in range(len(logs)):
        logs[p] = logs[p] if logs[p] > SMALLEST_LOG else SMALLEST_LOG
        total += logs[p]
    return total


@compiled
def walk_diagonals(
    present: Array,
    absent: Array,
    total_present: float,
    total_absent: Array,
    allowed: float,
    n_taken: int,
    rules: Rules,
    diagonals: Diagonals,
) -> None:
    """Fill ``diagonals`` for one row against some background rows.

    Parameters
    ----------
    present : ndarray of shape (n_players,)
        log a.
    absent : ndarray of shape (n_together or fewer, n_players)
        log c.
    total_present, total_absent : float, ndarray of shape (n_together or fewer,)
        Their sums over players.
    allowed : float
        Error allowed in each integral; half of it is for what this leaves.
    n_taken : int
        Players with a - c in place of their factor: 1 for values, 2 for interactions.
    rules : Rules
    diagonals : Diagonals
        Changed in place.
    """
    logs, weights, log_tail = rules.logs, rules.weights, rules.log_tail
    starts, sizes, rule_for = rules.starts, rules.sizes, rules.rule_for
    sums, bases, peaks = diagonals.sums, diagonals.bases, diagonals.peaks
    first, n_used, n_far = diagonals.first, diagonals.n_used, diagonals.n_far
    products = diagonals.products
    limit = math.log(allowed / 4)
    n_background = len(absent)
    _compare(present, absent, diagonals.gaps, sums)
    for z in range(n_background):
        sums[z, 1] = total_present - total_absent[z]
        bases[z] = (total_present + total_absent[z]) / 2
        # Roots of power sums bound the largest gap, and more closely the higher the power.
        peaks[z] = math.sqrt(math.sqrt(math.sqrt(sums[z, 8])))
        n_far[z] = 0
    best = 0
    for z in range(n_background):
        if peaks[z] > MOST_EXPANDED:
            _set_apart(present, absent, z, diagonals)
            room, crowded, drift, squares, much = _bound_apart(diagonals, z)
            room += bases[z] - limit + n_taken * math.log(2)
            crowded += bases[z] - limit
            drift += 2 * n_taken
        else:
            # log cosh(y / 2) <= y^2 / 8, which also bounds the product (Hoeffding 1963).
            squares = sums[z, 2]
            room = bases[z] + squares / 8 - limit
            crowded = room + abs(sums[z, 1]) / 2
            drift = abs(sums[z, 1]) + n_taken * peaks[z]
            much = np.inf
        n_used[z] = 0
        if crowded <= 0:
            continue
        # |v - y| <= |y|^3 / 12
        drift += (sums[z, 2] + sums[z, 4]) / 24
        wanted, best = n_nodes(room, crowded, drift, squares, much, best)
        rule = rule_for[math.ceil(min(max(wanted, 1.0), len(rule_for) - 1.0))]
        first[z], n_used[z] = starts[rule], sizes[rule]

        # The product is at most exp(crowded) times what is allowed: divide its relative error.
        n_powers = 8
        peak = peaks[z]
        rest = math.exp(min(crowded, 700.0)) * sums[z, 8] * peak / (1 - peak / 2)
        while n_powers < MOST_POWERS and log_tail[n_powers] * rest > 1:
            rest *= peak * peak * peak * peak
            n_powers += 4
        if n_powers > 8:
            _add_powers(diagonals.gaps, z, diagonals.scratch, n_powers, sums)
        base = bases[z]
        p1, p2, p3, p4 = sums[z, 1], sums[z, 2], sums[z, 3], sums[z, 4]
        p5, p6, p7, p8 = sums[z, 5], sums[z, 6], sums[z, 7], sums[z, 8]
        for k in range(sizes[rule]):
            q = starts[rule] + k
            total = base + logs[q, 1] * p1 + logs[q, 2] * p2 + logs[q, 3] * p3 + logs[q, 4] * p4
            total += logs[q, 5] * p5 + logs[q, 6] * p6 + logs[q, 7] * p7 + logs[q, 8] * p8
            for n in range(9, n_powers + 1):
                total += logs[q, n] * sums[z, n]
            products[z, k] = math.exp(total) * weights[q]
        for p in range(n_far[z]):
            low, slope = diagonals.low[z, p], diagonals.slope[z, p]
            for k in range(sizes[rule]):
                products[z, k] *= low + rules.nodes[starts[rule] + k] * slope


@compiled
def _compare(present: Array, absent: Array, gaps: Array, sums: Array) -> None:
    """Fill gaps and sums[:, 2 … 8]."""
    for z in range(len(absent)):
        second = 0.0
        third = 0.0
        fourth = 0.0
        fifth = 0.0
        sixth = 0.0
        seventh = 0.0
        eighth = 0.0
        for p in range(len(present)):
            y = present[p] - absent[z, p]
            square = y * y
            cube = square * y
            whole = square * square
            gaps[z, p] = y
            second += square
            third += cube
            fourth += whole
            fifth += whole * y
            sixth += whole * square
            seventh += whole * cube
            eighth += whole * whole
        sums[z, 2], sums[z, 3], sums[z, 4], sums[z, 5] = second, third, fourth, fifth
        sums[z, 6], sums[z, 7], sums[z, 8] = sixth, seventh, eighth


@compiled
def _set_apart(present: Array, absent: Array, z: int, diagonals: Diagonals) -> None:
    """Move the largest gaps to ``far`` and recompute the power sums of the others.

    The base becomes log of prod sqrt(a c) of the others times prod max(a, c) of ``far``.
    """
    gaps, sums = diagonals.gaps, diagonals.sums
    sums[z, 1:9] = 0.0
    base = 0.0
    peak = 0.0
    n_far = 0
    for p in range(len(present)):
        y = gaps[z, p]
        size = abs(y)
        if size > MOST_EXPANDED:
            ratio = math.exp(-size)
            diagonals.far[z, n_far] = p
            diagonals.low[z, n_far] = ratio if y > 0 else 1.0
            diagonals.slope[z, n_far] = 1 - ratio if y > 0 else ratio - 1
            n_far += 1
            base += max(present[p], absent[z, p])
            gaps[z, p] = 0.0
        else:
            base += (present[p] + absent[z, p]) / 2
            peak = max(peak, size)
            power = y
            for n in range(1, 9):
                sums[z, n] += power
                power *= y
    diagonals.bases[z], diagonals.peaks[z], diagonals.n_far[z] = base, peak, n_far


@compiled
def _bound_apart(diagonals: Diagonals, z: int) -> tuple[float, float, float, float, float]:
    """Bound what `n_nodes` asks for, with the players of ``far``, relative to `_set_apart`'s base.

    Returns
    -------
    room, crowded, drift, squares, much : float
        As in ``n_nodes``.
    """
    sums = diagonals.sums[z]
    spread = math.sqrt(diagonals.gaps.shape[1] * sums[2])
    room = sums[2] / 8
    drift = sums[1]
    squares = sums[2]
    much = spread
    for k in range(diagonals.n_far[z]):
        rise = abs(diagonals.slope[z, k])
        v = 2 * rise / (2 - rise)
        room += math.log1p(-rise / 2)
        drift += v if diagonals.slope[z, k] > 0 else -v
        squares += v * v
        much += rise
    return room, spread / 2, abs(drift), squares, much


@compiled
def _add_powers(gaps: Array, z: int, lifted: Array, n_powers: int, sums: Array) -> None:
    """Fill sums[z, 9 … n_powers] with the power sums of gaps, four at a time."""
    for p in range(len(lifted)):
        square = gaps[z, p] * gaps[z, p]
        lifted[p] = square * square * (square * square)
    for n in range(8, n_powers, 4):
        one = 0.0
        two = 0.0
        three = 0.0
        four = 0.0
        for p in range(len(lifted)):
            y = gaps[z, p]
            square = y * y
            whole = lifted[p]
            one += whole * y
            two += whole * square
            three += whole * (square * y)
            whole *= square * square
            four += whole
            lifted[p] = whole
        sums[z, n + 1], sums[z, n + 2], sums[z, n + 3], sums[z, n + 4] = one, two, three, four
