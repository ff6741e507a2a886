"""Gauss-Legendre rules for the diagonal integral of a product, with proven bounds of every error.

What the kernels of ``product`` and ``product_interactions`` share about one player's factor. With
y = log a - log c and tau = t - 1/2 the factor t a + (1 - t) c is sqrt(a c) times

    g(y, tau) = cosh(y / 2) + 2 tau sinh(y / 2)

and both log g and its derivative by tau, (a - c) / factor, are power series in y: sums over players
only need the power sums of y. The series are cut where their remainder is below what is allowed.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.polynomial.legendre import leggauss

from smalldata.runtime.compiling import compiled
from smalldata.shapley.game import Array, Integers

# Smallest error bound: with 50 digits a smaller one cannot be met in float64.
SMALLEST_TOLERANCE = 1e-30
MOST_POWERS = 24
# On |y| = 3 both series are below these, for any tau in [-1/2, 1/2]: the two terms of g differ in
# angle by |Im y| < pi, so that |g| >= cos(Im y / 2) exp(-|Re y| / 2). Cauchy's estimate then bounds
# their coefficients by bound / 3^n.
CAUCHY_RADIUS = 3.0
CAUCHY_LOG = 3.1
CAUCHY_SHARE = 30.0
# Parameters rho of Bernstein ellipses; each gives a bound, and the best is used.
RHO = 1 + 0.05 * 1.5 ** np.arange(20)
KAPPA = (RHO + 1 / RHO) / 4
NODES_PER_LOG = 1 / (2 * np.log(RHO))
LOG_CONSTANT = np.log(8 / 3 / (1 - 1 / RHO**2))


class Rules(NamedTuple):
    """Gauss-Legendre rules on [0, 1], one after the other, and the series at their nodes.

    Attributes
    ----------
    nodes, weights : ndarray of shape (n_nodes,)
    sizes : ndarray of shape (n_rules,)
        Nodes of each rule, ascending; the last one suffices for any factors.
    starts : ndarray of shape (n_rules,)
    rule_for : ndarray of shape (sizes[-1] + 1,)
        The smallest rule with at least this many nodes.
    logs, shares : ndarray of shape (n_nodes, MOST_POWERS + 1)
        Coefficients of y^n in log g and in (a - c) / factor.
    log_tail, share_tail : ndarray of shape (MOST_POWERS + 1,)
        What follows after y^n is at most tail[n] |y|^(n + 1) / (1 - |y| / 2).
    """

    nodes: Array
    weights: Array
    sizes: Integers
    starts: Integers
    rule_for: Integers
    logs: Array
    shares: Array
    log_tail: Array
    share_tail: Array


@lru_cache(maxsize=32)
def make_rules(n_players: int) -> Rules:
    """Make the rules up to the one that is exact for this many players."""
    exact = (n_players + 1) // 2
    # With every factor's ratio at its worst the bound needs about sqrt(n_players * log(1 /
    # tolerance) / 4) nodes.
    enough = 8 + math.ceil(math.sqrt(n_players * -math.log(SMALLEST_TOLERANCE) / 3))
    largest = max(1, min(exact, enough))
    sizes = [1]
    while sizes[-1] < largest:
        sizes.append(min(largest, max(sizes[-1] + 1, int(sizes[-1] * 1.15))))
    each = [leggauss(size) for size in sizes]
    nodes = np.concatenate([(rule[0] + 1) / 2 for rule in each])
    counts = np.array(sizes, dtype=np.int64)
    logs, shares = _series(nodes - 0.5, MOST_POWERS)
    log_tail, share_tail = _tails()
    return Rules(
        nodes=nodes,
        weights=np.concatenate([rule[1] / 2 for rule in each]),
        sizes=counts,
        starts=np.cumsum(counts) - counts,
        rule_for=np.searchsorted(counts, np.arange(largest + 1)),
        logs=logs,
        shares=shares,
        log_tail=log_tail,
        share_tail=share_tail,
    )


def _series(tau: Array, n_powers: int) -> tuple[Array, Array]:
    """Expand log g and (a - c) / factor in y: two arrays (n_tau, n_powers + 1).

    s = d log g / dy solves s' = 1/4 - s^2, and h = (a - c) / factor has h' = q with q' = -2 s q.
    """
    s = np.zeros((len(tau), n_powers + 1))
    q = np.zeros_like(s)
    s[:, 0], q[:, 0] = tau, 1.0
    for n in range(n_powers):
        squares = (s[:, : n + 1] * s[:, n::-1]).sum(axis=1)
        s[:, n + 1] = ((0.25 if n == 0 else 0.0) - squares) / (n + 1)
        q[:, n + 1] = -2 * (s[:, : n + 1] * q[:, n::-1]).sum(axis=1) / (n + 1)
    order = np.arange(1, n_powers + 1)
    logs, shares = np.zeros_like(s), np.zeros_like(s)
    logs[:, 1:], shares[:, 1:] = s[:, :-1] / order, q[:, :-1] / order
    return logs, shares


@lru_cache(maxsize=1)
def _tails() -> tuple[Array, Array]:
    """Bound the remainders: the largest coefficients up to y^60, Cauchy's estimate beyond.

    A polynomial of degree n is at most 1 / cos(pi n / 2m) times its largest value on m Chebyshev
    nodes (Ehlich & Zeller 1964, Schwankung von Polynomen zwischen Gitterpunkten, Mathematische
    Zeitschrift 86:41-44).
    """
    n_known, m = 60, 2000
    tau = np.cos((np.arange(m) + 0.5) * np.pi / m) / 2
    tails = []
    for series, cauchy in zip(_series(tau, n_known), (CAUCHY_LOG, CAUCHY_SHARE), strict=True):
        order = np.arange(n_known + 1)
        largest = np.abs(series).max(axis=0) / np.cos(np.pi * order / (2 * m))
        largest = np.append(largest, cauchy / CAUCHY_RADIUS ** (n_known + 1))
        # sum over k > n of largest_k |y|^k <= tail_n |y|^(n + 1) sum of (|y| / 2)^j
        scaled = largest * 2.0 ** np.arange(n_known + 2)
        following = np.maximum.accumulate(scaled[::-1])[::-1][1:]
        tails.append((following / 2.0 ** (order + 1))[: MOST_POWERS + 1])
    return tails[0], tails[1]


@compiled
def n_nodes(
    room: float, crowded: float, drift: float, squares: float, much: float, start: int
) -> tuple[float, int]:
    """Bound the Gauss-Legendre nodes that bring the error of the integral below what is allowed.

    With v = 2 tanh(y / 2) the integrand is prod_l sqrt(a_l c_l) cosh(y_l / 2) times prod_l (1 + v_l
    tau), in which one or two players have v_p instead of their factor. For a function bounded by M
    on the Bernstein ellipse of parameter rho the error of n nodes is at most 8/3 M rho^(-2n) / (1 -
    rho^-2) on an interval of length 1 (Trefethen 2013, Approximation Theory and Approximation
    Practice, theorem 19.3, with the constant that also holds for n = 1); on it |tau| <= kappa =
    (rho + 1/rho) / 4. Two bounds of M, for factors that differ little and much: |1 + w| <= exp(Re w
    + |w|^2 / 2), and |factor| <= max(a, c) exp((1 - exp(-|y|)) (kappa - 1/2)).

    Parameters
    ----------
    room : float
        log of prod sqrt(a c) cosh(y / 2), times the v_p in front, over the error allowed.
    crowded : float
        log of prod max(a, c) over the error allowed.
    drift, squares : float
        |sum v| and sum v^2 over the players that may be in the product, or more.
    much : float
        sum (1 - exp(-|y|)), or more.
    start : int
        Which rho to begin with.

    Returns
    -------
    nodes : float
    best : int
        The rho that gave it: where to begin next time.
    """
    best = start
    fewest = _nodes_at(start, room, crowded, drift, squares, much)
    for step in (1, -1):
        place = best + step
        while 0 <= place < len(KAPPA):
            count = _nodes_at(place, room, crowded, drift, squares, much)
            if count >= fewest:
                break
            fewest, best = count, place
            place += step
    return fewest, best


@compiled
def _nodes_at(
    place: int, room: float, crowded: float, drift: float, squares: float, much: float
) -> float:
    kappa = KAPPA[place]
    little = room + drift * kappa + squares * kappa * kappa / 2
    bound = min(little, crowded + much * (kappa - 0.5)) + LOG_CONSTANT[place]
    nodes: float = bound * NODES_PER_LOG[place]
    return nodes
