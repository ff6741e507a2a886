"""Exact Shapley values of any sum of product kernels, such as the Gaussian (rbf) kernel.

f(x) = intercept + sum_i coef_i prod_p k_p(x, support_i). For one row x, one background row z and
one support row, with a_p = k_p(x) and c_p = k_p(z), a player's value is the diagonal integral of
the multilinear extension (Owen 1972, Multilinear extensions of games, Management Science 18:64-79):

    integral_0^1 (a_p - c_p) prod_{l != p} (t a_l + (1 - t) c_l) dt

The integrand is a polynomial, taken by Gauss-Legendre quadrature; how many nodes is decided for
each (x, z, support) from a bound of the error (``quadrature.n_nodes``), so that nothing is left to
hope and nothing is computed twice.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from smalldata.compiling import compiled
from smalldata.errors import ExplanationError
from smalldata.shapley.game import (
    Array,
    Game,
    Integers,
    finite_matrix,
    finite_number,
    make_game,
)
from smalldata.shapley.quadrature import SMALLEST_TOLERANCE, n_nodes, rules

# Factors of one block of support rows, in bytes: what is held at once besides the result.
BLOCK_BYTES = 16_000_000
# Sum over nodes of weight / (1 + v * node) is expanded in powers of v where |v| / 2 <= this, else
# divided out.
LARGEST_EXPANDED = 0.4
MOST_POWERS = 80


def rbf_values(
    X: ArrayLike,
    background: ArrayLike,
    *,
    support: ArrayLike,
    coef: ArrayLike,
    gamma: float,
    intercept: ArrayLike,
    players: ArrayLike | None = None,
    n_players: int | None = None,
    tolerance: float = 1e-10,
) -> tuple[Array, Array]:
    """Explain f(x) = intercept + sum_i coef_i exp(-gamma |x - support_i|^2) exactly.

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
    players : array of int of shape (n_columns,), optional
        Player of each column (their factors multiply); by default each column is one.
    n_players : int, optional
        How many players there are, if some own no column.
    tolerance : float
        Bound of the quadrature's error in each value, in units of sum_i |coef_i| times the kernel's
        mean size at the row and the background; the error met is far below it.

    Returns
    -------
    values : ndarray of shape (n_rows, n_players, n_outputs)
        In the units of f; they sum over players to f(x) - base_values.
    base_values : ndarray of shape (n_outputs,)
        Mean of f over the background.

    Raises
    ------
    ExplanationError
        If shapes do not fit, a value is missing or infinite, gamma or tolerance is not above 0, or
        the values do not add up.

    Examples
    --------
    >>> values, base = rbf_values([[1.0, 0.0]], [[0.0, 0.0]], support=[[1.0, 0.0]], coef=[[2.0]],
    ...                           gamma=1.0, intercept=[0.0])
    >>> values[0, :, 0].round(6).tolist(), base.round(6).tolist()
    ([1.264241, 0.0], [0.735759])
    """
    machine = make_rbf(X, background, support, coef, gamma, intercept, players, n_players)
    game = machine.game
    allowed = machine.allowed_errors(tolerance)
    values = np.zeros((len(game.rows), len(machine.coef), game.n_active))
    quadrature = rules(game.n_active)
    for factors, absent, weights in machine.blocks():
        _add_products(factors, absent, weights, allowed, *quadrature, values)
    base_values = machine.intercept + machine.coef @ machine.kernel_background.mean(axis=0)
    full = np.ascontiguousarray(values.transpose(0, 2, 1))
    moved = machine.kernel_rows @ machine.coef.T + machine.intercept - base_values
    sizes = np.abs(machine.coef).sum(axis=1)
    _assert_additive(full, moved, sizes, tolerance * game.n_active)
    return game.spread(full), base_values


@dataclass(frozen=True, kw_only=True, eq=False)
class RbfMachine:
    """A checked function, with its kernel at the rows and the background.

    Attributes
    ----------
    game : Game
    support : ndarray of shape (n_support, n_columns)
    coef : ndarray of shape (n_outputs, n_support)
    intercept : ndarray of shape (n_outputs,)
    gamma : float
    kernel_rows : ndarray of shape (n_rows, n_support)
    kernel_background : ndarray of shape (n_background, n_support)
    """

    game: Game
    support: Array
    coef: Array
    intercept: Array
    gamma: float
    kernel_rows: Array
    kernel_background: Array

    def allowed_errors(self, tolerance: float) -> Array:
        """Error allowed in each integral of a row: (n_rows,)."""
        if not tolerance > 0:
            raise ExplanationError(f"tolerance must be above 0; got {tolerance}.")
        sizes = _kernel_size(self.coef, self.kernel_rows, self.kernel_background.mean(axis=0))
        return tolerance * sizes

    def blocks(self) -> Iterator[tuple[Array, Array, Array]]:
        """Walk through the support rows: factors of the rows, of the background, coefficients.

        Factors are of shape (n_support of the block, n_rows or n_background, n_active).
        """
        game = self.game
        n_factors = (len(game.rows) + len(game.background)) * game.rows.shape[1]
        size = max(1, int(BLOCK_BYTES / (8 * n_factors)))
        for start in range(0, len(self.support), size):
            part = slice(start, start + size)
            factors = _rbf_factors(game, game.rows, self.support[part], self.gamma)
            absent = _rbf_factors(game, game.background, self.support[part], self.gamma)
            yield factors, absent, self.coef[:, part].copy()


def make_rbf(
    X: ArrayLike,
    background: ArrayLike,
    support: ArrayLike,
    coef: ArrayLike,
    gamma: float,
    intercept: ArrayLike,
    players: ArrayLike | None,
    n_players: int | None,
) -> RbfMachine:
    """Check the arguments of ``rbf_values`` and of its interactions."""
    game = make_game(X, background, players=players, n_players=n_players)
    n_columns = game.rows.shape[1]
    centres = finite_matrix(support, "support", shape=(None, n_columns))
    weights = finite_matrix(coef, "coef", shape=(None, len(centres)))
    offsets = finite_matrix(intercept, "intercept", shape=(len(weights),))
    gamma = finite_number(gamma, "gamma", above=0)
    kernel_rows = np.empty((len(game.rows), len(centres)))
    kernel_background = np.empty((len(game.background), len(centres)))
    for i, centre in enumerate(centres):
        kernel_rows[:, i] = _rbf(game.rows - centre, gamma)
        kernel_background[:, i] = _rbf(game.background - centre, gamma)
    return RbfMachine(
        game=game,
        support=centres,
        coef=weights,
        intercept=offsets,
        gamma=gamma,
        kernel_rows=kernel_rows,
        kernel_background=kernel_background,
    )


def _rbf_factors(game: Game, rows: Array, centres: Array, gamma: float) -> Array:
    """Factor of each active player at each row: (n_support, n_rows, n_active)."""
    # A distance beyond float64 is infinite, and its factor is 0 as it should be.
    with np.errstate(over="ignore"):
        squares = np.square(rows[None, :, :] - centres[:, None, :])
        factors: Array = np.exp(-gamma * game.sum_columns(squares))
    return factors


def _rbf(moved: Array, gamma: float) -> Array:
    """Kernel at differences (n_rows, n_columns) to one support row: (n_rows,)."""
    with np.errstate(over="ignore"):
        kernel: Array = np.exp(-gamma * np.square(moved).sum(axis=1))
    return kernel


def _kernel_size(weights: Array, kernel_rows: Array, kernel_background: Array) -> Array:
    """Measure the kernel's sum at each row over sum |coef|, smallest over outputs: (n_rows,)."""
    magnitude = np.abs(weights)
    total = magnitude.sum(axis=1)
    used = total > 0
    if not used.any():
        return np.ones(len(kernel_rows))
    sizes = (kernel_rows + kernel_background) @ magnitude[used].T / total[used]
    smallest: Array = sizes.min(axis=1)
    return smallest


