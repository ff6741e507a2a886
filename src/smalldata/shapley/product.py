"""Exact Shapley values of any sum of product kernels, such as the Gaussian (rbf) kernel.

f(x) = intercept + sum_i coef_i prod_p k_p(x, support_i). For one row x, one background row z and
one support row, with a_p = k_p(x) and c_p = k_p(z), a player's value is the diagonal integral of
the multilinear extension (Owen 1972, Multilinear extensions of games, Management Science 18:64-79):

    integral_0^1 (a_p - c_p) prod_{l != p} (t a_l + (1 - t) c_l) dt

The integrand is a polynomial, taken by Gauss-Legendre quadrature; how many nodes is decided for
each (x, z, support) from a bound of the error (``_n_nodes``), so that nothing is left to hope and
nothing is computed twice.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import ArrayLike

from smalldata.compiling import compiled
from smalldata.errors import ExplanationError
from smalldata.shapley.game import Array, Game, Integers, finite_matrix, make_game

# Factors of one block of support rows, in bytes: what is held at once besides the result.
BLOCK_BYTES = 16_000_000
# Below this the error bound is not asked to go: with 50 digits it can no longer be met in float64.
SMALLEST_TOLERANCE = 1e-30
# Sum over nodes of weight / (1 + v * node) is expanded in powers of v where |v| / 2 <= this, else
# divided out.
LARGEST_EXPANDED = 0.4
MOST_POWERS = 80
N_RHO = 20


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
    game = make_game(X, background, players=players, n_players=n_players)
    n_columns = game.rows.shape[1]
    centres = finite_matrix(support, "support", shape=(None, n_columns))
    weights = finite_matrix(coef, "coef", shape=(None, len(centres)))
    offsets = finite_matrix(intercept, "intercept", shape=(len(weights),))
    if not (math.isfinite(gamma) and gamma > 0 and tolerance > 0):
        raise ExplanationError(
            f"gamma and tolerance must be above 0; got gamma={gamma}, tolerance={tolerance}."
        )
    kernel_rows = np.empty((len(game.rows), len(centres)))
    kernel_background = np.empty((len(game.background), len(centres)))
    for i, centre in enumerate(centres):
        kernel_rows[:, i] = _rbf(game.rows - centre, gamma)
        kernel_background[:, i] = _rbf(game.background - centre, gamma)
    allowed = tolerance * _kernel_size(weights, kernel_rows, kernel_background.mean(axis=0))

    values = np.zeros((len(game.rows), len(weights), game.n_active))
    n_factors = len(game.rows) + len(game.background)
    block = max(1, int(BLOCK_BYTES / (8 * n_columns * n_factors)))
    rules = _rules(game.n_active)
    for start in range(0, len(centres), block):
        stop = start + block
        factors = _rbf_factors(game, game.rows, centres[start:stop], gamma)
        absent = _rbf_factors(game, game.background, centres[start:stop], gamma)
        _add_products(factors, absent, weights[:, start:stop].copy(), allowed, *rules, values)
    base_values = offsets + weights @ kernel_background.mean(axis=0)
    full = np.ascontiguousarray(values.transpose(0, 2, 1))
    moved = kernel_rows @ weights.T + offsets - base_values
    _assert_additive(full, moved, np.abs(weights).sum(axis=1), tolerance * game.n_active)
    return game.spread(full), base_values


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


@lru_cache(maxsize=32)
def _rules(n_players: int) -> tuple[Array, Array, Integers, Integers]:
    """Gauss-Legendre rules on [0, 1] up to the one that is exact for this many players.

    Returns
    -------
    nodes, weights : ndarray
        All rules one after the other.
    sizes : ndarray of shape (n_rules,)
        Nodes of each rule, ascending; the last one suffices for any factors.
    starts : ndarray of shape (n_rules,)
    """
    exact = (n_players + 1) // 2
    # With every factor's ratio at its worst the bound needs about sqrt(n_players * log(1 /
    # tolerance) / 4) nodes.
    enough = 8 + math.ceil(math.sqrt(n_players * -math.log(SMALLEST_TOLERANCE) / 3))
    largest = max(1, min(exact, enough))
    sizes = [1]
    while sizes[-1] < largest:
        sizes.append(min(largest, max(sizes[-1] + 1, int(sizes[-1] * 1.15))))
    rules = [leggauss(size) for size in sizes]
    nodes = np.concatenate([(rule[0] + 1) / 2 for rule in rules])
    weights = np.concatenate([rule[1] / 2 for rule in rules])
    counts = np.array(sizes, dtype=np.int64)
    return nodes, weights, counts, np.cumsum(counts) - counts


@compiled
def _n_nodes(
    largest: float,
    drift: float,
    total: float,
    squares: float,
    steepest: float,
    n_players: int,
    allowed: float,
) -> int:
    """Count the Gauss-Legendre nodes that bring the error below ``allowed``; 0 for no term.

    With m = (a + c) / 2, v = (a - c) / m and tau = t - 1/2 the integrand is v_p prod_l m_l (1 + v_l
    tau) without its p-th factor. For a function bounded by M on the Bernstein ellipse of parameter
    rho the error of n nodes is at most 32/15 M rho^(-2n) / (1 - rho^-2) on an interval of length 1
    (Trefethen 2013, Approximation Theory and Approximation Practice, theorem 19.3); on it |tau| <=
    kappa = (rho + 1/rho) / 4. Two bounds of M, for factors that differ little and much: |1 + w| <=
    exp(Re w + |w|^2 / 2), and |m + u tau| <= max(a, c) exp(|u| / max(a, c) (kappa - 1/2)).

    Parameters
    ----------
    largest : float
        prod max(a, c), the largest the product can be.
    drift, total, squares, steepest : float
        |sum v|, sum |v|, sum v^2, max |v|.
    """
    if largest <= allowed:
        return 0
    room = math.log(largest / allowed)
    much = min(total, float(n_players))
    fewest = (n_players + 1) // 2
    rho = 1.05
    for _ in range(N_RHO):
        kappa = (rho + 1 / rho) / 4
        # sum log(m / max(a, c)) <= -total / (2 + steepest); one v_p may be missing from the sum and
        # stand in front.
        little = (drift + steepest) * kappa + squares * kappa * kappa / 2 - total / (2 + steepest)
        little += max(0.0, math.log(steepest)) if steepest > 1 else 0.0
        bound = room + min(little, much * (kappa - 0.5)) + math.log(32 / 15 / (1 - 1 / (rho * rho)))
        fewest = min(fewest, max(1, math.ceil(bound / (2 * math.log(rho)))))
        rho = 1 + (rho - 1) * 1.5
    return fewest


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
        See ``_rules``.
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
                wanted = _n_nodes(
                    largest, abs(drift), total, squares, steepest, n_players, tolerance
                )
                rule = 0
                while sizes[rule] < wanted and rule < len(sizes) - 1:
                    rule += 1
                first = starts[rule]
                n_nodes = sizes[rule]
                # Nodes lie symmetrically: c + t u and a - t u are factors at t and 1 - t.
                for q in range((n_nodes + 1) // 2):
                    t = nodes[first + q]
                    low = 1.0
                    high = 1.0
                    for p in range(n_players):
                        step = t * slope[p]
                        low *= c[p] + step
                        high *= a[p] - step
                    product[q] = low * node_weights[first + q]
                    product[n_nodes - 1 - q] = high * node_weights[first + q]
                if steepest <= 2 * LARGEST_EXPANDED:
                    _add_expanded(
                        relative,
                        steepest,
                        product,
                        nodes,
                        first,
                        n_nodes,
                        tolerance,
                        powers,
                        series,
                        integral,
                    )
                else:
                    for q in range(n_nodes):
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
    n_nodes: int,
    tolerance: float,
    powers: Array,
    series: Array,
    integral: Array,
) -> None:
    """Add v * sum_q product_q / (1 + v tau_q) for every v, as a power series: no divisions."""
    mass = 0.0
    for q in range(n_nodes):
        mass += product[q]
    ratio = steepest / 2
    n_powers = 4
    if ratio > 0 and mass > tolerance:
        wanted = math.log(tolerance * (1 - ratio) / (2 * mass)) / math.log(ratio)
        n_powers = min(MOST_POWERS, max(4, 4 * math.ceil(wanted / 4)))
    for k in range(n_powers):
        powers[k] = 0.0
    for q in range(n_nodes):
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
