"""Exact pair interactions of a sum of product kernels, such as the Gaussian (rbf) kernel.

With the notation of ``product`` the Shapley interaction index of players p and r (Grabisch &
Roubens 1999, An axiomatic approach to the concept of interaction among players in cooperative
games, International Journal of Game Theory 28:547-565) is the diagonal integral of the second
derivative of the multilinear extension (Owen 1972):

    integral_0^1 (a_p - c_p) (a_r - c_r) prod_{l != p, r} (t a_l + (1 - t) c_l) dt

taken by the same quadrature with the same bound of the error. The products over all players are
shared by all pairs, so m chosen players add m^2 to the cost, not to its factor.
"""

import numpy as np
from numpy.typing import ArrayLike

from smalldata.compiling import compiled
from smalldata.shapley.game import Array, Integers
from smalldata.shapley.product import make_rbf
from smalldata.shapley.quadrature import SMALLEST_TOLERANCE, n_nodes, rules


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
        The players whose pairs are asked for, each once; the game is still that of all players.
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
    allowed = machine.allowed_errors(tolerance)
    quadrature = rules(game.n_active)
    for factors, absent, weights in machine.blocks():
        _add_pairs(factors, absent, weights, positions, allowed, *quadrature, found)
    return np.ascontiguousarray(found.transpose(0, 2, 3, 1))


@compiled
def _add_pairs(
    factors: Array,
    absent: Array,
    coef: Array,
    positions: Integers,
    allowed: Array,
    nodes: Array,
    node_weights: Array,
    sizes: Integers,
    starts: Integers,
    values: Array,
) -> None:
    """Add the interactions of a block of support rows to ``values``.

    Parameters
    ----------
    factors : ndarray of shape (n_support, n_rows, n_players)
    absent : ndarray of shape (n_support, n_background, n_players)
    coef : ndarray of shape (n_outputs, n_support)
    positions : ndarray of shape (n_chosen,)
        Of the chosen players among the factors; -1 for one without a column.
    allowed : ndarray of shape (n_rows,)
        Error allowed in each integral.
    nodes, node_weights, sizes, starts
        See ``quadrature.rules``.
    values : ndarray of shape (n_rows, n_outputs, n_chosen, n_chosen)
        Changed in place.
    """
    n_support, n_rows, n_players = factors.shape
    n_background = absent.shape[1]
    n_chosen = len(positions)
    slope = np.empty(n_players)
    ratio = np.empty(n_chosen)
    pairs = np.empty((n_chosen, n_chosen))
    for i in range(n_support):
        for row in range(n_rows):
            a = factors[i, row]
            tolerance = max(allowed[row], SMALLEST_TOLERANCE)
            pairs[:] = 0.0
            for z in range(n_background):
                c = absent[i, z]
                largest = 1.0
                drift = 0.0
                total = 0.0
                squares = 0.0
                steepest = 0.0
                for p in range(n_players):
                    u = a[p] - c[p]
                    v = 2 * u / (a[p] + c[p])
                    size = abs(v)
                    largest *= max(a[p], c[p])
                    drift += v
                    total += size
                    squares += v * v
                    steepest = max(steepest, size)
                    slope[p] = u
                # Two factors of 0 make v NaN; then ``largest`` is 0 and the term is none.
                if largest <= tolerance:
                    continue
                wanted = n_nodes(
                    largest, abs(drift), total, squares, steepest, n_players, 2, tolerance
                )
                rule = 0
                while sizes[rule] < wanted and rule < len(sizes) - 1:
                    rule += 1
                for q in range(starts[rule], starts[rule] + sizes[rule]):
                    t = nodes[q]
                    product = node_weights[q]
                    for p in range(n_players):
                        product *= c[p] + t * slope[p]
                    for k in range(n_chosen):
                        p = positions[k]
                        ratio[k] = slope[p] / (c[p] + t * slope[p]) if p >= 0 else 0.0
                    for k in range(n_chosen):
                        weight = product * ratio[k]
                        for other in range(k):
                            pairs[k, other] += weight * ratio[other]
            for output in range(coef.shape[0]):
                weight = coef[output, i] / n_background
                for k in range(n_chosen):
                    for other in range(k):
                        values[row, output, k, other] += weight * pairs[k, other]
                        values[row, output, other, k] += weight * pairs[k, other]
