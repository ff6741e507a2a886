"""Exact Shapley values of any sum of product kernels, such as the Gaussian (rbf) kernel.

f(x) = intercept + sum_i coef_i prod_p k_p(x, support_i). For one row x, one background row z and
one support row, with a_p = k_p(x) and c_p = k_p(z), a player's value is the diagonal integral of
the multilinear extension (Owen 1972, Multilinear extensions of games, Management Science 18:64-79):

    integral_0^1 (a_p - c_p) prod_{l != p} (t a_l + (1 - t) c_l) dt

The integrand is a polynomial, taken by Gauss-Legendre quadrature; how many nodes is decided for
each (x, z, support) from a bound of the error (``quadrature.n_nodes``), so that the error is
guaranteed and nothing is computed twice. The product of all factors at a node comes from power sums
over the players (``diagonal``), and what a player gets from it is one power series whose
coefficients are sums over the nodes, so that the work for a player does not grow with the nodes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from smalldata.errors import ExplanationError
from smalldata.runtime.compiling import compiled
from smalldata.shapley.diagonal import Diagonals, log_factors, make_diagonals, walk_diagonals
from smalldata.shapley.game import (
    Array,
    Game,
    Integers,
    finite_matrix,
    finite_number,
    make_game,
)
from smalldata.shapley.quadrature import MOST_POWERS, SMALLEST_TOLERANCE, Rules, make_rules

# Steps of the compiled loop, under a second: a signal is heard only between two calls.
STEPS_AT_ONCE = 2e8


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
    values = np.zeros((len(game.rows), len(machine.coef), game.n_active))
    allowed, rules = machine.allowed_errors(tolerance), make_rules(game.n_active)
    each = len(game.background) * len(machine.support) * game.n_active
    size = max(1, int(STEPS_AT_ONCE / max(each, 1)))
    for start in range(0, len(game.rows), size):
        here = slice(start, start + size)
        _add_values(
            game.rows[here],
            game.background,
            machine.support,
            machine.coef,
            machine.gamma,
            game.position_of_columns(),
            game.single,
            allowed[here],
            rules,
            values[here],
        )
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
        tolerance = finite_number(tolerance, "tolerance", above=0)
        sizes = _kernel_size(self.coef, self.kernel_rows, self.kernel_background.mean(axis=0))
        allowed: Array = np.maximum(tolerance * sizes, SMALLEST_TOLERANCE)
        return allowed


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
    return RbfMachine(
        game=game,
        support=centres,
        coef=weights,
        intercept=offsets,
        gamma=gamma,
        kernel_rows=_rbf(game.rows, centres, gamma),
        kernel_background=_rbf(game.background, centres, gamma),
    )


def _rbf(rows: Array, centres: Array, gamma: float) -> Array:
    """Kernel of each row with each support row: (n_rows, n_support)."""
    # A distance beyond float64 is infinite, and its kernel is 0 as it should be.
    with np.errstate(over="ignore"):
        kernel: Array = np.exp(-gamma * cdist(rows, centres, "sqeuclidean"))
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
def _add_values(
    rows: Array,
    background: Array,
    support: Array,
    coef: Array,
    gamma: float,
    position: Integers,
    single: bool,
    allowed: Array,
    rules: Rules,
    values: Array,
) -> None:
    """Add what every support row gives to every row's values.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_columns)
    background : ndarray of shape (n_background, n_columns)
    support : ndarray of shape (n_support, n_columns)
    coef : ndarray of shape (n_outputs, n_support)
    gamma : float
    position, single
        As in ``diagonal.log_factors``.
    allowed : ndarray of shape (n_rows,)
        Error allowed in each integral.
    rules : Rules
    values : ndarray of shape (n_rows, n_outputs, n_players)
        Changed in place.
    """
    n_players = values.shape[2]
    n_background = len(background)
    diagonals = make_diagonals(n_background, n_players, rules)
    n_together = len(diagonals.gaps)
    present = np.empty(n_players)
    absent = np.empty((n_background, n_players))
    total_absent = np.empty(n_background)
    integral = np.empty(n_players)
    shares = np.empty(MOST_POWERS + 1)
    for i in range(len(support)):
        for z in range(n_background):
            total_absent[z] = log_factors(
                background[z], support[i], gamma, position, single, absent[z]
            )
        for row in range(len(rows)):
            total = log_factors(rows[row], support[i], gamma, position, single, present)
            integral[:] = 0.0
            for begin in range(0, n_background, n_together):
                some = absent[begin : begin + n_together]
                walk_diagonals(
                    present,
                    some,
                    total,
                    total_absent[begin : begin + n_together],
                    allowed[row],
                    1,
                    rules,
                    diagonals,
                )
                _add_near(len(some), allowed[row] / 4, rules, diagonals, shares, integral)
                _add_far(len(some), rules, diagonals, integral)
            for output in range(coef.shape[0]):
                weight = coef[output, i] / n_background
                for p in range(n_players):
                    values[row, output, p] += weight * integral[p]


@compiled
def _add_near(
    n_background: int,
    allowed: float,
    rules: Rules,
    diagonals: Diagonals,
    shares: Array,
    integral: Array,
) -> None:
    """Add to each player's integral its power series in y: sum over n of shares[n] y^n.

    ``shares`` is filled with the sum over nodes of the products times the series at the nodes.
    """
    products, gaps, higher = diagonals.products, diagonals.gaps, diagonals.scratch
    series, share_tail = rules.shares, rules.share_tail
    n_players = len(integral)
    for z in range(n_background):
        n_used, first, peak = diagonals.n_used[z], diagonals.first[z], diagonals.peaks[z]
        if n_used == 0 or peak == 0:
            continue
        mass = 0.0
        s1, s2, s3, s4 = 0.0, 0.0, 0.0, 0.0
        s5, s6, s7, s8 = 0.0, 0.0, 0.0, 0.0
        for q in range(n_used):
            weight, at = products[z, q], first + q
            mass += weight
            s1 += weight * series[at, 1]
            s2 += weight * series[at, 2]
            s3 += weight * series[at, 3]
            s4 += weight * series[at, 4]
            s5 += weight * series[at, 5]
            s6 += weight * series[at, 6]
            s7 += weight * series[at, 7]
            s8 += weight * series[at, 8]
        fourth = peak * peak * peak * peak
        rest = mass / (allowed * (1 - peak / 2)) * fourth * peak
        n_powers = 4
        while n_powers < MOST_POWERS and share_tail[n_powers] * rest > 1:
            rest *= fourth
            n_powers += 4
        # The usual lengths in one pass.
        if n_powers == 4:
            for p in range(n_players):
                y = gaps[z, p]
                integral[p] += (((s4 * y + s3) * y + s2) * y + s1) * y
            continue
        if n_powers == 8:
            for p in range(n_players):
                y = gaps[z, p]
                upper = ((s8 * y + s7) * y + s6) * y + s5
                integral[p] += ((((upper * y + s4) * y + s3) * y + s2) * y + s1) * y
            continue
        for n in range(9, n_powers + 1):
            shares[n] = 0.0
            for q in range(n_used):
                shares[n] += products[z, q] * series[first + q, n]
        higher[:] = 0.0
        for n in range(n_powers, 8, -4):
            t1, t2, t3, t4 = shares[n - 3], shares[n - 2], shares[n - 1], shares[n]
            for p in range(n_players):
                y = gaps[z, p]
                higher[p] = (((higher[p] * y + t4) * y + t3) * y + t2) * y + t1
        for p in range(n_players):
            y = gaps[z, p]
            upper = (((higher[p] * y + s8) * y + s7) * y + s6) * y + s5
            integral[p] += ((((upper * y + s4) * y + s3) * y + s2) * y + s1) * y


@compiled
def _add_far(n_background: int, rules: Rules, diagonals: Diagonals, integral: Array) -> None:
    """Add to the integrals of the players of ``far`` what they are, by division."""
    for z in range(n_background):
        n_used, first = diagonals.n_used[z], diagonals.first[z]
        if n_used == 0:
            continue
        for k in range(diagonals.n_far[z]):
            low, slope = diagonals.low[z, k], diagonals.slope[z, k]
            taken = 0.0
            for q in range(n_used):
                taken += diagonals.products[z, q] / (low + rules.nodes[first + q] * slope)
            integral[diagonals.far[z, k]] += slope * taken
