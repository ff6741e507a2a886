"""Exact pair interactions of a sum of product kernels, such as the Gaussian (rbf) kernel.

With the notation of ``product`` the Shapley interaction index of players p and r (Grabisch &
Roubens 1999, An axiomatic approach to the concept of interaction among players in cooperative
games, International Journal of Game Theory 28:547-565) is the diagonal integral of the second
derivative of the multilinear extension (Owen 1972):

    integral_0^1 (a_p - c_p) (a_r - c_r) prod_{l != p, r} (t a_l + (1 - t) c_l) dt

taken by the same quadrature with the same bound of the error. The products over all players are
shared by all pairs: m chosen players add a term of m^2 to the cost, they do not multiply it.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from smalldata.runtime.compiling import compiled
from smalldata.shapley.diagonal import Diagonals, log_factors, make_diagonals, walk_diagonals
from smalldata.shapley.game import Array, Integers
from smalldata.shapley.product import make_rbf
from smalldata.shapley.quadrature import Rules, make_rules


def rbf_interactions(
    X: ArrayLike,
    background: ArrayLike,
    *,
    support: ArrayLike,
    coef: ArrayLike,
    gamma: float,
    intercept: ArrayLike,
    chosen: ArrayLike,
    players: ArrayLike | None = None,
    n_players: int | None = None,
    tolerance: float = 1e-10,
) -> Array:
    """Interactions of chosen players in f(x) = intercept + sum_i coef_i exp(-gamma |x - s_i|^2).

    Parameters
    ----------
    X : array of shape (n_rows, n_columns)
        Rows to explain.
    background : array of shape (n_background, n_columns)
        Rows the absent players are taken from.
    support : array of shape (n_support, n_columns)
    coef : array of shape (n_outputs, n_support)
        All outputs share the work on the kernel.
    gamma : float
        Above 0.
    intercept : array of shape (n_outputs,)
        Without effect on interactions.
    chosen : array of int of shape (n_chosen,)
        The players whose pairs to compute, each once; the game is still that of all players.
    players : array of int of shape (n_columns,), optional
        Player of each column; by default each column is one.
    n_players : int, optional
        How many players there are, if some own no column.
    tolerance : float
        As in ``rbf_values``.

    Returns
    -------
    values : ndarray of shape (n_rows, n_chosen, n_chosen, n_outputs)
        Shapley interaction index of each pair, in the units of f: symmetric, 0 on the diagonal and
        for players without a column.

    Raises
    ------
    ExplanationError
        If shapes do not fit, a value is missing or infinite, gamma or tolerance is not above 0, or
        a chosen player does not exist or is chosen twice.

    Examples
    --------
    >>> values = rbf_interactions([[0.0, 0.0]], [[1.0, 1.0]], support=[[0.0, 0.0]], coef=[[1.0]],
    ...                           gamma=1.0, intercept=[0.0], chosen=[0, 1])
    >>> values[0, :, :, 0].round(6).tolist()
    [[0.0, 0.399576], [0.399576, 0.0]]
    """
    machine = make_rbf(X, background, support, coef, gamma, intercept, players, n_players)
    game = machine.game
    positions = game.positions_of(chosen)
    n_chosen = len(positions)
    found = np.zeros((len(game.rows), len(machine.coef), n_chosen, n_chosen))
    _add_pairs(
        game.rows,
        game.background,
        machine.support,
        machine.coef,
        machine.gamma,
        game.position_of_columns(),
        game.single,
        positions,
        machine.allowed_errors(tolerance),
        make_rules(game.n_active),
        found,
    )
    return np.ascontiguousarray(found.transpose(0, 2, 3, 1))


@compiled
def _add_pairs(
    rows: Array,
    background: Array,
    support: Array,
    coef: Array,
    gamma: float,
    position: Integers,
    single: bool,
    chosen: Integers,
    allowed: Array,
    rules: Rules,
    values: Array,
) -> None:
    """Add what every support row gives to every row's interactions.

    Parameters
    ----------
    rows, background, support, coef, gamma, position, single, allowed, rules
        As in ``product``.
    chosen : ndarray of shape (n_chosen,)
        Positions of the chosen players; -1 for one without a column.
    values : ndarray of shape (n_rows, n_outputs, n_chosen, n_chosen)
        Changed in place.
    """
    n_background = len(background)
    n_players = position.max() + 1
    diagonals = make_diagonals(n_background, n_players, rules)
    n_together = len(diagonals.gaps)
    present = np.empty(n_players)
    absent = np.empty((n_background, n_players))
    total_absent = np.empty(n_background)
    pairs = np.empty((len(chosen), len(chosen)))
    for i in range(len(support)):
        for z in range(n_background):
            total_absent[z] = log_factors(
                background[z], support[i], gamma, position, single, absent[z]
            )
        for row in range(len(rows)):
            total = log_factors(rows[row], support[i], gamma, position, single, present)
            pairs[:] = 0.0
            for begin in range(0, n_background, n_together):
                some = absent[begin : begin + n_together]
                walk_diagonals(
                    present,
                    some,
                    total,
                    total_absent[begin : begin + n_together],
                    allowed[row],
                    2,
                    rules,
                    diagonals,
                )
                _pair_up(present, some, chosen, rules, diagonals, pairs)
            for output in range(coef.shape[0]):
                weight = coef[output, i] / n_background
                for k in range(len(chosen)):
                    for other in range(k):
                        values[row, output, k, other] += weight * pairs[k, other]
                        values[row, output, other, k] += weight * pairs[k, other]


@compiled
def _pair_up(
    present: Array,
    absent: Array,
    chosen: Integers,
    rules: Rules,
    diagonals: Diagonals,
    pairs: Array,
) -> None:
    """Add the integrals of one row against some background rows to the lower half of ``pairs``."""
    n_chosen = len(chosen)
    low = np.ones(n_chosen)
    slope = np.zeros(n_chosen)
    ratio = np.empty(n_chosen)
    for z in range(len(absent)):
        if diagonals.n_used[z] == 0:
            continue
        # (a - c) / factor, both divided by max(a, c).
        for k in range(n_chosen):
            if chosen[k] >= 0:
                gap = present[chosen[k]] - absent[z, chosen[k]]
                rest = math.exp(-abs(gap))
                low[k] = rest if gap > 0 else 1.0
                slope[k] = 1 - rest if gap > 0 else rest - 1
        for q in range(diagonals.n_used[z]):
            t = rules.nodes[diagonals.first[z] + q]
            for k in range(n_chosen):
                ratio[k] = slope[k] / (low[k] + t * slope[k])
            for k in range(n_chosen):
                weight = diagonals.products[z, q] * ratio[k]
                for other in range(k):
                    pairs[k, other] += weight * ratio[other]