def _assert_additive(values: Array, moved: Array, size: Array, tolerance: float) -> None:
    """Refuse values that do not sum to f(x) - mean f(z); ``size`` bounds |f - intercept|."""
    error = np.abs(values.sum(axis=1) - moved)
    worst = float((error / np.where(size > 0, size, 1.0)).max(initial=0.0))
    if not worst <= tolerance + 1e-9:
        raise ExplanationError(
            f"Shapley values must add up to f(x) - mean f(z); they are off by {worst:.2g} "
            "of sum |coef|."
        )


@compiled
def _add_products(
    factors: Array,
    absent: Array,
    coef: Array,
    allowed: Array,
    nodes: Array,
    node_weights: Array,
    sizes: Integers,
    starts: Integers,
    values: Array,
) -> None:
    """Add the values of a block of support rows to ``values``.

    Parameters
    ----------
    factors : ndarray of shape (n_support, n_rows, n_players)
    absent : ndarray of shape (n_support, n_background, n_players)
    coef : ndarray of shape (n_outputs, n_support)
    allowed : ndarray of shape (n_rows,)
        Error allowed in each integral.
    nodes, node_weights, sizes, starts
        See ``quadrature.rules``.
    values : ndarray of shape (n_rows, n_outputs, n_players)
        Changed in place.
    """
    n_support, n_rows, n_players = factors.shape
    n_background = absent.shape[1]
    slope = np.empty(n_players)
    relative = np.empty(n_players)
    series = np.empty(n_players)
    integral = np.empty(n_players)
    powers = np.empty(MOST_POWERS)
    product = np.empty(sizes[-1])
    for i in range(n_support):
        for row in range(n_rows):
            a = factors[i, row]
            tolerance = max(allowed[row], SMALLEST_TOLERANCE)
            integral[:] = 0.0
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
                    relative[p] = v
                # Two factors of 0 make v NaN; then ``largest`` is 0 and the term is none.
                if largest <= tolerance:
                    continue
                wanted = n_nodes(
                    largest, abs(drift), total, squares, steepest, n_players, 1, tolerance
                )
                rule = 0
                while sizes[rule] < wanted and rule < len(sizes) - 1:
                    rule += 1
                first = starts[rule]
                n_used = sizes[rule]
                # Nodes lie symmetrically: c + t u and a - t u are factors at t and 1 - t.
                for q in range((n_used + 1) // 2):
                    t = nodes[first + q]
                    low = 1.0
                    high = 1.0
                    for p in range(n_players):
                        step = t * slope[p]
                        low *= c[p] + step
                        high *= a[p] - step
                    product[q] = low * node_weights[first + q]
                    product[n_used - 1 - q] = high * node_weights[first + q]
                if steepest <= 2 * LARGEST_EXPANDED:
                    _add_expanded(
                        relative,
                        steepest,
                        product,
                        nodes,
                        first,
                        n_used,
                        tolerance,
                        powers,
                        series,
                        integral,
                    )
                else:
                    for q in range(n_used):
                        t = nodes[first + q]
                        weight = product[q]
                        for p in range(n_players):
                            integral[p] += weight * slope[p] / (c[p] + t * slope[p])
            for k in range(coef.shape[0]):
                weight = coef[k, i] / n_background
                for p in range(n_players):
                    values[row, k, p] += weight * integral[p]


@compiled
def _add_expanded(
    relative: Array,
    steepest: float,
    product: Array,
    nodes: Array,
    first: int,
    n_used: int,
    tolerance: float,
    powers: Array,
    series: Array,
    integral: Array,
) -> None:
    """Add v * sum_q product_q / (1 + v tau_q) for every v, as a power series: no divisions."""
    mass = 0.0
    for q in range(n_used):
        mass += product[q]
    ratio = steepest / 2
    n_powers = 4
    if ratio > 0 and mass > tolerance:
        wanted = math.log(tolerance * (1 - ratio) / (2 * mass)) / math.log(ratio)
        n_powers = min(MOST_POWERS, max(4, 4 * math.ceil(wanted / 4)))
    for k in range(n_powers):
        powers[k] = 0.0
    for q in range(n_used):
        tau = 0.5 - nodes[first + q]
        term = product[q]
        for k in range(n_powers):
            powers[k] += term
            term *= tau
    for p in range(len(relative)):
        series[p] = 0.0
    k = n_powers - 4
    while k >= 0:
        m0, m1, m2, m3 = powers[k], powers[k + 1], powers[k + 2], powers[k + 3]
        for p in range(len(relative)):
            v = relative[p]
            series[p] = (((series[p] * v + m3) * v + m2) * v + m1) * v + m0
        k -= 4
    for p in range(len(relative)):
        integral[p] += relative[p] * series[p]
